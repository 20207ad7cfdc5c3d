import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_mia.auditing._multiplicity import (
    AucStatistic,
    MembershipPermuter,
    TprStatistic,
    max_statistic_test,
)


def test_a_membership_of_one_kind_only_is_at_chance():
    used = np.arange(50) < 20
    members = np.array([used, ~used])
    scores = np.random.default_rng(0).normal(size=50)
    assert_array_equal(AucStatistic(scores, used)(members), 0.5)
    assert_array_equal(TprStatistic(scores, 0.1, used)(members), 0.1)


def test_rounding_of_the_product_does_not_lose_a_false_alarm():
    assert int(0.29 * 100) == 28
    is_member = np.arange(200) % 2 == 0
    # Members and others take turns from the top, the others first.
    scores = -np.arange(200.0) + 3.0 * is_member
    assert TprStatistic(scores, 0.29)(is_member[None])[0] == 0.31


@pytest.mark.parametrize("n_members", [30, 200, 370])
def test_a_perfect_attack_finds_all_members_however_many_stand_at_the_top(n_members):
    is_member = np.arange(400) < n_members
    assert_array_equal(TprStatistic(is_member * 1.0, 0.1)(is_member[None]), 1)


def test_within_a_unit_on_both_sides_membership_is_drawn():
    units = np.repeat(np.arange(10), 4)
    is_member = units % 2 == 0
    # Three of four records of the first unit, one of the second.
    is_member[[3, 4]] = [False, True]
    drawn = MembershipPermuter(is_member, units).draw(400, np.random.default_rng(0))
    of_unit = drawn.reshape(400, 10, 4)
    assert_array_equal(of_unit[:, 0].sum(axis=1), 3)
    assert_array_equal(of_unit[:, 1].sum(axis=1), 1)
    # Each record as often as the others: 4 standard errors of 400 draws.
    error = 4 * np.sqrt(0.75 * 0.25 / 400)
    assert_allclose(of_unit[:, 0].mean(axis=0), 0.75, atol=error)
    assert_allclose(of_unit[:, 1].mean(axis=0), 0.25, atol=error)
    whole = of_unit[:, 2:]
    assert_array_equal(whole.all(axis=2), whole.any(axis=2))
    assert_array_equal(whole.any(axis=2).sum(axis=1), 4)


@pytest.mark.parametrize("n_permutations", [99, 300])
def test_the_test_of_the_largest_statistic_by_hand(n_permutations):
    rng = np.random.default_rng(0)
    is_member = np.arange(300) % 3 == 0
    scores = rng.normal(size=300) + 0.25 * is_member
    statistics = [
        AucStatistic(scores),
        TprStatistic(scores, 0.05),
        AucStatistic(np.zeros(300)),
        AucStatistic(rng.normal(size=300)),
    ]
    permuter = MembershipPermuter(is_member, np.arange(300))
    result = max_statistic_test(
        statistics,
        is_member,
        permuter,
        n_permutations=n_permutations,
        confidence=0.8,
        seed=7,
    )
    drawn = permuter.draw(n_permutations, np.random.default_rng(7))
    members = np.vstack([is_member, drawn])
    values = np.array([statistic(members) for statistic in statistics])
    sd = values.std(axis=1)
    varies = np.array([True, True, False, True])
    z = (values[varies] - values[varies].mean(axis=1, keepdims=True)) / sd[varies, None]
    largest = z.max(axis=0)
    adjusted = np.ones(4)
    adjusted[varies] = [np.mean(largest >= own - 1e-9) for own in z[:, 0]]
    assert_allclose(result.sd, sd, atol=1e-15)
    assert_allclose(result.studentised[varies], z[:, 0])
    assert result.studentised[2] == 0
    assert_allclose(result.adjusted, adjusted)
    assert result.p_value == adjusted.min() < 0.5
    assert result.critical == pytest.approx(np.quantile(largest[1:], 0.8))
    assert result.n_permutations == n_permutations
