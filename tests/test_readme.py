"""The README says nothing that does not run."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"


def test_the_python_of_the_readme_runs(small_examples, tmp_path, monkeypatch, capsys):
    for package in ("matplotlib", "jinja2"):
        pytest.importorskip(package)
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), flags=re.DOTALL)
    assert len(blocks) == 5
    monkeypatch.chdir(tmp_path)
    # Smaller forests in the search, which is most of the time.
    assert "".join(blocks).count("[20, 50]") == 1
    names = {}
    for block in blocks:
        exec(block.replace("[20, 50]", "[5, 10]"), names)
    assert "recognises" in capsys.readouterr().out
    assert (tmp_path / "report.html").exists()
    assert names["search"].best_params_["estimator__min_samples_leaf"] > 1
