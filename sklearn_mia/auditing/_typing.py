"""The types of columns: what the cells of a text file were in training."""

import re
from dataclasses import dataclass, field

import numpy as np
from sklearn.utils._optional_dependencies import check_pandas_support

from sklearn_mia.auditing._known import KnownColumn

PANDAS_NEEDED = "Reading tables (pip install 'sklearn-mia[report]')"
GAPS = {"", "NA", "N/A", "#N/A", "<NA>", "NaN", "nan", "NULL", "null", "None"}
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
# 007 and 7E2 are codes more often than numbers, 1e+20 and 1.5E3 are not.
_CODE = re.compile(r"[+-]?0\d+|\d+[eE]\d+", re.ASCII)
_WITH_COMMA = re.compile(
    r"[+-]?(\d+,\d+|\d{1,3}(,\d{3})+\.\d+|\d{1,3}([.']\d{3})+,\d+|\d{1,3}(,\d{3}){2,})",
    re.ASCII,
)
_DATE = re.compile(
    r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)
_INFINITY = re.compile(r"[+-]?inf(inity)?", re.IGNORECASE | re.ASCII)
_TRUTH = {"true": True, "false": False}
TRUTH_WORDS = (
    _TRUTH
    | {"t": True, "f": False, "yes": True, "no": False}
    | {
        "y": True,
        "n": False,
    }
)
_FORMS = {
    "text": ("object", "str", "string", "category"),
    "number": ("number", "float", "category", "object"),
    "boolean": ("boolean", "object", "category"),
    "date": ("date",),
}


@dataclass(frozen=True, repr=False)
class Side:
    """One of the two tables.

    A pickle of it holds the table.

    Attributes
    ----------
    frame : DataFrame
        Text, if `is_text`.

    path : str

    is_text : bool
        Whether the file has no types.
    """

    frame: object
    path: str
    is_text: bool


@dataclass(repr=False)
class TypedColumn:
    """One column of both tables, and how its cells are read.

    A pickle of it holds the tables.

    Attributes
    ----------
    name : object

    sides : pair of Side

    known : KnownColumn

    kind : {"text", "number", "boolean", "date"}

    form : str
        The dtype within the kind.

    values : dict
        Kind mapped to the value of each different text; None where it is none.

    remarks : list of str
        What a reader of the audit may want to know.

    told : bool
        Whether the model told the kind, and the cells bear it out.
    """

    name: object
    sides: tuple
    known: KnownColumn
    na_values: frozenset
    texts: list = field(default_factory=list)
    codes: tuple = ()
    kind: str | None = None
    form: str | None = None
    values: dict = field(default_factory=dict)
    remarks: list = field(default_factory=list)
    told: bool = False

    @property
    def is_certain(self):
        """Whether the model takes the column in no other way than it is read."""
        by_function = self.kind == "number" and not self.known.sure
        return self.told and not (by_function and not self.known.values)

    def counts(self, side):
        """How often each different text stands in one table."""
        return np.bincount(self.codes[side], minlength=len(self.texts))

    def series(self, side, rows=slice(None)):
        """The column of one table, typed."""
        column = self.sides[side].frame[self.name].iloc[rows]
        if not self.sides[side].is_text:
            return _retyped(column, self.known, self.form)
        # Of both tables: the dtype does not depend on which gaps one of them has.
        values = _series_of(self.values[self.kind], self.kind, self.form, self.known)
        taken = values.array.take(self.codes[side][rows])
        index, name = column.index, self.name
        return type(column)(taken, index=index, name=name, dtype=taken.dtype)


def read_columns(sides, known, na_values=()):
    """Decide for each column of two tables what its cells are, once for both.

    In the order of what is known: a table that has types keeps them, and the other
    follows; the model's encoders tell a column by the values that they know; an
    estimator that takes numbers alone gets numbers. Of any other column the cells
    decide: numbers if all are, without codes such as 007 or 7E2; TRUE and FALSE; else
    text. An empty cell is a gap, and so are the usual words for one in a column of
    numbers; "NA" and its like are values of a text column, unless `na_values` says
    otherwise.

    Parameters
    ----------
    sides : pair of Side
        With the same columns.

    known : dict
        From :func:`~sklearn_mia.auditing._known.known_columns`.

    na_values : list of str, default=()

    Returns
    -------
    columns : dict
        Name mapped to a `TypedColumn`.
    """
    columns = {}
    for name in sides[0].frame.columns:
        own = known.get(name, KnownColumn())
        typed = [side for side in sides if not side.is_text]
        if 0 < len(typed) < len(sides):
            own = _known_by_dtype(typed[0].frame[name], own)
        column = TypedColumn(name, tuple(sides), own, frozenset(na_values))
        if len(typed) < len(sides):
            _gather_texts(column)
            _choose(column)
        if own.is_category:
            column.form = "category"
        columns[name] = column
    return columns


def _gather_texts(column):
    pd = check_pandas_support(PANDAS_NEEDED)
    own = [
        side.frame[column.name].tolist() if side.is_text else []
        for side in column.sides
    ]
    codes, texts = pd.factorize(np.array([t for o in own for t in o], dtype=object))
    column.texts = list(texts)
    column.codes = tuple(np.split(codes, np.cumsum([len(o) for o in own])[:-1]))


def _known_by_dtype(typed, known):
    """What the typed column of the other table says."""
    dtype = typed.dtype
    if hasattr(dtype, "categories"):
        categories = dtype.categories.tolist()
        return KnownColumn(
            known.kind,
            values=set(categories),
            gaps={"nan"},
            is_category=True,
            categories=known.categories or categories,
        )
    if dtype.kind == "b":
        return KnownColumn("boolean", values={True, False}, gaps=known.gaps)
    if dtype.kind in "iuf":
        return KnownColumn("number", sure=True, gaps=known.gaps)
    if dtype.kind == "M":
        return KnownColumn("date", sure=True)
    kinds = {type(v) for v in typed.dropna().tolist()}
    if kinds <= {bool, np.bool_} and kinds:
        return KnownColumn("boolean", values={True, False}, gaps=known.gaps)
    return KnownColumn("text", values=known.values, gaps=known.gaps or {"nan"})


# The choice of a kind


def _choose(column):
    known = column.known
    if known.values:
        _choose_by_values(column)
    elif known.kind == "text":
        column.told = _take(column, "text")
    elif known.kind in ("number", "boolean", "date"):
        kinds = {"number": ("number", "boolean")}.get(known.kind, (known.kind,))
        column.told = any(_take(column, kind) for kind in kinds)
        if not column.told:
            if known.sure:
                _refuse(column, known.kind)
            _choose_by_cells(column)
    else:
        _choose_by_cells(column)


def _take(column, kind, **how):
    """Read the column as one kind, unless a cell is none of it."""
    values = _READERS[kind](column, **how)
    if values is None or any(value is None for value in values):
        return False
    _set(column, kind, values)
    return True


def _set(column, kind, values):
    column.values[kind] = values
    column.kind, column.form = kind, _FORMS[kind][0]


def _choose_by_values(column):
    """The reading under which the encoders know the members' values best."""
    known, counts = column.known, column.counts(0)
    if not counts.any():
        counts = column.counts(1)
    best, best_share = None, -1.0
    order = dict.fromkeys([known.kind or "text", "text", "number", "boolean", "date"])
    for kind in order:
        values = _READERS[kind](column)
        if values is None:
            continue
        told = np.array([v is not None and not _is_gap(v) for v in values])
        right = np.array([v in known.values for v in map(_plain, values)])
        if any(v is None for v, n in zip(values, counts, strict=True) if n):
            continue
        n_told = counts[told].sum()
        share = counts[right].sum() / n_told if n_told else 0.0
        if share > best_share:
            best, best_share = (kind, values), share
    kind, values = best
    column.told = best_share > 0
    if any(value is None for value in values):
        _refuse(column, kind)
    _set(column, kind, values)
    if kind == "text":
        _remark_strips(column)
    elif kind == "boolean" and not all(
        t.strip().lower() in _TRUTH or _is_gap(v)
        for t, v in zip(column.texts, values, strict=True)
    ):
        column.remarks.append(
            f"column {column.name!r}: yes and no, or t and f, were read as true and "
            "false, which the model knows"
        )


def _plain(value):
    """A value as `KnownColumn` has it."""
    if hasattr(value, "to_datetime64"):
        return value.to_datetime64().astype("datetime64[ns]")
    return value


def _remark_strips(column):
    values = column.values["text"]
    stripped = [
        t != v and not _is_gap(v) for t, v in zip(column.texts, values, strict=True)
    ]
    n = int(
        sum(column.counts(side)[stripped].sum() for side in range(len(column.sides)))
    )
    if n:
        column.remarks.append(
            f"column {column.name!r}: blanks around {n} cells were left out, as the "
            "model knows the values without them"
        )


def _choose_by_cells(column):
    if _take(column, "number", codes=False) or _take(column, "boolean"):
        return
    _refuse_commas(column)
    if all(v is not None for v in _as_numbers(column)):
        column.remarks.append(
            f"column {column.name!r} was read as text, because some of its cells, as "
            "007 or 7E2, look like codes"
        )
    _take(column, "text")


def alternatives(column):
    """Other kinds that the cells of a column could be, where nothing tells.

    Parameters
    ----------
    column : TypedColumn

    Returns
    -------
    kinds : list of str
        To be tried when a model does not take the kind chosen.
    """
    others = {"text": ("date", "number"), "number": ("text",)}.get(column.kind, ())
    found = []
    for kind in () if column.is_certain or not column.texts else others:
        values = _READERS[kind](column)
        if values is not None and all(value is not None for value in values):
            column.values[kind] = values
            found.append(kind)
    return found


def take_kind(column, kind, why="the model does not take it otherwise"):
    """Read a column as another kind, one of its `alternatives`, and say why."""
    column.kind, column.form = kind, _FORMS[kind][0]
    what = {"date": "dates", "number": "numbers"}.get(kind, "text")
    column.remarks = [f"column {column.name!r} was read as {what}, because {why}"]


def other_forms(column):
    """Dtypes that the column could have had with the same values."""
    if column.kind is None:
        dtype = column.sides[0].frame[column.name].dtype
        kind = "text" if dtype.kind == "O" or hasattr(dtype, "categories") else None
        return [] if kind is None else list(_FORMS[kind])
    return [form for form in _FORMS[column.kind] if form != column.form]


# Readers: the value of each different text, None where it is none of the kind; None
# for all if the kind is out of the question


def _is_gap(value):
    return value is _NONE or (isinstance(value, float) and value != value)


# Stands for None, which says that a text could not be read.
_NONE = type("_None", (), {"__slots__": ()})()


def _gap_in_numbers(text, column):
    text = text.strip()
    return text in GAPS or text in column.na_values


def _as_text(column):
    known = column.known.values
    # One cell that is known without blanks speaks for those that are not known at all.
    strips = not any(isinstance(v, str) and v != v.strip() for v in known) and any(
        text not in known and text.strip() in known for text in column.texts
    )
    values = []
    for text in column.texts:
        stripped = text.strip()
        if stripped in column.na_values or (not stripped and text not in known):
            values.append(_gap_of_text(column))
        elif text not in known and (strips or stripped in known):
            values.append(stripped)
        else:
            values.append(text)
    return values


def _gap_of_text(column):
    gaps = column.known.gaps
    if "" in gaps and gaps & {"nan", "none"}:
        raise ValueError(
            f"Column {column.name!r} of {_shown_paths(column)} has empty cells, and "
            "the model knows both empty text and missing values there, which a text "
            "file cannot tell apart. Pass the tables as Parquet."
        )
    if "" in gaps:
        return ""
    return _NONE if gaps == {"none"} else np.nan


def _as_numbers(column, codes=True):
    values = []
    for text in column.texts:
        cell = text.strip()
        if _gap_in_numbers(text, column):
            values.append(np.nan)
        elif _INFINITY.fullmatch(cell):
            values.append(float(cell))
        elif not NUMBER.fullmatch(cell) or (not codes and _CODE.fullmatch(cell)):
            values.append(None)
        else:
            value = float(cell)
            # What no double holds is infinite, which is told.
            whole = _INTEGER.fullmatch(cell) and np.isfinite(value)
            values.append(int(cell) if whole else value)
    return values


def _as_booleans(column):
    # Short words are truth values only where the model says so.
    known = column.known.values and column.known.values <= {0, 1}
    words = TRUTH_WORDS if known else _TRUTH
    return [
        np.nan if _gap_in_numbers(text, column) else words.get(text.strip().lower())
        for text in column.texts
    ]


def _as_dates(column):
    pd = check_pandas_support(PANDAS_NEEDED)
    gaps = [_gap_in_numbers(text, column) for text in column.texts]
    cells = [t.strip() for t, gap in zip(column.texts, gaps, strict=True) if not gap]
    if not cells or not all(map(_DATE.fullmatch, cells)):
        return None
    try:
        dates = iter(pd.to_datetime(pd.Series(cells), format="ISO8601"))
    except ValueError:
        return None
    return [np.nan if gap else next(dates) for gap in gaps]


_READERS = {
    "text": _as_text,
    "number": _as_numbers,
    "boolean": _as_booleans,
    "date": _as_dates,
}


# Columns


def _series_of(values, kind, form, known):
    """The different values of a column as a series."""
    pd = check_pandas_support(PANDAS_NEEDED)
    has_gaps = any(map(_is_gap, values))
    if kind == "date":
        return pd.Series(pd.to_datetime(values))
    if form == "category":
        values = [None if _is_gap(v) else v for v in values]
        return pd.Series(pd.Categorical(values, categories=_categories(known, values)))
    if kind == "number" and form != "object":
        whole = form == "number" and all(
            isinstance(v, int) and -(2**63) <= v < 2**63 for v in values
        )
        return pd.Series(np.array(values, dtype=np.int64 if whole else np.float64))
    if kind == "boolean" and form == "boolean" and not has_gaps:
        return pd.Series(np.array(values, dtype=bool))
    column = np.empty(len(values), dtype=object)
    column[:] = [None if v is _NONE else v for v in values]
    return pd.Series(column, dtype=_dtype_of_text(form))


def _dtype_of_text(form):
    """The dtype of a form; "str" is what this pandas makes of text by itself."""
    if form == "str":
        pd = check_pandas_support(PANDAS_NEEDED)
        return pd.Series(["text"]).dtype
    return form if form in _FORMS["text"] else object


def _categories(known, values):
    """The categories of the model in their order, then the others that are used."""
    ordered = list(known.categories or ())
    others = {v for v in values if v is not None and not _is_gap(v)} - set(ordered)
    return [*ordered, *sorted(others, key=lambda v: (isinstance(v, str), v))]


def _retyped(column, known, form):
    """A column that has its type, with the gaps and categories that the model knows."""
    pd = check_pandas_support(PANDAS_NEEDED)
    if hasattr(column.dtype, "categories") or column.dtype.kind not in "OU":
        return column
    if known.is_category:
        used = _categories(known, column.dropna().tolist())
        return column.astype(pd.CategoricalDtype(used))
    if form in _FORMS["text"]:
        column = column.astype(_dtype_of_text(form))
    # Files have one kind of gap: None in pandas 2, NaN in pandas 3.
    if known.gaps == {"none"} and form != "str":
        return column.astype(object).where(column.notna(), None)
    if "nan" in known.gaps and column.dtype == object:
        return column.where(column.notna(), np.nan)
    return column


# Cells that are none of the kind


def _shown_paths(column, side=None):
    sides = column.sides if side is None else [column.sides[side]]
    return " and ".join(dict.fromkeys(s.path for s in sides if s.is_text))


def _refuse(column, kind):
    """Raise ValueError for cells that are not of the kind that the model takes."""
    values = _READERS[kind](column) or [None] * len(column.texts)
    bad = np.array([value is None for value in values])
    side = 0 if bad[column.codes[0]].any() else 1
    rows = np.flatnonzero(bad[column.codes[side]])
    texts = [column.texts[i].strip() for i in column.codes[side][rows]]
    what = {"number": "no numbers", "date": "no dates such as 2024-05-31"}.get(
        kind, "neither true nor false"
    )
    trained = f"the model was trained on {'numbers' if kind == 'number' else 'them'}"
    raise ValueError(
        f"Column {column.name!r} of {_shown_paths(column, side)} holds {what} in "
        f"{len(rows)} of {len(column.codes[side])} records (the first is record "
        f"{rows[0] + 1}), where {column.known.why or trained}. {_way_out(texts)}"
    )


def odd_cells(column):
    """Say where the cells of a column of text are no numbers, if most are.

    Parameters
    ----------
    column : TypedColumn

    Returns
    -------
    lines : list of str
    """
    if column.told or column.kind != "text":
        return []
    bad = np.array([value is None for value in _as_numbers(column)])
    lines = []
    for side in range(len(column.sides)):
        rows = np.flatnonzero(bad[column.codes[side]])
        if 0 < len(rows) < len(column.codes[side]) / 2:
            lines.append(
                f"Column {column.name!r} of {column.sides[side].path} holds numbers, "
                f"but not in {len(rows)} of {len(column.codes[side])} records (the "
                f"first is record {rows[0] + 1})."
            )
    return lines


def _way_out(texts):
    if any(map(_WITH_COMMA.fullmatch, texts)):
        return (
            "Write numbers with a decimal point and without a separator of thousands."
        )
    if all(t.endswith("%") for t in texts):
        return "Write percent as fractions, 0.05 for 5%."
    if all(t.lower() in TRUTH_WORDS for t in texts):
        return "Write truth values as in training, such as 1 and 0."
    return "Correct them, or pass --na-values with what stands for a gap."


def _refuse_commas(column):
    """Raise ValueError if all cells are numbers once commas are understood."""
    cells = [t.strip() for t in column.texts if not _gap_in_numbers(t, column)]
    with_comma = [bool(_WITH_COMMA.fullmatch(cell)) for cell in cells]
    if not any(with_comma) or not all(
        comma or NUMBER.fullmatch(cell)
        for comma, cell in zip(with_comma, cells, strict=True)
    ):
        return
    raise ValueError(
        f"Column {column.name!r} of {_shown_paths(column)} has numbers with a decimal "
        "comma or a separator of thousands. Write them with a decimal point and "
        "without separator, or, if they are text, pass Parquet."
    )
