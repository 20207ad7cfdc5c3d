"""The way in for tables: whole, bounded, and in one way only."""

import csv
import gzip
import io
import random
import re

import numpy as np
import pytest

from sklearn_mia.__main__ import main
from sklearn_mia.auditing import _files, _reading
from sklearn_mia.auditing._reading import read_table
from sklearn_mia.tables import as_numbers

pd = pytest.importorskip("pandas")

SECRET = "SECRET-7319"


@pytest.fixture
def written(tmp_path):
    """Write bytes or text to a file."""

    def write(content, name="table.csv"):
        path = tmp_path / name
        data = content if isinstance(content, bytes) else content.encode()
        path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return path

    return write


def refused(path, **options):
    with pytest.raises(ValueError, match="table") as caught:
        read_table(path, **options)
    message = str(caught.value)
    assert repr(str(path)) in message
    assert SECRET not in message
    assert "\n" not in message
    assert len(message) < 600
    return message


# R3: rows as long as the header


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.tsv", "t.txt"])
@pytest.mark.parametrize(
    ("rows", "line", "cells"),
    [
        (["1,2,3,", "1,2,3"], 2, 4),
        (["1,2,3", "1,2,3,4,5"], 3, 5),
        ([",1,2,3"] * 3, 2, 4),
        (["1,2"], 2, 2),
        (["1,2,3", SECRET], 3, 1),
        (["1,2,3", '""'], 3, 1),
        (['"a\nb",2,3', "", '1,"x\n\ny"'], 5, 2),
        (["1,2,3"] * 50 + ["1;2;3"], 52, 1),
    ],
)
def test_r3_rows_longer_or_shorter_than_the_header_are_refused(
    written, name, rows, line, cells
):
    text = "\n".join(["a,b,c", *rows, ""])
    if name.endswith(".tsv"):
        text = text.replace(",", "\t")
    path = written(text, name)
    message = refused(path)
    assert f"has {cells} cells in line {line}, but 3 in its header" in message


def test_r3_the_two_tables_and_the_predictions_are_asked_alike(written, capsys):
    good = written("p_a,p_b,y,m\n" + "0.5,0.5,a,1\n0.4,0.6,b,0\n" * 9)
    bad = written(good.read_text().replace("0.4,", "0.4,,", 1), "bad.csv")
    options = ["--label=y", "--member=m", "--proba-prefix=p_"]
    # Made, and not to be interpreted: the model is right about no member.
    assert main(["audit", f"--predictions={good}", *options]) == 4
    capsys.readouterr()
    assert main(["audit", f"--predictions={bad}", *options]) == 2
    assert "has 5 cells in line 3, but 4 in" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("header", "first", "second"),
    [("a,b,a", 1, 3), (f"a,{SECRET},{SECRET}", 2, 3), ('"x\ny",b,"x\ny"', 1, 3)],
)
def test_a_name_that_stands_twice_in_a_header_is_told_by_its_columns(
    written, header, first, second
):
    path = written(f"{header}\n1,2,3\n")
    assert refused(path) == (
        f"The table {str(path)!r} has one name for columns {first} and {second} of its "
        "header; expected each name once: rename one of them, or leave it out. If its "
        "first line is a record, put a header above it."
    )


def test_columns_without_a_name_are_told_apart(written):
    frame = read_table(written(",a,,a.1\n1,2,3,4\n"))
    assert list(frame.columns) == ["Unnamed: 0", "a", "Unnamed: 2", "a.1"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_r3_quoted_ends_of_line_quotes_and_separators_keep_working(written, end):
    cells = [["x\ny", 'say "hi"'], ["1,5", ""], [" spaced ", "é≥"], ["", "\r\n"]]
    buffer = io.StringIO(newline="")
    csv.writer(buffer, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(
        [["a", "b"], *cells]
    )
    for bom in ("", "\ufeff"):
        frame = read_table(written(bom + buffer.getvalue() + end))
        assert list(frame.columns) == ["a", "b"]
        assert frame.to_numpy().tolist() == cells


@pytest.mark.parametrize("n_texts", [150, pytest.param(600, marks=pytest.mark.slow)])
def test_r3_what_is_read_is_what_is_written_or_an_error(written, n_texts):
    random_ = random.Random(0)
    parts = ["a", "1", '"', '""', ",", ",", "\n", " ", '"q"', '"m,n"', '"a\nb"', "\r\n"]
    n_read = 0
    for number in range(n_texts):
        text = "a,b\n" + "".join(random_.choices(parts, k=random_.randrange(1, 12)))
        path = written(text, f"{number % 7}.csv")
        try:
            frame = read_table(path)
        except ValueError:
            continue
        rows = csv.reader(io.StringIO(text, newline=""))
        rows = [r for r in rows if r and not (len(r) == 1 and r[0].isspace())]
        assert frame.to_numpy().tolist() == rows[1:], text
        n_read += 1
    assert n_read > n_texts / 20


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f'a,b\n1,"{SECRET}', "a quote that is never closed"),
        (f"a,b\n1,{SECRET}\0", "line 2: a character NUL"),
        ("a,b\n1,2\n3,4\n".encode("utf-16"), "is not UTF-8"),
        (b"a,b\n1,\xe9\n", "is not UTF-8"),
        ("\n\n", "has no header"),
        ("a,b\n\r,1\n", "ends of line of two kinds"),
        ('a,b\n"" \n', "in two ways: as 0 rows of 2 cells, or as 1 of 2"),
    ],
)
def test_r3_what_is_no_table_is_named_with_the_line(written, content, message):
    assert message in refused(written(content))


@pytest.mark.parametrize("separator", ["::", "", '"', "\n"])
def test_separators_are_one_character(written, separator):
    with pytest.raises(ValueError, match="is not one character"):
        read_table(written("a;b\n1;2\n"), separator=separator)


def test_a_tab_can_be_written_as_on_a_keyboard(written):
    assert read_table(written("a\tb\n1\t2\n"), separator="\\t").shape == (1, 2)
    assert read_table(written("a;b\n1;2\n"), separator=";").shape == (1, 2)


# R9: damaged files


def test_r9_a_damaged_gz_is_named(written, tmp_path):
    text = "a,b\n" + "".join(f"{i},{SECRET}{i * i}\n" for i in range(4000))
    data = written(text, "t.csv.gz").read_bytes()
    random_ = random.Random(0)
    path = tmp_path / "damaged.csv.gz"
    n_refused = 0
    for _ in range(30):
        broken = bytearray(data)
        place = random_.randrange(10, len(data))
        broken[place] ^= 1 << random_.randrange(8)
        path.write_bytes(bytes(broken[: random_.choice([len(data), place])]))
        assert refused(path)
        n_refused += 1
    path.write_bytes(text.encode())
    assert "(BadGzipFile)" in refused(path)
    assert n_refused == 30


def test_r9_a_damaged_parquet_is_named(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "t.parquet"
    frame = pd.DataFrame({"a": range(2000), "b": [f"{SECRET}{i}" for i in range(2000)]})
    frame.to_parquet(path)
    data = path.read_bytes()
    for cut in (1, 8, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:cut])
        assert "could not be read as Parquet" in refused(path)
    path.write_bytes(b"a,b\n1,2\n")
    assert "could not be read as Parquet" in refused(path)
    random_ = random.Random(0)
    for _ in range(40):
        broken = bytearray(data)
        for _ in range(20):
            broken[random_.randrange(4, len(data))] = random_.randrange(256)
        path.write_bytes(bytes(broken))
        try:
            read_table(path)
        except ValueError:
            refused(path)


def test_r9_the_command_line_ends_with_2(written, tmp_path, capsys):
    path = tmp_path / "p.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n1,2\n" * 1000)[:-20])
    status = main(["audit", f"--predictions={path}", "--label=y", "--member=m"])
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert err == (
        f"error: The table {str(path)!r} could not be read as gzip (EOFError): it is "
        "damaged, or something else.\n"
    )


# R10: bounded


def test_r10_a_cell_a_line_and_a_file_have_bounds(written, monkeypatch):
    monkeypatch.setattr(_reading, "_MOST_CELL", 1000)
    monkeypatch.setattr(_reading, "_MOST_LINE", 5000)
    before = csv.field_size_limit()
    long_cell = f"a,b\n1,{'x' * 1001}\n"
    assert "line 2: a cell of more than 1000 characters" in refused(written(long_cell))
    open_quote = 'a,b\n1,"' + "x,y\n" * 300
    assert "or an open quote" in refused(written(open_quote))
    long_line = "a,b\n" + "1," * 3000 + "\n"
    assert "a line of more than 5000 characters" in refused(written(long_line))
    assert csv.field_size_limit() == before
    table = "a,b\n" + "1,2\n" * 1000
    for name in ("t.csv", "t.csv.gz"):
        path = written(table, name)
        assert len(read_table(path, max_bytes=5000)) == 1000
        with pytest.raises(
            ValueError, match=r"holds .* GiB or more once it is unpacked"
        ):
            read_table(path, max_bytes=3000)


def test_r10_parquet_has_the_same_bounds(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": np.zeros(100_000), "b": ["x"] * 100_000}).to_parquet(path)
    assert path.stat().st_size < 20_000
    with pytest.raises(ValueError, match="pass a larger --max-size"):
        read_table(path, max_bytes=10**6)
    assert len(read_table(path, max_bytes=10**7)) == 100_000
    monkeypatch.setattr(_reading, "_MOST_CELL", 1000)
    pd.DataFrame({"a": ["x", SECRET * 100]}).to_parquet(path)
    assert "Column 'a' of the table" in refused(path)


def test_r10_one_long_text_does_not_make_all_of_them_long():
    values = np.array([f"v{i % 7}" for i in range(3000)], dtype=object)
    expected = np.unique(values.astype(str), return_inverse=True)[1]
    np.testing.assert_array_equal(as_numbers(values), expected)
    # As texts of one width, 3,000 of them would take 12 GB.
    values[5] = "x" * 10**6
    assert as_numbers(values)[5] == 7


@pytest.mark.slow
def test_r10_an_error_line_is_not_longer_than_a_page(written, capsys):
    names = ",".join(f"column{i}" for i in range(20_000))
    path = written(f"{names}\n{','.join('0' * 20_000)}\n")
    status = main(["audit", f"--predictions={path}", "--label=y", "--member=m"])
    err = capsys.readouterr().err
    assert status == 2
    assert len(err) < 2100
    assert "'column0'" in err


def test_r10_no_cell_is_told_when_a_model_fails(written, tmp_path, capsys):
    import joblib
    from sklearn.linear_model import LogisticRegression

    frame = pd.DataFrame(
        {"a": np.arange(40.0), "b": np.arange(40) % 3, "y": [0, 1] * 20}
    )
    model = LogisticRegression().fit(frame[["a", "b"]], frame["y"])
    joblib.dump(model, tmp_path / "m.joblib")
    frame.astype({"b": object}).replace({"b": {2: SECRET}}).to_csv(
        tmp_path / "t.csv", index=False
    )
    status = main(
        [
            "audit",
            *(str(tmp_path / n) for n in ("m.joblib", "t.csv", "t.csv")),
            "--label=y",
            "--trust-pickle",
        ]
    )
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert SECRET not in err
    assert err.count("\n") == 1


def test_sizes_are_given_in_gib():
    from sklearn_mia.auditing._options import gibibytes

    assert gibibytes("0.5") == 2**29
    assert gibibytes("4") == _files.MOST_BYTES


@pytest.mark.parametrize("held", [[True, False], [b"x", b"y"], [1, 2]])
def test_a_parquet_column_that_is_no_text_but_is_said_to_be_is_refused(tmp_path, held):
    pd = pytest.importorskip("pandas", "3")
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "t.parquet"
    pd.DataFrame({"a": [0, 1], "zip": ["01710", "x"]}).to_parquet(path)
    written = parquet.read_table(path)
    parquet.write_table(written.set_column(1, "zip", pa.array(held)), path)
    message = (
        f"Column 'zip' of the table {str(path)!r} holds {pa.array(held).type}, and the "
        "file says that it is text. Write the file again, with the type that it has."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        read_table(path)


def test_parquet_text_is_read_however_it_is_stored(tmp_path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    path = tmp_path / "t.parquet"
    gaps = pd.Series([None, None], dtype="string")
    frame = pd.DataFrame({"a": ["x", None], "b": pd.Categorical(["u", "v"]), "c": gaps})
    frame.to_parquet(path)
    read = read_table(path)
    assert read.isna().to_numpy().tolist() == [
        [False, False, True],
        [True, False, True],
    ]
    assert read["b"].tolist() == ["u", "v"]
