"""Which samples an information plane looks at, epoch after epoch."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from infotorch.data.splits import stratified_samples
from infotorch.networks.feature_extractor import one_tensor
from infotorch.numerics.checks import as_tensor, check_paired, check_rows, is_discrete


def plane_samples(
    x: Any, y: Any, num_samples: int, generator: torch.Generator, *, where: str
) -> tuple[Tensor, Tensor | None]:
    """Samples in the proportions of the classes, copied: the caller may change the data in training.

    Args:
        x: inputs, (n, ...), of one tensor.
        y: classes, (n,), or None.
        num_samples: how many at most.
        generator: draws them.
        where: for messages.

    Raises:
        TypeError: x is no tensor of numbers, or y no classes.
        ValueError: fewer than five samples, values that are not finite, y that does not pair or labels three or fewer.

    Example:
        >>> x, y = plane_samples(torch.eye(8), None, 5, torch.Generator().manual_seed(0), where="example")
        >>> x.shape, y
        (torch.Size([5, 8]), None)
    """
    x = one_tensor(x, where=where)
    check_rows(x[:num_samples], where=where, name="x, and the rows looked at,", at_least=5)
    if x.is_floating_point() and not bool(torch.isfinite(x).all()):
        raise ValueError(f"{where}: x must be finite, got NaN or infinite values.")
    count = min(num_samples, len(x))
    if y is None:
        kept = torch.randperm(len(x), generator=generator)[:count].sort().values
        return x.detach()[kept.to(x.device)], None
    y = as_tensor(y, where=where, name="y")
    if not is_discrete(y) or y.ndim != 1:
        raise TypeError(
            f"{where}: y must be one class a row, integers of shape (n,), or None, got {y.dtype} {tuple(y.shape)}."
        )
    check_paired(x, y, where=where)
    y = y.long()
    kept = stratified_samples(y.cpu(), count, generator)
    found = y[kept.to(y.device)].to(x.device)
    if len(found[found >= 0]) <= 3:
        raise ValueError(f"{where}: y must label more than 3 of the rows looked at, got {int((found >= 0).sum())}.")
    return x.detach()[kept.to(x.device)], found
