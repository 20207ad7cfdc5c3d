"""Warnings that point at the user's line."""

import sys
import warnings

_INSIDE = {"joblib", "sklearn", "sklearn_mia"}


def warn(message, category=UserWarning):
    """Warn at the first line outside scikit-learn, joblib and this package.

    Parameters
    ----------
    message : str

    category : type, default=UserWarning
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and _is_inside(frame):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def _is_inside(frame):
    return frame.f_globals.get("__name__", "").partition(".")[0] in _INSIDE
