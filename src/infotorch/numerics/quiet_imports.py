"""Packages that draw from Python's `random` when they are first imported, imported with nothing drawn."""

from __future__ import annotations

import importlib
import random

# It numbers its styles from `random.getrandbits(24)`. It is also what progress bars, scikit-learn and lightning load,
# which else would move the caller's generator in the first call that needs one of them.
_DRAWING = ("rich.style",)


def import_quietly() -> None:
    """Import them, and give `random` the state back that it had.

    Example:
        >>> state = random.getstate()
        >>> import_quietly()
        >>> random.getstate() == state
        True
    """
    state = random.getstate()
    try:
        for name in _DRAWING:
            importlib.import_module(name)
    finally:
        random.setstate(state)
