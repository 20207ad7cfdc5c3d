import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import RMIA, as_records, strip_counts
from sklearn_mia.risk import leave_one_out_risk, structural_risk
from sklearn_mia.signals import logit


def make_data(n_classes=2, n=240):
    return make_classification(
        n,
        8,
        n_informative=6,
        n_redundant=0,
        n_classes=n_classes,
        flip_y=0.1,
        random_state=0,
    )


def log_odds_of(model, X, y, floor=0.0):
    """Log-odds of the labels, as the result defines them."""
    if isinstance(model, GaussianNB | MultinomialNB):
        log_proba = model.predict_log_proba(X)
    elif hasattr(model, "decision_function"):
        decision = model.decision_function(X).reshape(len(y), -1)
        if decision.shape[1] == 1:
            decision = np.hstack([np.zeros((len(y), 1)), decision])
        log_proba = decision
    else:
        proba = model.predict_proba(X)
        log_proba = np.log(np.maximum(proba, floor / (proba.shape[1] - 1)))
    return logit(log_proba, np.searchsorted(model.classes_, y))


def refitted(model, X, y, rows, floor=0.0):
    """Log-odds of some records by models trained on all others."""
    odds = []
    for i in rows:
        others = np.arange(len(y)) != i
        refit = clone(model).fit(X[others], y[others])
        odds.append(log_odds_of(refit, X[[i]], y[[i]], floor)[0])
    return np.array(odds)


EXACT = [
    KNeighborsClassifier(5),
    KNeighborsClassifier(7, weights="distance", metric="manhattan"),
    GaussianNB(),
    GaussianNB(var_smoothing=0.05, priors="equal"),
    MultinomialNB(),
    MultinomialNB(alpha=0.1, fit_prior=False),
    LinearDiscriminantAnalysis(),
    LinearDiscriminantAnalysis(solver="lsqr"),
    LinearDiscriminantAnalysis(solver="eigen"),
    LinearDiscriminantAnalysis(priors="equal"),
    RidgeClassifier(),
    RidgeClassifier(alpha=30.0, fit_intercept=False),
]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("model", EXACT, ids=str)
def test_exact_formulas_are_refits(model, n_classes):
    X, y = make_data(n_classes)
    if isinstance(model, MultinomialNB):
        X = np.abs(np.rint(3 * X))
        X[5] = 0
    model = clone(model)
    if getattr(model, "priors", None) == "equal":
        model.set_params(priors=np.full(n_classes, 1 / n_classes))
    rows = np.arange(0, len(y), 16)
    floor = 1 / (2 * getattr(model, "n_neighbors", np.inf))
    result = leave_one_out_risk(model.fit(X, y), X, y)
    expected = refitted(model, X, y, rows, floor)
    assert result.exact
    assert_allclose(result.loo_log_odds[rows], expected, atol=1e-10)
    assert_allclose(result.log_odds, log_odds_of(model, X, y, floor), atol=1e-8)
    assert_array_equal(result.risk, result.log_odds - result.loo_log_odds)
    # Leaving a record out hardly ever helps it.
    assert result.risk.mean() > 0


def test_discriminant_analysis_of_collinear_features():
    X, y = make_data(3)
    X = np.hstack([X, X[:, :2] + X[:, 2:4], np.ones((len(y), 1))])
    model = LinearDiscriminantAnalysis().fit(X, y)
    rows = np.arange(0, len(y), 9)
    result = leave_one_out_risk(model, X, y)
    assert_allclose(result.loo_log_odds[rows], refitted(model, X, y, rows), atol=1e-10)
    # Records 3 and 8 alone span a direction.
    X = np.hstack([X, np.eye(len(y))[:, [3, 8]]])
    model.fit(X, y)
    result = leave_one_out_risk(model, X, y)
    expected = refitted(model, X, y, [3, 8, 9])
    assert_allclose(result.loo_log_odds[[3, 8, 9]], expected, atol=1e-10)
    singular = LinearDiscriminantAnalysis(solver="lsqr").fit(X, y)
    with pytest.raises(ValueError, match="collinear within classes"):
        leave_one_out_risk(singular, X, y)


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(tol=1e-8),
        LogisticRegression(solver="liblinear", tol=1e-8),
        LogisticRegression(fit_intercept=False, tol=1e-8),
        LogisticRegression(class_weight={0: 1.0, 1: 3.0}, tol=1e-8),
        LogisticRegression(C=np.inf, tol=1e-8),
    ],
    ids=str,
)
def test_one_newton_step_of_logistic_regression(model):
    X, y = make_data()
    rows = np.arange(0, len(y), 8)
    result = leave_one_out_risk(model.fit(X, y), X, y)
    error = np.abs(result.loo_log_odds[rows] - refitted(model, X, y, rows)).max()
    assert not result.exact
    assert error < 0.12 * np.abs(result.risk).max()


def test_newton_step_has_the_error_that_was_published_for_it():
    errors = {}
    for n, d, C in ((400, 8, 1.0), (200, 40, 10.0)):
        X, y = make_classification(n, d, flip_y=0.1, random_state=0)
        model = LogisticRegression(C=C, tol=1e-8, max_iter=2000).fit(X, y)
        rows = np.arange(0, n, 8)
        result = leave_one_out_risk(model, X, y)
        shift = result.log_odds[rows] - refitted(model, X, y, rows)
        errors[d] = np.abs(result.risk[rows] - shift).max() / np.abs(shift).max()
    assert errors[8] < 0.06
    assert errors[40] < 0.2


@pytest.mark.parametrize("C", [1.0, np.inf])
def test_newton_step_of_three_classes(C):
    X, y = make_data(3)
    model = LogisticRegression(C=C, tol=1e-8, max_iter=2000).fit(X, y)
    rows = np.arange(0, len(y), 10)
    result = leave_one_out_risk(model, X, y)
    shift = result.log_odds[rows] - refitted(model, X, y, rows)
    assert np.abs(result.risk[rows] - shift).max() < 0.15 * np.abs(shift).max()


def test_forest_without_the_trees_of_a_record_is_out_of_bag():
    X, y = make_data(3)
    model = RandomForestClassifier(60, oob_score=True, random_state=0).fit(X, y)
    result = leave_one_out_risk(model, X, y)
    oob = np.log(np.maximum(model.oob_decision_function_, 1 / 240))
    assert_allclose(result.loo_log_odds, logit(oob, y), atol=1e-9)
    assert not result.exact


def test_bagging_of_some_features_and_classes():
    X, y = make_data(3)
    y = np.array(["a", "b", "c"])[y]
    model = BaggingClassifier(
        KNeighborsClassifier(3),
        40,
        max_samples=0.2,
        max_features=0.5,
        oob_score=True,
        random_state=0,
    ).fit(X, y)
    oob = np.log(np.maximum(model.oob_decision_function_, 1 / 160))
    expected = logit(oob, np.searchsorted(model.classes_, y))
    assert_allclose(leave_one_out_risk(model, X, y).loo_log_odds, expected, atol=1e-9)


def test_risk_points_at_the_records_that_an_attack_finds():
    X, y = make_data(n=600)
    members = np.arange(600) < 300
    model = RandomForestClassifier(40, random_state=0).fit(X[members], y[members])
    risk = leave_one_out_risk(model, X[members], y[members]).risk
    scores = RMIA(model, n_shadows=4, random_state=0).fit(as_records(X, y))
    scores = scores.score_samples(as_records(X[members], y[members]))
    top = np.argsort(-risk)[:60]
    assert scores[top].mean() > scores.mean() + 0.5 * scores.std()


def test_votes_are_weighed_as_the_model_weighs_them():
    X, y = np.array([[0.0], [1.0], [3.0], [7.0]]), np.array([0, 1, 0, 1])
    model = KNeighborsClassifier(2, weights="distance").fit(X, y)
    # The first record decides alone; without it the votes are 1 and 1/3.
    result = leave_one_out_risk(model, X, y)
    assert_allclose(result.log_odds[0], np.log(4))
    assert_allclose(result.loo_log_odds[0], -np.log(3))
    model.set_params(weights=lambda distances: np.exp(-distances / 2))
    assert_allclose(leave_one_out_risk(model, X, y).loo_log_odds[0], -1)


def test_counts_with_equal_priors_are_refits():
    X, y = make_data(3, n=30)
    X = np.abs(np.rint(3 * X))
    model = MultinomialNB(fit_prior=False).fit(X, y)
    result = leave_one_out_risk(model, X, y)
    expected = refitted(model, X, y, np.arange(30))
    assert_allclose(result.loo_log_odds, expected, atol=1e-10)


def test_newton_step_without_an_intercept():
    X, y = make_data()
    model = LogisticRegression(fit_intercept=False, tol=1e-8).fit(X, y)
    eta = X @ model.coef_[0]
    p = 1 / (1 + np.exp(-eta))
    w = p * (1 - p)
    A = np.sum(X @ np.linalg.inv(X.T * w @ X + np.eye(8)) * X, axis=1)
    expected = (2 * y - 1) * (eta + A / (1 - w * A) * (p - y))
    assert_allclose(leave_one_out_risk(model, X, y).loo_log_odds, expected)


def test_records_in_every_bag_have_an_unknown_risk():
    X, y = make_data()
    bagging = BaggingClassifier(GaussianNB(), 2, bootstrap=False).fit(X, y)
    assert np.isnan(leave_one_out_risk(bagging, X, y).risk).all()


def test_what_chooses_the_records_of_training_has_no_formula():
    class Sampler(FunctionTransformer):
        def fit_resample(self, X, y):
            return X[::2], y[::2]

    X, y = make_data()
    model = make_pipeline(Sampler(), GaussianNB()).fit(X, y)
    message = (
        "^Sampler chooses the records that GaussianNB is trained on, and would choose "
        "others without one of them; no formula covers that. Train shadows, for "
        "instance with RMIA.$"
    )
    with pytest.raises(ValueError, match=message):
        leave_one_out_risk(model, X, y)


def test_records_alone_in_their_class():
    X, y = make_data()
    y = y.copy()
    y[0] = 2
    for model in (GaussianNB(), LinearDiscriminantAnalysis(), KNeighborsClassifier(3)):
        result = leave_one_out_risk(model.fit(X, y), X, y)
        assert result.loo_log_odds[0] == -np.inf
        assert result.risk[0] == np.inf
        assert np.isfinite(result.risk[1:]).all()


def test_pipelines_frames_and_text_labels():
    pd = pytest.importorskip("pandas")
    X, y = make_data()
    frame, words = pd.DataFrame(X).rename(columns=str), np.where(y == 1, "no", "yes")
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(5)).fit(frame, words)
    result = leave_one_out_risk(model, frame, words)
    assert not result.exact
    scaled = StandardScaler().fit_transform(X)
    inner = KNeighborsClassifier(5).fit(scaled, y)
    assert_allclose(result.risk, leave_one_out_risk(inner, scaled, y).risk, atol=1e-12)
    assert repr(result) == (
        "LeaveOneOutRisk(240 records, votes of the others, approximate)"
    )


def test_sparse_counts():
    X, y = make_data()
    X = np.abs(np.rint(X))
    model = MultinomialNB().fit(X, y)
    dense, sparse = (leave_one_out_risk(model, Z, y) for Z in (X, sp.csr_array(X)))
    assert_allclose(sparse.loo_log_odds, dense.loo_log_odds, atol=1e-12)


@pytest.mark.parametrize(
    "model",
    [
        KNeighborsClassifier(),
        GaussianNB(),
        LinearDiscriminantAnalysis(),
        RidgeClassifier(),
        LogisticRegression(),
        RandomForestClassifier(5),
    ],
    ids=lambda m: type(m).__name__,
)
def test_other_records_than_those_of_training_are_refused(model):
    X, y = make_data()
    model.fit(X[:150], y[:150])
    with pytest.raises(ValueError, match="was not fitted on these records"):
        leave_one_out_risk(model, X[60:], y[60:])


def test_what_no_formula_covers_is_refused():
    X, y = make_data()
    with pytest.raises(TypeError, match="got a SVC; it knows KNeighborsClassifier, Ga"):
        leave_one_out_risk(SVC().fit(X, y), X, y)
    with pytest.raises(ValueError, match="bootstrap=False"):
        leave_one_out_risk(ExtraTreesClassifier(3).fit(X, y), X, y)
    lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    with pytest.raises(ValueError, match="shrinkage='auto'"):
        leave_one_out_risk(lda.fit(X, y), X, y)
    lasso = LogisticRegression(solver="liblinear").fit(X, y).set_params(l1_ratio=1)
    with pytest.raises(ValueError, match=r"l1_ratio=1"):
        leave_one_out_risk(lasso, X, y)
    lda = LinearDiscriminantAnalysis(solver="lsqr", priors=[0.5, 0.5]).fit(X, y)
    with pytest.raises(
        ValueError, match="has priors and solver='lsqr'; the formula co"
    ):
        leave_one_out_risk(lda, X, y)
    with pytest.raises(ValueError, match="class_weight='balanced'"):
        leave_one_out_risk(RidgeClassifier(class_weight="balanced").fit(X, y), X, y)


@pytest.mark.parametrize(
    "model",
    [
        KNeighborsClassifier(),
        GaussianNB(),
        MultinomialNB(),
        LinearDiscriminantAnalysis(),
        RidgeClassifier(),
        LogisticRegression(),
        RandomForestClassifier(5, random_state=0),
    ],
    ids=lambda m: type(m).__name__,
)
def test_nothing_is_trained_and_nothing_asked_record_by_record(model, monkeypatch):
    X, y = make_data()
    X = np.abs(X)
    model = clone(model).fit(X, y)
    kind, calls = type(model), []

    def trained(*args, **kwargs):
        raise AssertionError("trained")

    def counted(name, method):
        def call(*args, **kwargs):
            calls.append(name)
            return method(*args, **kwargs)

        return call

    monkeypatch.setattr(kind, "fit", trained)
    methods = "predict", "predict_proba", "decision_function", "kneighbors"
    for name in methods:
        if hasattr(kind, name):
            monkeypatch.setattr(kind, name, counted(name, getattr(kind, name)))
    assert len(leave_one_out_risk(model, X, y).risk) == 240
    # Each at most once, for all records together.
    assert len(calls) == len(set(calls)) <= 2


def test_a_stump_gives_nothing_away_and_a_full_tree_everything():
    X, y = make_data()
    stump = structural_risk(DecisionTreeClassifier(max_depth=1).fit(X, y), X, y)
    leaf = DecisionTreeClassifier(max_depth=1).fit(X, y).apply(X)
    assert stump["k_anonymity"].value == np.bincount(leaf)[1:].min()
    assert stump.n_parameters == 2 * 1 + 2
    assert stump["residual_degrees_of_freedom"].value == 240 - 4
    assert not stump["k_anonymity"].is_risk
    tree = structural_risk(DecisionTreeClassifier().fit(X, y), X, y)
    assert tree["class_disclosure"].value == 240
    assert tree["k_anonymity"].is_risk
    assert str(tree).startswith("DecisionTreeClassifier, 240 records\nrisk  ")


def test_groups_share_every_leaf_of_every_tree():
    X, y = make_data()
    X[10:20], y[10:20] = X[10], y[10]
    model = RandomForestClassifier(10, max_depth=3, random_state=0).fit(X, y)
    result = structural_risk(model, X, y)
    leaves = model.apply(X)
    same = (leaves[:, None] == leaves).all(axis=2)
    assert_array_equal(result.group_sizes, same.sum(axis=1))
    one_class = [len(set(y[row])) == 1 for row in same]
    assert result["class_disclosure"].value == sum(one_class)
    assert result.group_sizes[10] >= 10
    trees = [t.get_n_leaves() for t in model.estimators_]
    assert result.n_parameters == sum(2 * (t - 1) + t for t in trees)


SEEDED = [
    (RandomForestClassifier(5, max_depth=3), 5),
    (RandomForestClassifier(5, max_depth=3, max_samples=0.5, random_state=1), 5),
    (ExtraTreesClassifier(5, max_depth=3, bootstrap=True), 5),
    (ExtraTreesClassifier(5, max_depth=3, random_state=0), None),
    (BaggingClassifier(DecisionTreeClassifier(max_depth=3), 5), 5),
    (
        BaggingClassifier(
            DecisionTreeClassifier(max_depth=3), 5, bootstrap=False, max_samples=0.5
        ),
        5,
    ),
    (BaggingClassifier(DecisionTreeClassifier(), 5, bootstrap=False), None),
    (GradientBoostingClassifier(n_estimators=3, subsample=0.5, random_state=0), 9),
    (GradientBoostingClassifier(n_estimators=3, random_state=0), None),
    (DecisionTreeClassifier(random_state=0), None),
]


@pytest.mark.parametrize(("model", "n_trees"), SEEDED)
def test_seeds_that_tell_what_trees_drew_are_found_and_can_be_removed(model, n_trees):
    X, y = make_data(3)
    model.fit(X, y)
    told = {f.name: f for f in structural_risk(model, X, y).findings}
    if n_trees is None:
        assert "stored_seeds" not in told
        return
    assert told["stored_seeds"].value == n_trees
    assert told["stored_seeds"].is_risk
    assert told["stored_seeds"].text == (
        f"seeds in the file tell which training records, by their order, {n_trees} "
        "trees drew (strip_counts removes them)"
    )
    stripped = strip_counts(model)
    assert_array_equal(stripped.predict_proba(X), model.predict_proba(X))
    left = structural_risk(stripped, X, y).findings
    assert "stored_seeds" not in {f.name for f in left}


def draws_from_the_file(model, n_records):
    """Draws of each position by each tree, replayed from what a file holds."""
    if hasattr(model, "estimators_samples_"):
        drawn = model.estimators_samples_
        return [np.bincount(at, minlength=n_records) for at in drawn]
    rng, draws = np.random.RandomState(model.random_state), []
    for stage in model.estimators_:
        # As the private helper of scikit-learn draws without replacement.
        left, mask = int(model.subsample * n_records), np.zeros(n_records, dtype=int)
        for i, u in enumerate(rng.uniform(size=n_records)):
            if u * (n_records - i) < left - mask.sum():
                mask[i] = 1
        draws += [mask] * len(stage)
        rng.randint(0, np.iinfo(np.int32).max, size=len(stage))
    return draws


@pytest.mark.parametrize("model", [m for m, n_trees in SEEDED if n_trees])
def test_who_has_the_order_replays_every_count_of_every_leaf(model):
    X, y = make_data(3)
    model = pickle.loads(pickle.dumps(model.fit(X, y)))
    draws = draws_from_the_file(model, len(y))
    for tree, own in zip(np.ravel(model.estimators_), draws, strict=True):
        leaves, nodes = tree.apply(X), tree.tree_
        is_leaf = nodes.children_left < 0
        drawn = np.bincount(leaves, weights=own, minlength=nodes.node_count)
        assert_array_equal(drawn[is_leaf], nodes.weighted_n_node_samples[is_leaf])


def xgboost():
    return pytest.importorskip("xgboost").XGBClassifier(
        n_estimators=4, max_depth=2, n_jobs=1
    )


def lightgbm():
    lgb = pytest.importorskip("lightgbm")
    return lgb.LGBMClassifier(n_estimators=4, num_leaves=4, n_jobs=1, verbose=-1)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "make",
    [
        lambda: GradientBoostingClassifier(n_estimators=4, max_depth=2),
        lambda: HistGradientBoostingClassifier(max_iter=4, max_leaf_nodes=4),
        lambda: AdaBoostClassifier(DecisionTreeClassifier(max_depth=2), n_estimators=4),
        lambda: BaggingClassifier(DecisionTreeClassifier(max_depth=2), 4),
        lambda: ExtraTreesClassifier(4, max_depth=2),
        xgboost,
        lightgbm,
    ],
)
def test_every_ensemble_of_trees_has_groups(make, n_classes):
    X, y = make_data(n_classes)
    model = make().fit(X, y)
    result = structural_risk(model, X, y)
    # Records with the same leaves get the same answer.
    answers = np.round(model.predict_proba(X), 9)
    same = (answers[:, None] == answers).all(axis=2).sum(axis=1)
    assert np.all(result.group_sizes <= same)
    assert 1 < np.median(result.group_sizes) < 240
    per_class = 1 if n_classes == 2 else n_classes
    assert 4 < result.n_parameters <= 4 * 10 * max(per_class, n_classes - 1)


def test_models_that_store_records():
    X, y = make_data()
    risk = structural_risk(KNeighborsClassifier().fit(X, y), X, y)
    assert risk["stored_records"].value == risk.n_stored == 240
    pipeline = make_pipeline(FunctionTransformer(), StandardScaler(), SVC()).fit(X, y)
    risk = structural_risk(pipeline, X, y)
    assert risk.n_stored == pipeline[-1].n_support_.sum()
    assert risk.n_parameters is None
    other = structural_risk(KNeighborsClassifier().fit(X[:100], y[:100]), X, y)
    assert other.n_stored == 100
    with pytest.raises(KeyError, match="'k_anonymity' is not among"):
        risk["k_anonymity"]
    X = sp.csr_array(np.where(X > 0, X, 0))
    nearest = KNeighborsClassifier().fit(X[:100], y[:100])
    assert structural_risk(nearest, X, y).n_stored == 100


def test_parameters_of_linear_models_and_networks():
    X, y = make_data()
    risk = structural_risk(LogisticRegression().fit(X, y), X, y)
    assert risk.n_parameters == 9
    network = MLPClassifier((30,), max_iter=300, early_stopping=True, random_state=0)
    risk = structural_risk(network.fit(X, y), X, y, min_group=5)
    assert risk.n_parameters == 8 * 30 + 30 + 30 + 1
    assert risk["residual_degrees_of_freedom"].is_risk


def test_models_without_known_structure_are_refused():
    X, y = make_data()
    with pytest.raises(TypeError, match="structural_risk got a GaussianNB; it knows"):
        structural_risk(GaussianNB().fit(X, y), X, y)
    boosted = AdaBoostClassifier(LogisticRegression(), n_estimators=2).fit(X, y)
    with pytest.raises(TypeError, match="structural_risk got a AdaBoostClassifier; it"):
        structural_risk(boosted, X, y)
