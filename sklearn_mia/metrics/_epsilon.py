"""From scores to a lower bound on epsilon."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from sklearn_mia import checks
from sklearn_mia._views import TableViewMixin
from sklearn_mia.metrics._intervals import clopper_pearson

# Shares of the records guessed by `epsilon_lower_bound`, fixed before any data is seen.
_GUESSED_SHARES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.10, 0.25, 0.50)


@dataclass(frozen=True)
class EpsilonBound(TableViewMixin):
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


def _largest_delta(n_records, log_odds, level):
    """Return the delta from which not even right guesses alone give an epsilon above 0.

    At epsilon 0 the p-value of `r` right guesses of `r` is then above `level` for every
    `r` of the grid.
    """
    factor = n_records * (1 + math.exp(abs(log_odds)))
    terms = [
        _delta_term(r, r, special.expit(odds))
        for r in _guess_sizes(n_records)
        for odds in (log_odds, -log_odds)
    ]
    return max((level - tail) / (factor * largest) for tail, largest in terms)


def _check_delta(delta, n_records, log_odds, level):
    """Raise ValueError if no scores could give an epsilon above 0 at this delta."""
    if delta == 0:
        return
    largest = _largest_delta(n_records, log_odds, level)
    if largest > 0 and delta >= largest:
        raise ValueError(
            f"delta={delta!r} is too large for {n_records!r} records: even if every "
            "guess were right, no epsilon above 0 would follow; expected less than "
            f"{largest:.2g}: pass a smaller delta, or more records."
        )


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
            right = clopper_pearson(found, accused.size, level / 2)[0] - delta
            if right > wrong:
                best = max(best, math.log(right / wrong))
    return best


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
        If the number of members is one that `inclusion_probability` does not give, or
        `delta` is so large for so many records that no scores could show anything.

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
    delta = checks.check_fraction(delta, "delta", zero=True)
    confidence = checks.check_fraction(confidence, "confidence")
    probability = checks.check_fraction(inclusion_probability, "inclusion_probability")
    scores = checks.check_scores(y_score, "y_score")
    is_member = checks.check_membership(y_true, pos_label)
    checks.check_same_length(is_member.size, scores.size)
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
    log_odds = float(special.logit(probability))
    _check_delta(delta, n_records, log_odds, level)
    epsilon = _random_inclusion_bound(
        is_member,
        scores,
        log_odds,
        delta,
        level,
        checks.generator_of(random_state),
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
    tpr, fpr = checks.check_fraction(tpr, "tpr"), checks.check_fraction(fpr, "fpr")
    return float(special.ndtri(tpr) - special.ndtri(fpr))
