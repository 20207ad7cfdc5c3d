"""The ways to ask the command line: each option has an effect, or is refused."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia.__main__ import _parser, main
from sklearn_mia.auditing import _command
from sklearn_mia.auditing._answers_alone import predictions_report
from sklearn_mia.memory import memory_at_work
from sklearn_mia.progress import showing

pd = pytest.importorskip("pandas")

N = 40
FILES = {
    "model": ["audit", "m.skops", "in.csv", "out.csv", "--id=name", "--drop=person"],
    "predictions": ["audit", "--predictions=answers.csv", "--member=member"],
    "recipe": ["audit-recipe", "m.skops", "in.csv", "--id=name", "--drop=person"],
}
# What an option needs beside it, and the option; files are in the working folder.
EXAMPLES = {
    "adjacency": (["--canaries=60"], "--adjacency=replace"),
    "baseline": ([], "--baseline=old.json"),
    "canaries": ([], "--canaries=60"),
    "confidence": ([], "--confidence=0.9"),
    "debug": (["--label=nowhere"], "--debug"),
    "delta": (["--canaries=60"], "--delta=0.001"),
    "drop": ([], "--drop=kind"),
    "drop_shared": ([], "--drop-shared"),
    "effort": ([], "--effort=quick"),
    "epsilon": (["--canaries=60"], "--epsilon=1"),
    "fail_above": ([], "--fail-above=auc=0.7"),
    "fail_slice_above": ([], "--fail-slice-above=auc=0.7"),
    "features": ([], "--features=name"),
    "files": (["--features=name"], "--files=nowhere"),
    "fpr": ([], "--fpr=0.2"),
    "group": ([], "--group=person"),
    "group_name": (["--group=person"], "--group-name=patient"),
    "groups": (["--group=person"], "--groups=groups.csv"),
    "html": ([], "--html=page.html"),
    "id": ([], "--id=person"),
    "json": ([], "--json=report.json"),
    "json_records": (
        ["--json=report.json", "--name-records"],
        "--json-records=parquet",
    ),
    "label": ([], "--label=nowhere"),
    "max_size": ([], "--max-size=0.0000001"),
    "member": ([], "--member=kind"),
    "memory": ([], "--memory=memory"),
    "n_jobs": ([], "--n-jobs=2"),
    "n_shadows": ([], "--n-shadows=8"),
    "n_targets": ([], "--n-targets=3"),
    "na_values": ([], "--na-values=yes"),
    "name_records": (["--json=report.json"], "--name-records"),
    "no_records": ([], "--no-records"),
    "note": ([], "--note=project=heart"),
    "predicted": ([], "--predicted=size"),
    "predictions": ([], "--predictions=none.csv"),
    "prior": ([], "--prior=0.1"),
    "proba_prefix": ([], "--proba-prefix=p_"),
    "progress": ([], "--progress"),
    "records": ([], "--records=records.csv"),
    "release": ([], "--release=interface"),
    "response_method": ([], "--response-method=predict"),
    "seed": ([], "--seed=3"),
    "separator": ([], "--separator=;"),
    "slice": ([], "--slice=kind"),
    "timeout": (["--n-jobs=2"], "--timeout=9"),
    "trust": ([], "--trust=a.Type"),
    "trust_pickle": ([], "--trust-pickle"),
    "vary": ([], "--vary=seed"),
}
REFUSED = {
    "model": {"member", "predicted", "predictions", "proba_prefix"},
    "predictions": {
        *("drop", "drop_shared", "effort", "features", "files", "n_jobs", "n_shadows"),
        *("response_method", "timeout", "trust", "trust_pickle"),
    },
    "recipe": set(),
}


def options_of(mode):
    """Names of all options that the command of a way has."""
    (commands,) = (a for a in _parser()._actions if a.dest == "command")
    actions = commands.choices[FILES[mode][0]]._actions
    return {a.dest for a in actions if a.option_strings and a.dest != "help"}


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "kind": rng.choice([1, 2, 3], 2 * N),
            "size": rng.normal(size=2 * N).round(3),
            "name": [f"n{i}" for i in range(2 * N)],
            "person": [f"p{i // 2}" for i in range(2 * N)],
            "label": rng.choice(["yes", "no"], 2 * N),
        }
    )


@pytest.fixture(scope="module")
def model(table):
    tree = DecisionTreeClassifier(random_state=0)
    return tree.fit(table[["kind", "size"]][:N], table["label"][:N])


@pytest.fixture
def folder(table, model, tmp_path, monkeypatch):
    """The working folder, with all files."""
    monkeypatch.chdir(tmp_path)
    table[:N].to_csv("in.csv", index=False)
    table[N:].to_csv("out.csv", index=False)
    proba = model.predict_proba(table[["kind", "size"]])
    answers = table.assign(
        proba_no=proba[:, 0], proba_yes=proba[:, 1], member=np.arange(2 * N) < N
    )
    answers.to_csv("answers.csv", index=False)
    (tmp_path / "m.skops").write_bytes(bytes(1000))
    (tmp_path / "old.json").write_text("{}")
    return tmp_path


class Told:
    """A report that is none, and what was asked of it."""

    verdict, baseline = {"level": "nothing_found"}, None
    records = groups = pd.DataFrame({"id": [1]})

    def __init__(self, asked):
        self.asked = asked

    def to_html(self, path, **how):
        self.asked.append(("html", path, how))

    def to_json(self, path, **how):
        self.asked.append(("json", path, how))

    def to_dict(self):
        return {}


@pytest.fixture
def outcome(folder, model, monkeypatch, capsys):
    """What the command line asks of the work itself, and what it says and writes."""
    asked = []

    def note(name, result=None):
        def called(*given, **how):
            provenance = how.pop("provenance", None) or {}
            asked.append((name, *map(plain, given), plain(how)))
            asked.append(("notes", provenance.get("notes")))
            with showing(0) as shown:
                asked.append((str(memory_at_work()), shown is not None))
            return result

        return called

    def plain(value):
        if isinstance(value, dict):
            return {key: plain(v) for key, v in value.items()}
        if hasattr(value, "content_ids"):
            value = {k: plain(v) for k, v in vars(value).items()}
        return value.to_csv() if hasattr(value, "to_csv") else repr(value)

    def load(path, **how):
        asked.append((path, how))
        return model, None

    def report_in_full(case, log_proba, settings, **how):
        # What is handed on may still have no effect.
        object.__setattr__(settings, "n_permutations", 99)
        report = predictions_report(case, log_proba, settings, **how)
        content = report.to_dict(name_records=settings.per_record)
        content["report"] |= {"created": None, "provenance": None}
        asked.append(content)
        return note("predictions", told)(**how)

    told = Told(asked)
    monkeypatch.setattr(_command, "predictions_report", report_in_full)
    monkeypatch.setattr(_command, "load_model", load)
    for name, result in {
        "audit_case": told,
        "audit_recipe": told,
        "read_baseline": told,
        "check_baseline": None,
        "compare_with_baseline": told,
        "exit_code": 0,
    }.items():
        monkeypatch.setattr(_command, name, note(name, result))

    def recipe_report(content):
        asked.append(content["provenance"]["notes"])
        return told

    monkeypatch.setattr(_command, "RecipeReport", recipe_report)

    def run(mode, *options):
        asked.clear()
        before = set(folder.iterdir())
        status = main([*FILES[mode], "--label=label", *options])
        out, err = capsys.readouterr()
        written = sorted(path.name for path in set(folder.iterdir()) - before)
        for name in written:
            path = folder / name
            (shutil.rmtree if path.is_dir() else Path.unlink)(path)
        # Where it is printed tells nothing.
        lines = out.replace(str(told), "")
        return status, lines, err, written, repr(asked).replace(repr(told), "")

    return run


def test_every_option_has_an_example():
    known = set().union(*map(options_of, FILES))
    assert set(EXAMPLES) == known


@pytest.mark.parametrize("mode", FILES)
def test_no_option_is_ignored(mode, outcome):
    plain = {}
    for name in sorted(options_of(mode)):
        needs, option = EXAMPLES[name]
        shown = option.partition("=")[0]
        if name in REFUSED[mode]:
            status, _, err, _, asked = outcome(mode, option)
            assert (status, err.count("\n"), asked) == (2, 1, "[]"), name
            assert shown in err.split(" ")[:3] or name == "predictions", err
            continue
        key = " ".join(needs)
        if key not in plain:
            plain[key] = outcome(mode, *needs)
            assert plain[key][0] == (2 if "nowhere" in key else 0), plain[key]
        assert outcome(mode, *needs, option) != plain[key], name


@pytest.mark.parametrize("mode", FILES)
def test_the_same_command_has_the_same_outcome(mode, outcome):
    assert outcome(mode) == outcome(mode)


WHY = "and --predictions has its answers alone. Leave it out, or pass MODEL MEMBERS"


@pytest.mark.parametrize(
    ("mode", "options", "message"),
    [
        (
            "predictions",
            ["--drop-shared"],
            "--drop-shared compares the records that the model was trained on with "
            f"others, {WHY} NONMEMBERS.",
        ),
        # Also where it is given what is taken by itself.
        (
            "predictions",
            ["--response-method=auto"],
            f"--response-method tells how to ask the model, {WHY} NONMEMBERS.",
        ),
        (
            "predictions",
            ["--effort=standard"],
            f"--effort standard needs the file of the model, {WHY} NONMEMBERS.",
        ),
        (
            "predictions",
            ["--slice=rarity"],
            f"--slice rarity compares the records that the model takes, {WHY} "
            "NONMEMBERS.",
        ),
        (
            "predictions",
            ["--slice=income"],
            "--slice names the column 'income', which answers.csv does not have. It "
            "has 'kind', 'size', 'name', 'person', 'label', 'proba_no', 'proba_yes', "
            "'member'.",
        ),
        (
            "model",
            ["--member=m"],
            "--member is for --predictions FILE: of two tables, the first has the "
            "members. Leave it out, or pass predictions in place of the three files.",
        ),
        (
            "model",
            ["--slice=size"],
            "--slice size needs --group COLUMN: it tells groups apart by their number "
            "of records.",
        ),
        (
            "model",
            ["--name-records"],
            "--name-records is about the page and the JSON file, and neither is "
            "written: pass -o FILE or --json FILE, or leave it out.",
        ),
        (
            "recipe",
            ["--n-shadows=0"],
            "--n-shadows 0 is too few; expected 2 or more.",
        ),
    ],
)
def test_what_is_refused_says_why(
    mode, options, message, folder, capsys, monkeypatch, model
):
    monkeypatch.setattr(_command, "load_model", lambda path, **how: (model, None))
    assert main([*FILES[mode], "--label=label", *options]) == 2
    assert capsys.readouterr().err == f"error: {message}\n"


def test_a_separator_without_a_csv_is_refused(folder, table, capsys):
    pytest.importorskip("pyarrow")
    pd.read_csv("answers.csv").to_parquet("answers.parquet")
    files = ["audit", "--predictions=answers.parquet", "--member=member"]
    assert main([*files, "--label=label", "--separator=;"]) == 2
    assert capsys.readouterr().err == (
        "error: --separator tells how the cells of a .csv or .txt file are separated, "
        "and no table is one. Leave it out.\n"
    )


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_predictions_have_groups_of_records_by_their_columns(kind, folder, capsys):
    frame = pd.read_csv("answers.csv")
    frame["kind"] = frame["kind"].map({1: "x", 2: "y"})
    frame["age"] = np.arange(2 * N)
    frame.to_csv("answers.csv", index=False)
    if kind == "parquet":
        pytest.importorskip("pyarrow")
        frame.to_parquet("answers.parquet")
    files = ["audit", f"--predictions=answers.{kind}", "--member=member"]
    columns = ["--slice=kind", "--slice=age", "--slice=class", "--json=report.json"]
    assert main([*files, "--label=label", *columns, "--na-values=y"]) == 0
    rows = json.loads((folder / "report.json").read_text())["report"]["slices"]
    sizes = frame["kind"].fillna("").value_counts()
    found = {
        (row["slice"], row["value"]): row["n_members"] + row["n_nonmembers"]
        for row in rows
    }
    of_kind = {value: n for (name, value), n in found.items() if name == "kind"}
    if kind == "csv":
        assert of_kind == {"x": sizes["x"], "missing": sizes["y"] + sizes[""]}
    else:
        assert of_kind == {"x": sizes["x"], "y": sizes["y"], "missing": sizes[""]}
    assert found["age", "below 15.8"] == 16
    assert {name for name, _ in found} == {"class", "kind", "age"}
