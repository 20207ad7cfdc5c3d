"""What the attack on a file finds in small models, to compare versions with.

    python tests/reference/make_file_scores.py > tests/reference/file_scores.json

To be made with the newest versions of all packages. Of each model there are some of its
answers, or of what a step hands on, and some scores; sums with fixed weights stand for
all of them. Discriminant analysis of older versions, which divided by other numbers, is
brought to what the newest ones store.
"""

import json
import sys
import warnings

import numpy as np
from sklearn import __version__
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, GaussianNB, MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import LinearReconstructionAttack, as_records
from sklearn_mia._compat import DISCRIMINANTS_LOSE_DEGREES_OF_FREEDOM
from sklearn_mia.datasets import load_german_credit

N_RECORDS, N_SHOWN = 300, 4
LEAVES = {"min_samples_leaf": 4, "random_state": 0}
NUMBERS = (1, 4, 7, 10, 12, 15, 17)
# Each with the columns that it gets.
MODELS = {
    "tree": (DecisionTreeClassifier(**LEAVES), "all"),
    "forest": (RandomForestClassifier(15, **LEAVES), "all"),
    "extra trees": (ExtraTreesClassifier(15, **LEAVES), "all"),
    "bagged trees": (
        BaggingClassifier(DecisionTreeClassifier(max_depth=4), 15, random_state=0),
        "all",
    ),
    "gradient boosting": (
        # In smaller leaves splits tie, and versions break ties otherwise.
        GradientBoostingClassifier(
            n_estimators=15, min_samples_leaf=10, random_state=0
        ),
        "all",
    ),
    "histogram boosting": (HistGradientBoostingClassifier(max_iter=15), "all"),
    "AdaBoost": (
        AdaBoostClassifier(
            DecisionTreeClassifier(max_depth=2), n_estimators=10, random_state=0
        ),
        "all",
    ),
    "logistic regression": (LogisticRegression(tol=1e-8, max_iter=2000), "numbers"),
    "logistic regression, Newton": (
        LogisticRegression(solver="newton-cholesky", tol=1e-10),
        "numbers",
    ),
    "ridge": (RidgeClassifier(), "all"),
    "linear discriminants": (LinearDiscriminantAnalysis(), "numbers"),
    "quadratic discriminants": (QuadraticDiscriminantAnalysis(), "numbers"),
    "Gaussian naive Bayes": (GaussianNB(), "numbers"),
    "Bernoulli naive Bayes": (BernoulliNB(), "indicators"),
    "multinomial naive Bayes": (MultinomialNB(), "indicators"),
    "categorical naive Bayes": (CategoricalNB(min_categories=11), "codes"),
    "scaler": (StandardScaler(), "numbers"),
    "imputer": (SimpleImputer(), "gaps"),
    "median imputer": (SimpleImputer(strategy="median"), "distinct"),
    "principal components": (PCA(4, svd_solver="full"), "numbers"),
    "target encoder": (TargetEncoder(smooth=10.0, random_state=0), "codes"),
    "bins": (KBinsDiscretizer(8, encode="ordinal"), "distinct"),
    "one-hot encoder": (
        OneHotEncoder(handle_unknown="ignore", sparse_output=False),
        "numbers",
    ),
    "terms": (TfidfTransformer(), "indicators"),
}


def columns():
    """The records of the German credit table, in several forms, and their labels."""
    table = load_german_credit()
    order = np.random.default_rng(5).permutation(len(table.data))[:N_RECORDS]
    X, y = np.asarray(table.data, dtype=object)[order], table.target[order]
    numbers = X[:, NUMBERS].astype(float)
    # The amounts are long numbers, which no table of counts has.
    numbers = np.round(numbers / np.array([1, 100, 1, 1, 1, 1, 1]))
    words = np.delete(X, NUMBERS, axis=1).astype(str)
    codes = OrdinalEncoder().fit_transform(words)
    gaps = numbers.copy()
    gaps[::7, 0] = gaps[3::5, 3] = np.nan
    return {
        "numbers": numbers / numbers.std(axis=0),
        "codes": codes,
        "all": np.hstack([numbers, codes]),
        "indicators": OneHotEncoder(sparse_output=False).fit_transform(words),
        "gaps": gaps,
        "distinct": numbers @ np.cos(np.arange(49)).reshape(7, 7),
    }, (y == y[0]).astype(int)


def found(name, forms, y):
    """Answers of a model of half of the records, and the scores of all."""
    model, form = MODELS[name]
    X, is_member = forms[form], np.random.default_rng(6).random(len(y)) < 0.5
    is_step = not hasattr(model, "predict")
    if is_step:
        model = make_pipeline(model, DummyClassifier())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X[is_member], y[is_member])
        if DISCRIMINANTS_LOSE_DEGREES_OF_FREEDOM:
            store_as_from_1_9_on(model, np.bincount(y[is_member]))
        ask = getattr(model, "predict_proba", None) or model.decision_function
        answers = model[0].transform(X) if is_step else ask(X)
        scores = LinearReconstructionAttack(model).fit_score(as_records(X, y))
    answers = answers.toarray() if hasattr(answers, "toarray") else answers
    return {"answers": digest(answers), "scores": digest(scores)}


def store_as_from_1_9_on(model, sizes):
    """Divide scatters of discriminant analysis by the records, in what is stored.

    It was the records less the classes for linear, and those of the class less 1 for
    quadratic discriminants.
    """
    if isinstance(model, LinearDiscriminantAnalysis):
        more = sizes.sum() / (sizes.sum() - len(sizes))
        shares = np.log(model.priors_[1] / model.priors_[0])
        model.coef_ = model.coef_ * more
        model.intercept_ = shares + (model.intercept_ - shares) * more
    if isinstance(model, QuadraticDiscriminantAnalysis):
        pairs = zip(model.scalings_, sizes, strict=True)
        model.scalings_ = [own * (n - 1) / n for own, n in pairs]


def digest(values):
    """A few of the values, and two sums over all."""
    values = np.asarray(values, dtype=float).reshape(len(values), -1)
    wave = np.cos(np.arange(values.size)).reshape(values.shape)
    sums = values.mean(), np.mean(values * wave)
    return [*values[:: len(values) // N_SHOWN, 0].tolist(), *map(float, sums)]


if __name__ == "__main__":
    forms, y = columns()
    rows = {name: found(name, forms, y) for name in MODELS}
    lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in rows.items()]
    made_with = json.dumps({"scikit-learn": __version__})[1:-1]
    sys.stdout.write("{" + ",\n".join([made_with, *lines]) + "}\n")
