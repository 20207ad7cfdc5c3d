"""One table of numbers, in several containers."""

import numpy as np
import pytest

TABLE = np.array(
    [
        [0.0, 1.0, np.nan, 7.0],
        [-0.0, 1.0, -np.nan, 7.0],
        [0.5, 0.0, 3.0, -2.0],
        [0.0, 0.0, 0.0, 0.0],
        [0.5, 0.0, 3.0, -2.5],
        [0.0, 0.5, 3.0, -2.0],
    ]
)
NAMES = ["a", "b", "c", "d"]


def pandas_frame(table, **index):
    pd = pytest.importorskip("pandas")
    return pd.DataFrame(table, columns=NAMES, **index)


def polars_frame(table):
    pl = pytest.importorskip("polars")
    return pl.DataFrame(table, schema=NAMES)
