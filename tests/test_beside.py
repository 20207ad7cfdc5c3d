"""Records of a report in Parquet files beside its JSON file."""

import errno
import hashlib
import json
import os
import re
import stat

import numpy as np
import pytest
from helpers.forks import ended, in_child
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

from sklearn_mia import AuditReport, RecipeReport, audit, compare_reports
from sklearn_mia.__main__ import main
from sklearn_mia.attacks import SupervisedAttack, ThresholdAttack

pytest.importorskip("pyarrow")

NAMES = ["person-é\x1b", 7, None, True, 2.5, 2**70, (1, "b"), *map(str, range(8, 201))]


def reported(**params):
    X, y = make_classification(400, 8, flip_y=0.2, random_state=0)
    model = RandomForestClassifier(5, random_state=0).fit(X[:200], y[:200])
    attacks = [SupervisedAttack(), ThresholdAttack()]
    return audit(
        *(model, X[:200], y[:200], X[200:], y[200:]),
        attacks=attacks,
        n_permutations=99,
        random_state=0,
        **params,
    )


@pytest.fixture(scope="module")
def report():
    """A report with ids of all kinds, and with scores that are not there."""
    return reported(ids_train=NAMES, ids_test=[f"other-{i}" for i in range(200)])


def written(report, path):
    report.to_json(path, name_records=True, records="parquet")
    return path, path.with_name(told(path)["records"]["name"])


def told(path):
    return json.loads(path.read_text(encoding="utf-8"))["tables"]


def held(folder):
    """All files of a folder by name, also hidden ones."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_it_reads_back_as_what_the_json_file_alone_holds(report, tmp_path):
    path, table = written(report, tmp_path / "r.json")
    back = AuditReport.from_json(path)
    assert back.to_dict(name_records=True) == report.to_dict(name_records=True)
    alone = AuditReport.from_json(report.to_json(name_records=True))
    for name, column in alone._records.items():
        found = back._records[name]
        assert found.dtype == column.dtype
        np.testing.assert_array_equal(found, column)
    assert any(np.isnan(v).any() for v in back._records.values() if v.dtype == float)
    assert back.to_json(name_records=True) == report.to_json(name_records=True)
    assert table.is_file()


def test_the_json_file_is_small_and_names_nobody(report, tmp_path):
    path, table = written(report, tmp_path / "r.json")
    text = path.read_text(encoding="utf-8")
    assert "person" not in text
    assert "other-" not in text
    content = json.loads(text)
    bare = json.loads(report.to_json())
    told = content.pop("tables")["records"]
    assert content.pop("warning") == (
        "the files of records and groups beside it name members: keep them"
    )
    assert bare.pop("warning") is None
    assert content == bare
    assert re.fullmatch(r"r\.records\.[0-9a-f]{8}\.parquet", told["name"])
    assert told["sha256"] == hashlib.sha256(table.read_bytes()).hexdigest()
    assert (told["n_rows"], told["n_bytes"]) == (400, table.stat().st_size)
    if os.name == "posix":
        assert stat.S_IMODE(table.stat().st_mode) == 0o600


def test_groups_have_a_file_of_their_own(other, tmp_path):
    report = other
    path, _ = written(report, tmp_path / "r.json")
    assert told(path)["groups"]["name"].startswith("r.groups.")
    assert len(held(tmp_path)) == 3
    back = AuditReport.from_json(path)
    assert back.to_dict(name_records=True) == report.to_dict(name_records=True)


def test_reports_are_paired_by_records_beside_them(report, tmp_path):
    path, table = written(report, tmp_path / "r.json")
    # Ids that are no text, and one that is missing, too: as from the JSON file.
    alone = tmp_path / "alone.json"
    report.to_json(alone, name_records=True)
    assert str(compare_reports(path, report)) == str(compare_reports(alone, report))
    assert compare_reports(path, report).n_joined > 0
    table.unlink()
    with pytest.warns(UserWarning, match=f"'{table.name}' not found beside"):
        apart = compare_reports(path, report)
    assert "holds nothing per record" in str(apart)


def test_a_file_that_is_not_there_is_told(report, tmp_path):
    path, table = written(report, tmp_path / "r.json")
    message = f"'{table.name}' not found beside the text: the report is read without"
    with pytest.warns(UserWarning, match=message):
        back = AuditReport.from_json(path.read_text(encoding="utf-8"))
    assert back._records is None
    assert back.to_json() == report.to_json()
    table.unlink()
    with pytest.warns(UserWarning, match="what it holds per record"):
        AuditReport.from_json(path)


def test_another_file_is_refused(report, tmp_path):
    path, table = written(report, tmp_path / "r.json")
    data = table.read_bytes()
    table.write_bytes(data[:-9] + b"x" + data[-8:])
    with pytest.raises(ValueError, match="it has another SHA-256"):
        AuditReport.from_json(path)


def test_a_file_that_is_no_table_of_a_report_is_refused(report, tmp_path):
    from pyarrow import Table, parquet

    path, table = written(report, tmp_path / "r.json")
    marked = parquet.read_schema(table).field("id").metadata
    bad = Table.from_pydict({"id": ["{"]})
    bad = bad.cast(bad.schema.set(0, bad.schema.field(0).with_metadata(marked)))
    content = json.loads(path.read_text(encoding="utf-8"))
    for data, message in (
        (b"PAR1 or not", "could not be read as Parquet"),
        (bad, r"could not be read as Parquet \(JSONDecodeError\)"),
        (Table.from_pydict({"id": [1]}), "records.member is missing"),
        (Table.from_pydict({"id": [1], "member": [b"x"]}), "records.risk is missing"),
    ):
        if isinstance(data, bytes):
            table.write_bytes(data)
        else:
            parquet.write_table(data, table)
        sha256 = hashlib.sha256(table.read_bytes()).hexdigest()
        content["tables"]["records"]["sha256"] = sha256
        path.write_text(json.dumps(content), encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            AuditReport.from_json(path)


@pytest.mark.parametrize(
    "name", ["../r.records.parquet", "/r.parquet", "a\\b", "..", "", "c:r", "a\0b", 7]
)
def test_nothing_is_read_outside_the_folder(report, tmp_path, name):
    path, _ = written(report, tmp_path / "r.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    content["tables"]["records"]["name"] = name
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"tables.records.name is .*; expected the name"
    ):
        AuditReport.from_json(path)


def test_what_is_damaged_is_told(report, tmp_path):
    path, _ = written(report, tmp_path / "r.json")
    whole = json.loads(path.read_text(encoding="utf-8"))
    for tables, message in (
        ([1], "tables is a list; expected a mapping"),
        ({"other": whole["tables"]["records"]}, "tables: there is another key"),
        (
            {"records": {"name": "r.records.parquet"}},
            "tables.records.sha256 is missing",
        ),
    ):
        path.write_text(json.dumps(whole | {"tables": tables}), encoding="utf-8")
        with pytest.raises(ValueError, match=message):
            AuditReport.from_json(path)


def test_what_cannot_be_written_is_refused_before_anything_is(report, tmp_path):
    path = tmp_path / "r.json"
    for given, message in (
        ({"records": "csv"}, "records='csv'; expected 'json' or 'parquet'"),
        ({"records": "parquet"}, "pass name_records=True, too, or leave it out"),
    ):
        with pytest.raises(ValueError, match=message):
            report.to_json(path, **given)
    for place, shown in ((None, "None"), ("-", "stdout")):
        with pytest.raises(
            ValueError, match=f"path is {shown}; expected the name of a"
        ):
            report.to_json(place, name_records=True, records="parquet")
    with pytest.raises(OSError, match="does not exist"):
        written(report, tmp_path / "nowhere" / "r.json")
    bare = AuditReport(report._content)
    with pytest.raises(ValueError, match="holds nothing per record"):
        written(bare, path)
    assert not list(tmp_path.iterdir())


# Written both or neither, and read as what they were written for


@pytest.fixture(scope="module")
def other():
    """Another report, which also has groups."""
    groups = np.arange(200) // 4
    return reported(groups_train=groups, groups_test=100 + groups)


def same(report, path):
    back = AuditReport.from_json(path)
    return back.to_dict(name_records=True) == report.to_dict(name_records=True)


def test_reports_of_one_stem_have_tables_of_their_own(report, other, tmp_path):
    paths = [tmp_path / name for name in ("r.json", "r.html", "r", "R.json")]
    for path, of in zip(paths, (report, other, report, report), strict=True):
        written(of, path)
    assert len({told(path)["records"]["name"] for path in paths}) == 4
    paths[0].unlink()
    report.to_json(paths[2])
    assert same(other, paths[1])
    assert same(report, paths[3])


def test_a_report_takes_away_what_lay_beside_the_one_in_its_place(
    report, other, tmp_path
):
    written(other, tmp_path / "r.json")
    assert len(held(tmp_path)) == 3
    path, table = written(report, tmp_path / "r.json")
    assert set(held(tmp_path)) == {path.name, table.name}
    assert same(report, path)
    before = held(tmp_path)
    # The same once more is the same.
    written(report, path)
    assert {*held(tmp_path)} == {*before}
    for write in (
        report.to_json,
        lambda path: report.to_json(path, name_records=True),
        RecipeReport({"name": "of no matter"}).to_json,
    ):
        written(report, path)
        write(path)
        assert set(held(tmp_path)) == {path.name}
    # What is another file than the report said is not its own to remove.
    path, table = written(report, path)
    table.write_bytes(b"mine")
    report.to_json(path)
    assert table.read_bytes() == b"mine"
    # Nor is anything removed for a file that only looks like a report.
    for text in ('{"tables"', '{"tables": 3}', '{"tables": {"records": {}}}', "[]"):
        path.write_text(text, encoding="utf-8")
        report.to_json(path)
        assert table.read_bytes() == b"mine"


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize("number", [1, pytest.param(2, marks=pytest.mark.slow), 3])
@pytest.mark.parametrize("is_there", [True, False])
def test_a_disk_that_is_full_leaves_what_was_there(
    report, other, tmp_path, monkeypatch, call, number, is_there
):
    path = tmp_path / "r.json"
    if is_there:
        written(report, path)
    before, left, do = held(tmp_path), [number], getattr(os, call)

    def full(*args):
        left[0] -= 1
        if not left[0]:
            raise OSError(errno.ENOSPC, "No space left on device")
        return do(*args)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(OSError, match="could not be written: No space left on"):
            written(other, path)
    assert held(tmp_path) == before
    assert not is_there or same(report, path)
    written(other, path)
    assert same(other, path)
    assert len(held(tmp_path)) == 3


@pytest.mark.skipif(os.name != "posix", reason="limits of POSIX")
def test_a_disk_with_room_for_the_table_alone_is_left_without_it(
    report, other, tmp_path
):
    import resource

    path, table = written(report, tmp_path / "r.json")
    large, _ = written(other, tmp_path / "large.json")
    room = max(about["n_bytes"] for about in told(large).values())
    assert table.stat().st_size <= room < large.stat().st_size
    before = held(tmp_path)

    def run():
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))
        with pytest.raises(OSError, match="could not be written: File too large"):
            written(other, path)

    assert ended(in_child(run)) == 0
    assert held(tmp_path) == before
    assert same(report, path)


def test_who_is_stopped_while_the_report_is_written_keeps_the_earlier_one(
    report, other, tmp_path, monkeypatch
):
    path, _ = written(report, tmp_path / "r.json")
    before = held(tmp_path)

    def stopped(content):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_mia.auditing._report.text_of", stopped)
    with pytest.raises(KeyboardInterrupt):
        written(other, path)
    assert held(tmp_path) == before


# The command line


@pytest.fixture
def run(tmp_path):
    """Function that audits predictions, and the folder of its files."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    y, member = rng.integers(0, 2, 300), np.arange(300) < 150
    p = np.clip(0.5 + (y - 0.5) * 0.6 + rng.normal(scale=0.2, size=300), 0.01, 0.99)
    frame = pd.DataFrame({"proba_0": 1 - p, "proba_1": p, "y": y, "member": member})
    frame.assign(person=[f"p{i}" for i in range(300)]).to_csv(
        tmp_path / "asked.csv", index=False
    )

    def run(*options):
        given = ["--label=y", "--member=member", "--id=person"]
        return main(["audit", f"--predictions={tmp_path}/asked.csv", *given, *options])

    return run


def test_a_baseline_is_paired_with_records_beside_it(run, tmp_path, capsys):
    old = tmp_path / "old.json"
    assert run(f"--json={old}", "--name-records", "--json-records=parquet") == 0
    assert "p17" not in old.read_text(encoding="utf-8")
    assert run(f"--baseline={old}") == 0
    assert "300 records are in both" in " ".join(capsys.readouterr().out.split())
    [beside] = tmp_path.glob("old.records.*.parquet")
    before = beside.read_bytes()
    assert run(f"--baseline={old}", f"--records={beside}") == 2
    message = "is the file of the records of --baseline, which it would overwrite"
    assert message in " ".join(capsys.readouterr().err.split())
    assert beside.read_bytes() == before
    beside.unlink()
    assert run(f"--baseline={old}") == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "the baseline holds nothing per record" in told


def test_options_that_cannot_be_met_are_told_first(run, tmp_path, capsys):
    report = f"--json={tmp_path}/r.json"
    about = "is about the records of --json FILE with --name-records: pass both"
    for options, message in (
        ([report], about),
        (["--name-records", f"-o={tmp_path}/r.html"], about),
        (["--name-records", "--json=-"], "--json - is no file; expected the name of"),
    ):
        assert run(*options, "--json-records=parquet") == 2
        assert message in " ".join(capsys.readouterr().err.split())
    assert [path.name for path in tmp_path.iterdir()] == ["asked.csv"]
