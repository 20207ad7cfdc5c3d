import numpy as np
import pytest
from scipy import stats

from sklearn_mia.metrics import epsilon_lower_bound


@pytest.mark.parametrize("members_first", [True, False])
def test_ties_are_broken_without_favour(members_first):
    is_member = np.arange(2000) < 1000
    if not members_first:
        is_member = ~is_member
    bounds = [
        epsilon_lower_bound(is_member, np.zeros(2000), random_state=seed).epsilon
        for seed in range(40)
    ]
    assert np.mean(np.array(bounds) > 0) <= 0.1


@pytest.mark.parametrize("probability", [0.2, 0.7])
def test_delta_counts_by_the_rarer_side_of_the_coin(probability):
    rng = np.random.default_rng(0)
    is_member = rng.random(400) < probability
    scores = 2 * is_member + rng.normal(size=400)
    bound = epsilon_lower_bound(
        is_member, scores, delta=1e-5, inclusion_probability=probability
    ).epsilon
    order = is_member[np.argsort(-scores)]

    def p_value(v, r, prior):
        odds = np.exp(bound) * prior / (1 - prior)
        tail = stats.binom.sf(np.arange(v, -1, -1) - 1, r, odds / (1 + odds))
        a = np.max((tail[1:] - tail[0]) / np.arange(1, v + 1))
        return tail[0] + 400 * 1e-5 * a / min(probability, 1 - probability)

    p_values = []
    for r in (1, 2, 4, 8, 20, 40, 100, 200):
        p_values.append(p_value(order[:r].sum(), r, probability))
        p_values.append(p_value((~order[-r:]).sum(), r, 1 - probability))
    assert bound > 0
    assert min(p_values) == pytest.approx(0.05 / 16, rel=1e-6)


def test_delta_is_taken_off_the_rate_found_where_inclusion_was_not_random():
    is_member = np.arange(2000) < 1000
    scores = np.random.default_rng(0).normal(size=2000) + 2 * is_member
    members, nonmembers = scores[is_member], scores[~is_member]
    best = 0
    for k in (2, 5, 10, 20, 50, 100, 250, 500):
        for accused, spared in ((members, nonmembers), (-nonmembers, -members)):
            fpr_high = stats.beta.ppf(1 - 0.05 / 32, k, 1001 - k)
            found = (accused > np.sort(spared)[-k]).sum()
            tpr_low = stats.beta.ppf(0.05 / 32, found, 1001 - found)
            best = max(best, np.log(max(tpr_low - 0.1, 1e-9) / fpr_high))
    bound = epsilon_lower_bound(is_member, scores, delta=0.1, random_inclusion=False)
    assert bound.epsilon == pytest.approx(best)
    assert bound.epsilon > 1
