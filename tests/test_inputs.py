"""What a model, a table or a caller may be, and what is said of what may not."""

import functools
import pickle
import re

import joblib
import numpy as np
import pytest
from both_ways import (
    N,
    arguments_for,
    assert_as_in_memory,
    figures,
    from_files,
    in_memory,
    refusal,
)
from helpers import in_turn, some
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    FixedThresholdClassifier,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsOneClassifier, OutputCodeClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

import sklearn_mia
from sklearn_mia import (
    RMIA,
    LiRA,
    QuantileRegressionAttack,
    as_records,
    audit,
)
from sklearn_mia.__main__ import main
from sklearn_mia.auditing._blind import blind_auc, blind_table

pd = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

X, Y = make_classification(2 * N, 6, n_informative=4, flip_y=0.2, random_state=0)
FRAME = pd.DataFrame(X, columns=list("abcdef"))
IS_MEMBER = np.arange(2 * N) < N


def small_forest(X=X, y=Y):
    return RandomForestClassifier(10, random_state=0).fit(X[:N], y[:N])


def quick(model, X=X, y=Y, **options):
    return audit(
        *(model, X[:N], y[:N], X[N:], y[N:]),
        **{"n_shadows": 2, "n_permutations": 99, "random_state": 0, **options},
    )


# F02: helper models take less than the target


def all_missing(kind):
    """A column in which nothing, or next to nothing, is known."""
    if kind == "floats":
        return np.full(2 * N, np.nan)
    if kind == "objects":
        return np.full(2 * N, None, dtype=object)
    if kind == "nullable":
        return pd.array([pd.NA] * (2 * N), dtype="Int64")
    if kind == "category":
        return pd.Categorical([None] * (2 * N), categories=["a"])
    if kind == "constant":
        return np.full(2 * N, 3.0)
    some = np.full(2 * N, np.nan)
    some[[5, N + 7]] = 1, 2
    return some


EMPTY = ["floats", "objects", "nullable", "category", "constant", "two values"]


@functools.cache
def blind_without_a_column():
    return blind_auc(blind_table(FRAME, Y), IS_MEMBER, np.arange(2 * N))


@functools.cache
def quantile_scores_without_a_column():
    attack = QuantileRegressionAttack(small_forest(), random_state=0)
    return attack.fit_score(as_records(FRAME, Y))


@pytest.mark.parametrize("kind", some(EMPTY, 3))
def test_f02_the_blind_baseline_is_as_without_an_empty_column(kind):
    units, without = np.arange(2 * N), blind_without_a_column()
    told = FRAME.assign(empty=all_missing(kind))
    found = blind_auc(blind_table(told, Y), IS_MEMBER, units)
    assert found["learner"] == without["learner"]
    exact = kind != "two values"
    assert found["auc"] == pytest.approx(without["auc"], abs=1e-9 if exact else 0.02)


@pytest.mark.parametrize("kind", some(EMPTY, 2))
def test_f02_quantile_regression_is_as_without_an_empty_column(kind):
    expected = quantile_scores_without_a_column()
    told = FRAME.assign(empty=all_missing(kind))
    model = make_pipeline(_Without(), small_forest())
    scores = QuantileRegressionAttack(model, random_state=0).fit_score(
        as_records(told, Y)
    )
    auc = [roc_auc_score(IS_MEMBER, s) for s in (scores, expected)]
    # Records are other ones with another column, and so are their folds.
    assert auc[0] == pytest.approx(auc[1], abs=0.1)
    assert np.isfinite(scores).all()


class _Without(BaseEstimator):
    """A step that leaves a column out."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return X.drop(columns="empty").to_numpy()

    def __sklearn_is_fitted__(self):
        return True


def test_f02_an_empty_column_from_files_is_as_in_memory(tmp_path):
    told = FRAME.assign(empty=all_missing("floats"), some=all_missing("two values"))
    model = make_pipeline(SimpleImputer(keep_empty_features=True), LogisticRegression())
    model.fit(told[:N], Y[:N])
    expected = in_memory(model, told, pd.Series(Y))
    assert figures(from_files(tmp_path, model, told, pd.Series(Y))) == expected


@pytest.mark.parametrize(
    ("cell", "kind"), [([1, 2], "list"), ({"a": 1}, "dict"), (np.ones(2), "ndarray")]
)
def test_cells_that_hold_several_values_are_refused_by_column(cell, kind):
    told = FRAME.astype({"c": object})
    told.at[3, "c"] = cell
    message = f"Column 'c' of X_train has cells of type {kind}; expected one number"
    with pytest.raises(TypeError, match=message):
        quick(small_forest(), told)


def test_columns_of_several_levels_are_audited_as_others():
    told = FRAME.copy()
    told.columns = pd.MultiIndex.from_product([["u", "v"], list("abc")])
    tree = DecisionTreeClassifier(random_state=0)
    found = [in_memory(tree.fit(t[:N], Y[:N]), t, Y) for t in (told, FRAME)]
    assert found[0] == found[1]


# F09: facts that a model does not know of itself


@pytest.mark.parametrize("table", [X, FRAME], ids=["array", "frame"])
@pytest.mark.parametrize("way", ["pickle", "load_model"])
def test_f09_catboost_is_audited_after_it_was_saved(tmp_path, table, way):
    catboost = pytest.importorskip("catboost")
    model = catboost.CatBoostClassifier(
        iterations=5, verbose=0, allow_writing_files=False, thread_count=1
    ).fit(table[:N], Y[:N])
    if way == "pickle":
        loaded = pickle.loads(pickle.dumps(model))
    else:
        model.save_model(tmp_path / "model.cbm")
        loaded = catboost.CatBoostClassifier().load_model(tmp_path / "model.cbm")
    assert loaded.n_features_in_ == 0
    records = as_records(table, Y)
    scores = [
        RMIA(m, n_shadows=2, random_state=0).fit_score(records) for m in (model, loaded)
    ]
    assert_array_equal(*scores)
    message = "The records have 6 columns, as many as the target has features"
    with pytest.raises(ValueError, match=message):
        RMIA(loaded).fit(as_records(X[:, 1:], Y))


def test_f09_the_accuracy_of_predictions_that_come_as_a_column(tmp_path):
    catboost = pytest.importorskip("catboost")
    y = np.arange(2 * N) % 3
    model = catboost.CatBoostClassifier(
        iterations=3, verbose=0, allow_writing_files=False, thread_count=1
    ).fit(X[:N], y[:N])
    assert model.predict(X).shape == (2 * N, 1)
    data = quick(model, y=y).to_dict()["report"]["data"]
    right = model.predict(X).ravel() == y
    assert data["accuracy_members"] == right[:N].mean()


@pytest.mark.parametrize(
    "model",
    [SVC(kernel="precomputed"), KNeighborsClassifier(metric="precomputed")],
)
@pytest.mark.parametrize("wrap", [lambda m: m, FrozenEstimator, make_pipeline])
def test_f09_distances_between_records_are_no_records(model, wrap):
    square = np.abs(X[:N] @ X[:N].T)
    wrapped = wrap(model.fit(square, Y[:N]))
    with pytest.raises(ValueError, match="takes distances or a kernel between records"):
        RMIA(wrapped).fit(as_records(X, Y))


# F10: models of another version


class _Old(LogisticRegression):
    """A model that lost an attribute on its way to another version."""

    def predict(self, X):
        return self._way_of_old

    predict_proba = predict


def saved_by(version, model, path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("sklearn.base.__version__", version)
        path.write_bytes(pickle.dumps(model))


def run_on(folder, name, frame=FRAME):
    arguments = arguments_for(folder, None, frame, Y)
    arguments[1] = str(folder / name)
    return main(arguments)


def test_f10_a_model_that_fails_names_both_versions(tmp_path, capsys, monkeypatch):
    import sklearn

    model = make_pipeline(StandardScaler(), _Old()).fit(FRAME[:N], Y[:N])
    saved_by("1.4.2", model, tmp_path / "old.pkl", monkeypatch)
    assert run_on(tmp_path, "old.pkl") == 2
    message = capsys.readouterr().err
    assert "AttributeError" in message
    assert (
        f"It was saved with scikit-learn 1.4.2, and {sklearn.__version__} is running: "
        "use an environment of scikit-learn 1.4.2." in message
    )


@pytest.mark.parametrize("compress", [0, 3, ("gzip", 3), ("bz2", 3), ("xz", 3)])
def test_f10_a_model_that_cannot_be_loaded_names_both_versions(
    tmp_path, capsys, monkeypatch, compress
):
    model = make_pipeline(StandardScaler(), _Gone()).fit(FRAME[:N], Y[:N])
    with monkeypatch.context() as patch:
        patch.setattr("sklearn.base.__version__", "1.4.2")
        joblib.dump(model, tmp_path / "old.joblib", compress=compress)
    monkeypatch.delitem(globals(), "_Gone")
    assert run_on(tmp_path, "old.joblib") == 2
    message = capsys.readouterr().err
    assert "could not be loaded: AttributeError" in message
    assert "It was saved with scikit-learn 1.4.2" in message


class _Gone(LogisticRegression):
    """A class that a later version does not have."""


def test_f10_a_model_that_fails_by_itself_ends_with_exit_code_2(tmp_path, capsys):
    message = refusal(
        capsys, tmp_path, _Old().fit(FRAME[:N], Y[:N]), FRAME, pd.Series(Y)
    )
    assert "The model cannot be asked about" in message
    assert "AttributeError" in message
    with pytest.raises(ValueError, match=r"_Old.predict_proba failed: AttributeError"):
        RMIA(_Old().fit(X[:N], Y[:N])).fit(as_records(X, Y))


# F11: probabilities that do not sum to 1


def one_against_rest(package):
    if package == "lightgbm":
        lightgbm = pytest.importorskip("lightgbm")
        return lightgbm.LGBMClassifier(
            objective="multiclassova", n_estimators=3, verbose=-1, n_jobs=1
        )
    catboost = pytest.importorskip("catboost")
    return catboost.CatBoostClassifier(
        loss_function="MultiClassOneVsAll",
        iterations=3,
        verbose=0,
        allow_writing_files=False,
        thread_count=1,
    )


@pytest.mark.parametrize("package", ["lightgbm", "catboost"])
def test_f11_one_against_the_rest_is_normalised_with_a_note(package):
    y = np.arange(2 * N) % 3
    model = one_against_rest(package).fit(X[:N], y[:N])
    proba = model.predict_proba(X)
    assert np.abs(proba.sum(axis=1) - 1).max() > 0.01
    attack = sklearn_mia.ThresholdAttack(model, signal="confidence")
    shares = (proba / proba.sum(axis=1, keepdims=True))[np.arange(2 * N), y]
    scores = attack.fit_score(as_records(X, y))
    assert_array_equal(
        np.argsort(scores, kind="stable"), np.argsort(shares, kind="stable")
    )
    report = quick(model, y=y)
    note = next(f for f in report.findings if f.code == "MIA013")
    assert "each row was divided by its sum" in note.message


class _Scores(DecisionTreeClassifier):
    """A tree that gives something else than probabilities."""

    def predict_proba(self, X):
        return self.change(super().predict_proba(X))


def halved(p):
    return 0.995 * p


def raw(p):
    return 4 * p - 1.5


@pytest.mark.parametrize(
    ("change", "got"),
    [
        (halved, "got sums from 0.995 to 0.995."),
        (raw, "got values from -1.5 to 2.5, as scores have."),
    ],
)
def test_f11_other_scores_get_advice_in_the_words_of_the_caller(
    tmp_path, capsys, change, got
):
    model = _Scores(random_state=0).fit(FRAME[:N], Y[:N])
    _Scores.change = staticmethod(change)
    way = "or pass response_method='predict'."
    with pytest.raises(ValueError, match=re.escape(got)) as error:
        quick(model, FRAME)
    assert str(error.value).endswith(way)
    message = refusal(capsys, tmp_path, model, FRAME, pd.Series(Y))
    assert got in message
    assert message.endswith("or pass --response-method predict.")
    expected = in_memory(model, FRAME, Y, response_method="predict")
    content = from_files(
        tmp_path, model, FRAME, pd.Series(Y), "--response-method=predict"
    )
    assert figures(content) == expected


def test_f11_an_unknown_way_to_ask_is_refused():
    with pytest.raises(ValueError, match="response_method='proba'; expected one of"):
        quick(small_forest(), response_method="proba")


# F12: trained models in wrappers


def test_f12_a_calibrated_trained_model_has_shadows_of_the_model_inside():
    forest = small_forest()
    model = CalibratedClassifierCV(FrozenEstimator(forest)).fit(X[:N], Y[:N])
    report = quick(model)
    assert "MIA019" in [f.code for f in report.findings]
    attack = RMIA(shadow_estimator=RandomForestClassifier(10), n_shadows=2)
    expected = quick(model, attacks=attack)
    found = {a["name"]: a["auc"]["estimate"] for a in report.attacks}
    assert found["RMIA"] == expected.attacks[0]["auc"]["estimate"]
    inner = make_pipeline(StandardScaler(), model).fit(X[:N], Y[:N])
    assert "MIA019" in [f.code for f in quick(inner).findings]


def test_f12_a_threshold_on_a_trained_model_is_audited_as_the_model():
    tree = DecisionTreeClassifier(random_state=0).fit(X[:N], Y[:N])
    model = FixedThresholdClassifier(FrozenEstimator(tree)).fit(X[:N], Y[:N])
    assert in_memory(model, X, Y) == in_memory(tree, X, Y)


# F18: classes in order of appearance


class _Ordered(ClassifierMixin, BaseEstimator):
    """A regression whose classes, and probabilities, are in a chosen order."""

    def __init__(self, by_appearance=False):
        self.by_appearance = by_appearance

    def fit(self, X, y):
        self.inner_ = LogisticRegression(C=1e4).fit(X, y)
        classes = dict.fromkeys(np.asarray(y).tolist())
        self.classes_ = np.array(
            list(classes if self.by_appearance else sorted(classes))
        )
        self._order = np.searchsorted(self.inner_.classes_, self.classes_)
        return self

    def predict(self, X):
        return self.inner_.predict(X)

    def predict_proba(self, X):
        return self.inner_.predict_proba(X)[:, self._order]


@in_turn(
    ("attack", "answers"),
    [LiRA, RMIA, sklearn_mia.ShadowModelAttack],
    [(2, "predict_proba"), (3, "predict"), (3, "predict_proba"), (2, "predict")],
    n_quick=2,
)
def test_f18_scores_are_those_of_sorted_classes(attack, answers):
    n_classes, method = answers
    y = np.random.default_rng(0).permutation(2 * N) % n_classes
    y[:n_classes] = range(n_classes)
    target = _Ordered(by_appearance=True).fit(X[:N], y[:N])
    assert_array_equal(target.classes_, range(n_classes))
    fitted = [
        attack(
            target,
            shadow_estimator=_Ordered(by_appearance),
            n_shadows=4,
            response_method=method,
            random_state=0,
        ).fit(as_records(X, y))
        for by_appearance in (True, False)
    ]
    orders = {tuple(model.classes_) for model, _ in fitted[0].models_}
    assert len(orders) > 1
    scores = [attack.score_samples(as_records(X, y)) for attack in fitted]
    assert_allclose(*scores, rtol=1e-12)


# F19 to F25: right before, and to stay so


def test_f19_many_classes(tmp_path):
    y = np.arange(2 * N) % 40
    model = DecisionTreeClassifier(random_state=0).fit(FRAME[:N], y[:N])
    content = from_files(tmp_path, model, FRAME, pd.Series(y))
    assert figures(content) == in_memory(model, FRAME, y)
    assert len(content["data"]["classes"]) == 40


@pytest.mark.parametrize("n", [4, 15])
def test_f21_few_records(n):
    y = np.arange(2 * n) % 2
    forest = small_forest(X[:n], y[:n])
    report = audit(
        *(forest, X[:n], y[:n], X[n : 2 * n], y[n:]), n_shadows=2, random_state=0
    )
    assert 0 <= report.to_dict()["report"]["headline"]["auc"]["estimate"] <= 1


def test_f22_four_positives(tmp_path):
    y = np.zeros(2 * N, dtype=int)
    y[[1, 2, N + 1, N + 2]] = 1
    model = DecisionTreeClassifier(random_state=0).fit(FRAME[:N], y[:N])
    content = from_files(tmp_path, model, FRAME, pd.Series(y))
    assert figures(content) == in_memory(model, FRAME, y)


def test_f23_a_class_of_minus_one():
    y = np.where(np.arange(2 * N) % 5 == 0, -1, Y)
    assert quick(small_forest(y=y), y=y).to_dict()["report"]["data"]["classes"] == [
        "-1",
        "0",
        "1",
    ]


@pytest.mark.parametrize(
    "model",
    [
        CalibratedClassifierCV(LogisticRegression(), cv=2),
        OutputCodeClassifier(LogisticRegression(), random_state=0),
        OneVsOneClassifier(LogisticRegression()),
        VotingClassifier([("a", LogisticRegression())], voting="soft"),
        StackingClassifier([("a", LogisticRegression())], cv=2),
        TunedThresholdClassifierCV(LogisticRegression(), cv=2),
    ],
    ids=lambda model: type(model).__name__,
)
def test_f24_models_of_models(model):
    records = as_records(X, Y)
    attack = RMIA(model.fit(X[:N], Y[:N]), n_shadows=2, random_state=0)
    assert np.isfinite(attack.fit_score(records)).all()


def quoted():
    """A table with newlines and quotes in a column, and a model that reads them."""
    note = np.array(['one\ntwo, "three"', "four\n", "one, four"], dtype=object)
    told = FRAME.assign(note=note[np.arange(2 * N) % 3])
    columns = make_column_transformer(
        (TfidfVectorizer(), "note"), remainder="passthrough"
    )
    return told, make_pipeline(columns, LogisticRegression()).fit(told[:N], Y[:N])


def test_f25_newlines_in_quotes(tmp_path):
    told, model = quoted()
    assert_as_in_memory(tmp_path, model, told, pd.Series(Y))


@pytest.mark.slow
def test_f25_figures_with_newlines_in_quotes(tmp_path):
    told, model = quoted()
    content = from_files(tmp_path, model, told, pd.Series(Y))
    assert figures(content) == in_memory(model, told, Y)
