"""Clusters in many columns, whose place X and Y share: a mixture with known information."""

from __future__ import annotations

import math
from typing import Self

import torch
from torch import Tensor

from infotorch.distributions.base import as_constants, check_information, generator_for, parameter_at
from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.distributions.mixtures import LabelledClusters
from infotorch.numerics.kinds import check_kind
from infotorch.numerics.typing import ArrayLike

# Of `for_information`: three overlapping clusters on a line, two and three standard deviations apart.
_PLACES = (0.0, 2.0, -3.0)
_WEIGHTS = (0.5, 0.3, 0.2)


class SharedClusters:
    """X and Y are jointly Gaussian noise around the centre of one cluster C, which both are in.

    A Gaussian mixture of one covariance, in any number of columns. By the chain rule
    I(X; Y) = I_Gauss + I(C; X) + I(C; Y) - I(C; (X, Y)), each a `LabelledClusters` once the noise is made white.

    Args:
        noise: the Gaussian around the centres.
        centres: shape (clusters, d), one of (X, Y) together in each row; their differences span at most 2 dimensions.
        weights: probability of each cluster, shape (clusters,); equal ones by default.

    Raises:
        ValueError: centres has another number of columns than the noise or spans more than 2 dimensions, or weights are
            not probabilities.
        TypeError: noise is no `CorrelatedGaussian`, or centres or weights are not made of real numbers.

    Source: Cover & Thomas 2006, Theorem 2.5.2; as a family Czyż et al. 2023, arXiv:2310.10240, who estimate the
    integral by sampling.

    Example:
        >>> law = SharedClusters(CorrelatedGaussian(0.0), [[-5.0, -5.0], [5.0, 5.0]])
        >>> round(law.mutual_information(), 4)  # nearly one bit
        0.6931
    """

    def __init__(self, noise: CorrelatedGaussian, centres: ArrayLike, weights: ArrayLike | None = None) -> None:
        check_kind(noise, CorrelatedGaussian, where="SharedClusters", name="noise", said="a CorrelatedGaussian")
        self.noise = noise
        self.centres = as_constants(centres, where="SharedClusters", name="centres")
        dim = len(noise.covariance)
        if self.centres.ndim != 2 or self.centres.shape[1] != dim:
            raise ValueError(
                f"SharedClusters: centres must have {dim} columns, as the noise has, "
                f"got shape {tuple(self.centres.shape)}."
            )
        d, covariance = noise.dim_x, noise.covariance
        self._x = _whitened(covariance[:d, :d], self.centres[:, :d], weights)
        self._y = _whitened(covariance[d:, d:], self.centres[:, d:], weights)
        self._both = _whitened(covariance, self.centres, weights)
        self.weights = self._both.weights

    @classmethod
    def for_information(cls, mi: float, dim: int = 1) -> Self:
        """I(X; Y) = mi nats, to 1e-6: three overlapping clusters, and `dim` equally correlated pairs of columns.

        The clusters lie on a line, along which every column grows; their probabilities are 0.5, 0.3 and 0.2.

        Args:
            mi: in nats, between 0.7 and 11.
            dim: columns of X, and of Y.

        Raises:
            ValueError: mi is out of range, or dim is below 1.
            TypeError: mi is not a number, or dim is not an integer.
        """
        check_information(mi, least=0.7, most=11.0, where=f"{cls.__name__}.for_information")

        def law(pairs: float) -> Self:
            noise = CorrelatedGaussian.for_information(pairs, dim)
            places = torch.tensor(_PLACES, dtype=torch.float64)[:, None] / math.sqrt(dim)
            return cls(noise, places.expand(-1, 2 * dim), _WEIGHTS)

        return law(parameter_at(lambda pairs: law(pairs).mutual_information() - mi, 0.0, mi))

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs, float64: x of shape (n, dim_x) and y of shape (n, d - dim_x)."""
        generator = generator_for(n, generator, where="SharedClusters.sample")
        weights = self.weights.to(generator.device)
        cluster = torch.multinomial(weights, n, replacement=True, generator=generator)
        x, y = self.noise.sample(n, generator)
        centres = self.centres.to(generator.device)[cluster]
        return x + centres[:, : self.noise.dim_x], y + centres[:, self.noise.dim_x :]

    def mutual_information(self) -> float:
        """I(X; Y) in nats, by quadrature: error below 1e-8 for centres within 15 standard deviations of each other.

        That is, of the noise in every direction of (X, Y).
        """
        of_cluster = [law.mutual_information() for law in (self._x, self._y, self._both)]
        return self.noise.mutual_information() + of_cluster[0] + of_cluster[1] - of_cluster[2]


def _whitened(covariance: Tensor, centres: Tensor, weights: ArrayLike | None) -> LabelledClusters:
    """The same clusters, where the noise has unit variance in every direction."""
    factor = torch.linalg.cholesky(covariance)
    return LabelledClusters(
        torch.linalg.solve_triangular(factor, centres.T, upper=False).T, noise_std=1.0, weights=weights
    )
