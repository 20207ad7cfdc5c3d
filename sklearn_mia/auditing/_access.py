"""What an attacker holds: a way to ask the model, or its file."""

from sklearn_mia.base import BaseAttack

# From the weaker to the stronger: who has the file can ask it, too.
ACCESSES = ("interface", "file")
FILE_ATTACK = "LinearReconstructionAttack"
WHO = {
    "interface": "Asked, without its file",
    "file": "Handed over as a file",
}


def heading_of(part, content):
    """What stands above a verdict; nothing in a report on answers alone."""
    is_plain = content["beside"] is None and part["access"] == "interface"
    return "" if is_plain else WHO[part["access"]]


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
    inside = [attack]
    if not isinstance(attack, BaseAttack) and hasattr(attack, "get_params"):
        inside += attack.get_params(deep=True).values()
    reads_file = any(getattr(part, "access", None) == "file" for part in inside)
    return "file" if reads_file else "interface"


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
