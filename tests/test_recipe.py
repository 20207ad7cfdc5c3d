import json
import re
from functools import reduce
from operator import getitem

import numpy as np
import pytest
from helpers.selection import PERSONS, group_auc, log_likelihood
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import LiRA, RecipeReport, ThresholdAttack, audit
from sklearn_mia.auditing import audit_recipe

LOSS = {"loss": ThresholdAttack(signal="loss")}


def test_recipe_over_several_models(half):
    X, y = np.concatenate(half[::2]), np.concatenate(half[1::2])
    report = audit_recipe(
        DecisionTreeClassifier(),
        X,
        y,
        n_targets=3,
        attacks={"loss": ThresholdAttack(signal="loss"), "LiRA": LiRA(n_shadows=2)},
        fprs=[0.001, 0.1],
        random_state=0,
    )
    assert [row["metric"] for row in report.rows[:3]] == [
        "auc",
        "tpr@fpr=0.001",
        "tpr@fpr=0.1",
    ]
    # The strongest first, whatever order they were given in.
    assert [row["attack"] for row in report.rows[::3]] == ["LiRA", "loss"]
    assert report.rows[0]["mean"] > report.rows[3]["mean"]
    values = [target["attacks"]["LiRA"]["auc"] for target in report.targets]
    auc = report.rows[0]
    assert auc["mean"] == pytest.approx(np.mean(values))
    # t(2) at 97.5 % is 4.303.
    spread = 4.303 * np.std(values, ddof=1) / np.sqrt(3)
    assert auc["high"] - auc["mean"] == pytest.approx(spread, rel=1e-3)
    assert report.rows[1]["mean"] is None
    assert "1000 non-members" in str(report)
    assert report.targets[0] != report.targets[1]
    assert '"schema": "sklearn_mia.recipe"' in report.to_json()
    assert repr(report).splitlines()[0] == (
        "<RecipeReport of DecisionTreeClassifier: 3 models>"
    )


def test_recipe_trains_shadows_once(half):
    fits = []

    class Counting(LogisticRegression):
        def fit(self, X, y, sample_weight=None):
            fits.append(len(y))
            return super().fit(X, y, sample_weight)

    X, y = np.concatenate(half[::2]), np.concatenate(half[1::2])
    audit_recipe(
        Counting(), X, y, n_targets=3, attacks=LiRA(n_shadows=4), random_state=0
    )
    assert len(fits) == 3 + 4


@pytest.fixture(scope="module")
def table(half):
    return np.concatenate(half[::2]), np.concatenate(half[1::2])


class Kept(LogisticRegression):
    """A model that tells which records it was fitted on, and can be found again."""

    models = []

    def fit(self, X, y):
        self.rows_ = X
        Kept.models.append(self)
        return super().fit(X, y)


def test_with_groups_the_numbers_of_a_recipe_are_those_of_persons(table):
    X, y = table
    Kept.models.clear()
    options = {"attacks": LOSS, "fprs": [0.1], "groups": PERSONS, "random_state": 0}
    report = audit_recipe(Kept(), X, y, n_targets=2, group_name="patient", **options)
    for model, told in zip(Kept.models, report.targets, strict=True):
        inside = np.isin(X[:, 0], model.rows_[:, 0])
        assert not set(PERSONS[inside]) & set(PERSONS[~inside])
        assert told["n_members"] == told["n_nonmembers"] == 80
        scores = log_likelihood(model, X, y)
        by_hand = group_auc(scores, inside, PERSONS)
        assert told["attacks"]["loss"]["auc"] == pytest.approx(by_hand, abs=1e-12)
        by_record = group_auc(scores, inside, np.arange(400))
        assert told["of_records"]["loss"]["auc"] == pytest.approx(by_record, abs=1e-12)
        audited = audit(
            model,
            *(X[inside], y[inside], X[~inside], y[~inside]),
            groups_train=PERSONS[inside],
            groups_test=PERSONS[~inside],
            attacks=LOSS,
            fprs=[0.1],
            n_permutations=99,
        ).attacks[0]
        found = told["attacks"]["loss"]
        assert found["auc"] == audited["auc"]["estimate"]
        assert found["tpr@fpr=0.1"] == audited["tpr_at_fpr"][0]["tpr"]["estimate"]
        by_record = pytest.approx(audited["of_records"]["auc"]["estimate"], abs=1e-12)
        assert told["of_records"]["loss"]["auc"] == by_record
    auc = report.rows[0]
    for part, told in (("attacks", auc), ("of_records", auc["of_records"])):
        values = [target[part]["loss"]["auc"] for target in report.targets]
        assert told["mean"] == pytest.approx(np.mean(values))


def test_a_report_on_a_recipe_speaks_of_those_whom_it_counts(table):
    options = {"attacks": LOSS, "n_targets": 2, "random_state": 0}
    report = audit_recipe(
        LogisticRegression(),
        *table,
        groups=PERSONS,
        group_name=("child", "children"),
        **options,
    )
    text = str(report)
    assert "(400 records, those of one together)" in " ".join(text.split())
    assert "each of the children counts once, with all records" in " ".join(
        text.split()
    )
    assert "needs 100 children not in the data, and scores" in text
    assert text.count("\n  loss") == 6
    assert text.partition("Record by record, beside it")[2].count("\n  loss") == 3
    content = json.loads(report.to_json())
    assert content["schema_version"] == 4
    assert content["unit"] == report.unit == "group"
    assert content["nouns"]["many"] == "children"
    assert set(report.rows[1]["of_records"]) == {"mean", "low", "high", "note"}
    plain = audit_recipe(LogisticRegression(), *table, **options)
    assert plain.unit == "record"
    assert plain.rows[0]["of_records"] is plain.targets[0]["of_records"] is None
    assert "children" not in str(plain) + plain.to_json()
    assert "Record by record" not in str(plain)


def test_neither_the_order_of_records_nor_the_kind_of_a_key_matters(table):
    X, y = table
    order = np.random.default_rng(0).permutation(400)
    words = np.array([f"p{person:03d}" for person in PERSONS])
    recipe = DecisionTreeClassifier(min_samples_leaf=5, random_state=0)
    options = {"attacks": LOSS, "n_targets": 2, "random_state": 0}
    one, two = (
        audit_recipe(recipe, *sides, groups=groups, **options).rows
        for *sides, groups in ((X, y, PERSONS), (X[order], y[order], words[order]))
    )
    assert [row["mean"] for row in one] == [row["mean"] for row in two]


def test_a_person_of_one_record_is_that_record(table):
    report = audit_recipe(
        DecisionTreeClassifier(),
        *table,
        n_targets=2,
        attacks=LiRA(n_shadows=2),
        groups=np.arange(400),
        random_state=0,
    )
    for row in report.rows:
        assert row["mean"] == row["of_records"]["mean"]


class NeverFitted(LogisticRegression):
    def fit(self, X, y):
        raise AssertionError


def test_groups_that_no_recipe_can_be_audited_by_are_told_before_a_fit(table):
    for groups, message in (
        (
            np.repeat([1, 2, 3], [100, 100, 200]),
            "groups has 3 groups, 3 if those that share a record count as one; "
            "expected at least 4, since each is wholly in or out of a half. Pass more "
            "of them, or audit without groups.",
        ),
        (
            [1, 2],
            "groups has 2 keys for 400 records; expected one for each record, in the "
            "same order.",
        ),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            audit_recipe(NeverFitted(), *table, groups=groups)
    with pytest.raises(ValueError, match="group_name=3 is no word"):
        audit_recipe(NeverFitted(), *table, groups=PERSONS, group_name=3)


# What becomes of it


@pytest.fixture(scope="module")
def made(table):
    """Reports by what they are about."""
    tree = DecisionTreeClassifier(min_samples_leaf=5, random_state=0)
    options = {"attacks": [*LOSS.values(), LiRA(n_shadows=2)], "random_state": 0}
    return {
        "a leak": audit_recipe(tree, *table, n_targets=3, **options),
        "none shown": audit_recipe(
            DummyClassifier(strategy="stratified"),
            *table,
            n_targets=4,
            attacks=LOSS,
            random_state=0,
        ),
        "groups": audit_recipe(
            tree,
            *table,
            n_targets=2,
            groups=PERSONS,
            group_name=("child", "children"),
            **options,
        ),
    }


def test_the_summary_of_a_recipe_is_a_frame_of_its_rows(made):
    pytest.importorskip("pandas")
    report = made["a leak"]
    found = report.summary
    assert list(found.columns) == ["attack", "metric", "mean", "low", "high"]
    assert found["mean"].dtype == float
    for told, row in zip(found.to_dict("records"), report.rows, strict=True):
        for name, value in told.items():
            assert value == row[name] or (row[name] is None and np.isnan(value))


def test_a_recipe_report_reads_back_as_it_was_written(made, tmp_path):
    for report in made.values():
        report.to_json(tmp_path / "recipe.json")
        again = RecipeReport.from_json(tmp_path / "recipe.json")
        assert again.to_dict() == report.to_dict()
        assert str(again) == str(report)
        assert repr(again) == repr(report)


def test_a_recipe_report_without_pandas(made, pandas_not_installed):
    with pytest.raises(ImportError, match=r"sklearn-mia\[report\]"):
        made["a leak"].summary  # noqa: B018
    assert str(made["a leak"])


def test_a_damaged_recipe_report_is_refused_with_what_is_wrong(made):
    def damaged(*path, value):
        content = json.loads(made["groups"].to_json())
        *inside, last = path
        reduce(getitem, inside, content)[last] = value
        return json.dumps(content)

    end = "; expected a file written by RecipeReport.to_json."
    for path, value, message in (
        (("n_targets",), 3, "is damaged: : n_targets is not the number of targets"),
        (("summary", 0, "mean"), 1.5, "summary[0].mean is 1.5; expected a number from"),
        (("summary", 0, "low"), None, "summary[0]: the ends are not null together"),
        (
            ("summary", 0, "mean"),
            None,
            "summary[0]: there are ends without a mean",
        ),
        (("summary", 0, "metric"), "x", "summary lacks an attack or metric"),
        (("targets", 1, "attacks"), {}, "a model lacks a metric of an attack"),
        (("targets", 1, "of_records"), None, "what is by record does not go with unit"),
        (("attacks",), [], "there is no attack"),
        (("nouns",), {}, "nouns.one is missing"),
        (("schema",), "sklearn_mia.audit", "has the schema 'sklearn_mia.audit', not "),
    ):
        with pytest.raises(ValueError, match=re.escape(message)) as caught:
            RecipeReport.from_json(damaged(*path, value=value))
        assert str(caught.value).endswith(end)
    with pytest.raises(ValueError, match="has schema version 5; this package reads up"):
        RecipeReport.from_json(damaged("schema_version", value=5))


def test_the_short_form_has_the_main_facts(made):
    content = json.loads(made["a leak"].to_json())
    for row, mean in zip(content["summary"], (0.7, 0.25), strict=False):
        row |= {"mean": mean, "low": mean - 0.05, "high": mean + 0.05}
    name = content["summary"][0]["attack"]
    assert repr(RecipeReport(content)).splitlines() == [
        "<RecipeReport of DecisionTreeClassifier: 3 models>",
        f"  {name}: AUC 0.700 (0.650 to 0.750), TPR at FPR=0.01 0.250 (0.200 to 0.300)",
        "  mean and 95 % interval over models",
    ]
    content["summary"][1] |= dict.fromkeys(("mean", "low", "high"))
    assert "TPR at FPR=0.01 n/a\n" in repr(RecipeReport(content))


def test_what_is_called_a_leak_holds_for_all_attacks_together(made):
    # t(2) at 1 - .05 / 2 / 2 is 6.205.
    report = made["a leak"]
    lows = []
    for name in ("LiRA", "ThresholdAttack"):
        values = [target["attacks"][name]["auc"] for target in report.targets]
        lows.append(np.mean(values) - 6.205 * np.std(values, ddof=1) / np.sqrt(3))
    assert max(lows) > 0.5
    assert "\nModels trained this way give away who is in their data" in str(report)
    text = " ".join(str(made["none shown"]).split())
    assert "give away who is in their data was not shown: the strongest" in text
    assert "do not exclude a mean AUC of 0.5, nor one of" in text
    assert "nor is a stronger attack excluded" in text


@pytest.mark.parametrize(
    ("auc", "is_leak"), [(1.0, True), (0.5, False), (0.55, False), (0.0, True)]
)
def test_one_auc_of_all_models_is_no_interval_and_no_comfort(made, auc, is_leak):
    content = json.loads(made["none shown"].to_json())
    for target in content["targets"]:
        target["attacks"]["loss"]["auc"] = auc
    note = "unknown: all models have this value"
    content["summary"][0] |= {"mean": auc, "low": None, "high": None, "note": note}
    report = RecipeReport.from_json(json.dumps(content))
    text = " ".join(str(report).split())
    # With 200 records a side chance has a standard deviation of .0289, and 1.96 of
    # them are below .06.
    assert ("was not shown" in text) != is_leak
    assert (
        "A mean AUC of 0.5 is not excluded, and how far it may be from that is "
        "unknown: all models have the same AUC by loss." in text
    ) != is_leak
    assert f"auc {auc:.3f} {note}" in text
    content["summary"][0]["note"] = ""
    message = "there is no interval, and no note that says why"
    with pytest.raises(ValueError, match=message):
        RecipeReport.from_json(json.dumps(content))


def test_a_ranking_that_is_clearly_reversed_is_a_leak_too(made):
    content = json.loads(made["none shown"].to_json())
    for target, auc in zip(content["targets"], (0.4, 0.41, 0.42, 0.41), strict=True):
        target["attacks"]["loss"]["auc"] = auc
    text = " ".join(str(RecipeReport(content)).split())
    assert "loss clearly ranks the members below the others: turned round" in text
    assert "tells them apart with a mean AUC of 0.590." in text
    assert "was not shown" not in text


def test_a_class_that_a_half_lacks_is_told_before_a_fit(table):
    X, y = table
    rare = np.where(np.arange(400) < 1, 2, y)
    message = (
        r"^y has the class 2 in 1 of 400 records, none of which is in the half that "
        r"model \d would be trained on; expected some in each half\."
    )
    with pytest.raises(ValueError, match=message):
        audit_recipe(NeverFitted(), X, rare, random_state=0)


def test_the_page_of_a_recipe_holds_all_it_shows(made, tmp_path):
    pytest.importorskip("jinja2")
    for name, report in made.items():
        report.to_html(tmp_path / "recipe.html", title="Ours & theirs")
        page = (tmp_path / "recipe.html").read_text(encoding="utf-8")
        assert "<title>Ours &amp; theirs</title>" in page
        assert not re.search(r"<script|<link rel=.stylesheet|https?://|@import", page)
        told = re.sub(r"<[^>]*>", "", page[page.index("<main>") :])
        for row in report.rows:
            assert row["attack"] in told
            if row["mean"] is not None and row["metric"] == "auc":
                assert f"{row['mean']:.3f}" in told
        for target in report.targets:
            for found in target["attacks"].values():
                assert f"{found['auc']:.3f}" in told
        n_rings = 2 * report.n_targets * len(report.targets[0]["attacks"])
        assert page.count('<circle class="edge others"') == n_rings
        assert ("A leak was found" in told) == (name != "none shown")
        assert "Whoever has the file of a model may learn far more" in told
        assert (
            page.count("by record") > 4 if name == "groups" else "by record" not in page
        )
    assert "Membership audit of the procedure" in report.to_html()
    assert report._repr_html_().startswith("<iframe srcdoc=")


def test_nothing_of_a_single_record_is_in_any_form(table):
    pytest.importorskip("jinja2")
    X, y = table
    persons = np.array([f"Jane-{person:03d}" for person in PERSONS])
    report = audit_recipe(
        DecisionTreeClassifier(),
        X,
        y,
        n_targets=2,
        attacks=LOSS,
        groups=persons,
        random_state=0,
    )
    forms = (report.to_json(), report.to_html(), str(report), repr(report))
    assert "Jane" not in "".join(forms)


def test_a_recipe_that_is_no_text_of_html_is_escaped(table):
    pytest.importorskip("jinja2")

    class Odd(LogisticRegression):
        def __repr__(self):
            return "Odd(<script>\x1b)"

    report = audit_recipe(Odd(), *table, n_targets=2, attacks=LOSS, random_state=0)
    page = report.to_html()
    assert "<script>" not in page
    assert "Odd(&lt;script&gt;\\x1b)" in page
    assert "\x1b" not in str(report) + page
