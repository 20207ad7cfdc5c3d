"""One way out: files, devices, pipes and a terminal."""

import io
import json
import os
import socket
import stat
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import ThresholdAttack
from sklearn_mia.__main__ import main
from sklearn_mia._views import visible
from sklearn_mia.auditing import AuditReport, _writing, audit, audit_recipe
from sklearn_mia.auditing._writing import check_outputs, say, write_whole

posix = pytest.mark.skipif(os.name != "posix", reason="modes and devices of POSIX")
as_user = pytest.mark.skipif(
    os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere"
)
EVIL = "a\x1b[31m\x00\u202eb\ttail\r\nend"
SHOWN = r"a\x1b[31m\x00\u202eb\ttail\r\nend"


def mode_of(path):
    return stat.S_IMODE(path.stat().st_mode)


def check(path):
    check_outputs([("--json", path)])


def halves(labels=(0, 1)):
    X, y = make_classification(200, 4, flip_y=0.2, random_state=0)
    y = np.array(labels)[y]
    return X[:100], y[:100], X[100:], y[100:]


def quick(sides, **params):
    model = DecisionTreeClassifier(max_depth=3, random_state=0).fit(*sides[:2])
    params = {
        "attacks": {"T": ThresholdAttack()},
        "n_permutations": 99,
        "random_state": 0,
    } | params
    return audit(model, *sides, **params)


@pytest.fixture(scope="module")
def report():
    return quick(halves())


@pytest.fixture
def umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def command(tmp_path):
    """Run an audit of predictions; it takes no time."""
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    p = rng.uniform(size=200).round(3)
    frame = pd.DataFrame({"proba_no": 1 - p, "proba_yes": p})
    frame["y"] = rng.choice(["no", "yes"], 200)
    frame["member"] = np.arange(200) % 2
    frame["who"] = [f"person {i}" for i in range(200)]
    table = tmp_path / "predictions.csv"
    frame.to_csv(table, index=False)
    arguments = ["audit", f"--predictions={table}", "--label=y", "--member=member"]

    def run(*options, whole=True):
        given = [*arguments, "--id=who", *map(str, options)]
        return main(given) if whole else [sys.executable, "-m", "sklearn_mia", *given]

    run.table = table
    return run


# R1: what is there is kept


@posix
def test_r1_a_link_stays_and_the_file_that_it_names_is_written(tmp_path, umask):
    (tmp_path / "far").mkdir()
    target = tmp_path / "far" / "report.json"
    target.write_text("old")
    link = tmp_path / "link.json"
    link.symlink_to(Path("far") / "report.json")
    again = tmp_path / "again.json"
    again.symlink_to(link)
    for path, text in ((link, "one"), (again, "two")):
        write_whole(path, text)
        assert path.is_symlink()
        assert target.read_text() == text
    dangling = tmp_path / "dangling.json"
    dangling.symlink_to(tmp_path / "far" / "new.json")
    write_whole(dangling, "three")
    assert dangling.is_symlink()
    assert (tmp_path / "far" / "new.json").read_text() == "three"
    assert sorted(p.name for p in (tmp_path / "far").iterdir()) == [
        "new.json",
        "report.json",
    ]


@posix
def test_r1_devices_and_pipes_are_written_through(tmp_path):
    null = tmp_path / "null"
    null.symlink_to(os.devnull)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    check_outputs([("--json", null), ("--html", null), ("--records", pipe)])
    write_whole(null, "text")
    assert stat.S_ISCHR(null.stat().st_mode)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_whole(pipe, "é")
    reader.join()
    assert read == ["é".encode()]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    reader = threading.Thread(target=lambda: os.close(os.open(pipe, os.O_RDONLY)))
    reader.start()
    write_whole(pipe, "x" * 10**6)  # the reader leaves before the end
    reader.join()


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="needs root")
def test_r1_a_device_node_stays_one(tmp_path):
    node = tmp_path / "node.json"
    os.mknod(node, 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    write_whole(node, "text")
    assert stat.S_ISCHR(node.stat().st_mode)


@posix
def test_r1_sockets_and_folders_are_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.json")
        for write in (lambda: write_whole("s.json", "x"), lambda: check("s.json")):
            with pytest.raises(OSError, match=r"'s\.json' is a socket; expected"):
                write()
        assert stat.S_ISSOCK(os.stat("s.json").st_mode)
    with pytest.raises(OSError, match="is a folder; expected the name of a file"):
        write_whole(tmp_path, "x")


def test_r1_a_dash_is_stdout_and_the_file_is_alone_there(command, capsys, tmp_path):
    assert command("--json=-") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["schema"] == "sklearn_mia.audit"
    assert err.startswith("Membership audit of ")
    assert command("--records=-", f"-o={tmp_path / 'r.html'}") == 0
    out, err = capsys.readouterr()
    assert out.startswith("id,member,class,score_")
    assert (tmp_path / "r.html").stat().st_size > 1000
    assert command("--json=-", "--records=-") == 2
    assert "both go to stdout" in capsys.readouterr().err
    assert AuditReport.from_json(out_of(capsys, command)).verdict["level"]


def out_of(capsys, command):
    command("--json=-")
    return capsys.readouterr().out


@posix
@pytest.mark.slow
def test_r1_dev_stdout_is_stdout_whatever_it_is(command, tmp_path, monkeypatch):
    with open(tmp_path / "out.txt", "wb") as file:
        done = subprocess.run(
            command("--json=/dev/stdout", whole=False),
            stdout=file,
            stderr=subprocess.PIPE,
            check=True,
        )
    assert json.loads((tmp_path / "out.txt").read_bytes())["schema_version"] == 2
    assert done.stderr.startswith(b"Membership audit of ")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with open(os.open(pipe, os.O_RDWR), "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert _writing.goes_to_stdout(pipe)
        assert not _writing.goes_to_stdout(Path(os.devnull))
    with open(os.devnull, "w") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert not _writing.goes_to_stdout(Path(os.devnull))


@posix
def test_r1_a_path_of_stdout_goes_there(tmp_path, monkeypatch):
    path = tmp_path / "out.txt"
    with open(path, "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        assert _writing.goes_to_stdout(path)
        assert not _writing.is_file(path)
        stream.write("before ")
        write_whole(path, "é")
        message = "--html and --json both go to stdout. Pass a file for one."
        with pytest.raises(ValueError, match=f"^{message}$"):
            check_outputs([("--json", "-"), ("--html", path)])
    # The stream itself is written to: no file has taken its name.
    assert path.read_text(encoding="utf-8") == "before é"


def test_r1_a_stdout_of_text_alone_or_none_at_all(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    write_whole("-", "é \udcff")
    assert stream.getvalue() == "é \\udcff"
    monkeypatch.setattr(sys, "stdout", None)
    say("text")
    write_whole("-", "text")
    assert stream.getvalue() == "é \\udcff"


# R5: nothing is lost when a file cannot be written


@posix
def test_r5_a_full_disk_is_named_and_the_rest_is_written(command, capsys, tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    full, page = tmp_path / "full", tmp_path / "r.html"
    full.symlink_to("/dev/full")
    records = tmp_path / "r.csv"
    assert command(f"--json={full}", f"-o={page}", f"--records={records}") == 2
    out, err = capsys.readouterr()
    assert out.startswith("Membership audit of ")
    assert err.startswith(f"error: {str(full)!r} could not be written: No space left")
    assert page.read_text(encoding="utf-8").endswith("</html>")
    assert len(records.read_text(encoding="utf-8").splitlines()) == 201


@posix
def test_r5_a_full_stdout_is_named(monkeypatch):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    with suppress(OSError), open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        with pytest.raises(OSError) as raised:  # noqa: PT011
            write_whole("-", "text")
    assert str(raised.value) == (
        "/dev/full could not be written: No space left on device."
    )


def test_r5_an_error_while_a_file_is_made_loses_no_other(
    command, capsys, tmp_path, monkeypatch
):
    def fail(*args, **kwargs):
        raise RuntimeError("template")

    monkeypatch.setattr(AuditReport, "to_html", fail)
    assert command(f"-o={tmp_path / 'a.html'}", f"--json={tmp_path / 'a.json'}") == 1
    out, err = capsys.readouterr()
    assert out.startswith("Membership audit of ")
    assert "a.html could not be made: RuntimeError: template" in err
    assert AuditReport.from_json(tmp_path / "a.json")


def test_r5_a_folder_that_goes_away_is_named(tmp_path, report, monkeypatch):
    def fail(*args):
        raise OSError(5, "Input/output error")

    path = tmp_path / "r.json"
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=r"r\.json' could not be written: Input/output"):
        report.to_json(path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(OSError, match=r"The folder of '.*r\.json' does not exist"):
        report.to_json(tmp_path / "nowhere" / "r.json")


@posix
@pytest.mark.parametrize("name", ["x" * 245 + ".json", "x" * 250 + ".json"])
def test_r5_long_names_work(tmp_path, name):
    write_whole(tmp_path / name, "text")
    assert [p.name for p in tmp_path.iterdir()] == [name]


@posix
@pytest.mark.parametrize("name", ["x" * 256, "a/b/c", "nul\0.json"])
def test_r5_names_that_cannot_be_are_refused_at_once(command, capsys, tmp_path, name):
    (tmp_path / "a").touch()
    status = command(f"--json={tmp_path / name}")
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    assert err.startswith("error: ")
    assert repr(str(tmp_path / name))[1:-1] in err


@posix
def test_r5_names_that_are_no_utf_8(command, tmp_path, capfd):
    odd = os.fsdecode(b"report-\xff.json")
    try:
        (tmp_path / odd).touch()
    except OSError:
        pytest.skip("the file system takes UTF-8 only")
    table = command.table.rename(tmp_path / os.fsdecode(b"table-\xff.csv"))
    status = command(f"--predictions={table}", f"--json={tmp_path / odd}")
    out, err = capfd.readouterr()
    assert (status, err) == (0, "")
    content = json.loads((tmp_path / odd).read_text(encoding="utf-8"))
    assert (
        content["report"]["provenance"]["files"]["predictions"]["name"]
        == "table-\udcff.csv"
    )
    assert r"table-\udcff.csv" in out


# R6: modes


@posix
def test_r6_modes_are_kept_and_new_records_are_for_their_owner(tmp_path, umask, report):
    for mode in (0o600, 0o640, 0o664):
        path = tmp_path / f"{mode}.json"
        path.touch()
        path.chmod(mode)
        report.to_json(path, name_records=True)
        report.to_html(path, name_records=True)
        assert mode_of(path) == mode
    report.to_json(tmp_path / "r.json", name_records=True)
    report.to_html(tmp_path / "r.html", name_records=True)
    assert mode_of(tmp_path / "r.json") == mode_of(tmp_path / "r.html") == 0o600
    report.to_json(tmp_path / "bare.json")
    recipe = audit_recipe(
        DecisionTreeClassifier(),
        *halves()[:2],
        n_targets=2,
        attacks="ThresholdAttack",
    )
    for write, name in ((recipe.to_json, "recipe.json"), (recipe.to_html, "r2.html")):
        write(tmp_path / name)
        assert mode_of(tmp_path / name) == mode_of(tmp_path / "bare.json") == 0o644
    os.umask(0o027)
    report.to_html(tmp_path / "bare.html")
    assert mode_of(tmp_path / "bare.html") == 0o640


@posix
def test_r6_files_of_the_command_line(command, tmp_path, umask):
    names = ("r.html", "r.json", "r.csv")
    paths = [tmp_path / n for n in names]
    options = [
        f"{o}={p}" for o, p in zip(("-o", "--json", "--records"), paths, strict=True)
    ]
    assert command(*options) == 0
    assert [mode_of(p) for p in paths] == [0o644, 0o644, 0o600]
    for path in paths:
        path.unlink()
    options.append("--name-records")
    assert command(*options) == 0
    assert [mode_of(p) for p in paths] == [0o600] * 3
    paths[2].chmod(0o644)
    command(*options)
    assert [mode_of(p) for p in paths] == [0o600, 0o600, 0o644]


def test_r6_what_may_not_be_written_to_is_refused_at_once(tmp_path, monkeypatch):
    path = tmp_path / "r.json"
    path.write_text("old")
    locked = {path}
    monkeypatch.setattr(os, "access", lambda place, mode: Path(place) not in locked)
    for place, told in (
        (path, f"{str(path)!r} cannot be written to."),
        (tmp_path, f"The folder of {str(path)!r} cannot be written to."),
    ):
        locked = {place}
        with pytest.raises(OSError) as raised:  # noqa: PT011
            check(path)
        assert str(raised.value) == told
    assert path.read_text() == "old"


@as_user
def test_r6_a_file_that_is_read_only_is_refused(tmp_path):
    path = tmp_path / "r.json"
    path.write_text("old")
    path.chmod(0o400)
    with pytest.raises(OSError, match="cannot be written to"):
        write_whole(path, "new")


# R7: suffixes, and files that would overwrite others


@pytest.mark.parametrize("name", ["X.PARQUET", "x.Pq", "x.parquet"])
def test_r7_suffixes_in_any_case(command, tmp_path, name):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    path = tmp_path / name
    assert command(f"--records={path}", f"-o={tmp_path / 'R.HTML'}") == 0
    assert path.read_bytes()[:4] == b"PAR1"
    assert pd.read_parquet(io.BytesIO(path.read_bytes()))["id"][0] == "person 0"


def test_r7_a_csv_in_capitals(command, tmp_path):
    assert command(f"--records={tmp_path / 'X.CSV'}") == 0
    assert (tmp_path / "X.CSV").read_text().startswith("id,")


def test_r7_no_output_overwrites_an_input_or_another(command, capsys, tmp_path):
    before = command.table.read_bytes()
    other = tmp_path / "sub" / ".." / "r.json"
    (tmp_path / "sub").mkdir()
    page = tmp_path / "r.html"
    links = []
    if os.name == "posix":
        links = [tmp_path / "link.csv", tmp_path / "hard.csv"]
        links[0].symlink_to(command.table)
        os.link(command.table, links[1])
    for options, told in [
        ([f"--records={command.table}"], "is the file of predictions"),
        (
            [f"--json={tmp_path / 'r.json'}", f"-o={page}", f"--records={page}"],
            "--html",
        ),
        *([([f"--records={link}"], "is the file of predictions") for link in links]),
    ]:
        assert command(*options) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert told in err
        assert "overwrite" in err
    with pytest.raises(ValueError, match=r"--json .* is the file of --html"):
        check_outputs([("--html", tmp_path / "r.json"), ("--json", other)])
    assert command.table.read_bytes() == before


# R15: formulas and control characters


@pytest.mark.parametrize("path", ["r.csv", "-"])
def test_r15_formulas_in_a_csv_get_an_apostrophe(path):
    pd = pytest.importorskip("pandas")
    ids = ["=1+1", "+cmd|' /C'!A0", "-2+3", "@SUM(A1)", "\t=1", "\rx", " =1", "\uff1d1"]
    plain = ["a=1", "x-1", "", "'quoted", "-5", "+3.5e2", "1", "=".join("ab")]
    frame = pd.DataFrame(
        {"id": ids + plain, "score_=A": np.linspace(-1, 1, 16), "class": ["-no"] * 16}
    )
    text = _writing.table_file(frame, path)
    back = pd.read_csv(io.StringIO(text, newline=""), keep_default_na=False)
    assert back["id"].tolist() == [f"'{i}" for i in ids] + plain
    assert back["class"].tolist() == ["'-no"] * 16
    np.testing.assert_allclose(back["score_=A"], frame["score_=A"])
    named = frame[:4].rename(columns={"score_=A": "=A"})
    assert _writing.table_file(named, path).startswith("id,'=A,class")


def test_r15_parquet_keeps_text_as_it_is():
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"id": ["=1+1", "\t@"], "risk": [0.5, 0.25]})
    back = pd.read_parquet(io.BytesIO(_writing.table_file(frame, "r.parquet")))
    assert back["id"].tolist() == ["=1+1", "\t@"]


def test_r15_control_characters_are_shown_and_not_obeyed():
    assert visible(EVIL) == SHOWN
    assert visible({EVIL: [EVIL, 1, None]}) == {SHOWN: [SHOWN, 1, None]}
    assert visible("naïve ≥ 50K ß\N{NO-BREAK SPACE}%") == "naïve ≥ 50K ß\xa0%"
    sides = halves(labels=(EVIL, "ok"))
    report = quick(
        sides,
        attacks={EVIL: ThresholdAttack()},
        ids_train=[f"{EVIL}{i}" for i in range(100)],
        ids_test=[f"{EVIL}-{i}" for i in range(100)],
    )
    page, text = report.to_html(title=EVIL), str(report)
    for shown in (page, text.replace("\n", "")):
        assert not set(shown) & (set(EVIL) - set("a[31mb tailend\n"))
        assert SHOWN in shown or r"\x1b" in shown
    assert EVIL not in repr(report)
    # Data stay data.
    assert json.loads(report.to_json())["report"]["data"]["classes"][0] == EVIL
    assert AuditReport.from_json(report.to_json()).to_dict() == report.to_dict()


def test_r15_a_report_holds_no_control_character_of_its_own(report):
    texts = [str(report), report.to_html(), *map(str, report.findings)]
    for text in texts:
        assert visible(text).replace(r"\n", "\n") == text


# F14: what the terminal cannot show, and readers that leave


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_f14_text_that_a_stream_cannot_encode_is_escaped(encoding):
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    say("naïve ≥ 50K \udcff", stream)
    expected = "naïve ≥ 50K \udcff\n".encode(encoding, "backslashreplace")
    assert stream.buffer.getvalue() == expected


def left_pipe():
    read, write = os.pipe()
    os.close(read)
    return write


@posix
def test_f14_text_for_a_reader_that_has_left_is_dropped(monkeypatch):
    with open(left_pipe(), "w", encoding="utf-8") as stream:
        monkeypatch.setattr(sys, "stdout", stream)
        write_whole("-", "text")
        say("more")
        assert os.path.samestat(os.fstat(stream.fileno()), os.stat(os.devnull))


def test_a_page_without_jinja2_tells_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(ImportError) as raised:
        _writing.check_jinja2()
    assert str(raised.value) == (
        "The HTML page needs jinja2. Install it with: pip install 'sklearn-mia[report]'"
    )


@posix
@pytest.mark.slow
def test_f14_a_reader_that_leaves_is_no_error(command, monkeypatch, capsys):
    write = left_pipe()
    done = subprocess.run(
        command(whole=False), stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")
    for options in (["--json=-"], ["--records=-"], []):
        with open(left_pipe(), "w", encoding="ascii") as stream:
            monkeypatch.setattr(sys, "stdout", stream)
            assert command(*options) == 0


@posix
def test_f14_a_full_stream_is_an_error_that_loses_no_file(
    command, tmp_path, monkeypatch, capsys
):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    # What could not be written is still in the stream when it is closed.
    with suppress(OSError), open("/dev/full", "w", encoding="utf-8") as full:
        monkeypatch.setattr(sys, "stdout", full)
        status = command(f"--json={tmp_path / 'r.json'}")
    assert status == 2
    assert capsys.readouterr().err == (
        "error: /dev/full could not be written: No space left on device.\n"
    )
    AuditReport.from_json(tmp_path / "r.json")


@posix
@pytest.mark.slow
def test_f14_a_full_stdout_is_an_error_that_loses_no_file(command, tmp_path):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            command(f"--json={tmp_path / 'r.json'}", whole=False),
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
        )
    assert done.returncode == 2
    assert (
        done.stderr == b"error: stdout could not be written: No space left on device.\n"
    )
    assert AuditReport.from_json(tmp_path / "r.json")
