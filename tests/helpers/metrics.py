"""Scores and membership for the tests of the metrics."""

import numpy as np
import pytest

from sklearn_mia.metrics import (
    epsilon_lower_bound,
    membership_advantage_interval,
    membership_advantage_score,
    roc_auc_interval,
    tpr_at_fpr_interval,
    tpr_at_fpr_score,
)

SCORED = {
    "tpr_at_fpr_score": tpr_at_fpr_score,
    "membership_advantage_score": membership_advantage_score,
    "roc_auc_interval": roc_auc_interval,
    "tpr_at_fpr_interval": lambda y, s, **kw: tpr_at_fpr_interval(
        y, s, max_fpr=0.5, **kw
    ),
    "membership_advantage_interval": membership_advantage_interval,
    "epsilon_lower_bound": lambda y, s, **kw: epsilon_lower_bound(
        y, s, random_inclusion=False, **kw
    ),
}
every_scored = pytest.mark.parametrize("function", SCORED.values(), ids=SCORED)
few_alarms = pytest.mark.filterwarnings("ignore:max_fpr=.*permits:UserWarning")


def leaky(n, shift=1.0, seed=0, decimals=None):
    """n members and n non-members, members higher by `shift`."""
    is_member = np.arange(2 * n) < n
    scores = np.random.default_rng(seed).normal(size=2 * n) + shift * is_member
    return is_member, scores if decimals is None else scores.round(decimals)


def permutations(y, scores, n=20):
    rng = np.random.default_rng(0)
    for _ in range(n):
        order = rng.permutation(len(y))
        yield np.asarray(y)[order], np.asarray(scores, dtype=float)[order]


def pairwise_placements(is_member, scores):
    wins = np.sign(scores[is_member][:, None] - scores[~is_member]) / 2 + 0.5
    return wins.mean(axis=1), wins.mean(axis=0)
