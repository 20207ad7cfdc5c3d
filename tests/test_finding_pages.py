"""Each finding has a page, and the page shows how it comes about."""

import re
from pathlib import Path

import pytest
from helpers.pages import DOC, blocks_of, run_page

import sklearn_mia
from sklearn_mia._links import DOC_URL, finding_url
from sklearn_mia.auditing import Finding

FOLDER = DOC / "findings"
PAGES = sorted(FOLDER.glob("MIA*.rst"))
PACKAGE = Path(sklearn_mia.__file__).parent
# These take another version of scikit-learn, a file, a fault, or an attack of yours.
WITHOUT_EXAMPLE = {"MIA007", "MIA014", "MIA018", "MIA020"}


def test_each_code_has_a_page_and_each_page_a_code():
    source = "".join(p.read_text(encoding="utf-8") for p in PACKAGE.rglob("*.py"))
    codes = set(re.findall(r"\bMIA\d{3}\b", source))
    assert {page.stem for page in PAGES} == codes
    for page in PAGES:
        assert finding_url(page.stem) == f"{DOC_URL}findings/{page.stem}.html"
        assert page.read_text(encoding="utf-8").startswith(f"{page.stem}: ")


def test_the_list_of_pages_says_what_the_pages_say():
    index = (FOLDER / "index.rst").read_text(encoding="utf-8")
    told = re.findall(
        r"^   \* - :doc:`(MIA\d{3})`\n     - (.*)\n     - (.*)\n", index, re.M
    )
    assert [code for code, *_ in told] == [page.stem for page in PAGES]
    for page, (code, title, severity) in zip(PAGES, told, strict=True):
        text = page.read_text(encoding="utf-8")
        assert text.startswith(f"{code}: {title}\n")
        assert severity == re.search(r"\*Severity: (.*)\.\*", text)[1]
        # As the docstring of a finding has it.
        row = re.search(rf"    {code}  .{{52}}(.*)\n", Finding.__doc__)
        assert set(re.findall("critical|warning|note", severity)) == set(
            row[1].split(", ")
        )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_example_of_a_page_triggers_its_finding(page, tmp_path, monkeypatch):
    for package in ("pandas", "jinja2"):
        pytest.importorskip(package)
    blocks = blocks_of(page)
    assert bool(blocks) == (page.stem not in WITHOUT_EXAMPLE)
    if any(block.language == "bash" for block in blocks):
        pytest.importorskip("skops")
    # What is printed is compared with the page.
    told = "".join(block.code for block in blocks)
    assert not blocks or page.stem in told or "bash" in {b.language for b in blocks}
    monkeypatch.chdir(tmp_path)
    run_page(page)
