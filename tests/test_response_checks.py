"""What is no target, no answer and no label is refused with the reason."""

import re

import numpy as np
import pytest
from helpers.targets import TARGETS, Fixed, WithoutTags, ask, search, table
from numpy.testing import assert_array_equal
from sklearn.cluster import KMeans
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC, NuSVC

from sklearn_mia.response import check_target, encode_labels, make_responder


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
        (
            np.array([["Ann", "Bob"]] * 3),
            "The answer of Fixed.predict_proba has probabilities of type str that are "
            "no numbers; expected numbers, one column a class.",
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
        (
            np.array([["Ann", "Bob", "Eve"]] * 3),
            "The answer of Fixed.decision_function has scores of type str that are no "
            "numbers; expected numbers, one column a class.",
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


def test_a_regressor_has_no_classes():
    X, y = table(2)
    assert check_target(LinearRegression().fit(X, y)) is None
    pipe = make_pipeline(StandardScaler(), LinearRegression()).fit(X, y)
    assert check_target(pipe) is None
    with pytest.raises(NotFittedError, match="LinearRegression is not fitted"):
        check_target(LinearRegression())


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
        f"target_estimator must be a fitted classifier or regressor, got {wrong!r}. "
        "Pass an "
        "instance, for example RandomForestClassifier().fit(X_train, y_train)."
    )
    with pytest.raises(TypeError, match=re.escape(message)):
        check_target(wrong)


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        ("predict", "but NotAll has no predict method."),
        ("fit", "must be a model with fit and predict, but NotAll has no fit"),
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


@pytest.mark.parametrize(
    ("labels", "classes", "message"),
    [
        (
            np.array([0, 2, 2, 5]),
            np.array([0, 1]),
            "3 of 4 records have a class label that the target does not know. Its "
            "classes are 0, 1. Check label_column, encode the labels as for its "
            "training, or drop these records.",
        ),
        (np.array(["1"]), np.array([0, 1]), "1 of 1 records have a class label"),
        (np.array([1]), np.array(["0", "1"]), "not know. Its classes are '0', '1'."),
        (
            np.array(["a", None, "a", np.nan], dtype=object),
            np.array(["a", "b"]),
            "2 of 4 records have a class label that the target does not know.",
        ),
        (
            np.array([0, np.nan]),
            np.array([0, 1]),
            "1 of 2 records have a class label that the target does not know.",
        ),
        (np.array([0.25, 1]), np.array([0, 1]), "1 of 2 records have"),
    ],
)
def test_r10_labels_that_the_target_does_not_know_are_counted_and_not_shown(
    labels, classes, message
):
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        encode_labels(labels, classes)
    known = {*map(str, classes), *map(str, range(len(labels) + 1))}
    for label in {*map(str, labels)} - known:
        assert label not in str(caught.value)


def test_missing_labels_of_pandas_are_refused():
    pd = pytest.importorskip("pandas")
    labels = np.array(["a", pd.NA, pd.NaT], dtype=object)
    message = "2 of 3 records have a class label that the target does not know."
    with pytest.raises(ValueError, match=re.escape(message)):
        encode_labels(labels, np.array(["a", "b"]))
