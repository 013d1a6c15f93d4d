"""Noisy images whose information is known, in any number of pixels."""

from __future__ import annotations

import math
from typing import Any, Self

import torch
from torch import Tensor

from infotorch.distributions.base import as_constants, generator_for
from infotorch.distributions.quadrature import normal_expectation
from infotorch.numerics.checks import check_positive
from infotorch.numerics.typing import ArrayLike


class PatternImages:
    """X is an image of patterns, each there or not by a fair coin, plus Gaussian pixel noise; Y says which are there.

    The patterns are orthogonal, so that each pattern's coin is seen through its own Gaussian channel with binary input:
    I = sum_j C(|pattern_j| / (2 noise_std)), C(a) = log 2 - E log(1 + exp(-2 a (a + Z))), Z standard normal.

    Args:
        patterns: shape (patterns, ...), one image each; their inner products are 0. At most 62.
        noise_std: standard deviation of the noise in every pixel.

    Raises:
        ValueError: the patterns are not orthogonal, or too many, or noise_std is not positive.
        TypeError: patterns is not made of real numbers, or noise_std is not a number.

    Source: Cover & Thomas 2006, Theorem 2.5.2; Richardson & Urbanke 2008, Modern Coding Theory, Sec. 4.1 (C).

    Example:
        >>> law = PatternImages.digits(noise_std=1.0)
        >>> x, y = law.sample(2, torch.Generator().manual_seed(0))
        >>> x.shape, y.shape, round(law.mutual_information(), 4)
        (torch.Size([2, 16, 16]), torch.Size([2]), 2.4424)
    """

    def __init__(self, patterns: ArrayLike, *, noise_std: float) -> None:
        self.patterns, self._flat = _patterns(patterns, where="PatternImages")
        check_positive(noise_std, where="PatternImages", name="noise_std")
        self.noise_std = float(noise_std)
        gram = self._flat @ self._flat.T
        if len(gram) > 62:
            raise ValueError(f"PatternImages: needs at most 62 patterns (bits of Y), got {len(gram)}.")
        if float((gram - gram.diag().diag()).abs().max()) > 1e-9 * float(gram.diagonal().max()):
            raise ValueError("PatternImages: patterns must be orthogonal to each other.")

    @classmethod
    def digits(cls, *, noise_std: float) -> Self:
        """Four digits of 8 x 8 pixels in [0, 1], the first 0, 1, 2 and 3 of scikit-learn's, in four quarters."""
        from sklearn.datasets import load_digits

        data: Any = load_digits()
        patterns = torch.zeros(4, 16, 16, dtype=torch.float64)
        for digit, (top, left) in enumerate([(0, 0), (0, 8), (8, 0), (8, 8)]):
            image = data.images[data.target.tolist().index(digit)] / 16
            patterns[digit, top : top + 8, left : left + 8] = torch.from_numpy(image)
        return cls(patterns, noise_std=noise_std)

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs: images float64 of shape (n, ...); y int64 of shape (n,), bit j for pattern j."""
        generator = generator_for(n, generator, where="PatternImages.sample")
        device = generator.device
        bits = torch.randint(2, (n, len(self._flat)), generator=generator, device=device)
        images = _noisy(bits.double() @ self._flat.to(device), self.noise_std, generator)
        powers = 2 ** torch.arange(len(self._flat), device=device)
        return images.reshape(n, *self.patterns.shape[1:]), (bits * powers).sum(dim=1)

    def mutual_information(self) -> float:
        """I(X; Y) in nats, by quadrature: error below 1e-12 for each pattern."""
        amplitudes = torch.linalg.vector_norm(self._flat, dim=1) / (2 * self.noise_std)
        return sum(_binary_input(a) for a in amplitudes.tolist())


class AmplitudeImages:
    """X holds independent standard normal amplitudes, Y the image sum_j x_j pattern_j plus Gaussian pixel noise.

    I = 1/2 log det(I + P P^T / noise_std^2), P the matrix of patterns: a linear Gaussian channel.

    Args:
        patterns: shape (patterns, ...), one image each, any.
        noise_std: standard deviation of the noise in every pixel.

    Raises:
        ValueError: patterns has no pixels or is not finite, or noise_std is not positive.
        TypeError: patterns is not made of real numbers, or noise_std is not a number.

    Source: Cover & Thomas 2006, Sec. 9.5 (parallel Gaussian channels).

    Example:
        >>> law = AmplitudeImages(torch.eye(2).reshape(2, 1, 2), noise_std=1.0)
        >>> x, y = law.sample(3, torch.Generator().manual_seed(0))
        >>> x.shape, y.shape, round(law.mutual_information(), 4)
        (torch.Size([3, 2]), torch.Size([3, 1, 2]), 0.6931)
    """

    def __init__(self, patterns: ArrayLike, *, noise_std: float) -> None:
        self.patterns, self._flat = _patterns(patterns, where="AmplitudeImages")
        check_positive(noise_std, where="AmplitudeImages", name="noise_std")
        self.noise_std = float(noise_std)

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs, float64: amplitudes of shape (n, patterns) and images of shape (n, ...)."""
        generator = generator_for(n, generator, where="AmplitudeImages.sample")
        device = generator.device
        x = torch.randn(n, len(self._flat), generator=generator, dtype=torch.float64, device=device)
        images = _noisy(x @ self._flat.to(device), self.noise_std, generator)
        return x, images.reshape(n, *self.patterns.shape[1:])

    def mutual_information(self) -> float:
        """I(X; Y) in nats, exact."""
        log_ratio = torch.linalg.svdvals(self._flat).log() - math.log(self.noise_std)
        return 0.5 * float(_softplus(2 * log_ratio).sum())


def _patterns(values: ArrayLike, *, where: str) -> tuple[Tensor, Tensor]:
    patterns = as_constants(values, where=where, name="patterns")
    if patterns.ndim < 2 or patterns.numel() == 0 or not torch.isfinite(patterns).all():
        raise ValueError(f"{where}: patterns must be finite images, one each, got shape {tuple(patterns.shape)}.")
    return patterns, patterns.flatten(1)


def _noisy(clean: Tensor, noise_std: float, generator: torch.Generator) -> Tensor:
    noise = torch.randn(clean.shape, generator=generator, dtype=torch.float64, device=clean.device)
    return clean + noise_std * noise


def _binary_input(a: float) -> float:
    """I of a fair sign seen through unit Gaussian noise at amplitude a, in nats."""
    # Beyond 10 standard deviations less than 1e-22 nats are missing.
    if a > 10:
        return math.log(2)
    return math.log(2) - normal_expectation(lambda z: _softplus(-2 * a * (a + z[:, 0])))


def _softplus(values: Tensor) -> Tensor:
    """Log(1 + exp) to the last digit; torch's own is linear above 20."""
    return torch.logaddexp(torch.zeros_like(values), values)
