"""Batch norm by the statistics of all processes' rows, wherever a network calls it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import batch_norm
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary

from infotorch.networks.no_rerun import check_no_rerun
from infotorch.numerics.ranks import Ranks

# Weights and buffers by their place among those of a network, which is the same in every process.
_PLACES: Any = WeakIdKeyDictionary()


def know_places(tensors: Iterable[Tensor]) -> None:
    """Remember in which order a network has its weights and buffers, by which processes know their layers.

    Example:
        >>> know_places(torch.nn.BatchNorm1d(2).state_dict(keep_vars=True).values())
    """
    for place, tensor in enumerate(tensors, start=1):
        _PLACES[tensor] = place


class NormOfAll(TorchFunctionMode):
    """A context in which `batch_norm` in training has the mean and variance of the rows of all processes.

    torch's own SyncBatchNorm runs on accelerators alone, and would change the network.

    Args:
        ranks: the processes, each with rows of its own.

    Raises:
        ValueError: the processes are at different layers, by what `know_places` was told.
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
        count = self._count(x, running_mean if running_mean is not None else weight).to(x.dtype)
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

    def _count(self, x: Tensor, of_layer: Tensor | None) -> Tensor:
        """The number of all processes' rows and locations, of the same layer."""
        place = 0 if of_layer is None else _PLACES.get(of_layer, 0)
        told = [x.numel() / x.shape[1], place, place**2]
        count, places, squares = self._ranks.add(torch.tensor(told, dtype=torch.float64, device=x.device))
        alike = places**2 == self._ranks.size * squares
        if x.device.type != "cpu":  # which would have to be waited for; the loss is not finite then
            return torch.where(alike, count, torch.nan)
        if not alike:
            raise ValueError(
                "several processes: the rows of each are at the batch norm of another layer, as where rows choose "
                "among experts; use a norm without statistics of the batch there, or one process."
            )
        return count
