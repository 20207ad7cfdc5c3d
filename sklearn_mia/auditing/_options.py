"""Options of the command line: as its parser reads them, and what some stand for."""

import argparse
import os
import re
import sys
from pathlib import Path

from sklearn_mia.auditing._nouns import check_group_name

# The largest that scikit-learn takes.
_LARGEST_SEED = 2**32 - 1


def limit(text):
    """Read a limit: ``tpr=0.05@fpr=0.01`` or ``auc=0.6``.

    Parameters
    ----------
    text : str

    Returns
    -------
    key, value : str, float
        As `limits` of :func:`sklearn_mia.audit` takes them.
    """
    match = re.fullmatch(r"(?:auc=(\S+)|tpr=(\S+)@fpr=(\S+))", text.strip())
    if match is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a limit; expected tpr=0.05@fpr=0.01 or auc=0.6"
        )
    given = [part for part in match.groups() if part is not None]
    rates = [_rate(part) for part in given]
    if not all(0 < rate < 1 for rate in rates):
        shown = [f"{rate / 100:g}" for rate in rates]
        meant = all(1 <= rate < 100 for rate in rates)
        words = "auc={}" if len(given) == 1 else "tpr={}@fpr={}"
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a limit; expected fractions between 0 and 1, such as "
            "tpr=0.05@fpr=0.01 or auc=0.6, or percent with the sign, tpr=5%@fpr=1%"
            + (f". Did you mean {words.format(*shown)}?" if meant else "")
        )
    if len(rates) == 1:
        return "auc", rates[0]
    return f"tpr@fpr={rates[1]:g}", rates[0]


def limits_once(given, option):
    """Limits by their names, each at most once.

    Parameters
    ----------
    given : list of (str, float)
        From :func:`limit`.

    option : str
        For the error.

    Returns
    -------
    limits : dict
    """
    return _once(given, f"{option} has %s more than once. Pass the one that counts.")


def notes_once(given):
    """Notes by their keys, each at most once.

    Parameters
    ----------
    given : list of (str, str)
        From :func:`note`.

    Returns
    -------
    notes : dict
    """
    quoted = [(repr(key), value) for key, value in given]
    _once(quoted, "--note gives %s twice. Give each field one value.")
    return dict(given)


def _once(given, message):
    """Pairs by their names; the message tells one that is there again."""
    names = [name for name, _ in given]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(message % name)
    return dict(given)


def _rate(text):
    """A fraction, also of percent with the sign; -1 for what is none."""
    number = text.strip()
    try:
        return float(number[:-1]) / 100 if number.endswith("%") else float(number)
    except ValueError:
        return -1.0


def fraction(text):
    """Read a rate: a fraction such as 0.01, or percent with the sign, as 1%.

    Parameters
    ----------
    text : str

    Returns
    -------
    value : float
    """
    value = _rate(text)
    if not 0 < value < 1:
        meant = f". Did you mean {value / 100:g}?" if 1 <= value < 100 else ""
        raise argparse.ArgumentTypeError(
            f"{text!r} is not a rate; expected a fraction between 0 and 1, such as "
            f"0.01, or the same in percent with its sign, 1%{meant}"
        )
    return value


def _positive(text, what):
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not {what} above 0")
    return value


def seconds(text):
    """Read a time limit.

    Parameters
    ----------
    text : str

    Returns
    -------
    value : float
    """
    return _positive(text, "a number of seconds")


def seed(text):
    """Read a seed.

    Parameters
    ----------
    text : str

    Returns
    -------
    value : int
    """
    try:
        value = int(text)
    except ValueError:
        value = -1
    if not 0 <= value <= _LARGEST_SEED:
        raise argparse.ArgumentTypeError(
            f"{text!r} is not an integer from 0 to {_LARGEST_SEED}"
        )
    return value


def folder(text):
    """Read the path of a folder.

    Parameters
    ----------
    text : str

    Returns
    -------
    path : Path
    """
    if not text:
        raise argparse.ArgumentTypeError(
            "'' is no folder; expected the path of one, . for the current one"
        )
    return Path(os.path.expanduser(text))


def gibibytes(text):
    """Read a size in GiB.

    Parameters
    ----------
    text : str

    Returns
    -------
    value : int
        In bytes.
    """
    return int(_positive(text, "a number of GiB") * 2**30)


def words(text):
    """Read what a group is called: one word, or one and many as child/children.

    Parameters
    ----------
    text : str

    Returns
    -------
    name : tuple of str
        As `group_name` of :func:`sklearn_mia.audit`.
    """
    try:
        return check_group_name(tuple(text.split("/")))
    except ValueError as error:
        what = "looks like several" if "several" in str(error) else "is no word"
        raise argparse.ArgumentTypeError(
            f"{text!r} {what}; expected one such as patient, or with its plural, "
            "child/children"
        ) from None


def note(text):
    """Read a field of the caller's own.

    Parameters
    ----------
    text : str

    Returns
    -------
    key, value : str
    """
    key, equals, value = text.partition("=")
    if not (key.strip() and equals and value.strip()):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no note; expected KEY=VALUE, such as project=heart"
        )
    return key.strip(), value.strip()


def options_given(arguments):
    """Each option with what it was given, as an error shows it.

    Parameters
    ----------
    arguments : Namespace
        With all that was given in `given`, and its names in `options`.

    Returns
    -------
    texts : list of str
    """
    given = arguments.given
    texts = [
        " ".join(option.split("=", 1) if "=" in option else (option, value))
        for option, value in zip(given, [*given[1:], ""], strict=True)
        if option.startswith("--")
    ]
    for name in sorted(arguments.options):
        value = getattr(arguments, name, None)
        for one in value if isinstance(value, list) else [value]:
            option = f"--{name.replace('_', '-')}"
            texts += [f"{option} {one}", f"{option} {one!r}"]
    return texts


def shows_progress(arguments):
    """Tell whether progress is shown: if it is asked for, or on a terminal.

    Parameters
    ----------
    arguments : Namespace

    Returns
    -------
    shows : bool
    """
    wanted = getattr(arguments, "progress", False)
    if wanted is None:
        return sys.stderr is not None and sys.stderr.isatty()
    return wanted


def interrupted(arguments):
    """What to say when the command line was stopped.

    Parameters
    ----------
    arguments : Namespace

    Returns
    -------
    text : str
    """
    if not hasattr(arguments, "memory"):
        return "interrupted"
    if arguments.memory is None:
        return "interrupted; with --memory FOLDER the same command could go on later"
    return "interrupted; the same command goes on where it stopped"
