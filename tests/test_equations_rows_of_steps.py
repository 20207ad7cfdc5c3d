"""Rows of the steps before a model with their noise, by hand in NumPy."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.equations import N, assert_rows, draw
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OrdinalEncoder,
    QuantileTransformer,
    StandardScaler,
    TargetEncoder,
)

from sklearn_mia.equations import _preprocessing
from sklearn_mia.equations._preprocessing import (
    equations_of_a_scaler,
    equations_of_a_target_encoder,
    equations_of_a_vocabulary,
    equations_of_an_imputer,
    equations_of_categories,
    equations_of_document_frequencies,
    equations_of_extremes,
    equations_of_principal_components,
)
from sklearn_mia.equations._ranks import (
    equations_of_bins,
    equations_of_quantiles,
    shown_by_neighbours,
)


def test_rows_of_a_scaler():
    X, _ = draw()
    gaps = X.copy()
    gaps[::7, 1] = gaps[1::5, 2] = np.nan
    for table in (X, gaps):
        step = StandardScaler().fit(table[:25])
        n = np.sum(~np.isnan(table[:25]), axis=0)
        number, mean, variance = equations_of_a_scaler(step, table, None)
        here, filled = ~np.isnan(table), np.nan_to_num(table)
        if table is X:
            here, n = here[:, :1], n[:1]
        assert_rows(number, "number of records", here.T, n, n_members=float(n.max()))
        mu = np.nanmean(table[:25], axis=0)
        off = here * (filled - mu)
        size = here * (abs(filled) + abs(mu))
        assert_rows(mean, "mean", off.T, np.zeros(3), 1e-10 * size.sum(axis=0))
        b = np.nansum((table[:25] - mu) ** 2, axis=0)
        scale = 1e-10 * np.sum(here * (filled**2 + mu**2), axis=0)
        assert_rows(variance, "variance", off.T**2, b, scale)
    plain = StandardScaler(with_mean=False, with_std=False).fit(X)
    assert len(equations_of_a_scaler(plain, X, None)) == 1
    centred = StandardScaler(with_std=False).fit(X)
    assert len(equations_of_a_scaler(centred, X, None)) == 2
    single = X.astype(np.float32)
    step = StandardScaler().fit(single)
    mean, variance = equations_of_a_scaler(step, single, None)[1:]
    size = np.sum(abs(single.astype(float)) + abs(step.mean_), axis=0)
    assert_allclose(mean.scale, 1e-6 * size)


def test_rows_of_an_imputer():
    X, _ = draw()
    X = np.round(X, 1)
    for missing in (np.nan, -99.0):
        given = X.copy()
        given[::7, 1] = missing
        here = np.ones_like(X, dtype=bool)
        here[::7, 1] = False
        for strategy in ("mean", "median"):
            step = SimpleImputer(strategy=strategy, missing_values=missing)
            (rows,) = equations_of_an_imputer(step.fit(given[:25]), given, None)
            told = step.statistics_
            if strategy == "mean":
                A = (here * (X - told)).T
                scale = 1e-10 * np.sum(here * (abs(X) + abs(told)), axis=0)
            else:
                A = (here * np.sign(X - told)).T
                scale = 1 + np.sum(here * (told == X), axis=0) / 2
            assert_rows(rows, strategy, A, np.zeros(3), scale)
    other = SimpleImputer(strategy="most_frequent").fit(X)
    assert equations_of_an_imputer(other, X, None) == []


@pytest.mark.parametrize("solver", ["full", "covariance_eigh", "arpack", "auto"])
def test_rows_of_principal_components(solver):
    X = 0.01 * draw()[0]
    step = PCA(2, svd_solver=solver, random_state=0).fit(X[:25])
    number, mean, covariance = equations_of_principal_components(step, X, None)
    assert_rows(number, "number of records", np.ones((1, N)), [25], n_members=25.0)
    mu = X[:25].mean(axis=0)
    size = abs(X) + abs(mu)
    scale = 1e-10 * size.sum(axis=0)
    assert_rows(mean, "mean", (X - mu).T, np.zeros(3), scale)
    u = (X - mu) @ step.components_.T
    A = np.array([u[:, a] * u[:, b] for a in range(2) for b in range(2)])
    b = 24 * step.explained_variance_
    scale = 1e-15 * np.sum(size.max(axis=1) ** 2)
    assert_rows(covariance, "covariance", A, [b[0], 0, np.nan, b[1]], scale)


def test_rows_of_document_frequencies(monkeypatch):
    monkeypatch.setattr(_preprocessing, "_MOST_DOCUMENTS", 1000)
    counts = np.random.default_rng(0).poisson(0.4, (N, 6))
    counts[:25, 0] = 1
    for smooth in (True, False):
        step = TfidfTransformer(smooth_idf=smooth).fit(counts[:25])
        number, frequency = equations_of_document_frequencies(step, counts, None)
        assert_rows(number, "number of records", np.ones((1, N)), [25], n_members=25.0)
        A = (counts > 0).T
        assert_rows(frequency, "term frequency", A, A[:, :25].sum(axis=1))
    without = TfidfTransformer(use_idf=False).fit(counts)
    assert equations_of_document_frequencies(without, counts, None) == []
    step.idf_ = step.idf_ + np.linspace(0.01, 0.02, 6) * math.pi
    assert equations_of_document_frequencies(step, counts, None) == []


def assert_told(rows, kind, told, n):
    """Single records, and whether they are members."""
    assert_rows(
        rows,
        kind,
        np.eye(n)[sorted(told)],
        [float(told[i]) for i in sorted(told)],
        0.05,
        of_pool=True,
    )


def test_terms_and_categories_tell_of_single_records():
    texts = ["cat dog", "cat", "sun dog", "sea cat", "sea", "rain"]
    step = CountVectorizer().fit(texts[:3])
    (rows,) = equations_of_a_vocabulary(step, texts, None)
    # Two have "sea", which is not known; "sun" is known, and of one record.
    assert_told(rows, "term", {2: True, 3: False, 4: False, 5: False}, 6)
    for settings in (
        {"min_df": 2},
        {"min_df": 1.0},
        {"max_df": 0.9},
        {"max_features": 3},
        {"vocabulary": ["cat"]},
    ):
        other = CountVectorizer(**settings).fit(["cat dog sun"] * 2 + ["cat"])
        assert equations_of_a_vocabulary(other, texts, None) == []
    records = [{"a": "x", "b": 1.0}, {"a": ["x", "y"]}, {"c": 2.0}, {"a": "z"}]
    step = DictVectorizer().fit(records[:2])
    (rows,) = equations_of_a_vocabulary(step, records, None)
    assert_told(rows, "term", {0: True, 1: True, 2: False, 3: False}, 4)
    table = np.array([[1, 5], [1, 6], [2, 6], [3, 5], [4, 5]])
    step = OrdinalEncoder().fit(table[:4])
    (rows,) = equations_of_categories(step, table, None)
    assert_told(rows, "category", {2: True, 3: True, 4: False}, 5)
    (rows,) = equations_of_categories(step.fit(table[:4, :1]), table[:, :1], None)
    assert_told(rows, "category", {2: True, 3: True, 4: False}, 5)
    given = OrdinalEncoder(categories=[[1, 2, 3, 4], [5, 6]]).fit(table)
    assert equations_of_categories(given, table, None) == []


def test_extremes_tell_of_single_records():
    x = np.array([[-4.0, 1], [2, 3], [4, 3], [-5, 2], [1, 0], [0, 2]])
    step = MinMaxScaler().fit(x[:3])
    number, rows = equations_of_extremes(step, x, None)
    assert_rows(number, "number of records", np.ones((1, 6)), [3], n_members=3.0)
    # Two records have the largest value of the second column.
    assert_told(rows, "extreme", {0: True, 2: True, 3: False, 4: False}, 6)
    step = MaxAbsScaler().fit(x[1:3])
    number, rows = equations_of_extremes(step, x, None)
    assert number.n_members == 2
    assert_told(rows, "extreme", {3: False}, 6)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_of_a_target_encoder(n_classes):
    X, y = draw(n_classes)
    X = np.clip(np.round(X[:, :2]), -1, 1)
    X[-1] = 9
    y[:5] = 0
    step = TargetEncoder(smooth=3.0).fit(X[:30], y[:30])
    found = equations_of_a_target_encoder(step, X, y)
    targets = [1] if n_classes == 2 else range(3)
    pairs = [(j, c) for j in range(2) for c in targets]
    for (j, c), told, rows in zip(pairs, step.encodings_, found, strict=True):
        categories = step.categories_[j]
        A = np.array(
            [
                (X[:, j] == a) * ((y == c) - e)
                for a, e in zip(categories, told, strict=True)
            ]
        )
        b = 3 * (told - np.mean(y[:30] == c))
        assert_rows(rows, "target mean", A, b, 1e-10 * N)


# Quantiles


@pytest.mark.filterwarnings("ignore:Bins whose width", "ignore:The current default")
def test_rows_of_bins():
    X = np.round(draw()[0], 1)
    step = KBinsDiscretizer([4, 3, 30], strategy="quantile", encode="ordinal")
    step.fit(X[:25])
    found = equations_of_bins(step, X, None)
    assert len(found) == 2
    for j, (n_bins, rows) in enumerate(zip((4, 3), found, strict=True)):
        edges = step.bin_edges_[j]
        place = step.transform(X)[:, j]
        A = (place == np.arange(n_bins)[:, None]) - 1 / n_bins
        ties = np.array([np.sum(X[:, j] == edge) for edge in edges])
        assert ties.any()
        scale = 1 + (ties[:-1] + ties[1:]) / 2
        assert_rows(rows, "share of bin", A, np.zeros(n_bins), scale)
    step.strategy = "uniform"
    assert equations_of_bins(step, X, None) == []


@pytest.mark.filterwarnings("ignore:n_quantiles")
def test_rows_of_quantiles():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 2))
    X[:, 1] = np.round(X[:, 1] * 2)
    # As many quantiles as records are asked for: each is a record.
    step = QuantileTransformer(n_quantiles=50).fit(X[:30])
    ranks, ties, stored = equations_of_quantiles(step, X, None)
    edges = np.sort(X[:30, 0])
    place = np.searchsorted(edges, X[:, 0])
    A = place == np.arange(31)[:, None]
    b = np.append(np.ones(30), 0.0)
    told = {"n_members": 30.0, "of_pool": True}
    assert_rows(ranks, "rank", A, b, **told)
    edges, counts = np.unique(X[:30, 1], return_counts=True)
    place = np.searchsorted(edges, X[:, 1])
    A = place == np.arange(len(edges) + 1)[:, None]
    assert_rows(ties, "rank", A, np.append(counts, 0), **told)
    assert_rows(
        stored,
        "stored value",
        np.eye(60)[:30],
        np.ones(30),
        of_pool=True,
    )


def test_rows_of_fewer_quantiles_than_records():
    X = np.random.default_rng(0).normal(size=(60, 3))
    X[:, 1] = np.round(X[:, 1])
    step = QuantileTransformer(n_quantiles=10).fit(X[:31])
    *found, stored = equations_of_quantiles(step, X, None)
    for x, own, rows in zip(X.T, step.quantiles_.T, found, strict=True):
        ranks = 30 * step.references_
        edges, b, variance, below, before = [], [], [], 0.0, 0.0
        for k, (v, rank) in enumerate(zip(own, ranks, strict=True)):
            if k < 9 and own[k + 1] - v <= 1e-9 * abs(x).max():
                continue
            low, high = math.floor(rank + 1e-9) + 1, 31
            high = math.ceil(ranks[k + 1] - 1e-9) if k < 9 else high
            # Of several records at it how many are below the next one is not known.
            tied = np.sum(x == v) > 1
            middle, doubt = (
                ((low + high) / 2, (high - low) ** 2 / 12) if tied else (low, 0)
            )
            edges.append(v)
            b.append(middle - below)
            variance.append(doubt + before)
            below, before = middle, doubt
        b, scale = [*b, 31 - below], np.sqrt([*variance, before])
        edges = np.array(edges)
        place = np.searchsorted(edges + 1e-9 * abs(x).max(), x)
        A = place == np.arange(len(b))[:, None]
        assert_rows(rows, "rank", A, b, scale, n_members=31.0, of_pool=True)
    assert stored.kind == "stored value"
    assert stored.n_members is None
    assert_array_equal(stored.b, stored.records < 31)
    assert len(stored.b) > 20


@pytest.mark.filterwarnings("ignore:n_quantiles")
def test_quantiles_of_a_sample_or_of_missing_values_tell_less():
    X = np.random.default_rng(0).normal(size=(60, 2))
    step = QuantileTransformer(n_quantiles=50).fit(X[:30])
    step.subsample = 30
    assert len(equations_of_quantiles(step, X, None)) == 3
    step.subsample = 29
    assert equations_of_quantiles(step, X, None) == []
    step.subsample = None
    gaps = X.copy()
    gaps[50, 0] = np.nan
    (rank, stored) = equations_of_quantiles(step, gaps, None)
    assert (rank.kind, stored.kind) == ("rank", "stored value")
    step.quantiles_[3, 1] = np.nan
    assert equations_of_quantiles(step, gaps, None) == []
    step = QuantileTransformer(n_quantiles=50).fit(X[:30])
    step.ignore_implicit_zeros = True
    assert equations_of_quantiles(step, sp.csc_array(X), None) == []
    step.ignore_implicit_zeros = False
    assert len(equations_of_quantiles(step, sp.csc_array(X), None)) == 3


def test_a_quantile_at_a_whole_rank_is_a_record():
    x = np.array([0.0, 1.0, 3.0, 3.0, 7.0])
    for f in (0.0, 5e-10, 1 - 5e-10):
        for v, told in ((1.0, 1), (3.0, np.nan), (2.0, np.nan), (7.0, 4)):
            found = shown_by_neighbours(x, np.array([v]), np.array([f]))
            expected = np.where(np.arange(5) == told, 1.0, np.nan)
            assert_array_equal(found, expected)
