"""Columns of features: complex ones as real, many as few, and the scale of them all."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from infotorch.numerics.checks import in_float64

#: Columns that neighbours and probes read; the grid of a convolution is averaged until it has no more.
MOST_COLUMNS = 4096
# Interquartile range of N(0, 1).
_NORMAL_QUARTILES = 1.3489795003921634
# Of more rows every few tell the scale.
_ENOUGH = 100_000


def as_real(values: Tensor) -> Tensor:
    """Real and imaginary parts side by side along the second axis; what is real already stays as it is.

    Args:
        values: (n, d, ...).

    Returns:
        (n, 2 d, ...) of complex values: a bijection, so that no information is lost.

    Example:
        >>> as_real(torch.tensor([[1 + 2j]])).tolist()
        [[1.0, 2.0]]
    """
    return torch.cat([values.real, values.imag], dim=1) if values.is_complex() else values


def narrowed(values: Tensor, most: int = MOST_COLUMNS) -> Tensor:
    """At most so many columns: neighbouring ones are averaged where there are more.

    Example:
        >>> narrowed(torch.arange(8.0).reshape(1, 8), most=4).tolist()
        [[0.5, 2.5, 4.5, 6.5]]
    """
    return F.adaptive_avg_pool1d(values[:, None], most)[:, 0] if values.shape[1] > most else values


def spread(values: Tensor) -> float:
    """The root mean square distance of the rows from their mean: the scale of a layer.

    Example:
        >>> spread(torch.tensor([[0.0, 0.0], [6.0, 8.0]]))
        5.0
    """
    centred = (values - values[:1]).double()
    centred = centred - centred.mean(dim=0)
    return float(centred.square().sum(dim=1).mean().sqrt())


def column_scales(rows: Tensor) -> Tensor:
    """The scale of each column, shape (d,), float64: its interquartile range over that of N(0, 1).

    Where that is 0, as of the zeros of a ReLU, its standard deviation; 0 of a constant column. Neighbours lie in the
    bulk, and the tails of a Cauchy law would make any standard deviation.

    Example:
        >>> column_scales(torch.tensor([[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [3.0, 4.0]])).round(decimals=2).tolist()
        [0.74, 2.0]
    """
    columns = rows.detach()[:: max(1, len(rows) // _ENOUGH)].T
    columns = (columns if columns.dtype == torch.float32 else in_float64(columns)).contiguous()
    n = columns.shape[1]
    least, low, high, most = map(in_float64, _at_ranks(columns, [0, n // 4, n - n // 4 - 1, n - 1]))
    largest = torch.maximum(-least, most).amax().clamp_min(torch.finfo(torch.float64).tiny)
    # Of the largest numbers differences would overflow.
    quartiles = (high / largest - low / largest) / _NORMAL_QUARTILES
    deviation, level = torch.zeros_like(quartiles), ~(quartiles > 0)
    if n > 1 and bool(level.any()):
        deviation[level] = (in_float64(columns[level.to(columns.device)]) / largest).sort(dim=1).values.std(dim=1)
    varies = most / largest > least / largest
    return torch.where(quartiles > 0, quartiles, deviation) * largest * varies


def _at_ranks(columns: Tensor, ranks: Sequence[int]) -> list[Tensor]:
    """Of each row of a matrix the values that stand at these places, from 0, in ascending order."""
    if columns.device.type != "cpu":
        return [columns.kthvalue(rank + 1, dim=1).values for rank in ranks]
    # NumPy sorts in the processor's vectors, faster than it, or torch, selects two places.
    ordered = torch.from_numpy(np.sort(columns.numpy(), axis=1))
    return [ordered[:, rank] for rank in ranks]
