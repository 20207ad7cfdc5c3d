import pytest

from sklearn_mia.auditing import audit
from sklearn_mia.auditing._verdict import check_limits, judge_limits


def test_default_limits_are_those_documented():
    assert check_limits(None) == [
        ("auc", None, 0.6),
        ("tpr@fpr=0.01", 0.01, 0.05),
    ]
    assert "0.05" in audit.__doc__


@pytest.mark.parametrize(
    ("estimate", "low", "high", "leak", "outcome", "surely"),
    [
        (0.7, 0.65, 0.75, True, "exceeded", True),
        (0.7, 0.55, 0.8, True, "exceeded", False),
        (0.7, 0.45, 0.8, False, "undecided", False),
        (0.55, 0.5, 0.65, True, "kept", False),
        (0.55, 0.52, 0.58, True, "kept", True),
        (0.7, None, None, True, "exceeded", False),
    ],
)
def test_limits_are_judged(estimate, low, high, leak, outcome, surely):
    weak = {"estimate": 0.5, "low": 0.4, "high": 0.6}
    strong = {"estimate": estimate, "low": low, "high": high}
    intervals = {"weak": weak, "strong": strong}
    row = judge_limits([("auc", None, 0.6)], intervals, intervals.get, None, leak)[0]
    assert row["attack"] == "strong"
    assert (row["outcome"], row["surely"]) == (outcome, surely)
