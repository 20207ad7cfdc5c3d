"""What canaries hold, container by container: values of others, or beyond all."""

import numpy as np
import pytest
import scipy.sparse as sp

from sklearn_mia.auditing._canary_cells import far_records, rare_records

ROWS = np.arange(6)
BOTH = pytest.mark.parametrize("make", [rare_records, far_records])


def seeded():
    return np.random.default_rng(0)


# Tables


def test_a_column_of_gaps_alone_stays_one():
    X = np.column_stack([np.full(50, np.nan), np.r_[np.nan, np.arange(49.0)]])
    for make in (rare_records, far_records):
        made = make(X, ROWS, seeded())
        assert np.isnan(made[:, 0]).all()
        assert not np.isnan(made[:, 1]).any()


def test_far_whole_numbers_stay_whole_and_of_a_narrow_type_within_it():
    whole = np.arange(100.0)[:, None]
    made = far_records(whole, ROWS, seeded())
    assert np.array_equal(made, np.rint(made))
    assert ((made == 0) | (made >= 2 * 99)).all()
    narrow = np.arange(-100, 100, dtype=np.int8)[:, None]
    made = far_records(narrow, ROWS, seeded())
    assert made.dtype == np.int8
    assert set(made.ravel()) == {-128, 127}
    halves = whole + 0.5
    made = far_records(halves, ROWS, seeded())
    assert ((made == 0.5) | (made >= 99.5 + 99)).all()
    assert not np.array_equal(made, np.rint(made))


def test_far_numbers_of_few_different_values_are_taken_for_codes():
    X = np.repeat([[1.0], [7.0]], 20, axis=0)
    assert set(far_records(X, ROWS, seeded()).ravel()) <= {1.0, 7.0}


def test_far_sparse_numbers_are_beyond_the_largest_of_their_column():
    X = sp.csr_array(np.diag(np.arange(1.0, 41.0)) * np.where(np.arange(40) % 2, 1, -1))
    largest = np.arange(1.0, 41.0)
    made = far_records(X, ROWS, seeded())
    assert np.diff(made.indptr).tolist() == [1] * 6
    assert (abs(made.data) >= 2 * largest[made.indices]).all()
    assert (np.sign(made.data) == np.where(made.indices % 2, 1, -1)).all()
    rare = rare_records(X, ROWS, seeded())
    assert np.array_equal(abs(rare.data), largest[rare.indices])


# Items


@BOTH
def test_sequences_keep_their_lengths_and_kinds(make):
    sequences = [np.arange(i + 1.0) for i in range(6)]
    made = make(sequences, ROWS, seeded())
    assert [len(s) for s in made] == [1, 2, 3, 4, 5, 6]
    assert {s.dtype for s in made} == {np.dtype(float)}
    known = {0.0, 5.0} if make is far_records else {float(i) for i in range(6)}
    assert set(np.concatenate(made)) <= known
    for kind in (list, tuple):
        made = make([kind(range(i)) for i in range(6)], ROWS, seeded())
        assert {type(s) for s in made} == {kind}
        assert [len(s) for s in made] == [0, 1, 2, 3, 4, 5]
        ends = {0, 4} if make is far_records else {0, 1, 2, 3, 4}
        assert {cell for s in made for cell in s} <= ends


def test_arrays_of_complex_numbers_keep_their_shape_and_type():
    spectra = (np.arange(24) + 1j).reshape(6, 2, 2)
    made = far_records(spectra, ROWS, seeded())
    assert (made.shape, made.dtype) == ((6, 2, 2), np.dtype(complex))
    assert set(made.ravel()) == {1j, 23 + 1j}


@BOTH
def test_bytes_are_as_the_text_that_they_hold(make):
    texts = ["a b", "c", "", "a é", "a a a", "b"]
    made = make([text.encode() for text in texts], ROWS, seeded())
    assert made == [text.encode() for text in make(texts, ROWS, seeded())]
    assert [len(text.split()) for text in made] == [2, 1, 1, 2, 3, 1]


def test_lists_of_words_stay_lists_of_rare_or_of_new_words():
    tokens = [("the", "cat"), ("the",), ("the", "old", "dog"), ("the",)]
    rare = rare_records(tokens, ROWS[:4], seeded())
    assert {type(t) for t in rare} == {tuple}
    assert [len(t) for t in rare] == [2, 1, 3, 1]
    assert {word for t in rare for word in t} <= {"the", "cat", "old", "dog"}
    far = far_records(tokens, ROWS[:4], seeded())
    assert all(len(word) == 8 and word.isalpha() for t in far for word in t)


def test_where_nobody_used_a_word_rare_ones_are_new():
    (made,) = rare_records(["", " "], ROWS[:1], seeded())
    assert len(made) == 8
    assert made.isalpha()


def test_dictionaries_have_values_of_their_keys_or_numbers_beyond_all():
    items = [
        {"age": 20 + i, "weight": 50.5 + i, "job": "xy"[i % 2], "owner": True}
        for i in range(6)
    ]
    items[5] = {"age": 25}
    rare = rare_records(items, ROWS, seeded())
    assert [list(d) for d in rare] == [list(d) for d in items]
    for made in rare:
        for key, value in made.items():
            assert value in [d[key] for d in items if key in d]
    far = far_records(items, ROWS, seeded())
    assert [list(d) for d in far] == [list(d) for d in items]
    assert all(type(d["age"]) is int and 30 <= d["age"] <= 35 for d in far)
    assert all(58.5 <= d["weight"] <= 62.5 for d in far[:5])
    assert all(d["job"] in "xy" and d["owner"] is True for d in far[:5])
