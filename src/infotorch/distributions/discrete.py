"""Discrete joint laws: any table of probabilities, and the binary symmetric channel."""

from __future__ import annotations

import torch
from torch import Tensor

from infotorch.distributions.base import as_constants, generator_for
from infotorch.numerics.checks import check_number
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
