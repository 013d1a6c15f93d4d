"""Stochastic gradient descent that looks ahead: slow weights follow the fast ones, which go back to them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.optim.optimizer import ParamsT

from infotorch.numerics.checks import check_count

#: Share of the slow weights that a meeting keeps at the end of a run (Jordan 2024, Sec. 3.4 and its listing).
_KEPT_AT_THE_END = 0.95**5


class LookaheadSGD(torch.optim.SGD):
    """SGD with momentum whose weights, every few steps, go back to slow weights that have come part of the way.

    At step t of T the slow weights become s slow + (1 - s) weights, s = 0.95^5 (t / T)^3, and the weights become them:
    at the beginning nothing is held back, and at the end about a quarter is gained in every meeting. The last step is a
    meeting too. Tensors without a gradient, such as running statistics, take part where they are given.

    Args:
        params: as of `torch.optim.SGD`.
        lr, momentum, nesterov, weight_decay: as of `torch.optim.SGD`.
        every: steps between two meetings.
        num_steps: T; None for s = 0.95^5 from the beginning, until `span` says it.

    Raises:
        TypeError: every or num_steps is not an integer.
        ValueError: every or num_steps is below 1, or a setting of SGD.

    Source: Zhang, Lucas, Hinton & Ba 2019, arXiv:1907.08610, with the share of Jordan 2024, arXiv:2404.00498.

    Example:
        >>> weight = torch.nn.Parameter(torch.tensor([0.0]))
        >>> optimizer = LookaheadSGD([weight], lr=1.0, every=2)
        >>> for _ in range(2):  # 0 -> 1 -> 2, of which a share of 1 - 0.95^5 = 0.226 is kept
        ...     weight.grad = torch.tensor([-1.0])
        ...     _ = optimizer.step()
        >>> round(weight.item(), 3)
        0.452
    """

    def __init__(
        self,
        params: ParamsT,
        *,
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        every: int = 5,
        num_steps: int | None = None,
    ) -> None:
        check_count(every, where="LookaheadSGD", name="every")
        super().__init__(params, lr, momentum, nesterov=nesterov, weight_decay=weight_decay, fused=True)
        for group in self.param_groups:
            group |= {"every": every, "taken": 0, "num_steps": 0}
            for tensor in group["params"]:
                # An entry for the momentum too, so that tensors with and without a gradient keep the same.
                self.state[tensor] = {"momentum_buffer": None, "slow": tensor.detach().clone()}
        if num_steps is not None:
            self.span(num_steps)

    def span(self, num_steps: int) -> None:
        """Tell the number of steps of the whole run.

        Raises:
            TypeError: num_steps is not an integer.
            ValueError: num_steps is below 1.
        """
        check_count(num_steps, where="LookaheadSGD", name="num_steps")
        for group in self.param_groups:
            group["num_steps"] = num_steps

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One step of SGD, and a meeting where one is due."""
        loss = super().step(closure)
        for group in self.param_groups:
            group["taken"] += 1
            taken, num_steps = group["taken"], group["num_steps"]
            if taken % group["every"] and taken != num_steps:
                continue
            kept = _KEPT_AT_THE_END * (min(taken / num_steps, 1.0) ** 3 if num_steps else 1.0)
            for tensor in group["params"]:
                tensor.copy_(self.state[tensor]["slow"].lerp_(tensor, 1 - kept))
        return loss
