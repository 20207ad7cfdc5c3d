"""Which attack a report leads with, and what it says of the others."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_mia import audit
from sklearn_mia.auditing._judging import parts_of
from sklearn_mia.auditing._verdict import state_verdict

N = 150
RNG = np.random.default_rng(0)
X = RNG.normal(size=(2 * N, 5))
VALUES = X[:, 0] * 3 + X[:, 1] ** 2 + RNG.normal(size=2 * N) * 2
LABELS = (VALUES > 0) ^ (RNG.random(2 * N) < 0.2)


def audited(model, y, release):
    model.fit(X[:N], y[:N])
    sides = X[:N], y[:N], X[N:], y[N:]
    return audit(
        model, *sides, release=release, n_shadows=4, n_permutations=99, random_state=0
    )


@pytest.mark.parametrize(
    ("model", "y", "release", "leads", "said"),
    [
        (
            DecisionTreeRegressor(random_state=0),
            VALUES,
            "interface",
            "ThresholdAttack",
            "The limit is an AUC of 0.6; ThresholdAttack is above it",
        ),
        (
            KNeighborsRegressor(1),
            VALUES,
            "file",
            "ThresholdAttack",
            "LinearReconstructionAttack does as well.",
        ),
        (
            DecisionTreeClassifier(random_state=0),
            LABELS,
            "interface",
            "RMIA",
            "The limit is an AUC of 0.6; RMIA is above it",
        ),
        (
            RandomForestClassifier(20, random_state=0),
            LABELS,
            "file",
            "LinearReconstructionAttack",
            "LinearReconstructionAttack, recognises",
        ),
    ],
)
def test_no_attack_beats_the_one_that_is_called_the_strongest(
    model, y, release, leads, said
):
    report = audited(model, y, release)
    assert report.verdict["sentences"][0].startswith("The strongest of")
    assert said in " ".join(report.verdict["sentences"])
    numbers = {
        row["name"]: (row["auc"]["estimate"], row["tpr_at_fpr"][1]["tpr"]["estimate"])
        for row in report.attacks
    }
    for part in parts_of(report._content):
        headline = part["headline"]
        assert headline["rate"]["max_fpr"] == 0.01
        if part is report._content:
            assert headline["attack"] == leads
        # The interval is that of one of all, whichever is named.
        assert headline["auc"]["confidence"] == pytest.approx(1 - 0.03 / len(numbers))
        held = set(numbers)
        if part["access"] == "interface":
            held -= {"LinearReconstructionAttack"}
        own = np.array(numbers[headline["attack"]])
        for name in held:
            other = np.array(numbers[name])
            assert not (np.all(other >= own) and np.any(other > own)), name


def interval(estimate):
    low, high = estimate - 0.05, estimate + 0.05
    return {"estimate": estimate, "low": low, "high": high, "note": ""}


def numbers(auc, tpr, resolvable=True):
    rate = {"max_fpr": 0.01, "resolvable": resolvable, "tied": not resolvable}
    rate |= {"n_false_alarms": 2, "tpr": interval(tpr)}
    return interval(auc), rate


@pytest.mark.parametrize(
    ("others", "told"),
    [
        ({"B": numbers(0.6, 0.2)}, []),
        ({"B": numbers(0.7, 0.3)}, ["B does as well."]),
        ({"B": numbers(0.7, 0.3), "C": numbers(0.7, 0.3)}, ["B and C do as well."]),
        (
            {"B": numbers(0.8, 0.1), "C": numbers(0.75, 0.1)},
            ["B has a larger AUC (0.800, 0.750 to 0.850)."],
        ),
        (
            {"B": numbers(0.6, 0.4)},
            ["B recognises more at 1 % false alarms, 40.0 % (35.0 to 45.0 %)."],
        ),
        # A rate that ties hide is not told.
        ({"B": numbers(0.6, 0.4, resolvable=False)}, []),
    ],
)
def test_what_is_said_of_attacks_beside_the_strongest(others, told):
    auc, rate = numbers(0.7, 0.3)
    headline = {"attack": "A", "n_attacks": 1 + len(others), "n_nonmembers": 200}
    verdict = state_verdict(
        {"p_value": 0.001, "confidence": 0.97},
        [],
        {"power": 0.8, "auc": 0.58, "exposed_share": None},
        [],
        headline | {"auc": auc, "rate": rate},
        "Forest",
        others=others,
    )
    seen = [
        sentence
        for sentence, kind in zip(verdict["sentences"], verdict["kinds"], strict=True)
        if kind == "seen"
    ]
    assert seen[2:] == told
