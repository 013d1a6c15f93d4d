"""Additive uniform noise on a uniform variable."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from infotorch.distributions.base import generator_for
from infotorch.numerics.checks import check_positive


class AdditiveUniformNoise:
    """X uniform on [0, 1] and Y = X + N, N uniform on [-half_width, half_width].

    I = h - log(2h) for h = half_width <= 1/2, and 1 / (4h) above.

    Args:
        half_width: of the noise, positive.

    Raises:
        ValueError: half_width is not positive and finite.
        TypeError: half_width is not a number.

    Source: Czyż et al. 2023, arXiv:2306.11078, Appendix A ("additive noise"); by h(Y) - h(N) of a trapezoid.

    Example:
        >>> round(AdditiveUniformNoise(0.5).mutual_information(), 4)
        0.5
    """

    def __init__(self, half_width: float) -> None:
        check_positive(half_width, where="AdditiveUniformNoise", name="half_width")
        self.half_width = float(half_width)

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs, float64, each of shape (n, 1)."""
        generator = generator_for(n, generator, where="AdditiveUniformNoise.sample")
        x, u = torch.rand(2, n, 1, generator=generator, dtype=torch.float64, device=generator.device)
        return x, x + self.half_width * (2 * u - 1)

    def mutual_information(self) -> float:
        """I(X; Y) in nats, exact."""
        h = self.half_width
        return h - math.log(2 * h) if h <= 0.5 else 1 / (4 * h)
