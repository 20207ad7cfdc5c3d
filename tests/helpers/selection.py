"""One table, small models and leakage by hand, for the tests of model selection."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import ThresholdAttack, as_records
from sklearn_mia.metrics import membership_advantage_score
from sklearn_mia.model_selection import AuditableClassifier, make_leakage_scorer

X, Y = make_classification(400, 8, n_informative=5, flip_y=0.3, random_state=0)
MEMBERS, OTHERS = slice(0, 200), slice(200, 400)
# Small trees and forests tie: the default rates of folds can seldom be looked at.
tied_rates = pytest.mark.filterwarnings("ignore:In . of . folds fprs=:UserWarning")
LOSS = ThresholdAttack(signal="loss")
SCORING = {"accuracy": "accuracy", "leakage": make_leakage_scorer(LOSS)}


def tree(**params):
    return DecisionTreeClassifier(random_state=0, **params)


def forest(n_estimators=10, **params):
    return RandomForestClassifier(n_estimators, random_state=0, **params)


def fitted(estimator=None, **params):
    estimator = forest() if estimator is None else estimator
    return AuditableClassifier(estimator, **params).fit(X[MEMBERS], Y[MEMBERS])


# Persons of one to four records, wholly among the first or the second 200.
PERSONS = np.repeat(np.arange(160), np.tile([1, 2, 3, 4], 40))


def group_auc(scores, is_member, groups):
    """AUC of groups by hand: of sums of centred scores, over all pairs."""
    keys, place = np.unique(groups, return_inverse=True)
    sums, counts = np.zeros(len(keys)), np.zeros(len(keys))
    np.add.at(sums, place, scores - scores.mean())
    np.add.at(counts, place, is_member)
    inside, outside = sums[counts > 0], sums[counts == 0]
    difference = np.subtract.outer(inside, outside)
    return np.mean((difference > 0) + 0.5 * (difference == 0))


def log_likelihood(model, X, y):
    """Scores of the loss attack by hand, for classes 0 and 1."""
    return np.log(model.predict_proba(X)[np.arange(len(y)), y])


def advantage(model, X_members, y_members, X_others, y_others, attack=None):
    """Leakage by hand, from arrays."""
    attack = clone(LOSS if attack is None else attack)
    attack.set_params(target_estimator=model)
    records = as_records(
        np.vstack([X_members, X_others]), np.concatenate([y_members, y_others])
    )
    is_member = np.arange(len(records)) < len(X_members)
    scores = attack.fit(records).score_samples(records)
    return membership_advantage_score(is_member, scores)
