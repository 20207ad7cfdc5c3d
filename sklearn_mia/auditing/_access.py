"""What an attacker holds: a way to ask the model, or its file."""

import inspect

from sklearn_mia._choices import ACCESSES
from sklearn_mia.attacks import ThresholdAttack
from sklearn_mia.auditing._judging import ONLY_PREDICTIONS
from sklearn_mia.base import BaseAttack

FILE_ATTACK = "LinearReconstructionAttack"
WHO = {
    "interface": "Asked, without its file",
    "file": "Handed over as a file",
}


def heading_of(part, content):
    """What stands above a verdict; nothing where there is no file to be handed over."""
    codes = {finding["code"] for finding in content["findings"]}
    has_no_file = ONLY_PREDICTIONS in codes or content["model"].get("queries")
    return "" if has_no_file else WHO[part["access"]]


def check_release(release):
    """Return `release` if it is one of `ACCESSES` or None."""
    if release is not None and not (isinstance(release, str) and release in ACCESSES):
        raise ValueError(
            f"release={release!r}; expected 'interface' if others will only ask the "
            "model, 'file' if they will have it, or None for both."
        )
    return release


def access_of(attack):
    """What an attack needs, also one inside a search or another wrapper.

    Parameters
    ----------
    attack : estimator

    Returns
    -------
    access : {"interface", "file"}
    """
    reads_file = any(getattr(p, "access", None) == "file" for p in _inside(attack))
    return "file" if reads_file else "interface"


def _inside(attack):
    """An attack, or the parts of a search or another wrapper with one inside."""
    if isinstance(attack, BaseAttack) or not hasattr(attack, "get_params"):
        return [attack]
    return [attack, *attack.get_params(deep=True).values()]


def explanation_of(attack):
    """What an attack does, for whoever reads a report.

    Parameters
    ----------
    attack : estimator or None
        None is a signal of the answers.

    Returns
    -------
    explanation : str
        Its `explanation`, else the first line of its documentation.
    """
    if attack is None:
        return ThresholdAttack.explanation
    found = [part for part in _inside(attack) if isinstance(part, BaseAttack)]
    told = [part.explanation for part in found if part.explanation]
    documented = inspect.getdoc(type((found or [attack])[0])) or ""
    return told[0] if told else documented.partition("\n")[0]


def accesses_told(release, attacks, *, chosen):
    """The accesses that a report has a verdict on.

    Parameters
    ----------
    release : {"interface", "file"} or None

    attacks : dict
        Name mapped to an attack.

    chosen : bool
        Whether the caller chose the attacks: without `release` only what these need is
        told.

    Returns
    -------
    accesses : list of str
        From the weaker to the stronger.

    Raises
    ------
    ValueError
        If an attack needs the file, and only answers are released.
    """
    needed = {name: access_of(attack) for name, attack in attacks.items()}
    if release == "interface":
        too_much = [name for name, access in needed.items() if access == "file"]
        if too_much:
            raise ValueError(
                f"release='interface', and the attack {too_much[0]} reads the file of "
                "the model. Leave it out, or pass release='file'."
            )
    if release is not None:
        return [release]
    if not chosen:
        return list(ACCESSES)
    return [access for access in ACCESSES if access in needed.values()]
