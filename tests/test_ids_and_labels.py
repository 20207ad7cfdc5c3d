"""Names of records, groups and class labels, as a file has them."""

import numpy as np
import pytest
from both_ways import (
    N,
    case_from_files,
    from_files,
    refusal,
)
from helpers import in_turn
from sklearn.ensemble import (
    RandomForestClassifier,
)

pd = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

RNG = np.random.default_rng(0)
WHICH = RNG.integers(0, 6, 2 * N)
Y = pd.Series(np.where((WHICH + RNG.normal(size=2 * N)) > 2.5, "high", "low"))


def column(values, **others):
    """A table with one column of some values, and a column of numbers."""
    values = np.asarray(values, dtype=object)
    cells = pd.Series(values[WHICH % len(values)])
    # As a frame in memory has it by itself.
    cells = pd.Series(cells.tolist())
    size = np.random.default_rng(1).normal(size=2 * N)
    return pd.DataFrame({"code": cells, "size": size, **others})


# F01, F16: ids and groups


IDS = {
    "numbers": [str(i) for i in range(2 * N)],
    "eighteen digits": [str(900719925474099300 + i) for i in range(2 * N)],
    "underscores": [f"{i}_1" for i in range(2 * N)],
    "exponents": [f"{i}E2" for i in range(2 * N)],
    "trailing zeros": [f"{i}.10" for i in range(2 * N)],
    "an empty one": ["", *(str(i) for i in range(1, 2 * N))],
    "leading zeros": [f"{i:04d}" for i in range(2 * N)],
    "words": [("NA", "None", "nan", "1")[i % 4] + str(i) for i in range(2 * N)],
}


def told_ids(folder, X, *options, **how):
    model = RandomForestClassifier(5, random_state=0).fit(
        X[["code", "size"]][:N], Y[:N]
    )
    _, read = case_from_files(folder, model, X, Y, *options, **how)
    return read


@in_turn(("ids", "suffix"), IDS, ["csv", "parquet"])
def test_f01_ids_and_groups_are_those_of_the_file(tmp_path, ids, suffix):
    X = column([1, 2]).assign(pid=IDS[ids])
    for option in ("--id=pid", "--group=pid"):
        if option == "--group=pid" and ids == "an empty one":
            message = (
                r"members\.\w+ has no value in the column 'pid' \(--group\) for 1 of"
            )
            with pytest.raises(ValueError, match=message):
                told_ids(tmp_path, X, option, suffix=suffix)
            continue
        read = told_ids(tmp_path, X, option, suffix=suffix)
        found = read.ids if option == "--id=pid" else read.groups
        assert [*found[0], *found[1]] == IDS[ids]


def test_f01_ids_that_are_numbers_in_parquet_stay_whole_beside_a_gap(tmp_path):
    ids = pd.array([900719925474099301 + i for i in range(2 * N)], dtype="Int64")
    ids[3] = pd.NA
    for dtype in ("Int64", object):
        X = column([1, 2]).assign(pid=pd.Series(ids).astype(dtype))
        read = told_ids(tmp_path, X, "--id=pid", suffix="parquet")
        assert list(map(str, read.ids[0][:5])) == [
            *(str(900719925474099301 + i) for i in range(3)),
            "",
            "900719925474099305",
        ]


def test_f01_ids_of_the_records_written_are_those_of_the_file(tmp_path):
    X = column([1, 2]).assign(pid=IDS["an empty one"])
    model = RandomForestClassifier(5, random_state=0).fit(
        X[["code", "size"]][:N], Y[:N]
    )
    path = tmp_path / "records.csv"
    from_files(tmp_path, model, X, Y, "--id=pid", f"--records={path}")
    written = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert written["id"].tolist() == IDS["an empty one"]


def test_f16_an_id_in_the_index_of_a_parquet_file_is_found(tmp_path):
    X = column([1, 2])
    X.index = pd.Index(IDS["underscores"], name="pid")
    y = pd.Series(Y.to_numpy(), X.index)
    model = RandomForestClassifier(5, random_state=0).fit(X[:N], y[:N])
    for option, found in (("--id=pid", "ids"), ("--group=pid", "groups")):
        _, read = case_from_files(tmp_path, model, X, y, option, suffix="parquet")
        sides = getattr(read, found)
        assert [*sides[0], *sides[1]] == IDS["underscores"]
    case, _ = case_from_files(tmp_path, model, X, y, suffix="parquet")
    assert case.ids.tolist() == IDS["underscores"]


# Class labels


@pytest.mark.parametrize(
    ("classes", "written"),
    [
        ([0, 1], ["0", "1"]),
        ([0, 1], ["0.0", "1.0"]),
        ([0, 1], ["false", "TRUE"]),
        ([-1, 1], ["-1", "+1"]),
        ([1.0, 2.0], ["1", "2.0"]),
        ([False, True], ["FALSE", "TRUE"]),
        ([False, True], ["0", "1"]),
        ([False, True], ["no", "yes"]),
        (["0", "1"], ["0", "1"]),
        (["01", "1"], ["01", "1"]),
        (["<=50K", ">50K"], [" <=50K", " >50K"]),
        (["no", "yes"], ["no", "yes"]),
        (["NA", "EU"], ["NA", "EU"]),
    ],
)
def test_labels_are_of_the_kind_that_the_model_knows(tmp_path, classes, written):
    X = column([1, 2])
    y = pd.Series(np.array(classes)[(Y == "high").astype(int)])
    cells = pd.Series(np.array(written)[(Y == "high").astype(int)])
    model = RandomForestClassifier(5, random_state=0).fit(X[:N], y[:N])
    case, _ = case_from_files(tmp_path, model, X, cells)
    assert case.labels.tolist() == y.tolist()


def test_a_label_that_is_no_class_is_told_by_file_and_column(tmp_path, capsys):
    X = column([1, 2])
    model = RandomForestClassifier(5, random_state=0).fit(X[:N], Y[:N])
    message = refusal(capsys, tmp_path, model, X, Y.mask(Y.index == N + 1, "higher"))
    assert message.startswith(
        f"1 of 80 records of {tmp_path / 'others.csv'} have a label in column 'y' that "
        "the model does not know. Its classes are 'high', 'low':"
    )
