"""What is published says one version, one address and one list of requirements."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import sklearn_mia
from sklearn_mia._links import DOC_URL, SOURCE_URL

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
RECIPE = (ROOT / ".ci/conda/recipe.yaml").read_text("utf-8")
# As conda-forge calls them.
NAMES = {"matplotlib": "matplotlib-base"}


def conda_names(requirements):
    """Requirements of pip as conda writes them."""
    for requirement in requirements:
        name, versions = re.fullmatch(r"([\w-]+)(.*)", requirement).groups()
        yield f"    - {NAMES.get(name, name)} {versions}\n"


def test_one_version_is_told_everywhere():
    version = sklearn_mia.__version__
    first = re.search(r"^## (\S+) ", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert first[1] == version
    assert f"\nversion: {version}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    assert f'\n  version: "{version}"\n' in RECIPE


def test_the_recipe_of_conda_asks_for_what_pip_asks_for():
    needed = [*conda_names(PROJECT["dependencies"])]
    needed.insert(0, f"    - python {PROJECT['requires-python']}\n")
    run = RECIPE.partition("  run:\n")[2].partition("  run_constraints:\n")[0]
    assert run == "".join(needed)
    extra = RECIPE.partition("  run_constraints:\n")[2].partition("\ntests:")[0]
    assert extra == "".join(conda_names(PROJECT["optional-dependencies"]["report"]))


@pytest.mark.parametrize(
    "page", ["SECURITY.md", "CITATION.cff", ".ci/conda/recipe.yaml"]
)
def test_addresses_are_those_of_the_package(page):
    text = (ROOT / page).read_text("utf-8")
    assert SOURCE_URL in text
    for address in re.findall(
        r"https://\S*(?:readthedocs|github)\.\S*sklearn\S*", text
    ):
        assert address.strip('"<>:.') in (DOC_URL, SOURCE_URL)


def test_every_python_that_is_told_is_tested():
    told = {
        row.rpartition(" ")[2]
        for row in PROJECT["classifiers"]
        if re.search(r":: 3\.\d+$", row)
    }
    workflow = (ROOT / ".github/workflows/tests.yml").read_text("utf-8")
    assert told <= set(re.findall(r'"(3\.\d+)"', workflow))
    assert f">={min(told, key=lambda v: int(v[2:]))}" == PROJECT["requires-python"]


@pytest.mark.skipif(sys.platform != "linux", reason="the release is built on Linux")
def test_the_picture_of_the_readme_has_an_address_where_it_is_published(tmp_path):
    text = (ROOT / "README.md").read_text("utf-8")
    workflow = (ROOT / ".github/workflows/release.yml").read_text("utf-8")
    step = re.search(r"run: >-\n +(sed -i .+)\n +README.md\n", workflow)[1]
    (tmp_path / "README.md").write_text(text, "utf-8")
    names = {"GITHUB_REPOSITORY": "owner/name", "GITHUB_REF_NAME": "v0.2.0"}
    subprocess.run(
        ["bash", "-c", f"{step} README.md"],
        cwd=tmp_path,
        env=os.environ | names,
        check=True,
    )
    published = (tmp_path / "README.md").read_text("utf-8")
    address = "https://raw.githubusercontent.com/owner/name/v0.2.0/doc/images/demo.png"
    assert f"]({address})" in published
    # Nothing else is relative, or changed.
    assert re.findall(r"\]\((?!https://|#)[^)]*\)", published) == []
    assert published.replace(address, "doc/images/demo.png") == text
