import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_mia import MembershipSignals, SupervisedAttack, as_records
from sklearn_mia.attacks._supervised import _Folds
from sklearn_mia.metrics import rate_interval
from sklearn_mia.signals import SIGNALS


@pytest.fixture(scope="module")
def table():
    return make_classification(600, 8, n_informative=5, flip_y=0.3, random_state=0)


@pytest.fixture(scope="module")
def forest(table):
    X, y = table
    return RandomForestClassifier(30, random_state=0).fit(X[:300], y[:300])


IS_MEMBER = np.arange(600) < 300


def test_signals_have_names_and_values(table, forest):
    X, y = table
    records = as_records(X, y)
    signals = MembershipSignals(forest).fit(records)
    assert list(signals.get_feature_names_out()) == list(SIGNALS)
    values = signals.transform(records)
    confidence = values[:, list(SIGNALS).index("confidence")]
    # 30 votes and half a vote for either class.
    proba = forest.predict_proba(X)[np.arange(600), y]
    assert_allclose(confidence, (1 - 1 / 30) * proba + 1 / 60)


def test_signals_can_be_chosen_and_come_as_a_frame(table, forest):
    pytest.importorskip("pandas")
    signals = MembershipSignals(forest, signals=("margin", "loss"))
    signals.set_output(transform="pandas")
    frame = signals.fit_transform(as_records(*table))
    assert list(frame.columns) == ["margin", "loss"]


@pytest.mark.parametrize("signals", [[], ["loss", "lost"]])
def test_unknown_signals_are_named(table, forest, signals):
    with pytest.raises(ValueError, match=r"one of '?logit'?, '?loss"):
        MembershipSignals(forest, signals=signals).fit(as_records(*table))


def test_a_pipeline_of_signals_is_an_attack(table, forest):
    attack = make_pipeline(
        MembershipSignals(forest), HistGradientBoostingClassifier(max_iter=20)
    )
    auc = cross_val_score(attack, as_records(*table), IS_MEMBER, scoring="roc_auc")
    assert auc.mean() > 0.75


def test_members_score_higher_on_records_not_learned_from(table, forest):
    records = as_records(*table)
    some = np.arange(600) % 2 == 0
    attack = SupervisedAttack(forest, random_state=0).fit(
        records[some], IS_MEMBER[some]
    )
    assert attack.score(records[~some], IS_MEMBER[~some]) > 0.75


def test_features_are_the_signals_and_the_class(table, forest):
    X, y = table
    records = as_records(X, y)
    attack = SupervisedAttack(forest, estimator=LogisticRegression(), random_state=0)
    attack.fit(records, IS_MEMBER)
    signals = MembershipSignals(forest).fit_transform(records)
    features = np.hstack([signals, np.eye(2)[y]])
    model = LogisticRegression(random_state=attack.estimator_.random_state)
    expected = model.fit(features, IS_MEMBER).decision_function(features)
    assert_allclose(attack.score_samples(records), expected)


def test_membership_is_needed(table, forest):
    with pytest.raises(ValueError, match="it learns from known membership"):
        SupervisedAttack(forest).fit(as_records(*table))


def test_equal_seeds_give_equal_scores(table, forest):
    records = as_records(*table)
    estimator = RandomForestClassifier(10)
    scores = [
        SupervisedAttack(forest, estimator=estimator, random_state=0)
        .fit(records, IS_MEMBER)
        .score_samples(records)
        for _ in range(2)
    ]
    assert_array_equal(*scores)
    assert estimator.random_state is None


@pytest.mark.parametrize("n_groups", [300, 120, 7])
@pytest.mark.parametrize("n_folds", [2, 3, 5])
def test_folds_are_those_of_scikit_learn(n_groups, n_folds):
    rng = np.random.default_rng(n_groups)
    groups = rng.permutation(np.arange(300) % n_groups)
    members = rng.random(300) < 0.4
    both = [
        folds(n_folds, shuffle=True, random_state=0).split(members, members, groups)
        for folds in (_Folds, StratifiedGroupKFold)
    ]
    for (_, one), (_, other) in zip(*both, strict=True):
        assert_array_equal(one, other)


@pytest.mark.slow
def test_false_alarms_without_a_leak():
    """The threshold is cross-fitted: new non-members pass it at max_fpr.

    60 no-leak targets, 200 new records each; the 99.9 % Clopper-Pearson interval of
    the share must touch max_fpr +- .01, the slack of the estimated threshold.
    """
    alarms = 0
    for seed in range(60):
        X, y = make_classification(
            800, 10, n_informative=6, flip_y=0.1, random_state=seed
        )
        target = RandomForestClassifier(20, random_state=seed).fit(X[:200], y[:200])
        records = as_records(X, y)
        half = np.arange(200, 600)
        attack = SupervisedAttack(target, random_state=seed)
        attack.fit(records[half], half % 2 == 0)
        alarms += attack.predict(records[600:]).sum()
    interval = rate_interval(int(alarms), 60 * 200, confidence=0.999)
    assert interval.low < 0.05 + 0.01
    assert interval.high > 0.05 - 0.01
