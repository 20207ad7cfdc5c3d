"""The check for reports of skore, with skore as it is installed."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, Ridge

from sklearn_mia import MembershipCheck
from sklearn_mia.auditing import _findings

# It sets matplotlib up as it is imported.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    skore = pytest.importorskip("skore", reason="skore is not installed")

pytestmark = pytest.mark.filterwarnings("default")
CHEAP = {"n_permutations": 99, "release": "interface"}


@pytest.fixture(scope="module")
def data():
    X, y = make_classification(1200, 8, n_informative=5, flip_y=0.3, random_state=0)
    return X, y


def summary_of(report, check, **options):
    report.checks.add([check])
    return report.checks.summarize(**options).frame().set_index("code").loc[check.code]


def test_it_is_a_check_of_skore():
    check = MembershipCheck()
    assert isinstance(check, skore.Check)
    assert check.code not in _findings.__doc__ + (_findings.Finding.__doc__ or "")


def test_a_forest_that_remembers_is_an_issue(data):
    report = skore.evaluate(RandomForestClassifier(20), *data, splitter=0.5)
    check = MembershipCheck(**CHEAP)
    row = summary_of(report, check)
    assert row["section"] == "issue"
    assert row["title"] == "Training records can be recognised"
    assert check.report_.verdict["title"] in row["explanation"]
    assert row["explanation"] in repr(report.checks.summarize())


def test_a_model_within_wide_limits_passes(data):
    report = skore.evaluate(LogisticRegression(), *data, splitter=0.5)
    row = summary_of(report, MembershipCheck(limits={"auc": 0.75}, **CHEAP))
    assert row["section"] == "passed"
    assert not isinstance(row["explanation"], str)


def test_what_was_not_shown_is_no_pass(data):
    report = skore.evaluate(DummyClassifier(strategy="stratified"), *data, splitter=0.5)
    row = summary_of(report, MembershipCheck(limits={"auc": 0.501}, **CHEAP))
    assert row["section"] == "not_applicable"
    assert row["explanation"].startswith("It was not shown to be within the limits: ")


def test_what_cannot_be_audited_is_said(data):
    X, y = data
    model = LogisticRegression().fit(X[:600], y[:600])
    report = skore.EstimatorReport(model, X_test=X[600:], y_test=y[600:])
    row = summary_of(report, MembershipCheck(**CHEAP))
    assert row["section"] == "not_applicable"
    assert row["explanation"] == (
        "Needs the training data and the test data of the model."
    )
    both = np.column_stack([X[:, 0], X[:, 1]])
    report = skore.evaluate(Ridge(), X, both, splitter=0.5)
    row = summary_of(report, MembershipCheck(**CHEAP))
    assert row["section"] == "not_applicable"
    assert row["explanation"].startswith("The model could not be audited: ")


def test_the_fast_mode_leaves_it_out(data):
    report = skore.evaluate(LogisticRegression(), *data, splitter=0.5)
    row = summary_of(report, MembershipCheck(**CHEAP), fast_mode=True)
    assert row["section"] == "skipped"


def test_a_misspelt_parameter_of_the_check_is_told_at_once():
    with pytest.raises(TypeError, match="got 'limts'; expected parameters of audit"):
        MembershipCheck(limts={"auc": 0.6})
    with pytest.raises(ValueError, match="auc"):
        MembershipCheck(limits={"auc": 60})
