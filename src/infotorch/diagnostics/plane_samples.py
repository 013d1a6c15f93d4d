"""Which samples an information plane looks at, epoch after epoch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from infotorch.data.folders import ImageFiles
from infotorch.data.graphs import GraphSamples
from infotorch.data.looks import GraphNodes, Held, chosen
from infotorch.data.splits import stratified_samples
from infotorch.data.targets import Targets, combined_labels, labelled_samples, read_targets
from infotorch.networks.feature_extractor import one_tensor
from infotorch.numerics.checks import as_tensor, check_paired, check_rows
from infotorch.numerics.named_tensors import NamedTensors


def plane_samples(
    x: Any, y: Any, num_samples: int, generator: torch.Generator, *, where: str, targets: Targets = "auto"
) -> tuple[Held, Tensor | None]:
    """Samples in the proportions of the classes, copied: the caller may change the data in training.

    Args:
        x: inputs, (n, ...), or samples of another kind, see `read_samples`.
        y: classes, (n,), several labels, (n, labels), real numbers, (n, ...), or None.
        num_samples: how many at most.
        generator: draws them.
        where: for messages.
        targets: what y is, see `read_targets`.

    Returns:
        The samples, and classes, (n,), -1 for none, or real targets of which any may be NaN; several labels are one
        class, their combination.

    Raises:
        TypeError: x is no tensor of numbers.
        ValueError: fewer than five samples, values that are not finite, y that does not pair, is not what `targets`
            says, or labels three or fewer.

    Example:
        >>> x, y = plane_samples(torch.eye(8), None, 5, torch.Generator().manual_seed(0), where="example")
        >>> x.shape, y
        (torch.Size([5, 8]), None)
    """
    x = checked_inputs(x, where=where)
    check_rows(range(min(num_samples, len(x))), where=where, name="x, and the rows looked at,", at_least=5)
    count = min(num_samples, len(x))
    if y is None:
        kept = torch.randperm(len(x), generator=generator)[:count].sort().values
        return chosen(x, kept), None
    y = as_tensor(y, where=where, name="y")
    if y.ndim == 0:
        raise TypeError(f"{where}: y must have a target for each row, or be None, got a single number.")
    check_paired(x, y, where=where)
    y = combined_labels(read_targets(y, targets, where=where))
    if y.ndim > 1 and not y.is_floating_point():
        raise TypeError(f"{where}: y must be classes (n,), labels (n, labels) or real, got {y.dtype} {tuple(y.shape)}.")
    if y.is_floating_point():
        kept = torch.randperm(len(y), generator=generator)[:count].sort().values
    else:
        kept = stratified_samples(y.cpu(), count, generator)
    x, found = chosen(x, kept), y[kept.to(y.device)]
    if (known := int(labelled_samples(found).sum())) <= 3:
        raise ValueError(f"{where}: y must label more than 3 of the rows looked at, got {known}.")
    return x, found.to(x.device)


def checked_inputs(x: Any, *, where: str) -> Any:
    """Samples of any kind; arrays as a tensor of finite numbers.

    Raises:
        TypeError: x is no tensor of numbers.
        ValueError: values that are not finite.
    """
    if isinstance(x, NamedTensors | GraphSamples | GraphNodes | ImageFiles):
        tensors = x.values() if isinstance(x, NamedTensors) else ()  # graphs are checked where they are read
    else:
        x = one_tensor(x, where=where)
        tensors = (x,)
    if any(tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()) for tensor in tensors):
        raise ValueError(f"{where}: x must be finite, got NaN or infinite values.")
    return x
