"""Multivariate Student t: heavy tails, and dependence without correlation."""

from __future__ import annotations

import math
from typing import Self

import torch
from scipy.special import gammaincinv
from torch import Tensor

from infotorch.distributions.base import check_information, generator_for
from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.numerics.checks import check_positive
from infotorch.numerics.typing import ArrayLike

# From here on lgamma and digamma would cancel in more digits than Stirling's series leaves out.
_LARGE = 1e4
# 1 - u is at least 1e-16, and W / dof about its power 2 / dof: 1e-320 here.
_LEAST_DOF = 0.1


class StudentT:
    """Multivariate Student t (X, Y) = Gaussian / sqrt(W / dof), W chi-squared: one W for all columns of a sample.

    I = I_Gauss + f(dof) + f(dof + d_x + d_y) - f(dof + d_x) - f(dof + d_y), f(v) = log Gamma(v/2) - v/2 psi(v/2),
    where I_Gauss is that of the Gaussian with the same dispersion. Without any correlation I > 0: X and Y share their
    scale. dof = 1 is the Cauchy law, without mean; a finite variance needs dof > 2.

    Args:
        dispersion: the Gaussian before the division; a matrix or a number is passed to `CorrelatedGaussian`.
        dof: degrees of freedom, at least 0.1: below, values leave the range of float64.
        dim_x: columns of X where dispersion is a matrix.

    Raises:
        ValueError: dof is below 0.1 or not finite, or the dispersion is not positive definite.
        TypeError: dof is not a number.

    Source: Arellano-Valle, Contreras-Reyes & Genton 2013, doi:10.1111/j.1467-9469.2011.00774.x; written as in
    Czyż et al. 2023, arXiv:2306.11078.

    Example:
        >>> round(StudentT(0.0, dof=1).mutual_information(), 4)  # two uncorrelated Cauchy variables
        0.2242
    """

    def __init__(self, dispersion: CorrelatedGaussian | ArrayLike | float, *, dof: float, dim_x: int = 1) -> None:
        check_positive(dof, where="StudentT", name="dof")
        if dof < _LEAST_DOF:
            raise ValueError(f"StudentT: dof must be at least {_LEAST_DOF}, got {dof}.")
        given = isinstance(dispersion, CorrelatedGaussian)
        self.gaussian = dispersion if given else CorrelatedGaussian(dispersion, dim_x)
        self.dof = float(dof)

    @classmethod
    def for_information(cls, mi: float, dim: int = 1, *, dof: float) -> Self:
        """I(X; Y) = mi nats: `dim` pairs of columns, equally correlated; the rest comes of the scale that all share.

        Args:
            mi: in nats, at least what uncorrelated columns have, for they share their scale.
            dim: columns of X, and of Y.
            dof: degrees of freedom, at least 0.1.

        Raises:
            ValueError: mi is below that, or so large that the correlation rounds to 1; dim or dof is out of range.
            TypeError: mi or dof is not a number, or dim is not an integer.
        """
        where = f"{cls.__name__}.for_information"
        check_information(mi, where=where)
        shared = cls(CorrelatedGaussian.for_information(0.0, dim), dof=dof).mutual_information()
        if mi < shared:
            raise ValueError(f"{where}: mi must be at least {shared:.4g} nats for dim {dim} and dof {dof}, got {mi}.")
        return cls(CorrelatedGaussian.for_information(mi - shared, dim), dof=dof)

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs, float64: x of shape (n, d_x) and y of shape (n, d_y)."""
        generator = generator_for(n, generator, where="StudentT.sample")
        x, y = self.gaussian.sample(n, generator)
        u = torch.rand(n, 1, generator=generator, dtype=torch.float64, device=generator.device)
        # torch's own gamma sampler takes no generator in public. 1 - u is never 0.
        gamma = torch.from_numpy(gammaincinv(self.dof / 2, (1 - u).cpu().numpy())).to(u.device)
        scale = (gamma / (self.dof / 2)).rsqrt()
        return x * scale, y * scale

    def mutual_information(self) -> float:
        """I(X; Y) in nats, exact."""
        d, d_x = len(self.gaussian.covariance), self.gaussian.dim_x
        half = torch.tensor([0, d, d_x, d - d_x], dtype=torch.float64).add(self.dof) / 2
        # v/2 is added to f: it cancels in the sum, and leaves smaller numbers.
        f = torch.where(half < _LARGE, torch.lgamma(half) - half * torch.digamma(half) + half, _tail(half))
        return self.gaussian.mutual_information() + float(f[0] + f[1] - f[2] - f[3])


def _tail(half: Tensor) -> Tensor:
    """The same by Stirling's series, error below 1 / (50 half^3)."""
    return -half.log() / 2 + math.log(2 * math.pi) / 2 + 0.5 + 1 / (6 * half)
