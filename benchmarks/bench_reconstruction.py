"""What a model's file gives away to someone who solves its equations.

    SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python \
        benchmarks/bench_reconstruction.py [power] [null] [held] [tools] [size]

`power`: `LinearReconstructionAttack` on models of many families, a table at a time,
five splits each: a coin decides for each record whether it is a member, and the pool
has all of them. Features are one-hot and standardised over the whole table, so that no
preprocessing leaks, but for the steps that are attacked by themselves. PROTOTYPE has
what one split of a prototype gave at the same settings; "below" names what it exceeds
the best of the five splits in. `null`: models that were trained on neither side; the
share of runs whose interval of 95 % has .5, with as many training records as members
in the pool, and with twice as many. `held`: pools that lack members. `tools`: the
attack in `cross_val_score`, and on a pipeline with text columns. `size`: seconds and
memory of one fit, each in a process of its own; the largest table is Adult several
times over, its numbers jittered. Needs lightgbm, xgboost and catboost. Each part ends
with whether its goals hold.

Results: reconstruction_power_<table>.json with a row a split, the same with _short for
means and ranges, and reconstruction_null, _held, _tools and _size.
"""

import resource
import sys
import time
import warnings
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from itertools import pairwise
from multiprocessing import get_context

import numpy as np
from common import (
    command_line,
    draw_members,
    load_frame,
    load_table,
    write_results,
    write_short,
)
from reconstruction_models import (
    ADULT,
    BANK,
    CREDIT,
    FAMILIES,
    PROTOTYPE,
    PROTOTYPE_HELD,
    RECORDS,
    SHARES,
    TABLES,
    small_models,
)
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from sklearn_mia import LinearReconstructionAttack, as_records
from sklearn_mia.metrics import rate_interval, roc_auc_interval, tpr_at_fpr_score

METRICS = ("AUC", "TPR@1%", "TPR@0.1%")
LEAST_POOLED, LEAST = 0.94, 0.90
# Training records of a null run, by the members that the pool is said to have.
TIMES = (1, 2)
SIZES = [8000, 45_000, 200_000]
OF_SIZE = ["forest", "LightGBM", "HistGradientBoosting"]
MOST_SECONDS = 60
# Columns of Adult that are no category.
N_NUMBERS = 6


def standardised(table, n_records, seed):
    X, y = load_table(table, n_records, seed)
    return StandardScaler().fit_transform(X), y


def raw_columns(table, n_records, seed, kind):
    """The numbers of a table, or its categories as codes, as they are."""
    frame, y = load_frame(table, n_records, seed)
    numbers = frame.select_dtypes(include="number")
    if kind == "numbers":
        return numbers.fillna(0).to_numpy(np.float64), y
    categories = frame.drop(columns=numbers.columns).fillna("none")
    return OrdinalEncoder().fit_transform(categories), y


def strength(is_member, scores):
    rates = [tpr_at_fpr_score(is_member, scores, max_fpr=f) for f in (0.01, 0.001)]
    values = (roc_auc_score(is_member, scores), *rates)
    return dict(zip(METRICS, map(float, values), strict=True))


def attacked(model, X, y, **params):
    """Score of each record of the pool, and what one attack found and took."""
    records = as_records(X, y)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        attack = LinearReconstructionAttack(model, **params).fit(records)
        scores = attack.score_samples(records)
    return scores, {
        "equations": attack.n_equations_,
        "iterations": attack.n_iter_,
        "outside": attack.n_outside_,
        "seconds": time.perf_counter() - start,
    }


def power(table, families, n_splits, n_records):
    """A row for each family and split."""
    for family in families:
        recipe, tables, *more = FAMILIES[family]
        if table not in tables:
            continue
        asked = dict(more[0]) if more else {}
        size = asked.pop("records", RECORDS.get(table, n_records))
        kind = asked.pop("raw", None)
        for split in range(n_splits):
            if kind is None:
                X, y = standardised(table, size, split)
            else:
                X, y = raw_columns(table, size, split, kind)
            member, model = draw_members(len(y), split), clone(recipe)
            if not hasattr(recipe, "predict"):
                model = make_pipeline(model, DummyClassifier())
            model.fit(X[member], y[member])
            scores, told = attacked(model, X, y, **asked)
            yield {
                "table": table,
                "family": family,
                "split": split,
                "records": len(y),
                "members": int(member.sum()),
                **{k: told[k] for k in ("equations", "iterations", "seconds")},
                **strength(member, scores),
            }


def power_short(rows):
    """Mean and range over the splits, and the prototype where it was run."""
    for family in dict.fromkeys(row["family"] for row in rows):
        own = [row for row in rows if row["family"] == family]
        told = PROTOTYPE[own[0]["table"]].get(family, ())
        before = dict(zip(METRICS, told, strict=False))
        best = {m: max(row[m] for row in own) for m in METRICS}
        # The prototype's numbers have three digits.
        below = [m for m, value in before.items() if value - 0.0005 > best[m]]
        yield {
            "family": family,
            "records": own[0]["records"],
            "equations": round(np.mean([row["equations"] for row in own])),
            "seconds": float(np.mean([row["seconds"] for row in own])),
            **{m: mean_and_range([row[m] for row in own]) for m in METRICS},
            "prototype": " / ".join(f"{v:.3f}" for v in told),
            "below": ", ".join(below),
        }


def mean_and_range(values):
    return f"{np.mean(values):.3f} ({min(values):.3f}-{max(values):.3f})"


def libraries():
    return {name: version(name) for name in ("lightgbm", "xgboost", "catboost")}


def run_power(options):
    below = []
    for table in options.tables:
        rows = []
        for row in power(table, options.families, options.splits, options.records):
            told = [row[c] for c in ("table", "family", "split")]
            print(*told, *(f"{row[m]:.3f}" for m in METRICS), flush=True)
            rows.append(row)
        name = f"{options.name}_power_{table}"
        write_results(name, rows, splits=options.splits, **libraries())
        write_short(name, power_short)
        below += [
            f"{table}, {row['family']}: {row['below']}"
            for row in power_short(rows)
            if row["below"]
        ]
    print(f"Nowhere below the prototype: {not below}", *below, sep="\n  ")


def null(n_runs, n_side):
    """Runs on models that saw neither side: whether the interval has .5."""
    tables = {table: standardised(table, None, 0) for table in (ADULT, CREDIT, BANK)}
    for number, (family, recipe) in enumerate(small_models().items()):
        for times in TIMES:
            for run in range(n_runs):
                table = list(tables)[run % len(tables)]
                X, y = tables[table]
                rng = np.random.default_rng([run, number, times, 3])
                chosen = rng.permutation(len(y))[: (2 + times) * n_side]
                pool, seen = chosen[: 2 * n_side], chosen[2 * n_side :]
                model = clone(recipe)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    model.fit(X[seen], y[seen])
                scores, _ = attacked(model, X[pool], y[pool])
                side = np.arange(2 * n_side) < n_side
                found = roc_auc_interval(side, scores)
                yield {
                    "family": family,
                    "times members": times,
                    "table": table,
                    "run": run,
                    "has .5": bool(found.low <= 0.5 <= found.high),
                    **strength(side, scores),
                }


def null_summary(rows):
    for family in ["all", *dict.fromkeys(row["family"] for row in rows)]:
        own = [row for row in rows if family in ("all", row["family"])]
        by_size = [[r for r in own if r["times members"] == t] for t in TIMES]
        told = rate_interval(sum(row["has .5"] for row in own), len(own))
        yield {
            "family": family,
            "runs": len(own),
            "interval has .5": told.estimate,
            "95 %": f"{told.low:.3f} to {told.high:.3f}",
            **{
                f"trained on {times} x members": float(
                    np.mean([row["has .5"] for row in part])
                )
                for times, part in zip(TIMES, by_size, strict=True)
            },
            **{m: float(np.mean([row[m] for row in own])) for m in METRICS},
        }


def run_null(options):
    rows = []
    for row in null(options.runs, options.side):
        rows.append(row)
        if len(rows) % options.runs == 0:
            has = np.mean([r["has .5"] for r in rows[-options.runs :]])
            print(row["family"], row["times members"], has, flush=True)
    summary = list(null_summary(rows))
    settings = {"runs": options.runs, "records_a_side": options.side}
    write_results(f"{options.name}_null", summary, **settings, **libraries())
    pooled, *others = [row["interval has .5"] for row in summary]
    print(f"Pooled at least {LEAST_POOLED:g}: {pooled >= LEAST_POOLED} ({pooled:.3f})")
    least = min(others)
    print(f"Each family at least {LEAST:g}: {least >= LEAST} ({least:.3f})")


def pools_without(families, n_splits, n_records):
    """Pools that have a share of the members, and as many others."""
    for family in families:
        for split in range(n_splits):
            X, y = standardised(ADULT, n_records, split)
            member = draw_members(len(y), split)
            model = clone(FAMILIES[family][0]).fit(X[member], y[member])
            # Of another stream than the draw of the members.
            order = np.random.default_rng([split, 2]).permutation(len(y))
            sides = [order[member[order] == side] for side in (True, False)]
            for share in SHARES:
                held = [own[: round(share * len(own))] for own in sides]
                pool = np.sort(np.concatenate(held))
                scores, told = attacked(model, X[pool], y[pool])
                yield {
                    "family": family,
                    "held": share,
                    "split": split,
                    **told,
                    **strength(member[pool], scores),
                }


def run_held(options):
    rows = []
    families = [f for f in PROTOTYPE_HELD if f in options.families]
    for row in pools_without(families, options.splits, options.records):
        told = [row[c] for c in ("family", "held", "split")]
        print(*told, *(f"{row[m]:.3f}" for m in METRICS), flush=True)
        rows.append(row)
    summary = []
    for family in families:
        for share, before in zip(SHARES, PROTOTYPE_HELD[family], strict=True):
            own = [r for r in rows if (r["family"], r["held"]) == (family, share)]
            best = [max(r[m] for r in own) for m in METRICS]
            names = zip(METRICS, before, best, strict=False)
            summary.append(
                {
                    "family": family,
                    "members held": share,
                    "members estimated outside": mean_and_range(
                        [r["outside"] for r in own]
                    ),
                    **{m: mean_and_range([r[m] for r in own]) for m in METRICS},
                    "prototype": " / ".join(f"{v:.3f}" for v in before),
                    "below": ", ".join(m for m, v, b in names if v - 0.0005 > b),
                }
            )
    settings = {"records": options.records, "splits": options.splits}
    write_results(f"{options.name}_held", summary, **settings, **libraries())
    below = [row for row in summary if row["below"]]
    print(f"Nowhere below the prototype: {not below}")


def released(frame):
    """A pipeline as people release it: text and missing values go in."""
    numbers = list(frame.select_dtypes(include="number"))
    others = [column for column in frame if column not in numbers]
    encode = make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    )
    scale = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer(
        [("numbers", scale, numbers), ("categories", encode, others)]
    )
    return make_pipeline(columns, clone(FAMILIES["LightGBM"][0]))


def tools(n_splits, n_records):
    for split in range(n_splits):
        X, y = standardised(ADULT, n_records, split)
        member = draw_members(len(y), split)
        model = clone(FAMILIES["forest"][0]).fit(X[member], y[member])
        values = cross_val_score(
            LinearReconstructionAttack(model),
            as_records(X, y),
            member,
            scoring="roc_auc",
        )
        yield {
            "what": "forest, cross_val_score",
            "split": split,
            "AUC": float(np.mean(values)),
        }
        model = clone(FAMILIES["LightGBM"][0]).fit(X[member], y[member])
        scores, _ = attacked(model, X, y)
        yield {"what": "LightGBM, encoded", "split": split, **strength(member, scores)}
        frame, codes = load_frame(ADULT, n_records, split)
        labels = np.array(["at most 50K", "more"])[codes]
        model = released(frame).fit(frame[member], labels[member])
        scores, _ = attacked(model, frame, labels)
        yield {"what": "LightGBM, released", "split": split, **strength(member, scores)}


def run_tools(options):
    rows = []
    for row in tools(options.splits, options.records):
        print(*row.values(), flush=True)
        rows.append(row)
    settings = {"records": options.records, "splits": options.splits}
    write_results(f"{options.name}_tools", rows, **settings, **libraries())
    crossed, encoded, pipeline = (
        np.array([row["AUC"] for row in rows if row["what"] == what])
        for what in dict.fromkeys(row["what"] for row in rows)
    )
    print(f"cross_val_score above .8: {bool(crossed.min() > 0.8)}")
    gap = float(np.abs(encoded - pipeline).max())
    print(f"Pipeline within .01 of the encoded table: {gap <= 0.01} ({gap:.4f})")


def enlarged(n_records):
    """Adult, its records several times over with jittered numbers if need be."""
    X, y = standardised(ADULT, None, 0)
    rng = np.random.default_rng(4)
    chosen = np.arange(n_records) % len(y)
    jitter = rng.normal(scale=0.05, size=(n_records, N_NUMBERS))
    jitter[: len(y)] = 0
    X = X[chosen]
    X[:, :N_NUMBERS] += jitter
    return X, y[chosen]


def one_size(family, n_records):
    """Seconds and memory of one fit, in a process of its own."""
    X, y = enlarged(n_records)
    member = draw_members(len(y), 0)
    recipe, clock = clone(FAMILIES[family][0]), []
    model = recipe.fit(X[member], y[member])
    before = peak_megabytes()

    def timed(function):
        def run(*args, **kwargs):
            start = time.perf_counter(), time.process_time()
            found = function(*args, **kwargs)
            now = time.perf_counter(), time.process_time()
            clock.append(tuple(b - a for a, b in zip(start, now, strict=True)))
            return found

        return run

    module = sys.modules[LinearReconstructionAttack.__module__]
    for name in ("linear_equations", "solve"):
        setattr(module, name, timed(getattr(module, name)))
    attack = LinearReconstructionAttack(model)
    fit = timed(attack.fit)
    fit(as_records(X, y))
    (equations, _), *solves, (whole, processor) = clock
    scores = attack.score_samples(as_records(X, y))
    return {
        "family": family,
        "records": n_records,
        "equations": attack.n_equations_,
        "iterations": attack.n_iter_,
        "equations s": equations,
        "solve s": sum(s for s, _ in solves),
        "fit s": whole,
        "fit, processor s": processor,
        "MB before": before,
        "MB at most": peak_megabytes(),
        **strength(member, scores),
    }


def peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def run_size(options):
    rows = []
    for family in options.size_families:
        for n_records in options.sizes:
            with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
                rows.append(pool.submit(one_size, family, n_records).result())
            print(rows[-1], flush=True)
    write_results(f"{options.name}_size", rows, **libraries())
    for family in options.size_families:
        own = [row for row in rows if row["family"] == family]
        for first, last in pairwise(own):
            ratio = last["fit s"] / first["fit s"]
            larger = last["records"] / first["records"]
            print(f"{family}: {larger:.1f} times the records take {ratio:.1f} times")
    slow = [row["solve s"] for row in rows if row["records"] == 45_000]
    print(f"45,000 records within {MOST_SECONDS} s: {max(slow) <= MOST_SECONDS}")


def main():
    parser = command_line(__doc__, "reconstruction", tables=TABLES, n_records=8000)
    parser.add_argument("parts", nargs="*", default=list(PARTS), choices=list(PARTS))
    parser.add_argument("--families", nargs="+", default=FAMILIES, choices=FAMILIES)
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--runs", type=int, default=100, help="of null, by size")
    parser.add_argument("--side", type=int, default=300, help="records, of null")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--size-families", nargs="+", default=OF_SIZE)
    options = parser.parse_args()
    for part in options.parts:
        PARTS[part](options)


PARTS = {
    "power": run_power,
    "null": run_null,
    "held": run_held,
    "tools": run_tools,
    "size": run_size,
}

if __name__ == "__main__":
    main()
