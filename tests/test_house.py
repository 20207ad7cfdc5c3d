"""How the package is built: data flows one way, and each room has one name."""

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

import sklearn_mia

PACKAGE = Path(sklearn_mia.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# A module imports from those before it, and from its own room.
ORDER = (
    "_lazy",
    "_links",
    "_views",
    "_choices",
    "_compat",
    "_warn",
    "_interrupt",
    "memory",
    "items",
    "tables",
    "checks",
    "redaction",
    "hooks",
    "answers",
    "models",
    "label_free",
    "ensembles",
    "columns",
    "identity",
    "records",
    "schema",
    "regression",
    "response",
    "asking",
    "black_box",
    "label_privacy",
    "signals",
    "equations",
    "metrics",
    "groups",
    "readers",
    "progress",
    "workers",
    "shadows",
    "base",
    "attacks",
    "risk",
    "auditing",
    "model_selection",
    "datasets",
    "_demo",
    "__main__",
)


def room(name):
    """First part of a module's name inside the package; "" for the package itself."""
    return name.removeprefix("sklearn_mia").lstrip(".").partition(".")[0]


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


@cache
def tree(path):
    return ast.parse(path.read_text())


@cache
def imports(path):
    """Modules of the package that a file imports, inside functions too."""
    found = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.ImportFrom) and node.module.startswith("sklearn_mia"):
            for alias in node.names:
                longer = PACKAGE.parent.joinpath(*node.module.split("."), alias.name)
                is_module = longer.is_dir() or longer.with_suffix(".py").exists()
                found.append(
                    f"{node.module}.{alias.name}" if is_module else node.module
                )
        elif isinstance(node, ast.Import):
            found += [a.name for a in node.names if a.name.startswith("sklearn_mia")]
    return tuple(found)


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_a_module_imports_only_from_those_before_it(path):
    own = room(module_name(path))
    if not own:
        pytest.skip("the package itself gathers what is public")
    for found in imports(path):
        # The version stands at the top.
        if room(found) not in (own, ""):
            assert ORDER.index(room(found)) < ORDER.index(own), found


def test_there_is_no_cycle_of_imports():
    within = {
        module_name(p): {m for m in imports(p) if m != "sklearn_mia"} for p in FILES
    }
    done = set()
    while len(done) < len(within):
        free = {m for m, needs in within.items() if needs <= done | {m}} - done
        assert free, sorted(set(within) - done)
        done |= free


def test_no_two_modules_differ_by_an_underscore_or_a_plural():
    names = defaultdict(set)
    for path in FILES:
        name = path.parent.name if path.stem == "__init__" else path.stem
        names[name.strip("_").removesuffix("s")].add(name)
    assert [sorted(n) for n in names.values() if len(n) > 1] == []


def test_no_file_is_longer_than_600_lines():
    lengths = {module_name(p): len(p.read_text().splitlines()) for p in FILES}
    assert {name: n for name, n in lengths.items() if n > 600} == {}


@pytest.mark.parametrize(
    ("words", "home"),
    [
        (("is_pandas_df", "is_polars_df", "_safe_indexing"), "tables.py"),
        (("best_estimator_", "calibrated_classifiers_", "isinstance(model, Pip"), None),
        (("".join(["type", "(attack)"]),), None),
        (("_BaseScorer", "_Scorer", "_validate_X_predict", "_get_weights"), None),
        (("_metadata_requests",), None),
        (("warnings.warn(",), "_warn.py"),
    ],
)
def test_what_one_module_knows_no_other_asks_for(words, home):
    # A list of names of types knows nothing of what they are.
    free = home, "models.py", "ensembles.py", "_compat.py", "_trusted.py"
    for path in FILES:
        if path.name not in free:
            assert [w for w in words if w in bare_code(path)] == [], path


@cache
def bare_code(path):
    return ast.unparse(without_docstrings(tree(path)))


def without_docstrings(code):
    for node in ast.walk(code):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)):
            first = node.body[0]
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body[0] = ast.Pass()
    return code


def test_audit_is_the_function_however_it_is_imported():
    assert callable(sklearn_mia.audit)
    with pytest.raises(ModuleNotFoundError):
        __import__("sklearn_mia.audit")
    assert callable(sklearn_mia.audit)
