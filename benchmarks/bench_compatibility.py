"""Targets in containers under attacks: AUC, or what was said instead.

    python benchmarks/bench_compatibility.py

Small real data, 100 members and as many other records, 4 shadow models: whether it
runs, not how strong it is. Every cell was run. Where a container is no table of
numbers, the step that makes one of it (an encoder, TF-IDF and the like) is in a
pipeline before the model.
"""

import sys
import warnings
from collections import Counter
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from common import RESULTS, command_line, environment, markdown, told, write_results
from joblib import Parallel, delayed

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from helpers import compatibility, other_packages

SYMBOLS = {
    "ok": ("✓", "runs: all scores are finite"),
    "refused": ("✗", "the attack says that it is not for this target"),
    "not possible": ("·", "the target itself does not take the container"),
    "not installed": ("?", "the package of the target is not installed"),
    "FAILED": ("!", "an error that tells the user nothing"),
}


def state_of(cell):
    """The outcome of a cell, without what is told of it."""
    return next(state for state in SYMBOLS if cell.startswith(state))


def row_of(target, container):
    """All attacks on a target in a container."""
    package = other_packages.TARGETS.get(target, (None,))[0]
    if package is not None and find_spec(package) is None:
        cells = dict.fromkeys(compatibility.ATTACKS, "not installed")
    else:
        cells = {
            attack: compatibility.outcome(target, container, attack)
            for attack in compatibility.ATTACKS
        }
    return {"target": target, "container": container, **cells}


def page_of(rows):
    """Symbols, targets by attacks; containers with equal ones share a table."""
    numbers = {name: str(i) for i, name in enumerate(compatibility.ATTACKS, 1)}
    counts, containers_of = Counter(), {}
    for container in compatibility.CONTAINERS:
        shown = []
        for row in rows:
            if row["container"] == container:
                states = {number: state_of(row[a]) for a, number in numbers.items()}
                counts.update(states.values())
                symbols = {number: SYMBOLS[s][0] for number, s in states.items()}
                shown.append({"target": row["target"], **symbols})
        containers_of.setdefault(markdown(shown), []).append(container)
    legend = [
        f"- {symbol} {meaning}: {counts[state]} of {counts.total()} cells"
        for state, (symbol, meaning) in SYMBOLS.items()
        if counts[state]
    ]
    attacks = ", ".join(f"{number} {name}" for name, number in numbers.items())
    head = ["# Targets, containers, attacks\n", *legend, f"\n{attacks}\n"]
    tables = [f"## {'; '.join(c)}\n\n{t}\n" for t, c in containers_of.items()]
    return "\n".join([*head, *tables])


def rows_of(container):
    """All targets in a container."""
    # Of models that did not converge, say.
    warnings.simplefilter("ignore")
    rows = []
    for target in compatibility.TARGETS:
        rows.append(row_of(target, container))
        print(rows[-1], flush=True)
    return rows


def versions():
    """Versions of the other packages whose models are targets."""
    packages = {other_packages.TARGETS[name][0] for name in compatibility.OTHERS}
    found = sorted(p for p in packages if p is not None and find_spec(p) is not None)
    return {package: import_module(package).__version__ for package in found}


def main():
    parser = command_line(__doc__, "compatibility")
    parser.add_argument("--jobs", type=int, default=1, help="containers at a time")
    options = parser.parse_args()
    parts = Parallel(options.jobs)(
        delayed(rows_of)(container) for container in compatibility.CONTAINERS
    )
    rows = [row for part in parts for row in part]
    about = {"seed": other_packages.SEED, **versions()}
    write_results(options.name, rows, **about)
    page = f"{page_of(rows)}\n{told(environment(**about))}\n"
    (RESULTS / f"{options.name}.md").write_text(page)


if __name__ == "__main__":
    main()
