"""What equations hold, compared in all that they tell."""

import numpy as np
from numpy.testing import assert_allclose
from sklearn.datasets import make_classification

from sklearn_mia.equations import Equations

N = 40


def assert_rows(block, kind, A, b, scale=0.0, sampling=0.0, **told):
    """The coefficients, right sides and noise of a block, and what it tells beside."""
    A = np.asarray(A, dtype=float)
    expected = Equations(kind, A, b, scale, sampling, **told)
    assert block.kind == kind
    assert_allclose(block._toarray(A.shape[1]), A, rtol=1e-9, atol=1e-12)
    assert_allclose(block.b, expected.b, rtol=1e-9, atol=1e-12)
    assert_allclose(block.scale, expected.scale, rtol=1e-9, atol=0)
    assert_allclose(
        np.broadcast_to(block.sampling, len(A)),
        np.broadcast_to(sampling, len(A)),
        rtol=1e-9,
        atol=1e-15,
    )
    for name in ("n_members", "of_pool", "is_bound"):
        assert getattr(block, name) == getattr(expected, name), name


def drawn_pool(n_classes=2, n=120):
    """Features, labels and members of a pool, two thirds members."""
    X, y = make_classification(
        n,
        4,
        n_informative=3,
        n_redundant=0,
        n_classes=n_classes,
        n_clusters_per_class=1,
        flip_y=0.3,
        random_state=n_classes,
    )
    return X, y, np.random.default_rng(0).permutation(n) < 2 * n // 3


def leaves_of(tree, X):
    """Nodes that are leaves, and whether each record is in each of them."""
    nodes = np.flatnonzero(tree.tree_.children_left < 0)
    return nodes, tree.apply(X) == nodes[:, None]


def draw(n_classes=3):
    """Features, some of them large, and labels of each class."""
    rng = np.random.default_rng(n_classes)
    X = rng.normal(size=(N, 3)) * [1.0, 5.0, 0.2] + [0.0, 3.0, -1.0]
    return X, np.arange(N) % n_classes
