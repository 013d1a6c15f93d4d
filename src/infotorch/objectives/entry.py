"""What the registry of objectives holds of each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True)
class Guide:
    """What the guide's table says of an objective, beside its sides, its need of labels and its cost.

    Args:
        makes_large: what is maximised.
        takes: what T, or X, must be.
        use: when to use it.
        beware: what can go wrong.
    """

    makes_large: str
    takes: str
    use: str
    beware: str


@dataclass(frozen=True)
class Registered:
    """An objective that has a name.

    Args:
        home: file of this package and class in it, "critic.CriticInformation"; loaded on first use.
        line: what it is, in one line.
        settings: arguments that the name itself says; the others are options.
        needs: "images" where the output must be a grid, "graphs" where the input must have edges.
        guide: its line in the guide; None: it has none yet.
    """

    home: str
    line: str
    settings: Mapping[str, object] = field(default_factory=dict)
    needs: Literal["rows", "images", "graphs"] = "rows"
    guide: Guide | None = None
