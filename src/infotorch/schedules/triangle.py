"""A rate that rises along a line and falls along another."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from infotorch.numerics.checks import check_count


class Triangle(LRScheduler):
    """From 0.2 of the optimiser's rates up to them within 23 % of the steps, and down to 0.07 of them, by two lines.

    A parameter group may hold `until`, a share of the steps: its rate is 0 from there on.

    Args:
        optimizer: with the highest rates.
        num_steps: of the run.
        start: share of the rate at the first step.
        peak: share of the steps after which the rate is highest; rounded down to a step.
        end: share of the rate behind the last step.

    Raises:
        TypeError: num_steps is not an integer.
        ValueError: num_steps is below 1.

    Source: Jordan 2024, arXiv:2404.00498, listing of the appendix.

    Example:
        >>> import torch
        >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        >>> schedule = Triangle(optimizer, 10, peak=0.5, end=0.0)
        >>> rates = []
        >>> for _ in range(10):
        ...     rates.append(round(schedule.get_last_lr()[0], 2))
        ...     optimizer.step()
        ...     schedule.step()
        >>> rates
        [0.2, 0.36, 0.52, 0.68, 0.84, 1.0, 0.8, 0.6, 0.4, 0.2]
    """

    def __init__(
        self, optimizer: Optimizer, num_steps: int, *, start: float = 0.2, peak: float = 0.23, end: float = 0.07
    ) -> None:
        check_count(num_steps, where="Triangle", name="num_steps")
        self.num_steps = num_steps
        self.corners = ((0, start), (int(peak * num_steps), 1.0), (num_steps, end))
        super().__init__(optimizer)

    def share(self, step: int) -> float:
        """Of the highest rate, at a step counted from 0."""
        for (left, low), (right, high) in pairwise(self.corners):
            if left <= step < right:
                return low + (high - low) * (step - left) / (right - left)
        return self.corners[-1][1]

    def get_lr(self) -> list[float | Tensor]:
        """The rate of each group at this step."""
        step = self.last_epoch
        ended = [step >= group.get("until", 2.0) * self.num_steps for group in self.optimizer.param_groups]
        return [0.0 if rests else rate * self.share(step) for rate, rests in zip(self.base_lrs, ended, strict=True)]
