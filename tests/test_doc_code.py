"""The code of the documentation runs, page by page, as a reader would run it."""

import json
import re
import tomllib

import pytest
from helpers.pages import PAGES, blocks_of, name_of, run_page

# Of these another test runs the code, and looks at what it defines.
RUN_ELSEWHERE = {"guide/write_an_attack"}
QUICK = [page for page in PAGES if name_of(page) not in RUN_ELSEWHERE]
SLOW = [page for page in PAGES if any("slow" in b.marks for b in blocks_of(page))]


def test_a_page_says_in_which_language_its_code_is():
    for page in PAGES:
        text, blocks = page.read_text("utf-8"), blocks_of(page)
        languages = {block.language for block in blocks}
        assert languages <= {"python", "bash", "text", "json", "toml", "yaml"}, page
        # No block is overlooked, and none is of another kind.
        assert len(blocks) == len(re.findall(r"\.\. code-block::", text)), page
        assert not re.search(r"^ *>>> |^ *\.\. (code|sourcecode)::", text, re.M), page
        assert not re.search(r"^[^.\n].*::$", text, re.MULTILINE), page


def test_what_is_no_program_is_well_formed():
    for page in PAGES:
        for block in blocks_of(page):
            if block.language == "json":
                json.loads(block.code)
            elif block.language == "toml":
                tomllib.loads(block.code)
            elif block.language == "yaml":
                pytest.importorskip("yaml").safe_load(block.code)
            elif block.language == "python" and block.reason:
                compile(block.code, page.name, "exec")


def run(page, folder, monkeypatch, **options):
    for package in ("pandas", "pyarrow", "jinja2", "matplotlib", "skops"):
        pytest.importorskip(package)
    monkeypatch.chdir(folder)
    return run_page(page, **options)


@pytest.mark.parametrize("page", QUICK, ids=name_of)
def test_the_code_of_a_page_runs(page, tmp_path, monkeypatch):
    run(page, tmp_path, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("page", SLOW, ids=name_of)
def test_the_code_of_a_page_that_takes_long_runs(page, tmp_path, monkeypatch):
    run(page, tmp_path, monkeypatch, slow=True)
