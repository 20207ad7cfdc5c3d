"""Audits of regressors of which only the predictions are known."""

import json

import numpy as np
import pytest
from sklearn.datasets import make_friedman1
from sklearn.ensemble import RandomForestRegressor
from sklearn.metrics import r2_score

from sklearn_mia import ThresholdAttack, audit, audit_predictions
from sklearn_mia.__main__ import main

pd = pytest.importorskip("pandas")

N = 200
X, Y = make_friedman1(2 * N, n_features=6, noise=3.0, random_state=0)
IS_MEMBER = np.arange(2 * N) < N
MODEL = RandomForestRegressor(10, random_state=0).fit(X[:N], Y[:N])
PREDICTION = MODEL.predict(X)
FEW = {"n_permutations": 99, "random_state": 0}


def test_it_is_the_audit_of_the_model_by_its_errors():
    report = audit_predictions(PREDICTION, Y, IS_MEMBER, regression=True, **FEW)
    direct = audit(
        MODEL,
        *(X[:N], Y[:N], X[N:], Y[N:]),
        attacks={"absolute_error": ThresholdAttack()},
        slices=("value", "loss"),
        **FEW,
    )
    again = audit_predictions(
        PREDICTION, Y, IS_MEMBER, regression=True, slices=("value", "loss"), **FEW
    )
    own, of_model = (r.to_dict()["report"] for r in (again, direct))
    assert own["headline"] == of_model["headline"]
    aucs = [
        [g["auc"] and g["auc"]["estimate"] for g in r["slices"]]
        for r in (own, of_model)
    ]
    assert aucs[0] == aucs[1]
    assert len(aucs[0]) > 5
    assert {g["slice"] for g in report.slices} == {"value"}
    assert own["data"]["classes"] == []
    for side, rows in (("members", IS_MEMBER), ("nonmembers", ~IS_MEMBER)):
        expected = r2_score(Y[rows], PREDICTION[rows])
        assert own["data"][f"r2_{side}"] == pytest.approx(expected)
    assert [a["name"] for a in report.attacks] == ["absolute_error"]
    codes = {finding.code for finding in report.findings}
    assert "MIA017" in codes
    assert "MIA032" not in codes
    assert "class" not in " ".join(report.appendix["Data"])


def test_persons_have_their_visits_together():
    persons = np.arange(2 * N) // 4
    report = audit_predictions(
        PREDICTION,
        Y,
        IS_MEMBER,
        regression=True,
        groups=persons,
        group_name="person",
        **FEW,
    )
    data = report.to_dict()["report"]["data"]
    assert (data["n_members"], data["n_nonmembers"]) == (N // 4, N // 4)
    assert len(report.groups) == N // 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"proba": np.ones((4, 2))},
            r"shape \(4, 2\); of a regressor expected \(n_rec",
        ),
        (
            {"proba": ["a", "b", "c", "d"]},
            "proba has predictions of type str that are no numbers; expected a number "
            "for each record: pass what predict answered.$",
        ),
        (
            {"y": ["a", "b", "c", "d"]},
            "y has values to predict of type str that are no numbers; expected a "
            "number for each record: without regression=True labels are classes.$",
        ),
        (
            {"proba": [[1.0], [2.0], [3.0], [4.0, 5.0]]},
            "proba has predictions of type list that are no numbers",
        ),
        (
            {"proba": pd.to_datetime(pd.Series(["2024-05-31"] * 4))},
            r"proba has predictions of type datetime64\[\w+\] that are no numbers",
        ),
        ({"proba": [2.0] * 4}, "one prediction for all 4 records"),
        ({"y": [1.0, 2.0]}, "y has 2 values for 4"),
        ({"is_member": [1, 1, 1, 1]}, "4 members and 0 non-members"),
        ({"classes": [0, 1]}, "classes is given, but with regression=True"),
        ({"regression": "hours"}, "^regression='hours'; expected True or False.$"),
        ({"slices": ("class",)}, "slices holds 'class', but the model is a regressor"),
        ({"slices": ("age",)}, "only 'value' and 'loss'"),
    ],
)
def test_what_cannot_be_audited_is_told(change, message):
    given = {
        "proba": [1.0, 2.0, 3.0, 4.0],
        "y": [1.5, 2.5, 3.5, 4.5],
        "is_member": [1, 1, 0, 0],
        "regression": True,
    }
    with pytest.raises(ValueError, match=message):
        audit_predictions(**(given | change))


@pytest.mark.parametrize("gap", [np.nan, np.inf, None, pd.NA])
@pytest.mark.parametrize(
    ("name", "what"), [("proba", "predictions"), ("y", "values to predict")]
)
def test_what_is_missing_is_named(name, what, gap):
    given = {"proba": [1.0, 2.0, 4.0, 3.0], "y": [1.5, 2.5, 4.5, 3.5]}
    given[name] = pd.Series([*given[name][:3], gap], dtype=object)
    with pytest.raises(ValueError, match=f"{name} has 1 of 4") as caught:
        audit_predictions(is_member=[1, 1, 0, 0], regression=True, **given)
    assert str(caught.value) == (
        f"{name} has 1 of 4 {what} that are missing or infinite. Fill them in, or "
        "leave these records out."
    )
    given[name][3] = 1e38
    with pytest.raises(ValueError, match=f"{name} has 1 of 4") as caught:
        audit_predictions(is_member=[1, 1, 0, 0], regression=True, **given)
    assert str(caught.value) == (
        f"{name} has 1 of 4 {what} beyond 1e+37, too large to compute with. Leave "
        "these records out, or give predictions and values in another unit."
    )


def refusal(path, capsys):
    options = ["--label=hours", "--predicted=guess", "--member=member"]
    status = main(["audit", f"--predictions={path}", *options])
    out, err = capsys.readouterr()
    assert (status, out) == (2, "")
    return err


@pytest.mark.parametrize(
    ("column", "option", "what", "many"),
    [
        ("guess", "--predicted", "prediction", "predictions"),
        ("hours", "--label", "value to predict", "values to predict"),
    ],
)
def test_a_file_with_a_gap_is_told_by_its_column(
    path, column, option, what, many, capsys
):
    frame = pd.read_csv(path)
    frame.loc[7, column] = np.nan
    frame.to_csv(path, index=False)
    assert refusal(path, capsys) == (
        f"error: 1 of 400 records of {path} have no {what} in column {column!r} "
        f"({option}). Fill them in or leave the records out.\n"
    )
    frame[column] = frame[column].astype(object)
    frame.loc[7, column] = "none given"
    frame.to_csv(path, index=False)
    assert refusal(path, capsys) == (
        f"error: 1 of 400 records of {path} have no number in column {column!r} "
        f"({option}, the first is record 8), but the model is a regressor. Name the "
        f"column of the {what}, or write it with a decimal point.\n"
    )
    frame.loc[7, column] = np.inf
    frame[column] = frame[column].astype(float)
    typed = path.with_suffix(".parquet")
    frame.to_parquet(typed)
    assert refusal(typed, capsys) == (
        f"error: Column {column!r} ({option}) of {typed} has 1 of 400 {many} that are "
        "missing or infinite. Fill them in, or leave these records out.\n"
    )


def test_predictions_of_a_regressor_are_not_taken_for_probabilities():
    with pytest.raises(ValueError, match=r"Of a regressor pass .* regression=True"):
        audit_predictions(PREDICTION, Y, IS_MEMBER)


@pytest.fixture
def path(tmp_path):
    frame = pd.DataFrame({"hours": Y, "guess": PREDICTION, "member": IS_MEMBER})
    frame["region"] = np.where(X[:, 0] > 0.5, "north", "south")
    frame.to_csv(tmp_path / "answers.csv", index=False)
    return tmp_path / "answers.csv"


def test_from_a_file(path, tmp_path, capsys):
    options = ["--label=hours", "--predicted=guess", "--member=member"]
    written = tmp_path / "report.json"
    status = main(
        [
            *("audit", f"--predictions={path}", *options),
            *("--slice=region", "--slice=value", f"--json={written}"),
        ]
    )
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    assert "200 members and 200 non-members, value to predict 'hours'" in out
    found = json.loads(written.read_text())["report"]
    direct = audit_predictions(PREDICTION, Y, IS_MEMBER, regression=True)
    assert found["headline"]["auc"] == direct.to_dict()["report"]["headline"]["auc"]
    assert {"north", "south"} <= {g["value"] for g in found["slices"]}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--label=hours"], "Of a regressor pass --predicted COLUMN"),
        (["--label=hours", "--predicted=nowhere"], "--predicted names the column"),
        (["--label=region", "--predicted=guess"], "region"),
        (["--label=hours", "--predicted=region"], "region"),
        (["--label=hours", "--predicted=hours"], "--label name one column, 'hours'"),
        (["--label=hours", "--predicted=member"], "--member name one column, 'member'"),
        (
            ["--label=hours", "--predicted=guess", "--proba-prefix=p"],
            "Leave one of both out",
        ),
    ],
)
def test_wrong_options(path, capsys, options, message):
    status = main(["audit", f"--predictions={path}", "--member=member", *options])
    out, err = capsys.readouterr()
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err
