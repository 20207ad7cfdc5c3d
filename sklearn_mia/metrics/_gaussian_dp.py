"""What scores say about the noise of a Gaussian mechanism."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from sklearn_mia import checks
from sklearn_mia._views import TableViewMixin
from sklearn_mia.metrics._epsilon import drawn_by_coins

# Of the records: by simulation nearly the best for mu of .5, 1 and 2.
_GUESSED_SHARE = 0.25
_LARGEST_MU = 40.0
_N_TRIED, _N_ROUNDS = 40, 4
# In which many records it is looked how many could show something.
_MOST_TO_LOOK_AT = 200


@dataclass(frozen=True)
class GaussianBound(TableViewMixin):
    """A lower confidence bound on mu, and the epsilon that follows from it.

    Attributes
    ----------
    mu : float
        The bound; 0 means that nothing was found.

    epsilon : float
        The epsilon of a Gaussian mechanism of this mu at `delta`.

    delta : float
        The delta of the statement.

    confidence : float
        The confidence level, a fraction.

    method : str
        The procedure that gave the bound.

    statement : str
        One sentence: what is claimed and what must hold for it.
    """

    mu: float
    epsilon: float
    delta: float
    confidence: float
    method: str
    statement: str


def gaussian_epsilon(mu, delta):
    """Return the least epsilon at which mu-Gaussian privacy is (epsilon, delta)-DP.

    ``delta = Phi(mu / 2 - epsilon / mu) - exp(epsilon) Phi(-mu / 2 - epsilon / mu)``.
    """

    def excess(epsilon):
        first, second = special.log_ndtr(
            [mu / 2 - epsilon / mu, -mu / 2 - epsilon / mu]
        )
        return math.exp(first) - math.exp(second + epsilon) - delta

    if mu == 0 or excess(0.0) <= 0:
        return 0.0
    high = 1.0
    while excess(high) > 0:
        high *= 2
    return float(optimize.brentq(excess, 0.0, high))


def _least_wrong(right, mu, sides):
    """Return how many guesses by record are wrong at least, for so many right.

    No event is likelier than ``Phi(PhiInv(a) + mu)`` for a record on the side that is
    guessed, if a is its probability for one on the other side.
    """
    guessed, other = sides
    share = np.minimum(right / guessed, 1.0)
    return other * special.ndtr(special.ndtri(share) - mu)


def contradicts_gaussian(mu, n_right, n_guesses, n_records, level, sides=(1.0, 1.0)):
    r"""Tell for each mu whether so many guesses are right too often for it.

    With :math:`p_i` the probability of i right guesses of r, every K gives

    .. math:: \sum_{i \ge K} (r - i)\, p_i / m \ge
              g\Big(\sum_{i > K} i\, p_i / m\Big)

    with g from how often a guess of a record may be right for how often it is wrong.
    From ``P(at least n_right) = level`` on, this tells downwards how large each
    :math:`p_i` is at least; more than 1 in all is a contradiction.

    Parameters
    ----------
    mu : ndarray of shape (n_tried,)

    n_right, n_guesses, n_records : int

    level : float

    sides : (float, float), default=(1.0, 1.0)
        Of guesses on one side alone, the probabilities of that side and of the other;
        1 and 1 for fair coins and guesses on both sides.

    Returns
    -------
    contradicted : ndarray of shape (n_tried,), dtype bool
    """
    right = np.full(mu.shape, level * n_right / n_records)
    wrong = np.full(mu.shape, level * (n_guesses - n_right) / n_records)
    most = n_guesses / n_records
    # Numbers far below those expected add nothing, and to stop early claims less.
    last = max(0, math.floor(n_right - 12 * math.sqrt(n_guesses) - 12))
    for i in range(n_right - 1, last - 1, -1):
        more = np.maximum(wrong, _least_wrong(right, mu, sides))
        right = right + i / (n_guesses - i) * (more - wrong)
        wrong = more
        if np.all(right + wrong > most):
            break
    return right + wrong > most


def _lower_mu(n_right, n_guesses, n_records, level, sides):
    """Return the mu from which on so many right guesses are possible, from below."""
    low, high = 0.0, _LARGEST_MU
    for _ in range(_N_ROUNDS):
        tried = np.linspace(low, high, _N_TRIED + 1)
        contradicted = contradicts_gaussian(
            tried[1:], n_right, n_guesses, n_records, level, sides
        )
        n_below = int(np.cumprod(contradicted).sum())
        low, high = tried[n_below], tried[min(n_below + 1, _N_TRIED)]
    return float(low)


def _numbers_of_guesses(n_records, probability):
    """Return how many are guessed "in" and "out", and the sides for the recursion."""
    is_fair, rarer = probability == 0.5, min(probability, 1 - probability)
    n_guesses = max(2, round(n_records * (1 if is_fair else rarer) * _GUESSED_SHARE))
    n_top = n_guesses // 2 if is_fair else n_guesses * (probability < 0.5)
    return n_top, n_guesses - n_top, (1.0, 1.0) if is_fair else (rarer, 1 - rarer)


def _could_show(n_members, n_records, probability, level):
    """Tell whether scores that tell every coin would give a mu above 0."""
    n_top, n_bottom, sides = _numbers_of_guesses(n_records, probability)
    right = min(n_top, n_members) + min(n_bottom, n_records - n_members)
    return _lower_mu(right, n_top + n_bottom, n_records, level, sides) > 0


def _check_size(n_members, n_records, probability, level):
    """Raise ValueError if no scores could give a mu above 0."""
    if _could_show(n_members, n_records, probability, level):
        return
    sizes = range(n_records + 1, n_records + _MOST_TO_LOOK_AT)
    enough = (
        n for n in sizes if _could_show(round(n * probability), n, probability, level)
    )
    expected = next((f"at least {n!r} records: pass more" for n in enough), None)
    raise ValueError(
        f"{n_records!r} records are too few: even scores that tell every coin would "
        "give no mu above 0; expected "
        f"{expected or 'many more records, or a lower confidence'}."
    )


def gaussian_dp_lower_bound(
    y_true,
    y_score,
    *,
    delta=1e-5,
    confidence=0.95,
    inclusion_probability=0.5,
    random_state=0,
    pos_label=None,
):
    r"""Lower confidence bound on mu if the mechanism is Gaussian.

    A procedure is mu-Gaussian differentially private if no test of whether a record was
    included does better than one of N(0, 1) against N(mu, 1): noise added to a sum of
    bounded terms is, and nearly so is stochastic gradient descent with noise. Each of
    ``m`` records is included by its own coin, one model is trained, and of the records
    sorted by score, ties by random numbers, an eighth is guessed "in" from the top and
    an eighth "out" from the bottom; of coins that are not fair, a quarter of the number
    expected on the rarer side is guessed to be there. The bound is the least mu at
    which so many may be right with probability ``1 - confidence``, by the recursion of
    [1]_. **It is false of other mechanisms**: of randomised response of epsilon .5 it
    says more than .5.

    Parameters
    ----------
    y_true, y_score : array-like of shape (n_records,)
        Membership (``True`` or 1 for members) and finite scores. Higher means more
        likely a member.

    delta : float, default=1e-5
        At which mu is told as an epsilon, in (0, 1).

    confidence : float, default=0.95
        Confidence level, a fraction in (0, 1).

    inclusion_probability : float, default=0.5
        The probability of the coin, in (0, 1).

    random_state : int, Generator, RandomState or None, default=0
        Seed of the numbers that break ties. A generator given here is not advanced.

    pos_label : int, float, bool or str, default=None
        The label of members, if it is not ``True`` or 1.

    Returns
    -------
    bound : GaussianBound
        Mu, the epsilon that follows, and the sentence that says what must hold for it.

    Raises
    ------
    ValueError
        If the number of members is one that `inclusion_probability` does not give, or
        the records are so few that no scores could show anything (told with the number
        that could).

    See Also
    --------
    epsilon_lower_bound : A bound for any mechanism.
    gaussian_dp_mu : A descriptive effect size.

    References
    ----------
    .. [1] S. Mahloujifar, L. Melis and K. Chaudhuri (2024). Auditing f-Differential
       Privacy in One Run.
    .. [2] J. Dong, A. Roth and W. J. Su (2022). Gaussian Differential Privacy. Journal
       of the Royal Statistical Society B 84.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia.metrics import gaussian_dp_lower_bound
    >>> rng = np.random.default_rng(0)
    >>> is_member = rng.random(2000) < 0.5
    >>> score = rng.normal(size=2000) + is_member
    >>> bound = gaussian_dp_lower_bound(is_member, score)
    >>> round(bound.mu, 2), round(bound.epsilon, 2)
    (0.65, 2.68)
    """
    delta = checks.check_fraction(delta, "delta")
    confidence = checks.check_fraction(confidence, "confidence")
    probability = checks.check_fraction(inclusion_probability, "inclusion_probability")
    is_member, order, _ = drawn_by_coins(
        y_true,
        y_score,
        probability,
        random_state,
        pos_label,
        caller="gaussian_dp_lower_bound",
        instead="use gaussian_dp_mu, which needs no coins",
    )
    level = 1 - confidence
    _check_size(int(is_member.sum()), order.size, probability, level)
    n_top, n_bottom, sides = _numbers_of_guesses(order.size, probability)
    right = is_member[order[::-1][:n_top]].sum() + (~is_member[order[:n_bottom]]).sum()
    n_guesses = n_top + n_bottom
    mu = _lower_mu(int(right), n_guesses, order.size, level, sides)
    return GaussianBound(
        mu,
        gaussian_epsilon(mu, delta),
        delta,
        confidence,
        f"{n_guesses} guesses on one training run, their number fixed beforehand",
        "If the mechanism is Gaussian, then neither its mu nor its epsilon at "
        f"delta={delta:.3g} is smaller, with {confidence:.3g} confidence, if each "
        f"record was included by its own coin of probability {probability:.3g} and "
        "the scores did not use the outcome; it is no bound for another mechanism.",
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
