import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import make_classification

PAGE = Path(__file__).parents[1] / "CONTRIBUTING.md"


def test_the_page_makes_an_attack_in_15_lines_without_a_private_import(capsys):
    code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert len(code) == 2
    lines = [line for line in code[0].splitlines() if line.strip()]
    assert len(lines) <= 15
    assert not re.search(r"import .*\b_|\._\w+ import", "\n".join(code))
    names = {}
    for block in code:
        exec(block, names)
    printed = capsys.readouterr().out
    aucs = np.array(printed.split("]")[0].strip("[ ").split(), dtype=float)
    assert aucs.min() > 0.8
    assert "RobustOffsetAttack" in printed


def test_an_attack_of_the_page_survives_what_scikit_learn_does_to_estimators():
    pytest.importorskip("pandas")
    names = {}
    exec(re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[1], names)
    from sklearn.linear_model import LogisticRegression

    from sklearn_mia import as_records

    X, y = make_classification(200, random_state=0)
    model = LogisticRegression().fit(X[:100], y[:100])
    attack = clone(names["RobustOffsetAttack"](model, n_shadows=4, random_state=0))
    records = as_records(X, y)
    scores = attack.fit_score(records)
    np.testing.assert_array_equal(scores, attack.score_samples(records))
    with pytest.raises(ValueError, match="n_shadows"):
        clone(attack).set_params(n_shadows=0).fit(records)
