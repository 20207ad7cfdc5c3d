"""Membership attacks: binary classifiers over records."""

from sklearn_mia.attacks._bagging import BaggingAttack
from sklearn_mia.attacks._difficulty import DifficultyCalibrationAttack
from sklearn_mia.attacks._label_only import LabelOnlyAttack
from sklearn_mia.attacks._linear_reconstruction import LinearReconstructionAttack
from sklearn_mia.attacks._lira import LiRA
from sklearn_mia.attacks._quantile import QuantileRegressionAttack
from sklearn_mia.attacks._rmia import RMIA
from sklearn_mia.attacks._shadow_model import ShadowModelAttack
from sklearn_mia.attacks._signal_table import MembershipSignals
from sklearn_mia.attacks._supervised import SupervisedAttack
from sklearn_mia.attacks._threshold import ThresholdAttack
from sklearn_mia.attacks._trajectory import TrajectoryAttack

__all__ = [
    "RMIA",
    "BaggingAttack",
    "DifficultyCalibrationAttack",
    "LabelOnlyAttack",
    "LiRA",
    "LinearReconstructionAttack",
    "MembershipSignals",
    "QuantileRegressionAttack",
    "ShadowModelAttack",
    "SupervisedAttack",
    "ThresholdAttack",
    "TrajectoryAttack",
]
