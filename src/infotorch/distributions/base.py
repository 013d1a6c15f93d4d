"""What every joint law can do."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from infotorch.numerics.checks import as_tensor, check_number, check_size
from infotorch.numerics.seeds import as_generator


@runtime_checkable
class JointLaw(Protocol):
    """A joint law of (X, Y) with known mutual information.

    Example:
        >>> from infotorch.distributions.discrete import BinarySymmetricChannel
        >>> isinstance(BinarySymmetricChannel(0.1), JointLaw)
        True
    """

    def sample(self, n: int, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Draw n independent pairs: x and y, row by row; without a generator, others in every call."""
        ...

    def mutual_information(self) -> float:
        """I(X; Y) in nats: a closed form, or deterministic quadrature whose error the law states."""
        ...


def generator_for(n: int, generator: torch.Generator | None, *, where: str) -> torch.Generator:
    """What draws n samples: the caller's generator, or for None a fresh one.

    Raises:
        TypeError: n is not an integer, or generator is something else.
        ValueError: n is below 1.
    """
    check_size(n, where=where, name="n")
    return as_generator(generator, where=where)


def as_constants(values: object, *, where: str, name: str) -> Tensor:
    """A law's own numbers: float64, on the CPU, without gradient.

    Raises:
        TypeError: not real numbers.
    """
    return as_tensor(values, where=where, name=name).detach().to("cpu", torch.float64)


def check_information(mi: float, *, where: str) -> None:
    """Refuse what is not a finite number of nats, at least 0.

    Raises:
        TypeError: mi is not a number.
        ValueError: mi is negative or not finite.
    """
    check_number(mi, where=where, name="mi")
    if not 0 <= mi < float("inf"):
        raise ValueError(f"{where}: mi must be finite and at least 0 nats, got {mi}.")
