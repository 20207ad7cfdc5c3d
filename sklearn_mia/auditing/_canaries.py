"""Canaries: records made to be remembered, of the kind of those of a table."""

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import _num_samples

from sklearn_mia._choices import CANARIES
from sklearn_mia._views import in_message
from sklearn_mia.auditing._canary_cells import far_records, rare_records
from sklearn_mia.auditing._case import side_table
from sklearn_mia.checks import check_count, generator_of
from sklearn_mia.identity import record_ids
from sklearn_mia.items import one_shape
from sklearn_mia.records import as_labels, check_no_gaps
from sklearn_mia.tables import stack_tables, take

_ROUNDS = 8
# Numbers of more different values are values to predict, or as good as that.
_MOST_CLASSES = 32


def make_canaries(X, y, n, *, kind=CANARIES, random_state=None):
    """Make records that a model which remembers anything will remember.

    They go with :func:`audit_recipe`, which puts each into the training data by a coin
    of its own. What they look like does not decide whether a bound on epsilon holds,
    only how large it is.

    - "flipped": records of the table with another label; of more than 32 numbers, which
      are values to predict, the one as far from the other end.
    - "rare": combinations that nobody has. Each column on its own gives one of its
      rarest values, or of its outermost numbers; a document has rare words, an array
      cells of other arrays, a dictionary values of others. The label is any.
    - "far": the same, with numbers beyond all others, above the largest or below the
      smallest by the range of the column; no column gets its first negative number. A
      document has words that nobody used, an array cells at either end.

    Columns of at most 32 different values, text and categories only get values that
    they have, so that an encoder knows them.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_features)
        Records, or documents, images and the like.

    y : array-like of shape (n_records,)
        Their labels.

    n : int
        Canaries to make. They differ from each other and from all records.

    kind : {"flipped", "rare", "far"} or tuple of them, \
            default=("flipped", "rare", "far")
        Several share `n`, in this order.

    random_state : int, Generator, RandomState or None, default=None
        Seed of what they look like. A generator given here is not advanced.

    Returns
    -------
    X_canaries : same container as X, of shape (n, n_features)
        With its types and categories.

    y_canaries : same container as y, of shape (n,)
        Labels that `y` has.

    Raises
    ------
    ValueError
        If `kind` is none of these, `y` has a single label or misses some, two columns
        of X have one name, or the records do not allow
        `n` different canaries.

    See Also
    --------
    audit_recipe : Trains on a random half of them, and bounds epsilon.

    References
    ----------
    .. [1] M. Jagielski, J. Ullman and A. Oprea (2020). Auditing Differentially Private
       Machine Learning: How Private is Private SGD? NeurIPS.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_mia import make_canaries
    >>> X, y = load_iris(return_X_y=True)
    >>> X_canaries, y_canaries = make_canaries(X, y, 10, kind="far", random_state=0)
    >>> X_canaries.shape, bool((X_canaries > X.max(axis=0)).any())
    ((10, 4), True)
    """
    return make_of_kinds(X, y, n, kind, random_state)[:2]


def make_of_kinds(X, y, n, kind, random_state):
    """Canaries as :func:`make_canaries` makes them, and the kind of each.

    Parameters
    ----------
    X, y, n, kind, random_state
        As there.

    Returns
    -------
    X_canaries, y_canaries : same containers

    kinds : ndarray of shape (n,)
    """
    n = check_count(n, "n", 1)
    kinds = check_kinds(kind)
    generator = generator_of(random_state, "make_canaries")
    X, labels = side_table(X, "X"), as_labels(y)
    if len(labels) != _num_samples(X):
        raise ValueError(f"y has {len(labels)} labels for {_num_samples(X)} records.")
    check_no_gaps(labels)
    own_format = X.format if sp.issparse(X) else None
    X = X.tocsr() if own_format else X
    other_labels = _labels_of(labels)
    known = record_ids(X, labels, item_shape=one_shape(X))
    parts, rows, told = None, [], []
    for which, share in zip(
        kinds, np.array_split(np.arange(n), len(kinds)), strict=True
    ):
        if not len(share):
            continue
        made, chosen, known = _different(
            which, X, labels, other_labels, len(share), known, generator
        )
        parts = made if parts is None else stack_tables(parts, made)
        rows.append(chosen)
        told.append(np.repeat(which, len(share)))
    parts = parts.asformat(own_format) if own_format else parts
    return parts, take(y, np.concatenate(rows)), np.concatenate(told)


def check_kinds(kind):
    """Kinds of canaries as a tuple.

    Parameters
    ----------
    kind : str or tuple of str
    """
    kinds = [kind] if isinstance(kind, str) or not np.iterable(kind) else list(kind)
    known = [one for one in kinds if isinstance(one, str) and one in CANARIES]
    if not kinds or len({*known}) < len(kinds):
        raise ValueError(
            f"kind={in_message(kind)} is no kind of canaries; expected one or several "
            f"of {', '.join(map(repr, CANARIES))}."
        )
    return tuple(kinds)


def _different(which, X, labels, other_labels, n, known, generator):
    """Canaries of one kind, the rows that their labels are of, and all known ids."""
    found, chosen, n_found = None, [], 0
    for _ in range(_ROUNDS):
        rows = generator.integers(_num_samples(X), size=2 * n)
        if which == "flipped":
            made, of_label = take(X, rows), other_labels(rows, generator)
        else:
            make = rare_records if which == "rare" else far_records
            made = make(X, rows, generator)
            of_label = generator.permutation(other_labels(rows, generator))
        ids = record_ids(made, labels[of_label], item_shape=one_shape(X))
        first = np.zeros(len(ids), dtype=bool)
        first[np.unique(ids, return_index=True)[1]] = True
        new = np.flatnonzero(first & ~np.isin(ids, known))[: n - n_found]
        if len(new):
            made = take(made, new)
            found = made if found is None else stack_tables(found, made)
            chosen.append(of_label[new])
            known = np.concatenate([known, ids[new]])
            n_found += len(new)
        if n_found == n:
            return found, np.concatenate(chosen), known
    raise ValueError(
        f"Only {n_found} of {n} different canaries of the kind {which!r} could be made "
        "of the records of X. Pass a smaller n, or another kind."
    )


def _labels_of(labels):
    """Function that gives for rows others, the labels of which they shall have."""
    values = labels.astype(str) if labels.dtype == object else labels
    unique, first, codes = np.unique(values, return_index=True, return_inverse=True)
    if len(unique) < 2:
        raise ValueError(
            f"y has the single label {labels.tolist()[0]!r}; expected at least two, "
            "one of them wrong for each canary."
        )
    if labels.dtype.kind in "iuf" and len(unique) > _MOST_CLASSES:
        order = np.argsort(labels, kind="stable")
        mirrored = np.empty(len(labels), dtype=int)
        mirrored[order] = order[::-1]
        return lambda rows, generator: mirrored[rows]

    def other(rows, generator):
        shift = generator.integers(1, len(unique), size=len(rows))
        return first[(codes[rows] + shift) % len(unique)]

    return other
