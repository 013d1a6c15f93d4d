"""Where in its plan a module stands, which some objectives depend on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from infotorch.networks.later_layers import LaterLayer


def _nothing() -> Sequence[LaterLayer]:
    return ()


@dataclass(frozen=True)
class Place:
    """A module's place in its plan.

    Args:
        number: the module's, from 0.
        count: modules of the plan.
        following: the layers behind the module, found when it is called; none behind the last.

    Example:
        >>> Place(1, 4).share, Place(2, 4).share, Place(0, 2).share
        (0.5, 1.0, 0.0)
    """

    number: int = 0
    count: int = 1
    following: Callable[[], Sequence[LaterLayer]] = _nothing

    @property
    def share(self) -> float:
        """How far it stands between the first module, 0, and the last but one, 1."""
        return min(1.0, self.number / (self.count - 2)) if self.count > 2 else 0.0
