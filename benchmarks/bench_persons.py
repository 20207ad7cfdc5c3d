"""What an attack tells of persons, and what it says of them where nothing leaks.

    SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python benchmarks/bench_persons.py \
        [samples] [null]

`samples`: two samples of hospital patients, each drawn again for every seed; half of
the patients, with all of their stays, are members. One audit with groups gives the
scores of stays and of patients, which are sums; their mean and maximum are made here
from those of stays. Intervals are about one trained model: of stays by patient, of
differences paired. Over the seeds a difference has an interval by Student's law; seeds
share some patients, so it is a little too narrow. Needs lightgbm. `null`: models that
were trained on other patients; the share of audits by patient that state any leak.
Each part ends with whether what is claimed holds.

Results: persons.json, persons_short with means over the seeds, persons_null.
"""

import json
from collections import Counter
from importlib.metadata import version

import numpy as np
from bench_person_scores import SAMPLES, draw, load_stays
from common import MODELS, RESULTS, command_line, write_results, write_short
from lightgbm import LGBMClassifier
from scipy import stats
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from sklearn_mia import LiRA, audit, default_attacks
from sklearn_mia.metrics import (
    compare_attacks,
    rate_interval,
    roc_auc_interval,
    tpr_at_fpr_interval,
    tpr_at_fpr_score,
)

BOOSTED = LGBMClassifier(random_state=0, n_jobs=1, verbose=-1)
TARGETS = {**MODELS, "LightGBM": BOOSTED}
METRICS = ("AUC", "TPR@1%")
DIFFERENCES = [f"sum - {other}, {m}" for other in ("max", "mean") for m in METRICS]
SEVERAL_TIMES = 2.5
NULL_MODELS = {
    "logistic regression": MODELS["logistic regression"],
    "forest, leaf 20": RandomForestClassifier(20, min_samples_leaf=20, random_state=0),
    "small gradient boosting": HistGradientBoostingClassifier(
        max_iter=20, max_leaf_nodes=8, random_state=0
    ),
}
N_TRAINED_ON = 500
NULL_PATIENTS = (60, 200, 600)
MOST_ALARMS = 0.08
LEAKS = ("MIA021", "MIA022", "MIA023")
ALARMS = ("MIA001", "MIA012")
TOLD = ("any leak", *ALARMS, "any of them")


def audit_patients(model, members, others, seed, **params):
    (X, y, patients), (X_other, y_other, other_patients) = members, others
    return audit(
        model,
        *(X, y, X_other, y_other),
        groups_train=patients,
        groups_test=other_patients,
        group_name="patient",
        release="interface",
        n_permutations=199,
        random_state=seed,
        **params,
    )


def ends(interval):
    return f"{interval.low:.3f} to {interval.high:.3f}"


def strength(name, is_member, scores, groups=None):
    """AUC and TPR at 1 % of some scores; with groups, the AUC by group."""
    auc = roc_auc_interval(is_member, scores, groups=groups)
    row = {f"{name} AUC": auc.estimate, f"{name} AUC 95 %": ends(auc)}
    if groups is not None:
        tpr = tpr_at_fpr_score(is_member, scores, max_fpr=0.01)
        return row | {f"{name} TPR@1%": tpr}
    tpr = tpr_at_fpr_interval(is_member, scores, max_fpr=0.01)
    return row | {f"{name} TPR@1%": tpr.estimate, f"{name} TPR@1% 95 %": ends(tpr)}


def differences(name, is_member, scores, others):
    for label, metric in zip(METRICS, ("roc_auc", "tpr_at_fpr"), strict=True):
        found = compare_attacks(is_member, scores, others, metric=metric)
        yield f"{name}, {label}", found.difference.estimate
        yield f"{name}, {label} 95 %", ends(found.difference)
        yield f"{name}, {label} p", found.p_value


def attack_rows(report, attacks):
    """What each attack of an audit says of stays and of patients."""
    stays, patients = report.records, report.groups.set_index("key")
    is_member = patients["member"].to_numpy()
    by_patient = stays.groupby("group")
    for name in attacks:
        column = f"score_{name}"
        mean, most = (
            by_patient[column].agg(how)[patients.index].to_numpy()
            for how in ("mean", "max")
        )
        total = patients[column].to_numpy()
        yield {
            "attack": name,
            **strength("rows", stays["member"], stays[column], groups=stays["group"]),
            **strength("sum", is_member, total),
            **strength("max", is_member, most),
            **strength("mean", is_member, mean),
            **dict(differences("sum - max", is_member, total, most)),
            **dict(differences("sum - mean", is_member, total, mean)),
        }


def samples(n_seeds, n_shadows):
    stays = load_stays()
    for sample, drawn in SAMPLES.items():
        for seed in range(n_seeds):
            *of_stays, is_member = draw(stays, *drawn, seed)
            members, others = (
                [values[side] for values in of_stays]
                for side in (is_member, ~is_member)
            )
            for model_name, recipe in TARGETS.items():
                model = clone(recipe).fit(*members[:2])
                shared = {"n_shadows": n_shadows, "random_state": seed}
                attacks = default_attacks(model, **shared)
                attacks.setdefault("LiRA", LiRA(model, keep_models=False, **shared))
                report = audit_patients(
                    model, members, others, seed, attacks=attacks, slices=None
                )
                for row in attack_rows(report, attacks):
                    yield {
                        "stays a patient": sample,
                        "model": model_name,
                        "seed": seed,
                        "rows": len(members[1]) + len(others[1]),
                        "verdict": report.verdict["level"],
                        **row,
                    }


def over_seeds(rows, column):
    values = np.array([row[column] for row in rows])
    return f"{values.mean():.3f} ({values.min():.3f}-{values.max():.3f})"


def student_interval(values):
    mean = np.mean(values)
    half = stats.t.isf(0.025, len(values) - 1) * stats.sem(values)
    return f"{mean:.3f} [{mean - half:.3f}, {mean + half:.3f}]"


def cells(rows):
    """Rows of each sample, model and attack."""
    for key in dict.fromkeys(
        (r["stays a patient"], r["model"], r["attack"]) for r in rows
    ):
        yield (
            key,
            [r for r in rows if (r["stays a patient"], r["model"], r["attack"]) == key],
        )


def times_rows(own):
    """How many times as many members persons give away at 1 % as rows do."""
    of_persons, of_rows = (
        np.mean([row[f"{name} TPR@1%"] for row in own]) for name in ("sum", "rows")
    )
    return float(of_persons / of_rows)


def short_form(rows):
    """Mean and range over the seeds, and differences with Student's interval."""
    for (sample, model, attack), own in cells(rows):
        yield {
            "stays a patient": sample,
            "model": model,
            "attack": attack,
            **{
                f"{name}: {metric}": over_seeds(own, f"{name} {metric}")
                for metric in METRICS
                for name in ("rows", "sum", "max", "mean")
            },
            "TPR, times rows": times_rows(own),
            **{
                column: student_interval([row[column] for row in own])
                for column in DIFFERENCES
            },
        }


def holm(p_values, level=0.05):
    """Which hypotheses fall, with at most `level` of any falling wrongly."""
    p_values = np.asarray(p_values)
    order = np.argsort(p_values)
    stay = p_values[order] > level / np.arange(len(p_values), 0, -1)
    first = np.argmax(stay) if stay.any() else len(p_values)
    return np.isin(np.arange(len(p_values)), order[:first])


def tell_below(what, found):
    """Print where the sum is below; True if it is nowhere, by Holm's correction.

    `found` holds a name, a difference and its two-sided p-value.
    """
    names, estimates, p_values = zip(*found, strict=True)
    below = np.array(estimates) < 0
    # One-sided: that the sum is above is no reason to doubt it.
    one_sided = np.where(below, np.array(p_values) / 2, 1 - np.array(p_values) / 2)
    single, corrected = one_sided < 0.025, holm(one_sided, 0.025)
    print(
        f"{what}: {len(names)} differences, {np.sum(single)} below 0 by their own "
        f"interval of 95 % (at most {0.025 * len(names):.0f} expected if all were 0), "
        f"{np.sum(corrected)} by Holm's correction"
    )
    for i in np.flatnonzero(single):
        print(f"  {names[i]}: {estimates[i]:.4f}, one-sided p {one_sided[i]:.2g}")
    return not corrected.any()


def claims(rows):
    """Print whether the claims about the samples hold."""
    of_models, of_cells = [], []
    for key, own in cells(rows):
        for column in DIFFERENCES:
            name, values = ", ".join((*key, column)), [row[column] for row in own]
            of_models += [
                (f"{name}, seed {row['seed']}", row[column], row[f"{column} p"])
                for row in own
            ]
            varies = np.ptp(values) > 0
            p_value = stats.ttest_1samp(values, 0).pvalue if varies else 1.0
            of_cells.append((name, np.mean(values), p_value))
    holds = [
        tell_below("of each model", of_models),
        tell_below("over the seeds", of_cells),
    ]
    print(f"The sum is nowhere significantly below mean or maximum: {all(holds)}")
    first, *_ = SAMPLES
    enough = []
    for (sample, model, attack), own in cells(rows):
        if sample != first or model not in ("gradient boosting", "forest, leaf 5"):
            continue
        ratio, least = times_rows(own), min(times_rows([row]) for row in own)
        print(
            f"  {sample}, {model}, {attack}: TPR@1% {ratio:.2f} times that of rows, "
            f"{least:.2f} in the lowest seed"
        )
        if attack == "RMIA":
            enough.append(ratio >= SEVERAL_TIMES)
    print(f"TPR@1% of persons by RMIA at least {SEVERAL_TIMES} times: {all(enough)}")


def parts(features, labels, patients, sizes, seed):
    """Parts of so many patients: features, labels and patients of each."""
    keys = np.random.default_rng(seed).permutation(np.unique(patients))
    for chosen in np.split(keys, np.cumsum(sizes)[:-1]):
        rows = np.isin(patients, chosen)
        yield features[rows], labels[rows], patients[rows]


def null(n_runs):
    """Audits by patient of models that saw neither side."""
    stays = load_stays()
    for number in range(n_runs):
        place, chosen = number, []
        for choices in (list(SAMPLES), list(NULL_MODELS), NULL_PATIENTS, (2, 4)):
            place, i = divmod(place, len(choices))
            chosen.append(choices[i])
        sample, name, n, n_shadows = chosen
        fewest, most, _ = SAMPLES[sample]
        drawn = draw(stays, fewest, most, N_TRAINED_ON + 2 * n, number)[:3]
        seen, *sides = parts(*drawn, (N_TRAINED_ON, n, n), number)
        model = clone(NULL_MODELS[name]).fit(*seen[:2])
        report = audit_patients(model, *sides, number, n_shadows=n_shadows)
        codes = {finding.code for finding in report.findings}
        level = report.verdict["level"]
        said = level in ("above_limits", "at_limits", "within_limits")
        yield {
            "stays a patient": sample,
            "model": name,
            "patients a side": n,
            "n_shadows": n_shadows,
            "level": level,
            "any leak": said or bool(codes & {*LEAKS}),
            **{code: code in codes for code in ALARMS},
            "any of them": said or bool(codes & {*LEAKS, *ALARMS}),
        }


def share(rows, column):
    """Share of rows where something is so, with its exact interval."""
    return rate_interval(sum(row[column] for row in rows), len(rows))


def null_summary(rows):
    for group in ("model", "stays a patient", "patients a side", "n_shadows"):
        for value in dict.fromkeys(row[group] for row in rows):
            own = [row for row in rows if row[group] == value]
            shares = {c: share(own, c).estimate for c in TOLD}
            yield {"audits of": f"{group}: {value}", "audits": len(own), **shares}
    whole = {c: str(share(rows, c)) for c in TOLD}
    yield {"audits of": "all", "audits": len(rows), **whole}


def run_samples(options):
    rows = []
    for row in samples(options.seeds, options.shadows):
        told = [row[c] for c in ("stays a patient", "seed", "model", "attack")]
        print(
            *told, *(f"{row[f'{n} TPR@1%']:.3f}" for n in ("rows", "sum")), flush=True
        )
        rows.append(row)
    write_results(
        options.name,
        rows,
        lightgbm=version("lightgbm"),
        seeds=options.seeds,
        shadows=options.shadows,
    )
    write_short(options.name, short_form)
    claims(json.loads((RESULTS / f"{options.name}.json").read_text())["rows"])


def run_null(options):
    rows = []
    for row in null(options.runs):
        rows.append(row)
        if len(rows) % 50 == 0:
            print(len(rows), flush=True)
    write_results(
        f"{options.name}_null",
        list(null_summary(rows)),
        seeds=f"0 to {options.runs - 1}",
        levels=dict(Counter(row["level"] for row in rows)),
    )
    for column in TOLD:
        print(f"{column}: {share(rows, column)} of {len(rows)} audits")
    few = share(rows, "any of them").estimate <= MOST_ALARMS
    print(f"Alarms at most {MOST_ALARMS:g}: {few}")


def main():
    parser = command_line(__doc__, "persons")
    parser.add_argument("parts", nargs="*", default=list(PARTS), help="samples, null")
    parser.add_argument("--seeds", type=int, default=10, help="draws of each sample")
    parser.add_argument("--shadows", type=int, default=8)
    parser.add_argument("--runs", type=int, default=600, help="audits without a leak")
    options = parser.parse_args()
    for part in options.parts:
        PARTS[part](options)


PARTS = {"samples": run_samples, "null": run_null}

if __name__ == "__main__":
    main()
