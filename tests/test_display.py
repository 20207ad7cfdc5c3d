import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

from sklearn_mia import ThresholdAttack, as_records
from sklearn_mia.auditing import (
    MembershipRocDisplay,
    RecordRiskDisplay,
    ScoreDistributionDisplay,
    audit,
)
from sklearn_mia.metrics import tpr_at_fpr_score

every_display = pytest.mark.parametrize(
    "display", [MembershipRocDisplay, RecordRiskDisplay, ScoreDistributionDisplay]
)


@pytest.fixture(scope="module")
def scored():
    is_member = np.arange(600) < 300
    return is_member, np.random.default_rng(0).normal(size=600) + is_member


@pytest.fixture(scope="module")
def attacked():
    X, y = make_classification(400, flip_y=0.2, random_state=0)
    model = RandomForestClassifier(20, random_state=0).fit(X[:200], y[:200])
    records, is_member = as_records(X, y), np.arange(400) < 200
    return ThresholdAttack(model).fit(records, is_member), records, is_member


@every_display
def test_estimator_and_predictions_agree(pyplot, display, attacked):
    attack, records, is_member = attacked
    first = display.from_estimator(attack, records, is_member)
    second = display.from_predictions(
        is_member, attack.decision_function(records), name="ThresholdAttack"
    )
    assert first.name == second.name
    for name in ("fpr", "tpr", "members", "nonmembers"):
        if hasattr(first, name):
            assert_allclose(getattr(first, name), getattr(second, name))


@every_display
def test_plots_on_the_axes_given(pyplot, display, scored):
    figure, ax = pyplot.subplots()
    shown = display.from_predictions(*scored, ax=ax, name="A")
    assert shown.ax_ is ax
    assert shown.figure_ is figure
    assert shown.plot() is shown
    assert shown.ax_ is not ax


@every_display
def test_membership_as_text(pyplot, display, scored):
    is_member, scores = scored
    text = np.where(is_member, "in", "out")
    first = display.from_predictions(text, scores, pos_label="in")
    second = display.from_predictions(is_member, scores)
    for name in ("tpr", "fpr", "members"):
        if hasattr(first, name):
            assert_allclose(getattr(first, name), getattr(second, name))


@every_display
def test_wrong_input(display, scored):
    is_member, scores = scored
    with pytest.raises(ValueError, match="one score for each record"):
        display.from_predictions(is_member, scores[:-1])
    with pytest.raises(ValueError, match="NaN or infinite"):
        display.from_predictions(is_member, np.full(600, np.nan))


@every_display
def test_without_matplotlib(display, scored, matplotlib_not_installed):
    with pytest.raises(ImportError, match=r"sklearn-mia\[report\]"):
        display.from_predictions(*scored)


def test_roc_is_attained_and_within_its_band(pyplot, scored):
    is_member, scores = scored
    shown = MembershipRocDisplay.from_predictions(is_member, scores)
    for fpr, tpr in zip(shown.fpr, shown.tpr, strict=True):
        if fpr < 1:
            assert tpr == pytest.approx(
                tpr_at_fpr_score(is_member, scores, max_fpr=fpr)
            )
    assert (shown.fpr[-1], shown.tpr[-1]) == (1, 1)
    curve = np.interp(shown.band_fpr, shown.fpr, shown.tpr)
    assert np.all(shown.band_low <= curve + 1e-9)
    assert np.all(curve <= np.add(shown.band_high, 0.02))
    assert shown.ax_.get_xscale() == shown.ax_.get_yscale() == "log"


def test_tied_scores_end_at_one_one(pyplot):
    is_member = np.arange(200) % 2 == 0
    scores = np.random.default_rng(0).integers(2, size=200)
    shown = MembershipRocDisplay.from_predictions(is_member, scores)
    assert (shown.fpr[-1], shown.tpr[-1]) == (1, 1)
    assert len(shown.fpr) == 3


def test_perfect_attack(pyplot):
    is_member = np.arange(200) < 100
    roc = MembershipRocDisplay.from_predictions(is_member, is_member * 1.0)
    assert roc.tpr[0] == 1
    risk = RecordRiskDisplay.from_predictions(is_member, is_member * 1.0)
    assert np.all(risk.fpr == 0)


def test_styles_are_passed_on(pyplot, scored):
    roc = MembershipRocDisplay.from_predictions(
        *scored, plot_chance_level=False, curve_kwargs={"color": "k"}
    )
    assert roc.line_.get_color() == "k"
    assert roc.chance_level_ is None
    histogram = ScoreDistributionDisplay.from_predictions(
        *scored, hist_kwargs={"bins": 7}
    )
    assert len(histogram.ax_.patches) == 2


def test_report_plots_every_attack(pyplot):
    X, y = make_classification(400, flip_y=0.2, random_state=0)
    model = RandomForestClassifier(20, random_state=0).fit(X[:200], y[:200])
    report = audit(
        model,
        X[:200],
        y[:200],
        X[200:],
        y[200:],
        attacks={
            "loss": ThresholdAttack(signal="loss"),
            "entropy": ThresholdAttack(signal="entropy"),
        },
        n_permutations=99,
        random_state=0,
    )
    figure = report.plot()
    curves, scores = figure.axes
    assert {line.get_label() for line in curves.lines} == {
        "loss",
        "entropy",
        "guessing",
    }
    assert scores.get_xlabel() == f"Score of {report.attacks[0]['name']}"


@pytest.mark.parametrize(
    "make",
    [
        lambda *scored, **how: MembershipRocDisplay.from_predictions(*scored, **how),
        lambda *scored, **how: RecordRiskDisplay.from_predictions(*scored, **how),
    ],
)
def test_curves_on_one_plot_name_guessing_once(pyplot, scored, make):
    ax = pyplot.subplots()[1]
    for name in "abc":
        make(*scored, ax=ax, name=name)
    assert ax.get_legend_handles_labels()[1] == ["a", "guessing", "b", "c"]


def test_an_attack_without_decisions_is_shown_by_its_probabilities(pyplot, attacked):
    class Probable:
        classes_ = (False, True)

        def __init__(self, attack):
            self.attack = attack

        def predict_proba(self, X):
            scores = self.attack.decision_function(X)
            return np.column_stack([-scores, scores])

    attack, records, is_member = attacked
    shown = [
        MembershipRocDisplay.from_estimator(a, records, is_member)
        for a in (attack, Probable(attack))
    ]
    assert_allclose(shown[0].tpr, shown[1].tpr)


def test_what_is_not_asked_for_is_not_drawn(pyplot):
    is_member = np.arange(40) < 20
    risk = RecordRiskDisplay.from_predictions(
        is_member, is_member * 1.0, plot_chance_level=False
    )
    assert risk.chance_level_ is None
    assert risk.ax_.get_legend() is None
    assert len(risk.ax_.lines) == 1
