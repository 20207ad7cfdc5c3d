"""What a report says can be done about the file of a regressor."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.metrics import r2_score, roc_auc_score

from sklearn_mia import (
    AuditReport,
    LinearReconstructionAttack,
    as_records,
    audit,
    round_values,
    strip_counts,
)
from sklearn_mia.auditing._case_of_answers import case_of_values
from sklearn_mia.auditing._nouns import nouns_of
from sklearn_mia.auditing._stored import _TRAINED_OTHERWISE, _decimals_for, stored_told

N = 300
X, Y = make_friedman1(2 * N, n_features=6, noise=3.0, random_state=0)
SIDES = X[:N], Y[:N], X[N:], Y[N:]
QUICK = {"n_shadows": 2, "n_permutations": 99, "random_state": 0}


@pytest.fixture(scope="module")
def boosting():
    return HistGradientBoostingRegressor(max_iter=20).fit(*SIDES[:2])


@pytest.fixture(scope="module")
def report(boosting):
    return audit(boosting, *SIDES, effort="thorough", **QUICK)


def steps_of(report):
    return report.to_dict()["report"]["next_steps"]


def test_a_thorough_audit_measures_both_ways(report, boosting):
    stored = report.to_dict()["report"]["stored"]
    stripped, rows = stored["stripped"], stored["rounded"]
    # The values spread over 5.6.
    assert [row["decimals"] for row in rows] == [2, 1]
    copies = [strip_counts(boosting), *(round_values(boosting, d) for d in (2, 1))]
    for row, copy in zip((stripped, *rows), copies, strict=True):
        scores = LinearReconstructionAttack(copy, exact=True, max_iter=1000).fit_score(
            as_records(X, Y)
        )
        expected = roc_auc_score(np.arange(2 * N) < N, scores)
        assert row["auc"]["estimate"] == pytest.approx(expected)
    for row, copy in zip(rows, copies[1:], strict=True):
        off = np.abs(copy.predict(X) - boosting.predict(X)).max()
        assert row["largest_change"] == pytest.approx(off)
        assert row["r2"] == pytest.approx(r2_score(Y, copy.predict(X)))
        assert row["r2_before"] == pytest.approx(r2_score(Y, boosting.predict(X)))
        assert row["accuracy"] is row["accuracy_before"] is None


def test_what_was_measured_is_told_in_the_unit_of_the_values(report):
    content = AuditReport.from_json(report.to_json()).to_dict()["report"]
    row = content["stored"]["rounded"][1]
    row |= {"largest_change": 0.52, "r2": 0.69, "r2_before": 0.7}
    row["auc"] |= {"estimate": 0.6, "low": 0.58, "high": 0.62}
    row["rate"]["resolvable"] = False
    told = " ".join(stored_told(content, nouns_of(None)))
    assert "Without the numbers of records in its nodes (strip_counts), which" in told
    assert (
        "With the values of the leaves rounded to multiples of 0.1 as well "
        "(round_values), which changes a prediction by 0.52 at the most and the R2 on "
        "the audited records from 0.700 to 0.690, that is an AUC of 0.600 (0.580 to "
        "0.620)."
    ) in told
    (step,) = (s for s in steps_of(report) if "round_values" in s["text"])
    assert step["access"] == "file"
    assert step["text"] == (
        "Hand over the file with less in it, by strip_counts(model) or "
        "round_values(model, 1): what that is worth stands under what the file stores."
    )


@pytest.mark.parametrize(
    ("scale", "expected"),
    [(1, (1, 0)), (1e-3, (4, 3)), (1e4, (-3, -4)), (1e30, (-9,)), (1e-20, (9,))],
)
def test_decimals_are_by_the_spread_of_the_values(scale, expected):
    values = scale * np.random.default_rng(0).normal(40, 12, 100)
    case, _ = case_of_values(values, values, np.arange(100) < 50)
    assert _decimals_for(case) == expected


def test_without_a_thorough_audit_it_is_said_what_to_try():
    forest = RandomForestRegressor(10, random_state=0).fit(*SIDES[:2])
    steps = steps_of(audit(forest, *SIDES, effort="quick", **QUICK))
    assert (
        "Try on the file what needs no training, strip_counts(model) and "
        "round_values(model, decimals), with decimals in the unit of the values to "
        "predict: effort='thorough' (--effort thorough) measures both."
    ) in [step["text"] for step in steps]
    (otherwise,) = (s for s in steps if "min_samples_leaf=1" in s["text"])
    assert otherwise["measured"].startswith(
        "Trained otherwise the file tells less: of models that predict the hours per "
        "week of the Adult table, of 2,000 records, the attack on it has an AUC of 1.00"
    )


def test_a_file_that_nothing_can_be_taken_out_of_is_kept():
    rng = np.random.default_rng(0)
    wide = rng.normal(size=(400, 150))
    values = wide[:, 0] + rng.normal(size=400)
    sides = wide[:200], values[:200], wide[200:], values[200:]
    model = Ridge(1e-6).fit(*sides[:2])
    found = audit(model, *sides, effort="quick", **QUICK)
    headline = found.to_dict()["report"]["headline"]
    assert headline["attack"] == "LinearReconstructionAttack"
    (step,) = (s for s in steps_of(found) if s["access"] == "file")
    assert step["text"] == (
        "Let others ask the model in place of its file: no way is known to take out of "
        "the file what tells of training records and to keep the answers."
    )
    asked = found.to_dict()["report"]["beside"]["headline"]["auc"]["estimate"]
    assert step["measured"] == (
        f"Measured here: who asks has an AUC of {asked:.3f}, who has the file "
        f"{headline['auc']['estimate']:.3f}."
    )


FIGURES = {
    "RandomForestRegressor": (
        "forest",
        *(f"forest, leaf {leaf}" for leaf in ("5", "20", "50", "20, a fifth a tree")),
    ),
    "ExtraTreesRegressor": ("extra trees, leaf 20", "extra trees, leaf 20, bootstrap"),
    "HistGradientBoostingRegressor": (
        "histogram boosting",
        "histogram boosting, 20 trees",
        "histogram boosting, 20 trees of 8 leaves",
    ),
    "GradientBoostingRegressor": (
        "gradient boosting",
        "gradient boosting, half a tree",
    ),
}


@pytest.mark.parametrize("family", FIGURES)
def test_what_is_told_of_other_settings_was_measured(family):
    results = Path(__file__).parents[1] / "benchmarks" / "results"
    rows = json.loads((results / "file_defences_regressors.json").read_text())["rows"]
    expected = []
    for metric in ("AUC", "R2"):
        for model in FIGURES[family]:
            own = [
                row[metric]
                for row in rows
                if (row["model"], row["file"]) == (model, "as it is")
            ]
            assert len(own) == 2
            expected.append(f"{np.mean(own):.2f}".removeprefix("0"))
    told = re.findall(r"\d?\.\d\d", _TRAINED_OTHERWISE[family])
    assert told == expected
