"""The share of a table that a model was trained on."""

import math

import numpy as np
from scipy import stats
from scipy.optimize import isotonic_regression

from sklearn_mia import checks
from sklearn_mia.metrics._intervals import Interval
from sklearn_mia.metrics._rates import sides_of

_FEWEST = 10
_N_FOLDS = 5


def dataset_usage(
    y_true,
    y_score,
    table_scores,
    *,
    confidence=0.95,
    pos_label=None,
    random_state=0,
):
    r"""Share of a table that was in the training data, without naming a record.

    With :math:`\bar g` the mean of a function of the score over the table, over known
    members and over known non-members,

    .. math:: usage = \frac{\bar g_{table} - \bar g_{out}}{\bar g_{in} - \bar g_{out}}

    Any function will do that separates the two. For an alarm above a threshold this is
    ``(q - f) / (t - f)``, the share accused less the false alarms; here it is the share
    of members among known records with such a score, each side weighing one half: an
    isotonic regression, close to the best function there is. It is learned on four
    fifths of the known records and averaged over the last, five times, so that it does
    not flatter itself. Width of the interval where nothing of a table of 1,000 was
    used, with 1,000 known records of each side (``benchmarks/bench_usage.py``):

    ========================  ==============  =====  =========
    scores                    share by score  ranks  threshold
    ========================  ==============  =====  =========
    normal, a third of an sd        .31        .28      .44
    normal, one sd                  .10        .10      .14
    normal, two and a half          .04        .05      .05
    5 % of members exposed          .18        .87      .74
    ========================  ==============  =====  =========

    (The threshold is that of the largest advantage on half of the known records.)

    The interval is Fieller's: all shares :math:`u` in [0, 1] with
    :math:`(\bar g_{table} - u\, \bar g_{in} - (1 - u)\, \bar g_{out})^2 \le t^2 v(u)`,

    .. math:: v(u) = \frac{u\, s_{in}^2 + (1 - u)\, s_{out}^2}{N}
                   + \frac{u^2 s_{in}^2}{n_{in}} + \frac{(1 - u)^2 s_{out}^2}{n_{out}}

    with the variances :math:`s^2` of g as if two more records of each side had g = 0
    and g = 1, so that an attack without an error on the known records is not taken for
    one that never errs. It is about this table, not about a population of tables.

    The records of the table have to be scored as the known ones are: members of it as
    known members, and non-members alike. Take known and unknown records from one
    source, score them in one call, and count persons (see
    :func:`sklearn_mia.groups.group_scores`) where records come in groups.

    Parameters
    ----------
    y_true, y_score : array-like of shape (n_records,)
        Membership (``True`` or 1 for members) and finite scores. Higher means more
        likely a member.

    table_scores : array-like of shape (n_table,)
        Finite scores of other records, the table, whose membership is unknown.

    confidence : float, default=0.95
        Confidence level, a fraction in (0, 1).

    pos_label : int, float, bool or str, default=None
        The label of members, if it is not ``True`` or 1.

    random_state : int, Generator, RandomState or None, default=0
        Seed of the fifths. A generator given here is not advanced.

    Returns
    -------
    usage : Interval
        The share and its interval. Where known members and non-members cannot be told
        apart, or the table is unlike both, the estimate is NaN, the interval is all of
        [0, 1], and `note` says so.

    Raises
    ------
    ValueError
        If fewer than 10 members, 10 non-members or 10 records of the table are given.

    See Also
    --------
    exposed_members : Which members can be named.

    References
    ----------
    .. [1] Y. Tong, J. Ye, S. Zarifzadeh and R. Shokri (2025). How Much of My Dataset
       Did You Use? Quantitative Data Usage Inference in Machine Learning. ICLR.
    .. [2] E. C. Fieller (1954). Some Problems in Interval Estimation. JRSS B 16.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia.metrics import dataset_usage
    >>> rng = np.random.default_rng(0)
    >>> is_member = np.arange(2000) < 1000
    >>> score = rng.normal(size=2000) + is_member
    >>> table = rng.normal(size=500) + (np.arange(500) < 150)
    >>> print(dataset_usage(is_member, score, table))
    0.271 [0.159, 0.377]
    """
    confidence = checks.check_fraction(confidence, "confidence")
    scores, is_member = sides_of(y_true, y_score, pos_label)
    table = checks.check_scores(table_scores, "table_scores")
    sides = scores[is_member], scores[~is_member]
    sizes = [side.size for side in (*sides, table)]
    if min(sizes) < _FEWEST:
        raise ValueError(
            f"y_true has {sizes[0]!r} members and {sizes[1]!r} non-members, and "
            f"table_scores {sizes[2]!r} records; expected at least {_FEWEST} of each: "
            "pass more records."
        )
    generator = checks.generator_of(random_state, "dataset_usage")
    # Sorted, so that the folds do not depend on the order of the records.
    in_values, out_values, table_mean = _evidence(
        *map(np.sort, sides), np.sort(table), generator
    )
    quantile = float(stats.t.isf((1 - confidence) / 2, min(sizes[:2]) - 1))
    ends = fieller_ends(
        (table_mean, table.size), _moments(in_values), _moments(out_values), quantile
    )
    note = ""
    if ends is None:
        note = "known members and non-members cannot be told apart"
    elif ends[1] < 0 or ends[0] > 1:
        note = "the table scores below known non-members or above known members"
    if note:
        return Interval(math.nan, 0.0, 1.0, confidence, "none", note)
    gap = in_values.mean() - out_values.mean()
    low, share, high = np.clip(
        [ends[0], (table_mean - out_values.mean()) / gap, ends[1]], 0, 1
    )
    return Interval(
        float(share),
        float(low),
        float(high),
        confidence,
        "Fieller, share of members by score",
    )


def _evidence(members, nonmembers, table, generator):
    """Return g of each known record, learned without it, and its mean over the table.

    `g` is the share of members by score, each side weighing one half.
    """
    sides = members, nonmembers
    folds = [generator.permutation(np.arange(side.size) % _N_FOLDS) for side in sides]
    values = [np.empty(side.size) for side in sides]
    of_table = []
    for fold in range(_N_FOLDS):
        held = [of_side == fold for of_side in folds]
        known, shares = share_by_score(
            *(side[~out] for side, out in zip(sides, held, strict=True))
        )
        for value, side, out in zip(values, sides, held, strict=True):
            value[out] = np.interp(side[out], known, shares)
        of_table.append(np.interp(table, known, shares).mean())
    return *values, float(np.mean(of_table))


def share_by_score(members, nonmembers):
    """Return the different scores, and the share of members by score, never falling.

    Each side weighs one half.
    """
    sides = members, nonmembers
    known, place = np.unique(np.concatenate(sides), return_inverse=True)
    weight = np.repeat([0.5 / side.size for side in sides], [s.size for s in sides])
    of_both = np.bincount(place, weight)
    of_members = np.bincount(place[: members.size], weight[: members.size], known.size)
    return known, isotonic_regression(of_members / of_both, weights=of_both).x


def _moments(values):
    """Return the mean, the variance with one more record at 0 and at 1, the number."""
    with_ends = np.concatenate([values, [0.0, 1.0]])
    return float(values.mean()), float(with_ends.var(ddof=1)), values.size


def fieller_ends(table, members, nonmembers, quantile):
    """Return the shares u at which `table` may be a mixture, or None for any share.

    Parameters
    ----------
    table : (float, int)
        Mean of the table, and the number of its records.

    members, nonmembers : (float, float, int)
        Mean, variance and number of the known records of each side.

    quantile : float
        How many standard deviations off a mixture may be.
    """
    mean, n_table = table
    mean_in, var_in, n_in = members
    mean_out, var_out, n_out = nonmembers
    gap, over = mean_in - mean_out, mean - mean_out
    square = gap**2 - quantile**2 * (var_in / n_in + var_out / n_out)
    if square <= 0 or gap <= 0:
        return None
    half = over * gap + quantile**2 / 2 * (
        (var_in - var_out) / n_table - 2 * var_out / n_out
    )
    rest = over**2 - quantile**2 * var_out * (1 / n_table + 1 / n_out)
    root = math.sqrt(max(0.0, half**2 - square * rest))
    return (half - root) / square, (half + root) / square
