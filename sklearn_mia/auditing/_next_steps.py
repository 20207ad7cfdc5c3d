"""What can be done about what an audit found."""

from sklearn_mia.auditing._judging import (
    FEWEST_TO_BE_CLOSE,
    MOST_TIMES,
    NOT_WHOLE,
    ONLY_PREDICTIONS,
    parts_of,
    passes_by_access,
)
from sklearn_mia.auditing._nouns import Nouns
from sklearn_mia.auditing._percent import percent, times_as_many
from sklearn_mia.auditing._quality import is_of_values
from sklearn_mia.auditing._stored import without_refit_told
from sklearn_mia.risk._measured import answers_told, more_records_told

_MOST_SETTINGS = 4
_GROUP_AT_RISK = "MIA022"
_OF_ANSWERS = "MIA013"
# By how much more often a model is right on its own records, from where it overfits.
_OVERFITS = 0.1


def next_steps(content):
    """What can be done now, the nearest first.

    Parameters
    ----------
    content : dict
        Of a report.

    Returns
    -------
    steps : list of dict
        "access", the one that a step is for or None for all; "text"; and "measured",
        what the step changed where it was measured, or None.
    """
    passing = passes_by_access(content)
    if content["verdict"]["level"] == "not_interpretable":
        return _make_readable(content)
    if all(word == "yes" for word in passing.values()):
        return [
            _step(
                "Keep this report with the model. Audit again after every training, "
                "with other records too, and before others get another access to it."
            )
        ]
    steps = [*_narrow_the_access(content, passing), *_decide(content, passing)]
    if _is_to_be_lowered(content, passing):
        steps += _lower(content, passing)
    return [
        *steps,
        _step("After any change audit again: a defence that is not measured is none."),
    ]


def _step(text, measured=None, access=None):
    return {"access": access, "text": text, "measured": measured}


def _make_readable(content):
    critical = [f for f in content["findings"] if f["severity"] == "critical"]
    return [
        *(_step(f"{f['code']}: {f['advice']}") for f in critical),
        _step("Audit again. Until then this report is no ground for a release."),
    ]


def _narrow_the_access(content, passing):
    if passing.get("interface") == "yes" and passing.get("file", "yes") != "yes":
        yield _step(
            "Let others ask the model, and keep its file: asked, it passes; handed "
            "over as a file, it does not.",
            _asked_in_place(content),
        )
    elif "no" in passing.values():
        yield _step("Do not release the model as it is.")


def _decide(content, passing):
    """What would turn an open question into an answer."""
    if "not shown" not in passing.values():
        return
    nouns = Nouns(**content["nouns"])
    codes = {finding["code"] for finding in content["findings"]}
    if ONLY_PREDICTIONS in codes:
        yield _step(
            "Audit the model itself: stronger attacks need to ask it and to train "
            "models like it, so that predictions can fail a model but not clear it."
        )
    open_parts = [p for p in parts_of(content) if passing[p["access"]] == "not shown"]
    rows = [row for part in open_parts for row in part["limits"]]
    times = [row["times"] for row in rows if row["times"] is not None]
    if times:
        yield _step(
            f"Audit with about {times_as_many(max(times))} times as many {nouns.many} "
            "on both sides: that would decide, if it gives the same values."
        )
    is_close = any(r["outcome"] == "undecided" and r["times"] is None for r in rows)
    if is_close and (n := _fewest(content)) < FEWEST_TO_BE_CLOSE:
        yield _step(
            f"Audit with many more {nouns.many} on both sides: with {n!r} on a side "
            "nothing tells how close a value is to its limit."
        )
    elif is_close:
        yield _step(
            f"More {nouns.many} would not decide where a value is so close to its "
            f"limit, since it takes more than {MOST_TIMES} times as many: make the "
            "model tell less, or take the upper end of the interval for what it tells."
        )
    unseen = {row["note"] for row in rows if row["outcome"] == "unresolvable"}
    for note in sorted(unseen - {""}):
        yield _step(
            f"Audit with more {nouns.nonmembers}, or a model whose answers tie less: "
            f"{note}."
        )
    if any(not part["tested"] for part in open_parts):
        yield _step(
            f"Do not hand over the file on this report: {NOT_WHOLE}", access="file"
        )
    if not (times or unseen or is_close) and ONLY_PREDICTIONS not in codes:
        yield _step(
            f"Audit with more {nouns.many} on both sides, in the groups that could "
            "not be told, too."
        )


def _fewest(content):
    return min(content["data"][f"n_{side}"] for side in ("members", "nonmembers"))


def _is_to_be_lowered(content, passing):
    levels = {part["verdict"]["level"] for part in parts_of(content)}
    return "no" in passing.values() or "at_limits" in levels


def _lower(content, passing):
    """Ways to make the model tell less, the cheapest first."""
    nouns, family = Nouns(**content["nouns"]), content["model"]["family"]
    says_more = not (is_of_values(content["data"]) or _answers_with_labels(content))
    if says_more and passing.get("interface", "yes") != "yes":
        yield _step(
            "Answer with labels alone, CoarsenedClassifier(FrozenEstimator(model), "
            "label_only=True).fit(X, y), which trains nothing; probabilities that are "
            "rounded (decimals=1) hide less. It is of no use where the file is handed "
            "over, which has the whole model inside.",
            _less_detail(content, family),
            "interface",
        )
    if passing.get("file", "yes") != "yes":
        yield from _less_in_the_file(content, passing, nouns)
    accuracy = [content["data"][f"accuracy_{s}"] for s in ("members", "nonmembers")]
    if None not in accuracy and accuracy[0] - accuracy[1] >= _OVERFITS:
        yield _step(
            "Choose its settings by cross-validation: it is right on "
            f"{percent(accuracy[0])} of the records that it was trained on and on "
            f"{percent(accuracy[1])} of others. What it learned beyond these is of use "
            "to an attacker alone."
        )
    for risky in _risky(content):
        yield _step(
            f"Train otherwise than with {risky['setting']}: {risky['text']}. Try: "
            f"{risky['instead']}.",
            _otherwise(risky, content, passing),
        )
    if _GROUP_AT_RISK in {finding["code"] for finding in content["findings"]}:
        yield _step(
            f"Look at the group with a risk of its own ({_GROUP_AT_RISK}): with more "
            "of its records in the training data each of them counts for less, and a "
            "value that few have can be merged with others."
        )
    helps, measured = more_records_told(family)
    if helps:
        yield _step(
            f"Train on more {nouns.many}: each may then count for less.", measured
        )
    has = "linear regression" if is_of_values(content["data"]) else "such models"
    yield _step(
        "For a promise instead of a measurement, train with differential privacy (the "
        f"package diffprivlib has {has}): it bounds what any attack can tell, at a "
        "price in accuracy to be measured."
    )


def _answers_with_labels(content):
    """Whether the model was asked for labels alone already."""
    return any(
        f["code"] == _OF_ANSWERS and f["numbers"]["response"] == "predict"
        for f in content["findings"]
    )


def _otherwise(risky, content, passing):
    """What another setting changed: for the answers and, if it fails, for the file."""
    told, stored = [risky["measured"]], content["stored"]
    is_of_model = risky["setting"].startswith(content["model"]["family"])
    if is_of_model and stored is not None and passing.get("file", "yes") != "yes":
        told.append(stored["refit"])
    return " ".join(filter(None, told)) or None


def _less_in_the_file(content, passing, nouns):
    stored = content["stored"]
    if stored is None or not stored["n_equations"]:
        return
    decimals, in_unit = 1, ""
    if is_of_values(content["data"]):
        in_unit = ", with decimals in the unit of the values to predict"
        decimals = "decimals"
        if stored["rounded"]:
            decimals, in_unit = stored["rounded"][-1]["decimals"], ""
    if stored["held"] is None and stored["is_of_trees"]:
        yield _step(
            "Try on the file what needs no training, strip_counts(model) and "
            f"round_values(model, {decimals}){in_unit}: effort='thorough' (--effort "
            "thorough) measures both.",
            access="file",
        )
    elif without_refit_told(content, nouns):
        yield _step(
            "Hand over the file with less in it, by strip_counts(model) or "
            f"round_values(model, {decimals}): what that is worth stands under what "
            "the file stores.",
            access="file",
        )
    elif passing.get("interface") != "yes":
        why = (
            "without the counts of its nodes and with rounded leaves the file was not "
            "shown to tell less"
            if stored["is_of_trees"]
            else "no way is known to take out of the file what tells of training "
            "records and to keep the answers"
        )
        yield _step(
            f"Let others ask the model in place of its file: {why}.",
            _asked_in_place(content),
            "file",
        )
    own = (r["setting"].startswith(content["model"]["family"]) for r in _risky(content))
    if stored["refit"] and not any(own):
        yield _step(
            "Train it so that its file tells less: fewer trees, fewer and larger "
            "leaves, or a part of the records for each tree.",
            stored["refit"],
            "file",
        )


def _risky(content):
    return content["risky_settings"][:_MOST_SETTINGS]


def _asked_in_place(content):
    """What is found by asking in place of reading the file, None if not measured."""
    aucs = {
        part["access"]: part["headline"]["auc"]["estimate"]
        for part in parts_of(content)
        if part["headline"]
    }
    if not {"file", "interface"} <= aucs.keys():
        return None
    return (
        "Measured here: who asks has an AUC of "
        f"{aucs['interface']:.3f}, who has the file {aucs['file']:.3f}."
    )


def _less_detail(content, family):
    told, auc = [], content["labels_only"]
    if auc is not None:
        asked = next(p for p in parts_of(content) if p["access"] == "interface")
        text = (
            "Measured here: who learns no more than whether the model is right has an "
            f"AUC of {auc['estimate']:.3f}"
        )
        if auc["low"] is not None:
            text += f" ({auc['low']:.3f} to {auc['high']:.3f})"
        text += f", in place of {asked['headline']['auc']['estimate']:.3f}"
        limit = next((r["value"] for r in asked["limits"] if r["limit"] == "auc"), None)
        if limit is not None and auc["low"] is not None and auc["low"] > limit:
            text += f", and is still above the limit of {limit:g}"
        told.append(
            f"{text}. Who compares these labels with those of models trained like it, "
            "or asks about changed copies of a record, finds more: audit the wrapped "
            "model to know how much. Rates and groups of records were not looked at."
        )
    told.append(answers_told(family))
    return " ".join(filter(None, told)) or None
