import numpy as np
import pytest
from joblib import parallel_config
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, QuantileRegressor
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from sklearn_mia import ThresholdAttack, as_records
from sklearn_mia.attacks._quantile import (
    QuantileRegressionAttack,
    RecordTable,
    draw_folds,
)
from sklearn_mia.identity import record_ids
from sklearn_mia.metrics import rate_interval
from sklearn_mia.response import make_responder
from sklearn_mia.signals import logit


@pytest.fixture(scope="module")
def data():
    X, y = make_classification(400, 8, n_informative=5, flip_y=0.3, random_state=0)
    model = RandomForestClassifier(30, random_state=0).fit(X[:200], y[:200])
    return X, y, as_records(X, y), np.arange(400) < 200, model


def test_mean_head_is_the_cross_fitted_residual(data):
    X, y, records, _, model = data
    attack = QuantileRegressionAttack(
        model, estimator=LinearRegression(), n_folds=4, random_state=3
    )
    scores = attack.fit(records).score_samples(records)

    responder, log_proba = make_responder(model, X, model.classes_)
    signal = log_proba[np.arange(400), y] - log_proba[np.arange(400), 1 - y]
    design = np.column_stack([X, y == 0, y == 1]).astype(float)
    folds = draw_folds(record_ids(X, y), 4, 3)
    expected = np.empty(400)
    for f in range(4):
        seen = folds != f
        weights = np.linalg.lstsq(design[seen], signal[seen])[0]
        expected[~seen] = (signal - design @ weights)[~seen]
    assert_allclose(scores, expected, atol=1e-10)

    outside = as_records(X + 0.01, y)
    log_proba = responder.answer(model, X + 0.01)
    signal = log_proba[np.arange(400), y] - log_proba[np.arange(400), 1 - y]
    table = np.column_stack([X + 0.01, y == 0, y == 1])
    by_fold = signal - np.array([m.predict(table) for m, _ in attack.estimators_])
    scores = attack.score_samples(outside)
    nearest = np.abs(by_fold - scores).min(axis=0)
    assert_allclose(nearest, 0, atol=1e-10)
    # About as many records for each fold.
    used = np.abs(by_fold - scores).argmin(axis=0)
    assert np.bincount(used, minlength=4).min() > 60


def test_gaussian_head_divides_by_the_spread_of_unseen_residuals(data):
    X, y, records, _, model = data
    attack = QuantileRegressionAttack(
        model, estimator=LinearRegression(), head="gaussian", n_folds=2, random_state=1
    ).fit(records)
    signal = logit(make_responder(model, X, model.classes_)[1], y)
    table = np.column_stack([X, np.eye(2)[y]])
    ids = record_ids(X, y)
    folds = draw_folds(ids, 2, 1)
    expected = np.empty(400)
    for f in range(2):
        seen = np.flatnonzero(folds != f)
        half = draw_folds(ids[seen], 2, 2) == 0
        squares = np.empty(len(seen))
        for own in (half, ~half):
            other = LinearRegression().fit(table[seen[~own]], signal[seen[~own]])
            squares[own] = (signal - other.predict(table))[seen[own]] ** 2
        location = LinearRegression().fit(table[seen], signal[seen])
        spread = LinearRegression().fit(table[seen], np.log(squares + 1e-6))
        z = (signal - location.predict(table)) / np.exp(spread.predict(table) / 2)
        expected[folds == f] = z[folds == f]
    assert_allclose(attack.score_samples(records), expected, rtol=1e-6)


@pytest.mark.parametrize(
    "head",
    [
        "mean",
        *(pytest.param(h, marks=pytest.mark.slow) for h in ("gaussian", "quantile")),
    ],
)
def test_higher_is_a_member_and_stronger_than_the_signal(data, head):
    _, _, records, is_member, model = data
    attack = QuantileRegressionAttack(model, head=head, random_state=0)
    auc = attack.fit(records).score(records, is_member)
    plain = ThresholdAttack(model).fit(records).score(records, is_member)
    assert auc > (0.75 if head == "quantile" else plain + 0.02)
    assert np.isfinite(attack.score_samples(records)).all()


def test_direction_on_a_model_that_stores_its_records():
    X, y = make_classification(400, 8, n_informative=5, flip_y=0.4, random_state=0)
    model = KNeighborsClassifier(1).fit(X[:200], y[:200])
    records = as_records(X, y)
    attack = QuantileRegressionAttack(model, random_state=0).fit(records)
    assert attack.score(records, np.arange(400) < 200) > 0.6


def test_no_score_of_the_pool_is_in_sample(data):
    _, _, records, _, model = data
    memory = KNeighborsRegressor(1)
    twice = np.vstack([records, records])
    attack = QuantileRegressionAttack(model, estimator=memory, random_state=0)
    scores = attack.fit(twice).score_samples(twice)
    # A regression that had seen the record, or its copy, would repeat its signal.
    assert np.mean(scores == 0) < 0.2
    assert_array_equal(scores[:400], scores[400:])


def test_folds_are_equal_and_hold_copies_together():
    ids = np.arange(100, dtype=np.uint64) % 50
    folds = draw_folds(ids, 5, seed=0)
    assert_array_equal(folds[:50], folds[50:])
    assert_array_equal(np.bincount(folds), 20)
    assert np.mean(draw_folds(ids, 5, seed=1) == folds) < 0.5


def test_scores_depend_neither_on_order_nor_on_membership_nor_on_workers(data):
    _, _, records, is_member, model = data
    order = np.random.default_rng(0).permutation(400)
    attack = QuantileRegressionAttack(model, n_folds=2, random_state=0)
    scores = attack.fit(records).score_samples(records)
    assert_array_equal(attack.fit(records[order]).score_samples(records), scores)
    assert_array_equal(attack.fit(records, is_member).score_samples(records), scores)
    with parallel_config("threading", n_jobs=2):
        assert_array_equal(attack.fit(records).score_samples(records), scores)
    assert_array_equal(attack.score_samples(records[order]), scores[order])


def test_frames_of_text_and_numbers(data):
    pd = pytest.importorskip("pandas")
    pl = pytest.importorskip("polars")
    X, y, *_ = data
    frame = pd.DataFrame(X[:, :3], columns=list("abc"))
    frame["text"] = np.where(X[:, 3] > 0, "high", "low")
    frame.loc[::7, "a"] = np.nan
    frame["label"] = y
    text = make_column_transformer(
        (OrdinalEncoder(), ["text"]), remainder="passthrough"
    )
    model = make_pipeline(text, HistGradientBoostingClassifier(max_iter=20))
    model.fit(frame.iloc[:200, :-1], y[:200])
    attack = QuantileRegressionAttack(model, n_folds=2, random_state=0)
    scores = attack.fit(frame).score_samples(frame)
    as_polars = pl.DataFrame(frame.to_dict("list"))
    again = attack.fit(as_polars).score_samples(as_polars)
    assert_array_equal(scores, again)
    assert np.isfinite(scores).all()


def test_categories_by_frequency_and_one_hot():
    features = np.array([["b"], ["a"], ["b"], ["c"]], dtype=object)
    codes = np.array([0, 1, 1, 0])
    table = RecordTable(features, 2, one_hot=False)
    assert_array_equal(table.is_category, [True, True])
    assert_array_equal(table.transform(features, codes)[[0, 2]], [[0, 0], [0, 1]])
    unknown = np.array([["z"]], dtype=object)
    assert table.transform(unknown, codes[:1])[0, 0] == 3
    table = RecordTable(features, 2, one_hot=True)
    assert_array_equal(table.transform(features, codes).sum(axis=1), 2)
    assert_array_equal(table.transform(unknown, codes[:1]), [[0, 0, 0, 1, 0]])


@pytest.mark.slow
def test_quantile_head_is_exceeded_as_often_as_it_says():
    X, y = make_classification(3000, 6, flip_y=0.2, random_state=0)
    model = LogisticRegression().fit(X[:500], y[:500])
    records = as_records(X[500:], y[500:])
    linear = QuantileRegressor(quantile=0.9, alpha=0)
    for estimator in (None, linear):
        attack = QuantileRegressionAttack(
            model,
            estimator=estimator,
            head="quantile",
            quantile=0.9,
            n_folds=3,
            random_state=0,
        )
        share = np.mean(attack.fit(records).score_samples(records) > 0)
        assert 0.08 < share < 0.15
    auto = QuantileRegressionAttack(model, head="quantile", max_fpr=0.001)
    assert auto.fit(records).estimators_[0][0].quantile == pytest.approx(1 - 10 / 2500)


def test_quantile_of_the_head_leaves_records_above_it():
    X, y = make_classification(200, 4, flip_y=0.2, random_state=0)
    model = LogisticRegression().fit(X[:100], y[:100])
    records = as_records(X[100:], y[100:])
    for max_fpr, quantile, used in (
        # Ten of 100 records are left above a quantile of 0.9.
        (0.001, "auto", 0.9),
        (0.2, "auto", 0.8),
        (0.001, 0.7, 0.7),
    ):
        attack = QuantileRegressionAttack(
            model, head="quantile", quantile=quantile, max_fpr=max_fpr, n_folds=2
        ).fit(records)
        for location, spread in attack.estimators_:
            assert (location.loss, location.max_leaf_nodes) == ("quantile", 8)
            assert location.quantile == pytest.approx(used)
            assert spread is None


def test_sparse_records_are_those_of_the_array(data):
    sp = pytest.importorskip("scipy.sparse")
    _, _, records, _, model = data
    attack = QuantileRegressionAttack(model, n_folds=2, random_state=0)
    scores = attack.fit(records).score_samples(records)
    sparse = sp.csr_array(records)
    assert_array_equal(attack.fit(sparse).score_samples(sparse), scores)


def test_bad_input_is_refused(data):
    _, _, records, _, model = data
    with pytest.raises(ValueError, match="n_folds=5, but the pool has only 4"):
        QuantileRegressionAttack(model).fit(np.repeat(records[:4], 3, axis=0))
    with pytest.raises(ValueError, match="'head' parameter"):
        QuantileRegressionAttack(model, head="median").fit(records)


@pytest.mark.slow
@pytest.mark.parametrize("head", ["mean", "gaussian", "quantile"])
def test_no_leak_gives_no_more_false_alarms_than_allowed(head):
    alarms = 0
    for seed in range(200):
        X, y = make_classification(
            1049, 6, n_informative=4, flip_y=0.2, random_state=seed
        )
        model = RandomForestClassifier(20, random_state=seed, min_samples_leaf=2)
        model.fit(X[:500], y[:500])
        pool, fresh = as_records(X[500:999], y[500:999]), as_records(X[999:], y[999:])
        attack = QuantileRegressionAttack(model, head=head, random_state=seed)
        alarms += attack.fit(pool).predict(fresh).sum()
    interval = rate_interval(alarms, 200 * 50, confidence=0.99)
    assert interval.low <= 0.05 <= interval.high, interval
    print(interval)
