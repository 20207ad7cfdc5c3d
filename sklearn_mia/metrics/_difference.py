"""The difference between two audits that may have records in common."""

import math

import numpy as np

from sklearn_mia.metrics._auc import placements
from sklearn_mia.metrics._intervals import Interval
from sklearn_mia.metrics._rates import check_permitted, share_above, threshold_at_fpr

# With fewer false alarms the thresholds are too uncertain to count on how they go
# together: with 1 or 2, .012 of equal pairs left an interval that .001 should leave.
FEWEST_ALARMS = 10

PAIRED, UNPAIRED = "Newcombe, paired", "Newcombe, unpaired"


def auc_influence(is_member, scores):
    """What each record adds to the AUC, beside its mean, in units of the AUC.

    ``(V - AUC) / sqrt(n * (n - 1))`` with `V` the placement of the record and `n` the
    size of its side, so that the sum of squares is the variance of DeLong.

    Parameters
    ----------
    is_member : ndarray of shape (n_records,), dtype bool

    scores : ndarray of shape (n_records,)

    Returns
    -------
    influence : ndarray of shape (n_records,)
    """
    influence = np.zeros(len(scores))
    placed = placements(scores[is_member], scores[~is_member])
    for side, values in zip((is_member, ~is_member), placed, strict=True):
        n = values.size
        influence[side] = (values - values.mean()) / math.sqrt(n * max(n - 1, 1))
    return influence


def tpr_influence(is_member, scores, max_fpr):
    """What each record adds to the TPR at a false-positive rate, beside its mean.

    With `t` the threshold, ``(1[s > t] - TPR) / n1`` of a member, and ``-slope * (1[s >
    t] - FPR) / n0`` of a non-member, which moves the threshold; the slope of the ROC
    curve is taken over the square root of the `k` permitted false alarms on either side
    of `k`, which is how far the true threshold may well be in rank.

    Parameters
    ----------
    is_member : ndarray of shape (n_records,), dtype bool

    scores : ndarray of shape (n_records,)

    max_fpr : float
        Permits at least one false alarm.

    Returns
    -------
    influence : ndarray of shape (n_records,)
    """
    members, nonmembers = scores[is_member], scores[~is_member]
    n0 = nonmembers.size
    k = check_permitted(max_fpr, n0)
    step = max(1, round(math.sqrt(k)))
    beside = [max(k - step, 0) / n0, min(k + step, n0 - 1) / n0]
    low, high = (share_above(members, threshold_at_fpr(nonmembers, f)) for f in beside)
    slope = (high - low) / (beside[1] - beside[0])
    found = (scores > threshold_at_fpr(nonmembers, max_fpr)).astype(float)
    influence = np.empty(len(scores))
    influence[is_member] = (found[is_member] - found[is_member].mean()) / members.size
    influence[~is_member] = (found[~is_member].mean() - found[~is_member]) * slope / n0
    return influence


def shared_correlation(new, old, rows_new, rows_old):
    """Correlation of two estimates that have some of their records in common.

    ``sum(a * b) / sqrt(sum(a**2) * sum(b**2))``, the product over the common records
    alone. A record may be a member in one audit and none in the other.

    Parameters
    ----------
    new, old : ndarray
        The influences of all records of each audit.

    rows_new, rows_old : ndarray of shape (n_common,), dtype int
        Where the common records stand in each.

    Returns
    -------
    correlation : float
        0 for an estimate that no record moves.
    """
    total = float(new @ new) * float(old @ old)
    if total == 0:
        return 0.0
    found = float(new[rows_new] @ old[rows_old]) / math.sqrt(total)
    return min(1.0, max(-1.0, found))


def auc_correlation(new, old, rows_new, rows_old):
    """Correlation of two AUCs; see :func:`shared_correlation`.

    Parameters
    ----------
    new, old : pair of ndarray
        Membership and scores of each audit.

    rows_new, rows_old : ndarray of shape (n_common,), dtype int

    Returns
    -------
    correlation : float
    """
    return shared_correlation(
        auc_influence(*new), auc_influence(*old), rows_new, rows_old
    )


def tpr_correlation(new, old, rows_new, rows_old, max_fpr):
    """Correlation of two TPRs at a rate, 0 or less where it permits few false alarms.

    Parameters
    ----------
    new, old : pair of ndarray
        Membership and scores of each audit.

    rows_new, rows_old : ndarray of shape (n_common,), dtype int

    max_fpr : float

    Returns
    -------
    correlation : float
    """
    influences = (tpr_influence(*audit, max_fpr) for audit in (new, old))
    found = shared_correlation(*influences, rows_new, rows_old)
    n_nonmembers = min(np.count_nonzero(~is_member) for is_member, _ in (new, old))
    enough = check_permitted(max_fpr, n_nonmembers) >= FEWEST_ALARMS
    return found if enough else min(found, 0.0)


def difference_interval(new, old, *, correlation=0.0, n_fewest=None):
    """Interval of the difference of two estimates from their own intervals.

    With arms ``x = new - new.low`` and ``y = old.high - old`` the lower end is ``new -
    old - sqrt(x**2 + y**2 - 2 * r * x * y)``, the upper end likewise: Newcombe's method
    of square-and-add, and with the correlation `r` his method for pairs. For AUCs on
    the same records the arms are then those of the paired DeLong test. Where the pairs
    leave next to no variance, the ends are as far as `n_fewest` records without one
    contrary event allow.

    Parameters
    ----------
    new, old : Interval
        With one confidence.

    correlation : float, default=0.0
        Of both estimates; 0 if they have no record in common.

    n_fewest : int or None, default=None
        Size of the smallest side; needed with a correlation above 0.

    Returns
    -------
    difference : Interval
        `new` less `old`, within -1 and 1.

    References
    ----------
    .. [1] R. G. Newcombe (1998). Interval Estimation for the Difference between
       Independent Proportions. Statistics in Medicine 17.
    .. [2] R. G. Newcombe (1998). Improved Confidence Intervals for the Difference
       between Binomial Proportions Based on Paired Data. Statistics in Medicine 17.
    .. [3] G. Y. Zou (2007). Toward Using Confidence Intervals to Compare Correlations.
       Psychological Methods 12.
    """
    floor = 0.0
    if correlation > 0:
        floor = 1 - ((1 - new.confidence) / 2) ** (1 / n_fewest)

    def arm(x, y):
        return max(math.sqrt(max(0.0, x**2 + y**2 - 2 * correlation * x * y)), floor)

    found = new.estimate - old.estimate
    low = found - arm(new.estimate - new.low, old.high - old.estimate)
    high = found + arm(new.high - new.estimate, old.estimate - old.low)
    return Interval(
        found,
        max(-1.0, low),
        min(1.0, high),
        new.confidence,
        PAIRED if correlation else UNPAIRED,
    )
