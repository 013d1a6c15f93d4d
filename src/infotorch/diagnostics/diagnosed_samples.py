"""The samples that a diagnosis looks at, and a model of several inputs as one of a single tensor."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from infotorch.data.looks import GraphNodes, chosen
from infotorch.data.splits import stratified_samples
from infotorch.data.targets import Targets, read_targets
from infotorch.diagnostics.plane_samples import checked_inputs
from infotorch.networks.one_input import OneInput, packed, real_columns
from infotorch.numerics.checks import as_tensor, check_paired
from infotorch.numerics.named_tensors import NamedTensors


def checked_pair(data: Any, targets: Targets, *, where: str) -> tuple[Any, Tensor | None]:
    """Samples as tensors, one or several by name, pictures on disk or graphs; and classes, (n,), or None.

    Raises:
        TypeError: no pair, no numbers, or targets that are no classes.
        ValueError: values that are not finite, rows that do not pair, or targets that are not what `targets` says.
    """
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise TypeError(f"{where}: data must be a pair (x, y), y classes or None, got {type(data).__name__}.")
    x = checked_inputs(data[0], where=where)
    if data[1] is None:
        return x, None
    y = as_tensor(data[1], where=where, name="y")
    if targets != "auto" and y.ndim:
        y = read_targets(y, targets, where=where)
    if y.is_floating_point() or y.is_complex() or y.ndim != 1:
        raise TypeError(
            f"{where}: y must be one class a row, integers of shape (n,), or None, got {y.dtype} {tuple(y.shape)}; "
            "InformationPlane and InformationSignal take real targets and several labels."
        )
    check_paired(x, y, where=where)
    return x, y.long()


def drawn(x: Any, y: Tensor | None, num_samples: int, generator: torch.Generator) -> tuple[Any, Tensor | None]:
    """At most so many samples, in a random order, as the first few are looked at more closely."""
    count = min(num_samples, len(x))
    kept = (
        torch.randperm(len(x), generator=generator)[:count]
        if y is None
        else stratified_samples(y.cpu(), count, generator)
    )
    kept = kept[torch.randperm(count, generator=generator)]
    kept = kept.sort().values if isinstance(x, GraphNodes) else kept  # which has no other order
    return chosen(x, kept), None if y is None else y[kept.to(y.device)].to(x.device)


def is_real(x: Any) -> bool:
    """Whether x holds real numbers, which can make small steps."""
    tensors = x.values() if isinstance(x, NamedTensors) else [x] if isinstance(x, Tensor) else []
    return not tensors or any(tensor.is_floating_point() for tensor in tensors)


def as_one_input(model: nn.Module, x: Any) -> tuple[nn.Module, Any, Tensor | None]:
    """A model of one tensor or graph, its input, and of several inputs which of its columns may move; None for all."""
    if not isinstance(x, NamedTensors):
        return model, x, None
    movable = real_columns(x)
    return OneInput(model, x), packed(x), None if bool(movable.all()) else movable
