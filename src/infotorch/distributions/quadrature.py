"""Expectations under a normal law, by a rule whose error falls exponentially."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

# Beyond 9 standard deviations the normal law holds 2e-19.
_REACH = 9.0
# Points in each of 1 or 2 dimensions.
_POINTS = {1: 2881, 2: 361}


def normal_expectation(f: Callable[[Tensor], Tensor], dim: int = 1) -> float:
    """E f(Z) for standard normal Z of 1 or 2 dimensions, by the trapezoidal rule on a grid of +-9 standard deviations.

    For f that is analytic in a strip |Im z| < a the error is of the order exp(-2 pi a / h), h = 1/160 in one dimension
    and 1/20 in two. A log-ratio of normal densities whose means are s standard deviations apart has a = pi / s:
    the error is below 1e-11 up to s = 100 in one dimension and s = 15 in two.

    Args:
        f: points of shape (m, dim), float64, to values of shape (m,).
        dim: 1 or 2.

    Source: Trefethen & Weideman 2014, doi:10.1137/130932132, Theorem 5.1.

    Example:
        >>> round(normal_expectation(lambda z: z[:, 0] ** 2 * z[:, 1] ** 4, dim=2), 12)
        3.0
    """
    axis = torch.linspace(-_REACH, _REACH, _POINTS[dim], dtype=torch.float64)
    weights = torch.softmax(-(axis**2) / 2, dim=0)
    if dim == 1:
        return float(weights @ f(axis[:, None]))
    return float(torch.outer(weights, weights).flatten() @ f(torch.cartesian_prod(axis, axis)))
