"""Norm and curvature of several tensors together, in float32 where autocast made them narrower."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from infotorch.objectives.base import full_precision


def norm(parts: Sequence[Tensor]) -> Tensor:
    """Euclidean norm over all entries, 0-d.

    Example:
        >>> norm([torch.tensor([3.0]), torch.tensor([[4.0]])])
        tensor(5.)
    """
    return _dot(parts, parts).sqrt()


def curvature(along: Sequence[Tensor], products: Sequence[Tensor]) -> Tensor:
    """The Rayleigh quotient v' H v / v' v of v and the product H v, 0-d; 0 where v is.

    Example:
        >>> curvature([torch.tensor([1e-30, 1e-30])], [torch.tensor([2e-30, 4e-30])])
        tensor(3.)
    """
    largest = torch.stack([full_precision(v).abs().amax() for v in along]).amax()
    # Small slopes have squares of 0.
    scale = torch.where(largest > 0, largest, torch.ones_like(largest))
    unit = [full_precision(v) / scale for v in along]
    return _dot(unit, [full_precision(h) / scale for h in products]) / _dot(unit, unit).clamp_min(1)


def _dot(left: Sequence[Tensor], right: Sequence[Tensor]) -> Tensor:
    products = [(full_precision(a) * full_precision(b)).sum() for a, b in zip(left, right, strict=True)]
    return torch.stack(products).sum()
