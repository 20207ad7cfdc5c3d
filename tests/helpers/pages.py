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
WRITTEN = {"api", "auto_examples", "_build", "_templates", "peers.rst"}
WRITTEN |= {"sg_execution_times.rst"}
PAGES = sorted(
    path for path in DOC.rglob("*.rst") if path.relative_to(DOC).parts[0] not in WRITTEN
)
# ".. not run: reason" stands before a block that needs what a test has not.
_BLOCK = re.compile(
    r"^(?P<indent> *)(?:\.\. not run: (?P<reason>.+)\n\n(?P=indent))?"
    r"\.\. code-block:: *(?P<language>\S*)\n"
    r"(?P<options>(?:(?P=indent) +:.*\n)*)\n+"
    r"(?P<code>(?:(?P=indent) {2,}.*\n|\s*\n)+)",
    flags=re.MULTILINE,
)
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
_COMMAND, _INSTALLS = "python -m sklearn_mia ", "python -m pip install "
_SAME = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Block(NamedTuple):
    """A block of code: its language, its classes, the code, and why it is not run."""

    language: str
    marks: tuple
    code: str
    reason: str | None = None


def name_of(page):
    """Name of a page inside the documentation."""
    return page.relative_to(DOC).with_suffix("").as_posix()


def blocks_of(page):
    """The blocks of a page of reStructuredText, or of Markdown, in order."""
    text = page.read_text(encoding="utf-8") + "\n"
    if page.suffix == ".md":
        return [Block(language, (), code) for language, code in _FENCE.findall(text)]
    return [
        Block(
            found["language"],
            tuple(" ".join(re.findall(r":class: (.*)", found["options"])).split()),
            textwrap.dedent(found["code"]).strip("\n") + "\n",
            found["reason"],
        )
        for found in _BLOCK.finditer(text)
    ]


def run_page(page, *, slow=False, names=None):
    """Run the code of a page as a reader would, in the current folder.

    Blocks of Python share their names. A block of the class "output" is what the blocks
    since the last one print, and "exits-3" is how the commands of a block end. Blocks
    of the class "slow" are run if asked for, and no other needs them; "warns" may warn.

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
    names.setdefault("__name__", "__main__")
    for block in blocks_of(page):
        if block.reason or ("slow" in block.marks and not slow):
            continue
        if block.language in ("python", "bash") and block.language != last:
            last, printed = block.language, io.StringIO()
        with contextlib.redirect_stdout(printed), warnings.catch_warnings():
            if "warns" in block.marks:
                warnings.simplefilter("ignore")
            if block.language == "python":
                exec(compile(block.code, page.name, "exec"), names)
            elif block.language == "bash":
                _run_commands(block)
        if "output" in block.marks:
            told = printed.getvalue()
            assert doctest.OutputChecker().check_output(block.code, told, _SAME), (
                f"{page.name} says\n{block.code}\nand is\n{told}"
            )
            printed = io.StringIO()
    return names


def _run_commands(block):
    """Run commands of this package; what is installed before them is there already."""
    from sklearn_mia.__main__ import main

    expected = next((m for m in block.marks if m.startswith("exits-")), "exits-0")
    for line in block.code.replace("\\\n", " ").splitlines():
        if line and not line.startswith(_INSTALLS):
            assert line.startswith(_COMMAND), f"cannot be run here: {line}"
            code = main(shlex.split(line, comments=True)[3:])
            assert f"exits-{code}" == expected, f"{line}\nended with {code}"
