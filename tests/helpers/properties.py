"""What holds for any input, tried on inputs that hypothesis draws.

A quick test draws few, always the same; the slow one beside it twenty times as many,
others for another number in ``PROPERTY_SEED``. A failing input is made as small as it
gets, and printed.
"""

import os
from functools import wraps

import numpy as np
import pytest

pytest.importorskip("hypothesis")

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

LONGER = 20
# To explain what fails would take longer than to read it.
PHASES = (Phase.explicit, Phase.generate, Phase.shrink)


def holds(n_examples, **drawn):
    """Make a test of a function of what is drawn, and a longer one that is slow."""

    def decorate(check):
        @pytest.mark.parametrize(
            "n_examples",
            [
                pytest.param(n_examples, id="few"),
                pytest.param(LONGER * n_examples, id="many", marks=pytest.mark.slow),
            ],
        )
        def test(n_examples, count):
            is_long = n_examples >= LONGER
            budget = settings(
                max_examples=n_examples,
                derandomize=not is_long,
                database=None,
                deadline=None,
                phases=PHASES,
                suppress_health_check=list(HealthCheck),
            )
            # A copy: settings and seed are kept at the function.
            tried = budget(given(**drawn)(wraps(check)(lambda **p: check(**p))))
            if is_long:
                tried = seed(int(os.environ.get("PROPERTY_SEED", "0")))(tried)
            tried()
            count(properties=1, inputs=n_examples)

        test.__name__, test.__doc__ = check.__name__, check.__doc__
        test.__module__ = check.__module__
        return test

    return decorate


# What is drawn

confidences = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99])
fprs = st.sampled_from([0.001, 0.01, 0.05, 0.1, 0.25, 1 / 3, 0.5, 0.9])


@st.composite
def scored(draw, fewest=1, most=12, levels=6):
    """Membership and scores of few records, many of them tied."""
    n1, n0 = (draw(st.integers(fewest, most)) for _ in range(2))
    values = st.integers(0, levels - 1)
    scores = draw(st.lists(values, min_size=n1 + n0, max_size=n1 + n0))
    order = draw(st.permutations(range(n1 + n0)))
    is_member = np.arange(n1 + n0) < n1
    return is_member[order], np.array(scores, dtype=float)[order]


@st.composite
def rescaling(draw, levels=6):
    """A strictly increasing table of the scores that `scored` draws."""
    steps = draw(
        st.lists(st.floats(1e-3, 1e6), min_size=levels, max_size=levels, unique=True)
    )
    return draw(st.floats(-1e6, 1e6)) + np.cumsum(steps)


@st.composite
def probabilities(draw, most_classes=5, most=8):
    """Probabilities of classes for few records, and the places of their labels."""
    k, n = draw(st.integers(2, most_classes)), draw(st.integers(1, most))
    weights = st.floats(1e-9, 1)
    proba = np.array(
        draw(
            st.lists(st.lists(weights, min_size=k, max_size=k), min_size=n, max_size=n)
        )
    )
    labels = draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n))
    return proba / proba.sum(axis=1, keepdims=True), np.array(labels)


seeds = st.integers(0, 2**16)
