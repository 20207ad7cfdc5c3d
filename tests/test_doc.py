"""The pages of the documentation: what is on them, and where their links lead."""

import importlib
import json
import os
import re
import zlib
from pathlib import Path

import pytest

import sklearn_mia
from sklearn_mia._links import API_URL, DOC_URL, FINDINGS_URL, SOURCE_URL

ROOT = Path(__file__).parents[1]
DOC = ROOT / "doc"


def script(name):
    """A script of the folder of the documentation."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(DOC)
        return importlib.import_module(name)


api_pages, peers_page = script("api_pages"), script("peers_page")
compatibility_page, costs_page = script("compatibility_page"), script("costs_page")


def test_every_public_name_and_module_has_a_page(tmp_path):
    api_pages.write(tmp_path)
    pages = {path.stem: path.read_text("utf-8") for path in tmp_path.glob("*.rst")}
    assert pages.keys() == {"index", *sklearn_mia._MODULES}
    index = pages.pop("index")
    for name in pages:
        assert f"\n   {name}\n" in index
    listed = " ".join(pages[name] for name in api_pages.OF_USERS).split()
    assert set(sklearn_mia.__all__) <= set(listed)
    # One page an object: nothing is listed twice.
    names = [n for module in api_pages.OF_USERS for n in api_pages.pages_of(module)]
    assert len(names) == len(set(names)) > 120
    assert "metrics.roc_auc_interval" in names
    assert "attacks.RMIA" not in names


def test_pages_of_the_api_are_left_alone_if_nothing_changed(tmp_path):
    api_pages.write(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    api_pages.write(tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before


def test_methods_of_scikit_learn_are_not_described_again():
    def skipped(name):
        item = getattr(sklearn_mia.RMIA, name)
        return api_pages.skip_member(None, "class", name, item, False, None)

    assert skipped("set_score_request")
    # It refuses what would reach the target.
    assert skipped("set_params") is skipped("score_samples") is None


POWER = [
    {
        "table": "adult",
        "model": model,
        "split": split,
        "library": library,
        "attack": attack,
        "in sample": attack == "QMIA",
        "AUC": auc + split / 50,
        "TPR@1%": 0.1,
    }
    for model, library, attack, auc in (
        ("forest", "sklearn_mia", "RMIA", 0.8),
        ("forest", "SACRO-ML", "QMIA", 0.7),
        ("linear", "sklearn_mia", "RMIA", 0.5),
    )
    for split in (0, 1)
]
MADE = {"command": "python benchmarks/bench_peers.py", "records": 2000, "cores": 2}


def test_the_page_of_peers_is_made_of_the_results(tmp_path):
    path = tmp_path / "peers.rst"
    peers_page.write(path, tmp_path)
    assert "holds no results" in path.read_text("utf-8")
    found = {"rows": POWER, "environment": {**MADE, "peers": {"SACRO-ML": "2.0.1"}}}
    (tmp_path / "peers_quick_power.json").write_text(json.dumps(found))
    peers_page.write(path, tmp_path)
    text = path.read_text("utf-8")
    assert "holds no results" not in text
    assert "   * - sklearn_mia\n     - RMIA\n     - .81/.10\n     - .51/.10" in text
    assert "   * - SACRO-ML\n     - QMIA\\*\n     - .71/.10\n     -\n" in text
    assert "over 1 table and 2 splits of each" in text
    assert "SACRO-ML 2.0.1, cores 2." in text
    assert peers_page.QUICK in text
    # A whole run stands before a quick one.
    found["environment"]["stopped"] = True
    (tmp_path / "peers_power.json").write_text(json.dumps(found))
    peers_page.write(path, tmp_path)
    text = path.read_text("utf-8")
    assert peers_page.QUICK not in text
    assert peers_page.STOPPED in text


def test_the_page_of_what_was_run_counts_every_cell(tmp_path):
    cells = [
        ("forest", "array", "ok 0.81", "refused: not for it"),
        ("skorch", "array", "not installed", "not installed"),
        ("forest", "list of documents", "ok 0.70", "refused: not for it"),
        ("skorch", "list of documents", "not installed", "not installed"),
        ("forest", "images", "not possible: ValueError", "not possible: ValueError"),
        ("skorch", "images", "FAILED: KeyError", "ok 0.50"),
    ]
    names = "target", "container", "RMIA", "LiRA"
    rows = [dict(zip(names, row, strict=True)) for row in cells]
    made = {"command": "python bench_compatibility.py", "scikit-learn": "1.9.1"}
    told = json.dumps({"environment": made, "rows": rows})
    (tmp_path / "compatibility.json").write_text(told)
    path = tmp_path / "page.rst"
    compatibility_page.write(path, tmp_path)
    text = path.read_text("utf-8")
    counts = re.findall(r"- (\S) .*: (\d+) of 12 cells", text)
    assert counts == [("✓", "3"), ("✗", "2"), ("·", "2"), ("?", "4"), ("!", "1")]
    assert "1 RMIA, 2 LiRA." in text
    assert "Array; list of documents\n~~~~" in text
    assert "   * - skorch\n     - !\n     - ✓\n" in text


def test_the_page_of_costs_has_a_line_a_model_and_a_column_an_effort(tmp_path):
    rows = [
        {
            "table": "adult",
            "records": 5000,
            "model": model,
            "effort": effort,
            "fit s": 0.5,
            "audit s": 2.0,
            "fits": 4.0,
        }
        for model, effort in (
            ("forest", "quick"),
            ("forest", "standard"),
            ("network", "standard"),
        )
    ]
    made = {"command": "python bench_audit_time.py"}
    told = json.dumps({"environment": made, "rows": rows})
    (tmp_path / "audit_time.json").write_text(told)
    (tmp_path / "curves.svg").write_text("<svg/>")
    (tmp_path / "page").mkdir()
    path = tmp_path / "page" / "costs.rst"
    costs_page.write(path, tmp_path)
    text = path.read_text("utf-8")
    cell = "     - 4.0 fits, 2.0 s\n"
    assert (
        "   * - forest\n     - 5000\n     - adult\n     - 0.50 s\n" + 2 * cell in text
    )
    assert "     - 0.50 s\n     -\n" + cell in text
    assert "By effort" not in text
    assert (path.parent / "curves.svg").read_text() == "<svg/>"


def test_addresses_are_written_once():
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    assert f'Documentation = "{DOC_URL}"' in project
    assert f'Source = "{SOURCE_URL}"' in project
    for path in (ROOT / "sklearn_mia").rglob("*.py"):
        if path.name != "_links.py":
            assert "readthedocs.io" not in path.read_text("utf-8"), path


# Of the pages as they are built


@pytest.fixture(scope="module")
def site():
    """The folder of the built pages, from SKLEARN_MIA_PAGES."""
    folder = os.environ.get("SKLEARN_MIA_PAGES")
    if folder is None:
        pytest.skip("SKLEARN_MIA_PAGES names no folder of built pages")
    return Path(folder)


def page_at(site, address):
    """The built page that a published address leads to."""
    assert address.startswith(DOC_URL)
    return site / address.removeprefix(DOC_URL)


def inventory(site):
    """Every object and label that has a page: name, and where."""
    content = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    lines = zlib.decompress(content).decode().splitlines()
    found = {}
    for line in lines:
        name, _, _, place, _ = re.fullmatch(
            r"(.+?) (\S+:\S+) (-?\d+) (\S*) (.*)", line
        ).groups()
        found[name] = place.replace("$", name)
    return found


def test_every_public_object_is_on_a_page_of_its_own(site):
    places = inventory(site)
    for module in api_pages.OF_USERS:
        for name in api_pages.pages_of(module):
            place = places[f"sklearn_mia.{name}"].partition("#")[0]
            assert place == f"api/generated/sklearn_mia.{name}.html"
            assert (site / place).exists()
    for module in sklearn_mia._MODULES:
        assert f"sklearn_mia.{module}" in places


@pytest.mark.parametrize(
    "name",
    ["RMIA", "LinearReconstructionAttack", "AuditableClassifier", "BlackBoxClassifier"],
)
def test_the_notebook_view_of_an_estimator_leads_to_its_page(site, name):
    address = getattr(sklearn_mia, name)()._get_doc_link()
    assert address.startswith(API_URL)
    assert f'id="sklearn_mia.{name}"' in page_at(site, address).read_text("utf-8")


def test_each_finding_of_a_report_leads_to_its_page(site):
    finding = sklearn_mia.Finding("MIA005", "warning", "a", "b", "c")
    assert finding.url.startswith(FINDINGS_URL)
    assert "MIA005" in page_at(site, finding.url).read_text("utf-8")


def test_each_link_of_the_readme_to_a_page_leads_there(site):
    text = (ROOT / "README.md").read_text("utf-8")
    addresses = re.findall(re.escape(DOC_URL) + r"[^)\s]*", text)
    assert len(addresses) > 10
    lost = [a for a in addresses if not page_at(site, a.partition("#")[0]).exists()]
    assert lost == []


def test_no_link_within_the_pages_leads_nowhere(site):
    built = (p for p in site.rglob("*.html") if "_static" not in p.parts)
    pages = {path: path.read_text("utf-8") for path in built}
    names = {
        path: set(re.findall(r'\b(?:id|name)="([^"]+)"', text))
        for path, text in pages.items()
    }
    n_links, lost = 0, []
    for path, text in pages.items():
        # The page of a report within the page has links of its own.
        text = re.sub(r'srcdoc="[^"]*"', "", text)
        for link in re.findall(
            r'<(?:a|img|link|script)\b[^>]*?(?:href|src)="([^"]*)"', text
        ):
            if re.match(r"[a-z]+:|//", link) or link in ("#", ""):
                continue
            n_links += 1
            place, _, anchor = link.partition("#")
            place = place.partition("?")[0]
            target = (path.parent / place).resolve() if place else path
            if not target.exists() or (
                anchor and target in names and anchor not in names[target]
            ):
                lost.append((path.relative_to(site).as_posix(), link))
    assert n_links > 1000
    assert lost == []


def test_the_gallery_has_ten_pages_with_pictures_that_ran(site):
    folder = site / "auto_examples"
    pages = list(folder.glob("plot_*.html"))
    assert len(pages) >= 10
    for page in pages:
        text = page.read_text("utf-8")
        assert "sphx_glr_" in text
        assert re.search(r"<img[^>]+sphx_glr_plot_\w+_001", text), page.name
        assert "sphx-glr-script-out" in text, page.name
