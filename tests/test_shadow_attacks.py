"""What LiRA and RMIA share: the pool, queries outside it, imputed cells, the null."""

import json
import pickle
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from helpers import in_turn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from sklearn_mia import RMIA, LiRA, as_records
from sklearn_mia.attacks._lira import shrunk_gap
from sklearn_mia.attacks._rmia import offline_mean
from sklearn_mia.base import MeanGap, side_mean
from sklearn_mia.metrics import rate_interval, tpr_at_fpr_score
from sklearn_mia.signals import logit


@pytest.fixture(scope="module")
def table():
    return make_classification(300, 8, n_informative=5, flip_y=0.2, random_state=0)


@pytest.fixture(scope="module")
def forest(table):
    X, y = table
    forest = RandomForestClassifier(10, min_samples_leaf=2, random_state=0)
    return forest.fit(X[:150], y[:150])


@pytest.fixture(scope="module")
def records(table):
    return as_records(*table)


def smoothed_by_hand(proba):
    floor = np.clip(proba[proba > 0].min() / 2, 1e-15, 0.05)
    return (1 - 2 * floor) * proba + floor


def target_logit(forest, table):
    X, y = table
    proba = forest.predict_proba(X)
    return logit(np.log(smoothed_by_hand(proba)), y)


def test_online_pooled_lira_is_the_published_ratio(forest, table, records):
    attack = LiRA(forest, gap="per_record", n_shadows=8, random_state=0).fit(records)
    phi, member = attack.shadow_signals_, attack.shadow_members_
    squares = {True: 0.0, False: 0.0}
    freedom = {True: 0, False: 0}
    for i in range(300):
        for side in (True, False):
            cells = phi[member[:, i] == side, i]
            squares[side] += np.sum((cells - cells.mean()) ** 2)
            freedom[side] += len(cells) - 1
    sd = {side: np.sqrt(squares[side] / freedom[side]) for side in squares}
    target = target_logit(forest, table)
    expected = [
        norm.logpdf(target[i], phi[member[:, i], i].mean(), sd[True])
        - norm.logpdf(target[i], phi[~member[:, i], i].mean(), sd[False])
        for i in range(300)
    ]
    assert_allclose(attack.score_samples(records), expected, rtol=1e-9)


def test_online_per_record_lira_is_the_published_ratio(forest, table, records):
    per_record = {"gap": "per_record", "variance": "per_record"}
    attack = LiRA(forest, **per_record, n_shadows=8, random_state=0).fit(records)
    phi, member = attack.shadow_signals_, attack.shadow_members_
    pooled_in, pooled_out = attack._var_in, attack._var_out
    target = target_logit(forest, table)
    expected = [
        norm.logpdf(
            target[i],
            phi[member[:, i], i].mean(),
            np.sqrt(max(phi[member[:, i], i].var(), 0.1 * pooled_in)),
        )
        - norm.logpdf(
            target[i],
            phi[~member[:, i], i].mean(),
            np.sqrt(max(phi[~member[:, i], i].var(), 0.1 * pooled_out)),
        )
        for i in range(300)
    ]
    assert_allclose(attack.score_samples(records), expected, rtol=1e-9)


@pytest.mark.parametrize("n_shadows", [4, 64])
def test_shadows_draw_the_gap_of_a_record_to_that_of_its_like(
    forest, table, records, n_shadows
):
    attack = LiRA(forest, n_shadows=n_shadows, random_state=0).fit(records)
    phi, member = attack.shadow_signals_, attack.shadow_members_
    cells = [
        [phi[member[:, i] == side, i] for i in range(300)] for side in (True, False)
    ]
    mean_in, mean_out = (np.array([c.mean() for c in own]) for own in cells)
    # 50 records of a like mean a bin, joined by straight lines.
    bins = np.array_split(np.argsort(mean_out, kind="stable"), 6)
    gap = mean_in - mean_out
    prior = np.interp(
        mean_out,
        [mean_out[b].mean() for b in bins],
        [gap[b].mean() for b in bins],
    )
    pooled, half = (attack._var_in, attack._var_out), n_shadows / 2
    v = sum(pooled) / half
    tau = max(np.var(gap - prior) - v, 0)
    drawn = np.maximum(prior + tau / (tau + v) * (gap - prior), 1e-3)
    middle, target = (mean_in + mean_out) / 2, target_logit(forest, table)
    # Many shadows tell the variances of a record apart.
    var_in, var_out = (
        (4 * share + (half - 1) * np.array([c.var(ddof=1) for c in own])) / (half + 3)
        for share, own in zip(pooled, cells, strict=True)
    )
    expected = {
        4: drawn * (target - middle) / (sum(pooled) / 2),
        64: norm.logpdf(target, middle + drawn / 2, np.sqrt(var_in))
        - norm.logpdf(target, middle - drawn / 2, np.sqrt(var_out)),
    }
    assert_allclose(attack.score_samples(records), expected[n_shadows], rtol=1e-9)


def test_a_gap_without_one_side_is_that_of_its_like():
    gap = shrunk_gap(
        np.array([3.0, 3.0, 3.0, -2.0]),
        np.array([1.0, 1.0, 1.0, 0.5]),
        np.array([0.0, 2.0, np.inf, 0.0]),
        2.0,
    )
    assert_allclose(gap, [3.0, 2.0, 1.0, 1e-3])


@pytest.mark.parametrize("model", ["boosting", "leaf 5"])
def test_the_shrunk_gap_finds_more_with_few_shadows(model):
    X, y = make_classification(600, 10, flip_y=0.3, random_state=1)
    target = {
        "boosting": GradientBoostingClassifier(n_estimators=40, random_state=0),
        "leaf 5": RandomForestClassifier(30, min_samples_leaf=5, random_state=0),
    }[model].fit(X[:300], y[:300])
    is_member = np.arange(600) < 300
    auc = {
        gap: LiRA(target, gap=gap, n_shadows=4, random_state=0)
        .fit(as_records(X, y))
        .score(as_records(X, y), is_member)
        for gap in ("per_record", "shrunk")
    }
    assert auc["shrunk"] > auc["per_record"] + 0.01


def test_shrunk_variance_counts_the_pooled_one_as_four_shadows(forest, table, records):
    attack = LiRA(forest, mode="offline", variance="shrunk", n_shadows=8)
    attack.set_params(random_state=0).fit(records)
    phi, out = attack.shadow_signals_, ~attack.shadow_members_
    cells = np.array([phi[out[:, i], i] for i in range(300)])
    squares = ((cells - cells.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    variance = (4 * attack._var_out + squares) / (4 + 3)
    z = (target_logit(forest, table) - cells.mean(axis=1)) / np.sqrt(variance)
    assert_allclose(attack.score_samples(records), z, rtol=1e-9)


@pytest.mark.parametrize("cls", [LiRA, RMIA])
def test_p_value_counts_the_nonmembers_at_least_as_high(cls, forest, records):
    is_member = np.arange(300) < 150
    attack = cls(forest, n_shadows=4, random_state=0).fit(records, is_member)
    scores = attack.score_samples(records)
    others = scores[~is_member]
    expected = [(1 + np.sum(others >= s)) / 151 for s in scores]
    assert_allclose(attack.p_value(records), expected)
    assert attack.p_value(records)[is_member].mean() < 0.3


def test_offline_lira_is_one_sided(forest, table, records):
    attack = LiRA(forest, mode="offline", n_shadows=8, random_state=0).fit(records)
    phi, out = attack.shadow_signals_, ~attack.shadow_members_
    mean = np.array([phi[out[:, i], i].mean() for i in range(300)])
    z = (target_logit(forest, table) - mean) / np.sqrt(attack._var_out)
    scores = attack.score_samples(records)
    assert_allclose(scores, z, rtol=1e-9)
    # Far below what models without the record say is no sign of membership.
    assert scores[np.argmin(z)] == scores.min()


def test_a_common_variance_does_not_change_the_offline_ranking(forest, table, records):
    attack = LiRA(forest, mode="offline", n_shadows=8, random_state=0).fit(records)
    scores = attack.score_samples(records)
    signals, out = attack.shadow_signals_, ~attack.shadow_members_
    target = target_logit(forest, table)
    difference = target - np.array([signals[out[:, i], i].mean() for i in range(300)])
    assert_array_equal(np.argsort(difference), np.argsort(scores))


def test_online_rmia_is_log_p_minus_log_mean_p(forest, table, records):
    X, y = table
    attack = RMIA(forest, n_shadows=8, random_state=0).fit(records)
    p, member = np.exp(attack.shadow_signals_), attack.shadow_members_
    mean = [
        (p[member[:, i], i].mean() + p[~member[:, i], i].mean()) / 2 for i in range(300)
    ]
    # Complementary pairs: both sides count the same number of models.
    assert_allclose(mean, p.mean(axis=0))
    true = smoothed_by_hand(forest.predict_proba(X))[np.arange(300), y]
    assert_allclose(
        attack.score_samples(records), np.log(true) - np.log(mean), rtol=1e-9
    )


def test_offline_rmia_is_the_published_approximation(forest, table, records):
    X, y = table
    attack = RMIA(forest, mode="offline", offline_a=0.3, n_shadows=8, random_state=0)
    attack.fit(records)
    p, out = np.exp(attack.shadow_signals_), ~attack.shadow_members_
    mean_out = np.array([p[out[:, i], i].mean() for i in range(300)])
    p_bar = 0.5 * (1.3 * mean_out + 0.7)
    expected = np.log(
        smoothed_by_hand(forest.predict_proba(X))[np.arange(300), y]
    ) - np.log(p_bar)
    assert_allclose(attack.score_samples(records), expected, rtol=1e-9)
    assert attack.offline_a_ == 0.3


def test_tempered_rmia_raises_and_normalises_probabilities(forest, table, records):
    X, y = table
    attack = RMIA(forest, temperature=2.0, n_shadows=2, random_state=0).fit(records)
    proba = smoothed_by_hand(forest.predict_proba(X))
    tempered = np.sqrt(proba) / np.sqrt(proba).sum(axis=1, keepdims=True)
    p = np.exp(attack.shadow_signals_)
    true = tempered[np.arange(300), y]
    expected = np.log(true) - np.log(p.mean(axis=0))
    assert_allclose(attack.score_samples(records), expected, rtol=1e-9, atol=1e-15)


def test_counting_population_records_ranks_like_the_log_ratio(forest, records):
    attack = RMIA(forest, n_shadows=4, random_state=0).fit(records)
    scores = attack.score_samples(records)
    ratio, gamma = np.exp(scores), 2.0
    counts = np.mean(ratio[:, None] / ratio[None, :] >= gamma, axis=1)
    order = np.argsort(scores)
    assert np.all(np.diff(counts[order]) >= 0)


def test_offline_a_follows_the_model(table):
    X, y = table
    records = as_records(X, y)
    pure = RandomForestClassifier(20, random_state=0).fit(X[:150], y[:150])
    smooth = LogisticRegression().fit(X[:150], y[:150])
    tuned = [
        RMIA(m, mode="offline", n_shadows=8, random_state=0).fit(records).offline_a_
        for m in (pure, smooth)
    ]
    assert tuned[0] < 0.5 < tuned[1]


def test_offline_mean_at_its_ends():
    p = np.array([0.2, 0.6])
    assert_allclose(offline_mean(p, 1.0), p)
    assert_allclose(offline_mean(p, 0.0), (p + 1) / 2)


def test_side_mean_leaves_out_missing_cells():
    values = np.array([[1.0, np.nan, 5.0], [3.0, np.nan, 9.0]])
    members = np.array([[True, True, True], [True, True, False]])
    assert_array_equal(side_mean(values, members, True), [2.0, np.nan, 5.0])
    assert_array_equal(side_mean(values, members, False), [np.nan, np.nan, 9.0])


def test_mean_gap_fills_the_missing_side():
    rng = np.random.default_rng(0)
    out = rng.uniform(size=1000)
    gap = MeanGap(out + 0.5 * (1 - out), out)
    nothing = np.array([np.nan])
    both = gap.complete(nothing, np.array([0.4]), np.array([True]))
    assert_allclose(both, [[0.7], [0.4]], atol=0.01)
    both = gap.complete(np.array([0.7]), nothing, np.array([True]))
    assert_allclose(both, [[0.7], [0.4]], atol=0.02)
    assert np.isnan(gap.complete(nothing, nothing, np.array([True]))).all()


@pytest.mark.parametrize("cls", [LiRA, RMIA])
def test_scores_follow_the_record_in_any_order(cls, forest, records):
    attack = cls(forest, n_shadows=4, random_state=0).fit(records)
    order = np.random.default_rng(0).permutation(300)
    scores = attack.score_samples(records)
    assert_array_equal(attack.score_samples(records[order]), scores[order])
    assert attack.in_pool(records).all()


@pytest.mark.parametrize("cls", [LiRA, RMIA])
def test_known_membership_sets_the_threshold_and_not_the_scores(cls, forest, records):
    rng = np.random.default_rng(0)
    is_member = np.arange(300) < 150
    scores = [
        cls(forest, n_shadows=4, random_state=0).fit(records, y).score_samples(records)
        for y in (None, is_member, rng.permutation(is_member))
    ]
    assert_array_equal(scores[0], scores[1])
    assert_array_equal(scores[0], scores[2])


@in_turn(("cls", "max_fpr"), [LiRA, RMIA], [0.0, 0.05, 0.01, 0.2], n_quick=2)
def test_false_alarms_stay_below_max_fpr_on_known_nonmembers(
    cls, forest, records, max_fpr
):
    is_member = np.arange(300) < 150
    attack = cls(forest, n_shadows=4, max_fpr=max_fpr, random_state=0)
    attack.fit(records, is_member)
    assert attack.predict(records)[~is_member].mean() <= max_fpr
    assert_array_equal(
        attack.predict(records), attack.score_samples(records) > attack.offset_
    )


@pytest.mark.parametrize("cls", [LiRA, RMIA])
def test_records_outside_the_pool_are_scored_in_input_order(cls, forest, records):
    attack = cls(forest, n_shadows=8, random_state=0).fit(records[:200])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mixed = attack.score_samples(records)
    assert_array_equal(mixed[:200], attack.score_samples(records[:200]))
    assert_array_equal(mixed[200:], attack.score_samples(records[200:]))
    assert_array_equal(attack.in_pool(records), np.arange(300) < 200)


@pytest.mark.parametrize("cls", [LiRA, RMIA])
def test_a_call_that_mixes_both_kinds_warns(cls, forest, records):
    attack = cls(forest, n_shadows=4, random_state=0).fit(records[:200])
    with pytest.warns(UserWarning, match="200 records are in the pool and 100 are not"):
        attack.score_samples(records)
    # The odd duplicate does not.
    attack.score_samples(np.vstack([records[200:], records[:1]]))
    offline = cls(forest, mode="offline", n_shadows=4, random_state=0)
    offline.fit(records[:200]).score_samples(records)


@pytest.mark.parametrize("cls", [LiRA, RMIA])
def test_online_refuses_records_outside_the_pool(cls, forest, records):
    attack = cls(forest, mode="online", n_shadows=4, random_state=0).fit(records[:200])
    with pytest.raises(ValueError, match="100 of 300 records are outside the pool"):
        attack.score_samples(records)


@pytest.mark.parametrize("cls", [LiRA, RMIA])
def test_without_models_only_the_pool_can_be_scored(cls, forest, records):
    attack = cls(forest, keep_models=False, n_shadows=4, random_state=0)
    attack.fit(records[:200]).score_samples(records[:200])
    assert attack.models_ is None
    with pytest.raises(ValueError, match="keep_models=False left no shadow to ask"):
        attack.score_samples(records[200:])


def test_a_float32_copy_of_the_pool_is_told(forest, table):
    X, y = table
    attack = RMIA(forest, n_shadows=2, random_state=0).fit(as_records(X, y))
    with pytest.warns(UserWarning, match="some are once they are rounded to float32"):
        attack.score_samples(as_records(X.astype(np.float32), y))


@pytest.mark.parametrize("cls", [LiRA, RMIA])
def test_a_fitted_attack_survives_pickling(cls, forest, records):
    attack = cls(forest, n_shadows=4, random_state=0).fit(records[:200])
    again = pickle.loads(pickle.dumps(attack))
    assert_array_equal(
        again.score_samples(records[200:]), attack.score_samples(records[200:])
    )


@pytest.mark.parametrize("cls", [LiRA, RMIA])
@pytest.mark.parametrize("mode", ["auto", "offline"])
def test_a_record_that_no_shadow_can_score_gets_the_median(cls, mode):
    X, y = make_classification(
        120, 6, n_informative=4, n_classes=3, n_clusters_per_class=1, random_state=0
    )
    y[y == 2] = np.where(np.arange(np.sum(y == 2)) < 1, 2, 1)
    forest = RandomForestClassifier(10, random_state=0).fit(X, y)
    attack = cls(forest, mode=mode, n_shadows=2, random_state=0)
    alone = y == 2
    assert alone.sum() == 1
    if mode == "auto":
        # Its OUT side is its IN side minus the mean gap.
        attack.fit(as_records(X, y))
        assert attack.n_unscored_ == 0
        assert np.isfinite(attack.score_samples(as_records(X, y))).all()
        return
    with pytest.warns(UserWarning, match="1 of 120 records of the pool could not"):
        attack.fit(as_records(X, y))
    assert attack.n_unscored_ == 1
    with pytest.warns(UserWarning, match="1 of 120 records of the call could not"):
        scores = attack.score_samples(as_records(X, y))
    assert np.isfinite(scores).all()
    assert scores[alone] == np.median(scores[~alone])


@pytest.mark.parametrize("cls", [LiRA, RMIA])
def test_callbacks_follow_each_shadow(cls, forest, records):
    pytest.importorskip("sklearn", "1.9", reason="no callbacks")

    class Listener:
        def __init__(self):
            self.begun, self.ended = [], []

        def setup(self, estimator, context):
            self.max_subtasks = context.max_subtasks

        def teardown(self, estimator, context):
            self.torn_down = True

        def on_fit_task_begin(self, estimator, context):
            self.begun.append((context.task_name, context.task_id))

        def on_fit_task_end(self, estimator, context):
            self.ended.append((context.task_name, context.task_id))

    listener = Listener()
    thin = {"trees_per_shadow": None} if cls is RMIA else {}
    attack = cls(forest, n_shadows=4, n_jobs=2, random_state=0, **thin)
    attack.set_callbacks(listener)
    import joblib

    with joblib.parallel_config(backend="threading"):
        attack.fit(records)
    everything = {("fit", 0), *(("shadow", i) for i in range(4))}
    assert set(listener.begun) == set(listener.ended) == everything
    assert listener.max_subtasks == 4
    assert listener.torn_down
    assert clone(attack)._skl_callbacks == [listener]


def test_thin_shadows_cost_the_same_number_of_trees(forest, records):
    full = RMIA(forest, n_shadows=4, trees_per_shadow=None, random_state=0)
    thin = RMIA(forest, n_shadows=4, trees_per_shadow=5, random_state=0)
    assert full.fit(records).n_shadows_ == 4
    assert thin.fit(records).n_shadows_ == 8
    assert {len(model.estimators_) for model, _ in thin.models_} == {5}
    assert len(forest.estimators_) == 10
    other = LogisticRegression().fit(records[:, :-1], records[:, -1])
    attack = RMIA(other, n_shadows=4, trees_per_shadow=5, random_state=0)
    assert attack.fit(records).n_shadows_ == 4


def no_leak_scores(cls, mode, model, seed):
    """Scores of pool and other records by a target trained on neither."""
    X, y = make_classification(1500, 20, n_informative=8, flip_y=0.1, random_state=seed)
    third, pool, other = np.split(np.random.default_rng(seed).permutation(1500), 3)
    target = clone(model).fit(X[third], y[third])
    records = as_records(X, y)
    attack = cls(target, mode=mode, random_state=seed).fit(records[pool])
    both = np.concatenate([pool, other])
    if mode == "auto":
        with pytest.warns(UserWarning, match="records are in the pool and"):
            scores = attack.score_samples(records[both])
    else:
        scores = attack.score_samples(records[both])
    return np.repeat([1, 0], 500), scores


@pytest.mark.slow
@pytest.mark.parametrize("cls", [LiRA, RMIA])
@pytest.mark.parametrize("mode", ["auto", "offline"])
@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(20, random_state=0),
        RandomForestClassifier(20, min_samples_leaf=5, random_state=0),
        LogisticRegression(),
    ],
    ids=["forest", "smooth forest", "logistic regression"],
)
def test_pool_and_other_records_are_comparable_without_a_leak(cls, mode, model):
    """Being in the pool goes with nothing here: the AUC must be at chance.

    20 seeds, intervals of 3.3 standard errors: a correct attack fails one of these
    24 statements in 2.4 % of the choices of seeds.
    """
    auc, tpr = [], []
    for seed in range(20):
        in_pool, scores = no_leak_scores(cls, mode, model, seed)
        auc.append(roc_auc_score(in_pool, scores))
        tpr.append(tpr_at_fpr_score(in_pool, scores, max_fpr=0.01))
    assert abs(np.mean(auc) - 0.5) < 3.3 * np.std(auc, ddof=1) / np.sqrt(20)
    # The threshold is the 6th largest of 500: a new score passes it in 6 of 501.
    error = np.std(tpr, ddof=1) / np.sqrt(20)
    assert abs(np.mean(tpr) - 6 / 501) < 3.3 * error


@pytest.mark.slow
@pytest.mark.parametrize("cls", [LiRA, RMIA])
@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(20, random_state=0),
        LogisticRegression(),
    ],
    ids=["forest", "logistic regression"],
)
def test_a_target_trained_on_neither_side_is_at_chance(cls, model):
    """AUC within its own 95 % interval of .5 in at least 93 of 100 runs.

    An exact interval fails this in 12.8 % of the choices of seeds (binomial).
    """
    from sklearn_mia.metrics import roc_auc_interval

    inside = 0
    for seed in range(100, 200):
        X, y = make_classification(
            900, 10, n_informative=6, flip_y=0.1, random_state=seed
        )
        third, rest = np.arange(300), np.arange(300, 900)
        target = clone(model).fit(X[third], y[third])
        records = as_records(X, y)[rest]
        is_member = np.random.default_rng(seed).permutation(600) < 300
        attack = cls(target, n_shadows=8, random_state=seed).fit(records)
        auc = roc_auc_interval(is_member, attack.score_samples(records))
        inside += auc.low <= 0.5 <= auc.high
    assert inside >= 93


@pytest.mark.slow
@pytest.mark.parametrize(
    "attack",
    [LiRA(), RMIA(trees_per_shadow=None), RMIA()],
    ids=["LiRA", "RMIA", "RMIA with thin shadows"],
)
def test_unknown_membership_keeps_the_false_alarm_rate(attack):
    """Without y the threshold comes from shadows that play the target.

    40 targets trained on half of the pool, 300 other records each: the share of false
    alarms must lie in the 99.9 % Clopper-Pearson interval around max_fpr, with the
    slack of the threshold. Thin shadows answer with more noise than the target: they
    put the threshold too high, never too low.
    """
    alarms = 0
    for seed in range(40):
        X, y = make_classification(
            600, 10, n_informative=6, flip_y=0.1, random_state=seed
        )
        target = RandomForestClassifier(20, random_state=seed).fit(X[:300], y[:300])
        records = as_records(X, y)
        attack.set_params(target_estimator=target, random_state=seed).fit(records)
        alarms += attack.predict(records[300:]).sum()
    interval = rate_interval(int(alarms), 40 * 300, confidence=0.999)
    assert interval.low < 0.05 + 0.01
    if not (isinstance(attack, RMIA) and attack.trees_per_shadow):
        assert interval.high > 0.05 - 0.01


@pytest.fixture(scope="module")
def published():
    """Inputs and scores of an independent computation, see make_scores.py."""
    path = Path(__file__).parent / "reference" / "scores.json"
    content = json.loads(path.read_text())
    names = ("target", "logits", "members")
    return *(np.array(content[name]) for name in names), content["scores"]


@pytest.mark.parametrize(
    ("name", "attack"),
    [
        ("lira_online", LiRA(gap="per_record", variance="pooled")),
        ("lira_online_per_record", LiRA(gap="per_record", variance="per_record")),
        ("lira_offline", LiRA(mode="offline", variance="pooled")),
        ("rmia_online", RMIA()),
        ("rmia_offline", RMIA(mode="offline", offline_a=0.3)),
    ],
)
def test_scores_equal_the_published_formulas(published, name, attack):
    target, logits, members, scores = published
    if isinstance(attack, RMIA):
        target, logits = -np.logaddexp(0, -target), -np.logaddexp(0, -logits)
    attack._responder = SimpleNamespace(classes=np.arange(2))
    attack._calibrate(None, logits, members)
    found = attack._score(target, logits, members, np.ones(len(target), dtype=bool))
    assert_allclose(found, scores[name], rtol=1e-10)
