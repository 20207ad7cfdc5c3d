"""Groups, sample weights and other metadata on the way to the shadows."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mia import RMIA, LiRA, as_records
from sklearn_mia.identity import merged_identities


class Remembers(ClassifierMixin, BaseEstimator):
    """Keeps the rows and the weights that it was trained on."""

    def fit(self, X, y, sample_weight=None):
        self.classes_ = np.unique(y)
        self.rows_, self.weights_ = X[:, 0].copy(), sample_weight
        return self

    def predict_proba(self, X):
        return np.tile([0.4, 0.6], (len(X), 1))

    def predict(self, X):
        return self.classes_[np.ones(len(X), dtype=int)]


@pytest.fixture(scope="module")
def table():
    X, y = make_classification(120, 5, random_state=0)
    X[:, 0] = np.arange(120)
    return X, y


@pytest.fixture(scope="module")
def target(table):
    return Remembers().fit(*table)


def test_a_group_is_wholly_in_or_out(table, target):
    groups = np.array([f"person {i // 5}" for i in range(120)])
    attack = LiRA(target, n_shadows=6, random_state=0)
    attack.fit(as_records(*table), groups=groups)
    members = attack.shadow_members_.reshape(6, 24, 5)
    assert_array_equal(members.min(axis=2), members.max(axis=2))
    assert_array_equal(attack.shadow_members_.sum(axis=0), 3)
    for (model, _), row in zip(attack.models_, attack.shadow_members_, strict=True):
        assert_array_equal(model.rows_, np.flatnonzero(row))


def test_equal_records_join_their_groups():
    ids = np.array([1, 2, 2, 3, 4, 5], dtype=np.uint64)
    groups = ["a", "a", "b", "b", "c", "d"]
    identities = merged_identities(ids, groups)
    assert len(set(identities[:4])) == 1
    assert len(set(identities)) == 3
    order = np.array([5, 0, 3, 1, 4, 2])
    again = merged_identities(ids[order], [groups[i] for i in order])
    assert_array_equal(again, identities[order])


def test_one_group_cannot_be_split(table, target):
    with pytest.raises(ValueError, match="all equal or of one group"):
        LiRA(target).fit(as_records(*table), groups=np.zeros(120))


def test_groups_of_another_length_are_refused(table, target):
    with pytest.raises(ValueError, match="groups has 3 keys for 120 records"):
        LiRA(target).fit(as_records(*table), groups=[1, 2, 3])


def test_weights_are_cut_to_the_records_of_each_shadow(table, target):
    weights = np.arange(120.0) * 10
    attack = RMIA(target, n_shadows=4, random_state=0)
    attack.fit(as_records(*table), sample_weight=weights)
    for model, _ in attack.models_:
        assert_array_equal(model.weights_, model.rows_ * 10)


def test_weights_reach_the_last_step_of_a_pipeline(table):
    X, y = table
    pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    weights = np.where(np.arange(120) < 20, 100.0, 0.01)
    records = as_records(X, y)
    plain = RMIA(pipeline, n_shadows=4, random_state=0).fit(records)
    weighted = RMIA(pipeline, n_shadows=4, random_state=0)
    weighted.fit(records, sample_weight=weights)
    model, _ = weighted.models_[0]
    rows = weighted.shadow_members_[0]
    by_hand = clone(pipeline).fit(
        X[rows], y[rows], logisticregression__sample_weight=weights[rows]
    )
    assert_array_equal(model[-1].coef_, by_hand[-1].coef_)
    assert not np.array_equal(weighted.shadow_signals_, plain.shadow_signals_)


def test_weights_are_routed(table):
    X, y = table
    weights = np.where(np.arange(120) < 20, 100.0, 0.01)
    target = LogisticRegression().fit(X, y)
    records = as_records(X, y)
    by_hand = RMIA(target, n_shadows=4, random_state=0)
    by_hand.fit(records, sample_weight=weights)
    with sklearn.config_context(enable_metadata_routing=True):
        recipe = LogisticRegression().set_fit_request(sample_weight=True)
        attack = RMIA(target, shadow_estimator=recipe, n_shadows=4, random_state=0)
        attack.fit(records, sample_weight=weights)
        assert_array_equal(attack.shadow_signals_, by_hand.shadow_signals_)
        unset = RMIA(target, shadow_estimator=LogisticRegression(), n_shadows=4)
        with pytest.raises(ValueError, match="sample_weight"):
            unset.fit(records, sample_weight=weights)


def test_groups_are_routed_through_cross_validation(table):
    X, y = table
    target = LogisticRegression().fit(X, y)
    groups = np.arange(120) // 5
    is_member = groups % 2 == 0
    with sklearn.config_context(enable_metadata_routing=True):
        attack = RMIA(target, n_shadows=2, random_state=0)
        attack.set_fit_request(groups=True)
        scores = cross_val_score(
            attack,
            as_records(X, y),
            is_member,
            cv=GroupKFold(3),
            scoring="roc_auc",
            params={"groups": groups},
        )
    assert np.isfinite(scores).all()


def test_weights_that_the_recipe_does_not_take_are_refused(table):
    X, y = table
    target = KNeighborsClassifier().fit(X, y)
    with pytest.raises(
        ValueError, match="fit of KNeighborsClassifier does not take it"
    ):
        RMIA(target, n_shadows=2).fit(as_records(X, y), sample_weight=np.ones(120))


def test_weights_of_another_length_are_refused(table, target):
    with pytest.raises(ValueError, match="sample_weight has 7 values, but the pool"):
        RMIA(target).fit(as_records(*table), sample_weight=np.ones(7))


class StopsEarly(LogisticRegression):
    """Takes the parameter by which boosting libraries stop early."""

    def __init__(self, early_stopping_rounds=None):
        super().__init__()
        self.early_stopping_rounds = early_stopping_rounds


def test_early_stopping_on_an_eval_set_is_told_before_anything_trains(table):
    X, y = table
    target = StopsEarly(early_stopping_rounds=5).fit(X, y)
    with pytest.raises(ValueError, match="no shadow has") as caught:
        RMIA(target, n_shadows=2).fit(as_records(X, y))
    assert "early_stopping_rounds=None" in str(caught.value)
    with pytest.raises(ValueError, match="eval_set was passed"):
        RMIA(StopsEarly().fit(X, y)).fit(as_records(X, y), eval_set=[(X, y)])
    recipe = clone(target).set_params(early_stopping_rounds=None)
    RMIA(target, shadow_estimator=recipe, n_shadows=2).fit(as_records(X, y))
