"""Progress: one line on a terminal, one a stage elsewhere, and how long it takes."""

import io
import sys

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import audit, audit_recipe, progress
from sklearn_mia.progress import Progress, Stage, left_told, showing


class Terminal(io.StringIO):
    def isatty(self):
        return True


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def work(stream, found=0):
    """A work of four models at 30 s each, some found in a memory, and 70 s more."""
    clock = Clock()
    told = Progress(stream, clock)
    told.begin("reading")
    told.expect([Stage("models", fits=4, has_steps=True), Stage("numbers", seconds=70)])
    clock.now += 5
    told.begin("models")
    told.steps(4, "shadow models")
    for number in range(4):
        clock.now += 30 * (number >= found)
        told.advance(made=number >= found)
    told.begin("numbers")
    told.steps(10, "permutations")
    clock.now += 14
    told.advance(2)
    told.close()
    return stream.getvalue()


def test_elsewhere_each_stage_has_one_line():
    assert work(io.StringIO()).splitlines() == [
        "  0:00  reading",
        "  0:05  models: 4 shadow models",
        "  2:05  numbers",
    ]


def test_on_a_terminal_one_line_is_rewritten_and_cleared():
    shown = work(Terminal())
    assert "\n" not in shown
    lines = [line.rstrip() for line in shown.split("\r")]
    assert lines == [
        "",
        "reading",
        "models",
        "models [........................] 0/4 shadow models",
        "models [######..................] 1/4 shadow models, about 3 minutes left",
        "models [############............] 2/4 shadow models, about 2 minutes left",
        "models [##################......] 3/4 shadow models, about 2 minutes left",
        "models [########################] 4/4 shadow models, about 70 seconds left",
        "numbers",
        "numbers [........................] 0/10 permutations",
        "numbers [####....................] 2/10 permutations",
        "",
        "",
    ]
    # What stood there is gone before the next text.
    assert shown.endswith("\r" + " " * len(lines[-3]) + "\r")


def test_what_was_found_in_a_memory_tells_nothing_of_the_time():
    shown = [line.rstrip() for line in work(Terminal(), found=2).split("\r")]
    assert shown[5].endswith("] 2/4 shadow models")
    assert shown[6].endswith("] 3/4 shadow models, about 2 minutes left")


def test_a_line_is_not_wider_than_the_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "30")
    assert max(map(len, work(Terminal()).split("\r"))) == 29


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "a few seconds"),
        (9.9, "a few seconds"),
        (14, "about 10 seconds"),
        (94, "about 90 seconds"),
        (95, "about 2 minutes"),
        (240, "about 4 minutes"),
        (5699, "about 95 minutes"),
        (9000, "about 2.5 hours"),
    ],
)
def test_a_time_is_told_in_words(seconds, text):
    assert left_told(seconds) == f"{text} left"


def test_a_stream_that_is_closed_ends_no_work(monkeypatch):
    stream = io.StringIO()
    told = Progress(stream)
    stream.close()
    told.begin("reading")
    told.close()
    monkeypatch.setattr(sys, "stderr", None)
    with showing(1) as shown:
        progress.stage("reading")
    assert shown is None


@pytest.fixture(scope="module")
def sides():
    X, y = make_classification(120, 4, flip_y=0.2, random_state=0)
    return X[:60], y[:60], X[60:], y[60:]


OPTIONS = {"n_shadows": 2, "n_permutations": 99, "random_state": 0}


def test_an_audit_is_silent_unless_asked_and_then_tells_each_stage(sides, capsys):
    model = DecisionTreeClassifier(random_state=0).fit(*sides[:2])
    quiet = audit(model, *sides, **OPTIONS)
    assert capsys.readouterr() == ("", "")
    told = audit(model, *sides, verbose=1, **OPTIONS)
    assert told.verdicts == quiet.verdicts
    out, err = capsys.readouterr()
    assert out == ""
    assert [line[8:].partition(",")[0] for line in err.splitlines()] == [
        "reading and checking",
        "ThresholdAttack",
        "RMIA: 2 shadow models",
        "LiRA: 2 shadow models",
        "LinearReconstructionAttack",
        "the permutation test",
        "the sides without the model",
        "checks",
        "groups of records",
        "differences between groups",
        "what the file stores",
        "writing the report",
    ]
    assert err.splitlines()[4].endswith("Attack, a few seconds left")


def test_a_recipe_tells_its_models(sides, capsys):
    X, y = np.concatenate(sides[::2]), np.concatenate(sides[1::2])
    audit_recipe(
        DecisionTreeClassifier(),
        *(X, y),
        n_targets=2,
        attacks="RMIA",
        n_shadows=2,
        verbose=True,
        random_state=0,
    )
    err = capsys.readouterr().err
    assert [line[8:].partition(",")[0] for line in err.splitlines()] == [
        "model 1 of 2",
        "RMIA: 2 shadow models",
        "model 2 of 2",
        "RMIA: 2 shadow models",
    ]


def test_names_that_a_terminal_would_obey_are_escaped(sides, capsys):
    model = DecisionTreeClassifier(random_state=0).fit(*sides[:2])
    audit(model, *sides, attacks={"a\x1b[2J": "ThresholdAttack"}, verbose=1, **OPTIONS)
    err = capsys.readouterr().err
    assert "\x1b" not in err
    assert "a\\x1b[2J" in err


def test_steps_of_no_stage_are_not_told_and_time_starts_at_the_first_that_is_made():
    stream, clock = io.StringIO(), Clock()
    told = Progress(stream, clock)
    told.steps(4, "shadow models")
    told.advance()
    assert stream.getvalue() == ""
    told.begin("models")
    clock.now = 50
    told.steps(3, "shadow models")
    told.advance(made=False)
    told.advance()
    # What is found later moves no clock.
    told.advance(made=False)
    assert told._made == [(50, 0), (50, 1)]
