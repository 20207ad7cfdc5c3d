"""A search and an audit attack with one strength."""

import numpy as np
import pytest
from helpers.selection import LOSS, MEMBERS, OTHERS, X, Y, fitted, forest
from sklearn.base import clone
from sklearn.datasets import load_iris, make_classification
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    PredefinedSplit,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_mia import RMIA, BaggingAttack, LiRA, as_records, default_attacks
from sklearn_mia.auditing._defaults import strongest_attack
from sklearn_mia.metrics import membership_advantage_score, roc_auc_interval
from sklearn_mia.model_selection import (
    AuditableClassifier,
    MostAccurateWithin,
    cross_validate_leakage,
    make_leakage_scorer,
)
from sklearn_mia.model_selection._leakage import is_reversed


def boosting():
    return HistGradientBoostingClassifier(max_iter=2, random_state=0)


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (forest(), "BaggingAttack"),
        (ExtraTreesClassifier(5, bootstrap=True, random_state=0), "BaggingAttack"),
        (BaggingClassifier(n_estimators=5, random_state=0), "BaggingAttack"),
        (make_pipeline(StandardScaler(), forest()), "BaggingAttack"),
        (GridSearchCV(forest(), {"max_depth": [3]}, cv=2), "BaggingAttack"),
        (AuditableClassifier(forest()), "BaggingAttack"),
        (boosting(), "LiRA"),
        (make_pipeline(StandardScaler(), boosting()), "LiRA"),
        (KNeighborsClassifier(), "RMIA"),
        (LinearSVC(random_state=0), "RMIA"),
    ],
)
def test_the_attack_is_one_of_the_defaults_of_an_audit(model, expected):
    data, labels = load_iris(return_X_y=True)
    model.fit(data, labels)
    attack, defaults = strongest_attack(model, random_state=3), default_attacks(model)
    assert type(attack).__name__ == expected
    params = defaults[expected].get_params(deep=False) | {"random_state": 3}
    forests = expected == "BaggingAttack"
    few = {"trees_per_shadow": 10} if forests else {"n_shadows": 4}
    assert attack.get_params(deep=False) == params | few


@pytest.mark.parametrize(
    "model",
    [
        RandomForestRegressor(5, random_state=0),
        HistGradientBoostingRegressor(max_iter=2),
        AuditableClassifier(Ridge()),
    ],
)
def test_regressors_are_attacked_by_lira(model):
    attack = strongest_attack(model.fit(X, X[:, 0] + Y), random_state=3)
    assert type(attack) is LiRA
    expected = default_attacks(model)["LiRA"].get_params(deep=False)
    few = {"n_shadows": 4, "random_state": 3}
    assert attack.get_params(deep=False) == expected | few


def test_a_scorer_of_a_regressor_is_lira_on_all_its_records():
    values = X[:, 0] + np.random.default_rng(0).normal(size=len(X))
    model = RandomForestRegressor(10, random_state=0)
    model = AuditableClassifier(model).fit(X[MEMBERS], values[MEMBERS])
    found = make_leakage_scorer(metric="roc_auc", greater_is_better=True)
    attack = LiRA(model.estimator_, n_shadows=4, random_state=0)
    scores = attack.fit_score(as_records(X, values))
    is_member = np.zeros(len(X), dtype=bool)
    is_member[MEMBERS] = True
    by_hand = roc_auc_score(is_member, scores)
    assert found(model, X[OTHERS], values[OTHERS]) == pytest.approx(by_hand, abs=1e-12)
    assert by_hand > 0.7


def test_boosting_of_two_classes_is_attacked_by_rmia():
    assert type(strongest_attack(boosting().fit(X, Y))) is RMIA


def test_the_default_scorer_draws_shadows_from_all_records(whole_bagging):
    train, test = slice(0, 320), slice(320, 400)
    model = AuditableClassifier(forest(min_samples_leaf=5)).fit(X[train], Y[train])
    members, is_member = model.membership_records(X[test], Y[test])
    attack = BaggingAttack(
        model.estimator_, n_trees=100, trees_per_shadow=10, random_state=0
    )
    scores = attack.fit_score(as_records(X, Y))
    row = dict(zip(map(tuple, X), scores, strict=True))
    compared = [row[tuple(record)] for record in members[:, :-1]]
    found = make_leakage_scorer(metric="roc_auc", greater_is_better=True)
    by_hand = roc_auc_score(is_member, compared)
    assert found(model, X[test], Y[test]) == pytest.approx(by_hand, abs=1e-12)


def test_the_default_attack_sees_what_the_loss_does_not():
    model = fitted(forest(30, min_samples_leaf=10))
    by_loss, by_default = (
        make_leakage_scorer(*attack, metric="roc_auc", greater_is_better=True)(
            model, X[OTHERS], Y[OTHERS]
        )
        for attack in ([LOSS], [])
    )
    assert by_default > by_loss + 0.05


def test_cross_validation_tells_the_attacker_and_equals_it_by_hand():
    folds = StratifiedKFold(2)
    recipe = forest(5)
    found = cross_validate_leakage(recipe, X, Y, cv=folds, random_state=7)
    assert found["leakage_attack"].tolist() == ["BaggingAttack"] * 2
    for k, (train, _) in enumerate(folds.split(X, Y)):
        model = clone(recipe).fit(X[train], Y[train])
        scores = strongest_attack(model, random_state=7).fit_score(as_records(X, Y))
        is_member = np.isin(np.arange(400), train)
        auc = roc_auc_score(is_member, scores)
        assert found["leakage_roc_auc"][k] == pytest.approx(auc, abs=1e-12)
    by_loss = cross_validate_leakage(GaussianNB(), X, Y, cv=2, attack=LOSS)
    assert by_loss["leakage_attack"].tolist() == ["ThresholdAttack"] * 2


def test_a_weaker_attack_is_chosen_by_the_caller_alone():
    model = AuditableClassifier(LogisticRegression())
    model.fit(X[MEMBERS], Y[MEMBERS], sample_weight=np.ones(200))
    with pytest.raises(
        ValueError,
        match=r"fitted with sample_weight, which the shadows of RMIA would not get\. "
        r"Pass an attack without shadows, such as ThresholdAttack\(signal='loss'\)",
    ):
        make_leakage_scorer()(model, X[OTHERS], Y[OTHERS])
    assert make_leakage_scorer(LOSS)(model, X[OTHERS], Y[OTHERS]) < 0


def test_a_plain_classifier_is_told_what_is_needed():
    with pytest.warns(UserWarning, match="not auditable") as caught:
        scores = cross_val_score(
            GaussianNB(), X, Y, cv=2, scoring=make_leakage_scorer()
        )
    assert np.isnan(scores).all()
    for warning in caught:
        assert (
            "GaussianNB is not auditable. Wrap it before it is fitted: pass "
            "AuditableClassifier(GaussianNB(...)) in its place. Or call "
            "cross_validate_leakage, which takes it as it is."
        ) in str(warning.message)


# Sides that are exchanged


@pytest.fixture
def exchanged():
    """A model that is right on both sides, and the sides the wrong way round."""
    data, labels = make_classification(
        800, 10, n_informative=6, class_sep=2.5, flip_y=0, random_state=0
    )
    model = RandomForestClassifier(20, random_state=0).fit(data[:400], labels[:400])
    return FrozenEstimator(model), data, labels


@pytest.mark.parametrize("metric", ["roc_auc", "tpr_at_fpr"])
def test_exchanged_sides_score_nan(exchanged, metric):
    model, data, labels = exchanged
    scorer = make_leakage_scorer(metric=metric, max_fpr=0.1)
    right = AuditableClassifier(model).fit(data[:400], labels[:400])
    assert scorer(right, data[400:], labels[400:]) < -0.1
    wrong = AuditableClassifier(model).fit(data[400:], labels[400:])
    with pytest.warns(
        UserWarning,
        match=r"ranks the non-members above the members, AUC 0\.3.*: the sides are "
        "exchanged, or differ in more than training",
    ):
        assert np.isnan(scorer(wrong, data[:400], labels[:400]))


def test_exchanged_sides_are_not_called_safe_in_cross_validation(exchanged):
    model, data, labels = exchanged
    fold = [(np.arange(400, 800), np.arange(400))]
    with pytest.warns(UserWarning, match="ranks the non-members above the members"):
        found = cross_validate_leakage(model, data, labels, cv=fold)
    assert found["leakage_roc_auc"][0] < 0.45
    assert found["leakage_n_members"][0] == 400
    for name in ("advantage", "tpr_at_fpr_0.1", "tpr_at_fpr_0.01"):
        assert np.isnan(found[f"leakage_{name}"][0])


def test_a_search_does_not_choose_exchanged_sides(exchanged):
    model, data, labels = exchanged
    search = GridSearchCV(
        AuditableClassifier(),
        {"estimator": [model, GaussianNB()]},
        scoring={"accuracy": "accuracy", "leakage": make_leakage_scorer()},
        refit=MostAccurateWithin(max_leakage=0.5),
        cv=PredefinedSplit(np.where(np.arange(800) < 400, 0, -1)),
    )
    with (
        pytest.warns(UserWarning, match="ranks the non-members above the members"),
        pytest.warns(UserWarning, match="non-finite"),
    ):
        search.fit(data, labels)
    assert search.best_index_ == 1
    accuracy = search.cv_results_["mean_test_accuracy"]
    assert accuracy[0] > accuracy[1]


def test_reversed_is_an_interval_of_one_in_ten_thousand_below_chance():
    is_member = np.arange(400) < 200
    scores = np.random.default_rng(0).normal(size=400)
    shifts = np.linspace(0, 1, 41)
    ends = [
        roc_auc_interval(is_member, scores - s * is_member, confidence=0.9998).high
        for s in shifts
    ]
    assert max(ends) > 0.5
    assert min(ends) < 0.5
    for shift, end in zip(shifts, ends, strict=True):
        if end < 0.5:
            with pytest.warns(UserWarning, match="ranks the non-members"):
                assert is_reversed(is_member, scores - shift * is_member)
        else:
            assert not is_reversed(is_member, scores - shift * is_member)


def test_one_record_a_side_is_never_reversed():
    assert not is_reversed(np.array([True, False]), np.array([0.0, 1.0]))
    assert membership_advantage_score([True, False], [0.0, 1.0]) == 0
    assert not is_reversed(np.arange(20) < 10, np.zeros(20))
