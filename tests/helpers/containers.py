"""Real records in every container that a target may take them in."""

from functools import cache

import numpy as np
import pytest
from scipy import sparse as sp
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction import DictVectorizer
from sklearn.preprocessing import OneHotEncoder

from helpers.items import of_kind
from sklearn_mia.datasets import load_german_credit

N_RECORDS = 200


@cache
def _credit():
    """The first records of German credit: columns, classes and amounts."""
    credit = load_german_credit()
    columns = dict(
        zip(credit.feature_names, credit.data[:N_RECORDS].T.copy(), strict=True)
    )
    values = columns.pop("credit_amount").astype(float) / 1024
    for name, column in columns.items():
        if not isinstance(column[0], str):
            # Divided by a power of two it is the same number in single precision.
            columns[name] = column.astype(float) / 32
    # Codes, since XGBoost takes no others.
    return columns, (credit.target[:N_RECORDS] == "bad").astype(int), values


def _text_columns():
    return [name for name, column in _credit()[0].items() if column.dtype == object]


def _frame(package, text):
    module = pytest.importorskip(package)
    columns, labels, values = _credit()
    names = _text_columns()
    told = {n: c.astype(str) if n in names else c for n, c in columns.items()}
    features = text(module, module.DataFrame(told), names)
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    step = ColumnTransformer([("text", encoder, names)], remainder="passthrough")
    return features, labels, values, step


def pandas_frame():
    def text(pd, X, names):
        return X.astype(dict.fromkeys(names, "category"))

    return _frame("pandas", text)


def polars_frame():
    def text(pl, X, names):
        return X.with_columns(pl.col(names).cast(pl.Categorical))

    return _frame("polars", text)


def dictionaries():
    columns, labels, values = _credit()
    rows = zip(*(c.tolist() for c in columns.values()), strict=True)
    features = [dict(zip(columns, row, strict=True)) for row in rows]
    return features, labels, values, DictVectorizer(sparse=False)


def array(hold=np.ascontiguousarray):
    features, labels, values, step = dictionaries()
    return hold(step.fit_transform(features)), labels, values, None


def documents(hold=list):
    texts, labels, recipe = of_kind("documents", N_RECORDS)
    return hold(texts), labels, np.array([len(t) / 100 for t in texts]), recipe[:-1]


def series_of_documents():
    return documents(pytest.importorskip("pandas").Series)


def images():
    found, labels, recipe = of_kind("images", N_RECORDS)
    # Codes, since XGBoost takes no others.
    return found, np.unique(labels, return_inverse=True)[1], labels / 8, recipe[:-1]


def recordings():
    pieces, labels, recipe = of_kind("recordings", N_RECORDS)
    return pieces, labels, np.array([8 * p.max() for p in pieces]), recipe[:-1]


# What makes features, classes, values to predict, and the step of a pipeline that turns
# the features into numbers; None where they are numbers.
CONTAINERS = {
    "array": array,
    "array, Fortran order": lambda: array(np.asfortranarray),
    "array, float32": lambda: array(lambda X: X.astype(np.float32)),
    "sparse CSR": lambda: array(sp.csr_array),
    "sparse CSR matrix": lambda: array(sp.csr_matrix),
    "pandas frame with categories": pandas_frame,
    "polars frame with categories": polars_frame,
    "list of documents": documents,
    "Series of documents": series_of_documents,
    "images (n, 8, 8)": images,
    "list of arrays of different length": recordings,
    "list of dictionaries": dictionaries,
}
