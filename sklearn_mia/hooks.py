"""What users hand in, signals and hooks: named, called and checked in one place."""

import re
import traceback
from functools import partial
from pathlib import Path

import numpy as np
from joblib import parallel_config
from joblib.parallel import get_active_backend

from sklearn_mia.redaction import PERHAPS_A_VALUE, without_values
from sklearn_mia.tables import read_only

_NUMBERS = "biuf"
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]*")
# Their texts name what code lacks, in quotes.
_ABOUT_CODE = (AttributeError, ImportError, NameError)
_MOST_OF_A_TEXT = 500
# What code of others may raise where it fails: one that ends the program, as after a
# wrong option, must not end an audit as if it were done.
FAILURES = (Exception, SystemExit)


def in_one_order():
    """Context in which a model that names no number of jobs has one.

    Else those of a `joblib.parallel_config` around an audit would be its own, too: a
    forest adds up what its trees say in the order in which they end, and a fit inside
    a worker of Dask would send its parts to the others.

    Returns
    -------
    context : context manager
        To be entered around a call of the model.
    """
    backend, _ = get_active_backend()
    # Others take as many jobs as their cluster has, whatever they are told.
    known = type(backend).__module__.startswith("joblib._parallel_backends")
    return parallel_config(n_jobs=1) if known else parallel_config(backend="sequential")


def callable_name(function):
    """What a callable is called where it is defined, a `partial` as its function."""
    while isinstance(function, partial):
        function = function.func
    name = getattr(function, "__name__", None)
    return name if isinstance(name, str) else type(function).__name__


def shown(value):
    """Text of a value for a message or a report, without addresses in memory.

    Parameters
    ----------
    value : object
        A parameter, say, or what holds some.

    Returns
    -------
    text : str
        The name of a function, else what `repr` says.
    """
    if isinstance(value, (list, tuple)):
        inner = ", ".join(map(shown, value))
        return f"[{inner}]" if isinstance(value, list) else f"({inner})"
    named = isinstance(getattr(value, "__name__", None), str)
    if isinstance(value, partial) or (named and not isinstance(value, type)):
        return callable_name(value)
    return without_addresses(repr(value))


def without_addresses(text):
    """Text without the addresses in memory that `repr` gives functions and objects."""
    return _ADDRESS.sub("", text)


def cause_of(error, *tables):
    """What went wrong, and where, without values of records.

    Parameters
    ----------
    error : Exception
        As it was caught.

    *tables : {ndarray, sparse matrix, DataFrame}
        The records, if they are at hand: then only what is in them is left out.

    Returns
    -------
    cause : str
        Its type and place, and the first line of its text in which all that may come
        from a record is left out; names that code lacks stay.
    """
    text = str(error).strip()
    if tables:
        text = without_values(text, *tables)
    elif isinstance(error, KeyError):
        text = ""
    elif not isinstance(error, _ABOUT_CODE):
        text = PERHAPS_A_VALUE.sub("...", text)
    text = text.split("\n")[0][:_MOST_OF_A_TEXT].rstrip(".")
    frames = traceback.extract_tb(error.__traceback__)
    place = f" (in {frames[-1].name}, {_place(frames[-1])})" if frames else ""
    return f"{type(error).__name__}{f': {text}' if text else ''}{place}."


def _place(frame):
    return f"line {frame.lineno} of {Path(frame.filename).name}"


def frozen(values):
    """An array as a view that nobody can write through, all else as it is."""
    return read_only(values) if isinstance(values, np.ndarray) else values


def check_returned(values, n_records, name, *, several=False):
    """Check what a signal or a hook of a user returned.

    Parameters
    ----------
    values : object
        What was returned.

    n_records : int or None
        Numbers expected; None takes any number from 1.

    name : str
        Of the signal or the hook, for the message.

    several : bool, default=False
        Whether a record may have several numbers, on further axes.

    Returns
    -------
    values : ndarray of shape (n_records,), or more axes if `several`
        Floats; what is masked is NaN.

    Raises
    ------
    ValueError
        If it is not one real number a record.
    """
    array = _as_numbers(values)
    fits = array is not None and array.ndim >= 1 and (several or array.ndim == 1)
    if fits and (len(array) == n_records or (n_records is None and len(array))):
        keeps = several and array.dtype.kind == "f"
        return array if keeps else array.astype(np.float64, copy=False)
    shape = f"({'n' if n_records is None else n_records},{' ...' * several})"
    raise ValueError(
        f"{name} returned {_described(values)}; expected real numbers of shape "
        f"{shape}, one a record{' or several' * several}, with NaN for a record that "
        "it cannot tell."
    )


def _as_numbers(values):
    try:
        if isinstance(values, np.ma.MaskedArray) and values.dtype.kind in _NUMBERS:
            return values.astype(np.float64).filled(np.nan)
        array = np.asarray(values)
    except (TypeError, ValueError):
        return None
    return array if array.dtype.kind in _NUMBERS else None


def _described(values):
    if values is None:
        return "None"
    what = type(values).__name__
    shape, dtype = getattr(values, "shape", None), getattr(values, "dtype", None)
    if isinstance(values, (list, tuple)):
        return f"a {what} of length {len(values)}"
    of_shape = "" if shape is None else f" of shape {tuple(shape)}"
    return f"{what}{of_shape}{'' if dtype is None else f' and dtype {dtype}'}"


def check_parameters(model):
    """Raise ValueError for a model of scikit-learn that has lost a parameter.

    Parameters
    ----------
    model : estimator
        With its steps. Of other packages some keep theirs elsewhere, and pass.
    """
    if not hasattr(model, "get_params"):
        return
    try:
        model.get_params()
    except AttributeError as error:
        if not is_of_scikit_learn(error.obj):
            return
        raise ValueError(
            f"The target {type(model).__name__} lacks a parameter: {error}. Nobody "
            "could train another like it. Another version of its package saved it, or "
            "it is damaged: use that version, or train it again."
        ) from error


def is_of_scikit_learn(estimator):
    """Whether scikit-learn itself defines the class of an object."""
    return type(estimator).__module__.startswith("sklearn.")
