"""Settings of a model that let it remember single records."""

from dataclasses import dataclass

from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.gaussian_process import GaussianProcessClassifier, GaussianProcessRegressor
from sklearn.impute import KNNImputer
from sklearn.kernel_approximation import Nystroem
from sklearn.kernel_ridge import KernelRidge
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import (
    KNeighborsClassifier,
    KNeighborsRegressor,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, QuantileTransformer
from sklearn.semi_supervised import LabelPropagation, LabelSpreading
from sklearn.svm import SVC, SVR, NuSVC, NuSVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_mia._views import TableViewMixin
from sklearn_mia.models import chosen_by_search
from sklearn_mia.regression import is_regressor_model
from sklearn_mia.risk._measured import setting_told

_TREES = (DecisionTreeClassifier, DecisionTreeRegressor)
_FORESTS = (
    RandomForestClassifier,
    ExtraTreesClassifier,
    RandomForestRegressor,
    ExtraTreesRegressor,
)
_BAGGING = (BaggingClassifier, BaggingRegressor)
_STAGES = (GradientBoostingClassifier, GradientBoostingRegressor)
_HISTOGRAMS = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
_NEIGHBOURS = (KNeighborsClassifier, KNeighborsRegressor)
_STORING = (
    *_NEIGHBOURS,
    RadiusNeighborsClassifier,
    RadiusNeighborsRegressor,
    SVC,
    NuSVC,
    SVR,
    NuSVR,
    GaussianProcessClassifier,
    GaussianProcessRegressor,
    KernelRidge,
    LabelPropagation,
    LabelSpreading,
    KNNImputer,
    Nystroem,
)
_OF_LIBRARIES = {
    "LGBMClassifier": ("n_estimators", 100),
    "XGBClassifier": ("n_estimators", 100),
    "CatBoostClassifier": ("iterations", 1000),
    "LGBMRegressor": ("n_estimators", 100),
    "XGBRegressor": ("n_estimators", 100),
    "CatBoostRegressor": ("iterations", 1000),
}
_FEW_RECORDS = 5
_MANY_ROUNDS = 50
_MANY_QUANTILES = 100


@dataclass(frozen=True)
class RiskySetting(TableViewMixin):
    """One setting by which a model can remember single records.

    Attributes
    ----------
    setting : str
        Class of the estimator and the setting, as
        ``"RandomForestClassifier(min_samples_leaf=1)"``.

    text : str
        What it lets the model do, in a sentence.

    instead : str
        What to try.

    measured : str or None
        What another value changed in a benchmark, or None.
    """

    setting: str
    text: str
    instead: str
    measured: str | None = None


def risky_settings(estimator):
    """Settings of a model, or of a recipe, that let it remember single records.

    Reads parameters alone: nothing is trained and no record is needed, so it can be
    asked before training. What is not in the list is not thereby safe: measure it with
    :func:`~sklearn_mia.audit`.

    Parameters
    ----------
    estimator : estimator instance
        Fitted or not; a pipeline, a search or another wrapper is read with all that is
        inside it.

    Returns
    -------
    settings : list of RiskySetting
        In the order of the parts.

    See Also
    --------
    structural_risk : What a fitted model gives away by its structure.
    sklearn_mia.audit : Measures what a model gives away.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_mia import risky_settings
    >>> [found.setting for found in risky_settings(RandomForestClassifier())]
    ['RandomForestClassifier(min_samples_leaf=1)']
    >>> risky_settings(RandomForestClassifier(min_samples_leaf=20))
    []
    """
    found = {}
    for part in _parts(estimator):
        for setting, text, instead in _told(part):
            whole = f"{type(part).__name__}{setting}"
            parameter = setting.strip("()").partition("=")[0]
            measured = setting_told(type(part).__name__, parameter)
            found[whole] = RiskySetting(whole, text, instead, measured)
    return list(found.values())


def _parts(value):
    """An estimator and all those inside it; of a fitted search what it chose."""
    if isinstance(value, (list, tuple)):
        inside = value
    elif hasattr(value, "get_params") and not isinstance(value, type):
        value = chosen_by_search(value)
        yield value
        inside = value.get_params(deep=False).values()
    else:
        return
    for part in inside:
        yield from _parts(part)


def _told(part):
    """Each risky setting of one estimator, what it does, and what to try."""
    of_values = is_regressor_model(part)
    if isinstance(part, (*_FORESTS, *_TREES)) and _is_unbounded(part):
        what = "a tree" if isinstance(part, _TREES) else "its trees"
        answer = "their labels"
        if of_values:
            middle = "median" if part.criterion == "absolute_error" else "mean"
            answer = f"the {middle} of their values"
        yield (
            f"(min_samples_leaf={part.min_samples_leaf!r})",
            f"leaves of {what} can hold a few records, or one, and answer with "
            f"{answer}",
            "min_samples_leaf=20 or more, or max_leaf_nodes",
        )
    if isinstance(part, _BAGGING) and part.estimator is None:
        tree = DecisionTreeRegressor if of_values else DecisionTreeClassifier
        yield (
            "(estimator=None)",
            "leaves of its trees can hold a single record and answer with its "
            f"{'value' if of_values else 'label'}",
            f"estimator={tree.__name__}(min_samples_leaf=20)",
        )
    if isinstance(part, (*_FORESTS, *_BAGGING)):
        if not part.bootstrap and getattr(part, "max_samples", None) in (None, 1.0):
            yield (
                "(bootstrap=False)",
                "every tree has seen every record",
                "bootstrap=True",
            )
        if part.oob_score:
            yield (
                "(oob_score=True)",
                "its file keeps a row for each training record "
                f"({'oob_prediction_' if of_values else 'oob_decision_function_'}), in "
                "their order",
                "oob_score=False in what is handed over",
            )
    rounds = _rounds(part)
    if rounds is not None and rounds[1] > _MANY_ROUNDS:
        yield (
            f"({rounds[0]}={rounds[1]!r})",
            "so many rounds of trees, each on what the others leave, come to fit "
            "single records",
            "fewer rounds, early stopping, larger leaves and fewer of them",
        )
    if isinstance(part, _STAGES) and part.subsample == 1:
        yield "(subsample=1.0)", "every tree has seen every record", "subsample=0.5"
    if isinstance(part, _STORING):
        yield (
            "",
            "its file holds training records, whole",
            "a model that stores none, where the file is handed over",
        )
    if isinstance(part, _NEIGHBOURS):
        if part.weights == "distance":
            yield (
                "(weights='distance')",
                "a training record is its own nearest neighbour, at distance 0, and "
                "decides its own answer",
                "weights='uniform' and 50 neighbours or more",
            )
        elif part.n_neighbors <= _FEW_RECORDS:
            yield (
                f"(n_neighbors={part.n_neighbors!r})",
                "a training record is one of so few neighbours of itself",
                "50 neighbours or more",
            )
    if isinstance(part, (MLPClassifier, MLPRegressor)) and not part.early_stopping:
        yield (
            "(early_stopping=False)",
            "it trains on until the error on its own records falls no more",
            "early_stopping=True, or a larger alpha",
        )
    if isinstance(part, LogisticRegression) and part.C > 1:
        yield f"(C={part.C!r})", "its coefficients are hardly held back", "a smaller C"
    if isinstance(part, CountVectorizer) and part.min_df == 1:
        yield (
            "(min_df=1)",
            "its vocabulary holds words of a single document, such as names",
            "min_df=10 or more",
        )
    if isinstance(part, (OneHotEncoder, OrdinalEncoder)) and isinstance(
        part.categories, str
    ):
        yield (
            "(categories='auto')",
            "its file lists every category, also one of a single record, min_frequency "
            "or not",
            "list the common ones by name, and let handle_unknown take the others",
        )
    if isinstance(part, QuantileTransformer) and part.n_quantiles > _MANY_QUANTILES:
        yield (
            f"(n_quantiles={part.n_quantiles!r})",
            "its file holds that many values of each column, each of a record",
            "n_quantiles=100 or fewer",
        )


def _is_unbounded(model):
    """Whether leaves of a tree, or of the trees of a forest, may hold few records."""
    leaf = model.min_samples_leaf
    small = leaf < _FEW_RECORDS if isinstance(leaf, int) else False
    return small and model.max_depth is None and model.max_leaf_nodes is None


def _rounds(model):
    """Parameter and number of the rounds of boosting; None for another model."""
    if isinstance(model, _HISTOGRAMS):
        return "max_iter", model.max_iter
    if isinstance(model, _STAGES):
        return "n_estimators", model.n_estimators
    if type(model).__name__ in _OF_LIBRARIES:
        name, default = _OF_LIBRARIES[type(model).__name__]
        # None stands for the default of the library.
        return name, model.get_params().get(name) or default
    return None
