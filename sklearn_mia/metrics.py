"""How well an attack separates members from non-members, and how sure that is.

A membership attack is a binary classifier over records, so everything here takes
``y_true`` (membership: ``True`` or 1 is a member) and ``y_score`` (**higher = more
likely a member**), as the ranking metrics of :mod:`sklearn.metrics` do.

Rates are fractions, never percent. Tied scores stay together: a threshold that cannot
be set is never reported, so no value depends on the order of the records.
"""

import copy
import math
import warnings
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from scipy import special, stats
from sklearn.metrics._scorer import _Scorer
from sklearn.utils.validation import column_or_1d

__all__ = [
    "Comparison",
    "EpsilonBound",
    "Interval",
    "compare_attacks",
    "detectable_auc",
    "epsilon_lower_bound",
    "gaussian_dp_mu",
    "membership_advantage_interval",
    "membership_advantage_score",
    "membership_advantage_scorer",
    "min_nonmembers_for_fpr",
    "positive_predictive_value",
    "rate_interval",
    "roc_auc_interval",
    "threshold_at_fpr",
    "tpr_at_fpr_interval",
    "tpr_at_fpr_score",
    "tpr_at_fpr_scorer",
]

# Shares of the records guessed by `epsilon_lower_bound`, fixed before any data is seen.
_GUESSED_SHARES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.10, 0.25, 0.50)
_RESPONSES = ("decision_function", "predict_proba")


@dataclass(frozen=True)
class Interval:
    """An estimate and its confidence interval.

    Attributes
    ----------
    estimate : float
        The value on these records.

    low, high : float or None
        The ends of the interval, both ``None`` where no interval exists; `note` then
        says why.

    confidence : float
        The confidence level, a fraction.

    method : str
        The procedure that gave the ends.

    note : str, default=""
        What a reader has to know about this interval, if anything.

    fpr : float or None, default=None
        The false-positive rate attained on these records, where one was asked for.

    Examples
    --------
    >>> from sklearn_mia.metrics import rate_interval
    >>> print(rate_interval(8, 10))
    0.8 [0.444, 0.975]
    """

    estimate: float
    low: float | None
    high: float | None
    confidence: float
    method: str
    note: str = ""
    fpr: float | None = None

    def __str__(self):
        """Return the estimate and the ends, or why there are none."""
        if self.low is None:
            return f"{self.estimate:.3g} ({self.note})"
        return f"{self.estimate:.3g} [{self.low:.3g}, {self.high:.3g}]"


@dataclass(frozen=True)
class Comparison:
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


@dataclass(frozen=True)
class EpsilonBound:
    """A lower confidence bound on epsilon and what it rests on.

    Attributes
    ----------
    epsilon : float
        The bound; 0 means that nothing was found.

    delta : float
        The delta of the statement.

    confidence : float
        The confidence level, a fraction.

    method : str
        The procedure that gave the bound.

    statement : str
        One sentence: what is claimed and what must hold for it.
    """

    epsilon: float
    delta: float
    confidence: float
    method: str
    statement: str


# Checks


def _check_fraction(value, name, *, zero=False):
    """Return `value` as a float if it is a fraction below 1, and above 0 or 0."""
    is_number = isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
    if not is_number or not (0 < value < 1 or (zero and value == 0)):
        raise ValueError(
            f"{name}={value!r} is not a number in {'[' if zero else '('}0, 1); rates "
            "are fractions, not percent: write 0.05 for 5 %."
        )
    return float(value)


def _check_probability(value, name):
    """Return `value` as a float if it is in [0, 1]."""
    is_number = isinstance(value, Real) and not isinstance(value, (bool, np.bool_))
    if not is_number or not 0 <= value <= 1:
        raise ValueError(
            f"{name}={value!r} is not a number in [0, 1]; rates are fractions, not "
            "percent: write 0.05 for 5 %."
        )
    return float(value)


def _check_count(value, name, minimum):
    """Return `value` as an int if it is one and at least `minimum`."""
    is_integer = isinstance(value, Integral) and not isinstance(value, (bool, np.bool_))
    if not is_integer or value < minimum:
        raise ValueError(
            f"{name}={value!r} is not a count; expected an integer >= {minimum}."
        )
    return int(value)


def _check_scores(scores, name):
    """Return `scores` as a finite float64 vector."""
    shape = np.shape(scores)
    if len(shape) == 2 and shape[1] > 1:
        raise ValueError(
            f"{name} has shape {shape!r}; expected one score a record: pass "
            "decision_function(X) or predict_proba(X)[:, 1]."
        )
    scores = column_or_1d(scores, dtype=np.float64)
    n_bad = int(np.count_nonzero(~np.isfinite(scores)))
    if n_bad:
        raise ValueError(
            f"{name} has {n_bad!r} values that are NaN or infinite; expected finite "
            "scores: give such records the lowest score, or leave them out and say so."
        )
    return scores


def _check_membership(y_true, pos_label):
    """Return `y_true` as a boolean vector, ``True`` for members."""
    y_true = column_or_1d(y_true)
    labels = list(set(y_true.tolist()))
    if any(label is None or str(label == label) != "True" for label in labels):
        raise ValueError(
            "y_true has missing values; expected the membership of every record: "
            "leave out the records whose membership is unknown."
        )
    labels.sort(key=lambda label: (str(type(label)), label))
    if len(labels) > 2:
        raise ValueError(
            f"y_true has {len(labels)!r} different labels, {labels[:3]!r} among them; "
            "expected members and non-members only: pass y_true == member_label."
        )
    if pos_label is None:
        if not (set(labels) <= {0, 1} or set(labels) <= {-1, 1}):
            raise ValueError(
                f"y_true has the labels {labels!r} and pos_label=None; expected "
                "True/False or 1/0: pass the label of members as pos_label."
            )
        pos_label = 1
    elif pos_label not in labels:
        raise ValueError(
            f"pos_label={pos_label!r} is not among the labels {labels!r} of y_true; "
            "pass the label of members."
        )
    is_member = np.asarray(y_true == pos_label, dtype=bool)
    n_members = int(np.count_nonzero(is_member))
    if n_members in (0, is_member.size):
        raise ValueError(
            f"y_true has {n_members!r} members and {is_member.size - n_members!r} "
            "non-members; expected at least one of each: add records of the other kind."
        )
    return is_member


def _check_same_length(n_true, n_score, name="y_score"):
    if n_true != n_score:
        raise ValueError(
            f"y_true has {n_true!r} records and {name} has {n_score!r}; expected one "
            "score for each record, in the same order."
        )


def _split_scores(y_true, y_score, pos_label):
    """Return the scores of members and the scores of non-members."""
    scores = _check_scores(y_score, "y_score")
    is_member = _check_membership(y_true, pos_label)
    _check_same_length(is_member.size, scores.size)
    return scores[is_member], scores[~is_member]


def _generator(random_state):
    """Return a generator; the global one and the one given stay as they are."""
    if isinstance(random_state, np.random.RandomState):
        random_state = copy.deepcopy(random_state).randint(2**31 - 1)
    return np.random.default_rng(copy.deepcopy(random_state))


# Formulas


def _n_permitted(max_fpr, n_nonmembers):
    """Return the largest k with k / n_nonmembers <= max_fpr, safe from rounding.

    ``floor(0.29 * 100)`` is 28; comparing the rates themselves gives 29.
    """
    k = math.floor(max_fpr * n_nonmembers)
    if (k + 1) / n_nonmembers <= max_fpr:
        return k + 1
    return k - 1 if k / n_nonmembers > max_fpr else k


def _check_permitted(max_fpr, n_nonmembers):
    """Return how many false alarms are permitted, if at least one is."""
    k = _n_permitted(max_fpr, n_nonmembers)
    if k < 1:
        raise ValueError(
            f"max_fpr={max_fpr!r} permits no false alarm among {n_nonmembers!r} "
            f"non-members; expected at least {min_nonmembers_for_fpr(max_fpr)} "
            f"non-members: pass more, or max_fpr={1 / n_nonmembers:.2g} or higher."
        )
    return k


def _clopper_pearson(k, n, tail):
    """Return the ends that each leave out `tail`, for k events in n trials."""
    low = special.betaincinv(k, n - k + 1, tail) if k > 0 else 0.0
    high = special.betaincinv(k + 1, n - k, 1 - tail) if k < n else 1.0
    return float(low), float(high)


def _placements(members, nonmembers):
    """Return, for each record, the share of the other side it beats; ties count half.

    Mid-ranks in the pooled sample less mid-ranks within the own side count the records
    of the other side below, so no table of pairs is needed.
    """
    n1, n0 = members.size, nonmembers.size
    pooled = stats.rankdata(np.concatenate([members, nonmembers]))
    of_members = (pooled[:n1] - stats.rankdata(members)) / n0
    of_nonmembers = 1 - (pooled[n1:] - stats.rankdata(nonmembers)) / n1
    return of_members, of_nonmembers


def _delong_variance(of_members, of_nonmembers):
    """Return the variance of a mean of placements (or of their differences)."""
    return (
        of_members.var(ddof=1) / of_members.size
        + of_nonmembers.var(ddof=1) / of_nonmembers.size
    )


def _attained_rates(members, nonmembers):
    """Return (FPR, TPR) at each distinct score, alarm when at or above it."""
    thresholds = np.unique(np.concatenate([members, nonmembers]))
    fpr, tpr = (
        1 - np.searchsorted(np.sort(side), thresholds, side="left") / side.size
        for side in (nonmembers, members)
    )
    return fpr, tpr


def _share_above(scores, threshold):
    return float(np.count_nonzero(scores > threshold) / scores.size)


def _mixture_quantile(level, weights, n_trials, probabilities):
    """Return the smallest x with P(X <= x) >= level, X a mixture of binomials."""
    low, high = 0, n_trials
    while low < high:
        middle = (low + high) // 2
        if weights @ stats.binom.cdf(middle, n_trials, probabilities) >= level:
            high = middle
        else:
            low = middle + 1
    return low


def _chosen_threshold_interval(members, nonmembers, max_fpr, tail):
    """Return the ends of the TPR above a threshold known only by its rank.

    How many of n0 non-members lie above the true threshold is K ~ Bin(n0, max_fpr), so
    it lies between the K-th and the (K+1)-th largest score, and the count of members
    above either is binomial again. Both laws are summed over, not drawn.
    """
    n1, n0 = members.size, nonmembers.size
    rank = np.arange(n0 + 1)
    weights = stats.binom.pmf(rank, n0, max_fpr)
    rank, weights = rank[weights > 1e-12], weights[weights > 1e-12]
    descending = np.concatenate([[np.inf], np.sort(nonmembers)[::-1], [-np.inf]])
    members = np.sort(members)
    ends = []
    for shift, level in ((0, tail), (1, 1 - tail)):
        above = n1 - np.searchsorted(members, descending[rank + shift], side="right")
        above, group = np.unique(above, return_inverse=True)
        weight = np.bincount(group, weights) / weights.sum()
        ends.append(_mixture_quantile(level, weight, n1, above / n1) / n1)
    return tuple(ends)


def _wilson(p, n, z):
    """Return the Wilson interval of an observed share `p` of `n`."""
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return centre - half, centre + half


def _delta_term(n_correct, n_guesses, q):
    """Return P(Bin >= v) and the largest mean of P(Bin = v - i), ..., P(Bin = v - 1).

    Bin has `n_guesses` trials of probability `q`. Means that reach far below the centre
    of the distribution are never the largest, so only a window is summed.
    """
    sd = math.sqrt(n_guesses * q * (1 - q))
    first = min(n_correct - 1, max(0, math.floor(n_guesses * q - 10 * sd - 10)))
    below = np.arange(n_correct - 1, first - 1, -1)
    mass = np.cumsum(stats.binom.pmf(below, n_guesses, q))
    tail = float(stats.binom.sf(n_correct - 1, n_guesses, q))
    return tail, float(np.max(mass / np.arange(1, below.size + 1)))


def _guess_bound(n_correct, n_guesses, log_odds, level, delta_factor):
    """Return the lower end of epsilon from guesses whose number was fixed beforehand.

    Under epsilon-DP each guess is right with odds of at most ``exp(epsilon)`` times the
    prior odds of being right, `log_odds`. With ``delta > 0`` the p-value grows by
    `delta_factor` times the term `a`, and the end is found by bisection.
    """
    if n_correct == 0:
        return 0.0
    q = special.betaincinv(n_correct, n_guesses - n_correct + 1, level)
    epsilon = max(0.0, float(special.logit(q)) - log_odds)
    if epsilon == 0 or delta_factor == 0:
        return epsilon
    low, high = 0.0, epsilon
    for _ in range(40):
        middle = (low + high) / 2
        tail, largest = _delta_term(
            n_correct, n_guesses, special.expit(middle + log_odds)
        )
        if tail + delta_factor * largest <= level:
            low = middle
        else:
            high = middle
    return low


def _guess_sizes(n_records):
    """Return the grid of numbers of guesses, known from the number of records alone."""
    return [max(1, round(share * n_records)) for share in _GUESSED_SHARES]


def _random_inclusion_bound(is_member, scores, log_odds, delta, level, generator):
    """Return the largest bound over the grid, "in" from the top, "out" from below."""
    n_records = scores.size
    order = np.lexsort((generator.random(n_records), scores))
    from_bottom = np.cumsum(~is_member[order])
    from_top = np.cumsum(is_member[order][::-1])
    # 1 / min(pi, 1 - pi), which is 2 for fair coins.
    delta_factor = n_records * delta * (1 + math.exp(abs(log_odds)))
    return max(
        _guess_bound(int(correct[r - 1]), r, odds, level, delta_factor)
        for r in _guess_sizes(n_records)
        for correct, odds in ((from_top, log_odds), (from_bottom, -log_odds))
    )


def _order_statistic_bound(members, nonmembers, delta, level):
    """Return the largest log((TPR - delta) / FPR) over thresholds of fixed rank.

    The rate above the k-th largest of n scores is Beta(k, n + 1 - k), or less with
    ties; the other side is counted at a threshold it had no part in. The mirror image
    exchanges the sides.
    """
    best = 0.0
    for accused, spared in ((members, nonmembers), (-nonmembers, -members)):
        descending = np.sort(spared)[::-1]
        for k in _guess_sizes(spared.size):
            found = np.count_nonzero(accused > descending[k - 1])
            wrong = special.betaincinv(k, spared.size + 1 - k, 1 - level / 2)
            right = _clopper_pearson(found, accused.size, level / 2)[0] - delta
            if right > wrong:
                best = max(best, math.log(right / wrong))
    return best


# The strength of an attack


def threshold_at_fpr(nonmember_scores, max_fpr):
    """Return the lowest threshold that keeps the false-positive rate.

    An alarm is a score strictly above the threshold. With ``n0`` non-members and
    ``k = floor(max_fpr * n0)`` permitted false alarms it is the (k+1)-th largest score,
    so at most ``k`` non-members raise an alarm, also when scores are tied. Where no
    false alarm is permitted it is the largest score.

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

    Examples
    --------
    >>> from sklearn_mia.metrics import threshold_at_fpr
    >>> threshold_at_fpr([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], max_fpr=0.2)
    8.0
    """
    scores = _check_scores(nonmember_scores, "nonmember_scores")
    max_fpr = _check_fraction(max_fpr, "max_fpr", zero=True)
    if scores.size == 0:
        raise ValueError(
            "nonmember_scores has 0 scores; expected at least one: pass the scores of "
            "records known to be non-members."
        )
    rank = scores.size - 1 - _n_permitted(max_fpr, scores.size)
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
    members, nonmembers = _split_scores(y_true, y_score, pos_label)
    return _share_above(members, threshold_at_fpr(nonmembers, max_fpr))


def membership_advantage_score(y_true, y_score, *, pos_label=None):
    """Largest TPR - FPR over all thresholds that can be set on these records.

    Between 0 (no threshold separates the sides) and 1; it does not depend on how many
    members there are for each non-member. Being a maximum over thresholds it is above 0
    without any leak: judge it by :func:`membership_advantage_interval`.

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
    fpr, tpr = _attained_rates(*_split_scores(y_true, y_score, pos_label))
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
    tpr, fpr = _check_probability(tpr, "tpr"), _check_probability(fpr, "fpr")
    prior = _check_fraction(prior, "prior")
    if tpr == fpr == 0:
        raise ValueError(
            "tpr=0 and fpr=0: no record is accused, so the share of members among the "
            "accused does not exist; pass the rates of a lower threshold."
        )
    return prior * tpr / (prior * tpr + (1 - prior) * fpr)


# Intervals


def rate_interval(n_events, n_trials, *, confidence=0.95):
    """Exact (Clopper-Pearson) interval of a rate.

    For a rate at a threshold fixed beforehand. For a threshold chosen on the same
    records use :func:`tpr_at_fpr_interval`.

    Parameters
    ----------
    n_events, n_trials : int
        Events counted, and records looked at.

    confidence : float, default=0.95
        Confidence level, a fraction in (0, 1).

    Returns
    -------
    interval : Interval
        The rate and its interval; the ends are 0 and 1 at no and at all events.

    References
    ----------
    .. [1] C. J. Clopper and E. S. Pearson (1934). The Use of Confidence or Fiducial
       Limits Illustrated in the Case of the Binomial. Biometrika 26.

    Examples
    --------
    >>> from sklearn_mia.metrics import rate_interval
    >>> print(rate_interval(0, 200))
    0 [0, 0.0183]
    """
    n_trials = _check_count(n_trials, "n_trials", 1)
    n_events = _check_count(n_events, "n_events", 0)
    confidence = _check_fraction(confidence, "confidence")
    if n_events > n_trials:
        raise ValueError(
            f"n_events={n_events!r} is more than n_trials={n_trials!r}; expected the "
            "number of events among the trials: pass the counts in this order."
        )
    low, high = _clopper_pearson(n_events, n_trials, (1 - confidence) / 2)
    return Interval(n_events / n_trials, low, high, confidence, "Clopper-Pearson")


def roc_auc_interval(y_true, y_score, *, confidence=0.95, pos_label=None):
    """ROC AUC with DeLong's interval, on the logit scale.

    ``logit(AUC) -+ z * sd / (AUC * (1 - AUC))``, where ``sd`` is from the placements
    (for each record the share of the other side it beats, ties counting half), computed
    by mid-ranks in O(n log n). At AUC 1 that variance is 0; the lower end is then what
    ``min(n1, n0)`` records without one contrary event allow,
    ``((1 - confidence) / 2) ** (1 / min(n1, n0))``. An AUC below 1 never has a higher
    lower end than that (so DeLong's, too narrow from .995, covers there as well), and
    likewise towards 0. Scores that are all tied end half as far from 0.5.

    Parameters
    ----------
    y_true, y_score : array-like of shape (n_records,)
        Membership (``True`` or 1 for members) and finite scores. Higher means more
        likely a member.

    confidence : float, default=0.95
        Confidence level, a fraction in (0, 1).

    pos_label : int, float, bool or str, default=None
        The label of members, if it is not ``True`` or 1.

    Returns
    -------
    interval : Interval
        The AUC and its interval, for this one trained model. With one member or one
        non-member the ends are ``None``.

    See Also
    --------
    compare_attacks : The difference between two attacks on the same records.

    References
    ----------
    .. [1] E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson (1988). Comparing the
       Areas under Two or More Correlated ROC Curves. Biometrics 44.
    .. [2] X. Sun and W. Xu (2014). Fast Implementation of DeLong's Algorithm. IEEE
       Signal Processing Letters 21.

    Examples
    --------
    >>> from sklearn_mia.metrics import roc_auc_interval
    >>> print(roc_auc_interval([1, 0, 1, 0], [9, 9, 5, 5]))
    0.5 [0.0589, 0.941]
    """
    confidence = _check_fraction(confidence, "confidence")
    members, nonmembers = _split_scores(y_true, y_score, pos_label)
    # Sorted, so that rounding does not depend on the order of the records.
    of_members, of_nonmembers = map(np.sort, _placements(members, nonmembers))
    auc = float(of_members.mean())
    tail, fewest = (1 - confidence) / 2, min(members.size, nonmembers.size)
    if fewest < 2:
        note = (
            "interval not available: needs 2 members and 2 non-members, got "
            f"{members.size} and {nonmembers.size}"
        )
        return Interval(auc, None, None, confidence, "none", note)
    # What so few records allow when not one of them contradicts AUC 1 (or 0).
    lowest_at_one = tail ** (1 / fewest)
    variance = _delong_variance(of_members, of_nonmembers)
    if variance > 0:
        centre = special.logit(auc)
        half = special.ndtri(1 - tail) * math.sqrt(variance) / (auc * (1 - auc))
        low, high = special.expit([centre - half, centre + half])
        low, high = min(low, lowest_at_one), max(high, 1 - lowest_at_one)
        return Interval(auc, float(low), float(high), confidence, "DeLong, logit scale")
    return Interval(
        auc,
        auc * lowest_at_one,
        1 - (1 - auc) * lowest_at_one,
        confidence,
        "exact for no contrary event",
        "every record is placed alike, so the ends rest on the number of records alone",
    )


def tpr_at_fpr_interval(
    y_true, y_score, *, max_fpr=0.01, confidence=0.95, pos_label=None
):
    """TPR at a false-positive rate, with an interval for a threshold that was chosen.

    A Clopper-Pearson interval alone takes the threshold for given and covers far too
    rarely. How many of the ``n0`` non-members lie above the true threshold is
    ``K ~ Bin(n0, max_fpr)``, whatever the scores look like, so it lies between their
    K-th and (K+1)-th largest score. The ends are the quantiles of the share of members,
    itself binomial, above the first and above the second, summed over K, united with
    Clopper-Pearson at the observed threshold. Below ``max_fpr * n0 = 3.7`` (at 0.95) K
    may well be 0: then no data bounds the TPR from below, the lower end is 0 even for a
    perfect attack, and `note` says how many non-members change that.

    Parameters
    ----------
    y_true, y_score : array-like of shape (n_records,)
        Membership (``True`` or 1 for members) and finite scores. Higher means more
        likely a member.

    max_fpr : float, default=0.01
        The highest false-positive rate, a fraction in (0, 1).

    confidence : float, default=0.95
        Confidence level, a fraction in (0, 1).

    pos_label : int, float, bool or str, default=None
        The label of members, if it is not ``True`` or 1.

    Returns
    -------
    interval : Interval
        The attained TPR, its interval, and in `fpr` the attained false-positive rate.

    Raises
    ------
    ValueError
        If `max_fpr` permits no false alarm on so few non-members.

    Warns
    -----
    UserWarning
        If `max_fpr` permits fewer than 10 false alarms.

    See Also
    --------
    min_nonmembers_for_fpr : How many non-members a rate needs.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia.metrics import tpr_at_fpr_interval
    >>> is_member = np.arange(2000) < 1000
    >>> score = np.random.default_rng(0).normal(size=2000) + is_member
    >>> print(tpr_at_fpr_interval(is_member, score, max_fpr=0.05))
    0.243 [0.198, 0.278]
    """
    confidence = _check_fraction(confidence, "confidence")
    max_fpr = _check_fraction(max_fpr, "max_fpr")
    members, nonmembers = _split_scores(y_true, y_score, pos_label)
    n0 = nonmembers.size
    k = _check_permitted(max_fpr, n0)
    if k < 10:
        warnings.warn(
            f"max_fpr={max_fpr!r} permits {k!r} false alarms among {n0!r} non-members; "
            "the interval is stable from 10, that is from "
            f"{min_nonmembers_for_fpr(max_fpr, false_alarms=10)} non-members.",
            UserWarning,
            stacklevel=2,
        )
    threshold = threshold_at_fpr(nonmembers, max_fpr)
    tpr, fpr = _share_above(members, threshold), _share_above(nonmembers, threshold)
    tail = (1 - confidence) / 2
    ends = _chosen_threshold_interval(members, nonmembers, max_fpr, tail)
    found = int(np.count_nonzero(members > threshold))
    fixed = _clopper_pearson(found, members.size, tail)
    note = ""
    if (1 - max_fpr) ** n0 >= tail:
        needed = math.ceil(math.log(tail) / math.log1p(-max_fpr))
        note = f"a lower end above 0 needs {needed} non-members"
    return Interval(
        tpr,
        min(ends[0], fixed[0]),
        max(ends[1], fixed[1]),
        confidence,
        "law of the threshold's rank, united with Clopper-Pearson",
        note,
        fpr,
    )


def membership_advantage_interval(y_true, y_score, *, confidence=0.95, pos_label=None):
    """Membership advantage with an interval that allows for the chosen threshold.

    With ``b = (1 - confidence) / 2`` the lower end is the observed advantage less
    ``sqrt(log(1 / b) / 2 * (1 / n1 + 1 / n0))``, the one-sided Kolmogorov-Smirnov band:
    it is 0 in all but a share ``b`` of audits without a leak, whichever threshold
    looked best. The upper end is the largest Newcombe upper end of TPR - FPR over all
    thresholds, which is above that of the true best threshold.

    Parameters
    ----------
    y_true, y_score : array-like of shape (n_records,)
        Membership (``True`` or 1 for members) and finite scores. Higher means more
        likely a member.

    confidence : float, default=0.95
        Confidence level, a fraction in (0, 1).

    pos_label : int, float, bool or str, default=None
        The label of members, if it is not ``True`` or 1.

    Returns
    -------
    interval : Interval
        The advantage and its interval.

    References
    ----------
    .. [1] R. G. Newcombe (1998). Interval Estimation for the Difference between
       Independent Proportions. Statistics in Medicine 17.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia.metrics import membership_advantage_interval
    >>> is_member = np.arange(2000) < 1000
    >>> score = np.random.default_rng(0).normal(size=2000) + is_member
    >>> print(membership_advantage_interval(is_member, score))
    0.375 [0.314, 0.414]
    """
    confidence = _check_fraction(confidence, "confidence")
    members, nonmembers = _split_scores(y_true, y_score, pos_label)
    n1, n0 = members.size, nonmembers.size
    fpr, tpr = _attained_rates(members, nonmembers)
    tail = (1 - confidence) / 2
    z = special.ndtri(1 - tail)
    advantage = float(np.max(tpr - fpr))
    band = math.sqrt(math.log(1 / tail) / 2 * (1 / n1 + 1 / n0))
    upper = (
        tpr - fpr + np.hypot(_wilson(tpr, n1, z)[1] - tpr, fpr - _wilson(fpr, n0, z)[0])
    )
    low, high = max(0.0, advantage - band), min(1.0, float(np.max(upper)))
    return Interval(advantage, low, high, confidence, "Kolmogorov-Smirnov and Newcombe")


# Comparing attacks


def _compare_auc(a, b, tail):
    """Return the paired DeLong difference of two (members, nonmembers) score pairs."""
    placed_a, placed_b = _placements(*a), _placements(*b)
    auc_a, auc_b = float(placed_a[0].mean()), float(placed_b[0].mean())
    difference = auc_a - auc_b
    fewest = min(placed_a[0].size, placed_a[1].size)
    if fewest < 2:
        raise ValueError(
            f"metric='roc_auc' got {placed_a[0].size!r} members and "
            f"{placed_a[1].size!r} non-members; expected at least 2 of each to compare "
            "attacks: pass more records."
        )
    variance = _delong_variance(placed_a[0] - placed_b[0], placed_a[1] - placed_b[1])
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
    k = _check_permitted(max_fpr, n0)

    def discordant(threshold_a, threshold_b):
        found_a, found_b = a[0] > threshold_a, b[0] > threshold_b
        return np.count_nonzero(found_a & ~found_b), np.count_nonzero(
            found_b & ~found_a
        )

    cuts = [threshold_at_fpr(side[1], max_fpr) for side in (a, b)]
    rates = [_share_above(side[0], cut) for side, cut in zip((a, b), cuts, strict=True)]
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
    confidence = _check_fraction(confidence, "confidence")
    max_fpr = _check_fraction(max_fpr, "max_fpr")
    n_resamples = _check_count(n_resamples, "n_resamples", 100)
    is_member = _check_membership(y_true, pos_label)
    sides = []
    for name, scores in (("y_score_a", y_score_a), ("y_score_b", y_score_b)):
        scores = _check_scores(scores, name)
        _check_same_length(is_member.size, scores.size, name)
        sides.append((scores[is_member], scores[~is_member]))
    tail = (1 - confidence) / 2
    if metric == "roc_auc":
        score_a, score_b, ends, p_value, method = _compare_auc(*sides, tail)
    else:
        score_a, score_b, ends, p_value, method = _compare_tpr(
            *sides, max_fpr, tail, n_resamples, _generator(random_state)
        )
    difference = Interval(
        score_a - score_b,
        max(-1.0, float(ends[0])),
        min(1.0, float(ends[1])),
        confidence,
        method,
    )
    return Comparison(metric, score_a, score_b, difference, p_value)


# From scores to privacy numbers


def epsilon_lower_bound(
    y_true,
    y_score,
    *,
    delta=0.0,
    confidence=0.95,
    random_inclusion=True,
    inclusion_probability=0.5,
    random_state=0,
    pos_label=None,
):
    """Lower confidence bound on the epsilon that the scores are compatible with.

    **Records included at random** (each of the ``m`` records by an independent coin,
    one trained model): of the records sorted by score, ties by random numbers, the
    ``r`` highest are guessed "in" and the ``r`` lowest "out", for ``r`` in
    {0.2, 0.5, 1, 2, 5, 10, 25, 50 %} of ``m``, fixed before the data is seen. Under
    (epsilon, 0)-DP a guess is right with odds of at most ``exp(epsilon) * o``, ``o``
    the prior odds, so with ``v`` right guesses
    ``epsilon >= logit(BetaInv(beta / 16; v, r - v + 1)) - log(o)``, where
    ``beta = 1 - confidence``; the largest of the 16 is the bound. ``delta > 0`` adds
    ``2 m delta a`` to each p-value (at fair coins), ``a`` being the largest mean of the
    binomial masses just below ``v``.

    **Otherwise** the bound is ``log((TPR - delta) / FPR)``, or its mirror image, over
    16 thresholds at order statistics of fixed rank, Clopper-Pearson and beta ends, each
    at ``beta / 32``. It describes this one model and is not a statement about
    differential privacy.

    Parameters
    ----------
    y_true, y_score : array-like of shape (n_records,)
        Membership (``True`` or 1 for members) and finite scores. Higher means more
        likely a member.

    delta : float, default=0.0
        The delta of the statement, in [0, 1).

    confidence : float, default=0.95
        Confidence level, a fraction in (0, 1).

    random_inclusion : bool, default=True
        Whether each record entered the training data by its own independent coin, and
        the scores were computed without knowing the outcome. A split into two halves of
        fixed size is not that, though for many records nearly so.

    inclusion_probability : float, default=0.5
        The probability of that coin, in (0, 1).

    random_state : int, Generator, RandomState or None, default=0
        Seed of the numbers that break ties. A generator given here is not advanced.

    pos_label : int, float, bool or str, default=None
        The label of members, if it is not ``True`` or 1.

    Returns
    -------
    bound : EpsilonBound
        The bound and the sentence that says what must hold for it.

    Raises
    ------
    ValueError
        If the number of members is one that `inclusion_probability` does not give.

    See Also
    --------
    gaussian_dp_mu : A descriptive effect size.

    References
    ----------
    .. [1] T. Steinke, M. Nasr and M. Jagielski (2023). Privacy Auditing with One (1)
       Training Run. NeurIPS.
    .. [2] M. Jagielski, J. Ullman and A. Oprea (2020). Auditing Differentially Private
       Machine Learning: How Private is Private SGD? NeurIPS.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia.metrics import epsilon_lower_bound
    >>> rng = np.random.default_rng(0)
    >>> is_member = rng.random(2000) < 0.5
    >>> score = rng.normal(size=2000) + is_member
    >>> round(epsilon_lower_bound(is_member, score).epsilon, 2)
    2.08
    """
    delta = _check_fraction(delta, "delta", zero=True)
    confidence = _check_fraction(confidence, "confidence")
    probability = _check_fraction(inclusion_probability, "inclusion_probability")
    scores = _check_scores(y_score, "y_score")
    is_member = _check_membership(y_true, pos_label)
    _check_same_length(is_member.size, scores.size)
    level = (1 - confidence) / (2 * len(_GUESSED_SHARES))
    if not random_inclusion:
        return EpsilonBound(
            _order_statistic_bound(scores[is_member], scores[~is_member], delta, level),
            delta,
            confidence,
            "thresholds at 16 order statistics",
            "Operational: the rates of this attack on this one model are as far apart "
            f"as epsilon says, with {confidence:.3g} confidence, if members and "
            "non-members are independent draws; it is no statement about how the "
            "model was trained.",
        )
    n_members, n_records = int(np.count_nonzero(is_member)), is_member.size
    if stats.binomtest(n_members, n_records, probability).pvalue < 1e-6:
        raise ValueError(
            f"y_true has {n_members!r} members among {n_records!r} records, which "
            f"inclusion_probability={probability!r} does not give; expected the "
            "probability used to draw the training data: pass it, or "
            "random_inclusion=False."
        )
    epsilon = _random_inclusion_bound(
        is_member,
        scores,
        float(special.logit(probability)),
        delta,
        level,
        _generator(random_state),
    )
    return EpsilonBound(
        epsilon,
        delta,
        confidence,
        "guesses on one training run, 16 numbers of guesses fixed beforehand",
        f"With {confidence:.3g} confidence the training procedure is not "
        f"(epsilon, {delta:.3g})-differentially private for any smaller epsilon, if "
        f"each record was included by its own coin of probability {probability:.3g} "
        "and the scores did not use the outcome.",
    )


def gaussian_dp_mu(tpr, fpr):
    """Distance between two unit normals that gives these rates.

    ``mu = PhiInv(TPR) - PhiInv(FPR)``. A descriptive size that allows attacks at
    different false-positive rates to be read on one scale; a statement about Gaussian
    differential privacy only where the training procedure is known to satisfy it.

    Parameters
    ----------
    tpr, fpr : float
        True- and false-positive rate, fractions in (0, 1). For a cautious size pass the
        lower end of the one and the upper end of the other.

    Returns
    -------
    mu : float
        The distance; 0 without a leak.

    References
    ----------
    .. [1] J. Dong, A. Roth and W. J. Su (2022). Gaussian Differential Privacy. Journal
       of the Royal Statistical Society B 84.

    Examples
    --------
    >>> from sklearn_mia.metrics import gaussian_dp_mu
    >>> round(gaussian_dp_mu(0.2, 0.01), 2)
    1.48
    """
    tpr, fpr = _check_fraction(tpr, "tpr"), _check_fraction(fpr, "fpr")
    return float(special.ndtri(tpr) - special.ndtri(fpr))


# What the data can show


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
    max_fpr = _check_fraction(max_fpr, "max_fpr")
    false_alarms = _check_count(false_alarms, "false_alarms", 1)
    n_nonmembers = math.ceil(false_alarms / max_fpr)
    if n_nonmembers > false_alarms and false_alarms / (n_nonmembers - 1) <= max_fpr:
        return n_nonmembers - 1
    if false_alarms / n_nonmembers > max_fpr:
        return n_nonmembers + 1
    return n_nonmembers


def detectable_auc(n_members, n_nonmembers, *, power=0.8, significance=0.05):
    """Smallest ROC AUC that an audit of this size would probably have found.

    ``0.5 + (z[1 - significance] + z[power]) * sqrt((n1 + n0 + 1) / (12 n1 n0))``, for a
    one-sided test. "Nothing found" means no more than that leaks below it are open.

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
    n1 = _check_count(n_members, "n_members", 1)
    n0 = _check_count(n_nonmembers, "n_nonmembers", 1)
    power = _check_fraction(power, "power")
    significance = _check_fraction(significance, "significance")
    z = special.ndtri(1 - significance) + special.ndtri(power)
    return min(1.0, float(0.5 + z * math.sqrt((n1 + n0 + 1) / (12 * n1 * n0))))


# Scorers


class _MembershipScorer(_Scorer):
    """A scorer whose positive class is `classes_[1]` of the attack, whatever its name.

    A plain scorer hands text labels to the metric without saying which is positive, and
    sorting them would call "nonmember" the member.
    """

    def _score(self, method_caller, estimator, X, y_true, **kwargs):
        if self._get_pos_label() is None:
            member_label = np.asarray(estimator.classes_).tolist()[1]
            y_true = _check_membership(y_true, member_label)
        return super()._score(method_caller, estimator, X, y_true, **kwargs)


def tpr_at_fpr_scorer(max_fpr=0.01, *, pos_label=None):
    """Make a scorer of the TPR at a false-positive rate, for any ``scoring=``.

    Parameters
    ----------
    max_fpr : float, default=0.01
        The highest false-positive rate, a fraction in [0, 1). In cross-validation it
        refers to the non-members of one test fold.

    pos_label : int, float, bool or str, default=None
        The label of members; ``None`` means ``classes_[1]`` of the attack.

    Returns
    -------
    scorer : callable
        Called as ``scorer(attack, X, y)``. Higher means a stronger attack.

    See Also
    --------
    tpr_at_fpr_score : The metric.
    membership_advantage_scorer : Scorer of the membership advantage.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn_mia.metrics import tpr_at_fpr_scorer
    >>> X, y = make_classification(class_sep=5, random_state=0)
    >>> cross_val_score(LogisticRegression(), X, y, scoring=tpr_at_fpr_scorer(0.1))
    array([1., 1., 1., 1., 1.])
    """
    max_fpr = _check_fraction(max_fpr, "max_fpr", zero=True)
    options = {"max_fpr": max_fpr}
    if pos_label is not None:
        options["pos_label"] = pos_label
    return _MembershipScorer(tpr_at_fpr_score, 1, options, _RESPONSES)


membership_advantage_scorer = _MembershipScorer(
    membership_advantage_score, 1, {}, _RESPONSES
)
