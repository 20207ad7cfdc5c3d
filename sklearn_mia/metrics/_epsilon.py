"""From scores to a lower bound on epsilon."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from sklearn_mia import checks
from sklearn_mia._views import TableViewMixin, in_message
from sklearn_mia.metrics._guesses import Claim, families_of, lower_end
from sklearn_mia.metrics._intervals import clopper_pearson

# Shares of the non-members above a threshold, fixed before any data is seen.
_SHARES = (0.002, 0.005, 0.01, 0.02, 0.05, 0.10, 0.25, 0.50)
# In which many records a delta is looked at.
_MOST_TO_LOOK_AT = 200
_SUBJECTS = {
    "record": (
        "differentially private",
        "each record was included by its own coin",
    ),
    "label": (
        "label-differentially private",
        "each record had one of two candidate labels by its own coin",
    ),
}


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


def _ranks(n_records):
    """Return the ranks of the thresholds, known from the number of records alone."""
    return [max(1, round(share * n_records)) for share in _SHARES]


def _bound_of(families, is_member):
    """Return the largest epsilon that some family of guesses contradicts."""
    epsilon = 0.0
    for family in families:
        epsilon = lower_end(Claim(family, family.counts(is_member)), epsilon)
    return epsilon


def _could_show(is_member, probability, delta, error):
    """Tell whether scores that tell every coin would give an epsilon above 0."""
    order = np.argsort(is_member, kind="stable")
    families = families_of(order, special.logit(probability), delta, error)
    return any(Claim(f, f.counts(is_member)).is_contradicted(0.0) for f in families)


def _check_size(is_member, probability, delta, error):
    """Raise ValueError if no scores could give an epsilon above 0."""
    if _could_show(is_member, probability, delta, error):
        return
    n_records, mean = is_member.size, float(probability.mean())

    def is_enough(n):
        of_size = np.arange(n) < round(mean * n)
        return _could_show(of_size, np.full(n, mean), delta, error)

    # No number of records makes up for a delta above the error.
    n_tried = _MOST_TO_LOOK_AT if delta < error else 1
    enough = next(filter(is_enough, range(n_records + 1, n_records + n_tried)), None)
    what, instead = f"{n_records!r} records are too few", ""
    if delta > 0:
        what = f"delta={delta!r} is too large for {n_records!r} records"
        instead = ", or a smaller delta"
    expected = (
        f"at least {enough!r} records: pass more{instead}"
        if enough is not None
        else "a delta below 1 - confidence, the error allowed, and more records"
        if delta > 0
        else "many more records, or a lower confidence"
    )
    raise ValueError(
        f"{what}: even scores that tell every coin would give no epsilon above 0; "
        f"expected {expected}."
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
        for k in _ranks(spared.size):
            found = np.count_nonzero(accused > descending[k - 1])
            wrong = special.betaincinv(k, spared.size + 1 - k, 1 - level / 2)
            right = clopper_pearson(found, accused.size, level / 2)[0] - delta
            if right > wrong:
                best = max(best, math.log(right / wrong))
    return best


def check_coins(is_member, probability, *, instead, given="y_true has", unit="records"):
    """Raise ValueError if the coins do not give so many members.

    Parameters
    ----------
    is_member : ndarray of shape (n_records,), dtype bool

    probability : ndarray of shape (n_records,)

    instead : str
        What to pass if no coins were tossed.

    given, unit : str
        Where the members are, and among what, for the message.
    """
    n_members, n_records = int(np.count_nonzero(is_member)), is_member.size
    expected = probability.sum()
    spread = math.sqrt((probability * (1 - probability)).sum())
    if np.ptp(probability) == 0:
        is_likely = stats.binomtest(n_members, n_records, probability[0]).pvalue >= 1e-6
        told = repr(float(probability[0]))
    else:
        is_likely = abs(n_members - expected) <= 5 * spread + 5
        told = f"of mean {probability.mean():.3g}"
    if not is_likely:
        raise ValueError(
            f"{given} {n_members!r} members among {n_records!r} {unit}, which "
            f"inclusion_probability={told} does not give; expected the "
            f"probability used to draw the training data: pass it, or {instead}."
        )


def _probability_of_each(inclusion_probability, n_records):
    """Return the probability of the coin of each record."""
    name = "inclusion_probability"
    if np.ndim(inclusion_probability) == 0:
        return np.full(n_records, checks.check_fraction(inclusion_probability, name))
    values = np.ravel(inclusion_probability).tolist()
    probability = np.array(checks.check_fractions(values, name))
    if probability.size != n_records:
        raise ValueError(
            f"{name} has {probability.size!r} values and y_true {n_records!r}; "
            "expected one number, or one for each record in the same order."
        )
    return probability


def drawn_by_coins(
    y_true, y_score, inclusion_probability, random_state, pos_label, caller, instead
):
    """Return what was drawn by coins, checked, and the order of the scores.

    Returns
    -------
    is_member : ndarray of shape (n_records,), dtype bool

    order : ndarray of shape (n_records,)
        Positions from the lowest score to the highest, ties by lot.

    probability : ndarray of shape (n_records,)
    """
    scores = checks.check_scores(y_score, "y_score")
    is_member = checks.check_membership(y_true, pos_label)
    checks.check_same_length(is_member.size, scores.size)
    probability = _probability_of_each(inclusion_probability, is_member.size)
    check_coins(is_member, probability, instead=instead)
    # Numbers of its own: those of the generator itself may have been the coins.
    seed = checks.generator_of(random_state, caller).integers(2**63)
    lots = np.random.default_rng([seed, is_member.size]).random(is_member.size)
    order = np.lexsort((lots, scores))
    return is_member, order, probability


def epsilon_lower_bound(
    y_true,
    y_score,
    *,
    delta=0.0,
    confidence=0.95,
    random_inclusion=True,
    inclusion_probability=0.5,
    neighbours="record",
    random_state=0,
    pos_label=None,
):
    r"""Lower confidence bound on the epsilon that the scores are compatible with.

    **Records included at random** (each of the ``m`` records by an independent coin,
    one trained model) [1]_. Guesses are fixed by the scores, ties by random numbers,
    without the outcome: the highest are guessed "in" and the lowest "out", in nested
    sets of all records, half of them and so on, half of the guesses on each side if
    coins are fair; the highest alone; the lowest alone. Under (epsilon, 0)-DP a guess
    is right, whatever the others are, with odds of at most ``exp(epsilon)`` times its
    prior odds, so the numbers of right guesses :math:`V_1, V_2, ...` in nested sets are
    at most those of independent trials. With their tails :math:`b_k` and fixed weights
    :math:`w_k`, the bound is the least epsilon with

    .. math:: P\left(\min_k \frac{b_k(V_k)}{w_k} \le \text{what was seen}\right)
              + n \delta \sum_k \theta_k > share \cdot (1 - confidence)

    The probability is exact, so that sets that say much the same are not corrected for
    twice; guesses on both sides have .6 of the error, the highest .27, the lowest .13.
    What delta adds, :math:`\theta = b (1 - b) / (v P(V = v))` at the least
    contradicting number :math:`v` of right guesses, is the most that it can add to one
    set (less than in [1]_ and [3]_): some (epsilon, delta)-DP procedure does so. Here
    :math:`n` is the number of records expected on the side that is guessed. Many
    guesses bear a larger delta than few: where delta would take more than about half of
    the error, sets are left out beforehand, those between others first and the smallest
    at last. What leaks of few records then shows less: where one in a hundred of 10,000
    leaks, the bound is about 1.8 at delta = 1e-6, 1.4 at 1e-5, and 0 at 1e-4.

    **Otherwise** the bound is ``log((TPR - delta) / FPR)``, or its mirror image, over
    16 thresholds at order statistics of fixed rank, Clopper-Pearson and beta ends [2]_,
    each at ``(1 - confidence) / 32``. It describes this one model and is not a
    statement about differential privacy.

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

    inclusion_probability : float or array-like of shape (n_records,), default=0.5
        The probability of that coin, in (0, 1), or that of each record.

    neighbours : {"record", "label"}, default="record"
        What two neighbouring data sets differ in. "label" is label differential
        privacy: each record is there with one of two candidate labels, the first by
        its coin. `y_true` tells whether it was the first, and a score is, for instance,
        how much likelier the model finds the first than the second.

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
        If the number of members is one that `inclusion_probability` does not give;
        `delta` is so large that no scores of so many records could show anything (told
        with the number of records that could); records have coins of their own and
        `delta` is not 0; or `neighbours` are labels that no coin chose.

    See Also
    --------
    gaussian_dp_lower_bound : A larger bound where the procedure is Gaussian.
    gaussian_dp_mu : A descriptive effect size.

    References
    ----------
    .. [1] T. Steinke, M. Nasr and M. Jagielski (2023). Privacy Auditing with One (1)
       Training Run. NeurIPS.
    .. [2] M. Jagielski, J. Ullman and A. Oprea (2020). Auditing Differentially Private
       Machine Learning: How Private is Private SGD? NeurIPS.
    .. [3] S. Mahloujifar, L. Melis and K. Chaudhuri (2024). Auditing f-Differential
       Privacy in One Run.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia.metrics import epsilon_lower_bound
    >>> rng = np.random.default_rng(0)
    >>> is_member = rng.random(2000) < 0.5
    >>> score = rng.normal(size=2000) + is_member
    >>> round(epsilon_lower_bound(is_member, score).epsilon, 2)
    2.24
    """
    delta = checks.check_fraction(delta, "delta", zero=True)
    confidence = checks.check_fraction(confidence, "confidence")
    random_inclusion = checks.check_flag(random_inclusion, "random_inclusion")
    is_known = isinstance(neighbours, str) and neighbours in _SUBJECTS
    if not is_known or not (random_inclusion or neighbours == "record"):
        raise ValueError(
            f"neighbours={in_message(neighbours)} and "
            f"random_inclusion={random_inclusion!r}; expected neighbours='record', or "
            "neighbours='label' where a coin chose each label, with "
            "random_inclusion=True."
        )
    if not random_inclusion:
        scores = checks.check_scores(y_score, "y_score")
        is_member = checks.check_membership(y_true, pos_label)
        checks.check_same_length(is_member.size, scores.size)
        level = (1 - confidence) / (2 * len(_SHARES))
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
    is_member, order, probability = drawn_by_coins(
        y_true,
        y_score,
        inclusion_probability,
        random_state,
        pos_label,
        caller="epsilon_lower_bound",
        instead="random_inclusion=False",
    )
    coin = f"of probability {probability[0]:.3g}"
    if np.ptp(probability) > 0:
        if delta > 0:
            raise ValueError(
                f"delta={delta!r} and inclusion_probability with a value for each "
                "record; expected delta=0, or one probability for all records."
            )
        coin = "of known probability"
    _check_size(is_member, probability, delta, 1 - confidence)
    families = families_of(order, special.logit(probability), delta, 1 - confidence)
    private, condition = _SUBJECTS[neighbours]
    return EpsilonBound(
        _bound_of(families, is_member),
        delta,
        confidence,
        f"guesses on one training run, {sum(len(f.ends) for f in families)} sets of "
        "them fixed beforehand",
        f"With {confidence:.3g} confidence the training procedure is not "
        f"(epsilon, {delta:.3g})-{private} for any smaller epsilon, if {condition} "
        f"{coin} and the scores did not use the outcome.",
    )
