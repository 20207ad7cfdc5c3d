"""The same records in several models: how stable their risk is."""

import json
import re

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import RecipeReport, SupervisedAttack, ThresholdAttack, audit_recipe
from sklearn_mia.auditing._same_records import (
    rank_stability,
    recognised,
    records_told,
    share_found,
    standardised,
)

LOSS = {"loss": ThresholdAttack(signal="loss")}


def drawn(n_models=16, n_records=2000, spread=0.0, effect=0.0, seed=0):
    """Membership and scores: of each record its own level, and an effect of members."""
    rng = np.random.default_rng(seed)
    members = rng.random((n_models, n_records)) < 0.5
    scores = rng.normal(size=members.shape) + effect * members
    return members, scores + spread * rng.normal(size=n_records)


def test_stability_is_the_rank_correlation_of_common_members():
    members, scores = drawn(3, 300, spread=1.0)
    scores[0, 5] = np.nan
    found = rank_stability(members, scores)
    expected, tops = [], []
    for i, j in ((0, 1), (0, 2), (1, 2)):
        both = members[i] & members[j] & np.isfinite(scores[i] + scores[j])
        one, two = scores[i][both], scores[j][both]
        expected.append(spearmanr(one, two).statistic)
        first, second = (set(np.argsort(-s)[:1]) for s in (one, two))
        tops.append(len(first & second))
    assert found["spearman"] == pytest.approx(np.mean(expected))
    assert found["least"] == pytest.approx(min(expected))
    assert found["n_top"] == 1
    assert found["top"] == np.mean(tops)


def test_records_that_tie_at_the_edge_share_the_places():
    members = np.ones((2, 200), dtype=bool)
    scores = np.zeros((2, 200))
    scores[:, :1] = 1.0
    # Two places: one is certain, the other goes to one of 199 by lot, in both.
    assert rank_stability(members, scores)["top"] == pytest.approx(
        (1 + 199 * (1 / 199) ** 2) / 2
    )


def test_what_no_pair_of_models_tells_is_null():
    members = np.eye(2, 50, dtype=bool)
    none = dict.fromkeys(("spearman", "least", "top", "n_top"))
    assert rank_stability(members, np.zeros((2, 50))) == none
    assert rank_stability(np.ones((2, 50), dtype=bool), np.zeros((2, 50))) == none


def test_a_record_is_recognised_above_the_threshold_of_its_model():
    members, scores = drawn(4, 400, effect=1.0)
    found = recognised(members, scores, 0.1)
    for is_member, row, told in zip(members, scores, found, strict=True):
        others = row[~is_member]
        assert not told[~is_member].any()
        lowest = row[told].min()
        assert np.mean(others >= lowest) <= 0.1
        # And the next member below would cost too many of them.
        missed = row[is_member & ~told].max()
        assert np.sum(others >= missed) > int(0.1 * len(others))
    shares = share_found(members, found)
    both = members.sum(axis=0) >= 2
    every = [np.all(f[m]) for m, f in zip(members.T[both], found.T[both], strict=True)]
    assert shares["every"] == np.mean(every)
    assert shares["any"] == np.mean(found.T[both].any(axis=1))
    assert shares["mean"] == pytest.approx(found.sum() / members.sum())
    assert recognised(members, scores, 0.001) is None


def test_a_record_compared_with_itself_is_as_by_hand():
    members, scores = drawn(8, 40, spread=3.0, effect=1.0)
    z = standardised(members, scores)
    others, spreads = {}, []
    for t in range(8):
        for j in range(40):
            rest = [k % 8 for k in range(t + 1, t + 8) if not members[k % 8, j]]
            rest = rest[1:] if members[t, j] else rest
            others[t, j] = scores[rest, j]
    for t in range(8):
        enough = [j for j in range(40) if len(others[t, j]) >= 3]
        usual = np.median([np.var(others[t, j], ddof=1) for j in enough])
        for j in range(40):
            values = others[t, j]
            if j not in enough:
                assert np.isnan(z[t, j])
                continue
            n = len(values) - 1
            v = (4 * usual + n * np.var(values, ddof=1)) / (4 + n)
            by_hand = (scores[t, j] - values.mean()) / np.sqrt(v)
            assert z[t, j] == pytest.approx(by_hand)
            spreads.append(v)
    assert len(spreads) > 200


def test_comparing_a_record_with_itself_finds_what_levels_hide_and_nothing_else():
    members, scores = drawn(spread=5.0, effect=1.0)
    z = standardised(members, scores)
    before, after = (
        np.mean([roc_auc_score(m, s) for m, s in zip(members, values, strict=True)])
        for values in (scores, np.nan_to_num(z))
    )
    assert before < 0.57
    assert after > 0.7
    members, scores = drawn(spread=5.0)
    z = standardised(members, scores)
    known = np.isfinite(z)
    # The sd of an AUC at 16 x 1,000 members is .0023: beyond .01 once in 70,000 times.
    assert abs(roc_auc_score(members[known], z[known]) - 0.5) < 0.01
    for side in (members, ~members):
        share = np.mean(z[known & side] > np.quantile(z[known], 0.99))
        assert 0.007 < share < 0.013


@pytest.fixture(scope="module")
def table(half):
    return np.concatenate(half[::2]), np.concatenate(half[1::2])


class Kept(DecisionTreeClassifier):
    models = []

    def fit(self, X, y):
        self.rows_ = X
        Kept.models.append(self)
        return super().fit(X, y)


@pytest.fixture(scope="module")
def over_seeds(table):
    Kept.models.clear()
    recipe = Kept(max_features=2, min_samples_leaf=3)
    report = audit_recipe(
        recipe, *table, vary="seed", n_targets=3, attacks=LOSS, random_state=0
    )
    return report, list(Kept.models)


def test_over_seeds_the_records_are_the_same_and_the_models_are_not(over_seeds, table):
    report, models = over_seeds
    assert len(models) == 3
    for model in models[1:]:
        assert np.array_equal(model.rows_, models[0].rows_)
        assert model.random_state != models[0].random_state
    X, y = table
    inside = np.isin(X[:, 0], models[0].rows_[:, 0])
    scores = np.array([m.predict_proba(X)[np.arange(400), y] for m in models])
    same = report.to_dict()["same_records"]
    [together] = same["together"]
    # Probabilities keep half of the smallest one, .05 at most, from 0 and 1.
    floors = [m.predict_proba(X) for m in models]
    smallest = [min(p[p > 0].min() / 2, 0.05) for p in floors]
    logs = [np.log((1 - 2 * f) * s + f) for f, s in zip(smallest, scores, strict=True)]
    by_hand = roc_auc_score(inside, np.mean(logs, axis=0))
    assert together["auc"]["estimate"] == pytest.approx(by_hand, abs=1e-9)
    pairs = [(0, 1), (0, 2), (1, 2)]
    rank = np.mean([spearmanr(*scores[list(p)][:, inside]).statistic for p in pairs])
    assert same["stability"]["spearman"] == pytest.approx(rank)
    assert same["calibrated"] is None


@pytest.mark.parametrize(
    ("part", "name", "message"),
    [
        ("stability", "least", "stability: some of it is null, and not all"),
        ("shares", "any", "shares: every and any are null for some, or not null for"),
    ],
)
def test_a_file_that_lacks_a_number_beside_others_is_refused(
    over_seeds, part, name, message
):
    content = json.loads(over_seeds[0].to_json())
    assert content["same_records"][part][name] is not None
    content["same_records"][part][name] = None
    with pytest.raises(ValueError, match=re.escape(f"same_records.{message}")):
        RecipeReport.from_json(json.dumps(content))


def test_a_file_without_its_version_is_refused(over_seeds):
    content = json.loads(over_seeds[0].to_json())
    for version in (None, "1", []):
        content["schema_version"] = version
        with pytest.raises(ValueError, match="schema_version is"):
            RecipeReport.from_json(json.dumps(content))
    del content["schema_version"]
    with pytest.raises(ValueError, match="schema_version is missing"):
        RecipeReport.from_json(json.dumps(content))


def test_the_table_of_records_tells_their_risk_in_each_model(over_seeds, table):
    pytest.importorskip("pandas")
    report, models = over_seeds
    X, y = table
    frame = report.records
    inside = np.isin(X[:, 0], models[0].rows_[:, 0])
    assert list(frame.columns) == ["id", "n_models", "risk", "spread", "recognised"]
    assert frame["n_models"].tolist() == (3 * inside).tolist()
    assert frame.loc[~inside, ["risk", "spread", "recognised"]].isna().all(axis=None)
    scores = np.array([m.predict_proba(X)[np.arange(400), y] for m in models])
    risks = [
        (np.mean(s[~inside] < s[inside, None], axis=1) * 2 + 0) / 2
        + np.mean(s[~inside] == s[inside, None], axis=1) / 2
        for s in scores
    ]
    assert np.allclose(frame.loc[inside, "risk"], np.mean(risks, axis=0))
    assert np.allclose(frame.loc[inside, "spread"], np.std(risks, axis=0, ddof=1))
    # No file has it.
    assert RecipeReport.from_json(report.to_json()).records is None
    assert "recognised" not in json.dumps(report.to_dict()["same_records"])


def test_what_is_said_over_seeds_is_about_these_records(over_seeds):
    report, _ = over_seeds
    text = " ".join(str(report).split())
    for told in (
        "3 models were trained in the same way, all on one random half of the 400 rec",
        "Two models rank the members that they share with a correlation of",
        "Who has all 3 models, and takes the mean of the scores, has an AUC of",
        "on this very half of the table, trained again and again; the intervals over "
        "models leave chance among records out",
    ):
        assert told in text
    again = RecipeReport.from_json(report.to_json())
    assert str(again) == str(report)
    if pytest.importorskip("jinja2"):
        page = " ".join(report.to_html().split())
        assert "All models were trained on one random half" in page


def test_a_recipe_without_a_seed_says_so_and_chance_of_records_is_no_leak(table):
    X, y = table
    report = audit_recipe(
        LogisticRegression(C=1e-4),
        *(X, y),
        vary="seed",
        n_targets=2,
        attacks=LOSS,
        random_state=1,
    )
    text = " ".join(str(report).split())
    auc = report.rows[0]
    assert auc["mean"] == report.targets[0]["attacks"]["loss"]["auc"] != 0.5
    assert auc["low"] is auc["high"] is None
    assert auc["note"] == "unknown: all models have this value"
    assert "All models answered alike: the seed changes nothing in this pro" in text
    assert "and there is no interval over models" in text
    assert "give away who is in their data was not shown" in text
    assert f"auc {auc['mean']:.3f} unknown: all models have this value" in text
    assert f"AUC {auc['mean']:.3f} (interval unknown)" in repr(report)
    assert f"{auc['mean']:.3f} to {auc['mean']:.3f}" not in text
    assert "the intervals are very wide" not in text
    again = RecipeReport.from_json(report.to_json())
    assert again.to_dict() == report.to_dict()
    pytest.importorskip("jinja2")
    page = report.to_html()
    assert "<small>unknown: all models have this value</small>" in page
    assert "An interval is unknown where all models have the same value" in page
    assert '<path class="span s0" d=' not in page
    pytest.importorskip("pandas")
    assert report.summary[["low", "high"]].isna().all(axis=None)


def test_from_16_models_on_each_record_is_compared_with_itself(table):
    options = {"attacks": LOSS, "random_state": 0, "fprs": [0.1]}
    recipe = DecisionTreeClassifier(min_samples_leaf=5)
    report = audit_recipe(recipe, *table, n_targets=16, **options)
    same = report.to_dict()["same_records"]
    assert [row["metric"] for row in same["calibrated"]] == ["auc", "tpr@fpr=0.1"]
    assert same["calibrated"][0]["low"] > report.rows[0]["mean"]
    assert "compared with its own scores in the models without it" in str(report)
    pytest.importorskip("jinja2")
    assert "compared with its own scores" in report.to_html()
    fewer = audit_recipe(recipe, *table, n_targets=2, **options)
    assert fewer.to_dict()["same_records"]["calibrated"] is None


def test_members_that_an_attack_learned_from_do_not_count_as_missed(table):
    report = audit_recipe(
        DecisionTreeClassifier(min_samples_leaf=3),
        *table,
        vary="seed",
        n_targets=2,
        attacks=SupervisedAttack(),
        fprs=[0.1],
        random_state=0,
    )
    shares = report.to_dict()["same_records"]["shares"]
    # Of 200 members about half are judged, the same in both models.
    assert 70 < shares["n"] < 130


def test_a_record_in_no_model_has_no_risk():
    told = records_told(np.zeros((2, 3), dtype=bool), np.ones((2, 3)), None)
    assert told["risk"] == told["spread"] == told["recognised"] == [None] * 3


def test_a_model_without_other_records_tells_nothing_of_its_own():
    members = np.array([[True, True], [True, False]])
    scores = np.array([[0.9, 0.8], [0.9, 0.1]])
    told = records_told(members, scores, None)
    assert told["risk"] == [1.0, None]
