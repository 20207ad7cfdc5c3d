"""What differs between the supported versions of scikit-learn, 1.6 to 1.9.

Each entry names the version from which on it is not needed.
"""

import inspect
import sys
from contextlib import nullcontext
from numbers import Integral

from sklearn import __version__
from sklearn.ensemble._base import _set_random_states
from sklearn.model_selection import StratifiedKFold
from sklearn.preprocessing import TargetEncoder
from sklearn.utils.fixes import parse_version

__all__ = [
    "BINS_AT_MIDPOINTS",
    "DISCRIMINANTS_LOSE_DEGREES_OF_FREEDOM",
    "HAS_CALLBACKS",
    "TREES_MISPLACE_MISSING",
    "CallbackSupportMixin",
    "is_pandas_df",
    "is_polars_df",
    "pandas_copies_on_write",
    "set_random_states",
]

try:  # 1.9
    from sklearn.callback import CallbackSupportMixin

    HAS_CALLBACKS = True
except ImportError:
    HAS_CALLBACKS = False

    class _NoContext:
        """A fit that nobody listens to."""

        def subcontext(self, **kwargs):
            return self

        def call_on_fit_task_begin(self, **kwargs):
            pass

        call_on_fit_task_end = call_on_fit_task_begin

        def propagate_callback_context(self, estimator):
            return nullcontext()

    class CallbackSupportMixin:
        """Stands where scikit-learn has no callbacks: none can be set."""

        def _init_callback_context(self, **kwargs):
            return _NoContext()


_BEFORE_1_9 = parse_version(__version__) < parse_version("1.9")

# 1.8: before, a tree could send missing values elsewhere than when it was trained.
TREES_MISPLACE_MISSING = parse_version(__version__) < parse_version("1.8")

# 1.9: before, thresholds of histogram boosting lay between two ranks of N - 1.
BINS_AT_MIDPOINTS = _BEFORE_1_9

# 1.9: before, discriminant analysis divided scatters by the records of a class less 1,
# or by all records less the classes.
DISCRIMINANTS_LOSE_DEGREES_OF_FREEDOM = _BEFORE_1_9


def is_pandas_df(X):  # 1.9: sklearn.utils._dataframe
    """Tell whether X is a pandas frame, without importing pandas."""
    pandas = sys.modules.get("pandas")
    return hasattr(pandas, "DataFrame") and isinstance(X, pandas.DataFrame)


def pandas_copies_on_write():  # pandas 3.0
    """Tell whether a shallow copy of a frame is as good as a deep one."""
    return int(sys.modules["pandas"].__version__.partition(".")[0]) >= 3


def is_polars_df(X):  # 1.9: sklearn.utils._dataframe
    """Tell whether X is a polars frame, without importing polars."""
    polars = sys.modules.get("polars")
    return hasattr(polars, "DataFrame") and isinstance(X, polars.DataFrame)


_SEED_IN_CV = (
    inspect.signature(TargetEncoder).parameters["random_state"].default == "deprecated"
)


def set_random_states(estimator, random_state):  # 1.11, without random_state there
    """Seed an estimator and all in it, target encoders by their folds.

    Parameters
    ----------
    estimator : estimator instance

    random_state : RandomState instance or None
    """
    _set_random_states(estimator, random_state)
    if not _SEED_IN_CV:
        return
    for part in (estimator, *estimator.get_params(deep=True).values()):
        if isinstance(part, TargetEncoder):
            seed = part.random_state
            part.set_params(random_state="deprecated")
            if isinstance(part.cv, Integral) and part.shuffle in ("deprecated", True):
                folds = StratifiedKFold(part.cv, shuffle=True, random_state=seed)
                part.set_params(cv=folds, shuffle="deprecated")
