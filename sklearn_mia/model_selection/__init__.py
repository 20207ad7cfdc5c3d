"""Leakage while choosing a model: which settings leak least for the accuracy."""

from sklearn_mia.model_selection._auditable import AuditableClassifier
from sklearn_mia.model_selection._defences import CoarsenedClassifier
from sklearn_mia.model_selection._display import PrivacyUtilityDisplay
from sklearn_mia.model_selection._refit import LeastLeakageWithin, MostAccurateWithin
from sklearn_mia.model_selection._validation import (
    cross_validate_leakage,
    make_leakage_scorer,
)

__all__ = [
    "AuditableClassifier",
    "CoarsenedClassifier",
    "LeastLeakageWithin",
    "MostAccurateWithin",
    "PrivacyUtilityDisplay",
    "cross_validate_leakage",
    "make_leakage_scorer",
]
