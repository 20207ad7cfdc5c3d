"""What a model gives away by its formula or its structure, without shadow models.

For the owner of the training data: the risk that each record runs, and what releasing
the model itself would disclose.
"""

from sklearn_mia.risk._leave_one_out import LeaveOneOutRisk, leave_one_out_risk
from sklearn_mia.risk._settings import RiskySetting, risky_settings
from sklearn_mia.risk._structure import (
    StructuralFinding,
    StructuralRisk,
    structural_risk,
)

__all__ = [
    "LeaveOneOutRisk",
    "RiskySetting",
    "StructuralFinding",
    "StructuralRisk",
    "leave_one_out_risk",
    "risky_settings",
    "structural_risk",
]
