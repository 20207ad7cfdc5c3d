"""The attack that solves what a model's file stores."""

import pickle

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mia import LinearReconstructionAttack, as_records, audit
from sklearn_mia.equations import linear_equations, solve


def fitted(model, half):
    X, y, X_other, y_other = half
    model.fit(X, y)
    records = as_records(np.vstack([X, X_other]), np.append(y, y_other))
    return model, records, np.arange(400) < 200


@pytest.fixture(scope="module")
def boosting(half):
    return fitted(HistGradientBoostingClassifier(max_iter=30), half)


def test_the_score_is_that_of_the_solution(boosting):
    model, records, _ = boosting
    attack = LinearReconstructionAttack(model).fit(records)
    solution = solve(linear_equations(model, records[:, :-1], records[:, -1]))
    assert_allclose(attack.score_samples(records), solution.score, rtol=1e-4)
    assert attack.prior_ == 0.5
    assert attack.n_members_ == 200
    assert attack.access == "file"
    assert attack.n_equations_ == sum(line.n_equations for line in attack.equations_)


def test_members_score_higher(boosting):
    model, records, is_member = boosting
    attack = LinearReconstructionAttack(model)
    assert attack.fit(records).score(records, is_member) > 0.99


def test_membership_and_order_do_not_enter_the_scores(boosting):
    model, records, is_member = boosting
    attack = LinearReconstructionAttack(model)
    plain = attack.fit(records).score_samples(records)
    known = attack.fit(records, is_member).score_samples(records)
    assert_array_equal(plain, known)
    order = np.random.default_rng(1).permutation(len(records))
    assert_array_equal(attack.fit(records[order]).score_samples(records), plain)


def test_equal_records_score_alike(boosting):
    model, records, is_member = boosting
    attack = LinearReconstructionAttack(model).fit(np.vstack([records, records[:50]]))
    scores = attack.score_samples(records)
    assert roc_auc_score(is_member, scores) > 0.9
    again = attack.fit_score(np.vstack([records, records[:50]]))
    assert_array_equal(again[400:], again[:50])


@pytest.mark.parametrize(
    "model",
    [
        RandomForestClassifier(60, min_samples_leaf=3, random_state=0),
        ExtraTreesClassifier(60, min_samples_leaf=10, random_state=0),
    ],
)
def test_records_outside_the_pool_are_scored_by_themselves(model, half):
    model, records, is_member = fitted(model, half)
    held = np.arange(400) % 5 > 0
    attack = LinearReconstructionAttack(model, prior=0.5).fit(records[held])
    outside = records[~held]
    assert_array_equal(attack.in_pool(records), held)
    scores = attack.score_samples(outside)
    some = range(0, len(outside), 5)
    one_by_one = [attack.score_samples(outside[[i]])[0] for i in some]
    assert_allclose(scores[::5], one_by_one, atol=1e-9)
    assert roc_auc_score(is_member[~held], scores) > 0.6
    assert roc_auc_score(is_member, attack.score_samples(records)) > 0.7


def test_what_is_looked_up_has_no_score_outside_the_pool(half):
    model, records, _ = fitted(KNeighborsClassifier(), half)
    attack = LinearReconstructionAttack(model).fit(records[:300])
    with pytest.warns(UserWarning, match="100 of 100 records of the call could not"):
        attack.score_samples(records[300:])


def test_steps_and_labels_of_text(half):
    pd = pytest.importorskip("pandas")
    X, y, X_other, y_other = half
    names = [f"x{j}" for j in range(8)]
    frame = pd.DataFrame(np.vstack([X, X_other]), columns=names)
    words = np.array(["no", "yes"])[np.append(y, y_other)]
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(frame[:200], words[:200])
    attack = LinearReconstructionAttack(model).fit(as_records(frame, words))
    assert {line.step for line in attack.equations_} == {
        "standardscaler",
        "logisticregression",
    }
    assert attack.score(as_records(frame, words), np.arange(400) < 200) > 0.55


def test_a_pool_that_lacks_a_few_members_still_tells_most_of_the_others():
    X, y = make_classification(1200, 8, n_informative=5, flip_y=0.2, random_state=0)
    is_member = np.random.default_rng(70).random(1200) < 0.5
    model = ExtraTreesClassifier(100, min_samples_leaf=20, random_state=0)
    model.fit(X[is_member], y[is_member])
    held = np.ones(1200, dtype=bool)
    held[np.flatnonzero(is_member)[:20]] = False
    records = as_records(X[held], y[held])
    attack = LinearReconstructionAttack(model).fit(records)
    assert 0 < attack.n_outside_ < 20
    naive = solve(linear_equations(model, X[held], y[held])).estimate
    told = attack.score(records, is_member[held])
    assert told > roc_auc_score(is_member[held], naive) + 0.05


def test_the_prior_is_that_of_a_pool_with_all_members(boosting):
    model, records, _ = boosting
    attack = LinearReconstructionAttack(model).fit(records[:300])
    assert attack.prior_ == pytest.approx(2 / 3)
    assert attack.n_outside_ == 0
    assert attack.set_params(prior=0.3).fit(records).prior_ == 0.3
    assert attack.n_outside_ == 200 - 0.3 * 400


@pytest.mark.parametrize(
    ("model", "n"),
    [
        (HistGradientBoostingClassifier(max_iter=20), 1200),
        (ExtraTreesClassifier(30, min_samples_leaf=10, random_state=0), 1200),
        # Of few equations.
        (make_pipeline(StandardScaler(), GaussianNB()), 2400),
    ],
)
def test_a_pool_that_lacks_members_is_recognised(model, n):
    X, y = make_classification(n, 8, n_informative=5, flip_y=0.2, random_state=0)
    is_member = np.random.default_rng(8).permutation(n) < n // 2
    model.fit(X[is_member], y[is_member])
    records = as_records(X, y)
    attack = LinearReconstructionAttack(model).fit(records)
    assert attack.prior_ == 0.5
    assert attack.n_outside_ == 0
    held = np.random.default_rng(9).random(n) < 0.6
    attack.fit(records[held])
    assert attack.prior_ == pytest.approx(0.5, abs=0.15)
    assert attack.n_outside_ > n / 10
    told = attack.score(records[held], is_member[held])
    naive = solve(linear_equations(model, X[held], y[held])).estimate
    assert told > roc_auc_score(is_member[held], naive)


def test_other_models_are_refused(half):
    model, records, _ = fitted(MLPClassifier((3,), max_iter=5000), half)
    attack = LinearReconstructionAttack(model)
    assert not attack.handles(model)
    with pytest.raises(TypeError, match="knows no equation that MLPClassifier stores"):
        attack.fit(records)
    assert attack.handles(make_pipeline(StandardScaler(), model))


def test_clones_and_pickles_score_the_same(boosting):
    model, records, _ = boosting
    attack = LinearReconstructionAttack(model, prior=0.4)
    plain = attack.fit_score(records)
    assert_array_equal(clone(attack).fit_score(records), plain)
    again = pickle.loads(pickle.dumps(attack))
    assert_array_equal(again.score_samples(records), plain)


def test_it_is_part_of_an_audit_when_asked_for(half):
    X, y, X_other, y_other = half
    model = HistGradientBoostingClassifier(max_iter=30).fit(X, y)
    report = audit(
        model,
        X,
        y,
        X_other,
        y_other,
        attacks=LinearReconstructionAttack(),
        random_state=0,
    )
    assert report.attacks[0]["auc"]["estimate"] > 0.99


@pytest.mark.parametrize(
    "model",
    [
        HistGradientBoostingClassifier(max_iter=20),
        RandomForestClassifier(20, random_state=0),
        ExtraTreesClassifier(20, min_samples_leaf=5, random_state=0),
        make_pipeline(StandardScaler(), LogisticRegression()),
    ],
)
def test_a_model_of_other_records_gives_nothing_away(model):
    aucs = []
    for seed in range(6):
        X, y = make_classification(
            600, 8, n_informative=5, flip_y=0.2, random_state=seed
        )
        model.fit(X[:200], y[:200])
        side = np.random.default_rng(seed + 300).permutation(400) < 200
        attack = LinearReconstructionAttack(model)
        scores = attack.fit_score(as_records(X[200:], y[200:]))
        aucs.append(roc_auc_score(side, scores))
    # The mean of six has a standard deviation of .012.
    assert abs(np.mean(aucs) - 0.5) < 0.04


@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_outputs_of_a_linear_model_are_as_good_as_its_file(n_classes):
    X, y = make_classification(
        300, 30, n_informative=8, n_classes=n_classes, flip_y=0.2, random_state=0
    )
    is_member = np.random.default_rng(8).permutation(300) < 150
    words = np.array(["b", "c", "a"], dtype=object)[y]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=10.0, tol=1e-8))
    model.fit(X[is_member], words[is_member])
    records = as_records(X, words)
    attack = LinearReconstructionAttack(model, equations="outputs").fit(records)
    assert attack.access == "outputs"
    assert [line.kind for line in attack.equations_] == ["slope"]
    inner = model[-1]
    scaled = model[0].transform(X)
    by_file = LinearReconstructionAttack(inner).fit(as_records(scaled, words))
    assert_allclose(
        attack.score_samples(records),
        by_file.score_samples(as_records(scaled, words)),
        atol=1e-3,
    )
    assert attack.score(records, is_member) > 0.65


def test_outputs_of_other_models_do_not_tell_their_file(boosting):
    model, records, _ = boosting
    attack = LinearReconstructionAttack(model, equations="outputs")
    with pytest.raises(ValueError, match="for a LogisticRegression alone"):
        attack.fit(records)
    X, y = records[:, :-1], records[:, -1]
    attack = LinearReconstructionAttack(
        LogisticRegression().fit(X, y), equations="outputs"
    )
    with pytest.raises(ValueError, match="at least 9 records that are not certain"):
        attack.fit(records[:5])
