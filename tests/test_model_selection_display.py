import numpy as np
import pytest
from sklearn.naive_bayes import GaussianNB
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia.model_selection import PrivacyUtilityDisplay
from sklearn_mia.model_selection._display import candidate_labels


def display_of(n_candidates=12, **options):
    rng = np.random.default_rng(0)
    accuracy = rng.uniform(0.7, 0.9, n_candidates)
    results = {
        "mean_test_accuracy": accuracy,
        "std_test_accuracy": np.full(n_candidates, 0.01),
        "mean_test_leakage": -rng.uniform(0, 0.5, n_candidates),
        "std_test_leakage": np.full(n_candidates, 0.02),
        "params": [
            {"estimator__depth": i % 4, "estimator__rf__leaf": i // 4, "seed": 0}
            for i in range(n_candidates)
        ],
    }
    return results, PrivacyUtilityDisplay.from_cv_results(results, **options)


def test_the_frontier_is_what_nobody_beats(pyplot):
    results, display = display_of()
    accuracy, leakage = results["mean_test_accuracy"], -results["mean_test_leakage"]
    beaten = [
        np.any(
            (accuracy >= accuracy[i])
            & (leakage <= leakage[i])
            & ((accuracy > accuracy[i]) | (leakage < leakage[i]))
        )
        for i in range(12)
    ]
    assert sorted(display.frontier) == np.flatnonzero(~np.array(beaten)).tolist()
    np.testing.assert_array_equal(display.line_.get_xdata(), leakage[display.frontier])
    assert len(display.points_.get_offsets()) == sum(beaten)
    assert [t.get_text() for t in display.texts_] == [
        str(i + 1) for i in range(len(display.frontier))
    ]
    assert np.all(np.diff(display.line_.get_ydata()) > 0)
    assert display.ax_.get_xlabel() == "leakage (lower is better)"
    assert display.ax_.figure is display.figure_


def test_labels_are_what_differs(pyplot):
    _, display = display_of()
    assert display.labels[5] == "depth=1, leaf=1"
    legend = [t.get_text() for t in display.ax_.get_legend().get_texts()]
    assert legend == [display.labels[i] for i in display.frontier]
    _, named = display_of(labels=[f"candidate {i}" for i in range(12)])
    assert named.labels[3] == "candidate 3"
    with pytest.raises(ValueError, match="labels has 2 names for 12 candidates"):
        display_of(labels=["a", "b"])


def test_labels_are_short_and_tell_parameters_apart():
    params = [
        {"leaf": 1, "rf__leaf": 0.123456789, "step": DecisionTreeClassifier()},
        {"leaf": 2, "rf__leaf": 0.5, "step": GaussianNB()},
        {"leaf": 2, "rf__leaf": 0.5, "step": "n" * 30},
    ]
    assert candidate_labels(params) == [
        "leaf=1, rf__leaf=0.1235, step=DecisionTreeClassifier",
        "leaf=2, rf__leaf=0.5, step=GaussianNB",
        f"leaf=2, rf__leaf=0.5, step={'n' * 23}…",
    ]
    assert candidate_labels([{}, {"depth": 1}]) == ["candidate 0", "depth=1"]


def test_what_was_selected_is_told_by_its_number_on_the_frontier(pyplot):
    _, display = display_of()
    on, off = display.frontier[1], display.frontier.max() + 1
    for selected, told in ((on, "2"), (off, display.labels[off])):
        _, shown = display_of(selected=selected)
        assert shown.selected_.get_label() == f"selected: {told}"


def test_numbers_do_not_overlap(pyplot):
    _, display = display_of(60)
    display.figure_.draw_without_rendering()
    boxes = [t.get_window_extent() for t in display.texts_]
    assert len(boxes) > 3
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[i + 1 :])


def test_options_of_the_plot(pyplot):
    _, ax = pyplot.subplots()
    _, display = display_of(
        ax=ax,
        selected=0,
        line_kwargs={"c": "red"},
        scatter_kwargs={"s": 3},
        errorbar_kwargs={"ecolor": "green"},
    )
    assert display.ax_ is ax
    assert display.line_.get_color() == "red"
    assert display.selected_.get_xdata() == [display.leakage[0]]
    assert ax.get_legend().get_texts()[-1].get_text().startswith("selected: ")


def test_the_display_needs_matplotlib_only_to_plot(matplotlib_not_installed):
    with pytest.raises(ImportError, match="from_cv_results requires matplotlib"):
        display_of()
