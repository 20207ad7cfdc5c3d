"""What an audit costs by its effort, and what counts more."""

import pytest
from sklearn.datasets import make_classification
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import RMIA, audit, audit_predictions
from sklearn_mia.auditing._settings import EFFORTS, Settings


def test_effort_is_a_number_of_shadow_models_and_nothing_that_a_level_depends_on():
    found = {effort: Settings(effort=effort) for effort in EFFORTS}
    assert {k: v.n_shadows for k, v in found.items()} == {
        "quick": 2,
        "standard": 6,
        "thorough": 64,
    }
    n_permutations = {k: v.n_permutations for k, v in found.items()}
    assert n_permutations == {"quick": 199, "standard": 999, "thorough": 999}
    # Tests at 5 % are exact where 1 / .05 divides one more than their permutations.
    assert all((n + 1) % 20 == 0 for n in n_permutations.values())
    counts = {"effort": "", "n_shadows": 0, "n_permutations": 0}
    others = [vars(v) | counts for v in found.values()]
    assert others[0] == others[1] == others[2]
    assert Settings() == found["standard"]
    assert Settings(effort="quick", n_shadows=8).n_shadows == 8
    assert Settings(effort="quick", n_permutations=999).n_permutations == 999


def test_another_effort_is_refused():
    with pytest.raises(
        ValueError, match="effort='huge'; expected one of 'quick', 'standard', 'tho"
    ):
        Settings(effort="huge")


def test_a_report_tells_its_effort_and_its_shadow_models():
    X, y = make_classification(120, 4, flip_y=0.2, random_state=0)
    model = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X[:60], y[:60])
    sides = X[:60], y[:60], X[60:], y[60:]
    options = {"n_permutations": 99, "slices": (), "random_state": 0}

    def told(**params):
        settings = audit(model, *sides, **options, **params).to_dict()["report"][
            "settings"
        ]
        return settings["effort"], settings["n_shadows"]

    assert told(effort="quick") == ("quick", 2)
    assert told(attacks=["RMIA"], effort="quick", n_shadows=4) == ("quick", 4)
    assert told(attacks=RMIA(n_shadows=8)) == ("standard", 8)
    assert told(attacks="ThresholdAttack") == ("standard", None)
    alone = audit_predictions(model.predict_proba(X), y, [True] * 60 + [False] * 60)
    assert alone.to_dict()["report"]["settings"]["n_shadows"] is None


def test_the_first_shadow_models_are_those_of_a_smaller_effort(tmp_path):
    X, y = make_classification(120, 4, flip_y=0.2, random_state=0)
    model = DecisionTreeClassifier(max_depth=3, random_state=0).fit(X[:60], y[:60])
    sides = X[:60], y[:60], X[60:], y[60:]
    options = {"attacks": "RMIA", "slices": (), "n_permutations": 99}
    for effort, n_shadows in (("quick", 2), ("standard", 6)):
        audit(model, *sides, effort=effort, memory=tmp_path, random_state=0, **options)
        assert len(list(tmp_path.rglob("answer_of_shadow/*/output.pkl"))) == n_shadows
