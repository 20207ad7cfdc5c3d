"""Change formulas one place at a time, and see whether a test notices.

    python tests/mutants.py signals
    python tests/mutants.py metrics --sample 300
    python tests/mutants.py groups --seed 1 -- -m ""

Tests are collected once, and run once to see which functions each calls. For each
mutant a forked process puts the changed code in the place of the function, and runs the
tests that call it until one fails. Messages, checks of what a caller gave and
docstrings are left as they are. A sample has the same mutants on every run; a change of
the code moves only its own. What survives is printed, and must stand in `mutants.toml`
with the reason why no test could notice it; what stands there must be a mutant, and
live. Options after ``--`` are those of pytest.
"""

import argparse
import ast
import copy
import hashlib
import importlib
import inspect
import os
import pickle
import sys
import threading
import time
import tomllib
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from sklearn_mia.metrics import rate_interval

resource = pytest.importorskip("resource")

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "sklearn_mia"
LEAST_KILLED = 0.9
# Of the time that its tests take without a change, and more for a start of theirs.
TIMES_SLOWER, MORE_SECONDS = 10, 30
LEFT_OUT = 9

# What is changed, and the tests that must notice, besides the examples of docstrings.
ROOMS = {
    "metrics": (
        ["metrics/_*.py"],
        "properties_metrics rates auc intervals epsilon gaussian_dp exposed power "
        "comparison scorers usage baseline",
    ),
    "signals": (
        ["signals.py"],
        "properties_sums signals threshold regression base words_of_regressors",
    ),
    "groups": (["groups/_*.py"], "properties_sums groups persons"),
    "equations": (
        ["equations/_*.py"],
        "equations_rows equations_rows_of_steps equations_rows_of_trees "
        "equations_rows_of_leaves equations_rows_of_boosting "
        "equations_rows_of_libraries "
        "equations_solver_by_hand equations_formulas properties_sums equations "
        "equations_solver equations_parts equations_parts_by_hand "
        "equations_rounded equations_stripped equations_regressors equations_libraries "
        "equations_stripped_values equations_versions linear_reconstruction",
    ),
    "scores": (
        [
            *("attacks/_lira.py", "attacks/_rmia.py", "attacks/_difficulty.py"),
            "base/_sides.py",
        ],
        "score_formulas properties_records shadow_attacks rmia difficulty regression",
    ),
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
            # zip(strict=True) is a check.
            told |= isinstance(child, ast.keyword) and child.arg == "strict"
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
    """Each mutant of a file: its module, function, place there, and change."""
    tree = ast.parse(path.read_text())
    module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts)
    seen = Counter()
    for name, function in functions_in(tree):
        if name.rpartition(".")[2] in ("__init__", "__repr__", "__str__"):
            continue
        for place, node in enumerate(looked_at(function)):
            for number, (change, _) in enumerate(changes(node)):
                line = ast.unparse(node).split("\n")[0][:60]
                told = f"{name}: {line} -> {change}"
                seen[told] += 1
                yield {
                    "module": module,
                    "function": name,
                    "told": told + (f" ({seen[told]})" if seen[told] > 1 else ""),
                    "line": getattr(node, "lineno", function.lineno),
                    "tree": function,
                    "place": (place, number),
                }


def mutants_in(room):
    return [
        mutant
        for pattern in ROOMS[room][0]
        for path in sorted(PACKAGE.glob(pattern))
        for mutant in mutants_of(path)
    ]


def sampled(mutants, n, seed):
    """The n mutants that come first in an order of their names alone."""

    def place(mutant):
        name = f"{seed} {mutant['module']} {mutant['told']}"
        return hashlib.sha256(name.encode()).digest()

    kept = {id(m) for m in sorted(mutants, key=place)[:n]}
    return [m for m in mutants if id(m) in kept]


def explained():
    """Why mutants live: {module: {change: reason}}."""
    return tomllib.loads((HERE / "mutants.toml").read_text())


def changed(mutant):
    """The function with one node changed, and without its decorators."""
    tree, (place, number) = copy.deepcopy(mutant["tree"]), mutant["place"]
    node = list(looked_at(tree))[place]
    list(changes(node))[number][1](node)
    tree.decorator_list = []
    return tree


def put_in_place(mutant):
    """Change the code of the function that all others know."""
    module = importlib.import_module(mutant["module"])
    found = module
    for part in mutant["function"].split("."):
        found = inspect.getattr_static(found, part)
    found = getattr(found, "fget", None) or getattr(found, "__func__", found)
    found = inspect.unwrap(found)
    tree = changed(mutant)
    whole = ast.fix_missing_locations(ast.Module([tree], type_ignores=[]))
    scope = {}
    exec(compile(whole, module.__file__, "exec"), vars(module) | scope, scope)
    new = scope[tree.name].__code__
    if new.co_freevars != found.__code__.co_freevars:
        raise LookupError("a function that closes over others")
    found.__code__ = new


# Tests


class Calls:
    """A plugin of pytest: the functions that a test and its fixtures call."""

    def __init__(self):
        self.now, self.of_fixtures = set(), defaultdict(set)

    def __call__(self, frame, event, arg):
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(str(PACKAGE)):
            self.now.add((code.co_filename, code.co_qualname.partition(".<locals>")[0]))

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef):
        outer, self.now = self.now, self.of_fixtures[fixturedef]
        try:
            return (yield)
        finally:
            self.now = outer

    def of(self, item):
        fixtures = getattr(item, "_fixtureinfo", None)
        for known in fixtures.name2fixturedefs.values() if fixtures else ():
            self.now.update(*(self.of_fixtures[f] for f in known))
        return self.now


def ran(item, following):
    item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
    return not item.session.testsfailed


class Trials:
    """A plugin of pytest: its loop runs, for each mutant, the tests that call it."""

    def __init__(self, mutants):
        self.mutants, self.became, self.killers = mutants, [], {}

    def pytest_runtestloop(self, session):
        if session.testsfailed:
            raise pytest.UsageError("a test cannot be read")
        # What fails need not be made small.
        properties = importlib.import_module("helpers.properties")
        properties.PHASES = properties.PHASES[:-1]
        self.items = session.items
        failed, told = forked(session, self.looked_on)
        if failed:
            raise pytest.UsageError(f"fails as the code is: {told}")
        self.seconds, self.callers = told
        for number, mutant in enumerate(self.mutants):
            status, killer = forked(session, self.tried, mutant)
            became = {0: "survived", LEFT_OUT: "left out"}.get(status, "killed")
            self.became.append(became)
            if killer is not None:
                self.killers[function_of(mutant)] = killer
            if became == "survived":
                where = f"{mutant['module']}:{mutant['line']} {mutant['told']}"
                print(f"survived {len(self.tests_of(mutant))} tests: {where}")
            if number % 25 == 24:
                print(f"{number + 1} of {len(self.mutants)}", flush=True)
        return True

    def looked_on(self):
        """Seconds of each test, and {function: places of the tests that call it}."""
        calls, seconds, callers = Calls(), [], defaultdict(list)
        self.items[0].config.pluginmanager.register(calls)
        threading.setprofile(calls)
        for place, item in enumerate(self.items):
            calls.now, start = set(), time.process_time()
            sys.setprofile(calls)
            has_passed = self.has_passed(place, place + 1)
            sys.setprofile(None)
            if not has_passed:
                return 1, item.nodeid
            seconds.append(time.process_time() - start)
            for function in calls.of(item):
                callers[function].append(place)
        return 0, (seconds, dict(callers))

    def tried(self, mutant):
        places = self.tests_of(mutant)
        allowed = MORE_SECONDS + TIMES_SLOWER * sum(self.seconds[p] for p in places)
        soft = int(sum(os.times()[:2]) + allowed)
        resource.setrlimit(resource.RLIMIT_CPU, (soft, soft))
        try:
            put_in_place(mutant)
        except LookupError:
            return LEFT_OUT, None
        for place, following in zip(places, [*places[1:], None], strict=True):
            if not self.has_passed(place, following):
                return 1, place
        return 0, None

    def tests_of(self, mutant):
        """Places of tests: what killed the last, then file by file the quickest."""
        function = function_of(mutant)
        places = self.callers.get(function, [])
        of_file = Counter()
        for place in places:
            of_file[self.items[place].path] += self.seconds[place]

        def order(place):
            path = self.items[place].path
            is_first = place == self.killers.get(function)
            return not is_first, of_file[path], str(path), self.seconds[place]

        return sorted(places, key=order)

    def has_passed(self, place, following):
        item, n = self.items[place], len(self.items)
        nextitem = self.items[following] if (following or n) < n else None
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=nextitem)
        return not item.session.testsfailed


def function_of(mutant):
    """Its file, and its name there."""
    path = PACKAGE.parent.joinpath(*mutant["module"].split(".")).with_suffix(".py")
    return str(path), mutant["function"]


def forked(session, work, *given):
    """What `work` returns in a process of its own: its status, and what it tells."""
    sys.stdout.flush()
    reading, writing = os.pipe()
    child = os.fork()
    if child:
        os.close(writing)
        with os.fdopen(reading, "rb") as stream:
            told = stream.read()
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        return status, pickle.loads(told) if told else None
    status = 1
    try:
        session.config.pluginmanager.unregister(name="terminalreporter")
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.dup2(nowhere, 2)
        status, told = work(*given)
        with os.fdopen(writing, "wb") as stream:
            pickle.dump(told, stream)
    finally:
        os._exit(status)


def main(given):
    given, options = _split(given)
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("room", choices=ROOMS)
    parser.add_argument("--sample", type=int, metavar="N")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(given)
    room, mutants = arguments.room, mutants_in(arguments.room)
    n_all = len(mutants)
    stale = unknown_reasons(room, mutants)
    if arguments.sample is not None:
        mutants = sampled(mutants, arguments.sample, arguments.seed)
    trials = Trials(mutants)
    patterns, tests = ROOMS[room]
    files = [str(HERE / f"test_{name}.py") for name in tests.split()]
    files += sorted({str((PACKAGE / p).parent) for p in patterns if "/" in p})
    plain = ["-q", "--no-header"]
    for plugin in ("cacheprovider", "faulthandler", "xdist"):
        plain += ["-p", f"no:{plugin}"]
    pytest.main([*plain, *options, *files], plugins=[trials])
    became = dict(zip(map(named, mutants), trials.became, strict=False))
    return told_of(room, n_all, became, stale)


def named(mutant):
    return mutant["module"], mutant["told"]


def unknown_reasons(room, mutants):
    """What `mutants.toml` names in the modules of a room, and is no mutant there."""
    known = set(map(named, mutants))
    modules = {m["module"] for m in mutants}
    return [
        (module, told)
        for module, reasons in explained().items()
        for told in reasons
        if module in modules and (module, told) not in known
    ]


def told_of(room, n_all, became, stale):
    """Print what became of mutants; true if less is killed, or lives, than is known."""
    counts = Counter(became.values())
    n_killed, n_tried = counts["killed"], counts["killed"] + counts["survived"]
    has_reason = {(m, told) for m, reasons in explained().items() for told in reasons}
    survived = {name for name, end in became.items() if end == "survived"}
    killed = {name for name, end in became.items() if end == "killed"}
    wrong = (
        ("names no mutant", stale),
        ("was killed", sorted(killed & has_reason)),
        ("has no reason", sorted(survived - has_reason)),
    )
    for what, names in wrong:
        for module, told in names:
            print(f"mutants.toml, {what}: {module}, {told}")
    interval = rate_interval(n_killed, n_tried, confidence=0.95) if n_tried else None
    print(
        f"{room}: {n_tried} of {n_all} mutants tried, {n_killed} killed "
        f"({n_killed / max(n_tried, 1):.1%}"
        + (f", of all {interval.low:.1%} to {interval.high:.1%}" if interval else "")
        + f"), {len(survived)} survived, {len(survived & has_reason)} of them with a "
        f"reason; {counts['left out']} left out"
    )
    return n_killed < LEAST_KILLED * n_tried or any(names for _, names in wrong)


def _split(given):
    place = given.index("--") if "--" in given else len(given)
    return given[:place], given[place + 1 :]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
