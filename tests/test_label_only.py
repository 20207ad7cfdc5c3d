import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import ThresholdAttack, as_records
from sklearn_mia.attacks._label_only import LabelOnlyAttack, contrast, robustness
from sklearn_mia.attacks._tabular_noise import TabularNoise
from sklearn_mia.metrics import rate_interval


class OnlyLabels(ClassifierMixin, BaseEstimator):
    """A model that has nothing but `predict`, and counts the rows it is asked."""

    def __init__(self, model=None):
        self.model = model

    def fit(self, X, y):
        self.fitted_ = self.model.fit(X, y)
        self.classes_ = self.fitted_.classes_
        self.n_rows_, self.largest_ = 0, 0
        return self

    def predict(self, X):
        self.n_rows_ += len(X)
        self.largest_ = max(self.largest_, len(X))
        return self.fitted_.predict(X)


@pytest.fixture(scope="module")
def data():
    X, y = make_classification(400, 8, n_informative=5, flip_y=0.4, random_state=0)
    model = RandomForestClassifier(10, random_state=0).fit(X[:200], y[:200])
    return as_records(X, y), np.arange(400) < 200, model


def noise(features, **changes):
    settings = {
        "rate": 0.5,
        "scale": 0.1,
        "categorical_features": "from_dtype",
        "one_hot_groups": None,
        "seed": 0,
    }
    return TabularNoise(features, **{**settings, **changes})


def copies_of(noise, features, n_copies=50):
    place = np.arange(len(features) * n_copies)
    (batch,) = noise.copies(features, [place // n_copies], [place % n_copies])
    return batch, place // n_copies


def test_signals():
    correct, share = np.array([1.0, 1.0, 0.0, 0.0]), np.array([0.9, 0.2, 0.9, 0.2])
    assert_allclose(contrast(correct, share), [0.1, 0.8, -0.9, -0.2])
    assert_array_equal(np.argsort(-robustness(correct, share)), [0, 1, 2, 3])


@pytest.mark.parametrize("signal", ["contrast", "robustness"])
def test_score_is_the_formula_over_the_copies(data, signal):
    records, _, model = data
    attack = LabelOnlyAttack(
        model, signal=signal, n_queries=7, noise_rate=0.3, random_state=5
    ).fit(records)
    X, y = records[:, :-1], records[:, -1]
    batch, row = copies_of(noise(X, rate=0.3, scale=1.0, seed=5), X, 7)
    share = np.bincount(row, weights=model.predict(batch) == y[row]) / 7
    correct = (model.predict(X) == y).astype(float)
    expected = {"contrast": contrast, "robustness": robustness}[signal](correct, share)
    assert_array_equal(attack.score_samples(records), expected)


def test_only_predict_is_called_and_the_budget_is_kept(data):
    records, is_member, _ = data
    X, y = records[:, :-1], records[:, -1].astype(int)
    target = OnlyLabels(RandomForestClassifier(20, random_state=0))
    target.fit(X[:200], y[:200])
    target.n_rows_ = 0
    attack = LabelOnlyAttack(target, n_queries=30, batch_size=500, random_state=0)
    attack.fit(records)
    assert target.n_rows_ == 400 * 31
    assert target.largest_ <= 500
    # Records of the pool are not asked about again.
    assert attack.score(records, is_member) > 0.65
    assert target.n_rows_ == 400 * 31
    shadowed = LabelOnlyAttack(target, n_queries=10, n_shadows=4, random_state=0)
    assert shadowed.fit(records).score(records, is_member) > 0.7


@pytest.mark.parametrize("n_shadows", [0, 4])
@pytest.mark.parametrize(
    "target", [KNeighborsClassifier(1), DecisionTreeClassifier(random_state=0)]
)
def test_higher_is_a_member(data, target, n_shadows):
    records, is_member, _ = data
    target.fit(records[:200, :-1], records[:200, -1].astype(int))
    attack = LabelOnlyAttack(
        target, n_queries=30, n_shadows=n_shadows, random_state=0
    ).fit(records, is_member)
    scores = attack.score_samples(records)
    assert np.isfinite(scores).all()
    assert scores[is_member].mean() > scores[~is_member].mean()
    assert attack.score(records, is_member) > 0.6
    assert attack.predict(records)[~is_member].mean() <= 0.05


@pytest.mark.parametrize("n_shadows", [0, 2])
def test_scores_depend_neither_on_order_nor_on_batches(data, n_shadows):
    records, _, model = data
    records = records[100:300]
    outside = records[:40].copy()
    outside[:, 0] += 0.01
    attack = LabelOnlyAttack(model, n_queries=8, n_shadows=n_shadows, random_state=0)
    attack.fit(records)
    scores, others = attack.score_samples(records), attack.score_samples(outside)
    assert_array_equal(attack.score_samples(records[::-1]), scores[::-1])
    assert_array_equal(attack.score_samples(outside[7:9]), others[7:9])
    attack.set_params(batch_size=33).fit(records)
    assert_array_equal(attack.score_samples(records), scores)
    if not n_shadows:
        attack.fit(records[np.random.default_rng(0).permutation(200)])
        assert_array_equal(attack.score_samples(records), scores)
        assert_array_equal(attack.score_samples(outside), others)
    attack.set_params(random_state=1).fit(records)
    assert not np.array_equal(attack.score_samples(records), scores)


def test_shadows_are_the_same_for_any_worker_and_from_the_cache(data, tmp_path):
    records, _, model = data
    attack = LabelOnlyAttack(
        model, n_queries=5, n_shadows=2, memory=str(tmp_path), random_state=0
    )
    scores = attack.fit(records).score_samples(records)
    with joblib.parallel_config("threading", n_jobs=2):
        assert_array_equal(attack.fit(records).score_samples(records), scores)
    other = attack.set_params(noise_scale=0.1).fit(records).score_samples(records)
    assert not np.array_equal(other, scores)
    cold = attack.set_params(memory=None).fit(records).score_samples(records)
    assert_array_equal(cold, other)


def test_noise_on_numbers_keeps_bounds_and_whole_numbers():
    rng = np.random.default_rng(0)
    X = np.column_stack(
        [rng.normal(size=300), rng.integers(0, 90, 300), rng.integers(0, 2, 300)]
    )
    X[0, 0] = np.nan
    batch, row = copies_of(noise(X, scale=1.0), X)
    changed = batch != X[row]
    assert np.isnan(batch[row == 0, 0]).all()
    assert abs(changed[row > 0, 0].mean() - 0.5) < 0.02
    steps = (batch - X[row])[(row > 0) & changed[:, 0], 0]
    inside = np.abs(X[row][(row > 0) & changed[:, 0], 0]) < 1
    assert abs(np.median(steps[inside])) < 0.1
    assert_array_equal(batch[:, 1], np.rint(batch[:, 1]))
    for j in range(3):
        assert np.nanmin(batch[:, j]) >= np.nanmin(X[:, j])
        assert np.nanmax(batch[:, j]) <= np.nanmax(X[:, j])
    # A column of two values is a category, drawn from its marginal.
    assert set(np.unique(batch[:, 2])) == {0.0, 1.0}
    share = batch[changed[:, 2], 2].mean()
    assert 0.3 < share < 0.7


def test_one_hot_groups_stay_one_hot():
    codes = np.random.default_rng(0).integers(0, 3, 200)
    X = np.column_stack([np.eye(3)[codes], np.arange(200.0)])
    batch, row = copies_of(noise(X, one_hot_groups=[[0, 1, 2]]), X)
    assert_array_equal(batch[:, :3].sum(axis=1), 1)
    assert np.mean(np.any(batch[:, :3] != X[row, :3], axis=1)) > 0.25
    apart, _ = copies_of(noise(X), X)
    assert np.any(apart[:, :3].sum(axis=1) != 1)


def test_declared_categories_are_drawn_from_the_pool():
    X = np.array([[1.0], [10.0], [100.0]] * 20)
    batch, _ = copies_of(noise(X, categorical_features=[0]), X)
    assert set(np.unique(batch)) == {1.0, 10.0, 100.0}
    batch, _ = copies_of(noise(X, categorical_features=[True]), X)
    assert set(np.unique(batch)) == {1.0, 10.0, 100.0}


def mixed_frame():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "amount": rng.lognormal(size=200),
            "age": rng.integers(18, 80, 200),
            "job": rng.choice(["clerk", "nurse", "smith"], 200),
            "town": pd.Categorical(rng.choice(["A", "B"], 200)),
            "rooms": pd.array(rng.integers(1, 9, 200), dtype="Int64"),
            "owner": rng.integers(0, 2, 200).astype(bool),
        }
    )
    frame.loc[3, "rooms"] = pd.NA
    return frame


def test_noisy_frames_keep_their_types():
    frame = mixed_frame()
    batch, row = copies_of(noise(frame, scale=1.0), frame)
    assert_array_equal(batch.dtypes.to_numpy(), frame.dtypes.to_numpy())
    assert list(batch.columns) == list(frame.columns)
    assert batch["rooms"].isna().sum() == 50
    for name in frame.columns:
        own = frame[name].iloc[row].reset_index(drop=True)
        assert 0.1 < (batch[name] != own).fillna(False).mean() < 0.6
    assert set(batch["job"]) == {"clerk", "nurse", "smith"}


@pytest.mark.parametrize("n_shadows", [0, 2])
def test_scores_do_not_depend_on_the_types_of_the_queries(
    people, retyped, boosting, n_shadows
):
    table, labels = people
    boosting.fit(table[:200], labels[:200])
    attack = LabelOnlyAttack(
        boosting, n_queries=5, n_shadows=n_shadows, random_state=0
    ).fit(as_records(table[100:300], labels[100:300]))
    queries = as_records(table[300:], labels[300:])
    scores = attack.score_samples(queries)
    assert len(np.unique(scores)) > 3
    queries = as_records(retyped(table[300:]), labels[300:])
    assert_array_equal(attack.score_samples(queries), scores)


def test_scores_do_not_depend_on_the_types_of_polars(enumerated):
    pl = pytest.importorskip("polars")
    xgboost = pytest.importorskip("xgboost")
    table, labels = enumerated
    model = xgboost.XGBClassifier(n_estimators=5, enable_categorical=True)
    model.fit(table[:200], labels[:200])
    attack = LabelOnlyAttack(model, n_queries=5, random_state=0)
    attack.fit(as_records(table[100:300], labels[100:300]))
    scores = attack.score_samples(as_records(table[300:], labels[300:]))
    for types in (
        {"job": pl.Categorical},
        {"job": pl.String},
        {"job": pl.Enum(["king", "nurse", "clerk", "smith"])},
        {"age": pl.Float64, "owner": pl.Int8, "income": pl.Float32},
    ):
        queries = as_records(table[300:].cast(types), labels[300:])
        assert_array_equal(attack.score_samples(queries), scores)


class Typed(ClassifierMixin, BaseEstimator):
    """A model that takes only the types that it was trained on."""

    def fit(self, X, y):
        self.types_, self.classes_ = self._types(X), np.unique(y)
        return self

    @staticmethod
    def _types(X):
        return X.dtypes.to_dict() if hasattr(X, "columns") else X.dtype

    def predict(self, X):
        assert self._types(X) == self.types_
        cells = (X["age"] if hasattr(X, "columns") else X[:, 0]).to_numpy(float)
        return self.classes_[(np.nan_to_num(cells) > 40).astype(int)]


def test_the_model_gets_the_types_that_it_was_trained_on(people, retyped):
    pd = pytest.importorskip("pandas")
    table, labels = people
    table = table.assign(
        town=table["job"].astype(object), rooms=pd.array([1, None] * 200, "Int64")
    )
    target = Typed().fit(table[:200], labels[:200])
    queries = as_records(retyped(table[300:]), labels[300:])
    for n_shadows in (0, 2):
        attack = LabelOnlyAttack(
            target, n_queries=5, n_shadows=n_shadows, random_state=0
        )
        attack.fit(as_records(table[:300], labels[:300]))
        # Trained on other records, shadows of this model are its copies.
        n_scores = len(np.unique(attack.score_samples(queries)))
        assert n_scores > 5 if n_shadows == 0 else n_scores == 1


class TypedArray(Typed):
    """The same for arrays; the least bit of a cell decides on the class."""

    def predict(self, X):
        assert self._types(X) == self.types_
        bits = np.ascontiguousarray(X).view(np.uint32).sum(axis=1)
        return self.classes_[bits % 2]


def test_noise_has_the_width_of_the_pool_whoever_is_beside():
    rng = np.random.default_rng(0)
    X = rng.random((60, 2), dtype=np.float32)
    y = rng.integers(0, 2, 60)
    target = TypedArray().fit(X[:20], y[:20])
    attack = LabelOnlyAttack(target, n_queries=20, random_state=0)
    attack.fit(np.column_stack([X[:40], y[:40]]).astype(np.float32))
    queries = np.column_stack([X[40:], y[40:]])
    assert queries.dtype == np.float64
    scores = attack.score_samples(queries)
    assert_array_equal(attack.score_samples(queries.astype(np.float32)), scores)
    noise = attack._noisy_labels.noise
    row, number = [np.zeros(5, dtype=int)], [np.arange(5)]
    alone = next(noise.copies(X[40:41], row, number))
    neighbour = np.array([[1 / 3, 2 / 3]])
    beside = np.vstack([X[40:41].astype(float), neighbour])
    together = next(noise.copies(beside, row, number))
    assert together.dtype == alone.dtype == np.float32
    assert_array_equal(together, alone)


def test_queries_in_another_container_than_the_pool_are_refused():
    pl = pytest.importorskip("polars")
    frame = mixed_frame()[["amount", "age"]]
    frame["label"] = np.arange(200) % 2
    model = DecisionTreeClassifier(random_state=0)
    model.fit(frame[["amount", "age"]][:100], frame["label"][:100])
    attack = LabelOnlyAttack(model, n_queries=5, random_state=0).fit(frame[:150])
    queries = pl.DataFrame(frame[150:].to_dict("list"))
    message = "the pool is a pandas DataFrame and the records a polars DataFrame; pass"
    with pytest.raises(TypeError, match=message):
        attack.score_samples(queries)


def test_polars_scores_are_those_of_pandas():
    pl = pytest.importorskip("polars")
    frame = mixed_frame().drop(columns="rooms")
    frame["town"] = frame["town"].astype(str)
    frame["label"] = np.random.default_rng(1).integers(0, 2, 200)
    text = make_column_transformer(
        (OrdinalEncoder(), ["job", "town"]), remainder="passthrough"
    )
    model = make_pipeline(text, DecisionTreeClassifier(random_state=0))
    model.fit(frame.iloc[:100, :-1], frame["label"][:100])
    as_polars = pl.DataFrame(frame.to_dict("list"))
    attack = LabelOnlyAttack(model, n_queries=10, random_state=0)
    scores = attack.fit(frame).score_samples(frame)
    again = attack.fit(as_polars).score_samples(as_polars)
    assert_array_equal(scores, again)


def test_it_beats_the_gap_attack(german_credit):
    features, labels = german_credit.iloc[:, :-1], german_credit.iloc[:, -1]
    is_member = np.random.default_rng(0).random(1000) < 0.5
    text = make_column_transformer(
        (OrdinalEncoder(), features.select_dtypes(exclude="number").columns),
        remainder="passthrough",
    )
    model = make_pipeline(text, RandomForestClassifier(30, random_state=0))
    model.fit(features[is_member], labels[is_member])
    gap = ThresholdAttack(model, signal="correctness").fit(german_credit)
    attack = LabelOnlyAttack(model, n_queries=40, random_state=0).fit(german_credit)
    gap, own = (a.score(german_credit, is_member) for a in (gap, attack))
    assert own > gap + 0.02


def test_bad_input_is_refused_before_anything_is_asked(data):
    records, _, model = data
    with pytest.raises(TypeError, match="got sparse records"):
        LabelOnlyAttack(model).fit(sp.csr_array(records))
    with pytest.raises(ValueError, match="names the column 'age'"):
        LabelOnlyAttack(model, categorical_features=["age"]).fit(records)
    with pytest.raises(ValueError, match="names a column twice"):
        LabelOnlyAttack(model, one_hot_groups=[[0, 1], [1, 2]]).fit(records)
    with pytest.raises(
        ValueError, match="sample_weight passed to fit with n_shadows=0"
    ):
        LabelOnlyAttack(model).fit(records, sample_weight=np.ones(400))
    with pytest.raises(ValueError, match="n_shadows=3 is odd"):
        LabelOnlyAttack(model, n_shadows=3).fit(records)


@pytest.mark.slow
def test_no_leak_gives_no_more_false_alarms_than_allowed():
    alarms = 0
    for seed in range(200):
        X, y = make_classification(
            849, 6, n_informative=4, flip_y=0.2, random_state=seed
        )
        model = RandomForestClassifier(10, random_state=seed)
        model.fit(X[:300], y[:300])
        pool, fresh = as_records(X[300:799], y[300:799]), as_records(X[799:], y[799:])
        attack = LabelOnlyAttack(model, n_queries=20, random_state=seed).fit(pool)
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
        model = RandomForestClassifier(10, random_state=seed)
        model.fit(X[member], y[member])
        pool = as_records(X, y)
        attack = LabelOnlyAttack(
            model, n_queries=20, n_shadows=4, random_state=seed
        ).fit(pool)
        alarms += attack.predict(pool)[~member][:50].sum()
    interval = rate_interval(alarms, 200 * 50, confidence=0.99)
    print(interval)
    assert interval.low <= 0.05, interval
