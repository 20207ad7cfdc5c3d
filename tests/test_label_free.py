"""Steps of a pipeline that see no label, fitted once for all thin shadows."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import SelectKBest, VarianceThreshold
from sklearn.frozen import FrozenEstimator
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    StandardScaler,
    TargetEncoder,
)

from sklearn_mia import RMIA, BaggingAttack, as_records
from sklearn_mia.label_free import (
    as_forests_take,
    sees_no_label,
    split_label_free,
)
from sklearn_mia.shadows import ShadowFitError

X, Y = make_classification(240, 6, flip_y=0.2, random_state=0)
RECORDS = as_records(X, Y)
IS_MEMBER = np.arange(240) < 120
FIRST_STEPS = (StandardScaler(), PCA(4, svd_solver="full"))
FOREST = RandomForestClassifier(20, random_state=0)
PIPELINE = make_pipeline(*FIRST_STEPS, FOREST).fit(X[:120], Y[:120])
ATTACKS = (
    BaggingAttack(PIPELINE, n_trees=40, random_state=0),
    RMIA(PIPELINE, n_shadows=4, random_state=0),
)


class Unknown(TransformerMixin, BaseEstimator):
    """Of a user: nobody knows what it looks at."""

    def fit(self, X, y=None):
        """Learn nothing."""
        return self

    def transform(self, X):
        """Return what comes."""
        return X


@pytest.mark.parametrize(
    "step",
    [
        None,
        "passthrough",
        PCA(),
        StandardScaler(),
        KNNImputer(),
        TfidfVectorizer(),
        VarianceThreshold(),
        FunctionTransformer(np.abs),
        FrozenEstimator(SelectKBest()),
        make_union(PCA(), StandardScaler()),
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), [0]),
            (OneHotEncoder(), [1]),
            remainder=MinMaxScaler(),
        ),
    ],
)
def test_known_steps(step):
    assert sees_no_label(step)


@pytest.mark.parametrize(
    "step",
    [
        TargetEncoder(),
        SelectKBest(),
        LinearDiscriminantAnalysis(),
        Unknown(),
        type("Scaler", (StandardScaler,), {})(),
        make_union(PCA(), SelectKBest()),
        make_pipeline(StandardScaler(), TargetEncoder()),
        make_column_transformer((TargetEncoder(), [0]), remainder="passthrough"),
        make_column_transformer(("drop", [0]), remainder=Unknown()),
    ],
)
def test_steps_that_see_the_label_or_might(step):
    assert not sees_no_label(step)


def test_a_pipeline_is_split_where_the_label_comes_in():
    recipe = make_pipeline(StandardScaler(), SelectKBest(), PCA(), FOREST)
    first, rest = split_label_free(recipe)
    assert list(first.named_steps) == ["standardscaler"]
    assert list(rest.named_steps) == [
        "selectkbest",
        "pca",
        "randomforestclassifier",
    ]
    assert first[0] is not recipe[0]


@pytest.mark.parametrize(
    "recipe",
    [
        FOREST,
        make_pipeline(FOREST),
        make_pipeline(SelectKBest(), StandardScaler(), FOREST),
        Pipeline([("none", "passthrough"), ("forest", FOREST)]),
    ],
)
def test_nothing_to_fit_once(recipe):
    assert split_label_free(recipe) == (None, recipe)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: type(a).__name__)
def test_thin_shadows_train_on_what_the_first_steps_make_of_the_pool(attack):
    attack.fit(RECORDS)
    features = make_pipeline(*FIRST_STEPS).fit_transform(X)
    for (model, _), members in zip(
        attack.models_[:3], attack.shadow_members_, strict=False
    ):
        again = clone(model).fit(features[members], Y[members])
        assert [name for name, _ in model.steps] == ["randomforestclassifier"]
        assert_array_equal(model.predict_proba(features), again.predict_proba(features))


def _settings(attack):
    params = attack.get_params(deep=False)
    return {k: v for k, v in params.items() if k != "target_estimator"}


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: type(a).__name__)
def test_records_outside_the_pool_pass_through_the_first_steps(attack):
    fitted = type(attack)(PIPELINE, **_settings(attack)).fit(RECORDS[:200])
    one_by_one = [fitted.score_samples(RECORDS[i : i + 1])[0] for i in (200, 230)]
    assert_array_equal(fitted.score_samples(RECORDS[200:])[[0, 30]], one_by_one)


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda a: type(a).__name__)
def test_shadows_that_fit_all_steps_anew(attack):
    exact = type(attack)(
        PIPELINE, **_settings(attack) | {"refit_preprocessing": True}
    ).fit(RECORDS)
    model, _ = exact.models_[0]
    assert [name for name, _ in model.steps] == [name for name, _ in PIPELINE.steps]
    members = exact.shadow_members_[0]
    assert_array_equal(model[0].mean_, X[members].mean(axis=0))


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_forest_is_given_what_it_would_round_itself(wrapped):
    X, y = make_classification(200, random_state=0)
    X[:, 0] += 1 / 3
    forest = RandomForestClassifier(8, random_state=0)
    model = (make_pipeline(forest) if wrapped else forest).fit(X[:100], y[:100])
    records = as_records(X, y)
    options = {"n_trees": 40, "random_state": 0}
    once, anew = (
        BaggingAttack(model, refit_preprocessing=each, **options).fit(records)
        for each in (False, True)
    )
    assert_array_equal(once.shadow_signals_, anew.shadow_signals_)
    outside = as_records(X[:50] + 1e-3, y[:50])
    assert_array_equal(once.score_samples(outside), anew.score_samples(outside))


def test_what_a_forest_would_refuse_is_not_rounded():
    X = np.array([[1e300], [0.1]])
    forest = RandomForestClassifier()
    assert as_forests_take(forest, X) is X
    assert as_forests_take(forest, X[1:]).dtype == np.float32
    assert as_forests_take(LinearDiscriminantAnalysis(), X[1:]).dtype == np.float64


def test_fit_parameters_reach_every_step_of_every_shadow():
    attack = BaggingAttack(PIPELINE, n_trees=16, random_state=0)
    attack.fit(RECORDS, standardscaler__sample_weight=np.arange(240.0))
    assert all(len(model.steps) == 3 for model, _ in attack.models_)


def test_the_two_ways_do_not_share_what_memory_holds(tmp_path):
    kept = {"n_trees": 16, "random_state": 0, "memory": str(tmp_path)}
    scores = [
        BaggingAttack(PIPELINE, refit_preprocessing=refit, **kept).fit_score(RECORDS)
        for refit in (False, True, False)
    ]
    assert_array_equal(scores[0], scores[2])
    assert not np.array_equal(scores[0], scores[1])


def test_first_steps_that_cannot_be_fitted_on_the_pool():
    recipe = make_pipeline(PCA(7, svd_solver="full"), FOREST)
    attack = BaggingAttack(PIPELINE, shadow_estimator=recipe)
    with pytest.raises(
        ShadowFitError,
        match="The steps before the classifier could not be fitted on the pool: "
        "ValueError: n_components=7 must be between 0 and min",
    ):
        attack.fit(RECORDS)
