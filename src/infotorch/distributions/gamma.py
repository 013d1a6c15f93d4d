"""The gamma-exponential law, in logarithms: skewed margins with one long tail, and much information."""

from __future__ import annotations

import math
from typing import Self

import torch
from scipy.special import digamma, gammaincinv
from torch import Tensor

from infotorch.distributions.base import check_information, generator_for, scale_at
from infotorch.numerics.checks import check_positive

# Shapes between which psi(a + 1) - log a keeps its digits, and the information that they span.
_SHAPES = (1e-13, 1e6)
_LEAST, _MOST = 1e-6, 29.0


class LogGammaExponential:
    """The logarithms of X ~ Gamma(shape) and of Y, exponential with rate X: I = psi(shape + 1) - log(shape).

    The law of X and Y themselves is `Transformed(law, torch.exp, torch.exp)`; where the information is high, X is so
    often near 0 that only its logarithm is a number.

    Args:
        shape: of the gamma law, between 1e-13 (29 nats) and 1e6.

    Raises:
        ValueError: shape is out of range.
        TypeError: shape is not a number.

    Source: Darbellay & Vajda 2000, doi:10.1109/18.825848; as a test of estimators in Kraskov, Stögbauer & Grassberger
    2004, arXiv:cond-mat/0305641, Sec. IV.

    Example:
        >>> round(LogGammaExponential(1.0).mutual_information(), 4)
        0.4228
    """

    def __init__(self, shape: float) -> None:
        check_positive(shape, where="LogGammaExponential", name="shape")
        if not _SHAPES[0] <= shape <= _SHAPES[1]:
            raise ValueError(f"LogGammaExponential: shape must lie in [{_SHAPES[0]:g}, {_SHAPES[1]:g}], got {shape}.")
        self.shape = float(shape)

    @classmethod
    def for_information(cls, mi: float) -> Self:
        """I(X; Y) = mi nats.

        Args:
            mi: in nats, between 1e-6 and 29.

        Raises:
            ValueError: mi is out of range.
            TypeError: mi is not a number.
        """
        check_information(mi, least=_LEAST, most=_MOST, where=f"{cls.__name__}.for_information")
        return cls(scale_at(_information, mi, *_SHAPES))

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs, float64, each of shape (n, 1): log X and log Y."""
        generator = generator_for(n, generator, where="LogGammaExponential.sample")
        uniforms = torch.rand(3, n, 1, generator=generator, dtype=torch.float64, device=generator.device)
        u, v, w = uniforms.clamp(min=2.0**-53)  # never 0, as it is never 1
        # Gamma(a) is Gamma(a + 1) times a uniform variable to the power 1/a (Marsaglia & Tsang 2000, Sec. 6).
        larger = torch.from_numpy(gammaincinv(self.shape + 1, u.cpu().numpy())).to(u.device)
        log_x = larger.log() + v.log() / self.shape
        return log_x, (-w.log()).log() - log_x

    def mutual_information(self) -> float:
        """I(X; Y) in nats, exact."""
        return _information(self.shape)


def _information(shape: float) -> float:
    return float(digamma(shape + 1)) - math.log(shape)
