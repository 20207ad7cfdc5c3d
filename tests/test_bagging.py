import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logsumexp
from scipy.stats import betabinom, binom
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsOneClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import RMIA, BaggingAttack, as_records
from sklearn_mia.attacks._bagging import (
    exclusion_log_ratio,
    exclusion_probability,
    trees_per_reference,
)
from sklearn_mia.attacks._votes import (
    VoteModel,
    VoteReader,
    tree_correlation,
    vote_model,
)

IS_MEMBER = np.arange(400) < 200


@pytest.fixture(scope="module")
def table():
    return make_classification(400, 8, n_informative=5, flip_y=0.3, random_state=0)


@pytest.fixture(scope="module")
def forest(table):
    X, y = table
    return RandomForestClassifier(50, random_state=0).fit(X[:200], y[:200])


@pytest.mark.parametrize("n_trees", [20, 3000])
def test_ratio_is_the_sum_over_excluded_trees_by_hand(n_trees):
    q, n_wrong = 0.37, n_trees * np.array([0, 3, 11, 20]) // 20
    alpha, beta = np.array([2.0, 1.5, 0.7, 4.0]), np.array([1.0, 2.5, 0.9, 4.0])
    expected = []
    for w, a, b in zip(n_wrong, alpha, beta, strict=True):
        j = np.arange(w, n_trees + 1)
        terms = binom.logpmf(j, n_trees, q) + betabinom.logpmf(w, j, b, a)
        expected.append(logsumexp(terms) - betabinom.logpmf(w, n_trees, b, a))
    ratio = exclusion_log_ratio(n_wrong, n_trees, q, alpha, beta)
    assert_allclose(ratio, expected, rtol=1e-8)


def test_ratio_of_a_forest_without_bootstrap_convicts_every_wrong_tree():
    ratio = exclusion_log_ratio(
        np.array([0, 3, 9]), 100, 1e-3, np.full(3, 2.0), np.full(3, 2.0)
    )
    assert ratio[0] > 0 > ratio[1] > ratio[2]


def test_vote_model_by_hand():
    votes = np.array([[2.0, 4.0], [3.0, 0.0]])
    n_out = np.array([[4.0, 4.0], [4.0, 1.0]])
    model = VoteModel(0.1, np.array([0.6]), 2.0)
    n_e = [4 / 1.3 + 4 / 1.3, 4 / 1.3 + 1]
    assert_allclose(model.effective_trees(n_out), n_e)
    p_hat = np.array([5 / 8, 4 / 5])
    m = (n_e * p_hat + 2.0 * 0.6) / (np.array(n_e) + 2.0)
    icc = 0.1 + 0.9 / (np.array(n_e) + 3.0)
    s = 1 / icc - 1
    alpha, beta = model.beta(votes, n_out, np.zeros(2, dtype=int))
    assert_allclose([alpha, beta], [m * s, (1 - m) * s])


def test_tree_correlation_is_found_again():
    rng = np.random.default_rng(0)
    of_record = rng.beta(4, 2, size=4000)
    rho = 0.1
    of_forest = rng.beta(
        of_record * (1 / rho - 1), (1 - of_record) * (1 / rho - 1), size=(30, 4000)
    )
    n_out = np.full((30, 4000), 5.0)
    votes = rng.binomial(5, of_forest).astype(float)
    # Two trees of a forest agree by rho of the variance within a record.
    within = np.mean(of_record * (1 - of_record))
    agreement = tree_correlation(votes, n_out)
    assert agreement == pytest.approx(rho * within / within, rel=0.15)
    codes = np.zeros(4000, dtype=int)
    model = vote_model(votes, n_out, codes, 1)
    assert model.class_mean[0] == pytest.approx(4 / 6, abs=0.01)
    # Beta(4, 2) counts as 6 records.
    assert model.weight == pytest.approx(6, rel=0.2)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, np.exp(-1)),
        ({"max_samples": 0.5}, np.exp(-0.5)),
        ({"max_samples": 50}, np.exp(-0.25)),
        ({"bootstrap": False}, 1e-3),
    ],
)
def test_exclusion_probability(settings, expected):
    forest = RandomForestClassifier(**settings)
    assert exclusion_probability(forest, 200) == pytest.approx(expected)


def test_exclusion_probability_is_the_share_of_trees_that_left_a_record_out(forest):
    inside = np.zeros((50, 200), dtype=bool)
    for tree, sample in enumerate(forest.estimators_samples_):
        inside[tree, sample] = True
    assert 1 - inside.mean() == pytest.approx(
        exclusion_probability(forest, 200), abs=0.01
    )


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(7, random_state=0),
        BaggingClassifier(n_estimators=7, max_features=0.5, random_state=0),
        ExtraTreesClassifier(7, random_state=0),
    ],
)
def test_votes_are_counted_by_what_each_tree_drew(table, model):
    X, y = table
    members = np.arange(400) < 150
    model = model.fit(X[members], y[members])
    votes = VoteReader().ask(model, np.array([0, 1]), X, y, members)
    right = np.zeros((7, 400))
    columns = getattr(model, "estimators_features_", [slice(None)] * 7)
    for t, (tree, used) in enumerate(zip(model.estimators_, columns, strict=True)):
        right[t] = tree.predict_proba(X[:, used].astype(np.float32))[np.arange(400), y]
    drawn = np.zeros((7, 400), dtype=bool)
    for t, sample in enumerate(model.estimators_samples_):
        drawn[t, np.flatnonzero(members)[sample]] = True
    assert_allclose(votes[:, 0], (right * ~drawn).sum(axis=0), rtol=1e-6)
    assert_array_equal(votes[:, 1], (~drawn).sum(axis=0))
    assert_allclose(votes[:, 2], (right * drawn).sum(axis=0), rtol=1e-6)


def test_a_class_that_a_reference_never_saw_has_no_votes(table):
    X, y = table
    model = RandomForestClassifier(3, random_state=0).fit(X, y)
    codes = np.where(np.arange(400) < 5, 2, y)
    votes = VoteReader().ask(model, np.array([0, 1]), X, codes, np.ones(400, bool))
    assert_array_equal(votes[:5], 0)
    assert votes[5:, :2].any()


def test_it_beats_as_many_trees_in_full_forests(table, forest):
    records = as_records(*table)
    bagging = BaggingAttack(forest, n_trees=200, random_state=0).fit(records)
    rmia = RMIA(forest, n_shadows=4, trees_per_shadow=None, random_state=0).fit(records)
    assert bagging.leaf_pure_
    assert bagging.n_shadows_ == 40
    assert bagging.score(records, IS_MEMBER) > rmia.score(records, IS_MEMBER)


def test_many_trees_make_forty_references():
    found = [trees_per_reference(n) for n in (2, 199, 200, 320, 479, 480, 6400)]
    assert found == [4, 4, 5, 8, 11, 12, 12]


@pytest.mark.parametrize(
    ("n_trees", "trees_per_shadow", "n_references", "per_shadow"),
    [
        (8, "auto", 2, 4),
        (16, "auto", 4, 4),
        # 2.5 pairs are 2, 3.5 are 4.
        (20, "auto", 4, 4),
        (28, "auto", 8, 4),
        (2, "auto", 2, 4),
        (30, 5, 6, 5),
    ],
)
def test_references_are_pairs_of_few_trees_each(
    table, forest, n_trees, trees_per_shadow, n_references, per_shadow
):
    X, y = table
    attack = BaggingAttack(
        forest, n_trees=n_trees, trees_per_shadow=trees_per_shadow, random_state=0
    ).fit(as_records(X[:80], y[:80]))
    assert attack.n_shadows_ == len(attack.models_) == n_references
    assert {len(model.estimators_) for model, _ in attack.models_} == {per_shadow}
    members = attack.shadow_members_
    assert_array_equal(members[::2], ~members[1::2])


def test_smooth_forests_use_the_ratio_of_probabilities(table):
    X, y = table
    smooth = RandomForestClassifier(50, min_samples_leaf=5, random_state=0)
    smooth.fit(X[:200], y[:200])
    records = as_records(X, y)
    attack = BaggingAttack(smooth, n_trees=200, random_state=0).fit(records)
    assert not attack.leaf_pure_
    assert attack.score(records, IS_MEMBER) > 0.75


@pytest.mark.parametrize(
    "target",
    [
        ExtraTreesClassifier(20, random_state=0),
        BaggingClassifier(DecisionTreeClassifier(), 20, random_state=0),
        make_pipeline(StandardScaler(), RandomForestClassifier(20, random_state=0)),
    ],
    ids=["extra trees", "bagging", "pipeline"],
)
def test_other_forests(table, target):
    X, y = table
    target = target.fit(X[:200], y[:200])
    records = as_records(X, y)
    attack = BaggingAttack(target, n_trees=80, random_state=0).fit(records)
    assert attack.score(records, IS_MEMBER) > 0.85


@pytest.mark.parametrize(
    "target",
    [
        LogisticRegression(),
        GradientBoostingClassifier(n_estimators=3),
        BaggingClassifier(LogisticRegression(), 3),
    ],
)
def test_other_models_are_refused(table, target):
    X, y = table
    with pytest.raises(TypeError, match="needs a target whose trees vote"):
        BaggingAttack(target.fit(X, y)).fit(as_records(X, y))


def test_records_outside_the_pool_and_frames(table):
    pd = pytest.importorskip("pandas")
    X, y = table
    frame = pd.DataFrame({"a": X[:, 0], "b": np.where(X[:, 1] > 0, "x", "y")})
    target = make_pipeline(
        OneHotEncoder(handle_unknown="ignore"), RandomForestClassifier(10)
    ).fit(frame[:200], y[:200])
    records = as_records(frame, y)
    attack = BaggingAttack(target, n_trees=40, random_state=0).fit(records[:300])
    scores = attack.score_samples(records[300:])
    assert np.isfinite(scores).all()
    assert len(scores) == 100


def test_false_alarms_without_known_membership(table, forest):
    records = as_records(*table)
    attack = BaggingAttack(forest, n_trees=200, max_fpr=0.1, random_state=0)
    attack.fit(records)
    assert 0.0 < attack.predict(records)[~IS_MEMBER].mean() < 0.2


def test_votes_that_cannot_be_asked_for_are_not_handled():
    X, y = make_classification(60, random_state=0)
    model = OneVsOneClassifier(RandomForestClassifier(3)).fit(X, y)
    assert not BaggingAttack.handles(model)
    assert BaggingAttack.handles(model.estimators_[0])
