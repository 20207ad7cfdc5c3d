"""What every attack with shadow models promises about them."""

import inspect
import re

import joblib
import numpy as np
import pytest
from helpers.attacks import (
    MODELS,
    Counting,
    encoder,
    every_attack_on_any_model,
    every_shadow_attack,
    every_shadow_attack_on_any_model,
    fitted,
    half,
    make,
    model_for,
    people,
    refused,
    scores,
    table,
    train,
)
from helpers.targets import WithoutTags
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import RandomForestClassifier, StackingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_mia import (
    RMIA,
    DifficultyCalibrationAttack,
    LiRA,
    ShadowModelAttack,
    as_records,
)
from sklearn_mia.identity import record_ids
from sklearn_mia.models import unfitted_recipe
from sklearn_mia.shadows import ShadowFitError


def with_rare_class(rare):
    """Three classes; `rare` is held by two records, the last."""
    X, y = table(162, n_classes=2)
    y = y.copy()
    if rare == 1:
        y[y == 1] = 2
    y[-2:] = rare
    return X, y


@every_shadow_attack
def test_scores_are_of_the_shadows_that_fit_trained(cls):
    X, y = table(80)
    records = as_records(X, y)
    attack = fitted(cls, train(model_for(cls), X, y), records, n_shadows=4)
    expected = attack.score_samples(records)
    # A parameter counts from the next fit on.
    for n_shadows in (0, 64):
        attack.set_params(n_shadows=n_shadows)
        assert_array_equal(attack.score_samples(records), expected)


@every_attack_on_any_model
@pytest.mark.parametrize("rare", [1, 2])
def test_a_rare_class_that_a_shadow_never_saw(cls, rare):
    X, y = with_rare_class(rare)
    records = as_records(X, y)
    attack = fitted(cls, LogisticRegression().fit(X, y), records, n_shadows=8)
    assert np.isfinite(attack.score_samples(records)).all()
    assert attack.n_unscored_ == 0


@pytest.mark.parametrize("rare", [1, 2])
def test_the_cells_of_a_class_that_a_shadow_never_saw_are_missing(rare):
    X, y = with_rare_class(rare)
    target = LogisticRegression().fit(X, y)
    attack = fitted(RMIA, target, as_records(X, y), n_shadows=8)
    lacking = ~attack.shadow_members_[:, -2:].any(axis=1)
    assert lacking.any()
    missing = np.zeros(attack.shadow_signals_.shape, dtype=bool)
    missing[np.ix_(lacking, [-2, -1])] = True
    assert_array_equal(np.isnan(attack.shadow_signals_), missing)
    for (model, seen), signals in zip(
        attack.models_, attack.shadow_signals_, strict=True
    ):
        assert_array_equal(model.classes_, np.unique(y)[seen])
        known = np.isfinite(signals)
        columns = np.searchsorted(model.classes_, y[known])
        proba = model.predict_proba(X[known])
        assert_allclose_log(signals[known], proba[np.arange(len(columns)), columns])


def assert_allclose_log(log_proba, proba):
    np.testing.assert_allclose(np.exp(log_proba), proba, rtol=1e-10)


@every_shadow_attack_on_any_model
def test_a_classifier_that_takes_only_labels_without_a_gap(cls):
    xgboost = pytest.importorskip("xgboost")
    X, y = with_rare_class(1)
    target = xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(X, y)
    records = as_records(X, y)
    attack = fitted(cls, target, records, n_shadows=8)
    # Some shadow saw 0 and 2 alone, which it cannot be trained on as they are.
    lacking = ~attack.shadow_members_[:, -2:].any(axis=1)
    assert lacking.any()
    with pytest.raises(ValueError, match="Invalid classes"):
        clone(target).fit(X[:-2], y[:-2])
    assert np.isfinite(attack.score_samples(records)).all()


class Gapless(GaussianNB):
    """Takes the labels 0..k-1 only, as XGBoost does."""

    def fit(self, X, y):
        if not np.array_equal(np.unique(y), np.arange(len(np.unique(y)))):
            raise ValueError("a gap in the labels")
        return super().fit(X, y)


@every_shadow_attack_on_any_model
def test_a_second_try_without_the_gap_starts_from_the_same_records(cls):
    X, y = with_rare_class(1)
    records, results = as_records(X, y), []
    for copy in (True, False):
        target = make_pipeline(StandardScaler(copy=copy), Gapless())
        attack = fitted(cls, target.fit(X.copy(), y), records, n_shadows=8)
        results.append(attack.score_samples(records))
    assert_array_equal(*results)


@every_shadow_attack_on_any_model
def test_a_frozen_target_is_not_its_own_shadow(cls):
    X, y = table()
    model, records = train(Counting(), X, y), as_records(X, y)
    attack = fitted(cls, FrozenEstimator(model), records)
    shadows = [shadow for shadow, _ in attack.models_]
    assert len({id(shadow) for shadow in [model, *shadows]}) == 5
    assert_array_equal(attack.score_samples(records), scores(cls, model, records))


@every_shadow_attack_on_any_model
@pytest.mark.parametrize("mode", ["auto", "online", "offline"])
def test_shadows_train_on_the_records_of_their_mask_and_no_others(cls, mode):
    X, y = table(100)
    # Each of the last ten is there twice.
    X, y = np.vstack([X, X[-10:]]), np.concatenate([y, y[-10:]])
    attack = fitted(cls, Counting().fit(X, y), as_records(X, y), mode=mode)
    ids = record_ids(X, y)
    assert len(attack.models_) == 4
    for (model, _), members in zip(attack.models_, attack.shadow_members_, strict=True):
        # The same records in the same order, and none of those left out.
        assert_array_equal(model.seen_, ids[members])
        assert not np.isin(ids[~members], model.seen_).any()
    assert_array_equal(attack.shadow_members_.sum(axis=0), 2)


@every_shadow_attack
@pytest.mark.parametrize("n_shadows", [1, 3, 15, -2, 2.0])
def test_a_number_of_shadows_that_leaves_a_side_empty_is_refused(cls, n_shadows):
    X, y = table()
    target = train(model_for(cls), X, y)
    default = inspect.signature(cls).parameters["n_shadows"].default
    error, message = InvalidParameterError, f"parameter of {cls.__name__} must be an"
    if n_shadows in (3, 15) or (n_shadows == 1 and default == 0):
        error = ValueError
        message = (
            f"n_shadows={n_shadows} is odd, but shadows are trained in complementary "
            f"pairs. Pass {n_shadows + 1}."
        )
    refused(cls, target, as_records(X, y), error, message, n_shadows=n_shadows)


@every_shadow_attack
def test_two_shadows_score_every_record(cls):
    X, y = table()
    attack = fitted(cls, train(model_for(cls), X, y), as_records(X, y), n_shadows=2)
    assert_array_equal(attack.shadow_members_.sum(axis=0), 1)
    assert attack.n_unscored_ == 0
    score = attack.score_samples(as_records(X, y))
    assert score.shape == (160,)
    assert np.isfinite(score).all()
    assert len(np.unique(score)) > 10


def unseeded_targets(X, y):
    yield train(RandomForestClassifier(2), X, y)
    step = FunctionTransformer(), RandomForestClassifier(2, max_features=3)
    yield train(make_pipeline(*step), X, y)


BACKENDS = [("threading", 2), ("threading", -1)]


@every_shadow_attack
def test_results_depend_on_the_seed_alone(cls):
    X, y = table()
    records = as_records(X, y)
    # A number that nothing in here may advance.
    np.random.seed(5)  # noqa: NPY002
    own = train(model_for(cls).set_params(random_state=None), X, y)
    for target in [own] if cls.__name__ in MODELS else unseeded_targets(X, y):
        how = [("threading", 2)] if hasattr(target, "steps") else BACKENDS
        state = np.random.get_state()[1].copy()  # noqa: NPY002
        attack = make(cls, target)
        expected = attack.fit(records, half(X)).score_samples(records)
        again = attack.fit(records, half(X))
        assert_array_equal(again.score_samples(records), expected)
        assert again.offset_ == attack.offset_
        for backend, n_jobs in how:
            with joblib.parallel_config(backend):
                assert_array_equal(
                    scores(cls, target, records, n_jobs=n_jobs), expected
                )
        with joblib.parallel_config("threading", n_jobs=2):
            assert_array_equal(scores(cls, target, records), expected)
        assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
        other = scores(cls, target, records, random_state=1)
        assert not np.array_equal(other, expected)


@every_shadow_attack_on_any_model
def test_a_category_that_a_shadow_never_saw_is_named_as_the_cause(cls):
    pd = pytest.importorskip("pandas")
    columns, y = people()
    frame = pd.DataFrame(columns)
    frame.loc[17, "job"] = "king"
    records = as_records(frame, y)
    strict = make_pipeline(encoder(), LogisticRegression()).fit(frame, y)
    message = (
        r"Shadow [01] was trained but could not answer for the pool: ValueError: Found "
        r"unknown categories \['…'\] in column 0 during transform \(in _transform, "
        r"line \d+ of _encoders\.py\)\. It saw the classes \[0, 1\]. If it met a "
        r"category that it was not trained on, let the recipe ignore it, as "
        r"OneHotEncoder\(handle_unknown='ignore'\) does."
    )
    with pytest.raises(ShadowFitError, match=message) as caught:
        fitted(cls, strict, records)
    # The column, not the cell of the record.
    assert "king" not in str(caught.value)
    lenient = make_pipeline(encoder(handle_unknown="ignore"), LogisticRegression())
    assert np.isfinite(scores(cls, lenient.fit(frame, y), records)).all()


@every_shadow_attack_on_any_model
def test_a_search_is_not_repeated_by_every_shadow(cls):
    X, y = table()
    search = GridSearchCV(Counting(), {"name": ["search"]}, cv=3)
    train(search, X, y)
    Counting.fits.clear()
    attack = fitted(cls, search, as_records(X, y))
    assert Counting.fits == {"search": 4}
    assert_array_equal(
        attack.score_samples(as_records(X, y)),
        scores(cls, search.best_estimator_, as_records(X, y)),
    )


@every_shadow_attack
def test_a_recipe_and_its_parameters_can_be_set_together(cls):
    X, y = table()
    attack = make(cls, train(model_for(cls), X, y))
    message = (
        "'shadow_estimator__max_depth' cannot be set while shadow_estimator=None. "
        "Pass the recipe first: shadow_estimator=clone(model)."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        attack.set_params(shadow_estimator__max_depth=2)
    attack.set_params(shadow_estimator__max_depth=1, shadow_estimator=model_for(cls))
    assert attack.get_params()["shadow_estimator__max_depth"] == 1
    attack.fit(as_records(X, y), half(X))
    assert {model.max_depth for model, _ in attack.models_} == {1}
    assert attack.target_estimator.max_depth != 1


@every_shadow_attack
@pytest.mark.parametrize("wrong", [LogisticRegression, "rf"])
def test_a_class_or_a_name_in_place_of_a_recipe_is_refused(cls, wrong):
    X, y = table()
    attack = make(cls, train(model_for(cls), X, y), shadow_estimator=wrong)
    with pytest.raises((TypeError, ValueError), match="shadow_estimator"):
        attack.fit(as_records(X, y), half(X))


every_attack_that_asks_for_scores = pytest.mark.parametrize(
    "cls", [DifficultyCalibrationAttack, LiRA, RMIA, ShadowModelAttack]
)


@every_attack_that_asks_for_scores
@pytest.mark.parametrize(
    ("recipe", "method"),
    [(Counting(), "predict_proba"), (RidgeClassifier(), "decision_function")],
    ids=["tree", "ridge"],
)
def test_target_and_shadows_are_asked_for_what_both_can_answer(cls, recipe, method):
    X, y = table()
    target, records = train(LogisticRegression(), X, y), as_records(X, y)
    given = {"shadow_estimator": recipe}
    expected = scores(cls, target, records, response_method=method, **given)
    assert_array_equal(scores(cls, target, records, **given), expected)


def test_log_odds_are_read_from_a_target_and_a_recipe_that_have_them():
    X, y = table()
    target, records = train(LogisticRegression(), X, y), as_records(X, y)
    for recipe in (LogisticRegression(C=2.0), make_pipeline(LogisticRegression())):
        attack = fitted(RMIA, target, records, shadow_estimator=recipe)
        assert attack.shadow_evidence().response == "log_odds"


@every_attack_that_asks_for_scores
@pytest.mark.parametrize(
    ("target", "method", "message"),
    [
        (
            LogisticRegression(),
            "decision_function",
            "response_method='decision_function', but shadow_estimator, a Counting, "
            "has no decision_function, by which to ask the shadows as the target. Pass "
            "response_method='predict_proba', which both have, or another "
            "shadow_estimator.",
        ),
        (
            RidgeClassifier(),
            "auto",
            "response_method='auto', but shadow_estimator, a Counting, has no "
            "decision_function, by which to ask the shadows as the target. Pass "
            "response_method='predict', which both have, or another shadow_estimator.",
        ),
        (
            GaussianNB(),
            "decision_function",
            "response_method='decision_function', but the target GaussianNB has no "
            "such method. It has predict_proba, predict: pass one of them, or 'auto'.",
        ),
    ],
    ids=["chosen", "auto", "target"],
)
def test_a_way_to_ask_that_one_side_lacks_is_refused_before_training(
    cls, target, method, message
):
    X, y = table()
    attack = make(
        cls,
        train(clone(target), X, y),
        shadow_estimator=Counting(name="asked"),
        response_method=method,
    )
    Counting.fits.clear()
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        attack.fit(as_records(X, y), half(X))
    assert not Counting.fits


def test_a_recipe_that_shows_its_methods_once_it_is_fitted_is_asked():
    X, y = table()
    target, records = train(LogisticRegression(), X, y), as_records(X, y)
    # Its last step is made in fit.
    recipe = StackingClassifier([("tree", Counting())], cv=2)
    assert not hasattr(recipe, "decision_function")
    given = {"shadow_estimator": recipe, "response_method": "decision_function"}
    assert np.isfinite(scores(RMIA, target, records, **given)).all()


def test_no_more_workers_are_started_than_there_are_shadows():
    X, y = table()
    target, records = train(LogisticRegression(), X, y), as_records(X, y)
    expected = fitted(RMIA, target, records, n_shadows=2)
    # More than joblib takes.
    attack = fitted(RMIA, target, records, n_shadows=2, n_jobs=10**6)
    assert_array_equal(attack.score_samples(records), expected.score_samples(records))
    outside = records + 1
    outside[:, -1] = y
    assert_array_equal(attack.score_samples(outside), expected.score_samples(outside))


@pytest.mark.slow
def test_a_table_that_workers_get_read_only_gives_the_same_scores():
    X, y = table(16_000)
    records = as_records(X, y)
    # Workers get what is larger than a megabyte as a read-only file.
    assert records[:, :-1].nbytes > 10**6
    target = make_pipeline(StandardScaler(copy=False), GaussianNB())
    target.fit(X[:8_000].copy(), y[:8_000])
    before = records.copy()
    expected = scores(RMIA, target, records, n_shadows=2)
    assert_array_equal(records, before)
    assert_array_equal(scores(RMIA, target, records, n_shadows=2, n_jobs=2), expected)
    assert_array_equal(records, before)


@every_shadow_attack_on_any_model
def test_lambdas_and_local_classes_reach_the_workers(cls):
    class Local(GaussianNB):
        pass

    X, y = table()
    model = make_pipeline(FunctionTransformer(lambda X: 2 * X), Local())
    target, records = train(model, X, y), as_records(X, y)
    expected = scores(cls, target, records)
    assert_array_equal(scores(cls, target, records, n_jobs=2), expected)


def test_a_recipe_is_taken_out_of_its_wrappers():
    X, y = table()
    forest = RandomForestClassifier(2).fit(X, y)
    assert unfitted_recipe(forest) is forest
    assert unfitted_recipe(FrozenEstimator(forest)) is forest
    grid = GridSearchCV(forest, {"max_depth": [1]}, cv=2).fit(X, y)
    assert unfitted_recipe(FrozenEstimator(grid)) is grid.best_estimator_
    assert unfitted_recipe(grid).max_depth == 1
    random = RandomizedSearchCV(forest, {"max_depth": [2]}, n_iter=1, cv=2).fit(X, y)
    assert unfitted_recipe(random) is random.best_estimator_
    assert unfitted_recipe(WithoutTags().fit(X, y)).C == 1.0


def test_a_recipe_that_holds_a_frozen_classifier_is_refused():
    X, y = table()
    forest = FrozenEstimator(RandomForestClassifier(2).fit(X, y))
    calibrated = CalibratedClassifierCV(forest).fit(X, y)
    message = (
        "The shadow recipe CalibratedClassifierCV holds a frozen classifier as "
        "'estimator', which a shadow would not train anew."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        unfitted_recipe(calibrated)
    scaled = make_pipeline(FrozenEstimator(StandardScaler().fit(X)), GaussianNB())
    assert unfitted_recipe(scaled) is scaled
