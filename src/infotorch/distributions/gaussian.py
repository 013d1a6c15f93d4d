"""Correlated Gaussian vectors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from infotorch.distributions.base import check_sample_size
from infotorch.numerics.checks import as_tensor


class CorrelatedGaussian:
    """Gaussian (X, Y) of mean 0 with any joint covariance: I = 1/2 (log det S_x + log det S_y - log det S).

    Args:
        covariance: of (X, Y) together, shape (d, d), symmetric, positive definite. A number rho in (-1, 1) stands for
            two standard normal variables of correlation rho.
        dim_x: how many of the leading coordinates are X, 1 <= dim_x < d.

    Raises:
        ValueError: covariance is not square, symmetric and positive definite, or dim_x is out of range.
        TypeError: covariance is not made of real numbers.

    Source: Cover & Thomas 2006, Sec. 8.5.

    Example:
        >>> law = CorrelatedGaussian(0.9)
        >>> x, y = law.sample(4, torch.Generator().manual_seed(0))
        >>> x.shape, y.shape, round(law.mutual_information(), 4)
        (torch.Size([4, 1]), torch.Size([4, 1]), 0.8304)
    """

    def __init__(self, covariance: Any, dim_x: int = 1) -> None:
        matrix = as_tensor(covariance, where="CorrelatedGaussian", name="covariance").detach().to("cpu", torch.float64)
        if matrix.ndim == 0:
            matrix = torch.eye(2, dtype=torch.float64) + matrix * (1 - torch.eye(2, dtype=torch.float64))
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"CorrelatedGaussian: covariance must be square, got shape {tuple(matrix.shape)}.")
        if not 1 <= dim_x < len(matrix):
            raise ValueError(f"CorrelatedGaussian: dim_x must be between 1 and {len(matrix) - 1}, got {dim_x}.")
        if not torch.allclose(matrix, matrix.T, rtol=1e-10, atol=0) or torch.linalg.cholesky_ex(matrix).info != 0:
            raise ValueError("CorrelatedGaussian: covariance must be symmetric and positive definite.")
        self.covariance = matrix.clone()
        self.dim_x = dim_x

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs, float64: x of shape (n, dim_x) and y of shape (n, d - dim_x)."""
        check_sample_size(n, where="CorrelatedGaussian.sample")
        device = generator.device
        noise = torch.randn(n, len(self.covariance), generator=generator, dtype=torch.float64, device=device)
        rows = noise @ torch.linalg.cholesky(self.covariance).T.to(device)
        return rows[:, : self.dim_x], rows[:, self.dim_x :]

    def mutual_information(self) -> float:
        """I(X; Y) in nats, exact."""
        d = self.dim_x
        x, y = self.covariance[:d, :d].logdet(), self.covariance[d:, d:].logdet()
        return 0.5 * float(x + y - self.covariance.logdet())
