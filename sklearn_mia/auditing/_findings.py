"""Coded checks: what a reader must know before the numbers of an audit count."""

from dataclasses import dataclass, field

import numpy as np
from scipy.stats import rankdata

from sklearn_mia.metrics import (
    min_nonmembers_for_fpr,
    rate_interval,
    roc_auc_interval,
)

SEVERITIES = ("critical", "warning", "note")

_SEPARATING_AUC = 0.95
_MOST_UNEQUAL = 4.0
_TIED_SHARE = 0.05
_MOST_SIZE_RATIO = 2.0
_LEAST_ACCURACY_GAP = 0.05
# A forest of few trees is somewhat worse than one of many.
_LEAST_ACCURACY_GAP_THIN = 0.12
_TWIN_AGREEMENT = 0.9


@dataclass(frozen=True)
class Finding:
    """Something that a reader of an audit has to know.

    ======  ==================================================  =================
    code    what was found                                      severity
    ======  ==================================================  =================
    MIA001  members and non-members differ without the model    critical
    MIA002  equal records on both sides                         warning, critical
    MIA003  groups on both sides                                warning
    MIA004  tied scores                                         note
    MIA005  false-positive rate not resolvable                  warning
    MIA006  shadow models unlike the target                     warning
    MIA007  the target is one of the shadow models              critical
    MIA008  classes lost in shadow models, records unscored     note, warning
    MIA009  a column, or the order, gives membership away       critical, warning
    MIA010  unequal sides                                       note
    MIA011  attack perhaps chosen on the reported records       warning
    MIA012  the sides look swapped                              critical
    MIA013  the model gives no probabilities                    note
    MIA014  fitted with another version of scikit-learn         warning
    MIA015  how the columns of the tables were matched          note
    MIA016  intervals count records, not groups                 note
    MIA017  only predictions were given                         warning
    ======  ==================================================  =================

    Attributes
    ----------
    code : str
        Stable name of the check.

    severity : {"critical", "warning", "note"}
        After a critical finding the headline must not be interpreted.

    title : str
        What was checked, in a few words.

    message : str
        What was found, one sentence.

    advice : str
        What to do about it.

    numbers : dict
        The numbers behind the message.

    See Also
    --------
    AuditReport : Holds the findings of an audit.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_mia import audit_predictions
    >>> X, y = make_classification(600, flip_y=0.2, random_state=0)
    >>> model = RandomForestClassifier(20, random_state=0).fit(X[:300], y[:300])
    >>> is_member = [True] * 300 + [False] * 300
    >>> report = audit_predictions(model.predict_proba(X), y, is_member)
    >>> [(finding.code, finding.severity) for finding in report.findings]
    [('MIA005', 'warning'), ('MIA017', 'warning')]
    """

    code: str
    severity: str
    title: str
    message: str
    advice: str
    numbers: dict = field(default_factory=dict)

    def __str__(self):
        """Return one line for a terminal."""
        return f"[{self.code} {self.severity}] {self.message} {self.advice}"


def _percent(share):
    return f"{100 * share:.3g} %"


def check_blind(blind):
    """MIA001: members can be told from non-members without the model."""
    if blind is None or blind["low"] <= 0.5:
        return None
    return Finding(
        "MIA001",
        "critical",
        "Members and non-members differ without the model",
        f"A classifier that never saw the model ({blind['learner']}) tells members "
        f"from non-members with an AUC of {blind['auc']:.3f} ({blind['low']:.3f} to "
        f"{blind['high']:.3f}): the two sides are not draws from one population, so "
        "an attack may succeed without any leak.",
        "Audit with a random split: draw the non-members from the same source and "
        "time as the members.",
        blind,
    )


def check_duplicates(ids, is_member):
    """MIA002: the same record is on both sides."""
    shared = np.intersect1d(ids[is_member], ids[~is_member])
    if not len(shared):
        return None
    n_members = int(np.isin(ids[is_member], shared).sum())
    n_nonmembers = int(np.isin(ids[~is_member], shared).sum())
    share = n_nonmembers / int((~is_member).sum())
    return Finding(
        "MIA002",
        "critical" if share > 0.5 else "warning",
        "Equal records on both sides",
        f"{n_nonmembers} non-members ({_percent(share)}) equal one of {n_members} "
        "members in every column, label included: the model has seen them, so they "
        "raise false alarms and hide leakage.",
        "Drop them from the non-members (drop_shared=True, or --drop-shared) and "
        "audit again.",
        {"n_members": n_members, "n_nonmembers": n_nonmembers, "share": share},
    )


def check_groups(groups, is_member):
    """MIA003: the same person (or other group) is on both sides."""
    if groups is None:
        return None
    shared = np.intersect1d(groups[is_member], groups[~is_member])
    if not len(shared):
        return None
    n_groups = len(np.unique(groups))
    n_records = int(np.isin(groups[~is_member], shared).sum())
    return Finding(
        "MIA003",
        "warning",
        "Groups on both sides",
        f"{len(shared)} of {n_groups} groups have records on both sides, "
        f"{n_records} non-members among them: what the model learned of a group "
        "shows in its non-members too.",
        "Split by group, so that each is wholly in or out.",
        {
            "n_shared_groups": len(shared),
            "n_groups": n_groups,
            "n_nonmembers": n_records,
        },
    )


def check_ties(name, scores, is_member, max_fpr=0.01):
    """MIA004: many non-members share the score at the operating point."""
    nonmembers = np.sort(scores[~is_member])[::-1]
    permitted = int(np.floor(max_fpr * len(nonmembers) + 1e-9))
    threshold = nonmembers[min(permitted, len(nonmembers) - 1)]
    n_tied = int(np.count_nonzero(nonmembers == threshold))
    n_above = int(np.count_nonzero(nonmembers > threshold))
    share = n_tied / len(nonmembers)
    if n_tied < 2 or share <= _TIED_SHARE or n_above == permitted:
        return None
    return Finding(
        "MIA004",
        "note",
        "Tied scores",
        f"{n_tied} non-members ({_percent(share)}) share the score of {name} at which "
        f"{_percent(max_fpr)} false alarms would be reached: its rates there are at "
        f"{n_above} false alarms of {len(nonmembers)}, and are attained, not "
        "interpolated.",
        "Read this attack at higher false-positive rates, or by its AUC.",
        {
            "attack": name,
            "n_tied": n_tied,
            "share": share,
            "n_distinct": len(np.unique(scores)),
        },
    )


def check_resolution(n_nonmembers, fprs, confidence=0.95):
    """MIA005: a false-positive rate is finer than the non-members can show."""
    fine = [fpr for fpr in fprs if fpr * n_nonmembers < 1 - 1e-9]
    if not fine:
        return None
    needed = min_nonmembers_for_fpr(min(fine))
    at_zero = rate_interval(0, n_nonmembers, confidence=confidence).high
    rates = ", ".join(f"{fpr:g} ({_percent(fpr)})" for fpr in fine)
    return Finding(
        "MIA005",
        "warning",
        "False-positive rate not resolvable",
        f"{n_nonmembers} non-members cannot show a false-positive rate of {rates}: "
        f"one false alarm is already {_percent(1 / n_nonmembers)}, and none at all "
        f"proves no more than {_percent(at_zero)}.",
        f"Pass at least {needed} non-members, or ask for a higher rate.",
        {
            "fprs": fine,
            "n_nonmembers": n_nonmembers,
            "n_needed": needed,
            "highest_fpr_at_no_alarm": at_zero,
        },
    )


def check_regime(regime):
    """MIA006: shadow models are not like the target.

    Parameters
    ----------
    regime : dict or None
        "target_size", "shadow_size", "thin" (fewer trees than the target), and the
        share of records whose class gets more than half of the probability:
        "target_members", "target_nonmembers", "shadow_in", "shadow_out", with
        "shadow_in_sd" and "shadow_out_sd" over shadows.
    """
    if regime is None:
        return None
    ratio = regime["target_size"] / regime["shadow_size"]
    odd = []
    if not 1 / _MOST_SIZE_RATIO <= ratio <= _MOST_SIZE_RATIO:
        odd.append(
            f"trained on {regime['shadow_size']:.0f} records where the target trained "
            f"on {regime['target_size']}"
        )
    for target, shadow, what in (
        ("target_members", "shadow_in", "their own records"),
        ("target_nonmembers", "shadow_out", "records they did not see"),
    ):
        gap = abs(regime[target] - regime[shadow])
        least = _LEAST_ACCURACY_GAP_THIN if regime["thin"] else _LEAST_ACCURACY_GAP
        if gap > max(least, 4 * regime[f"{shadow}_sd"]):
            odd.append(
                f"right on {_percent(regime[shadow])} of {what} where the target is "
                f"right on {_percent(regime[target])}"
            )
    if not odd:
        return None
    return Finding(
        "MIA006",
        "warning",
        "Shadow models unlike the target",
        f"Shadow models are {' and '.join(odd)}: the attacks that rest on them are "
        "weaker than they could be, so a small value is no proof of safety.",
        "Pass shadow_estimator with the recipe that the target was really trained "
        "with, and sides of like size.",
        regime,
    )


def check_twins(shadow_members, is_member):
    """MIA007: shadow models know the membership of the target.

    Parameters
    ----------
    shadow_members : ndarray of shape (n_shadows, n_records), dtype bool

    is_member : ndarray of shape (n_records,), dtype bool
    """
    if shadow_members is None:
        return None
    n_shadows, n_records = shadow_members.shape
    n_in = shadow_members.sum(axis=0)
    agreement = np.mean(shadow_members == is_member, axis=1)
    twins = int(
        np.count_nonzero(np.maximum(agreement, 1 - agreement) > _TWIN_AGREEMENT)
    )
    auc, sd = 0.5, 0.0
    if len(np.unique(n_in)) > 1:
        interval = roc_auc_interval(is_member, n_in, confidence=1 - 1e-6)
        auc = interval.estimate
        sd = 0.0 if interval.low is None else interval.high - interval.low
    told = sd > 0 and abs(auc - 0.5) > sd / 2
    if not twins and not told:
        return None
    found = []
    if told:
        found.append(
            f"the number of shadow models that trained on a record tells members from "
            f"non-members with an AUC of {auc:.3f}"
        )
    if twins:
        found.append(
            f"{twins} of {n_shadows} shadow models trained on almost exactly the "
            "members, or on almost exactly the others"
        )
    return Finding(
        "MIA007",
        "critical",
        "The target is one of the shadow models",
        f"{' and '.join(found).capitalize()}: an attack can then succeed without any "
        "leak.",
        "Draw the records of the shadow models independently of the target's, as the "
        "attacks of this package do.",
        {
            "auc_of_shadow_count": auc,
            "n_twins": twins,
            "n_shadows": n_shadows,
            "n_records": n_records,
        },
    )


def check_lost_classes(missing_by_class, n_shadows, n_unscored, by_itself=None):
    """MIA008: shadow models never saw a class, or records could not be scored.

    Parameters
    ----------
    missing_by_class : dict
        For each class that some shadow did not see, the number of such shadows.

    n_shadows : int

    n_unscored : dict
        For each attack whose shadows lost a class, the number of records that got the
        neutral score.

    by_itself : dict or None, default=None
        The same for each attack without shadows, or whose shadows saw every class.
    """
    by_itself = by_itself or {}
    n_most, messages, advice = max(n_unscored.values(), default=0), [], []
    if missing_by_class:
        shown = ", ".join(
            f"{label} (missing from {n} of {n_shadows})"
            for label, n in list(missing_by_class.items())[:5]
        )
        messages.append(f"Some shadow models never saw a class: {shown}")
    if missing_by_class or n_most:
        messages.append(f"{n_most} records could not be scored and count as average")
        advice.append("Train more shadow models, or leave out the rarest classes.")
    if by_itself:
        shown = ", ".join(f"{name} ({n})" for name, n in list(by_itself.items())[:5])
        messages.append(
            "Records for which the signal or the formula of an attack gave no finite "
            f"number count as average: {shown}"
        )
        advice.append("Look at what the signal or the formula returns for them.")
    if not messages:
        return None
    lost = bool(missing_by_class or n_most)
    return Finding(
        "MIA008",
        "warning" if n_most or by_itself else "note",
        "Classes lost in shadow models" if lost else "Records without a score",
        f"{'; '.join(messages)}.",
        " ".join(advice),
        {"missing_by_class": missing_by_class, "n_unscored": n_unscored | by_itself},
    )


def check_giveaways(columns, is_member):
    """MIA009: a column, or the order of the records, gives membership away.

    Parameters
    ----------
    columns : dict
        Name of each column mapped to its values as numbers, of shape (n_records,).

    is_member : ndarray of shape (n_records,), dtype bool
    """
    n1, n0 = int(is_member.sum()), int((~is_member).sum())
    if min(n1, n0) < 10:
        return None
    found = {}
    for name, values in columns.items():
        known = np.isfinite(values)
        if known.mean() < 0.5:
            continue
        ranks = rankdata(np.where(known, values, -np.inf))
        auc = (ranks[is_member].mean() - (n1 + 1) / 2) / n0
        if max(auc, 1 - auc) >= _SEPARATING_AUC:
            found[name] = float(auc)
    if not found:
        return None
    shown = ", ".join(f"{name} (AUC {auc:.3f})" for name, auc in found.items())
    return Finding(
        "MIA009",
        "critical" if any(name != "record order" for name in found) else "warning",
        "Membership shows in a column or in the order",
        f"Members and non-members are separated by {shown}: unless the rows had been "
        "shuffled before, the split was not drawn at random.",
        "Split at random, and leave row numbers and identifiers out of the features.",
        {"auc": found},
    )


def check_balance(n_members, n_nonmembers):
    """MIA010: one side is much larger than the other."""
    ratio = max(n_members, n_nonmembers) / min(n_members, n_nonmembers)
    if ratio < _MOST_UNEQUAL:
        return None
    majority = max(n_members, n_nonmembers) / (n_members + n_nonmembers)
    larger = "members" if n_members > n_nonmembers else "non-members"
    return Finding(
        "MIA010",
        "note",
        "Unequal sides",
        f"{n_members} members and {n_nonmembers} non-members: always answering with "
        f"the larger side would be right on {_percent(majority)}, so accuracy says "
        "nothing here; AUC and the rates reported do not depend on it.",
        f"Intervals are as wide as the smaller side makes them; fewer {larger} would "
        "do as well.",
        {
            "n_members": n_members,
            "n_nonmembers": n_nonmembers,
            "majority_accuracy": majority,
        },
    )


def check_choice(fitted_before):
    """MIA011: an attack came in already fitted, perhaps chosen on these records.

    Parameters
    ----------
    fitted_before : list of str
        Names of such attacks.
    """
    if not fitted_before:
        return None
    return Finding(
        "MIA011",
        "warning",
        "Attack perhaps chosen on the reported records",
        f"{', '.join(fitted_before)} came in already fitted. It was cloned and fitted "
        "anew, but if its parameters were chosen on records reported here, its "
        "values are too high.",
        "Choose an attack on other records, or pass the search itself: the audit then "
        "runs it on one half and reports the other.",
        {"attacks": fitted_before},
    )


def check_swapped(accuracy_members, accuracy_nonmembers, n_members, n_nonmembers):
    """MIA012: the model is better on the non-members than on its own records."""
    gap = accuracy_nonmembers - accuracy_members
    pooled = (accuracy_members * n_members + accuracy_nonmembers * n_nonmembers) / (
        n_members + n_nonmembers
    )
    sd = np.sqrt(pooled * (1 - pooled) * (1 / n_members + 1 / n_nonmembers))
    if gap <= max(0.02, 3.3 * sd):
        return None
    return Finding(
        "MIA012",
        "critical",
        "The sides look swapped",
        f"The model is right on {_percent(accuracy_nonmembers)} of the non-members "
        f"but only on {_percent(accuracy_members)} of the members, its own training "
        "records.",
        "Check that the records given as members are those the model was trained on, "
        "and that both tables were prepared alike.",
        {
            "accuracy_members": accuracy_members,
            "accuracy_nonmembers": accuracy_nonmembers,
        },
    )


def check_response(kind, model_name):
    """MIA013: the model gives no probabilities."""
    if kind not in ("decision_function", "predict"):
        return None
    what = {
        "decision_function": "its decision_function was read as log-odds",
        "predict": "only its predicted labels were used",
    }[kind]
    return Finding(
        "MIA013",
        "note",
        "No probabilities",
        f"{model_name} has no predict_proba; {what}.",
        "Attacks see less than they would with probabilities: report this with the "
        "values.",
        {"response": kind},
    )


def check_units(units, grouped):
    """MIA016: records come in groups, but intervals count records."""
    n_units, n_records = len(np.unique(units)), len(units)
    if n_units > 0.9 * n_records:
        return None
    what = "groups" if grouped else "different records"
    return Finding(
        "MIA016",
        "note",
        "Intervals count records",
        f"{n_records} records are {n_units} {what}. The corrected p-value permutes "
        "whole groups, but intervals treat each record as a draw of its own and are "
        "too narrow.",
        "Judge by the corrected p-value, or audit one record a group.",
        {"n_units": n_units, "n_records": n_records},
    )


def only_predictions():
    """MIA017: neither the model nor the records were given."""
    return Finding(
        "MIA017",
        "warning",
        "Only predictions were given",
        "Without the model and the records no shadow models could be trained, and it "
        "could not be checked whether the two sides differ without the model.",
        "Read a small value as no proof of safety; audit the model itself if you can.",
    )


def check_version(fitted_with, running):
    """MIA014: the model was fitted with another version of scikit-learn."""
    if fitted_with is None or fitted_with == running:
        return None
    return Finding(
        "MIA014",
        "warning",
        "Another version of scikit-learn",
        f"The model was fitted with scikit-learn {fitted_with} and audited with "
        f"{running}: its answers, and the shadow models, may differ from those in "
        "use.",
        f"Audit in the environment of the model (scikit-learn {fitted_with}).",
        {"fitted_with": fitted_with, "running": running},
    )


def check_column_order(reordered, unnamed):
    """MIA015: how the columns of the tables were matched to the model.

    Parameters
    ----------
    reordered : bool
        The tables had another order than the model, which knows names.

    unnamed : bool
        The model knows no names.
    """
    if unnamed:
        return Finding(
            "MIA015",
            "note",
            "Order of the columns not verifiable",
            "The model was trained without column names, so only the number of columns "
            "could be checked, not their order.",
            "Make sure that the tables have the columns in the order of training.",
            {"reordered": False},
        )
    if not reordered:
        return None
    return Finding(
        "MIA015",
        "note",
        "Columns reordered",
        "The tables had their columns in another order than the model; they were "
        "matched by name.",
        "Nothing needs to be done.",
        {"reordered": True},
    )
