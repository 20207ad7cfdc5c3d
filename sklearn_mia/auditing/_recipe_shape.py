"""What the file of a report on a training procedure holds."""

from sklearn_mia._choices import ADJACENCIES, VARIED
from sklearn_mia.auditing._access import ACCESSES
from sklearn_mia.auditing._shape import (
    COUNT,
    MAPPING,
    NOUNS,
    NUMBER,
    PROPORTION,
    PROVENANCE,
    SHARE,
    SIDES,
    TEXT,
    VERSIONS,
    Maybe,
    Ruled,
    one_of,
    table_of,
)

# Equal values of all models have a mean, and no interval.
_OVER_MODELS = Ruled(
    {"mean": Maybe(SHARE), "low": Maybe(SHARE), "high": Maybe(SHARE), "note": TEXT},
    {
        "the ends are not null together": lambda v: (
            (v["low"] is None) == (v["high"] is None)
        ),
        "there are ends without a mean": lambda v: (
            v["mean"] is not None or v["low"] is None
        ),
        "there is no interval, and no note that says why": lambda v: (
            v["low"] is not None or bool(v["note"])
        ),
    },
)


def _are_null_together(values):
    return len({value is None for value in values}) == 1


def _metrics_of(content):
    """Metrics of each attack in a report on a procedure, in order."""
    return ["auc", *(f"tpr@fpr={fpr:g}" for fpr in content["fprs"])]


def _names_of(content):
    return {attack["name"] for attack in content["attacks"]}


def _has_each_row(content):
    """Whether the summary has each attack once, with all metrics in order."""
    found = {}
    for row in content["summary"]:
        found.setdefault(row["attack"], []).append(row["metric"])
    return found == dict.fromkeys(_names_of(content), _metrics_of(content))


def _has_each_metric(part):
    """Whether all models have all metrics of each attack, as single numbers."""

    def holds(content):
        tables = [t[part] for t in content["targets"] if t[part] is not None]
        rows = [row for table in tables for row in table.values()]
        return (
            all(set(table) == _names_of(content) for table in tables)
            and all(isinstance(row, dict) for row in rows)
            and all(list(row) == _metrics_of(content) for row in rows)
            and all(v is None or SHARE.holds(v) for row in rows for v in row.values())
            and all(row["auc"] is not None for row in rows)
        )

    return holds


def _by_record_if_grouped(content):
    parts = [*content["summary"], *content["targets"]]
    grouped = content["unit"] == "group"
    return all((part["of_records"] is not None) == grouped for part in parts)


_CANARIES = Ruled(
    {
        "n_included": COUNT,
        "attack": TEXT,
        "n_rehearsals": COUNT,
        "rehearsals": [{"attack": TEXT, "epsilon": NUMBER, "auc": SHARE}],
        "auc": PROPORTION,
        "epsilon": NUMBER,
        "ceiling": NUMBER,
        "delta": SHARE,
        "method": TEXT,
        "statement": TEXT,
        "claim": Maybe(NUMBER),
        "adjacency": one_of(*ADJACENCIES),
        "table": table_of("kind", "included", "score"),
    },
    {
        "n_included is not the number of those included": lambda v: (
            v["n_included"] == sum(map(bool, v["table"]["included"]))
        ),
    },
)

_SAME_RECORDS = {
    "attack": TEXT,
    "fpr": SHARE,
    "stability": Ruled(
        {
            "spearman": Maybe(NUMBER),
            "least": Maybe(NUMBER),
            "top": Maybe(SHARE),
            "n_top": Maybe(COUNT),
        },
        {"some of it is null, and not all": lambda v: _are_null_together(v.values())},
    ),
    "shares": Maybe(
        Ruled(
            {"mean": SHARE, "every": Maybe(SHARE), "any": Maybe(SHARE), "n": COUNT},
            {
                "every and any are null for some, or not null for none": lambda v: (
                    (v["every"] is None) == (v["any"] is None) == (v["n"] == 0)
                )
            },
        )
    ),
    "n_equal": COUNT,
    "calibrated": Maybe(
        [
            Ruled(
                _OVER_MODELS.shape | {"attack": TEXT, "metric": TEXT},
                _OVER_MODELS.rules,
            )
        ]
    ),
    "together": Maybe([{"attack": TEXT, "auc": PROPORTION}]),
}


def _is_of_one_kind(content):
    """Whether it is about canaries, or about models one by one, and not both."""
    parts = [bool(content[name]) for name in ("summary", "targets")]
    is_of_models = content["canaries"] is None
    return parts == [is_of_models] * 2 and (
        is_of_models or content["same_records"] is None
    )


def _over_seeds_if_so(content):
    same = content["same_records"]
    if same is None:
        return content["vary"] == "data"
    return (same["together"] is None) == (content["vary"] == "data")


RECIPE = Ruled(
    {
        "schema": TEXT,
        "schema_version": COUNT,
        "created": TEXT,
        "versions": VERSIONS,
        "name": TEXT,
        "recipe": TEXT,
        "n_targets": COUNT,
        "confidence": SHARE,
        "fprs": [SHARE],
        "seed": COUNT,
        "unit": one_of("record", "group"),
        "nouns": NOUNS,
        "n_records": COUNT,
        "attacks": [{"name": TEXT, "description": TEXT, "access": one_of(*ACCESSES)}],
        "summary": [
            Ruled(
                _OVER_MODELS.shape
                | {"attack": TEXT, "metric": TEXT, "of_records": Maybe(_OVER_MODELS)},
                _OVER_MODELS.rules
                | {
                    "the AUC is null": lambda v: (
                        v["metric"] != "auc" or v["mean"] is not None
                    )
                },
            )
        ],
        "targets": [
            {
                "accuracy_members": Maybe(SHARE),
                "accuracy_nonmembers": Maybe(SHARE),
                **SIDES,
                "attacks": MAPPING,
                "of_records": Maybe(MAPPING),
            }
        ],
        "vary": one_of(*VARIED),
        "same_records": Maybe(_SAME_RECORDS),
        "canaries": Maybe(_CANARIES),
        "provenance": PROVENANCE,
        "remarks": [TEXT],
    },
    {
        "there is neither a model nor a canary, or there are both": _is_of_one_kind,
        "what is over seeds does not go with vary": _over_seeds_if_so,
        "there is no attack": lambda v: bool(v["attacks"]),
        "there are fewer than two models": lambda v: (
            v["canaries"] is not None or len(v["targets"]) > 1
        ),
        "n_targets is not the number of targets": lambda v: (
            v["n_targets"] == len(v["targets"])
        ),
        "confidence is 0 or 1": lambda v: 0 < v["confidence"] < 1,
        "fprs is empty": lambda v: bool(v["fprs"]),
        "summary lacks an attack or metric": lambda v: (
            v["canaries"] is not None or _has_each_row(v)
        ),
        "a model lacks a metric of an attack": _has_each_metric("attacks"),
        "a model lacks a metric by record": _has_each_metric("of_records"),
        "what is by record does not go with unit": _by_record_if_grouped,
    },
)
