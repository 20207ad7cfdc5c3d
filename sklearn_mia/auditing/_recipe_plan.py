"""What an audit of a training procedure can be asked for, and what goes together."""

import numpy as np

from sklearn_mia._choices import ADJACENCIES, N_TARGETS, VARIED
from sklearn_mia._views import in_message
from sklearn_mia.checks import check_choice, check_count, check_fraction

FEWEST_CANARIES = 50


def check_plan(*, n_targets, vary, canaries, groups, epsilon, delta, adjacency):
    """Raise ValueError for what is nothing to be asked for, or does not go together.

    Parameters
    ----------
    n_targets, vary, canaries, groups, epsilon, delta, adjacency
        As in :func:`sklearn_mia.audit_recipe`.

    Returns
    -------
    n_targets : int
        How many models to train.

    epsilon : float or None

    delta : float
    """
    check_choice(vary, "vary", "nothing that differs from model to model", VARIED)
    check_choice(adjacency, "adjacency", "no kind of neighbours", ADJACENCIES)
    delta = check_fraction(delta, "delta", zero=True)
    if epsilon is not None:
        epsilon = _check_epsilon(epsilon)
    if canaries is None:
        _check_no_claim(epsilon, delta, adjacency)
        return (
            check_count(N_TARGETS if n_targets is None else n_targets, "n_targets", 2),
            None,
            delta,
        )
    check_canaries(canaries)
    of_models = "is for several models, and canaries are found in a single one"
    _refuse_given(
        (n_targets is not None, f"n_targets={in_message(n_targets)} {of_models}"),
        (vary != VARIED[0], f"vary={vary!r} {of_models}"),
        (
            groups is not None,
            "groups is for many records of one person, and each canary is found by "
            "itself",
        ),
        end=". Leave one of both out.",
    )
    return 1, epsilon, delta


def check_canaries(canaries):
    """Raise ValueError for what is neither a number of canaries nor made like them.

    Parameters
    ----------
    canaries : int or pair of features and labels
    """
    is_pair = isinstance(canaries, (tuple, list)) and len(canaries) == 2
    if not is_pair and not np.isscalar(canaries):
        raise ValueError(
            f"canaries={in_message(canaries)} is neither a number nor a pair of "
            "features and labels; expected an integer >= "
            f"{FEWEST_CANARIES}, or a pair as make_canaries gives it."
        )
    if not is_pair:
        check_count(canaries, "canaries", FEWEST_CANARIES)


def _check_epsilon(epsilon):
    is_number = isinstance(epsilon, (int, float, np.number))
    if isinstance(epsilon, bool) or not is_number or not 0 <= epsilon < np.inf:
        raise ValueError(
            f"epsilon={in_message(epsilon)} is no epsilon; expected what is claimed of "
            "the procedure, a number from 0."
        )
    return float(epsilon)


def _check_no_claim(epsilon, delta, adjacency):
    _refuse_given(
        (epsilon is not None, f"epsilon={epsilon!r}"),
        (delta > 0, f"delta={delta!r}"),
        (adjacency != ADJACENCIES[0], f"adjacency={adjacency!r}"),
        end=" is of a claim that only canaries can contradict; pass canaries=1000 with "
        "it.",
    )


def _refuse_given(*pairs, end):
    for is_given, told in pairs:
        if is_given:
            raise ValueError(f"{told}{end}")
