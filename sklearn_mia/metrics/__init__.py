"""How well an attack separates members from non-members, and how sure that is.

A membership attack is a binary classifier over records, so everything here takes
``y_true`` (membership: ``True`` or 1 is a member) and ``y_score`` (**higher = more
likely a member**), as the ranking metrics of :mod:`sklearn.metrics` do.

Rates are fractions, never percent. Tied scores stay together: a threshold that cannot
be set is never reported, so no value depends on the order of the records.
"""

from sklearn_mia.metrics._auc import roc_auc_interval
from sklearn_mia.metrics._comparison import Comparison, compare_attacks
from sklearn_mia.metrics._epsilon import (
    EpsilonBound,
    epsilon_lower_bound,
)
from sklearn_mia.metrics._exposed import (
    ExposedMembers,
    exposed_members,
    min_nonmembers_to_name,
)
from sklearn_mia.metrics._gaussian_dp import (
    GaussianBound,
    gaussian_dp_lower_bound,
    gaussian_dp_mu,
)
from sklearn_mia.metrics._intervals import (
    Interval,
    membership_advantage_interval,
    rate_interval,
    tpr_at_fpr_interval,
)
from sklearn_mia.metrics._power import detectable_auc, min_nonmembers_for_fpr
from sklearn_mia.metrics._rates import (
    AttainedRate,
    expected_fpr,
    membership_advantage_score,
    positive_predictive_value,
    resolve_rate,
    threshold_at_fpr,
    tpr_at_fpr_score,
)
from sklearn_mia.metrics._scorers import (
    membership_advantage_scorer,
    tpr_at_fpr_scorer,
)
from sklearn_mia.metrics._usage import dataset_usage

__all__ = [
    "AttainedRate",
    "Comparison",
    "EpsilonBound",
    "ExposedMembers",
    "GaussianBound",
    "Interval",
    "compare_attacks",
    "dataset_usage",
    "detectable_auc",
    "epsilon_lower_bound",
    "expected_fpr",
    "exposed_members",
    "gaussian_dp_lower_bound",
    "gaussian_dp_mu",
    "membership_advantage_interval",
    "membership_advantage_score",
    "membership_advantage_scorer",
    "min_nonmembers_for_fpr",
    "min_nonmembers_to_name",
    "positive_predictive_value",
    "rate_interval",
    "resolve_rate",
    "roc_auc_interval",
    "threshold_at_fpr",
    "tpr_at_fpr_interval",
    "tpr_at_fpr_score",
    "tpr_at_fpr_scorer",
]
