import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

from sklearn_mia import DifficultyCalibrationAttack, LiRA, ThresholdAttack, as_records
from sklearn_mia.attacks._difficulty import rank_among_out


@pytest.fixture(scope="module")
def table():
    return make_classification(300, 8, n_informative=5, flip_y=0.3, random_state=0)


@pytest.fixture(scope="module")
def forest(table):
    X, y = table
    return RandomForestClassifier(20, min_samples_leaf=2, random_state=0).fit(
        X[:150], y[:150]
    )


@pytest.mark.parametrize("signal", ["logit", "loss", "confidence"])
def test_score_is_the_signal_minus_its_mean_over_out_shadows(table, forest, signal):
    records = as_records(*table)
    attack = DifficultyCalibrationAttack(
        forest, signal=signal, n_shadows=6, random_state=0
    ).fit(records)
    plain = ThresholdAttack(forest, signal=signal).fit(records).score_samples(records)
    values, member = attack.shadow_signals_, attack.shadow_members_
    expected = [plain[i] - values[~member[:, i], i].mean() for i in range(300)]
    assert_allclose(attack.score_samples(records), expected, rtol=1e-9)


def test_with_the_logit_it_ranks_as_offline_lira(table, forest):
    records = as_records(*table)
    settings = {"n_shadows": 6, "random_state": 0}
    calibrated = DifficultyCalibrationAttack(forest, **settings).fit(records)
    lira = LiRA(forest, mode="offline", variance="pooled", **settings).fit(records)
    ratio = calibrated.score_samples(records) / lira.score_samples(records)
    assert_allclose(ratio, ratio[0])
    assert ratio[0] > 0


def test_rank_counts_the_shadows_below_and_half_of_the_ties():
    target = np.array([1.0, 2.0, 3.0])
    signals = np.array([[0.0, 2.0, 5.0], [1.0, 3.0, 9.0], [7.0, 2.0, np.nan]])
    members = np.array(
        [[False, False, False], [False, True, False], [True, False, True]]
    )
    assert_array_equal(rank_among_out(target, signals, members), [0.75, 0.5, 0.0])


def test_rank_has_as_many_steps_as_out_shadows(table, forest):
    records = as_records(*table)
    attack = DifficultyCalibrationAttack(
        forest, method="rank", n_shadows=8, random_state=0
    ).fit(records)
    scores = attack.score_samples(records)
    assert_allclose(scores * 8, np.rint(scores * 8))
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert attack.score(records, np.arange(300) < 150) > 0.7
