"""The way of a column: which columns reach what was fitted inside a model."""

from dataclasses import dataclass, replace

from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectorMixin
from sklearn.frozen import FrozenEstimator
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.multiclass import OneVsOneClassifier
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_mia import tables
from sklearn_mia.ensembles import members_of
from sklearn_mia.models import open_model

_KEEP_CELLS = (
    FunctionTransformer,
    KNNImputer,
    SelectorMixin,
    SimpleImputer,
)


@dataclass(frozen=True, repr=False)
class FittedPart:
    """A fitted part of a model, and the columns that reach it.

    A pickle of it holds the features that were given.

    Attributes
    ----------
    estimator : fitted estimator

    names : list or None
        For each column that it gets, the column of the model that it was made of cell
        by cell, None where it was made otherwise; None if that cannot be told.

    among : list
        Columns of the model that its own are made of, or more.

    features : {ndarray, sparse matrix, DataFrame, Series} or None
        What it gets where the model gets the features given.

    complete : bool
        Whether it was trained on all records that the model was trained on.

    same_cells : bool
        Whether no function changed the cells on the way.
    """

    estimator: object
    names: list | None
    among: list
    features: object
    complete: bool = True
    same_cells: bool = True


def fitted_parts(model, names, features=None):
    """Find what was fitted inside a model, and follow the columns that reach it.

    Through pipelines, the branches of a ColumnTransformer or a FeatureUnion, all
    wrappers, and the members of ensembles. A column is followed by its name through
    steps that keep its cells or change them one by one: imputers, selectors and
    functions that say so.

    Parameters
    ----------
    model : fitted estimator
        All of it, or a part.

    names : list
        Names of the columns that the model gets.

    features : {ndarray, sparse matrix, DataFrame} or None, default=None
        What the model gets, to be transformed on the way.

    Yields
    ------
    part : FittedPart
    """
    yield from _parts(FittedPart(model, list(names), list(names), features))


def dropped_columns(model, names):
    """Columns that the model gets and leaves out at once, by a ColumnTransformer.

    Parameters
    ----------
    model : fitted estimator

    names : list
        Names of the columns that the model gets.

    Returns
    -------
    dropped : list
    """
    names = list(names)
    for part in fitted_parts(model, names):
        first = part.estimator
        if isinstance(first, ColumnTransformer) and part.names == names:
            places = first._transformer_to_input_indices
            kept = {
                i
                for name, branch, _ in first.transformers_
                if branch != "drop"
                for i in places[name]
            }
            return [name for i, name in enumerate(names) if i not in kept]
    return []


def _parts(part):
    fitted = part.estimator
    if fitted is None or isinstance(fitted, str):
        return
    if isinstance(fitted, Pipeline):
        steps = [step for _, step in fitted.steps if step not in (None, "passthrough")]
        for step in steps:
            if hasattr(step, "fit_resample"):
                part = replace(part, complete=False)
                continue
            yield from _parts(replace(part, estimator=step))
            if step is not steps[-1]:
                features = part.features
                part = replace(
                    part,
                    names=_names_after(step, part.names),
                    features=None if features is None else step.transform(features),
                    same_cells=part.same_cells and not _changes_cells(step),
                )
    elif isinstance(fitted, ColumnTransformer):
        yield part
        for name, branch, columns in fitted.transformers_:
            if not isinstance(branch, str):
                yield from _parts(_branch(part, name, branch, columns))
    elif isinstance(fitted, FeatureUnion):
        for _, branch in fitted.transformer_list:
            yield from _parts(replace(part, estimator=branch))
    elif wrappers := open_model(fitted).wrappers:
        inner = (*wrappers[1:], open_model(fitted).classifier)[0]
        complete = part.complete and _trained_on_all(fitted)
        yield from _parts(replace(part, estimator=inner, complete=complete))
    elif members := members_of(fitted):
        # A OneVsOne trains each on the records of two classes.
        complete = part.complete and not isinstance(fitted, OneVsOneClassifier)
        for member in members:
            yield from _parts(replace(part, estimator=member, complete=complete))
    else:
        yield part
        encoder = getattr(fitted, "_preprocessor", None)
        if isinstance(encoder, ColumnTransformer):
            # That of histogram boosting for its categories.
            yield from _parts(replace(part, estimator=encoder))


def _changes_cells(step):
    if isinstance(step, ColumnTransformer):
        return any(_changes_cells(branch) for _, branch, _ in step.transformers_)
    if isinstance(step, Pipeline):
        return any(_changes_cells(inner) for _, inner in step.steps)
    return isinstance(step, FunctionTransformer) and step.func is not None


def _branch(part, name, branch, columns):
    positions = part.estimator._transformer_to_input_indices[name]
    own = None if part.names is None else [part.names[i] for i in positions]
    features = part.features
    return replace(
        part,
        estimator=branch,
        names=own,
        among=part.among if own is None or None in own else own,
        features=None if features is None else tables.take_columns(features, columns),
    )


def _trained_on_all(wrapper):
    if isinstance(wrapper, CalibratedClassifierCV):
        return isinstance(wrapper.estimator, FrozenEstimator) or not wrapper.ensemble
    return getattr(wrapper, "refit", True) is not False


def _names_after(step, names):
    """Names of the columns that a step gives out, as in `FittedPart`."""
    if isinstance(step, Pipeline):
        for _, inner in step.steps:
            if inner not in (None, "passthrough"):
                names = _names_after(inner, names)
        return names
    if isinstance(step, ColumnTransformer):
        out = [None] * max(s.stop for s in step.output_indices_.values())
        for name, branch, _ in step.transformers_:
            given = step._transformer_to_input_indices[name]
            own = None if names is None else [names[i] for i in given]
            if not isinstance(branch, str):
                own = _names_after(branch, own)
            place = step.output_indices_[name]
            if own is not None and len(own) == place.stop - place.start:
                out[place] = own
        return out
    if names is None or not isinstance(step, _KEEP_CELLS):
        return None
    if isinstance(step, FunctionTransformer) and step.func is None:
        return names
    given = list(getattr(step, "feature_names_in_", map(str, range(len(names)))))
    try:
        kept = step.get_feature_names_out(given)
    except (AttributeError, ValueError):
        return None
    by_name = dict(zip(given, names, strict=True))
    return [by_name.get(name) for name in kept]
