"""Targets in containers under attacks: AUC, or what was said instead.

    python benchmarks/bench_compatibility.py

Small real data, 100 members and as many other records, 4 shadow models: whether it
runs, not how strong it is. Every cell was run. Where a container is no table of
numbers, the step that makes one of it (an encoder, TF-IDF and the like) is in a
pipeline before the model.
"""

import sys
import warnings
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from common import command_line, write_results
from joblib import Parallel, delayed

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from helpers import compatibility, other_packages


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
    write_results(options.name, rows, seed=other_packages.SEED, **versions())


if __name__ == "__main__":
    main()
