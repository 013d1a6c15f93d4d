"""Correlated Gaussian vectors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import torch
from torch import Tensor

from infotorch.distributions.base import as_constants, check_information, generator_for
from infotorch.numerics.checks import check_count, check_number, check_positive, check_size
from infotorch.numerics.typing import ArrayLike


class CorrelatedGaussian:
    """Gaussian (X, Y) of mean 0 with any joint covariance: I = 1/2 (log det S_x + log det S_y - log det S).

    `dense`, `sparse`, `low_rank` and `for_information` make covariances of common shapes.

    Args:
        covariance: of (X, Y) together, shape (d, d), symmetric, positive definite. A number rho in (-1, 1) stands for
            two standard normal variables of correlation rho.
        dim_x: how many of the leading coordinates are X, 1 <= dim_x < d.

    Raises:
        ValueError: covariance is not square, symmetric and positive definite, or dim_x is out of range.
        TypeError: covariance is not made of real numbers, or dim_x is not an integer.

    Source: Cover & Thomas 2006, Sec. 8.5; the shapes after Czyż et al. 2023, arXiv:2306.11078.

    Example:
        >>> law = CorrelatedGaussian(0.9)
        >>> x, y = law.sample(4, torch.Generator().manual_seed(0))
        >>> x.shape, y.shape, round(law.mutual_information(), 4)
        (torch.Size([4, 1]), torch.Size([4, 1]), 0.8304)
        >>> round(CorrelatedGaussian.sparse(5, 5, correlations=(0.8, 0.8)).mutual_information(), 4)
        1.0217
    """

    def __init__(self, covariance: ArrayLike | float, dim_x: int = 1) -> None:
        where = type(self).__name__
        matrix = as_constants(covariance, where=where, name="covariance")
        if matrix.ndim == 0:
            matrix = torch.eye(2, dtype=torch.float64) + matrix * (1 - torch.eye(2, dtype=torch.float64))
        if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
            raise ValueError(f"{where}: covariance must be square, got shape {tuple(matrix.shape)}.")
        check_count(dim_x, where=where, name="dim_x")
        if dim_x >= len(matrix):
            raise ValueError(f"{where}: dim_x must be between 1 and {len(matrix) - 1}, got {dim_x}.")
        if not torch.allclose(matrix, matrix.T, rtol=1e-10, atol=0) or torch.linalg.cholesky_ex(matrix).info != 0:
            raise ValueError(f"{where}: covariance must be symmetric and positive definite.")
        self.covariance = matrix.clone()
        self.dim_x = dim_x

    @classmethod
    def dense(cls, dim_x: int, dim_y: int, *, correlation: float) -> Self:
        """Unit variances and one correlation between any two of the d = dim_x + dim_y variables.

        Args:
            dim_x: columns of X.
            dim_y: columns of Y.
            correlation: in (-1 / (d - 1), 1).

        Raises:
            ValueError: a dimension is below 1, or correlation is out of range.
            TypeError: a dimension is not an integer, or correlation is not a number.
        """
        d = _dimensions(dim_x, dim_y, where=f"{cls.__name__}.dense")
        check_number(correlation, where=f"{cls.__name__}.dense", name="correlation")
        if not -1 / (d - 1) < correlation < 1:
            raise ValueError(
                f"{cls.__name__}.dense: correlation must lie in ({-1 / (d - 1):.4g}, 1) for {d} variables, "
                f"got {correlation}."
            )
        return cls((1 - correlation) * torch.eye(d, dtype=torch.float64) + correlation, dim_x)

    @classmethod
    def sparse(cls, dim_x: int, dim_y: int, *, correlations: Sequence[float]) -> Self:
        """Unit variances; the i-th column of X and of Y have correlations[i], all else is independent.

        Args:
            dim_x: columns of X.
            dim_y: columns of Y.
            correlations: each in (-1, 1), at most min(dim_x, dim_y) of them.

        Raises:
            ValueError: a dimension is below 1, or there are too many correlations, or one is out of range.
            TypeError: a dimension is not an integer, or a correlation is not a number.
        """
        d = _dimensions(dim_x, dim_y, where=f"{cls.__name__}.sparse")
        if not isinstance(correlations, Sequence):
            raise TypeError(f"{cls.__name__}.sparse: correlations must be a list, got {type(correlations).__name__}.")
        for correlation in correlations:
            check_number(correlation, where=f"{cls.__name__}.sparse", name="each correlation")
        if len(correlations) > min(dim_x, dim_y) or not all(-1 < c < 1 for c in correlations):
            raise ValueError(
                f"{cls.__name__}.sparse: correlations must be at most {min(dim_x, dim_y)} numbers in (-1, 1), "
                f"got {list(correlations)}."
            )
        matrix = torch.eye(d, dtype=torch.float64)
        for i, correlation in enumerate(correlations):
            matrix[i, dim_x + i] = matrix[dim_x + i, i] = correlation
        return cls(matrix, dim_x)

    @classmethod
    def low_rank(cls, loadings_x: ArrayLike, loadings_y: ArrayLike, *, noise_std: float = 1.0) -> Self:
        """X = A Z + noise and Y = B Z + noise share a few independent standard normal sources Z.

        Args:
            loadings_x: A, shape (dim_x, sources).
            loadings_y: B, shape (dim_y, sources).
            noise_std: standard deviation of the independent noise in every column.

        Raises:
            ValueError: the loadings are not matrices with as many columns each, or noise_std is not positive.
            TypeError: the loadings are not made of real numbers.
        """
        where = f"{cls.__name__}.low_rank"
        check_positive(noise_std, where=where, name="noise_std")
        if noise_std > 1e150:
            raise ValueError(f"{where}: noise_std must be at most 1e150, whose square is a number, got {noise_std}.")
        a, b = (
            as_constants(value, where=where, name=name)
            for value, name in ((loadings_x, "loadings_x"), (loadings_y, "loadings_y"))
        )
        if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
            raise ValueError(
                f"{where}: loadings must be matrices with a column for each source, "
                f"got shapes {tuple(a.shape)} and {tuple(b.shape)}."
            )
        both = torch.cat([a, b])
        return cls(both @ both.T + float(noise_std) ** 2 * torch.eye(len(both), dtype=torch.float64), len(a))

    @classmethod
    def for_information(cls, mi: float, dim: int = 1) -> Self:
        """I(X; Y) = mi nats: `dim` pairs of standard normal variables, each of correlation sqrt(1 - exp(-2 mi / dim)).

        Args:
            mi: in nats, at least 0.
            dim: columns of X, and of Y.

        Raises:
            ValueError: mi is negative or so large that the correlation rounds to 1, or dim is below 1.
            TypeError: mi is not a number, or dim is not an integer.
        """
        check_information(mi, where=f"{cls.__name__}.for_information")
        _dimensions(dim, dim, where=f"{cls.__name__}.for_information")
        correlation = math.sqrt(-math.expm1(-2 * mi / dim))
        if correlation == 1:
            raise ValueError(f"{cls.__name__}.for_information: mi must be below {18 * dim} nats here, got {mi}.")
        return cls.sparse(dim, dim, correlations=[correlation] * dim)

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs, float64: x of shape (n, dim_x) and y of shape (n, d - dim_x)."""
        generator = generator_for(n, generator, where=f"{type(self).__name__}.sample")
        device = generator.device
        noise = torch.randn(n, len(self.covariance), generator=generator, dtype=torch.float64, device=device)
        rows = noise @ torch.linalg.cholesky(self.covariance).T.to(device)
        return rows[:, : self.dim_x], rows[:, self.dim_x :]

    def mutual_information(self) -> float:
        """I(X; Y) in nats, exact."""
        d = self.dim_x
        x, y = self.covariance[:d, :d].logdet(), self.covariance[d:, d:].logdet()
        return 0.5 * float(x + y - self.covariance.logdet())


def _dimensions(dim_x: int, dim_y: int, *, where: str) -> int:
    check_size(dim_x, where=where, name="dim_x")
    check_size(dim_y, where=where, name="dim_y")
    return dim_x + dim_y
