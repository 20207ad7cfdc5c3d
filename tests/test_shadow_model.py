import numpy as np
import pytest
from helpers import in_turn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, StratifiedGroupKFold

from sklearn_mia import ShadowModelAttack, as_records
from sklearn_mia.attacks._shadow_model import top_response

IS_MEMBER = np.arange(300) < 150


@pytest.fixture(scope="module")
def table():
    return make_classification(
        300,
        8,
        n_informative=5,
        n_classes=3,
        n_clusters_per_class=1,
        flip_y=0.3,
        random_state=0,
    )


@pytest.fixture(scope="module")
def forest(table):
    X, y = table
    return RandomForestClassifier(20, random_state=0).fit(X[:150], y[:150])


def smoothed_by_hand(proba):
    floor = np.clip(proba[proba > 0].min() / 2, 1e-15, 0.05)
    return (1 - 2 * floor) * proba + 2 * floor / proba.shape[1]


def test_each_class_has_its_own_model_of_the_examples_of_all_shadows(table, forest):
    X, y = table
    records = as_records(X, y)
    attack = ShadowModelAttack(
        forest, attack_estimator=LogisticRegression(), n_shadows=4, random_state=0
    ).fit(records)
    responses, member = attack.shadow_signals_, attack.shadow_members_
    scores = attack.score_samples(records)
    answers = smoothed_by_hand(forest.predict_proba(X))
    for c in range(3):
        examples = responses[:, y == c].reshape(-1, 3)
        model = LogisticRegression().fit(examples, member[:, y == c].ravel())
        assert_allclose(
            scores[y == c], model.decision_function(answers[y == c]), rtol=1e-5
        )


def test_top_three_are_sorted():
    log_proba = np.log([[0.1, 0.4, 0.2, 0.3]])
    assert_allclose(top_response(log_proba, None), [[0.4, 0.3, 0.2]])


@in_turn(("responses", "per_class"), ["full", "top3"], [True, False])
def test_members_score_higher(table, forest, responses, per_class):
    records = as_records(*table)
    attack = ShadowModelAttack(
        forest, responses=responses, per_class=per_class, n_shadows=4, random_state=0
    ).fit(records)
    assert attack.score(records, IS_MEMBER) > 0.7


def test_a_rare_class_uses_the_model_of_all_classes(table, forest):
    X, y = table
    kept = (y != 2) | (np.cumsum(y == 2) <= 6)
    attack = ShadowModelAttack(
        forest, attack_estimator=LogisticRegression(), n_shadows=4, random_state=0
    )
    attack.fit(as_records(X[kept], y[kept]))
    first, second, rare = attack.attack_models_
    assert first is not second
    assert rare.n_features_in_ == 3 + 3
    assert first.n_features_in_ == 3
    assert np.isfinite(attack.score_samples(as_records(X, y))).all()


def test_a_search_tunes_on_folds_of_whole_shadows(table, forest):
    search = GridSearchCV(LogisticRegression(), {"C": [0.1, 10.0]}, cv=2)
    attack = ShadowModelAttack(
        forest, attack_estimator=search, per_class=False, n_shadows=4, random_state=0
    ).fit(as_records(*table))
    assert isinstance(attack.attack_models_[0].cv, GroupKFold)
    assert attack.attack_models_[0].best_params_["C"] in (0.1, 10.0)
    assert search.cv == 2
    # Unless others are given.
    search.set_params(cv=StratifiedGroupKFold(2))
    attack.set_params(attack_estimator=search).fit(as_records(*table))
    assert isinstance(attack.attack_models_[0].cv, StratifiedGroupKFold)


def test_records_outside_the_pool_need_no_shadows(table, forest):
    records = as_records(*table)
    attack = ShadowModelAttack(forest, keep_models=False, n_shadows=4, random_state=0)
    attack.fit(records[:200])
    scores = attack.score_samples(records)
    assert_array_equal(scores[200:], attack.score_samples(records[200:]))


def test_threshold_without_membership_comes_from_shadows_not_learned_from(
    table, forest
):
    records = as_records(*table)
    attack = ShadowModelAttack(forest, max_fpr=0.1, n_shadows=4, random_state=0)
    attack.fit(records)
    assert attack.predict(records)[~IS_MEMBER].mean() < 0.25
