"""Notice that a step shrinks the gradient at the bottleneck and not the loss."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

#: A window of the gradient's norm has fallen when its mean is below this share of the window before.
_FALLEN = 0.95
#: A window of the loss has fallen when its mean is lower by this share of the window before.
_LOSS_FALLS = 1e-3


class StallWatch:
    """Compares the means of the last `window` steps with those of the window before.

    Args:
        window: steps in a window.

    Attributes:
        stalled: in the last whole window the gradient's norm fell by 5 % or more and the loss by less than 0.1 %.
        means: (loss, gradient norm) of the last two whole windows, the older first.

    Example:
        >>> watch = StallWatch(window=2)
        >>> for norm in (1.0, 1.0, 0.5, 0.5):
        ...     watch.add(torch.tensor(0.69), torch.tensor(norm))
        >>> watch.stalled
        True
    """

    def __init__(self, window: int) -> None:
        self.window = window
        self.stalled = False
        self.means: list[tuple[float, float]] = []
        self._pairs: list[Tensor] = []

    def add(self, loss: Tensor, gradient_norm: Tensor) -> None:
        """Count one step; the numbers leave their device once a window."""
        self._pairs.append(torch.stack([loss.detach().float(), gradient_norm.detach().float()]))
        if len(self._pairs) < self.window:
            return
        # In float64: a mean of equal numbers is that number.
        loss_mean, norm_mean = torch.stack(self._pairs).double().mean(dim=0).tolist()
        self._pairs = []
        self.means = [*self.means[-1:], (loss_mean, norm_mean)]
        if len(self.means) == 2:
            (loss_before, norm_before), (loss_now, norm_now) = self.means
            fallen = norm_now < _FALLEN * norm_before
            self.stalled = fallen and loss_now > loss_before - _LOSS_FALLS * abs(loss_before)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next verdict depends on."""
        return {"stalled": self.stalled, "means": self.means, "pairs": [pair.tolist() for pair in self._pairs]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        self.stalled, self.means = state["stalled"], [tuple(pair) for pair in state["means"]]
        self._pairs = [torch.tensor(pair) for pair in state["pairs"]]
