"""The way in for models: damaged files are named, and none unpacks without end."""

import json
import pickle
import random
import sys
import warnings
import zipfile

import joblib
import numpy as np
import pytest
import sklearn
from helpers.files import packed, parts_of
from helpers.targets import Fixed
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_mia.__main__ import main
from sklearn_mia.auditing._loading import (
    _version_inside,
    check_model,
    load_model,
    other_version,
)
from sklearn_mia.auditing._reading import read_table

SECRET = "SECRET-7319"


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    y = np.where(rng.uniform(size=60) < 0.5, SECRET, "other")
    return KNeighborsClassifier(algorithm="brute").fit(X, y)


def refused(path, match="could not be read", **options):
    with pytest.raises(ValueError, match=match) as caught:
        load_model(path, trust_pickle=True, **options)
    message = str(caught.value)
    assert repr(str(path)) in message
    assert SECRET not in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("kind", ["pickle", "joblib", "compressed"])
def test_r9_a_damaged_pickle_is_named(model, tmp_path, kind):
    path = tmp_path / f"m.{'pkl' if kind == 'pickle' else 'joblib'}"
    if kind == "pickle":
        path.write_bytes(pickle.dumps(model))
    else:
        joblib.dump(model, path, compress=3 if kind == "compressed" else 0)
    data = path.read_bytes()
    assert load_model(path, trust_pickle=True)[0].n_neighbors == 5
    for cut in range(1, len(data) - 20, len(data) // 25):
        path.write_bytes(data[:cut])
        assert "as a pickle (" in refused(path)
    for text in (b"hello", b"PK\x03\x04", b"\x80\x05.", b"\0" * 100):
        path.write_bytes(text)
        assert "it is damaged, or something else" in refused(path)


def test_r9_a_damaged_skops_file_is_named(model, tmp_path):
    skops = pytest.importorskip("skops.io")
    path = tmp_path / "m.skops"
    skops.dump(model, path)
    data = path.read_bytes()
    assert load_model(path)[0].n_neighbors == 5
    random_ = random.Random(0)
    for number in range(24):
        broken = bytearray(data)
        for _ in range(8):
            broken[random_.randrange(len(data))] = random_.randrange(256)
        cut = random_.randrange(1, len(data))
        path.write_bytes(data[:cut] if number % 2 else bytes(broken))
        try:
            load_model(path)
        except ValueError:
            refused(path, match="skops")


@pytest.mark.parametrize(
    ("damage", "errors"),
    [
        ("text", ["ValueError"]),
        ("empty", ["ValueError", "EOFError"]),
        ("cut", ["ValueError"]),
        ("header", ["ValueError", "MemoryError"]),
    ],
)
def test_r9_a_damaged_array_inside_a_skops_file_is_named(
    model, tmp_path, capsys, damage, errors
):
    skops = pytest.importorskip("skops.io")
    path = tmp_path / "m.skops"
    parts = parts_of(skops.dumps(model))
    array = next(name for name, part in parts.items() if b"(60, 3)" in part)
    # As many rows as would fill 1.4 GB.
    shape = b"(60, 3), }" + b" " * 6, b"(60000000, 3), }"
    assert shape[0] in parts[array]
    parts[array] = {
        "text": b"not an array",
        "empty": b"",
        "cut": parts[array][:-10],
        "header": parts[array].replace(*shape),
    }[damage]
    packed(path, parts)
    message = refused(path)
    assert any(f"as a skops file ({name})" in message for name in errors)
    table = tmp_path / "t.csv"
    table.write_text("y\n1\n")
    files = [str(path), str(table), str(table)]
    assert main(["audit", *files, "--label=y"]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"error: {str(path)!r} could not be read as a skops file")
    assert err.count("\n") == 1


@pytest.mark.parametrize("schema", [None, {"__class__": "x"}])
def test_r9_a_skops_file_without_its_schema_is_named(model, tmp_path, schema):
    skops = pytest.importorskip("skops.io")
    path = tmp_path / "m.skops"
    parts = parts_of(skops.dumps(model))
    del parts["schema.json"]
    if schema is not None:
        parts["schema.json"] = json.dumps(schema).encode()
    packed(path, parts)
    assert "as a skops file" in refused(path)


# R16: no file unpacks without end


def test_r16_a_skops_file_that_unpacks_to_too_much_is_refused(model, tmp_path, capsys):
    skops = pytest.importorskip("skops.io")
    small, path = tmp_path / "small.skops", tmp_path / "m.skops"
    skops.dump(model, small)
    parts = parts_of(small.read_bytes()) | {"zeros.npy": bytes(50 * 2**20)}
    packed(path, parts, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 200_000
    large = r"holds 0.0488 GiB or more .* a larger --max-size"
    refused(path, match=large, max_bytes=2**20)
    assert load_model(path, max_bytes=2**30)[0].n_neighbors == 5
    assert load_model(small, max_bytes=2**20)[0].n_neighbors == 5
    pytest.importorskip("pandas")
    table = tmp_path / "t.csv"
    rows = (f"{i},2,3,{SECRET}\n4,{i},6,other\n" for i in range(20))
    table.write_text("a,b,c,y\n" + "".join(rows))
    files = [str(path), str(table), str(table)]
    options = ["--label=y", "--n-shadows=2"]
    assert main(["audit", *files, *options, "--max-size=0.01"]) == 2
    assert "a larger --max-size" in capsys.readouterr().err
    # Made, and not to be interpreted: both sides are one table.
    assert main(["audit", *files, *options, "--max-size=1"]) == 4
    assert "cannot be read as leakage" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["m.joblib", "m.skops", "t.csv"])
def test_r16_a_file_that_is_too_large_is_not_even_opened(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"x" * 2000)
    if name == "t.csv":
        pytest.importorskip("pandas")
        with pytest.raises(ValueError, match="are allowed"):
            read_table(path, max_bytes=1000)
    else:
        refused(path, match="are allowed", max_bytes=1000)


def test_sizes_times_and_rates_are_above_zero(capsys):
    for option, texts, message in (
        ("--max-size", ("0", "-1", "x", "inf", "nan"), "above 0"),
        ("--timeout", ("0", "-1", "x", "inf", "nan"), "above 0"),
        ("--fpr", ("x", "0", "1", "x%"), "is not a rate; expected a fraction between"),
    ):
        for text in texts:
            with pytest.raises(SystemExit, match="2"):
                main(["audit", "--label=y", f"{option}={text}"])
            assert message in " ".join(capsys.readouterr().err.split())


class Gone:
    """Cannot be loaded."""

    def __reduce__(self):
        return int, ("no number",)


def test_the_version_of_a_model_that_cannot_be_loaded_is_told(tmp_path, monkeypatch):
    model = LogisticRegression().fit(np.eye(2), [0, 1])
    with monkeypatch.context() as patch:
        patch.setattr("sklearn.base.__version__", "1.4.2")
        data = pickle.dumps([model, Gone()])
    path = tmp_path / "m.pkl"
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message = refused(path, match="could not be loaded: ValueError. It was")
    assert f"saved with scikit-learn 1.4.2, and {sklearn.__version__} is" in message


def test_a_model_that_does_not_work_is_told_with_its_file_and_version():
    def check(model):
        raise AttributeError("no attribute '_way_of_old'")

    for version, more in ((None, ""), ("1.4.2", " " + other_version("1.4.2"))):
        with pytest.raises(ValueError, match="does not work") as caught:
            check_model("m.pkl", check, LogisticRegression(), version)
        told = str(caught.value)
        assert told.startswith("m.pkl holds a LogisticRegression that does not work: ")
        assert "AttributeError" in told
        assert told.endswith(more or ".")
        assert not told.endswith(" ")


def test_a_skops_file_without_skops_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "skops", None)
    monkeypatch.setitem(sys.modules, "skops.io", None)
    (tmp_path / "m.skops").write_bytes(b"PK")
    message = r"^A .skops file needs skops. Install it with: pip install skops$"
    with pytest.raises(ImportError, match=message):
        load_model(tmp_path / "m.skops")


def test_a_compressed_file_that_is_cut_has_no_version_inside(tmp_path):
    path = tmp_path / "m.joblib"
    joblib.dump(LogisticRegression().fit(np.eye(2), [0, 1]), path, compress=3)
    assert _version_inside(path) == sklearn.__version__
    content = path.read_bytes()
    path.write_bytes(content[:2] + bytes(20))
    assert _version_inside(path) is None


@pytest.mark.parametrize("suffix", [".pkl", ".skops"])
@pytest.mark.parametrize("lost", ["n_neighbors", "validate"])
def test_a_model_that_lost_a_parameter_is_told_with_its_file(tmp_path, suffix, lost):
    X, y = np.arange(20.0)[:, None], [0, 1] * 10
    steps = ColumnTransformer([("same", FunctionTransformer(), [0])])
    model = make_pipeline(steps, KNeighborsClassifier()).fit(X, y)
    # Of the steps of columns the fitted ones stand beside those that were given.
    step = model[-1] if lost == "n_neighbors" else model[0].transformers_[0][1]
    delattr(step, lost)
    path = tmp_path / f"m{suffix}"
    if suffix == ".pkl":
        path.write_bytes(pickle.dumps(model))
    else:
        pytest.importorskip("skops.io").dump(model, path)
    message = (
        f"{path} holds a Pipeline that does not work: AttributeError: "
        f"'{type(step).__name__}' object has no attribute '{lost}' (in get_params, "
    )
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        load_model(path, trust_pickle=True, trusted=("numpy.dtype",))
    assert str(caught.value).startswith(message)


def test_classes_of_other_packages_may_keep_their_parameters_elsewhere(tmp_path):
    path = tmp_path / "m.pkl"
    path.write_bytes(pickle.dumps(Fixed([0, 1])))
    assert isinstance(load_model(path, trust_pickle=True)[0], Fixed)
