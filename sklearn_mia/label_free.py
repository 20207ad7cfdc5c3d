"""What a pipeline learns before its classifier, and without looking at the label.

Such steps may be fitted once, on records whose membership nobody knows: what they learn
is the same whoever the members are.
"""

import numpy as np
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.feature_selection import VarianceThreshold
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags

_PACKAGES = (
    "sklearn.decomposition.",
    "sklearn.feature_extraction.",
    "sklearn.impute.",
    "sklearn.kernel_approximation",
    "sklearn.preprocessing.",
    "sklearn.random_projection",
)


def sees_no_label(step):
    """Tell whether a step of a pipeline is known to learn nothing from the label.

    Known are the transformers of scikit-learn that encode, impute, scale, decompose or
    extract features, by their exact class, `VarianceThreshold`, a `FrozenEstimator`,
    and `ColumnTransformer`, `FeatureUnion` and `Pipeline` of such. `TargetEncoder` and
    what selects features by the label are not among them, nor any class of others.

    Parameters
    ----------
    step : estimator, "passthrough", "drop" or None

    Returns
    -------
    free : bool
        False for what is not known.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler, TargetEncoder
    >>> from sklearn_mia.label_free import sees_no_label
    >>> sees_no_label(StandardScaler())
    True
    >>> sees_no_label(make_pipeline(TargetEncoder(), StandardScaler()))
    False
    """
    if step is None or isinstance(step, str):
        return True
    kind = type(step)
    if kind is ColumnTransformer:
        parts = [part for _, part, _ in step.transformers] + [step.remainder]
    elif kind is FeatureUnion:
        parts = [part for _, part in step.transformer_list]
    elif kind is Pipeline:
        parts = [part for _, part in step.steps]
    elif kind in (FrozenEstimator, VarianceThreshold):
        return True
    else:
        known = kind.__module__.startswith(_PACKAGES)
        return known and not get_tags(step).target_tags.required
    return all(map(sees_no_label, parts))


def split_label_free(recipe):
    """Split a pipeline into first steps that see no label and the rest.

    Parameters
    ----------
    recipe : estimator instance
        Unfitted.

    Returns
    -------
    first : Pipeline or None
        A clone of the first steps; None if there is nothing to fit, or if the recipe is
        no pipeline.

    rest : estimator instance
        A clone of the others, a pipeline too; else the recipe itself.
    """
    if not isinstance(recipe, Pipeline):
        return None, recipe
    n_free = 0
    for _, step in recipe.steps[:-1]:
        if not sees_no_label(step):
            break
        n_free += 1
    if all(isinstance(step, (str, type(None))) for _, step in recipe.steps[:n_free]):
        return None, recipe
    # Of scikit-learn's own class: other pipelines resample, which these steps do not.
    return clone(Pipeline(recipe.steps[:n_free])), clone(recipe[n_free:])


def as_forests_take(recipe, features):
    """Round an array as the forest that gets it would, which then need not.

    Parameters
    ----------
    recipe : estimator instance
        A forest, or a pipeline of nothing but a forest.

    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)

    Returns
    -------
    features : {ndarray, sparse matrix, DataFrame}
        As they are where the recipe is anything else, or would refuse them.
    """
    if type(recipe) is Pipeline and len(recipe.steps) == 1:
        recipe = recipe.steps[0][1]
    is_forest = type(recipe) in (RandomForestClassifier, ExtraTreesClassifier)
    is_array = isinstance(features, np.ndarray) and features.dtype == np.float64
    if not is_forest or not is_array:
        return features
    with np.errstate(over="ignore"):
        rounded = features.astype(np.float32)
    return features if np.isinf(rounded).any() else rounded
