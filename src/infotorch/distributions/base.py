"""What every joint law can do."""

from __future__ import annotations

from numbers import Real
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor


@runtime_checkable
class JointLaw(Protocol):
    """A joint law of (X, Y) with known mutual information.

    Example:
        >>> from infotorch.distributions.discrete import BinarySymmetricChannel
        >>> isinstance(BinarySymmetricChannel(0.1), JointLaw)
        True
    """

    def sample(self, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs: x and y, row by row."""
        ...

    def mutual_information(self) -> float:
        """I(X; Y) in nats: a closed form, or deterministic quadrature whose error the law states."""
        ...


def check_sample_size(n: int, *, where: str) -> None:
    """Refuse a sample size that is not a positive integer.

    Raises:
        TypeError: n is not an integer.
        ValueError: n is below 1.
    """
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeError(f"{where}: n must be an integer, got {type(n).__name__}.")
    if n < 1:
        raise ValueError(f"{where}: n must be at least 1, got {n}.")


def check_number(value: float, *, where: str, name: str) -> None:
    """Refuse what is not a real number.

    Raises:
        TypeError: value is something else.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{where}: {name} must be a number, got {type(value).__name__}.")


def check_information(mi: float, *, where: str) -> None:
    """Refuse what is not a finite number of nats, at least 0.

    Raises:
        TypeError: mi is not a number.
        ValueError: mi is negative or not finite.
    """
    check_number(mi, where=where, name="mi")
    if not 0 <= mi < float("inf"):
        raise ValueError(f"{where}: mi must be finite and at least 0 nats, got {mi}.")
