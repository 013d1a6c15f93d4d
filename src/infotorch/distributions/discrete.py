"""Discrete joint laws: any table of probabilities, and symmetric channels."""

from __future__ import annotations

import math
from typing import Self

import torch
from scipy.special import xlogy
from torch import Tensor

from infotorch.distributions.base import as_constants, check_information, generator_for, parameter_at
from infotorch.numerics.checks import check_number, check_size
from infotorch.numerics.typing import ArrayLike


class DiscreteJoint:
    """Discrete X and Y with a table of joint probabilities: I = sum p(x, y) log p(x, y) / (p(x) p(y)).

    Args:
        table: p(x, y), shape (symbols of X, symbols of Y), not negative, sum 1.

    Raises:
        ValueError: table is not a matrix of probabilities.
        TypeError: table is not made of real numbers.

    Source: Cover & Thomas 2006, Sec. 2.3.

    Example:
        >>> law = DiscreteJoint([[0.5, 0.0], [0.0, 0.5]])
        >>> x, y = law.sample(5, torch.Generator().manual_seed(0))
        >>> bool((x == y).all()), round(law.mutual_information(), 4)
        (True, 0.6931)
    """

    def __init__(self, table: ArrayLike) -> None:
        matrix = as_constants(table, where=type(self).__name__, name="table")
        if matrix.ndim != 2:
            raise ValueError(f"{type(self).__name__}: table must be a matrix, got shape {tuple(matrix.shape)}.")
        total = float(matrix.sum())
        if not (bool((matrix >= 0).all()) and abs(total - 1) < 1e-6):
            raise ValueError(f"{type(self).__name__}: table must hold probabilities that sum to 1, got sum {total:g}.")
        self.table = matrix / total

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs of symbol numbers, int64, each of shape (n,)."""
        generator = generator_for(n, generator, where=f"{type(self).__name__}.sample")
        weights = self.table.flatten().to(generator.device)
        pairs = torch.multinomial(weights, n, replacement=True, generator=generator)
        return pairs // self.table.shape[1], pairs % self.table.shape[1]

    def mutual_information(self) -> float:
        """I(X; Y) in nats, exact."""
        p = self.table
        # xlogy is 0 at p = 0.
        joint, x, y = (torch.xlogy(q, q).sum() for q in (p, p.sum(dim=1), p.sum(dim=0)))
        return float(joint - x - y)


class BinarySymmetricChannel(DiscreteJoint):
    """X is a bit, Y is X flipped with a given probability: I = H(Y) - H(flip), for a fair bit log 2 - H(flip).

    Args:
        flip_probability: probability that Y differs from X, in [0, 1].
        p_one: probability of X = 1, in [0, 1].

    Raises:
        TypeError: a probability is no number.
        ValueError: a probability is outside [0, 1].

    Source: Cover & Thomas 2006, Sec. 7.1.4.

    Example:
        >>> round(BinarySymmetricChannel(0.11).mutual_information() / 0.6931, 2)  # half a bit
        0.5
    """

    def __init__(self, flip_probability: float, p_one: float = 0.5) -> None:
        for name, value in (("flip_probability", flip_probability), ("p_one", p_one)):
            check_number(value, where="BinarySymmetricChannel", name=name)
            if not 0 <= value <= 1:
                raise ValueError(f"BinarySymmetricChannel: {name} must lie in [0, 1], got {value}.")
        stay, flip = 1 - flip_probability, flip_probability
        super().__init__([[(1 - p_one) * stay, (1 - p_one) * flip], [p_one * flip, p_one * stay]])


class SymmetricChannel(DiscreteJoint):
    """X is one of m equally likely symbols, Y mostly the same, else one of the others: I = log m - H(e) - e log(m - 1).

    Args:
        symbols: m, from 2 to 4096.
        error_probability: e, the probability that Y differs from X, in [0, 1].

    Raises:
        ValueError: symbols or error_probability is out of range.
        TypeError: symbols is no integer, or error_probability no number.

    Source: Cover & Thomas 2006, Sec. 7.2.

    Example:
        >>> round(SymmetricChannel(10, 0.0).mutual_information(), 4)  # log 10
        2.3026
        >>> round(SymmetricChannel.for_information(1.5, 10).mutual_information(), 4)
        1.5
    """

    def __init__(self, symbols: int, error_probability: float) -> None:
        where = type(self).__name__
        _check_symbols(symbols, where=where)
        check_number(error_probability, where=where, name="error_probability")
        if not 0 <= error_probability <= 1:
            raise ValueError(f"{where}: error_probability must lie in [0, 1], got {error_probability}.")
        self.error_probability = float(error_probability)
        table = torch.full((symbols, symbols), error_probability / (symbols - 1), dtype=torch.float64)
        super().__init__(table.fill_diagonal_(1 - error_probability) / symbols)

    @classmethod
    def for_information(cls, mi: float, symbols: int) -> Self:
        """I(X; Y) = mi nats: Y differs from X as often as that takes.

        Args:
            mi: in nats, between 0 and log(symbols).
            symbols: m, from 2 to 4096.

        Raises:
            ValueError: an argument is out of range.
            TypeError: mi is no number, or symbols no integer.
        """
        where = f"{cls.__name__}.for_information"
        _check_symbols(symbols, where=where)
        check_information(mi, most=math.log(symbols), where=where)
        independent = 1 - 1 / symbols

        def excess(e: float) -> float:
            return math.log(symbols) + float(xlogy(e, e / (symbols - 1)) + xlogy(1 - e, 1 - e)) - mi

        if excess(independent) >= 0 or excess(0.0) <= 0:
            return cls(symbols, independent if mi < 0.5 else 0.0)
        return cls(symbols, parameter_at(excess, 0.0, independent))


def _check_symbols(symbols: int, *, where: str) -> None:
    check_size(symbols, where=where, name="symbols")
    if not 2 <= symbols <= 4096:
        raise ValueError(f"{where}: symbols must lie in [2, 4096], got {symbols}.")
