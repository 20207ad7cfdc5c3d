"""Where an attack is written: base classes and what they hand to an attack.

Provisional: names and hooks may change until attacks on records of any kind are part of
the package.
"""

from sklearn_mia.base._contract import BaseAttack
from sklearn_mia.base._evidence import ShadowEvidence
from sklearn_mia.base._sides import (
    MeanGap,
    MeanShare,
    side_count,
    side_mean,
    side_sum,
)
from sklearn_mia.base._target import Queries
from sklearn_mia.base._with_shadows import BaseShadowAttack
from sklearn_mia.readers import LogProbaReader, PredictionReader, Reader

__all__ = [
    "BaseAttack",
    "BaseShadowAttack",
    "LogProbaReader",
    "MeanGap",
    "MeanShare",
    "PredictionReader",
    "Queries",
    "Reader",
    "ShadowEvidence",
    "side_count",
    "side_mean",
    "side_sum",
]
