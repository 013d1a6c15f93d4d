"""What a demonstration of the theory gives: exact values, the paper's claims beside them, and data for figures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from infotorch.figures.demonstration import Curves, Heat
from infotorch.records.files import json_values


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

    def as_dict(self) -> dict[str, Any]:
        """The content of demonstration.json: what JSON has no word for, infinity, is null."""
        figures = [{"kind": type(figure).__name__.lower(), **asdict(figure)} for figure in self.figures]
        return json_values({"claims": [asdict(claim) for claim in self.claims], "figures": figures})


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
