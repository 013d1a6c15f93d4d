"""Columns of features: complex ones as real, many as few, and the scale of them all."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

#: Columns that neighbours and probes read; the grid of a convolution is averaged until it has no more.
MOST_COLUMNS = 4096


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
