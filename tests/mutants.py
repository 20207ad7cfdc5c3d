"""Change formulas one place at a time, and see whether a test notices.

    python tests/mutants.py metrics
    python tests/mutants.py groups --sample 50 --seed 1 -- -m ""

Tests are collected once. For each mutant a forked process puts the changed code in the
place of the function and runs them until one fails. Messages, checks of what a caller
gave and docstrings are left as they are. What survives is printed; where no test could
notice, `EXPLAINED` says why. Options after ``--`` are those of pytest.
"""

import argparse
import ast
import copy
import importlib
import inspect
import os
import random
import sys
from collections import Counter
from pathlib import Path

import pytest

resource = pytest.importorskip("resource")

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "sklearn_mia"
MOST_CPU_SECONDS = 180
LEAST_KILLED = 0.9

# What is changed, and the tests that must notice, the quickest first.
ROOMS = {
    "metrics": (
        ["metrics/_*.py"],
        "properties_metrics rates auc intervals epsilon exposed power comparison "
        "scorers usage baseline",
    ),
    "signals": (["signals.py"], "properties_sums signals threshold regression"),
    "groups": (["groups/_*.py"], "properties_sums groups persons"),
    "equations": (
        ["equations/_*.py"],
        "properties_sums equations equations_solver equations_parts equations_rounded "
        "equations_stripped equations_regressors",
    ),
    "scores": (
        ["attacks/_lira.py", "attacks/_rmia.py", "attacks/_difficulty.py"],
        "properties_records shadow_attacks rmia difficulty votes regression",
    ),
}

# Function and change, mapped to why no test can notice.
EXPLAINED = {
    "centred_scores: if not scores.size: -> if False": "no scores give no scores, too",
    "logit: if log_proba.shape[1] == 2: -> if False": "a shortcut, equal but in speed",
}

_SWAPPED = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.Pow: ast.Mult,
    ast.MatMult: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
    ast.FloorDiv: ast.Div,
}
_NAMES = {
    **{"min": "max", "max": "min", "minimum": "maximum", "maximum": "minimum"},
    **{"floor": "ceil", "ceil": "floor", "any": "all", "all": "any", "sf": "cdf"},
    **{"isf": "ppf", "ppf": "isf", "log1p": "log", "sqrt": "abs", "argmax": "argmin"},
}
_WORDS = {"left": "right", "right": "left"}


# Mutants


def changes(node):
    """Ways to change a node in place, each with its name."""
    if isinstance(node, (ast.BinOp, ast.BoolOp, ast.AugAssign)):
        other = _SWAPPED.get(type(node.op))
        if other:
            yield f"op {other.__name__}", lambda n: setattr(n, "op", other())
    elif isinstance(node, ast.Compare):
        for i, op in enumerate(node.ops):
            other = _SWAPPED.get(type(op))
            if other:
                yield (
                    f"{other.__name__}",
                    lambda n, i=i, other=other: n.ops.__setitem__(i, other()),
                )
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.Not)):
        plus = ast.UAdd if isinstance(node.op, ast.USub) else None
        if plus:
            yield "no minus", lambda n: setattr(n, "op", ast.UAdd())
    elif isinstance(node, (ast.If, ast.IfExp)):
        for value in (True, False):
            yield (
                f"if {value}",
                lambda n, value=value: setattr(n, "test", ast.Constant(value)),
            )
    elif isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool):
            yield f"{not value}", lambda n: setattr(n, "value", not n.value)
        elif isinstance(value, (int, float)):
            yield f"{value} + 1", lambda n: setattr(n, "value", n.value + 1)
        elif value in _WORDS:
            yield _WORDS[value], lambda n: setattr(n, "value", _WORDS[n.value])
    elif isinstance(node, ast.Attribute) and node.attr in _NAMES:
        yield _NAMES[node.attr], lambda n: setattr(n, "attr", _NAMES[n.attr])
    elif isinstance(node, ast.Name) and node.id in _NAMES:
        yield _NAMES[node.id], lambda n: setattr(n, "id", _NAMES[n.id])


def looked_at(node):
    """Nodes of a function that make its result: no messages, no defaults, no types."""
    for field, value in ast.iter_fields(node):
        if field in ("decorator_list", "returns", "annotation", "args") and isinstance(
            node, (ast.FunctionDef, ast.AnnAssign)
        ):
            continue
        for child in value if isinstance(value, list) else [value]:
            told = isinstance(child, (ast.Raise, ast.JoinedStr, ast.Assert))
            if not isinstance(child, ast.AST) or told or _is_check(child):
                continue
            yield child
            yield from looked_at(child)


def _is_check(node):
    """A question whose only answer is an error, or a warning."""
    if isinstance(node, ast.If) and not node.orelse:
        return all(isinstance(n, ast.Raise) for n in node.body)
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        name = getattr(node.value.func, "id", getattr(node.value.func, "attr", ""))
        return name == "warn" or name.startswith("check")
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def functions_in(tree, prefix=""):
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            yield prefix + node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from functions_in(node, f"{prefix}{node.name}.")


def mutants_of(path):
    """Each mutant of a file: its module, function, change, and changed function."""
    tree = ast.parse(path.read_text())
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    for name, function in functions_in(tree):
        if name.rpartition(".")[2] in ("__init__", "__repr__", "__str__"):
            continue
        for place, node in enumerate(looked_at(function)):
            for number, (change, _) in enumerate(changes(node)):
                line = ast.unparse(node).split("\n")[0][:60]
                mutated = copy.deepcopy(function)
                other = list(looked_at(mutated))[place]
                list(changes(other))[number][1](other)
                yield {
                    "module": module,
                    "function": name,
                    "told": f"{name}: {line} -> {change}",
                    "line": getattr(node, "lineno", function.lineno),
                    "tree": mutated,
                }


def put_in_place(mutant):
    """Change the code of the function that all others know."""
    module = importlib.import_module(mutant["module"])
    found = module
    for part in mutant["function"].split("."):
        found = inspect.getattr_static(found, part)
    found = getattr(found, "fget", None) or getattr(found, "__func__", found)
    found = inspect.unwrap(found)
    tree = mutant["tree"]
    tree.decorator_list = []
    whole = ast.fix_missing_locations(ast.Module([tree], type_ignores=[]))
    scope = {}
    exec(compile(whole, module.__file__, "exec"), vars(module) | scope, scope)
    new = scope[tree.name].__code__
    if new.co_freevars != found.__code__.co_freevars:
        raise LookupError("a function that closes over others")
    found.__code__ = new


# Tests


class Trials:
    """A plugin of pytest: its loop runs the tests once for each mutant."""

    def __init__(self, mutants):
        self.mutants, self.became = mutants, []

    def pytest_runtestloop(self, session):
        if session.testsfailed:
            raise pytest.UsageError("the tests do not pass as they are")
        for number, mutant in enumerate(self.mutants):
            became = self._tried(session, mutant)
            self.became.append(became)
            if became == "survived":
                told = f"survived: {mutant['module']}:{mutant['line']} {mutant['told']}"
                print(told, flush=True)
            if number % 25 == 24:
                print(f"{number + 1} of {len(self.mutants)}", flush=True)
        return True

    def _tried(self, session, mutant):
        sys.stdout.flush()
        child = os.fork()
        if child:
            status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
            return {0: "survived", 1: "killed", 9: "left out"}.get(status, "killed")
        session.config.pluginmanager.unregister(name="terminalreporter")
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        soft = int(sum(os.times()[:2])) + MOST_CPU_SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (soft, soft))
        try:
            put_in_place(mutant)
        except LookupError:
            os._exit(9)
        for i, item in enumerate(session.items):
            following = session.items[i + 1] if i + 1 < len(session.items) else None
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if session.testsfailed:
                os._exit(1)
        os._exit(0)


def main(given):
    given, options = _split(given)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("room", choices=ROOMS)
    parser.add_argument("--sample", type=int, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(given)
    patterns, tests = ROOMS[arguments.room]
    paths = sorted(p for pattern in patterns for p in PACKAGE.glob(pattern))
    mutants = [m for path in paths for m in mutants_of(path)]
    n_all = len(mutants)
    if arguments.sample is not None and arguments.sample < n_all:
        mutants = random.Random(arguments.seed).sample(mutants, arguments.sample)
    trials = Trials(mutants)
    files = [str(HERE / f"test_{name}.py") for name in tests.split()]
    plain = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header"]
    pytest.main([*plain, *options, *files], plugins=[trials])
    became = Counter(trials.became)
    known = sum(
        b == "survived" and m["told"] in EXPLAINED
        for b, m in zip(trials.became, mutants, strict=False)
    )
    tried = became["killed"] + became["survived"]
    print(
        f"{arguments.room}: {tried} of {n_all} mutants tried, {became['killed']} "
        f"killed ({became['killed'] / max(tried, 1):.1%}), {became['survived']} "
        f"survived, {known} of them explained; {became['left out']} left out"
    )
    return became["killed"] < LEAST_KILLED * tried


def _split(given):
    place = given.index("--") if "--" in given else len(given)
    return given[:place], given[place + 1 :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
