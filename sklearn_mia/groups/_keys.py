"""Keys of groups, with the values and the type that they came in."""

import re
import unicodedata
from numbers import Real

import numpy as np

# As a program may write an integer, or a list of gaps and integers.
_WHOLE_NUMBER = re.compile(r"0*([0-9]+)(?:\.0*)?")


def group_codes(groups, n_records):
    """Different keys of groups, and the place among them of each record's.

    Parameters
    ----------
    groups : array-like of shape (n_records,)
        Key of the group of each record.

    n_records : int
        How many there have to be.

    Returns
    -------
    keys : ndarray of shape (n_groups,)
        The different keys, ascending, with the values and the type that they came in.

    codes : ndarray of shape (n_records,), dtype int
        The place in `keys` of the key of each record.
    """
    groups = _keys(groups)
    if groups.size != n_records:
        raise ValueError(
            f"groups has {groups.size!r} keys for {n_records!r} records; expected one "
            "for each record, in the same order."
        )
    n_missing = int(np.count_nonzero(_is_missing(groups)))
    if n_missing:
        raise ValueError(
            f"groups has no key for {n_missing!r} of {n_records!r} records; expected "
            "one for each: give a record that belongs to no one else a key of its own, "
            "or leave it out."
        )
    if groups.dtype.kind != "O":
        keys, codes = np.unique(groups, return_inverse=True)
        if keys.dtype.kind == "U":
            _check_spelling(keys.tolist())
        return keys, codes.ravel()
    values = groups.tolist()
    kinds = sorted({_kind(value) for value in values})
    if len(kinds) > 1:
        raise ValueError(
            f"groups has keys of {len(kinds)} kinds, {', '.join(kinds)}; expected one: "
            "make them all text, or all numbers or dates. (1 and '1' may be one person "
            "or two.)"
        )
    try:
        ordered = sorted(set(values))
    except TypeError:
        raise ValueError(
            f"groups has keys of type {kinds[0]} that cannot be put in order (dates "
            "with and without a time zone cannot); expected numbers, text or dates of "
            "one kind: pass a name or a number for each group."
        ) from None
    if kinds == ["str"]:
        _check_spelling(ordered)
    place = {key: i for i, key in enumerate(ordered)}
    keys = np.empty(len(ordered), dtype=object)
    keys[:] = ordered
    return keys, np.array([place[value] for value in values], dtype=np.intp)


def _check_spelling(keys):
    """Raise ValueError if keys of text may be one key that was written in two ways."""
    n_alike = len(keys) - len(set(map(_plain, keys)))
    if n_alike:
        raise ValueError(
            f"groups has {n_alike} of {len(keys)} keys that equal another but for "
            "spaces or how a number is written (zeros in front, .0 behind); they may "
            "be one person or two. Write the key of a person in one way throughout, or "
            "number the persons if all of them are different."
        )


def _plain(key):
    """Text without what a program may write differently; case may tell two apart."""
    if not key.isascii():
        key = unicodedata.normalize("NFKC", key)
    key = " ".join(key.split())
    number = _WHOLE_NUMBER.fullmatch(key) if key[:1].isdigit() else None
    return number[1] if number else key


def _keys(groups):
    """Return the keys as an array that changed none of them."""
    if hasattr(groups, "to_numpy"):
        groups = groups.to_numpy()
    if (
        groups is None
        or isinstance(groups, (str, bytes))
        or not hasattr(groups, "__iter__")
    ):
        raise ValueError(
            f"groups={groups!r} is no column of keys; expected one for each record: "
            "pass the column itself, such as table['patient']."
        )
    if isinstance(groups, np.ma.MaskedArray):
        masked = np.ma.getmaskarray(groups)
        groups = groups.data.astype(object)
        groups[masked] = None
    if not isinstance(groups, np.ndarray):
        # An array of a list with 1 and "a" would hold "1" and "a".
        values = list(groups)
        groups = np.empty(len(values), dtype=object)
        groups[:] = values
        kinds = set(map(type, values))
        if len(kinds) == 1 and kinds <= {bool, int, float, str}:
            typed = np.array(values)
            # Integers that fit no type would become floats.
            groups = groups if int in kinds and typed.dtype.kind == "f" else typed
    if groups.ndim != 1 and groups.shape[1:] != (1,):
        raise ValueError(
            f"groups has shape {groups.shape!r}; expected one key for each record: "
            "pass a single column."
        )
    return groups.ravel()


def _is_missing(keys):
    if keys.dtype.kind == "O":
        return [_is_missing_key(key) for key in keys.tolist()]
    if keys.dtype.kind == "U":
        return np.char.strip(keys) == ""
    return keys != keys


def _is_missing_key(key):
    """Tell whether a key, or a part of one that is composed, is missing."""
    if isinstance(key, tuple):
        return any(map(_is_missing_key, key))
    return (
        key is None
        or type(key).__name__ in ("NAType", "NaTType")
        or key != key
        or (isinstance(key, str) and not key.strip())
    )


def _kind(key):
    """Return the name of the kind of a key: keys of one kind can be compared."""
    if isinstance(key, (bool, np.bool_)):
        return "bool"
    if isinstance(key, Real):
        return "number"
    return "str" if isinstance(key, str) else type(key).__name__
