"""The code of the documentation runs, page by page, as a reader would run it."""

import json
import os
import re
import subprocess
import sys
import textwrap
import tomllib
from pathlib import Path

import pytest

DOC = Path(__file__).parents[1] / "doc"
WRITTEN = {"api", "auto_examples", "_build", "_templates"}
PAGES = sorted(
    path for path in DOC.rglob("*.rst") if path.relative_to(DOC).parts[0] not in WRITTEN
)
# ".. not run: reason" stands before a block that needs what a test has not.
BLOCK = re.compile(
    r"^(?P<indent> *)(?:\.\. not run: (?P<reason>.+)\n\n(?P=indent))?"
    r"\.\. code-block:: *(?P<language>\S*)\n"
    r"(?:(?P=indent) +:.*\n)*\n+"
    r"(?P<code>(?:(?P=indent) {2,}.*\n|\s*\n)+)",
    flags=re.MULTILINE,
)


def blocks_of(text):
    """Language, code, and why it is not run, of each block of a page."""
    return [
        (found["language"], textwrap.dedent(found["code"]).strip(), found["reason"])
        for found in BLOCK.finditer(text + "\n")
    ]


def name_of(path):
    return path.relative_to(DOC).with_suffix("").as_posix()


def run_in_shell(code):
    """Run commands as in a terminal; what is installed by them is there already."""
    lines = [line.removeprefix("$ ") for line in code.splitlines()]
    if all(line.startswith("python -m pip install") for line in lines):
        return
    lines = [line for line in lines if not line.startswith("python -m pip install")]
    place = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    }
    done = subprocess.run(
        ["bash", "-c", "\n".join(lines)],
        env=os.environ | place,
        capture_output=True,
        text=True,
        check=False,
    )
    # 3 and 4 are verdicts: above a limit, or not shown to be below.
    assert done.returncode in (0, 3, 4), done.stdout + done.stderr


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_a_page_says_in_which_language_its_code_is(path):
    text = path.read_text("utf-8")
    languages = {language for language, _, _ in blocks_of(text)}
    assert languages <= {"python", "bash", "text", "json", "toml", "yaml"}
    # No block is overlooked, and none is of another kind.
    assert len(blocks_of(text)) == len(re.findall(r"\.\. code-block::", text))
    assert not re.search(r"^ *>>> |^ *\.\. (code|sourcecode)::", text, re.MULTILINE)
    assert not re.search(r"^[^.\n].*::$", text, re.MULTILINE), "name the language"


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_what_is_no_program_is_well_formed(path):
    for language, code, _ in blocks_of(path.read_text("utf-8")):
        if language == "json":
            json.loads(code)
        elif language == "toml":
            tomllib.loads(code)
        elif language == "yaml":
            pytest.importorskip("yaml").safe_load(code)


@pytest.mark.slow
@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_the_code_of_a_page_runs(path, small_examples, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for language, code, reason in blocks_of(path.read_text("utf-8")):
        if reason:
            continue
        if language == "python":
            exec(compile(code, f"{name_of(path)}.rst", "exec"), names)
        elif language == "bash":
            run_in_shell(code)
