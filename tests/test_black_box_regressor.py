"""A regressor behind a real HTTP service of this machine, attacked by questions."""

import json
import pickle
from functools import partial

import numpy as np
import pytest
from helpers.service import Service, ask
from sklearn.base import clone, is_regressor
from sklearn.datasets import make_friedman1
from sklearn.ensemble import RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor

from sklearn_mia import (
    RMIA,
    AuditReport,
    BlackBoxRegressor,
    DifficultyCalibrationAttack,
    LinearReconstructionAttack,
    LiRA,
    QuantileRegressionAttack,
    SupervisedAttack,
    ThresholdAttack,
    as_records,
    audit,
)

X, Y = make_friedman1(400, n_features=6, noise=3.0, random_state=0)
SIDES = X[:200], Y[:200], X[200:], Y[200:]
RECORDS, IS_MEMBER = as_records(X, Y), np.arange(400) < 200
RECIPE = DecisionTreeRegressor(max_depth=4)
SHADOWS = {"shadow_estimator": RECIPE, "n_shadows": 4, "random_state": 0}
FEW = {"n_permutations": 99, "random_state": 0}


@pytest.fixture(scope="module")
def model():
    return RandomForestRegressor(10, random_state=0).fit(X[:200], Y[:200])


@pytest.fixture
def service(model):
    service = Service(model, "predict")
    yield service
    service.stop()


@pytest.fixture
def asked(service):
    return partial(
        BlackBoxRegressor, predict=partial(ask, service.url), batch_size=50, backoff=0
    )


@pytest.mark.parametrize(
    "attack",
    [
        ThresholdAttack(),
        QuantileRegressionAttack(n_folds=2, random_state=0),
        SupervisedAttack(),
        RMIA(**SHADOWS),
        LiRA(**SHADOWS),
        DifficultyCalibrationAttack(**SHADOWS),
    ],
    ids=lambda attack: type(attack).__name__,
)
def test_scores_are_those_of_the_model_itself(attack, asked, service, model):
    service.fails_often = True
    target = asked()
    own = clone(attack).set_params(target_estimator=target)
    direct = clone(attack).set_params(target_estimator=model)
    known = IS_MEMBER if isinstance(attack, SupervisedAttack) else None
    scores = own.fit_score(RECORDS, known)
    assert np.array_equal(scores, direct.fit_score(RECORDS, known))
    assert set(service.seen.values()) == {1}
    assert target.n_queries_ == len(service.seen) == 400
    assert target.n_calls_ > 8


@pytest.mark.parametrize("attack", [ThresholdAttack(), LiRA(**SHADOWS)])
def test_records_beyond_the_budget_have_no_answer_and_the_neutral_score(attack, asked):
    target = asked(max_queries=300)
    with pytest.warns(UserWarning, match="100 of 400 records were not asked"):
        prediction = target.predict(X)
    lacking = np.isnan(prediction)
    assert lacking.sum() == target.n_unasked_ == 100
    backwards = asked(max_queries=300)
    with pytest.warns(UserWarning, match="not asked"):
        assert np.array_equal(np.isnan(backwards.predict(X[::-1])), lacking[::-1])
    attack = clone(attack).set_params(target_estimator=target)
    with pytest.warns(UserWarning, match="max_queries of the target is used up"):
        scores = attack.fit_score(RECORDS)
    assert len(set(scores[lacking])) == 1
    assert np.median(scores[~lacking]) == pytest.approx(scores[lacking][0])


def test_an_audit_within_a_budget(asked, tmp_path):
    target = asked(max_queries=300)
    with pytest.warns(UserWarning, match="100 of 400 records were not asked"):
        report = audit(target, *SIDES, shadow_estimator=RECIPE, n_shadows=4, **FEW)
    content = json.loads(report.to_json())["report"]
    assert content["model"]["queries"]["n_queries"] == 300
    assert content["data"]["n_members"] + content["data"]["n_nonmembers"] == 300
    assert content["data"]["r2_members"] > content["data"]["r2_nonmembers"] + 0.1
    assert content["access"] == "interface"
    codes = {finding.code for finding in report.findings}
    assert "MIA029" in codes
    assert "MIA030" not in codes
    path = tmp_path / "report.json"
    report.to_json(path)
    assert str(AuditReport.from_json(path)) == str(report)


def test_an_audit_without_a_recipe_is_that_of_the_model_itself(asked, model):
    given = {"attacks": "ThresholdAttack", "slices": None, **FEW}
    report = audit(asked(), *SIDES, **given)
    direct = audit(model, *SIDES, release="interface", **given)
    for key in ("headline", "limits", "exposed"):
        assert report.to_dict()["report"][key] == direct.to_dict()["report"][key]
    assert "MIA030" in {finding.code for finding in report.findings}
    with pytest.raises(ValueError, match="its file is not at hand"):
        audit(asked(), *SIDES, release="file", **FEW)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([[0.5, 0.5]], r"predict returned shape \(1, 2\); expected \(2,\), a predict"),
        ([1.0], r"shape \(1,\)"),
        ([1.0, np.nan], "returned 1 values of 2 that are missing or infinite"),
        ([1.0, None], "returned 1 values of 2 that are missing or infinite"),
        (
            [np.float32(1), float("nan")],
            r"^predict returned 1 values of 2 that are missing or infinite; expected a "
            r"finite number for each record\.$",
        ),
        ({"error": "busy"}, "returned dict, which is no list of numbers"),
        (["a", "b"], "returned list, which is no list of numbers"),
    ],
)
def test_wrong_answers_are_refused(answer, message):
    target = BlackBoxRegressor(predict=lambda X: answer)
    with pytest.raises(ValueError, match=message):
        target.predict([[0.0], [1.0]])
    assert target.n_queries_ == 0


def test_one_prediction_for_all_is_nothing_to_attack():
    constant = BlackBoxRegressor(predict=lambda X: np.ones(len(X)), max_queries=300)
    with (
        pytest.warns(UserWarning, match="not asked"),
        pytest.raises(ValueError, match="one value for all 300 records: its answers"),
    ):
        ThresholdAttack(constant).fit(RECORDS)


def test_it_is_a_regressor_that_is_cloned_pickled_and_kept(asked, service, tmp_path):
    target = asked(memory=tmp_path)
    assert is_regressor(target)
    expected = target.predict(X)
    assert clone(target) is target
    assert np.array_equal(pickle.loads(pickle.dumps(target)).predict(X), expected)
    again = asked(memory=tmp_path)
    assert np.array_equal(again.predict(X), expected)
    assert again.n_calls_ == 0
    assert set(service.seen.values()) == {1}
    assert "tmp" not in repr(target)
    assert "predict=ask" in repr(target)


def test_what_it_cannot_do_is_told():
    with pytest.raises(ValueError, match="'predict' parameter of BlackBoxRegressor mu"):
        BlackBoxRegressor().predict(X)
    with pytest.raises(TypeError, match="behind a service cannot be trained"):
        BlackBoxRegressor(predict=len).fit(X, Y)
    target = BlackBoxRegressor(predict=lambda X: X[:, 0])
    with pytest.raises(TypeError, match="LinearReconstructionAttack"):
        LinearReconstructionAttack(target).fit(RECORDS)
    with pytest.raises((TypeError, ValueError), match="shadow_estimator"):
        LiRA(target).fit(RECORDS)
