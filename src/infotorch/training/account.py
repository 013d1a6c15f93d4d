"""The account of a step of a pipeline, which goes from process to process with the activations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from infotorch.objectives.base import Loss
from infotorch.training.stage import Handed


@dataclass
class Account:
    """What has come of a step so far, on its way through the processes.

    Args:
        number: of the step in the run.
        gathers: whether all processes gather their modules behind it.
        asked: whether a caller has asked for that.
        losses: module -> its loss and terms, each a number and its type.
        learning_rates: module -> its rate.
        diverged: see `StepInfo`; of a loss.
        spoiled: see `StepInfo`; of weights behind the last step.
        peak_bytes: see `StepInfo`.
        states: how many states of generators are sent beside the output; None where no output is.
    """

    number: int
    gathers: bool
    asked: bool = False
    losses: dict[str, dict[str | None, tuple[float, torch.dtype]]] = field(default_factory=dict)
    learning_rates: dict[str, float] = field(default_factory=dict)
    diverged: str | None = None
    spoiled: str | None = None
    peak_bytes: int | None = None
    states: int | None = None


@dataclass(frozen=True)
class Work:
    """An account with what the modules before have handed on; None: this process only passes the account on."""

    account: Account
    handed: Handed | None
    weights: list[Tensor] = field(default_factory=list)


def loss_of(plain: dict[str | None, tuple[float, torch.dtype]]) -> Loss:
    """A loss of an account, whose terms are numbers and their types."""
    values: dict[Any, Tensor] = {name: torch.tensor(value, dtype=dtype) for name, (value, dtype) in plain.items()}
    return Loss(values.pop(None), values)
