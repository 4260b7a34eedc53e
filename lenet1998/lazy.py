"""Names of a package that are fetched when they are first used, so that importing it is cheap."""

import os
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def lazily(package: str, homes: Mapping[str, str]) -> tuple[Callable[[str], Any], list[str]]:
    """A package's `__getattr__` and `__all__`.

    `homes` holds names, with spaces between, by the module of lenet1998 that they come from; `""`
    holds modules of the package itself. With EAGER_IMPORT set in the environment all are fetched at
    once, for what looks into a package without asking it for names, such as pdoc.
    """
    of_name = {name: home for home, names in homes.items() for name in names.split()}

    def fetch(name: str) -> Any:
        if name not in of_name:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        if not of_name[name]:
            return import_module(f"{package}.{name}")
        return getattr(import_module(f"lenet1998.{of_name[name]}"), name)

    if os.environ.get("EAGER_IMPORT"):
        vars(sys.modules[package]).update({name: fetch(name) for name in of_name})
    return fetch, list(of_name)
