"""`pairwise_bounds` of many samples: both bounds from one exponential a pair, tile by tile."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from infotorch.estimators.estimate import Estimate, Side, error_of_mean
from infotorch.numerics.kernels import unit_gram_tiles

#: power of exp(-d2 / 8) -> the bound that averages it over pairs
_BOUNDS: dict[int, Side] = {1: "lower", 4: "upper"}


def bounds_by_tiles(
    rows: Tensor, halves: Sequence[tuple[slice, slice]], *, dtype: torch.dtype
) -> tuple[Estimate, Estimate]:
    """Lower and upper bound for samples in units of the noise, without gradient.

    Example:
        >>> whole = [(slice(0, 2), slice(0, 2))]
        >>> lower, upper = bounds_by_tiles(torch.tensor([[0.0], [1.0]]), whole, dtype=torch.float32)
        >>> round(float(lower), 4), round(float(upper), 4)
        (0.0605, 0.2191)
    """
    n, tile = len(rows), unit_gram_tiles(rows / math.sqrt(8))
    # Of float32 tiles, too: a hundred thousand numbers of size 1 are added up. Apple's GPUs have no float64.
    wide = rows.dtype if rows.device.type == "mps" else torch.float64
    ones = rows.new_ones(n, dtype=wide)
    sums = {power: torch.zeros_like(ones) for power in _BOUNDS}
    for part in halves:
        kernel = tile(*part)
        for power, total in sums.items():
            _add_products(total, _power(kernel, power), part, ones)

    def estimate(power: int, side: Side) -> Estimate:
        def error() -> float:
            # Infinitesimal jackknife: a sample's own term, and what it does as a component of everyone's mixture.
            moved, shares = torch.zeros_like(ones), 1 / sums[power]
            for part in halves:
                _add_products(moved, _power(tile(*part), power), part, shares)
            return error_of_mean(-sums[power].log() - moved)

        value = (math.log(n) - sums[power].log().mean()).to(dtype)
        name = f"pairwise_bounds {side}"
        return Estimate(value, side=side, n=n, estimator=name, ceiling=math.log(n), error=error)

    lower, upper = (estimate(power, side) for power, side in _BOUNDS.items())
    return lower, upper


def _power(kernel: Tensor, power: int) -> Tensor:
    return kernel if power == 1 else kernel.square().square_()


def _add_products(total: Tensor, values: Tensor, part: tuple[slice, slice], factors: Tensor) -> None:
    """Add to total a symmetric matrix' product with factors, as far as one of its tiles goes."""
    rows, columns = part
    total[rows] += values @ factors[columns].to(values.dtype)
    if rows != columns:
        total[columns] += values.T @ factors[rows].to(values.dtype)
