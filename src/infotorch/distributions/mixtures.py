"""Mixtures of Gaussians: X against Y, and a continuous variable against the label of its component."""

from __future__ import annotations

import math
from functools import cached_property
from typing import Self

import torch
from torch import Tensor

from infotorch.distributions.base import as_constants, generator_for
from infotorch.distributions.quadrature import normal_expectation
from infotorch.numerics.checks import check_number, check_positive, paired_samples
from infotorch.numerics.typing import ArrayLike


class GaussianMixture:
    """X and Y, one column each, jointly a mixture of Gaussians: I = E[log p(x, y) - log p(x) - log p(y)].

    Clusters, several modes, or a cross of two correlations whose sum is uncorrelated.

    Args:
        means: of (X, Y) in each component, shape (components, 2).
        covariances: shape (components, 2, 2), each symmetric and positive definite, or (2, 2) for all.
        weights: probability of each component, shape (components,); equal ones by default.

    Raises:
        ValueError: wrong shapes, a covariance that is not positive definite, or weights that are not probabilities.
        TypeError: an argument is not made of real numbers.

    Source: the families "X" and "AI" of Czyż et al. 2023, arXiv:2310.10240, who estimate the integral by sampling.

    Example:
        >>> law = GaussianMixture([[-5.0, -5.0], [5.0, 5.0]], [[1.0, 0.0], [0.0, 1.0]])
        >>> round(law.mutual_information(), 4)  # nearly one bit
        0.6931
    """

    def __init__(self, means: ArrayLike, covariances: ArrayLike, weights: ArrayLike | None = None) -> None:
        self.means = _numbers(means, where="GaussianMixture", name="means")
        if self.means.ndim != 2 or self.means.shape[1] != 2:
            raise ValueError(f"GaussianMixture: means must be of shape (k, 2), got {tuple(self.means.shape)}.")
        count = len(self.means)
        matrices = _numbers(covariances, where="GaussianMixture", name="covariances")
        if matrices.shape not in {(2, 2), (count, 2, 2)}:
            raise ValueError(
                f"GaussianMixture: covariances must be of shape (2, 2) or ({count}, 2, 2), got {tuple(matrices.shape)}."
            )
        self.covariances = matrices.expand(count, 2, 2)
        factors, info = torch.linalg.cholesky_ex(self.covariances)
        if info.any() or not torch.allclose(self.covariances, self.covariances.mT, rtol=1e-10, atol=0):
            raise ValueError("GaussianMixture: covariances must be symmetric and positive definite.")
        self.weights = _probabilities(weights, count, where="GaussianMixture")
        self._factors = factors

    @classmethod
    def rare_event(cls, probability: float, *, correlation: float, shift: float = 0.0) -> Self:
        """X and Y are independent and standard normal, but for rare events that couple them.

        Args:
            probability: of an event, in (0, 1).
            correlation: of X and Y in an event, in [-0.99, 0.99].
            shift: how far an event moves X and Y, at most 20; at 0 each alone shows nothing of it.

        Raises:
            ValueError: an argument is out of range.
            TypeError: an argument is not a number.

        Example:
            >>> round(GaussianMixture.rare_event(0.01, correlation=0.9, shift=4.0).mutual_information(), 4)
            0.0496
        """
        given = (("probability", probability), ("correlation", correlation), ("shift", shift))
        for (name, value), (low, high) in zip(given, ((0, 1), (-0.99, 0.99), (-20, 20)), strict=True):
            check_number(value, where=f"{cls.__name__}.rare_event", name=name)
            if not (low <= value <= high and 0 < probability < 1):
                raise ValueError(f"{cls.__name__}.rare_event: {name} must lie in [{low}, {high}], got {value}.")
        coupled = [[1.0, correlation], [correlation, 1.0]]
        covariances = [[[1.0, 0.0], [0.0, 1.0]], coupled]
        return cls([[0.0, 0.0], [shift, shift]], covariances, [1 - probability, probability])

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs, float64, each of shape (n, 1)."""
        generator = generator_for(n, generator, where="GaussianMixture.sample")
        device = generator.device
        component = torch.multinomial(self.weights.to(device), n, replacement=True, generator=generator)
        noise = torch.randn(n, 2, 1, generator=generator, dtype=torch.float64, device=device)
        rows = self.means.to(device)[component] + (self._factors.to(device)[component] @ noise)[:, :, 0]
        return rows[:, :1], rows[:, 1:]

    def log_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        """The values log p(x, y) / (p(x) p(y)), one a sample, shape (n,): their expectation is I(X; Y)."""
        x, y = paired_samples(x, y, where="GaussianMixture.log_ratio")
        if x.shape[1] != 1 or y.shape[1] != 1:
            raise ValueError(
                "GaussianMixture.log_ratio: x and y must have one column each, got shapes "
                f"{tuple(x.shape)} and {tuple(y.shape)}."
            )
        points = torch.cat([x, y], dim=1).to("cpu", torch.float64)[:, None, :] - self.means
        whitened = torch.linalg.solve_triangular(self._factors, points[..., None], upper=False)[..., 0]
        log_joint = -(whitened**2).sum(dim=2) / 2 - self._factors.diagonal(dim1=1, dim2=2).log().sum(dim=1)
        variances = self.covariances.diagonal(dim1=1, dim2=2)
        log_single = -(points**2) / (2 * variances) - variances.log() / 2
        log_p = torch.cat([log_joint[..., None], log_single], dim=2) + self.weights.log()[:, None]
        joint, p_x, p_y = log_p.logsumexp(dim=1).unbind(dim=1)
        return joint - p_x - p_y

    def mutual_information(self) -> float:
        """I(X; Y) in nats, by quadrature over each component.

        The error is below 1e-9 for means within 20 standard deviations of each other and variances within a factor 25.
        """
        return self._information

    @cached_property
    def _information(self) -> float:
        total = 0.0
        for weight, mean, factor in zip(self.weights.tolist(), self.means, self._factors, strict=True):

            def log_ratio(z: Tensor, mean: Tensor = mean, factor: Tensor = factor) -> Tensor:
                points = mean + z @ factor.T
                return self.log_ratio(points[:, :1], points[:, 1:])

            total += weight * normal_expectation(log_ratio, dim=2) if weight else 0.0
        return total


class LabelledClusters:
    """Y is a label, X its cluster's centre plus Gaussian noise: I = H(Y) - E[-log p(y | x)].

    Noise across the centres' span says nothing of the label, so X may have any number of columns; the span has one
    or two dimensions, over which the truth is integrated.

    Args:
        centres: shape (labels, d); their differences span at most 2 dimensions.
        noise_std: standard deviation of the noise in every column.
        weights: probability of each label, shape (labels,); equal ones by default.

    Raises:
        ValueError: centres is not a matrix or spans more than 2 dimensions, noise_std is not positive, or weights are
            not probabilities.
        TypeError: an argument is not made of real numbers.

    Source: Cover & Thomas 2006, Sec. 2.4; with two labels, the Gaussian channel with binary input.

    Example:
        >>> law = LabelledClusters([[-1.0, 0.0, 0.0], [1.0, 0.0, 0.0]], noise_std=1.0)
        >>> x, label = law.sample(3, torch.Generator().manual_seed(0))
        >>> x.shape, label.dtype, round(law.mutual_information(), 4)
        (torch.Size([3, 3]), torch.int64, 0.3368)
    """

    def __init__(self, centres: ArrayLike, *, noise_std: float, weights: ArrayLike | None = None) -> None:
        check_positive(noise_std, where="LabelledClusters", name="noise_std")
        self.centres = _numbers(centres, where="LabelledClusters", name="centres")
        if self.centres.ndim != 2:
            raise ValueError(f"LabelledClusters: centres must be a matrix, got shape {tuple(self.centres.shape)}.")
        self.noise_std = float(noise_std)
        self.weights = _probabilities(weights, len(self.centres), where="LabelledClusters")
        offsets = (self.centres - self.centres.mean(dim=0)) / self.noise_std
        _, spread, axes = torch.linalg.svd(offsets, full_matrices=False)
        rank = int((spread > 1e-9 * max(1.0, float(spread[0]))).sum())
        if rank > 2:
            raise ValueError(f"LabelledClusters: centres must span at most 2 dimensions, got {rank}.")
        self._dim = max(rank, 1)
        self._positions = offsets @ axes[: self._dim].T

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs: x float64 of shape (n, d), label int64 of shape (n,)."""
        generator = generator_for(n, generator, where="LabelledClusters.sample")
        device = generator.device
        label = torch.multinomial(self.weights.to(device), n, replacement=True, generator=generator)
        centres = self.centres.to(device)[label]
        noise = torch.randn(centres.shape, generator=generator, dtype=torch.float64, device=device)
        return centres + self.noise_std * noise, label

    def mutual_information(self) -> float:
        """I(X; Y) in nats, by quadrature: error below 1e-9 for centres within 20 standard deviations of each other."""
        total = 0.0
        for label, weight in enumerate(self.weights.tolist()):

            def log_posterior_ratio(z: Tensor, label: int = label) -> Tensor:
                distances = torch.cdist(z + self._positions[label], self._positions)
                log_p = self.weights.log() - distances**2 / 2
                return -(distances[:, label] ** 2) / 2 - log_p.logsumexp(dim=1)

            total += weight * normal_expectation(log_posterior_ratio, self._dim) if weight else 0.0
        return total


def _numbers(values: ArrayLike, *, where: str, name: str) -> Tensor:
    tensor = as_constants(values, where=where, name=name)
    if tensor.numel() == 0 or not torch.isfinite(tensor).all():
        raise ValueError(f"{where}: {name} must be finite and not empty, got shape {tuple(tensor.shape)}.")
    return tensor


def _probabilities(weights: ArrayLike | None, count: int, *, where: str) -> Tensor:
    if weights is None:
        return torch.full((count,), 1 / count, dtype=torch.float64)
    tensor = _numbers(weights, where=where, name="weights")
    if tensor.shape != (count,) or not (tensor >= 0).all() or not math.isclose(float(tensor.sum()), 1, rel_tol=1e-6):
        raise ValueError(f"{where}: weights must be {count} probabilities that sum to 1, got {tensor.tolist()}.")
    return tensor / tensor.sum()
