"""A report that may be passed on: nobody is named, and its origin is told."""

import hashlib
import json

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from sklearn_mia import AuditReport, audit, audit_predictions
from sklearn_mia.__main__ import main
from sklearn_mia.auditing._provenance import command_told, file_facts

pd = pytest.importorskip("pandas")
joblib = pytest.importorskip("joblib")

N = 120
MARK = "ZZ-person-"
KEY = "QQ-patient-"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of an audit in which findings about ids, order and twins come up."""
    place = tmp_path_factory.mktemp("files")
    X, y = make_classification(2 * N, 6, n_informative=4, flip_y=0.3, random_state=0)
    X = X.round(2)
    X[N] = X[0]
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(6)])
    model = RandomForestClassifier(8, random_state=0).fit(frame[:N], y[:N])
    joblib.dump(model, place / "model.joblib")
    frame = frame.assign(
        label=y,
        person=[f"{MARK}{i:04d}" for i in range(2 * N)],
        patient=[f"{KEY}{i // 2:03d}" for i in range(2 * N)],
    )
    # Some stand on both sides.
    frame.loc[N + 1, "person"] = f"{MARK}0001"
    frame.loc[N + 2, "patient"] = f"{KEY}001"
    frame[:N].to_csv(place / "members.csv", index=False)
    frame[N:].to_csv(place / "others.csv", index=False)
    asked = model.predict_proba(frame[[f"x{i}" for i in range(6)]])
    frame.assign(proba_0=asked[:, 0], proba_1=asked[:, 1], member=np.arange(2 * N) < N)[
        ["proba_0", "proba_1", "member", "label", "person", "patient"]
    ].to_csv(place / "answers.csv", index=False)
    return place


def arguments(folder, way, *options):
    files = [str(folder / n) for n in ("model.joblib", "members.csv", "others.csv")]
    given = [*files, "--trust-pickle", "--n-shadows=2"]
    ids = ["--id=person", "--drop=patient"]
    if way == "groups":
        ids = ["--id=person", "--group=patient", "--group-name=patient"]
    if way == "predictions":
        given = [f"--predictions={folder / 'answers.csv'}", "--member=member"]
        ids = ["--id=person", "--group=patient"]
    return ["audit", *given, "--label=label", *ids, *options]


@pytest.mark.parametrize("way", ["records", "groups", "predictions"])
def test_no_output_names_anybody_unless_asked_to(folder, way, tmp_path, capsys):
    pytest.importorskip("jinja2")
    page, json_file = tmp_path / "r.html", tmp_path / "r.json"
    outputs = [f"-o={page}", f"--json={json_file}", "--progress"]
    assert main(arguments(folder, way, *outputs)) in (0, 4)
    out, err = capsys.readouterr()
    told = {"page": page.read_text(), "json": json_file.read_text()}
    told |= {"stdout": out, "stderr": err}
    for name, text in told.items():
        assert MARK not in text, name
        assert KEY not in text, name
    assert "do not release" not in told["page"] + told["json"]


@pytest.mark.parametrize(
    "way", ["groups", pytest.param("records", marks=pytest.mark.slow)]
)
def test_those_who_are_named_stand_under_a_banner(folder, way, tmp_path, capsys):
    pytest.importorskip("jinja2")
    page, json_file = tmp_path / "r.html", tmp_path / "r.json"
    outputs = [f"-o={page}", f"--json={json_file}"]
    assert main(arguments(folder, way, *outputs, "--name-records")) in (0, 4)
    named = MARK if way == "records" else KEY
    assert named in page.read_text()
    assert '<p class="banner" role="alert">' in page.read_text()
    content = json.loads(json_file.read_text())
    assert content["warning"] == "names members: do not release"
    assert named in json.dumps(content["records"])
    assert named not in json.dumps(content["report"]) + "".join(capsys.readouterr())


@pytest.mark.parametrize(
    ("break_it", "option"),
    [
        (lambda t: t.assign(x0="red"), "--id=person"),
        (lambda t: t.assign(person=None), "--id=person"),
        (lambda t: t.assign(label=t["person"]), "--id=person"),
        (lambda t: t.assign(x1=t["person"]), "--id=person"),
        (lambda t: pd.concat([t, t]), "--id=patient"),
    ],
)
def test_no_error_names_anybody(folder, tmp_path, capsys, break_it, option):
    whole = pd.read_csv(folder / "members.csv")
    break_it(whole).to_csv(tmp_path / "members.csv", index=False)
    given = arguments(folder, "records")
    given[2] = str(tmp_path / "members.csv")
    main([*given[: given.index("--id=person")], option, "--drop=patient"])
    told = "".join(capsys.readouterr())
    assert told
    assert MARK not in told
    assert KEY not in told


def test_files_with_names_are_for_their_owner_alone(folder, tmp_path):
    pytest.importorskip("jinja2")
    paths = [tmp_path / "r.html", tmp_path / "r.json"]
    outputs = [f"-o={paths[0]}", f"--json={paths[1]}", "--name-records"]
    main(arguments(folder, "records", *outputs))
    assert {path.stat().st_mode & 0o077 for path in paths} == {0}


def test_naming_and_keeping_nothing_contradict_each_other(folder, capsys):
    status = main(arguments(folder, "records", "--name-records", "--no-records"))
    assert status == 2
    assert capsys.readouterr().err == (
        "error: --name-records and --no-records contradict each other.\n"
    )


def test_a_report_tells_files_command_and_notes(folder, tmp_path, capsys):
    pytest.importorskip("jinja2")
    page, json_file = tmp_path / "r.html", tmp_path / "r.json"
    notes = ["--note=project=heart failure", "--note", "request=17=b"]
    given = arguments(folder, "records", f"--json={json_file}", f"-o={page}", *notes)
    assert main(given) in (0, 4)
    told = AuditReport.from_json(json_file).to_dict()["report"]["provenance"]
    assert told["notes"] == {"project": "heart failure", "request": "17=b"}
    for role, name, n_rows in (
        ("model", "model.joblib", None),
        ("members", "members.csv", N),
        ("nonmembers", "others.csv", N),
    ):
        data = (folder / name).read_bytes()
        assert told["files"][role] == {
            "name": name,
            "n_rows": n_rows,
            "sha256": hashlib.sha256(data).hexdigest(),
            "n_bytes": len(data),
        }
    assert told["command"] == (
        "python -m sklearn_mia audit model.joblib members.csv others.csv "
        "--trust-pickle --n-shadows=2 --label=label --id=person --drop=patient "
        "--json=r.json -o=r.html '--note=project=heart failure' --note request=17=b"
    )
    text = page.read_text()
    assert hashlib.sha256((folder / "model.joblib").read_bytes()).hexdigest() in text
    assert "heart failure" in text
    assert str(folder) not in text + json_file.read_text()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--note=project"],
            "argument --note: 'project' is no note; expected KEY=VALUE, such as "
            "project=heart",
        ),
        (["--note=a=1", "--note=a=2"], "--note gives 'a' twice. Give each field one"),
    ],
)
def test_notes_that_are_none(folder, capsys, options, message):
    try:
        status = main(arguments(folder, "records", *options))
    except SystemExit as stop:
        status = stop.code
    assert status == 2
    assert message in capsys.readouterr().err


def test_facts_of_a_pipe_are_its_name(tmp_path):
    import os

    path = tmp_path / "pipe"
    os.mkfifo(path)
    assert file_facts(path, 3) == {
        "name": "pipe",
        "n_rows": 3,
        "sha256": None,
        "n_bytes": None,
    }


def test_a_command_has_of_paths_their_names_alone(tmp_path):
    paths = [tmp_path / "a b.csv"]
    given = [
        "audit",
        str(paths[0]),
        f"--json={paths[0]}",
        "--group-name=child/children",
    ]
    assert command_told(given, paths) == (
        "python -m sklearn_mia audit 'a b.csv' '--json=a b.csv' "
        "--group-name=child/children"
    )


@pytest.fixture(scope="module")
def report():
    X, y = make_classification(400, 8, n_informative=5, flip_y=0.3, random_state=0)
    model = RandomForestClassifier(10, random_state=0).fit(X[:200], y[:200])
    sides = X[:200], y[:200], X[200:], y[200:]
    return audit(model, *sides, n_shadows=2, n_permutations=99, random_state=0)


def test_every_attack_is_explained(report):
    for attack in report.attacks:
        assert attack["explanation"].endswith(".")
        assert attack["explanation"].split()[0] in " ".join(str(report).split())


def test_who_learns_labels_alone_is_measured(report):
    data = report.to_dict()["report"]["data"]
    told = report.to_dict()["report"]["labels_only"]
    gap = data["accuracy_members"] - data["accuracy_nonmembers"]
    assert told["estimate"] == pytest.approx((1 + gap) / 2, abs=1e-12)


def test_of_groups_those_who_learn_labels_see_all_records():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(200), 4)
    is_member = groups < 100
    right = rng.random(800) < np.where(is_member, 0.9, 0.6)
    proba = np.where(right, 0.9, 0.1)
    report = audit_predictions(
        np.column_stack([1 - proba, proba]),
        np.ones(800, dtype=int),
        is_member,
        classes=[0, 1],
        groups=groups,
        n_permutations=99,
    )
    n_right = np.add.reduceat(right, np.arange(0, 800, 4))
    expected = roc_auc_score(np.arange(200) < 100, n_right)
    told = report.to_dict()["report"]["labels_only"]
    assert told["estimate"] == pytest.approx(expected, abs=1e-12)
    assert expected > 0.8


def test_the_appendix_has_what_forms_ask_for(report):
    appendix = report.appendix
    assert list(appendix) == [
        "Object",
        "Risk examined",
        "Access assumed",
        "Knowledge assumed",
        "Attacks tried",
        "Data",
        "Result",
        "Limits",
        "Certainty",
        "Not tested",
        "Measures",
        "What this report holds",
        "To repeat it",
        "To be added",
    ]
    assert all(appendix.values())
    for attack in report.attacks:
        assert any(t.startswith(attack["name"]) for t in appendix["Attacks tried"])
    told = " ".join(appendix["Result"])
    for part in report.verdicts.values():
        assert part["title"] in told
    assert "attribute inference" in " ".join(appendix["Not tested"])
