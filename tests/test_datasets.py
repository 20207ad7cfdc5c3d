import gzip
import hashlib
import importlib.util
from collections import Counter
from importlib import resources

import numpy as np
import pytest
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_mia import datasets
from sklearn_mia.datasets import load_german_credit

FEATURES = [
    "checking_status",
    "duration_months",
    "credit_history",
    "purpose",
    "credit_amount",
    "savings_status",
    "employment_since",
    "installment_rate",
    "personal_status_sex",
    "other_debtors",
    "residence_since",
    "property",
    "age",
    "other_installment_plans",
    "housing",
    "existing_credits",
    "job",
    "num_dependents",
    "telephone",
    "foreign_worker",
]
SUMS = {
    "duration_months": 20_903,
    "credit_amount": 3_271_258,
    "installment_rate": 2_973,
    "residence_since": 2_845,
    "age": 35_546,
    "existing_credits": 1_407,
    "num_dependents": 1_155,
}
COUNTS = {
    "checking_status": {"A11": 274, "A12": 269, "A13": 63, "A14": 394},
    "purpose": {
        "A40": 234,
        "A41": 103,
        "A42": 181,
        "A43": 280,
        "A44": 12,
        "A45": 22,
        "A46": 50,
        "A48": 9,
        "A49": 97,
        "A410": 12,
    },
    "job": {"A171": 22, "A172": 200, "A173": 630, "A174": 148},
    "foreign_worker": {"A201": 963, "A202": 37},
}
FIRST_RECORD = [
    *("A11", 6, "A34", "A43", 1169, "A65", "A75", 4, "A93", "A101"),
    *(4, "A121", 67, "A143", "A152", 2, "A173", 1, "A192", "A201"),
]


def test_arrays_hold_the_values_of_the_source():
    bunch = load_german_credit()
    assert bunch.data.shape == (1000, 20)
    assert bunch.data.dtype == object
    assert bunch.data[0].tolist() == FIRST_RECORD
    assert bunch.feature_names == FEATURES
    assert bunch.target_names == ["bad", "good"]
    assert bunch.frame is None
    assert Counter(bunch.target.tolist()) == {"good": 700, "bad": 300}
    assert bunch.target[:5].tolist() == ["good", "bad", "good", "good", "bad"]

    columns = dict(zip(FEATURES, bunch.data.T, strict=True))
    assert {name: columns[name].sum() for name in SUMS} == SUMS
    assert {name: Counter(columns[name]) for name in COUNTS} == COUNTS
    for name, column in columns.items():
        assert {type(value) for value in column} == {int if name in SUMS else str}


def test_frame_equals_arrays():
    pytest.importorskip("pandas")
    arrays = load_german_credit()
    bunch = load_german_credit(as_frame=True)
    assert list(bunch.frame) == [*FEATURES, "credit_risk"]
    assert bunch.frame[FEATURES].equals(bunch.data)
    assert bunch.frame["credit_risk"].equals(bunch.target)
    assert bunch.data.to_numpy(dtype=object).tolist() == arrays.data.tolist()
    assert bunch.target.to_list() == arrays.target.tolist()
    assert {name: str(dtype) for name, dtype in bunch.frame.dtypes.items()} == {
        name: "int64" if name in SUMS else "category" for name in bunch.frame
    }


@pytest.mark.parametrize("as_frame", [False, True])
def test_return_X_y(as_frame):
    if as_frame:
        pytest.importorskip("pandas")
    bunch = load_german_credit(as_frame=as_frame)
    X, y = load_german_credit(return_X_y=True, as_frame=as_frame)
    assert type(X) is type(bunch.data)
    assert type(y) is type(bunch.target)
    np.testing.assert_array_equal(X, bunch.data)
    np.testing.assert_array_equal(y, bunch.target)


def test_no_two_records_are_equal():
    assert len(set(map(tuple, load_german_credit().data))) == 1000


def test_every_load_is_a_copy():
    load_german_credit().data[0, 0] = "changed"
    assert load_german_credit().data[0, 0] == "A11"


def test_file_is_reproducible():
    """The table, in the exact bytes of its text; no name and no time around it."""
    path = resources.files(datasets) / "german_credit.csv.gz"
    compressed = path.read_bytes()
    flags, time = compressed[3], compressed[4:8]
    assert (flags, time) == (0, bytes(4))
    assert hashlib.sha256(gzip.decompress(compressed)).hexdigest() == (
        "83ef79c5faeb6b58e83070b2160d94a67c15a79d0084b8772af923b11cb05047"
    )


def test_description_tells_origin_licence_and_every_column_and_code():
    bunch = load_german_credit()
    for words in ("H. Hofmann (1994)", "UCI Machine", "CC BY 4.0", "Changes:"):
        assert words in bunch.DESCR
    for name in [*FEATURES, "credit_risk"]:
        assert f"\n{name}\n" in bunch.DESCR
    for code in {value for value in bunch.data.flat if isinstance(value, str)}:
        assert f"{code}:" in bunch.DESCR


def test_arrays_need_no_pandas(pandas_not_installed):
    assert load_german_credit().data.shape == (1000, 20)
    with pytest.raises(ImportError, match="as_frame=True requires pandas"):
        load_german_credit(as_frame=True)


@pytest.mark.parametrize("parameter", ["return_X_y", "as_frame"])
def test_parameters_are_checked(parameter):
    with pytest.raises(InvalidParameterError, match=f"'{parameter}' parameter"):
        load_german_credit(**{parameter: "yes"})


@pytest.mark.parametrize("package", ["matplotlib", "pandas"])
def test_hidden_packages_look_not_installed(package, request):
    pytest.importorskip(package)
    request.getfixturevalue(f"{package}_not_installed")
    assert importlib.util.find_spec(package) is None
    with pytest.raises(ModuleNotFoundError, match=f"No module named '{package}'"):
        importlib.import_module(package)
