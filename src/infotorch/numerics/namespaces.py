"""Public namespaces whose names load on first use (PEP 562), so that importing one of them is light.

A type checker reads the stub beside each `__init__.py`, which `make stubs` writes from the same table.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Mapping


def namespace(
    package: str, homes: Mapping[str, str], *, packages: Collection[str] = ()
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """What a package's `__init__.py` calls `__getattr__`, `__dir__` and `__all__`.

    Args:
        package: its `__name__`.
        homes: public name -> the module that defines it, below the package, or with a leading dot beside it. No public
            name may be a module's name too: importing that module would put it in the name's place.
        packages: packages below it that are public as they are.

    Example:
        >>> load, names, public = namespace("infotorch.numerics", {"seed_streams": "seeds"})
        >>> load("seed_streams")(0).seed, names()
        (0, ['seed_streams'])
    """

    def load(name: str) -> object:
        if name in packages:
            return importlib.import_module(f"{package}.{name}")
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f".{homes[name]}", package), name)
        setattr(importlib.import_module(package), name, value)  # the next look-up is an ordinary one
        return value

    public = sorted([*homes, *packages])
    return load, lambda: list(public), public
