"""Gaussian mutual information: log-determinants of covariances."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from infotorch.estimators.estimate import Estimate
from infotorch.numerics.checks import as_rows, check_paired

# Correlation matrices with a smaller eigenvalue have a column that the others determine, up to rounding of float32
# input.
_SINGULAR = 1e-10


def gaussian_mi(x: Any, y: Any) -> Estimate:
    """Mutual information of jointly Gaussian x and y, in nats: 1/2 (log det S_x + log det S_y - log det S_xy).

    It sees linear dependence only. For Gaussian data it is the maximum-likelihood estimate, biased high by about
    d_x d_y / (2n). Where every single variable is Gaussian but the joint law is not, it estimates a lower bound.

    Args:
        x: shape (n,) or (n, d_x), n > d_x + d_y.
        y: shape (n,) or (n, d_y).

    Returns:
        At least 0, differentiable; computed in float64. Constant columns are left out: they carry no information.
        Standard error from the influence of each row; it is 0 to first order for independent variables.

    Raises:
        ValueError: rows not paired, n <= d_x + d_y, NaN or infinite values, or a singular covariance, which means that
            one column is a linear function of the others (the information may be infinite).
        TypeError: x or y is not made of real numbers.

    Source: Cover & Thomas 2006, Sec. 8.5. Covariances are divided by n; the factor cancels.

    Example:
        >>> noise = torch.randn(2, 2000, generator=torch.Generator().manual_seed(2))
        >>> abs(float(gaussian_mi(noise[0], noise[0] + noise[1])) - 0.3466) < 0.05
        True
    """
    xs, ys = as_rows(x, where="gaussian_mi", name="x"), as_rows(y, where="gaussian_mi", name="y")
    check_paired(xs, ys, where="gaussian_mi")
    n, columns = len(xs), xs.shape[1] + ys.shape[1]
    if n <= columns:
        raise ValueError(
            f"gaussian_mi: needs more rows than columns of x and y together, got {n} rows, {columns} columns."
        )
    dtype = torch.promote_types(torch.promote_types(xs.dtype, ys.dtype), torch.float32)
    a, b = _standardised(xs), _standardised(ys)
    parts = [a, b, torch.cat([a, b], dim=1)]
    log_det = [_log_det(part) for part in parts]
    value = 0.5 * (log_det[0] + log_det[1] - log_det[2])
    return Estimate(
        value.to(dtype), bound="none", n=n, estimator="gaussian_mi", error=lambda: _error([p.detach() for p in parts])
    )


def _standardised(rows: Tensor) -> Tensor:
    """Columns of mean 0 and squared length 1, so that their Gram matrix is the correlation; no constant ones."""
    wide = rows.double()
    wide = wide[:, (wide != wide[0]).any(dim=0)]
    centered = wide - wide.mean(dim=0)
    return centered / torch.linalg.vector_norm(centered, dim=0)


def _log_det(columns: Tensor) -> Tensor:
    correlation = columns.T @ columns
    if correlation.numel() and float(torch.linalg.eigvalsh(correlation.detach())[0]) < _SINGULAR:
        raise ValueError(
            "gaussian_mi: the covariance of x and y must not be singular, got a column that is a linear function of "
            "others: drop it, or add noise if the dependence is meant (its information is infinite)."
        )
    return torch.linalg.slogdet(correlation).logabsdet


def _error(parts: list[Tensor]) -> float:
    """Infinitesimal jackknife: half of (squared lengths of a row in x and in y, less that of the row in both)."""
    x, y, both = ((torch.linalg.solve(columns.T @ columns, columns.T).T * columns).sum(dim=1) for columns in parts)
    return 0.5 * math.sqrt(len(both)) * float((x + y - both).std())
