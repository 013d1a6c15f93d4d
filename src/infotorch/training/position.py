"""Where a run stands: a boundary between two steps."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

from infotorch.numerics.checks import shown


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


def check_position(position: Position, *, stages: int, epochs: int, steps: int, where: str) -> None:
    """Refuse what is no step boundary of a run.

    Args:
        position: one's own, or one that was saved.
        stages: of the run.
        epochs: of each stage.
        steps: of each epoch.
        where: for the message.

    Raises:
        TypeError: a count that is not an integer.
        ValueError: it lies outside the run, or its count of steps is not that of its place.

    Example:
        >>> check_position(Position(epoch=2, steps=60), stages=1, epochs=2, steps=30, where="start")
        Traceback (most recent call last):
            ...
        ValueError: start must lie within the run, of 1 stage, 2 epochs and 30 steps each, got epoch 2.
    """
    within = (
        f"{where} must lie within the run, of {stages} stage{'s' * (stages > 1)}, {epochs} epochs and {steps} steps"
    )
    ended = position.stage == stages
    for name, value, end in (
        ("stage", position.stage, stages + 1),
        ("epoch", position.epoch, 1 if ended else epochs),
        ("step", position.step, 1 if ended else steps),
    ):
        if isinstance(value, bool) or not isinstance(value, Integral):
            raise TypeError(f"{where}: {name} must be an integer, got {shown(value)}.")
        if not 0 <= value < end:
            raise ValueError(f"{within} each, got {name} {value}.")
    done = (position.stage * epochs + position.epoch) * steps + position.step
    if position.steps != done:
        raise ValueError(f"{where}: steps must be {done}, those before its place, got {shown(position.steps)}.")
