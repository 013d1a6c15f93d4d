"""What a step of `ProximalSplit` saw, before it moved anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class ProximalInfo:
    """What one step saw, before it moved anything. All tensors are detached.

    Args:
        loss: 0-d.
        output: what the network gave: a tensor, or tensors in tuples, lists and dicts.
        gradient_norms: ||dL/dz|| at each bottleneck, 0-d.
        curvatures: at each bottleneck v' H v / v' v, v being what the step multiplies the loss's Hessian H by: with the
            penalty l2 and order 2 or "hybrid", a multiple of dL/dz. Empty for order 1, which needs no Hessian.
        stalled: the gradient's norm has fallen and the loss has not, see `ProximalSplit`.
        finite: the loss and all gradients are. Where they are not, no weight was moved.

    Example:
        >>> norms = (torch.tensor(3.0), torch.tensor(4.0))
        >>> ProximalInfo(torch.tensor(0.1), None, norms, (), stalled=False, finite=True).gradient_norm
        tensor(5.)
    """

    loss: Tensor
    output: Any
    gradient_norms: tuple[Tensor, ...]
    curvatures: tuple[Tensor, ...]
    stalled: bool
    finite: bool

    @property
    def gradient_norm(self) -> Tensor:
        """||dL/dz|| over all bottlenecks."""
        return torch.stack(self.gradient_norms).square().sum().sqrt()
