"""The pages of the API: written from what is public in the package.

Each object that users import has a page at the shortest name it has; each module of
theirs has one that lists them, and each module of helpers one that holds them.
"""

import inspect
from importlib import import_module

import sklearn_mia

# In the order of a reader. All other public modules are helpers, which those need who
# extend the package.
OF_USERS = (
    "auditing",
    "attacks",
    "records",
    "model_selection",
    "risk",
    "label_privacy",
    "black_box",
    "metrics",
    "groups",
    "equations",
    "signals",
    "datasets",
    "base",
)

INDEX = """\
API
===

What users import, module by module. The names at the top of the package,
``from sklearn_mia import audit``, are the ones to start with; each object has one page.

.. toctree::
   :maxdepth: 1

{users}

The modules below hold what those need who write an attack, a reader of answers or the
equations of an estimator. They may change with any version.

.. toctree::
   :maxdepth: 1

{helpers}
"""


def helpers():
    """Names of the public modules that are no part of the usual vocabulary."""
    return sorted(set(sklearn_mia._MODULES) - set(OF_USERS))


def public_names(module):
    """What is public in a module of the package."""
    module = import_module(f"sklearn_mia.{module}")
    own = [
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__ and name[0] != "_"
    ]
    return list(getattr(module, "__all__", own))


def pages_of(module):
    """Objects of a module by their shortest names below ``sklearn_mia``."""
    top = set(sklearn_mia.__all__)
    names = sorted(public_names(module), key=lambda name: (name not in top, name))
    return [name if name in top else f"{module}.{name}" for name in names]


def write(folder):
    """Write the pages that list the objects, where they have changed."""
    folder.mkdir(exist_ok=True)
    for module in OF_USERS:
        write_if_changed(folder / f"{module}.rst", _list_of_objects(module))
    for module in helpers():
        write_if_changed(folder / f"{module}.rst", _all_on_one_page(module))
    write_if_changed(folder / "index.rst", INDEX.format(**_entries()))


def _entries():
    return {
        name: "\n".join(f"   {module}" for module in modules)
        for name, modules in (("users", OF_USERS), ("helpers", helpers()))
    }


def _head(module):
    name = f"sklearn_mia.{module}"
    return f"{name}\n{'=' * len(name)}\n\n.. automodule:: {name}\n"


def _list_of_objects(module):
    names = "\n".join(f"   {name}" for name in pages_of(module))
    return (
        f"{_head(module)}   :no-members:\n\n.. currentmodule:: sklearn_mia\n\n"
        f".. autosummary::\n   :toctree: generated/\n   :nosignatures:\n\n{names}\n"
    )


def _all_on_one_page(module):
    names = ", ".join(public_names(module))
    return f"{_head(module)}   :members: {names}\n"


def write_if_changed(path, text):
    """Write a page, unless it is so already: Sphinx reads again what is newer."""
    if not path.exists() or path.read_text("utf-8") != text:
        path.write_text(text, "utf-8")


def skip_member(app, what, name, item, skip, options):
    """Whether autodoc leaves out a member: what scikit-learn gives every estimator."""
    function = item.fget if isinstance(item, property) else inspect.unwrap(item)
    home = getattr(function, "__module__", None)
    if home and not home.startswith("sklearn_mia"):
        return True
    return None
