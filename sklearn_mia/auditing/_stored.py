"""What the file of a model stores about its training records, for the report."""

import numpy as np
from sklearn.base import clone
from sklearn.metrics import r2_score

from sklearn_mia.attacks import LinearReconstructionAttack
from sklearn_mia.auditing._access import FILE_ATTACK
from sklearn_mia.auditing._evaluation import plain_interval, tpr_row
from sklearn_mia.auditing._nouns import RECORDS
from sklearn_mia.auditing._percent import in_percent, percent_interval, rate
from sklearn_mia.equations import auc_ceiling, round_values, strip_counts
from sklearn_mia.equations._stripped import trees_of
from sklearn_mia.metrics import roc_auc_interval
from sklearn_mia.models import model_name, open_model
from sklearn_mia.response import predicted_codes
from sklearn_mia.risk import structural_risk
from sklearn_mia.tables import take

HELD = (0.9, 0.5, 0.1)
_MOST_HELD = 8000
DECIMALS = (2, 1)
# Of values to predict: by their spread, a tenth to a hundredth of it.
_FEWER_DIGITS = 1
_MOST_DECIMALS = 9
# An AUC that reads as 1.
_ALL = 0.9995
# Other kinds are statistics, and named as such.
_KINDS = {
    "category": "records alone in a category, or in an unknown one",
    "extreme": "records alone at an extreme, or beyond it",
}

# Measured by benchmarks/bench_file_defences.py.
_TRAINED_OTHERWISE = {
    name: f"Trained otherwise the file tells less: of models of 4,000 records of the "
    f"Adult table the attack on it has {figures}."
    for name, figures in {
        "RandomForestClassifier": "an AUC of .98 for a default forest, .88 with "
        "min_samples_leaf=5, .73 with 20, .65 with 50 and .57 with 200, at accuracies "
        "of .86, .86, .85, .84 and .76, the last no more than the share of the "
        "commoner class",
        "ExtraTreesClassifier": "an AUC of .97 with min_samples_leaf=20, and .69 with "
        "bootstrap=True beside it, at accuracies of .83",
        "HistGradientBoostingClassifier": "an AUC of 1.00 for a default model, .92 "
        "with max_iter=50, .76 with 20 and .63 with 20 trees of max_leaf_nodes=8, all "
        "at accuracies of .86: none is below the default limit of .6",
        "GradientBoostingClassifier": "an AUC of .70 for a default model, and .59 with "
        "subsample=0.5, both at accuracies of .86",
    }.items()
} | {
    name: "Trained otherwise the file tells less: of models that predict the hours per "
    f"week of the Adult table, of 2,000 records, the attack on it has {figures}."
    for name, figures in {
        "RandomForestRegressor": "an AUC of 1.00 for a default forest, .99 with "
        "min_samples_leaf=5, .82 with 20, .69 with 50, and .59 with 20 and "
        "max_samples=0.2, at an R2 of .19, .22, .24, .21 and .21",
        "ExtraTreesRegressor": "an AUC of 1.00 with min_samples_leaf=20, and .78 with "
        "bootstrap=True beside it, at an R2 of .20 and .22",
        "HistGradientBoostingRegressor": "an AUC of 1.00 for a default model, .84 with "
        "max_iter=20 and .69 with 20 trees of max_leaf_nodes=8, at an R2 of .17, .23 "
        "and .22: none is below the default limit of .6",
        "GradientBoostingRegressor": "an AUC of .76 for a default model, and .63 with "
        "subsample=0.5, at an R2 of .21 and .20",
    }.items()
}


def what_is_stored(model, attack, case):
    """Sums that the file of a model stores, and what its structure gives away.

    Parameters
    ----------
    model : classifier or regressor

    attack : LinearReconstructionAttack or None
        Fitted on its file.

    case : Case

    Returns
    -------
    stored : dict
    """
    stored = {
        "n_equations": 0,
        "is_of_trees": trees_of(open_model(model).classifier) is not None,
        "per_member": 0.0,
        "ceiling": None,
        "n_members": None,
        "equations": [],
        "held": None,
        "stripped": None,
        "rounded": None,
        "refit": _TRAINED_OTHERWISE.get(model_name(model)),
        "structure": _structure(model, case),
    }
    if not isinstance(attack, LinearReconstructionAttack):
        return stored
    return stored | {
        "n_equations": int(attack.n_equations_),
        "per_member": attack.n_equations_ / int(case.is_member.sum()),
        "ceiling": auc_ceiling(attack.n_equations_, len(case.is_member)),
        "n_members": attack.n_members_,
        "equations": [
            {
                "step": row.step,
                "kind": row.kind,
                "n_equations": int(row.n_equations),
                "noise": float(row.noise) if np.isfinite(row.noise) else None,
            }
            for row in attack.equations_
        ],
    }


def _structure(model, case):
    members = np.flatnonzero(case.is_member)
    try:
        risk = structural_risk(model, take(case.asked, members), case.labels[members])
    except TypeError:
        # A class of models whose structure is not known.
        return []
    return [vars(finding) for finding in risk.findings]


def held_figures(attack, case, fpr, *, seed):
    """What the file tells someone who lacks some of its training records.

    The pool then has a share of the members, drawn by unit, and as large a share of the
    others, 8,000 records at the most: of a larger audit the largest share is what that
    many are. The attack sees that the pool lacks members where the file tells how many
    there are.

    Parameters
    ----------
    attack : LinearReconstructionAttack

    case : Case

    fpr : float
        Of the TPR.

    seed : int

    Returns
    -------
    rows : list of dict
        Share held, "auc", and "rate" as in `tpr_row`; each interval by itself.
    """
    units = np.unique(case.units, return_inverse=True)[1]
    sizes = np.bincount(units)
    place = np.random.default_rng([seed, 4]).permutation(len(sizes))
    fitting = np.cumsum(sizes[np.argsort(place)]) <= _MOST_HELD
    place, most = place / len(sizes), fitting.mean()
    rows = []
    for share in sorted({min(share, most) for share in HELD}, reverse=True):
        kept = np.flatnonzero(place[units] < share)
        is_member = case.is_member[kept]
        fewest = min(np.count_nonzero(is_member), np.count_nonzero(~is_member))
        if fewest < 2:
            continue
        scores = clone(attack).fit_score(take(case.records, kept))
        rows.append(
            {
                "share": share,
                "n_members": int(is_member.sum()),
                "n_nonmembers": int((~is_member).sum()),
                **_figures(is_member, scores, fpr, seed),
            }
        )
    return rows


def _figures(is_member, scores, fpr, seed):
    """What scores of records come to, each interval by itself."""
    return {
        "auc": plain_interval(roc_auc_interval(is_member, scores)),
        "rate": tpr_row(is_member, scores, fpr, 0.95, seed=seed),
    }


def stripped_figures(attack, case, fpr, *, seed):
    """What the file tells without its counts, by someone who knows that they are gone.

    Parameters
    ----------
    attack : LinearReconstructionAttack
        On the file as it is.

    case : Case

    fpr : float
        Of the TPR.

    seed : int

    Returns
    -------
    row : dict or None
        "auc" and "rate"; None for a model that `strip_counts` does not know.
    """
    try:
        stripped = strip_counts(attack.target_estimator)
    except TypeError:
        return None
    return _informed(attack, stripped, case, fpr, seed)


def _informed(attack, model, case, fpr, seed):
    """What a changed copy of the file tells someone who knows what was changed."""
    informed = clone(attack)
    informed.target_estimator = model
    return _figures(case.is_member, informed.fit_score(case.records), fpr, seed)


def rounded_figures(attack, case, fpr, *, seed):
    """What the file tells with rounded values, and what they change of the answers.

    Parameters
    ----------
    attack : LinearReconstructionAttack
        On the file as it is.

    case : Case

    fpr : float
        Of the TPR.

    seed : int

    Returns
    -------
    rows : list of dict or None
        "decimals", "auc" and "rate"; "largest_change" of a probability or a prediction,
        and "accuracy" on all records, beside that of the model as it is,
        "accuracy_before"; of a regressor "r2" and "r2_before" in place of both. None
        for a model that `round_values` does not know.
    """
    model, rows = attack.target_estimator, []
    try:
        copies = {d: round_values(model, d) for d in _decimals_for(case)}
    except TypeError:
        return None
    answers, before = _answers_and_quality(model, case)
    for decimals, copy in copies.items():
        changed, after = _answers_and_quality(copy, case)
        rows.append(
            {
                "decimals": decimals,
                "largest_change": float(np.abs(changed - answers).max()),
                **after,
                **{f"{name}_before": value for name, value in before.items()},
                **_informed(attack, copy, case, fpr, seed),
            }
        )
    return rows


def _decimals_for(case):
    """Decimals to try, the most first."""
    if case.classes is not None:
        return DECIMALS
    spread = np.std(case.codes) or 1.0
    fewest = _FEWER_DIGITS - int(np.floor(np.log10(spread)))
    tried = (min(max(d, -_MOST_DECIMALS), _MOST_DECIMALS) for d in (fewest + 1, fewest))
    return tuple(dict.fromkeys(tried))


def _answers_and_quality(model, case):
    """Answers of a model for all records, and how good they are."""
    if case.classes is None:
        prediction = np.asarray(model.predict(case.asked), dtype=float).reshape(-1)
        r2 = None
        if np.ptp(case.codes) > 0:
            r2 = float(r2_score(case.codes, prediction))
        return prediction, {"accuracy": None, "r2": r2}
    right = predicted_codes(model, case.asked, case.classes) == case.codes
    quality = {"accuracy": float(np.mean(right)), "r2": None}
    return model.predict_proba(case.asked), quality


def _auc_by_record(content):
    """AUC of the attack on the file, record by record; None if there is none."""
    rows = (row for row in content["attacks"] if row["name"] == FILE_ATTACK)
    return next(((row["of_records"] or row)["auc"] for row in rows), None)


def kind_told(kind):
    """What equations of one kind are about, for someone who counts them."""
    return _KINDS.get(kind, kind)


def stored_told(content, nouns):
    """What the file stores, in sentences.

    Parameters
    ----------
    content : dict
        Of a report.

    nouns : Nouns

    Returns
    -------
    sentences : list of str
        None if nothing is said of the file. A way to lower what it tells is offered
        only if it clearly does.
    """
    stored, told = content["stored"], []
    if stored is None:
        return told
    if not stored["n_equations"]:
        return told
    ceiling, ends = stored["ceiling"], "."
    if ceiling < _ALL:
        ends = f"; as many at random allow an AUC of {ceiling:.2f} on average."
    told += [
        f"The file stores {stored['n_equations']} sums over its training records, "
        f"{stored['per_member']:.2g} for each of them: as many equations for who was "
        "among them" + ends,
        "The attack on them is the worst case: someone who holds every training record "
        f"as a candidate, with others among them, and asks which are {nouns.members}.",
    ]
    if stored["held"]:
        shown = "; ".join(_held_told(row, nouns) for row in stored["held"])
        told.append(
            "Someone who holds a part of the training records, and as large a part of "
            f"the others, has {shown}. Each interval holds by itself."
        )
        data = content["data"]
        n_records = data["n_member_records"] + data["n_nonmember_records"]
        if n_records > _MOST_HELD:
            told.append(
                f"That was measured on at most {_MOST_HELD:,} of the {n_records:,} "
                "records, drawn at random, and the others as not held. Who holds more "
                "can tell more."
            )
    elif stored["held"] is None:
        told.append(
            "What it tells someone who holds only a part of them is measured with "
            "effort='thorough' (--effort thorough)."
        )
    told += without_refit_told(content, nouns)
    if stored["refit"]:
        told.append(stored["refit"])
    return told


def without_refit_told(content, nouns):
    """What the file tells if it is handed over with less in it, in sentences.

    Parameters
    ----------
    content : dict
        Of a report.

    nouns : Nouns

    Returns
    -------
    sentences : list of str
        Of what was tried and clearly helps.
    """
    stored, told = content["stored"], []
    stripped, auc = stored["stripped"], _auc_by_record(content)
    least = auc["low"] if auc else 0.0
    if stripped and stripped["auc"]["high"] < least:
        least = stripped["auc"]["low"]
        told.append(
            "Without the numbers of records in its nodes (strip_counts), which changes "
            "no answer, someone who knows that they were removed has "
            f"{_figures_told(stripped, nouns)}."
        )
    for row in stored["rounded"] or []:
        if row["auc"]["high"] < least:
            least = row["auc"]["low"]
            told.append(_rounded_told(row, nouns))
    return told


def _held_told(row, nouns):
    return f"with {in_percent(row['share'])} {_figures_told(row, nouns)}"


def _rounded_told(row, nouns):
    of_values = row["accuracy"] is None
    measure, name, answer = "accuracy", "accuracy", "probability"
    number = {1: "one decimal", 2: "two decimals"}.get(row["decimals"])
    if of_values:
        measure, name, answer = "r2", "R2", "prediction"
        number = f"multiples of {10.0 ** -row['decimals']:g}"
    quality = ""
    if row[measure] is not None:
        before, after = (f"{row[k]:.3f}" for k in (f"{measure}_before", measure))
        quality = (
            f" and leaves the {name} on the audited records at {after}"
            if before == after
            else f" and the {name} on the audited records from {before} to {after}"
        )
    return (
        f"With the values of the leaves rounded to {number} as well (round_values), "
        f"which changes a {answer} by {row['largest_change']:.2g} at the most{quality},"
        f" that is {_figures_told(row, nouns)}."
    )


def _figures_told(row, nouns):
    auc, found = row["auc"], row["rate"]
    # Of groups, too, each record counts by itself here.
    whom = (
        nouns.members
        if nouns.members == RECORDS.members
        else f"records of {nouns.members}"
    )
    told = f"an AUC of {auc['estimate']:.3f} ({auc['low']:.3f} to {auc['high']:.3f})"
    if found["resolvable"]:
        told += (
            f" and {percent_interval(found['tpr'])} of the {whom} at "
            f"{rate(found['max_fpr'])} false alarms"
        )
    return told
