"""One verdict on who may ask a model, and one on who has its file."""

import json
from functools import partial
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.stats import norm
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    PolynomialFeatures,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import (
    RMIA,
    AuditReport,
    LinearReconstructionAttack,
    ThresholdAttack,
    audit,
    default_attacks,
    round_values,
)
from sklearn_mia.__main__ import main
from sklearn_mia.auditing import _stored
from sklearn_mia.auditing._access import access_of, accesses_told
from sklearn_mia.auditing._command import exit_code
from sklearn_mia.auditing._judging import passes, passes_by_access
from sklearn_mia.auditing._nouns import nouns_of
from sklearn_mia.auditing._stored import stored_told
from sklearn_mia.datasets import load_german_credit
from sklearn_mia.equations import auc_ceiling

QUICK = {"n_shadows": 2, "n_permutations": 99, "random_state": 0}


@pytest.fixture(scope="module")
def sides():
    X, y = load_german_credit(return_X_y=True, as_frame=True)
    X = X.select_dtypes("number").to_numpy()
    y = (y == "good").to_numpy().astype(int)
    order = np.random.default_rng(7).permutation(len(y))
    inside, outside = order[:500], order[500:]
    return X[inside], y[inside], X[outside], y[outside]


@pytest.fixture(scope="module")
def forest(sides):
    model = RandomForestClassifier(20, min_samples_leaf=5, random_state=0)
    return model.fit(*sides[:2])


@pytest.fixture(scope="module")
def both(forest, sides):
    return audit(forest, *sides, effort="thorough", **QUICK)


@pytest.fixture(scope="module")
def asked(forest, sides):
    return audit(forest, *sides, release="interface", **QUICK)


def test_by_default_there_is_a_verdict_on_each(both):
    assert list(both.verdicts) == ["file", "interface"]
    assert both.verdict is both.verdicts["file"]
    content = both.to_dict()["report"]
    assert content["headline"]["attack"] == "LinearReconstructionAttack"
    assert content["headline"]["n_attacks"] == 3
    beside = content["beside"]
    assert beside["headline"]["n_attacks"] == 2
    assert "LinearReconstructionAttack" not in json.dumps(beside)
    assert both.verdict["level"] == "above_limits"
    assert "the file of the model" in both.verdict["sentences"][-1]
    assert "file" not in both.verdicts["interface"]["sentences"][-1]


def test_the_numbers_of_one_access_are_those_of_its_attacks_alone(both, asked):
    assert list(asked.verdicts) == ["interface"]
    for name in ("ThresholdAttack", "BaggingAttack"):
        # The attack on the file changes no score of the others, and no estimate.
        score = f"score_{name}"
        assert_array_equal(both.records[score], asked.records[score])
        (now,), (then,) = (
            [a["auc"]["estimate"] for a in r.attacks if a["name"] == name]
            for r in (both, asked)
        )
        assert now == then
    assert "LinearReconstructionAttack" not in asked.to_json()
    assert asked.to_dict()["report"]["stored"] is None


def test_both_verdicts_are_printed_drawn_and_read_back(both, asked):
    text = str(both)
    assert text.index("Handed over as a file\n---") < text.index(
        "Asked, without its file\n---"
    )
    assert "Handed over" not in str(asked)
    page = both.to_html()
    assert page.count('<section class="verdict"') == 2
    assert "Handed over as a file: clearly above the limits" in page
    assert "What the file stores" in page
    assert asked.to_html().count('<section class="verdict"') == 1
    again = AuditReport.from_json(both.to_json())
    assert again.verdicts == both.verdicts
    assert str(again) == text


@pytest.mark.parametrize(
    ("kind", "told"),
    [
        ("category", "records alone in a category, or in an unknown one"),
        ("extreme", "records alone at an extreme, or beyond it"),
        ("leaf count", "leaf count"),
    ],
)
def test_a_number_of_what_the_file_stores_says_of_what(both, kind, told):
    content = both.to_dict()
    row = content["report"]["stored"]["equations"][0]
    row |= {"step": "encoder", "kind": kind, "n_equations": 6}
    report = AuditReport.from_json(json.dumps(content))
    heading = f"  {'part of the model: what it stores':<62}   numbers"
    line = f"  {f'encoder: {told}':<62}         6"
    assert f"\n{heading}\n{line}\n" in str(report)
    cell = f'<td>encoder</td><td>{told}</td><td class="n">6</td>'
    assert cell in report.to_html()


def test_what_the_file_stores_is_told(both, forest, sides):
    stored = both.to_dict()["report"]["stored"]
    attack = LinearReconstructionAttack(forest)
    X, y = np.vstack(sides[::2]), np.concatenate(sides[1::2])
    attack.fit(np.column_stack([X, y]))
    assert stored["n_equations"] == attack.n_equations_
    assert stored["per_member"] == attack.n_equations_ / 500
    told = [
        (row["step"], row["kind"], row["n_equations"]) for row in stored["equations"]
    ]
    assert told == [(r.step, r.kind, r.n_equations) for r in attack.equations_]
    assert f"The file stores {stored['n_equations']} sums" in str(both)
    assert "min_samples_leaf=5, .73 with 20" in " ".join(str(both).split())


def test_who_holds_fewer_of_the_training_records_recognises_less(both):
    held = both.to_dict()["report"]["stored"]["held"]
    assert [row["share"] for row in held] == [0.9, 0.5, 0.1]
    for row in held:
        # Both sides are thinned by the same coin.
        assert abs(row["n_members"] - 500 * row["share"]) < 45
        assert abs(row["n_nonmembers"] - 500 * row["share"]) < 45
    aucs = [row["auc"]["estimate"] for row in held]
    (whole,) = (
        a["auc"]["estimate"]
        for a in both.attacks
        if a["name"] == "LinearReconstructionAttack"
    )
    assert whole > aucs[0] > aucs[1]
    assert "with 90 % an AUC of" in str(both)


def test_of_a_large_audit_a_part_is_held_at_the_most(both, forest, sides, monkeypatch):
    X, y = np.vstack(sides[::2]), np.concatenate(sides[1::2])
    case = SimpleNamespace(
        records=np.column_stack([X, y]),
        is_member=np.arange(1000) < 500,
        # Five records of a person.
        units=np.arange(1000) % 200,
    )
    tried = []

    class Seen(LinearReconstructionAttack):
        def fit_score(self, records):
            scores = super().fit_score(records)
            tried.append((records, self.n_members_, self.n_outside_))
            return scores

    monkeypatch.setattr(_stored, "_MOST_HELD", 304)
    rows = _stored.held_figures(Seen(forest), case, 0.01, seed=0)
    assert [row["share"] for row in rows] == [0.3, 0.1]
    assert [row["n_members"] + row["n_nonmembers"] for row in rows] == [300, 100]
    for records, n_members, n_outside in tried:
        # The file tells how many members there are.
        assert n_members == 500
        assert n_outside > 500 - len(records)
        whole = (case.records[:, None] == records).all(axis=2).any(axis=1)
        assert set(np.bincount(case.units[whole])) <= {0, 5}
    content = both.to_dict()["report"]
    content = content | {"stored": content["stored"] | {"held": rows}}
    told = " ".join(stored_told(content, nouns_of(None)))
    assert "with 30 % an AUC of" in told
    assert "measured on at most 304 of the 1,000 records, drawn at random" in told
    monkeypatch.undo()
    assert "drawn at random" not in " ".join(stored_told(content, nouns_of(None)))


def test_rounding_is_offered_only_if_it_helps(both, forest, sides):
    content = json.loads(both.to_json())["report"]
    stripped, rows = content["stored"]["stripped"], content["stored"]["rounded"]
    assert [row["decimals"] for row in rows] == [2, 1]
    X, y = np.vstack(sides[::2]), np.concatenate(sides[1::2])
    for row in rows:
        copy = round_values(forest, row["decimals"])
        off = np.abs(copy.predict_proba(X) - forest.predict_proba(X))
        assert row["largest_change"] == off.max() <= 10.0 ** -row["decimals"] / 2
        assert row["accuracy"] == copy.score(X, y)
        assert row["accuracy_before"] == forest.score(X, y)
        attack = LinearReconstructionAttack(copy)
        scores = attack.fit_score(np.column_stack([X, y]))
        found = row["auc"]["estimate"]
        assert found == pytest.approx(roc_auc_score(np.arange(1000) < 500, scores))

    def told(*aucs):
        for row, auc in zip((stripped, *rows), aucs, strict=True):
            row["auc"] |= {"estimate": auc, "low": auc - 0.01, "high": auc + 0.01}
        rows[1] |= {"largest_change": 0.0213, "accuracy": 0.78, "accuracy_before": 0.8}
        return " ".join(stored_told(content, nouns_of(None)))

    # Little less than without counts is no reason to change answers.
    assert "round_values" not in told(0.7, 0.7, 0.69)
    text = told(0.7, 0.695, 0.6)
    assert text.count("round_values") == 1
    assert (
        "With the values of the leaves rounded to one decimal as well (round_values), "
        "which changes a probability by 0.021 at the most and the accuracy on the "
        "audited records from 0.800 to 0.780, that is an AUC of 0.600 (0.590 to 0.610)"
    ) in text
    assert told(0.7, 0.65, 0.6).count("round_values") == 2
    # Nor is it offered where stripping and rounding change nothing.
    assert "round_values" not in told(0.99, 0.99, 0.99)


def test_effort_is_only_spent_if_asked_for(forest, sides):
    report = audit(forest, *sides, release="file", **QUICK)
    assert list(report.verdicts) == ["file"]
    assert report.to_dict()["report"]["stored"]["held"] is None
    assert "is measured with effort='thorough'" in " ".join(str(report).split())


def test_a_file_that_no_attack_reads_is_not_shown_to_be_safe(sides):
    model = MLPClassifier((2,), tol=0.1, n_iter_no_change=2, random_state=0)
    model.fit(*sides[:2])
    limits = {"auc": 0.95}
    report = audit(model, *sides, limits=limits, attacks=None, **QUICK)
    (finding,) = [f for f in report.findings if f.code == "MIA027"]
    assert "no equation is known of what MLPClassifier stores" in finding.message
    assert passes_by_access(report.to_dict()["report"]) == {
        "file": "not shown",
        "interface": "yes",
    }
    assert exit_code(report) == 4
    assert report.verdict["level"] == "nothing_found"
    assert "could have been missed" in report.verdict["title"]
    first, *_, last = report.verdict["sentences"]
    assert first.startswith("Not all of the file was attacked")
    assert "(MIA027): who has it" in first
    assert "the file of the model" not in last
    assert "would have been" in report.verdicts["interface"]["title"]
    answers = audit(model, *sides, limits=limits, release="interface", **QUICK)
    assert exit_code(answers) == 0


class OwnTree(DecisionTreeClassifier):
    """A class that nothing is known of."""


@pytest.mark.parametrize(
    ("model", "unread"),
    [
        (make_pipeline(MinMaxScaler(), OwnTree(max_depth=3)), ["OwnTree"]),
        (
            make_pipeline(KNNImputer(), RandomForestClassifier(3, random_state=0)),
            ["KNNImputer"],
        ),
        (
            VotingClassifier([("a", GaussianNB()), ("b", OwnTree(max_depth=3))]),
            ["OwnTree"],
        ),
        # Calibrators that are few numbers, and many.
        (CalibratedClassifierCV(GaussianNB(), cv=2), []),
        (
            CalibratedClassifierCV(GaussianNB(), cv=2, method="isotonic"),
            ["CalibratedClassifierCV"],
        ),
        (
            make_pipeline(FunctionTransformer(partial(np.add, 1.0)), GaussianNB()),
            ["FunctionTransformer"],
        ),
        (make_pipeline(FunctionTransformer(np.log1p), GaussianNB()), []),
        # Few numbers: medians, and powers that no record decides on.
        (
            make_pipeline(
                SimpleImputer(strategy="median"),
                PolynomialFeatures(1),
                StandardScaler(),
                LogisticRegression(max_iter=500),
            ),
            [],
        ),
        (make_pipeline(StandardScaler(), KNeighborsClassifier()), []),
    ],
)
def test_a_part_of_the_file_that_no_equation_reads_keeps_it_from_passing(
    sides, model, unread
):
    model.fit(*sides[:2])
    X, y = np.vstack(sides[::2]), np.concatenate(sides[1::2])
    attack = LinearReconstructionAttack(model).fit(np.column_stack([X, y]))
    assert attack.unread_ == unread


def test_a_file_that_is_read_in_part_is_not_shown_to_be_safe(sides):
    model = make_pipeline(MinMaxScaler(), OwnTree(max_depth=1)).fit(*sides[:2])
    limits = {"auc": 0.95}
    report = audit(model, *sides, limits=limits, release="file", **QUICK)
    assert report.to_dict()["report"]["stored"]["n_equations"] > 0
    (finding,) = [f for f in report.findings if f.code == "MIA027"]
    assert "no equation is known of what OwnTree stores" in finding.message
    assert exit_code(report) == 4
    assert report.verdict["level"] in ("nothing_found", "at_limits")


def test_a_file_that_was_not_read_to_the_end_is_not_shown_to_be_safe():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(1500, 20)), rng.integers(2, size=1500)
    model = HistGradientBoostingClassifier(random_state=0).fit(X[:750], y[:750])
    sides = X[:750], y[:750], X[750:], y[750:]
    attack = LinearReconstructionAttack(model, max_iter=5, exact=False)
    options = {"slices": (), "n_permutations": 99, "random_state": 0}
    limits = {"auc": 0.999}
    report = audit(model, *sides, attacks=attack, limits=limits, **options)
    (finding,) = [f for f in report.findings if f.code == "MIA033"]
    assert finding.severity == "warning"
    assert "was stopped after 5 iterations" in finding.message
    assert report.verdict["level"] == "at_limits"
    first, *_, last = report.verdict["sentences"]
    assert "not with all training records (MIA033): who has it" in first
    # It was read in part.
    assert "and the file of the model" in last
    assert exit_code(report) == 4


def test_an_attack_on_the_file_that_fails_is_told(forest, sides, monkeypatch):
    def fails(*_):
        raise ValueError("The leaves are gone.")

    monkeypatch.setattr(LinearReconstructionAttack, "_fit_scores", fails)
    report = audit(forest, *sides, **QUICK)
    (finding,) = [f for f in report.findings if f.code == "MIA027"]
    assert "failed with ValueError: The leaves are gone. What" in finding.message
    assert list(report.verdicts) == ["file", "interface"]
    assert passes_by_access(report.to_dict()["report"])["file"] != "yes"
    # Whoever asks for it by name gets the error.
    with pytest.raises(ValueError, match="The leaves are gone"):
        audit(forest, *sides, attacks="LinearReconstructionAttack", **QUICK)


def test_a_file_that_tells_of_more_records_than_were_given(sides):
    X, y, X_other, y_other = sides
    model = RandomForestClassifier(5, random_state=0).fit(X, y)
    report = audit(model, X[:300], y[:300], X_other, y_other, release="file", **QUICK)
    (finding,) = [f for f in report.findings if f.code == "MIA028"]
    assert finding.message.startswith(
        "The file says that the model was trained on 500 records, and 300 were given "
        "as those of members. What it stores fits only if some "
    )
    assert finding.numbers["n_outside"] > 100
    assert passes_by_access(report.to_dict()["report"])["file"] != "yes"
    whole = audit(model, *sides, release="file", **QUICK)
    assert "MIA028" not in {f.code for f in whole.findings}


def test_a_list_of_other_people_is_not_shown_to_be_safe(sides):
    # As many records as the file tells of, but none that it was trained on.
    X, y, X_other, y_other = sides
    model = RandomForestClassifier(20, min_samples_leaf=20, random_state=0).fit(X, y)
    halves = X_other[:250], y_other[:250], X_other[250:], y_other[250:]
    limits = {"auc": 0.99}
    report = audit(model, *halves, limits=limits, release="file", **QUICK)
    (finding,) = [f for f in report.findings if f.code == "MIA028"]
    assert finding.numbers["n_outside"] > 250
    assert exit_code(report) == 4


def test_a_limit_that_no_group_is_large_enough_for_is_not_shown_to_be_kept(
    forest, sides
):
    limits = {"limits": {"auc": 0.99}, "slice_limits": {"tpr@fpr=0.001": 0.05}}
    report = audit(forest, *sides, release="interface", **limits, **QUICK)
    assert {row["limits"][1]["outcome"] for row in report.slices if row["limits"]} == {
        "cannot_tell"
    }
    assert exit_code(report) == 4
    assert (
        "The limit of groups of records, 5 % of the members at 0.1 % false alarms, was "
        "compared with none: no group is large enough."
    ) in report.verdict["sentences"]
    # That of the average, which nobody set for groups, passes if none is large enough.
    assert (
        exit_code(
            audit(forest, *sides, release="interface", limits={"auc": 0.99}, **QUICK)
        )
        == 0
    )


def test_the_worse_access_decides(both):
    content = both.to_dict()["report"]
    assert passes_by_access(content)["file"] == "no"
    assert passes(content) == "no"

    def part(access, outcome):
        rows = {key: content[key] for key in ("limits", "slices")}
        return content["beside"] | {
            "access": access,
            "limits": [row | {"outcome": outcome} for row in rows["limits"]],
            "slices": [row | {"outcome": "kept"} for row in rows["slices"]],
        }

    kept = content | part("file", "kept")
    for outcome, expected in {
        "exceeded": "no",
        "undecided": "not shown",
        "kept": "yes",
    }.items():
        beside = part("interface", outcome)
        assert passes(kept | {"beside": beside}) == expected


def test_attacks_of_your_own_decide_what_is_told(forest, sides):
    answers, on_file = ThresholdAttack(forest), LinearReconstructionAttack(forest)
    outputs = LinearReconstructionAttack(LogisticRegression(), equations="outputs")
    assert [access_of(a) for a in (answers, on_file, outputs)] == [
        "interface",
        "file",
        "interface",
    ]
    search = GridSearchCV(on_file, {"max_iter": [10, 20]}, scoring="roc_auc")
    assert access_of(search) == "file"

    def told(release, *attacks):
        return accesses_told(release, dict(enumerate(attacks)), chosen=True)

    assert told(None, answers) == ["interface"]
    assert told(None, on_file) == ["file"]
    assert told(None, on_file, answers) == ["interface", "file"]
    assert told("file", answers) == ["file"]
    message = "release='interface', and the attack LinearReconstructionAttack reads"
    with pytest.raises(ValueError, match=message):
        audit(forest, *sides, attacks=on_file, release="interface", **QUICK)
    # A verdict on answers alone does not look like one on the model.
    named = audit(forest, *sides, attacks="ThresholdAttack", **QUICK)
    assert "Asked, without its file\n---" in str(named)
    assert "Asked, without its file" in named.to_html()
    assert list(named.verdicts) == ["interface"]


def test_the_default_attacks_are_those_of_the_release(forest):
    names = list(default_attacks(forest))
    assert names[-1] == "LinearReconstructionAttack"
    assert list(default_attacks(forest, release="file")) == names
    assert list(default_attacks(forest, release="interface")) == names[:-1]


@pytest.mark.parametrize("name", ["release", "effort"])
def test_what_is_no_release_and_no_effort(forest, sides, name):
    with pytest.raises(ValueError, match=f"{name}='much'; expected"):
        audit(forest, *sides, **{name: "much"})
    with pytest.raises(ValueError, match=f"{name}=array"):
        audit(forest, *sides, **{name: np.array(["file", "file"])})
    with pytest.raises(ValueError, match="release='File'; expected"):
        default_attacks(forest, release="File")


def test_a_ceiling_by_the_number_of_equations():
    # rho / (1 - rho) of a fifth: two sides that are 2 * sqrt(.25) apart.
    assert auc_ceiling(200, 1000) == pytest.approx(norm.cdf(np.sqrt(0.5)))
    assert auc_ceiling(0, 1000) == 0.5
    assert auc_ceiling(1000, 1000) == auc_ceiling(5000, 1000) == 1.0


def test_a_build_is_told_which_access_fails(tmp_path, sides, forest, capsys):
    names = [f"n{i}" for i in range(sides[0].shape[1])]
    for name, (X, y) in {"members": sides[:2], "others": sides[2:]}.items():
        rows = [[*names, "risk"], *np.column_stack([X, y]).astype(int).tolist()]
        lines = [",".join(map(str, row)) for row in rows]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines))
    joblib.dump(clone(forest).fit(*sides[:2]), tmp_path / "model.joblib")
    files = [str(tmp_path / n) for n in ("model.joblib", "members.csv", "others.csv")]
    options = ["--label=risk", "--trust-pickle", "--n-shadows=2", "--no-progress"]
    options.append("--fail-slice-above=auc=0.99")

    def run(*more):
        return main(["audit", *files, *options, *more])

    assert run("--fail-above=auc=0.81") == 3
    message = capsys.readouterr().err
    assert "handed over as a file: above a limit; asked, without its file: passes" in (
        message
    )
    assert "--release file or interface decides by one." in message
    assert run("--fail-above=auc=0.81", "--release=interface") == 0
    assert run("--fail-above=auc=0.81", "--release=file") == 3
    assert "decides by one" not in capsys.readouterr().err
    for option in ("--release=file", "--effort=thorough"):
        answers = ["audit", "--label=risk", "--predictions=p.csv", "--member=m", option]
        assert main(answers) == 2
        message = capsys.readouterr().err
        assert f"{option.replace('=', ' ')} needs the file of the model" in message


def test_scores_of_the_file_are_those_of_the_attack_alone(both, forest, sides):
    attack = LinearReconstructionAttack(forest)
    X, y = np.vstack(sides[::2]), np.concatenate(sides[1::2])
    scores = attack.fit_score(np.column_stack([X, y]))
    found = both.records["score_LinearReconstructionAttack"]
    assert_array_equal(found, scores)
    is_member = np.arange(len(y)) < 500
    (row,) = [a for a in both.attacks if a["name"] == "LinearReconstructionAttack"]
    assert row["auc"]["estimate"] == pytest.approx(roc_auc_score(is_member, scores))
    assert RMIA(forest).access == "outputs"


def test_of_groups_the_figures_of_a_part_of_the_file_are_by_record(both):
    content = both.to_dict()["report"]
    nouns = nouns_of("patient")
    told = " ".join(stored_told(content, nouns))
    assert "of the records of patients in the data at 1 % false alarms" in told
    assert "of the members at 1 % false alarms" in " ".join(
        stored_told(content, nouns_of(None))
    )
