"""Where a report comes from: files, command and notes."""

import hashlib
import shlex
from pathlib import Path

from sklearn_mia.auditing._options import notes_once


def provenance_of(files=None, command=None, notes=None):
    """What ties a report to what was audited.

    Parameters
    ----------
    files : dict or None, default=None
        Role mapped to a dict from :func:`file_facts`.

    command : str or None, default=None

    notes : dict or None, default=None
        The caller's fields.

    Returns
    -------
    provenance : dict
    """
    return {"files": files or {}, "command": command, "notes": notes or {}}


def provenance_told(arguments, **n_rows):
    """What ties the report of a command to its files.

    Parameters
    ----------
    arguments : Namespace
        With what was `given`.

    **n_rows : dict
        Name of the argument of each file mapped to its number of rows.

    Returns
    -------
    provenance : dict
    """
    if vars(arguments).get("baseline") is not None:
        n_rows |= {"baseline": None}
    paths = [value for value in vars(arguments).values() if isinstance(value, Path)]
    return provenance_of(
        files={
            role: file_facts(getattr(arguments, role), n_rows[role]) for role in n_rows
        },
        command=command_told(arguments.given, paths),
        notes=notes_once(arguments.note),
    )


def file_facts(path, n_rows=None):
    """Name, checksum, size and number of rows of a file.

    Parameters
    ----------
    path : Path

    n_rows : int or None, default=None

    Returns
    -------
    facts : dict
        Without checksum and size for a pipe or device, which cannot be read again.
    """
    facts = {"name": Path(path).name, "n_rows": n_rows, "sha256": None, "n_bytes": None}
    if Path(path).is_file():
        with open(path, "rb") as file:
            facts["sha256"] = hashlib.file_digest(file, "sha256").hexdigest()
            facts["n_bytes"] = file.tell()
    return facts


def command_told(given, paths):
    """A command line as it was given, of every path its last name alone.

    Parameters
    ----------
    given : list of str

    paths : iterable of Path

    Returns
    -------
    command : str
    """
    names = {str(path): path.name for path in paths}

    def told(word):
        option, equals, value = word.partition("=")
        if word.startswith("-") and equals:
            return f"{option}={told(value)}"
        if word.startswith("-o") and len(word) > len("-o"):
            return f"-o{told(word[len('-o') :])}"
        return names.get(str(Path(word)), word)

    return shlex.join(["python", "-m", "sklearn_mia", *map(told, given)])


def file_told(role, file):
    """One input file in a line: name, rows, size and checksum."""
    told = f"{role}: {file['name']}"
    if file["n_rows"] is not None:
        told += f", {file['n_rows']} rows"
    if file["sha256"] is not None:
        told += f", {file['n_bytes']} bytes, SHA-256 {file['sha256']}"
    return told
