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
from sklearn_mia.model_selection import (
    AuditableClassifier,
    CoarsenedClassifier,
    LeastLeakageWithin,
    MostAccurateWithin,
    PrivacyUtilityDisplay,
    cross_validate_leakage,
    make_leakage_scorer,
)
from sklearn_mia.records import as_records

__version__ = "0.1.0"

__all__ = [
    "RMIA",
    "AuditReport",
    "AuditableClassifier",
    "BaggingAttack",
    "CoarsenedClassifier",
    "DifficultyCalibrationAttack",
    "LeastLeakageWithin",
    "LiRA",
    "MembershipSignals",
    "MostAccurateWithin",
    "PrivacyUtilityDisplay",
    "ShadowModelAttack",
    "SupervisedAttack",
    "ThresholdAttack",
    "as_records",
    "audit",
    "audit_recipe",
    "cross_validate_leakage",
    "make_leakage_scorer",
]
