"""Look at a wheel and a source distribution before anybody gets them.

python .ci/check_package.py FOLDER
"""

import re
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
# Nearly all of it is text that is read where something goes wrong: code and docstrings,
# which take two parts and one part of it.
MOST_KB = 700
# The table and the pages of reports: what could be put elsewhere has to stay small.
MOST_DATA_KB = 40


def version_of(text):
    """The version that `sklearn_mia/__init__.py` tells."""
    return re.search(r'^__version__ = "(.+)"$', text, flags=re.MULTILINE)[1]


def files_of(folder):
    """Paths of a folder of the repository, as git has them in the wheel."""
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    return {
        path.relative_to(ROOT).as_posix()
        for path in found
        if "__pycache__" not in path.parts
    }


def main(folder):
    """Check both files of the folder; what is wrong is told."""
    (wheel,) = folder.glob("*.whl")
    (source,) = folder.glob("*.tar.gz")
    size = wheel.stat().st_size / 1000
    print(f"{wheel.name}: {size:.0f} kB")
    wrong = []
    if size > MOST_KB:
        wrong.append(f"the wheel has {size:.0f} kB, more than {MOST_KB}")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        data = sum(
            entry.compress_size
            for entry in archive.infolist()
            if ".dist-info/" not in entry.filename and entry.filename[-3:] != ".py"
        )
        version = version_of(archive.read("sklearn_mia/__init__.py").decode())
    if data / 1000 > MOST_DATA_KB:
        wrong.append(
            f"the wheel has {data / 1000:.0f} kB beside code, more than {MOST_DATA_KB}"
        )
    inside = {name for name in names if ".dist-info/" not in name}
    expected = files_of("sklearn_mia")
    wrong += [f"the wheel lacks {name}" for name in sorted(expected - inside)]
    wrong += [f"the wheel has {name}" for name in sorted(inside - expected)]
    if not any(name.endswith("licenses/LICENSE") for name in names):
        wrong.append("the wheel lacks its licence")
    if version not in wheel.name:
        wrong.append(f"{wheel.name} is not of version {version}")
    if f"## {version} " not in (ROOT / "CHANGELOG.md").read_text("utf-8"):
        wrong.append(f"CHANGELOG.md has no heading for {version}")
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    needed = {"LICENSE", "README.md", "CHANGELOG.md", "pyproject.toml", *expected}
    needed |= {"tests/conftest.py", "setup.cfg"}
    wrong += [f"{source.name} lacks {name}" for name in sorted(needed - names)]
    sys.exit("\n".join(wrong) or None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
