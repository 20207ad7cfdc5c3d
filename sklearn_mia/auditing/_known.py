"""What a fitted model knows of the values of its columns."""

from dataclasses import dataclass, field

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.utils import get_tags

from sklearn_mia import tables
from sklearn_mia.columns import fitted_parts

# Members were trained on: an encoder knows the values of all of them.
_MOST_UNKNOWN = 0.01
# Of an encoder that did not see all members, or was told what to know.
_MOST_UNKNOWN_IF_PARTIAL = 0.5
_MOST_RECORDS = 5_000


class UnknownValuesError(ValueError):
    """Records hold values that an encoder should know, and does not."""


@dataclass(repr=False)
class KnownColumn:
    """What the fitted parts of a model say of one of its columns.

    A pickle of it holds values that encoders know.

    Attributes
    ----------
    kind : {"text", "number", "boolean", "date"} or None

    sure : bool
        Whether a part takes nothing else.

    values : set
        What encoders know of the values, without gaps.

    gaps : set
        What stands for a missing value: NaN as "nan", None as "none", or "".

    is_category : bool
        Whether it was a column of categories.

    categories : list or None
        Those categories in their order, if the model tells it.

    why : str or None
        Why cells must be of this kind, if it is not for the training of the model.
    """

    kind: str | None = None
    sure: bool = False
    values: set = field(default_factory=set)
    gaps: set = field(default_factory=set)
    is_category: bool = False
    categories: list | None = None
    why: str | None = None


def known_columns(model, names):
    """Ask all fitted parts of a model what they know of its columns.

    Parameters
    ----------
    model : fitted classifier

    names : list
        Names of the columns that the model gets.

    Returns
    -------
    known : dict
        Name mapped to a `KnownColumn`, for the columns that reach a part that knows
        something.
    """
    known = {}
    for part in fitted_parts(model, names):
        estimator = part.estimator
        if part.names is None or isinstance(estimator, ColumnTransformer):
            continue
        for position, name in enumerate(part.names):
            if name is not None:
                column = known.setdefault(name, KnownColumn())
                _learn(column, estimator, position, len(part.names))
                if not part.same_cells:
                    column.sure = False
    return {name: column for name, column in known.items() if column != KnownColumn()}


def _learn(column, estimator, position, n_columns):
    categories = getattr(estimator, "categories_", ())
    if len(categories) == n_columns:
        values, gaps = _without_gaps(categories[position])
        column.values |= values
        column.gaps |= gaps
        column.kind = _kind_of(column.values) or column.kind
    elif hasattr(estimator, "build_analyzer"):
        column.kind = "text"
        column.gaps.add("")
    elif isinstance(estimator, SimpleImputer):
        column.gaps.add(_gap(estimator.missing_values) or "nan")
        if not column.values:
            column.kind = _kind_of({estimator.statistics_[position]}) or column.kind
    elif getattr(estimator, "is_categorical_", None) is not None:
        of_dtype = estimator.categorical_features == "from_dtype"
        if not estimator.is_categorical_[position]:
            column.kind, column.sure = "number", True
        elif of_dtype:
            column.is_category = True
    elif (found := _categories_of_boosting(estimator)) is not None:
        if position in found:
            column.is_category, column.categories = True, found[position]
            column.values |= set(found[position] or ())
    elif column.kind in (None, "number") and _takes_numbers(estimator):
        column.kind, column.sure = "number", True


def _takes_numbers(estimator):
    """Whether it is an estimator of scikit-learn that takes nothing but numbers."""
    if not type(estimator).__module__.startswith("sklearn."):
        return False
    tags = get_tags(estimator)
    holds_another = "estimator" in estimator.get_params(deep=False)
    takes_else = tags.input_tags.string or tags.input_tags.categorical
    return not (tags.no_validation or takes_else or holds_another)


def _categories_of_boosting(estimator):
    """Categories by position as LightGBM and XGBoost keep them, None for others."""
    package = type(estimator).__module__.partition(".")[0]
    if package == "lightgbm":
        infos = list(estimator.booster_.dump_model()["feature_infos"].items())
        names = estimator.booster_.feature_name()
        positions = sorted(names.index(name) for name, info in infos if info["values"])
        categories = estimator.booster_.pandas_categorical or []
        matched = len(categories) == len(positions)
        return dict(zip(positions, categories, strict=True)) if matched else {}
    if package == "xgboost":
        types = estimator.get_booster().feature_types or []
        return {i: None for i, kind in enumerate(types) if kind == "c"}
    return None


def _gap(value):
    """Which missing value something is: "nan", "none" or "", None if none of them."""
    if value is None:
        return "none"
    if isinstance(value, str):
        return "" if value == "" else None
    missing = type(value).__name__ in ("NAType", "NaTType") or value != value
    return "nan" if missing else None


def _without_gaps(values):
    """Values as a set of Python objects, and the gaps among them."""
    listed = _listed(values)
    gaps = {gap for gap in map(_gap, listed) if gap is not None}
    return {value for value in listed if _gap(value) is None}, gaps


def _listed(values):
    """Values of an array or a column as Python objects, dates as NumPy has them."""
    if hasattr(values, "to_numpy"):
        values = values.to_numpy()
    values = np.asarray(values)
    if values.dtype.kind == "M":
        return list(values.astype("datetime64[ns]"))
    return values.ravel().tolist()


def _kind_of(values):
    kinds = {
        "text"
        if isinstance(value, str)
        else "boolean"
        if isinstance(value, (bool, np.bool_))
        else "date"
        if isinstance(value, np.datetime64)
        else "number"
        for value in values
        if _gap(value) is None
    }
    return next(
        (kind for kind in ("text", "date", "number") if kind in kinds), None
    ) or ("boolean" if kinds else None)


def spread(rows):
    """Some of the rows given, enough to know a share by and evenly spread."""
    some = np.linspace(0, len(rows) - 1, _MOST_RECORDS)
    return rows[np.unique(some.astype(int))]


def check_known_values(model, sides, where=("X_train", "X_test")):
    """Raise ValueError if the encoders of a model do not know the members' values.

    The model was trained on the members: values that its encoders do not know came
    about on the way, as text that was read as numbers, with blanks or in another
    coding. The audit would then be about other records. Of one table alone, which need
    not be what the model was trained on, half may be unknown.

    Parameters
    ----------
    model : fitted classifier

    sides : tuple of {ndarray, sparse matrix, DataFrame}
        Features of members and of others, as the model gets them, or of one table.

    where : tuple of str, default=("X_train", "X_test")
        What the message calls the tables.
    """
    if not tables.is_table(sides[0]):
        return
    names = tables.column_names(sides[0])
    if not any(hasattr(p.estimator, "categories_") for p in fitted_parts(model, names)):
        return
    are_alone = len(sides) == 1
    for number, (side, place) in enumerate(zip(sides, where, strict=True)):
        rows = spread(np.arange(side.shape[0]))
        encoders = list(_encoders(model, names, tables.take(side, rows)))
        if number == 0:
            _refuse_unknown(encoders, place, len(rows), are_alone)
        if number == 1 or are_alone:
            for part, columns in encoders:
                _refuse_for_encoder(part, columns, place)


def _encoders(model, names, features):
    """Fitted encoders, each with the columns that it gets."""
    try:
        for part in fitted_parts(model, names, features):
            columns = _columns_of(part.features)
            categories = getattr(part.estimator, "categories_", ())
            if len(categories) and len(columns) == len(categories):
                yield part, columns
    except Exception:  # the model will say so itself, when it is asked
        return


def _columns_of(features):
    if features is None:
        return []
    if len(features.shape) == 1:
        return [features]
    return list(tables.columns_of(features))


def _unknown(encoder, position, column):
    """Which cells of a column an encoder does not know."""
    categories = encoder.categories_[position]
    known = {v if (gap := _gap(v)) is None else (gap,) for v in _listed(categories)}
    cells = [v if (gap := _gap(v)) is None else (gap,) for v in _listed(column)]
    return np.array([cell not in known for cell in cells])


def _gather_unknown(part, columns, found):
    """Cells of each column that no encoder of it knows, folds taken together."""
    encoder = part.estimator
    told = not isinstance(getattr(encoder, "categories", "auto"), str)
    for position, column in enumerate(columns):
        name = None if part.names is None else part.names[position]
        key = type(encoder), (position, *part.among) if name is None else name
        unknown = _unknown(encoder, position, column)
        partial = told or not part.complete
        if key in found:
            before, before_partial = found[key][:2]
            unknown, partial = unknown & before, partial or before_partial
        found[key] = unknown, partial, part, position


def _refuse_for_encoder(part, columns, place):
    encoder = part.estimator
    if getattr(encoder, "handle_unknown", None) != "error":
        return
    for position, column in enumerate(columns):
        unknown = _unknown(encoder, position, column)
        if unknown.any():
            raise UnknownValuesError(
                f"{int(unknown.sum())} of {len(unknown)} records of {place} have a "
                f"value in {_named(part, position)} that the model's "
                f"{type(encoder).__name__} does not know and refuses. Leave them out, "
                "or train the model with handle_unknown='ignore'."
            )


def _refuse_unknown(encoders, place, n_records, are_alone):
    found = {}
    for part, columns in encoders:
        _gather_unknown(part, columns, found)
    for unknown, partial, part, position in found.values():
        most = _MOST_UNKNOWN_IF_PARTIAL if partial or are_alone else _MOST_UNKNOWN
        if unknown.mean() > most:
            said = f"{int(unknown.sum())} of {n_records} records of {place}"
            whose = "the model's" if are_alone else "its"
            if not are_alone:
                said = (
                    f"The records of {place} are said to be those that the model was "
                    f"trained on, but {int(unknown.sum())} of {n_records}"
                )
            raise UnknownValuesError(
                f"{said} have a value in {_named(part, position)} that {whose} "
                f"{type(part.estimator).__name__} does not know. Likely they were "
                "written or read in another way than in training: with other types, "
                "blanks, gaps or coding."
            )


def _named(part, position):
    name = None if part.names is None else part.names[position]
    if name is not None:
        return f"column {name!r}"
    shown = ", ".join(map(repr, part.among[:6]))
    return f"a column made of {shown}" + (" and others" if len(part.among) > 6 else "")
