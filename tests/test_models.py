"""What is inside a model: every wrapper, for everybody who asks."""

import functools
import json
import re

import joblib
import numpy as np
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    GradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import (
    RMIA,
    AuditableClassifier,
    BaggingAttack,
    CoarsenedClassifier,
    TrajectoryAttack,
    as_records,
    default_attacks,
    leave_one_out_risk,
    structural_risk,
)
from sklearn_mia.__main__ import main
from sklearn_mia.attacks._bagging import chosen_share
from sklearn_mia.attacks._trajectory import staged_log_proba
from sklearn_mia.attacks._votes import VoteReader
from sklearn_mia.auditing._known import known_columns
from sklearn_mia.columns import fitted_parts
from sklearn_mia.models import (
    final_fit_param,
    model_name,
    open_model,
    thin_recipe,
    trained_names,
    unfitted_recipe,
)


class Forest(RandomForestClassifier):
    """A forest that counts its fits and remembers its weights."""

    n_fits = 0

    def fit(self, X, y, sample_weight=None):
        Forest.n_fits += 1
        self.weights_ = sample_weight
        return super().fit(X, y, sample_weight)


class ThirdParty(ClassifierMixin, BaseEstimator):
    """A wrapper of someone else, which only says what is inside."""

    def __init__(self, base=None):
        self.base = base

    def __sklearn_mia_inside__(self):
        return "base", getattr(self, "base_", self.base), True

    def fit(self, X, y, **params):
        self.base_ = clone(self.base).fit(X, y, **params)
        self.classes_ = self.base_.classes_
        return self

    def predict(self, X):
        return self.base_.predict(X)

    def predict_proba(self, X):
        return self.base_.predict_proba(X)


def make_table():
    X, y = make_classification(160, 6, n_informative=4, flip_y=0.3, random_state=0)
    # By class, in which order samplers return records.
    order = np.argsort(y, kind="stable")
    return X[order], y[order]


X, Y = make_table()
RECORDS = as_records(X, Y)
# Every second record, which keeps the order.
X_TRAIN, Y_TRAIN = X[::2], Y[::2]
OUTSIDE = as_records(X[:50] + 0.1, Y[:50])
WEIGHTS = np.arange(1.0, 161.0)
SCALER = StandardScaler()


def search(model):
    return GridSearchCV(model, {}, cv=2)


def sampled(*steps):
    pipeline = pytest.importorskip("imblearn.pipeline")
    samplers = pytest.importorskip("imblearn.under_sampling")
    # It keeps all records, so that nothing else may change.
    return pipeline.make_pipeline(
        samplers.RandomUnderSampler(sampling_strategy={}), *steps
    )


# From a model, a first step of a pipeline, and a function that trains a clone.
WRAPPINGS = {
    "bare": lambda m, s, fit: m,
    "pipeline": lambda m, s, fit: make_pipeline(s(), m),
    "pipeline of a pipeline": lambda m, s, fit: make_pipeline(
        s(), make_pipeline(s(), m)
    ),
    "search in a pipeline": lambda m, s, fit: make_pipeline(s(), search(m)),
    "search": lambda m, s, fit: search(m),
    "search over a pipeline": lambda m, s, fit: search(make_pipeline(s(), m)),
    "frozen": lambda m, s, fit: FrozenEstimator(fit(m)),
    "frozen twice": lambda m, s, fit: FrozenEstimator(FrozenEstimator(fit(search(m)))),
    "auditable": lambda m, s, fit: AuditableClassifier(m),
    "auditable search over a pipeline": lambda m, s, fit: AuditableClassifier(
        search(make_pipeline(s(), m))
    ),
    "search over auditable": lambda m, s, fit: search(AuditableClassifier(m)),
    "auditable, frozen": lambda m, s, fit: AuditableClassifier(FrozenEstimator(fit(m))),
    "rounded": lambda m, s, fit: CoarsenedClassifier(m, decimals=2),
    "rounded, frozen": lambda m, s, fit: CoarsenedClassifier(
        FrozenEstimator(fit(m)), decimals=2
    ),
    "tempered": lambda m, s, fit: CoarsenedClassifier(m, temperature=2.0),
    "tempered, frozen": lambda m, s, fit: CoarsenedClassifier(
        FrozenEstimator(fit(m)), temperature=2.0
    ),
    "tempered search": lambda m, s, fit: CoarsenedClassifier(
        search(m), temperature=2.0
    ),
    "top class": lambda m, s, fit: CoarsenedClassifier(m, top_k=1),
    "tuned threshold": lambda m, s, fit: TunedThresholdClassifierCV(
        m, cv=2, thresholds=5
    ),
    "tuned threshold, prefit": lambda m, s, fit: TunedThresholdClassifierCV(
        fit(m), cv="prefit", refit=False, thresholds=5
    ),
    "auditable tuned threshold": lambda m, s, fit: AuditableClassifier(
        TunedThresholdClassifierCV(m, cv=2, thresholds=5)
    ),
    "fixed threshold, frozen": lambda m, s, fit: FixedThresholdClassifier(
        FrozenEstimator(fit(m)), threshold=0.4
    ),
    "fixed threshold of a search": lambda m, s, fit: FixedThresholdClassifier(
        search(m), threshold=0.4
    ),
    "calibrated": lambda m, s, fit: CalibratedClassifierCV(m, cv=2, ensemble=False),
    "calibrated search": lambda m, s, fit: CalibratedClassifierCV(
        search(m), cv=2, ensemble=False
    ),
    "calibrated, frozen": lambda m, s, fit: CalibratedClassifierCV(
        FrozenEstimator(fit(m)), cv=2
    ),
    "calibrated, several": lambda m, s, fit: CalibratedClassifierCV(m, cv=2),
    "one against the rest": lambda m, s, fit: OneVsRestClassifier(m),
    "one against the rest, search": lambda m, s, fit: make_pipeline(
        s(), OneVsRestClassifier(search(m))
    ),
    "sampler": lambda m, s, fit: sampled(s(), m),
    "search over a sampler": lambda m, s, fit: search(sampled(s(), m)),
    "third party": lambda m, s, fit: ThirdParty(m),
    "third party, frozen pipeline": lambda m, s, fit: ThirdParty(
        FrozenEstimator(fit(make_pipeline(s(), m)))
    ),
}


def wrap(name, model, X, y, scale):
    return WRAPPINGS[name](model, scale, lambda m: clone(m).fit(X, y)).fit(X, y)


@functools.cache
def wrapped_forest(name):
    return wrap(name, Forest(15, random_state=0), X_TRAIN, Y_TRAIN, StandardScaler)


@functools.cache
def wrapped_boosting(name):
    model = GradientBoostingClassifier(n_estimators=3, random_state=0)
    return wrap(name, model, X_TRAIN, Y_TRAIN, StandardScaler)


@functools.cache
def people():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.integers(20, 70, 80),
            "job": rng.choice(["clerk", "nurse"], 80),
            "rooms": rng.integers(1, 4, 80),
        }
    )
    return frame, np.repeat([0, 1], 40)


def encoded():
    encode = OneHotEncoder(handle_unknown="ignore")
    return make_pipeline(
        make_column_transformer((encode, ["job", "rooms"]), remainder="passthrough"),
        Forest(3, random_state=0),
    )


def ask_bagging(name):
    attack = BaggingAttack(wrapped_forest(name), n_trees=8, random_state=0)
    attack.fit(RECORDS)
    for shadow, _ in attack.models_:
        assert len(open_model(shadow).classifier.estimators_) == 4
    return np.append(attack.score_samples(RECORDS), attack.score_samples(OUTSIDE))


def ask_thin_shadows(name):
    """Shadows for the cost of 2, and how often the forest was fitted for them."""
    attack = RMIA(wrapped_forest(name), n_shadows=2, random_state=0)
    Forest.n_fits = 0
    return attack.fit(RECORDS).n_shadows_, Forest.n_fits


def ask_weights(name):
    attack = RMIA(wrapped_forest(name), n_shadows=2, random_state=0)
    attack.fit(RECORDS, sample_weight=WEIGHTS)
    forests = [open_model(shadow).classifier for shadow, _ in attack.models_]
    return all(
        np.array_equal(forest.weights_, WEIGHTS[members])
        for forest, members in zip(forests, attack.shadow_members_, strict=True)
    )


def ask_trajectory(name, n_shadows):
    attack = TrajectoryAttack(
        wrapped_boosting(name), n_stages=3, n_shadows=n_shadows, random_state=0
    )
    return attack.fit(RECORDS).score_samples(RECORDS)


def ask_column_kinds(name):
    frame, y = people()
    model = wrap(name, encoded(), frame, y, lambda: "passthrough")
    known = known_columns(model, trained_names(model))
    return {n: (c.kind, bool(c.gaps)) for n, c in known.items() if c.values}


CALLERS = {
    "model_name": lambda name: model_name(wrapped_forest(name)),
    "default_attacks": lambda name: list(
        default_attacks(wrapped_forest(name), release="interface")
    ),
    "BaggingAttack": ask_bagging,
    "thin shadows": ask_thin_shadows,
    "sample_weight": ask_weights,
    "TrajectoryAttack": lambda name: ask_trajectory(name, 0),
    "TrajectoryAttack, shadows": lambda name: ask_trajectory(name, 2),
    "leave_one_out_risk": lambda name: (
        leave_one_out_risk(wrapped_forest(name), X_TRAIN, Y_TRAIN).risk
    ),
    "structural_risk": lambda name: (
        structural_risk(wrapped_forest(name), X_TRAIN, Y_TRAIN).group_sizes
    ),
    "column_kinds": ask_column_kinds,
}

NO_FOREST = {
    "BaggingAttack": (TypeError, "BaggingAttack needs a target whose trees vote"),
    "default_attacks": ["ThresholdAttack", "RMIA", "LiRA"],
    "thin shadows": (2, 2),
}
COARSE = {**NO_FOREST, "model_name": "CoarsenedClassifier"}
CALIBRATED = {**NO_FOREST, "model_name": "CalibratedClassifierCV"}
# Two fits for the calibration of each shadow, beside its own.
CALIBRATED_ONCE = {**CALIBRATED, "thin shadows": (2, 6)}
NEVER_TRAINED = (ValueError, "CalibratedClassifierCV holds a frozen classifier as 'est")


def handed_on_by(name):
    return {"sample_weight": (ValueError, f"{name} hands it on only by metadata rout")}


# Two fits to tune the threshold of each shadow, beside its own.
TUNED = {**handed_on_by("TunedThresholdClassifierCV"), "thin shadows": (4, 12)}
SAMPLED = {
    # Compared below.
    "BaggingAttack": None,
    "leave_one_out_risk": (ValueError, "RandomUnderSampler chooses the records that"),
    "sample_weight": (ValueError, "RandomUnderSampler resamples the records without"),
}
# What is not as for the bare model: another answer, or an error.
OTHERWISE = {
    "tempered": COARSE,
    "tempered, frozen": COARSE,
    "tempered search": COARSE,
    "top class": COARSE,
    "tuned threshold": TUNED,
    "auditable tuned threshold": TUNED,
    "tuned threshold, prefit": handed_on_by("FixedThresholdClassifier"),
    "fixed threshold, frozen": handed_on_by("FixedThresholdClassifier"),
    "fixed threshold of a search": handed_on_by("FixedThresholdClassifier"),
    "calibrated": CALIBRATED_ONCE,
    "calibrated search": CALIBRATED_ONCE,
    "calibrated, frozen": {
        **CALIBRATED,
        "thin shadows": NEVER_TRAINED,
        "sample_weight": NEVER_TRAINED,
        "TrajectoryAttack, shadows": NEVER_TRAINED,
    },
    "calibrated, several": {
        **CALIBRATED,
        "thin shadows": (2, 4),
        "sample_weight": None,
        "TrajectoryAttack": (TypeError, "got a target CalibratedClassifierCV, whose"),
        "TrajectoryAttack, shadows": (TypeError, "target CalibratedClassifierCV, whos"),
        "leave_one_out_risk": (TypeError, "leave_one_out_risk got a CalibratedClassi"),
        "structural_risk": (TypeError, "structural_risk got a CalibratedClassifierCV"),
    },
    "one against the rest": handed_on_by("OneVsRestClassifier"),
    "one against the rest, search": handed_on_by("OneVsRestClassifier"),
    "sampler": SAMPLED,
    "search over a sampler": SAMPLED,
}


@functools.cache
def of_the_bare_model(caller):
    return CALLERS[caller]("bare")


def quick_or_slow():
    """All pairs; of those answered as for the bare model, four in five are slow."""
    for i, wrapping in enumerate(WRAPPINGS):
        for j, caller in enumerate(CALLERS):
            quick = caller in OTHERWISE.get(wrapping, {}) or (i + j) % 5 == 0
            marks = [] if quick else [pytest.mark.slow]
            yield pytest.param(wrapping, caller, marks=marks)


@pytest.mark.parametrize(("wrapping", "caller"), list(quick_or_slow()))
def test_a_wrapped_model_is_as_good_as_the_bare_one(wrapping, caller):
    expected = of_the_bare_model(caller)
    expected = OTHERWISE.get(wrapping, {}).get(caller, expected)
    if expected is None:
        return
    if isinstance(expected, tuple) and isinstance(expected[0], type):
        error, message = expected
        with pytest.raises(error, match=re.escape(message)):
            CALLERS[caller](wrapping)
        return
    found = CALLERS[caller](wrapping)
    if isinstance(expected, np.ndarray):
        assert_allclose(found, expected, rtol=1e-10)
    else:
        assert found == expected


def test_the_bare_model_is_found_by_everybody():
    assert of_the_bare_model("model_name") == "Forest"
    names = ["ThresholdAttack", "BaggingAttack"]
    assert of_the_bare_model("default_attacks") == names
    assert of_the_bare_model("thin shadows") == (4, 4)
    assert of_the_bare_model("sample_weight") is True
    kinds = {"job": ("text", False), "rooms": ("number", False)}
    assert of_the_bare_model("column_kinds") == kinds
    assert len(np.unique(of_the_bare_model("BaggingAttack"))) > 20


# Opening


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_the_classifier_gets_what_the_pipeline_makes_of_the_features(wrapping):
    model = wrapped_forest(wrapping)
    opened = open_model(model, X_TRAIN)
    if wrapping == "calibrated, several":
        assert opened.classifier is model
        return
    assert type(opened.classifier) is Forest
    assert len(opened.wrappers) == opened.prefix.count("__")
    if any(hasattr(wrapper, "steps") for wrapper in opened.wrappers):
        scaled = StandardScaler().fit_transform(X_TRAIN)
        assert_allclose(opened.features, scaled, atol=1e-12)
    else:
        assert opened.features is X_TRAIN
    if "model_name" not in OTHERWISE.get(wrapping, {}):
        proba = opened.classifier.predict_proba(opened.features)
        assert_allclose(proba, model.predict_proba(X_TRAIN), atol=0.005)


@pytest.mark.parametrize("wrapping", WRAPPINGS)
def test_a_recipe_repeats_no_search_and_keeps_no_training(wrapping):
    model = wrapped_forest(wrapping)
    if wrapping in ("calibrated, frozen", "calibrated, several"):
        return
    recipe = unfitted_recipe(model)
    inside = [recipe, *recipe.get_params(deep=True).values()]
    assert not any(isinstance(v, (GridSearchCV, FrozenEstimator)) for v in inside)
    thin, n_full = thin_recipe(recipe, 7, n_classes=2)
    if "model_name" in OTHERWISE.get(wrapping, {}):
        # Its trees are not what answers.
        assert thin is None
        return
    assert n_full == 15
    assert type(thin) is type(recipe)
    shadow = thin.fit(X_TRAIN, Y_TRAIN)
    assert len(open_model(shadow).classifier.estimators_) == 7
    # The recipe of the target is another object.
    assert len(open_model(model).classifier.estimators_) == 15


def test_only_answers_go_on_to_the_end_of_a_stack():
    stack = StackingClassifier([("nb", GaussianNB())], LogisticRegression(), cv=2)
    stack.fit(X, Y)
    pipeline = FrozenEstimator(stack)
    assert open_model(pipeline).classifier is stack
    opened = open_model(pipeline, X, to_answer=True)
    assert opened.classifier is stack.final_estimator_
    assert opened.features is None


def test_one_against_the_rest_is_opened_for_two_classes_alone():
    three = np.arange(len(Y)) % 3
    for kind in (OneVsRestClassifier, OneVsOneClassifier):
        model = kind(DecisionTreeClassifier())
        assert open_model(model).classifier is model
        assert open_model(model, n_classes=2).classifier is model.estimator
        assert open_model(model, n_classes=3).classifier is model
        fitted = clone(model).fit(X, Y)
        assert open_model(fitted).classifier is fitted.estimators_[0]
        fitted = clone(model).fit(X, three)
        assert open_model(fitted).classifier is fitted
    forest = OneVsRestClassifier(Forest(15))
    assert thin_recipe(forest, 7, n_classes=3) == (None, None)
    # A single class needs no classifier.
    constant = OneVsRestClassifier(GaussianNB())
    with pytest.warns(UserWarning, match="Label not 1 is present in all"):
        constant.fit(X, np.ones((len(X), 1), dtype=int))
    assert open_model(constant).classifier is constant


def test_a_name_is_that_of_what_answers():
    assert model_name(Forest(2)) == "Forest"
    assert model_name(make_pipeline(StandardScaler(), GaussianNB())) == "GaussianNB"
    assert model_name(make_pipeline(StandardScaler(), "passthrough")) == "Pipeline"
    assert model_name(ThirdParty(Forest(2))) == "Forest"
    assert model_name(search(Forest(2))) == "GridSearchCV"


# Recipes


def test_a_threshold_tuned_for_a_trained_model_stays_what_it_is():
    labels = np.array(["no", "yes"])[Y]
    forest = Forest(15, random_state=0).fit(X_TRAIN, labels[::2])
    for kind, inner in (("plain", forest), ("frozen", FrozenEstimator(forest))):
        tuned = TunedThresholdClassifierCV(
            inner,
            cv="prefit",
            refit=False,
            thresholds=20,
            scoring=sklearn.metrics.make_scorer(
                sklearn.metrics.f1_score, pos_label="no"
            ),
        ).fit(X, labels)
        recipe = unfitted_recipe(tuned)
        assert isinstance(recipe, FixedThresholdClassifier), kind
        assert recipe.threshold == tuned.best_threshold_
        again = recipe.fit(X_TRAIN, labels[::2])
        assert_array_equal(again.predict(X), tuned.predict(X))


@pytest.mark.parametrize(
    "wrapper",
    [
        lambda m: CalibratedClassifierCV(m, ensemble=False),
        lambda m: make_pipeline(
            StandardScaler(), CalibratedClassifierCV(m, ensemble=False)
        ),
        lambda m: CalibratedClassifierCV(AuditableClassifier(m), ensemble=False),
        lambda m: CalibratedClassifierCV(m, ensemble=True),
    ],
)
def test_what_was_calibrated_on_records_of_its_own_is_refused(wrapper):
    forest = Forest(2).fit(X, Y)
    model = wrapper(FrozenEstimator(forest)).fit(X, Y)
    with pytest.raises(ValueError, match="which a shadow would not train anew"):
        unfitted_recipe(model)


def test_a_recipe_that_is_frozen_is_refused_before_anything_is_trained():
    forest = Forest(15, random_state=0).fit(X_TRAIN, Y_TRAIN)
    Forest.n_fits = 0
    for recipe in (
        FrozenEstimator(forest),
        make_pipeline(StandardScaler(), FrozenEstimator(forest)),
    ):
        with pytest.raises(ValueError, match="holds a frozen classifier, which no s"):
            RMIA(forest, shadow_estimator=recipe, n_shadows=2).fit(RECORDS)
    assert Forest.n_fits == 0


def test_a_search_as_a_recipe_is_repeated_as_it_is():
    forest = wrapped_forest("bare")
    recipe = GridSearchCV(Forest(15), {"n_estimators": [15]}, cv=2)
    for shadow_estimator in (recipe, clone(recipe).fit(X, Y)):
        Forest.n_fits = 0
        attack = RMIA(forest, shadow_estimator=shadow_estimator, n_shadows=2)
        attack.fit(RECORDS)
        assert (attack.n_shadows_, Forest.n_fits) == (2, 6)
        assert {m.best_estimator_.n_estimators for m, _ in attack.models_} == {15}


@pytest.mark.parametrize(
    ("recipe", "name"),
    [
        (Forest(2), "sample_weight"),
        (make_pipeline(SCALER, Forest(2)), "forest__sample_weight"),
        (make_pipeline(SCALER, make_pipeline(SCALER, Forest(2))), "pipeline__forest__"),
        (make_pipeline(SCALER, search(Forest(2))), "gridsearchcv__sample_weight"),
        (search(make_pipeline(SCALER, Forest(2))), "forest__sample_weight"),
        (
            AuditableClassifier(make_pipeline(SCALER, Forest(2))),
            "forest__sample_weight",
        ),
        (CalibratedClassifierCV(Forest(2)), "sample_weight"),
        (
            CalibratedClassifierCV(make_pipeline(SCALER, Forest(2))),
            "forest__sample_weight",
        ),
        (ThirdParty(Forest(2)), "sample_weight"),
    ],
)
def test_a_parameter_of_fit_is_named_for_the_last_step(recipe, name):
    assert final_fit_param(recipe, "sample_weight").startswith(name)
    assert final_fit_param(recipe, "forest__sample_weight") == "forest__sample_weight"
    recipe = clone(recipe).fit(X_TRAIN, Y_TRAIN)
    found = final_fit_param(recipe, "sample_weight")
    assert found.startswith(name)
    recipe.fit(X_TRAIN, Y_TRAIN, **{found: WEIGHTS[::2]})
    inner = open_model(recipe).classifier
    if isinstance(inner, Forest):
        assert_array_equal(inner.weights_, WEIGHTS[::2])


def test_a_parameter_that_only_routing_hands_on_is_handed_on_by_routing():
    forest = Forest(2, random_state=0)
    with sklearn.config_context(enable_metadata_routing=True):
        forest.set_fit_request(sample_weight=True)
        model = FixedThresholdClassifier(forest).fit(X_TRAIN, Y_TRAIN)
        attack = RMIA(model, n_shadows=2, random_state=0)
        attack.fit(RECORDS, sample_weight=WEIGHTS)
        for (shadow, _), members in zip(
            attack.models_, attack.shadow_members_, strict=True
        ):
            assert_array_equal(shadow.estimator_.weights_, WEIGHTS[members])


# Records that a step chooses


def test_a_sampler_that_keeps_all_records_changes_no_vote():
    bare = BaggingAttack(wrapped_forest("bare"), n_trees=40, random_state=0)
    bare.fit(RECORDS)
    for wrapping in ("sampler", "search over a sampler"):
        attack = BaggingAttack(wrapped_forest(wrapping), n_trees=40, random_state=0)
        attack.fit(RECORDS)
        assert_array_equal(attack.shadow_signals_, bare.shadow_signals_)
        # All are chosen, up to the noise of the estimate.
        assert (attack._chosen > 0.95).all()
        chosen = attack._chosen[Y]
        expected = np.log(chosen * np.exp(bare.score_samples(RECORDS)) + 1 - chosen)
        assert_allclose(attack.score_samples(RECORDS), expected, atol=1e-10)


def test_votes_of_a_forest_trained_on_chosen_records():
    imblearn = pytest.importorskip("imblearn")
    rare = np.flatnonzero((Y == 0) | (np.arange(len(Y)) % 3 == 0))
    features, codes = X[rare], Y[rare]
    members = np.arange(len(rare)) % 2 == 0
    over = pytest.importorskip("imblearn.over_sampling").RandomOverSampler
    for sampler in (imblearn.under_sampling.RandomUnderSampler, over):
        model = imblearn.pipeline.make_pipeline(
            sampler(random_state=0), StandardScaler(), Forest(5, random_state=0)
        ).fit(features[members], codes[members])
        votes = VoteReader().ask(model, np.arange(2), features, codes, members)
        forest, scaled = model[-1], model[1].transform(features)
        given = np.flatnonzero(members)[model[0].sample_indices_]
        out, right_out, right_in = np.zeros((3, len(codes)))
        for tree, drawn in zip(
            forest.estimators_, forest.estimators_samples_, strict=True
        ):
            right = tree.predict(scaled) == codes
            saw = np.isin(np.arange(len(codes)), given[drawn])
            out += ~saw
            right_out += ~saw & right
            right_in += saw & right
        assert_array_equal(votes, np.column_stack([right_out, out, right_in]))
        # What a tree of full depth saw, it knows.
        assert right_in.sum() == (5 - out).sum()


def test_the_share_of_chosen_records_is_found_again():
    rng = np.random.default_rng(0)
    codes = np.repeat([0, 1, 2], [4000, 4000, 10])
    members = np.zeros((20, len(codes)), dtype=bool)
    members[:, :8000] = rng.random((20, 8000)) < 0.5
    chosen = members & (rng.random(members.shape) < np.where(codes == 1, 0.3, 1.0))
    n_out = np.where(chosen, rng.binomial(4, 0.4, members.shape), 4)
    share = chosen_share(n_out, members, codes, 4, 0.4, n_classes=3)
    assert_allclose(share, [1.0, 0.3, 1.0], atol=0.01)


def test_bagging_needs_to_know_what_its_trees_saw():
    pytest.importorskip("imblearn")
    from imblearn.ensemble import (
        BalancedBaggingClassifier,
        BalancedRandomForestClassifier,
    )
    from imblearn.over_sampling import SMOTE
    from imblearn.pipeline import make_pipeline

    rare = np.flatnonzero((Y == 0) | (np.arange(len(Y)) % 3 == 0))
    features, labels = X[rare], Y[rare]
    records = as_records(features, labels)
    for model, named in (
        (make_pipeline(SMOTE(random_state=0), Forest(15)), "SMOTE"),
        (BalancedRandomForestClassifier(5), "BalancedRandomForestClassifier"),
        (BalancedBaggingClassifier(n_estimators=5), "BalancedBaggingClassifier"),
        (TunedThresholdClassifierCV(Forest(15), cv=0.5, refit=False), "TunedThreshold"),
    ):
        model.fit(features, labels)
        with pytest.raises(TypeError, match=f"but {named}.* chooses among them and do"):
            BaggingAttack(model).fit(records)
        asked = default_attacks(model, release="interface")
        assert list(asked) == ["ThresholdAttack", "RMIA", "LiRA"]
        attack = RMIA(model, n_shadows=2, random_state=0).fit(records)
        assert np.isfinite(attack.score_samples(records)).all()


# Steps that work in place


def fill_in_place(frame):
    frame["a"] = frame["a"] * 2 + 1
    return frame


def test_steps_that_work_in_place_are_harmless():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcdef"))
    before, records = frame.copy(), as_records(frame, Y)
    models = [
        make_pipeline(FunctionTransformer(fill_in_place), model).fit(frame.copy(), Y)
        for model in (
            Forest(15, random_state=0),
            GradientBoostingClassifier(n_estimators=3, random_state=0),
        )
    ]
    bagging = BaggingAttack(models[0], n_trees=8, random_state=0).fit(records)
    for ask in (
        lambda: VoteReader().ask(bagging.models_[0][0], np.arange(2), frame, Y, None),
        lambda: (
            BaggingAttack(models[0], n_trees=8, random_state=0)
            .fit(records)
            .score_samples(records)
        ),
        lambda: staged_log_proba(models[1], frame, 3),
        lambda: leave_one_out_risk(models[0], frame, Y).risk,
        lambda: structural_risk(models[0], frame, Y).group_sizes,
    ):
        first, second = ask(), ask()
        assert_array_equal(first, second)
        pd.testing.assert_frame_equal(frame, before)


# Columns


def test_names_are_looked_for_in_wrappers_that_hand_columns_on():
    frame, y = people()
    model = encoded().fit(frame, y)
    names = ["age", "job", "rooms"]
    assert trained_names(model) == names
    assert trained_names(ThirdParty(encoded()).fit(frame, y)) == names
    assert trained_names(make_pipeline("passthrough", encoded()).fit(frame, y)) == names
    assert trained_names(GaussianNB().fit(X, Y)) is None
    assert trained_names(make_pipeline("passthrough")) is None
    numbered = GaussianNB().fit(X, Y)
    numbered.feature_names_in_ = [f"Column_{i}" for i in range(X.shape[1])]
    assert trained_names(numbered) is None
    assert trained_names(encoded()) is None


def encoders(model, names):
    parts = fitted_parts(model, names)
    return [
        (p.names, p.estimator) for p in parts if hasattr(p.estimator, "categories_")
    ]


def test_encoders_are_found_by_the_columns_that_they_get():
    frame, y = people()
    names, encoder = list(frame.columns), OneHotEncoder(handle_unknown="ignore")
    inside = make_pipeline(encoder, Forest(2))
    for model, labels in (
        (inside, y),
        (make_pipeline(None, FrozenEstimator(clone(encoder).fit(frame)), Forest(2)), y),
        (OneVsRestClassifier(inside), np.arange(80) % 3),
        (CalibratedClassifierCV(inside, cv=2), y),
    ):
        found = encoders(model.fit(frame, labels), names)
        assert len(found) == len(getattr(model, "calibrated_classifiers_", [0]))
        for columns, fitted in found:
            assert columns == names
            assert set(fitted.categories_[1]) == {"clerk", "nurse"}
    for model in (
        Forest(2),
        make_pipeline(StandardScaler(), encoder, Forest(2)),
        make_pipeline(make_pipeline(StandardScaler(), encoder), Forest(2)),
    ):
        found = encoders(model.fit(frame[["age"]], y), ["age"])
        assert all(names is None for names, _ in found)


def test_encoders_are_found_in_a_union_and_after_what_chooses_records():
    class Sampler(FunctionTransformer):
        def fit_resample(self, X, y):
            return X[::2], y[::2]

    frame, y = people()
    names, encoder = list(frame.columns), OneHotEncoder(handle_unknown="ignore")
    union = make_pipeline(make_union("drop", encoder), Forest(2)).fit(frame, y)
    ((columns, fitted),) = encoders(union, names)
    assert columns == names
    assert fitted is union[0].transformer_list[1][1]
    sampled = make_pipeline(Sampler(), encoder, Forest(2)).fit(frame, y)
    first = next(iter(fitted_parts(sampled, names)))
    assert (first.estimator, first.names) == (sampled[1], names)
    assert not first.complete


# The command line


@pytest.fixture
def files(tmp_path):
    frame, y = people()
    table = frame.assign(label=y)
    table[::2].to_csv(tmp_path / "members.csv", index=False)
    table[1::2].to_csv(tmp_path / "others.csv", index=False)

    def audit(name, model, *options):
        path = tmp_path / name
        if path.suffix == ".skops":
            io = pytest.importorskip("skops.io")
            io.dump(model, path)
            trusted = io.get_untrusted_types(file=path)
            options = [*options, *(f"--trust={kind}" for kind in trusted)]
        else:
            joblib.dump(model, path)
            options = [*options, "--trust-pickle"]
        report = tmp_path / "report.json"
        tables = tmp_path / "members.csv", tmp_path / "others.csv"
        options += ["--label=label", "--n-shadows=2", "--seed=0", f"--json={report}"]
        main(["audit", *map(str, (path, *tables)), *options])
        return json.loads(report.read_text(encoding="utf-8"))["report"]

    return frame, y, audit


@pytest.mark.slow
def test_a_wrapped_model_is_audited_from_its_file(files, capsys):
    frame, y, audit = files
    X_train, y_train = frame[::2], y[::2]

    def fitted(wrapping):
        model = make_pipeline(encoded()[0], RandomForestClassifier(15, random_state=0))
        return wrap(wrapping, model, X_train, y_train, lambda: "passthrough")

    bare = audit("model.joblib", fitted("bare"))
    names = {attack["name"] for attack in bare["attacks"]}
    asked = {"ThresholdAttack", "RMIA", "BaggingAttack"}
    assert names == asked | {"LinearReconstructionAttack"}
    search = audit("search.joblib", fitted("search over auditable"))
    fixed = audit("fixed.skops", fitted("fixed threshold of a search"))
    for report in (search, fixed):
        assert report["model"]["name"] == "RandomForestClassifier"
        assert report["attacks"] == bare["attacks"]
