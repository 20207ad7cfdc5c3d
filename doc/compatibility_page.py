"""The page of what was run under what, written from what the benchmarks found."""

from collections import Counter

from api_pages import write_if_changed
from peers_page import RESULTS, as_table, heading, origin, plain, sections_of

HEAD = """\
What was run
============

Which target runs in which container under which attack, on 100 members and as many
other records with 4 shadow models: whether it runs, not how strong it is. Every cell
was run, none is assumed. Where a container is no table of numbers, the step that makes
one of it (an encoder, TF-IDF and the like) is in a pipeline before the model.
``benchmarks/bench_compatibility.py`` and ``benchmarks/bench_targets.py`` write these
tables.
"""
SYMBOLS = {
    "ok": ("✓", "runs: all scores are finite"),
    "refused": ("✗", "the attack says that it is not for this target"),
    "not possible": (
        "·",
        "the target does not take the container, or answers with no numbers in it",
    ),
    "not installed": ("?", "the package of the target is not installed"),
    "FAILED": ("!", "an error that tells the user nothing"),
}
# Of a file of results: the part of its name that says of which scikit-learn.
VERSIONS = ("", "_scikit_learn_16")


def write(path, folder=RESULTS):
    """Write the page.

    Parameters
    ----------
    path : Path

    folder : Path
        Of the results.
    """
    makers = {"compatibility": containers, "targets": packages}
    made = {f"{name}{v}": make for v in VERSIONS for name, make in makers.items()}
    write_if_changed(path, "\n".join([HEAD, *sections_of(made, folder)]))


def state_of(cell):
    """The outcome of a cell, without what is told of it."""
    return next(state for state in SYMBOLS if cell.startswith(state))


def containers(environment, rows):
    """Targets by attacks; containers with equal outcomes share a table."""
    attacks = [name for name in rows[0] if name not in ("target", "container")]
    counts, containers_of = Counter(), {}
    for container in dict.fromkeys(row["container"] for row in rows):
        shown = []
        for row in rows:
            if row["container"] == container:
                states = [state_of(row[attack]) for attack in attacks]
                counts.update(states)
                shown.append((row["target"], *(SYMBOLS[s][0] for s in states)))
        containers_of.setdefault(tuple(shown), []).append(container)
    legend = [
        f"- {symbol} {meaning}: {counts[state]} of {counts.total()} cells"
        for state, (symbol, meaning) in SYMBOLS.items()
        if counts[state]
    ]
    numbers = [str(i) for i in range(1, len(attacks) + 1)]
    named = ", ".join(f"{i} {name}" for i, name in zip(numbers, attacks, strict=True))
    lines = [*heading(f"Containers, scikit-learn {environment['scikit-learn']}", "-")]
    lines += [*legend, "", f"{named}.", ""]
    for table, names in containers_of.items():
        name = "; ".join(names)
        lines += [*heading(name[:1].upper() + name[1:], "~")]
        lines += [as_table(["target", *numbers], table), ""]
    return "\n".join([*lines, origin(environment), ""])


def packages(environment, rows):
    """Models of other packages under every attack."""
    title = f"Other packages, scikit-learn {environment['scikit-learn']}"
    text = "AUC of each attack, and of the one that leads an audit of both sides."
    return "\n".join(
        [*heading(title, "-"), text, "", plain(rows), "", origin(environment), ""]
    )
