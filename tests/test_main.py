import json
import pickle
import runpy
import subprocess
import sys
from argparse import Namespace

import joblib
import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

import sklearn_mia
from sklearn_mia.__main__ import fraction, limit, main
from sklearn_mia.auditing import AuditReport
from sklearn_mia.auditing._command import exit_code
from sklearn_mia.auditing._options import interrupted
from sklearn_mia.datasets import load_german_credit

pd = pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def credit():
    frame = load_german_credit(as_frame=True).frame
    return frame[["purpose", "age", "credit_amount", "housing", "credit_risk"]]


@pytest.fixture(scope="module")
def model(credit):
    X, y = credit.drop(columns="credit_risk"), credit["credit_risk"].astype(str)
    return make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), ["purpose", "housing"]),
            remainder=StandardScaler(),
        ),
        LogisticRegression(),
    ).fit(X[:200], y[:200])


@pytest.fixture
def folder(credit, model, tmp_path):
    """A model file, a table of members and one of non-members."""
    joblib.dump(model, tmp_path / "model.joblib")
    credit[:200].to_csv(tmp_path / "members.csv", index=False)
    credit[200:400].to_csv(tmp_path / "others.csv", index=False)
    return tmp_path


def run(folder, *options, model="model.joblib", members="members.csv", label=True):
    arguments = ["audit", *(str(folder / n) for n in (model, members, "others.csv"))]
    if label:
        arguments.append("--label=credit_risk")
    return main([*arguments, "--n-shadows=2", "--trust-pickle", *options])


def the_error(capsys, status, expected=2):
    """The one line on stderr; nothing on stdout."""
    out, err = capsys.readouterr()
    assert status == expected
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


def content_of(folder, *options, **names):
    assert run(folder, f"--json={folder / 'report.json'}", *options, **names) in (0, 3)
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


# The demo


def check_demo(status, out, err, page):
    assert status == 0, err
    assert "In plain words" in out
    assert page.stat().st_size < 1_000_000
    # Quiet when piped.
    assert "shadow models" not in err


def test_demo(small_examples, tmp_path, capsys):
    pytest.importorskip("jinja2")
    page = tmp_path / "demo.html"
    status = main(["demo", "--n-jobs=1", "-o", str(page)])
    out, err = capsys.readouterr()
    check_demo(status, out, err, page)
    for name in ("RandomForestClassifier", "LogisticRegression"):
        assert f"Membership audit of {name}" in out


def from_a_shell(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "sklearn_mia", *arguments],
        capture_output=True,
        text=True,
        check=False,
    )


def test_version_from_a_shell():
    done = from_a_shell("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"sklearn_mia {sklearn_mia.__version__}\n"


@pytest.mark.slow
def test_demo_from_a_shell(tmp_path):
    page = tmp_path / "demo.html"
    done = from_a_shell("demo", "--n-jobs=1", "-o", str(page))
    check_demo(done.returncode, done.stdout, done.stderr, page)


@pytest.mark.slow
def test_progress_is_a_line_a_stage_on_stderr(folder, capsys):
    assert run(folder, "--no-progress") == 0
    quiet = capsys.readouterr()
    assert quiet.err == ""
    assert run(folder, "--progress", f"-o={folder / 'r.html'}") == 0
    told = capsys.readouterr()
    assert told.out == quiet.out
    stages = [line[8:] for line in told.err.splitlines()]
    assert stages[:3] == [
        "reading and checking",
        "ThresholdAttack",
        "RMIA: 2 shadow models",
    ]
    assert stages[-2:] == ["writing the report", f"writing {folder / 'r.html'}"]


def test_who_stops_a_command_is_told_whether_it_can_go_on():
    for given, told in (
        ({}, "interrupted"),
        (
            {"memory": None},
            "interrupted; with --memory FOLDER the same command could go on later",
        ),
        (
            {"memory": "kept"},
            "interrupted; the same command goes on where it stopped",
        ),
    ):
        assert interrupted(Namespace(**given)) == told


@pytest.mark.slow
def test_what_is_done_is_kept_and_found(folder, capsys, monkeypatch):
    memory = f"--memory={folder / 'memory'}"

    def stop(*args, **params):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("sklearn_mia.auditing._build.collect_findings", stop)
        assert run(folder, memory, "--progress") == 130
        assert run(folder) == 130
    lines = capsys.readouterr().err.splitlines()
    assert lines[-2:] == [
        "interrupted; the same command goes on where it stopped",
        "interrupted; with --memory FOLDER the same command could go on later",
    ]
    kept = sorted((folder / "memory").rglob("output.pkl"))
    assert len(kept) > 4
    times = [path.stat().st_mtime_ns for path in kept]
    found = content_of(folder, memory)
    assert [path.stat().st_mtime_ns for path in kept] == times
    whole = content_of(folder)
    for content in (found, whole):
        # When and how it was made differ.
        del content["report"]["created"], content["report"]["provenance"]
    assert found == whole


def test_a_memory_that_is_a_file_is_refused(folder, capsys):
    status = run(folder, f"--memory={folder / 'model.joblib'}")
    err = the_error(capsys, status)
    assert err.endswith(
        "is a file; expected a folder, which is made if it is not there.\n"
    )
    assert err.startswith("error: --memory ")


def test_an_empty_folder_is_refused(folder, capsys, monkeypatch):
    monkeypatch.chdir(folder)
    with pytest.raises(SystemExit) as caught:
        run(folder, "--memory=")
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "error: argument --memory: '' is no folder; expected the path of one, . for "
        "the current one (see python -m sklearn_mia audit --help)\n"
    )
    assert not (folder / "joblib").exists()


def test_a_seed_is_one_that_scikit_learn_takes(folder, capsys):
    for seed in ("-1", "1.5", "4294967296"):
        with pytest.raises(SystemExit) as caught:
            run(folder, f"--seed={seed}")
        assert caught.value.code == 2
        assert capsys.readouterr().err == (
            f"error: argument --seed: '{seed}' is not an integer from 0 to 4294967295 "
            "(see python -m sklearn_mia audit --help)\n"
        )


# Output


def test_report_on_stdout_and_nothing_else(folder, capsys):
    assert run(folder) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("Membership audit of LogisticRegression")


def test_files_are_written_and_agree(folder):
    names = [folder / n for n in ("r.html", "r.json", "r.csv", "r.parquet")]
    run(folder, f"-o={names[0]}", f"--json={names[1]}", f"--records={names[2]}")
    assert AuditReport.from_json(names[1])._records is None
    run(folder, f"--json={names[1]}", "--name-records", f"--records={names[3]}")
    report = AuditReport.from_json(names[1])
    table = pd.read_csv(names[2])
    assert table["risk_rank"].tolist() == report.records["risk_rank"].tolist()
    assert len(pd.read_parquet(names[3])) == 400
    assert report.verdict["title"] in names[0].read_text(encoding="utf-8")


def test_no_records(folder):
    content = content_of(folder, "--no-records")
    assert content["records"] is None


def test_ids_are_carried(folder, credit):
    for name, rows in (("members.csv", slice(0, 200)), ("others.csv", slice(200, 400))):
        table = credit[rows].assign(person=[f"p{i:03d}" for i in range(1000)[rows]])
        table.to_csv(folder / name, index=False)
    content = content_of(folder, "--id=person", "--name-records")
    assert "MIA009" not in [f["code"] for f in content["report"]["findings"]]
    assert content["records"]["id"][:2] == ["p000", "p001"]


def test_row_numbers_that_tell_members_are_found(folder, credit):
    credit[:200].to_csv(folder / "members.csv")
    credit[200:400].to_csv(folder / "others.csv")
    content = content_of(folder, "--id=Unnamed: 0", "--name-records")
    order = next(f for f in content["report"]["findings"] if f["code"] == "MIA009")
    assert "record order" in order["message"]
    assert content["records"]["id"][:3] == ["0", "1", "2"]


def test_a_failed_audit_leaves_no_file(folder, capsys):
    page = folder / "r.html"
    page.write_text("old")
    status = run(folder, f"-o={page}", "--slice=income")
    assert "income" in the_error(capsys, status)
    assert page.read_text() == "old"


def test_a_folder_that_does_not_exist_is_told_at_once(folder, capsys):
    status = run(folder, f"-o={folder / 'nowhere' / 'r.html'}")
    assert "does not exist" in the_error(capsys, status)


# Exit codes


@pytest.mark.parametrize(
    ("level", "limits", "slices", "gated", "ungated"),
    [
        ("above_limits", ["exceeded", "kept"], [], 3, 0),
        ("within_limits", ["kept"], ["kept", "cannot_tell"], 0, 0),
        ("nothing_found", ["kept"], [], 0, 0),
        ("nothing_found", ["kept", "unresolvable"], [], 4, 0),
        ("nothing_found", ["undecided"], [], 4, 0),
        ("nothing_found", ["kept"], ["undecided"], 4, 0),
        ("above_limits", ["kept"], ["exceeded"], 3, 0),
        ("above_limits", ["exceeded", "unresolvable"], [], 3, 0),
        ("at_limits", [], [], 4, 0),
        ("not_interpretable", ["exceeded"], [], 4, 4),
    ],
)
def test_exit_codes(level, limits, slices, gated, ungated):
    content = {
        "access": "interface",
        "tested": True,
        "verdict": {"level": level},
        "limits": [{"outcome": outcome} for outcome in limits],
        "slices": [{"outcome": outcome} for outcome in slices],
        "findings": [],
    }
    assert exit_code(AuditReport(content)) == gated
    assert exit_code(AuditReport(content), gated=False) == ungated


def test_predictions_can_fail_a_model_and_not_clear_it():
    finding = {"code": "MIA017", "severity": "warning", "title": "", "message": ""}
    for outcome, status in (("kept", 4), ("exceeded", 3)):
        content = {
            "access": "interface",
            "tested": True,
            "verdict": {"level": "within_limits"},
            "limits": [{"outcome": outcome}],
            "slices": [],
            "findings": [finding | {"advice": "", "numbers": {}}],
        }
        assert exit_code(AuditReport(content)) == status


def test_fail_above(folder, credit):
    X, y = credit.drop(columns="credit_risk"), credit["credit_risk"].astype(str)
    forest = make_pipeline(
        make_column_transformer(
            (OneHotEncoder(handle_unknown="ignore"), ["purpose", "housing"]),
            remainder="passthrough",
        ),
        RandomForestClassifier(10, random_state=0),
    ).fit(X[:200], y[:200])
    joblib.dump(forest, folder / "forest.joblib")
    assert run(folder, "--fail-above=auc=0.7", model="forest.joblib") == 3
    assert run(folder, "--fail-above=tpr=0.5@fpr=0.001") == 4
    assert run(folder, "--fail-above=auc=0.999") == 0
    # Groups of records have the limit of a rate if one is set for them.
    rate = "--fail-slice-above=tpr=0.03@fpr=0.1"
    assert run(folder, "--fail-above=auc=0.999", rate, model="forest.joblib") == 3


@pytest.mark.parametrize(
    ("text", "value"), [("0.1", 0.1), ("0.1%", 0.001), ("5 %", 0.05)]
)
def test_rates_are_fractions_or_carry_their_sign(text, value):
    assert fraction(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["5", "0", "1", "x", "-0.1", "nan", "100%"])
def test_what_is_no_rate(folder, text, capsys):
    with pytest.raises(SystemExit, match="2"):
        run(folder, f"--fpr={text}")
    assert "fraction between 0 and 1" in capsys.readouterr().err


def test_limits_are_read():
    assert limit("tpr=0.05@fpr=0.01") == ("tpr@fpr=0.01", 0.05)
    assert limit("tpr=5%@fpr=1%") == ("tpr@fpr=0.01", 0.05)
    assert limit("auc=0.6") == ("auc", 0.6)


@pytest.mark.parametrize("text", ["auc=60", "tpr=0.05", "0.6", "tpr=0.05@fpr=1"])
def test_what_is_no_limit(folder, text):
    with pytest.raises(SystemExit, match="2"):
        run(folder, f"--fail-above={text}")


# Columns


def test_columns_are_matched_by_name(folder, credit):
    expected = content_of(folder)
    reversed_ = credit[:200][credit.columns[::-1]]
    reversed_.to_csv(folder / "members.csv", index=False)
    content = content_of(folder)
    found, expected = content["report"], expected["report"]
    assert "MIA015" in [f["code"] for f in found["findings"]]
    assert found["attacks"] == expected["attacks"]


def test_columns_too_many_and_too_few(folder, credit, capsys):
    credit[:200].to_csv(folder / "members.csv")
    assert "'Unnamed: 0'" in (message := the_error(capsys, run(folder)))
    assert "--drop" in message
    assert "--id" in message
    credit[200:400].to_csv(folder / "others.csv")
    assert run(folder, "--drop=Unnamed: 0") == 0
    assert run(folder, "--id=Unnamed: 0") == 0
    capsys.readouterr()
    credit[:200].drop(columns="age").to_csv(folder / "members.csv", index=False)
    name = folder / "members.csv"
    lacks = f"error: {name} lacks columns that the model was trained on: 'age'"
    told = the_error(capsys, run(folder))
    assert told == f"{lacks} (put them into the table as in training).\n"
    credit[:200].to_csv(name, index=False)
    told = the_error(capsys, run(folder, "--drop=age"))
    assert told == f"{lacks} (leave away --drop age).\n"
    credit[:200].drop(columns="housing").to_csv(name, index=False)
    told = the_error(capsys, run(folder, "--drop=age"))
    assert told == (
        f"{lacks}, 'housing' (leave away --drop age, put the others into the "
        "table as in training).\n"
    )


def test_label_column_that_does_not_exist(folder, capsys):
    status = run(folder, "--label=income", label=False)
    assert "'income'" in the_error(capsys, status)


def test_model_without_names(folder, credit, capsys):
    numbers = credit[["age", "credit_amount"]].to_numpy()
    model = KNeighborsClassifier().fit(numbers[:200], credit["credit_risk"][:200])
    joblib.dump(model, folder / "array.joblib")
    for name, rows in (("members.csv", slice(0, 200)), ("others.csv", slice(200, 400))):
        table = credit[["age", "credit_amount", "credit_risk"]][rows]
        table.to_csv(folder / name, index=False)
    content = content_of(folder, model="array.joblib")
    note = next(f for f in content["report"]["findings"] if f["code"] == "MIA015")
    assert "not their order" in note["message"]
    capsys.readouterr()
    credit[:200].to_csv(folder / "members.csv", index=False)
    assert "trained on 2" in the_error(capsys, run(folder, model="array.joblib"))


# Values


def test_words_for_missing_values_are_values(tmp_path, capsys):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "code": rng.choice(["01234", "99999", "00001"], 300),
            "kind": rng.choice(["None", "NA", "b"], 300),
            "size": rng.normal(size=300),
            "region": rng.choice(["NA", "EU"], 300),
        }
    )
    model = make_pipeline(
        make_column_transformer(
            (OneHotEncoder(), ["code", "kind"]), remainder="passthrough"
        ),
        LogisticRegression(),
    ).fit(frame[:150].drop(columns="region"), frame["region"][:150])
    joblib.dump(model, tmp_path / "model.joblib")
    frame[:150].to_csv(tmp_path / "members.csv", index=False)
    frame[150:].to_csv(tmp_path / "others.csv", index=False)
    arguments = [
        "audit",
        *(str(tmp_path / n) for n in ("model.joblib", "members.csv", "others.csv")),
        "--label=region",
        "--trust-pickle",
        "--n-shadows=2",
    ]
    assert main([*arguments, f"--json={tmp_path / 'r.json'}"]) == 0
    content = json.loads((tmp_path / "r.json").read_text(encoding="utf-8"))["report"]
    assert content["data"]["classes"] == ["EU", "NA"]
    assert content["data"]["n_members"] == 150
    capsys.readouterr()
    status = main([*arguments, "--na-values=NA"])
    assert "no label" in the_error(capsys, status)


def test_missing_labels_are_counted(folder, credit, capsys):
    table = credit[:200].astype({"credit_risk": object})
    table.loc[:6, "credit_risk"] = None
    table.to_csv(folder / "members.csv", index=False)
    message = the_error(capsys, run(folder))
    assert "7 of 200" in message


def test_numeric_labels_and_gaps(tmp_path):
    from sklearn.ensemble import HistGradientBoostingClassifier

    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(300, 2)), columns=["a", "b"])
    frame.loc[::7, "a"] = np.nan
    frame["y"] = rng.integers(1, 3, 300)
    model = HistGradientBoostingClassifier(max_iter=5).fit(
        frame[["a", "b"]][:150], frame["y"][:150]
    )
    joblib.dump(model, tmp_path / "model.pkl")
    frame[:150].to_csv(tmp_path / "members.csv", index=False, na_rep="NA")
    frame[150:].to_parquet(tmp_path / "others.parquet")
    status = main(
        [
            "audit",
            *(str(tmp_path / n) for n in ("model.pkl", "members.csv")),
            str(tmp_path / "others.parquet"),
            "--label=y",
            "--trust-pickle",
            "--n-shadows=2",
        ]
    )
    assert status == 0


# Models


def test_pickle_needs_to_be_trusted(folder, capsys):
    for name in ("model.joblib", "model.pkl"):
        (folder / name).write_bytes((folder / "model.joblib").read_bytes())
        paths = [str(folder / n) for n in (name, "members.csv", "others.csv")]
        status = main(["audit", *paths, "--label=credit_risk"])
        message = the_error(capsys, status)
        assert "--trust-pickle" in message
        assert "any code" in message


def test_file_that_holds_something_else(folder, model, capsys):
    joblib.dump({"model": model}, folder / "dict.joblib")
    message = the_error(capsys, run(folder, model="dict.joblib"))
    assert "dict with the keys ['model']" in message
    (folder / "empty.pkl").touch()
    assert "empty" in the_error(capsys, run(folder, model="empty.pkl"))
    (folder / "text.pkl").write_text("hello")
    assert "as a pickle" in the_error(capsys, run(folder, model="text.pkl"))
    assert "no model file" in the_error(capsys, run(folder, model="nowhere.pkl"))
    (folder / "model.onnx").write_text("x")
    assert "'.onnx'" in the_error(capsys, run(folder, model="model.onnx"))


def test_function_of_a_script_that_is_gone(folder, capsys, monkeypatch):
    script = folder / "train.py"
    script.write_text(
        "import pickle, sys\n"
        "import numpy as np\n"
        "from sklearn.linear_model import LogisticRegression\n"
        "from sklearn.pipeline import make_pipeline\n"
        "from sklearn.preprocessing import FunctionTransformer\n"
        "def double(X):\n    return 2 * X\n"
        "model = make_pipeline(FunctionTransformer(double), LogisticRegression())\n"
        "model.fit(np.eye(2), [0, 1])\n"
        "with open(sys.argv[1], 'wb') as file:\n    pickle.dump(model, file)\n"
    )
    monkeypatch.setattr(sys, "argv", [str(script), str(folder / "gone.pkl")])
    runpy.run_path(str(script), run_name="__main__")
    assert "double" in the_error(capsys, run(folder, model="gone.pkl"))


def test_model_of_another_version(folder, model, monkeypatch):
    import sklearn.base

    with monkeypatch.context() as patch:
        patch.setattr(sklearn.base, "__version__", "1.2.0")
        saved = pickle.dumps(model)
    (folder / "old.pkl").write_bytes(saved)
    findings = content_of(folder, model="old.pkl")["report"]["findings"]
    old = next(f for f in findings if f["code"] == "MIA014")
    assert old["numbers"]["fitted_with"] == "1.2.0"


def test_skops(folder, model, capsys):
    skops = pytest.importorskip("skops.io")
    skops.dump(model, folder / "model.skops")
    files = [str(folder / n) for n in ("model.skops", "members.csv", "others.csv")]
    options = ["--label=credit_risk", "--n-shadows=2"]
    assert main(["audit", *files, *options]) == 0
    alike = capsys.readouterr().out
    assert run(folder) == 0
    assert alike == capsys.readouterr().out.replace("model.joblib", "model.skops")


def test_unfitted_model(folder, model, capsys):
    from sklearn.base import clone

    joblib.dump(clone(model), folder / "unfitted.joblib")
    assert "not fitted" in the_error(capsys, run(folder, model="unfitted.joblib"))


def test_debug_shows_the_traceback(folder, capsys):
    assert run(folder, "--debug", model="nowhere.pkl") == 2
    assert "Traceback" in capsys.readouterr().err


def test_an_error_nobody_foresaw_is_one_line(folder, capsys, monkeypatch):
    def fail(*args, **kwargs):
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr("sklearn_mia.auditing._command.audit_case", fail)
    assert "first line second line" in the_error(capsys, run(folder), expected=1)


# Predictions


@pytest.fixture
def predictions(credit, model, tmp_path):
    X = credit.drop(columns="credit_risk")[:400]
    frame = pd.DataFrame(
        model.predict_proba(X), columns=[f"proba_{c}" for c in model.classes_]
    )
    frame["risk"] = credit["credit_risk"][:400].astype(str)
    frame["member"] = (np.arange(400) < 200).astype(int)
    path = tmp_path / "predictions.csv"
    frame.sample(frac=1, random_state=0).to_csv(path, index=False)
    return path


def test_audit_of_predictions(predictions, capsys):
    status = main(
        ["audit", f"--predictions={predictions}", "--label=risk", "--member=member"]
    )
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    assert "200 members and 200 non-members" in out
    assert "MIA017" in out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--label=risk"], "--member"),
        (["--label=risk", "--member=inside"], "'inside'"),
        (["--label=risk", "--member=risk"], "1 or true"),
        (["--label=risk", "--member=member", "--proba-prefix=p_"], "0 columns"),
        (["--label=risk", "--member=member", "model.pkl"], "either"),
    ],
)
def test_wrong_predictions(predictions, capsys, options, message):
    status = main(["audit", f"--predictions={predictions}", *options])
    assert message in the_error(capsys, status)
