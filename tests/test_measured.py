"""What a report says was measured is what the results of the benchmark hold."""

import json
from pathlib import Path

import numpy as np
import pytest

from sklearn_mia.risk import _measured, risky_settings

RESULTS = Path(__file__).parents[1] / "benchmarks/results/answer_defences.json"


def rows_of(family, change):
    """Figures of the attack with the largest mean AUC."""
    rows = json.loads(RESULTS.read_text())["rows"]
    by_attack = {}
    for row in rows:
        if (row["model"], row["change"]) == (family, change):
            by_attack.setdefault(row["attack"], []).append(row)
    return max(by_attack.values(), key=lambda own: np.mean([r["AUC"] for r in own]))


@pytest.mark.parametrize("family", _measured.ANSWERS)
def test_figures_are_those_of_the_benchmark(family):
    for change, told in _measured.ANSWERS[family].items():
        rows = rows_of(family, change)
        means = [np.mean([r[m] for r in rows]) for m in ("AUC", "TPR@1%", "accuracy")]
        np.testing.assert_allclose(told, means, atol=0.00051)


def test_what_other_leaves_changed_is_told_with_the_setting():
    from sklearn.ensemble import RandomForestClassifier

    (found,) = risky_settings(RandomForestClassifier())
    assert found.measured == (
        "Asked, default models of 4,000 records of Adult had an AUC of 0.87 and a TPR "
        "of 25 %; an AUC of 0.65 and a TPR of 5.5 % with min_samples_leaf=5; an AUC of "
        "0.57 and a TPR of 2.5 % with min_samples_leaf=20; an AUC of 0.55 and a TPR of "
        "1.9 % with min_samples_leaf=50; at accuracies of 0.85, 0.86, 0.85, 0.83."
    )


def test_more_records_are_advised_only_where_they_help():
    assert not _measured.more_records_told("RandomForestClassifier")[0]
    assert _measured.more_records_told("HistGradientBoostingClassifier")[0]
    assert _measured.more_records_told("SomethingElse") == (True, None)


def test_answers_are_told_of_what_was_measured():
    labels = "with labels alone and changed copies."
    for family, rows in _measured.ANSWERS.items():
        told = _measured.answers_told(family)
        assert told.startswith(f"On 4,000 records of Adult a default {family} had an")
        assert told.endswith(labels)
        assert ("with one decimal" in told) == (_measured.ROUNDED in rows)
    assert _measured.answers_told("NuSVC") is None
