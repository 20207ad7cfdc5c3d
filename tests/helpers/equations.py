"""What equations hold, compared in all that they tell."""

import numpy as np
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_mia.equations import Equations


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


def assert_same_rows(found, expected, n_records):
    """Blocks that hold the same, one by one."""
    assert [e.kind for e in found] == [e.kind for e in expected]
    for own, other in zip(found, expected, strict=True):
        assert_array_equal(own._toarray(n_records), other._toarray(n_records))
        assert_array_equal(own.b, other.b)
        assert_array_equal(own.scale, other.scale)
