"""Packages that import what is public in them when somebody asks for it."""

import sys
from importlib import import_module


def lazily(package, homes, modules=()):
    """What gives a package its names without importing them before they are used.

    Parameters
    ----------
    package : str

    homes : dict
        Module of the package mapped to the names that the package has from it.

    modules : tuple of str, default=()
        Those that are attributes of the package without having been imported.

    Returns
    -------
    names : list of str
        `__all__`.

    get, list_all : callable
        `__getattr__` and `__dir__`, see PEP 562.
    """
    home_of = {name: module for module, names in homes.items() for name in names}
    here = sys.modules[package]

    def get(name):
        if name in home_of:
            value = getattr(import_module(f"{package}.{home_of[name]}"), name)
        elif name in modules:
            value = import_module(f"{package}.{name}")
        else:
            raise AttributeError(
                f"module {package!r} has no attribute {name!r}", name=name, obj=here
            )
        setattr(here, name, value)  # asked for once
        return value

    def list_all():
        return sorted({*vars(here), *home_of, *modules})

    return sorted(home_of), get, list_all
