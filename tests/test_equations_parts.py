"""Models of several parts, and estimators of a user."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, Ridge, RidgeClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    TunedThresholdClassifierCV,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    StandardScaler,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeClassifier
from test_equations import draw, standing_off

from sklearn_mia import CoarsenedClassifier
from sklearn_mia.equations import (
    Equations,
    known_families,
    linear_equations,
    register_equations,
    solve,
)
from sklearn_mia.equations._parts import draws_of, n_numbers, parts_of

TREE = DecisionTreeClassifier(max_depth=4, random_state=0)
LOGISTIC = LogisticRegression()


def steps_of(model, n_classes=2, most=5.0, text=True):
    X, y, m = draw(n_classes)
    if text:
        y = np.array(["b", "c", "a"], dtype=object)[y]
    system = linear_equations(model.fit(X[m], y[m]), X, y)
    assert standing_off(system, m).max() <= most
    return list(dict.fromkeys(line.step for line in system.table())), system


@pytest.mark.parametrize("n_classes", [2, 3])
def test_each_step_of_a_pipeline_stores_something(n_classes):
    model = make_pipeline(StandardScaler(), "passthrough", LOGISTIC)
    steps, system = steps_of(model, n_classes)
    assert steps == ["standardscaler", "logisticregression"]
    assert system.n_members == 300


@pytest.mark.parametrize(
    "wrapped",
    [
        FrozenEstimator,
        lambda model: GridSearchCV(model, {}, cv=2),
        lambda model: TunedThresholdClassifierCV(model, cv=2),
        lambda model: CalibratedClassifierCV(model, cv=2, ensemble=False),
        CoarsenedClassifier,
    ],
)
def test_wrappers_are_opened(wrapped):
    X, y, m = draw()
    words = np.array(["no", "yes"])[y]
    pipeline = make_pipeline(StandardScaler(), TREE)
    pipeline.fit(X[m], words[m])
    model = wrapped(pipeline)
    model = model.fit(X[m], words[m]) if hasattr(model, "fit") else model
    system = linear_equations(model, X, words)
    plain = linear_equations(pipeline, X, words)
    assert [line.step for line in system.table()] == ["standardscaler"] * 3 + [
        "decisiontreeclassifier"
    ]
    assert_array_equal(system.b, plain.b)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "ensemble",
    [
        VotingClassifier([("a", TREE), ("b", LOGISTIC)]),
        StackingClassifier([("a", TREE), ("b", LOGISTIC)], cv=2),
    ],
)
def test_voting_and_stacking_have_the_equations_of_all(ensemble, n_classes):
    steps, system = steps_of(ensemble, n_classes)
    assert steps == ["part 0", "part 1"]
    assert system.n_members == 300


def test_a_stack_of_trained_models_has_those_of_its_final_estimator():
    X, y, m = draw()
    tree = TREE.fit(X[~m], y[~m])
    model = StackingClassifier([("a", tree)], cv="prefit")
    system = linear_equations(model.fit(X[m], y[m]), X, y)
    assert {line.step for line in system.table()} == {"final_estimator"}
    assert standing_off(system, m).max() <= 5


class OwnStack(StackingClassifier):
    """May train its parts in another way."""


def test_an_own_stack_of_trained_models_is_one_part():
    X, y, m = draw()
    tree = TREE.fit(X[~m], y[~m])
    model = OwnStack([("a", tree)], cv="prefit").fit(X[m], y[m])
    assert [part.estimator for part in parts_of(model, X, y)] == [model]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_folds_of_a_calibration_are_samples_of_the_records(n_classes):
    model = CalibratedClassifierCV(RandomForestClassifier(5, max_depth=3), cv=3)
    steps, system = steps_of(model, n_classes, most=6)
    assert steps == ["part 0", "part 1", "part 2"]
    assert round(system.n_members) == 300


def test_bags_of_any_model_are_samples_of_the_records():
    model = BaggingClassifier(LOGISTIC, 4, max_features=0.5, random_state=0)
    assert steps_of(model)[0] == ["part 0", "part 1", "part 2", "part 3"]
    model = BaggingClassifier(
        make_pipeline(StandardScaler(), TREE), 3, max_samples=0.5, bootstrap=False
    )
    steps, system = steps_of(model)
    assert len(steps) == 6
    assert round(system.n_members) == 300


def test_numbers_that_an_estimator_stores_are_counted():
    X, *_ = draw()
    scaler = StandardScaler().fit(X)
    # Mean, variance and scale of 8 columns, number of columns and of records.
    assert n_numbers(scaler) == 3 * 8 + 2
    scaler.kept_ = [np.zeros(3), (1.0, "two"), np.array([np.zeros(2), None], object)]
    assert n_numbers(scaler) == 3 * 8 + 2 + 3 + 2 + 3
    scaler.other_ = object()
    assert n_numbers(scaler) == np.inf
    assert n_numbers(FunctionTransformer(np.log)) == np.inf


def test_values_are_needed_for_what_a_wrapper_learns_of_them():
    X, _, _ = draw()
    wrapped = TransformedTargetRegressor(Ridge(), transformer=StandardScaler())
    parts = list(parts_of(wrapped.fit(X, X[:, 0]), X, None))
    assert [part.step for part in parts] == [""]
    assert parts[0].labels is None


def test_bags_that_do_not_tell_their_draws_have_no_part():
    X, y, m = draw()
    model = BaggingClassifier(LOGISTIC, 2).fit(X[m], y[m])
    n = model._n_samples
    assert draws_of(model) == (1.0, 1 - 1 / n)
    del model._n_samples
    assert draws_of(model) is None
    assert list(parts_of(model, X, y)) == []
    with pytest.raises(ValueError, match="No linear equation is known"):
        linear_equations(model, X, y)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_each_class_against_the_rest_has_equations(n_classes):
    steps, _ = steps_of(OneVsRestClassifier(LOGISTIC), n_classes)
    assert steps == ([""] if n_classes == 2 else ["class 0", "class 1", "class 2"])


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_columns_of_a_frame_have_their_own_steps(library):
    frames = pytest.importorskip(library)
    X, y, m = draw()
    table = {f"x{j}": X[:, j] for j in range(3)}
    table["kind"] = np.array(list("abc"))[np.digitize(X[:, 4], [-1, 1])]
    members = frames.DataFrame({name: column[m] for name, column in table.items()})
    columns = ColumnTransformer(
        [
            ("numbers", make_pipeline(StandardScaler(), MinMaxScaler()), ["x0", "x1"]),
            ("kinds", OneHotEncoder(), ["kind"]),
        ],
    )
    model = make_pipeline(columns, TREE).fit(members, y[m])
    system = linear_equations(model, frames.DataFrame(table), y)
    assert list(dict.fromkeys(line.step for line in system.table())) == [
        "columntransformer.numbers.standardscaler",
        "columntransformer.numbers.minmaxscaler",
        "decisiontreeclassifier",
    ]
    assert standing_off(system, m).max() <= 5


@pytest.mark.slow
def test_records_held_out_by_one_step_are_a_share_of_those_of_the_others():
    X, y, m = draw(n=2000)
    boosting = HistGradientBoostingClassifier(
        max_iter=20, early_stopping=True, random_state=0
    )
    model = make_pipeline(StandardScaler(), boosting).fit(X[m], y[m])
    system = linear_equations(model, X, y)
    assert system.n_members == 900
    for block in system.blocks:
        assert block.n_members in (None, 900)
    estimate = solve(system, prior=0.45).estimate
    alone = linear_equations(boosting, StandardScaler().fit(X[m]).transform(X), y)
    assert roc_auc_score(m, estimate) > roc_auc_score(m, solve(alone).estimate) - 0.02


def test_a_union_has_the_equations_of_all():
    model = make_pipeline(make_union(StandardScaler(), MinMaxScaler()), TREE)
    assert steps_of(model)[0] == [
        "featureunion.standardscaler",
        "featureunion.minmaxscaler",
        "decisiontreeclassifier",
    ]


def test_nothing_is_read_behind_a_step_that_hands_on_other_features():
    X, y, m = draw()
    X = np.round(X)
    for model in (
        make_pipeline(StandardScaler(), TargetEncoder(smooth=3.0), TREE),
        make_pipeline(
            StandardScaler(), make_union(TargetEncoder(smooth=3.0)), LOGISTIC
        ),
    ):
        system = linear_equations(model.fit(X[m], y[m]), X, y)
        steps = {line.step.partition(".")[0] for line in system.table()}
        assert steps in (
            {"standardscaler", "targetencoder"},
            {"standardscaler", "featureunion"},
        )
        assert standing_off(system, m).max() <= 5


def test_a_part_that_never_saw_a_class_has_no_record_of_it():
    X, y, m = draw(3)
    rare = np.flatnonzero(m & (y == 2))
    m[rare[1:]] = False
    y = np.where((y == 2) & ~m, 1, y)
    model = BaggingClassifier(
        LinearDiscriminantAnalysis(),
        6,
        max_samples=0.3,
        bootstrap=False,
        random_state=0,
    )
    system = linear_equations(model.fit(X[m], y[m]), X, y)
    shares = [e for e in system.blocks if e.kind == "class share"]
    # How many of them drew the one record depends on the version.
    assert (2, 599) in {e.matrix.shape for e in shares}
    assert standing_off(system, m).max() <= 6


def test_the_order_of_the_records_is_that_of_the_columns():
    X, y, m = draw()
    order = np.random.default_rng(5).permutation(len(X))
    for model in (
        ExtraTreesClassifier(5, random_state=0),
        HistGradientBoostingClassifier(max_iter=5),
        RidgeClassifier(),
        GaussianNB(),
    ):
        model.fit(X[m], y[m])
        plain = linear_equations(model, X, y)
        other = linear_equations(model, X[order], y[order])
        assert_allclose(plain.toarray()[:, order], other.toarray(), atol=1e-12)
        assert_allclose(plain.b, other.b, atol=1e-12)


class Centre(ClassifierMixin, BaseEstimator):
    def fit(self, X, y):
        self.classes_, self.n_, self.centre_ = np.unique(y), len(X), X.mean(axis=0)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])


class OtherCentre(Centre):
    pass


@pytest.mark.usefixtures("families")
@pytest.mark.parametrize("named", [False, True])
def test_a_user_tells_what_an_estimator_stores(named):
    X, y, m = draw()
    model = make_pipeline(StandardScaler(), Centre()).fit(X[m], y[m])

    @register_equations(f"{Centre.__module__}.Centre" if named else Centre)
    def equations_of_a_centre(estimator, X, y):
        yield Equations("mean", X.T, estimator.n_ * estimator.centre_, 1e-9)

    system = linear_equations(model, X, y)
    assert [line.step for line in system.table()][-1] == "centre"
    assert standing_off(system, m).max() <= 5
    assert "Centre" in known_families()
    other = OtherCentre().fit(X[m], y[m])
    with pytest.raises(ValueError, match="No linear equation is known for OtherCentre"):
        linear_equations(other, X, y)


class Choosing(FunctionTransformer):
    """Stands in for a step that resamples."""

    def fit_resample(self, X, y):
        return X[::2], y[::2]


def test_a_step_that_chose_the_training_records_is_named():
    X, y, m = draw()
    model = make_pipeline(Choosing(), DecisionTreeClassifier()).fit(X[m], y[m])
    message = (
        "No linear equation is known for DecisionTreeClassifier after Choosing, which "
        "chose the records that it was trained on and is not asked which."
    )
    with pytest.raises(ValueError, match=message):
        linear_equations(model, X, y)


@pytest.mark.usefixtures("families")
@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([3], TypeError, "gave int; expected Equations"),
        ([Equations("sum", np.ones((1, 5)), [1.0])], ValueError, "5 columns for 600"),
    ],
)
def test_what_a_user_gives_is_checked(given, error, message):
    X, y, m = draw()
    register_equations(Centre)(lambda estimator, X, y: given)
    with pytest.raises(error, match=message):
        linear_equations(Centre().fit(X[m], y[m]), X, y)


def test_equations_of_another_shape_are_refused():
    with pytest.raises(ValueError, match="a matrix of 2 rows and b of 3"):
        Equations("sum", np.ones((2, 5)), np.ones(3))


def test_classes_are_registered_by_class_or_name():
    with pytest.raises(TypeError, match="expected classes, or their names"):
        register_equations(Centre())


def test_labels_are_needed_for_a_classifier():
    X, y, m = draw()
    with pytest.raises(ValueError, match="y=None, but DecisionTreeClassifier is a cl"):
        linear_equations(TREE.fit(X[m], y[m]), X)


def test_nothing_of_the_user_is_written_to():
    pd = pytest.importorskip("pandas")
    X, y, m = draw()
    table = pd.DataFrame(X)
    before = table.copy(deep=True)
    model = make_pipeline(FunctionTransformer(), TREE).fit(table[m], y[m])
    linear_equations(model, table, y)
    pd.testing.assert_frame_equal(table, before)
