"""Each finding has a page, and the list of pages says what they say."""

import re
from pathlib import Path

from helpers.pages import DOC, blocks_of

import sklearn_mia
from sklearn_mia import MembershipCheck
from sklearn_mia._links import DOC_URL, finding_url
from sklearn_mia.auditing import Finding

FOLDER = DOC / "findings"
PAGES = sorted(FOLDER.glob("MIA*.rst"))
PACKAGE = Path(sklearn_mia.__file__).parent
# These take another version of scikit-learn, a file, a fault, or an attack of yours.
WITHOUT_EXAMPLE = {"MIA007", "MIA014", "MIA018", "MIA020"}


def test_each_code_has_a_page_and_each_page_a_code():
    source = "".join(p.read_text(encoding="utf-8") for p in PACKAGE.rglob("*.py"))
    codes = set(re.findall(r"\bMIA\d{3}\b", source)) - {MembershipCheck.code}
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


def test_an_example_shows_how_a_finding_comes_about():
    for page in PAGES:
        blocks = blocks_of(page)
        assert bool(blocks) == (page.stem not in WITHOUT_EXAMPLE), page
        # What is printed is compared with the page when its code is run.
        if blocks and {block.language for block in blocks} == {"python", "text"}:
            assert page.stem in "".join(block.code for block in blocks[-2:]), page
            assert "output" in blocks[-1].marks, page
