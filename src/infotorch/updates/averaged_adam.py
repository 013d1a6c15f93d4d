"""Polyak averaging: an optimiser whose moving average of the weights is what is evaluated."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.optim.optimizer import ParamsT

from infotorch.numerics.checks import check_positive


class AveragedAdam(torch.optim.Adam):
    """Adam, with a moving average of the weights that `eval()` puts in their place and `train()` takes out again.

    The average is sum_s d^(t - s) w_s / sum_s d^(t - s) over the steps s = 1, ..., t so far, d the decay: the
    exponential one without its bias towards the first step.

    Args:
        params: as of `torch.optim.Adam`.
        decay: d, in (0, 1).
        lr, betas, eps, weight_decay, amsgrad, fused: as of `torch.optim.Adam`.

    Raises:
        TypeError: decay is no number.
        ValueError: decay outside (0, 1).

    Source: Polyak & Juditsky 1992; the moving form without bias as in the code of Alemi et al. 2017, arXiv:1612.00410.

    Example:
        >>> weight = torch.nn.Parameter(torch.tensor([0.0]))
        >>> optimizer = AveragedAdam([weight], decay=0.5, lr=1.0)
        >>> for _ in range(2):  # 0 -> 1 -> 2
        ...     weight.grad = torch.tensor([-1.0])
        ...     _ = optimizer.step()
        >>> optimizer.eval()
        >>> round(weight.item(), 4)  # (0.5 * 1 + 1 * 2) / 1.5
        1.6667
    """

    def __init__(
        self,
        params: ParamsT,
        *,
        decay: float = 0.999,
        lr: float | Tensor = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        amsgrad: bool = False,
        fused: bool | None = None,
    ) -> None:
        check_positive(decay, where="AveragedAdam", name="decay")
        if decay >= 1:
            raise ValueError(f"AveragedAdam: decay must be below 1, got {decay}.")
        super().__init__(params, lr, betas, eps, weight_decay, amsgrad, fused=fused)
        for group in self.param_groups:
            group |= {"average_decay": float(decay), "train_mode": True}

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """One step of Adam, which the averages then follow.

        Raises:
            ValueError: after `eval()`, when the averages are in the weights' place.
        """
        if not self.param_groups[0]["train_mode"]:
            raise ValueError("AveragedAdam: step must not follow eval(); call train() first.")
        loss = super().step(closure)
        for group in self.param_groups:
            for parameter in group["params"]:
                if state := self.state.get(parameter):
                    self._follow(parameter, state, group["average_decay"])
        return loss

    @staticmethod
    def _follow(parameter: Tensor, state: dict[str, Any], decay: float) -> None:
        # A number of our own: Adam's is on the device, and reading it there would stop for it.
        state["averaged"] = state.get("averaged", 0) + 1
        if state["averaged"] == 1:
            state["average"] = parameter.detach().clone()
        else:
            state["average"].lerp_(parameter, (1 - decay) / (1 - decay ** state["averaged"]))

    def eval(self) -> None:
        """Put the averages in the weights' place."""
        self._swap(train_mode=False)

    def train(self) -> None:
        """Put the weights back."""
        self._swap(train_mode=True)

    @torch.no_grad()
    def _swap(self, *, train_mode: bool) -> None:
        for group in self.param_groups:
            if group["train_mode"] != train_mode:
                for parameter in group["params"]:
                    average = self.state.get(parameter, {}).get("average")
                    if average is not None:
                        kept = parameter.clone()
                        parameter.copy_(average)
                        average.copy_(kept)
                group["train_mode"] = train_mode
