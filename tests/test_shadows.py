import os
import signal as signal_module
import subprocess
import sys
import textwrap
from concurrent.futures.process import BrokenProcessPool
from pickle import PicklingError

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, TargetEncoder
from threadpoolctl import threadpool_info

from sklearn_mia import RMIA, LiRA, as_records, shadows
from sklearn_mia.shadows import ShadowFitError, draw_members, prepare_recipe, root_seed


@pytest.fixture(scope="module")
def table():
    return make_classification(200, 8, n_informative=5, flip_y=0.2, random_state=0)


@pytest.fixture(scope="module")
def forest(table):
    X, y = table
    return RandomForestClassifier(10, random_state=0).fit(X[:100], y[:100])


def test_each_record_is_in_half_of_the_shadows_and_each_pair_is_complementary():
    ids = np.arange(101, dtype=np.uint64)
    members = draw_members(ids, 16, seed=3)
    assert_array_equal(members.sum(axis=0), 8)
    assert_array_equal(members[::2], ~members[1::2])
    assert set(members.sum(axis=1)) == {50, 51}


def test_more_shadows_keep_the_first_ones():
    ids = np.arange(50, dtype=np.uint64)
    assert_array_equal(draw_members(ids, 4, 0), draw_members(ids, 64, 0)[:4])


def test_splits_follow_the_record_and_not_its_row():
    ids = np.random.default_rng(0).integers(2**60, size=60).astype(np.uint64)
    order = np.random.default_rng(1).permutation(60)
    assert_array_equal(
        draw_members(ids, 6, 0)[:, order], draw_members(ids[order], 6, 0)
    )


def test_equal_records_share_their_membership():
    ids = np.repeat(np.arange(20, dtype=np.uint64), 3)
    members = draw_members(ids, 8, 0).reshape(8, 20, 3)
    assert_array_equal(members.min(axis=2), members.max(axis=2))


def test_half_is_half_of_the_identities_however_many_records_they_have():
    ids = np.repeat(np.arange(31, dtype=np.uint64), np.arange(31) % 5 + 1)
    ids = np.random.default_rng(0).permutation(ids)
    for row in draw_members(ids, 8, 0):
        assert not set(ids[row]) & set(ids[~row])
        assert len(set(ids[row])) in (15, 16)


def test_another_seed_draws_other_splits():
    ids = np.arange(200, dtype=np.uint64)
    agree = np.mean(draw_members(ids, 2, 0)[0] == draw_members(ids, 2, 1)[0])
    assert 0.3 < agree < 0.7


def test_splits_of_different_pairs_are_unrelated():
    members = draw_members(np.arange(20_000, dtype=np.uint64), 16, 0)[::2]
    # Correlations of 8 independent halves: 28 pairs, sd 1 / sqrt(20,000).
    correlation = np.corrcoef(members)[np.triu_indices(8, 1)]
    assert np.abs(correlation).max() < 4 / np.sqrt(20_000)


def test_a_generator_is_read_and_not_advanced():
    generator = np.random.RandomState(5)
    before = generator.get_state()[1].copy()
    assert root_seed(generator) == root_seed(np.random.RandomState(5))
    assert_array_equal(generator.get_state()[1], before)


def test_nested_random_states_differ_between_shadows_and_not_between_runs():
    recipe = make_pipeline(FunctionTransformer(), RandomForestClassifier())
    seeds = [prepare_recipe(recipe, shadow, 0)[-1].random_state for shadow in (0, 1, 0)]
    assert seeds[0] == seeds[2] != seeds[1]
    assert recipe[-1].random_state is None


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_scores_do_not_depend_on_workers(table, forest, backend):
    import joblib

    records = as_records(*table)
    one = LiRA(forest, n_shadows=4, random_state=0).fit(records)
    with joblib.parallel_config(backend=backend, n_jobs=2):
        two = LiRA(forest, n_shadows=4, random_state=0).fit(records)
    assert_array_equal(one.shadow_signals_, two.shadow_signals_)
    assert_array_equal(one.score_samples(records), two.score_samples(records))


def test_the_global_generator_is_untouched(table, forest):
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    RMIA(forest, n_shadows=2, random_state=0).fit(as_records(*table))
    assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


class ThreadCounter(ClassifierMixin, BaseEstimator):
    """Remembers the size of the thread pools that it was trained under."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        self.threads_ = {
            (pool["user_api"], pool["num_threads"]) for pool in threadpool_info()
        }
        return self

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)

    def predict(self, X):
        return self.classes_[np.zeros(len(X), dtype=int)]


@pytest.mark.parametrize("backend", ["sequential", "threading"])
def test_shadows_train_with_one_blas_thread(table, backend):
    import joblib
    from threadpoolctl import threadpool_limits

    target = ThreadCounter().fit(*table)
    with threadpool_limits(2):
        wide = {pool["num_threads"] for pool in threadpool_info()}
        n_jobs = 2 if backend == "threading" else 1
        with joblib.parallel_config(backend=backend, n_jobs=n_jobs):
            attack = RMIA(target, n_shadows=4, random_state=0).fit(as_records(*table))
        assert {pool["num_threads"] for pool in threadpool_info()} == wide
    for model, _ in attack.models_:
        threads = dict(model.threads_)
        assert threads["blas"] == 1
        assert threads.get("openmp", 1) == (1 if backend == "threading" else max(wide))


def test_a_target_with_workers_of_its_own_gets_one_beside_other_shadows(table):
    import joblib

    X, y = table
    forest = RandomForestClassifier(5, n_jobs=2, random_state=0).fit(X, y)
    with joblib.parallel_config(backend="threading", n_jobs=2):
        attack = RMIA(forest, n_shadows=2, random_state=0).fit(as_records(X, y))
    assert {model.n_jobs for model, _ in attack.models_} == {1}
    alone = RMIA(forest, n_shadows=2, random_state=0).fit(as_records(X, y))
    assert {model.n_jobs for model, _ in alone.models_} == {2}
    assert forest.n_jobs == 2


class FailsOnSecond(LogisticRegression):
    """Raises in the shadow that lacks the first record."""

    def fit(self, X, y):
        if not np.any(X[:, 0] == 99.0):
            raise RuntimeError("no first record\nsecond line")
        return super().fit(X, y)


@pytest.mark.parametrize("n_jobs", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_shadow_that_fails_is_named_with_its_classes_and_the_cause(table, n_jobs):
    X, y = table
    X = X.copy()
    X[0, 0] = 99.0
    target = FailsOnSecond().fit(X, y)
    attack = LiRA(target, n_shadows=2, n_jobs=n_jobs, random_state=0)
    with pytest.raises(ShadowFitError) as caught:
        attack.fit(as_records(X, y))
    message = str(caught.value)
    assert "\n" not in message
    assert "could not be trained: RuntimeError: no first record" in message
    assert "It saw 100 records, by class {0: " in message


class KilledWorker(Exception):
    """As Dask calls it."""


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (BrokenProcessPool("it"), "A worker process was killed from outside while it"),
        (KilledWorker("it"), "A worker process was killed from outside while it"),
        (
            PicklingError("cannot pickle it"),
            "A shadow was trained, but its worker process could not send it: Pickl",
        ),
    ],
)
def test_what_a_backend_says_of_a_lost_worker_is_told_in_other_words(
    table, forest, monkeypatch, error, message
):
    def lost(work, members, n_jobs, place, begun):
        begun(1)
        raise error
        yield

    monkeypatch.setattr(shadows, "_all_trained", lost)
    with pytest.raises(ShadowFitError, match=f"^{message}") as caught:
        RMIA(forest, n_shadows=2, random_state=0).fit(as_records(*table))
    assert ("shadow 1." in str(caught.value)) != isinstance(error, PicklingError)


def test_what_was_cached_before_a_failure_stays_usable(table, tmp_path):
    X, y = table
    X = X.copy()
    X[0, 0] = 99.0
    target = FailsOnSecond().fit(X, y)
    settings = {"memory": str(tmp_path), "keep_models": False, "random_state": 0}
    with pytest.raises(ShadowFitError, match="Shadow"):
        LiRA(target, n_shadows=4, **settings).fit(as_records(X, y))
    with pytest.raises(ShadowFitError, match="Shadow"):
        LiRA(target, n_shadows=4, **settings).fit(as_records(X, y))
    entries = list(tmp_path.rglob("output.pkl"))
    recipe = LogisticRegression()
    attack = LiRA(target, shadow_estimator=recipe, n_shadows=4, **settings)
    attack.fit(as_records(X, y))
    assert len(list(tmp_path.rglob("output.pkl"))) == len(entries) + 4


def count_fits(folder):
    return len(os.listdir(folder))


class CountsFits(RandomForestClassifier):
    """Leaves a file in `folder` for every fit."""

    def __init__(self, folder=None, n_estimators=5, random_state=None):
        super().__init__(n_estimators=n_estimators, random_state=random_state)
        self.folder = folder

    def fit(self, X, y):
        if self.folder is not None:
            path = os.path.join(self.folder, f"{os.getpid()}-{os.urandom(8).hex()}")
            with open(path, "w"):
                pass
        return super().fit(X, y)


@pytest.fixture
def counted(table, tmp_path):
    X, y = table
    folder = tmp_path / "fits"
    folder.mkdir()
    target = CountsFits(random_state=0).fit(X[:100], y[:100])
    recipe = CountsFits(folder=str(folder), random_state=0)
    return target, recipe, folder, str(tmp_path / "cache")


def test_attacks_share_shadows_through_memory(table, counted):
    target, recipe, folder, cache = counted
    records = as_records(*table)
    shared = {"shadow_estimator": recipe, "memory": cache, "random_state": 0}
    lira = LiRA(target, n_shadows=4, keep_models=False, **shared).fit(records)
    assert count_fits(folder) == 4
    rmia = RMIA(target, n_shadows=4, keep_models=False, **shared).fit(records)
    RMIA(target, temperature=2.0, n_shadows=4, keep_models=False, **shared).fit(records)
    assert count_fits(folder) == 4
    longer = LiRA(target, n_shadows=8, keep_models=False, **shared).fit(records)
    assert count_fits(folder) == 8
    assert_array_equal(longer.shadow_signals_[:4], lira.shadow_signals_)
    fresh = RMIA(target, shadow_estimator=recipe, n_shadows=4, random_state=0)
    fresh.fit(records)
    assert_array_equal(fresh.score_samples(records), rmia.score_samples(records))


def test_models_are_cached_apart_and_only_when_kept(table, counted):
    target, recipe, folder, cache = counted
    records = as_records(*table)
    shared = {"shadow_estimator": recipe, "memory": cache, "random_state": 0}
    LiRA(target, n_shadows=2, keep_models=False, **shared).fit(records)
    LiRA(target, n_shadows=2, keep_models=True, **shared).fit(records)
    assert count_fits(folder) == 4
    kept = LiRA(target, n_shadows=2, keep_models=True, **shared).fit(records)
    assert count_fits(folder) == 4
    assert len(kept.models_) == 2


@pytest.mark.parametrize(
    "change", ["seed", "recipe", "records", "order", "dtype", "label"]
)
def test_nothing_stale_is_found(table, counted, change):
    target, recipe, folder, cache = counted
    X, y = table
    settings = {"n_shadows": 2, "memory": cache, "keep_models": False}
    LiRA(target, shadow_estimator=recipe, random_state=0, **settings).fit(
        as_records(X, y)
    )
    assert count_fits(folder) == 2
    seed = 1 if change == "seed" else 0
    if change == "recipe":
        recipe = CountsFits(str(folder), n_estimators=6)
    records = as_records(X, y)
    if change == "records":
        records[0, 0] += 1e-9
    if change == "order":
        records = records[::-1]
    if change == "dtype":
        records = records.astype(np.float32).astype(object)
    if change == "label":
        records[0, -1] = 1 - records[0, -1]
    LiRA(target, shadow_estimator=recipe, random_state=seed, **settings).fit(records)
    assert count_fits(folder) == 4


def test_changed_code_of_a_function_in_the_recipe_is_no_hit(table, counted):
    target, recipe, folder, cache = counted
    X, y = table

    def fit_with(function):
        pipeline = make_pipeline(FunctionTransformer(function), recipe)
        attack = LiRA(
            target,
            shadow_estimator=pipeline,
            n_shadows=2,
            memory=cache,
            keep_models=False,
            random_state=0,
        )
        attack.fit(as_records(X, y))
        return count_fits(folder)

    assert fit_with(lambda X: X * 2) == 2
    assert fit_with(lambda X: X * 2) == 2
    assert fit_with(lambda X: X * 3) == 4


def test_memory_without_a_seed_is_refused(table, forest, tmp_path):
    attack = LiRA(forest, memory=str(tmp_path))
    with pytest.raises(ValueError, match="memory is set but random_state is None"):
        attack.fit(as_records(*table))


KILLED = """
    import os, signal, sys
    import numpy as np
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.datasets import make_classification
    from sklearn_mia import LiRA, as_records

    folder, cache, out, die_after = *sys.argv[1:4], int(sys.argv[4])

    class Mortal(RandomForestClassifier):
        def fit(self, X, y):
            if len(os.listdir(folder)) >= die_after:
                os.killpg(0, signal.SIGKILL)
            open(os.path.join(folder, os.urandom(8).hex()), "w").close()
            return super().fit(X, y)

    Mortal.__module__ = "sklearn.ensemble"
    X, y = make_classification(200, 8, n_informative=5, flip_y=0.2, random_state=0)
    target = RandomForestClassifier(5, random_state=0).fit(X[:100], y[:100])
    attack = LiRA(target, shadow_estimator=Mortal(5), n_shadows=8, memory=cache,
                  keep_models=False, random_state=0)
    np.save(out, attack.fit(as_records(X, y)).score_samples(as_records(X, y)))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="process groups of POSIX")
@pytest.mark.slow
def test_a_killed_fit_goes_on_where_it_was(tmp_path, monkeypatch):
    folder, code = tmp_path / "fits", textwrap.dedent(KILLED)
    folder.mkdir()

    def arguments(die_after, cache, out):
        paths = folder, tmp_path / cache, tmp_path / out
        return [*map(str, paths), str(die_after)]

    def run(*args):
        monkeypatch.setattr(sys, "argv", ["-c", *arguments(*args)])
        exec(code, {})

    killed = [sys.executable, "-c", code, *arguments(4, "cache", "a.npy")]
    done = subprocess.run(killed, start_new_session=True, check=False)
    assert done.returncode == -signal_module.SIGKILL
    assert count_fits(folder) == 4
    run(99, "cache", "a.npy")
    assert count_fits(folder) == 8
    run(99, "other", "b.npy")
    assert count_fits(folder) == 16
    assert_array_equal(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"))


def levels(n=200):
    """Two columns of codes, and a class that goes with them."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 9, (n, 2))
    return X, (X.sum(axis=1) + rng.normal(size=n) > 8).astype(int)


def test_a_target_encoder_is_seeded_by_its_folds_and_warns_of_nothing():
    X, y = levels()
    model = make_pipeline(TargetEncoder(cv=4), LogisticRegression()).fit(X, y)
    attack = LiRA(model, n_shadows=2, random_state=0)
    assert_array_equal(*(attack.fit_score(as_records(X, y)) for _ in range(2)))
    encoders = [prepare_recipe(model, 3, seed=0).steps[0][1] for _ in range(2)]
    found = [encoder.fit_transform(X, y) for encoder in encoders]
    assert_array_equal(*found)
    other = prepare_recipe(model, 4, seed=0).steps[0][1].fit_transform(X, y)
    assert (found[0] != other).any()
    # The folds are those of the seed alone.
    seed = getattr(encoders[0].cv, "random_state", encoders[0].random_state)
    train, test = next(StratifiedKFold(4, shuffle=True, random_state=seed).split(X, y))
    inside = TargetEncoder().fit(X[train], y[train])
    assert_array_equal(found[0][test], inside.transform(X[test]))


def test_folds_of_a_target_encoder_that_were_given_stay():
    folds = StratifiedKFold(3, shuffle=True, random_state=5)
    for cv in (folds, list(folds.split(*levels()))):
        encoder = TargetEncoder()
        try:
            encoder.set_params(cv=cv)
            encoder.fit_transform(*levels())
        except ValueError:
            pytest.skip("before scikit-learn 1.9 cv is a number")
        prepared = prepare_recipe(encoder, 0, seed=0)
        assert repr(prepared.cv) == repr(cv)
        assert prepared.random_state == "deprecated"
