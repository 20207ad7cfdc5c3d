"""The share of a table that was used for training.

The slow test wants at least .93 of 1,000 intervals to hold the share; an exactly
correct 95 % interval falls below that in one of 400 cells.
"""

import math

import numpy as np
import pytest
from helpers.laws import Levels, Persons, Shifted, exposed
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.isotonic import IsotonicRegression

from sklearn_mia.metrics import dataset_usage, rate_interval
from sklearn_mia.metrics._usage import fieller_ends, share_by_score

LAWS = {
    "a third of an sd": Shifted(0.3),
    "one sd": Shifted(1),
    "two and a half sds": Shifted(2.5),
    "perfect": Shifted(1000),
    "a twentieth exposed": exposed(0.05),
    "right or wrong": Levels([1, 19], [3, 7]),
    "no leak": Shifted(0),
    "persons": Persons(0.5, 0),
    "persons of alike records": Persons(0.5, 0.5),
}


def known(law, rng, n1, n0):
    return np.arange(n1 + n0) < n1, law.draw(rng, n1, n0)


def table(law, rng, usage, n):
    """Scores of a table, and the share of it that was used."""
    n_used = round(usage * n)
    scores = law.draw(rng, n_used + 1, n - n_used + 1)
    return np.delete(scores, [n_used, n + 1]), n_used / n


def covered(law, usage, n1, n0, n, n_draws):
    rng, hits = np.random.default_rng(0), 0
    for seed in range(n_draws):
        is_member, scores = known(law, rng, n1, n0)
        others, share = table(law, rng, usage, n)
        interval = dataset_usage(is_member, scores, others, random_state=seed)
        hits += interval.low - 1e-9 <= share <= interval.high + 1e-9
    return hits / n_draws


def test_a_perfect_attack_counts_the_used_records():
    rng = np.random.default_rng(0)
    is_member, scores = known(LAWS["perfect"], rng, 500, 500)
    for usage in (0, 0.3, 1):
        others, share = table(LAWS["perfect"], rng, usage, 200)
        interval = dataset_usage(is_member, scores, others)
        assert interval.estimate == pytest.approx(share, abs=1e-3)
        assert interval.high - interval.low < 0.03


def test_the_share_of_members_by_score_is_an_isotonic_regression():
    rng = np.random.default_rng(0)
    members, nonmembers = rng.integers(9, size=60) + 1.0, rng.integers(9, size=40) * 1.0
    values, shares = share_by_score(members, nonmembers)
    scores = np.concatenate([members, nonmembers])
    regression = IsotonicRegression().fit(
        scores,
        np.repeat([1, 0], [60, 40]),
        sample_weight=np.repeat([1 / 60, 1 / 40], [60, 40]),
    )
    assert_array_equal(values, np.unique(scores))
    assert_allclose(shares, regression.predict(values))


def test_the_ends_are_where_the_mixture_is_just_compatible():
    members, nonmembers, others = (0.8, 0.1, 50), (0.3, 0.05, 80), (0.4, 30)
    low, high = fieller_ends(others, members, nonmembers, 2)
    assert low < 0.2 < high
    for u in (low, high):
        gap = 0.4 - u * 0.8 - (1 - u) * 0.3
        variance = (u * 0.1 + (1 - u) * 0.05) / 30
        variance += u**2 * 0.1 / 50 + (1 - u) ** 2 * 0.05 / 80
        assert gap**2 == pytest.approx(4 * variance)


def test_known_records_that_cannot_be_told_apart_leave_every_share_open():
    rng = np.random.default_rng(0)
    is_member, scores = known(LAWS["no leak"], rng, 100, 100)
    for chosen in (scores, np.zeros(200), -5.0 * is_member):
        interval = dataset_usage(is_member, chosen, scores)
        assert (interval.low, interval.high) == (0, 1)
        assert math.isnan(interval.estimate)
        assert interval.note == "known members and non-members cannot be told apart"


def test_a_table_unlike_the_known_records_leaves_every_share_open():
    rng = np.random.default_rng(0)
    is_member, scores = known(Shifted(2), rng, 300, 300)
    for others in (rng.normal(size=100) - 3, rng.normal(size=100) + 5):
        interval = dataset_usage(is_member, scores, others)
        assert (interval.low, interval.high) == (0, 1)
        assert math.isnan(interval.estimate)
        assert interval.note == (
            "the table scores below known non-members or above known members"
        )


def test_the_order_of_the_records_does_not_matter():
    rng = np.random.default_rng(0)
    is_member, scores = known(LAWS["one sd"], rng, 100, 150)
    others, _ = table(LAWS["one sd"], rng, 0.4, 80)
    order = rng.permutation(250)
    assert dataset_usage(is_member, scores, others) == dataset_usage(
        is_member[order], scores[order], others[::-1]
    )
    # Any scale of scores gives the same share: only their order is used, but for what
    # lies between two known scores.
    assert dataset_usage(is_member, 3 * scores, 3 * others).estimate == pytest.approx(
        dataset_usage(is_member, scores, others).estimate
    )


def test_it_is_hardly_wider_than_at_a_threshold_whose_rates_are_known():
    rng, law = np.random.default_rng(0), LAWS["one sd"]
    is_member, scores = known(law, rng, 5000, 5000)
    others, share = table(law, rng, 0.5, 1000)
    interval = dataset_usage(is_member, scores, others)
    assert interval.low < share < interval.high
    # TPR - FPR above the midpoint is .383.
    alarms = rate_interval(int(np.sum(others > 0.5)), 1000)
    assert interval.high - interval.low < (alarms.high - alarms.low) / 0.383 * 1.1


@pytest.mark.parametrize(
    ("n1", "n0", "n", "message"),
    [
        (9, 20, 20, "y_true has 9 members and 20 non-members"),
        (20, 9, 20, "y_true has 20 members and 9 non-members"),
        (20, 20, 9, "table_scores 9 records; expected at least 10 of each"),
    ],
)
def test_too_few_records_are_refused(n1, n0, n, message):
    with pytest.raises(ValueError, match=message):
        dataset_usage(np.arange(n1 + n0) < n1, np.zeros(n1 + n0), np.zeros(n))


@pytest.mark.parametrize(
    ("name", "usage"),
    [
        *((name, 0.3) for name in LAWS),
        *((name, usage) for name in ("one sd", "right or wrong") for usage in (0, 1)),
        ("perfect", 0),
        ("a twentieth exposed", 1),
        ("persons", 0),
        ("persons of alike records", 1),
    ],
)
def test_the_interval_holds_the_share(name, usage):
    assert covered(LAWS[name], usage, 60, 60, 60, 100) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_the_interval_holds_the_share_at_all_sizes(law):
    for n1, n0, n in ((20, 20, 20), (20, 200, 100), (200, 200, 50), (500, 500, 1000)):
        for usage in (0, 0.05, 0.5, 0.9, 1):
            held = covered(law, usage, n1, n0, n, 1000)
            assert held >= 0.93, (n1, n0, n, usage, held)
