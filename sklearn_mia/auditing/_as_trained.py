"""Tables typed so that a model takes them, and chooses its columns as in training."""

from dataclasses import replace

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.utils._optional_dependencies import check_pandas_support

from sklearn_mia import tables
from sklearn_mia.auditing import _typing
from sklearn_mia.auditing._known import UnknownValuesError, check_known_values
from sklearn_mia.auditing._words import other_version, told
from sklearn_mia.columns import fitted_parts

_HEAD = 200


class _ChosenByTypeError(ValueError):
    """A model would choose other columns than in training."""


def typed_as_trained(model, columns, sides, as_arrays, fitted_with=None):
    """Both tables, typed so that the model takes them.

    Where neither the model nor the cells tell what a column was, the kinds that it
    may have been are tried until the model answers.

    Parameters
    ----------
    model : fitted classifier

    columns : dict
        From :func:`~sklearn_mia.auditing._typing.read_columns`; changed to how they
        were read in the end.

    sides : pair of Side

    as_arrays : bool
        Whether the model was trained on an array.

    fitted_with : str or None, default=None
        The version of scikit-learn that saved the model, if it is another.

    Returns
    -------
    features : pair of {DataFrame, ndarray}

    Raises
    ------
    ValueError
        That names the files, and the columns in question.
    """
    by_kind = {}
    for name, column in columns.items():
        for kind in _typing.alternatives(column):
            by_kind.setdefault(kind, []).append(name)
    failure = None
    for kinds in dict.fromkeys([(), *((kind,) for kind in by_kind), tuple(by_kind)]):
        trial = {n: replace(c, remarks=list(c.remarks)) for n, c in columns.items()}
        for kind in kinds:
            for name in by_kind[kind]:
                if trial[name].kind == "text":
                    _typing.take_kind(trial[name], kind)
        try:
            _fit_selectors(model, trial, sides)
            features = tuple(_features(trial, side, as_arrays) for side in (0, 1))
            check_known_values(model, features, [side.path for side in sides])
            for table in features:
                model.predict(tables.own_copy(tables.take(table, slice(_HEAD))))
        except Exception as error:  # whatever a model does with what it does not know
            failure = failure or error
            continue
        columns.update(trial)
        return features
    raise _explained(failure, columns, sides, fitted_with) from failure


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


def _explained(error, columns, sides, fitted_with):
    """The error of a model that does not take a table, with the columns in question."""
    if isinstance(error, (_ChosenByTypeError, UnknownValuesError)):
        return error
    paths = " or ".join(side.path for side in sides)
    text = f"The model cannot be asked about {paths}: {told(error)} "
    if fitted_with is not None:
        text += other_version(fitted_with)
    else:
        text += _suspects(columns)
    return ValueError(text.strip())


def _suspects(columns):
    found = [line for c in columns.values() for line in _typing.odd_cells(c)]
    if found:
        return " ".join(found[:3])
    text = [c.name for c in columns.values() if c.kind == "text" and not c.told]
    if not text:
        return ""
    return (
        f"Read as text, and unknown to the model, were {', '.join(map(repr, text[:6]))}"
        ": if they were something else in training, pass Parquet, which keeps types."
    )
