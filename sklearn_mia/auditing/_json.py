"""The files of reports: strict JSON of plain values, with a schema and its version."""

import datetime
import json
import math
import reprlib
from pathlib import Path

import numpy as np

from sklearn_mia.memory import package_versions

THE_TEXT = "The text"


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


def made_now():
    """When a report is made, and with which packages."""
    return {
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": package_versions(),
    }


def text_of(content):
    """A tree of plain values as strict JSON, lists of plain values on one line."""
    text = json.dumps(content, allow_nan=False, indent=1, ensure_ascii=False)
    return _compact_lists(text)


def expected(writer):
    """What the reader of a report expects, for the end of a message."""
    return f"expected a file written by {writer}.to_json."


def read_content(source, schema, newest, writer):
    """Read a tree of plain values back.

    Parameters
    ----------
    source : str or Path
        A file, or its text.

    schema : str

    newest : int
        Version of the schema up to which it can be read.

    writer : str
        Name of the class that writes such files.

    Returns
    -------
    name : str
        The file, for a message.

    content : dict
        Of that schema; nothing else of it is checked.

    Raises
    ------
    TypeError, ValueError
        If it is something else.
    """
    if not isinstance(source, (str, Path)):
        raise TypeError(
            f"source is a {type(source).__name__}; expected the file of a report, "
            "or its text."
        )
    is_text = isinstance(source, str) and (
        not source.strip() or source.lstrip()[0] in "{[" or "\n" in source
    )
    name = THE_TEXT if is_text else repr(str(source))
    try:
        content = _parsed(source if is_text else Path(source).read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{name} is not JSON: {error}; {expected(writer)}") from None
    found = content.get("schema") if isinstance(content, dict) else None
    if found != schema:
        raise ValueError(
            f"{name} has the schema {reprlib.repr(found)}, not {schema!r}; "
            f"{expected(writer)}"
        )
    version = content.get("schema_version")
    if isinstance(version, int) and version > newest:
        raise ValueError(
            f"{name} has schema version {version!r}; this package reads up to "
            f"{newest}. Update sklearn-mia."
        )
    return name, content


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
