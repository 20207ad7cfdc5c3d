"""Checks that fail, wide tables, signals, time limits: nothing is lost, or hangs."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import ks_2samp
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

import sklearn_mia
from sklearn_mia import (
    RMIA,
    LiRA,
    ThresholdAttack,
    as_records,
    audit,
    audit_recipe,
    workers,
)
from sklearn_mia._interrupt import Stopped, stopped_by_signals
from sklearn_mia.auditing import (
    AuditReport,
    _blind,
    _build,
    _checking,
    _circumstances,
    _findings,
    _partitions,
    _ranking,
    _slices,
)
from sklearn_mia.auditing._blind import blind_auc
from sklearn_mia.auditing._run import _equip
from sklearn_mia.shadows import ShadowFitError

posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")


@pytest.fixture(scope="module")
def sides():
    X, y = make_classification(200, 4, flip_y=0.2, random_state=0)
    return X[:100], y[:100], X[100:], y[100:]


@pytest.fixture(scope="module")
def model(sides):
    return DecisionTreeClassifier(random_state=0).fit(*sides[:2])


def quick(model, sides, **params):
    params = {
        "attacks": {"A": LiRA(n_shadows=2), "B": ThresholdAttack()},
        "n_permutations": 99,
        "random_state": 0,
    } | params
    return audit(model, *sides, **params)


@pytest.fixture(scope="module")
def whole(model, sides):
    return quick(model, sides)


# R4: a check that fails is a finding

CHECKS = [
    (_build, "blind_auc", "the sides without the model"),
    (_build, "blind_table", "the sides without the model"),
    (_build, "what_shadows_say", "what shadow models say"),
    (_build, "epsilon_lower_bound", "epsilon by A"),
    (_ranking, "record_columns", "single records"),
    (_checking, "as_numbers", "columns that give membership away"),
    (_checking, "_regime", "shadow models unlike the target"),
    (_checking, "_lost_classes", "classes lost in shadow models"),
    (_slices, "evaluate_slices", "slices"),
    (_partitions, "loss_groups", "slices"),
    (_findings, "check_blind", "members and non-members differ without the model"),
    (_circumstances, "check_duplicates", "equal records on both sides"),
    (_findings, "check_groups", "groups on both sides"),
    (_findings, "check_ties", "tied scores of A"),
    (_findings, "check_resolution", "false-positive rates that are not resolvable"),
    (_circumstances, "check_twins", "the target among the shadow models"),
    (_findings, "check_balance", "sides of unequal size"),
    (_circumstances, "check_choice", "attacks chosen on the records"),
    (_findings, "check_swapped", "swapped sides"),
    (_circumstances, "check_response", "a model without probabilities"),
    (_circumstances, "check_units", "records that come in groups"),
]


@pytest.mark.parametrize(("module", "name", "what"), CHECKS, ids=[c[1] for c in CHECKS])
def test_r4_a_check_that_fails_is_a_finding(
    model, sides, whole, monkeypatch, module, name, what
):
    cell = float(sides[0][0, 0])

    def fail(*args, **kwargs):
        raise IndexError(f"row {cell!r} of\nmany")

    with monkeypatch.context() as patch:
        patch.setattr(module, name, fail)
        report = quick(model, sides)
    failed = [f for f in report.findings if f.code == "MIA020"]
    assert what in {f.numbers["check"] for f in failed}
    for finding in failed:
        assert (finding.severity, finding.title) == ("warning", "Not checked")
        assert finding.message.startswith("Not checked: ")
        assert finding.message.endswith(" It failed with IndexError: row … of many.")
        assert finding.message in " ".join(str(report).split())
    # Everything else is as it was, and the report can be used.
    assert [a["auc"] for a in report.attacks] == [a["auc"] for a in whole.attacks]
    assert (
        report.to_dict()["report"]["correction"]
        == whole.to_dict()["report"]["correction"]
    )
    assert "MIA020" in report.to_html()
    assert AuditReport.from_json(report.to_json()).to_dict() == report.to_dict()


def test_r4_epsilon_that_could_not_be_bounded_is_at_least_0(model, sides, monkeypatch):
    def fail(*args, **kwargs):
        raise MemoryError

    monkeypatch.setattr(_build, "epsilon_lower_bound", fail)
    report = quick(model, sides)
    assert [a["epsilon"]["low"] for a in report.attacks] == [0.0, 0.0]
    assert "Epsilon was not bounded." in str(report)
    messages = {f.message for f in report.findings if f.code == "MIA020"}
    assert messages == {
        f"Not checked: epsilon by {name}. It failed with MemoryError." for name in "AB"
    }


def test_r4_an_interrupt_is_no_failed_check(model, sides, monkeypatch):
    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(_build, "blind_auc", stop)
    with pytest.raises(KeyboardInterrupt):
        quick(model, sides)


def test_r4_a_sound_audit_has_no_such_finding(whole):
    assert "MIA020" not in [f.code for f in whole.findings]


# R8: the blind check on wide tables


def test_r8_boosting_gets_few_columns_of_a_wide_table(monkeypatch):
    monkeypatch.setattr(_blind, "_MOST_BOOSTED_COLUMNS", 20)
    monkeypatch.setattr(_blind, "_SCREENED_AT_A_TIME", 7)
    widths, fit = [], _blind.HistGradientBoostingClassifier.fit

    def counted(self, X, y):
        widths.append(X.shape[1])
        return fit(self, X, y)

    monkeypatch.setattr(_blind.HistGradientBoostingClassifier, "fit", counted)
    rng = np.random.default_rng(0)
    is_member, units = np.arange(300) < 150, np.arange(300)
    table = rng.normal(size=(300, 200))
    table[rng.uniform(size=table.shape) < 0.1] = np.nan
    assert blind_auc(table, is_member, units)["low"] < 0.5
    assert widths == [20] * 2
    # A difference that no line shows, in one column of 200.
    wide, narrow = rng.normal(size=300), 0.1 * rng.normal(size=300)
    table[:, 150] = np.where(is_member, wide, narrow)
    found = blind_auc(table, is_member, units)
    assert found["learner"] == "gradient boosting"
    assert found["low"] > 0.6
    # Missing on one side alone.
    table[:, 150] = np.where(is_member, np.nan, 1.0)
    assert blind_auc(table, is_member, units)["auc"] == 1.0


def test_r8_narrow_tables_are_as_before(monkeypatch):
    rng = np.random.default_rng(0)
    is_member, units = np.arange(200) < 100, np.arange(200)
    table = rng.normal(size=(200, 256))
    assert _blind._telling_columns(table, is_member, is_member) == slice(None)
    expected = blind_auc(table[:, :30], is_member, units)
    monkeypatch.setattr(_blind, "_MOST_BOOSTED_COLUMNS", 30)
    assert blind_auc(table[:, :30], is_member, units) == expected


def test_r8_columns_are_chosen_by_kolmogorov_and_smirnov(monkeypatch):
    monkeypatch.setattr(_blind, "_MOST_BOOSTED_COLUMNS", 5)
    rng = np.random.default_rng(0)
    table = rng.normal(size=(80, 40)).round(1)
    table[:, :20] = rng.integers(-3, 3, size=(80, 20))
    table[:, 3] = 1.0
    is_member, train = rng.permutation(80) < 30, rng.permutation(80) < 60
    gaps = [
        ks_2samp(c[train & is_member], c[train & ~is_member], method="asymp").statistic
        for c in table.T
    ]
    own = _blind._largest_gaps(table[train], is_member[train])
    np.testing.assert_allclose(own, gaps, atol=1e-12)
    sparse = _blind._largest_gaps_of_sparse(
        sp.csr_array(table[train]), is_member[train]
    )
    np.testing.assert_allclose(sparse, gaps, atol=1e-12)
    expected = np.sort(np.argsort(-own, kind="stable")[:5])
    for container in (table, sp.csr_array(table)):
        chosen = _blind._telling_columns(container, is_member, train)
        np.testing.assert_array_equal(chosen, expected)


def test_r8_a_wide_sparse_table_stays_sparse_and_missing_values_are_seen():
    rng = np.random.default_rng(0)
    is_member, units = np.arange(200) < 100, np.arange(200)
    features = sp.random_array((200, 300), density=0.05, random_state=0, format="csr")
    table = _blind.blind_table(features, units * 0)
    assert sp.issparse(table)
    assert blind_auc(table, is_member, units)["low"] < 0.5
    told = features.toarray()
    told[:, 7] = np.where(is_member, rng.normal(size=200), 0.1 * rng.normal(size=200))
    table = _blind.blind_table(sp.csr_array(told), units * 0)
    found = blind_auc(table, is_member, units)
    assert (found["learner"], found["low"] > 0.6) == ("gradient boosting", True)
    told[:, 7] = np.where(is_member, np.nan, 1.0)
    table = _blind.blind_table(sp.csr_array(told), units * 0)
    assert isinstance(table, np.ndarray)
    assert blind_auc(table, is_member, units)["auc"] == 1.0


@pytest.mark.slow
def test_r8_false_alarms_stay_rare_on_wide_tables(monkeypatch):
    monkeypatch.setattr(_blind, "_MOST_BOOSTED_COLUMNS", 10)
    rng = np.random.default_rng(0)
    is_member, units = np.arange(80) < 40, np.arange(80)
    lows = [
        blind_auc(rng.normal(size=(80, 100)), is_member, units, seed=seed)["low"]
        for seed in range(12)
    ]
    # Were the columns chosen on all records, the low ends would be above.
    assert sum(low > 0.5 for low in lows) <= 1


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dense", "sparse"])
def test_r8_a_wide_table_takes_no_longer_than_the_attacks(kind):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 4000))
    if kind == "sparse":
        X = sp.random_array((4000, 5000), density=0.01, random_state=0, format="csr")
    n = X.shape[0] // 2
    y = (X @ rng.normal(size=X.shape[1]) > 0).astype(int)
    model = LogisticRegression().fit(X[:n], y[:n])
    started = time.process_time()
    blind_auc(_blind.blind_table(X, y), np.arange(2 * n) < n, np.arange(2 * n))
    blind = time.process_time() - started
    started = time.process_time()
    audit(model, X[:n], y[:n], X[n:], y[n:], random_state=0)
    attacks = time.process_time() - started - blind
    # A floor for models that are fitted in no time, as linear ones on sparse records.
    assert blind < max(10.0, 1.5 * attacks)


# R13: time limits, killed workers and signals


class Waits(DecisionTreeClassifier):
    """Waits, or dies, where it gets the first record."""

    def __init__(self, how="waits", random_state=None):
        super().__init__(random_state=random_state)
        self.how = how

    def fit(self, X, y):
        if np.any(X[:, 0] == 99.0) and self.how == "waits":
            time.sleep(600)
        if np.any(X[:, 0] == 99.0) and self.how == "dies":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().fit(X, y)


@pytest.fixture(scope="module")
def records(sides):
    X = np.concatenate([sides[0], sides[2]])
    X[0, 0] = 99.0
    return as_records(X, np.concatenate([sides[1], sides[3]]))


@posix
@pytest.mark.parametrize(
    ("how", "timeout", "message"),
    [
        ("waits", 0.5, "Shadow [01] took longer than timeout=0.5 seconds and was"),
        pytest.param(
            "dies",
            None,
            "A worker process was killed from outside while it trained ",
            marks=pytest.mark.slow,
        ),
    ],
)
@pytest.mark.slow
def test_r13_a_shadow_that_takes_too_long_and_a_killed_worker_are_told(
    model, records, how, timeout, message
):
    attack = LiRA(model, shadow_estimator=Waits(how), n_shadows=2, random_state=0)
    attack.set_params(timeout=timeout, n_jobs=2)
    started = time.monotonic()
    with pytest.raises(ShadowFitError, match=f"^{message}"):
        attack.fit(records)
    # Workers need seconds to start.
    assert time.monotonic() - started < 300
    # The workers are gone, and new ones can be had.
    attack = LiRA(model, n_shadows=2, n_jobs=2, timeout=60, random_state=0)
    alone = LiRA(model, n_shadows=2, random_state=0).fit(records)
    np.testing.assert_array_equal(
        attack.fit(records).score_samples(records), alone.score_samples(records)
    )


def limited(where, sides, model, records):
    params = {"random_state": 0, "timeout": 5}
    if where == "attack":
        RMIA(model, n_shadows=2, n_jobs=1, **params).fit(records)
    elif where == "audit":
        audit(model, *sides, attacks=RMIA(n_shadows=2), **params)
    elif where == "recipe":
        audit_recipe(DecisionTreeClassifier(), *sides[:2], n_targets=2, **params)
    else:
        with joblib.parallel_config(backend="threading", n_jobs=2):
            RMIA(model, n_shadows=2, **params).fit(records)


@pytest.mark.parametrize("where", ["attack", "audit", "recipe", "threads"])
def test_r13_a_time_limit_that_cannot_be_kept_is_refused(sides, model, records, where):
    with pytest.raises(ValueError, match=r"a fit cannot be stopped\. Pass n_jobs=2 or"):
        limited(where, sides, model, records)


@pytest.mark.parametrize("timeout", ["5", -1, 0, True, float("nan")])
def test_r13_a_time_limit_is_seconds(sides, model, timeout):
    with pytest.raises(ValueError, match="is not a time limit; expected seconds"):
        audit(model, *sides, timeout=timeout, n_jobs=2)


def test_r13_an_audit_hands_its_time_limit_to_attacks_that_have_none():
    options = {"memory": None, "seed": 0, "n_jobs": 2, "callbacks": None}
    assert _equip(RMIA(), timeout=7, **options).timeout == 7
    assert _equip(RMIA(timeout=3), timeout=7, **options).timeout == 3
    assert not hasattr(_equip(ThresholdAttack(), timeout=7, **options), "timeout")


TERMINATED = """
import sys, time
from pathlib import Path
import numpy as np
from sklearn.tree import DecisionTreeClassifier
from sklearn_mia import RMIA, __main__, _demo, audit

class Waits(DecisionTreeClassifier):
    def fit(self, X, y):
        Path(MARK).touch()
        time.sleep(60)

def run(**options):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(100, 2)), rng.integers(0, 2, 100)
    model = DecisionTreeClassifier().fit(X[:50], y[:50])
    attack = RMIA(n_shadows=2, shadow_estimator=Waits())
    audit(model, X[:50], y[:50], X[50:], y[50:], attacks=attack, n_jobs=2)

_demo.run_demo = run
sys.exit(__main__.main(["demo"]))
"""


def members_of(group):
    """Processes of a group that run."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(entry.parent.name))
    return found


@contextmanager
def audit_with_workers(folder):
    """A process whose workers are in the middle of a fit, and its temporary folder."""
    script, mark, temporary = (folder / n for n in ("run.py", "begun", "tmp"))
    script.write_text(TERMINATED.replace("MARK", repr(str(mark))))
    temporary.mkdir()
    package = str(Path(sklearn_mia.__file__).parents[1])
    process = subprocess.Popen(
        [sys.executable, script],
        env=os.environ | {"TMPDIR": str(temporary), "PYTHONPATH": package},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        deadline = time.monotonic() + 60
        while not mark.exists() and time.monotonic() < deadline:
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.05)
        assert any(p.name.startswith("sklearn_mia_") for p in temporary.iterdir())
        yield process, temporary
    finally:
        # The session is this test's own.
        for pid in members_of(process.pid):
            os.kill(pid, signal.SIGKILL)


def assert_all_ends(process, temporary, seconds):
    deadline = time.monotonic() + seconds
    while members_of(process.pid) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert members_of(process.pid) == []
    assert list(temporary.iterdir()) == []


needs_proc = pytest.mark.skipif(
    not os.path.exists("/proc/self/stat"), reason="needs /proc"
)


@pytest.mark.slow
@needs_proc
def test_r13_sigterm_ends_workers_and_removes_temporary_files(tmp_path):
    with audit_with_workers(tmp_path) as (process, temporary):
        started = time.monotonic()
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
        assert time.monotonic() - started < 15
        assert (process.returncode, out, err) == (143, b"", b"interrupted\n")
        assert_all_ends(process, temporary, seconds=10)


@needs_proc
@pytest.mark.slow
def test_r13_workers_end_and_clean_up_when_nobody_is_left_to_tell_them(tmp_path):
    with audit_with_workers(tmp_path) as (process, temporary):
        assert len(members_of(process.pid)) > 2
        process.kill()
        # Workers hold the pipes open until they end.
        assert process.communicate(timeout=30)[0] == b""
        assert_all_ends(process, temporary, seconds=15)


def test_r13_a_temporary_folder_is_forgotten_when_it_is_removed(monkeypatch):
    told = []
    tracker = workers.resource_tracker
    for name in ("register", "unregister"):
        monkeypatch.setattr(
            tracker, name, lambda *what, name=name: told.append((name, *what))
        )
    with workers.temporary_folder() as folder:
        assert Path(folder).is_dir()
    assert not Path(folder).exists()
    assert told == [("register", folder, "folder"), ("unregister", folder, "folder")]


def test_r13_a_shadow_with_a_time_limit_has_a_mark_while_it_is_trained():
    with workers.watch(60.0) as place:
        folder, timeout = place
        assert timeout == 60.0
        with workers.watched(3, place):
            assert os.listdir(folder) == ["3"]
        assert os.listdir(folder) == []
    assert not Path(folder).exists()


def test_r13_marks_tell_which_shadows_were_lost_and_why(tmp_path):
    for shadow, age in ((1, 0), (4, 90), (2, 90)):
        mark = tmp_path / str(shadow)
        mark.touch()
        os.utime(mark, (time.time() - age,) * 2)
    assert workers.why_lost((str(tmp_path), 60.0), {7}) == (
        "Shadow 2, 4 took longer than timeout=60.0 seconds and was stopped with all "
        "workers. Pass a longer timeout, or a recipe that ends by itself. With memory= "
        "the shadows trained so far are found again."
    )
    killed = "A worker process was killed from outside while it trained shadow "
    told = workers.why_lost((str(tmp_path), 900.0), {7})
    assert told.startswith(f"{killed}1 or 2 or 4. ")
    assert workers.why_lost(None, {7, 5}).startswith(f"{killed}5 or 7. ")


@posix
def test_r13_signals_that_are_handled_already_stay_so():
    before = signal.getsignal(signal.SIGTERM)

    def terminated():
        with stopped_by_signals():
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.1)

    try:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        terminated()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        with pytest.raises(Stopped) as caught:
            terminated()
        assert caught.value.number == signal.SIGTERM
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before)
