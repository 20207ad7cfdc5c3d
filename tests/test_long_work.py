"""A long audit that is stopped goes on where it was, and says the same in the end."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
import warnings
from collections import Counter
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

import sklearn_mia
from sklearn_mia import (
    LinearReconstructionAttack,
    QuantileRegressionAttack,
    ThresholdAttack,
    audit,
    audit_predictions,
    audit_recipe,
    memory,
)
from sklearn_mia.auditing import _multiplicity
from sklearn_mia.memory import described, keeping, kept, table_key

posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


@pytest.fixture(scope="module")
def sides():
    X, y = make_classification(240, 4, flip_y=0.2, random_state=0)
    return X[:120], y[:120], X[120:], y[120:]


@pytest.fixture(scope="module")
def forest(sides):
    return RandomForestClassifier(5, random_state=0).fit(*sides[:2])


@pytest.fixture(scope="module", autouse=True)
def short_chunks():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_multiplicity, "_MOST_AT_ONCE", 50)
        yield


def undated(text):
    """All that a report says, but for when."""
    content = json.loads(text)
    # That of a procedure is not inside another.
    del content.get("report", content)["created"]
    return content


def content(report):
    return undated(report.to_json())


def run(model, sides, **params):
    params = {
        "n_shadows": 2,
        "n_permutations": 199,
        "effort": "thorough",
        "random_state": 0,
    } | params
    return content(audit(model, *sides, **params))


def brief(model, sides, **params):
    return run(model, sides, **{"effort": "quick", "n_permutations": 99} | params)


@pytest.fixture(scope="module")
def tree(sides):
    return DecisionTreeClassifier(max_depth=4, random_state=0).fit(*sides[:2])


@pytest.fixture(scope="module")
def whole(tree, sides):
    return brief(tree, sides)


@pytest.fixture
def made(monkeypatch):
    """Kinds and names of the entries that are made; `stop_at` of them ends a run."""
    sealed = memory._sealed

    class Made(list):
        stop_at = None
        stop = KeyboardInterrupt

    entries = Made()

    def counted(kind, key, name, value):
        if len(entries) == entries.stop_at:
            entries.stop()
        entries.append((kind, name))
        return sealed(kind, key, name, value)

    monkeypatch.setattr(memory, "_sealed", counted)
    return entries


def interrupt():
    raise KeyboardInterrupt


# A stopped audit goes on


@pytest.mark.slow
def test_an_audit_that_is_stopped_again_and_again_makes_each_part_once(
    forest, sides, made, tmp_path
):
    whole = run(forest, sides, memory=tmp_path / "whole")
    expected = Counter(made)
    # Thin forests of RMIA and of BaggingAttack, the file whole, in parts and stripped,
    # the sides without the model, and four chunks of each of three tests.
    names = Counter(name for kind, name in made if kind == "part")
    assert names["permutations"] == 12
    assert names["the check without the model"] == 1
    assert names["the solution of the equations"] >= 5
    assert names["the attack ThresholdAttack"] == 1
    assert sum(kind == "answer" for kind, _ in made) == 26
    made.clear()
    made.stop = interrupt
    for share in (0.1, 0.3, 0.6, 0.9):
        made.stop_at = round(share * expected.total())
        with pytest.raises(KeyboardInterrupt):
            run(forest, sides, memory=tmp_path / "stopped")
        assert len(made) == made.stop_at
    made.stop_at = None
    assert run(forest, sides, memory=tmp_path / "stopped") == whole
    assert Counter(made) == expected
    # And nothing is made of what is there.
    assert run(forest, sides, memory=tmp_path / "stopped") == whole
    assert Counter(made) == expected


@posix
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_audit_goes_on_after_a_signal(
    tree, sides, whole, made, tmp_path, number, monkeypatch
):
    made.stop_at, made.stop = 6, lambda: os.kill(os.getpid(), number)
    child = os.fork()
    if not child:
        signal.signal(number, signal.SIG_DFL) if number != signal.SIGKILL else None
        brief(tree, sides, memory=tmp_path)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -number
    made.stop_at = None
    n_kept = len(list(tmp_path.rglob("output.pkl")))
    assert n_kept >= 6
    assert brief(tree, sides, memory=tmp_path) == whole
    assert len(list(tmp_path.rglob("output.pkl"))) == n_kept + len(made)


def test_the_number_of_workers_and_the_kind_of_memory_do_not_matter(
    tree, sides, whole, made, tmp_path
):
    assert brief(tree, sides, memory=str(tmp_path)) == whole
    made.clear()
    own = joblib.Memory(str(tmp_path), verbose=0)
    with joblib.parallel_config(backend="threading"):
        assert brief(tree, sides, memory=own, n_jobs=2) == whole
    assert made == []


def test_predictions_alone(tree, sides, made, tmp_path):
    X, y = np.concatenate(sides[::2]), np.concatenate(sides[1::2])
    given = tree.predict_proba(X), y, np.arange(240) < 120
    whole = content(audit_predictions(*given))
    made.stop_at, made.stop = 3, interrupt
    with keeping(tmp_path), pytest.raises(KeyboardInterrupt):
        audit_predictions(*given)
    made.stop_at = None
    with keeping(tmp_path):
        assert content(audit_predictions(*given)) == whole
    total = len(made)
    with keeping(tmp_path):
        assert content(audit_predictions(*given)) == whole
    assert len(made) == total


def test_a_recipe(sides, made, tmp_path):
    X, y = np.concatenate(sides[::2]), np.concatenate(sides[1::2])

    def recipe(n_targets=3, **params):
        params = {"n_shadows": 2, "random_state": 0, "n_targets": n_targets} | params
        return content(audit_recipe(DecisionTreeClassifier(), X, y, **params))

    whole = recipe()
    made.clear()
    made.stop = interrupt
    for made.stop_at in (1, 4):
        with pytest.raises(KeyboardInterrupt):
            recipe(memory=tmp_path)
    made.stop_at = None
    assert recipe(memory=tmp_path) == whole
    assert [n for kind, n in made if kind == "answer"] == [0, 1]
    assert [n for _, n in made if "target" in str(n)] == [
        f"target {k}" for k in range(3)
    ]
    made.clear()
    assert recipe(memory=tmp_path) == whole
    assert made == []
    # A model more, other rates.
    recipe(4, memory=tmp_path)
    assert ("part", "target 3") in made
    assert ("part", "target 0") not in made
    assert recipe(memory=tmp_path, fprs=0.2) == recipe(fprs=0.2)


# Nothing of another audit is taken


@pytest.fixture(scope="module")
def filled(tree, sides, tmp_path_factory):
    folder = tmp_path_factory.mktemp("filled")
    brief(tree, sides, memory=folder)
    return folder


GROUPS = {"groups_train": np.arange(120) // 2, "groups_test": 60 + np.arange(120) // 3}
OTHER = {
    "seed": {"random_state": 1},
    "numbers": {"confidence": 0.9, "fprs": 0.05, "prior": 0.1, "limits": {"auc": 0.7}},
    "slices": {"slices": ("class", 0), "min_slice_size": 10, "n_permutations": 149},
    "shadows": {"n_shadows": 4, "response_method": "predict"},
    "groups": GROUPS,
    "attacks": {"attacks": [LinearReconstructionAttack(prior=0.3)]},
}


@pytest.mark.parametrize("other", OTHER.values(), ids=OTHER)
def test_another_setting_finds_nothing_wrong(tree, sides, filled, other):
    assert brief(tree, sides, memory=filled, **other) == brief(tree, sides, **other)


def changed(sides, place):
    X = [side.copy() for side in sides]
    X[place][7, 1] += 1e-9
    return X


@pytest.mark.parametrize("what", ["leaf", "member", "non-member", "sides"])
def test_another_model_or_record_finds_nothing_wrong(tree, sides, filled, what):
    if what == "leaf":
        tree = DecisionTreeClassifier(max_depth=4, random_state=0).fit(*sides[:2])
        value = tree.tree_.value
        value[-1] = value[-1][:, ::-1]
    else:
        other = {"member": 0, "non-member": 2}.get(what)
        sides = (*sides[2:], *sides[:2]) if other is None else changed(sides, other)
    assert brief(tree, sides, memory=filled) == brief(tree, sides)


def test_what_a_frozen_part_of_a_recipe_learned_counts():
    X = np.random.default_rng(0).normal(size=(20, 2))
    keys = {
        joblib.hash(described(FrozenEstimator(StandardScaler().fit(X[rows]))))
        for rows in (slice(10), slice(10), slice(20))
    }
    assert len(keys) == 2


def test_other_categories_are_another_table():
    pd = pytest.importorskip("pandas")
    ids = np.arange(3, dtype=np.uint64)
    tables = [
        pd.DataFrame({"a": pd.Categorical(["x", "y", "x"], categories=order)})
        for order in (["x", "y"], ["y", "x"], ["x", "y"])
    ]
    keys = [joblib.hash(table_key(ids, table)) for table in tables]
    assert keys[0] == keys[2] != keys[1]


def test_an_attack_without_shadows_is_kept_with_what_it_learned(
    tree, sides, made, tmp_path
):
    options = {"attacks": QuantileRegressionAttack(), "slices": ()}
    expected = brief(tree, sides, **options)
    made.clear()
    assert brief(tree, sides, memory=tmp_path, **options) == expected
    assert ("part", "the attack QuantileRegressionAttack") in made
    made.clear()
    assert brief(tree, sides, memory=tmp_path, **options) == expected
    assert made == []


# R12, R6 and R2 for parts


def test_r12_a_damaged_or_swapped_part_is_noticed(tree, sides, tmp_path):
    options = {"attacks": ThresholdAttack()}
    expected = brief(tree, sides, memory=tmp_path, **options)
    paths = sorted(tmp_path.rglob("part_of_work/*/output.pkl"))
    assert len(paths) > 6
    whole = [path.read_bytes() for path in paths]
    for k, (path, data) in enumerate(zip(paths, whole, strict=True)):
        broken = bytearray(data)
        broken[len(data) // 2] ^= 1
        path.write_bytes([bytes(broken), data[:40], whole[k - 1]][k % 3])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        assert brief(tree, sides, memory=tmp_path, **options) == expected
    told = [str(w.message) for w in caught]
    assert len(told) == len(paths)
    for message in told:
        assert message.startswith("What memory held of ")
        assert message.endswith(" was damaged or belonged elsewhere; made again.")
    assert [path.read_bytes() for path in paths] == whole


@posix
def test_r6_the_memory_of_an_audit_is_for_its_owner(tree, sides, tmp_path):
    before = os.umask(0o022)
    try:
        brief(tree, sides, memory=tmp_path / "a" / "b", attacks=ThresholdAttack())
    finally:
        os.umask(before)
    for folder in ("a", "a/b", "a/b/joblib", "a/b/joblib/sklearn_mia"):
        assert stat.S_IMODE((tmp_path / folder).stat().st_mode) == 0o700
    for path in tmp_path.rglob("output.pkl"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_r2_nothing_of_the_records_is_printed(tree, sides, tmp_path, capsys):
    memory = joblib.Memory(tmp_path, verbose=10)
    brief(tree, sides, memory=memory, attacks=ThresholdAttack())
    told = "".join(capsys.readouterr())
    assert "part_of_work" in told
    cells = [f"{v:.5f}"[:-1] for v in np.concatenate(sides[::2]).ravel()]
    assert [cell for cell in cells if cell in told] == []


def test_what_cannot_be_hashed_is_made_and_told(tmp_path):
    with (
        keeping(tmp_path),
        pytest.warns(UserWarning, match="memory is not used for the part: what it dep"),
    ):
        assert kept("the part", lambda: (lambda: 1,), lambda: 3) == 3


def test_a_memory_needs_a_seed_and_a_folder(tree, sides, tmp_path):
    with pytest.raises(ValueError, match="memory is set but random_state is None: not"):
        audit(tree, *sides, memory=tmp_path)
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ValueError, match=r"file' is a file; expected a folder"):
        brief(tree, sides, memory=str(file))
    with pytest.raises(ValueError, match="verbose=-1 is not a count; expected"):
        brief(tree, sides, verbose=-1)


# A long one, from outside

LONG = """
import signal
import sys
import pandas as pd
from sklearn.tree import DecisionTreeClassifier
from sklearn_mia import audit

class Counted(DecisionTreeClassifier):
    def fit(self, X, y):
        with open("fits", "a") as file:
            file.write(".")
        return super().fit(X, y)

# Of a job in the background it is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
frame = pd.read_parquet(sys.argv[1]).iloc[:45_000]
y = pd.factorize(frame.pop("income"), sort=True)[0]
X = frame.apply(lambda column: pd.factorize(column)[0]).to_numpy(float)
model = Counted(max_depth=12, random_state=0).fit(X[::2], y[::2])
report = audit(
    model, X[::2], y[::2], X[1::2], y[1::2], memory="memory", random_state=0
)
report.to_json("report.json")
"""


def started(folder):
    (folder / "run.py").write_text(LONG)
    adult = Path(os.environ["SKLEARN_MIA_DATA"], "adult.parquet")
    return subprocess.Popen(
        [sys.executable, "run.py", adult],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(Path(sklearn_mia.__file__).parents[1])},
        stderr=subprocess.DEVNULL,
    )


def kept_files(folder):
    return {p: p.stat().st_mtime_ns for p in folder.rglob("output.pkl")}


def fits_and_report(folder):
    report = undated((folder / "report.json").read_text())
    return len((folder / "fits").read_text()), report


@posix
@pytest.mark.slow
@pytest.mark.skipif("SKLEARN_MIA_DATA" not in os.environ, reason="needs the tables")
def test_a_long_audit_is_stopped_at_any_time_and_goes_on(tmp_path):
    whole = tmp_path / "whole"
    whole.mkdir()
    assert started(whole).wait() == 0
    n_kept, (n_fits, expected) = len(kept_files(whole)), fits_and_report(whole)
    assert n_fits == 1 + 16
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
        for share in (0.3, 0.6, 0.9):
            folder = tmp_path / f"{number} {share}"
            folder.mkdir()
            process = started(folder)
            while len(kept_files(folder)) < share * n_kept:
                assert process.poll() is None
                time.sleep(0.01)
            process.send_signal(number)
            process.wait()
            assert not (folder / "report.json").exists()
            before = kept_files(folder)
            assert started(folder).wait() == 0
            # What was there was found, and the shadow that was stopped trained again.
            after = kept_files(folder)
            assert len(after) == n_kept
            assert before.items() <= after.items()
            n_fits_here, report = fits_and_report(folder)
            assert report == expected
            assert n_fits_here <= n_fits + 2
            print(f"{number!r} at {share}: {len(before)} of {n_kept} parts were kept")
