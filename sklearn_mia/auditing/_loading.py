"""Models loaded from files, with care."""

import bz2
import gzip
import lzma
import pickle
import re
import warnings
import zlib
from pathlib import Path

import joblib
import sklearn
from sklearn.exceptions import InconsistentVersionWarning

from sklearn_mia.auditing._words import other_version

_PICKLES = (".joblib", ".pkl", ".pickle")
# As joblib compresses.
_UNPACK = (
    (b"\x1f\x8b", gzip.decompress),
    (b"BZh", bz2.decompress),
    (b"\xfd7zXZ", lzma.decompress),
    (b"\x78", zlib.decompress),
)
_VERSION = re.compile(rb"_sklearn_version.{1,12}?(\d+\.\d+(?:\.\w+)*)", re.DOTALL)


def load_model(path, *, trust_pickle=False, trusted=()):
    """Load a model from a file.

    A pickle runs whatever code its author put in it, when it is loaded; a joblib file
    is a pickle. Both are read only if they are said to be trusted.

    Parameters
    ----------
    path : str or Path
        A ``.skops``, ``.joblib``, ``.pkl`` or ``.pickle`` file.

    trust_pickle : bool, default=False

    trusted : list of str, default=()
        Types that a skops file may hold beyond those that skops trusts.

    Returns
    -------
    model : object

    fitted_with : str or None
        The version of scikit-learn that the model was saved with, if it is not the one
        running.

    Raises
    ------
    ValueError, OSError
        With one line that says what was found and what to do.
    """
    path = Path(path)
    if not path.is_file():
        raise OSError(f"There is no model file {str(path)!r}.")
    if path.stat().st_size == 0:
        raise ValueError(f"The model file {str(path)!r} is empty.")
    suffix = path.suffix.lower()
    if suffix != ".skops" and suffix not in _PICKLES:
        raise ValueError(
            f"The model file {str(path)!r} ends in {path.suffix!r}; expected .skops, "
            ".joblib, .pkl or .pickle."
        )
    if suffix in _PICKLES and not trust_pickle:
        raise ValueError(
            f"{str(path)!r} is a pickle, as joblib files are, "
            "which can run any code when it is loaded. If you trust whoever made it, "
            "pass --trust-pickle; else ask for a .skops file."
        )
    load = _load_skops if suffix == ".skops" else _load_pickle
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = load(path, trusted)
    fitted_with = None
    for warning in caught:
        if isinstance(warning.message, InconsistentVersionWarning):
            fitted_with = warning.message.original_sklearn_version
    if not hasattr(model, "predict"):
        what = f"a {type(model).__name__}"
        if isinstance(model, dict):
            what += f" with the keys {[str(k) for k in model][:5]!r}"
        raise ValueError(
            f"{str(path)!r} holds {what}; expected a fitted classifier. Save the "
            "classifier by itself."
        )
    return model, fitted_with


def _load_skops(path, trusted):
    try:
        import skops.io
    except ImportError:
        raise ImportError(
            "A .skops file needs skops. Install it with: pip install skops"
        ) from None
    try:
        unknown = set(skops.io.get_untrusted_types(file=path)) - set(trusted)
    except Exception as error:
        raise ValueError(
            f"{str(path)!r} could not be read as a skops file: "
            f"{type(error).__name__}: {error}"
        ) from error
    if unknown:
        raise ValueError(
            f"{str(path)!r} holds types that skops does not trust: "
            f"{', '.join(sorted(unknown))}. If you do, pass --trust with each."
        )
    return skops.io.load(path, trusted=list(trusted))


def _load_pickle(path, trusted):
    try:
        return joblib.load(path)
    except (AttributeError, ImportError) as error:
        _refuse_other_version(path, error)
        raise ValueError(
            f"{str(path)!r} needs code that is not here: {error}. Install the package "
            "that defines it, or save the model with its functions in a module."
        ) from error
    except (
        pickle.UnpicklingError,
        EOFError,
        KeyError,
        IndexError,
        ValueError,
        TypeError,
    ) as error:
        _refuse_other_version(path, error)
        raise ValueError(
            f"{str(path)!r} could not be read as a pickle: {type(error).__name__}: "
            f"{error}"
        ) from error


def _refuse_other_version(path, error):
    """Raise ValueError if it was another version of scikit-learn that saved a model."""
    saved_with = _version_inside(path)
    if saved_with not in (None, sklearn.__version__):
        raise ValueError(
            f"{str(path)!r} could not be loaded: {type(error).__name__}: {error}. "
            f"{other_version(saved_with)}"
        ) from error


def _version_inside(path):
    """The version of scikit-learn that stands in a pickle, None if there is none."""
    content = path.read_bytes()
    for start, unpack in _UNPACK:
        if content.startswith(start):
            try:
                content = unpack(content)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
                return None
    found = _VERSION.search(content)
    return None if found is None else found[1].decode()
