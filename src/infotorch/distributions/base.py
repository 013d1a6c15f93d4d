"""What every joint law can do."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

import torch
from scipy.optimize import brentq
from torch import Tensor

from infotorch.numerics.checks import as_tensor, check_number, check_size
from infotorch.numerics.seeds import as_generator


@runtime_checkable
class JointLaw(Protocol):
    """A joint law of (X, Y) with known mutual information.

    A law of which only an upper limit is known, as of classes that overlap, has an attribute `is_upper_limit` that is
    True; laws made of it have it too.

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


def is_upper_limit(*laws: object) -> bool:
    """Whether `mutual_information` of one of the laws is only an upper limit.

    Example:
        >>> from infotorch.distributions.discrete import BinarySymmetricChannel
        >>> is_upper_limit(BinarySymmetricChannel(0.1))
        False
    """
    return any(getattr(law, "is_upper_limit", False) is True for law in laws)


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


def check_information(
    mi: float, *, where: str, name: str = "mi", least: float = 0.0, most: float = float("inf")
) -> None:
    """Refuse what is not a finite number of nats between `least` and `most`.

    Raises:
        TypeError: mi is not a number.
        ValueError: mi is out of range or not finite.
    """
    check_number(mi, where=where, name=name)
    if most == float("inf") and not 0 <= mi < most:
        raise ValueError(f"{where}: {name} must be finite and at least 0 nats, got {mi}.")
    if not least <= mi <= most:
        raise ValueError(f"{where}: {name} must lie in [{least:.6g}, {most:.6g}] nats, got {mi}.")


def parameter_at(excess: Callable[[float], float], low: float, high: float) -> float:
    """The parameter between low and high at which a law has the wanted information: where its excess is 0.

    Example:
        >>> round(parameter_at(lambda p: p**2 - 2, 0.0, 2.0), 6)
        1.414214
    """
    found: Any = brentq(excess, low, high, xtol=1e-15)
    return float(found)


def scale_at(information: Callable[[float], float], mi: float, low: float, high: float) -> float:
    """The positive parameter between low and high at which the information is mi nats, sought among its logarithms.

    Example:
        >>> round(scale_at(lambda scale: 1 / scale, 0.5, 1e-3, 1e3), 6)
        2.0
    """
    return math.exp(parameter_at(lambda log: information(math.exp(log)) - mi, math.log(low), math.log(high)))
