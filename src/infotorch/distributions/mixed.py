"""Pairs that are neither discrete nor continuous: the hard cases of Gao et al. 2017."""

from __future__ import annotations

import math

import torch
from scipy.special import digamma, gammaln, xlogy
from torch import Tensor

from infotorch.distributions.base import generator_for
from infotorch.numerics.checks import check_number, check_size


class DiscretePlusUniform:
    """X uniform on 0, ..., m - 1 and Y = X + U, U uniform on [0, 2]: I = log m - (m - 1) log 2 / m.

    Args:
        symbols: m, at least 1.

    Raises:
        ValueError: symbols is below 1.
        TypeError: symbols is not an integer.

    Source: Gao et al. 2017, arXiv:1709.06212, Sec. 5, experiment II.

    Example:
        >>> round(DiscretePlusUniform(5).mutual_information(), 4)
        1.0549
    """

    def __init__(self, symbols: int) -> None:
        check_size(symbols, where="DiscretePlusUniform", name="symbols")
        self.symbols = symbols

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs: x int64 of shape (n,), y float64 of shape (n, 1)."""
        generator = generator_for(n, generator, where="DiscretePlusUniform.sample")
        device = generator.device
        x = torch.randint(self.symbols, (n,), generator=generator, device=device)
        noise = 2 * torch.rand(n, generator=generator, dtype=torch.float64, device=device)
        return x, (x + noise)[:, None]

    def mutual_information(self) -> float:
        """I(X; Y) in nats, exact."""
        return math.log(self.symbols) - (self.symbols - 1) / self.symbols * math.log(2)


class ZeroInflatedPoisson:
    """X ~ Exp(1); Y = 0 with probability p_zero, else Y ~ Poisson(X).

    Args:
        p_zero: in [0, 1].

    Raises:
        ValueError: p_zero is outside [0, 1].
        TypeError: p_zero is not a number.

    Source: Gao et al. 2017, arXiv:1709.06212, Sec. 5, experiment IV. Their value, (1 - p)(2 log 2 - gamma -
    sum_k 2^-k log k), is I(X; Y, inflated or not), which is I(X; Y) for p = 0 and more than it otherwise: a zero of Y
    does not tell where it comes from. Ours is the sum over Y of E[p(y | x) log p(y | x) / p(y)].

    Example:
        >>> [round(ZeroInflatedPoisson(p).mutual_information(), 4) for p in (0.0, 0.15)]
        [0.3012, 0.2298]
    """

    def __init__(self, p_zero: float) -> None:
        check_number(p_zero, where="ZeroInflatedPoisson", name="p_zero")
        if not 0 <= p_zero <= 1:
            raise ValueError(f"ZeroInflatedPoisson: p_zero must lie in [0, 1], got {p_zero}.")
        self.p_zero = float(p_zero)

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs: x float64 of shape (n, 1), y int64 of shape (n,)."""
        generator = generator_for(n, generator, where="ZeroInflatedPoisson.sample")
        device = generator.device
        u = torch.rand(n, 2, generator=generator, dtype=torch.float64, device=device)
        x = -torch.log1p(-u[:, :1])
        y = torch.poisson(x[:, 0], generator=generator).to(torch.int64)
        return x, torch.where(u[:, 1] < self.p_zero, 0, y)

    def mutual_information(self) -> float:
        """I(X; Y) in nats: the sum over y = 1, ..., 99 (less than 1e-26 is left) and a closed form for y = 0."""
        p = self.p_zero
        if p == 1:
            return 0.0
        # X given an uninflated count k is Gamma(k + 1, 2), and p(k) = (1 - p) 2^-(k + 1).
        k = torch.arange(1, 100, dtype=torch.float64).numpy()
        log_ratio = -(k + 1) / 2 + k * (digamma(k + 1) - math.log(2)) - gammaln(k + 1) + (k + 1) * math.log(2)
        positive = (1 - p) * float((2.0 ** -(k + 1) * log_ratio).sum())
        # p(0 | x) = p + (1 - p) exp(-x) is uniform on [p, 1].
        inner = (-1 / 2 - xlogy(p**2, p) + p**2 / 2) / 2 / (1 - p)
        return positive + float(inner - xlogy((1 + p) / 2, (1 + p) / 2))
