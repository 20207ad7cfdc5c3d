"""Errors in the words of the command line: files and options, not parameters."""

import re
from contextlib import contextmanager

_OPTIONS = (
    (r"^target_estimator\b", "The model"),
    (r"target_estimator", "the model"),
    (r"Pass what it answers to audit_predictions", "Pass its answers by --predictions"),
    (r"\b([Tt])he target\b", r"\1he model"),
    (r"\bPass shadow_estimator\b", "In Python, pass shadow_estimator"),
    (r"\bresponse_method='(\w+)'", r"--response-method \1"),
    (r"drop_shared=True(, or --drop-shared)?", "--drop-shared"),
    (
        r"^The 'n_shadows' parameter of \w+ must be an int in the range "
        r"\[(\d+), inf\)\. Got (\S+) instead\.",
        r"--n-shadows \2 is too few; expected \1 or more.",
    ),
    (r"\bn_(shadows|targets)=", r"--n-\1 "),
    (r"\bn_targets\b", "--n-targets"),
    (r"\b(adjacency|vary)='(\w+)'", r"--\1 \2"),
    (r"\b(canaries|epsilon|delta)=", r"--\1 "),
    (r"\bPass a smaller n, or another kind\.", "Pass a smaller --canaries."),
    (
        r"^n_jobs == 0 in Parallel has no meaning$",
        "--n-jobs 0 has no meaning; expected 1 or more, or -1 for all cores.",
    ),
    (
        r"^timeout=(\S+), but with n_jobs=.*",
        r"--timeout \1 needs worker processes, which can be stopped: pass --n-jobs 2 "
        "or more, or leave --timeout out.",
    ),
    (r"than timeout=(\S+) seconds", r"than --timeout \1"),
    (r"Pass a longer timeout\b", "Pass a longer --timeout"),
    (r"a smaller n_jobs\b", "a smaller --n-jobs"),
    (r" With memory= the shadows trained so far are found again\.", ""),
    (r"a file written by AuditReport\.to_json", "a report that --json wrote"),
    (r"\blabel_column\b", "--label"),
    (r"^groups has\b", "The column of --group has"),
    (r"\bat position (\d+)", lambda m: f"is record {int(m[1]) + 1}, members first"),
    (r"blanks, gaps or coding", "blanks, gaps (see --na-values) or coding"),
)


def in_options(text):
    """An error in the words of the command line: options, not parameters.

    Parameters
    ----------
    text : str

    Returns
    -------
    text : str
    """
    for pattern, word in _OPTIONS:
        text = re.sub(pattern, word, text)
    return text


@contextmanager
def words_of_options(*paths):
    """Let errors speak of files and options, not of parameters.

    Parameters
    ----------
    *paths : Path
        The tables of members and of non-members, or one table.
    """
    sides = ("",) if len(paths) == 1 else ("_train", "_test")
    try:
        yield
    except (TypeError, ValueError) as error:
        text = in_options(str(error))
        for side, path in zip(sides, paths, strict=True):
            text = re.sub(rf"\b[Xy]{side}\b", lambda _, path=path: str(path), text)
        if text == str(error):
            raise
        raise ValueError(text) from error
