"""Faults that people have met in this field, each as the smallest input that shows it.

Right is what the plain numpy, integer-label, one-worker run gives, or one clear error
before any shadow is trained.
"""

import inspect
import pickle
import re
import warnings
from collections import Counter
from functools import cache

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from helpers import all_estimators
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import get_tags
from sklearn.utils._param_validation import InvalidParameterError
from sklearn.utils.validation import validate_data

from sklearn_mia import RMIA, as_records
from sklearn_mia.base import BaseAttack
from sklearn_mia.identity import record_ids
from sklearn_mia.shadows import ShadowFitError

ATTACKS = [cls for cls in all_estimators() if issubclass(cls, BaseAttack)]
ON_A_TARGET = [
    cls
    for cls in all_estimators()
    if "target_estimator" in inspect.signature(cls).parameters
]
# Attacks on one kind of model, and a small one of that kind.
MODELS = {
    "BaggingAttack": RandomForestClassifier(5, random_state=0),
    "TrajectoryAttack": GradientBoostingClassifier(
        n_estimators=3, max_depth=2, random_state=0
    ),
}
# For all others; what it learns depends on its seed.
TREE = DecisionTreeClassifier(min_samples_leaf=3, max_features=4, random_state=0)

SMALL = {
    "n_shadows": 4,
    "n_trees": 10,
    "n_queries": 10,
    "n_folds": 2,
    "attack_estimator": GaussianNB(),
    "random_state": 0,
}
# What an attack learns with, where its own choice takes long.
SIMPLE = {
    "QuantileRegressionAttack": DecisionTreeRegressor(max_depth=3, random_state=0),
    "SupervisedAttack": GaussianNB(),
}


def with_parameter(classes, name):
    return [cls for cls in classes if name in inspect.signature(cls).parameters]


def on_any_model(classes):
    return [cls for cls in classes if cls.__name__ not in MODELS]


every_attack = pytest.mark.parametrize("cls", ATTACKS)
every_attack_on_any_model = pytest.mark.parametrize("cls", on_any_model(ATTACKS))
every_shadow_attack = pytest.mark.parametrize(
    "cls", with_parameter(ATTACKS, "n_shadows")
)
every_shadow_attack_on_any_model = pytest.mark.parametrize(
    "cls", on_any_model(with_parameter(ATTACKS, "n_shadows"))
)
everything_on_a_target = pytest.mark.parametrize("cls", ON_A_TARGET)
everything_on_any_model = pytest.mark.parametrize("cls", on_any_model(ON_A_TARGET))
everything_that_may_ask_for_probabilities = pytest.mark.parametrize(
    "cls", with_parameter(on_any_model(ON_A_TARGET), "response_method")
)


def make(cls, target, **params):
    """A small instance, with those of `params` that it has."""
    params = {**SMALL, "estimator": SIMPLE.get(cls.__name__), **params}
    names = inspect.signature(cls).parameters
    return cls(target, **{k: v for k, v in params.items() if k in names})


def fitted(cls, target, records, **params):
    """Fit with known membership where it is needed and nowhere else."""
    attack = make(cls, target, **params)
    if get_tags(attack).target_tags.required:
        return attack.fit(records, half(records))
    return attack.fit(records)


def half(records):
    """Membership: the first half of the records."""
    return np.arange(records.shape[0]) < records.shape[0] // 2


def scores(cls, target, records, **params):
    return fitted(cls, target, records, **params).score_samples(records)


def model_for(cls):
    """A small unfitted model that the attack takes."""
    return clone(MODELS.get(cls.__name__, TREE))


def table(n_records=160, **params):
    params = {"n_informative": 5, "flip_y": 0.2, "random_state": 0, **params}
    return make_classification(n_records, 8, **params)


def train(model, X, y):
    """Fit on the first half, the members."""
    return model.fit(X[: len(y) // 2], y[: len(y) // 2])


@cache
def plain_scores(cls, n_classes=2):
    """Scores of the plain numpy, integer-label, one-worker run."""
    X, y = table(n_classes=n_classes)
    return scores(cls, train(model_for(cls), X, y), as_records(X, y))


@cache
def plain_attack(cls):
    """An attack of that kind, fitted with known membership."""
    X, y = table()
    return make(cls, train(model_for(cls), X, y)).fit(as_records(X, y), half(X))


def frame_of(X, **index):
    pd = pytest.importorskip("pandas")
    return pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])], **index)


class Untrainable(ClassifierMixin, BaseEstimator):
    """A recipe that must never be trained."""

    def fit(self, X, y):
        raise AssertionError("trained")

    def predict(self, X):
        raise AssertionError("asked")


def refused(cls, target, records, error, message, y=None, **params):
    """The attack refuses the input before it trains anything."""
    nothing = {"shadow_estimator": Untrainable(), "estimator": Untrainable()}
    attack = make(cls, target, **{**nothing, **params})
    if y is None and get_tags(attack).target_tags.required:
        y = half(records)
    with pytest.raises(error, match=re.escape(message)) as caught:
        attack.fit(records, y)
    return str(caught.value)


@every_attack
@pytest.mark.parametrize(
    ("names", "container"),
    [
        (["high", "low", "mid"], np.asarray),
        (["high", "low", "mid"], frame_of),
        ([1, 2, 3], np.asarray),
        ([-1, 1, 7], np.asarray),
    ],
    ids=["text", "text in a frame", "from 1", "negative"],
)
def test_a_label_is_no_column_number(cls, names, container):
    X, y = table(n_classes=3)
    X, named = container(X), np.asarray(names)[y]
    target = train(model_for(cls), X, named)
    found = scores(cls, target, as_records(X, named))
    assert_array_equal(found, plain_scores(cls, n_classes=3))


@every_attack
@pytest.mark.parametrize("names", [[False, True], [-1, 1], ["no", "yes"]])
def test_names_of_two_labels_change_no_score(cls, names):
    X, y = table()
    named = np.asarray(names)[y]
    target = train(model_for(cls), X, named)
    assert_array_equal(scores(cls, target, as_records(X, named)), plain_scores(cls))


def with_rare_class(rare):
    """Three classes; `rare` is held by two records, the last."""
    X, y = table(162, n_classes=2)
    y = y.copy()
    if rare == 1:
        y[y == 1] = 2
    y[-2:] = rare
    return X, y


@every_attack_on_any_model
@pytest.mark.parametrize("rare", [1, 2])
def test_a_rare_class_that_a_shadow_never_saw(cls, rare):
    X, y = with_rare_class(rare)
    records = as_records(X, y)
    attack = fitted(cls, LogisticRegression().fit(X, y), records, n_shadows=8)
    assert np.isfinite(attack.score_samples(records)).all()
    assert attack.n_unscored_ == 0


@pytest.mark.parametrize("rare", [1, 2])
def test_the_cells_of_a_class_that_a_shadow_never_saw_are_missing(rare):
    X, y = with_rare_class(rare)
    target = LogisticRegression().fit(X, y)
    attack = fitted(RMIA, target, as_records(X, y), n_shadows=8)
    lacking = ~attack.shadow_members_[:, -2:].any(axis=1)
    assert lacking.any()
    missing = np.zeros(attack.shadow_signals_.shape, dtype=bool)
    missing[np.ix_(lacking, [-2, -1])] = True
    assert_array_equal(np.isnan(attack.shadow_signals_), missing)
    for (model, seen), signals in zip(
        attack.models_, attack.shadow_signals_, strict=True
    ):
        assert_array_equal(model.classes_, np.unique(y)[seen])
        known = np.isfinite(signals)
        columns = np.searchsorted(model.classes_, y[known])
        proba = model.predict_proba(X[known])
        assert_allclose_log(signals[known], proba[np.arange(len(columns)), columns])


def assert_allclose_log(log_proba, proba):
    np.testing.assert_allclose(np.exp(log_proba), proba, rtol=1e-10)


@every_shadow_attack_on_any_model
def test_a_classifier_that_takes_only_labels_without_a_gap(cls):
    xgboost = pytest.importorskip("xgboost")
    X, y = with_rare_class(1)
    target = xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(X, y)
    records = as_records(X, y)
    attack = fitted(cls, target, records, n_shadows=8)
    # Some shadow saw 0 and 2 alone, which it cannot be trained on as they are.
    lacking = ~attack.shadow_members_[:, -2:].any(axis=1)
    assert lacking.any()
    with pytest.raises(ValueError, match="Invalid classes"):
        clone(target).fit(X[:-2], y[:-2])
    assert np.isfinite(attack.score_samples(records)).all()


class Gapless(GaussianNB):
    """Takes the labels 0..k-1 only, as XGBoost does."""

    def fit(self, X, y):
        if not np.array_equal(np.unique(y), np.arange(len(np.unique(y)))):
            raise ValueError("a gap in the labels")
        return super().fit(X, y)


@every_shadow_attack_on_any_model
def test_a_second_try_without_the_gap_starts_from_the_same_records(cls):
    X, y = with_rare_class(1)
    records, results = as_records(X, y), []
    for copy in (True, False):
        target = make_pipeline(StandardScaler(copy=copy), Gapless())
        attack = fitted(cls, target.fit(X.copy(), y), records, n_shadows=8)
        results.append(attack.score_samples(records))
    assert_array_equal(*results)


INDEXES = {
    "shuffled": lambda n: np.random.default_rng(0).permutation(n),
    "all equal": lambda n: np.full(n, 7),
    "text": lambda n: [f"r{i}" for i in range(n)][::-1],
    "dates": lambda n: pytest.importorskip("pandas").date_range("2024", periods=n),
}


@every_attack
@pytest.mark.parametrize("index", INDEXES)
def test_rows_are_not_picked_by_the_index_of_a_frame(cls, index):
    pd = pytest.importorskip("pandas")
    X, y = table()
    expected = plain_scores(cls)
    frame = frame_of(X, index=INDEXES[index](len(X)))
    target = train(model_for(cls), frame, y)
    # The labels have another index: rows belong together by position.
    records = as_records(frame, pd.Series(y))
    assert_array_equal(records.index, frame.index)
    attack = fitted(cls, target, records)
    assert_array_equal(attack.score_samples(records), expected)
    some = np.random.default_rng(1).permutation(len(X))[:50]
    assert_array_equal(attack.score_samples(records.iloc[some]), expected[some])


def people(n_records=160):
    """A numeric and a text column, and labels."""
    rng = np.random.default_rng(0)
    age = rng.normal(40, 10, n_records)
    job = rng.choice(["cook", "clerk", "coder"], n_records)
    y = (age + 8 * (job == "coder") + rng.normal(0, 8, n_records) > 42).astype(int)
    return {"age [years]": age, "job": job}, y


def encoder(**params):
    text = ("text", OneHotEncoder(**params), ["job"])
    return ColumnTransformer([text], remainder="passthrough")


@everything_on_any_model
@pytest.mark.parametrize("module", ["pandas", "polars"])
def test_column_names_reach_the_target_without_a_warning(cls, module):
    if module == "polars":
        pytest.importorskip("sklearn", "1.8", reason="no columns of polars by name")
    columns, y = people()
    frame = pytest.importorskip(module).DataFrame(columns)
    model = make_pipeline(encoder(handle_unknown="ignore"), LogisticRegression())
    target = model.fit(frame[:80], y[:80])
    records = as_records(frame, y, label_name="rich")
    attack = make(cls, target)
    attack.fit(records, half(records))
    assert attack.feature_names_in_.tolist() == ["age [years]", "job", "rich"]
    assert attack.label_column_ == "rich"
    if hasattr(attack, "score_samples"):
        assert np.isfinite(attack.score_samples(records)).all()


class Counting(ClassifierMixin, BaseEstimator):
    """A classifier that counts its fits, all clones together, and where each ran."""

    fits = Counter()

    def __init__(self, name=""):
        self.name = name

    def fit(self, X, y):
        validate_data(self, X, skip_check_array=True)
        type(self).fits[self.name] += 1
        self.fitted_times_ = getattr(self, "fitted_times_", 0) + 1
        self.seen_ = record_ids(X, y)
        self.model_ = GaussianNB().fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(X)

    def predict_proba(self, X):
        return self.model_.predict_proba(X)


@every_attack_on_any_model
@pytest.mark.parametrize("wrap", [lambda model: model, FrozenEstimator])
def test_the_model_in_use_is_neither_refitted_nor_changed(cls, wrap):
    X, y = table()
    model = train(Counting(), X, y)
    before = pickle.dumps(model)
    target, records = wrap(model), as_records(X, y)
    attack = make(cls, target)
    assert clone(attack).target_estimator is target
    attack.fit(records, half(records)).predict(records)
    cross_val_score(make(cls, target), records, half(records), scoring="roc_auc", cv=2)
    assert attack.target_estimator is target
    assert pickle.dumps(model) == before
    assert model.fitted_times_ == 1


@every_shadow_attack_on_any_model
def test_a_frozen_target_is_not_its_own_shadow(cls):
    X, y = table()
    model, records = train(Counting(), X, y), as_records(X, y)
    attack = fitted(cls, FrozenEstimator(model), records)
    shadows = [shadow for shadow, _ in attack.models_]
    assert len({id(shadow) for shadow in [model, *shadows]}) == 5
    assert_array_equal(attack.score_samples(records), scores(cls, model, records))


def fitted_targets(X, y):
    yield train(make_pipeline(StandardScaler(), LogisticRegression()), X, y)
    yield train(GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9]}, cv=2), X, y)
    for package, name in (("xgboost", "XGBClassifier"), ("lightgbm", "LGBMClassifier")):
        try:
            module = __import__(package)
        except ImportError:
            continue
        verbosity = {"xgboost": 0, "lightgbm": -1}[package]
        model = getattr(module, name)(n_estimators=3, verbosity=verbosity, n_jobs=1)
        yield train(model, X, y)


@every_attack
def test_an_unfitted_target_is_found_before_anything_is_trained(cls):
    X, y = table()
    records, model = as_records(X, y), model_for(cls)
    for unfitted in (model, FrozenEstimator(model)):
        name = type(unfitted).__name__
        message = f"The target {name} is not fitted. Pass the trained model"
        refused(cls, unfitted, records, NotFittedError, message)
    assert np.isfinite(scores(cls, train(model, X, y), records)).all()


def test_a_fitted_target_of_any_kind_is_known_as_fitted():
    X, y = table()
    records = as_records(X, y)
    for target in fitted_targets(X, y):
        assert np.isfinite(scores(RMIA, target, records)).all()
        message = f"The target {type(target).__name__} is not fitted. Pass the"
        refused(RMIA, clone(target), records, NotFittedError, message)


@every_attack
def test_an_unfitted_attack_says_that_it_is_the_attack(cls):
    X, y = table()
    attack, records = make(cls, train(model_for(cls), X, y)), as_records(X, y)
    methods = [attack.score_samples, attack.decision_function, attack.predict]
    for method in [*methods, lambda X: attack.score(X, half(X))]:
        with pytest.raises(NotFittedError, match=f"This {cls.__name__} instance is"):
            method(records)


def sure_targets():
    yield RandomForestClassifier(8, bootstrap=False, random_state=0)
    yield GaussianNB(var_smoothing=1e-12)
    yield KNeighborsClassifier(1)
    try:
        from xgboost import XGBClassifier
    except ImportError:
        return
    yield XGBClassifier(
        n_estimators=60, learning_rate=1, min_child_weight=0, reg_lambda=0, n_jobs=1
    )


@every_attack_on_any_model
def test_probabilities_of_0_and_1_give_finite_scores(cls):
    X, y = table(class_sep=3, flip_y=0)
    # Far apart, so that probabilities round to 0 and 1.
    X = 30 * X
    for model in sure_targets():
        target = train(model, X, y)
        assert target.predict_proba(X[:80]).max() == 1
        assert np.isfinite(scores(cls, target, as_records(X, y))).all()


@every_attack_on_any_model
def test_members_score_higher(cls):
    X, y = table(300, flip_y=0.4)
    target = train(KNeighborsClassifier(1), X, y)
    records, is_member = as_records(X, y), half(X)
    attack = fitted(cls, target, records)
    if get_tags(attack).target_tags.required:
        # What it learned from is no measure of it.
        score = cross_val_predict(
            make(cls, target), records, is_member, method="decision_function", cv=3
        )
    else:
        score = attack.score_samples(records)
        assert attack.score(records, is_member) == roc_auc_score(is_member, score)
    assert roc_auc_score(is_member, score) > 0.6
    assert score[is_member].mean() > score[~is_member].mean()
    assert attack.classes_.tolist() == [False, True]
    decision = attack.decision_function(records)
    assert_array_equal(decision, attack.score_samples(records) - attack.offset_)
    assert_array_equal(attack.predict(records), decision > 0)


@every_attack
@pytest.mark.parametrize("labels", [[0, 1], [-1, 1], [False, True]])
def test_the_member_is_the_last_class_in_any_coding(cls, labels):
    X, y = table()
    target, records = train(model_for(cls), X, y), as_records(X, y)
    expected = plain_attack(cls)
    y_member = np.array(labels)[half(X).astype(int)]
    attack = make(cls, target).fit(records, y_member)
    assert attack.classes_.tolist() == labels
    called = np.array(labels)[expected.predict(records).astype(int)]
    assert_array_equal(attack.predict(records), called)
    assert attack.offset_ == expected.offset_


@every_attack
def test_a_text_member_label_is_named_in_a_warning_or_given(cls):
    X, y = table()
    target, records = train(model_for(cls), X, y), as_records(X, y)
    expected = plain_attack(cls)
    message = (
        "y has the labels ['a', 'b']; 'b', which sorts last, is taken as member. Pass "
        "member_label to say which one is."
    )
    with pytest.warns(UserWarning, match=re.escape(message)) as caught:
        attack = make(cls, target).fit(records, np.where(half(X), "b", "a"))
    assert len(caught) == 1
    assert attack.classes_.tolist() == ["a", "b"]
    assert_array_equal(attack.score_samples(records), expected.score_samples(records))

    y_member = np.where(half(X), "member", "nonmember")
    sorts_first = "The member label 'member' sorts before the other one"
    with (
        pytest.warns(UserWarning, match=sorts_first),
        pytest.warns(UserWarning, match="'member' is taken as member"),
    ):
        attack = make(cls, target).fit(records, y_member)
    with pytest.warns(UserWarning, match=sorts_first) as caught:
        given = make(cls, target, member_label="member").fit(records, y_member)
    assert len(caught) == 1
    for named in (attack, given):
        assert named.classes_.tolist() == ["nonmember", "member"]
        scores = named.score_samples(records)
        assert_array_equal(scores, expected.score_samples(records))
        assert named.score(records, y_member) == expected.score(records, half(X))


@every_shadow_attack_on_any_model
@pytest.mark.parametrize("mode", ["auto", "online", "offline"])
def test_shadows_train_on_the_records_of_their_mask_and_no_others(cls, mode):
    X, y = table(100)
    # Each of the last ten is there twice.
    X, y = np.vstack([X, X[-10:]]), np.concatenate([y, y[-10:]])
    attack = fitted(cls, Counting().fit(X, y), as_records(X, y), mode=mode)
    ids = record_ids(X, y)
    assert len(attack.models_) == 4
    for (model, _), members in zip(attack.models_, attack.shadow_members_, strict=True):
        # The same records in the same order, and none of those left out.
        assert_array_equal(model.seen_, ids[members])
        assert not np.isin(ids[~members], model.seen_).any()
    assert_array_equal(attack.shadow_members_.sum(axis=0), 2)


@every_shadow_attack
@pytest.mark.parametrize("n_shadows", [1, 3, 15, -2, 2.0])
def test_a_number_of_shadows_that_leaves_a_side_empty_is_refused(cls, n_shadows):
    X, y = table()
    target = train(model_for(cls), X, y)
    default = inspect.signature(cls).parameters["n_shadows"].default
    error, message = InvalidParameterError, f"parameter of {cls.__name__} must be an"
    if n_shadows in (3, 15) or (n_shadows == 1 and default == 0):
        error = ValueError
        message = (
            f"n_shadows={n_shadows} is odd, but shadows are trained in complementary "
            f"pairs. Pass {n_shadows + 1}."
        )
    refused(cls, target, as_records(X, y), error, message, n_shadows=n_shadows)


@every_shadow_attack
def test_two_shadows_score_every_record(cls):
    X, y = table()
    attack = fitted(cls, train(model_for(cls), X, y), as_records(X, y), n_shadows=2)
    assert_array_equal(attack.shadow_members_.sum(axis=0), 1)
    assert attack.n_unscored_ == 0
    score = attack.score_samples(as_records(X, y))
    assert score.shape == (160,)
    assert np.isfinite(score).all()
    assert len(np.unique(score)) > 10


def unseeded_targets(X, y):
    yield train(RandomForestClassifier(2), X, y)
    step = FunctionTransformer(), RandomForestClassifier(2, max_features=3)
    yield train(make_pipeline(*step), X, y)


@every_shadow_attack
def test_results_depend_on_the_seed_alone(cls):
    X, y = table()
    records = as_records(X, y)
    # A number that nothing in here may advance.
    np.random.seed(5)  # noqa: NPY002
    own = train(model_for(cls).set_params(random_state=None), X, y)
    for target in [own] if cls.__name__ in MODELS else unseeded_targets(X, y):
        state = np.random.get_state()[1].copy()  # noqa: NPY002
        attack = make(cls, target)
        expected = attack.fit(records, half(X)).score_samples(records)
        again = attack.fit(records, half(X))
        assert_array_equal(again.score_samples(records), expected)
        assert again.offset_ == attack.offset_
        for backend, n_jobs in (("threading", 2), ("threading", -1)):
            with joblib.parallel_config(backend):
                assert_array_equal(
                    scores(cls, target, records, n_jobs=n_jobs), expected
                )
        with joblib.parallel_config("threading", n_jobs=2):
            assert_array_equal(scores(cls, target, records), expected)
        assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
        other = scores(cls, target, records, random_state=1)
        assert not np.array_equal(other, expected)


def nan_targets():
    yield HistGradientBoostingClassifier(max_iter=5)
    yield make_pipeline(SimpleImputer(), LogisticRegression())
    try:
        from xgboost import XGBClassifier
    except ImportError:
        return
    yield XGBClassifier(n_estimators=3, n_jobs=1)


def with_gaps():
    X, y = table()
    X = X.copy()
    X[np.random.default_rng(0).random(X.shape) < 0.1] = np.nan
    return X, y


@everything_on_any_model
def test_missing_values_are_for_the_target_to_refuse(cls):
    X, y = with_gaps()
    for model in nan_targets():
        target = train(model, X, y)
        attack = make(cls, target)
        tags = get_tags(attack).input_tags, get_tags(target).input_tags
        assert tags[0].allow_nan == tags[1].allow_nan
        attack.fit(as_records(X, y), half(X))
        if hasattr(attack, "score_samples"):
            assert np.isfinite(attack.score_samples(as_records(X, y))).all()


@everything_on_any_model
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_target_refuses_missing_values_in_its_own_words(cls, value):
    X, y = table()
    target = train(LogisticRegression(), X, y)
    X = X.copy()
    X[3, 2] = value
    assert not get_tags(make(cls, target)).input_tags.allow_nan
    own = "Input X contains NaN" if np.isnan(value) else "Input X contains infinity"
    records = as_records(X, y)
    text = refused(cls, target, records, ValueError, own, y=half(X))
    with pytest.raises(ValueError, match=own) as caught:
        target.predict_proba(X)
    assert text == str(caught.value)


@every_shadow_attack_on_any_model
def test_a_category_that_a_shadow_never_saw_is_named_as_the_cause(cls):
    pd = pytest.importorskip("pandas")
    columns, y = people()
    frame = pd.DataFrame(columns)
    frame.loc[17, "job"] = "king"
    records = as_records(frame, y)
    strict = make_pipeline(encoder(), LogisticRegression()).fit(frame, y)
    message = (
        r"Shadow [01] was trained but could not answer for the pool: ValueError: Found "
        r"unknown categories \['king'\] in column 0 during transform It saw the "
        r"classes \[0, 1\]. If it met a category .* "
        r"OneHotEncoder\(handle_unknown='ignore'\) does."
    )
    with pytest.raises(ShadowFitError, match=message):
        fitted(cls, strict, records)
    lenient = make_pipeline(encoder(handle_unknown="ignore"), LogisticRegression())
    assert np.isfinite(scores(cls, lenient.fit(frame, y), records)).all()


@every_shadow_attack_on_any_model
def test_a_search_is_not_repeated_by_every_shadow(cls):
    X, y = table()
    search = GridSearchCV(Counting(), {"name": ["search"]}, cv=3)
    train(search, X, y)
    Counting.fits.clear()
    attack = fitted(cls, search, as_records(X, y))
    assert Counting.fits == {"search": 4}
    assert_array_equal(
        attack.score_samples(as_records(X, y)),
        scores(cls, search.best_estimator_, as_records(X, y)),
    )


@everything_on_a_target
def test_parameters_of_the_target_are_out_of_reach(cls):
    X, y = table()
    target = train(model_for(cls), X, y)
    before = pickle.dumps(target)
    attack = make(cls, target)
    names = attack.get_params(deep=True)
    assert not [name for name in names if name.startswith("target_estimator__")]
    message = (
        "'target_estimator__max_depth' cannot be set: the target is a trained model "
        "that an attack never changes."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        attack.set_params(target_estimator__max_depth=1)
    grid = {"target_estimator__max_depth": [1]}
    with pytest.raises(ValueError, match=re.escape(message)):
        GridSearchCV(attack, grid, scoring=lambda *_: 0, cv=2).fit(
            as_records(X, y), half(X)
        )
    assert pickle.dumps(target) == before


@every_shadow_attack
def test_a_recipe_and_its_parameters_can_be_set_together(cls):
    X, y = table()
    attack = make(cls, train(model_for(cls), X, y))
    message = (
        "'shadow_estimator__max_depth' cannot be set while shadow_estimator=None. "
        "Pass the recipe first: shadow_estimator=clone(model)."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        attack.set_params(shadow_estimator__max_depth=2)
    attack.set_params(shadow_estimator__max_depth=1, shadow_estimator=model_for(cls))
    assert attack.get_params()["shadow_estimator__max_depth"] == 1
    attack.fit(as_records(X, y), half(X))
    assert {model.max_depth for model, _ in attack.models_} == {1}
    assert attack.target_estimator.max_depth != 1


def sentinels(cls):
    names = inspect.signature(cls).parameters
    values = ["text", 3, None, [1, 2], (1, 2), np.arange(3), {"a": 1}]
    return {name: values[i % len(values)] for i, name in enumerate(names)}


@pytest.mark.parametrize("cls", all_estimators())
def test_a_clone_keeps_every_parameter(cls):
    params = sentinels(cls)
    estimator = cls(**params)
    for name, value in params.items():
        assert getattr(estimator, name) is value
    cloned = clone(estimator).get_params(deep=False)
    assert set(cloned) == set(params)
    for name, value in params.items():
        assert_array_equal(cloned[name], value)
        assert type(cloned[name]) is type(value)


@everything_on_a_target
@pytest.mark.parametrize("wrong", [LogisticRegression, "rf", None])
def test_a_class_or_a_name_in_place_of_a_target_is_refused(cls, wrong):
    attack = make(cls, wrong)
    assert clone(attack).target_estimator is wrong
    message = "target_estimator must be a fitted classifier, got"
    records = as_records(*table())
    text = refused(cls, wrong, records, TypeError, message, y=half(records))
    assert text.endswith("RandomForestClassifier().fit(X_train, y_train).")


@every_shadow_attack
@pytest.mark.parametrize("wrong", [LogisticRegression, "rf"])
def test_a_class_or_a_name_in_place_of_a_recipe_is_refused(cls, wrong):
    X, y = table()
    attack = make(cls, train(model_for(cls), X, y), shadow_estimator=wrong)
    with pytest.raises((TypeError, ValueError), match="shadow_estimator"):
        attack.fit(as_records(X, y), half(X))


class WithoutTags:
    """A classifier that knows nothing of scikit-learn but its method names."""

    def __init__(self, C=1.0):
        self.C = C

    def get_params(self, deep=True):
        return {"C": self.C}

    def set_params(self, **params):
        self.__dict__.update(params)
        return self

    def fit(self, X, y):
        self.model = LogisticRegression(C=self.C).fit(X, y)
        self.classes_ = self.model.classes_
        return self

    def predict(self, X):
        return self.model.predict(X)

    def predict_proba(self, X):
        return self.model.predict_proba(X)


class MixinsInTheWrongOrder(WithoutTags, BaseEstimator, ClassifierMixin):
    pass


@everything_on_any_model
def test_a_target_without_tags_is_as_good_as_one_with_tags(cls):
    X, y = table()
    records = as_records(X, y)
    results = []
    for model in (WithoutTags(), MixinsInTheWrongOrder()):
        refused(cls, model, records, NotFittedError, "is not fitted", y=half(X))
        attack = make(cls, train(model, X, y))
        repr(attack), attack._repr_html_(), clone(attack), get_tags(attack)
        attack.fit(records, half(X))
        ask = getattr(attack, "score_samples", None) or attack.transform
        results.append(ask(records))
    assert np.isfinite(results[0]).all()
    assert_array_equal(*results)


@everything_on_any_model
def test_a_target_without_its_classes_is_told_what_is_missing(cls):
    class NoClasses(WithoutTags):
        def fit(self, X, y):
            self.model_ = self.model = LogisticRegression().fit(X, y)
            return self

    X, y = table()
    message = "The target NoClasses has no attribute classes_, the class of each"
    target = train(NoClasses(), X, y)
    refused(cls, target, as_records(X, y), TypeError, message, y=half(X))


def targets_without_probabilities():
    yield LinearSVC()
    yield SVC(gamma=2.0)
    yield SGDClassifier(random_state=0)
    yield RidgeClassifier()
    yield GridSearchCV(SVC(), {"gamma": [1.0, 2.0]}, cv=2)
    yield make_pipeline(StandardScaler(), SVC(gamma=2.0))


@every_attack_on_any_model
def test_a_target_without_probabilities_can_be_attacked(cls):
    X, y = table()
    for model in targets_without_probabilities():
        attack = fitted(cls, train(model, X, y), as_records(X, y))
        score = attack.score_samples(as_records(X, y))
        assert np.isfinite(score).all()
        assert len(np.unique(score)) > 1
        assert not hasattr(attack, "predict_proba")
    # The last one is overfitted, so that its members stand out.
    assert roc_auc_score(half(X), score) > 0.6


@everything_that_may_ask_for_probabilities
def test_a_response_method_that_the_target_lacks_is_refused(cls):
    X, y = table()
    target = train(LinearSVC(), X, y)
    message = (
        "response_method='predict_proba', but the target LinearSVC has no such "
        "method. It has decision_function, predict: pass one of them, or 'auto'."
    )
    params = {"response_method": "predict_proba", "y": half(X)}
    refused(cls, target, as_records(X, y), TypeError, message, **params)


@every_attack_on_any_model
def test_read_only_records_give_the_same_scores(cls, tmp_path):
    X, y = table()
    target = train(make_pipeline(StandardScaler(), GaussianNB()), X, y)
    records = as_records(X, y)
    expected = scores(cls, target, records)
    np.save(tmp_path / "records.npy", records)
    mapped = np.load(tmp_path / "records.npy", mmap_mode="r")
    records.flags.writeable = False
    for read_only in (records, mapped):
        assert_array_equal(scores(cls, target, read_only), expected)
    in_place = make_pipeline(StandardScaler(copy=False), GaussianNB())
    target = train(in_place, X.copy(), y)
    expected = scores(cls, target, records.copy())
    for given in (records, mapped, records.copy()):
        before = np.array(given)
        assert_array_equal(scores(cls, target, given), expected)
        assert_array_equal(given, before)


def test_a_table_that_workers_get_read_only_gives_the_same_scores():
    X, y = table(16_000)
    records = as_records(X, y)
    # Workers get what is larger than a megabyte as a read-only file.
    assert records[:, :-1].nbytes > 10**6
    target = make_pipeline(StandardScaler(copy=False), GaussianNB())
    target.fit(X[:8_000].copy(), y[:8_000])
    before = records.copy()
    expected = scores(RMIA, target, records, n_shadows=2)
    assert_array_equal(records, before)
    assert_array_equal(scores(RMIA, target, records, n_shadows=2, n_jobs=2), expected)
    assert_array_equal(records, before)


@every_shadow_attack_on_any_model
def test_lambdas_and_local_classes_reach_the_workers(cls):
    class Local(GaussianNB):
        pass

    X, y = table()
    model = make_pipeline(FunctionTransformer(lambda X: 2 * X), Local())
    target, records = train(model, X, y), as_records(X, y)
    expected = scores(cls, target, records)
    assert_array_equal(scores(cls, target, records, n_jobs=2), expected)


@every_attack
@pytest.mark.parametrize("keep_models", [False, True])
def test_a_fitted_attack_can_be_saved(cls, keep_models, tmp_path):
    X, y = table()
    records = as_records(X, y)
    attack = fitted(cls, train(model_for(cls), X, y), records, keep_models=keep_models)
    expected = attack.score_samples(records)
    joblib.dump(attack, tmp_path / "attack.joblib")
    for loaded in (
        pickle.loads(pickle.dumps(attack)),
        joblib.load(tmp_path / "attack.joblib"),
    ):
        assert_array_equal(loaded.score_samples(records), expected)
        assert loaded.offset_ == attack.offset_
        assert_array_equal(loaded.predict(records), attack.predict(records))


@every_attack
def test_labels_and_membership_in_any_one_dimensional_form(cls):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    X, y = table()
    target, is_member = train(model_for(cls), X, y), half(X).astype(int)
    attack = plain_attack(cls)
    expected = attack.score_samples(as_records(X, y))
    forms = [list, tuple, lambda y: y.astype(object), pd.Series, pl.Series]
    for form in forms:
        records = as_records(X, form(y))
        other = make(cls, target).fit(records, form(is_member))
        assert_array_equal(other.score_samples(records), expected)
        assert other.offset_ == attack.offset_
    columns = [
        lambda y: y[:, None],
        lambda y: pd.DataFrame({"y": y}),
        lambda y: pl.DataFrame({"y": y}),
    ]
    for column in columns:
        with pytest.warns(DataConversionWarning) as caught:
            records = as_records(X, column(y))
        assert len(caught) == 1
        with pytest.warns(DataConversionWarning) as caught:
            other = make(cls, target).fit(records, column(is_member))
        assert len(caught) == 1
        assert_array_equal(other.score_samples(records), expected)
        assert other.offset_ == attack.offset_


@every_attack
def test_one_hot_membership_is_refused(cls):
    X, y = table()
    target, records = train(model_for(cls), X, y), as_records(X, y)
    one_hot = np.eye(2)[half(X).astype(int)]
    message = "y must be 1-d labels, got shape (160, 2). If y is one-hot, pass the"
    refused(cls, target, records, ValueError, message, y=one_hot)


@everything_on_any_model
def test_polars_gives_what_pandas_gives(cls):
    pytest.importorskip("sklearn", "1.8", reason="no columns of polars by name")
    pl, pd = pytest.importorskip("polars"), pytest.importorskip("pandas")
    columns, y = people()
    results = []
    for module in (pd, pl):
        frame = module.DataFrame(columns)
        model = make_pipeline(encoder(handle_unknown="ignore"), GaussianNB())
        target = model.fit(frame[:80], y[:80])
        records = as_records(frame, module.Series("rich", y) if module is pl else y)
        with joblib.parallel_config("threading"):
            attack = make(cls, target, n_jobs=2)
            attack.fit(records, half(records))
        ask = getattr(attack, "score_samples", None) or attack.transform
        results.append(ask(records))
    assert_array_equal(*results)
    lazy = records.lazy()
    message = "X is a LazyFrame, which holds no rows yet. Pass X.collect()."
    with pytest.raises(TypeError, match=re.escape(message)):
        make(cls, target).fit(lazy, half(records))
    with pytest.raises(TypeError, match=re.escape(message)):
        ask(lazy)


class WrongProbabilities(WithoutTags):
    def __init__(self, fault=None):
        self.fault = fault

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return self.classes_[np.zeros(len(X), dtype=int)]

    def predict_proba(self, X):
        return self.fault(np.full((len(X), 2), 0.5))


@everything_that_may_ask_for_probabilities
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda p: p[:, 1], "must return shape (n_records, n_classes) = (160, 2)"),
        (lambda p: p[:, 1:], "one column a class, got (160, 1)."),
        (lambda p: [p, p], "returned a list of 2 arrays, one an output."),
        (lambda p: 3 * p, "must return probabilities that sum to 1 in each row"),
        (lambda p: p * np.nan, "returned 320 values that are not finite."),
    ],
)
def test_output_that_is_no_table_of_probabilities_is_refused(cls, fault, message):
    X, y = table()
    target = WrongProbabilities(fault).fit(X, y)
    refused(cls, target, as_records(X, y), ValueError, message, y=half(X))


def two_outputs(X, y):
    return RandomForestClassifier(2).fit(X, np.column_stack([y, y]))


@everything_on_any_model
@pytest.mark.parametrize(
    ("fit", "error", "message"),
    [
        (
            lambda X, y: RandomForestRegressor(2).fit(X, y),
            TypeError,
            "must be a classifier, but RandomForestRegressor is a regressor.",
        ),
        (two_outputs, ValueError, "The target RandomForestClassifier has 2 outputs."),
        (
            lambda X, y: RandomForestClassifier(2).fit(X, np.full(len(X), "only")),
            ValueError,
            "knows only the class 'only'.",
        ),
        (
            lambda X, y: StandardScaler().fit(X),
            TypeError,
            "must be a fitted classifier, but StandardScaler has no predict method.",
        ),
    ],
)
def test_a_target_that_is_no_classifier_of_classes_is_refused(cls, fit, error, message):
    X, y = table()
    text = refused(cls, fit(X, y), as_records(X, y), error, message, y=half(X))
    assert "\n" not in text


@every_attack
def test_a_record_on_both_sides_has_one_score(cls):
    X, y = table()
    # Thirty non-members are copies of members, labels too.
    X[-30:], y[-30:] = X[:30], y[:30]
    attack = fitted(cls, train(model_for(cls), X, y), as_records(X, y))
    score = attack.score_samples(as_records(X, y))
    assert_array_equal(score[-30:], score[:30])
    if hasattr(attack, "shadow_members_"):
        members = attack.shadow_members_
        assert_array_equal(members[:, -30:], members[:, :30])
        assert_array_equal(members[::2], ~members[1::2])


@every_attack
def test_records_of_one_person_stay_together_or_groups_are_refused(cls):
    X, y = table()
    records, persons = as_records(X, y), np.repeat(np.arange(32), 5)
    attack = make(cls, train(model_for(cls), X, y))
    if "groups" not in inspect.signature(cls.fit).parameters:
        with pytest.raises(TypeError, match="groups"):
            attack.fit(records, half(X), groups=persons)
        return
    attack.fit(records, half(X), groups=persons)
    if hasattr(attack, "shadow_members_"):
        members = attack.shadow_members_.reshape(-1, 32, 5)
        assert_array_equal(members.min(axis=2), members.max(axis=2))
        assert_array_equal(members.any(axis=2).sum(axis=1), 16)


@pytest.mark.parametrize("cls", all_estimators())
def test_an_estimator_can_always_be_shown(cls):
    X, y = table()
    target, records = train(model_for(cls), X, y), as_records(X, y)
    shown = [cls()]
    if cls in ON_A_TARGET:
        fitted_one = make(cls, target).fit(records, half(X))
        bad = make(cls, LogisticRegression, label_column=object())
        shown += [fitted_one, make(cls, target), make(cls, None), bad]
        shown += [make(cls, WithoutTags()), make(cls, FrozenEstimator(target))]
        shown += [make_pipeline(make(cls, target))]
    with warnings.catch_warnings():
        # Attributes with a reason to warn are not asked for their value's sake.
        warnings.simplefilter("error")
        for estimator in shown:
            assert cls.__name__ in repr(estimator)
            assert cls.__name__ in estimator._repr_html_()
            for name in dir(estimator):
                hasattr(estimator, name)
    if cls in ON_A_TARGET:
        html = fitted_one._repr_html_()
        for value in X[:3].ravel():
            assert f"{value:.6f}"[:8] not in html


def frame_records(X, y):
    return as_records(frame_of(X), y, label_name="truth")


@everything_on_a_target
def test_records_without_their_label_are_refused(cls):
    X, y = table()
    target = train(model_for(cls), X, y)
    message = "The records have 8 columns, as many as the target has features: the"
    text = refused(cls, target, X, ValueError, message, y=half(X))
    assert "\n" not in text
    frame = frame_of(X)
    target = train(model_for(cls), frame, y)
    message = (
        "The records hold only the columns that the target was trained on, not the "
        "class label. Add it with as_records(X, y), or set label_column=None"
    )
    text = refused(cls, target, frame, ValueError, message, y=half(X))
    assert "\n" not in text


@everything_on_a_target
def test_a_label_that_the_target_does_not_know_is_refused(cls):
    X, y = table()
    target = train(model_for(cls), X, y)
    y = y.copy()
    y[[3, 7]] = 2
    message = (
        "2 records have a class label that the target does not know: 2.0. Its "
        "classes are 0, 1. Check label_column, encode the labels as for its "
        "training, or drop these records."
    )
    text = refused(cls, target, as_records(X, y), ValueError, message, y=half(X))
    assert "\n" not in text


@every_attack
@pytest.mark.parametrize("value", [True, False])
def test_membership_of_one_kind_only_is_refused(cls, value):
    X, y = table()
    message = (
        f"y holds only one class, {value}. Known membership needs members and "
        "non-members; leave y out if membership is unknown."
    )
    target, records = train(model_for(cls), X, y), as_records(X, y)
    one_kind = np.full(len(X), value)
    text = refused(cls, target, records, ValueError, message, y=one_kind)
    assert "\n" not in text


@every_attack
def test_membership_of_three_kinds_is_refused(cls):
    X, y = table()
    three = np.arange(len(X)) % 3
    target, records = train(model_for(cls), X, y), as_records(X, y)
    message = "y is the membership of each record, with the two values member and"
    refused(cls, target, records, ValueError, message, y=three)


@every_attack
def test_membership_of_another_length_is_refused(cls):
    X, y = table()
    target, records = train(model_for(cls), X, y), as_records(X, y)
    message = "inconsistent numbers of samples: [160, 159]"
    refused(cls, target, records, ValueError, message, y=half(X)[:-1])


@everything_on_a_target
def test_a_label_column_that_does_not_exist_is_refused(cls):
    X, y = table()
    frame = frame_of(X)
    target = train(model_for(cls), frame, y)
    message = "label_column='income' is not a column of the records, which have 'x0'"
    text = refused(
        cls,
        target,
        frame_records(X, y),
        ValueError,
        message,
        y=half(X),
        label_column="income",
    )
    assert "\n" not in text


@every_attack
def test_records_of_another_width_are_refused_when_they_are_scored(cls):
    X, y = table()
    attack = fitted(cls, train(model_for(cls), X, y), as_records(X, y))
    message = f"X has 8 features, but {cls.__name__} is expecting 9 features as input"
    with pytest.raises(ValueError, match=re.escape(message)):
        attack.score_samples(X)


@everything_on_a_target
def test_a_sparse_table_is_for_the_target_to_refuse(cls):
    X, y = table()
    X = np.where(np.abs(X) < 0.5, 0, X)
    target = train(model_for(cls), sp.csr_array(X), y)
    results = []
    if not get_tags(make(cls, target)).input_tags.sparse:
        with pytest.raises(TypeError, match="sparse"):
            make(cls, target).fit(as_records(sp.csr_array(X), y), half(X))
        return
    for container in (np.asarray, sp.csr_array, sp.csc_array):
        records = as_records(container(X), y)
        attack = make(cls, target).fit(records, half(X))
        ask = getattr(attack, "score_samples", None) or attack.transform
        results.append(ask(records))
    assert_array_equal(results[1], results[2])
    if cls.__name__ != "TrajectoryAttack":
        # Boosting draws the columns of a sparse table in another order.
        assert_array_equal(results[0], results[1])


@everything_on_any_model
def test_a_target_that_takes_no_sparse_table_gets_none(cls):
    X, y = table()
    target = train(HistGradientBoostingClassifier(max_iter=2), X, y)
    assert not get_tags(make(cls, target)).input_tags.sparse
    records = as_records(sp.csr_array(X), y)
    refused(cls, target, records, TypeError, "parse", y=half(X))
