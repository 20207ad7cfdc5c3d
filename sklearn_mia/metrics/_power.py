"""What records of a given number can show."""

import math

from scipy import special

from sklearn_mia.checks import check_count, check_fraction


def min_nonmembers_for_fpr(max_fpr, *, false_alarms=1):
    """Non-members needed before a false-positive rate permits some false alarms.

    The smallest ``n0`` with ``false_alarms / n0 <= max_fpr``. With 1 permitted false
    alarm the rate can be shown at all; with 10 the interval of
    :func:`tpr_at_fpr_interval` is stable.

    Parameters
    ----------
    max_fpr : float
        The false-positive rate, a fraction in (0, 1).

    false_alarms : int, default=1
        Permitted false alarms.

    Returns
    -------
    n_nonmembers : int
        The number of non-members.

    Examples
    --------
    >>> from sklearn_mia.metrics import min_nonmembers_for_fpr
    >>> min_nonmembers_for_fpr(0.001)
    1000
    >>> min_nonmembers_for_fpr(0.001, false_alarms=10)
    10000
    """
    max_fpr = check_fraction(max_fpr, "max_fpr")
    false_alarms = check_count(false_alarms, "false_alarms", 1)
    n_nonmembers = math.ceil(false_alarms / max_fpr)
    if n_nonmembers > false_alarms and false_alarms / (n_nonmembers - 1) <= max_fpr:
        return n_nonmembers - 1
    if false_alarms / n_nonmembers > max_fpr:
        return n_nonmembers + 1
    return n_nonmembers


def null_auc_sd(n_members, n_nonmembers):
    """Return the standard deviation of the AUC of scores without ties or a leak."""
    n1, n0 = n_members, n_nonmembers
    return math.sqrt((n1 + n0 + 1) / (12 * n1 * n0))


def detectable_effect(sd, critical, *, power=0.8):
    """Return how far above chance a statistic is found with probability `power`.

    ``(critical + z[power]) * sd``, where a test alarms from `critical` standard
    deviations `sd` above chance. Of several statistics take the largest `sd` and a
    `critical` value that is corrected for all.
    """
    return float((critical + special.ndtri(power)) * sd)


def detectable_auc(n_members, n_nonmembers, *, power=0.8, significance=0.05):
    """Smallest ROC AUC that an audit of this size would probably have found.

    ``0.5 + (z[1 - significance] + z[power]) * sqrt((n1 + n0 + 1) / (12 n1 n0))``, for a
    one-sided test of one attack whose scores do not tie. "Nothing found" means no more
    than that leaks below it are open. The best of several attacks needs a higher
    critical value; an audit says what it could have seen with that of its own.

    Parameters
    ----------
    n_members, n_nonmembers : int
        Number of records on each side.

    power : float, default=0.8
        Probability of finding a leak of that size, a fraction in (0, 1).

    significance : float, default=0.05
        Probability of an alarm without a leak, a fraction in (0, 1).

    Returns
    -------
    auc : float
        The ROC AUC, at most 1.

    Examples
    --------
    >>> from sklearn_mia.metrics import detectable_auc
    >>> round(detectable_auc(1000, 1000), 3)
    0.532
    """
    n1 = check_count(n_members, "n_members", 1)
    n0 = check_count(n_nonmembers, "n_nonmembers", 1)
    power = check_fraction(power, "power")
    significance = check_fraction(significance, "significance")
    critical = special.ndtri(1 - significance)
    effect = detectable_effect(null_auc_sd(n1, n0), critical, power=power)
    return min(1.0, 0.5 + effect)
