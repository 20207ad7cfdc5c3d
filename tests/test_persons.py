"""A report with groups is about them: persons, each with all of their records."""

import json
import re

import numpy as np
import pytest
from helpers.subjects import subjects_of_persons
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline

from sklearn_mia import (
    RMIA,
    AuditReport,
    MembershipSignals,
    SupervisedAttack,
    ThresholdAttack,
    audit,
    audit_predictions,
)
from sklearn_mia.__main__ import main
from sklearn_mia.auditing._evaluation import headline_statistics
from sklearn_mia.auditing._judging import passes
from sklearn_mia.auditing._multiplicity import max_statistic_test
from sklearn_mia.auditing._nouns import RECORDS, check_group_name, nouns_of
from sklearn_mia.auditing._partitions import rarity_groups, size_groups
from sklearn_mia.metrics import roc_auc_interval

N_PERSONS = 120
QUICK = {"n_permutations": 99, "random_state": 0, "fprs": [0.1]}


@pytest.fixture(scope="module")
def visits():
    """Persons with 1 to 6 records, the first half of them in the training data."""
    rng = np.random.default_rng(0)
    sizes = rng.integers(1, 7, N_PERSONS)
    person = np.repeat(np.arange(N_PERSONS), sizes)
    X, y = make_classification(
        len(person), 8, n_informative=5, flip_y=0.3, random_state=0
    )
    return X, y, person, person < N_PERSONS // 2


@pytest.fixture(scope="module")
def leaking(visits):
    X, y, _, is_member = visits
    forest = RandomForestClassifier(10, min_samples_leaf=3, random_state=0)
    return forest.fit(X[is_member], y[is_member])


def audited(model, visits, keys=None, order=None, **params):
    X, y, person, is_member = visits
    keys = person if keys is None else keys
    inside, outside = np.flatnonzero(is_member), np.flatnonzero(~is_member)
    if order is not None:
        inside, outside = order.permutation(inside), order.permutation(outside)
    params = QUICK | {"attacks": RMIA(n_shadows=4, random_state=0)} | params
    return audit(
        model,
        X[inside],
        y[inside],
        X[outside],
        y[outside],
        groups_train=keys[inside],
        groups_test=keys[outside],
        **params,
    )


@pytest.fixture(scope="module")
def report(leaking, visits):
    return audited(leaking, visits, group_name="patient")


def test_every_number_counts_persons(report, visits):
    _, _, person, is_member = visits
    pytest.importorskip("pandas")
    attack, data = report.attacks[0], report.to_dict()["report"]["data"]
    sides = is_member.sum(), (~is_member).sum()
    assert (data["unit"], data["n_members"], data["n_nonmembers"]) == ("group", 60, 60)
    assert (data["n_member_records"], data["n_nonmember_records"]) == sides
    assert (attack["n_members"], attack["n_nonmembers"]) == (60, 60)
    of_rows = report.records["score_RMIA"].to_numpy()
    groups = report.groups
    members = np.r_[person[is_member], person[~is_member]]
    sums = np.bincount(members, weights=of_rows)
    assert_allclose(groups["score_RMIA"], sums)
    assert_array_equal(groups["key"], np.arange(N_PERSONS))
    assert_array_equal(groups["n_records"], np.bincount(person))
    assert_array_equal(groups["member"], np.arange(N_PERSONS) < 60)
    auc = roc_auc_score(np.arange(N_PERSONS) < 60, sums)
    assert attack["auc"]["estimate"] == pytest.approx(auc)
    assert attack["of_records"]["auc"]["estimate"] < auc
    interval = roc_auc_interval(
        np.arange(len(person)) < is_member.sum(),
        of_rows,
        groups=members,
        confidence=attack["auc"]["confidence"],
    )
    assert attack["of_records"]["auc"]["low"] == pytest.approx(interval.low)


def test_the_word_of_the_caller_is_in_every_sentence(report):
    pytest.importorskip("jinja2")
    for sentence, kind in zip(
        report.verdict["sentences"], report.verdict["kinds"], strict=True
    ):
        if kind in ("seen", "slice"):
            assert "patient" in sentence
        assert not re.search(r"\bmembers?\b", sentence.replace("non-members", ""))
    assert "which patients were in its training data" in report.verdict["title"]
    text = str(report)
    assert "60 patients in the data" in text.replace("\n", " ")
    page = re.sub(r"<style>.*?</style>|<dl>.*?</dl>", "", report.to_html(), flags=re.S)
    body = re.sub(r"<[^>]*>", " ", page)
    assert "patients in the data" in body
    assert "60 patients not in the data" in re.sub(r"\s+", " ", body)
    again = AuditReport.from_json(report.to_json())
    assert str(again) == text
    assert again.to_html() == report.to_html()


def test_names_and_order_of_persons_change_nothing(report, leaking, visits):
    pytest.importorskip("pandas")
    person = visits[2]
    keys = np.array([f"p{i:03d}" for i in range(N_PERSONS)])[person]
    named = audited(leaking, visits, keys=keys, group_name="patient")
    assert named.attacks == report.attacks
    assert named.groups["key"].tolist() == sorted(set(keys))
    shuffled = audited(leaking, visits, order=np.random.default_rng(1))
    for one, other in zip(shuffled.attacks, report.attacks, strict=True):
        # Shadows train in the order of the pool, which moves nothing but rounding.
        assert abs(one["auc"]["estimate"] - other["auc"]["estimate"]) < 0.05


def test_a_person_on_both_sides_is_told_and_is_a_member(leaking, visits):
    X, y, person, is_member = visits
    # A stay of the first person was not trained on.
    moved = is_member & ~((person == 0) & (np.cumsum(person == 0) == 1))
    report = audited(leaking, (X, y, person, moved))
    data = report.to_dict()["report"]["data"]
    assert (data["n_members"], data["n_nonmembers"], data["n_mixed"]) == (60, 60, 1)
    finding = next(f for f in report.findings if f.code == "MIA003")
    assert finding.message.startswith("1 of 120 groups have records on both sides")
    pytest.importorskip("pandas")
    first = report.groups.iloc[0]
    assert (first["key"], first["member"]) == (0, True)
    assert first["n_records"] == np.sum(moved & (person == 0))
    # Of it, the stays that were trained on count, and no others.
    rows = report.records.query("member and group == 0")
    assert first["score_RMIA"] == pytest.approx(rows["score_RMIA"].sum())
    assert len(report.records) == len(person)


def test_the_exposed_cannot_hide_in_few_persons_or_on_both_sides():
    """A model that exposes 12 % of its members passed, if their records were those of
    one person, or their persons had a record on the other side, too.
    """
    rng = np.random.default_rng(0)
    is_member, exposed = np.arange(4000) < 2000, np.arange(4000) % 8 == 0
    right = 0.6 + 0.1 * rng.normal(size=4000) + 0.35 * (is_member & exposed)
    right = right.clip(0.01, 0.99)
    proba, y = np.column_stack([right, 1 - right]), np.zeros(4000, dtype=int)
    y[-1] = 1
    alone = np.arange(4000)
    one_person = np.where(exposed, -1 - is_member, alone)
    both_sides = np.where(exposed, alone % 2000, alone)
    for keys, code in ((one_person, "MIA026"), (both_sides, "MIA003")):
        report = audit_predictions(
            proba, y, is_member, groups=keys, n_permutations=99, slices=()
        )
        outcomes = {row["limit"]: row["outcome"] for row in report.limits}
        assert outcomes["tpr@fpr=0.01"] in ("undecided", "exceeded")
        assert passes(report.to_dict()["report"]) != "yes"
        assert code in {f.code for f in report.findings}


def test_sides_without_whole_persons_are_refused_before_anything_is_trained(
    leaking, visits
):
    X, y, person, _ = visits
    halves = np.arange(len(person)) % 2 == 0
    keys = np.minimum(np.arange(len(person)) // 4, 90)
    message = (
        r"groups has [01] of \d+ groups wholly among the non-members, and \d+ with"
    )
    with pytest.raises(ValueError, match=message):
        audited(leaking, (X, y, person, halves), keys=keys)
    missing = person.astype(object)
    missing[3] = None
    with pytest.raises(ValueError, match="groups has no key for 1 of"):
        audited(leaking, visits, keys=missing)


@pytest.mark.parametrize(
    "attack",
    [
        SupervisedAttack,
        lambda model: make_pipeline(MembershipSignals(model), LogisticRegression()),
    ],
    ids=["attack", "pipeline"],
)
def test_who_learns_from_membership_is_judged_on_other_persons(leaking, visits, attack):
    report = audited(leaking, visits, attacks=[attack(leaking)])
    row = report.attacks[0]
    assert row["n_members"] + row["n_nonmembers"] == N_PERSONS // 2
    pytest.importorskip("pandas")
    judged = report.groups.filter(like="score_").iloc[:, 0].notna()
    assert judged.sum() == N_PERSONS // 2


def test_predictions_are_judged_by_person_too(leaking, visits):
    X, y, person, is_member = visits
    proba = leaking.predict_proba(X)
    report = audit_predictions(
        proba, y, is_member, groups=person, group_name="patient", **QUICK
    )
    lead = report.attacks[0]
    assert lead["name"] == "loss"
    pytest.importorskip("pandas")
    found = report.groups["score_loss"].to_numpy()
    rows = report.records["score_loss"].to_numpy()
    assert_allclose(found, np.bincount(person, weights=rows - rows.mean()))
    by_row = lead["of_records"]["auc"]["estimate"]
    assert lead["auc"]["estimate"] > by_row


def test_slices_and_sizes_are_of_persons(report, visits):
    person = visits[2]
    sizes = np.bincount(person)
    rows = {(row["slice"], row["value"]): row for row in report.slices}
    one = rows["size", "1"]
    assert (one["n_members"], one["n_nonmembers"]) == (
        np.sum(sizes[:60] == 1),
        np.sum(sizes[60:] == 1),
    )
    told = report.to_dict()["report"]["sizes"]
    assert [row["n_records"] for row in told] == ["1", "2", "3-5", "6+"]
    assert sum(row["n_members"] for row in told) == 60
    assert sum(round(r["tpr"]["estimate"] * r["n_members"]) for r in told) == sum(
        report.groups.query("member")["score_RMIA"]
        > sorted(report.groups.query("not member")["score_RMIA"])[-1]
    )


def test_who_is_exposed_can_be_listed(report):
    pytest.importorskip("pandas")
    told = report.to_dict()["report"]["exposed"]
    named = report.exposed(max_fdr=0.1)
    assert len(named) == told["n_named"] > 0
    assert named["member"].all()
    assert named["fpr"].is_monotonic_increasing
    assert len(report.exposed(max_fdr=0.01)) <= len(named)
    sentence = f"not in the data can pick out {len(named)} of the 60, with no more than"
    assert any(sentence in s for s in report.verdict["sentences"])


def test_a_key_that_is_not_used_as_one_is_told(visits, leaking):
    X, y, person, is_member = visits
    sides = X[is_member], y[is_member], X[~is_member], y[~is_member]
    ids = {"ids_train": person[is_member], "ids_test": person[~is_member]}
    params = QUICK | {"attacks": ThresholdAttack()}
    report = audit(leaking, *sides, **ids, **params)
    finding = next(f for f in report.findings if f.code == "MIA024")
    assert finding.numbers["n_keys"] == {"ids": N_PERSONS}
    unique = {"ids_train": np.arange(len(sides[0])), "ids_test": None}
    codes = [f.code for f in audit(leaking, *sides, **unique, **params).findings]
    assert "MIA024" not in codes
    grouped = audited(leaking, visits, **ids)
    assert "MIA024" not in [f.code for f in grouped.findings]


def test_a_model_that_was_trained_on_a_key_is_told(visits):
    X, y, person, is_member = visits
    X = np.column_stack([X, person])
    model = RandomForestClassifier(5, random_state=0)
    model.fit(X[is_member], y[is_member])
    report = audited(model, (X, y, person, is_member), attacks=ThresholdAttack())
    finding = next(f for f in report.findings if f.code == "MIA025")
    assert finding.numbers == {"columns": ["column 8"]}


@pytest.mark.parametrize("remainder", ["drop", "passthrough"])
def test_a_key_that_the_model_drops_is_none_of_its_features(visits, remainder):
    pd = pytest.importorskip("pandas")
    X, y, person, is_member = visits
    frame = pd.DataFrame(X).rename(columns=str).assign(patient=person)
    features = make_column_transformer(
        ("passthrough", [str(k) for k in range(X.shape[1])]), remainder=remainder
    )
    model = make_pipeline(features, RandomForestClassifier(5, random_state=0))
    model.fit(frame[is_member], y[is_member])
    sides = [half for m in (is_member, ~is_member) for half in (frame[m], y[m])]
    groups = {"groups_train": person[is_member], "groups_test": person[~is_member]}
    report = audit(model, *sides, **groups, **QUICK, attacks=ThresholdAttack())
    found = [f.numbers for f in report.findings if f.code == "MIA025"]
    assert found == ([{"columns": ["patient"]}] if remainder == "passthrough" else [])


def test_where_the_number_of_records_tells_it_is_no_leak_of_the_model(visits):
    """A sum over more records is larger: the sides differ without the model."""
    rng = np.random.default_rng(0)
    sizes = np.r_[rng.integers(4, 9, 80), rng.integers(1, 4, 80)]
    person = np.repeat(np.arange(160), sizes)
    X, y = make_classification(len(person), 6, random_state=0)
    model = LogisticRegression().fit(X[:50], y[:50])
    report = audited(
        model, (X, y, person, person < 80), attacks=ThresholdAttack(), slices=None
    )
    assert "MIA001" in [f.code for f in report.findings]
    assert report.verdict["level"] == "not_interpretable"


def test_from_files_a_person_is_a_column(tmp_path, visits, capsys):
    pd = pytest.importorskip("pandas")
    joblib = pytest.importorskip("joblib")
    X, y, person, is_member = visits
    frame = pd.DataFrame(X, columns=[f"x{i}" for i in range(8)]).assign(y=y)
    model = RandomForestClassifier(20, min_samples_leaf=3, random_state=0)
    model.fit(frame.drop(columns="y")[is_member], y[is_member])
    joblib.dump(model, tmp_path / "m.joblib")
    frame = frame.assign(patient=[f"P-{i}" for i in person])
    paths = []
    for name, side in (("in", is_member), ("out", ~is_member)):
        paths.append(str(tmp_path / f"{name}.csv"))
        frame[side].to_csv(paths[-1], index=False)
    files = [str(tmp_path / "m.joblib"), *paths]
    common = ["--label=y", "--trust-pickle", "--n-shadows=2"]
    json_file = tmp_path / "r.json"
    table = tmp_path / "children.csv"
    grouped = ["--group=patient", "--group-name=child/children", f"--json={json_file}"]
    grouped += [f"--groups={table}", "--name-records"]
    assert main(["audit", *files, *common, *grouped]) == 0
    text = capsys.readouterr().out
    assert "60 children in the data" in text.replace("\n", " ")
    content = json.loads(json_file.read_text())
    assert content["groups"]["key"] == sorted({f"P-{i}" for i in person})
    assert pd.read_csv(table)["key"].tolist() == content["groups"]["key"]
    assert main(["audit", *files, *common, "--drop=patient", f"--groups={table}"]) == 2
    assert "--groups FILE needs --group COLUMN" in capsys.readouterr().err
    assert main(["audit", *files, *common, "--drop=patient"]) == 0
    assert "MIA024" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["audit", *files, *common, "--group=patient", "--group-name="])
    assert "is no word; expected one such as patient" in capsys.readouterr().err
    frame.loc[0, "patient"] = None
    frame[is_member].to_csv(paths[0], index=False)
    assert main(["audit", *files, *common, "--group=patient"]) == 2
    assert "has no value in the column 'patient' (--group) for 1 of" in (
        capsys.readouterr().err
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("patient", ("patient", "patients")),
        ("family", ("family", "families")),
        ("day", ("day", "days")),
        ("branch", ("branch", "branches")),
        ("x\ny", ("x y", "x ys")),
        (("child", "children"), ("child", "children")),
        (["  bank  account "], ("bank account", "bank accounts")),
    ],
)
def test_a_word_has_a_plural(given, words):
    assert check_group_name(given) == words
    assert nouns_of(given).nonmembers == f"{words[1]} not in the data"
    assert nouns_of(None) is RECORDS


def test_a_word_for_several_is_refused():
    with pytest.raises(ValueError, match="looks like several of them; expected one"):
        check_group_name("patients")
    assert check_group_name(("patients", "patients")) == ("patients", "patients")
    assert check_group_name("class") == ("class", "classes")


@pytest.mark.parametrize("wrong", ["", 3, None, ("a", "b", "c"), ("a", " ")])
def test_what_is_no_word_is_refused(wrong):
    with pytest.raises(ValueError, match="is no word; expected one such as 'patient'"):
        check_group_name(wrong)


def test_rare_is_who_alone_has_two_values_together():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(
        {"job": ["a"] * 30 + ["b"] * 30, "town": (["x"] * 15 + ["y"] * 15) * 2}
    )
    table.loc[0, ["job", "town"]] = "b", "z"
    table["age"] = np.arange(60.0)
    found = dict(rarity_groups(table[["job", "town"]]))
    assert list(found) == ["no one else", "9 or more others"]
    assert_array_equal(np.flatnonzero(found["no one else"]), [0])
    order = np.random.default_rng(0).permutation(60)
    again = dict(rarity_groups(table[["town", "job"]].iloc[order]))
    for label, inside in found.items():
        assert_array_equal(again[label], inside[order])
    # One group that holds all is no part.
    assert rarity_groups(table[["job"]].iloc[1:]) == []


def test_sizes_are_of_whole_groups():
    groups = np.repeat([0, 1, 2], [1, 3, 7])
    assert [label for label, _ in size_groups(groups)] == ["1", "3 to 5", "6 or more"]
    assert size_groups(np.repeat([0, 1], 2)) == []


@pytest.mark.slow
@pytest.mark.parametrize("correlation", [0.0, 0.5])
@pytest.mark.parametrize("n_persons", [40, 200])
def test_without_a_leak_the_corrected_test_keeps_its_level(n_persons, correlation):
    """Persons of 1 to 40 records: of 1,000 audits at a level of .05 more than 65 alarm
    in fewer than 1 of 50 runs.
    """
    rng, alarms = np.random.default_rng(n_persons), 0
    for seed in range(1000):
        sizes = np.minimum(rng.geometric(0.2, n_persons), 40)
        person = np.repeat(np.arange(n_persons), sizes)
        own = rng.normal(size=n_persons)[person] * np.sqrt(correlation)
        scores = own + rng.normal(size=len(person)) * np.sqrt(1 - correlation)
        is_member = (rng.permutation(n_persons) < n_persons // 2)[person]
        subjects = subjects_of_persons(is_member, person, {"A": scores, "B": own})
        _, statistics = headline_statistics(subjects, ["A", "B"])
        found = max_statistic_test(
            statistics,
            subjects.is_member,
            subjects.permuter,
            n_permutations=99,
            seed=[seed, 1],
        )
        alarms += found.p_value <= 0.05
    assert alarms <= 65
