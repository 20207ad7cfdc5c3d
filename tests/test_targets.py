"""Models of other packages, attacked and audited as they are used.

``benchmarks/bench_targets.py`` runs all of it and writes a table.
"""

import numpy as np
import pytest
from helpers.other_packages import (
    ATTACKS,
    TARGETS,
    attack_on,
    audit_of,
    has_no_equations,
    made,
    records_of,
    sides_of,
)
from sklearn.metrics import roc_auc_score

from sklearn_mia import SupervisedAttack

# What other packages warn of, which is not about an attack.
pytestmark = pytest.mark.filterwarnings(
    "default",
    # Of a class without enough records in a shadow, say.
    "ignore:.*could not be scored:UserWarning",
)


@pytest.fixture(scope="module", params=TARGETS)
def target(request):
    package = TARGETS[request.param][0]
    if package is not None:
        pytest.importorskip(package, reason=f"{package} is not installed")
    if package == "skorch":
        pytest.importorskip("torch", reason="torch is not installed")
    return request.param, *made(request.param)


def test_it_is_audited(target):
    name, model, recipe = target
    sides = sides_of(name)
    before = np.asarray(model.predict_proba(sides[0]))
    report = audit_of(name, model, recipe)
    content = report.to_dict()["report"]
    assert content["data"]["n_members"] == content["data"]["n_nonmembers"] == 100
    for row in content["attacks"]:
        assert 0 <= row["auc"]["low"] <= row["auc"]["high"] <= 1
    assert str(report)
    assert np.array_equal(np.asarray(model.predict_proba(sides[0])), before)


@pytest.mark.parametrize(
    "attack",
    [a if a == "RMIA" else pytest.param(a, marks=pytest.mark.slow) for a in ATTACKS],
)
def test_it_is_attacked(target, attack):
    name, model, recipe = target
    own = attack_on(attack, model, recipe)
    if own is None:
        pytest.skip(f"{attack} says that it is not for this model")
    records, is_member = records_of(name)
    known = is_member if isinstance(own, SupervisedAttack) else None
    try:
        scores = own.fit_score(records, known)
    except ValueError as error:
        if not has_no_equations(error):
            raise
        pytest.skip("nothing is known of what this file stores")
    assert np.isfinite(scores).all()
    assert np.array_equal(own.score_samples(records), scores)
    assert 0 <= roc_auc_score(is_member, scores) <= 1
