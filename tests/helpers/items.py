"""Real documents, images and recordings, each with a target that takes them."""

import importlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from sklearn_mia.tables import take

KINDS = ("documents", "images", "recordings")
N_RECORDS = 120


@cache
def docstrings(n_records=N_RECORDS):
    """First lines of docstrings of scikit-learn and SciPy, and which of the two."""
    texts, labels = [], []
    for label, packages in enumerate(
        (("sklearn.linear_model", "sklearn.metrics"), ("scipy.stats", "scipy.signal"))
    ):
        found = {}
        for name in packages:
            module = importlib.import_module(name)
            for member in sorted(module.__all__):
                text = getattr(module, member).__doc__ or ""
                found[" ".join(text.split())[:150]] = None
        own = [text for text in found if len(text) > 20]
        texts += own[: n_records // 2]
        labels += [label] * (n_records // 2)
    assert len(texts) == n_records
    order = np.random.default_rng(0).permutation(n_records)
    return [texts[i] for i in order], np.array(labels)[order]


def digits(n_records=N_RECORDS):
    """Images of digits that are hard to tell apart, in three dimensions."""
    images, labels = load_digits(return_X_y=True)
    kept = np.flatnonzero(np.isin(labels, [1, 3, 8]))[:n_records]
    return images[kept].reshape(-1, 8, 8).copy(), labels[kept]


def recordings(n_records=N_RECORDS):
    """Pieces of a recorded membrane voltage, of different length, by how high it is."""
    spec = find_spec("matplotlib")
    if spec is None:
        pytest.skip("matplotlib, which ships the recording, is not installed")
    path = Path(spec.origin).parent / "mpl-data" / "sample_data" / "membrane.dat"
    if not path.exists():
        pytest.skip("this matplotlib does not ship the recording")
    voltage = np.fromfile(path, dtype=np.float32)
    rng = np.random.default_rng(0)
    lengths = rng.integers(40, 90, n_records)
    starts = np.sort(rng.integers(0, len(voltage) - 90, n_records))
    pieces = [voltage[s : s + n].copy() for s, n in zip(starts, lengths, strict=True)]
    top = np.array([piece.max() for piece in pieces])
    noise = rng.random(n_records) < 0.2
    return pieces, (top > np.median(top)) ^ noise


def _flat(images):
    return np.asarray(images).reshape(len(images), -1)


def _told(pieces):
    """What a model is told of each recording."""
    return [[p.mean(), p.std(), p.max(), p.min(), p[0], p[-1]] for p in pieces]


def of_kind(kind, n_records=N_RECORDS):
    """Features, labels and a recipe for them.

    Returns
    -------
    features : list or ndarray

    labels : ndarray of shape (n_records,)

    recipe : Pipeline
    """
    if kind == "documents":
        model = make_pipeline(TfidfVectorizer(), _logistic())
        return *docstrings(n_records), model
    if kind == "images":
        return *digits(n_records), make_pipeline(
            FunctionTransformer(_flat), _logistic()
        )
    step = FunctionTransformer(_told)
    return *recordings(n_records), make_pipeline(step, StandardScaler(), _logistic())


def _logistic():
    return LogisticRegression(C=10, max_iter=2000)


class ByNumber(ClassifierMixin, BaseEstimator):
    """A fitted model of items, asked by the numbers of the records."""

    def __init__(self, model, features):
        self.model, self.features = model, features
        self.classes_ = model.classes_

    def fit(self, X, y):
        raise AssertionError("the target is never trained again")

    def _asked(self, method, X):
        rows = np.asarray(X)[:, 0].astype(int)
        return getattr(self.model, method)(take(self.features, rows))

    def predict(self, X):
        return self._asked("predict", X)

    def predict_proba(self, X):
        return self._asked("predict_proba", X)

    def decision_function(self, X):
        return self._asked("decision_function", X)
