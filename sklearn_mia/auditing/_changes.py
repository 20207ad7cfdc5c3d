"""Two reports beside each other: what changed, for a notebook."""

from html import escape
from pathlib import Path

from sklearn.utils._optional_dependencies import check_pandas_support

from sklearn_mia._views import visible
from sklearn_mia.auditing._baseline import changes_since
from sklearn_mia.auditing._baseline_words import counts_sentence
from sklearn_mia.auditing._report import AuditReport
from sklearn_mia.auditing._text import wrapped
from sklearn_mia.checks import check_flag, check_fraction


class ReportChanges:
    """What changed from one report to another, in sentences and as a frame.

    Made by :func:`compare_reports`; not to be created directly.

    Parameters
    ----------
    content : dict
        As `AuditReport.baseline`.

    Attributes
    ----------
    outcome : str
        ``"more"`` (some value clearly rose), ``"not_shown"`` or
        ``"not_interpretable"``.

    title : str
        The same in a sentence.

    sentences : list of str
        Each change, how it was compared, and how sure that is.

    paired : bool
        Whether records, or groups, of both reports were compared with themselves.

    n_joined : int
        How many of them.

    confidence : float
        Confidence level of all intervals together.

    summary : DataFrame of shape (n_attacks * n_metrics, 10)
        One row an attack and value. Needs pandas.

    See Also
    --------
    compare_reports : Compares two reports.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia import audit_predictions, compare_reports
    >>> proba = np.random.default_rng(0).dirichlet([1, 1], 400)
    >>> report = audit_predictions(proba, [0, 1] * 200, np.arange(400) < 200)
    >>> changes = compare_reports(report, report)
    >>> changes.outcome, changes.paired
    ('not_shown', False)
    """

    def __init__(self, content):
        self._content = content

    @property
    def outcome(self):
        """Whether some value clearly rose."""
        return self._content["outcome"]

    @property
    def title(self):
        """What all changes come to."""
        return self._content["title"]

    @property
    def sentences(self):
        """Each change, how it was compared, and how sure that is."""
        return self._content["sentences"]

    @property
    def paired(self):
        """Whether records, or groups, were compared with themselves."""
        return self._content["paired"]

    @property
    def n_joined(self):
        """How many of them."""
        return self._content["n_joined"]

    @property
    def confidence(self):
        """Confidence level of all intervals together."""
        return self._content["confidence"]

    @property
    def summary(self):
        """One row an attack and value, in the order of the new report.

        Columns: "attack", "metric" ("auc" or "tpr@fpr=<fraction>"), "old", "new",
        "difference" (new less old) with its ends "low" and "high", "outcome"
        (``"more"``, ``"less"``, ``"open"`` if the interval holds 0, or ``"unknown"``),
        "paired" and "note", which says what is odd, or why nothing can be told. All
        intervals hold together. ``"open"`` is no proof that nothing changed: the ends
        are the changes that cannot be excluded.
        """
        pd = check_pandas_support(
            "ReportChanges.summary (pip install sklearn-mia[report])"
        )
        rows = []
        for change in self._content["changes"]:
            difference = change["difference"] or {}
            rows.append(
                {name: change[name] for name in ("attack", "metric")}
                | {"old": change["then"], "new": change["now"]}
                | {
                    name: difference.get(end)
                    for name, end in (
                        ("difference", "estimate"),
                        ("low", "low"),
                        ("high", "high"),
                    )
                }
                | {name: change[name] for name in ("outcome", "paired", "note")}
            )
        numbers = ("old", "new", "difference", "low", "high")
        return pd.DataFrame(rows).astype(dict.fromkeys(numbers, float))

    def __str__(self):
        """Return what changed, in sentences."""
        content = visible(self._content)
        told = [wrapped(sentence, "  ") for sentence in content["sentences"]]
        return "\n".join([wrapped(content["title"]), "", *told])

    __repr__ = __str__

    def _repr_html_(self):
        """Show title, frame and sentences in a notebook, if pandas is there."""
        try:
            table = self.summary
        except ImportError:
            return None
        table = table.map(lambda v: visible(v) if isinstance(v, str) else v)
        content = visible(self._content)
        told = "".join(f"<li>{escape(s)}</li>" for s in content["sentences"])
        table = table.to_html(index=False, float_format="{:.3f}".format)
        return (
            f"<p><strong>{escape(content['title'])}</strong></p>{table}<ul>{told}</ul>"
        )


def compare_reports(old, new, *, join_ids=True, confidence=0.95):
    """Tell what changed from one report to another: a frame, and sentences.

    Attacks of one name are compared: the AUC, and the TPR at the false-positive rates
    of the limits. Each difference, new less old, has an interval; all of them hold
    together.

    Parameters
    ----------
    old : AuditReport, str or Path
        Of the earlier model, or the file that `to_json` wrote; one with
        ``name_records=True`` can be joined. With at least one attack of the same name;
        the limits may be others.

    new : AuditReport, str or Path
        Of the model in question, in the same way.

    join_ids : bool, default=True
        Whether equal ids in both reports name the same record. Then the comparison is
        paired: what a record does to both models alike does not widen the interval.
        Membership may differ. Ids that repeat, as positions in two tables do, and
        reports without records are not joined. Groups are joined by their keys always.

    confidence : float, default=0.95
        Confidence level of all intervals together.

    Returns
    -------
    changes : ReportChanges
        Print it, or see `summary`.

    Raises
    ------
    ValueError
        If the reports cannot be compared: other attacks or kinds of audit, or an old
        report that cannot be interpreted.

    See Also
    --------
    compare_with_baseline : Puts the same into the new report, for a gate.
    audit : Makes the reports.

    Notes
    -----
    The intervals are made as by :func:`compare_with_baseline`, which refuses other
    limits and has a higher confidence, since a gate uses a small share of the error of
    the new report. This is about two trained models. Both may come of one procedure:
    training again moves the values, too.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_mia import audit_predictions, compare_reports
    >>> X, y = make_classification(600, flip_y=0.2, random_state=0)
    >>> names, is_member = [f"p{i}" for i in range(600)], np.arange(600) < 300
    >>> def audited(leaf):
    ...     model = RandomForestClassifier(min_samples_leaf=leaf, random_state=0)
    ...     proba = model.fit(X[:300], y[:300]).predict_proba(X)
    ...     return audit_predictions(proba, y, is_member, ids=names)
    >>> changes = compare_reports(audited(leaf=20), audited(leaf=5))
    >>> changes.outcome, changes.n_joined
    ('more', 600)
    >>> changes.summary.columns.tolist()[2:8]
    ['old', 'new', 'difference', 'low', 'high', 'outcome']
    """
    confidence = check_fraction(confidence, "confidence")
    found = changes_since(
        *(_read(new, "new"), _read(old, "old")),
        join_ids=check_flag(join_ids, "join_ids"),
        same_limits=False,
        confidence=confidence,
    )
    counted = counts_sentence(found["changes"])
    return ReportChanges(found | {"sentences": [counted, *found["sentences"]]})


def _read(report, name):
    if isinstance(report, AuditReport):
        return report
    if isinstance(report, (str, Path)):
        return AuditReport.from_json(report)
    raise TypeError(
        f"{name} is a {type(report).__name__}; expected an AuditReport, or the file of "
        "one."
    )
