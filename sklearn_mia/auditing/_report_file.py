"""The file of a report: a tree of plain values, written as JSON and read back."""

import datetime
import json
import math
import reprlib
from pathlib import Path

import numpy as np

from sklearn_mia.auditing._migration import from_version_1
from sklearn_mia.auditing._shape import fault

SCHEMA = "sklearn_mia.audit"
SCHEMA_VERSION = 2

_EXPECTED = "expected a file written by AuditReport.to_json."


def plain(value):
    """A value as JSON knows it: numbers plain, keys text, NaN and infinity None."""
    if isinstance(value, dict):
        return {_plain_key(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value.tolist()]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return str(value)


def _plain_key(key):
    return key if isinstance(key, str) else str(plain(key))


def as_json(tree):
    """A tree of plain values as strict JSON, lists of plain values on one line."""
    text = json.dumps(tree, allow_nan=False, indent=1, ensure_ascii=False)
    return _compact_lists(text)


def _compact_lists(text):
    """Put lists of plain values on one line."""
    lines, held = [], None
    for line in text.split("\n"):
        stripped = line.strip()
        if held is None:
            if line.endswith("["):
                held = [line]
            else:
                lines.append(line)
            continue
        if stripped.endswith(("[", "{")):
            lines += held
            held = [line] if stripped.endswith("[") else None
            if held is None:
                lines.append(line)
        elif stripped in ("]", "],"):
            lines.append(held[0] + "".join(v.strip() for v in held[1:]) + stripped)
            held = None
        else:
            held.append(line)
    return "\n".join(lines + (held or []))


def read_tree(source):
    """What the file of a report holds, checked.

    Parameters
    ----------
    source : str or Path
        A file, or its text.

    Returns
    -------
    tree : dict
        "report", "records" and "groups", as a file of today has them.

    Raises
    ------
    TypeError, ValueError
        If it is no report, one of a newer schema, or one in which something is missing
        or wrong, and what that is.
    """
    if not isinstance(source, (str, Path)):
        raise TypeError(
            f"source is a {type(source).__name__}; expected the file of a report, "
            "or its text."
        )
    is_text = isinstance(source, str) and (
        not source.strip() or source.lstrip()[0] in "{[" or "\n" in source
    )
    name = "The text" if is_text else repr(str(source))
    try:
        content = _parsed(source if is_text else Path(source).read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is not JSON: {error}; {_EXPECTED}") from None
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise ValueError(
            f"{name} has the schema {reprlib.repr(schema)}, not {SCHEMA!r}; {_EXPECTED}"
        )
    version = content.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ValueError(
            f"{name} has schema version {version!r}; this package reads up to "
            f"{SCHEMA_VERSION}. Update sklearn-mia."
        )
    if version == 1:
        content = _upgraded(content)
    wrong = fault(content)
    if wrong is not None:
        raise ValueError(f"{name} is damaged: {wrong}; {_EXPECTED}")
    return content


def _upgraded(content):
    try:
        return from_version_1(content)
    except (KeyError, TypeError, AttributeError):
        # What is missing or wrong is told by the check of the shape.
        return content


def _parsed(data):
    """Tree of plain values, from strict JSON, that can be written again."""
    text = data if isinstance(data, str) else data.decode("utf-8")
    content = plain(json.loads(text, parse_constant=_refuse_constant))
    if "\\u" in text:
        # Half of a surrogate pair can be read, but not written.
        json.dumps(content, ensure_ascii=False).encode("utf-8")
    return content


def _refuse_constant(name):
    raise ValueError(f"{name} is not strict JSON; expected null")


def as_column(values):
    """An array of one column of a table as read from JSON."""
    kinds = set(map(type, values))
    if type(None) in kinds and kinds <= {type(None), bool, int, float}:
        return np.array([np.nan if v is None else v for v in values])
    if len(kinds) == 1 and kinds <= {bool, int, float}:
        return np.array(values)
    return np.fromiter(values, dtype=object, count=len(values))
