"""Where a run stands, a boundary between two steps, and what happened in the step before it."""

from __future__ import annotations

from dataclasses import dataclass

from infotorch.numerics.checks import check_count
from infotorch.objectives.base import Loss


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

    def following(self, epochs: int, *, ends_epoch: bool) -> Position:
        """The boundary behind that step.

        Args:
            epochs: of each stage.
            ends_epoch: it is the last step of its epoch.

        Raises:
            TypeError: epochs is not an integer.
            ValueError: epochs is below 1.

        Example:
            >>> Position(epoch=2, step=4, steps=14).following(3, ends_epoch=True)
            Position(stage=1, epoch=0, step=0, steps=15)
        """
        check_count(epochs, where="Position.following", name="epochs")
        steps = self.steps + 1
        if not ends_epoch:
            return Position(self.stage, self.epoch, self.step + 1, steps)
        if self.epoch + 1 < epochs:
            return Position(self.stage, self.epoch + 1, 0, steps)
        return Position(self.stage + 1, 0, 0, steps)


@dataclass(frozen=True)
class StepInfo:
    """What happened in one step.

    Args:
        position: which step this was.
        next: where a run resumed after this step starts.
        losses: module name -> its loss before this step's update.
        learning_rates: module name -> the rate of this step.
        ends_epoch: the last step of its epoch.
        ends_stage: the last step of its stage.
        diverged: name of the module whose loss was not finite (its weights were left as they were) or whose weights are
            not finite after the stage's last update; training ends.
        peak_saved_activation_bytes: what autograd kept at its highest; measured in a stage's first step, else None.
        gathered: whether the plan holds every module as it is behind this step. Not so in the midst of a pipeline's
            epoch: there a process's own modules may be steps ahead, and those of others are as they were gathered last.

    Example:
        >>> import torch
        >>> loss = Loss(torch.tensor(0.5), {"cross_entropy_nats": torch.tensor(0.5)})
        >>> info = StepInfo(Position(), Position(step=1, steps=1), {"fc": loss}, {"fc": 1e-3}, False, False)
        >>> info.losses["fc"].total.item(), info.diverged
        (0.5, None)
    """

    position: Position
    next: Position
    losses: dict[str, Loss]
    learning_rates: dict[str, float]
    ends_epoch: bool
    ends_stage: bool
    diverged: str | None = None
    peak_saved_activation_bytes: int | None = None
    gathered: bool = True
