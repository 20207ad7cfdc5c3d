"""What shadows said before: kept by joblib, and checked when it is read.

An entry holds its value as bytes, the number of the shadow and a digest of both and of
the key, so that an entry that is damaged, or that stands where another belongs, is
noticed and made again. Only its owner may read it.
"""

import hashlib
import inspect
import os
import pickle
import sys
from contextlib import suppress
from pathlib import Path

import joblib
import numpy as np
import sklearn
from sklearn.utils.validation import check_memory

from sklearn_mia._warn import warn
from sklearn_mia.readers import reader_key

__all__ = [
    "answer_of_shadow",
    "cache_key",
    "model_of_shadow",
    "open_memory",
    "remembered",
]

_OWNER_ONLY_FOLDER, _OWNER_ONLY_FILE = 0o700, 0o600


def open_memory(memory):
    """A cache from what the user gave as `memory`.

    Parameters
    ----------
    memory : str or object with the joblib.Memory interface
        A folder that is not there is made for its owner alone.

    Returns
    -------
    memory : object with the joblib.Memory interface
    """
    if isinstance(memory, str):
        _make_folder(Path(memory, "joblib"))
    memory = check_memory(memory)
    store = getattr(getattr(memory, "store_backend", None), "location", None)
    if isinstance(store, str) and os.path.isdir(store):
        with suppress(OSError):  # a cache that can only be read
            _make_folder(Path(store, "sklearn_mia"))
    return memory


def _make_folder(path):
    """Make a folder and those above it; the ones that are there stay as they are."""
    for folder in (*reversed(path.parents), path):
        if not folder.is_dir():
            folder.mkdir(_OWNER_ONLY_FOLDER, exist_ok=True)


# What joblib keeps: by the name of the function, the key and the number.


def answer_of_shadow(key, shadow, make):
    """Sealed answer of a shadow; see :func:`remembered`."""
    return _sealed("answer", key, shadow, make())


def model_of_shadow(key, shadow, make):
    """Sealed shadow; see :func:`remembered`."""
    return _sealed("model", key, shadow, make())


def _sealed(kind, key, shadow, value):
    payload = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    return shadow, _digest(kind, key, shadow, payload), payload


def _unsealed(kind, key, shadow, entry):
    number, digest, payload = entry
    if number != shadow or digest != _digest(kind, key, shadow, payload):
        raise ValueError("The entry is damaged, or of another shadow.")
    return pickle.loads(payload)


def _digest(kind, key, shadow, payload):
    digest = hashlib.blake2b(f"{kind} {key} {shadow} ".encode(), digest_size=32)
    digest.update(payload)
    return digest.hexdigest()


def remembered(memory, function, key, shadow, make):
    """What a shadow gave before, or gives now.

    Parameters
    ----------
    memory : object with the joblib.Memory interface

    function : {answer_of_shadow, model_of_shadow}

    key : str
        From :func:`cache_key`.

    shadow : int

    make : callable
        Gives the value, if the cache does not.

    Returns
    -------
    value : object

    damaged : bool
        Whether there was an entry that could not be used; it was made again.
    """
    kind = function.__name__.partition("_")[0]
    made, failed = [], []

    def run():
        try:
            made.append(make())
        except BaseException as error:
            failed.append(error)
            raise
        return made[0]

    cached = memory.cache(function, ignore=["make"])
    # joblib would log an entry that it cannot read with the call and the traceback.
    shelve = getattr(cached, "call_and_shelve", None) or _Shelf(cached)
    entry = None
    try:
        entry = shelve(key, shadow, run)
        value = made[0] if made else _unsealed(kind, key, shadow, entry.get())
        damaged = False
    except Exception:
        # A value that cannot be pickled is made, but not kept.
        damaged = not made
        with suppress(Exception):
            if damaged and not failed:
                entry.clear()
                entry = shelve(key, shadow, run)
        if failed:
            raise failed[0] from None
        value = made[0] if made else make()
    if made:
        _keep_private(entry)
    return value, damaged


class _Shelf:
    """Stands for `call_and_shelve` where a cache of the user's own has none."""

    def __init__(self, cached):
        self._cached = cached

    def __call__(self, *args):
        self._value = self._cached(*args)
        return self

    def get(self):
        return self._value

    def clear(self):
        raise NotImplementedError


def _keep_private(entry):
    """Let only the owner read an entry: it tells who was in the training data."""
    with suppress(AttributeError, OSError, TypeError):
        folder = Path(entry.store_backend.location, entry.func_id, entry.args_id)
        folder.chmod(_OWNER_ONLY_FOLDER)
        for file in folder.iterdir():
            file.chmod(_OWNER_ONLY_FILE)


def cache_key(recipe, ids, features, classes, reader, seed, fit_params):
    """Key of the cache of one fit, hashed once for all its shadows.

    It holds the ordered record ids and the dtypes, the class set, the unfitted recipe
    with the code of the functions and classes of the user inside it, the fit
    parameters, the versions of the packages and the root seed. Code that the recipe
    reaches in other modules is not tracked.

    Parameters
    ----------
    recipe : estimator instance

    ids : ndarray of shape (n_records,)
        From :func:`sklearn_mia.records.record_ids`.

    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)

    classes : ndarray of shape (n_classes,)

    reader : Reader

    seed : int

    fit_params : dict

    Returns
    -------
    key : str or None
        None, with a warning, if something in the recipe cannot be hashed.
    """
    from sklearn_mia import __version__

    dtypes = getattr(features, "dtypes", getattr(features, "dtype", None))
    names = getattr(features, "columns", None)
    try:
        parts = [
            ids,
            type(features).__qualname__,
            [str(d) for d in np.atleast_1d(np.asarray(dtypes, dtype=object))],
            None if names is None else [str(name) for name in names],
            [repr(c) for c in classes.tolist()],
            reader_key(reader),
            _describe(recipe),
            {k: np.asarray(v) for k, v in fit_params.items()},
            (sklearn.__version__, __version__),
            seed,
        ]
        return joblib.hash(parts)
    except Exception as error:  # whatever a user's object does when it is pickled
        warn(
            f"memory is not used: the recipe {type(recipe).__name__} cannot be hashed "
            f"({type(error).__name__}: {error}). Its shadows are trained again at "
            "every fit."
        )
        return None


def _describe(value):
    """What a value in a recipe is, code of functions and classes included."""
    if hasattr(value, "get_params") and not inspect.isclass(value):
        params = value.get_params(deep=False)
        return _describe(type(value)), {k: _describe(v) for k, v in params.items()}
    if isinstance(value, (list, tuple)):
        return type(value).__qualname__, [_describe(v) for v in value]
    if isinstance(value, dict):
        return [(repr(k), _describe(v)) for k, v in value.items()]
    if inspect.isclass(value):
        package = sys.modules.get(value.__module__.partition(".")[0])
        version = getattr(package, "__version__", None)
        source = None if version is not None else inspect.getsource(value)
        return value.__module__, value.__qualname__, version, source
    code = getattr(value, "__code__", None)
    if code is not None:
        closure = [c.cell_contents for c in value.__closure__ or ()]
        bound = getattr(value, "__defaults__", None), closure
        return _describe_code(code), _describe(list(bound))
    if callable(value) and hasattr(value, "__qualname__"):
        return value.__module__, value.__qualname__
    return value


def _describe_code(code):
    constants = [
        _describe_code(c) if inspect.iscode(c) else repr(c) for c in code.co_consts
    ]
    return code.co_code, constants, code.co_names
