"""The report of an audit: one tree of plain values, and its renderings."""

from copy import deepcopy
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.utils._optional_dependencies import (
    check_matplotlib_support,
    check_pandas_support,
)

from sklearn_mia._links import finding_url
from sklearn_mia._views import visible
from sklearn_mia.auditing import _beside
from sklearn_mia.auditing._appendix import appendix_of
from sklearn_mia.auditing._findings import Finding
from sklearn_mia.auditing._html import in_notebook, render_page
from sklearn_mia.auditing._json import THE_TEXT, plain, read_content, text_of
from sklearn_mia.auditing._judging import parts_of, passes
from sklearn_mia.auditing._migration import from_version_1
from sklearn_mia.auditing._ranking import most_exposed
from sklearn_mia.auditing._shape import check_shape
from sklearn_mia.auditing._text import render_text
from sklearn_mia.auditing._writing import written
from sklearn_mia.checks import check_flag
from sklearn_mia.metrics import exposed_members

SCHEMA = "sklearn_mia.audit"
SCHEMA_VERSION = 2
NAMES_MEMBERS = "names members: do not release"


class AuditReport:
    """What an audit found: verdict, numbers and findings, in several forms.

    Made by :func:`audit`; not to be created directly. Its text, page and JSON file name
    nobody unless asked to. A pickle of it holds the ids and scores of the records.

    Parameters
    ----------
    content : dict
        The tree of plain values, as in the JSON file, without the records.

    records : dict or None, default=None
        Column name mapped to an array of shape (n_records,), in input order; None if
        the audit was asked to keep nothing per record.

    groups : dict or None, default=None
        The same by group, in the order of the keys; None without groups.

    Attributes
    ----------
    verdict : dict
        "level", "title" and "sentences". The level is ``"above_limits"`` (an interval
        begins above a limit), ``"at_limits"`` (something leaks, and this audit cannot
        decide), ``"within_limits"`` (all intervals end below), ``"nothing_found"`` or
        ``"not_interpretable"``. Of two verdicts the one on the file of the model.

    verdicts : dict
        ``"interface"``, who may ask the model, and ``"file"``, who has its file, each
        mapped to a verdict; one of them if the report is about one alone.

    passes : bool
        Whether the model was shown to be within all limits, for each of `verdicts`.
        What is undecided, or was not looked at, does not pass.

    attacks : list of dict
        The numbers of each attack, strongest first.

    findings : list of Finding
        What a reader has to know, most severe first.

    limits : list of dict
        Each limit with its "outcome": ``"kept"`` (the whole interval of every attack
        is below it), ``"exceeded"`` (one is above it), ``"undecided"`` or
        ``"unresolvable"`` (too few non-members for its rate, or tied scores).

    slices : list of dict
        The AUC within groups of records; "limits" has each limit of groups and its
        outcome, ``"cannot_tell"`` of a group that is too small to pass without a leak,
        and "outcome" the worst of them.

    baseline : dict or None
        What changed since an earlier model, from :func:`compare_with_baseline`:
        "outcome" is ``"more"`` (some value clearly rose), ``"not_shown"`` or
        ``"not_interpretable"``; "changes" has a row an attack and value.

    next_steps : list of dict
        What can be done now: "text", and "measured", what it changed where it was
        measured, or None.

    risky_settings : list of dict
        What the settings of the model risk before anything is measured, from
        :func:`~sklearn_mia.risk.risky_settings`.

    appendix : dict
        The report in the words of the forms of output checkers and data-protection
        officers: heading mapped to a list of sentences.

    summary : DataFrame of shape (n_attacks * n_metrics, 5)
        One row an attack and metric. Needs pandas.

    records : DataFrame of shape (n_records, n_columns)
        One row a record, in input order. Needs pandas.

    groups : DataFrame of shape (n_groups, n_columns)
        One row a group, if there are groups. Needs pandas.

    See Also
    --------
    audit : Runs an audit of a trained model.
    compare_with_baseline : Tells whether a model leaks more than an earlier one.

    Notes
    -----
    The JSON file has "schema" (``"sklearn_mia.audit"``), "schema_version" (a whole
    number), "report", and "records" and "groups": one list a column, a row a record in
    input order, or a group. These two are null unless they were asked for; then
    "warning" says that the file names members. If they went to Parquet files, "tables"
    has name, SHA-256, size and number of rows of each.

    The report has these keys. An interval is a dictionary of "estimate", "low", "high",
    "confidence", "method" and "note", which says why ends are null.

    ==================  ==========================================================
    key                 content
    ==================  ==========================================================
    created, versions   when, and with which packages
    model               what was audited
    provenance          name, SHA-256, size and number of rows of each file; the
                        command; notes
    data                sizes of both sides, in groups if there are any ("unit") and
                        in records; classes, accuracies
    settings            confidence, rates, prior, permutations, seed
    verdict             level, title and sentences
    headline            the strongest attack; intervals that hold for all attacks
    limits              each limit and its outcome
    access              who the verdict is about: "file" or "interface"
    tested              whether any attack used all of that
    beside              access, tested, verdict, headline, limits, slices and exposed
                        of the other access; null if the report is about one
    stored              what the file stores, and what it tells who lacks records
    risky_settings      what the settings of the model risk
    labels_only         AUC of who learns only whether the model is right
    next_steps          what can be done now
    attacks             what each does, and its numbers: AUC, TPR at each rate with the
                        false-positive rate attained, advantage, epsilon, corrected
                        p-values, ROC curve with band, distribution of scores
    correction, power   of the headline test
    blind               members against non-members without the model
    slices              AUC within groups of records, and its difference from that of
                        the rest
    sizes               rates by number of records of a group; null without groups
    exposed             how many members can be named with few of them wrong
    findings            code, severity, title, message, advice, numbers; url of the
                        page on the code
    baseline            changes since an earlier model; null without one
    nouns               what those are called whom the report is about
    ==================  ==========================================================

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_mia import AuditReport, audit_predictions
    >>> X, y = make_classification(600, flip_y=0.2, random_state=0)
    >>> model = RandomForestClassifier(20, random_state=0).fit(X[:300], y[:300])
    >>> is_member = [True] * 300 + [False] * 300
    >>> report = audit_predictions(model.predict_proba(X), y, is_member)
    >>> again = AuditReport.from_json(report.to_json())
    >>> again.verdict["level"], [attack["name"] for attack in again.attacks]
    ('above_limits', ['loss', 'entropy'])
    """

    def __init__(self, content, records=None, groups=None):
        self._content = plain(content)
        self._records = records
        self._groups = groups

    @property
    def verdict(self):
        """Level, title and sentences of the verdict."""
        return self._content["verdict"]

    @property
    def verdicts(self):
        """The verdict on each access: "file", "interface" or both."""
        return {part["access"]: part["verdict"] for part in parts_of(self._content)}

    @property
    def passes(self):
        """Whether the model was shown to be within all limits.

        And not to give away more than the baseline of :func:`compare_with_baseline`.
        """
        return passes(self._content) == "yes"

    @property
    def attacks(self):
        """The numbers of each attack, strongest first."""
        return self._content["attacks"]

    @property
    def summary(self):
        """One row an attack and metric, strongest attack first, as a pandas frame.

        Columns: "attack", "metric" ("auc", "advantage" or "tpr@fpr=<fraction>"),
        "estimate", "low" and "high". The ends are missing where there is no interval,
        and all three where tied scores hide the rate.
        """
        pd = check_pandas_support(
            "AuditReport.summary (pip install sklearn-mia[report])"
        )
        rows = []
        for attack in self.attacks:
            found = {"auc": attack["auc"], "advantage": attack["advantage"]} | {
                f"tpr@fpr={row['max_fpr']:g}": row["tpr"]
                | ({"estimate": None} if row["tied"] else {})
                for row in attack["tpr_at_fpr"]
            }
            rows += [
                {"attack": attack["name"], "metric": metric}
                | {end: interval[end] for end in ("estimate", "low", "high")}
                for metric, interval in found.items()
            ]
        return pd.DataFrame(rows).astype(
            dict.fromkeys(("estimate", "low", "high"), float)
        )

    @property
    def limits(self):
        """Each limit and whether it was exceeded."""
        return self._content["limits"]

    @property
    def slices(self):
        """The AUC within groups of records."""
        return self._content["slices"]

    @property
    def baseline(self):
        """What changed since an earlier model; None without one."""
        return self._content.get("baseline")

    @property
    def next_steps(self):
        """What can be done now."""
        return self._content["next_steps"]

    @property
    def risky_settings(self):
        """What the settings of the model risk before anything is measured."""
        return self._content["risky_settings"]

    @property
    def appendix(self):
        """The report in the words of forms: heading mapped to a list of sentences."""
        return appendix_of(self._content)

    @property
    def findings(self):
        """What a reader has to know, most severe first."""
        return [Finding(**finding) for finding in self._content["findings"]]

    @property
    def records(self):
        """One row a record, in input order, as a pandas frame.

        Records that `drop_shared` left out, and those that a service was never asked
        about (MIA029), have none.

        Columns: "id" (the caller's), "member", "class", or "value" where the model is
        a regressor; for each attack its score and
        "percentile", the share of non-members below it; "risk", what the attacks
        together say: one less the geometric mean of the false-positive rates at which
        they would accuse the record; and "risk_rank", 1 for the record most exposed.
        """
        pd = check_pandas_support(
            "AuditReport.records (pip install sklearn-mia[report])"
        )
        return pd.DataFrame(self._record_columns())

    @property
    def groups(self):
        """One row a group, in the order of the keys, as a pandas frame.

        Columns: "key" (the caller's), "member", "n_records"; for each attack the score
        of the group and "percentile", the share of the groups of non-members below it;
        "risk" and "risk_rank" as of :attr:`records`.
        """
        pd = check_pandas_support(
            "AuditReport.groups (pip install sklearn-mia[report])"
        )
        if self._groups is None:
            raise ValueError(
                "This report holds nothing per group, because it was made without "
                "groups or with per_record=False. Audit again with groups_train and "
                "groups_test."
            )
        return pd.DataFrame(self._groups)

    def exposed(self, max_fdr=0.1, *, prior=0.5):
        """Members that can be named with few of those named wrong, surest first.

        By the attack that the report leads with, on its scores of groups if there are
        groups, else of records; see :func:`~sklearn_mia.metrics.exposed_members` for
        the procedure and what it guarantees.

        Parameters
        ----------
        max_fdr : float, default=0.1
            The share of those named that may be wrong, a fraction in (0, 1).

        prior : float, default=0.5
            Share of members among the candidates, in (0, 1).

        Returns
        -------
        named : DataFrame
            Rows of :attr:`groups` or :attr:`records`, with "fpr", the false-positive
            rate at which each is accused. Empty if nobody can be named.
        """
        table = self.records if self._groups is None else self.groups
        scores = table[f"score_{self.attacks[0]['name']}"].to_numpy()
        judged = np.isfinite(scores)
        table = table[judged]
        found = exposed_members(
            table["member"].to_numpy(), scores[judged], max_fdr=max_fdr, prior=prior
        )
        named = table.assign(fpr=found.p_values)[found.named]
        return named.sort_values("fpr", kind="stable").reset_index(drop=True)

    def _record_columns(self):
        if self._records is None:
            raise ValueError(
                "This report holds nothing per record: it was made with "
                "per_record=False, or read from a file that names nobody. Audit with "
                "per_record=True, and write with name_records=True."
            )
        return self._records

    def _check_names(self, name_records):
        """Whether single records are told; they must be there if they are asked for."""
        if check_flag(name_records, "name_records"):
            self._record_columns()
        return bool(name_records)

    def _most_exposed(self):
        """Rows of the members most exposed, plain."""
        table = self._record_columns() if self._groups is None else self._groups
        return plain(most_exposed(table))

    def to_dict(self, *, name_records=False):
        """Return the report as one tree of plain values, the content of the JSON file.

        Parameters
        ----------
        name_records : bool, default=False
            Whether it holds the ids, membership and scores of the records, too.

        Returns
        -------
        content : dict
            With "report", and "records" and "groups" mapping each column to a list, or
            None.
        """
        named = self._check_names(name_records)
        tables = {"records": self._records, "groups": self._groups}
        report = deepcopy(self._content)
        for row in report["findings"]:
            row["url"] = finding_url(row["code"])
        return {
            "schema": SCHEMA,
            "schema_version": SCHEMA_VERSION,
            "warning": NAMES_MEMBERS if named else None,
            "report": report,
            **{
                name: {key: plain(np.asarray(column)) for key, column in table.items()}
                if named and table is not None
                else None
                for name, table in tables.items()
            },
        }

    def to_json(self, path=None, *, name_records=False, records="json"):
        """Write the report as strict JSON.

        Undefined numbers are ``null``, with a note beside them that says why; keys are
        text, numbers plain. The schema is named and versioned ("schema",
        "schema_version").

        Parameters
        ----------
        path : str, Path or None, default=None
            The file, written whole or not at all; ``"-"`` is stdout; None returns the
            text.

        name_records : bool, default=False
            Whether it holds the ids, membership and scores of the records, too. A new
            file is then for its owner alone.

        records : {"json", "parquet"}, default="json"
            Where these are: in the file itself, or in a Parquet file beside it that it
            names, for ``report.json`` one such as ``report.records.1f0e9b2c.parquet``
            (with groups also a ``report.groups``), which is smaller and faster. The
            file itself then names nobody, and :meth:`from_json` reads both while they
            lie side by side. Both are written or neither, and what an earlier report
            at `path` has beside it is removed.

        Returns
        -------
        text : str or None
            None if it was written to `path`.

        Raises
        ------
        ValueError
            If there are no records to write, or Parquet was asked for without
            `name_records`, or without a file to lie beside.
        """
        if records not in _beside.PLACES:
            raise ValueError(f"records={records!r}; expected 'json' or 'parquet'.")
        tables, is_beside = {}, records == "parquet"
        named = self._check_names(name_records)
        if is_beside:
            if not named:
                raise ValueError(
                    "records='parquet' writes ids, membership and scores of the "
                    "records: pass name_records=True, too, or leave it out."
                )
            _beside.check_beside(path)
            tables = {"records": self._records, "groups": self._groups}

        def write(told=None):
            content = self.to_dict(name_records=named and not is_beside)
            if told:
                content |= {"warning": _beside.NAMES_BESIDE, "tables": told}
            return written(path, partial(text_of, content), end="\n", private=named)

        if path is None:
            return write()
        return _beside.replace_report(path, write, tables)

    @classmethod
    def from_json(cls, source):
        """Read a report back.

        Parameters
        ----------
        source : str or Path
            A file written by :meth:`to_json`, or its text. If its records went to a
            file beside it and that is not there, a warning says so, and the report
            holds nothing per record.

        Returns
        -------
        report : AuditReport
            The report as it was written.

        Raises
        ------
        TypeError, ValueError
            If it is no report, one of a newer schema, or one in which something is
            missing or wrong, and what that is; or if a file beside it is not the one
            that was written with it.
        """
        return cls._read(source)

    @classmethod
    def _read(cls, source, **limits):
        name, content = read_content(source, SCHEMA, SCHEMA_VERSION, cls.__name__)
        if content.get("schema_version") == 1:
            content = _upgraded(content)
        folder = None if name == THE_TEXT else Path(source).parent
        content |= _beside.read_tables(
            name, folder, content.get("tables") or {}, cls.__name__, **limits
        )
        check_shape(name, content, cls.__name__)
        for row in content["report"]["findings"]:
            row.pop("url", None)
        tables = [content[name] for name in ("records", "groups")]
        return cls(
            content["report"],
            *(
                None if t is None else {name: _column(v) for name, v in t.items()}
                for t in tables
            ),
        )

    def to_html(self, path=None, *, title=None, name_records=False):
        """Write the report as one self-contained page, without network access.

        Parameters
        ----------
        path : str, Path or None, default=None
            The file, written whole or not at all; ``"-"`` is stdout; None returns the
            text.

        title : str or None, default=None
            Title of the page; None names the model.

        name_records : bool, default=False
            Whether it names the members most exposed, under a banner that says so. A
            new file is then for its owner alone.

        Returns
        -------
        text : str or None
            None if it was written to `path`.
        """
        named = self._check_names(name_records)
        return written(
            path,
            lambda: render_page([self], title=title, name_records=named),
            private=named,
        )

    def plot(self, *, figure=None):
        """Plot the ROC curves of all attacks and the scores of the strongest.

        Parameters
        ----------
        figure : matplotlib Figure, default=None
            Figure to plot on; None makes a new one.

        Returns
        -------
        figure : matplotlib Figure
            The one given, or the new one.
        """
        check_matplotlib_support("AuditReport.plot (pip install 'sklearn-mia[report]')")
        import matplotlib.pyplot as plt

        from sklearn_mia.auditing._display import MembershipRocDisplay

        if figure is None:
            figure = plt.figure(figsize=(11, 4.5), layout="constrained")
        curves, scores = figure.subplots(1, 2)
        last = len(self.attacks) - 1
        for i, attack in enumerate(self.attacks):
            roc = attack["roc"]
            band = {k: roc[k] for k in ("band_fpr", "band_low", "band_high")}
            MembershipRocDisplay(
                fpr=roc["fpr"],
                tpr=roc["tpr"],
                confidence=attack["auc"]["confidence"],
                n_nonmembers=attack["n_nonmembers"],
                name=attack["name"],
                **(band if i == 0 else {}),
            ).plot(curves, plot_chance_level=i == last)
        shares = self.attacks[0]["distribution"]
        for side, label, color in (
            ("nonmembers", "non-members", "C7"),
            ("members", "members", "C0"),
        ):
            scores.stairs(
                shares[side],
                shares["edges"],
                fill=True,
                alpha=0.45,
                color=color,
                label=label,
            )
        scores.set(
            xlabel=f"Score of {self.attacks[0]['name']}", ylabel="Share of records"
        )
        scores.legend()
        figure.suptitle(self.verdict["title"])
        return figure

    def __str__(self):
        """Return the report as plain text."""
        return render_text(self._content)

    def _repr_html_(self):
        """Show the page in a notebook, if jinja2 is there."""
        return in_notebook(self)

    def __repr__(self):
        """Return the model and the level of the verdict."""
        name = visible(self._content["model"]["name"])
        return f"<AuditReport of {name}: {self.verdict['level']}>"


def _upgraded(content):
    try:
        return from_version_1(content)
    except (KeyError, TypeError, AttributeError):
        # What is missing or wrong is told by the check of the shape.
        return content


def _column(values):
    kinds = set(map(type, values))
    if type(None) in kinds and kinds <= {type(None), bool, int, float}:
        return np.array([np.nan if v is None else v for v in values])
    if len(kinds) == 1 and kinds <= {bool, int, float}:
        return np.array(values)
    return np.fromiter(values, dtype=object, count=len(values))
