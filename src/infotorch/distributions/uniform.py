"""A uniform variable and what noise leaves of it: uniform noise, or normal noise."""

from __future__ import annotations

import math
from typing import Self

import torch
from scipy.special import lambertw
from torch import Tensor

from infotorch.distributions.base import check_information, generator_for, scale_at
from infotorch.numerics.checks import check_positive

# Beyond so many standard deviations the normal distribution function is 0 or 1 to the last digit.
_REACH = 9.0
# Points for each standard deviation: as in `normal_expectation`, the error of the rule falls exponentially with them.
_STEPS = 100
# What `for_information` aims at, in nats: at most, the noise is still a thousand ulps of X.
_LEAST, _MOST = 1e-6, 30.0


class AdditiveUniformNoise:
    """X uniform on [0, 1] and Y = X + N, N uniform on [-half_width, half_width].

    I = h - log(2h) for h = half_width <= 1/2, and 1 / (4h) above.

    Args:
        half_width: of the noise, positive.

    Raises:
        ValueError: half_width is not positive and finite.
        TypeError: half_width is not a number.

    Source: Czyż et al. 2023, arXiv:2306.11078, Appendix A ("additive noise"); by h(Y) - h(N) of a trapezoid. Several
    columns (`Stacked`) are the "smoothed uniform" law of Butakov et al. 2024, arXiv:2403.02187.

    Example:
        >>> round(AdditiveUniformNoise(0.5).mutual_information(), 4)
        0.5
    """

    def __init__(self, half_width: float) -> None:
        check_positive(half_width, where="AdditiveUniformNoise", name="half_width")
        self.half_width = float(half_width)

    @classmethod
    def for_information(cls, mi: float) -> Self:
        """I(X; Y) = mi nats: the noise is as wide as that takes.

        Args:
            mi: in nats, between 1e-6 and 30.

        Raises:
            ValueError: mi is out of range.
            TypeError: mi is not a number.
        """
        check_information(mi, least=_LEAST, most=_MOST, where=f"{cls.__name__}.for_information")
        # h - log(2h) = mi is -h exp(-h) = -exp(-mi) / 2.
        return cls(-float(lambertw(-math.exp(-mi) / 2).real) if mi >= 0.5 else 1 / (4 * mi))

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs, float64, each of shape (n, 1)."""
        generator = generator_for(n, generator, where="AdditiveUniformNoise.sample")
        x, u = torch.rand(2, n, 1, generator=generator, dtype=torch.float64, device=generator.device)
        return x, x + self.half_width * (2 * u - 1)

    def mutual_information(self) -> float:
        """I(X; Y) in nats, exact."""
        h = self.half_width
        return h - math.log(2 * h) if h <= 0.5 else 1 / (4 * h)


class AdditiveNormalNoise:
    """X uniform on [0, 1] and Y = X + N, N normal: I = h(Y) - log(noise_std sqrt(2 pi e)).

    Args:
        noise_std: standard deviation of the noise, between 1e-14 and 1000.

    Raises:
        ValueError: noise_std is out of range.
        TypeError: noise_std is not a number.

    Source: Cover & Thomas 2006, Sec. 9.1 (the Gaussian channel), with a uniform input.

    Example:
        >>> round(AdditiveNormalNoise(0.1).mutual_information(), 4)
        1.0643
    """

    def __init__(self, noise_std: float) -> None:
        check_positive(noise_std, where="AdditiveNormalNoise", name="noise_std")
        if not 1e-14 <= noise_std <= 1e3:
            raise ValueError(f"AdditiveNormalNoise: noise_std must lie in [1e-14, 1000], got {noise_std}.")
        self.noise_std = float(noise_std)

    @classmethod
    def for_information(cls, mi: float) -> Self:
        """I(X; Y) = mi nats, to 1e-9: the noise is as wide as that takes.

        Args:
            mi: in nats, between 1e-6 and 30.

        Raises:
            ValueError: mi is out of range.
            TypeError: mi is not a number.
        """
        check_information(mi, least=_LEAST, most=_MOST, where=f"{cls.__name__}.for_information")
        return cls(scale_at(lambda noise_std: cls(noise_std).mutual_information(), mi, 1.1e-14, 999.0))

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs, float64, each of shape (n, 1)."""
        generator = generator_for(n, generator, where="AdditiveNormalNoise.sample")
        x = torch.rand(n, 1, generator=generator, dtype=torch.float64, device=generator.device)
        noise = torch.randn(n, 1, generator=generator, dtype=torch.float64, device=generator.device)
        return x, x + self.noise_std * noise

    def mutual_information(self) -> float:
        """I(X; Y) in nats, by the trapezoidal rule over the density of Y: error below 1e-10."""
        # In units of the noise, from the middle of Y: the density is even, and 1 where both edges are far.
        half = 0.5 / self.noise_std
        low, high = -half - _REACH, min(0.0, -half + _REACH)
        t = torch.linspace(0, high - low, math.ceil(_STEPS * (high - low)) + 1, dtype=torch.float64) - _REACH
        density = torch.special.ndtr(t) - torch.special.ndtr(t - 2 * half)
        entropy = 2 * self.noise_std * float(torch.trapezoid(-torch.xlogy(density, density), t))
        return entropy - math.log(self.noise_std) - 0.5 * math.log(2 * math.pi * math.e)
