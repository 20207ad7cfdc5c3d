"""A report in the words of forms: an output check, an impact assessment."""

import textwrap

from sklearn_mia.auditing._access import WHO
from sklearn_mia.auditing._evaluation import HEADLINE_FPR
from sklearn_mia.auditing._judging import (
    NOT_TRIED,
    NOT_WHOLE,
    parts_of,
    passes_by_access,
    shares_of_error,
)
from sklearn_mia.auditing._nouns import Nouns
from sklearn_mia.auditing._percent import percent, percent_interval, rate
from sklearn_mia.auditing._provenance import file_told
from sklearn_mia.auditing._quality import is_of_values
from sklearn_mia.auditing._service import queries_told
from sklearn_mia.auditing._slice_words import limit_in_words
from sklearn_mia.auditing._text import PASSES, sides_told, step_told
from sklearn_mia.auditing._verdict import DEFAULT_LIMITS

_MOST_OF_A_MODEL = 200
_KNOWS = {
    "interface": "Someone who can ask the model as often as they like and sees its "
    "answers, but not its file.",
    "file": "Someone who has the file of the model, and so can ask it, too.",
}
_NEVER_TESTED = (
    "Whether values of a person that somebody lacks can be guessed (attribute "
    "inference), or whole records rebuilt.",
    "Several models, or tables, released from the same data, taken together.",
    "What becomes known otherwise: code, logs, notebooks, files beside the model.",
    "Someone who could add records to the training data.",
    "Stronger attacks than these: no set of attacks proves that there is none. A proof "
    "needs differential privacy.",
)
_TO_BE_ADDED = (
    "Who made the audit, and who asked for it.",
    "Who set the limits, and why.",
    "What it would mean for a person that they are known to be in the data.",
    "Where the non-members come from, and whether the members given are all records "
    "that the model was trained on.",
    "The decision, who took it, and when.",
)
_PICKLES = (".joblib", ".pkl", ".pickle")
_OUTCOMES = {
    "kept": "kept",
    "exceeded": "exceeded",
    "undecided": "not decided",
    "unresolvable": "cannot be judged",
}


def appendix_of(content):
    """The report in the words that forms ask for.

    Parameters
    ----------
    content : dict
        Of a report.

    Returns
    -------
    appendix : dict
        Heading mapped to a list of sentences.
    """
    nouns = Nouns(**content["nouns"])
    return {
        "Object": _object(content),
        "Risk examined": [
            f"Membership disclosure: that someone who holds the records of a person "
            f"learns whether {_whose(nouns)} were in the training data of the model."
        ],
        "Access assumed": [_KNOWS[part["access"]] for part in parts_of(content)][::-1],
        "Knowledge assumed": _knowledge(content, nouns),
        "Attacks tried": [
            f"{attack['name']}: {attack['explanation']}".removesuffix(": ")
            for attack in content["attacks"]
        ],
        "Data": _data(content, nouns),
        "Result": _result(content, nouns),
        "Limits": _limits(content, nouns),
        "Certainty": _certainty(content, nouns),
        "Not tested": [*_left_open(content, nouns), *_NEVER_TESTED],
        "Measures": [step_told(step) for step in content["next_steps"]],
        "What this report holds": _holds(content, nouns),
        "To repeat it": _repeat(content),
        "To be added": list(_TO_BE_ADDED),
    }


def _whose(nouns):
    return "they" if nouns.one == "record" else f"those of this {nouns.one}"


def _object(content):
    files = [file_told(r, f) for r, f in content["provenance"]["files"].items()]
    described = textwrap.shorten(
        content["model"]["description"], _MOST_OF_A_MODEL, placeholder=" …"
    )
    told = [f"{content['model']['name']}: {described}", *files]
    model = content["provenance"]["files"].get("model")
    if model is not None and model["name"].lower().endswith(_PICKLES):
        told.append(
            "The file of the model is a pickle, which can run any code when it is "
            "loaded: whoever receives it has to trust its author."
        )
    return told


def _knowledge(content, nouns):
    label = "value to predict" if is_of_values(content["data"]) else "class label"
    told = [f"All features and the {label} of each candidate {nouns.one}."]
    if content["settings"].get("n_shadows") is not None:
        told.append(
            "How the model was trained, to train models like it on halves of the "
            "records given."
        )
    if content["stored"] is not None and content["stored"]["n_equations"]:
        told.append(
            "Of the file: all training records as candidates, with others among them."
        )
    return told


def _data(content, nouns):
    data = content["data"]
    told = [
        f"{sides_told(data, nouns)}; value to predict {data['label_column']}."
        if is_of_values(data)
        else f"{sides_told(data, nouns)}; class label {data['label_column']}, "
        f"{len(data['classes'])} classes."
    ]
    told += queries_told(content["model"]["queries"])
    if data["n_dropped"]:
        told.append(f"{data['n_dropped']} non-members that equal a member left out.")
    blind = content["blind"]
    if blind is None:
        told.append("Whether the two sides differ without the model was not checked.")
    else:
        told.append(
            "Without the model the two sides are told apart with an AUC of "
            f"{blind['auc']:.3f} ({blind['low']:.3f} to {blind['high']:.3f})."
        )
    return told


def _result(content, nouns):
    passing, told = passes_by_access(content), []
    for part in reversed(parts_of(content)):
        headline = part["headline"]
        auc, found = headline["auc"], headline["rate"]
        text = f"{WHO[part['access']]}: {part['verdict']['title']} "
        text += PASSES[passing[part["access"]]]
        text += f" Strongest attack {headline['attack']}, AUC {auc['estimate']:.3f}"
        if auc["low"] is not None:
            text += f" ({auc['low']:.3f} to {auc['high']:.3f})"
        if found["resolvable"]:
            text += (
                f"; it recognises {percent_interval(found['tpr'])} of the "
                f"{nouns.members} at {rate(HEADLINE_FPR)} false alarms"
            )
        told.append(f"{text}.")
        exposed = part["exposed"]
        if exposed is not None:
            told.append(
                f"Someone who holds their records, and as many of {nouns.nonmembers}, "
                f"can pick out {exposed['n_named']} {nouns.members} with no more than "
                f"{rate(exposed['max_fdr'])} of those picked wrong."
                if exposed["n_named"]
                else f"Nobody can be picked out with no more than "
                f"{rate(exposed['max_fdr'])} of those picked wrong."
            )
    return told


def _limits(content, nouns):
    if not content["limits"]:
        return ["None was set."]
    told = []
    if {row["limit"]: row["value"] for row in content["limits"]} == DEFAULT_LIMITS:
        told.append(
            "The default limits of the library, which are conventions: nobody set "
            "others."
        )
    for part in reversed(parts_of(content)):
        who = WHO[part["access"]]
        told += [
            f"{who}: {limit_in_words(row, nouns)}: {_OUTCOMES[row['outcome']]}."
            for row in part["limits"]
        ]
        n_above = sum(row["outcome"] == "exceeded" for row in part["slices"])
        if n_above:
            told.append(f"{who}: exceeded in {n_above} groups of records.")
    return told


def _certainty(content, nouns):
    budget = content["settings"]["confidence"]
    parts = ", ".join(
        f"{rate(round(share, 6))} for {name}"
        for name, share in shares_of_error(budget).items()
    )
    power = content["power"]
    seen = (
        f"With probability {power['power']:g} or more, a leak that raises the AUC to "
        f"{power['auc']:.3f} would have been found"
    )
    if power["exposed_share"] is not None:
        seen += (
            f", or one that fully exposes {percent(power['exposed_share'])} of the "
            f"{nouns.members}"
        )
    return [
        "What is stated of a leak is wrong in no more than "
        f"{rate(round(1 - budget, 6))} of audits: {parts}.",
        f"{seen}.",
    ]


def _left_open(content, nouns):
    """What this audit, unlike another one, did not test."""
    told = []
    accesses = [part["access"] for part in parts_of(content)]
    if "file" not in accesses:
        told.append("What the file of the model tells, beyond its answers.")
    if "interface" not in accesses:
        told.append("What can be told by asking the model alone, by itself.")
    for part in parts_of(content):
        if not part["tested"]:
            told.append(f"{WHO[part['access']]}: {NOT_WHOLE}")
        told += [
            f"{WHO[part['access']]}: the limit of {limit_in_words(row, nouns)}, since "
            f"{row['note']}."
            for row in part["limits"]
            if row["outcome"] == "unresolvable"
        ]
    codes = {finding["code"] for finding in content["findings"]}
    told += [NOT_TRIED[code] for code in NOT_TRIED if code in codes]
    rows = content["slices"]
    n_small = sum(r["auc"] is None or r["outcome"] == "cannot_tell" for r in rows)
    if n_small:
        told.append(
            f"{n_small} of {len(rows)} groups of records are too small to tell."
        )
    of_classes = not is_of_values(content["data"])
    if (
        of_classes
        and "interface" in accesses
        and not any(
            "LabelOnly" in attack["description"] for attack in content["attacks"]
        )
    ):
        told.append(
            "Someone who is given labels alone, and compares them with those of models "
            "trained like it or asks about changed copies of a record "
            "(LabelOnlyAttack)."
        )
    if content["data"]["unit"] == "record":
        told.append(
            "Persons with several records: each record counts by itself here, and all "
            "records of a person together tell more."
        )
    if content["stored"] is not None and not content["stored"]["held"]:
        told.append("Someone who has the file and only a part of the training records.")
    return told


def _holds(content, nouns):
    counts = [min(r["n_members"], r["n_nonmembers"]) for r in content["slices"]]
    told = [
        "Counts, rates and curves over all, and of groups of records; no row of one "
        f"{nouns.one}, and no id. Its JSON file has ids only under --name-records."
    ]
    if counts:
        told.append(
            f"The smallest number of {nouns.many} told of a group is {min(counts)}."
        )
    if content["provenance"]["files"]:
        told.append(
            "Names and checksums of the files: who has a copy of one can tell that it "
            "is the same."
        )
    return told


def _repeat(content):
    versions = content["versions"]
    told = []
    if content["provenance"]["command"]:
        told.append(content["provenance"]["command"])
    told.append(
        f"Seed {content['settings']['seed']}; sklearn_mia {versions['sklearn_mia']}, "
        f"scikit-learn {versions['scikit-learn']}, numpy {versions['numpy']}; "
        f"{content['created']}."
    )
    told += [f"{k}: {v}" for k, v in content["provenance"]["notes"].items()]
    return told
