"""This package and its peers at equal work: power, time, false alarms, invariance.

    python benchmarks/make_peers_environment.py FOLDER
    SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 FOLDER/bin/python \\
        benchmarks/bench_peers.py [--quick] [--parts PART ...]

All libraries attack the same trained models in the same environment, on features that
are encoded and scaled beforehand, since SACRO-ML fails on pipelines.

`power`: equal fits. The target trains on an independent half of the records (a coin
each), for every split anew; AUC and TPR, and the difference from the best peer with its
paired interval over the splits. Scores that tie are cut by lot: many of SACRO-ML's are
exactly 1, and would else find nobody. "ours" is what is taken as the strongest before
anything is run: `BaggingAttack` for forests, `LiRA` for boosting of more than two
classes, else `RMIA`; beside it the same, of forests `RMIA`, with the few fits that an
audit takes by default. The best peer of a cell is the one with the
highest mean TPR at 1 %, of all that do not learn from what they are judged on (as
SACRO-ML's QMIA does).
`time`: seconds and memory of both on the same models and records, in turn, each in a
process of its own. `null`: targets that were trained on other records; how often a
library says that there is a leak. `invariance`: the same scores of a model without a
leak, with ties, in another order: which numbers change. `growth`: this package alone,
up to a million records.

Results: peers_<part>.json, also of a run that is stopped by Ctrl-C or SIGTERM, from
which `show_peers.py` makes the pages. `--go-on` takes up the power of such a run, of
the same settings and versions, at the cells that it lacks.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from itertools import chain
from pathlib import Path

import bench_load
import joblib
import numpy as np
import peers
import show_peers
from common import (
    LABELS,
    MODELS,
    TABLES,
    Peak,
    draw_members,
    load_table,
    rows_before,
    write_results,
)
from joblib import Parallel, delayed
from peers import Case
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from sklearn_mia import RMIA, BaggingAttack, LiRA, as_records, audit
from sklearn_mia._choices import SHADOWS
from sklearn_mia.auditing._defaults import strongest_attack
from sklearn_mia.metrics import (
    epsilon_lower_bound,
    membership_advantage_score,
    tpr_at_fpr_score,
)

OURS = "sklearn_mia"
# By the few shadows of an audit.
AS_IN_AN_AUDIT = show_peers.AS_IN_AN_AUDIT
DEFAULT_FITS = {"BaggingAttack": 4, AS_IN_AN_AUDIT: SHADOWS["standard"]}
FAMILIES = {
    "forest": MODELS["forest"],
    "forest, leaf 5": MODELS["forest, leaf 5"],
    "gradient boosting": MODELS["gradient boosting"],
    "logistic regression": LogisticRegression(max_iter=1000, random_state=0),
    "network": MLPClassifier(
        (64,), max_iter=60, n_iter_no_change=60, tol=0, random_state=0
    ),
}
FPRS = {"TPR@1%": 0.01, "TPR@0.1%": 0.001}
WHOLE = {
    "tables": TABLES,
    "families": list(FAMILIES),
    "records": 2000,
    "splits": 5,
    "fits": 16,
    "time_records": [2000, 8000, 40_000],
    "time_shadows": [16, 64],
    "time_families": ["forest", "gradient boosting", "logistic regression"],
    "time_jobs": [1, 2],
    "repeats": 1,
    "null_runs": 200,
    "growth_records": 1_000_000,
}
QUICK = {
    "tables": ["adult", "german_credit"],
    "families": ["forest", "logistic regression"],
    "records": 1000,
    "splits": 2,
    "fits": 8,
    "time_records": [1000],
    "time_shadows": [8],
    "time_families": ["forest", "logistic regression"],
    "time_jobs": [1],
    "repeats": 1,
    "null_runs": 10,
    "growth_records": 250_000,
}


def scaled_table(name, n_records):
    X, y = load_table(name, n_records)
    return StandardScaler().fit_transform(X), np.unique(y, return_inverse=True)[1]


def make_case(family, X, y, seed, member=None):
    """A target that was trained on the members."""
    member = draw_members(len(y), seed) if member is None else member
    target = clone(FAMILIES[family])
    peers.quietly(target.fit)(X[member], y[member])
    return Case(target, X, y, member, seed)


# Power


def our_attacks(case, n_fits, **params):
    """Name and attack of ours at a cost, first the one that an audit leads with."""
    lead = strongest_attack(case.target)
    if isinstance(lead, BaggingAttack):
        n_trees = n_fits * case.target.n_estimators
        yield "BaggingAttack", BaggingAttack(case.target, n_trees=n_trees, **params)
    first, second = (LiRA, RMIA) if isinstance(lead, LiRA) else (RMIA, LiRA)
    for kind in (first, second):
        yield kind.__name__, kind(case.target, n_shadows=n_fits, **params)
    yield AS_IN_AN_AUDIT, first(case.target, n_shadows=SHADOWS["standard"], **params)


def our_scores(case, n_fits):
    records = as_records(case.X, case.y)
    with tempfile.TemporaryDirectory() as memory:
        shared = {"memory": memory, "keep_models": False, "random_state": case.seed}
        for name, attack in our_attacks(case, n_fits, **shared):
            scores = peers.quietly(attack.fit)(records).score_samples(records)
            fits = SHADOWS["standard"] if name == AS_IN_AN_AUDIT else n_fits
            yield peers.Scores(name, fits, scores)


def measured(member, found):
    """AUC and TPR of a score, on the records that have one; ties are cut by lot."""
    judged = ~np.isnan(found.scores)
    member, scores = member[judged], found.scores[judged]
    # An infinite score is the highest or lowest, as those who give it read it.
    ranks = np.unique(scores, return_inverse=True)[1]
    fpr, tpr, _ = roc_curve(member, ranks, drop_intermediate=False)
    return {"n": len(member), "AUC": float(roc_auc_score(member, ranks))} | {
        name: float(np.interp(most, fpr, tpr)) for name, most in FPRS.items()
    }


def power_of_split(table, family, split, settings, names):
    X, y = scaled_table(table, settings["records"])
    case = make_case(family, X, y, split)
    scored = [(OURS, s) for s in our_scores(case, settings["fits"])]
    for name in names:
        peer_scores = peers.scores_of(peers.PEERS[name], case, settings["fits"])
        scored += [(name, s) for s in peer_scores]
    return [
        {
            "table": table,
            "model": family,
            "split": split,
            "library": library,
            "attack": s.attack,
            "fits": s.n_fits,
            "in sample": s.in_sample,
            **measured(case.member, s),
        }
        for library, s in scored
    ]


def power(settings, there, n_jobs, before=()):
    yield from before
    done = {(row["table"], row["model"], row["split"]) for row in before}
    cells = [
        cell
        for split in range(settings["splits"])
        for table in settings["tables"]
        for family in settings["families"]
        if (cell := (table, family, split)) not in done
    ]
    work = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(power_of_split)(*cell, settings, list(there)) for cell in cells
    )
    for cell, rows in zip(cells, work, strict=True):
        print(*cell, "done", flush=True)
        yield from rows


# Time


def ours_timed(case, attack, n_shadows, n_jobs):
    params = {"keep_models": False, "n_jobs": n_jobs, "random_state": 0}
    if attack == AS_IN_AN_AUDIT:
        made = RMIA(case.target, n_shadows=SHADOWS["standard"], **params)
    elif attack == "RMIA":  # the same models, of all trees
        made = RMIA(case.target, n_shadows=n_shadows, trees_per_shadow=None, **params)
    else:
        made = BaggingAttack(case.target, **params)
    records = as_records(case.X, case.y)
    made.fit(records).score_samples(records)


def sacro_timed(case, attack, n_shadows, n_jobs):
    if "n_jobs" in case.target.get_params():
        case.target.set_params(n_jobs=n_jobs)
    with tempfile.TemporaryDirectory() as folder:
        peers.sacro_lira(case, n_shadows, folder, individual=False)


def art_timed(case, attack, n_shadows, n_jobs):
    peers.art_shadow_scores(case, n_shadows)


TIMED = {
    (OURS, "RMIA"): ours_timed,
    (OURS, AS_IN_AN_AUDIT): ours_timed,
    (OURS, "BaggingAttack"): ours_timed,
    ("SACRO-ML", "LiRA offline"): sacro_timed,
    ("ART", "shadow models"): art_timed,
}


def time_one(path, library, attack, n_shadows, n_jobs):
    """Seconds, those of the processor, and memory beyond what is there before."""
    case = joblib.load(path)
    if library in peers.PEERS:
        peers.installed({library: peers.PEERS[library]})
    before = Peak.now()
    with Peak() as peak:
        start, start_cpu = time.perf_counter(), time.process_time()
        peers.quietly(TIMED[library, attack])(case, attack, n_shadows, n_jobs)
        seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    print(seconds, cpu, (peak.highest - before) / 1e6)


def timed(path, *what):
    """The same in a process of its own."""
    command = [sys.executable, __file__, "--one", str(path), *map(str, what)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{what} failed:\n{done.stderr}")
    return tuple(map(float, done.stdout.split()[-3:]))


def timed_attacks(family, there):
    yield OURS, "RMIA"
    yield OURS, "BaggingAttack" if family.startswith("forest") else AS_IN_AN_AUDIT
    for library, attack in TIMED:
        if library in there:
            yield library, attack


def time_and_memory(settings, there, n_jobs):
    for n_records in settings["time_records"]:
        X, y = scaled_table("adult", n_records)
        for family in settings["time_families"]:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "case.joblib")
                joblib.dump(make_case(family, X, y, 0), path)
                yield from time_rows(settings, there, path, len(y), family)


def time_rows(settings, there, path, n_records, family):
    for n_shadows in settings["time_shadows"]:
        for jobs in settings["time_jobs"]:
            found = {}
            for _ in range(settings["repeats"]):
                for what in timed_attacks(family, there):
                    if what[0] == "ART" and (jobs > 1 or n_shadows > 16):
                        continue
                    result = timed(path, *what, n_shadows, jobs)
                    found.setdefault(what, []).append(result)
            for (library, attack), results in found.items():
                seconds, cpu, memory = min(results)
                print(n_records, family, library, attack, jobs, seconds, flush=True)
                yield {
                    "records": n_records,
                    "model": family,
                    "shadows": n_shadows,
                    "workers": jobs,
                    "library": library,
                    "attack": attack,
                    "fits": DEFAULT_FITS.get(attack, n_shadows),
                    "seconds": seconds,
                    # Worker processes keep their own.
                    "CPU s": cpu if jobs == 1 else None,
                    "MB": memory,
                }


# False alarms


def null_case(family, seed, n_records):
    """A target that was trained on other records than those it is asked about."""
    X, y = scaled_table("adult", 3 * n_records)
    order = np.random.default_rng([seed, 4]).permutation(len(y))
    asked, trained = order[:n_records], order[n_records:]
    target = clone(FAMILIES[family])
    target.set_params(random_state=seed)
    peers.quietly(target.fit)(X[trained], y[trained])
    return Case(target, X[asked], y[asked], draw_members(n_records, seed), seed)


def our_claims(case):
    sides = (case.member, ~case.member)
    report = audit(
        case.target,
        *(part for side in sides for part in (case.X[side], case.y[side])),
        release="interface",
        effort="quick",
        n_permutations=499,
        slices=None,
        per_record=False,
        random_state=case.seed,
    )
    (tpr,) = (
        rate["tpr"]["estimate"]
        for rate in report.attacks[0]["tpr_at_fpr"]
        if rate["max_fpr"] == 0.01
    )
    stated = report.verdict["level"] in ("above_limits", "at_limits")
    yield report.attacks[0]["name"], "a leak", stated, tpr


def sacro_claims(case):
    """What its reports call significant, at its default of 5 %."""
    with tempfile.TemporaryDirectory() as folder:
        for name, attack in (
            ("LiRA offline", peers.sacro_lira(case, 16, folder)),
            ("QMIA", peers.sacro_qmia(case, folder)),
        ):
            for found in attack.attack_metrics[:1]:
                told = found["individual"]
                member = np.asarray(told["member"], dtype=bool)
                tpr = tpr_at_fpr_score(member, told["member_prob"], max_fpr=0.01)
                yield name, "AUC", found["P_HIGHER_AUC"] <= attack.p_thresh, tpr
                pdif = np.exp(-found["PDIF01"])
                yield name, "PDIF", pdif <= attack.p_thresh, tpr


CLAIMS = {OURS: our_claims, "SACRO-ML": sacro_claims}


def null_run(family, seed, names):
    case = null_case(family, seed, 1000)
    return [
        (library, *claim)
        for library in names
        for claim in peers.quietly(list)(CLAIMS[library](case))
    ]


def null(settings, there, n_jobs):
    names = [name for name in CLAIMS if name == OURS or name in there]
    for family in ("forest", "logistic regression"):
        runs = Parallel(n_jobs=n_jobs)(
            delayed(null_run)(family, seed, names)
            for seed in range(settings["null_runs"])
        )
        counts = {}
        for library, attack, claim, *told in chain.from_iterable(runs):
            # What an audit leads with may be another attack in each.
            name = "audit" if library == OURS else attack
            counts.setdefault((library, name, claim), []).append(told)
        for (library, attack, claim), told in counts.items():
            stated, tprs = np.transpose(told)
            yield {
                "model": family,
                "library": library,
                "attack": attack,
                "claim": claim,
                "runs": len(stated),
                "false alarms": int(stated.sum()),
                "share": float(stated.mean()),
                "goal": 0.05,
                "TPR@1%": float(tprs.mean()),
            }


# Invariance


def our_numbers(member, scores):
    return {
        "AUC": roc_auc_score(member, scores),
        "TPR": tpr_at_fpr_score(member, scores, max_fpr=0.01),
        "advantage": membership_advantage_score(member, scores),
        "epsilon": epsilon_lower_bound(member, scores).epsilon,
    }


def sacro_numbers(member, scores):
    from sacroml.metrics import get_metrics

    found = get_metrics(np.column_stack([1 - scores, scores]), member.astype(int))
    return {name: v for name, v in found.items() if np.ndim(v) == 0}


def art_numbers(member, scores):
    from art.metrics.privacy import get_roc_for_fpr

    (found,) = get_roc_for_fpr(scores, member.astype(int), targeted_fpr=0.01)
    return dict(zip(("FPR", "TPR", "threshold"), found, strict=True))


NUMBERS = {OURS: our_numbers, "SACRO-ML": sacro_numbers, "ART": art_numbers}


def invariance(settings, there, n_jobs):
    """Numbers of the same scores with members first, and in the reverse order."""
    rng = np.random.default_rng(0)
    member = np.arange(2000) < 1000
    for n_values in (2, 5, 20, 2000):
        scores = rng.integers(0, n_values, 2000) / n_values
        for library, numbers in NUMBERS.items():
            if library != OURS and library not in there:
                continue
            ask = peers.quietly(numbers)
            one, other = ask(member, scores), ask(member[::-1], scores[::-1])
            changed = [n for n in one if not np.isclose(one[n], other[n])]
            yield {
                "library": library,
                "distinct scores": n_values,
                "numbers": len(one),
                "changed": len(changed),
                "which": ", ".join(changed),
                "farthest": max(
                    (abs(float(one[n]) - float(other[n])) for n in changed), default=0.0
                ),
            }


def growth(settings, there, n_jobs):
    return bench_load.growth("records", "attack", settings["growth_records"])


PARTS = {
    "power": power,
    "time": time_and_memory,
    "null": null,
    "invariance": invariance,
    "growth": growth,
}


def main():
    if sys.argv[1:2] == ["--one"]:
        path, library, attack, n_shadows, jobs = sys.argv[2:]
        return time_one(path, library, attack, int(n_shadows), int(jobs))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", default="peers", help="of the files of results")
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument("--quick", action="store_true", help="in five minutes of CPU")
    parser.add_argument("--go-on", action="store_true", help="after a stopped run")
    parser.add_argument("--jobs", type=int, default=1, help="cells at a time")
    parser.add_argument("--tables", nargs="+", choices=LABELS)
    parser.add_argument("--families", nargs="+", choices=FAMILIES)
    for name, value in WHOLE.items():
        if name in ("tables", "families"):
            continue
        many = {"nargs": "+"} if isinstance(value, list) else {}
        kind = str if name == "time_families" else int
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, **many)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    given = {n: v for n in WHOLE if (v := getattr(options, n)) is not None}
    settings = (QUICK if options.quick else WHOLE) | given
    there = peers.installed()
    name = f"{options.name}_quick" if options.quick else options.name
    for part in options.parts:
        start = time.process_time()
        rows, stopped, before = [], {}, {}
        about = {n: v for n, v in settings.items() if n in SETTINGS_OF[part]}
        about["peers"] = peers.versions(there)
        if part == "power" and options.go_on:
            before["before"] = rows_before(f"{name}_{part}", **about)
        try:
            rows.extend(PARTS[part](settings, there, options.jobs, **before))
        except KeyboardInterrupt:
            stopped = {"stopped": True}
        if not rows:
            break
        write_results(
            f"{name}_{part}",
            rows,
            load=os.getloadavg()[0],
            **about,
            **stopped,
        )
        print(f"{part}: {time.process_time() - start:.0f} s of CPU here", flush=True)
        if stopped:
            break
    show_peers.show(name)
    return None


SETTINGS_OF = {
    "power": ("records", "splits", "fits"),
    "time": ("repeats",),
    "null": ("null_runs",),
    "invariance": (),
    "growth": (),
}


if __name__ == "__main__":
    main()
