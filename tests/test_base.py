"""What an attack of a user gets for one formula."""

from functools import cache

import numpy as np
import pytest
from helpers import some
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_mia import (
    RMIA,
    BaggingAttack,
    DifficultyCalibrationAttack,
    LabelOnlyAttack,
    LiRA,
    MembershipSignals,
    QuantileRegressionAttack,
    ShadowModelAttack,
    SupervisedAttack,
    ThresholdAttack,
    TrajectoryAttack,
    as_records,
    audit,
    readers,
)
from sklearn_mia.base import BaseAttack, BaseShadowAttack, Reader, side_mean
from sklearn_mia.signals import SIGNALS, as_signal, loss, margin, true_log_proba

X, Y = make_classification(240, 6, n_informative=4, flip_y=0.3, random_state=0)
RECORDS, IS_MEMBER = as_records(X, Y), np.arange(240) < 120
MODEL = RandomForestClassifier(8, random_state=0).fit(X[:120], Y[:120])
# What attacks learn with here, where their own choice takes long.
TREE, LOGISTIC = DecisionTreeRegressor(max_depth=3), LogisticRegression()


class AboveTheRest(BaseShadowAttack):
    """The attack of a user: his formula alone."""

    def _score(self, target, signals, members, in_pool):
        return target - side_mean(signals, members & in_pool, False)


class MarginAboveTheRest(AboveTheRest):
    def _signal(self):
        return margin


class NoFormula(BaseShadowAttack):
    pass


@pytest.mark.parametrize(
    ("cls", "missing"),
    [(NoFormula, "_score"), (BaseAttack, "_score_queries"), (Reader, "ask")],
)
def test_a_class_without_its_formula_fails_when_it_is_made(cls, missing):
    with pytest.raises(TypeError, match=f"abstract.*{missing}"):
        cls()


def test_the_attack_of_a_user_equals_its_formula():
    attack = AboveTheRest(MODEL, n_shadows=4, random_state=0)
    known = DifficultyCalibrationAttack(MODEL, n_shadows=4, random_state=0)
    assert_array_equal(attack.fit_score(RECORDS), known.fit_score(RECORDS))
    assert attack.offset_ == known.offset_
    others = as_records(X + 0.01, Y)
    assert_array_equal(attack.score_samples(others), known.score_samples(others))


@pytest.mark.parametrize(
    "attack",
    some(
        [
            ThresholdAttack(MODEL, per_class=True),
            SupervisedAttack(MODEL, estimator=LOGISTIC, random_state=0),
            QuantileRegressionAttack(MODEL, estimator=TREE, random_state=0),
            ShadowModelAttack(MODEL, n_shadows=4, random_state=0),
            LiRA(MODEL, n_shadows=4, random_state=0),
            RMIA(MODEL, n_shadows=2, random_state=0),
            DifficultyCalibrationAttack(MODEL, n_shadows=2, random_state=0),
            LabelOnlyAttack(MODEL, n_queries=5, random_state=0),
            BaggingAttack(MODEL, n_trees=16, random_state=0),
            AboveTheRest(MODEL, n_shadows=2, random_state=0),
        ],
        5,
    ),
    ids=lambda attack: attack.__class__.__name__,
)
def test_fit_score_is_fit_and_score_samples_but_asks_the_target_once(attack):
    for y in (None, IS_MEMBER):
        if y is None and isinstance(attack, SupervisedAttack):
            continue
        fitted = clone(attack).fit(RECORDS, y)
        once = clone(attack)
        assert_array_equal(once.fit_score(RECORDS, y), fitted.score_samples(RECORDS))
        assert once.offset_ == fitted.offset_


class Asked(LogisticRegression):
    """Counts the records that it is asked about."""

    def predict_proba(self, X):
        self.n_asked_ = getattr(self, "n_asked_", 0) + len(X)
        return super().predict_proba(X)


@pytest.mark.parametrize("cls", [ThresholdAttack, QuantileRegressionAttack])
def test_fit_score_asks_the_target_once(cls):
    target = Asked().fit(X[:120], Y[:120])
    attack = cls(target, response_method="predict_proba")
    if cls is QuantileRegressionAttack:
        attack.set_params(estimator=TREE)
    clone(attack).fit_score(RECORDS)
    assert target.n_asked_ == 240
    attack.fit(RECORDS).score_samples(RECORDS)
    assert target.n_asked_ == 3 * 240


def test_null_scores_set_the_threshold():
    class FromOutside(ThresholdAttack):
        def _null_scores(self, pool, scores, is_member):
            return np.arange(100.0)

    attack = FromOutside(MODEL, max_fpr=0.1).fit(RECORDS)
    assert attack.offset_ == 89
    score = attack.score_samples(RECORDS[:1])
    assert_allclose(attack.p_value(RECORDS[:1]), (100 - np.ceil(score) + 1) / 101)


def test_a_formula_in_score_samples_is_refused():
    with pytest.raises(TypeError, match="Upside overrides score_samples, which the"):

        class Upside(LiRA):
            def score_samples(self, X):
                return -super().score_samples(X)


def test_an_attack_that_scores_nothing_is_no_audit():
    nothing = ThresholdAttack(signal=lambda log_proba, labels: np.full(240, np.nan))
    with pytest.raises(ValueError, match="could score none of the 240 records, which"):
        audit(MODEL, X[:120], Y[:120], X[120:], Y[120:], attacks=nothing)


# Signals


def surprise(log_proba, labels):
    return log_proba[:, 0] * (1 + labels)


@pytest.mark.parametrize(
    "make",
    [
        lambda signal: ThresholdAttack(MODEL, signal=signal, per_class=True),
        lambda signal: DifficultyCalibrationAttack(
            MODEL, signal=signal, n_shadows=2, random_state=0
        ),
        lambda signal: QuantileRegressionAttack(
            MODEL, signal=signal, estimator=TREE, random_state=0
        ),
        lambda signal: SupervisedAttack(
            MODEL, signals=[signal], estimator=LOGISTIC, random_state=0
        ),
    ],
    ids=["threshold", "difficulty", "quantile", "supervised"],
)
def test_a_signal_is_a_name_or_a_function_and_a_new_name_is_known(make, monkeypatch):
    by_name = make("loss").fit_score(RECORDS, IS_MEMBER)
    assert_array_equal(make(loss).fit_score(RECORDS, IS_MEMBER), by_name)
    with pytest.raises(ValueError, match="signal='surprise' is not known; expected a"):
        make("surprise").fit(RECORDS, IS_MEMBER)
    monkeypatch.setitem(SIGNALS, "surprise", surprise)
    by_new_name = make("surprise").fit_score(RECORDS, IS_MEMBER)
    assert_array_equal(make(surprise).fit_score(RECORDS, IS_MEMBER), by_new_name)
    assert not np.array_equal(by_new_name, by_name)


def test_a_function_reaches_workers():
    attack = DifficultyCalibrationAttack(MODEL, n_shadows=2, random_state=0)
    attack.set_params(signal=lambda log_proba, labels: surprise(log_proba, labels))
    alone = clone(attack).fit_score(RECORDS)
    assert_array_equal(clone(attack).set_params(n_jobs=2).fit_score(RECORDS), alone)


def test_label_only_takes_a_function_of_its_own_kind():
    attack = LabelOnlyAttack(MODEL, n_queries=5, random_state=0)
    by_name = clone(attack).set_params(signal="contrast").fit_score(RECORDS)
    attack.set_params(signal=lambda correct, share: correct - share)
    assert_array_equal(attack.fit_score(RECORDS), by_name)
    with pytest.raises(ValueError, match="one of 'contrast', 'robustness'"):
        clone(attack).set_params(signal="logit").fit(RECORDS)


def test_columns_of_signals_are_named_after_functions():
    signals = MembershipSignals(MODEL, signals=["margin", surprise])
    table = signals.fit_transform(RECORDS)
    assert signals.get_feature_names_out().tolist() == ["margin", "surprise"]
    by_attack = ThresholdAttack(MODEL, signal=surprise).fit_score(RECORDS)
    assert_array_equal(table[:, 1], by_attack)


@pytest.mark.parametrize("name", ["loss", "logit", "confidence"])
def test_the_log_probability_is_read_back_from_the_signal(name):
    log_proba = np.log(np.random.default_rng(0).dirichlet(np.ones(4), size=50))
    labels = np.arange(50) % 4
    signal = as_signal(name)
    found = true_log_proba(signal, signal(log_proba, labels))
    assert_allclose(found, log_proba[np.arange(50), labels], rtol=1e-12)
    assert true_log_proba(margin, np.zeros(3)) is None


# What an audit learns from the shadows of any attack


def mean_loss_and_codes(attack, model=MODEL):
    report = audit(
        model,
        X[:120],
        Y[:120],
        X[120:],
        Y[120:],
        attacks=attack,
        n_permutations=99,
        random_state=0,
    )
    slices = [row["value"] for row in report.slices if row["slice"] == "loss"]
    return slices, {f.code for f in report.findings}


@cache
def mean_loss_by_lira():
    return mean_loss_and_codes(LiRA(n_shadows=4))[0]


class SubclassOfLiRA(LiRA):
    """Nothing new."""


STUMP = RandomForestClassifier(8, max_depth=1, random_state=0)


@pytest.mark.parametrize(
    "attack",
    [
        SubclassOfLiRA(n_shadows=4),
        pytest.param(DifficultyCalibrationAttack(n_shadows=4), marks=pytest.mark.slow),
        DifficultyCalibrationAttack(n_shadows=4, signal="entropy"),
        pytest.param(
            RMIA(n_shadows=4, temperature=2.0, trees_per_shadow=None),
            marks=pytest.mark.slow,
        ),
        pytest.param(ShadowModelAttack(n_shadows=4), marks=pytest.mark.slow),
        pytest.param(AboveTheRest(n_shadows=4), marks=pytest.mark.slow),
        MarginAboveTheRest(n_shadows=4),
    ],
    ids=repr,
)
def test_subclasses_and_attacks_of_a_user_get_findings_and_loss_slices(attack):
    slices, codes = mean_loss_and_codes(clone(attack))
    assert slices == mean_loss_by_lira()
    assert "MIA006" not in codes
    _, codes = mean_loss_and_codes(clone(attack).set_params(shadow_estimator=STUMP))
    assert "MIA006" in codes


def test_a_class_lost_in_shadows_is_found_for_the_attack_of_a_user():
    labels = Y.copy()
    labels[[0, 120]] = 2
    model = LogisticRegression().fit(X[:120], labels[:120])
    sides = X[:120], labels[:120], X[120:], labels[120:]
    for attack in (AboveTheRest(n_shadows=4), MarginAboveTheRest(n_shadows=4)):
        report = audit(model, *sides, attacks=attack, random_state=1)
        assert "MIA008" in {f.code for f in report.findings}


def test_votes_and_stages_tell_what_shadows_answer():
    bagging = BaggingAttack(MODEL, n_trees=40, random_state=0).fit(RECORDS)
    evidence = bagging.shadow_evidence()
    assert evidence.thin
    forest, seen = bagging.models_[0]
    share = np.mean([tree.predict(X) == Y for tree in forest.estimators_], axis=0)
    assert_array_equal(seen, [0, 1])
    assert_allclose(np.exp(evidence.log_proba[0]), (4 * share + 0.5) / 5)
    boosting = GradientBoostingClassifier(n_estimators=5).fit(X[:120], Y[:120])
    attack = TrajectoryAttack(boosting, n_shadows=2, random_state=0).fit(RECORDS)
    model, _ = attack.models_[1]
    proba = model.predict_proba(X)[np.arange(240), Y]
    assert_allclose(np.exp(attack.shadow_evidence().log_proba[1]), proba)
    assert TrajectoryAttack(boosting).fit(RECORDS).shadow_evidence() is None


# Warnings


@pytest.mark.parametrize(
    "call",
    [
        lambda attack: attack.fit(RECORDS, ["a", "b"] * 120),
        lambda attack: cross_val_score(attack, RECORDS, ["a", "b"] * 120, cv=2),
        lambda attack: GridSearchCV(attack, {"max_fpr": [0.1]}, cv=2).fit(
            RECORDS, ["a", "b"] * 120
        ),
    ],
    ids=["fit", "cross_val_score", "GridSearchCV"],
)
def test_a_warning_points_at_the_line_of_the_user(call):
    with pytest.warns(UserWarning, match="y has the labels") as caught:
        call(ThresholdAttack(DecisionTreeClassifier().fit(X, Y)))
    assert {w.filename for w in caught} == {__file__}


def test_blocks_are_all_records_in_their_order(monkeypatch):
    monkeypatch.setattr(readers, "BLOCK", 100)
    blocks = list(readers.in_blocks(X, Y))
    assert [len(block) for block in blocks] == [100, 100, 40]
    assert_array_equal(np.vstack(blocks), X)
    monkeypatch.setattr(readers, "BLOCK", 240)
    assert next(readers.in_blocks(X, Y)) is X
