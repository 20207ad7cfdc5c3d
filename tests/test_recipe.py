import json
import re

import numpy as np
import pytest
from helpers.selection import PERSONS, group_auc, log_likelihood
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import LiRA, ThresholdAttack, audit
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
    assert [row["metric"] for row in report.summary[:3]] == [
        "auc",
        "tpr@fpr=0.001",
        "tpr@fpr=0.1",
    ]
    values = [target["attacks"]["loss"]["auc"] for target in report.targets]
    auc = report.summary[0]
    assert auc["mean"] == pytest.approx(np.mean(values))
    # t(2) at 97.5 % is 4.303.
    spread = 4.303 * np.std(values, ddof=1) / np.sqrt(3)
    assert auc["high"] - auc["mean"] == pytest.approx(spread, rel=1e-3)
    assert report.summary[1]["mean"] is None
    assert "1000 non-members" in str(report)
    assert report.targets[0] != report.targets[1]
    assert '"schema": "sklearn_mia.recipe"' in report.to_json()
    assert repr(report) == "<RecipeReport of DecisionTreeClassifier: 3 models>"


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
    auc = report.summary[0]
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
    assert "Each of the children counts once, with all records" in text
    assert "needs 100 children not in the data, and scores" in text
    assert text.count("\n  loss") == 6
    assert text.partition("Record by record, beside it")[2].count("\n  loss") == 3
    content = json.loads(report.to_json())
    assert content["schema_version"] == 2
    assert content["unit"] == report.unit == "group"
    assert content["nouns"]["many"] == "children"
    assert set(report.summary[1]["of_records"]) == {"mean", "low", "high", "note"}
    plain = audit_recipe(LogisticRegression(), *table, **options)
    assert plain.unit == "record"
    assert plain.summary[0]["of_records"] is plain.targets[0]["of_records"] is None
    assert "children" not in str(plain) + plain.to_json()
    assert "Record by record" not in str(plain)


def test_neither_the_order_of_records_nor_the_kind_of_a_key_matters(table):
    X, y = table
    order = np.random.default_rng(0).permutation(400)
    words = np.array([f"p{person:03d}" for person in PERSONS])
    recipe = DecisionTreeClassifier(min_samples_leaf=5, random_state=0)
    options = {"attacks": LOSS, "n_targets": 2, "random_state": 0}
    one, two = (
        audit_recipe(recipe, *sides, groups=groups, **options).summary
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
    for row in report.summary:
        assert row["mean"] == row["of_records"]["mean"]


def test_groups_that_no_recipe_can_be_audited_by_are_told_before_a_fit(table):
    class NeverFitted(LogisticRegression):
        def fit(self, X, y):
            raise AssertionError

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
