"""What a row of the speed benchmark is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One comparison, both sides on the same data.

    Args:
        name: what is computed, on what.
        ours: does our work once and gives the value.
        peers: other packages' names and the same work by them.
        goal: by how much the fastest peer should be slower.
        tolerance: largest difference from the nearest peer's value; None where the definitions differ.
        repeats: how often each side is timed.
        note: what a reader should know, for instance why the values differ.
    """

    name: str
    ours: Callable[[], float]
    peers: dict[str, Callable[[], float]]
    goal: float
    tolerance: float | None = 1e-9
    repeats: int = 7
    note: str = ""
