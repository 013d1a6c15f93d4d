"""Matrix-based Rényi information against the computation as published: distances, kernel, all eigenvectors, in float32.

The published code is no package, so the peer is written here from its formulas: squared distances as
|a|^2 + |b|^2 - 2ab, K / tr K, eigenvalues by a decomposition that finds the eigenvectors too, and the power sum of
their absolute values.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from infotorch.estimators.renyi import renyi_entropy, renyi_mi
from infotorch.estimators.renyi_randomised import renyi_entropy_randomised, renyi_mi_randomised
from speed_rows.row import Row

COLUMNS, WIDTH = 64, 128.0  # the width is the mean squared distance: neither all rows alike nor all apart


def published_kernel(x: Tensor) -> Tensor:
    """exp(-d2 / s) from explicit squared distances."""
    squares = (x**2).sum(dim=1, keepdim=True)
    return torch.exp(-(squares + squares.T - 2 * (x @ x.T)) / WIDTH)


def published_entropy(kernel: Tensor, alpha: float) -> Tensor:
    """In nats; the published code takes the logarithm to base 2."""
    values = torch.linalg.eigh(kernel / kernel.trace())[0].abs()
    return (values**alpha).sum().log() / (1 - alpha)


def published_mi(x: Tensor, y: Tensor, alpha: float) -> float:
    """S(x) + S(y) - S(x, y)."""
    first, second = published_kernel(x), published_kernel(y)
    kernels = (first, second, first * second)
    of_x, of_y, both = (published_entropy(kernel, alpha) for kernel in kernels)
    return float(of_x + of_y - both)


def rows() -> list[Row]:
    """All comparisons, each with its own data."""
    return [row for n in (1000, 2000) for row in rows_of_size(n)]


def rows_of_size(n: int) -> list[Row]:
    random = torch.Generator().manual_seed(0)
    x = torch.randn(n, COLUMNS, generator=random)
    y = (x + torch.randn(n, COLUMNS, generator=random)) / math.sqrt(2)
    settings = {"bandwidth": WIDTH, "generator": random}

    def peer(alpha: float) -> dict:
        return {"as published": lambda: float(published_entropy(published_kernel(x), alpha))}

    def peer_mi(alpha: float) -> dict:
        return {"as published": lambda: published_mi(x, y, alpha)}

    at = f"64-d, n = {n}, float32"
    large = n >= 2000
    return [
        Row(
            f"Renyi entropy, alpha = 1.01, {at}",
            lambda: float(renyi_entropy(x, bandwidth=WIDTH)),
            peer(1.01),
            1.5 if large else 1.0,
            tolerance=1e-3,
        ),
        Row(
            f"Renyi entropy, alpha = 1.01, randomised, {at}",
            lambda: float(renyi_entropy_randomised(x, **settings)),
            peer(1.01),
            10.0 if large else 1.0,
            tolerance=0.01 * 4.4,
            note="the randomised value may be 1 % off",
        ),
        Row(
            f"Renyi entropy, alpha = 2, {at}",
            lambda: float(renyi_entropy(x, alpha=2, bandwidth=WIDTH)),
            peer(2),
            15.0,
            tolerance=1e-3,
            repeats=21,
        ),
        Row(
            f"Renyi information, alpha = 1.01, {at}",
            lambda: float(renyi_mi(x, y, bandwidth=WIDTH)),
            peer_mi(1.01),
            1.5 if large else 1.0,
            tolerance=1e-3,
        ),
        Row(
            f"Renyi information, alpha = 1.01, randomised, {at}",
            lambda: float(renyi_mi_randomised(x, y, **settings)),
            peer_mi(1.01),
            10.0 if large else 1.0,
            tolerance=0.03,
            note="the tolerance is 1 % of the value, about 3 nats",
        ),
        Row(
            f"Renyi information, alpha = 2, {at}",
            lambda: float(renyi_mi(x, y, alpha=2, bandwidth=WIDTH)),
            peer_mi(2),
            15.0,
            tolerance=1e-3,
            repeats=21,
        ),
    ]
