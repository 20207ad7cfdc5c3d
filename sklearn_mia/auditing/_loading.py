"""Models loaded from files, with care."""

import bz2
import lzma
import re
import shlex
import warnings
import zipfile
import zlib
from pathlib import Path

import joblib
import sklearn
from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning, NotFittedError

from sklearn_mia.auditing._files import (
    MOST_BYTES,
    PICKLES,
    TooLarge,
    check_model_file,
)
from sklearn_mia.auditing._soundness import make_sound, parts_of
from sklearn_mia.auditing._trusted import TRUSTED, is_hostile
from sklearn_mia.auditing._unpacking import check_archive
from sklearn_mia.hooks import cause_of, is_of_scikit_learn

# As joblib compresses.
_UNPACK = (
    (b"\x1f\x8b", lambda: zlib.decompressobj(31)),
    (b"\x78", zlib.decompressobj),
    (b"BZh", bz2.BZ2Decompressor),
    (b"\xfd7zXZ", lzma.LZMADecompressor),
)
_MOST_SEARCHED = 2**28
_MOST_OF_TYPES = 1200
_VERSION = re.compile(rb"_sklearn_version.{1,12}?(\d+\.\d+(?:\.\w+)*)", re.DOTALL)


def load_model(path, *, trust_pickle=False, trusted=(), max_bytes=MOST_BYTES):
    """Load a model from a file.

    A pickle runs whatever code its author put in it, when it is loaded; a joblib file
    is a pickle. Both are read only if they are said to be trusted. A skops file names
    the types that it holds: those of scikit-learn, NumPy and SciPy that run no code of
    others are loaded, what compiled code follows in them is checked, and any other type
    is refused unless it is named in `trusted`.

    Parameters
    ----------
    path : str or Path
        A ``.skops``, ``.joblib``, ``.pkl`` or ``.pickle`` file.

    trust_pickle : bool, default=False

    trusted : list of str, default=()
        Types that a skops file may hold beyond those that are known to run no code of
        others. To trust a type means that its code may run.

    max_bytes : int, default=4 * 2**30
        Most that the file may hold; a skops file once it is unpacked.

    Returns
    -------
    model : object

    fitted_with : str or None
        The version of scikit-learn that the model was saved with, if it is not the one
        running.

    Raises
    ------
    ValueError, OSError
        With one line that names the file and says what was found and what to do.
    """
    path = Path(path)
    suffix = check_model_file(path, trust_pickle=trust_pickle, max_bytes=max_bytes)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            if suffix == ".skops":
                model = _load_skops(path, trusted, max_bytes)
            else:
                model = _load_pickle(path)
        except (ValueError, ImportError) as error:
            version = _version_of(caught)
            if version is None and suffix in PICKLES:
                version = _version_inside(path)
            if version in (None, sklearn.__version__):
                raise
            cause = error.__context__ or error
            raise ValueError(
                f"{str(path)!r} could not be loaded: {type(cause).__name__}. "
                f"{other_version(version)}"
            ) from None
    fitted_with = _version_of(caught)
    if not hasattr(model, "predict"):
        what = f"a {type(model).__name__}"
        if isinstance(model, dict):
            what += f" with the keys {[str(k) for k in model][:5]!r}"
        raise ValueError(
            f"{str(path)!r} holds {what}; expected a fitted classifier. Save the "
            "classifier by itself."
        )
    check_model(path, _read_parameters, model, fitted_with)
    return model, fitted_with


def _read_parameters(model):
    """Read those of each estimator inside, which an older version may not have had."""
    for part in parts_of(model):
        is_public = not type(part).__name__.startswith("_")
        if isinstance(part, BaseEstimator) and is_of_scikit_learn(part) and is_public:
            part.get_params(deep=False)


def other_version(fitted_with):
    """Say which version of scikit-learn saved a model, and which one runs."""
    return (
        f"It was saved with scikit-learn {fitted_with}, and {sklearn.__version__} is "
        f"running: use an environment of scikit-learn {fitted_with}."
    )


def check_model(path, check, model, fitted_with):
    """Check a model, and name its file in what is wrong.

    Parameters
    ----------
    path : Path

    check : callable
        Raises an error for a model that cannot be audited.

    model : object

    fitted_with : str or None
        The version of scikit-learn that saved the model, if it is another.

    Returns
    -------
    checked : object
        What `check` returns.
    """
    name = type(model).__name__
    try:
        return check(model)
    except NotFittedError:
        raise ValueError(
            f"{path} holds a {name} that is not fitted. Save the trained model, after "
            "its fit."
        ) from None
    except (TypeError, ValueError):
        raise
    except Exception as error:
        text = f"{path} holds a {name} that does not work: {cause_of(error)} "
        if fitted_with is not None:
            text += other_version(fitted_with)
        raise ValueError(text.strip()) from error


def _version_of(caught):
    """Another version of scikit-learn that a model was saved with, from warnings."""
    found = None
    for warning in caught:
        if isinstance(warning.message, InconsistentVersionWarning):
            found = warning.message.original_sklearn_version
    return found


def _damaged(path, kind, error):
    """One error for whatever a damaged file raises, without its text."""
    return ValueError(
        f"{str(path)!r} could not be read as a {kind} ({type(error).__name__}): it is "
        "damaged, or something else."
    )


def _load_skops(path, trusted, max_bytes):
    try:
        import skops.io
    except ImportError:
        raise ImportError(
            "A .skops file needs skops. Install it with: pip install skops"
        ) from None
    try:
        with zipfile.ZipFile(path) as archive:
            check_archive(path, archive, max_bytes)
    except TooLarge:
        raise
    except Exception as error:
        raise _damaged(path, "skops file", error) from None
    try:
        asked = set(skops.io.get_untrusted_types(file=path))
    except Exception as error:
        raise _damaged(path, "skops file", error) from None
    unknown = sorted(asked - TRUSTED - set(trusted))
    if unknown:
        raise ValueError(_untrusted(path, unknown))
    try:
        model = skops.io.load(path, trusted=[*trusted, *(asked & TRUSTED)])
    except Exception as error:
        raise _damaged(path, "skops file", error) from None
    try:
        make_sound(model, trusted)
    except Exception as error:
        why = str(error) if isinstance(error, ValueError) else type(error).__name__
        raise ValueError(
            f"{str(path)!r} cannot be used as a skops file: {why}. It is damaged, or "
            "was made to do harm."
        ) from None
    return model


def _untrusted(path, names):
    """What to do about types that nobody trusts, with the line to type."""
    hostile = [name for name in names if is_hostile(name)]
    if hostile:
        return (
            f"{str(path)!r} would run {_within(hostile, ', ')}, which no model needs: "
            "it may have been made to do harm. Do not load it."
        )
    options = [f"--trust {shlex.quote(name)}" for name in names]
    what, it = ("a type", "it") if len(names) == 1 else (f"{len(names)} types", "them")
    return (
        f"{str(path)!r} holds {what} not known to be harmless. To trust a type means "
        f"that its code may run. If you know {it}, and trust whoever made the file, "
        f"add: {_within(options, ' ')}"
    )


def _within(parts, between):
    """As many parts as an error may hold, and how many there are beside."""
    shown, length = [], 0
    for part in parts:
        length += len(part)
        if length > _MOST_OF_TYPES:
            break
        shown.append(part)
    left = len(parts) - len(shown)
    return between.join(shown) + (f" (and {left} more)" if left else "")


def _load_pickle(path):
    try:
        return joblib.load(path)
    except (AttributeError, ImportError) as error:
        raise ValueError(
            f"{str(path)!r} needs code that is not here: {error}. Install the package "
            "that defines it, or save the model with its functions in a module."
        ) from error
    except Exception as error:
        raise _damaged(path, "pickle", error) from None


def _version_inside(path):
    """The version of scikit-learn that stands in a pickle, None if there is none."""
    content = path.read_bytes()
    for start, unpack in _UNPACK:
        if content.startswith(start):
            try:
                content = unpack().decompress(content, _MOST_SEARCHED)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
                return None
    found = _VERSION.search(content)
    return None if found is None else found[1].decode()
