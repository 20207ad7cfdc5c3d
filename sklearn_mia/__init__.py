"""Membership inference attacks as scikit-learn classifiers."""

from typing import TYPE_CHECKING

from sklearn_mia._lazy import lazily

__version__ = "0.2.0"

_HOMES = {
    "attacks": (
        "RMIA",
        "BaggingAttack",
        "DifficultyCalibrationAttack",
        "LabelOnlyAttack",
        "LinearReconstructionAttack",
        "LiRA",
        "MembershipSignals",
        "QuantileRegressionAttack",
        "ShadowModelAttack",
        "SupervisedAttack",
        "ThresholdAttack",
        "TrajectoryAttack",
    ),
    "auditing": (
        "AuditReport",
        "Finding",
        "MembershipCheck",
        "MembershipRocDisplay",
        "RecipeReport",
        "RecordRiskDisplay",
        "ReportChanges",
        "ScoreDistributionDisplay",
        "audit",
        "audit_predictions",
        "audit_recipe",
        "compare_reports",
        "compare_with_baseline",
        "default_attacks",
        "make_canaries",
    ),
    "black_box": ("BlackBoxClassifier", "BlackBoxRegressor"),
    "equations": (
        "round_values",
        "strip_counts",
    ),
    "label_privacy": (
        "LabelCanaries",
        "make_label_canaries",
    ),
    "model_selection": (
        "AuditableClassifier",
        "CoarsenedClassifier",
        "LeastLeakageWithin",
        "MostAccurateWithin",
        "PrivacyUtilityDisplay",
        "cross_validate_leakage",
        "make_leakage_scorer",
    ),
    "records": (
        "Records",
        "as_records",
    ),
    "risk": (
        "leave_one_out_risk",
        "risky_settings",
        "structural_risk",
    ),
}
_MODULES = (
    "answers",
    "asking",
    "attacks",
    "auditing",
    "base",
    "black_box",
    "checks",
    "columns",
    "datasets",
    "ensembles",
    "equations",
    "groups",
    "hooks",
    "identity",
    "items",
    "label_free",
    "label_privacy",
    "memory",
    "metrics",
    "model_selection",
    "models",
    "progress",
    "readers",
    "records",
    "redaction",
    "regression",
    "response",
    "risk",
    "schema",
    "shadows",
    "signals",
    "tables",
    "workers",
)

if TYPE_CHECKING:
    from sklearn_mia.attacks import (  # noqa: F401
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
    from sklearn_mia.auditing import (  # noqa: F401
        AuditReport,
        Finding,
        MembershipCheck,
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
        make_canaries,
    )
    from sklearn_mia.black_box import (  # noqa: F401
        BlackBoxClassifier,
        BlackBoxRegressor,
    )
    from sklearn_mia.equations import round_values, strip_counts  # noqa: F401
    from sklearn_mia.label_privacy import LabelCanaries, make_label_canaries  # noqa: F401
    from sklearn_mia.model_selection import (  # noqa: F401
        AuditableClassifier,
        CoarsenedClassifier,
        LeastLeakageWithin,
        MostAccurateWithin,
        PrivacyUtilityDisplay,
        cross_validate_leakage,
        make_leakage_scorer,
    )
    from sklearn_mia.records import Records, as_records  # noqa: F401
    from sklearn_mia.risk import leave_one_out_risk, risky_settings, structural_risk  # noqa: F401
else:
    __all__, __getattr__, __dir__ = lazily(__name__, _HOMES, _MODULES)
