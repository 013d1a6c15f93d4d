"""Beta, the weight of a compression term: a number, a ramp over epochs, or any function of epoch and step."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

import torch
from torch import Tensor, nn

from infotorch.numerics.checks import check_count, check_number, shown

#: beta: a number, or (epoch, step) -> number, epochs counted from 0 in every stage, as a `Ramp` is
BetaSchedule = float | Callable[[int, int], float]


@dataclass(frozen=True)
class Ramp:
    """A beta that goes from start to end over some epochs, the same for all steps of an epoch, and then stays.

    Args:
        start: beta in epoch 0.
        end: beta from epoch `epochs` on.
        epochs: how long the way is.

    Raises:
        TypeError: epochs is no integer.
        ValueError: epochs below 1, or start or end negative or not finite.

    Example:
        >>> ramp = Ramp(0.0, 0.01, epochs=10)
        >>> [ramp(epoch, 0) for epoch in (0, 5, 10, 99)]
        [0.0, 0.005, 0.01, 0.01]
    """

    start: float
    end: float
    epochs: int

    def __post_init__(self) -> None:
        check_count(self.epochs, where="Ramp", name="epochs")
        for beta in (self.start, self.end):
            _check_beta(beta, where="Ramp")

    def __call__(self, epoch: int, step: int) -> float:
        """Beta in this step."""
        check_number(epoch, where="Ramp", name="epoch")
        return self.start + (self.end - self.start) * (min(epoch, self.epochs) / self.epochs)


class Beta(nn.Module):
    """The beta of a step, from the step's position in the run: a run that is resumed repeats it.

    Args:
        beta: a number, or (epoch, step) -> number.
        where: the objective, for messages.

    Raises:
        TypeError: neither a number nor a function, or a function that does not take two numbers.
        ValueError: beta negative or not finite.

    Example:
        >>> Beta(Ramp(0.0, 1.0, epochs=4), where="example")((0, 1, 7, 0))  # stage, epoch, step, module
        0.25
    """

    last_bits: Tensor

    def __init__(self, beta: BetaSchedule, *, where: str) -> None:
        super().__init__()
        self.beta, self.where = beta, where
        if callable(beta):
            _check_takes_two(beta, where=where)
            # What held-out samples, of no epoch, are weighed by. As the bits of a float64: Apple's GPUs have
            # none, and a module that is moved to another precision leaves integers alone.
            self.register_buffer("last_bits", _bits(self._of(0, 0)))
        else:
            _check_beta(beta, where=where)

    @property
    def varies(self) -> bool:
        """Whether it is a function, whose value belongs among the terms of a step."""
        return callable(self.beta)

    def _of(self, epoch: int, step: int) -> float:
        assert callable(self.beta)
        return _check_beta(self.beta(epoch, step), where=self.where)

    def forward(self, position: tuple[int, ...]) -> float:
        """Beta at (stage, epoch, step, ...); of a shorter position, in no epoch, that of the last step before."""
        if not callable(self.beta):
            return float(self.beta)
        if len(position) < 4:
            return float(self.last_bits.cpu().view(torch.float64))
        value = self._of(position[1], position[2])
        self.last_bits.copy_(_bits(value))
        return value


def _check_takes_two(beta: Callable[[int, int], float], *, where: str) -> None:
    if isinstance(beta, type):
        raise TypeError(
            f"{where}: beta must be a number or a function of (epoch, step), got the class {beta.__name__}."
        )
    try:
        signature = inspect.signature(beta.forward if isinstance(beta, nn.Module) else beta)
    except ValueError:  # some functions in C show none
        return
    try:
        signature.bind(0, 0)
    except TypeError as error:
        raise TypeError(
            f"{where}: beta must be a number or a function of (epoch, step), got a function of {signature}."
        ) from error


def _bits(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64).view(torch.int64)


def _check_beta(beta: float, *, where: str) -> float:
    if isinstance(beta, bool) or not isinstance(beta, Real):
        raise TypeError(f"{where}: beta must be a number or a function of (epoch, step), got {shown(beta)}.")
    if not 0 <= beta <= sys.float_info.max:
        raise ValueError(f"{where}: beta must be at least 0 and finite, got {shown(beta)}.")
    return float(beta)
