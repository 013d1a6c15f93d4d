"""Where a run stands: a boundary between two steps."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Position:
    """A step boundary of a run: `steps` are done, and the next is (stage, epoch, step), all counted from 0.

    Example:
        >>> Position(epoch=2, steps=60).stage
        0
    """

    stage: int = 0
    epoch: int = 0
    step: int = 0
    steps: int = 0
