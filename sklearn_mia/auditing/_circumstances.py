"""Findings on how an audit was made: its shadow models, the model, the files."""

import numpy as np

from sklearn_mia.auditing._findings import Finding
from sklearn_mia.auditing._percent import in_percent
from sklearn_mia.metrics import roc_auc_interval
from sklearn_mia.redaction import without_values

_MOST_SIZE_RATIO = 2.0
_LEAST_ACCURACY_GAP = 0.05
# A forest of few trees is somewhat worse than one of many.
_LEAST_ACCURACY_GAP_THIN = 0.12
_TWIN_AGREEMENT = 0.9
_MOST_REMARKS = 5
# Of the training records, and more than a fold of rounding.
_FEW_MISSING = 0.01
# The largest of skewed values are rarely that much farther from the median than the
# next ones; a stand-in for a missing value is.
_TIMES_AS_FAR = 10
_MOST_FAR = 0.05


def check_regime(regime):
    """MIA006: shadow models are not like the target.

    Parameters
    ----------
    regime : dict or None
        "target_size", "shadow_size", "thin" (fewer trees than the target), and, but for
        regressors, the share of records whose class gets more than half of the
        probability: "target_members", "target_nonmembers", "shadow_in", "shadow_out",
        with "shadow_in_sd" and "shadow_out_sd" over shadows.
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
        if target not in regime:
            continue
        gap = abs(regime[target] - regime[shadow])
        least = _LEAST_ACCURACY_GAP_THIN if regime["thin"] else _LEAST_ACCURACY_GAP
        if gap > max(least, 4 * regime[f"{shadow}_sd"]):
            odd.append(
                f"right on {in_percent(regime[shadow])} of {what} where the target is "
                f"right on {in_percent(regime[target])}"
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


def check_far_values(values, is_member):
    """MIA031: a few values to predict lie far outside all others.

    Parameters
    ----------
    values : ndarray of shape (n_records,)

    is_member : ndarray of shape (n_records,), dtype bool
    """
    distance = np.abs(values - np.median(values))
    order = np.argsort(distance, kind="stable")
    # Where nearly all values are equal, others are no outliers yet.
    below, above = distance[order][:-1], distance[order][1:]
    gaps = np.flatnonzero((below > 0) & (above > _TIMES_AS_FAR * below)) + 1
    gaps = gaps[len(values) - gaps <= max(1, _MOST_FAR * len(values))]
    if not len(gaps):
        return None
    far = order[gaps[0] :]
    n_in = int(np.count_nonzero(is_member[far]))
    return Finding(
        "MIA031",
        "warning",
        "Values to predict far outside all others",
        f"{len(far)} of {len(values)} records ({n_in} of members, {len(far) - n_in} of "
        f"non-members) have a value to predict more than {_TIMES_AS_FAR} times as far "
        "from the median as that of any other. A model that trains on them may answer "
        "otherwise for all records, a shadow model, too: attacks then find less than "
        "they could, so a small value is no proof of safety.",
        "Check the column for stand-ins of missing values, such as -999999. If the "
        "model was not trained on these records, leave them out and audit again; if it "
        "was, train it without them first.",
        {"n_far": len(far), "n_members": n_in, "times": _TIMES_AS_FAR},
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


def check_response(kind, model_name, asked=False):
    """MIA013: the model gives no probabilities, or some that do not sum to 1."""
    why = "was not asked for predict_proba" if asked else "has no predict_proba"
    what = {
        "decision_function": f"{why}; its decision_function was read as log-odds",
        "predict": f"{why}; only its predicted labels were used",
        "one_against_rest": "gives each class a probability of its own, which need not "
        "sum to 1; each row was divided by its sum",
    }.get(kind)
    if what is None:
        return None
    return Finding(
        "MIA013",
        "note",
        "Probabilities normalised"
        if kind == "one_against_rest"
        else "No probabilities",
        f"{model_name} {what}.",
        "Attacks see less than they would with probabilities: report this with the "
        "values.",
        {"response": kind},
    )


def check_units(units):
    """MIA016: records repeat, but intervals count records."""
    n_units, n_records = len(np.unique(units)), len(units)
    if n_units > 0.9 * n_records:
        return None
    return Finding(
        "MIA016",
        "note",
        "Intervals count records",
        f"{n_records} records are {n_units} different records. The corrected p-value "
        "permutes equal records together, but intervals treat each as a draw of its "
        "own and are too narrow.",
        "Judge by the corrected p-value; or pass groups, under which a person with "
        "several records counts once.",
        {"n_units": n_units, "n_records": n_records},
    )


def check_left_out(calibration_left_out, model):
    """MIA019: shadow models are trained without a part of the model."""
    if not calibration_left_out:
        return None
    return Finding(
        "MIA019",
        "note",
        "Shadow models without the calibration",
        f"{type(model).__name__} was calibrated on records of its own around a trained "
        "model, which no shadow model could be: they were trained as the model inside.",
        "Attacks may be somewhat weaker than on a model calibrated in training: report "
        "this with the values.",
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


class Checks:
    """Checks of a finished audit: one that fails becomes a finding, not an error.

    A pickle of it holds the features.

    Parameters
    ----------
    case : Case

    Attributes
    ----------
    failed : list of Finding
    """

    def __init__(self, case):
        self._features = case.features
        self.failed = []

    def run(self, what, check, *args, default=None, **options):
        """What a check gives, or the default if it fails."""
        try:
            return check(*args, **options)
        except Exception as error:
            text = without_values(" ".join(str(error).split()), self._features)
            why = f"{type(error).__name__}: {text}" if text else type(error).__name__
            self.failed.append(not_checked(what, why))
            return default


def not_checked(what, why):
    """MIA020: a check failed after the attacks were run.

    Parameters
    ----------
    what : str
        What was to be checked.

    why : str
        The error, without values of records.
    """
    return Finding(
        "MIA020",
        "warning",
        "Not checked",
        f"Not checked: {what}. It failed with {why.rstrip('.')}.",
        "The other numbers stand; what this check would have found is not known.",
        {"check": what},
    )


def check_file_attack(unread, why=""):
    """MIA027: no attack on the file of the model, or on a part of it, was tried.

    Parameters
    ----------
    unread : list of str
        Classes of what was not read.

    why : str, default=""
        The error of the attack, if it failed.
    """
    reason = f"the one that was tried failed with {why.rstrip('.')}"
    if not why:
        names = " and ".join(unread)
        reason = f"no equation is known of what {names} stores, as it was trained"
    return Finding(
        "MIA027",
        "warning",
        "The file was not attacked as a whole",
        f"There is no attack on all of the file of the model: {reason}. What is said "
        "of someone who has the file rests on its other parts, if any, and on the "
        "answers of the model.",
        "Let others ask the model, and release='interface' for a verdict on that. "
        "Whoever has the file can tell at least as much.",
        {"failed": bool(why)},
    )


def check_stopped(attack):
    """MIA033: the equations of the file were not solved to the end.

    Parameters
    ----------
    attack : LinearReconstructionAttack, another attack or None
    """
    if not getattr(attack, "stopped_early_", False):
        return None
    return Finding(
        "MIA033",
        "warning",
        "The file was not read to the end",
        f"The solver of its equations was stopped after {attack.n_iter_} iterations, "
        "while more of them would have found more: histogram boosting on 5,000 records "
        "of Adult is read with a TPR of .77 at an FPR of .01 after 50 iterations, .90 "
        "after 100 and .96 after 200. What is said of someone who has the file is the "
        "least, and no limit is shown to be kept.",
        "Audit with effort='thorough' (--effort thorough), which goes on.",
        {"n_iterations": attack.n_iter_},
    )


def check_members_in_file(told, given, n_outside=0.0):
    """MIA028: the file tells of other training records than were given.

    Parameters
    ----------
    told : float or None
        Training records, as the file says.

    given : int
        Records of the members.

    n_outside : float, default=0.0
        Training records that are expected to be none of those given.
    """
    apart = told is not None and abs(told - given) > max(1.0, _FEW_MISSING * given)
    if n_outside:
        return Finding(
            "MIA028",
            "warning",
            "Training records that were not given",
            f"The file says that the model was trained on {told:.0f} records, and "
            f"{given} were given as those of members. What it stores fits only if some "
            f"{n_outside:.0f} of its training records are not among those given, or if "
            "it was trained in a way that is not known. Someone who has them "
            "would recognise more, so that the file is not shown to be safe.",
            "Pass every record that the model was trained on.",
            {"told": float(told), "given": given, "n_outside": float(n_outside)},
        )
    if not apart:
        return None
    more = told > given
    return Finding(
        "MIA028",
        "warning",
        "Another number of training records",
        f"The file says that the model was trained on {told:.0f} records, and "
        f"{given} were given as those of members."
        + (
            " Someone who has the others, too, would recognise more."
            if more
            else " The others were not trained on, or held out to stop training early: "
            "they are in no equation and look like non-members."
        ),
        "Pass every record that the model was trained on, and no other but those held "
        "out.",
        {"told": float(told), "given": given},
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


def check_reading(remarks):
    """MIA018: cells of a text file could have been read in another way."""
    if not remarks:
        return None
    more = len(remarks) - _MOST_REMARKS
    shown = "; ".join(remarks[:_MOST_REMARKS])
    return Finding(
        "MIA018",
        "note",
        "How cells were read",
        f"A text file has no types: {shown}"
        + (f"; and {more} columns more." if more > 0 else "."),
        "Check that this is how the model was trained, or pass Parquet, which keeps "
        "types.",
        {"n_columns": len(remarks)},
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
