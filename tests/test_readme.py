"""The README says nothing that does not run, and leads to pages that are there."""

import re
import shlex

import pytest
from helpers.pages import DOC, ROOT, blocks_of

from sklearn_mia._links import DOC_URL

README = ROOT / "README.md"
BLOCKS = blocks_of(README)


def test_the_python_of_the_readme_runs(small_examples, tmp_path, monkeypatch, capsys):
    for package in ("matplotlib", "jinja2"):
        pytest.importorskip(package)
    blocks = [block.code for block in BLOCKS if block.language == "python"]
    assert len(blocks) == 2
    monkeypatch.chdir(tmp_path)
    names = {}
    for block in blocks:
        exec(block, names)
    assert "recognises" in capsys.readouterr().out
    assert (tmp_path / "report.html").exists()
    assert names["search"].best_score_ > 0.5


def test_the_command_of_the_readme_runs(people, tmp_path, monkeypatch, capsys):
    for package in ("pandas", "pyarrow", "jinja2"):
        pytest.importorskip(package)
    skops_io = pytest.importorskip("skops.io")
    from sklearn.linear_model import LogisticRegression

    from sklearn_mia.__main__ import main

    (line,) = (
        found
        for block in BLOCKS
        for found in block.code.replace("\\\n", " ").splitlines()
        if found.startswith("python -m sklearn_mia audit ")
    )
    monkeypatch.chdir(tmp_path)
    frame = people[0][["age", "owner"]].astype(float).assign(income=people[1])
    model = LogisticRegression().fit(
        frame[["age", "owner"]][:200], frame["income"][:200]
    )
    skops_io.dump(model, "model.skops")
    frame[:200].to_parquet("members.parquet")
    frame[200:].to_parquet("others.parquet")
    # Too few records to show that a rate at 1 % false alarms is below a limit.
    assert main(shlex.split(line)[3:]) == 4
    assert "Does not pass" in capsys.readouterr().out
    assert (tmp_path / "report.html").exists()


def test_the_readme_is_short_and_leads_to_pages_that_are_there():
    text = README.read_text("utf-8")
    assert len(text.splitlines()) <= 150
    pages = re.findall(rf"\]\({re.escape(DOC_URL)}([^)#]*)", text)
    assert len(pages) > 10
    # That of peers is written when the pages are built.
    for page in set(pages) - {"peers.html"}:
        assert (DOC / page).with_suffix(".rst").exists(), page
    guide = {f"guide/{path.stem}" for path in DOC.glob("guide/*.rst")} - {"guide/index"}
    assert guide <= {page.removesuffix(".html") for page in pages}
    for image in re.findall(r"!\[[^]]*\]\(([^)]*)\)", text):
        assert (ROOT / image).stat().st_size < 60_000
