"""Adam for small networks, whose bookkeeping in torch takes as long as the step of a critic's update."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

# torch.optim.Adam's defaults.
_BETAS, _EPS = (0.9, 0.999), 1e-8


class Steps(Protocol):
    """What moves parameters along their gradients."""

    def step(self) -> object:
        """One step, by the gradients that the parameters hold."""


def adam(parameters: Sequence[Tensor], *, lr: float) -> Steps:
    """Adam with torch's defaults; the weights are those of `torch.optim.Adam`, to the bit.

    Args:
        parameters: at least one.
        lr: learning rate.

    Example:
        >>> weight = torch.nn.Parameter(torch.ones(1))
        >>> optimizer = adam([weight], lr=0.25)
        >>> weight.square().sum().backward()
        >>> _ = optimizer.step()
        >>> weight.tolist()
        [0.75]
    """
    fused = all(p.device.type in {"cpu", "cuda"} for p in parameters)
    alike = len({(p.device, p.dtype) for p in parameters}) == 1 and parameters[0].is_floating_point()
    return _FusedAdam(parameters, lr) if fused and alike else torch.optim.Adam(parameters, lr=lr, fused=fused)


class _FusedAdam:
    """torch's own kernel, called at once: real parameters of one type on one device need no sorting into groups."""

    def __init__(self, parameters: Sequence[Tensor], lr: float) -> None:
        self.lr = lr
        self.taken = torch.zeros(len(parameters), dtype=torch.float32, device=parameters[0].device)
        moments = ([torch.zeros_like(p) for p in parameters] for _ in range(2))
        self.rows = list(zip(parameters, *moments, self.taken.unbind(), strict=True))

    @torch.no_grad()
    def step(self) -> None:
        """One step; a parameter without gradient stays, and its count of steps too."""
        rows = [row for row in self.rows if row[0].grad is not None]
        if not rows:
            return
        parameters, first, second, taken = map(list, zip(*rows, strict=True))
        if len(rows) == len(self.rows):
            self.taken += 1  # one operation in place of one a parameter
        else:
            for count in taken:
                count.add_(1)
        torch._fused_adam_(  # pyright: ignore[reportPrivateImportUsage]
            parameters,
            [p.grad for p in parameters if p.grad is not None],
            first,
            second,
            [],
            taken,
            lr=self.lr,
            beta1=_BETAS[0],
            beta2=_BETAS[1],
            weight_decay=0.0,
            eps=_EPS,
            amsgrad=False,
            maximize=False,
        )
