"""The answer a person reads: audits of trained models and their reports."""

from sklearn_mia.auditing._answers_alone import audit_predictions
from sklearn_mia.auditing._audit import audit
from sklearn_mia.auditing._baseline import compare_with_baseline
from sklearn_mia.auditing._changes import ReportChanges, compare_reports
from sklearn_mia.auditing._display import (
    MembershipRocDisplay,
    RecordRiskDisplay,
    ScoreDistributionDisplay,
)
from sklearn_mia.auditing._findings import Finding
from sklearn_mia.auditing._recipe import RecipeReport, audit_recipe
from sklearn_mia.auditing._report import AuditReport
from sklearn_mia.auditing._run import default_attacks

__all__ = [
    "AuditReport",
    "Finding",
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
]
