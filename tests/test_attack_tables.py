"""The tables of attacks say what the benchmarks found and what the classes are."""

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "attack_tables.py"
MADE = runpy.run_path(SCRIPT)


@pytest.mark.parametrize("page", MADE["PAGES"], ids=lambda page: page.name)
def test_the_tables_of_a_page_are_what_the_script_writes(page):
    text = page.read_text("utf-8")
    assert MADE["MARKED"].search(text)
    assert MADE["written"](page) == text


def test_every_table_stands_on_a_page():
    found = {
        match["name"]
        for page in MADE["PAGES"]
        for match in MADE["MARKED"].finditer(page.read_text("utf-8"))
    }
    assert found == set(MADE["TABLES"])
    assert (
        "| `RMIA` | shadow models | .91/.38 |"
        in (MADE["ROOT"] / "README.md").read_text()
    )
