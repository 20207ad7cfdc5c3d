"""Persons, not rows: which score of a person finds most, and whom it accuses.

    python benchmarks/bench_person_scores.py

Hospital stays, label "readmitted or not", 1,500 patients of 3 to 5 stays or 4,000 of
any number, half of them members, shadows drawn by patient. The first table has the AUC
and the share found at a false-positive rate of 1 %, of stays and of patients, mean over
draws of patients and members. The second has the rates by number of stays, with a
common threshold and with one for each number, set on half of the non-members and judged
on the others, mean over halves and draws; "by size, known" sets the latter on all
non-members, those judged included: what alike false alarms cost whoever knows the law.
"""

import numpy as np
import pandas as pd
from common import MODELS, command_line, data_folder, write_results
from sklearn.base import clone
from sklearn.metrics import roc_auc_score

from sklearn_mia import RMIA, LiRA, ThresholdAttack, as_records
from sklearn_mia.groups import (
    centred_scores,
    group_members,
    group_scores,
    rates_by_size,
    thresholds_by_size,
)
from sklearn_mia.metrics import threshold_at_fpr, tpr_at_fpr_score

N_DRAWS = 3
N_HALVES = 20
N_SHADOWS = 8
SAMPLES = {"3 to 5": (3, 5, 1500), "any": (1, 40, 4000)}


def load_stays():
    frame = pd.read_parquet(data_folder() / "hospital_diabetes.parquet")
    labels = (frame.pop("readmitted").astype(str) != "NO").to_numpy().astype(int)
    persons = frame.pop("patient_nbr").to_numpy()
    frame = frame.drop(columns="encounter_id", errors="ignore")
    columns = [
        frame[c].fillna(-1)
        if pd.api.types.is_numeric_dtype(frame[c])
        else pd.factorize(frame[c], sort=True)[0]
        for c in frame
    ]
    return np.column_stack(columns).astype(float), labels, persons


def draw(stays, fewest, most, n_persons, seed):
    features, labels, persons = stays
    rng = np.random.default_rng(seed)
    keys, counts = np.unique(persons, return_counts=True)
    keys = keys[(counts >= fewest) & (counts <= most)]
    chosen = rng.choice(keys, n_persons, replace=False)
    rows = rng.permutation(np.flatnonzero(np.isin(persons, chosen)))
    members = rng.choice(chosen, n_persons // 2, replace=False)
    persons = persons[rows]
    return features[rows], labels[rows], persons, np.isin(persons, members)


def inverse_p_value(scores):
    below = np.searchsorted(np.sort(scores), scores, side="left")
    return np.log((scores.size + 1) / (scores.size - below))


def by_class(scores, labels):
    return scores - np.array([scores[labels == c].mean() for c in (0, 1)])[labels]


def scores_of(model, features, labels, persons, is_member, seed):
    """Scores of stays, by the name of the row that they make."""
    model = clone(model).fit(features[is_member], labels[is_member])
    records = as_records(features, labels)
    recipe = {"n_shadows": N_SHADOWS, "random_state": seed}
    rmia = RMIA(model, **recipe).fit_score(records, groups=persons)
    lira = LiRA(model, **recipe)
    lira_scores = lira.fit_score(records, groups=persons)
    out = np.where(lira.shadow_members_, np.nan, lira.shadow_signals_)
    logit, loss = (
        ThresholdAttack(model, signal=signal).fit_score(records)
        for signal in ("logit", "loss")
    )
    less_out = logit - np.nanmean(out, axis=0)
    return {
        "RMIA": rmia,
        "RMIA, centred": centred_scores(rmia),
        "LiRA": lira_scores,
        "logit less OUT mean": less_out,
        "logit less OUT mean, log of inverse p-value": inverse_p_value(less_out),
        "logit less OUT mean, centred": centred_scores(logit, out),
        "loss": loss,
        "loss, log of inverse p-value": inverse_p_value(loss),
        "loss, centred": centred_scores(loss),
        "loss, centred by class": by_class(loss, labels),
    }


def power(is_member, scores):
    return roc_auc_score(is_member, scores), tpr_at_fpr_score(is_member, scores)


def strengths(scores, is_member, persons):
    """AUC and TPR of stays, and of patients by each way to one score."""
    keys, sums = group_scores(scores, persons)
    _, members, _, n_records = group_members(is_member, persons)
    place = np.searchsorted(keys, persons)
    largest = np.full(keys.size, -np.inf)
    np.maximum.at(largest, place, scores)
    return {
        "stays": power(is_member, scores),
        "sum": power(members, sums),
        "mean": power(members, sums / n_records),
        "maximum": power(members, largest),
    }


def sizes(scores, is_member, persons, seed):
    """Rates by number of stays, and of all, at each kind of threshold."""
    _, sums = group_scores(scores, persons)
    _, members, _, n_records = group_members(is_member, persons)
    rng = np.random.default_rng(seed)
    known_law = thresholds_by_size(sums[~members], n_records[~members])
    for _ in range(N_HALVES):
        others = rng.permutation(np.flatnonzero(~members))
        known, rest = np.split(others, [others.size // 2])
        judged = np.r_[np.flatnonzero(members), rest]
        own = thresholds_by_size(sums[known], n_records[known])
        for name, threshold in (
            ("common", threshold_at_fpr(sums[known], 0.01)),
            ("by size", own.of(n_records[judged])),
            ("by size, known", known_law.of(n_records[judged])),
        ):
            named = sums[judged] > threshold
            sides = members[judged], ~members[judged]
            yield name, "all", [named[side].mean() for side in sides]
            for rates in rates_by_size(
                sums[judged], members[judged], n_records[judged], threshold
            ):
                yield name, rates.size, (rates.tpr.estimate, rates.fpr.estimate)


def main():
    arguments = command_line(__doc__, "person_scores").parse_args()
    stays = load_stays()
    found, by_size = {}, {}
    for sample, params in SAMPLES.items():
        for seed in range(N_DRAWS):
            features, labels, persons, is_member = draw(stays, *params, seed)
            for name, model in MODELS.items():
                scores = scores_of(model, features, labels, persons, is_member, seed)
                for score, values in scores.items():
                    for way, both in strengths(values, is_member, persons).items():
                        key = sample, score, way
                        found.setdefault(key, {}).setdefault(name, []).append(both)
                if sample == "any":
                    for threshold, size, both in sizes(
                        scores["RMIA"], is_member, persons, seed
                    ):
                        key = name, size, threshold
                        by_size.setdefault(key, []).append(both)
    rows = []
    for (sample, score, way), of_models in found.items():
        # The other ways are told for the strongest attack alone.
        if way == "sum" or score == "RMIA":
            row = {"stays a patient": sample, "score": score, "patient": way}
            for name, values in of_models.items():
                auc, tpr = np.mean(values, axis=0)
                row[f"{name}: AUC"], row[f"{name}: TPR@1%"] = float(auc), float(tpr)
            rows.append(row)
    settings = {"n_draws": N_DRAWS, "n_shadows": N_SHADOWS}
    write_results(arguments.name, rows, **settings)
    rows = []
    for (name, size, threshold), values in sorted(by_size.items()):
        tpr, fpr = np.mean(values, axis=0)
        rows.append(
            {
                "target": name,
                "stays": size,
                "threshold": threshold,
                "TPR": float(tpr),
                "FPR": float(fpr),
            }
        )
    write_results(f"{arguments.name}_sizes", rows, n_halves=N_HALVES, **settings)


if __name__ == "__main__":
    main()
