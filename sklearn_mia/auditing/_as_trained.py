"""Tables typed so that a model takes them, and chooses its columns as in training."""

from dataclasses import replace

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils._optional_dependencies import check_pandas_support

from sklearn_mia import tables
from sklearn_mia.auditing import _typing
from sklearn_mia.auditing._known import UnknownValuesError, check_known_values
from sklearn_mia.auditing._loading import other_version
from sklearn_mia.columns import fitted_parts
from sklearn_mia.hooks import cause_of
from sklearn_mia.regression import is_regressor_model
from sklearn_mia.response import encode_labels, predicted_codes
from sklearn_mia.signals import absolute_error

_HEAD = 200
# Packages whose estimators say it when they get text where numbers are due.
_TAKE_NUMBERS = ("sklearn", "lightgbm", "xgboost", "catboost")


class _ChosenByTypeError(ValueError):
    """A model would choose other columns than in training."""


def typed_as_trained(model, columns, sides, as_arrays, fitted_with=None, labels=None):
    """All tables, typed so that the model takes them.

    Where neither the model nor the cells tell what a column was, the kinds that it
    may have been are tried until the model answers. Digits that reach code which could
    tell text from numbers are tried as both; if the model then answers otherwise, that
    is taken by which it knows the classes of the members better.

    Parameters
    ----------
    model : fitted classifier

    columns : dict
        From :func:`~sklearn_mia.auditing._typing.read_columns`; changed to how they
        were read in the end.

    sides : list of Side
        Members and non-members, or one table.

    as_arrays : bool
        Whether the model was trained on an array.

    fitted_with : str or None, default=None
        The version of scikit-learn that saved the model, if it is another.

    labels : Series or None, default=None
        Classes of the first table; None takes digits for numbers if the model does.

    Returns
    -------
    features : tuple of {DataFrame, ndarray}

    Raises
    ------
    ValueError
        That names the files, and the columns in question.
    """
    open_to_text = _reaching_other_code(model, columns)
    kinds = {name: _typing.alternatives(column) for name, column in columns.items()}
    kinds = {
        name: [kind for kind in found if kind != "text" or name in open_to_text]
        for name, found in kinds.items()
    }
    failure = None
    for choice in _choices(kinds):
        trial = _with(columns, choice)
        try:
            features = _taken(model, trial, sides, as_arrays)
        except Exception as error:  # whatever a model does with what it does not know
            failure = failure or error
            continue
        for name in open_to_text if labels is not None else ():
            if trial[name].kind == "number" and "text" in kinds[name]:
                trial, features = _better(
                    model, (trial, features), name, sides, as_arrays, labels
                )
        columns.update(trial)
        return features
    raise _explained(failure, columns, sides, fitted_with, as_arrays) from failure


def _choices(kinds):
    """Which columns to read as another kind: none, all of one kind, all, or one."""
    tried = [
        {},
        *(
            {name: kind for name, found in kinds.items() if kind in found}
            for kind in ("date", "number", "text")
        ),
        {name: found[0] for name, found in kinds.items() if found},
        *({name: "text"} for name, found in kinds.items() if "text" in found),
    ]
    return [choice for i, choice in enumerate(tried) if choice not in tried[:i]]


def _with(columns, choice, **why):
    trial = {n: replace(c, remarks=list(c.remarks)) for n, c in columns.items()}
    for name, kind in choice.items():
        _typing.take_kind(trial[name], kind, **why)
    return trial


def _taken(model, columns, sides, as_arrays):
    """All tables, if the model takes them."""
    _fit_selectors(model, columns, sides)
    features = tuple(_features(columns, side, as_arrays) for side in range(len(sides)))
    check_known_values(model, features, [side.path for side in sides])
    for side, table in enumerate(features):
        rows = [np.arange(min(_HEAD, table.shape[0]))]
        rows += [_infinite_rows(c, side)[:_HEAD] for c in columns.values()]
        rows = np.unique(np.concatenate(rows))
        model.predict(tables.own_copy(tables.take(table, rows)))
    return features


def _reaching_other_code(model, columns):
    """Columns read as numbers that reach code which may want them as text."""
    found = set()
    for part in fitted_parts(model, list(columns)):
        estimator = part.estimator
        package = type(estimator).__module__.partition(".")[0]
        is_open = package not in _TAKE_NUMBERS
        if isinstance(estimator, FunctionTransformer):
            is_open = estimator.func is not None
        if is_open:
            found.update(part.among)
    return [
        name
        for name, column in columns.items()
        if name in found and column.kind == "number" and not column.is_certain
    ]


def _better(model, taken, name, sides, as_arrays, labels):
    """The tables as they are taken, or with one column as text if that is better."""
    trial, features = taken
    whose = "members" if len(sides) == 2 else "records"
    what = "values" if is_regressor_model(model) else "classes"
    why = f"the model knows the {what} of the {whose} better so"
    other = _with(trial, {name: "text"}, why=why)
    try:
        as_text = _taken(model, other, sides, as_arrays)
        n = min(_HEAD, len(labels))
        found = [
            _of_own_class(model, tables.take(pair[0], slice(n)), labels[:n])
            for pair in (features, as_text)
        ]
    except Exception:  # whatever a model does with text
        return taken
    if np.array_equal(*found):
        return taken
    if found[1].mean() > found[0].mean():
        return other, as_text
    _typing.take_kind(trial[name], "number", why=why)
    return taken


def _of_own_class(model, features, labels):
    """Probability that a model gives the class of each record, or whether it is it.

    Of a regressor the negative absolute error.
    """
    features = tables.own_copy(features)
    if is_regressor_model(model):
        return absolute_error(np.ravel(model.predict(features)), labels.to_numpy())
    codes = encode_labels(labels.to_numpy(), np.asarray(model.classes_))
    if not hasattr(model, "predict_proba"):
        return predicted_codes(model, features) == codes
    return np.asarray(model.predict_proba(features))[np.arange(len(codes)), codes]


def _features(columns, side, as_arrays):
    frame = _frame(columns, side, slice(None))
    return _as_array(frame) if as_arrays else frame


def _frame(columns, side, rows):
    pd = check_pandas_support(_typing.PANDAS_NEEDED)
    return pd.DataFrame({name: c.series(side, rows) for name, c in columns.items()})


def _as_array(frame):
    """A frame as the array that it would have been: of numbers, if all columns are."""
    array = frame.to_numpy()
    if array.dtype.kind != "O" or not {d.kind for d in frame.dtypes} <= set("biuf"):
        return array
    # Truth values among numbers, or integers with gaps.
    return frame.to_numpy(dtype=np.float64, na_value=np.nan)


def _fit_selectors(model, columns, sides):
    """Give columns the dtype by which a ColumnTransformer chose them in training.

    Shadow models choose anew, so that the choice must come out the same.
    """
    for _ in columns:
        wrong = _wrongly_chosen(model, columns)
        if not wrong:
            return
        for name in wrong:
            if _another_form(model, columns, name):
                break
        else:
            shown = ", ".join(map(repr, wrong))
            paths = " and ".join(side.path for side in sides)
            raise _ChosenByTypeError(
                f"The model chose columns by their type in training, and would choose "
                f"others from {paths}: {shown}. Pass Parquet files written with the "
                "types of training."
            )


def _another_form(model, columns, name):
    """Whether another dtype of a column, which it then has, is chosen rightly."""
    before = columns[name].form
    for form in _typing.other_forms(columns[name]):
        columns[name].form = form
        if name not in _wrongly_chosen(model, columns):
            return True
    columns[name].form = before
    return False


def _wrongly_chosen(model, columns):
    """Columns that a ColumnTransformer chooses now and did not then, or the reverse."""
    if not any(map(_choosers, fitted_parts(model, list(columns)))):
        return []
    wrong = []
    head = _frame(columns, 0, slice(_HEAD))
    for part in fitted_parts(model, list(columns), head):
        for choose, then in _choosers(part):
            now = set(_positions(choose(part.features), part.features))
            found = now ^ set(_positions(then, part.features))
            wrong += [part.names[i] for i in found if part.names[i] is not None]
        if wrong:
            # What comes after may not take what was chosen.
            break
    return list(dict.fromkeys(wrong))


def _choosers(part):
    """Functions that choose columns of a branch, and what they chose in training."""
    chooser = part.estimator
    if not isinstance(chooser, ColumnTransformer) or part.names is None:
        return []
    then = {name: chosen for name, _, chosen in chooser.transformers_}
    return [(c, then[name]) for name, _, c in chooser.transformers if callable(c)]


def _positions(chosen, features):
    chosen = np.arange(features.shape[1])[chosen] if _is_places(chosen) else chosen
    names = [str(name) for name in tables.column_names(features)]
    return [names.index(c) if isinstance(c, str) else int(c) for c in chosen]


def _is_places(chosen):
    return isinstance(chosen, slice) or np.asarray(chosen).dtype.kind == "b"


def _explained(error, columns, sides, fitted_with, as_arrays):
    """The error of a model that does not take a table, with the columns in question."""
    if isinstance(error, (_ChosenByTypeError, UnknownValuesError)):
        return error
    paths = " or ".join(side.path for side in sides)
    text = f"The model cannot be asked about {paths}: {cause_of(error)} "
    if fitted_with is not None:
        text += other_version(fitted_with)
    else:
        text += _suspects(columns)
        if as_arrays and isinstance(error, AttributeError):
            text += (
                " If it takes a text, or a file, a record, name their column with "
                "--features."
            )
    return ValueError(text.strip())


def _infinite_rows(column, side):
    """Records of one table that are infinite in a column of numbers."""
    values = column.series(side)
    if values.dtype.kind != "f":
        return np.array([], dtype=int)
    return np.flatnonzero(np.isinf(values.to_numpy(dtype=float, na_value=np.nan)))


def _infinite_cells(column):
    """Say where the cells of a column of numbers are infinite."""
    for side, table in enumerate(column.sides):
        rows = _infinite_rows(column, side)
        if len(rows):
            yield (
                f"Column {column.name!r} of {table.path} holds infinite numbers in "
                f"{len(rows)} of {len(table.frame)} records (the first is record "
                f"{rows[0] + 1})."
            )


def _suspects(columns):
    found = [
        line
        for column in columns.values()
        for line in (*_typing.odd_cells(column), *_infinite_cells(column))
    ]
    if found:
        return " ".join(found[:3])
    text = [c.name for c in columns.values() if c.kind == "text" and not c.told]
    if not text:
        return ""
    return (
        f"Read as text, and unknown to the model, were {', '.join(map(repr, text[:6]))}"
        ": if they were something else in training, pass Parquet, which keeps types."
    )
