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


def test_what_the_text_says_of_the_file_is_what_was_measured():
    told = {
        family: f"{MADE['file_power'](family)} for {words}"
        for family, words in {
            "forest": "a forest",
            "HistGradientBoosting": "histogram boosting",
        }.items()
    }
    told["forest, leaf 5"] = f"{MADE['file_power']('forest, leaf 5')} with leaves of 5"
    told["logistic regression"] = (
        f"{MADE['file_power']('logistic regression')} for logistic regression"
    )
    guide = (MADE["PAGES"][-1]).read_text("utf-8")
    readme = MADE["PAGES"][0].read_text("utf-8")
    for family, words in told.items():
        assert words in " ".join(guide.split()), family
    for family in ("forest", "HistGradientBoosting"):
        assert told[family] in " ".join(readme.split()), family
