"""Plots of an attack: ROC on logarithmic axes, scores, and single records."""

import numpy as np
from sklearn.utils._optional_dependencies import check_matplotlib_support

from sklearn_mia._views import TableViewMixin
from sklearn_mia.auditing._evaluation import roc_points
from sklearn_mia.checks import check_fraction, check_membership, check_scores

_LABELS = {"fpr": "False-positive rate", "tpr": "True-positive rate"}


def _axes(ax, name):
    check_matplotlib_support(f"{name} (pip install 'sklearn-mia[report]')")
    import matplotlib.pyplot as plt

    if ax is None:
        _, ax = plt.subplots()
    return ax


def _scores_of(attack, X):
    if hasattr(attack, "decision_function"):
        return attack.decision_function(X)
    return attack.predict_proba(X)[:, 1]


def _checked(y_true, y_score, pos_label):
    scores = check_scores(y_score, "y_score")
    is_member = check_membership(y_true, pos_label)
    if len(scores) != len(is_member):
        raise ValueError(
            f"y_true has {len(is_member)} records and y_score has {len(scores)}; "
            "expected one score for each record, in the same order."
        )
    return is_member, scores


class _FromAttackMixin:
    """Make a display from a fitted attack or from its scores."""

    @classmethod
    def from_estimator(cls, estimator, X, y, *, name=None, pos_label=None, **kwargs):
        """Plot a fitted attack.

        Parameters
        ----------
        estimator : attack
            A fitted attack, or any classifier over records.

        X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_columns)
            Records.

        y : array-like of shape (n_records,)
            Membership.

        name : str, default=None
            Name in the legend; None takes the class of the attack.

        pos_label : object, default=None
            The label of members; None takes ``classes_[1]`` of the attack.

        **kwargs : dict
            As in :meth:`from_predictions`.

        Returns
        -------
        display : instance of the class
            Plotted, with its `ax_` and `figure_`.
        """
        member = estimator.classes_[1] if pos_label is None else pos_label
        return cls.from_predictions(
            y,
            _scores_of(estimator, X),
            name=type(estimator).__name__ if name is None else name,
            pos_label=member,
            **kwargs,
        )


def _guessing(ax):
    """Label of the line of guessing, once for all curves on the axes."""
    return None if "guessing" in ax.get_legend_handles_labels()[1] else "guessing"


class MembershipRocDisplay(_FromAttackMixin, TableViewMixin):
    """ROC curve on logarithmic axes, with a confidence band.

    The left side is what counts: what an attacker recognises who accepts few false
    alarms. A logarithmic axis has no 0, so the curve begins at one false alarm.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    fpr, tpr : ndarray of shape (n_points,)
        The attained curve.

    band_fpr, band_low, band_high : ndarray of shape (n_band,) or None, default=None
        Ends of the intervals, each at its point by itself.

    confidence : float, default=0.95
        Of the band.

    n_nonmembers : int or None, default=None
        Sets where the axis begins.

    name : str, default=None
        Name in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes

    figure_ : matplotlib Figure

    line_ : matplotlib Artist
        The curve.

    band_ : matplotlib Artist or None
        The band.

    chance_level_ : matplotlib Artist or None
        The line of guessing.

    See Also
    --------
    ScoreDistributionDisplay : Scores of members and of non-members.
    sklearn.metrics.RocCurveDisplay : The same curve on linear axes.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia import MembershipRocDisplay
    >>> is_member = np.arange(2000) < 1000
    >>> score = np.random.default_rng(0).normal(size=2000) + is_member
    >>> display = MembershipRocDisplay.from_predictions(is_member, score)
    """

    def __init__(
        self,
        *,
        fpr,
        tpr,
        band_fpr=None,
        band_low=None,
        band_high=None,
        confidence=0.95,
        n_nonmembers=None,
        name=None,
    ):
        self.fpr = fpr
        self.tpr = tpr
        self.band_fpr = band_fpr
        self.band_low = band_low
        self.band_high = band_high
        self.confidence = confidence
        self.n_nonmembers = n_nonmembers
        self.name = name

    @classmethod
    def from_predictions(
        cls,
        y_true,
        y_score,
        *,
        confidence=0.95,
        name=None,
        pos_label=None,
        ax=None,
        plot_chance_level=True,
        curve_kwargs=None,
    ):
        """Plot the curve of scores.

        Parameters
        ----------
        y_true : array-like of shape (n_records,)
            Membership: True or 1 for members, or any two labels with `pos_label`.

        y_score : array-like of shape (n_records,)
            Higher means more likely a member.

        confidence : float, default=0.95
            Confidence level of the band at each point, a fraction in (0, 1).

        name : str, default=None
            Name in the legend.

        pos_label : object, default=None
            The label of members, if it is not True or 1.

        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.

        plot_chance_level : bool, default=True
            Whether to plot the line of guessing.

        curve_kwargs : dict, default=None
            For matplotlib's `plot`, such as ``{"color": "k"}``.

        Returns
        -------
        display : MembershipRocDisplay
            Plotted, with its `ax_` and `figure_`.
        """
        is_member, scores = _checked(y_true, y_score, pos_label)
        confidence = check_fraction(confidence, "confidence")
        points = roc_points(is_member, scores, confidence)
        display = cls(
            **{key: np.asarray(values) for key, values in points.items()},
            confidence=confidence,
            n_nonmembers=int(np.sum(~is_member)),
            name=name,
        )
        return display.plot(
            ax=ax, plot_chance_level=plot_chance_level, curve_kwargs=curve_kwargs
        )

    def plot(self, ax=None, *, plot_chance_level=True, curve_kwargs=None):
        """Plot the curve and its band.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.

        plot_chance_level : bool, default=True
            Whether to plot the line of guessing.

        curve_kwargs : dict, default=None
            For matplotlib's `plot`.

        Returns
        -------
        display : MembershipRocDisplay
            Plotted, with its `ax_` and `figure_`.
        """
        self.ax_ = _axes(ax, "MembershipRocDisplay")
        self.figure_ = self.ax_.figure
        fpr, tpr = np.asarray(self.fpr), np.asarray(self.tpr)
        lowest = 1 / self.n_nonmembers if self.n_nonmembers else fpr[fpr > 0].min()
        bottom = min(0.01, lowest)
        kwargs = {"label": self.name, "drawstyle": "steps-post"} | (curve_kwargs or {})
        (self.line_,) = self.ax_.plot(
            np.maximum(fpr, lowest), np.maximum(tpr, bottom), **kwargs
        )
        self.band_ = None
        if self.band_fpr is not None and len(self.band_fpr):
            self.band_ = self.ax_.fill_between(
                self.band_fpr,
                np.maximum(np.asarray(self.band_low, dtype=float), bottom),
                np.maximum(np.asarray(self.band_high, dtype=float), bottom),
                alpha=0.2,
                color=self.line_.get_color(),
                linewidth=0,
            )
        self.chance_level_ = None
        if plot_chance_level:
            (self.chance_level_,) = self.ax_.plot(
                [lowest, 1], [lowest, 1], "k--", linewidth=1, label=_guessing(self.ax_)
            )
        self.ax_.set(
            xscale="log",
            yscale="log",
            xlim=(lowest, 1),
            ylim=(bottom, 1.05),
            xlabel=_LABELS["fpr"],
            ylabel=_LABELS["tpr"],
        )
        if self.name is not None or plot_chance_level:
            self.ax_.legend(loc="lower right")
        return self


class ScoreDistributionDisplay(_FromAttackMixin, TableViewMixin):
    """Scores of members and of non-members, as two histograms.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    members, nonmembers : ndarray of shape (n_members,) and (n_nonmembers,)
        Scores. Higher means more likely a member.

    name : str, default=None
        Title of the axes.

    Attributes
    ----------
    ax_ : matplotlib Axes

    figure_ : matplotlib Figure

    members_, nonmembers_ : list of matplotlib Artist
        The two outlines.

    See Also
    --------
    MembershipRocDisplay : What the overlap of the two means for an attacker.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia import ScoreDistributionDisplay
    >>> is_member = np.arange(2000) < 1000
    >>> score = np.random.default_rng(0).normal(size=2000) + is_member
    >>> display = ScoreDistributionDisplay.from_predictions(is_member, score)
    """

    def __init__(self, *, members, nonmembers, name=None):
        self.members = members
        self.nonmembers = nonmembers
        self.name = name

    @classmethod
    def from_predictions(
        cls, y_true, y_score, *, name=None, pos_label=None, ax=None, hist_kwargs=None
    ):
        """Plot the distribution of scores.

        Parameters
        ----------
        y_true : array-like of shape (n_records,)
            Membership: True or 1 for members, or any two labels with `pos_label`.

        y_score : array-like of shape (n_records,)
            Higher means more likely a member.

        name : str, default=None
            Title of the axes.

        pos_label : object, default=None
            The label of members, if it is not True or 1.

        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.

        hist_kwargs : dict, default=None
            For matplotlib's `hist`, such as ``{"bins": 20}``.

        Returns
        -------
        display : ScoreDistributionDisplay
            Plotted, with its `ax_` and `figure_`.
        """
        is_member, scores = _checked(y_true, y_score, pos_label)
        display = cls(
            members=scores[is_member], nonmembers=scores[~is_member], name=name
        )
        return display.plot(ax=ax, hist_kwargs=hist_kwargs)

    def plot(self, ax=None, *, hist_kwargs=None):
        """Plot the two histograms.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.

        hist_kwargs : dict, default=None
            For matplotlib's `hist`.

        Returns
        -------
        display : ScoreDistributionDisplay
            Plotted, with its `ax_` and `figure_`.
        """
        self.ax_ = _axes(ax, "ScoreDistributionDisplay")
        self.figure_ = self.ax_.figure
        scores = np.concatenate([self.members, self.nonmembers])
        low, high = np.quantile(scores, [0.005, 0.995])
        kwargs = {"bins": 40, "range": (low, high) if high > low else None}
        kwargs |= {"histtype": "stepfilled", "alpha": 0.45} | (hist_kwargs or {})
        for side, label, color in (
            ("nonmembers", "non-members", "C7"),
            ("members", "members", "C0"),
        ):
            values = np.asarray(getattr(self, side))
            if kwargs["range"] is not None:
                values = np.clip(values, *kwargs["range"])
            _, _, patches = self.ax_.hist(
                values,
                weights=np.full(len(values), 1 / len(values)),
                **{"label": label, "color": color} | kwargs,
            )
            setattr(self, f"{side}_", list(patches))
        self.ax_.set(xlabel="Score", ylabel="Share of records", title=self.name)
        self.ax_.legend()
        return self


class RecordRiskDisplay(_FromAttackMixin, TableViewMixin):
    """For each member, the false-positive rate at which it is recognised.

    Members are sorted by exposure. A point at (0.1, 0.001) says that a tenth of the
    members are recognised by an attacker who accuses one non-member in a thousand.

    It is recommended to use :meth:`from_estimator` or :meth:`from_predictions`.

    Parameters
    ----------
    fpr : ndarray of shape (n_members,)
        Share of the non-members with a score at least as high, for each member in the
        order given.

    n_nonmembers : int
        Sets where the axis begins: a member above all non-members is drawn there.

    name : str, default=None
        Name in the legend.

    Attributes
    ----------
    ax_ : matplotlib Axes

    figure_ : matplotlib Figure

    line_ : matplotlib Artist
        The sorted members.

    chance_level_ : matplotlib Artist or None
        Where members lie if nothing leaks.

    See Also
    --------
    MembershipRocDisplay : The same numbers as a curve of rates.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia import RecordRiskDisplay
    >>> is_member = np.arange(2000) < 1000
    >>> score = np.random.default_rng(0).normal(size=2000) + is_member
    >>> display = RecordRiskDisplay.from_predictions(is_member, score)
    """

    def __init__(self, *, fpr, n_nonmembers, name=None):
        self.fpr = fpr
        self.n_nonmembers = n_nonmembers
        self.name = name

    @classmethod
    def from_predictions(
        cls,
        y_true,
        y_score,
        *,
        name=None,
        pos_label=None,
        ax=None,
        plot_chance_level=True,
        curve_kwargs=None,
    ):
        """Plot the exposure of the members.

        Parameters
        ----------
        y_true : array-like of shape (n_records,)
            Membership: True or 1 for members, or any two labels with `pos_label`.

        y_score : array-like of shape (n_records,)
            Higher means more likely a member.

        name : str, default=None
            Name in the legend.

        pos_label : object, default=None
            The label of members, if it is not True or 1.

        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.

        plot_chance_level : bool, default=True
            Whether to plot where members lie if nothing leaks.

        curve_kwargs : dict, default=None
            For matplotlib's `plot`.

        Returns
        -------
        display : RecordRiskDisplay
            Plotted, with its `ax_` and `figure_`.
        """
        is_member, scores = _checked(y_true, y_score, pos_label)
        nonmembers = np.sort(scores[~is_member])
        below = np.searchsorted(nonmembers, scores[is_member], side="left")
        display = cls(
            fpr=1 - below / len(nonmembers), n_nonmembers=len(nonmembers), name=name
        )
        return display.plot(
            ax=ax, plot_chance_level=plot_chance_level, curve_kwargs=curve_kwargs
        )

    def plot(self, ax=None, *, plot_chance_level=True, curve_kwargs=None):
        """Plot the sorted members.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to plot on; None makes new ones.

        plot_chance_level : bool, default=True
            Whether to plot where members lie if nothing leaks.

        curve_kwargs : dict, default=None
            For matplotlib's `plot`.

        Returns
        -------
        display : RecordRiskDisplay
            Plotted, with its `ax_` and `figure_`.
        """
        self.ax_ = _axes(ax, "RecordRiskDisplay")
        self.figure_ = self.ax_.figure
        lowest = 0.5 / self.n_nonmembers
        fpr = np.maximum(np.sort(self.fpr), lowest)
        share = np.arange(1, len(fpr) + 1) / len(fpr)
        (self.line_,) = self.ax_.plot(
            share, fpr, **{"label": self.name} | (curve_kwargs or {})
        )
        self.chance_level_ = None
        if plot_chance_level:
            grid = np.linspace(lowest, 1, 200)
            (self.chance_level_,) = self.ax_.plot(
                grid, grid, "k--", linewidth=1, label=_guessing(self.ax_)
            )
        self.ax_.set(
            yscale="log",
            xlim=(0, 1),
            ylim=(lowest, 1),
            xlabel="Share of the members, most exposed first",
            ylabel="False-positive rate at which recognised",
        )
        if self.name is not None or plot_chance_level:
            self.ax_.legend(loc="lower right")
        return self
