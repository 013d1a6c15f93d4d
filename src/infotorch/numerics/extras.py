"""Packages that only some users need: imported when used, or a line that says how to install them. No torch."""

from __future__ import annotations

import importlib
from types import ModuleType


def require(extra: str, package: str, purpose: str) -> ModuleType:
    """Import an optional package.

    Raises:
        ModuleNotFoundError: it is not installed; the message holds the command that installs it.
    """
    try:
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        if error.name and error.name.split(".")[0] != package.split(".")[0]:
            raise  # the package is there and one of its own needs is not: that message is the useful one
        raise ModuleNotFoundError(f"{purpose} needs {package}: pip install 'infotorch[{extra}]'.") from error
