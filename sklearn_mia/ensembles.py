"""What an ensemble is made of: its members, and what is put behind them."""

from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.multiclass import (
    OneVsOneClassifier,
    OneVsRestClassifier,
    OutputCodeClassifier,
)

STACKING = (StackingClassifier, StackingRegressor)
VOTING = (VotingClassifier, VotingRegressor)


def members_of(model):
    """What an ensemble trained on the columns that it got itself.

    Parameters
    ----------
    model : fitted estimator
        The model, or a part of it.

    Returns
    -------
    members : list of fitted estimator
        Of classes or pairs of classes the first, as all get the same columns; empty
        for what is no ensemble of models with columns of their own.
    """
    if isinstance(model, CalibratedClassifierCV):
        return [fold.estimator for fold in model.calibrated_classifiers_]
    if isinstance(model, (*STACKING, *VOTING)):
        return list(model.estimators_)
    if isinstance(
        model, (OneVsOneClassifier, OneVsRestClassifier, OutputCodeClassifier)
    ):
        return [model.estimators_[0]]
    return []


def calibrators_of(model):
    """What a fitted CalibratedClassifierCV puts behind its classifiers."""
    folds = model.calibrated_classifiers_
    return [calibrator for fold in folds for calibrator in fold.calibrators]
