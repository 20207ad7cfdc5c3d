"""An audit as a long work: kept as it goes, with its stages and what they cost."""

from contextlib import contextmanager
from functools import wraps

from sklearn_mia._views import visible
from sklearn_mia.attacks import TrajectoryAttack
from sklearn_mia.base import BaseShadowAttack
from sklearn_mia.checks import check_count
from sklearn_mia.memory import keeping
from sklearn_mia.progress import Stage, expect, showing

READING = "reading and checking"
PERMUTATIONS = "the permutation test"
BLIND = "the sides without the model"
CHECKS = "checks"
SLICES = "groups of records"
DIFFERENCES = "differences between groups"
STORED = "what the file stores"
WRITING = "writing the report"

# Seconds for a record, permutation and attack, and of the check without the model.
_SECONDS_A_CELL = 2e-8
_SECONDS_BLIND = 4.0
# What a solution of the equations of a file costs, in fits of the model, an exact one
# of boosting too, and how many there are for someone who lacks some of the records.
_FITS_OF_A_FILE, _FITS_OF_A_FILE_OF_BOOSTING = 1.5, 18.0
_SOLUTIONS_OF_PARTS = 16


@contextmanager
def at_work(memory=None, verbose=0, *, random_state=0):
    """Keep what is done inside in `memory`, and show its progress.

    Parameters
    ----------
    memory, verbose, random_state : as in :func:`sklearn_mia.audit`
    """
    if memory is not None and random_state is None:
        raise ValueError(
            "memory is set but random_state is None: nothing would ever be found "
            "again. Pass an integer random_state."
        )
    if not isinstance(verbose, bool):
        check_count(verbose, "verbose", 0)
    with keeping(memory), showing(verbose):
        yield


def long_work(function):
    """Make a function keep what it does in its `memory` and show its progress."""

    @wraps(function)
    def run(*args, **params):
        # All three can be given by name alone.
        given = {k: params.get(k) for k in ("memory", "random_state")}
        with at_work(**given, verbose=params.get("verbose", 0)):
            return function(*args, **params)

    return run


def expect_audit(attacks, on_file, case, settings):
    """Tell the progress that is shown the stages of an audit, and what they cost.

    Parameters
    ----------
    attacks : dict
        Name mapped to an attack, aimed at the model.

    on_file : dict
        The attack on the file, if it is run after the others.

    case : Case

    settings : Settings
    """
    cells = len(case.is_member) * settings.n_permutations * len(attacks | on_file)
    seconds = cells * _SECONDS_A_CELL
    of_file = 0.0
    for attack in on_file.values():
        is_boosting = TrajectoryAttack.handles(attack.target_estimator)
        is_long = is_boosting and attack.exact
        of_file = _FITS_OF_A_FILE_OF_BOOSTING if is_long else _FITS_OF_A_FILE
    of_parts = _SOLUTIONS_OF_PARTS if settings.effort == "thorough" else 0
    expect(
        [
            *stages_of_attacks(attacks),
            *(Stage(visible(name), fits=of_file) for name in on_file),
            Stage(PERMUTATIONS, seconds=seconds),
            Stage(BLIND, seconds=_SECONDS_BLIND),
            Stage(CHECKS),
            Stage(SLICES, seconds=seconds),
            Stage(DIFFERENCES, seconds=seconds),
            Stage(STORED, fits=of_file * of_parts),
            Stage(WRITING),
        ]
    )


def stages_of_attacks(attacks, *, trained=False):
    """What the attacks cost.

    Parameters
    ----------
    attacks : dict
        Name mapped to an attack, aimed at the model.

    trained : bool, default=False
        Whether their shadow models are there.

    Returns
    -------
    stages : list of Stage
    """
    stages, costs = [], set()
    for name, attack in attacks.items():
        fits, has_shadows = 0.0, False
        if isinstance(attack, BaseShadowAttack):
            fits, has_shadows = attack._cost() or 0.0, bool(attack._cost())
            # Those of equal cost mostly have the same shadow models.
            if trained or (fits in costs and not attack._thin):
                fits = 0.0
            costs.add(fits)
        stages.append(Stage(visible(name), fits=fits, has_steps=has_shadows))
    return stages
