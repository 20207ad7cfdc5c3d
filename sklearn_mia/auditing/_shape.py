"""What the file of a report holds: keys and types, and where a file departs."""

import json
from collections.abc import Callable
from dataclasses import fields
from typing import NamedTuple

from sklearn_mia.auditing._access import ACCESSES
from sklearn_mia.auditing._findings import SEVERITIES, Finding
from sklearn_mia.auditing._html import KINDS
from sklearn_mia.auditing._judging import CHANGES, COMPARED, OUTCOMES
from sklearn_mia.auditing._nouns import Nouns
from sklearn_mia.auditing._verdict import LEVELS

# Far from where sums, percentages and axes overflow.
_LARGEST = 1e150
_MOST_SHOWN = 40


class Kind(NamedTuple):
    """A single value, or anything that one test tells."""

    words: str
    holds: Callable


class Maybe(NamedTuple):
    """A shape, or null."""

    shape: object


class Ruled(NamedTuple):
    """A shape, and how its parts may disagree: faults, each with a test against it."""

    shape: object
    rules: dict


def _is_number(value):
    return type(value) in (int, float) and -_LARGEST < value < _LARGEST


def _one_of(*values):
    return Kind("one of " + ", ".join(map(repr, values)), lambda v: v in values)


ANY = Kind("anything", lambda v: True)
TEXT = Kind("text", lambda v: isinstance(v, str))
FLAG = Kind("true or false", lambda v: isinstance(v, bool))
NUMBER = Kind("a number", _is_number)
SHARE = Kind("a number from 0 to 1", lambda v: _is_number(v) and 0 <= v <= 1)
COUNT = Kind("a whole number from 0", lambda v: type(v) is int and 0 <= v < _LARGEST)
LIST = Kind("a list", lambda v: isinstance(v, list))
MAPPING = Kind("a mapping", lambda v: isinstance(v, dict))


def _same_length(*names):
    return lambda v: len({len(v[name]) for name in names}) == 1


_SIDES = {"n_members": COUNT, "n_nonmembers": COUNT}

_INTERVAL = Ruled(
    {
        "estimate": NUMBER,
        "low": Maybe(NUMBER),
        "high": Maybe(NUMBER),
        "confidence": SHARE,
        "method": TEXT,
        "note": TEXT,
    },
    {"one end is null": lambda v: (v["low"] is None) == (v["high"] is None)},
)

_PROPORTION = Ruled(
    _INTERVAL.shape | {"estimate": SHARE, "low": Maybe(SHARE), "high": Maybe(SHARE)},
    _INTERVAL.rules
    | {"the ends are exchanged": lambda v: v["low"] is None or v["low"] <= v["high"]},
)

_RATE = {
    "max_fpr": SHARE,
    "resolvable": FLAG,
    "tied": FLAG,
    "next_fpr": SHARE,
    "next_tpr": SHARE,
    "least": Maybe(SHARE),
    "most": Maybe(SHARE),
    "by_lot": Maybe(_PROPORTION),
    "tpr": _PROPORTION,
    "n_found": COUNT,
    "n_false_alarms": COUNT,
    "fpr": _PROPORTION,
}

_ROC = Ruled(
    {
        "fpr": [SHARE],
        "tpr": [SHARE],
        "band_fpr": [SHARE],
        "band_low": [SHARE],
        "band_high": [SHARE],
    },
    {
        "the curve has no point": lambda v: bool(v["fpr"]),
        "fpr and tpr differ in length": _same_length("fpr", "tpr"),
        "the band differs in length": _same_length("band_fpr", "band_low", "band_high"),
    },
)

_DISTRIBUTION = Ruled(
    {"edges": [NUMBER], "members": [SHARE], "nonmembers": [SHARE]},
    {
        "members and nonmembers differ in length": _same_length(
            "members", "nonmembers"
        ),
        "edges is not one longer than members": lambda v: (
            len(v["edges"]) == len(v["members"]) + 1
        ),
        "edges do not rise": lambda v: v["edges"][0] < v["edges"][-1],
    },
)

_ATTACK = {
    "name": TEXT,
    "description": TEXT,
    "note": TEXT,
    **_SIDES,
    "p_corrected": SHARE,
    "auc": _PROPORTION,
    "advantage": _INTERVAL,
    "tpr_at_fpr": [_RATE | {"ppv": Maybe(SHARE)}],
    "epsilon": {"low": NUMBER, "statement": TEXT},
    "roc": _ROC,
    "distribution": _DISTRIBUTION,
    "of_records": Maybe(
        {
            **_SIDES,
            "auc": _PROPORTION,
            "tpr_at_fpr": [{"max_fpr": SHARE, "tpr": Maybe(SHARE)}],
        }
    ),
}

_LIMIT = {
    "limit": TEXT,
    "value": SHARE,
    "attack": Maybe(TEXT),
    "interval": Maybe(_INTERVAL),
    "outcome": _one_of(*OUTCOMES),
    "times": Maybe(NUMBER),
    "note": TEXT,
}

_SLICE = Ruled(
    {
        "slice": TEXT,
        "value": TEXT,
        **_SIDES,
        "attack": Maybe(TEXT),
        "auc": Maybe(_PROPORTION),
        "p_corrected": Maybe(SHARE),
        "reversed": Maybe({"attack": TEXT, "auc": _PROPORTION}),
        "limits": [_LIMIT],
        "difference": Maybe(
            {
                "difference": Maybe(NUMBER),
                "low": Maybe(NUMBER),
                "high": Maybe(NUMBER),
                "p_corrected": Maybe(SHARE),
                "detectable": Maybe(SHARE),
                "note": TEXT,
            }
        ),
        "outcome": Maybe(_one_of(*OUTCOMES)),
        "note": TEXT,
    },
    {
        "auc without p_corrected": lambda v: (
            v["auc"] is None or v["p_corrected"] is not None
        )
    },
)

# What is said of an attacker who holds one thing, and what is beside it.
_PART = {
    "access": _one_of(*ACCESSES),
    "tested": FLAG,
    "verdict": Ruled(
        {
            "level": _one_of(*LEVELS),
            "title": TEXT,
            "sentences": [TEXT],
            "kinds": [_one_of(*KINDS)],
        },
        {"sentences and kinds differ in length": _same_length("sentences", "kinds")},
    ),
    "headline": {
        "attack": TEXT,
        "n_attacks": COUNT,
        "n_nonmembers": COUNT,
        "auc": _PROPORTION,
        "rate": _RATE,
    },
    "limits": [_LIMIT],
    "slices": [_SLICE],
    "exposed": Maybe(
        {
            "attack": TEXT,
            "n_named": COUNT,
            "n_false_alarms": COUNT,
            "false_discoveries": SHARE,
            "fewest": COUNT,
            "max_fdr": SHARE,
            "prior": SHARE,
            "note": TEXT,
        }
    ),
}

_STORED = {
    "n_equations": COUNT,
    "per_member": NUMBER,
    "ceiling": Maybe(SHARE),
    "n_members": Maybe(NUMBER),
    "equations": [
        {"step": TEXT, "kind": TEXT, "n_equations": COUNT, "noise": Maybe(NUMBER)}
    ],
    "structure": [{"name": TEXT, "value": NUMBER, "is_risk": FLAG, "text": TEXT}],
    "refit": Maybe(TEXT),
    "stripped": Maybe({"auc": _PROPORTION, "rate": _RATE}),
    "rounded": Maybe(
        [
            {
                "decimals": COUNT,
                "largest_change": SHARE,
                "accuracy": SHARE,
                "accuracy_before": SHARE,
                "auc": _PROPORTION,
                "rate": _RATE,
            }
        ]
    ),
    "held": Maybe([{"share": SHARE, **_SIDES, "auc": _PROPORTION, "rate": _RATE}]),
}

_BASELINE = {
    "outcome": _one_of(*COMPARED),
    "title": TEXT,
    "sentences": [TEXT],
    "model": TEXT,
    "created": TEXT,
    "paired": FLAG,
    "n_joined": COUNT,
    "confidence": SHARE,
    "changes": [
        {
            "attack": TEXT,
            "metric": TEXT,
            "now": Maybe(SHARE),
            "then": Maybe(SHARE),
            "difference": Maybe(_INTERVAL),
            "outcome": _one_of(*CHANGES),
            "note": TEXT,
        }
    ],
}

_FINDING = Ruled(
    {f.name: TEXT for f in fields(Finding)}
    | {"severity": _one_of(*SEVERITIES), "numbers": MAPPING},
    {
        "there is another key": lambda v: set(v) == {f.name for f in fields(Finding)},
    },
)

_TOP_RECORDS = Ruled(
    [{"risk": Maybe(SHARE), "risk_rank": COUNT}],
    {
        "a row names no one": lambda v: all({"id", "key"} & set(r) for r in v),
        "the rows differ in their keys": lambda v: len({frozenset(r) for r in v}) < 2,
        "a percentile is no number from 0 to 1": lambda v: all(
            value is None or SHARE.holds(value)
            for row in v
            for name, value in row.items()
            if name.startswith("percentile_")
        ),
    },
)


def _table(*names):
    return Ruled(
        dict.fromkeys(names, LIST),
        {
            "a column is no list": lambda v: all(map(LIST.holds, v.values())),
            "the columns differ in length": lambda v: _same_length(*v)(v),
        },
    )


_RECORDS = _table("id", "member", "class", "risk", "risk_rank")
_GROUPS = _table("key", "member", "n_records", "risk", "risk_rank")


def _has_scores(table):
    """Whether a table of single records or groups has the scores of all attacks."""

    def holds(content):
        names = {f"score_{attack['name']}" for attack in content["attacks"]}
        return content[table] is None or names <= set(content[table])

    return holds


_CONTENT = {
    "schema": TEXT,
    "schema_version": COUNT,
    "created": TEXT,
    "versions": {"sklearn_mia": TEXT, "scikit-learn": TEXT, "numpy": TEXT},
    "model": {"name": TEXT, "description": TEXT},
    "sources": MAPPING,
    "data": {
        "unit": _one_of("record", "group"),
        **_SIDES,
        "n_mixed": COUNT,
        "n_member_records": COUNT,
        "n_nonmember_records": COUNT,
        "label_column": ANY,
        "classes": [TEXT],
        "accuracy_members": Maybe(SHARE),
        "accuracy_nonmembers": Maybe(SHARE),
        "n_dropped": COUNT,
    },
    "nouns": Ruled(
        dict.fromkeys(Nouns._fields, TEXT),
        {"there is another key": lambda v: set(v) == set(Nouns._fields)},
    ),
    "settings": {"confidence": SHARE, "prior": SHARE, "seed": COUNT},
    **_PART,
    "beside": Maybe(_PART),
    "stored": Maybe(_STORED),
    "attacks": Ruled([_ATTACK], {"there is no attack": bool}),
    "correction": {
        "method": TEXT,
        "p_value": SHARE,
        "p_reversed": SHARE,
        "confidence": SHARE,
        "slice_confidence": SHARE,
        "difference_confidence": SHARE,
        "n_permutations": COUNT,
        "n_statistics": COUNT,
    },
    "power": {"power": SHARE, "auc": NUMBER, "exposed_share": Maybe(NUMBER)},
    "blind": Maybe({"learner": TEXT, "auc": NUMBER, "low": NUMBER, "high": NUMBER}),
    "sizes": Maybe(
        [
            {
                "n_records": TEXT,
                **_SIDES,
                "tpr": Maybe(_PROPORTION),
                "fpr": Maybe(_PROPORTION),
            }
        ]
    ),
    "findings": [_FINDING],
    "top_records": Maybe(_TOP_RECORDS),
    "baseline": Maybe(_BASELINE),
    "records": Maybe(_RECORDS),
    "groups": Maybe(_GROUPS),
}

REPORT = Ruled(
    _CONTENT,
    {
        f"scores of an attack are missing from {table}": _has_scores(table)
        for table in ("records", "groups")
    },
)


def fault(value, shape=REPORT, place=""):
    """Tell the first place where a tree of plain values departs from a shape.

    Parameters
    ----------
    value : object
        As read from JSON.

    shape : Kind, Maybe, Ruled, dict or list, default=REPORT
        A dict names the keys that a mapping must have; a list of one shape stands for
        any number of values of it.

    place : str, default=""
        Where the value stands.

    Returns
    -------
    fault : str or None
        What is missing or wrong, without a value of a record; None if nothing is.
    """
    rules, or_null = {}, ""
    if isinstance(shape, Maybe):
        if value is None:
            return None
        shape, or_null = shape.shape, " or null"
    if isinstance(shape, Ruled):
        shape, rules = shape
    kind = {dict: MAPPING, list: LIST}.get(type(shape), shape)
    if not kind.holds(value):
        return f"{place} is {_shown(value, place)}; expected {kind.words}{or_null}"
    parts = ()
    if isinstance(shape, list):
        parts = ((v, shape[0], f"{place}[{i}]") for i, v in enumerate(value))
    elif isinstance(shape, dict):
        inside = {name: f"{place}.{name}".lstrip(".") for name in shape}
        missing = [inside[name] for name in shape if name not in value]
        if missing:
            return f"{missing[0]} is missing"
        parts = ((value[name], shape[name], inside[name]) for name in shape)
    found = next((f for part in parts if (f := fault(*part)) is not None), None)
    broken = (f"{place}: {rule}" for rule, holds in rules.items() if not holds(value))
    return found or next(broken, None)


def _shown(value, place):
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str) and place.startswith(
        ("records", "groups", "top_records")
    ):
        return "text"
    text = json.dumps(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 3]}..."
