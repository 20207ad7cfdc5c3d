"""How equations of parts are found and brought together, by hand."""

import functools
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.equations import assert_rows, drawn_pool
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import log_softmax
from sklearn.base import BaseEstimator
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    LabelBinarizer,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, SVR
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia.equations import Equations, has_equations, linear_equations
from sklearn_mia.equations._outputs import model_from_answers
from sklearn_mia.equations._parts import (
    Part,
    _as_given,
    _hands_on_the_same,
    _held_by,
    _inside,
    _stores_nothing,
    draws_of,
    estimators_in,
    n_numbers,
    parts_of,
    unread_in,
)
from sklearn_mia.equations._registry import (
    _of_one_training_set,
    _of_part,
    _resized,
    register_equations,
)
from sklearn_mia.equations._regressors import (
    records_of_a_gaussian_process,
    records_of_neighbours_with_values,
    records_of_support_vectors_of_values,
)
from sklearn_mia.equations._stored import (
    copies_of,
    records_of_neighbours,
    records_of_support_vectors,
)

X, Y, M = drawn_pool()
TREE, NB = DecisionTreeClassifier(max_depth=2), GaussianNB()


# Parts


def told(parts):
    return [(part.step, type(part.estimator).__name__) for part in parts]


def test_a_part_gets_what_the_steps_before_it_give():
    model = make_pipeline(StandardScaler(), MinMaxScaler(), TREE).fit(X[M], Y[M])
    scaler, second, tree = parts_of(model, X, Y)
    assert told((scaler, second, tree)) == [
        ("standardscaler", "StandardScaler"),
        ("minmaxscaler", "MinMaxScaler"),
        ("decisiontreeclassifier", "DecisionTreeClassifier"),
    ]
    between = model[0].transform(X)
    assert_array_equal(scaler.features, X)
    assert_array_equal(second.features, between)
    assert_array_equal(tree.features, model[1].transform(between))
    for part in (scaler, second, tree):
        assert_array_equal(part.labels, Y)
        assert (part.share, part.sampling) == (1.0, 0.0)
    assert list(estimators_in(model)) == [model, *(step for _, step in model.steps)]
    assert (_inside("a", "b"), _inside("", "b")) == ("a.b", "b")


def test_columns_and_unions_have_parts_of_their_own():
    columns = ColumnTransformer(
        [
            ("one", StandardScaler(), [2]),
            ("none", StandardScaler(), []),
            ("gone", "drop", [1]),
        ]
    )
    (part,) = parts_of(columns.fit(X), X, Y)
    assert part.step == "one"
    assert_array_equal(part.features, X[:, [2]])
    assert_array_equal(part.labels, Y)
    union = FeatureUnion([("a", StandardScaler()), ("b", "drop"), ("c", NB)])
    for _, part in union.transformer_list[::2]:
        part.fit(X, Y)
    assert told(parts_of(union, X, Y)) == [("a", "StandardScaler"), ("c", "GaussianNB")]
    assert _held_by(union) == [part for _, part in union.transformer_list[::2]]
    assert len(_held_by(columns)) == 2


def test_classes_against_the_rest_are_given_their_own_labels():
    words = np.array(["a", "b", "c"])[np.arange(len(X)) % 3]
    for sparse in (False, True):
        model = OneVsRestClassifier(TREE).fit(X, words)
        model.label_binarizer_ = LabelBinarizer(sparse_output=sparse).fit(words)
        for k, part in enumerate(parts_of(model, X, words)):
            assert part.step == f"class {k}"
            assert part.estimator is model.estimators_[k]
            assert_array_equal(part.labels, words == "abc"[k])


def test_folds_of_a_calibration_have_all_records_but_one_share():
    for cv, n_folds in ((3, 3), (None, 5), (StratifiedKFold(4), 4)):
        model = CalibratedClassifierCV(TREE, cv=cv).fit(X, Y)
        parts = list(parts_of(model, X, Y))
        assert [part.step for part in parts] == [f"part {k}" for k in range(n_folds)]
        for part in parts:
            assert part.share == pytest.approx(1 - 1 / n_folds)
            assert part.sampling == pytest.approx(1 / (n_folds - 1))
    halves = np.arange(60), np.arange(60, 120)
    given = CalibratedClassifierCV(TREE, cv=[halves, halves[::-1]])
    assert told(parts_of(given.fit(X, Y), X, Y)) == [("", "CalibratedClassifierCV")]
    # Of a stack within a stack shares are multiplied, and variances added.
    model = VotingClassifier([("a", CalibratedClassifierCV(TREE, cv=2))]).fit(X, Y)
    bag = BaggingClassifier(model, 1, max_samples=0.5, random_state=0).fit(X, Y)
    for part in parts_of(bag, X, Y):
        assert part.share == pytest.approx(0.25)
        assert part.sampling == pytest.approx((1 - 1 / 120) / 0.5 + 1)


def test_members_of_stacks_and_votes_have_all_records():
    words = np.array(["no", "yes"])[Y]
    pair = [("a", TREE), ("b", NB)]
    for model in (VotingClassifier(pair), StackingClassifier(pair, cv=2)):
        parts = list(parts_of(model.fit(X, words), X, words))
        assert told(parts) == [
            ("part 0", "DecisionTreeClassifier"),
            ("part 1", "GaussianNB"),
        ]
        for part in parts:
            assert_array_equal(part.labels, Y)
            assert_array_equal(part.features, X)
            assert (part.share, part.sampling) == (1.0, 0.0)
    stack = StackingClassifier(
        [("a", TREE.fit(X, Y))], LogisticRegression(), cv="prefit"
    )
    (part,) = parts_of(stack.fit(X, words), X, words)
    assert part.estimator is stack.final_estimator_
    assert_array_equal(part.features, stack.transform(X))
    assert_array_equal(part.labels, Y)
    assert _held_by(stack) == [*stack.estimators_, stack.final_estimator_]


def test_what_is_behind_a_step_that_chooses_or_changes_is_left_out():
    encoder = TargetEncoder(cv=2).fit(np.round(X), Y)
    for step, same in (
        (StandardScaler(), True),
        (encoder, False),
        (make_pipeline(StandardScaler(), encoder), False),
        (make_pipeline(StandardScaler(), StandardScaler()), True),
        (FeatureUnion([("a", StandardScaler()), ("b", encoder)]), False),
        (FeatureUnion([("a", StandardScaler())]), True),
        (SimpleNamespace(fit_resample=None), False),
    ):
        assert _hands_on_the_same(step) is same
    columns = ColumnTransformer([("a", StandardScaler(), [0]), ("b", encoder, [1])])
    columns.transformers_ = columns.transformers
    assert not _hands_on_the_same(columns)
    columns.transformers_ = columns.transformers[:1]
    assert _hands_on_the_same(columns)


def test_labels_are_given_on_in_the_order_of_the_inner_classes():
    outer = SimpleNamespace(classes_=np.array(["a", "b"]))
    inner = SimpleNamespace(classes_=np.array([5, 7]))
    labels = np.array(["b", "a", "b"])
    assert_array_equal(_as_given(inner, labels, outer), [7, 5, 7])
    assert _as_given(outer, labels, outer) is labels
    assert _as_given(inner, None, outer) is None
    for other in (
        SimpleNamespace(classes_=outer.classes_),
        SimpleNamespace(classes_=np.array([1, 2, 3])),
        SimpleNamespace(),
    ):
        assert _as_given(other, labels, outer) is labels
        assert _as_given(outer, labels, SimpleNamespace()) is labels
    scaled = TransformedTargetRegressor(Ridge(), transformer=StandardScaler())
    values = X[:, 0]
    scaled.fit(X, values)
    expected = (values - values.mean()) / values.std()
    assert_allclose(_as_given(scaled.regressor_, values, scaled), expected)
    assert _as_given(scaled.regressor_, None, scaled) is None
    assert _as_given(scaled, values, scaled) is values
    learned, line = parts_of(scaled, X, values)
    assert told((learned, line)) == [("transformer", "StandardScaler"), ("", "Ridge")]
    assert_array_equal(learned.features, values[:, None])
    assert learned.labels is None
    assert_allclose(line.labels, expected)
    assert _held_by(scaled) == [scaled.transformer_]


@pytest.mark.parametrize("cls", [BaggingClassifier, BaggingRegressor])
def test_draws_of_bags(cls):
    inner = NB if cls is BaggingClassifier else Ridge()
    for bootstrap, max_samples, expected in (
        (True, 1.0, (1.0, 1 - 1 / 120)),
        (True, 0.25, (0.25, 4 * (1 - 1 / 120))),
        (False, 1.0, (1.0, 0.0)),
        (False, 0.25, (0.25, 3.0)),
    ):
        model = cls(inner, 2, bootstrap=bootstrap, max_samples=max_samples)
        model.set_params(max_features=0.5, random_state=0).fit(X, Y)
        assert draws_of(model) == pytest.approx(expected)
        assert _held_by(model) == model.estimators_[:1]
        parts = list(parts_of(model, X, Y))
        assert [part.step for part in parts] == ["part 0", "part 1"]
        for part, own, columns in zip(
            parts, model.estimators_, model.estimators_features_, strict=True
        ):
            assert part.estimator is own
            assert_array_equal(part.features, X[:, columns])
            assert_array_equal(part.labels, Y)
            assert (part.share, part.sampling) == pytest.approx(expected)
    forest = SimpleNamespace(
        bootstrap=True, max_samples=0.5, _n_samples=40, _n_samples_bootstrap=20
    )
    assert draws_of(forest) == pytest.approx((0.5, 2 * (1 - 1 / 40)))
    forest._n_samples_bootstrap = None
    assert draws_of(forest) is None
    assert draws_of(SimpleNamespace(bootstrap=False)) == (1.0, 0.0)
    assert draws_of(SimpleNamespace(bootstrap=False, max_samples=None)) == (1.0, 0.0)
    (part,) = parts_of(BaggingClassifier(TREE, 2).fit(X, Y), X, Y)
    assert isinstance(part.estimator, BaggingClassifier)


# What is not read


def closes_over(value):
    return lambda x: x + value


def with_default(x, value=X):
    return x + value.mean()


def plain(x):
    return x + 1


def test_functions_of_a_module_hold_no_records():
    for func, nothing in (
        (None, True),
        (np.log, True),
        (plain, True),
        (closes_over(X), False),
        (with_default, False),
        (functools.partial(np.add, X), False),
        (StandardScaler().fit, False),
    ):
        assert _stores_nothing(FunctionTransformer(func)) is nothing
        assert _stores_nothing(FunctionTransformer(None, func)) is nothing
    for given in ({"kw_args": {"a": 1}}, {"inv_kw_args": {"a": 1}}):
        assert not _stores_nothing(FunctionTransformer(plain, **given))
    assert _stores_nothing(Normalizer())
    assert not _stores_nothing(StandardScaler())


def test_what_was_not_read_is_told_with_how_much_it_stores():
    scaler, net = RobustScaler(), MLPClassifier((3,), max_iter=300, tol=0.1)
    model = make_pipeline(Normalizer(), scaler, StandardScaler(), net).fit(X, Y)
    system = linear_equations(model, X, Y)
    assert [name for name, _ in system.unread] == ["RobustScaler", "MLPClassifier"]
    n_scaler = 4 + 4 + 1
    assert system.unread[0] == ("RobustScaler", n_scaler)
    assert unread_in(model, {id(model)}) == [net]
    assert unread_in(net, {id(net)}) == []
    calibrated = CalibratedClassifierCV(NB, cv=2).fit(X, Y)
    assert unread_in(calibrated, set(map(id, estimators_in(calibrated)))) == []
    inner = {id(fold.estimator) for fold in calibrated.calibrated_classifiers_}
    assert unread_in(calibrated, inner) == [calibrated]
    # Two numbers a fold: the slope and the intercept of a sigmoid.
    assert n_numbers(calibrated) == 4
    stack = StackingClassifier([("a", NB)], TREE, cv=2).fit(X, Y)
    read = {id(part) for part in stack.estimators_}
    assert unread_in(stack, read) == [stack.final_estimator_]
    encoder = make_pipeline(OneHotEncoder(sparse_output=False), NB)
    found = linear_equations(encoder.fit(np.round(X), Y), np.round(X), Y)
    assert found.unread == ()
    search = GridSearchCV(NB, {}, cv=2).fit(X, Y)
    assert linear_equations(search, X, Y).unread == ()


def test_models_with_a_part_that_has_equations_have_some():
    for model, some in (
        (make_pipeline(RobustScaler(), NB), True),
        (make_pipeline(StandardScaler(), MLPClassifier((2,), tol=1.0)), True),
        (make_pipeline(RobustScaler(), MLPClassifier((2,), tol=1.0)), False),
    ):
        assert has_equations(model.fit(X, Y)) is some


# One training set


def test_steps_with_other_numbers_of_records_are_brought_to_those_of_one():
    A = np.ones((3, 4))
    blocks = [
        Equations("few", A[:1], [100.0], 2.0, 0.5, 100.0, step="first"),
        Equations("untold", A[:1], [5.0], 1.0, step="first"),
        Equations("many", A, [80.0, 80.0, 8.0], 3.0, 0.0, 80.0, step="second"),
        Equations("more", A[:1], [79.5], 1.0, n_members=79.5, step="third"),
        Equations("none", A[:1], [7.0], 1.0, step="fourth"),
    ]
    few, untold, many, more, none = _of_one_training_set(blocks)
    assert_rows(few, "few", A[:1], [80.0], 1.6, 0.5 + 0.2, n_members=80.0)
    assert_rows(untold, "untold", A[:1], [4.0], 0.8, 0.2, n_members=80.0)
    assert many is blocks[2]
    # Less than a hundredth apart they are the same.
    assert more is blocks[3]
    assert none is blocks[4]
    assert _of_one_training_set(blocks[1:2]) == blocks[1:2]
    assert _resized(few, 100.0, 100.99) is few
    assert _resized(few, 100.0, 101.01).n_members == 101.01
    twice = _resized(few, 40.0, 80.0)
    assert_rows(twice, "few", A[:1], [160.0], 3.2, 0.7 + 1, n_members=80.0)
    # The larger number of one step is that of all its records.
    both = [
        Equations("a", A[:1], [1.0], n_members=90.0, step="s"),
        Equations("b", A[:1], [1.0], n_members=100.0, step="s"),
    ]
    assert [e.n_members for e in _of_one_training_set(both)] == [90.0, 100.0]


class Known(BaseEstimator):
    pass


@pytest.mark.usefixtures("families")
def test_equations_of_a_part_are_those_of_the_records_that_it_may_know():
    given = []

    @register_equations(Known)
    def rows(estimator, X, y):
        given.append((X, y))
        yield Equations("all", np.ones((1, len(X))), [6.0], 2.0, 0.5, 30.0)
        yield Equations("some", [[1.0, 2.0]], [3.0], 1.0, records=np.array([2, 0]))

    table, labels = np.arange(10.0).reshape(5, 2), np.array([0, 9, 1, 9, 1])
    known = Known()
    part = Part("step", known, table, labels, share=0.5, sampling=0.25)
    every, some = _of_part(part, 5)
    assert_rows(every, "all", np.ones((1, 5)), [12.0], 4.0, 0.75, n_members=60.0)
    assert (every.step, every.records) == ("step", None)
    assert_rows(some, "some", [[2, 0, 1, 0, 0]], [6.0], 2.0, 0.25)
    known.classes_ = np.array([0, 1])
    every, some = _of_part(part, 5)
    assert_array_equal(given[-1][0], table[[0, 2, 4]])
    assert_array_equal(given[-1][1], [0, 1, 1])
    assert_array_equal(every.records, [0, 2, 4])
    assert_array_equal(some.records, [4, 0])
    known.classes_ = np.array([7, 8])
    assert _of_part(part, 5) == []
    known.classes_ = [np.array([0, 1])]
    assert _of_part(part, 5)[0].records is None
    assert _of_part(Part("", NB, table, None), 0) == []
    assert _of_part(Part("", object(), table, labels), 5) == []


# Records as they are


def test_copies_of_records_are_counted():
    stored, labels = np.array([[1.0, 2], [3, 4], [1, 2], [1, 2]]), [0, 1, 0, 1]
    pool, codes = np.array([[1.0, 2], [1, 2], [3, 4], [3, 4], [9, 9]]), [0, 1, 1, 0, 0]
    expected = [2, 1, 1, 0, 0]
    for table in (pool, sp.csr_array(pool)):
        given = sp.csr_array(stored) if sp.issparse(table) else stored
        assert_array_equal(copies_of(given, labels, table, codes), expected)
    assert_array_equal(copies_of(stored[:0], [], pool, codes), np.zeros(5))
    # As float32 they are equal.
    assert_array_equal(copies_of(stored, labels, pool + 1e-9, codes), expected)


def test_rows_of_stored_records():
    values = np.arange(120.0)
    is_member = M.astype(float)
    process = GaussianProcessRegressor(alpha=1.0, optimizer=None)
    for read, model, labels in (
        (records_of_neighbours, KNeighborsClassifier(), Y),
        (records_of_neighbours_with_values, KNeighborsRegressor(), values),
        (records_of_a_gaussian_process, process, values),
    ):
        (rows,) = read(model.fit(X[M], labels[M]), X, labels)
        told = {"n_members": 80.0, "of_pool": True}
        assert_rows(rows, "stored record", np.eye(120), is_member, **told)
    twice = np.vstack([X[M], X[M]])
    model = process.fit(twice, np.tile(values[M], 2))
    (rows,) = records_of_a_gaussian_process(model, X, values)
    assert_array_equal(rows.b, is_member)
    for read, model, labels in (
        (records_of_support_vectors, SVC(C=0.1), Y),
        (records_of_support_vectors_of_values, SVR(C=0.1, epsilon=9.0), values),
    ):
        (rows,) = read(model.fit(X[M], labels[M]), X, labels)
        at = np.sort(np.flatnonzero(M)[model.support_])
        told = {"of_pool": True}
        assert_rows(rows, "stored record", np.eye(120)[at], np.ones(len(at)), **told)
        assert_array_equal(rows.records, at)
        model.kernel = "precomputed"
        assert read(model, X, labels) == []
    for read, model, labels in (
        (records_of_neighbours, KNeighborsClassifier(), Y),
        (records_of_neighbours_with_values, KNeighborsRegressor(), values),
    ):
        both = model.fit(X, np.column_stack([labels, labels]))
        assert read(both, X, labels) == []
        for name in ("_fit_X", "_y"):
            model.fit(X, labels)
            assert len(read(model, X, labels)) == 1
            delattr(model, name)
            assert read(model, X, labels) == []


# Answers


@pytest.mark.parametrize("fit_intercept", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_coefficients_follow_from_answers(n_classes, fit_intercept):
    rng = np.random.default_rng(0)
    model = LogisticRegression(fit_intercept=fit_intercept)
    model.classes_, model.n_features_in_ = np.arange(n_classes), 4
    model.coef_ = rng.normal(size=(1 if n_classes == 2 else 3, 4))
    model.intercept_ = rng.normal(size=len(model.coef_)) * fit_intercept
    scores = X @ model.coef_.T + model.intercept_
    if n_classes == 2:
        scores = np.hstack([0 * scores, scores])
    log_proba = log_softmax(scores, axis=1)
    # What is clipped is left out: any lie will do.
    log_proba[3] = -26.0
    found = model_from_answers(model, X, log_proba)
    coef, intercept = model.coef_, model.intercept_
    if n_classes == 3:
        coef, intercept = coef - coef.mean(axis=0), intercept - intercept.mean()
    assert_allclose(found.coef_, coef)
    assert_allclose(found.intercept_, intercept, atol=1e-12)
    assert_array_equal(found.n_iter_, [0])
    n_needed = 4 + fit_intercept
    enough = slice(4, 4 + n_needed)
    again = model_from_answers(model, X[enough], log_proba[enough])
    assert_allclose(again.coef_, coef)
    message = f"answers to at least {n_needed} records that are not certain, and the "
    few = slice(3, 3 + n_needed)
    with pytest.raises(ValueError, match=message + f"pool has {n_needed - 1}"):
        model_from_answers(model, X[few], log_proba[few])


def test_coefficients_of_one_against_the_rest_do_not_follow_from_answers():
    model = LogisticRegression()
    model.multi_class = "ovr"
    model.coef_, model.intercept_ = np.ones((3, 4)), np.ones(3)
    model.classes_ = np.arange(3)
    log_proba = np.full((120, 3), -1.0)
    with pytest.raises(ValueError, match="its file follows from its answers for a"):
        model_from_answers(model, X, log_proba)
    # Of two classes they do.
    assert len(model_from_answers(model, X, log_proba[:, :2]).coef_) == 1
    with pytest.raises(ValueError, match="equations='outputs' got the target Gaussian"):
        model_from_answers(NB.fit(X, Y), X, log_proba[:, :2])
