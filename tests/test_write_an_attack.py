import contextlib
import io
import re
from functools import partial

import numpy as np
import pytest
from helpers.pages import DOC, blocks_of
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestRegressor
from sklearn.model_selection import cross_val_score

PAGE = DOC / "guide" / "write_an_attack.rst"
CODE = [block.code for block in blocks_of(PAGE) if block.language == "python"]


@pytest.fixture(scope="module")
def run():
    """What the page defines, its records and its model, and what it prints."""
    names, out = {}, io.StringIO()
    in_two = partial(cross_val_score, cv=2)
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(out):
        patch.setattr("sklearn.model_selection.cross_val_score", in_two)
        for block in CODE:
            exec(block, names)
    return names, out.getvalue()


@pytest.fixture
def page(run):
    return run[0]


def test_the_page_makes_an_attack_in_15_lines_without_a_private_import(run):
    assert len(CODE) == 9
    lines = [line for line in CODE[0].splitlines() if line.strip()]
    assert len(lines) <= 15
    assert not re.search(r"import .*\b_|\._\w+ import", "\n".join(CODE))
    printed = run[1]
    aucs = np.array(printed.split("]")[0].strip("[ ").split(), dtype=float)
    assert aucs.min() > 0.8
    assert "RobustOffsetAttack" in printed


def test_an_attack_of_the_page_stands_beside_the_default_ones(run, page):
    told = re.search(r"^\['BaggingAttack.*\]$", run[1], re.MULTILINE)[0]
    assert f"   {told}\n" in PAGE.read_text("utf-8")
    names = {row["name"] for row in page["report"].attacks}
    assert names == {*page["default_attacks"](page["model"]), "ours"}


def test_the_signal_of_the_page_is_the_logit_of_two_classes(page):
    records, model = page["as_records"](page["X"], page["y"]), page["model"]
    lead, plain = (
        page[name](model, n_shadows=4, random_state=0).fit_score(records)
        for name in ("LeadOffsetAttack", "RobustOffsetAttack")
    )
    np.testing.assert_allclose(lead, plain, atol=1e-9)


def test_an_attack_of_the_page_survives_what_scikit_learn_does_to_estimators():
    pytest.importorskip("pandas")
    names = {}
    exec(CODE[0], names)
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


def test_an_attack_of_the_page_has_a_parameter_of_its_own(page):
    records, model = page["as_records"](page["X"], page["y"]), page["model"]
    attack = page["FlooredOffsetAttack"](model, n_shadows=8, random_state=0)
    plain = page["RobustOffsetAttack"](model, n_shadows=8, random_state=0)
    low = clone(attack).set_params(floor=-1e9).fit_score(records)
    np.testing.assert_array_equal(low, plain.fit_score(records))
    assert not np.array_equal(
        low, clone(attack).set_params(floor=0.0).fit_score(records)
    )
    with pytest.raises(ValueError, match="'floor' parameter of FlooredOffsetAttack"):
        clone(attack).set_params(floor="low").fit(records)
    assert attack.set_params(floor=1.5).describe() == (
        "FlooredOffsetAttack(floor=1.5, n_shadows=8, random_state=0)"
    )


def test_the_reader_of_the_page_asks_target_and_shadows_the_same(page):
    X, y, model = page["X"], page["y"], page["model"]
    records = page["as_records"](X, y)
    attack = page["BesideAttack"](model, n_shadows=4, random_state=0)
    scores = attack.fit_score(records)
    rows = np.arange(400)

    def beside(fitted):
        return fitted.predict_proba(X + 0.1)[rows, y]

    signals = np.array([beside(shadow) for shadow, _ in attack.models_])
    np.testing.assert_array_equal(attack.shadow_signals_, signals)
    expected = attack._score(
        beside(model), signals, attack.shadow_members_, np.ones(400, dtype=bool)
    )
    np.testing.assert_array_equal(scores, expected)


def test_the_attack_of_the_page_without_shadows_equals_its_formula(page):
    X, model = page["X"], page["model"]
    scores = page["LeadAttack"](model).fit_score(page["as_records"](X, page["y"]))
    share = model.predict_proba(X).max(axis=1)
    floor = 1 / 40
    smooth = (1 - 2 * floor) * share + floor
    np.testing.assert_allclose(scores, np.log(smooth / (1 - smooth)), atol=1e-12)


def test_the_attack_of_the_page_holds_for_regressors_once_it_says_so(page):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 5))
    y = X[:, 0] * 3 + X[:, 1] ** 2 + rng.normal(size=300) * 2
    model = RandomForestRegressor(20, random_state=0).fit(X[:150], y[:150])
    records, is_member = page["as_records"](X, y), np.arange(300) < 150
    message = (
        "RobustOffsetAttack has no form for regressors, and the target "
        "RandomForestRegressor is one. Use an attack that has, such as LiRA or RMIA. "
        "An attack of your own sets `has_regression = True` where its formula also "
        "holds for a prediction and a value to predict."
    )
    with pytest.raises(TypeError, match=f"^{re.escape(message)}$"):
        page["RobustOffsetAttack"](model).fit(records)
    attack = page["RobustErrorAttack"](model, n_shadows=8, random_state=0)
    assert attack.fit(records).score(records, is_member) > 0.75
    errors = [-np.abs(y - shadow.predict(X)) for shadow, _ in attack.models_]
    np.testing.assert_array_equal(attack.shadow_signals_, errors)


def test_the_attacks_of_the_page_are_audited_together(page):
    X, y, model = page["X"], page["y"], page["model"]
    names = ["FlooredOffsetAttack", "BesideAttack", "LeadAttack"]
    attacks = [page[name]() for name in names]
    for attack in attacks[:2]:
        attack.set_params(n_shadows=4)
    report = page["audit"](
        model, X[:200], y[:200], X[200:], y[200:], attacks=attacks, n_permutations=99
    )
    assert {row["name"] for row in report.attacks} == set(names)
