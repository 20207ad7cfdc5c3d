"""The ways to ask the command line for an audit, and which options each can follow.

An option that a way has no use for is refused: who passes it expects something of it.
All of this is told before anything is imported that takes long.
"""

from sklearn_mia.auditing._delivery import check_destinations
from sklearn_mia.auditing._files import (
    check_model_file,
    check_report_file,
    check_table_file,
    has_separator,
)
from sklearn_mia.auditing._options import limits_once

_OF_SHADOWS = "is about shadow models, which are trained as the model was"
_OF_LOADING = "is about the file of the model"

# Each has no effect in one of the ways, and why. All others have one in both.
NOT_WITH_PREDICTIONS = {
    "drop": "leaves out columns that the model does not take",
    "drop_shared": "compares the records that the model was trained on with others",
    "effort": "needs the file of the model",
    "features": "tells what the model takes",
    "files": "tells what the model takes",
    "n_jobs": _OF_SHADOWS,
    "n_shadows": _OF_SHADOWS,
    "response_method": "tells how to ask the model",
    "timeout": _OF_SHADOWS,
    "trust": _OF_LOADING,
    "trust_pickle": _OF_LOADING,
}
NOT_WITH_MODEL = {
    "member": "of two tables, the first has the members",
    "predicted": "a model is asked for its predictions",
    "proba_prefix": "a model is asked for its probabilities",
}


# Of audit-recipe.
NOT_WITH_CANARIES = {
    "fpr": "is for the rates of several models, and --canaries has one bound",
    "group": "is for many records of one person, and each of the --canaries is found "
    "by itself (--drop COLUMN leaves a column out)",
    "n_targets": "is for several models, and --canaries are found in a single one",
    "vary": "is for several models, and --canaries are found in a single one",
}
OF_CANARIES = ("epsilon", "delta", "adjacency")


def check_audit(arguments):
    """Raise an error for what ``audit`` was given and cannot use.

    Parameters
    ----------
    arguments : Namespace
        With the names of all that was given in `options`.

    Raises
    ------
    ValueError, OSError
    """
    model = (arguments.model, arguments.members, arguments.nonmembers)
    if arguments.predictions is None:
        if None in model:
            raise ValueError(
                "audit needs three files, MODEL MEMBERS NONMEMBERS, or --predictions "
                "FILE."
            )
        for name in _given(arguments, NOT_WITH_MODEL):
            raise ValueError(
                f"{_shown(name)} is for --predictions FILE: {NOT_WITH_MODEL[name]}. "
                "Leave it out, or pass predictions in place of the three files."
            )
    else:
        if model != (None, None, None):
            raise ValueError(
                "Pass either MODEL MEMBERS NONMEMBERS or --predictions FILE."
            )
        _check_predictions(arguments)
    if "size" in arguments.slice and arguments.group is None:
        raise ValueError(
            "--slice size needs --group COLUMN: it tells groups apart by their number "
            "of records."
        )
    for option in ("fail_above", "fail_slice_above"):
        limits_once(getattr(arguments, option), _shown(option))
    _check_inputs(arguments, arguments.members, arguments.nonmembers)
    if arguments.baseline is not None:
        check_report_file(arguments.baseline, max_bytes=arguments.max_size)
    check_destinations(arguments)


def check_recipe(arguments):
    """Raise an error for what ``audit-recipe`` was given and cannot use.

    Parameters
    ----------
    arguments : Namespace
        With the names of all that was given in `options`.

    Raises
    ------
    ValueError, OSError
    """
    if arguments.canaries is None:
        for name in _given(arguments, OF_CANARIES):
            raise ValueError(
                f"{_shown(name, str(getattr(arguments, name)))} is of a claim that "
                "only canaries can contradict; pass --canaries 1000 with it."
            )
    else:
        for name in _given(arguments, NOT_WITH_CANARIES):
            raise ValueError(
                f"{_shown(name)} {NOT_WITH_CANARIES[name]}. Leave one of both out."
            )
    _check_inputs(arguments, arguments.table)
    check_destinations(arguments)
    # What is asked of numbers is known where they are used.
    from sklearn_mia.auditing._recipe_plan import check_plan

    names = ("n_targets", "vary", "canaries", "epsilon", "delta", "adjacency")
    check_plan(groups=None, **{name: getattr(arguments, name) for name in names})


def _given(arguments, names):
    return [name for name in names if name in arguments.options]


def _shown(name, *value):
    return " ".join([f"--{name.replace('_', '-')}", *value])


def _check_predictions(arguments):
    if arguments.member is None:
        raise ValueError(
            "--predictions needs --member COLUMN, the column that says which records "
            "the model was trained on."
        )
    if arguments.predicted is not None and _given(arguments, ["proba_prefix"]):
        raise ValueError(
            "--proba-prefix names columns of probabilities, and --predicted the one "
            "column of a regressor. Leave one of both out."
        )
    for name in ("label", "member"):
        column = getattr(arguments, name)
        if column is not None and column == arguments.predicted:
            raise ValueError(
                f"--predicted and {_shown(name)} name one column, {column!r}; expected "
                "what the model predicts, and beside it what is true."
            )
    refused = [
        (_shown(name, *([arguments.effort] if name == "effort" else [])), why)
        for name, why in NOT_WITH_PREDICTIONS.items()
        if name in arguments.options
    ]
    if arguments.release == "file":
        refused.append(("--release file", "needs the file of the model"))
    if "rarity" in arguments.slice:
        refused.append(("--slice rarity", "compares the records that the model takes"))
    for option, why in refused:
        raise ValueError(
            f"{option} {why}, and --predictions has its answers alone. Leave it out, "
            "or pass MODEL MEMBERS NONMEMBERS."
        )


def _check_inputs(arguments, *tables):
    """Raise an error for files that are not there, and for options on files."""
    if arguments.model is None:
        tables = (arguments.predictions,)
    else:
        check_model_file(
            arguments.model,
            trust_pickle=arguments.trust_pickle,
            max_bytes=arguments.max_size,
        )
    for path in tables:
        check_table_file(
            path, separator=arguments.separator, max_bytes=arguments.max_size
        )
    if "separator" in arguments.options and not any(map(has_separator, tables)):
        raise ValueError(
            "--separator tells how the cells of a .csv or .txt file are separated, and "
            "no table is one. Leave it out."
        )
    if arguments.files is not None and arguments.features is None:
        raise ValueError(
            "--files needs --features COLUMN, the column with the name of the file of "
            "each record."
        )
    memory = arguments.memory
    if memory is not None and memory.is_file():
        raise ValueError(
            f"--memory {memory} is a file; expected a folder, which is made if it is "
            "not there."
        )
    if arguments.timeout is not None:
        # joblib knows the workers that there are.
        from sklearn_mia.workers import check_timeout

        check_timeout(arguments.timeout, arguments.n_jobs)
