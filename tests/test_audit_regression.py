"""Audits of regressors: what a report says where there are no classes."""

import json

import joblib
import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import make_friedman1
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV
from sklearn.tree import DecisionTreeRegressor

from sklearn_mia import (
    RMIA,
    AuditableClassifier,
    AuditReport,
    LabelOnlyAttack,
    ThresholdAttack,
    audit,
    audit_recipe,
    cross_validate_leakage,
    default_attacks,
    make_leakage_scorer,
)
from sklearn_mia.__main__ import main

N = 300
X, Y = make_friedman1(2 * N, n_features=6, noise=3.0, random_state=0)
NAMES = list("abcdef")
MODEL = RandomForestRegressor(10, random_state=0).fit(X[:N], Y[:N])
SIDES = X[:N], Y[:N], X[N:], Y[N:]
QUICK = {"n_shadows": 4, "n_permutations": 99, "random_state": 0}


@pytest.fixture(scope="module")
def report():
    return audit(MODEL, *SIDES, **QUICK)


def test_the_default_attacks_are_those_of_any_model():
    assert list(default_attacks(MODEL)) == [
        "ThresholdAttack",
        "RMIA",
        "LiRA",
        "LinearReconstructionAttack",
    ]
    assert "LinearReconstructionAttack" not in default_attacks(
        MODEL, release="interface"
    )


def test_a_leaking_regressor_is_found(report):
    assert report.verdict["level"] == "above_limits"
    assert {access: v["level"] for access, v in report.verdicts.items()} == {
        "file": "above_limits",
        "interface": "above_limits",
    }
    codes = {finding.code for finding in report.findings}
    assert not codes & {"MIA006", "MIA008", "MIA012", "MIA013", "MIA020", "MIA027"}


def test_the_fit_of_each_side_is_told_by_r2(report):
    data = report.to_dict()["report"]["data"]
    told = [r2_score(Y[s], MODEL.predict(X[s])) for s in (slice(N), slice(N, None))]
    assert_allclose([data["r2_members"], data["r2_nonmembers"]], told)
    assert data["accuracy_members"] is None
    assert data["classes"] == []
    assert (
        f"value to predict 'y'; the model has an R2 of {told[0]:.3f} on the members "
        f"and of {told[1]:.3f} on the non-members."
    ) in " ".join(str(report).split())


def test_no_word_of_classes_is_in_the_report(report, tmp_path):
    report.to_html(tmp_path / "report.html")
    texts = str(report), (tmp_path / "report.html").read_text()
    for text in texts:
        for word in (
            "class label",
            "labels alone",
            "CoarsenedClassifier",
            "is right on",
        ):
            assert word not in " ".join(text.split())


def test_records_hold_the_value(report):
    records = report.records
    assert "class" not in records
    assert_allclose(records["value"], Y)


def test_slices_are_fifths_of_the_value(report):
    rows = report.to_dict()["report"]["slices"]
    of_value = [row for row in rows if row["slice"] == "value"]
    assert len(of_value) == 5
    assert sum(row["n_members"] for row in of_value) == N
    edges = np.quantile(Y, [0.2, 0.8])
    assert of_value[0]["value"] == f"below {edges[0]:.4g}"
    assert of_value[-1]["value"] == f"{edges[1]:.4g} or more"


def test_slices_by_class_are_refused():
    with pytest.raises(ValueError, match="slices holds 'class', but the model is a re"):
        audit(MODEL, *SIDES, slices="class", **QUICK)


def test_a_report_of_a_regressor_is_read_again(report, tmp_path):
    report.to_json(tmp_path / "report.json")
    again = AuditReport.from_json(tmp_path / "report.json")
    assert str(again) == str(report)


def test_exchanged_sides_are_told_by_the_error():
    swapped = audit(MODEL, *SIDES[2:], *SIDES[:2], attacks=ThresholdAttack(), **QUICK)
    finding = next(f for f in swapped.findings if f.code == "MIA012")
    error = np.abs(Y - MODEL.predict(X))
    errors = error[:N].mean(), error[N:].mean()
    assert finding.message == (
        f"The model has a mean absolute error of {errors[0]:.3g} on the non-members "
        f"but of {errors[1]:.3g} on the members."
    )
    reversed_ranking = next(f for f in swapped.findings if f.code == "MIA021")
    assert "(it has an R2 of " in reversed_ranking.advice


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.column_stack([Y[:N], Y[:N]]), "y_train must have one dimension, got"),
        (np.full(N, "x"), "expected labels of one kind"),
        (np.full(N, np.nan), "300 of 300 records of y_train have a value to predict"),
    ],
)
def test_values_that_cannot_be_predicted_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        audit(MODEL, X[:N], values, X[N:], Y[N:], **QUICK)


def test_an_attack_for_classifiers_is_refused_before_anything_is_trained():
    with pytest.raises(TypeError, match="LabelOnlyAttack has no form for regressors"):
        audit(MODEL, *SIDES, attacks=LabelOnlyAttack(), **QUICK)


def test_shadow_models_of_another_size_are_told():
    model = Ridge().fit(X[:60], Y[:60])
    few = X[:60], Y[:60], X[60:], Y[60:]
    report = audit(model, *few, attacks=RMIA(), **QUICK)
    finding = next(f for f in report.findings if f.code == "MIA006")
    assert finding.message.startswith(
        "Shadow models are trained on 300 records where the target trained on 60:"
    )


def test_a_recipe_of_a_regressor_is_audited():
    recipe = audit_recipe(
        DecisionTreeRegressor(max_depth=8, random_state=0),
        X,
        Y,
        n_targets=2,
        n_shadows=2,
        attacks=ThresholdAttack(signal="loss"),
        random_state=0,
    )
    row = recipe.to_dict()["targets"][0]
    assert row["accuracy_members"] is None
    assert row["r2_members"] > row["r2_nonmembers"]


def test_leakage_of_regressors_is_cross_validated():
    tree = DecisionTreeRegressor(random_state=0)
    found = cross_validate_leakage(
        tree, X, Y, attack=ThresholdAttack(signal="loss"), cv=2, fprs=[0.1]
    )
    assert found["leakage_roc_auc"].min() > 0.9
    auto = cross_validate_leakage(tree, X, Y, cv=2, fprs=[0.1], random_state=0)
    assert set(auto["leakage_attack"]) == {"LiRA"}


def test_leakage_is_a_scorer_of_a_search_over_regressors():
    search = GridSearchCV(
        AuditableClassifier(DecisionTreeRegressor(random_state=0)),
        {"estimator__max_depth": [1, None]},
        scoring=make_leakage_scorer(ThresholdAttack(signal="loss"), metric="roc_auc"),
        cv=2,
    ).fit(X, Y)
    assert search.best_params_ == {"estimator__max_depth": 1}


def files(folder, model=MODEL):
    frame = pd.DataFrame(X, columns=NAMES).assign(target=Y, kind="a")
    paths = [folder / name for name in ("model.joblib", "in.csv", "out.csv")]
    joblib.dump(model, paths[0])
    frame[:N].to_csv(paths[1], index=False)
    frame[N:].to_csv(paths[2], index=False)
    return [*map(str, paths), "--trust-pickle", "--n-shadows=2"]


def test_the_command_line_audits_a_regressor(tmp_path, capsys):
    named = pd.DataFrame(X, columns=NAMES)
    model = Ridge().fit(named[:N], Y[:N])
    told = tmp_path / "report.json"
    options = ["--label=target", "--drop=kind", "--slice=value", f"--json={told}"]
    assert main(["audit", *files(tmp_path, model), *options]) == 0
    assert "value to predict 'target'" in capsys.readouterr().out
    slices = json.loads(told.read_text())["report"]["slices"]
    assert {row["slice"] for row in slices} == {"value", "loss"}


def test_a_column_without_numbers_is_no_value(tmp_path, capsys):
    options = ["--label=kind", "--drop=target"]
    assert main(["audit", *files(tmp_path), *options]) == 2
    assert (
        "have no number in column 'kind' (the first is record 1), but the model is a "
        "regressor."
    ) in capsys.readouterr().err
