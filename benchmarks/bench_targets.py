"""Models of other packages under every attack: AUC, or what was said instead.

    python benchmarks/bench_targets.py

100 members and as many other records, 4 shadow models: whether it runs, not how strong
it is. Every cell of the table was run; a package that is not installed has a line of
its own, and "not for it" and "no equations" are what the attack itself says.
"""

import sys
import time
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from common import command_line, write_results
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from helpers import other_packages as targets

NAMES = {"imblearn": "imbalanced-learn"}


def audited(name, model, recipe):
    """The strongest attack of an audit and its AUC."""
    report = targets.audit_of(name, model, recipe)
    row = report.to_dict()["report"]["attacks"][0]
    return f"{row['name']} {row['auc']['estimate']:.2f}"


def attacked(name, attack, model, recipe):
    """AUC of one attack."""
    own = targets.attack_on(attack, model, recipe)
    if own is None:
        return "not for it"
    scores, is_member = targets.scores_of(own, *targets.records_of(name))
    return f"{roc_auc_score(is_member, scores):.2f}"


def cell(function, *args):
    """What a function says, or the kind of its error."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return function(*args)
    except Exception as error:
        if targets.has_no_equations(error):
            return "no equations"
        return f"failed: {type(error).__name__}"


def main():
    options = command_line(__doc__, "targets").parse_args()
    rows = []
    for name, (package, *_) in targets.TARGETS.items():
        started = time.perf_counter()
        row = {"target": name, "package": "in the test" if package is None else package}
        if package is not None:
            try:
                row["package"] = f"{package} {version(NAMES.get(package, package))}"
            except PackageNotFoundError:
                rows.append(row | {"audit": "not installed"})
                continue
        try:
            model, recipe = targets.made(name)
        except ImportError as error:
            rows.append(row | {"audit": f"not installed: {error.name}"})
            continue
        row["audit"] = cell(audited, name, model, recipe)
        for attack in targets.ATTACKS:
            row[attack] = cell(attacked, name, attack, model, recipe)
        rows.append(row | {"seconds": round(time.perf_counter() - started, 1)})
        print(rows[-1], flush=True)
    write_results(options.name, rows, seed=targets.SEED)


if __name__ == "__main__":
    main()
