"""Reports of the first schema, read as those of today."""

from sklearn_mia.auditing._judging import (
    either_way,
    outcome_of,
    outcomes_of,
    together,
)
from sklearn_mia.auditing._nouns import RECORDS


def from_version_1(content):
    """Turn a report of schema version 1 into one of version 2.

    Numbers stay as they were. The level and the outcomes of the limits follow from the
    intervals, as they do today: version 1 called a limit kept if the estimate was. Its
    rates below half of what was asked for may be hidden by tied scores, and are not
    resolvable.

    Parameters
    ----------
    content : dict
        As read from JSON; changed in place as far as it has the keys.

    Returns
    -------
    content : dict
    """
    data = content["data"]
    data |= {"unit": "record", "n_mixed": 0, "kind": None}
    data |= {"r2_members": None, "r2_nonmembers": None}
    data |= {f"n_{s}_records": data[f"n_{s}s"] for s in ("member", "nonmember")}
    content |= {
        "nouns": RECORDS._asdict(),
        "sizes": None,
        "exposed": None,
        "access": "interface",
        "tested": True,
        "beside": None,
        "stored": None,
        "risky_settings": [],
        "labels_only": None,
        "next_steps": [],
        "provenance": {
            "files": {
                role: dict.fromkeys(("sha256", "n_bytes", "n_rows")) | {"name": name}
                for role, name in content["sources"].items()
            },
            "command": None,
            "notes": {},
        },
    }
    content.setdefault("baseline", None)
    content["model"].setdefault("family", content["model"]["name"])
    content["model"]["queries"] = None
    for attack in content["attacks"]:
        attack |= {"of_records": None, "explanation": ""}
        for row in attack["tpr_at_fpr"]:
            _upgrade_rate(row)
    headline, correction = content["headline"], content["correction"]
    _upgrade_rate(headline["rate"])
    headline["n_nonmembers"] = content["data"]["n_nonmembers"]
    confidence = content["settings"]["confidence"]
    correction |= {
        "p_reversed": 1.0,
        "confidence": confidence,
        "slice_confidence": confidence,
        "difference_confidence": confidence,
    }
    for row in content["slices"]:
        row |= dict.fromkeys(("reversed", "difference", "outcome"))
        row["limits"] = []
    for row in content["limits"]:
        interval = row["interval"]
        row |= {"times": None, "note": row.get("note", "")}
        if interval is not None:
            if row["limit"] == "auc":
                interval = either_way(interval)
            row["outcome"] = outcome_of(interval["low"], interval["high"], row["value"])
    verdict = content["verdict"]
    if verdict["level"] in ("above_limits", "below_limits"):
        verdict["level"] = {
            "exceeded": "above_limits",
            "undecided": "at_limits",
            "kept": "within_limits",
        }[together(outcomes_of(content["limits"]))]
    tables = {name: content.pop(name, None) for name in ("records", "groups")}
    return {
        "schema": content["schema"],
        "schema_version": 2,
        "report": content,
        **tables,
    }


def _upgrade_rate(row):
    fpr, tpr = row["fpr"]["estimate"], row["tpr"]["estimate"]
    tied = row["resolvable"] and fpr < row["max_fpr"] / 2
    row |= {"tied": tied, "next_fpr": fpr, "next_tpr": tpr}
    row |= dict.fromkeys(("least", "most", "by_lot"))
    row["resolvable"] = row["resolvable"] and not tied
