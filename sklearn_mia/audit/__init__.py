"""The answer a person reads: audits of trained models and their reports."""

from sklearn_mia.audit._attacks import default_attacks
from sklearn_mia.audit._audit import audit, audit_predictions
from sklearn_mia.audit._display import (
    MembershipRocDisplay,
    RecordRiskDisplay,
    ScoreDistributionDisplay,
)
from sklearn_mia.audit._findings import Finding
from sklearn_mia.audit._recipe import RecipeReport, audit_recipe
from sklearn_mia.audit._report import AuditReport

__all__ = [
    "AuditReport",
    "Finding",
    "MembershipRocDisplay",
    "RecipeReport",
    "RecordRiskDisplay",
    "ScoreDistributionDisplay",
    "audit",
    "audit_predictions",
    "audit_recipe",
    "default_attacks",
]
