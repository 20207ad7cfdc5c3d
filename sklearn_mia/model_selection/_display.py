"""The picture of accuracy against leakage."""

from itertools import product

import numpy as np
from sklearn.utils._optional_dependencies import check_matplotlib_support
from sklearn.utils._plotting import _validate_style_kwargs

from sklearn_mia._views import TableViewMixin
from sklearn_mia.model_selection._refit import mean_scores

_LONGEST_VALUE = 24


def undominated(accuracy, leakage):
    """Candidates that no other beats in accuracy and leakage at once.

    Parameters
    ----------
    accuracy, leakage : ndarray of shape (n_candidates,)
        Candidates with NaN are never on the frontier.

    Returns
    -------
    frontier : ndarray of shape (n_frontier,)
        From the least leakage to the most; of equal candidates the first.
    """
    usable = np.flatnonzero(np.isfinite(accuracy) & np.isfinite(leakage))
    order = usable[np.lexsort([-accuracy[usable], leakage[usable]])]
    best = np.maximum.accumulate(accuracy[order])
    first = np.r_[True, accuracy[order][1:] > best[:-1]] if len(order) else []
    return order[np.asarray(first, dtype=bool)]


def candidate_labels(params):
    """Name each candidate by the parameters that differ, as short as they are unique.

    Parameters
    ----------
    params : list of dict
        `cv_results_["params"]`.

    Returns
    -------
    labels : list of str
    """
    names = sorted({name for candidate in params for name in candidate})
    shown = {c: [_short_value(p[c]) if c in p else None for p in params] for c in names}
    names = [n for n in names if len(set(shown[n])) > 1] or names
    return [
        ", ".join(
            f"{_short_name(name, names)}={shown[name][i]}"
            for name in names
            if shown[name][i] is not None
        )
        or f"candidate {i}"
        for i in range(len(params))
    ]


def _short_name(name, names):
    parts = name.split("__")
    for start in range(len(parts) - 1, -1, -1):
        short = "__".join(parts[start:])
        if sum(n == short or n.endswith(f"__{short}") for n in names) == 1:
            return short
    return name


def _short_value(value):
    if hasattr(value, "get_params"):
        text = type(value).__name__
    elif isinstance(value, float):
        text = f"{value:.4g}"
    else:
        text = str(value)
    fits = len(text) <= _LONGEST_VALUE
    return text if fits else text[: _LONGEST_VALUE - 1] + "…"


class PrivacyUtilityDisplay(TableViewMixin):
    """Accuracy against leakage of the candidates of a search.

    The frontier joins the candidates that no other beats in both; they carry a number
    each, explained in the legend, and bars of one standard deviation across the folds
    to either side. The others are pale dots.

    Use :meth:`from_cv_results` to create one.

    Parameters
    ----------
    accuracy, leakage : ndarray of shape (n_candidates,)
        Means over the folds; leakage positive, higher = leaks more.

    accuracy_std, leakage_std : ndarray of shape (n_candidates,)
        Standard deviations across the folds.

    labels : list of str
        Name of each candidate.

    selected : int or None, default=None
        The candidate chosen, `best_index_` of the search.

    accuracy_name : str, default="accuracy"
        Label of the vertical axis.

    leakage_name : str, default="leakage"
        Label of the horizontal axis.

    Attributes
    ----------
    frontier : ndarray of shape (n_frontier,)
        Candidates on the frontier, from the least leakage to the most.

    ax_ : matplotlib Axes

    figure_ : matplotlib Figure

    line_ : matplotlib Line2D
        The frontier.

    points_ : matplotlib PathCollection
        The candidates that are not on it.

    errorbar_ : matplotlib ErrorbarContainer

    texts_ : list of matplotlib Annotation
        The numbers of the candidates on the frontier.

    selected_ : matplotlib Line2D or None
        The mark of the candidate chosen.

    See Also
    --------
    LeastLeakageWithin : Choose a candidate on the frontier, as ``refit=``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia import PrivacyUtilityDisplay
    >>> display = PrivacyUtilityDisplay(
    ...     accuracy=np.array([0.86, 0.85, 0.80]),
    ...     leakage=np.array([0.90, 0.10, 0.30]),
    ...     accuracy_std=np.full(3, 0.01),
    ...     leakage_std=np.full(3, 0.02),
    ...     labels=["depth=None", "depth=5", "depth=1"],
    ... )
    >>> [display.labels[i] for i in display.frontier]
    ['depth=5', 'depth=None']
    """

    def __init__(
        self,
        *,
        accuracy,
        leakage,
        accuracy_std,
        leakage_std,
        labels,
        selected=None,
        accuracy_name="accuracy",
        leakage_name="leakage",
    ):
        self.accuracy = accuracy
        self.leakage = leakage
        self.accuracy_std = accuracy_std
        self.leakage_std = leakage_std
        self.labels = labels
        self.selected = selected
        self.accuracy_name = accuracy_name
        self.leakage_name = leakage_name
        self.frontier = undominated(np.asarray(accuracy), np.asarray(leakage))

    @classmethod
    def from_cv_results(
        cls,
        cv_results,
        *,
        accuracy="accuracy",
        leakage="leakage",
        labels=None,
        selected=None,
        ax=None,
        line_kwargs=None,
        scatter_kwargs=None,
        errorbar_kwargs=None,
    ):
        """Plot the frontier of a search.

        Parameters
        ----------
        cv_results : dict
            `cv_results_` of a search whose `scoring` has both scorers.

        accuracy : str, default="accuracy"
            Name of the scorer of utility, higher = better.

        leakage : str, default="leakage"
            Name of the scorer made by :func:`make_leakage_scorer`.

        labels : list of str or None, default=None
            Name of each candidate; None writes the parameters that differ.

        selected : int or None, default=None
            The candidate to mark, `best_index_` of the search.

        ax : matplotlib Axes or None, default=None
            None creates a figure.

        line_kwargs, scatter_kwargs, errorbar_kwargs : dict or None, default=None
            For `plot`, `scatter` and `errorbar` of matplotlib.

        Returns
        -------
        display : PrivacyUtilityDisplay
            Plotted, with its `ax_` and `figure_`.
        """
        check_matplotlib_support(f"{cls.__name__}.from_cv_results")
        means = mean_scores(cv_results, accuracy, leakage)
        if labels is None:
            labels = candidate_labels(cv_results["params"])
        elif len(labels) != len(means[0]):
            raise ValueError(
                f"labels has {len(labels)} names for {len(means[0])} candidates. Pass "
                "one name a candidate, in the order of cv_results['params']."
            )
        display = cls(
            accuracy=means[0],
            leakage=means[1],
            accuracy_std=np.asarray(cv_results[f"std_test_{accuracy}"], dtype=float),
            leakage_std=np.asarray(cv_results[f"std_test_{leakage}"], dtype=float),
            labels=list(labels),
            selected=selected,
            accuracy_name=accuracy,
            leakage_name=leakage,
        )
        return display.plot(
            ax=ax,
            line_kwargs=line_kwargs,
            scatter_kwargs=scatter_kwargs,
            errorbar_kwargs=errorbar_kwargs,
        )

    def plot(
        self, ax=None, *, line_kwargs=None, scatter_kwargs=None, errorbar_kwargs=None
    ):
        """Plot the frontier.

        Parameters
        ----------
        ax : matplotlib Axes or None, default=None
            None creates a figure.

        line_kwargs, scatter_kwargs, errorbar_kwargs : dict or None, default=None
            For `plot`, `scatter` and `errorbar` of matplotlib.

        Returns
        -------
        display : PrivacyUtilityDisplay
            Plotted, with its `ax_` and `figure_`.
        """
        check_matplotlib_support(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt

        if ax is None:
            _, ax = plt.subplots(figsize=(9.6, 4.8), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        x, y = np.asarray(self.leakage), np.asarray(self.accuracy)
        front = self.frontier
        others = np.setdiff1d(np.arange(len(x)), front)
        self.points_ = ax.scatter(
            x[others],
            y[others],
            **_styled({"s": 16, "color": "0.75", "zorder": 1}, scatter_kwargs),
        )
        self.errorbar_ = ax.errorbar(
            x[front],
            y[front],
            xerr=np.asarray(self.leakage_std)[front],
            yerr=np.asarray(self.accuracy_std)[front],
            fmt="none",
            **_styled(
                {"ecolor": "C0", "elinewidth": 0.8, "alpha": 0.35}, errorbar_kwargs
            ),
        )
        (self.line_,) = ax.plot(
            x[front],
            y[front],
            **_styled(
                {"color": "C0", "marker": "o", "markersize": 4.5, "linewidth": 1.2},
                line_kwargs,
            ),
        )
        self.selected_ = self._mark_selected(ax)
        ax.set_xlabel(f"{self.leakage_name} (lower is better)")
        ax.set_ylabel(f"{self.accuracy_name} (higher is better)")
        for side in ("top", "right"):
            ax.spines[side].set_visible(False)
        self._add_legend(ax)
        self._add_numbers(ax)
        return self

    def _mark_selected(self, ax):
        if self.selected is None:
            return None
        (mark,) = ax.plot(
            self.leakage[self.selected],
            self.accuracy[self.selected],
            linestyle="none",
            marker="o",
            markersize=10,
            markerfacecolor="none",
            markeredgecolor="C3",
            markeredgewidth=1.6,
            label=self._selected_label(),
        )
        return mark

    def _selected_label(self):
        number = np.flatnonzero(self.frontier == self.selected)
        if len(number):
            return f"selected: {number[0] + 1}"
        return f"selected: {self.labels[self.selected]}"

    def _add_legend(self, ax):
        """The numbers and what they stand for, beside the plot."""
        from matplotlib.lines import Line2D

        handles = [
            Line2D(
                [],
                [],
                linestyle="none",
                marker=f"${number}$",
                markersize=4 + 2 * len(str(number)),
                markeredgewidth=0,
                color="0.2",
                label=self.labels[i],
            )
            for number, i in enumerate(self.frontier, start=1)
        ]
        if self.selected_ is not None:
            handles.append(self.selected_)
        ax.legend(
            handles=handles,
            loc="upper left",
            bbox_to_anchor=(1.01, 1.0),
            borderaxespad=0.0,
            handlelength=1.0,
            frameon=False,
            fontsize="small",
            title="frontier, from least leakage\n(bars: 1 std across folds)",
            title_fontsize="small",
            alignment="left",
        )

    def _add_numbers(self, ax):
        """Number the frontier, each number where it covers no other and no point."""
        # Positions in pixels are known only after the layout.
        ax.figure.draw_without_rendering()
        places = np.column_stack([self.leakage, self.accuracy])
        points = ax.transData.transform(places[self.frontier])
        scale = ax.figure.dpi / 72
        size = 9 * scale
        taken = [*ax.transData.transform(places[np.isfinite(places).all(axis=1)])]
        self.texts_ = []
        for number, (point, i) in enumerate(
            zip(points, self.frontier, strict=True), start=1
        ):
            shifts = np.array(
                [
                    (dx * radius, dy * radius)
                    for radius in (10, 17, 24, 31)
                    for dx, dy in product((-0.7, 0.7, 0, -1, 1), (1, -1, 0))
                    if (dx, dy) != (0, 0)
                ]
            )
            free = [
                np.min(np.abs(point + shift * scale - taken).max(axis=1)) > size
                for shift in shifts
            ]
            shift = shifts[int(np.argmax(free))]
            taken.append(point + shift * scale)
            self.texts_.append(
                ax.annotate(
                    str(number),
                    (self.leakage[i], self.accuracy[i]),
                    xytext=shift,
                    textcoords="offset points",
                    ha="center",
                    va="center",
                    fontsize=8,
                    color="0.2",
                )
            )


def _styled(default, given):
    return _validate_style_kwargs(default, given or {})
