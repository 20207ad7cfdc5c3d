"""Membership inference attacks as scikit-learn classifiers."""

from sklearn_mia import datasets as datasets
from sklearn_mia.attacks import (
    RMIA,
    BaggingAttack,
    DifficultyCalibrationAttack,
    LabelOnlyAttack,
    LinearReconstructionAttack,
    LiRA,
    MembershipSignals,
    QuantileRegressionAttack,
    ShadowModelAttack,
    SupervisedAttack,
    ThresholdAttack,
    TrajectoryAttack,
)
from sklearn_mia.auditing import (
    AuditReport,
    Finding,
    MembershipRocDisplay,
    RecipeReport,
    RecordRiskDisplay,
    ReportChanges,
    ScoreDistributionDisplay,
    audit,
    audit_predictions,
    audit_recipe,
    compare_reports,
    compare_with_baseline,
    default_attacks,
)
from sklearn_mia.equations import round_values, strip_counts
from sklearn_mia.model_selection import (
    AuditableClassifier,
    CoarsenedClassifier,
    LeastLeakageWithin,
    MostAccurateWithin,
    PrivacyUtilityDisplay,
    cross_validate_leakage,
    make_leakage_scorer,
)
from sklearn_mia.records import Records, as_records
from sklearn_mia.risk import leave_one_out_risk, risky_settings, structural_risk

__version__ = "0.1.0"

__all__ = [
    "RMIA",
    "AuditReport",
    "AuditableClassifier",
    "BaggingAttack",
    "CoarsenedClassifier",
    "DifficultyCalibrationAttack",
    "Finding",
    "LabelOnlyAttack",
    "LeastLeakageWithin",
    "LiRA",
    "LinearReconstructionAttack",
    "MembershipRocDisplay",
    "MembershipSignals",
    "MostAccurateWithin",
    "PrivacyUtilityDisplay",
    "QuantileRegressionAttack",
    "RecipeReport",
    "RecordRiskDisplay",
    "Records",
    "ReportChanges",
    "ScoreDistributionDisplay",
    "ShadowModelAttack",
    "SupervisedAttack",
    "ThresholdAttack",
    "TrajectoryAttack",
    "as_records",
    "audit",
    "audit_predictions",
    "audit_recipe",
    "compare_reports",
    "compare_with_baseline",
    "cross_validate_leakage",
    "default_attacks",
    "leave_one_out_risk",
    "make_leakage_scorer",
    "risky_settings",
    "round_values",
    "strip_counts",
    "structural_risk",
]
