"""What was found before: kept by joblib, and checked when it is read.

An entry holds its value as bytes, the number of the shadow or the name of the part, and
a digest of both and of the key, so that an entry that is damaged, or that stands where
another belongs, is noticed and made again. Only its owner may read it.
"""

import hashlib
import inspect
import os
import pickle
import sys
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path

import joblib
import numpy as np
import scipy
import sklearn
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_memory

from sklearn_mia._warn import warn

__all__ = [
    "answer_of_shadow",
    "batch_of_service",
    "cache_key",
    "content_key",
    "described",
    "found",
    "keeping",
    "kept",
    "kept_batches",
    "memory_at_work",
    "model_of_shadow",
    "open_memory",
    "package_versions",
    "part_of_work",
    "remembered",
    "table_key",
]

# Of the long work that is going on in this thread.
_MEMORY = ContextVar("memory", default=None)
_OWNER_ONLY_FOLDER, _OWNER_ONLY_FILE = 0o700, 0o600


def open_memory(memory):
    """A cache from what the user gave as `memory`.

    Parameters
    ----------
    memory : str, Path or object with the joblib.Memory interface
        A folder that is not there is made for its owner alone; ``~`` is one's home.

    Returns
    -------
    memory : object with the joblib.Memory interface
    """
    if isinstance(memory, (str, os.PathLike)):
        memory = os.path.expanduser(memory)
        if not memory:
            raise ValueError(
                "memory='' is no folder; expected the path of one, which is made if it "
                "is not there, or None."
            )
        if os.path.isfile(memory):
            raise ValueError(
                f"memory={memory!r} is a file; expected a folder, which is made if it "
                "is not there."
            )
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


def part_of_work(key, part, make):
    """Sealed part of a long work; see :func:`kept`."""
    return _sealed("part", key, part, make())


def batch_of_service(key, number, make):
    """Sealed answers of a service; see :func:`kept_batches`."""
    return _sealed("batch", key, number, make())


def _sealed(kind, key, name, value):
    payload = pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)
    return name, _digest(kind, key, name, payload), payload


def _unsealed(kind, key, name, entry):
    found, digest, payload = entry
    if found != name or digest != _digest(kind, key, name, payload):
        raise ValueError("The entry is damaged, or of another shadow or part.")
    return pickle.loads(payload)


def _digest(kind, key, name, payload):
    digest = hashlib.blake2b(f"{kind} {key} {name} ".encode(), digest_size=32)
    digest.update(payload)
    return digest.hexdigest()


def remembered(memory, function, key, name, make):
    """What a shadow, or a part of a work, gave before, or gives now.

    Parameters
    ----------
    memory : object with the joblib.Memory interface

    function : {answer_of_shadow, model_of_shadow, part_of_work, batch_of_service}

    key : str
        Of all that it depends on.

    name : int or str
        Number of the shadow or batch, or name of the part.

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
        entry = shelve(key, name, run)
        value = made[0] if made else _unsealed(kind, key, name, entry.get())
        damaged = False
    except Exception:
        # A value that cannot be pickled is made, but not kept.
        damaged = not made
        with suppress(Exception):
            if damaged and not failed:
                entry.clear()
                entry = shelve(key, name, run)
        if failed:
            raise failed[0] from None
        value = made[0] if made else make()
    if made:
        _keep_private(entry)
    return value, damaged


def found(memory, function, key, name):
    """What a cache has, or a LookupError; nothing is made.

    Parameters
    ----------
    memory, function, key, name
        As in :func:`remembered`.

    Returns
    -------
    value : object
    """

    def absent():
        raise LookupError

    return remembered(memory, function, key, name, absent)[0]


def kept_batches(memory, key):
    """All batches of answers that are kept of a service, one after the other.

    Parameters
    ----------
    memory : object with the joblib.Memory interface

    key : str
        Of the service.

    Yields
    ------
    batch : tuple of int and object
        Number and value. One that is damaged is left out.
    """
    number = missed = 0
    while missed < 2:
        try:
            value = found(memory, batch_of_service, key, number)
        except LookupError:
            missed += 1
        else:
            missed = 0
            yield number, value
        number += 1


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


@contextmanager
def keeping(memory):
    """Keep in a cache the parts of the long work that is done inside.

    Parameters
    ----------
    memory : str, Path, object with the joblib.Memory interface or None
        As :func:`open_memory` takes it; None keeps nothing.

    Yields
    ------
    memory : object with the joblib.Memory interface or None
    """
    memory = None if memory is None else open_memory(memory)
    token = _MEMORY.set(memory)
    try:
        yield memory
    finally:
        _MEMORY.reset(token)


def memory_at_work():
    """The cache of the long work that is going on, or None."""
    return _MEMORY.get()


def kept(part, inputs, make):
    """What a part of a long work gave before, or gives now.

    Outside of :func:`keeping` it is made. So it is where the inputs cannot be hashed.

    Parameters
    ----------
    part : str
        What it is called if its entry was damaged.

    inputs : callable
        Gives all that the part depends on, to be hashed with the versions of the
        packages; asked only where there is a cache.

    make : callable

    Returns
    -------
    value : object
    """
    memory = _MEMORY.get()
    key = None if memory is None else content_key(part, inputs)
    if key is None:
        return make()
    value, damaged = remembered(memory, part_of_work, key, part, make)
    if damaged:
        warn(
            f"What memory held of {part} was damaged or belonged elsewhere; made again."
        )
    return value


def content_key(part, inputs):
    """Key of a part of a work, by the content of all that it depends on.

    Parameters
    ----------
    part : str

    inputs : callable
        Gives a tuple of values that can be pickled.

    Returns
    -------
    key : str or None
        None, with a warning, if something in it cannot be hashed.
    """
    try:
        return joblib.hash((part, inputs(), package_versions()))
    except Exception as error:  # whatever a user's object does when it is pickled
        warn(
            f"memory is not used for {part}: what it depends on cannot be hashed "
            f"({type(error).__name__}). It is made again every time."
        )
        return None


def package_versions():
    """Versions of the packages that a result depends on, by name."""
    from sklearn_mia import __version__

    return {
        "sklearn_mia": __version__,
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }


def table_key(ids, features):
    """What a table of records is, by content: to be hashed.

    Parameters
    ----------
    ids : ndarray of shape (n_records,)
        From :func:`sklearn_mia.identity.record_ids`.

    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)

    Returns
    -------
    parts : list
        The ids in their order, the container, the types and the names of the columns.
    """
    dtypes = getattr(features, "dtypes", getattr(features, "dtype", None))
    names = getattr(features, "columns", None)
    # An array of images has the ids of the table of its cells.
    deeper = getattr(features, "shape", ())[2:]
    return [
        ids,
        *deeper,
        type(features).__qualname__,
        [_described_dtype(d) for d in np.atleast_1d(np.asarray(dtypes, dtype=object))],
        None if names is None else [str(name) for name in names],
    ]


def _described_dtype(dtype):
    """A type as text; equal values of other categories are other numbers to a model."""
    categories = getattr(dtype, "categories", None)
    return str(dtype), None if categories is None else [repr(c) for c in categories]


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

    classes : ndarray of shape (n_classes,) or None

    reader : tuple
        From :func:`sklearn_mia.readers.reader_key`.

    seed : int

    fit_params : dict

    Returns
    -------
    key : str or None
        None, with a warning, if something in the recipe cannot be hashed.
    """
    try:
        parts = [
            *table_key(ids, features),
            None if classes is None else [repr(c) for c in classes.tolist()],
            reader,
            described(recipe),
            {k: np.asarray(v) for k, v in fit_params.items()},
            package_versions(),
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


def described(value):
    """What a value in a recipe is, code of functions and classes included.

    Parameters
    ----------
    value : object
        An estimator is its parameters: what it learned is left out, as `clone` does.

    Returns
    -------
    parts : object
        To be hashed.
    """
    if isinstance(value, FrozenEstimator):
        return described(type(value)), value.estimator
    if hasattr(value, "get_params") and not inspect.isclass(value):
        params = value.get_params(deep=False)
        return described(type(value)), {k: described(v) for k, v in params.items()}
    if isinstance(value, (list, tuple)):
        return type(value).__qualname__, [described(v) for v in value]
    if isinstance(value, dict):
        return [(repr(k), described(v)) for k, v in value.items()]
    if inspect.isclass(value):
        package = sys.modules.get(value.__module__.partition(".")[0])
        version = getattr(package, "__version__", None)
        source = None if version is not None else _source_of(value)
        return value.__module__, value.__qualname__, version, source
    code = getattr(value, "__code__", None)
    if code is not None:
        closure = [c.cell_contents for c in value.__closure__ or ()]
        bound = getattr(value, "__defaults__", None), closure
        return _describe_code(code), described(list(bound))
    if callable(value) and hasattr(value, "__qualname__"):
        return value.__module__, value.__qualname__
    return value


def _source_of(cls, tries=10):
    for left in reversed(range(tries)):
        try:
            return inspect.getsource(cls)
        except SystemError:
            # Of two threads of Python 3.11 that parse code at a time one may fail.
            if not left:
                raise


def _describe_code(code):
    constants = [
        _describe_code(c) if inspect.iscode(c) else repr(c) for c in code.co_consts
    ]
    return code.co_code, constants, code.co_names
