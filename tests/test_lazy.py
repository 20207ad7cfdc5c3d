"""The package imports what is public in it when somebody asks for it."""

import ast
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_mia
from sklearn_mia import auditing

PACKAGES = (sklearn_mia, auditing)


def said_by_python(code, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.__name__)
def test_type_checkers_are_told_of_the_names_that_are_there(package):
    tree = ast.parse(Path(package.__file__).read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    told = {
        (node.module.removeprefix(f"{package.__name__}."), alias.name)
        for node in block.body
        for alias in node.names
    }
    homes = package._HOMES.items()
    assert told == {(home, name) for home, names in homes for name in names}
    assert sorted(name for _, name in told) == package.__all__


@pytest.mark.parametrize("package", PACKAGES, ids=lambda p: p.__name__)
def test_every_name_is_there_and_listed(package):
    assert {*package.__all__, "__all__", "__path__"} <= set(dir(package))
    for home, names in package._HOMES.items():
        for name in names:
            module = sys.modules[getattr(package, name).__module__]
            assert module.__name__.startswith(f"{package.__name__}.{home}")
            assert getattr(module, name) is getattr(package, name)
    with pytest.raises(AttributeError, match=f"'{package.__name__}' has no .* 'lira'"):
        package.lira  # noqa: B018
    assert not hasattr(package, "__wrapped__")


def test_every_public_module_is_an_attribute():
    files = Path(sklearn_mia.__file__).parent.glob("[!_]*")
    assert sorted(path.stem for path in files) == list(sklearn_mia._MODULES)
    assert set(sklearn_mia._MODULES).isdisjoint(sklearn_mia.__all__)
    for name in sklearn_mia._MODULES:
        assert getattr(sklearn_mia, name).__name__ == f"sklearn_mia.{name}"


def test_a_class_is_pickled_by_the_module_that_has_it():
    attack = pickle.loads(pickle.dumps(sklearn_mia.LiRA(n_shadows=4)))
    assert type(attack) is sklearn_mia.attacks.LiRA
    assert b"sklearn_mia.attacks._lira" in pickle.dumps(sklearn_mia.LiRA)


def test_names_come_when_they_are_asked_for():
    said = said_by_python(
        "import sys, sklearn_mia\n"
        "print(sorted({'sklearn', 'numpy', 'scipy', 'joblib'} & set(sys.modules)))\n"
        "print(callable(sklearn_mia.audit), sklearn_mia.metrics.__name__)\n"
        "import sklearn_mia.attacks\n"
        "print(sklearn_mia.RMIA is sklearn_mia.attacks.RMIA)\n"
        "from sklearn_mia import *\n"
        "print(audit is sklearn_mia.auditing.audit, RMIA is sklearn_mia.RMIA)\n"
        "print(sorted(set(sklearn_mia.__all__) - set(globals())))\n"
    )
    assert said == ["[]", "True sklearn_mia.metrics", "True", "True True", "[]"]


TOLD_AT_ONCE = """
import json, sys
from sklearn_mia.__main__ import main
for given in json.loads(sys.argv[1]):
    try:
        status = main(given)
    except SystemExit as ended:
        status = ended.code
    found = sorted({"sklearn", "numpy", "scipy", "pandas"} & set(sys.modules))
    print("\\n", [given, status, found])
"""


def test_what_cannot_be_done_is_told_before_anything_is_imported(tmp_path):
    for name in ("m.skops", "m.pkl", "a.csv", "b.csv"):
        (tmp_path / name).write_text("y,m\n")
    files = [str(tmp_path / name) for name in ("m.skops", "a.csv", "b.csv")]
    nowhere = str(tmp_path / "nowhere" / "file.csv")
    answers = [f"--predictions={files[1]}", "--member=m"]
    shown = [["--version"], ["audit", "--help"], ["audit-recipe", "--help"]]
    wrong = [
        [],
        ["audit", *files],
        *(
            ["audit", "--label=y", *given]
            for given in (
                [],
                [*files, "--nothing"],
                [*files, "--fpr=2"],
                [nowhere, *files[1:]],
                [*files[:2], nowhere],
                [str(tmp_path / "m.pkl"), *files[1:]],
                [*files, f"--baseline={nowhere}"],
                [*files, f"-o={tmp_path / 'nowhere' / 'page.html'}"],
                [*files, f"--json={files[1]}"],
                [*files, "--json=-", "--name-records", "--no-records"],
                [*files, "--groups=-"],
                [*files, "--note=a=1", "--note=a=2"],
                [*files, "--member=m"],
                [*answers, "--n-shadows=4"],
                [f"--predictions={nowhere}", "--member=m"],
            )
        ),
        ["audit-recipe", "--label=y", files[0], nowhere],
    ]
    said = said_by_python(TOLD_AT_ONCE, json.dumps(shown + wrong))
    assert [line.strip() for line in said if line.startswith(" [")] == [
        *(str([given, 0, []]) for given in shown),
        *(str([given, 2, []]) for given in wrong),
    ]
