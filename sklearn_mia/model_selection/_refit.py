"""Strategies for ``refit``: which candidate of a search to take."""

from dataclasses import dataclass

import numpy as np

from sklearn_mia._views import TableViewMixin
from sklearn_mia._warn import warn
from sklearn_mia.checks import check_probability

_ROUNDING = 1e-12


def mean_scores(cv_results, accuracy, leakage):
    """Mean accuracy and mean leakage of each candidate, leakage positive.

    Parameters
    ----------
    cv_results : dict
        `cv_results_` of a search.

    accuracy, leakage : str
        Names of the two scorers.

    Returns
    -------
    accuracy, leakage : ndarray of shape (n_candidates,)
    """
    columns = []
    for role, name in (("accuracy", accuracy), ("leakage", leakage)):
        key = f"mean_test_{name}"
        if key not in cv_results:
            scorers = [
                k.removeprefix("mean_test_")
                for k in cv_results
                if k.startswith("mean_test_")
            ]
            raise ValueError(
                f"{role}={name!r} is not a scorer of this search, which has "
                f"{scorers}. Pass scoring={{'accuracy': 'accuracy', 'leakage': "
                f"make_leakage_scorer()}}, or name the scorer by {role}=."
            )
        columns.append(np.asarray(cv_results[key], dtype=float))
    return columns[0], columns[1] * leakage_sign(columns[1])


def leakage_sign(values):
    """-1 where leakage was negated by its scorer, else 1; it is never negative."""
    return -1.0 if np.any(np.asarray(values) < 0) else 1.0


def _usable(accuracy, leakage):
    usable = np.isfinite(accuracy) & np.isfinite(leakage)
    if not usable.any():
        raise ValueError(
            f"None of {len(usable)} candidates has both a finite accuracy and a "
            "finite leakage. Pass error_score='raise' to the search to see why."
        )
    return usable


def _first(candidates, *keys):
    """The candidate that comes first by `keys`, the most important first."""
    order = np.lexsort([candidates, *(key[candidates] for key in reversed(keys))])
    return int(candidates[order[0]])


@dataclass(frozen=True)
class MostAccurateWithin(TableViewMixin):
    """Take the most accurate candidate that leaks no more than a limit.

    For ``refit=`` of a search whose `scoring` has both scorers. A candidate with a NaN
    in either is never taken. Of equally accurate candidates the one that leaks less is
    taken. If none keeps the limit, the one that leaks least is taken, with a warning:
    an error would lose the search.

    Parameters
    ----------
    max_leakage : float
        The limit for the mean leakage over the folds, in the unit of the scorer's
        metric.

    accuracy : str, default="accuracy"
        Name of the scorer of utility, higher = better.

    leakage : str, default="leakage"
        Name of the scorer made by :func:`make_leakage_scorer`.

    See Also
    --------
    LeastLeakageWithin : The other way round.

    Examples
    --------
    >>> from sklearn_mia import MostAccurateWithin
    >>> cv_results = {
    ...     "mean_test_accuracy": [0.86, 0.85, 0.80],
    ...     "mean_test_leakage": [-0.90, -0.10, -0.02],
    ...     "params": [{"depth": 9}, {"depth": 5}, {"depth": 1}],
    ... }
    >>> MostAccurateWithin(max_leakage=0.2)(cv_results)
    1
    """

    max_leakage: float
    accuracy: str = "accuracy"
    leakage: str = "leakage"

    def __post_init__(self):
        check_probability(self.max_leakage, "max_leakage")

    def __call__(self, cv_results):
        """Return the index of the candidate to refit.

        Parameters
        ----------
        cv_results : dict
            `cv_results_` of a search.

        Returns
        -------
        best_index : int
        """
        accuracy, leakage = mean_scores(cv_results, self.accuracy, self.leakage)
        usable = _usable(accuracy, leakage)
        within = usable & (leakage <= self.max_leakage + _ROUNDING)
        if within.any():
            return _first(np.flatnonzero(within), -accuracy, leakage)
        best = _first(np.flatnonzero(usable), leakage, -accuracy)
        warn(
            f"No candidate keeps max_leakage={self.max_leakage!r}; the one that leaks "
            f"least, {leakage[best]:.3g}, is taken: {cv_results['params'][best]!r}. "
            "Extend the grid towards simpler models, or raise the limit."
        )
        return best


@dataclass(frozen=True)
class LeastLeakageWithin(TableViewMixin):
    """Take the candidate that leaks least among those that are accurate enough.

    For ``refit=`` of a search whose `scoring` has both scorers. A candidate with a NaN
    in either is never taken. Of candidates that leak equally the more accurate one is
    taken.

    Parameters
    ----------
    accuracy_loss : float
        How much mean accuracy may be lost against the most accurate candidate, a
        fraction: 0.005 is half a percentage point.

    accuracy : str, default="accuracy"
        Name of the scorer of utility, higher = better.

    leakage : str, default="leakage"
        Name of the scorer made by :func:`make_leakage_scorer`.

    See Also
    --------
    MostAccurateWithin : The other way round.

    Examples
    --------
    >>> from sklearn_mia import LeastLeakageWithin
    >>> cv_results = {
    ...     "mean_test_accuracy": [0.86, 0.857, 0.80],
    ...     "mean_test_leakage": [-0.90, -0.10, -0.02],
    ... }
    >>> LeastLeakageWithin(accuracy_loss=0.005)(cv_results)
    1
    """

    accuracy_loss: float
    accuracy: str = "accuracy"
    leakage: str = "leakage"

    def __post_init__(self):
        check_probability(self.accuracy_loss, "accuracy_loss")

    def __call__(self, cv_results):
        """Return the index of the candidate to refit.

        Parameters
        ----------
        cv_results : dict
            `cv_results_` of a search.

        Returns
        -------
        best_index : int
        """
        accuracy, leakage = mean_scores(cv_results, self.accuracy, self.leakage)
        usable = _usable(accuracy, leakage)
        lowest = accuracy[usable].max() - self.accuracy_loss - _ROUNDING
        within = np.flatnonzero(usable & (accuracy >= lowest))
        return _first(within, leakage, -accuracy)
