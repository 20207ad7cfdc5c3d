"""The command ``audit-recipe``: one table, and how the model of a file was trained."""

import json

import joblib
import numpy as np
import pytest
from helpers import in_turn
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import RecipeReport, audit_recipe
from sklearn_mia.__main__ import main
from sklearn_mia.datasets import load_german_credit

pd = pytest.importorskip("pandas")

FEATURES = ["purpose", "age", "credit_amount", "housing"]
COST = {"n_targets": 2, "n_shadows": 2}
FEW = [f"--{name.replace('_', '-')}={n}" for name, n in COST.items()]


@pytest.fixture(scope="module")
def credit():
    frame = load_german_credit(as_frame=True).frame[[*FEATURES, "credit_risk"]][:400]
    frame = frame.astype(dict.fromkeys(("purpose", "housing", "credit_risk"), str))
    return frame.assign(person=[f"p{i // 4}" for i in range(400)])


def pipeline(classifier, **encoding):
    return make_pipeline(
        make_column_transformer(
            (OneHotEncoder(**encoding), ["purpose", "housing"]),
            remainder=StandardScaler(),
        ),
        classifier,
    )


@pytest.fixture(scope="module")
def model(credit):
    tree = DecisionTreeClassifier(min_samples_leaf=5, random_state=0)
    recipe = pipeline(tree, handle_unknown="ignore")
    return recipe.fit(credit[FEATURES], credit["credit_risk"])


@pytest.fixture
def folder(credit, model, tmp_path):
    """A model file, and a table of records of its kind."""
    joblib.dump(model, tmp_path / "model.joblib")
    credit.to_csv(tmp_path / "table.csv", index=False)
    return tmp_path


def run(folder, *options, model="model.joblib", table="table.csv"):
    files = [str(folder / name) for name in (model, table)]
    return main(
        ["audit-recipe", *files, "--label=credit_risk", "--trust-pickle", *options]
    )


def without_files(report):
    changed = {"created": None, "provenance": None}
    return report.to_dict() | changed


@in_turn(("kind", "grouped"), ["csv", "parquet"], [False, True])
def test_the_report_is_that_of_audit_recipe(
    folder, credit, model, kind, grouped, capsys
):
    pytest.importorskip("jinja2")
    if kind == "parquet":
        pytest.importorskip("pyarrow")
        credit.to_parquet(folder / "table.parquet")
    columns = ["--group=person", "--group-name=client"] if grouped else ["--id=person"]
    status = run(
        folder,
        *FEW,
        *columns,
        "--seed=3",
        "--fpr=5%",
        "--confidence=0.9",
        f"--json={folder / 'report.json'}",
        f"-o{folder / 'report.html'}",
        table=f"table.{kind}",
    )
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    report = RecipeReport.from_json(folder / "report.json")
    expected = audit_recipe(
        clone(model),
        credit[FEATURES],
        credit["credit_risk"],
        **COST,
        fprs=[0.05],
        confidence=0.9,
        groups=credit["person"] if grouped else None,
        group_name="client",
        random_state=3,
    )
    assert without_files(report) == without_files(expected)
    provenance = report.to_dict()["provenance"]
    files = provenance["files"]
    assert files["model"]["name"] == "model.joblib"
    assert files["table"]["name"] == f"table.{kind}"
    assert files["table"]["n_rows"] == len(credit)
    assert provenance["command"].startswith(
        f"python -m sklearn_mia audit-recipe model.joblib table.{kind} --label"
    )
    assert out == f"{report}\n"
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert page == report.to_html()
    assert f"<code>table: table.{kind}, {len(credit)} rows, " in page
    assert ("clients in the data" in page) == grouped


@pytest.mark.parametrize(
    ("options", "params"),
    [
        (
            ["--canaries=60", "--epsilon=0.5", "--delta=1e-6", "--adjacency=replace"],
            {"canaries": 60, "epsilon": 0.5, "delta": 1e-6, "adjacency": "replace"},
        ),
        (["--vary=seed", "--n-targets=2"], {"vary": "seed", "n_targets": 2}),
    ],
    ids=["canaries", "seeds"],
)
def test_canaries_and_seeds_are_those_of_audit_recipe(
    folder, credit, model, options, params, capsys
):
    path = folder / "report.json"
    options = [*options, "--n-shadows=2", "--id=person", "--seed=3", f"--json={path}"]
    assert run(folder, *options) == 0
    out, _ = capsys.readouterr()
    report = RecipeReport.from_json(path)
    expected = audit_recipe(
        clone(model),
        credit[FEATURES],
        credit["credit_risk"],
        n_shadows=2,
        random_state=3,
        **params,
    )
    assert without_files(report) == without_files(expected)
    assert out == f"{report}\n"


def test_a_search_is_not_repeated_but_its_choice_is_taken(folder, credit, capsys):
    grid = {"logisticregression__C": [0.1, 10.0]}
    recipe = pipeline(LogisticRegression(max_iter=500), handle_unknown="ignore")
    search = GridSearchCV(recipe, grid, cv=2)
    search.fit(credit[FEATURES], credit["credit_risk"])
    joblib.dump(search, folder / "search.joblib")
    assert run(folder, *FEW, "--id=person", "--json=-", model="search.joblib") == 0
    out, err = capsys.readouterr()
    content = json.loads(out)
    assert content["name"] == "LogisticRegression"
    assert f"C={search.best_params_['logisticregression__C']}" in content["recipe"]
    assert "GridSearchCV" not in content["recipe"]
    # What is on stdout is alone there.
    assert err.startswith("Membership audit of the procedure LogisticRegression\n")


def test_a_model_of_numbers_alone_from_a_file_that_runs_no_code(folder, credit, capsys):
    skops = pytest.importorskip("skops.io")
    numbers = credit[["age", "credit_amount"]]
    tree = DecisionTreeClassifier(max_depth=3).fit(
        numbers.to_numpy(), credit["credit_risk"]
    )
    skops.dump(tree, folder / "tree.skops")
    dropped = [f"--drop={name}" for name in ("purpose", "housing", "person")]
    files = [str(folder / name) for name in ("tree.skops", "table.csv")]
    trusted = "--trust=sklearn.tree._tree.Tree"
    label = "--label=credit_risk"
    assert main(["audit-recipe", *files, label, trusted, *FEW, *dropped]) == 0
    out, _ = capsys.readouterr()
    assert "Procedure: DecisionTreeClassifier(max_depth=3)" in out


def test_how_cells_were_read_is_in_every_form(folder, credit, capsys):
    pytest.importorskip("jinja2")
    credit = credit.assign(code=[f"{i % 40:03d}" for i in range(400)])
    encoder = OneHotEncoder(handle_unknown="ignore")
    recipe = make_pipeline(
        make_column_transformer((encoder, ["code"]), ("passthrough", ["age"])),
        LogisticRegression(max_iter=500),
    ).fit(credit[["code", "age"]], credit["credit_risk"])
    joblib.dump(recipe, folder / "code.joblib")
    credit["code"] = [f" {code}" for code in credit["code"]]
    credit.to_csv(folder / "codes.csv", index=False)
    dropped = [f"--drop={n}" for n in ("purpose", "housing", "credit_amount", "person")]
    options = (*FEW, *dropped, f"-o{folder / 'page.html'}")
    assert run(folder, *options, model="code.joblib", table="codes.csv") == 0
    told = "column 'code': blanks around 400 cells were left out"
    out, _ = capsys.readouterr()
    assert told in " ".join(out.split())
    assert told.replace("'", "&#39;") in (folder / "page.html").read_text()


def the_error(capsys, status):
    """The one line on stderr; nothing on stdout."""
    out, err = capsys.readouterr()
    assert status == 2
    assert out == ""
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--label=risk"], "--label names the column 'risk', which {table} does not "),
        (["--group=nobody"], "--group names the column 'nobody', which {table} does "),
        (
            [],
            "{table} has columns that the model was not trained on: 'person' (leave",
        ),
        (
            ["--id=person", "--group-name=client"],
            "--group-name WORD needs --group COLUMN, the person of a record.",
        ),
        (
            ["--id=person", "--drop=housing"],
            "{table} lacks columns that the model was trained on: 'housing'",
        ),
        (
            ["--id=person", "--n-targets=1"],
            "--n-targets 1 is not a count; expected an integer >= 2.",
        ),
        (["--id=person", "--n-shadows=3"], "--n-shadows 3 is odd"),
        (
            ["--group=housing", "--drop=person"],
            "The column of --group has 3 groups",
        ),
        (
            ["--id=person", "--canaries=9"],
            "--canaries 9 is not a count; expected an integer >= ",
        ),
        (
            ["--id=person", "--epsilon=1"],
            "--epsilon 1.0 is of a claim that only canaries can contradict; pass "
            "--canaries 1000 with it.",
        ),
        (
            ["--id=person", "--canaries=60", "--n-targets=3"],
            "--n-targets is for several models, and --canaries are found in a single "
            "one. Leave one of both out.",
        ),
        (
            ["--id=person", "--canaries=60", "--vary=data"],
            "--vary is for several models, and --canaries are found in a single one.",
        ),
        (
            ["--group=person", "--canaries=60"],
            "--group is for many records of one person, and each of the --canaries is "
            "found by itself (--drop COLUMN leaves a column out). Leave one of both",
        ),
        (
            ["--id=person", "--canaries=60", "--fpr=0.1"],
            "--fpr is for the rates of several models, and --canaries has one bound.",
        ),
        (
            ["--id=person", "--canaries=60", "--epsilon=-0.5"],
            "--epsilon -0.5 is no epsilon; expected what is claimed of the procedure, ",
        ),
        (
            ["--id=person", "--canaries=60", "--delta=1.5"],
            "--delta 1.5 is not a number in [0, 1); rates are fractions, not percent: ",
        ),
        (
            ["--id=person", "--canaries=9999"],
            "Only 400 of 3333 different canaries of the kind 'flipped' could be made "
            "of the records of {table}. Pass a smaller --canaries.",
        ),
        (["--json={table}"], "--json '{table}' is the file of table, which it would"),
        (["--html=page.txt"], "--html page.txt does not end in .html or .htm"),
    ],
)
def test_what_cannot_be_used_is_told_by_option_file_and_column(
    folder, options, message, capsys
):
    table = folder / "table.csv"
    status = run(folder, *(option.format(table=table) for option in options))
    assert f"error: {message.format(table=table)}" in the_error(capsys, status)


def test_files_that_cannot_be_used_are_named(folder, credit, model, capsys):
    joblib.dump(
        LinearRegression().fit(credit[["age"]], credit["age"]), folder / "line.joblib"
    )
    joblib.dump(clone(model), folder / "new.joblib")
    (folder / "rows.csv").write_text("age,credit_risk\n1,good,3\n")
    (folder / "empty.csv").write_text(",".join(credit.columns) + "\n")
    for names, message in (
        ({"model": "line.joblib"}, f"400 of 400 records of {folder / 'table.csv'} "),
        ({"model": "new.joblib"}, f"{folder / 'new.joblib'} holds a Pipeline that is "),
        ({"model": "none.joblib"}, f"There is no model file '{folder / 'none.joblib'}"),
        ({"table": "none.csv"}, f"There is no table '{folder / 'none.csv'}'."),
        ({"table": "rows.csv"}, f"The table '{folder / 'rows.csv'}' has 3 cells in li"),
        ({"table": "empty.csv"}, f"{folder / 'empty.csv'} has columns, but no records"),
    ):
        status = run(folder, "--id=person", **names)
        assert f"error: {message}" in the_error(capsys, status)


def test_values_that_the_model_cannot_know_are_counted_and_not_shown(
    folder, credit, capsys
):
    strict = pipeline(LogisticRegression(), handle_unknown="error")
    strict.fit(credit[FEATURES], credit["credit_risk"])
    joblib.dump(strict, folder / "strict.joblib")
    other = credit.assign(housing="SECRET")
    other.to_csv(folder / "other.csv", index=False)
    other.loc[8:, "housing"] = "A151"
    other.to_csv(folder / "few.csv", index=False)
    for name, message in (
        (
            "other.csv",
            f"400 of 400 records of {folder / 'other.csv'} have a value in column "
            "'housing' that the model's OneHotEncoder does not know. Likely they were",
        ),
        (
            "few.csv",
            f"8 of 400 records of {folder / 'few.csv'} have a value in column "
            "'housing' that the model's OneHotEncoder does not know and refuses.",
        ),
    ):
        status = run(folder, "--id=person", model="strict.joblib", table=name)
        error = the_error(capsys, status)
        assert error.startswith(f"error: {message}")
        assert "SECRET" not in error


def test_what_an_option_was_given_is_shown_also_where_a_record_has_it(
    folder, credit, capsys
):
    # Numbers of the table are hidden, and what somebody typed is none.
    values = np.resize([0.25, 0.05, 7.5], 400)
    credit.assign(credit_amount=values).to_csv(folder / "fractions.csv", index=False)
    for options in (["--delta=0.25"], ["--delta", "0.250"]):
        status = run(
            folder, "--id=person", "--canaries=60", *options, table="fractions.csv"
        )
        assert the_error(capsys, status) == (
            "error: --delta 0.25 is too large for 60 records: even scores that tell "
            "every coin would give no epsilon above 0; expected a delta below 1 - "
            "confidence, the error allowed, and more records.\n"
        )


def test_records_that_the_model_was_not_trained_on_may_have_values_of_their_own(
    folder, credit, capsys
):
    # A procedure is audited on any table of its kind.
    new = np.arange(400) % 4 == 0
    credit = credit.assign(housing=credit["housing"].mask(new, "boat"))
    credit.to_csv(folder / "new.csv", index=False)
    assert run(folder, *FEW, "--id=person", table="new.csv") == 0
    capsys.readouterr()
