"""Whom an attacker can name with few of those named wrong."""

import math
from dataclasses import dataclass

import numpy as np

from sklearn_mia import checks
from sklearn_mia._views import TableViewMixin
from sklearn_mia.metrics._power import min_nonmembers_for_fpr
from sklearn_mia.metrics._rates import (
    expected_fpr,
    positive_predictive_value,
    sides_of,
)

# Equal rates may differ by their rounding.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class ExposedMembers(TableViewMixin):
    """The members that can be named with few of those named wrong.

    Attributes
    ----------
    named : ndarray of shape (n_records,), dtype bool
        The members that can be named; ``False`` for all non-members.

    p_values : ndarray of shape (n_records,)
        Of each record, the false-positive rate at which it is accused: its rank among
        the non-members, itself included. A member's is spread over (0, 1] if nothing
        leaks.

    threshold : float
        The lowest score that is named; infinity if nobody can be.

    n_named, n_false_alarms : int
        Members, and non-members, with at least that score.

    false_discoveries : float
        The share of wrong ones expected among those named: with `n_false_alarms` = C of
        `n0` non-members, a new non-member is accused with (C + 1) / (n0 + 1). 0 if
        nobody is named.

    fewest : int
        The shortest list that so few non-members can support; more than there are
        members where nobody can be named whatever the scores.

    max_fdr, prior : float
        As asked for.

    note : str
        What a reader has to know where nobody is named.
    """

    named: np.ndarray
    p_values: np.ndarray
    threshold: float
    n_named: int
    n_false_alarms: int
    false_discoveries: float
    fewest: int
    max_fdr: float
    prior: float
    note: str = ""

    def __str__(self):
        """Return how many members can be named."""
        found = f"{self.n_named} of those known to be members can be named"
        return f"{found} ({self.note})" if self.note else found


def ranks_among_nonmembers(scores, is_member):
    """Return, for each record, the false-positive rate at which it is accused.

    The rank of a record among the non-members, itself included, ties against it: the
    conformal p-value of the hypothesis that it is one of them.
    """
    reference = np.sort(scores[~is_member])
    above = reference.size - np.searchsorted(reference, scores, side="left")
    return (above + is_member) / (reference.size + is_member)


def exposed_members(y_true, y_score, *, max_fdr=0.1, prior=0.5, pos_label=None):
    r"""Members that an attacker can name with few of those named wrong.

    The attacker knows `n0` non-members, and has a list of candidates of whom a share
    `prior` are members. Above a score t lie :math:`M(t)` of the `n1` members and
    :math:`C(t)` of the known non-members; a candidate who is no member is above it with
    :math:`p(t) = (C(t) + 1) / (n_0 + 1)`, the conformal p-value of t. Named is everyone
    at or above the lowest t with

    .. math:: \frac{(1 - prior)\, p(t)}{prior\, M(t) / n_1 + (1 - prior)\, p(t)}
              \le max\_fdr

    Then at most `max_fdr` of those named are wrong in expectation over known
    non-members and candidates, for any scores and any number of members, tied or not,
    if candidates who are no members are as likely to have any rank as the known ones.
    (:math:`V(t) / (1 + C(t))`, with V false names among `m` such candidates, is a
    supermartingale from low to high t, so :math:`E[V / p] \le m` at the t chosen; the
    share wrong is a concave function of V / p.) It is the procedure of Benjamini and
    Hochberg on conformal p-values with the share of non-members known, as it is in an
    audit: all known non-members are the reference, none is set aside as candidate, and
    the list does not depend on a draw.

    A list of `k` members needs ``n0 + 1 >= n1 / k * (1 - prior) / prior * (1 - max_fdr)
    / max_fdr``: with as many non-members as members and the defaults no list is shorter
    than 9 members, each above every non-member. So nobody named says little where
    `fewest` is large. To name persons, give the scores and the membership of persons,
    see :func:`sklearn_mia.groups.group_scores`, and leave mixed ones out.

    Parameters
    ----------
    y_true, y_score : array-like of shape (n_records,)
        Membership (``True`` or 1 for members) and finite scores. Higher means more
        likely a member.

    max_fdr : float, default=0.1
        The share of those named that may be wrong, a fraction in (0, 1).

    prior : float, default=0.5
        Share of members among the candidates, in (0, 1).

    pos_label : int, float, bool or str, default=None
        The label of members, if it is not ``True`` or 1.

    Returns
    -------
    exposed : ExposedMembers
        Who can be named, from which score on, and with how many errors.

    Raises
    ------
    ValueError
        If ``max_fdr >= 1 - prior``: naming every candidate is then right often enough.

    See Also
    --------
    min_nonmembers_to_name : Non-members needed before anybody can be named.
    positive_predictive_value : The share that is right at given rates.

    References
    ----------
    .. [1] S. Bates, E. Candes, L. Lei, Y. Romano and M. Sesia (2023). Testing for
       Outliers with Conformal p-values. Annals of Statistics 51.
    .. [2] Y. Benjamini and Y. Hochberg (1995). Controlling the False Discovery Rate: A
       Practical and Powerful Approach to Multiple Testing. JRSS B 57.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia.metrics import exposed_members
    >>> is_member = np.arange(400) < 200
    >>> score = np.random.default_rng(0).normal(size=400)
    >>> score[:30] += 6
    >>> exposed = exposed_members(is_member, score)
    >>> print(exposed)
    30 of those known to be members can be named
    >>> exposed.n_false_alarms, round(exposed.false_discoveries, 3), exposed.fewest
    (0, 0.032, 9)
    """
    max_fdr, prior = _check_rates(max_fdr, prior)
    scores, is_member = sides_of(y_true, y_score, pos_label)
    n1, n0 = np.count_nonzero(is_member), np.count_nonzero(~is_member)
    p_values = ranks_among_nonmembers(scores, is_member)
    values = np.unique(scores[is_member])
    above, wrong = (
        side.size - np.searchsorted(np.sort(side), values, side="left")
        for side in (scores[is_member], scores[~is_member])
    )
    allowed = _needed(max_fdr, prior) * (wrong + 1) / (n0 + 1)
    kept = np.flatnonzero(above / n1 >= allowed * (1 - _ROUNDING))
    fewest = math.ceil(_needed(max_fdr, prior) * n1 / (n0 + 1) * (1 - _ROUNDING))
    if not kept.size:
        note = f"so few non-members support no list of fewer than {fewest} members"
        if fewest > n1:
            least = min_nonmembers_to_name(max_fdr, prior=prior)
            note = (
                f"{n0} non-members support no list at all: at least {least} are needed"
            )
        return ExposedMembers(
            np.zeros(scores.size, dtype=bool),
            p_values,
            math.inf,
            0,
            0,
            0.0,
            fewest,
            max_fdr,
            prior,
            note,
        )
    place = kept[0]
    n_named, n_false_alarms = int(above[place]), int(wrong[place])
    right = positive_predictive_value(
        n_named / n1, expected_fpr(n_false_alarms, int(n0)), prior
    )
    return ExposedMembers(
        is_member & (scores >= values[place]),
        p_values,
        float(values[place]),
        n_named,
        n_false_alarms,
        1 - right,
        fewest,
        max_fdr,
        prior,
    )


def min_nonmembers_to_name(max_fdr=0.1, *, prior=0.5):
    """Non-members needed before any member can be named.

    The smallest ``n0`` with ``n0 + 1 >= (1 - prior) / prior * (1 - max_fdr) /
    max_fdr``: with fewer, :func:`exposed_members` names nobody even if every member
    scores above every non-member. To name one of `n1` members takes about `n1` times
    as many.

    Parameters
    ----------
    max_fdr : float, default=0.1
        The share of those named that may be wrong, a fraction in (0, 1).

    prior : float, default=0.5
        Share of members among the candidates, in (0, 1).

    Returns
    -------
    n_nonmembers : int
        The number of known non-members, at least 1.

    See Also
    --------
    exposed_members : Who can be named.

    Examples
    --------
    >>> from sklearn_mia.metrics import min_nonmembers_to_name
    >>> min_nonmembers_to_name(), min_nonmembers_to_name(prior=0.01)
    (8, 890)
    """
    max_fdr, prior = _check_rates(max_fdr, prior)
    return max(1, min_nonmembers_for_fpr(1 / _needed(max_fdr, prior)) - 1)


def _needed(max_fdr, prior):
    """Return the least ratio of the TPR to the FPR of a list that is right enough."""
    return (1 - prior) / prior * (1 - max_fdr) / max_fdr


def _check_rates(max_fdr, prior):
    max_fdr = checks.check_fraction(max_fdr, "max_fdr")
    prior = checks.check_fraction(prior, "prior")
    if max_fdr >= 1 - prior:
        raise ValueError(
            f"max_fdr={max_fdr!r} and prior={prior!r}: of all candidates a share of "
            f"{1 - prior:.3g} are no members, so naming every one of them is right "
            "often enough; expected max_fdr below 1 - prior: pass a smaller one."
        )
    return max_fdr, prior
