"""Situations in which an audit once said that a leak was within the limits."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import (
    RMIA,
    AuditReport,
    ThresholdAttack,
    audit,
    audit_predictions,
    audit_recipe,
)
from sklearn_mia.auditing import _build, _findings, _slices
from sklearn_mia.auditing._command import exit_code
from sklearn_mia.auditing._evaluation import tpr_row

QUICK = {"n_permutations": 199, "random_state": 0}


def noisy(n, random_state=0, **params):
    params = {"n_features": 10, "n_informative": 6, "flip_y": 0.3} | params
    return make_classification(n, random_state=random_state, **params)


def sides(X, y):
    half = len(y) // 2
    return X[:half], y[:half], X[half:], y[half:]


@pytest.fixture(scope="module")
def leaking():
    """A forest that is right about all members, and its two sides."""
    X, y = noisy(2000)
    forest = RandomForestClassifier(50, random_state=0)
    return forest.fit(*sides(X, y)[:2]), X, y


def test_a_rate_that_ties_hide_is_no_measured_zero(leaking):
    forest, X, y = leaking
    is_member = np.arange(2000) < 1000
    # As a service that rounds to one decimal answers.
    proba = forest.predict_proba(X).round(1)
    proba = proba / proba.sum(axis=1, keepdims=True)
    report = audit_predictions(proba, y, is_member, **QUICK)
    rate = report.to_dict()["report"]["headline"]["rate"]
    assert (rate["resolvable"], rate["tied"]) == (False, True)
    assert rate["tpr"]["low"] is rate["tpr"]["high"] is None
    assert rate["fpr"]["estimate"] < 0.005 < rate["next_fpr"]
    assert exit_code(report) == 3  # by the AUC
    only_rate = {"tpr@fpr=0.01": 0.05}
    report = audit_predictions(proba, y, is_member, limits=only_rate, **QUICK)
    assert [row["outcome"] for row in report.limits] == ["unresolvable"]
    assert report.verdict["level"] == "at_limits"
    assert exit_code(report) == 4
    text = str(report)
    assert "cannot be judged by" in text
    assert "recognises 0.0 %" not in text
    lines = [line.split() for line in text.splitlines() if "TPR at FPR=0.01 " in line]
    assert [line[3:6] for line in lines] == [["n/a", "not", "resolvable"]] * 2
    assert "not resolvable" in report.to_html()
    pytest.importorskip("pandas")
    rates = report.summary.query("metric == 'tpr@fpr=0.01'")
    assert rates[["estimate", "low", "high"]].isna().all(axis=None)


def test_a_recipe_takes_no_tied_rate_for_a_measured_zero():
    X, y = noisy(600)
    # Members are all right, and so are most others: nothing is between 0 and that.
    tree = DecisionTreeClassifier(random_state=0)
    report = audit_recipe(
        tree, X, y, n_targets=2, attacks=ThresholdAttack(), fprs=[0.1], random_state=0
    )
    rows = {row["metric"]: row for row in report.rows}
    assert rows["auc"]["mean"] > 0.55
    assert rows["tpr@fpr=0.1"]["mean"] is None
    assert rows["tpr@fpr=0.1"]["note"] == (
        "needs 10 non-members, and scores that do not tie there"
    )


def test_scores_of_two_values_bound_a_rate_from_both_sides():
    is_member = np.arange(2000) < 1000
    # 90 of 100 members and 5 of 100 others are right: nothing between 0 and .05.
    right = np.r_[np.arange(1000) < 900, np.arange(1000) < 50].astype(float)
    row = tpr_row(is_member, right, 0.01, 0.95)
    assert (row["resolvable"], row["next_fpr"], row["next_tpr"]) == (False, 0.05, 0.9)
    assert row["least"] == 0.0
    assert 0.9 < row["most"] < 0.93
    # By lot a fifth of the block is accused: .2 x .9, give or take the lots.
    assert 0.05 < row["by_lot"]["estimate"] < 0.35
    assert row["by_lot"]["low"] < 0.2 < row["by_lot"]["high"]
    exposed = np.r_[np.full(100, 2.0), right[100:1000], right[1000:]]
    row = tpr_row(is_member, exposed, 0.01, 0.95)
    assert not row["resolvable"]
    # One hundred members stand above the tied block, no non-member does.
    assert 0.08 < row["least"] < 0.1


@pytest.mark.parametrize("n", [60, 120, 200])
@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))]
)
def test_a_small_audit_of_a_leaking_model_does_not_pass(n, seed):
    X, y = noisy(n, random_state=seed)
    members = sides(X, y)
    model = RandomForestClassifier(20, min_samples_leaf=5, random_state=seed)
    model.fit(*members[:2])
    report = audit(
        model, *members, attacks=ThresholdAttack(), limits={"auc": 0.6}, **QUICK
    )
    assert exit_code(report) != 0
    assert "--level: var(--nothing_found)" not in report.to_html()
    if report.verdict["level"] == "nothing_found":
        first = report.verdict["sentences"][0]
        assert first.startswith("This audit is too small to have seen a leak")


def test_an_average_hides_a_group_and_the_verdict_does_not():
    rng = np.random.default_rng(0)
    is_member = np.arange(8000) < 4000
    exposed = np.arange(8000) % 4 == 0
    y = np.where(exposed, "rare", "usual")
    # The answers tell members of one class alone.
    right = 0.6 + 0.1 * rng.normal(size=8000) + 0.15 * (is_member & exposed)
    right = right.clip(0.01, 0.99)
    proba = np.where((y == "rare")[:, None], np.c_[right, 1 - right], 0)
    proba += np.where((y == "usual")[:, None], np.c_[1 - right, right], 0)
    report = audit_predictions(
        proba, y, is_member, classes=["rare", "usual"], limits={"auc": 0.65}, **QUICK
    )
    assert report.limits[0]["outcome"] == "kept"
    assert report.verdict["level"] == "above_limits"
    assert report.verdict["title"].startswith("For a part of the records")
    finding = next(f for f in report.findings if f.code == "MIA022")
    assert finding.numbers["value"] == "rare"
    outcomes = {row["value"]: row["outcome"] for row in report.slices}
    assert outcomes == {"rare": "exceeded", "usual": "kept"}
    assert exit_code(report) == 3


def test_sides_that_were_exchanged_are_never_nothing():
    X, y = make_classification(
        800, 10, n_informative=6, class_sep=2.5, flip_y=0, random_state=0
    )
    model = RandomForestClassifier(50, random_state=0).fit(X[:400], y[:400])
    attack = RMIA(n_shadows=2, random_state=0)
    right = audit(model, *sides(X, y), attacks=attack, **QUICK)
    assert right.attacks[0]["auc"]["estimate"] > 0.6
    assert "MIA021" not in [f.code for f in right.findings]
    swapped = audit(model, X[400:], y[400:], X[:400], y[:400], attacks=attack, **QUICK)
    finding = next(f for f in swapped.findings if f.code == "MIA021")
    assert finding.severity == "critical"
    assert finding.numbers["auc"] < 0.4
    # Four errors of 400 against none are no sign, the mean loss is.
    finding = next(f for f in swapped.findings if f.code == "MIA012")
    assert finding.numbers["p_accuracy"] > 0.01 > finding.numbers["p_loss"]
    assert swapped.verdict["level"] == "not_interpretable"
    assert exit_code(swapped) == exit_code(swapped, gated=False) == 4


def test_a_group_that_is_ranked_the_wrong_way_round_is_told():
    rng = np.random.default_rng(0)
    is_member = np.arange(8000) < 4000
    rare = np.arange(8000) % 4 == 0
    y = np.where(rare, "rare", "usual")
    right = 0.6 + 0.1 * rng.normal(size=8000) - 0.15 * (is_member & rare)
    right = (right + 0.06 * (is_member & ~rare)).clip(0.01, 0.99)
    proba = np.where(rare[:, None], np.c_[right, 1 - right], np.c_[1 - right, right])
    report = audit_predictions(
        proba, y, is_member, classes=["rare", "usual"], limits={"auc": 0.7}, **QUICK
    )
    by_value = {row["value"]: row for row in report.slices}
    assert by_value["usual"]["reversed"] is None
    assert by_value["rare"]["reversed"]["auc"]["high"] < 0.3
    assert by_value["rare"]["outcome"] == "exceeded"
    finding = next(f for f in report.findings if f.code == "MIA023")
    assert finding.message.startswith(
        "Among the records with class rare, loss ranks members"
    )
    assert exit_code(report) != 0


def test_one_model_far_above_and_one_at_the_limit_have_different_titles(leaking):
    forest, X, y = leaking
    clear = audit(forest, *sides(X, y), attacks=ThresholdAttack(), **QUICK)
    tree = DecisionTreeClassifier(min_samples_leaf=40, random_state=0)
    tree.fit(*sides(X, y)[:2])
    close = audit(
        tree, *sides(X, y), attacks=ThresholdAttack(), limits={"auc": 0.56}, **QUICK
    )
    assert clear.verdict["level"] == "above_limits"
    assert close.verdict["level"] == "at_limits"
    assert close.limits[0]["times"] > 1
    assert "times as many records" in str(close).replace("\n", " ")


def test_a_large_audit_of_a_model_that_does_not_leak_passes():
    # An alarm would come up in 5 % of the seeds.
    X, y = noisy(4000, random_state=1)
    model = LogisticRegression(C=1e-3).fit(X[:200], y[:200])
    members = sides(X[200:], y[200:])
    report = audit(model, *members, attacks=ThresholdAttack(), **QUICK)
    assert exit_code(report) == 0
    assert report.verdict["level"] == "nothing_found"
    assert "would have been" in report.verdict["title"]
    assert "--level: var(--nothing_found)" in report.to_html()


@pytest.mark.parametrize(
    ("module", "name"),
    [(_slices, "evaluate_slices"), (_build, "blind_auc"), (_findings, "check_swapped")],
)
def test_what_could_not_be_checked_is_not_passed(monkeypatch, module, name):
    X, y = noisy(4000, random_state=1)
    model = LogisticRegression(C=1e-3).fit(X[:200], y[:200])
    members = sides(X[200:], y[200:])

    def fail(*args, **kwargs):
        raise IndexError

    monkeypatch.setattr(module, name, fail)
    report = audit(model, *members, attacks=ThresholdAttack(), **QUICK)
    assert "MIA020" in [f.code for f in report.findings]
    assert {row["outcome"] for row in report.limits} == {"kept"}
    assert report.verdict["level"] == "nothing_found"
    assert "could have been missed" in report.verdict["title"]
    assert "--level: var(--nothing_found)" not in report.to_html()
    assert exit_code(report) == 4


def test_reports_of_the_first_schema_are_read_by_their_intervals(request):
    folder = request.path.parent / "data"
    forest, logistic = (
        AuditReport.from_json(folder / f"report_0.1.0_{name}.json")
        for name in ("forest", "logistic")
    )
    assert forest.verdict["level"] == "above_limits"
    # The rate was called exceeded, with an interval from 0.
    assert [row["outcome"] for row in forest.limits] == ["exceeded", "undecided"]
    assert forest.limits[1]["interval"]["low"] == 0.0
    # Both were called kept, with intervals that reach over the limits.
    assert logistic.verdict["level"] == "nothing_found"
    assert [row["outcome"] for row in logistic.limits] == ["undecided", "undecided"]
    assert exit_code(logistic) == 4
    again = AuditReport.from_json(forest.to_json())
    assert again.to_dict() == forest.to_dict()
    assert again.to_dict()["schema_version"] == 2
