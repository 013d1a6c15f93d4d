"""A demonstration of the theory: exact values, the paper's claims beside them, and figures; computed, not trained."""

from __future__ import annotations

import importlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from infotorch.figures.demonstration import Curves, Heat
from infotorch.records.files import json_values

#: Name -> module of this package, its function, and what the function is given before the demonstration's own values.
DEMONSTRATIONS = {
    "figure-1": ("figure1", "figure_1"),
    "figure-2": ("figure2", "figure_2"),
    "figure-3": ("figure3", "figure_3"),
    "noise-to-zero": ("infinite", "noise_to_zero"),
    "saturation": ("infinite", "saturation"),
    "bijection": ("infinite", "bijection"),
    "sample-size-mnist": ("sample_size", "sample_size", "mnist"),
    "sample-size-cifar10": ("sample_size", "sample_size", "cifar10"),
}


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper, and what the values say of it.

    Args:
        text: what is claimed.
        place: where.
        found: the values, for people.
        holds: whether they bear it out.
    """

    text: str
    place: str
    found: str
    holds: bool


@dataclass(frozen=True)
class Demonstrated:
    """What a demonstration found.

    Args:
        metrics: name -> exact value; information in bits where the name says so, as in the paper.
        claims: of the paper, in its order.
        figures: for the report.
    """

    metrics: Mapping[str, float]
    claims: Sequence[Claim]
    figures: Sequence[Curves | Heat]

    def counted(self) -> dict[str, float]:
        """The metrics, behind how many of the claims hold where there are any."""
        held = {"claims_that_hold": float(sum(claim.holds for claim in self.claims))} if self.claims else {}
        return {**held, **self.metrics}

    def table(self) -> list[dict[str, str | bool]]:
        """A line for each claim, as pandas takes them; each of `figures` has a `figure()`."""
        return [asdict(claim) for claim in self.claims]

    def as_dict(self) -> dict[str, Any]:
        """The content of demonstration.json: what JSON has no word for, infinity, is null."""
        figures = [{"kind": type(figure).__name__.lower(), **asdict(figure)} for figure in self.figures]
        return json_values({"claims": self.table(), "figures": figures})


def demonstrate(name: str, values: Mapping[str, int | float]) -> Demonstrated:
    """Compute one of `DEMONSTRATIONS`.

    Args:
        name: of the demonstration.
        values: its keyword arguments.

    Raises:
        ValueError: an unknown name, or a value that the demonstration refuses.
        TypeError: a value of the wrong kind.

    Example:
        >>> demonstrate("figure-3", {"epsilon": 0.0}).metrics["first_mi_ty_bits"]
        1.0
    """
    if name not in DEMONSTRATIONS:
        raise ValueError(f"demonstrate: name must be one of {', '.join(DEMONSTRATIONS)}, got {name!r}.")
    module, function, *given = DEMONSTRATIONS[name]
    return getattr(importlib.import_module(f"infotorch.theory.{module}"), function)(*given, **values)


def in_bits(nats: float) -> float:
    """Nats as bits.

    Example:
        >>> in_bits(math.log(4))
        2.0
    """
    return nats / math.log(2)


def shown(*bits: float) -> str:
    """Numbers of bits for people.

    Example:
        >>> shown(1.0, 0.18872, math.inf)
        '1, 0.1887 and ∞ bits'
    """
    words = ["∞" if math.isinf(value) else f"{round(value, 4) + 0:g}" for value in bits]
    return f"{', '.join(words[:-1])}{' and ' if len(words) > 1 else ''}{words[-1]} bits"
