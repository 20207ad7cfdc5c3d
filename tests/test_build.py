import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

from sklearn_mia.auditing import audit_predictions
from sklearn_mia.auditing._evaluation import plain_interval, tpr_row
from sklearn_mia.metrics import roc_auc_interval

IS_MEMBER = np.arange(600) < 300


@pytest.fixture(scope="module")
def report():
    """Four attacks by the answers of a model of three classes, at 90 % confidence."""
    X, y = make_classification(
        600, 8, n_informative=5, n_classes=3, flip_y=0.3, random_state=0
    )
    model = RandomForestClassifier(20, random_state=0).fit(X[IS_MEMBER], y[IS_MEMBER])
    return audit_predictions(
        model.predict_proba(X),
        y,
        IS_MEMBER,
        confidence=0.9,
        limits={"auc": 0.6, "tpr@fpr=0.05": 0.05},
        n_permutations=99,
    )


def scores_of(report, attack):
    return np.asarray(report.to_dict(name_records=True)["records"][f"score_{attack}"])


def test_intervals_of_the_headline_hold_for_all_attacks_together(report):
    headline = report.to_dict()["report"]["headline"]
    assert headline["n_attacks"] == len(report.attacks) == 4
    assert headline["attack"] == report.attacks[0]["name"]
    scores, level = scores_of(report, headline["attack"]), 1 - 0.06 / 4
    together = roc_auc_interval(IS_MEMBER, scores, confidence=level)
    assert headline["auc"] == plain_interval(together)
    assert headline["rate"] == tpr_row(IS_MEMBER, scores, 0.01, level)


def test_limits_are_judged_by_intervals_that_hold_for_all_attacks_together(report):
    auc, rate = report.limits
    scores, level = scores_of(report, auc["attack"]), 1 - 0.06 / 4
    together = roc_auc_interval(IS_MEMBER, scores, confidence=level)
    assert auc["interval"] == plain_interval(together)
    scores = scores_of(report, rate["attack"])
    assert rate["interval"] == tpr_row(IS_MEMBER, scores, 0.05, level)["tpr"]


def test_a_number_is_shown_with_one_interval(report):
    for attack in report.attacks:
        scores = scores_of(report, attack["name"])
        together = roc_auc_interval(IS_MEMBER, scores, confidence=1 - 0.06 / 4)
        assert attack["auc"] == plain_interval(together)
    assert report.attacks[0]["auc"] == report.to_dict()["report"]["headline"]["auc"]


def test_intervals_of_slices_hold_for_all_attacks_in_all_slices_together(report):
    labels = np.asarray(report.to_dict(name_records=True)["records"]["class"]).astype(
        str
    )
    assert [row["value"] for row in report.slices] == ["0", "1", "2"]
    levels = {row["auc"]["confidence"] for row in report.slices}
    assert len(levels) == 1
    # Alike attacks cost less than 12 tests; 98 % is for all of them together.
    level = levels.pop()
    assert 0.98 <= level <= 1 - 0.02 / 12 + 0.002
    for row in report.slices:
        inside = labels == row["value"]
        interval = roc_auc_interval(
            IS_MEMBER[inside],
            scores_of(report, row["attack"])[inside],
            confidence=level,
        )
        assert row["auc"] == plain_interval(interval)
