"""What a model is handed when it is asked: a copy, or records it cannot change."""

import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sklearn_mia.answers import asked

N_BYTES = 4_000_000


class Doubling(StandardScaler):
    """No class of scikit-learn, which writes into what it is asked about."""

    def transform(self, X, copy=None):
        X *= 2
        return X


def doubled(X):
    X *= 2
    return X


def records():
    X = np.random.default_rng(0).normal(size=(N_BYTES // 160, 20))
    return X, (X[:, 0] > 0).astype(int)


@pytest.mark.parametrize(
    "step",
    [
        StandardScaler(copy=False),
        FunctionTransformer(doubled),
        Doubling(),
        make_pipeline(StandardScaler(copy=False)),
        make_column_transformer(
            (StandardScaler(copy=False), slice(0, 20)), remainder="drop"
        ),
    ],
    ids=lambda step: type(step).__name__,
)
@pytest.mark.parametrize("n_bytes", [N_BYTES, 16_000])
def test_a_step_that_writes_into_the_records_leaves_them_as_they_are(step, n_bytes):
    X, y = records()
    X, y = X[: n_bytes // 160], y[: n_bytes // 160]
    model = make_pipeline(step, LogisticRegression()).fit(X.copy(), y)
    before = X.copy()
    expected = model.predict_proba(X.copy())
    assert_array_equal(asked(model, "predict_proba", X), expected)
    assert_array_equal(X, before)


@pytest.mark.parametrize("read_only", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize(
    "model",
    [
        DummyClassifier(),
        make_pipeline(
            make_column_transformer((OneHotEncoder(), [])), DummyClassifier()
        ),
    ],
    ids=["model", "behind an encoder"],
)
def test_models_of_scikit_learn_are_asked_without_a_copy(model, order, read_only):
    X, y = records()
    X = np.asarray(X, order=order)
    X.flags.writeable = not read_only
    model = clone(model).fit(X, y)
    tracemalloc.start()
    answer = asked(model, "predict_proba", X)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert_array_equal(answer, model.predict_proba(X))
    assert peak < N_BYTES / 2
    assert X.flags.writeable is not read_only
