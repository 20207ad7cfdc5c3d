"""Regressors as targets: what is asked of them, the formulas, and the wrappers."""

import inspect
import re

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from helpers.attacks import ATTACKS
from helpers.common_checks import scikit_learn_checks
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_friedman1
from sklearn.ensemble import (
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.multioutput import MultiOutputRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.validation import check_array

from sklearn_mia import (
    RMIA,
    BaggingAttack,
    DifficultyCalibrationAttack,
    LabelOnlyAttack,
    LinearReconstructionAttack,
    LiRA,
    MembershipSignals,
    QuantileRegressionAttack,
    ShadowModelAttack,
    SupervisedAttack,
    ThresholdAttack,
    TrajectoryAttack,
    as_records,
    leave_one_out_risk,
    structural_risk,
)
from sklearn_mia.base import BaseAttack, BaseShadowAttack
from sklearn_mia.response import check_target, make_responder

N = 120
X, Y = make_friedman1(2 * N, n_features=6, noise=3.0, random_state=0)
RECORDS, IS_MEMBER = as_records(X, Y), np.arange(2 * N) < N
TREE = DecisionTreeRegressor(min_samples_leaf=2, max_features=4, random_state=0)
FEW = {"n_shadows": 4, "random_state": 0}
OF_VALUES = [cls for cls in ATTACKS if cls.has_regression]
OF_CLASSES = [cls for cls in ATTACKS if not cls.has_regression]


def train(model):
    return clone(model).fit(X[:N], Y[:N])


def make(cls, target, **params):
    simple = {
        "QuantileRegressionAttack": DecisionTreeRegressor(max_depth=3, random_state=0),
        "SupervisedAttack": LogisticRegression(),
    }
    params = {**FEW, "estimator": simple.get(cls.__name__), **params}
    names = inspect.signature(cls).parameters
    return cls(target, **{k: v for k, v in params.items() if k in names})


def scores(cls, target, records=RECORDS, **params):
    attack = make(cls, target, **params)
    return attack.fit(records, IS_MEMBER).score_samples(records)


def sides(attack, signal):
    """Signal of the shadows as IN and as OUT, NaN elsewhere, and of the target."""
    values = np.array([signal(m.predict(X)) for m, _ in attack.models_])
    inside = attack.shadow_members_
    return (
        np.where(inside, values, np.nan),
        np.where(inside, np.nan, values),
        signal(attack.target_estimator.predict(X)),
    )


# What is asked


def test_a_regressor_is_asked_for_predictions_and_has_no_classes():
    model = train(TREE)
    assert check_target(model) is None
    responder, prediction = make_responder(model, X, None)
    assert (responder.kind, responder.classes) == ("predict", None)
    assert_array_equal(prediction, model.predict(X))
    message = re.escape("has no such method. It has predict: pass one")
    with pytest.raises(TypeError, match=message):
        make_responder(model, X, None, "predict_proba")


def test_queries_of_a_regressor_have_a_prediction_and_a_residual():
    class FromTheResidual(BaseAttack):
        has_regression = True

        def _score_queries(self, queries):
            assert_array_equal(queries.codes - queries.prediction, queries.residual)
            with pytest.raises(TypeError, match="gives no probabilities"):
                _ = queries.log_proba
            return -np.square(queries.residual)

    model = train(TREE)
    assert_array_equal(scores(FromTheResidual, model), -((Y - model.predict(X)) ** 2))


class Answers(RegressorMixin, BaseEstimator):
    """Says what it was told to, whatever it is asked."""

    def __init__(self, answer=None):
        self.answer = answer

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict(self, X):
        return self.answer(len(X))


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda n: np.full(n, np.nan), "240 values that are not finite"),
        (lambda n: np.r_[np.inf, np.zeros(n - 1)], "1 values that are not finite"),
        (lambda n: np.ones(n), "predicts one value for all 240 records"),
        (lambda n: np.ones((n, 2)), "The target Answers has 2 outputs"),
        (lambda n: np.r_[-1e38, np.zeros(n - 1)], r"1 values beyond 1e\+37, too large"),
    ],
)
@pytest.mark.parametrize("cls", [ThresholdAttack, LiRA])
def test_answers_that_are_no_finite_different_numbers_are_refused(cls, answer, message):
    with pytest.raises(ValueError, match=message):
        scores(cls, Answers(answer).fit(X, Y))


@pytest.mark.parametrize(
    "model",
    [
        MultiOutputRegressor(Ridge()),
        Ridge(),
        RandomForestRegressor(2),
        make_pipeline(StandardScaler(), MultiOutputRegressor(Ridge())),
    ],
)
def test_several_outputs_are_refused(model):
    model = model.fit(X, np.column_stack([Y, Y]))
    with pytest.raises(ValueError, match=r"outputs?\. Attack one output at a time"):
        scores(ThresholdAttack, model)


def test_a_column_is_one_output():
    model = LinearRegression().fit(X[:N], Y[:N, None])
    assert_array_equal(
        scores(ThresholdAttack, model),
        -np.abs(Y - np.ravel(model.predict(X))),
    )


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.where(np.arange(2 * N) == 3, np.nan, Y), "1 of 240 records have a value"),
        (np.full(2 * N, "high"), "that are no numbers, but the target is a regressor"),
        (Y * 1e200, r"240 of 240 records .* beyond 1e\+37, too large to compute with"),
    ],
)
def test_values_that_are_no_finite_numbers_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        scores(ThresholdAttack, train(TREE), as_records(X, values))


def test_the_own_prediction_cannot_stand_in_for_the_value():
    with pytest.raises(ValueError, match="label_column=None, but the target is a reg"):
        scores(ThresholdAttack, train(TREE), X, label_column=None)


@pytest.mark.parametrize("cls", OF_CLASSES)
def test_an_attack_without_a_form_for_regressors_says_so(cls):
    for model in (RandomForestRegressor(2), GradientBoostingRegressor(n_estimators=2)):
        model = train(model)
        assert not cls.handles(model)
        message = f"{cls.__name__} has no form for regressors, and the target"
        with pytest.raises(TypeError, match=message):
            make(cls, model).fit(RECORDS)


def test_attacks_with_a_form_for_regressors():
    assert set(OF_VALUES) == {
        ThresholdAttack,
        SupervisedAttack,
        QuantileRegressionAttack,
        DifficultyCalibrationAttack,
        LiRA,
        RMIA,
        LinearReconstructionAttack,
    }
    assert set(OF_CLASSES) == {
        BaggingAttack,
        LabelOnlyAttack,
        ShadowModelAttack,
        TrajectoryAttack,
    }


def test_an_attack_of_a_user_is_for_classifiers_unless_it_says_otherwise():
    class Own(BaseShadowAttack):
        def _score(self, target, signals, members, in_pool):
            return target

    with pytest.raises(TypeError, match="Own has no form for regressors"):
        Own(train(TREE)).fit(RECORDS)


def test_what_is_for_classifiers_says_so():
    model = train(TREE)
    for function in (structural_risk, leave_one_out_risk):
        message = f"{function.__name__} is for classifiers, and DecisionTreeRegressor"
        with pytest.raises(TypeError, match=message):
            function(model, X, Y)
    with pytest.raises(ValueError, match="per_class=True, but the target is a regr"):
        ThresholdAttack(model, per_class=True).fit(RECORDS)
    with pytest.raises(TypeError, match="must be a regressor, as the target is, got"):
        LiRA(model, shadow_estimator=LogisticRegression()).fit(RECORDS)


@pytest.mark.parametrize("cls", [ThresholdAttack, DifficultyCalibrationAttack])
def test_a_signal_of_classes_is_none_of_a_regressor(cls):
    message = "signal='logit' is for classifiers, and the target is a regressor; expec"
    with pytest.raises(ValueError, match=message):
        scores(cls, train(TREE), signal="logit")


# Formulas


def test_threshold_attack_is_the_negative_error():
    model = train(TREE)
    error = np.abs(Y - model.predict(X))
    assert_array_equal(scores(ThresholdAttack, model), -error)
    assert_allclose(scores(ThresholdAttack, model, signal="loss"), -(error**2))
    own = scores(ThresholdAttack, model, signal=lambda f, y: -((y - f) ** 4))
    assert_allclose(own, -(error**4))


def test_difficulty_calibration_takes_off_the_error_of_out_shadows():
    attack = make(DifficultyCalibrationAttack, train(TREE)).fit(RECORDS)
    _, outside, target = sides(attack, lambda f: -np.abs(Y - f))
    assert_allclose(attack.score_samples(RECORDS), target - np.nanmean(outside, axis=0))


@pytest.mark.parametrize("gap", ["shrunk", "per_record"])
def test_lira_compares_two_normal_distributions_of_the_residual(gap):
    attack = make(LiRA, train(TREE), n_shadows=8, gap=gap).fit(RECORDS)
    inside, outside, target = sides(attack, lambda f: Y - f)
    means = [np.nanmean(values, axis=0) for values in (inside, outside)]
    shift = np.zeros(len(Y))
    if gap == "shrunk":
        # The share that training takes off residuals of about that size.
        size, towards = np.abs(means[1]), np.sign(means[1]) * (means[0] - means[1])
        bins = np.array_split(np.argsort(size), 2 * N // 50)
        share = [towards[b].sum() / size[b].sum() for b in bins]
        at = [size[b].mean() for b in bins]
        shift = (np.interp(size, at, share) * means[1] - (means[0] - means[1])) / 2
    log_densities = []
    for values, mean, moved in zip((inside, outside), means, (1, -1), strict=True):
        squares = np.nansum((values - mean) ** 2, axis=0)
        pooled = squares.sum() / (len(Y) * 3)
        variance = (4 * pooled + squares) / (4 + 3)
        distance = (target - mean - moved * shift) ** 2
        log_densities.append(-0.5 * np.log(variance) - distance / (2 * variance))
    expected = log_densities[0] - log_densities[1]
    assert_allclose(attack.score_samples(RECORDS), expected)


@pytest.mark.parametrize(
    "model", [HistGradientBoostingRegressor(max_iter=15, random_state=0), Ridge()]
)
def test_the_shrunk_gap_of_residuals_finds_more_in_the_pool_and_outside(model):
    X, y = make_friedman1(1800, n_features=20, noise=3.0, random_state=0)
    target = clone(model).fit(X[:300], y[:300])
    records, is_member = as_records(X[:600], y[:600]), np.arange(600) < 300
    pools = {"pool": records, "outside": as_records(X[600:], y[600:])}
    found = {}
    for name, pool in pools.items():
        for gap in ("shrunk", "per_record"):
            attack = make(LiRA, target, n_shadows=8, gap=gap).fit(pool)
            found[name, gap] = roc_auc_score(is_member, attack.score_samples(records))
    for name in pools:
        assert found[name, "shrunk"] > found[name, "per_record"] + 0.02


def pooled_by_hand(cells):
    """Variance within records and over them, none more than 100 times the median."""
    own = np.nanvar(cells, axis=0, ddof=1)
    return np.minimum(own, 100 * np.median(own[own > 0])).mean()


@pytest.mark.parametrize("absurd", [1e4, -999999, 1e9])
def test_one_absurd_value_does_not_decide_what_lira_pools(absurd):
    variances, model = [], train(RandomForestRegressor(5, random_state=0))
    for value in (Y[N + 3], absurd):
        y = np.where(np.arange(len(Y)) == N + 3, value, Y)
        attack = make(LiRA, model, n_shadows=8).fit(as_records(X, y))
        inside, outside, _ = sides(attack, lambda f, y=y: y - f)
        variances.append([attack._var_in, attack._var_out])
        assert_allclose(variances[-1], [*map(pooled_by_hand, (inside, outside))])
    clean, spoiled = np.array(variances)
    # The cells of that record alone would make it 10 000 times and more.
    assert np.all(spoiled < 10 * clean)


def test_lira_knows_no_smallest_value_but_in_the_unit_of_all():
    y = Y * 1e-9
    attack = make(LiRA, LinearRegression().fit(X[:N], y[:N]), n_shadows=8)
    inside, outside, _ = sides(attack.fit(as_records(X, y)), lambda f: y - f)
    expected = [*map(pooled_by_hand, (inside, outside))]
    assert_allclose([attack._var_in, attack._var_out], expected)
    assert max(expected) < 1e-15


def test_offline_lira_measures_the_way_towards_no_residual():
    attack = make(LiRA, train(TREE), mode="offline", variance="pooled").fit(RECORDS)
    _, outside, target = sides(attack, lambda f: Y - f)
    mean = np.nanmean(outside, axis=0)
    pooled = np.nansum((outside - mean) ** 2) / len(Y)
    expected = np.sign(mean) * (mean - target) / np.sqrt(pooled)
    assert_allclose(attack.score_samples(RECORDS), expected)


@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_rmia_has_a_normal_density_as_wide_as_the_median_error(temperature):
    attack = make(RMIA, train(TREE), temperature=temperature).fit(RECORDS)
    inside, outside, target = sides(attack, lambda f: (Y - f) ** 2)
    width = 2 * temperature * np.median(outside[np.isfinite(outside)])
    means = [np.nanmean(np.exp(-v / width), axis=0) for v in (inside, outside)]
    expected = -target / width - np.log(np.mean(means, axis=0))
    assert_allclose(attack.score_samples(RECORDS), expected)


def test_supervised_attack_reads_the_signals_the_value_and_the_residual():
    model = train(TREE)
    attack = make(SupervisedAttack, model).fit(RECORDS, IS_MEMBER)
    residual = Y - model.predict(X)
    table = np.column_stack([-(residual**2), -np.abs(residual), Y, residual])
    assert attack.signals_ == ["loss", "absolute_error"]
    expected = LogisticRegression().fit(table, IS_MEMBER).decision_function(table)
    assert_allclose(attack.score_samples(RECORDS), expected)
    signals = MembershipSignals(model).fit(RECORDS)
    assert_allclose(signals.transform(RECORDS), table[:, :2])
    assert signals.get_feature_names_out().tolist() == ["loss", "absolute_error"]


def test_quantile_regression_knows_the_value_as_a_number():
    model, line = train(TREE), LinearRegression()
    attack = make(QuantileRegressionAttack, model, estimator=line, n_folds=2)
    found = attack.fit(RECORDS).score_samples(RECORDS)
    signal, table = -np.abs(Y - model.predict(X)), np.column_stack([X, Y])
    both = [signal - of_fold.predict(table) for of_fold, _ in attack.estimators_]
    assert_allclose(np.min(np.abs(np.array(both) - found), axis=0), 0, atol=1e-9)


# Every attack


@pytest.mark.parametrize("cls", OF_VALUES)
def test_members_score_higher(cls):
    found = scores(cls, train(DecisionTreeRegressor(random_state=0)))
    assert roc_auc_score(IS_MEMBER, found) > 0.7


@pytest.mark.parametrize("cls", OF_VALUES)
def test_membership_and_containers_do_not_enter_the_scores(cls):
    frame = pd.DataFrame(X, columns=list("abcdef")).assign(y=Y)
    model = train(TREE)
    expected = scores(cls, model)
    assert_array_equal(scores(cls, model, frame.to_numpy().astype(object)), expected)
    named = clone(TREE).fit(frame[list("abcdef")][:N], Y[:N])
    assert_array_equal(scores(cls, named, frame), expected)
    if cls is not SupervisedAttack:
        unknown = make(cls, model).fit_score(RECORDS)
        assert_array_equal(unknown, expected)


@pytest.mark.parametrize("cls", [ThresholdAttack, LiRA, RMIA])
def test_sparse_records_are_those_of_an_array(cls):
    model = train(Ridge())
    found = scores(cls, model, sp.csr_array(RECORDS))
    assert_allclose(found, scores(cls, model), rtol=1e-3, atol=1e-3)


WRAPPED = {
    "pipeline": make_pipeline(StandardScaler(), TREE),
    "search": GridSearchCV(TREE, {"max_depth": [6]}, cv=2),
    "transformed": TransformedTargetRegressor(
        TREE, func=np.cbrt, inverse_func=lambda y: y**3
    ),
}


@pytest.mark.parametrize("name", WRAPPED)
@pytest.mark.parametrize("cls", OF_VALUES)
def test_wrapped_regressors_are_targets(cls, name):
    model = train(WRAPPED[name])
    found = scores(cls, model)
    assert roc_auc_score(IS_MEMBER, found) > 0.6
    if name != "transformed":
        frozen = FrozenEstimator(model)
        assert_array_equal(scores(cls, frozen), found)


def test_shadows_of_regressors_are_remembered(tmp_path):
    class Counting(DecisionTreeRegressor):
        n_fits = 0

        def fit(self, *given, **params):
            type(self).n_fits += 1
            return super().fit(*given, **params)

    model = train(Counting(random_state=0))
    kept = {"memory": str(tmp_path), "keep_models": False}
    before = Counting.n_fits
    first = scores(LiRA, model, **kept)
    assert Counting.n_fits == before + 4
    scores(RMIA, model, **kept)
    assert_array_equal(scores(LiRA, model, **kept), first)
    assert Counting.n_fits == before + 4
    other = as_records(X, Y + 1.0)
    make(LiRA, model, **kept).fit(other)
    assert Counting.n_fits == before + 8


def test_records_outside_the_pool_are_scored_on_one_scale():
    model = train(DecisionTreeRegressor(random_state=0))
    pool = RECORDS[::2]
    for cls in (LiRA, RMIA, DifficultyCalibrationAttack):
        found = make(cls, model).fit(pool).score_samples(RECORDS[1::2])
        assert roc_auc_score(IS_MEMBER[1::2], found) > 0.55


def test_a_shadow_that_cannot_be_trained_is_named():
    class Fails(DecisionTreeRegressor):
        def fit(self, X, y):
            raise RuntimeError("no")

    message = "Shadow 0 could not be trained: RuntimeError: no .*It saw 120 records\\."
    with pytest.raises(ValueError, match=message):
        scores(LiRA, train(TREE), shadow_estimator=Fails())


@pytest.mark.slow
def test_shadows_find_more_than_the_error_and_nothing_where_nothing_is():
    X, y = make_friedman1(2000, n_features=6, noise=3.0, random_state=1)
    is_member, records = np.arange(2000) < 1000, as_records(X, y)
    aucs = {}
    for cls in (ThresholdAttack, DifficultyCalibrationAttack, LiRA, RMIA):
        for name, model in (
            ("boosting", HistGradientBoostingRegressor(random_state=0)),
            ("line", LinearRegression()),
        ):
            target = model.fit(X[:1000], y[:1000])
            attack = make(cls, target, n_shadows=8)
            aucs[cls, name] = attack.fit(records).score(records, is_member)
    plain = aucs[ThresholdAttack, "boosting"]
    for cls in (DifficultyCalibrationAttack, LiRA, RMIA):
        assert aucs[cls, "boosting"] > plain + 0.02
        assert abs(aucs[cls, "line"] - 0.5) < 0.05


class AnyWidthRegressor(RegressorMixin, BaseEstimator):
    """A fitted regressor that takes any number of finite columns."""

    def __sklearn_is_fitted__(self):
        return True

    def _checked(self, X):
        if X.shape[1] == 0:
            raise ValueError("Records of n_features = 1 hold a value and nothing else.")
        return check_array(X, accept_sparse=True)

    def fit(self, X, y):
        self.shift_ = float(self._checked(X).sum() / 1000)
        return self

    def predict(self, X):
        level = np.asarray(self._checked(X).sum(axis=1)).ravel()
        return level * (1 + getattr(self, "shift_", 0.0))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


@pytest.mark.filterwarnings("ignore:y has the labels:UserWarning")
@scikit_learn_checks(
    [make(ThresholdAttack, AnyWidthRegressor())],
    slow=[
        make(cls, AnyWidthRegressor(), n_folds=2)
        for cls in OF_VALUES
        if cls not in (ThresholdAttack, LinearReconstructionAttack)
    ],
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)
