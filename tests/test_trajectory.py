import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import RMIA, ThresholdAttack, as_records
from sklearn_mia.attacks._trajectory import (
    TrajectoryAttack,
    late_progress,
    log_spaced_stages,
    staged_log_proba,
)
from sklearn_mia.metrics import rate_interval


def make_data(n_classes=2):
    X, y = make_classification(
        400, 8, n_informative=5, n_classes=n_classes, flip_y=0.4, random_state=0
    )
    return X, y, as_records(X, y), np.arange(400) < 200


def xgboost(**params):
    return pytest.importorskip("xgboost").XGBClassifier(n_jobs=1, **params)


def lightgbm(**params):
    return pytest.importorskip("lightgbm").LGBMClassifier(
        n_jobs=1, verbose=-1, **params
    )


BOOSTING = {
    "GradientBoosting": lambda: GradientBoostingClassifier(
        n_estimators=30, random_state=0
    ),
    "exponential": lambda: GradientBoostingClassifier(
        loss="exponential", n_estimators=30, random_state=0
    ),
    "HistGradientBoosting": lambda: HistGradientBoostingClassifier(max_iter=30),
    "AdaBoost": lambda: AdaBoostClassifier(
        DecisionTreeClassifier(max_depth=2), n_estimators=30, random_state=0
    ),
    "XGBoost": lambda: xgboost(n_estimators=30),
    "LightGBM": lambda: lightgbm(n_estimators=30),
    "pipeline": lambda: make_pipeline(
        StandardScaler(), HistGradientBoostingClassifier(max_iter=30)
    ),
}


def test_stages_are_log_spaced():
    assert_array_equal(log_spaced_stages(100, 3), [1, 10, 100])
    assert_array_equal(log_spaced_stages(1, 4), 1)
    stages = log_spaced_stages(40, 20)
    assert stages[0] == 1
    assert stages[-1] == 40
    assert np.all(np.diff(stages) >= 0)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", BOOSTING)
def test_stages_are_those_of_the_model(name, n_classes):
    if name == "exponential" and n_classes == 3:
        return
    X, y, *_ = make_data(n_classes)
    model = BOOSTING[name]().fit(X[:200], y[:200])
    log_proba = staged_log_proba(model, X, 5)
    assert log_proba.shape == (400, n_classes, 5)
    assert_allclose(np.exp(log_proba).sum(axis=1), 1, atol=1e-9)
    if name == "AdaBoost":
        assert_array_equal(log_proba[:, :, -1].argmax(axis=1), model.predict(X))
        return
    assert_allclose(np.exp(log_proba[:, :, -1]), model.predict_proba(X), atol=1e-6)
    # The same model trained for fewer rounds is a stage of the longer one.
    last = model[-1] if name == "pipeline" else model
    rounds = "max_iter" if "max_iter" in last.get_params() else "n_estimators"
    short = BOOSTING[name]()
    (short[-1] if name == "pipeline" else short).set_params(**{rounds: 5})
    expected = short.fit(X[:200], y[:200]).predict_proba(X)
    assert log_spaced_stages(30, 5)[2] == 5
    assert_allclose(np.exp(log_proba[:, :, 2]), expected, atol=1e-5)


def test_early_stopping_sets_the_last_stage():
    X, y, *_ = make_data()
    model = xgboost(n_estimators=200, early_stopping_rounds=3)
    model.fit(X[:200], y[:200], eval_set=[(X[200:], y[200:])], verbose=False)
    last = staged_log_proba(model, X, 4)[:, :, -1]
    assert_allclose(np.exp(last), model.predict_proba(X), atol=1e-6)
    model = HistGradientBoostingClassifier(early_stopping=True).fit(X, y)
    last = staged_log_proba(model, X, 4)[:, :, -1]
    assert_allclose(np.exp(last), model.predict_proba(X), atol=1e-9)


def test_without_shadows_the_score_is_the_late_progress():
    X, y, records, _ = make_data()
    model = GradientBoostingClassifier(n_estimators=100, random_state=0)
    model.fit(X[:200], y[:200])
    staged = np.array([p[np.arange(400), y] for p in model.staged_predict_proba(X)])
    some = np.log(staged[[0, 9, 99]])
    expected = some[-1] - some.mean(axis=0)
    attack = TrajectoryAttack(model, n_stages=3).fit(records)
    assert_allclose(attack.score_samples(records), expected, atol=1e-9)
    assert_allclose(late_progress(some.T), expected)
    assert_allclose(some.T @ attack.stage_weights_, expected)


def test_adaboost_is_read_by_its_sums_of_votes():
    X, y, *_ = make_data()
    model = BOOSTING["AdaBoost"]().fit(X[:200], y[:200])
    votes = np.stack([t.predict(X) for t in model.estimators_]) * 2.0 - 1
    sums = np.cumsum(model.estimator_weights_[:, None] * votes, axis=0)
    expected = -np.log1p(np.exp(-sums * np.where(y == 1, 1, -1)))
    stages = log_spaced_stages(len(sums), 20) - 1
    own = staged_log_proba(model, X, 20)[np.arange(400), y]
    assert_allclose(own.T, expected[stages], atol=1e-9)


def test_with_two_shadows_the_last_stage_decides_like_rmia():
    X, y, records, _ = make_data()
    model = HistGradientBoostingClassifier(max_iter=30, random_state=0)
    model.fit(X[:200], y[:200])
    attack = TrajectoryAttack(model, n_shadows=2, random_state=0).fit(records)
    rmia = RMIA(model, n_shadows=2, random_state=0).fit(records)
    assert_array_equal(attack.stage_weights_, np.eye(20)[-1])
    assert_allclose(
        attack.score_samples(records), rmia.score_samples(records), atol=1e-8
    )


@pytest.mark.parametrize("name", BOOSTING)
def test_higher_is_a_member(name):
    X, y, records, is_member = make_data()
    model = BOOSTING[name]().fit(X[:200], y[:200])
    loss = ThresholdAttack(model, signal="loss").fit(records)
    attack = TrajectoryAttack(model).fit(records, is_member)
    scores = attack.score_samples(records)
    assert np.isfinite(scores).all()
    assert scores[is_member].mean() > scores[~is_member].mean()
    assert attack.score(records, is_member) > loss.score(records, is_member) - 0.02
    assert attack.predict(records)[~is_member].mean() <= 0.05


@pytest.mark.slow
def test_shadows_help_and_do_not_depend_on_workers():
    X, y, records, is_member = make_data()
    model = HistGradientBoostingClassifier(max_iter=50).fit(X[:200], y[:200])
    alone = TrajectoryAttack(model).fit(records).score(records, is_member)
    attack = TrajectoryAttack(model, n_shadows=8, random_state=0).fit(records)
    assert attack.score(records, is_member) > alone
    scores = attack.score_samples(records)
    with parallel_config("threading", n_jobs=2):
        again = TrajectoryAttack(model, n_shadows=8, random_state=0).fit(records)
    assert_array_equal(again.score_samples(records), scores)
    outside = records[:20].copy()
    outside[:, 0] += 0.01
    assert np.isfinite(attack.score_samples(outside)).all()
    assert attack.fit(records, is_member).offset_ != again.offset_


def test_a_class_that_a_shadow_missed_is_no_score_of_its_own():
    X, y, *_ = make_data()
    y = y.copy()
    y[[3, 7]] = 2
    records = as_records(X, y)
    model = GradientBoostingClassifier(n_estimators=10, random_state=0).fit(X, y)
    attack = TrajectoryAttack(model, n_shadows=8, random_state=1).fit(records)
    assert np.isnan(attack.shadow_signals_[:, [3, 7]]).any()
    assert np.isfinite(attack.score_samples(records)).all()


def test_wrapped_targets_and_unlabelled_records():
    X, y, records, _ = make_data()
    model = HistGradientBoostingClassifier(max_iter=20).fit(X[:200], y[:200])
    scores = TrajectoryAttack(model).fit(records).score_samples(records)
    frozen = TrajectoryAttack(FrozenEstimator(model)).fit(records)
    assert_array_equal(frozen.score_samples(records), scores)
    search = GridSearchCV(model, {"max_depth": [2]}, cv=2).fit(X[:200], y[:200])
    best = TrajectoryAttack(search.best_estimator_).fit(records)
    searched = TrajectoryAttack(search).fit(records)
    assert_array_equal(searched.score_samples(records), best.score_samples(records))
    unlabelled = TrajectoryAttack(model, label_column=None).fit(X).score_samples(X)
    predicted = as_records(X, model.predict(X))
    own = TrajectoryAttack(model).fit(predicted).score_samples(predicted)
    assert_array_equal(unlabelled, own)


def test_models_without_stages_are_refused():
    X, y, records, _ = make_data()
    model = RandomForestClassifier(5).fit(X, y)
    for target in (model, make_pipeline(StandardScaler(), model).fit(X, y)):
        with pytest.raises(TypeError, match="target RandomForestClassifier, whose st"):
            TrajectoryAttack(target, n_shadows=16).fit(records)


@pytest.mark.slow
def test_no_leak_gives_no_more_false_alarms_than_allowed():
    alarms = 0
    for seed in range(200):
        X, y = make_classification(
            849, 6, n_informative=4, flip_y=0.2, random_state=seed
        )
        model = HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=8)
        model.fit(X[:300], y[:300])
        pool, fresh = as_records(X[300:799], y[300:799]), as_records(X[799:], y[799:])
        attack = TrajectoryAttack(model, random_state=seed).fit(pool)
        alarms += attack.predict(fresh).sum()
    interval = rate_interval(alarms, 200 * 50, confidence=0.99)
    print(interval)
    assert interval.low <= 0.05, interval


@pytest.mark.slow
def test_shadows_give_no_more_false_alarms_than_allowed():
    alarms = 0
    for seed in range(200):
        X, y = make_classification(
            500, 6, n_informative=4, flip_y=0.2, random_state=seed
        )
        member = np.random.default_rng(seed).random(500) < 0.5
        model = HistGradientBoostingClassifier(max_iter=20, max_leaf_nodes=8)
        model.fit(X[member], y[member])
        pool = as_records(X, y)
        attack = TrajectoryAttack(model, n_shadows=4, random_state=seed).fit(pool)
        alarms += attack.predict(pool)[~member][:50].sum()
    interval = rate_interval(alarms, 200 * 50, confidence=0.99)
    print(interval)
    assert interval.low <= 0.05, interval
