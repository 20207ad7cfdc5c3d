"""What a notebook shows of a result."""

import inspect
import re
from importlib import import_module

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

import sklearn_mia
from sklearn_mia import _views, metrics, risk
from sklearn_mia._links import finding_url
from sklearn_mia.auditing import Finding, MembershipRocDisplay
from sklearn_mia.equations import linear_equations
from sklearn_mia.records import Records

MODULES = """
attacks auditing base equations groups label_privacy metrics model_selection records
risk
"""
# Recipes that other code calls, and nobody looks at.
PARTS = {"LogProbaReader", "MeanGap", "MeanShare", "PredictionReader", "Reader"}
PARTS |= {"MembershipCheck"}


def public_classes():
    for name in MODULES.split():
        module = import_module(f"sklearn_mia.{name}")
        for item in (getattr(module, n) for n in module.__all__):
            if inspect.isclass(item):
                yield item


def text_of(html):
    """The cells of a table, row by row."""
    return [
        tuple(re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row))
        for row in re.findall(r"<tr>(.*?)</tr>", html)
    ]


def test_every_public_class_has_a_view():
    without = {c.__name__ for c in public_classes() if not hasattr(c, "_repr_html_")}
    assert without == PARTS
    tables = [c for c in public_classes() if issubclass(c, _views.TableViewMixin)]
    assert len(tables) > 20
    assert not any(issubclass(c, BaseEstimator) for c in tables)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (None, "None"),
        (0.5, "0.5"),
        ("a", "'a'"),
        ((0.1, "b"), "(0.1, 'b')"),
        ([[1]], "[[1]]"),
        (np.zeros((3, 2)), "<ndarray of shape (3, 2)>"),
        ([np.zeros(3)], "[<ndarray of shape (3,)>]"),
        (list(range(9)), "<list of 9>"),
        (RandomForestClassifier(), "<RandomForestClassifier>"),
    ],
)
def test_a_message_shows_numbers_and_words_and_of_tables_how_large_they_are(
    value, told
):
    assert _views.in_message(value) == told


def test_a_result_is_shown_field_by_field():
    interval = metrics.rate_interval(8, 10)
    html = interval._repr_html_()
    assert html.startswith("<p><strong>Interval</strong></p><table><tr><th scope=")
    assert text_of(html) == [
        ("estimate", "0.8"),
        ("low", f"{interval.low:.4g}"),
        ("high", f"{interval.high:.4g}"),
        ("confidence", "0.95"),
        ("method", interval.method),
        ("note", ""),
        ("fpr", "None"),
    ]


def test_a_result_within_a_result_is_shown_in_a_line():
    rng = np.random.default_rng(0)
    is_member = np.arange(100) < 50
    found = metrics.compare_attacks(is_member, *rng.normal(size=(2, 100)))
    assert ("difference", str(found.difference)) in text_of(found._repr_html_())


def test_of_what_belongs_to_records_only_the_number_is_shown():
    X, y = make_classification(60, flip_y=0.2, random_state=0)
    model = RandomForestClassifier(20, random_state=0).fit(X, y)
    shown = dict(text_of(risk.leave_one_out_risk(model, X, y)._repr_html_()))
    assert shown["risk"] == "ndarray of shape (60,)"
    assert shown["exact"] == "False"
    rows = text_of(risk.structural_risk(model, X, y)._repr_html_())
    assert rows[:2] == [("model", "RandomForestClassifier"), ("records", "60")]
    findings = risk.structural_risk(model, X, y).findings
    assert rows[2:] == [(("no risk", "risk")[f.is_risk], f.text) for f in findings]
    system = linear_equations(model, X, y)
    shown = dict(text_of(system._repr_html_()))
    assert shown["records of the pool"] == "60"
    assert shown["leaf size"] == str(system.table()[0].n_equations)


def test_records_are_counted_and_not_shown():
    records = Records(["my secret", "another"], ["yes", "no"])
    assert text_of(records._repr_html_()) == [
        ("records", "2"),
        ("held in", "list"),
        ("kind", "documents"),
        ("labels", "with"),
    ]


def test_a_finding_leads_to_its_page():
    finding = Finding("MIA001", "critical", "A & B", "One <b>", "Two", {"auc": 0.7})
    html = finding._repr_html_()
    assert f'<a href="{finding_url("MIA001")}">Finding</a>' in html
    assert text_of(html) == [
        ("code", "MIA001"),
        ("severity", "critical"),
        ("title", "A &amp; B"),
        ("message", "One &lt;b&gt;"),
        ("advice", "Two"),
        ("numbers", "dict of 1"),
    ]


def test_a_display_says_what_it_was_made_of():
    display = MembershipRocDisplay(
        fpr=np.array([0.0, 1.0]), tpr=np.array([0.0, 1.0]), name="<script>"
    )
    shown = dict(text_of(display._repr_html_()))
    assert shown["fpr"] == "ndarray of shape (2,)"
    assert shown["name"] == "&lt;script&gt;"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (True, "True"),
        (np.float64(1 / 3), "0.3333"),
        (12345678, "12345678"),
        (np.zeros((2, 3)), "ndarray of shape (2, 3)"),
        (("a secret",), "tuple of 1"),
        ({"a": 1}, "dict of 1"),
        (object(), "object"),
    ],
)
def test_a_value_in_short(value, text):
    assert _views.in_short(value) == text


def test_marks_of_direction_are_written_out():
    html = _views.html_table("a\u202eb", [("c\x1b", "d")])
    assert "\u202e" not in html
    assert "\\u202e" in html
    assert "\\x1b" in html


def test_the_package_has_what_it_shows():
    of_top = {name for name in sklearn_mia.__all__ if name[0].isupper()}
    black_boxes = {"BlackBoxClassifier", "BlackBoxRegressor"}
    assert {c.__name__ for c in public_classes()} >= of_top - black_boxes
