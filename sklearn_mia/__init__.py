"""Membership inference attacks as scikit-learn classifiers."""

from sklearn_mia.attacks import (
    RMIA,
    BaggingAttack,
    DifficultyCalibrationAttack,
    LiRA,
    MembershipSignals,
    ShadowModelAttack,
    SupervisedAttack,
    ThresholdAttack,
)
from sklearn_mia.audit import AuditReport, audit, audit_recipe
from sklearn_mia.records import as_records

__version__ = "0.1.0"

__all__ = [
    "RMIA",
    "AuditReport",
    "BaggingAttack",
    "DifficultyCalibrationAttack",
    "LiRA",
    "MembershipSignals",
    "ShadowModelAttack",
    "SupervisedAttack",
    "ThresholdAttack",
    "as_records",
    "audit",
    "audit_recipe",
]
