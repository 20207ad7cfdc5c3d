"""The comparison with peers: what is missing is told, and a claim that fails fails."""

import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_rel

pytest.importorskip("pandas")

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def modules():
    """The modules `peers` and `show_peers`, which are scripts beside the package."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        names = ("peers", "show_peers", "common")
        yield [importlib.import_module(name) for name in names[:2]]
    for name in names:
        sys.modules.pop(name, None)


def test_a_peer_that_is_not_installed_is_skipped_with_a_line(modules):
    peers, _ = modules
    there = peers.Peer("numpy", "numpy", lambda case, n: iter(()))
    missing = peers.Peer("no-such-peer", "no_such_peer.attacks", None)
    lines = []
    found = peers.installed({"Here": there, "Gone": missing}, say=lines.append)
    assert found == {"Here": there}
    assert peers.versions(found) == {"Here": np.__version__}
    assert lines == [
        "Gone: skipped, ModuleNotFoundError: No module named 'no_such_peer' (see "
        "benchmarks/make_peers_environment.py)"
    ]
    assert peers.versions({"Gone": missing}) == {"Gone": "unknown"}


def row(library, attack, split, tpr, in_sample=False, model="forest"):
    return {
        **{"table": "adult", "model": model, "split": split, "library": library},
        **{"attack": attack, "fits": 8, "in sample": in_sample, "n": 9, "AUC": 0.6},
        **{"TPR@1%": tpr, "TPR@0.1%": 0.0},
    }


def cell(ours, theirs, model="forest"):
    """Rows of splits, with a peer that would win if it were not judged in sample."""
    return [
        made
        for split, (one, other) in enumerate(zip(ours, theirs, strict=True))
        for made in (
            row("sklearn_mia", "RMIA", split, one, model=model),
            row("sklearn_mia", "LiRA", split, 0.9, model=model),
            row("Peer", "weak", split, 0.001, model=model),
            row("Peer", "good", split, other, model=model),
            row("Peer", "cheat", split, 0.99, in_sample=True, model=model),
        )
    ]


def test_the_best_peer_is_judged_fairly_and_paired_by_split(modules):
    _, show = modules
    ours, theirs = [0.30, 0.34, 0.29], [0.10, 0.12, 0.05]
    (found,) = show.compared(cell(ours, theirs))
    assert (found["ours"], found["best peer"]) == ("RMIA", "Peer good")
    assert found["TPR@1%, times"] == pytest.approx(np.mean(ours) / np.mean(theirs))
    low, high = ttest_rel(ours, theirs).confidence_interval()
    assert found["more"] == f"{(low + high) / 2:+.3f} ± {(high - low) / 2:.3f}"
    (single,) = show.compared(cell(ours[:1], theirs[:1]))
    assert single["more"] == "+0.200"
    assert show.ratio_of(0.0, 0.0) == 1
    assert show.ratio_of(0.1, 0.0) == np.inf


@pytest.mark.parametrize(
    ("second", "outcomes"),
    [(0.2, ["holds", "holds"]), (0.05, ["holds", "FAILS"]), (0.0, ["FAILS", "FAILS"])],
)
def test_a_claim_that_fails_is_said_to_fail(modules, second, outcomes):
    _, show = modules
    rows = cell([0.3], [0.1]) + cell([second], [0.1 * (second > 0)], model="other")
    if not second:
        rows = cell([0.12], [0.1]) + cell([0.09], [0.1], model="other")
    found = show.claims({"power": ({}, rows)})
    assert [claim["outcome"] for claim in found] == outcomes


def test_splits_that_a_stopped_run_did_not_finish_are_left_out(modules):
    _, show = modules
    rows = cell([0.3, 0.3], [0.1, 0.1]) + cell([0.2], [0.1], model="other")
    assert {row["split"] for row in show.whole_splits(rows)} == {0}


def test_time_alarms_and_growth_are_claimed_with_their_limits(modules):
    _, show = modules

    def timed(model, library, attack, seconds):
        about = {"records": 9, "model": model, "shadows": 16, "workers": 1}
        more = {"seconds": seconds, "CPU s": seconds, "MB": 1.0}
        return about | {"library": library, "attack": attack} | more

    rows = [
        timed("network", "sklearn_mia", "RMIA", 6.0),
        timed("network", "sklearn_mia", show.AS_IN_AN_AUDIT, 4.0),
        timed("network", "SACRO-ML", "LiRA offline", 10.0),
        timed("forest", "sklearn_mia", "BaggingAttack", 1.0),
        timed("forest", "SACRO-ML", "LiRA offline", 10.0),
    ]
    alarms = {"library": "sklearn_mia", "model": "forest", "runs": 100}
    grown = {"data MB": 1.0, "limit MB": 9.0, "limit": 2.2}
    found = show.claims(
        {
            "time": ({}, rows),
            "null": (
                {},
                [alarms | {"false alarms": k, "share": k / 100} for k in (9, 12)],
            ),
            "growth": (
                {},
                [
                    grown | {"peak MB": 8.0, "times": None},
                    grown | {"peak MB": 9.5, "times": 2.1},
                ],
            ),
        }
    )
    told = [(claim["found"], claim["outcome"]) for claim in found]
    assert told == [
        ("0.60 to 0.60 (of the processor 0.60 to 0.60)", "FAILS"),
        ("0.40 to 0.40 (of the processor 0.40 to 0.40)", "holds"),
        ("0.10 to 0.10 (of the processor 0.10 to 0.10)", "holds"),
        # What 9 of 100 show is not above .05, what 12 of 100 show is.
        ("0.090 [0.042, 0.164] of 100", "holds"),
        ("0.120 [0.064, 0.200] of 100", "FAILS"),
        ("at most 8 MB beyond", "FAILS"),
        ("2.10 to 2.10", "holds"),
    ]
    assert show.markdown(found).count("FAILS") == 3
