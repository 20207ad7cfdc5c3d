"""What a model stores: every equation holds, at the true membership."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from helpers import in_turn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.covariance import EmpiricalCovariance
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.feature_extraction.text import TfidfTransformer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import (
    BernoulliNB,
    CategoricalNB,
    ComplementNB,
    GaussianNB,
    MultinomialNB,
)
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    QuantileTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from sklearn_mia import _compat
from sklearn_mia.equations import (
    linear_equations,
    solve,
)
from sklearn_mia.equations._ranks import shown_by_neighbours


def draw(n_classes=2, n=600, seed=3, n_redundant=2):
    """Features, labels and membership of a pool, half members."""
    X, y = make_classification(
        n,
        8,
        n_informative=5,
        n_redundant=n_redundant,
        n_classes=n_classes,
        flip_y=0.2,
        random_state=seed,
    )
    m = np.zeros(n, dtype=bool)
    m[np.random.default_rng(seed + 40).permutation(n)[: n // 2]] = True
    return X, y, m


def standing_off(system, m):
    """How far each equation is from holding, in its standard deviations."""
    m = np.asarray(m, dtype=float)
    off, noise = np.abs(system.dot(m) - system.b), system.noise(m)
    known = np.isfinite(system.scale)
    # Of an exact equation, whole numbers.
    return off[known] / np.where(noise[known] > 0, noise[known], 1e-9)


def assert_holds(model, X, y, m, kinds, most=5.0):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X[m], None if y is None else y[m])
        system = linear_equations(model, X, y)
    assert [line.kind for line in system.table()] == kinds
    assert standing_off(system, m).max() <= most
    return system


COUNT = ["leaf count"]
DRAWN = ["leaf size", "leaf fraction"]
THREE = ["leaf count", "leaf value", "leaf Hessian"]
BINNED = ["leaf count", "bin rank", "leaf value", "leaf Hessian"]
TREES = [
    (DecisionTreeClassifier(random_state=0), COUNT),
    (DecisionTreeClassifier(min_samples_leaf=5, class_weight="balanced"), COUNT),
    (DecisionTreeClassifier(max_depth=4, class_weight={0: 0.3, 1: 2.5}), COUNT),
    (DecisionTreeClassifier(criterion="entropy", ccp_alpha=0.005), COUNT),
    (ExtraTreeClassifier(random_state=0), COUNT),
    (ExtraTreesClassifier(10, random_state=0), COUNT),
    (ExtraTreesClassifier(10, min_samples_leaf=9, class_weight="balanced"), COUNT),
    (RandomForestClassifier(10, bootstrap=False, random_state=0), COUNT),
    (RandomForestClassifier(10, min_samples_leaf=4, random_state=0), DRAWN),
    (RandomForestClassifier(10, max_depth=5, max_samples=0.4, random_state=0), DRAWN),
    (
        RandomForestClassifier(
            10, max_depth=5, class_weight="balanced_subsample", random_state=0
        ),
        DRAWN,
    ),
    (
        RandomForestClassifier(
            10, max_depth=5, class_weight={0: 1.0, 1: 3.0}, random_state=0
        ),
        DRAWN,
    ),
    (ExtraTreesClassifier(10, max_depth=6, bootstrap=True, random_state=0), DRAWN),
    (BaggingClassifier(DecisionTreeClassifier(max_depth=5), 10, random_state=0), DRAWN),
    (
        BaggingClassifier(
            DecisionTreeClassifier(max_depth=5),
            10,
            bootstrap=False,
            max_samples=0.5,
            max_features=0.6,
            random_state=0,
        ),
        COUNT,
    ),
    (AdaBoostClassifier(random_state=0), ["leaf count", "leaf weight"]),
    (
        AdaBoostClassifier(DecisionTreeClassifier(max_depth=3), random_state=0),
        ["leaf count", "leaf weight"],
    ),
    (GradientBoostingClassifier(n_estimators=20, random_state=0), THREE[:2]),
    (
        GradientBoostingClassifier(n_estimators=20, loss="log_loss", init="zero"),
        THREE[:2],
    ),
    (
        GradientBoostingClassifier(n_estimators=20, subsample=0.6, random_state=0),
        THREE[:2],
    ),
    (HistGradientBoostingClassifier(max_iter=20), BINNED),
    (HistGradientBoostingClassifier(max_iter=20, l2_regularization=2.0), BINNED),
    (
        HistGradientBoostingClassifier(max_iter=20, class_weight={0: 1.0, 1: 4.0}),
        THREE,
    ),
    (HistGradientBoostingClassifier(max_iter=20, class_weight="balanced"), COUNT),
    (
        HistGradientBoostingClassifier(max_iter=20, learning_rate=0.3, max_bins=30),
        BINNED,
    ),
]


@in_turn(("tree", "n_classes"), TREES, [2, 4])
def test_what_trees_store_holds(tree, n_classes):
    model, kinds = tree
    X, y, m = draw(n_classes)
    weights = getattr(model, "class_weight", None)
    if n_classes > 2 and isinstance(weights, dict):
        model = clone(model).set_params(class_weight={2: 1.0, 3: 0.5, **weights})
    system = assert_holds(model, X, y, m, kinds)
    assert round(system.n_members) == m.sum()


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingClassifier(learning_rate=0.8),
        GradientBoostingClassifier(learning_rate=0.8, random_state=0),
    ],
)
def test_probabilities_near_0_and_1_are_no_statement_of_rounding(model, n_classes):
    X, y, m = draw(n_classes)
    X[:, 0] += 9 * y
    model.fit(X[m], y[m])
    assert model.predict_proba(X).max() > 1 - 1e-5
    system = linear_equations(model, X, y)
    assert standing_off(system, m).max() <= 5
    assert roc_auc_score(m, solve(system).estimate) > 0.5


def test_exponential_loss_holds():
    X, y, m = draw()
    model = GradientBoostingClassifier(n_estimators=20, loss="exponential")
    assert_holds(model, X, y, m, THREE[:2])


def test_records_held_out_to_stop_early_are_in_no_equation():
    X, y, m = draw(n=2000)
    model = HistGradientBoostingClassifier(
        max_iter=20, early_stopping=True, random_state=0
    ).fit(X[m], y[m])
    system = linear_equations(model, X, y)
    assert system.n_members == 900


def test_missing_values_and_categories_go_where_the_trees_send_them():
    pd = pytest.importorskip("pandas")
    X, y, m = draw()
    X[np.random.default_rng(5).random(X.shape) < 0.1] = np.nan
    table = pd.DataFrame(X, columns=[f"x{j}" for j in range(8)])
    table["x0"] = pd.cut(table["x0"], 5, labels=list("abcde"))
    model = HistGradientBoostingClassifier(
        max_iter=20, categorical_features="from_dtype"
    )
    # Columns with missing values have no ranks.
    assert_holds(model, table, y, m, THREE)
    tree = DecisionTreeClassifier(max_depth=6, random_state=0)
    if _compat.TREES_MISPLACE_MISSING:
        with pytest.raises(ValueError, match="No linear equation is known"):
            linear_equations(tree.fit(X[m], y[m]), X, y)
    else:
        assert_holds(tree, X, y, m, COUNT)


def test_labels_may_be_of_any_kind():
    X, y, m = draw(3)
    words = np.array(["no", "yes", "maybe"], dtype=object)[y]
    weights = {"no": 1.0, "yes": 2.0, "maybe": 0.5}
    for model in (
        RandomForestClassifier(5, max_depth=4, class_weight=weights, random_state=0),
        DecisionTreeClassifier(max_depth=4, class_weight=weights),
        BaggingClassifier(DecisionTreeClassifier(max_depth=4), 5, random_state=0),
        # Its weights are looked up by the position of a class.
        HistGradientBoostingClassifier(max_iter=5, class_weight={0: 1, 1: 2, 2: 3}),
        LogisticRegression(class_weight=weights),
    ):
        model.fit(X[m], words[m])
        system = linear_equations(model, X, words)
        assert standing_off(system, m).max() <= 5


def old_or(value, **other):
    """A penalty, by the name it had before scikit-learn 1.8."""
    return {"penalty": value, **other}


LINEAR = [
    LogisticRegression(),
    LogisticRegression(fit_intercept=False, C=0.1),
    LogisticRegression(class_weight={0: 1.0, 1: 3.0}),
    LogisticRegression(class_weight="balanced"),
    LogisticRegression(solver="newton-cg"),
    LogisticRegression(solver="newton-cholesky"),
    LogisticRegression(solver="sag", max_iter=5000),
    LogisticRegression(solver="saga", max_iter=5000),
    LogisticRegression(**old_or(None)),
    LogisticRegression(**old_or("l1", solver="saga", C=0.05, max_iter=5000)),
    LogisticRegression(
        **old_or("elasticnet", solver="saga", C=0.05, l1_ratio=0.5, max_iter=5000)
    ),
    RidgeClassifier(),
    RidgeClassifier(fit_intercept=False, alpha=30.0),
    RidgeClassifier(class_weight={0: 1.0, 1: 3.0}),
    RidgeClassifier(class_weight="balanced"),
    RidgeClassifier(solver="sparse_cg"),
    RidgeClassifier(solver="sag", random_state=0),
    RidgeClassifier(solver="lsqr"),
]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("model", LINEAR)
def test_what_linear_models_store_holds(model, sparse, n_classes):
    X, y, m = draw(n_classes)
    weights = getattr(model, "class_weight", None)
    if sparse and getattr(model, "solver", None) in ("svd", "cholesky"):
        pytest.skip("dense only")
    if n_classes > 2 and isinstance(weights, dict):
        model = clone(model).set_params(class_weight={**weights, 2: 0.5})
    X = sp.csr_array(np.where(np.abs(X) > 0.5, X, 0)) if sparse else X
    assert_holds(model, X, y, m, ["slope"])


@pytest.mark.parametrize("penalty", ["l1", "l2"])
def test_liblinear_penalises_the_intercept(penalty):
    X, y, m = draw()
    model = LogisticRegression(
        **old_or(penalty, solver="liblinear", intercept_scaling=3.0, C=0.1)
    )
    system = assert_holds(model, X + 1, y, m, ["slope"])
    # A statement about the penalty, where the intercept is not zero.
    assert (abs(system.b[-1]) > 1e-3) == (model.intercept_[0] != 0)


def test_a_model_that_did_not_converge_tells_nothing():
    X, y, m = draw()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = LogisticRegression(max_iter=2).fit(X[m], y[m])
    with pytest.raises(ValueError, match="No linear equation is known for Logistic"):
        linear_equations(model, X, y)


STEPS = [
    (StandardScaler(), ["number of records", "mean", "variance"]),
    (StandardScaler(with_std=False), ["number of records", "mean"]),
    (SimpleImputer(), ["mean"]),
    (SimpleImputer(strategy="median"), ["median"]),
    (PCA(), ["number of records", "mean", "covariance"]),
    (PCA(3, whiten=True), ["number of records", "mean", "covariance"]),
    (PCA(3, svd_solver="randomized"), ["number of records", "mean"]),
    (MinMaxScaler(), ["number of records", "extreme"]),
    (MaxAbsScaler(), ["number of records", "extreme"]),
]


@pytest.mark.parametrize(("step", "kinds"), STEPS)
def test_what_steps_store_holds(step, kinds):
    X, _, m = draw()
    assert_holds(step, X * 30 + 5, None, m, kinds)


def test_components_of_columns_of_unlike_scale_are_all_read():
    X = np.random.default_rng(0).normal(size=(400, 5)) * np.logspace(0, 6.2, 5)
    m = np.arange(400) % 2 == 0
    kinds = ["number of records", "mean", "covariance"]
    for solver in ("full", "covariance_eigh"):
        system = assert_holds(PCA(svd_solver=solver), X, None, m, kinds)
        known = np.isfinite(system.scale)
        size = np.sqrt(system.squares(np.ones(len(X))))
        # The solver leaves out what is less.
        assert np.all(size[known] > 10 * system.scale[known])


def test_a_scaler_counts_each_column_where_values_are_missing():
    X, _, m = draw()
    X[np.random.default_rng(5).random(X.shape) < 0.1] = np.nan
    kinds = ["number of records", "mean", "variance"]
    assert assert_holds(StandardScaler(), X, None, m, kinds).n_equations == 24
    assert_holds(SimpleImputer(), X, None, m, ["mean"])


def test_quantiles_hold_and_tell_the_number_of_records():
    X, _, m = draw(n=900)
    X[:, 0], X[:, 1] = np.round(X[:, 0] * 20), np.round(X[:, 1])
    for n_quantiles in (100, 37, 1000):
        step = QuantileTransformer(n_quantiles=n_quantiles)
        system = assert_holds(step, X, None, m, ["rank", "stored value"])
        assert system.n_members == 450
    assert roc_auc_score(m, solve(system).estimate) > 0.999


def test_a_quantile_between_two_records_tells_both_and_those_between_them():
    x = np.array([0.0, 1.1, 2.3, 3.6, 5.0, 6.5, 8.1, 9.8, 11.6, 13.5])
    m = np.array([1, 0, 1, 1, 0, 0, 1, 0, 0, 1])
    # Of five training records, the quantile .4 is at rank 1.6: 2.3 + .6 (3.6 - 2.3).
    fractions = np.array([0.0, 0.6, 0.5, 0.0])
    quantiles = np.array([0.0, 3.08, 5.85, 13.5])
    told = shown_by_neighbours(x, quantiles, fractions)
    assert_array_equal(told, [1, np.nan, 1, 1, 0, 0, 1, np.nan, np.nan, 1])
    assert np.all((told == m) | np.isnan(told))
    # Nobody is alone at a value that two records have, and two pairs tell nothing.
    twice = shown_by_neighbours(np.repeat(x, 2), quantiles, fractions)
    assert_array_equal(np.flatnonzero(~np.isnan(twice)), [8, 9, 10, 11])
    assert np.isnan(shown_by_neighbours(np.arange(8.0), [3.5], [0.5])).all()


def test_bins_hold():
    X, _, m = draw()
    X[:, 1] = np.round(X[:, 1])
    step = KBinsDiscretizer(4, strategy="quantile")
    assert_holds(step, X, None, m, ["share of bin"])


def test_stored_records_are_looked_up():
    X, y, m = draw()
    for data in (X, sp.csr_array(X)):
        model = make_pipeline(MaxAbsScaler(), KNeighborsClassifier()).fit(data[m], y[m])
        system = linear_equations(model, data, y)
        assert np.all((solve(system).estimate > 0.5) == m)
    model = SVC().fit(X[m], y[m])
    system = linear_equations(model, X, y)
    assert system.n_equations == len(model.support_vectors_)
    assert standing_off(system, m).max() == 0


def test_categories_are_records():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame({"a": list("xxyzwwvu"), "b": [1, 1, 2, 2, 3, 3, 4, 5]})
    m = np.array([1, 1, 1, 0, 1, 1, 0, 1], dtype=bool)
    for encoder in (OneHotEncoder(handle_unknown="ignore"), OrdinalEncoder()):
        system = linear_equations(encoder.fit(X[m]), X)
        rows = system.toarray()
        assert_array_equal(np.flatnonzero(rows.any(axis=0)), [2, 3, 6, 7])
        assert_array_equal(rows @ m, system.b)


def test_document_frequencies_tell_the_number_of_records():
    words = np.array(["cat", "dog", "sun", "rain", "tree", "sea"])
    rng = np.random.default_rng(5)
    texts = np.array([" ".join(words[rng.random(6) < 0.4]) or "cat" for _ in range(80)])
    counts = sp.csr_array(rng.poisson(0.3, (80, 30)))
    m = np.arange(80) % 2 == 0
    kinds = ["number of records", "term frequency"]
    for smooth in (True, False):
        step = TfidfTransformer(smooth_idf=smooth)
        system = assert_holds(step, counts, None, m, kinds)
        assert system.n_members == 40
        assert_holds(TfidfVectorizer(smooth_idf=smooth), texts, None, m, kinds)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_target_means_hold(n_classes):
    X, y, m = draw(n_classes)
    X = np.round(X[:, :3])
    encoder = TargetEncoder(smooth=7.0)
    assert_holds(encoder, X, y, m, ["target mean"])
    with pytest.raises(ValueError, match="No linear equation"):
        linear_equations(TargetEncoder().fit(X[m], y[m]), X, y)


MEANS = ["class mean", "class count"]
BAYES = [
    (GaussianNB(), ["class count", "class mean", "class variance"]),
    (GaussianNB(priors=[0.3, 0.7]), ["class count", "class mean", "class variance"]),
    (LinearDiscriminantAnalysis(), [*MEANS, "coefficient"]),
    (
        LinearDiscriminantAnalysis(store_covariance=True),
        [*MEANS, "covariance"],
    ),
    (
        LinearDiscriminantAnalysis(solver="lsqr"),
        [*MEANS, "covariance"],
    ),
    (
        LinearDiscriminantAnalysis(solver="eigen"),
        [*MEANS, "covariance"],
    ),
    (LinearDiscriminantAnalysis(solver="lsqr", shrinkage=0.3), MEANS[:1]),
    (LinearDiscriminantAnalysis(priors=[0.3, 0.7]), MEANS[:1]),
    (QuadraticDiscriminantAnalysis(), [*MEANS, "class covariance"]),
    (QuadraticDiscriminantAnalysis(reg_param=0.3), [*MEANS, "class covariance"]),
]


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize(("model", "kinds"), BAYES)
def test_what_moments_store_holds(model, kinds, n_classes):
    X, y, m = draw(n_classes, n_redundant=0)
    if n_classes > 2 and model.priors is not None:
        pytest.skip("two shares")
    # Shares of 150, 150 are those of 1, 1, and tell no number.
    n = np.bincount(y[m])
    if np.gcd.reduce(n) > 1:
        kinds = [k.replace("class count", "class share") for k in kinds]
    if isinstance(model, GaussianNB):
        kinds[0] = "class count"
    system = assert_holds(model, X * 10 + 3, y, m, kinds)
    if "class count" in kinds:
        assert system.n_members == n.sum()


def test_what_is_stored_of_batches_holds():
    X, y, m = draw()
    # What is added to the variances is ten times that of most columns.
    X = X * np.array([1e6, 1e3, *[10.0] * 6])
    model = GaussianNB()
    for batch in np.array_split(np.flatnonzero(m), 5):
        model.partial_fit(X[batch], y[batch], classes=[0, 1])
    system = linear_equations(model, X, y)
    assert standing_off(system, m).max() <= 5
    # One equation of a class is spent on it.
    whole = linear_equations(GaussianNB().fit(X[m], y[m]), X, y)
    assert system.n_equations == whole.n_equations - 2
    assert system.table()[2].kind == "class variance"


def rows_of(system, kind):
    return [block for block in system.blocks if block.kind == kind]


def test_what_discriminants_store_is_sums_over_the_members_of_a_class():
    X, y, m = draw(3, n_redundant=0)
    # The classes have a common factor, so that shares tell no number.
    assert np.gcd.reduce(np.bincount(y[m])) > 1
    means = ["class mean", "class share"]
    quadratic = QuadraticDiscriminantAnalysis
    given = {"priors": [0.2, 0.3, 0.5]}
    models = {
        quadratic(reg_param=0.3): [*means, "class covariance"],
        quadratic(**given): [means[0], "class covariance"],
        quadratic(reg_param=1.0): means,
        LinearDiscriminantAnalysis(**given): means[:1],
        LinearDiscriminantAnalysis(): [*means, "coefficient"],
    }
    if "solver" in quadratic().get_params():
        models[quadratic(solver="eigen")] = [*means, "class covariance"]
        models[quadratic(solver="eigen", shrinkage=0.3)] = means
    for model, kinds in models.items():
        system = assert_holds(model, X, y, m, kinds)
        covariances = rows_of(system, "class covariance")
        for c, block in enumerate(covariances):
            own = np.flatnonzero(y == c)
            n = np.sum(m[own]) - _compat.DISCRIMINANTS_LOSE_DEGREES_OF_FREEDOM
            off = (X[own] - X[m & (y == c)].mean(axis=0)) @ model.rotations_[c]
            members = off[m[own]]
            a, b = np.triu_indices(8)
            variances = np.diag(np.sum(members**2, axis=0) / n)[a, b]
            assert_array_equal(block.records, own)
            expected = (off[:, a] * off[:, b] - variances).T
            assert_allclose(block.matrix, expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize(
    "cls", [LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis]
)
def test_a_covariance_of_another_estimator_tells_nothing(cls):
    X, y, m = draw(n_redundant=0)
    model = cls().fit(X[m], y[m])
    model.covariance_estimator = EmpiricalCovariance()
    with pytest.raises(ValueError, match="No linear equation is known"):
        linear_equations(model, X, y)


def test_what_discriminants_store_holds_with_collinear_features():
    X, y, m = draw(3)
    kinds = [*MEANS, "coefficient"]
    assert_holds(LinearDiscriminantAnalysis(), X, y, m, kinds)


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("model", [BernoulliNB(), MultinomialNB(), ComplementNB()])
def test_what_counts_store_holds(model, sparse):
    _, y, m = draw(3)
    X = np.random.default_rng(5).poisson(0.7, (len(y), 20))
    X = sp.csr_array(X) if sparse else X
    assert_holds(model, X, y, m, ["class count", "feature count"])


def test_what_categories_store_holds():
    X, y, m = draw(3)
    X = np.clip(np.round(X) + 3, 0, 5)
    kinds = ["class count", "category count"]
    assert_holds(CategoricalNB(min_categories=6), X, y, m, kinds)


def test_weights_of_records_show_in_counts_that_are_not_whole():
    X, y, m = draw()
    weights = np.random.default_rng(5).uniform(0.5, 2, m.sum())
    for model in (
        GaussianNB(),
        BernoulliNB(),
        DecisionTreeClassifier(),
        RandomForestClassifier(5, bootstrap=False),
        CategoricalNB(),
    ):
        table = np.round(np.abs(X)) if isinstance(model, CategoricalNB) else X
        model.fit(table[m], y[m], sample_weight=weights)
        with pytest.raises(ValueError, match="No linear equation is known"):
            linear_equations(model, table, y)


ODD = {
    "single precision": lambda X: X.astype(np.float32),
    "large": lambda X: X * 1e6 + 1e7,
    "rounded": np.round,
    "constant": lambda X: np.column_stack([np.full(len(X), 7.0), X[:, 1:]]),
    "in threes": lambda X: X[np.arange(len(X)) // 3 * 3],
}


@pytest.mark.parametrize("table", ODD)
@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeClassifier(random_state=0),
        RandomForestClassifier(5, random_state=0),
        GradientBoostingClassifier(n_estimators=5, random_state=0),
        HistGradientBoostingClassifier(max_iter=5),
        LogisticRegression(max_iter=5000),
        RidgeClassifier(),
        GaussianNB(),
        LinearDiscriminantAnalysis(),
        StandardScaler(),
        PCA(),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_equations_hold_on_odd_tables(model, table):
    X, y, m = draw(3)
    X = ODD[table](X)
    # A class of three records.
    y[np.flatnonzero(m)[:3]] = 9
    model.fit(X[m], y[m])
    system = linear_equations(model, X, y)
    assert standing_off(system, m).max() <= 5
