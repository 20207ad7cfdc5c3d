import re

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    Perceptron,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia.models import unfitted_recipe
from sklearn_mia.response import Responder, check_target, encode_labels, make_responder

N_RECORDS = 120


def table(n_classes):
    return make_classification(
        N_RECORDS, 6, n_informative=4, n_classes=n_classes, flip_y=0.2, random_state=0
    )


class WithoutTags:
    """A classifier that knows nothing of scikit-learn but its method names."""

    def __init__(self, C=1.0):
        self.C = C

    def get_params(self, deep=True):
        return {"C": self.C}

    def set_params(self, **params):
        self.__dict__.update(params)
        return self

    def fit(self, X, y):
        self._model = LogisticRegression(C=self.C).fit(X, y)
        self.classes_ = self._model.classes_.tolist()
        return self

    def predict(self, X):
        return self._model.predict(X)

    def predict_proba(self, X):
        return self._model.predict_proba(X)


class OnlyLabels(WithoutTags):
    """Votes only; its state is no attribute with a trailing underscore."""

    predict_proba = property()

    def fit(self, X, y):
        self._model = LogisticRegression(C=self.C).fit(X, y)
        return self

    @property
    def classes_(self):
        return self._model.classes_


class MixinsInTheWrongOrder(BaseEstimator, ClassifierMixin):
    def fit(self, X, y):
        self.model_ = LogisticRegression().fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(X)

    def predict_proba(self, X):
        return self.model_.predict_proba(X)


def gradient_boosting(package, name):
    def make():
        classifier = getattr(pytest.importorskip(package), name)
        verbosity = 0 if package == "xgboost" else -1
        return classifier(n_estimators=5, n_jobs=1, verbosity=verbosity)

    return make


def search(estimator, **grid):
    return lambda: GridSearchCV(estimator, grid, cv=2)


TARGETS = {
    "logistic": (LogisticRegression, "log_odds"),
    "boosting": (
        lambda: GradientBoostingClassifier(n_estimators=5, random_state=0),
        "log_odds",
    ),
    "histogram boosting": (
        lambda: HistGradientBoostingClassifier(max_iter=5),
        "log_odds",
    ),
    "forest": (
        lambda: RandomForestClassifier(10, random_state=0),
        "predict_proba",
    ),
    "tree": (lambda: DecisionTreeClassifier(random_state=0), "predict_proba"),
    "neighbours": (lambda: KNeighborsClassifier(10), "predict_proba"),
    "Bayes": (GaussianNB, "predict_proba"),
    "XGBoost": (gradient_boosting("xgboost", "XGBClassifier"), "predict_proba"),
    "LightGBM": (gradient_boosting("lightgbm", "LGBMClassifier"), "log_odds"),
    "linear SVM": (LinearSVC, "decision_function"),
    "SVM": (SVC, "decision_function"),
    "ridge": (RidgeClassifier, "decision_function"),
    "hinge": (lambda: SGDClassifier(random_state=0), "decision_function"),
    "perceptron": (Perceptron, "decision_function"),
    "pipeline": (
        lambda: make_pipeline(StandardScaler(), LogisticRegression()),
        "log_odds",
    ),
    "pipeline of SVM": (lambda: make_pipeline(LinearSVC()), "decision_function"),
    "search": (search(LogisticRegression(), C=[0.1, 1]), "log_odds"),
    "search of forests": (
        search(RandomForestClassifier(5, random_state=0), max_depth=[2, 3]),
        "predict_proba",
    ),
    "search of SVMs": (search(SVC(), C=[0.1, 1]), "decision_function"),
    "calibrated": (lambda: CalibratedClassifierCV(LinearSVC(), cv=2), "predict_proba"),
    "no tags": (WithoutTags, "predict_proba"),
    "only labels": (OnlyLabels, "predict"),
    "mixins in the wrong order": (MixinsInTheWrongOrder, "predict_proba"),
}

# Labels whose alphabetical order is that of 0, 1, 2.
NAMINGS = {
    "text": ["high", "low", "mid"],
    "from 1": [1, 2, 3],
    "negative": [-1, 1, 7],
    "objects": np.array(["high", "low", "mid"], dtype=object),
}


def answers(make, n_classes, names=None):
    X, y = table(n_classes)
    if names is not None:
        y = np.asarray(names)[y]
    target = make().fit(X, y)
    before = getattr(target, "predict_proba", target.predict)(X)
    responder, log_proba = make_responder(target, X, check_target(target))
    after = getattr(target, "predict_proba", target.predict)(X)
    assert_array_equal(before, after)
    return target, responder, log_proba


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", TARGETS)
def test_every_kind_of_target_answers(name, n_classes):
    make, kind = TARGETS[name]
    X, _ = table(n_classes)
    target, responder, log_proba = answers(make, n_classes)
    if name == "LightGBM" and not hasattr(target, "decision_function"):
        kind = "predict_proba"  # before LightGBM 4.7
    assert responder.kind == kind
    assert log_proba.shape == (N_RECORDS, n_classes)
    assert log_proba.dtype == np.float64
    assert np.isfinite(log_proba).all()
    assert_array_equal(responder.log_proba(target, X), log_proba)
    if kind == "predict_proba":
        proba = np.asarray(target.predict_proba(X), dtype=np.float64)
        floor = responder.floor
        kept_off = (1 - 2 * floor) * proba + 2 * floor / n_classes
        assert_allclose(np.exp(log_proba), kept_off, rtol=1e-12)
    elif kind == "predict":
        expected = np.full((N_RECORDS, n_classes), 0.25 / (n_classes - 1))
        expected[np.arange(N_RECORDS), target.predict(X)] = 0.75
        assert_allclose(np.exp(log_proba), expected, rtol=1e-15)
    else:
        decision = target.decision_function(X)
        if n_classes == 2:
            log_odds = log_proba[:, 1] - log_proba[:, 0]
            assert_allclose(log_odds, decision, rtol=1e-12, atol=1e-12)
        else:
            assert_allclose(np.exp(log_proba), softmax(decision, axis=1), rtol=1e-12)
        if kind == "log_odds":
            assert_allclose(np.exp(log_proba), target.predict_proba(X), atol=1e-9)


# XGBoost takes no labels but 0, 1, 2.
@pytest.mark.parametrize("name", [name for name in TARGETS if name != "XGBoost"])
@pytest.mark.parametrize("naming", NAMINGS)
def test_names_of_the_classes_change_no_answer(name, naming):
    make, _ = TARGETS[name]
    *_, expected = answers(make, 3)
    *_, log_proba = answers(make, 3, NAMINGS[naming])
    assert_array_equal(log_proba, expected)


@pytest.mark.parametrize("names", [[False, True], [-1, 1], ["no", "yes"], [1.0, 2.0]])
def test_names_of_two_classes_change_no_answer(names):
    for name in ("logistic", "forest", "linear SVM", "only labels"):
        make, _ = TARGETS[name]
        *_, expected = answers(make, 2)
        *_, log_proba = answers(make, 2, names)
        assert_array_equal(log_proba, expected)


class Fixed(ClassifierMixin, BaseEstimator):
    """Answers with what it was given."""

    def __init__(self, classes=(0, 1), **outputs):
        self.classes_ = np.asarray(classes)
        for name, output in outputs.items():
            setattr(self, name, lambda X, output=output: output)

    def fit(self, X, y):
        return self

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def ask(target, response_method="auto"):
    X = np.zeros((len(target.predict(None)), 1))
    return make_responder(target, X, check_target(target), response_method)


def test_columns_are_read_through_the_classes_whatever_their_order():
    proba = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
    target = Fixed(["b", "c", "a"], predict_proba=proba)
    responder, log_proba = ask(target)
    labels = encode_labels(np.array(["b", "a"]), target.classes_)
    assert labels.tolist() == [0, 2]
    true = np.exp(log_proba[np.arange(2), labels])
    floor = responder.floor
    expected = (1 - 2 * floor) * np.array([0.7, 0.6]) + 2 * floor / 3
    assert_allclose(true, expected, rtol=1e-12)


def test_a_model_with_fewer_classes_is_aligned_and_the_unseen_class_is_masked():
    responder = Responder("predict_proba", np.array(["a", "b", "c"]), floor=0.01)
    model = Fixed(["c", "a"], predict_proba=np.array([[0.75, 0.25], [1.0, 0.0]]))
    seen = encode_labels(model.classes_, responder.classes)
    assert seen.tolist() == [2, 0]
    answer = responder.ask(model, np.zeros((2, 1)), responder.classes[seen])
    # Its two classes share what the floor takes; the third gets nothing.
    expected = np.array([[0.255, 0.0, 0.745], [0.01, 0.0, 0.99]])
    log_proba = responder.align(answer, seen)
    assert_array_equal(log_proba[:, 1], -np.inf)
    assert_allclose(np.exp(log_proba), expected, rtol=1e-12)


def test_the_native_log_odds_do_not_saturate():
    X = np.array([[-1.0], [1.0], [40.0], [50.0]])
    target = LogisticRegression(C=np.inf).fit(X[[0, 0, 1, 1]], [0, 1, 1, 1])
    target.coef_, target.intercept_ = np.array([[1.0]]), np.array([0.0])
    assert target.predict_proba(X)[2:, 1].tolist() == [1.0, 1.0]
    responder, log_proba = make_responder(target, X, target.classes_)
    assert responder.kind == "log_odds"
    assert_allclose(log_proba[:, 1] - log_proba[:, 0], X[:, 0], rtol=1e-15)


def test_a_decision_that_disagrees_with_the_probabilities_is_not_asked():
    proba = np.array([[0.2, 0.8], [0.6, 0.4]])
    log_odds = np.log(proba[:, 1] / proba[:, 0])
    agreeing = Fixed(predict_proba=proba, decision_function=log_odds)
    assert ask(agreeing)[0].kind == "log_odds"
    for decision in (-log_odds, 2 * log_odds, log_odds + 1e-4, log_odds[:, None]):
        other = Fixed(predict_proba=proba, decision_function=decision)
        assert ask(other)[0].kind == "predict_proba"


@pytest.mark.parametrize("method", ["predict_proba", "decision_function", "predict"])
def test_the_response_method_can_be_chosen(method):
    X, y = table(2)
    target = LogisticRegression().fit(X, y)
    responder, _ = make_responder(target, X, target.classes_, method)
    assert responder.kind == method


@pytest.mark.parametrize(
    ("make", "method", "has"),
    [
        (LinearSVC, "predict_proba", "decision_function, predict"),
        (KNeighborsClassifier, "decision_function", "predict_proba, predict"),
        (search(SVC(), C=[1]), "predict_proba", "decision_function, predict"),
    ],
)
def test_a_response_method_that_is_missing_is_named_with_those_there_are(
    make, method, has
):
    X, y = table(2)
    target = make().fit(X, y)
    message = (
        f"response_method={method!r}, but the target {type(target).__name__} has no "
        f"such method. It has {has}: pass one of them, or 'auto'."
    )
    with pytest.raises(TypeError, match=re.escape(message)):
        make_responder(target, X, target.classes_, method)


@pytest.mark.parametrize(
    ("target", "floor"),
    [
        (RandomForestClassifier(10, random_state=0), 1 / 20),
        (RandomForestClassifier(40, random_state=0), 1 / 80),
        (KNeighborsClassifier(20), 1 / 40),
        (KNeighborsClassifier(10), 1 / 20),
        # No floor above 1 / 20, however few the neighbours.
        (KNeighborsClassifier(3), 1 / 20),
        (DecisionTreeClassifier(random_state=0), 0.005),
        (KNeighborsClassifier(1), 0.005),
    ],
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_floor_is_half_of_one_vote(target, floor, n_classes):
    # From one class to the next votes change one by one.
    X = np.linspace(0, n_classes, 60 * n_classes, endpoint=False)[:, None]
    target.fit(X, X.ravel().astype(int))
    X = np.linspace(0, n_classes, 3000)[:, None]
    responder, log_proba = make_responder(target, X, target.classes_)
    assert_allclose(responder.floor, floor, rtol=1e-12)
    assert (target.predict_proba(X) == 0).any()
    assert_allclose(log_proba.min(), np.log(2 * floor / n_classes), rtol=1e-12)


def test_the_floor_of_a_smooth_model_is_tiny():
    target = Fixed(predict_proba=np.array([[1e-200, 1.0], [0.4, 0.6]]))
    responder, log_proba = ask(target)
    assert responder.floor == 1e-15
    assert_allclose(np.exp(log_proba), [[1e-15, 1], [0.4, 0.6]], rtol=1e-12)
    assert log_proba[0, 1] < 0


def test_float32_probabilities_are_read_as_float64():
    sure = np.array([0.999, 0.9999, 1.0], dtype=np.float32)
    proba = np.column_stack([1 - sure, sure])
    assert proba.dtype == np.float32
    _, log_proba = ask(Fixed(predict_proba=proba))
    log_odds = log_proba[:, 1] - log_proba[:, 0]
    assert log_proba.dtype == np.float64
    assert np.isfinite(log_odds).all()
    assert (np.diff(log_odds) > 0).all()


def test_a_large_decision_stays_finite():
    decision = np.array([-1e6, 0.0, 1e6])
    target = Fixed(
        decision_function=decision, predict=decision > 0, classes=[False, True]
    )
    _, log_proba = ask(target)
    assert_array_equal(log_proba[:, 1] - log_proba[:, 0], decision)


TWO_COLUMNS = np.array([[0.25, 0.75], [0.5, 0.5], [1.0, 0.0]])


@pytest.mark.parametrize(
    ("proba", "message"),
    [
        (
            TWO_COLUMNS[:, 1],
            "Fixed.predict_proba must return shape (n_records, n_classes) = (3, 2), "
            "one column a class, got (3,).",
        ),
        (
            TWO_COLUMNS[:, 1:],
            "shape (n_records, n_classes) = (3, 2), one column a class, got (3, 1).",
        ),
        (
            [TWO_COLUMNS, TWO_COLUMNS],
            "Fixed.predict_proba returned a list of 2 arrays, one an output. Attack "
            "one output at a time, with a classifier trained on it.",
        ),
        (
            2 * TWO_COLUMNS,
            "Fixed.predict_proba must return probabilities that sum to 1 in each row, "
            "got sums from 2 to 2.",
        ),
        (
            np.add(TWO_COLUMNS, [[0.01, 0], [0, 0], [0, -0.25]]),
            "must return probabilities that sum to 1 in each row, got sums from 0.75 "
            "to 1.01.",
        ),
        (
            np.add(TWO_COLUMNS, [[-0.5, 0.5], [0, 0], [0, 0]]),
            "must return probabilities that sum to 1 in each row",
        ),
        (
            np.add(TWO_COLUMNS, [[np.nan, 0], [0, np.inf], [0, 0]]),
            "Fixed.predict_proba returned 2 values that are not finite. Clean the "
            "records or the model first.",
        ),
    ],
)
def test_probabilities_that_are_none_are_refused(proba, message):
    target = Fixed(predict_proba=proba, predict=np.zeros(3))
    with pytest.raises(ValueError, match=re.escape(message)):
        ask(target)


@pytest.mark.parametrize(
    ("decision", "message"),
    [
        (np.zeros(3), "must return one score a class, shape (n_records, 3), got (3,)."),
        (
            np.zeros((3, 2)),
            "Fixed.decision_function must return one score a class, shape "
            "(n_records, 3), got (3, 2).",
        ),
        (
            np.full((3, 3), np.inf),
            "Fixed.decision_function returned values that are not finite. Clean the",
        ),
    ],
)
def test_decisions_that_are_none_are_refused(decision, message):
    target = Fixed(range(3), decision_function=decision, predict=np.zeros(3))
    with pytest.raises(ValueError, match=re.escape(message)):
        ask(target)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda model: model,
        make_pipeline,
        lambda model: make_pipeline(StandardScaler(), model),
        lambda model: GridSearchCV(make_pipeline(model), {}, cv=2),
    ],
)
@pytest.mark.parametrize("svm", [SVC, NuSVC])
@pytest.mark.parametrize("n_classes", [3, 4])
def test_one_score_a_pair_of_classes_is_refused(wrap, svm, n_classes):
    X, y = table(n_classes)
    # Three classes have three pairs: the shape cannot tell.
    target = wrap(svm(decision_function_shape="ovo")).fit(X, y)
    for model in (target, FrozenEstimator(target)):
        message = (
            f"{type(model).__name__}.decision_function returns one score a pair of "
            "classes, not one a class. Set decision_function_shape='ovr', or pass "
            "response_method='predict'."
        )
        with pytest.raises(ValueError, match=re.escape(message)):
            make_responder(model, X, y)
        assert make_responder(model, X, np.unique(y), "predict")[0].kind == "predict"


def test_two_classes_are_one_pair():
    X, y = table(2)
    pairs = SVC(decision_function_shape="ovo").fit(X, y)
    *_, expected = answers(SVC, 2)
    assert_array_equal(make_responder(pairs, X, pairs.classes_)[1], expected)


def test_a_regressor_is_refused():
    X, y = table(2)
    for model in (
        LinearRegression().fit(X, y),
        RandomForestRegressor(2).fit(X, np.column_stack([y, y])),
        make_pipeline(StandardScaler(), LinearRegression()).fit(X, y),
        LinearRegression(),
    ):
        name = type(model).__name__
        message = f"must be a classifier, but {name} is a regressor. Membership"
        with pytest.raises(TypeError, match=re.escape(message)):
            check_target(model)


def test_several_outputs_are_refused():
    X, y = table(2)
    target = RandomForestClassifier(2).fit(X, np.column_stack([y, y, y]))
    message = "The target RandomForestClassifier has 3 outputs. Attack one output"
    with pytest.raises(ValueError, match=re.escape(message)):
        check_target(target)


def test_a_single_class_is_refused_by_name():
    X, _ = table(2)
    target = RandomForestClassifier(2).fit(X, ["only"] * len(X))
    message = "RandomForestClassifier knows only the class 'only'. A membership"
    with pytest.raises(ValueError, match=re.escape(message)):
        check_target(target)


@pytest.mark.parametrize("wrong", [None, "rf", LogisticRegression, WithoutTags])
def test_what_is_no_instance_is_refused(wrong):
    message = (
        f"target_estimator must be a fitted classifier, got {wrong!r}. Pass an "
        "instance, for example RandomForestClassifier().fit(X_train, y_train)."
    )
    with pytest.raises(TypeError, match=re.escape(message)):
        check_target(wrong)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("predict", "but NotAll has no predict method."),
        ("fit", "must be a classifier with fit and predict, but NotAll has no fit"),
        ("classes_", "The target NotAll has no attribute classes_, the class of each"),
    ],
)
def test_a_missing_method_is_named(missing, message):
    members = {"predict": len, "fit": len, "classes_": [0, 1]}
    del members[missing]
    target = type("NotAll", (), members)()
    target.state_ = 1
    with pytest.raises(TypeError, match=re.escape(message)):
        check_target(target)


def test_a_clusterer_has_no_classes():
    with pytest.raises(TypeError, match="KMeans has no attribute classes_"):
        check_target(KMeans(2, n_init=1).fit(table(2)[0]))


@pytest.mark.parametrize("name", TARGETS)
def test_an_unfitted_target_is_told_from_a_fitted_one(name):
    X, y = table(2)
    target = TARGETS[name][0]()
    for model in (target, FrozenEstimator(target)):
        message = f"The target {type(model).__name__} is not fitted. Pass the trained"
        if name in ("no tags", "only labels") and model is not target:
            continue  # FrozenEstimator needs tags
        with pytest.raises(NotFittedError, match=re.escape(message)) as caught:
            check_target(model)
        for advice in ("cross_validate_leakage", "FrozenEstimator"):
            assert advice in str(caught.value)
    target.fit(X, y)
    assert_array_equal(check_target(target), [0, 1])


@pytest.mark.parametrize("name", ["forest", "pipeline", "search", "linear SVM"])
def test_a_frozen_target_answers_as_what_it_holds(name):
    X, _ = table(3)
    target, responder, log_proba = answers(TARGETS[name][0], 3)
    frozen = FrozenEstimator(target)
    frozen_responder, frozen_log_proba = make_responder(frozen, X, check_target(frozen))
    assert frozen_responder.kind == responder.kind
    assert frozen_responder.floor == responder.floor
    assert_array_equal(frozen_log_proba, log_proba)


def test_a_recipe_is_taken_out_of_its_wrappers():
    X, y = table(2)
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
    X, y = table(2)
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


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.array([1, 0, 1]), np.array([0, 1])),
        (np.array([1.0, 0.0, 1.0]), np.array([0, 1])),
        (np.array([1.0, -0.0, True], dtype=object), np.array([0, 1])),
        (np.array([1, 0, 1]), np.array([False, True])),
        (np.array([True, False, True]), np.array([0.0, 1.0])),
        (np.array(["b", "a", "b"]), np.array(["a", "b"], dtype=object)),
        (np.array(["b", "a", "b"], dtype=object), np.array(["a", "b"])),
        (np.array(["a", "b", "a"]), np.array(["b", "a"])),
        (np.array([300, 2, 300], dtype=np.int16), np.array([2, 300], dtype=object)),
    ],
)
def test_labels_are_matched_by_value(labels, classes):
    codes = encode_labels(labels, classes)
    assert codes.tolist() == [1, 0, 1]
    assert codes.dtype == np.intp


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        (
            np.array([0, 2, 2, 5]),
            np.array([0, 1]),
            "3 records have a class label that the target does not know: 2, 5. Its "
            "classes are 0, 1. Check label_column, encode the labels as for its "
            "training, or drop these records.",
        ),
        (np.array(["1"]), np.array([0, 1]), "does not know: '1'. Its classes are 0"),
        (np.array([1]), np.array(["0", "1"]), "does not know: 1. Its classes are '0'"),
        (
            np.array(["a", None, "a", np.nan], dtype=object),
            np.array(["a", "b"]),
            "2 records have a class label that the target does not know: None.",
        ),
        (
            np.array([0, np.nan]),
            np.array([0, 1]),
            "1 records have a class label that the target does not know: None.",
        ),
        (np.array([0.5, 1]), np.array([0, 1]), "does not know: 0.5. Its classes"),
    ],
)
def test_labels_that_the_target_does_not_know_are_refused(labels, classes, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        encode_labels(labels, classes)


def test_missing_labels_of_pandas_are_refused():
    pd = pytest.importorskip("pandas")
    labels = np.array(["a", pd.NA, pd.NaT], dtype=object)
    message = "2 records have a class label that the target does not know: None."
    with pytest.raises(ValueError, match=re.escape(message)):
        encode_labels(labels, np.array(["a", "b"]))


def test_votes_of_a_target_are_read_through_its_classes():
    target = Fixed(["b", "a"], predict=np.array(["a", "b", "a"]))
    responder, log_proba = ask(target)
    assert responder.kind == "predict"
    assert log_proba.argmax(axis=1).tolist() == [1, 0, 1]
