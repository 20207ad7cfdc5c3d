"""Pages of the documentation, and the code on them that a reader would copy."""

import contextlib
import doctest
import io
import re
import shlex
import textwrap
import warnings
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
DOC = ROOT / "doc"
_BLOCK = re.compile(
    r"^\.\. code-block:: (?P<language>\S+)\n"
    r"(?P<options>(?:   :.*\n)*)\n"
    r"(?P<code>(?:(?:   .*)?\n)+)",
    flags=re.MULTILINE,
)
_COMMAND = "python -m sklearn_mia "
_SAME = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Block(NamedTuple):
    """A block of code: its language, what it is marked with, and the code."""

    language: str
    marks: tuple
    code: str


def blocks_of(page):
    """The blocks of a page of reStructuredText, or of Markdown, in order."""
    text = page.read_text(encoding="utf-8")
    if page.suffix == ".md":
        found = re.findall(
            r"^```(\w+)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE
        )
        return [Block(language, (), code) for language, code in found]
    return [
        Block(
            found["language"],
            tuple(" ".join(re.findall(r":class: (.*)", found["options"])).split()),
            textwrap.dedent(found["code"]).strip("\n") + "\n",
        )
        for found in _BLOCK.finditer(text + "\n")
    ]


def run_page(page, *, slow=False, names=None):
    """Run the code of a page as a reader would, in the current folder.

    Blocks of Python share their names. A block marked "output" is what the blocks since
    the last one print; "exits-3" is how a command ends; "slow" blocks are run if asked
    for, "warns" may warn, and "not-run" needs what a test has not: it is only compiled.

    Parameters
    ----------
    page : Path

    slow : bool, default=False

    names : dict or None, default=None
        What the code finds defined.

    Returns
    -------
    names : dict
        What it defined.
    """
    names, printed, last = {} if names is None else names, io.StringIO(), None
    for block in blocks_of(page):
        if "slow" in block.marks and not slow:
            continue
        if block.language in ("python", "bash") and block.language != last:
            last, printed = block.language, io.StringIO()
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            if "warns" in block.marks:
                warnings.simplefilter("ignore")
            if block.language == "python":
                code = compile(block.code, page.name, "exec")
                if "not-run" not in block.marks:
                    exec(code, names)
            elif block.language == "bash":
                _run_commands(block)
        if "output" in block.marks:
            checker = doctest.OutputChecker()
            told = printed.getvalue()
            assert checker.check_output(block.code, told, _SAME), (
                f"{page.name} says\n{block.code}\nand is\n{told}"
            )
            printed = io.StringIO()
    return names


def _run_commands(block):
    """Run the commands of this package in a block for a terminal, and no others."""
    from sklearn_mia.__main__ import main

    expected = next((m for m in block.marks if m.startswith("exits-")), "exits-0")
    for line in block.code.replace("\\\n", " ").splitlines():
        if line.startswith(_COMMAND) and "not-run" not in block.marks:
            code = main(shlex.split(line, comments=True)[3:])
            assert f"exits-{code}" == expected, f"{line}\nended with {code}"
