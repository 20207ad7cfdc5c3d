"""Rates that thresholds attain on these records."""

import math
from dataclasses import dataclass

import numpy as np

from sklearn_mia import checks
from sklearn_mia._views import TableViewMixin
from sklearn_mia._warn import warn
from sklearn_mia.metrics._power import min_nonmembers_for_fpr


def sides_of(y_true, y_score, pos_label):
    """Return the scores, and who is a member."""
    scores = checks.check_scores(y_score, "y_score")
    is_member = checks.check_membership(y_true, pos_label)
    checks.check_same_length(is_member.size, scores.size)
    return scores, is_member


def split_scores(y_true, y_score, pos_label):
    """Return the scores of members and the scores of non-members."""
    scores, is_member = sides_of(y_true, y_score, pos_label)
    return scores[is_member], scores[~is_member]


def n_permitted(max_fpr, n_nonmembers):
    """Return the largest k with k / n_nonmembers <= max_fpr, safe from rounding.

    ``floor(0.29 * 100)`` is 28; comparing the rates themselves gives 29.
    """
    k = math.floor(max_fpr * n_nonmembers)
    if (k + 1) / n_nonmembers <= max_fpr:
        return k + 1
    return k - 1 if k / n_nonmembers > max_fpr else k


def check_permitted(max_fpr, n_nonmembers):
    """Return how many false alarms are permitted, if at least one is."""
    k = n_permitted(max_fpr, n_nonmembers)
    if k < 1:
        raise ValueError(
            f"max_fpr={max_fpr!r} permits no false alarm among {n_nonmembers!r} "
            f"non-members; expected at least {min_nonmembers_for_fpr(max_fpr)} "
            f"non-members: pass more, or max_fpr={1 / n_nonmembers:.2g} or higher."
        )
    return k


def attained_rates(members, nonmembers):
    """Return (FPR, TPR) at each distinct score, alarm at or above it; then at none."""
    thresholds = np.unique(np.concatenate([members, nonmembers, [np.inf]]))
    fpr, tpr = (
        1 - np.searchsorted(np.sort(side), thresholds, side="left") / side.size
        for side in (nonmembers, members)
    )
    return fpr, tpr


@dataclass(frozen=True)
class AttainedRate(TableViewMixin):
    """The false-positive rate that the scores permit where another was asked for.

    Attributes
    ----------
    max_fpr : float
        The rate asked for.

    fpr, tpr : float
        The rates at the lowest threshold that keeps it.

    resolvable : bool
        Whether that threshold is near enough to what was asked for. If not, `tpr` says
        nothing about the attack at `max_fpr`: it is not a measured 0.

    next_fpr, next_tpr : float
        The rates at the next threshold below, which exceeds `max_fpr`.
    """

    max_fpr: float
    fpr: float
    tpr: float
    resolvable: bool
    next_fpr: float
    next_tpr: float


def attained_rate(members, nonmembers, max_fpr):
    """Return the `AttainedRate` of two sets of scores."""
    cut = threshold_at_fpr(nonmembers, max_fpr)
    fpr, tpr = share_above(nonmembers, cut), share_above(members, cut)
    n_tied = int(np.count_nonzero(nonmembers == cut))
    if not np.any(members == cut):
        resolvable = True
    elif max_fpr > 0 and n_permitted(max_fpr, nonmembers.size) < 1:
        # No false alarm at all stands in.
        resolvable = n_tied == 1 and tpr > 0
    else:
        resolvable = fpr >= max_fpr / 2
    return AttainedRate(
        max_fpr,
        fpr,
        tpr,
        resolvable,
        fpr + n_tied / nonmembers.size,
        float(np.count_nonzero(members >= cut) / members.size),
    )


def unresolved_message(rate, what="max_fpr"):
    """Return what to say of an `AttainedRate` that is not resolvable."""
    instead = (
        f"ask for {what}={_rounded_up(rate.next_fpr)} or more, or "
        if rate.next_fpr < 1
        else ""
    )
    return (
        f"{what}={rate.max_fpr:g} cannot be resolved and the TPR at it is NaN: records "
        "with equal scores raise an alarm together. The false-positive rate attained "
        f"is {rate.fpr:.3g} (TPR {rate.tpr:.3g}), the next one {rate.next_fpr:.3g} "
        f"(TPR {rate.next_tpr:.3g}): {instead}use an attack whose scores tie less."
    )


def _rounded_up(fpr):
    """Return a fraction as text, with three digits, that permits at least `fpr`."""
    step = 10.0 ** (math.floor(math.log10(fpr)) - 2)
    return f"{math.ceil(fpr / step - 1e-9) * step:.3g}"


def share_above(scores, threshold):
    return float(np.count_nonzero(scores > threshold) / scores.size)


def threshold_at_fpr(nonmember_scores, max_fpr):
    """Return the lowest threshold that keeps the false-positive rate.

    An alarm is a score strictly above the threshold. With ``n0`` non-members and
    ``k = floor(max_fpr * n0)`` permitted false alarms it is the (k+1)-th largest score,
    so at most ``k`` non-members raise an alarm, also when scores are tied. Where no
    false alarm is permitted it is the largest score. Of new non-members it accuses
    ``(k + 1) / (n0 + 1)``, see :func:`expected_fpr`.

    Parameters
    ----------
    nonmember_scores : array-like of shape (n_nonmembers,)
        Scores of known non-members. Higher means more likely a member.

    max_fpr : float
        The highest false-positive rate, a fraction in [0, 1).

    Returns
    -------
    threshold : float
        The threshold.

    See Also
    --------
    tpr_at_fpr_score : The share of members above this threshold.
    expected_fpr : The share of new non-members above it.

    Examples
    --------
    >>> from sklearn_mia.metrics import threshold_at_fpr
    >>> threshold_at_fpr([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], max_fpr=0.2)
    8.0
    """
    scores = checks.check_scores(nonmember_scores, "nonmember_scores")
    max_fpr = checks.check_fraction(max_fpr, "max_fpr", zero=True)
    if scores.size == 0:
        raise ValueError(
            "nonmember_scores has 0 scores; expected at least one: pass the scores of "
            "records known to be non-members."
        )
    rank = scores.size - 1 - n_permitted(max_fpr, scores.size)
    return float(np.partition(scores, rank)[rank])


def tpr_at_fpr_score(y_true, y_score, *, max_fpr=0.01, pos_label=None):
    """Share of members found while few non-members are accused.

    The largest TPR of all thresholds that can be set on these records with
    ``FPR <= max_fpr``. Attained, never interpolated: records with equal scores are
    all above or all below a threshold. A perfect attack has 1.0 at every `max_fpr`.

    Parameters
    ----------
    y_true, y_score : array-like of shape (n_records,)
        Membership (``True`` or 1 for members) and finite scores. Higher means more
        likely a member.

    max_fpr : float, default=0.01
        The highest false-positive rate, a fraction in [0, 1). Below
        ``1 / n_nonmembers`` no false alarm at all is permitted.

    pos_label : int, float, bool or str, default=None
        The label of members, if it is not ``True`` or 1.

    Returns
    -------
    tpr : float
        The true-positive rate, a fraction in [0, 1].

    See Also
    --------
    tpr_at_fpr_interval : The same with a confidence interval.
    resolve_rate : Whether ties let this rate be looked at.
    tpr_at_fpr_scorer : The same as a scorer for cross-validation and grid search.

    References
    ----------
    .. [1] N. Carlini, S. Chien, M. Nasr, S. Song, A. Terzis and F. Tramer (2022).
       Membership Inference Attacks From First Principles. IEEE S&P.

    Examples
    --------
    >>> from sklearn_mia.metrics import tpr_at_fpr_score
    >>> tpr_at_fpr_score([1, 1, 1, 1, 0, 0], [9, 8, 5, 3, 5, 4], max_fpr=0.01)
    0.5
    """
    members, nonmembers = split_scores(y_true, y_score, pos_label)
    return share_above(members, threshold_at_fpr(nonmembers, max_fpr))


def resolved_tpr_at_fpr_score(y_true, y_score, *, max_fpr=0.01, pos_label=None):
    """Return the TPR at a rate, NaN with a warning where ties forbid to look at it."""
    rate = resolve_rate(y_true, y_score, max_fpr=max_fpr, pos_label=pos_label)
    if not rate.resolvable:
        warn(unresolved_message(rate))
    return rate.tpr if rate.resolvable else math.nan


def resolve_rate(y_true, y_score, *, max_fpr=0.01, pos_label=None):
    """Tell whether ties let a false-positive rate be looked at, and which one instead.

    Records with equal scores are all above or all below a threshold. Where many
    non-members share a high score, the lowest threshold that keeps `max_fpr` may stop
    far above them, and the TPR there (often 0) says nothing about the attack at
    `max_fpr`. The rate is resolvable if the attained FPR is at least half of the one
    asked for (else the tied block that stops it holds more than ``max_fpr / 2`` of the
    non-members), or if no member is in that block: then nothing is hidden, as with a
    perfect attack. Where so few non-members permit no false alarm at all, that alone is
    looked at: it is resolvable unless members tie with several non-members that share
    the highest score, or with the one that has it while none is above.

    Parameters
    ----------
    y_true, y_score : array-like of shape (n_records,)
        Membership (``True`` or 1 for members) and finite scores. Higher means more
        likely a member.

    max_fpr : float, default=0.01
        The highest false-positive rate, a fraction in [0, 1).

    pos_label : int, float, bool or str, default=None
        The label of members, if it is not ``True`` or 1.

    Returns
    -------
    rate : AttainedRate
        The attained pair of rates, whether it will do, and the next pair.

    See Also
    --------
    tpr_at_fpr_score : The TPR of the attained pair, resolvable or not.
    tpr_at_fpr_scorer : NaN with a warning where the rate is not resolvable.

    Examples
    --------
    A model that is right about all members and 20 % of the non-members:

    >>> import numpy as np
    >>> from sklearn_mia.metrics import resolve_rate
    >>> is_member = np.arange(200) < 100
    >>> score = np.arange(200) < 120
    >>> rate = resolve_rate(is_member, score, max_fpr=0.01)
    >>> rate.tpr, rate.resolvable, rate.next_fpr, rate.next_tpr
    (0.0, False, 0.2, 1.0)
    """
    max_fpr = checks.check_fraction(max_fpr, "max_fpr", zero=True)
    return attained_rate(*split_scores(y_true, y_score, pos_label), max_fpr)


def expected_fpr(n_false_alarms, n_nonmembers):
    """False-positive rate among new people of a threshold set on known non-members.

    ``(k + 1) / (n0 + 1)`` with `k` false alarms among `n0` non-members. The threshold
    of :func:`threshold_at_fpr` is the (k+1)-th largest of their scores; a new
    non-member is as likely to take any of the ``n0 + 1`` ranks, and is accused in
    ``k + 1`` of them (in fewer where scores tie). Without a leak members are new
    people: that share of them is recognised by guessing, not ``k / n0``.

    Parameters
    ----------
    n_false_alarms : int
        Non-members above the threshold, `k`.

    n_nonmembers : int
        Non-members that the threshold was set on, `n0`.

    Returns
    -------
    fpr : float
        A fraction in (0, 1].

    See Also
    --------
    threshold_at_fpr : The threshold.

    Examples
    --------
    >>> from sklearn_mia.metrics import expected_fpr
    >>> round(expected_fpr(1, 100), 4), round(expected_fpr(10, 1000), 4)
    (0.0198, 0.011)
    """
    n_nonmembers = checks.check_count(n_nonmembers, "n_nonmembers", 1)
    n_false_alarms = checks.check_count(n_false_alarms, "n_false_alarms", 0)
    if n_false_alarms > n_nonmembers:
        raise ValueError(
            f"n_false_alarms={n_false_alarms!r} is more than "
            f"n_nonmembers={n_nonmembers!r}; expected the false alarms among the "
            "non-members: pass the counts in this order."
        )
    return (n_false_alarms + 1) / (n_nonmembers + 1)


def membership_advantage_score(y_true, y_score, *, pos_label=None):
    """Largest TPR - FPR over all thresholds that can be set on these records.

    Between 0 (no threshold separates the sides) and 1; it does not depend on how many
    members there are for each non-member. Being a maximum over thresholds it is above 0
    without any leak and above the truth with one, the more the fewer records there are.
    Its mean over draws, for scores of two unit normals:

    ======  ======  ======  ======  =======
    truth   n = 40     100     500    2,000
    ======  ======  ======  ======  =======
    0         .128    .084    .039     .020
    .08       .190    .146    .106     .092
    .30       .384    .345    .317     .309
    ======  ======  ======  ======  =======

    (`n` members and `n` non-members.) So compare values of equal sizes only, and judge
    one by :func:`membership_advantage_interval`.

    Parameters
    ----------
    y_true, y_score : array-like of shape (n_records,)
        Membership (``True`` or 1 for members) and finite scores. Higher means more
        likely a member.

    pos_label : int, float, bool or str, default=None
        The label of members, if it is not ``True`` or 1.

    Returns
    -------
    advantage : float
        A fraction in [0, 1].

    See Also
    --------
    membership_advantage_interval : The same with a confidence interval.

    References
    ----------
    .. [1] S. Yeom, I. Giacomelli, M. Fredrikson and S. Jha (2018). Privacy Risk in
       Machine Learning: Analyzing the Connection to Overfitting. IEEE CSF.

    Examples
    --------
    >>> from sklearn_mia.metrics import membership_advantage_score
    >>> membership_advantage_score([1, 1, 1, 1, 0, 0], [9, 8, 5, 3, 5, 4])
    0.5
    """
    fpr, tpr = attained_rates(*split_scores(y_true, y_score, pos_label))
    return float(np.max(tpr - fpr))


def positive_predictive_value(tpr, fpr, prior):
    """Probability that a record accused of membership is a member.

    ``prior * tpr / (prior * tpr + (1 - prior) * fpr)``. A balanced test set hides the
    prior: a rate that looks strong there may mean little where members are rare.

    Parameters
    ----------
    tpr, fpr : float
        True- and false-positive rate of the attack, fractions in [0, 1].

    prior : float
        Share of members among the records that would be attacked, in (0, 1).

    Returns
    -------
    ppv : float
        A fraction in [0, 1].

    Examples
    --------
    >>> from sklearn_mia.metrics import positive_predictive_value
    >>> round(positive_predictive_value(0.2, 0.01, prior=0.5), 3)
    0.952
    >>> round(positive_predictive_value(0.2, 0.01, prior=0.001), 3)
    0.02
    """
    tpr, fpr = (
        checks.check_probability(tpr, "tpr"),
        checks.check_probability(fpr, "fpr"),
    )
    prior = checks.check_fraction(prior, "prior")
    if tpr == fpr == 0:
        raise ValueError(
            "tpr=0 and fpr=0: no record is accused, so the share of members among the "
            "accused does not exist; pass the rates of a lower threshold."
        )
    return prior * tpr / (prior * tpr + (1 - prior) * fpr)
