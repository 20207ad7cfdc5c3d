"""What is written: read back, it is the same, and nothing in it is obeyed."""

import csv
import io
import json
import unicodedata
from functools import cache

import numpy as np
import pytest
from helpers.properties import holds, scored, seeds, st

from sklearn_mia import AuditReport, audit_predictions
from sklearn_mia._views import visible
from sklearn_mia.auditing._json import plain, text_of
from sklearn_mia.auditing._writing import table_file
from sklearn_mia.redaction import without_values

# Ends of line, quotes, brackets, signs of formulas, marks that turn text around.
CHARACTERS = (
    "ab1 \n\t\r\0\x1b\x85\"'\\[]{},:;=+-@<&\xe9\u20ac\u202e\u2066\u2028\ufeff\U0001f600"
)
words = st.text(st.sampled_from(CHARACTERS), max_size=12) | st.sampled_from(
    ["],", "=1"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | words,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(words, inner, max_size=4)
    ),
    max_leaves=20,
)


@holds(150, value=values)
def test_any_tree_is_read_back_as_it_was(value):
    written = text_of(plain(value))
    assert json.loads(written) == plain(value)
    json.loads(written, parse_constant=lambda name: pytest.fail(name))
    assert plain(plain(value)) == plain(value)


@holds(
    60,
    value=st.lists(st.floats(), max_size=6),
    kind=st.sampled_from([list, tuple, np.array]),
)
def test_what_is_no_number_is_null(value, kind):
    expected = [v if np.isfinite(v) else None for v in value]
    assert json.loads(text_of(plain({"a": kind(value)}))) == {"a": expected}


@holds(120, text=words)
def test_what_is_shown_obeys_nothing(text):
    shown = visible(text)
    assert visible(shown) == shown
    for character in shown:
        assert unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
        assert unicodedata.bidirectional(character) not in (
            *("LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"),
        )


cells = st.lists(
    st.tuples(words, st.floats(-1e9, 1e9), st.integers()), min_size=1, max_size=6
)


@holds(60, rows=cells)
def test_a_table_of_records_has_each_cell_in_its_place(rows):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(rows, columns=["id", "score", "n"])
    written = table_file(frame, "records.csv")
    header, *read = csv.reader(io.StringIO(written, newline=""))
    assert header == ["id", "score", "n"]
    assert len(read) == len(rows)
    for (text, score, number), cell in zip(rows, read, strict=True):
        assert cell[0] in (text, f"'{text}")
        if text.strip().startswith(("=", "+", "-", "@")) and not is_number(text):
            assert cell[0] == f"'{text}"
        assert float(cell[1]) == score
        assert int(cell[2].lstrip("'")) == number


def is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


@holds(
    40,
    seed=seeds,
    n=st.integers(1, 6),
    words=st.lists(st.sampled_from(["a", "of", "is"]), max_size=5),
)
def test_no_cell_of_a_table_is_in_an_error(seed, n, words):
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "number": rng.normal(size=n).round(6) * 1000,
            "text": [f"secret{v}" for v in rng.integers(1000, 9999, n)],
        }
    )
    told = [str(v) for row in table.to_numpy().tolist() for v in row]
    line = " ".join(f"{word} {value!r}" for word in [*words, "x"] for value in told)
    left = without_values(line, table, most=10_000)
    assert [value for value in told if value in left] == []


# Reports of any predictions

classes = st.lists(words.filter(str.strip), min_size=2, max_size=3, unique=True)


@cache
def numbers(seed, n):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(3), n), rng.integers(0, 3, n)


@holds(8, data=scored(fewest=2, most=25), names=classes, seed=seeds, note=words)
def test_a_report_of_anything_is_read_back_as_it_was(data, names, seed, note):
    pytest.importorskip("jinja2")
    is_member, _ = data
    proba, labels = numbers(seed, len(is_member))
    k = len(names)
    proba = proba[:, :k] / proba[:, :k].sum(axis=1, keepdims=True)
    names = np.array(sorted(names), dtype=object)
    report = audit_predictions(
        proba,
        names[labels % k],
        is_member,
        classes=names,
        ids=[f"{note}{i}" for i in range(len(is_member))],
        n_permutations=99,
    )
    for name_records in (False, True):
        text = report.to_json(name_records=name_records)
        again = AuditReport.from_json(text)
        assert again.to_dict(name_records=name_records) == report.to_dict(
            name_records=name_records
        )
        assert again.to_json(name_records=name_records) == text
        assert str(again) == str(report)
    page = again.to_html(name_records=True)
    assert all(c in "\n\t" or visible(c) == c for c in page)
