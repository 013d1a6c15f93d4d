"""Batch norm by the statistics of all processes' rows, wherever a network calls it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import batch_norm
from torch.overrides import TorchFunctionMode

from infotorch.networks.no_rerun import check_no_rerun
from infotorch.numerics.ranks import Ranks


class NormOfAll(TorchFunctionMode):
    """A context in which `batch_norm` in training has the mean and variance of the rows of all processes.

    torch's own SyncBatchNorm runs on accelerators alone, and would change the network.

    Args:
        ranks: the processes, each with rows of its own.
    """

    def __init__(self, ranks: Ranks) -> None:
        super().__init__()
        self._ranks = ranks

    def __torch_function__(
        self, func: Any, types: Sequence[Any], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        """Run one of torch's functions, batch norm in training by all rows."""
        kwargs = dict(kwargs or {})
        run: Callable[..., Any] = func
        return self._norm(*args, **kwargs) if func is batch_norm else run(*args, **kwargs)

    def _norm(
        self,
        input: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if not training:
            return batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
        check_no_rerun("batch norm")
        x = input.to(torch.promote_types(input.dtype, torch.float32))
        axes = [axis for axis in range(x.ndim) if axis != 1]
        shape = [-1 if axis == 1 else 1 for axis in range(x.ndim)]
        count = self._ranks.add(x.new_tensor(x.numel() / x.shape[1]))
        mean = self._ranks.add(x.sum(axes)) / count
        centred = x - mean.view(shape)
        variance = self._ranks.add(centred.square().sum(axes)) / count
        with torch.no_grad():
            for running, value in ((running_mean, mean), (running_var, variance * count / (count - 1))):
                if running is not None:
                    running.mul_(1 - momentum).add_(momentum * value.to(running.dtype))
        normed = centred * (variance + eps).rsqrt().view(shape)
        if weight is not None:
            normed = normed * weight.view(shape)
        if bias is not None:
            normed = normed + bias.view(shape)
        return normed.to(input.dtype)
