"""Membership inference attacks as scikit-learn classifiers."""

from sklearn_mia.attacks import (
    RMIA,
    LiRA,
    MembershipSignals,
    SupervisedAttack,
    ThresholdAttack,
)
from sklearn_mia.records import as_records

__version__ = "0.1.0"

__all__ = [
    "RMIA",
    "LiRA",
    "MembershipSignals",
    "SupervisedAttack",
    "ThresholdAttack",
    "as_records",
]
