"""What a model's file stores, as linear equations in the unknown membership."""

from sklearn_mia.equations import (  # noqa: F401
    _bayes,
    _boosting,
    _libraries,
    _linear,
    _preprocessing,
    _ranks,
    _regressors,
    _stored,
    _trees,
)
from sklearn_mia.equations._outputs import model_from_answers
from sklearn_mia.equations._registry import (
    has_equations,
    known_families,
    linear_equations,
    register_equations,
)
from sklearn_mia.equations._rounded import round_values
from sklearn_mia.equations._solver import (
    Solution,
    auc_ceiling,
    evidence,
    share_of_pool,
    solve,
)
from sklearn_mia.equations._stripped import strip_counts
from sklearn_mia.equations._system import (
    EquationKind,
    Equations,
    LinearSystem,
    Products,
    grouped,
)

__all__ = [
    "EquationKind",
    "Equations",
    "LinearSystem",
    "Products",
    "Solution",
    "auc_ceiling",
    "evidence",
    "grouped",
    "has_equations",
    "known_families",
    "linear_equations",
    "model_from_answers",
    "register_equations",
    "round_values",
    "share_of_pool",
    "solve",
    "strip_counts",
]
