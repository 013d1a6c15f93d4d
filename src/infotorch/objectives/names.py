"""Objectives by name, as in the string "X,Y,CE"."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence

from infotorch.objectives.base import Objective
from infotorch.objectives.inputs import Reconstruction
from infotorch.objectives.labels import CrossEntropy, ReadoutInformation

# name -> (what makes it, what it is in one line); "X" and "Y" alone mean the first of their kind
_NAMED: dict[str, tuple[Callable[[], Objective], str]] = {
    "X:reconstruction": (Reconstruction, "maximise the reconstruction bound on I(X; T); needs no labels"),
    "Y:readout": (ReadoutInformation, "maximise the read-out bound H(Y) - CE on I(Y; T)"),
    "CE": (CrossEntropy, "cross-entropy of the module's own output: the output module"),
}
_SHORT = {"X": "X:reconstruction", "Y": "Y:readout"}

#: The name that leaves a module as it was initialised.
FROZEN = "frozen"


def describe_objectives() -> dict[str, str]:
    """Every name that a plan string may hold, with one line on what it is.

    Example:
        >>> "Y:readout" in describe_objectives()
        True
    """
    lines = {name: line for name, (_, line) in _NAMED.items()}
    return {**lines, FROZEN: "the module keeps its initial weights"}


def objective_from_name(name: str) -> Objective | None:
    """The objective of that name, or None for "frozen".

    Raises:
        ValueError: no objective has that name; near misses are suggested.

    Example:
        >>> type(objective_from_name("Y")).__name__
        'ReadoutInformation'
    """
    name = _SHORT.get(name.strip(), name.strip())
    if name == FROZEN:
        return None
    if name not in _NAMED:
        allowed = [*_SHORT, *_NAMED, FROZEN]
        near = difflib.get_close_matches(name, allowed, n=2)
        hint = f"; did you mean {' or '.join(near)}?" if near else "."
        raise ValueError(f"objective: must be one of {', '.join(allowed)}, got {name!r}{hint}")
    return _NAMED[name][0]()


def parse_objectives(objectives: str | Sequence[Objective | str | None]) -> list[Objective | None]:
    """Objectives from a string such as "X,Y,CE", or from a list of objectives and names.

    Example:
        >>> [type(o).__name__ for o in parse_objectives("X,Y,CE")]
        ['Reconstruction', 'ReadoutInformation', 'CrossEntropy']
    """
    parts = objectives.split(",") if isinstance(objectives, str) else objectives
    return [objective_from_name(part) if isinstance(part, str) else part for part in parts]
