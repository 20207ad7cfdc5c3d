import numpy as np
import scipy.sparse as sp
from numpy.testing import assert_array_equal

from sklearn_mia.identity import record_ids


def test_text_that_is_no_valid_unicode_is_a_value_too():
    ids = record_ids(np.array([["\ud800"], ["\ud801"], ["\ud800"]], dtype=object))
    assert ids[0] == ids[2] != ids[1]


def test_rounding_takes_the_labels_along():
    X, y = np.random.default_rng(0).normal(size=(2, 20, 1))
    rounded = X.astype(np.float32), y[:, 0].astype(np.float32)
    assert_array_equal(record_ids(X, y[:, 0], dtype=np.float32), record_ids(*rounded))


def test_a_sparse_table_with_entries_in_parts_is_left_as_it_is():
    parts = np.array([1.0, 2.0, 3.0]), np.array([0, 0, 1]), np.array([0, 3])
    table = sp.csr_array(parts, shape=(1, 2))
    assert_array_equal(record_ids(table), record_ids(np.array([[3.0, 3.0]])))
    assert table.nnz == 3
    assert_array_equal(table.data, [1, 2, 3])
