"""What a cache gives is what was put there, and only its owner can read it."""

import inspect
import os
import random
import stat
import warnings
from itertools import pairwise
from pathlib import Path

import joblib
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import make_classification
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import LiRA, as_records
from sklearn_mia.memory import (
    _source_of,
    answer_of_shadow,
    described,
    model_of_shadow,
    remembered,
)

posix = pytest.mark.skipif(os.name != "posix", reason="modes of POSIX")


@pytest.fixture(scope="module")
def case():
    X, y = make_classification(120, 4, flip_y=0.2, random_state=0)
    model = DecisionTreeClassifier(random_state=0).fit(X[:60], y[:60])
    records = as_records(X, y)
    attack = LiRA(model, n_shadows=4, random_state=0).fit(records)
    return model, records, attack.score_samples(records)


def fit(case, memory, **params):
    """Scores of an attack with a cache, and what it warned of."""
    model, records, _ = case
    params = {"n_shadows": 4, "random_state": 0, "memory": memory} | params
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        attack = LiRA(model, **params).fit(records)
    return attack.score_samples(records), [str(w.message) for w in caught]


def entries(folder, kind):
    return sorted(folder.rglob(f"{kind}_of_shadow/*/output.pkl"))


def test_an_empty_path_is_refused_and_a_tilde_is_the_home(case, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    message = (
        "memory='' is no folder; expected the path of one, which is made if it is not "
        "there, or None."
    )
    with pytest.raises(ValueError, match=f"^{message}$"):
        fit(case, "")
    assert not any(tmp_path.iterdir())
    assert_array_equal(fit(case, "~/kept")[0], case[2])
    assert len(entries(tmp_path / "home" / "kept", "answer")) == 4
    assert os.listdir(tmp_path) == ["home"]


@pytest.mark.parametrize("kind", ["answer", "model"])
@pytest.mark.parametrize("compress", [False, 3])
def test_r12_a_damaged_entry_is_made_again(case, tmp_path, kind, compress):
    memory = joblib.Memory(tmp_path, verbose=0, compress=compress)
    assert fit(case, memory)[1] == []
    whole = {path: path.read_bytes() for path in entries(tmp_path, kind)}
    assert len(whole) == 4
    random_ = random.Random(0)
    n_told = 0
    for number in range(12):
        path, data = random_.choice(list(whole.items()))
        broken = bytearray(data)
        if number % 3 == 2:
            broken = broken[: random_.randrange(len(data))]
        else:
            broken[random_.randrange(len(data))] ^= 1 << random_.randrange(8)
        path.write_bytes(bytes(broken))
        scores, told = fit(case, memory)
        assert_array_equal(scores, case[2])
        for message in told:
            assert message.startswith("What memory held of shadow ")
            assert message.endswith("damaged or belonged elsewhere; trained again.")
        assert len(told) <= 1
        n_told += len(told)
        # What was made again is kept again.
        assert fit(case, memory)[1] == []
        path.write_bytes(data)
    assert n_told > 8


@pytest.mark.parametrize("kind", ["answer", "model"])
def test_r12_a_flipped_number_is_noticed(case, tmp_path, kind):
    fit(case, str(tmp_path))
    path = entries(tmp_path, kind)[0]
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    scores, told = fit(case, str(tmp_path))
    assert_array_equal(scores, case[2])
    assert len(told) == 1


def test_r12_an_entry_of_another_shadow_fit_or_kind_is_noticed(case, tmp_path):
    memory = str(tmp_path)
    fit(case, memory)
    fit(case, memory, random_state=1)
    answers, models = entries(tmp_path, "answer"), entries(tmp_path, "model")
    assert len(answers) == len(models) == 8
    swaps = [
        *list(pairwise(answers))[::2],
        *list(zip(answers, models, strict=True))[::3],
        *list(zip(models, models[::-1], strict=True))[::3],
    ]
    for path, other in swaps:
        data = path.read_bytes()
        path.write_bytes(other.read_bytes())
        scores, told = fit(case, memory)
        told += fit(case, memory, random_state=1)[1]
        assert_array_equal(scores, case[2])
        assert len(told) == 1
        path.write_bytes(data)


@pytest.mark.parametrize("name", ["metadata.json", "func_code.py"])
def test_r12_other_damage_does_not_end_a_fit(case, tmp_path, name):
    fit(case, str(tmp_path))
    for path in tmp_path.rglob(name):
        path.write_bytes(b"\xff\x00")
    assert_array_equal(fit(case, str(tmp_path))[0], case[2])


def test_r12_workers_tell_the_fit_of_damage(case, tmp_path):
    memory = str(tmp_path)
    fit(case, memory)
    for path in entries(tmp_path, "answer")[:2]:
        path.write_bytes(b"")
    with joblib.parallel_config(backend="threading", n_jobs=2):
        scores, told = fit(case, memory)
    assert_array_equal(scores, case[2])
    assert len(told) == 1


class OwnCache:
    """The least that `memory` must do."""

    def __init__(self):
        self.known = {}

    def cache(self, function, ignore):
        def cached(key, shadow, make):
            place = function.__name__, key, shadow
            if place not in self.known:
                self.known[place] = function(key, shadow, make)
            return self.known[place]

        return cached


def test_r12_any_cache_is_checked():
    memory, made = OwnCache(), []

    def make():
        made.append(1)
        return len(made)

    assert remembered(memory, answer_of_shadow, "k", 3, make) == (1, False)
    assert remembered(memory, answer_of_shadow, "k", 3, make) == (1, False)
    assert remembered(memory, model_of_shadow, "k", 3, make) == (2, False)
    answer, model = memory.known
    memory.known[answer] = memory.known[model]
    assert remembered(memory, answer_of_shadow, "k", 3, make) == (3, True)
    nowhere = joblib.Memory(None)
    assert remembered(nowhere, answer_of_shadow, "k", 3, make) == (4, False)


def test_r12_what_cannot_be_pickled_is_made_and_an_error_comes_through(tmp_path):
    memory = joblib.Memory(tmp_path, verbose=0)
    value, damaged = remembered(memory, answer_of_shadow, "k", 0, lambda: lambda: 1)
    assert value() == 1
    assert not damaged

    def fail():
        raise ZeroDivisionError("once")

    with pytest.raises(ZeroDivisionError, match="once"):
        remembered(memory, answer_of_shadow, "k", 1, fail)


@posix
def test_r6_a_cache_is_for_its_owner(case, tmp_path):
    before = os.umask(0o022)
    try:
        made = tmp_path / "a" / "cache"
        fit(case, str(made))
        own = joblib.Memory(tmp_path / "own", verbose=0)
        fit(case, own)
    finally:
        os.umask(before)
    for folder in (tmp_path / "a", made, made / "joblib"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    found = [*tmp_path.rglob("output.pkl"), *tmp_path.rglob("metadata.json")]
    assert len(found) == 32
    for path in found:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    # Folders that were there stay as they are.
    assert stat.S_IMODE((tmp_path / "own").stat().st_mode) == 0o755
    assert_array_equal(fit(case, own)[0], case[2])


def test_a_class_is_described_while_another_thread_parses_code(monkeypatch):
    """As by the workers of Dask in this process, under Python 3.11."""
    expected, source, failed = described(OwnCache), inspect.getsource, []

    def fails_once(cls):
        if not failed:
            failed.append(cls)
            raise SystemError("AST constructor recursion depth mismatch")
        return source(cls)

    monkeypatch.setattr(inspect, "getsource", fails_once)
    assert described(OwnCache) == expected
    assert failed == [OwnCache]


@pytest.mark.parametrize("n_failures", [0, 9, 10])
def test_code_that_another_thread_parses_is_read_again(monkeypatch, n_failures):
    read, left = inspect.getsource, [n_failures]

    def fail(cls):
        left[0] -= 1
        if left[0] >= 0:
            raise SystemError("AST constructor recursion depth mismatch")
        return read(cls)

    monkeypatch.setattr(inspect, "getsource", fail)
    if n_failures < 10:
        assert _source_of(Path).startswith("class Path(")
    else:
        with pytest.raises(SystemError, match="recursion depth mismatch"):
            _source_of(Path)
