"""Unchanged scikit-learn code on attacks: a frame, text labels, a fitted pipeline."""

import pickle
import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import (
    DetCurveDisplay,
    RocCurveDisplay,
    balanced_accuracy_score,
    det_curve,
    roc_auc_score,
)
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_score,
    cross_validate,
    permutation_test_score,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from sklearn_mia import RMIA, LiRA, MembershipSignals, ThresholdAttack
from sklearn_mia.signals import confidence, entropy

pd = pytest.importorskip("pandas")

N_RECORDS = 240
FOLDS = StratifiedKFold(2, shuffle=True, random_state=0)


@pytest.fixture(scope="module")
def records():
    """Records with the class label in the middle."""
    rng = np.random.default_rng(0)
    age = rng.normal(40, 10, N_RECORDS)
    job = rng.choice(["cook", "clerk", "coder"], N_RECORDS)
    wealth = age + 5 * (job == "coder") + rng.normal(0, 10, N_RECORDS)
    return pd.DataFrame(
        {
            "age": age,
            "credit": np.where(wealth > 42, "granted", "denied"),
            "job": pd.Categorical(job),
            "height": rng.normal(170, 10, N_RECORDS),
        },
        index=[f"r{i}" for i in rng.permutation(N_RECORDS)],
    )


@pytest.fixture(scope="module")
def is_member():
    return np.random.default_rng(1).permutation(N_RECORDS) < N_RECORDS // 2


@pytest.fixture(scope="module")
def trained(records, is_member):
    encode = ColumnTransformer(
        [("job", OneHotEncoder(), ["job"])], remainder="passthrough"
    )
    forest = RandomForestClassifier(3, bootstrap=False, random_state=0)
    members = records[is_member]
    return make_pipeline(encode, forest).fit(
        members[["height", "job", "age"]], members["credit"]
    )


@pytest.fixture
def model(trained, records):
    """The target, bit for bit the same before and after each test."""
    before = pickle.dumps(trained)
    proba = trained.predict_proba(records)
    yield trained
    assert_array_equal(trained.predict_proba(records), proba)
    assert pickle.dumps(trained) == before


def rmia(model, **params):
    return RMIA(model, label_column="credit", random_state=0, **params)


def by_hand(attack, records, is_member):
    """Score of each fold by a plain loop."""
    return [
        roc_auc_score(
            is_member[test],
            clone(attack)
            .fit(records.iloc[train], is_member[train])
            .score_samples(records.iloc[test]),
        )
        for train, test in FOLDS.split(records, is_member)
    ]


def test_cross_val_score(model, records, is_member):
    attack = rmia(model, n_shadows=2)
    expected = by_hand(attack, records, is_member)
    for scoring in ("roc_auc", None):
        scores = cross_val_score(attack, records, is_member, scoring=scoring, cv=FOLDS)
        assert_array_equal(scores, expected)
    assert np.mean(scores) > 0.6
    assert attack.target_estimator is model
    assert not hasattr(attack, "classes_")


def test_grid_search_over_the_number_of_shadows(model, records, is_member):
    search = GridSearchCV(
        rmia(model), {"n_shadows": [2, 4]}, scoring="roc_auc", cv=FOLDS
    )
    search.fit(records, is_member)
    expected = [by_hand(rmia(model, n_shadows=n), records, is_member) for n in (2, 4)]
    assert_allclose(search.cv_results_["mean_test_score"], np.mean(expected, axis=1))
    assert search.best_estimator_.target_estimator is model
    assert len(search.best_estimator_.models_) == search.best_params_["n_shadows"]


def test_grid_search_over_the_recipe_of_the_shadows(model, records, is_member):
    name = "shadow_estimator__randomforestclassifier__max_depth"
    attack = rmia(model, shadow_estimator=clone(model), n_shadows=2)
    search = GridSearchCV(attack, {name: [1, None]}, scoring="roc_auc", cv=FOLDS)
    search.fit(records, is_member)
    shallow = clone(model).set_params(randomforestclassifier__max_depth=1)
    expected = [
        by_hand(rmia(model, shadow_estimator=recipe, n_shadows=2), records, is_member)
        for recipe in (shallow, clone(model))
    ]
    assert_allclose(search.cv_results_["mean_test_score"], np.mean(expected, axis=1))
    depths = {shadow[-1].max_depth for shadow, _ in search.best_estimator_.models_}
    assert depths == {search.best_params_[name]}
    assert attack.shadow_estimator[-1].max_depth is None
    assert search.best_estimator_.target_estimator is model


def test_tuned_threshold(model, records, is_member):
    attack = rmia(model, n_shadows=2)
    tuned = TunedThresholdClassifierCV(attack, cv=FOLDS, scoring="balanced_accuracy")
    tuned.fit(records, is_member)
    above = tuned.estimator_.decision_function(records) >= tuned.best_threshold_
    assert_array_equal(tuned.predict(records), above)
    assert balanced_accuracy_score(is_member, above) > 0.6
    assert tuned.estimator_.target_estimator is model


@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_calibrated_classifier(model, records, is_member, method):
    calibrated = CalibratedClassifierCV(
        rmia(model, n_shadows=2), method=method, cv=FOLDS, ensemble=False
    )
    proba = calibrated.fit(records, is_member).predict_proba(records)
    assert calibrated.classes_.tolist() == [False, True]
    assert_allclose(proba.sum(axis=1), 1)
    # A probability of membership, in the order of the scores.
    attack = rmia(model, n_shadows=2).fit(records, is_member)
    order = np.argsort(attack.score_samples(records))
    assert (np.diff(proba[order, 1]) >= 0).all()
    assert abs(proba[:, 1].mean() - 0.5) < 0.2


@pytest.mark.slow
def test_stacking_of_three_attacks(model, records, is_member):
    attacks = [
        ("rmia", rmia(model, n_shadows=2)),
        ("lira", LiRA(model, n_shadows=4, random_state=0)),
        ("threshold", ThresholdAttack(model)),
    ]
    stack = StackingClassifier(attacks, cv=FOLDS).fit(records, is_member)
    table = stack.transform(records)
    assert table.shape == (N_RECORDS, 3)
    for column, (_, attack) in zip(table.T, attacks, strict=True):
        fitted = clone(attack).fit(records, is_member)
        assert_array_equal(column, fitted.decision_function(records))
    assert roc_auc_score(is_member, stack.predict_proba(records)[:, 1]) > 0.6
    assert {fit.target_estimator for fit in stack.estimators_} == {model}


@pytest.mark.slow
def test_permutation_test_score(model, records, is_member):
    attack = rmia(model, n_shadows=2)
    score, permuted, p_value = permutation_test_score(
        attack,
        records,
        is_member,
        cv=FOLDS,
        n_permutations=4,
        scoring="roc_auc",
        random_state=0,
    )
    assert score == np.mean(by_hand(attack, records, is_member))
    assert permuted.shape == (4,)
    assert score > permuted.max()
    assert p_value == 0.2


def test_scores_do_not_depend_on_membership(model, records, is_member):
    shuffled = np.random.default_rng(2).permutation(is_member)
    for attack in (rmia(model, n_shadows=2), ThresholdAttack(model)):
        predicted = [
            clone(attack).fit(records[::2], y[::2]).score_samples(records[1::2])
            for y in (is_member, shuffled)
        ]
        assert_array_equal(*predicted)


def test_cross_validate_with_several_metrics(model, records, is_member):
    attack = ThresholdAttack(model)
    result = cross_validate(
        attack,
        records,
        is_member,
        cv=FOLDS,
        scoring=["roc_auc", "average_precision", "balanced_accuracy"],
        return_estimator=True,
        error_score="raise",
    )
    assert_array_equal(result["test_roc_auc"], by_hand(attack, records, is_member))
    assert {fit.target_estimator for fit in result["estimator"]} == {model}


def test_roc_curve_display(pyplot, model, records, is_member):
    attack = rmia(model, n_shadows=2).fit(records, is_member)
    display = RocCurveDisplay.from_estimator(attack, records, is_member)
    assert display.roc_auc == attack.score(records, is_member)
    assert display.line_.get_label() == f"RMIA (AUC = {display.roc_auc:0.2f})"


def test_det_curve_display(pyplot, model, records, is_member):
    pytest.importorskip("sklearn", "1.9", reason="older displays keep all points")
    attack = rmia(model, n_shadows=2).fit(records, is_member)
    display = DetCurveDisplay.from_estimator(attack, records, is_member)
    decision = attack.decision_function(records)
    fpr, fnr, _ = det_curve(is_member, decision, drop_intermediate=True)
    # The display keeps rates off 0 and 1, which its axes cannot show.
    eps = np.finfo(float).eps
    assert_array_equal(display.fpr, fpr.clip(eps, 1 - eps))
    assert_array_equal(display.fnr, fnr.clip(eps, 1 - eps))


def test_an_attack_as_the_last_step_of_a_pipeline(model, records, is_member):
    attack = rmia(model, n_shadows=2)
    pipeline = Pipeline([("as they are", FunctionTransformer()), ("attack", attack)])
    scores = cross_val_score(pipeline, records, is_member, scoring="roc_auc", cv=FOLDS)
    assert_array_equal(scores, by_hand(attack, records, is_member))
    pipeline.fit(records, is_member)
    expected = clone(attack).fit(records, is_member)
    assert_array_equal(pipeline.predict(records), expected.predict(records))
    assert_array_equal(pipeline.score_samples(records), expected.score_samples(records))
    assert pipeline["attack"].target_estimator is model


def test_a_pipeline_of_membership_signals(model, records, is_member):
    signals = MembershipSignals(model, signals=["confidence", "entropy"])
    pipeline = make_pipeline(signals, GaussianNB())
    scores = cross_val_score(pipeline, records, is_member, scoring="roc_auc", cv=FOLDS)
    assert np.mean(scores) > 0.6
    pipeline.set_output(transform="pandas").fit(records, is_member)
    table = pipeline[:-1].transform(records)
    assert table.columns.tolist() == ["confidence", "entropy"]
    assert_array_equal(table.index, records.index)

    fitted = pipeline[0]
    log_proba = fitted._responder.answer(model, records[["height", "job", "age"]])
    codes = (records["credit"] == "granted").to_numpy().astype(int)
    assert_array_equal(table["confidence"], confidence(log_proba, codes))
    assert_array_equal(table["entropy"], entropy(log_proba))
    assert fitted.target_estimator is model
    search = GridSearchCV(
        make_pipeline(signals, LogisticRegression()),
        {"membershipsignals__signals": [["confidence"], ["entropy"]]},
        scoring="roc_auc",
        cv=FOLDS,
        error_score="raise",
    )
    search.fit(records, is_member)
    assert search.best_params_ == {"membershipsignals__signals": ["confidence"]}


@pytest.mark.parametrize(
    "attack_on",
    [lambda model: rmia(model), ThresholdAttack, MembershipSignals],
    ids=["RMIA", "ThresholdAttack", "MembershipSignals"],
)
def test_parameters_of_the_target_are_refused(model, records, is_member, attack_on):
    name = "target_estimator__randomforestclassifier__max_depth"
    attack = attack_on(model)
    assert name not in attack.get_params(deep=True)
    with pytest.raises(ValueError, match=re.escape(f"'{name}' cannot be set: the")):
        attack.set_params(**{name: 1})
    with pytest.raises(ValueError, match=re.escape(f"'{name}' cannot be set: the")):
        Pipeline([("attack", attack)]).set_params(**{f"attack__{name}": 1})
    assert model[-1].max_depth is None
    attack.set_params(target_estimator=clone(model))
    assert attack.target_estimator is not model
