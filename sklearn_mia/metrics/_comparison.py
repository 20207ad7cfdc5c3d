"""The difference between two attacks on the same records."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special

from sklearn_mia import checks
from sklearn_mia._views import TableViewMixin
from sklearn_mia.metrics._auc import delong_variance, placements
from sklearn_mia.metrics._intervals import Interval
from sklearn_mia.metrics._rates import check_permitted, share_above, threshold_at_fpr


@dataclass(frozen=True)
class Comparison(TableViewMixin):
    """The difference between two attacks on the same records.

    Attributes
    ----------
    metric : str
        What was compared.

    score_a, score_b : float
        The value of each attack.

    difference : Interval
        `score_a` minus `score_b`, with its interval.

    p_value : float
        Two-sided, of the hypothesis that both attacks are equally strong.
    """

    metric: str
    score_a: float
    score_b: float
    difference: Interval
    p_value: float


def _compare_auc(a, b, tail):
    """Return the paired DeLong difference of two (members, nonmembers) score pairs."""
    placed_a, placed_b = placements(*a), placements(*b)
    auc_a, auc_b = float(placed_a[0].mean()), float(placed_b[0].mean())
    difference = auc_a - auc_b
    fewest = min(placed_a[0].size, placed_a[1].size)
    if fewest < 2:
        raise ValueError(
            f"metric='roc_auc' got {placed_a[0].size!r} members and "
            f"{placed_a[1].size!r} non-members; expected at least 2 of each to compare "
            "attacks: pass more records."
        )
    variance = delong_variance(placed_a[0] - placed_b[0], placed_a[1] - placed_b[1])
    # Equal rankings leave rounding errors, not variance.
    if variance > 1e-24:
        sd = math.sqrt(variance)
        half = special.ndtri(1 - tail) * sd
        p_value = 2 * special.ndtr(-abs(difference) / sd)
        method = "paired DeLong"
    else:
        half = 1 - tail ** (1 / fewest)
        p_value = min(1.0, 2 * (1 - abs(difference)) ** fewest)
        method = "exact for no contrary event"
    return auc_a, auc_b, (difference - half, difference + half), float(p_value), method


def _resampled_thresholds(a, b, k, n_resamples, generator):
    """Return (n_resamples, 2): the (k+1)-th largest of the same redrawn non-members.

    Only records that are near the top in one of the attacks can become a threshold, so
    only those are redrawn one by one.
    """
    n0 = a.size
    reach = min(n0, math.ceil(k + 1 + 8 * math.sqrt(k + 1) + 10))
    ranks = [np.empty(n0, dtype=int) for _ in range(2)]
    for rank, scores in zip(ranks, (a, b), strict=True):
        rank[np.argsort(-scores, kind="stable")] = np.arange(n0)
    near = np.flatnonzero((ranks[0] < reach) | (ranks[1] < reach))
    orders = [near[np.argsort(rank[near])][:reach] for rank in ranks]
    positions = [np.searchsorted(near, order) for order in orders]
    thresholds = np.empty((n_resamples, 2))
    for row in thresholds:
        n_near = generator.binomial(n0, near.size / n0)
        drawn = np.bincount(
            generator.integers(near.size, size=n_near), minlength=near.size
        )
        for column, (scores, position) in enumerate(
            zip((a, b), positions, strict=True)
        ):
            cut = np.searchsorted(np.cumsum(drawn[position]), k + 1)
            row[column] = scores[near[position[min(cut, reach - 1)]]]
    return thresholds


def _compare_tpr(a, b, max_fpr, tail, n_resamples, generator):
    """Return the paired bootstrap difference, united with one at fixed thresholds."""
    n1, n0 = a[0].size, a[1].size
    k = check_permitted(max_fpr, n0)

    def discordant(threshold_a, threshold_b):
        found_a, found_b = a[0] > threshold_a, b[0] > threshold_b
        return np.count_nonzero(found_a & ~found_b), np.count_nonzero(
            found_b & ~found_a
        )

    cuts = [threshold_at_fpr(side[1], max_fpr) for side in (a, b)]
    rates = [share_above(side[0], cut) for side, cut in zip((a, b), cuts, strict=True)]
    resampled = np.empty(n_resamples)
    for i, pair in enumerate(
        _resampled_thresholds(a[1], b[1], k, n_resamples, generator)
    ):
        only_a, only_b = discordant(*pair)
        shares = [only_a / n1, only_b / n1, 1 - (only_a + only_b) / n1]
        drawn = generator.multinomial(n1, shares)
        resampled[i] = (drawn[0] - drawn[1]) / n1
    low, high = np.quantile(resampled, [tail, 1 - tail])
    # Bonett and Price: one more discordant record on each side.
    p, q = ((count + 1) / (n1 + 2) for count in discordant(*cuts))
    sd = math.sqrt((p + q - (p - q) ** 2) / (n1 + 2))
    half = special.ndtri(1 - tail) * sd
    fewer = min(np.count_nonzero(resampled <= 0), np.count_nonzero(resampled >= 0))
    p_value = max(
        2 * (fewer + 1) / (n_resamples + 1), 2 * special.ndtr(-abs(p - q) / sd)
    )
    ends = min(low, p - q - half), max(high, p - q + half)
    return *rates, ends, min(1.0, float(p_value)), "paired bootstrap and Bonett-Price"


def compare_attacks(
    y_true,
    y_score_a,
    y_score_b,
    *,
    metric="roc_auc",
    max_fpr=0.01,
    confidence=0.95,
    n_resamples=2000,
    random_state=0,
    pos_label=None,
):
    """Difference between two attacks on the same records.

    Scores of two attacks on the same records go together, so two separate intervals
    that overlap say nothing. For ``"roc_auc"`` this is the paired DeLong test. For
    ``"tpr_at_fpr"`` members and non-members are drawn again, the same for both attacks,
    and both thresholds chosen again; that interval is united with the one of Bonett and
    Price at the observed thresholds, and the larger p-value is reported.

    Parameters
    ----------
    y_true : array-like of shape (n_records,)
        Membership: ``True`` or 1 for members, or any two labels with `pos_label`.

    y_score_a, y_score_b : array-like of shape (n_records,)
        Scores of the two attacks, each on its own scale. Higher means more likely a
        member.

    metric : {"roc_auc", "tpr_at_fpr"}, default="roc_auc"
        What is compared.

    max_fpr : float, default=0.01
        The highest false-positive rate, a fraction in (0, 1). Only for
        ``metric="tpr_at_fpr"``.

    confidence : float, default=0.95
        Confidence level, a fraction in (0, 1).

    n_resamples : int, default=2000
        Resamples for ``metric="tpr_at_fpr"``.

    random_state : int, Generator, RandomState or None, default=0
        Seed of the resamples. A generator given here is not advanced.

    pos_label : int, float, bool or str, default=None
        The label of members, if it is not ``True`` or 1.

    Returns
    -------
    comparison : Comparison
        Both values, their difference with its interval, and a two-sided p-value.

    References
    ----------
    .. [1] E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson (1988). Comparing the
       Areas under Two or More Correlated ROC Curves. Biometrics 44.
    .. [2] D. G. Bonett and R. M. Price (2012). Adjusted Wald Confidence Interval for a
       Difference of Binomial Proportions Based on Paired Data. Journal of Educational
       and Behavioral Statistics 37.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia.metrics import compare_attacks
    >>> is_member = np.arange(2000) < 1000
    >>> noise = np.random.default_rng(0).normal(size=(2, 2000))
    >>> result = compare_attacks(is_member, noise[0] + is_member, noise[1])
    >>> print(result.difference)
    0.277 [0.244, 0.31]
    """
    if metric not in ("roc_auc", "tpr_at_fpr"):
        raise ValueError(
            f"metric={metric!r} is not known; expected 'roc_auc' or 'tpr_at_fpr'."
        )
    confidence = checks.check_fraction(confidence, "confidence")
    max_fpr = checks.check_fraction(max_fpr, "max_fpr")
    n_resamples = checks.check_count(n_resamples, "n_resamples", 100)
    generator = checks.generator_of(random_state, "compare_attacks")
    is_member = checks.check_membership(y_true, pos_label)
    sides = []
    for name, scores in (("y_score_a", y_score_a), ("y_score_b", y_score_b)):
        scores = checks.check_scores(scores, name)
        checks.check_same_length(is_member.size, scores.size, name)
        sides.append((scores[is_member], scores[~is_member]))
    tail = (1 - confidence) / 2
    if metric == "roc_auc":
        score_a, score_b, ends, p_value, method = _compare_auc(*sides, tail)
    else:
        score_a, score_b, ends, p_value, method = _compare_tpr(
            *sides, max_fpr, tail, n_resamples, generator
        )
    difference = Interval(
        score_a - score_b,
        max(-1.0, float(ends[0])),
        min(1.0, float(ends[1])),
        confidence,
        method,
    )
    return Comparison(metric, score_a, score_b, difference, p_value)
