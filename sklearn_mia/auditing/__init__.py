"""The answer a person reads: audits of trained models and their reports."""

from typing import TYPE_CHECKING

from sklearn_mia._lazy import lazily

_HOMES = {
    "_answers_alone": ("audit_predictions",),
    "_audit": ("audit",),
    "_baseline": ("compare_with_baseline",),
    "_canaries": ("make_canaries",),
    "_changes": (
        "ReportChanges",
        "compare_reports",
    ),
    "_defaults": ("default_attacks",),
    "_display": (
        "MembershipRocDisplay",
        "RecordRiskDisplay",
        "ScoreDistributionDisplay",
    ),
    "_findings": ("Finding",),
    "_recipe": ("audit_recipe",),
    "_recipe_report": ("RecipeReport",),
    "_report": ("AuditReport",),
    "_skore": ("MembershipCheck",),
}

if TYPE_CHECKING:
    from sklearn_mia.auditing._answers_alone import audit_predictions  # noqa: F401
    from sklearn_mia.auditing._audit import audit  # noqa: F401
    from sklearn_mia.auditing._baseline import compare_with_baseline  # noqa: F401
    from sklearn_mia.auditing._canaries import make_canaries  # noqa: F401
    from sklearn_mia.auditing._changes import ReportChanges, compare_reports  # noqa: F401
    from sklearn_mia.auditing._defaults import default_attacks  # noqa: F401
    from sklearn_mia.auditing._display import (  # noqa: F401
        MembershipRocDisplay,
        RecordRiskDisplay,
        ScoreDistributionDisplay,
    )
    from sklearn_mia.auditing._findings import Finding  # noqa: F401
    from sklearn_mia.auditing._recipe import audit_recipe  # noqa: F401
    from sklearn_mia.auditing._recipe_report import RecipeReport  # noqa: F401
    from sklearn_mia.auditing._report import AuditReport  # noqa: F401
    from sklearn_mia.auditing._skore import MembershipCheck  # noqa: F401
else:
    __all__, __getattr__, __dir__ = lazily(__name__, _HOMES)
