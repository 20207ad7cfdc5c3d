"""The report on a training procedure: plain values, and their renderings."""

from copy import deepcopy
from functools import partial

from sklearn.utils._optional_dependencies import check_pandas_support

from sklearn_mia._choices import VARIED
from sklearn_mia._views import visible
from sklearn_mia.auditing._beside import replace_report
from sklearn_mia.auditing._html import in_notebook, render_recipe
from sklearn_mia.auditing._json import plain, read_content, text_of
from sklearn_mia.auditing._recipe_shape import RECIPE
from sklearn_mia.auditing._recipe_words import short_lines, text_lines
from sklearn_mia.auditing._shape import check_shape
from sklearn_mia.auditing._writing import written

SCHEMA = "sklearn_mia.recipe"
SCHEMA_VERSION = 4
# What a report of an older schema says of what it did not know.
_BEFORE_CANARIES = {"vary": VARIED[0], "canaries": None, "same_records": None}


class RecipeReport:
    """What an audit of a training procedure found, in several forms.

    Made by :func:`audit_recipe`; not to be created directly. Its files and its text
    hold nothing of single records, but for the coin and the score of each canary.

    Parameters
    ----------
    content : dict
        The tree of plain values, as in the JSON file.

    records : dict or None, default=None
        Columns of the table of single records, which no file has.

    Attributes
    ----------
    recipe : str
        The estimator.

    n_targets : int
        Models trained, each to be attacked by itself; 0 with canaries.

    confidence : float
        Confidence level of the intervals over models.

    summary : DataFrame of shape (n_attacks * n_metrics, 5)
        One row an attack and metric. Needs pandas.

    rows : list of dict
        The same as plain values.

    targets : list of dict
        One row a model: its accuracy on members and non-members, record by record, the
        number of members and of non-members, and by attack the same metrics, in
        "attacks" and, with groups, record by record in "of_records".

    records : DataFrame of shape (n_records, 5) or None
        One row a record or group of X: how exposed it is when the model is trained
        again. Needs pandas; None with canaries and of a report read from a file.

    epsilon : float or None
        Lower bound from canaries; None without.

    canaries : DataFrame of shape (n_canaries, 3) or None
        One row a canary: what it is like, its coin and its score. Needs pandas.

    unit : str
        "record", or "group" where the numbers count groups, each with all records.

    nouns : dict
        What the text calls those who are counted.

    See Also
    --------
    audit_recipe : Audits a training procedure.
    AuditReport : What an audit of one trained model found.

    Notes
    -----
    The JSON file has the attributes under their names, the rows as "summary", and
    "name" (of the classifier), "vary", "fprs", "seed", "n_records", "attacks" (name,
    description, and what each needs), "same_records" (how alike the models rank them),
    "canaries" (the bound, what had to hold for it, and the table), "provenance" (files,
    command and notes), "remarks" (how they were
    read), "created" and "versions".

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn_mia import RecipeReport, ThresholdAttack, audit_recipe
    >>> X, y = load_iris(return_X_y=True)
    >>> report = audit_recipe(
    ...     KNeighborsClassifier(), X, y, attacks=ThresholdAttack(), random_state=0
    ... )
    >>> [(row["attack"], row["metric"]) for row in report.rows][:2]
    [('ThresholdAttack', 'auc'), ('ThresholdAttack', 'tpr@fpr=0.01')]
    >>> RecipeReport.from_json(report.to_json()).n_targets
    5
    """

    def __init__(self, content, records=None):
        self._content = plain(content)
        self._records = records

    @property
    def recipe(self):
        """The estimator."""
        return self._content["recipe"]

    @property
    def n_targets(self):
        """Models trained, each to be attacked by itself; 0 with canaries."""
        return self._content["n_targets"]

    @property
    def confidence(self):
        """Confidence level of the intervals over models."""
        return self._content["confidence"]

    @property
    def summary(self):
        """One row an attack and metric, strongest attack first, as a pandas frame.

        Columns: "attack", "metric" ("auc" or "tpr@fpr=<fraction>"), "mean", "low" and
        "high" over models. The last three are missing where a model has too few
        non-members for the rate, or tied scores there; the last two where all models
        have the same value, which tells no interval.
        """
        pd = check_pandas_support(
            "RecipeReport.summary (pip install sklearn-mia[report])"
        )
        columns = ["attack", "metric", "mean", "low", "high"]
        return pd.DataFrame(self.rows, columns=columns).astype(
            dict.fromkeys(("mean", "low", "high"), float)
        )

    @property
    def rows(self):
        """One row an attack and metric, strongest attack first, as plain values.

        Keys: "attack", "metric", "mean", "low", "high", and "note", which says why all
        three, or the last two, are None. With groups they count groups; "of_records"
        has the same four record by record, else it is None.
        """
        return self._content["summary"]

    @property
    def targets(self):
        """The models one by one."""
        return self._content["targets"]

    @property
    def records(self):
        """One row a record of X, or a group, in the order of X or of the keys.

        Columns: "id" (name of its row, or key), "n_models" that were trained on it, and
        over these the "risk", the mean share of the other records that the strongest
        attack ranks it above, its standard deviation "spread", and "recognised", the
        share of the models in which it is found at the false-positive rate of
        "same_records". It tells who is exposed: not to be released.
        """
        return self._frame(self._records, "records")

    @property
    def epsilon(self):
        """Lower bound on the epsilon of the procedure, None without canaries."""
        found = self._content["canaries"]
        return None if found is None else found["epsilon"]

    @property
    def canaries(self):
        """One row a canary, in the order in which they were made or given.

        Columns: "kind", "included" (its coin), and "score" of the attack, missing where
        that learned from it. :func:`~sklearn_mia.metrics.epsilon_lower_bound` of the
        last two is the bound.
        """
        found = self._content["canaries"]
        return self._frame(None if found is None else found["table"], "canaries")

    @staticmethod
    def _frame(table, name):
        if table is None:
            return None
        pd = check_pandas_support(
            f"RecipeReport.{name} (pip install sklearn-mia[report])"
        )
        frame = pd.DataFrame(table)
        numbers = {"risk", "spread", "recognised", "score"} & {*frame}
        return frame.astype(dict.fromkeys(numbers, float))

    @property
    def unit(self):
        """What the numbers count: "record" or "group"."""
        return self._content["unit"]

    @property
    def nouns(self):
        """What the text calls those who are counted."""
        return self._content["nouns"]

    def to_dict(self):
        """Return the report as one tree of plain values, the content of the JSON file.

        Returns
        -------
        content : dict
            With the rows as "summary".
        """
        return deepcopy(self._content)

    def to_json(self, path=None):
        """Write the report as strict JSON.

        Parameters
        ----------
        path : str, Path or None, default=None
            The file, written whole or not at all; ``"-"`` is stdout; None returns the
            text.

        Returns
        -------
        text : str or None
            None if it was written to `path`.
        """
        write = partial(written, path, partial(text_of, self._content), end="\n")
        if path is None:
            return write()
        # An audit of one model may have been there, with its records beside it.
        return replace_report(path, lambda told: write())

    @classmethod
    def from_json(cls, source):
        """Read a report back.

        Parameters
        ----------
        source : str or Path
            A file written by :meth:`to_json`, or its text.

        Returns
        -------
        report : RecipeReport
            The report as it was written.

        Raises
        ------
        TypeError, ValueError
            If it is no report, one of a newer schema, or one in which something is
            missing or wrong, and what that is.
        """
        name, content = read_content(source, SCHEMA, SCHEMA_VERSION, cls.__name__)
        version = content.get("schema_version")
        if isinstance(version, int) and version < SCHEMA_VERSION:
            content = _BEFORE_CANARIES | content
        check_shape(name, content, cls.__name__, RECIPE)
        return cls(content)

    def to_html(self, path=None, *, title=None):
        """Write the report as one self-contained page, without network access.

        Parameters
        ----------
        path : str, Path or None, default=None
            The file, written whole or not at all; ``"-"`` is stdout; None returns the
            text.

        title : str or None, default=None
            Title of the page; None names the procedure.

        Returns
        -------
        text : str or None
            None if it was written to `path`.
        """
        return written(path, partial(render_recipe, self._content, title=title))

    def __str__(self):
        """Return the report as plain text."""
        return "\n".join(text_lines(visible(self._content)))

    def __repr__(self):
        """Return the main facts in a few lines."""
        return "\n".join(short_lines(visible(self._content)))

    def _repr_html_(self):
        """Show the page in a notebook, if jinja2 is there."""
        return in_notebook(self)
