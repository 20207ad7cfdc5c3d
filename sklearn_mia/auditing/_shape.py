"""What the file of a report holds: keys and types, and where a file departs."""

import json
from collections.abc import Callable
from dataclasses import fields
from typing import NamedTuple

from sklearn_mia.auditing._access import ACCESSES
from sklearn_mia.auditing._findings import SEVERITIES, Finding
from sklearn_mia.auditing._html import KINDS
from sklearn_mia.auditing._json import expected
from sklearn_mia.auditing._judging import CHANGES, COMPARED, OUTCOMES
from sklearn_mia.auditing._nouns import Nouns
from sklearn_mia.auditing._verdict import LEVELS, check_limits

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


class Each(NamedTuple):
    """A mapping of any keys, and the shape of its values."""

    shape: object


class Ruled(NamedTuple):
    """A shape, and how its parts may disagree: faults, each with a test against it."""

    shape: object
    rules: dict


def _is_number(value):
    return type(value) in (int, float) and -_LARGEST < value < _LARGEST


def _is_limit(value):
    try:
        return isinstance(value, str) and bool(check_limits({value: 0.5}))
    except ValueError:
        return False


def one_of(*values):
    return Kind("one of " + ", ".join(map(repr, values)), lambda v: v in values)


ANY = Kind("anything", lambda v: True)
TEXT = Kind("text", lambda v: isinstance(v, str))
FLAG = Kind("true or false", lambda v: isinstance(v, bool))
NUMBER = Kind("a number", _is_number)
SHARE = Kind("a number from 0 to 1", lambda v: _is_number(v) and 0 <= v <= 1)
WHOLE = Kind("a whole number", lambda v: type(v) is int and abs(v) < _LARGEST)
COUNT = Kind("a whole number from 0", lambda v: type(v) is int and 0 <= v < _LARGEST)
LIST = Kind("a list", lambda v: isinstance(v, list))
MAPPING = Kind("a mapping", lambda v: isinstance(v, dict))


def _same_length(*names):
    return lambda v: len({len(v[name]) for name in names}) == 1


VERSIONS = {"sklearn_mia": TEXT, "scikit-learn": TEXT, "numpy": TEXT}

NOUNS = Ruled(
    dict.fromkeys(Nouns._fields, TEXT),
    {"there is another key": lambda v: set(v) == set(Nouns._fields)},
)

SIDES = {"n_members": COUNT, "n_nonmembers": COUNT}

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

PROPORTION = Ruled(
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
    "by_lot": Maybe(PROPORTION),
    "tpr": PROPORTION,
    "n_found": COUNT,
    "n_false_alarms": COUNT,
    "fpr": PROPORTION,
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
    "explanation": TEXT,
    "note": TEXT,
    **SIDES,
    "p_corrected": SHARE,
    "auc": PROPORTION,
    "advantage": _INTERVAL,
    "tpr_at_fpr": [_RATE | {"ppv": Maybe(SHARE)}],
    "epsilon": {"low": NUMBER, "statement": TEXT},
    "roc": _ROC,
    "distribution": _DISTRIBUTION,
    "of_records": Maybe(
        {
            **SIDES,
            "auc": PROPORTION,
            "tpr_at_fpr": [{"max_fpr": SHARE, "tpr": Maybe(SHARE)}],
        }
    ),
}

_LIMIT = {
    "limit": Kind("'auc' or 'tpr@fpr=<fraction>'", _is_limit),
    "value": SHARE,
    "attack": Maybe(TEXT),
    "interval": Maybe(_INTERVAL),
    "outcome": one_of(*OUTCOMES),
    "times": Maybe(NUMBER),
    "note": TEXT,
}

_OF_DIFFERENCE = ("difference", "low", "high", "p_corrected", "detectable")

_DIFFERENCE = Ruled(
    {
        "difference": Maybe(NUMBER),
        "low": Maybe(NUMBER),
        "high": Maybe(NUMBER),
        "p_corrected": Maybe(SHARE),
        "detectable": Maybe(SHARE),
        "note": TEXT,
    },
    {
        "some of its numbers are null": lambda v: (
            len({v[name] is None for name in _OF_DIFFERENCE}) == 1
        )
    },
)

_SLICE = Ruled(
    {
        "slice": TEXT,
        "value": TEXT,
        **SIDES,
        "attack": Maybe(TEXT),
        "auc": Maybe(PROPORTION),
        "p_corrected": Maybe(SHARE),
        "reversed": Maybe({"attack": TEXT, "auc": PROPORTION}),
        "limits": [_LIMIT],
        "difference": Maybe(_DIFFERENCE),
        "outcome": Maybe(one_of(*OUTCOMES)),
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
    "access": one_of(*ACCESSES),
    "tested": FLAG,
    "verdict": Ruled(
        {
            "level": one_of(*LEVELS),
            "title": TEXT,
            "sentences": [TEXT],
            "kinds": [one_of(*KINDS)],
        },
        {"sentences and kinds differ in length": _same_length("sentences", "kinds")},
    ),
    "headline": {
        "attack": TEXT,
        "n_attacks": COUNT,
        "n_nonmembers": COUNT,
        "auc": PROPORTION,
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
    "is_of_trees": FLAG,
    "per_member": NUMBER,
    "ceiling": Maybe(SHARE),
    "n_members": Maybe(NUMBER),
    "equations": [
        {"step": TEXT, "kind": TEXT, "n_equations": COUNT, "noise": Maybe(NUMBER)}
    ],
    "structure": [{"name": TEXT, "value": NUMBER, "is_risk": FLAG, "text": TEXT}],
    "refit": Maybe(TEXT),
    "stripped": Maybe({"auc": PROPORTION, "rate": _RATE}),
    "rounded": Maybe(
        [
            {
                "decimals": WHOLE,
                "largest_change": NUMBER,
                "accuracy": Maybe(SHARE),
                "accuracy_before": Maybe(SHARE),
                "r2": Maybe(NUMBER),
                "r2_before": Maybe(NUMBER),
                "auc": PROPORTION,
                "rate": _RATE,
            }
        ]
    ),
    "held": Maybe([{"share": SHARE, **SIDES, "auc": PROPORTION, "rate": _RATE}]),
}

_BASELINE = {
    "outcome": one_of(*COMPARED),
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
            "outcome": one_of(*CHANGES),
            "note": TEXT,
        }
    ],
}

_OF_FINDING = {f.name for f in fields(Finding)}
_FINDING = Ruled(
    dict.fromkeys(_OF_FINDING, TEXT)
    | {"severity": one_of(*SEVERITIES), "numbers": MAPPING},
    {
        "there is another key": lambda v: set(v) - {"url"} == _OF_FINDING,
    },
)
_TEXTS_OF_MODEL = dict.fromkeys(("name", "family", "description"), TEXT)
_COUNTED = ("n_queries", "n_unasked", "n_members_unasked", "n_nonmembers_unasked")
_QUERIES = {**dict.fromkeys(_COUNTED, COUNT), "max_queries": Maybe(COUNT)}
FILE = {
    "name": TEXT,
    "sha256": Maybe(TEXT),
    "n_bytes": Maybe(COUNT),
    "n_rows": Maybe(COUNT),
}


PROVENANCE = {"files": Each(FILE), "command": Maybe(TEXT), "notes": Each(TEXT)}


def table_of(*names):
    return Ruled(
        dict.fromkeys(names, LIST),
        {
            "a column is no list": lambda v: all(map(LIST.holds, v.values())),
            "the columns differ in length": lambda v: _same_length(*v)(v),
        },
    )


_RECORDS = table_of("id", "member", "risk", "risk_rank")
_GROUPS = table_of("key", "member", "n_records", "risk", "risk_rank")


def _has_scores(table):
    """Whether a table of single records or groups has the scores of all attacks."""

    def holds(content):
        names = {f"score_{row['name']}" for row in content["report"]["attacks"]}
        return content[table] is None or names <= set(content[table])

    return holds


_CONTENT = {
    "created": TEXT,
    "versions": VERSIONS,
    "model": {**_TEXTS_OF_MODEL, "queries": Maybe(_QUERIES)},
    "provenance": PROVENANCE,
    "data": {
        "unit": one_of("record", "group"),
        **SIDES,
        "n_mixed": COUNT,
        "n_member_records": COUNT,
        "n_nonmember_records": COUNT,
        "kind": Maybe(TEXT),
        "label_column": ANY,
        "classes": [TEXT],
        "accuracy_members": Maybe(SHARE),
        "accuracy_nonmembers": Maybe(SHARE),
        "r2_members": Maybe(NUMBER),
        "r2_nonmembers": Maybe(NUMBER),
        "n_dropped": COUNT,
    },
    "nouns": NOUNS,
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
                **SIDES,
                "tpr": Maybe(PROPORTION),
                "fpr": Maybe(PROPORTION),
            }
        ]
    ),
    "findings": [_FINDING],
    "risky_settings": [
        {"setting": TEXT, "text": TEXT, "instead": TEXT, "measured": Maybe(TEXT)}
    ],
    "labels_only": Maybe(PROPORTION),
    "next_steps": [
        {"access": Maybe(one_of(*ACCESSES)), "text": TEXT, "measured": Maybe(TEXT)}
    ],
    "baseline": Maybe(_BASELINE),
}

REPORT = Ruled(
    {
        "schema": TEXT,
        "schema_version": COUNT,
        "report": _CONTENT,
        "records": Maybe(_RECORDS),
        "groups": Maybe(_GROUPS),
    },
    {
        f"scores of an attack are missing from {table}": _has_scores(table)
        for table in ("records", "groups")
    },
)


def check_shape(name, content, writer, shape=REPORT):
    """Raise an error for a file of a report that departs from its shape.

    Parameters
    ----------
    name : str
        The file, for the message.

    content : dict
        As read from JSON.

    writer : str
        Name of the class that writes such files.

    shape : Ruled, default=REPORT
    """
    wrong = fault(content, shape)
    if wrong is not None:
        raise ValueError(f"{name} is damaged: {wrong}; {expected(writer)}")


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
    if isinstance(shape, Each) and isinstance(value, dict):
        shape = dict.fromkeys(value, shape.shape)
    kind = {dict: MAPPING, list: LIST, Each: MAPPING}.get(type(shape), shape)
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
    if isinstance(value, str) and place.startswith(("records", "groups")):
        return "text"
    text = json.dumps(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[: _MOST_SHOWN - 3]}..."
