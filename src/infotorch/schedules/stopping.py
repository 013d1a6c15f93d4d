"""Stopping by information: back to the weights that knew most of held-out samples, once a model overfits."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Protocol

from torch.optim import Optimizer

from infotorch.numerics.checks import check_count, shown
from infotorch.numerics.states import check_optimizer_state, check_state
from infotorch.schedules.rates import Number, numbers_of, positive_numbers

_WHERE = "InformationStopping"


class Stateful(Protocol):
    """What can be taken back: a model, an optimizer."""

    def state_dict(self) -> dict[str, Any]:
        """All of it."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> object:
        """As it was."""
        ...


class InformationStopping:
    """Keeps the state that had most information I(T; Y) about held-out samples, and goes back to it when that falls.

    Information about training samples also grows while a model overfits; that about samples it is not trained on then
    falls. An epoch has fallen where it lies below the best so far by more than `tolerance` of the ceiling;
    after `patience` such epochs in a row everything is as it was after the best, and a lower rate is to be tried.

    Args:
        parts: what is taken back: the model and its optimizer, as a rule; a copy of their state is kept.
        ceiling: the largest information there can be, in nats, see `InformationSignal.ceiling`.
        tolerance: share of the ceiling.
        patience: how many fallen epochs in a row.

    Attributes:
        best: the most information so far, -inf before the first step.
        falls: how many times it went back.

    Raises:
        TypeError: parts is no list of things that have a state, patience is not an integer, or ceiling or tolerance is
            no number.
        ValueError: no parts, patience below 1, or a ceiling or tolerance that is not positive.

    Example:
        >>> import torch
        >>> weight = torch.nn.Linear(1, 1, bias=False)
        >>> stopping = InformationStopping([weight], ceiling=2.0, tolerance=0.1, patience=2)
        >>> for value, information in enumerate((1.0, 1.5, 1.4, 1.2, 1.1)):
        ...     _ = torch.nn.init.constant_(weight.weight, value)
        ...     print(stopping.step(information), weight.weight.item())
        False 0.0
        False 1.0
        False 2.0
        False 3.0
        True 1.0
    """

    def __init__(
        self, parts: Sequence[Stateful], *, ceiling: Number, tolerance: float = 0.01, patience: int = 3
    ) -> None:
        _check_parts(parts)
        if not parts:
            raise ValueError(f"{_WHERE}: parts must hold what is taken back: the model, and its optimizer.")
        check_count(patience, where=_WHERE, name="patience")
        self.parts, self.patience = list(parts), patience
        (share,) = positive_numbers(tolerance, 1, "tolerance", where=_WHERE)
        (most,) = positive_numbers(ceiling, 1, "ceiling", where=_WHERE)
        self.margin = share * most
        self.best, self.fallen, self.falls = float("-inf"), 0, 0
        self._last = self.best
        self._kept: list[dict[str, Any]] | None = None

    def __repr__(self) -> str:
        best = "nothing seen yet" if self._kept is None else f"best {self.best:.4g} nats"
        return (
            f"InformationStopping: {best}, margin {self.margin:.4g}, patience {self.patience}, went back {self.falls}x"
        )

    def step(self, information: Number) -> bool:
        """Look at an epoch.

        Args:
            information: I(T; Y) of held-out samples after it, in nats: a number, a 0-d tensor or an `Estimate`.

        Returns:
            True where it went back: everything is as it was after the best epoch, and the rate has to be lowered.

        Raises:
            TypeError: information is no number.
            ValueError: it is not finite.
        """
        (self._last,) = numbers_of(information, 1, "information", where=_WHERE)
        if self._last > self.best:
            self.best, self._kept = self._last, [copy.deepcopy(part.state_dict()) for part in self.parts]
        self.fallen = self.fallen + 1 if self._has_fallen() else 0
        return self.fallen >= self.patience and self._go_back()

    def finish(self) -> bool:
        """At the end of training: go back where the last epoch has fallen, be it the first to; True where it did."""
        return self._has_fallen() and self._go_back()

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, with the state that is kept."""
        names = ("best", "fallen", "falls", "_last", "_kept")
        return copy.deepcopy({name: getattr(self, name) for name in names})

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a state; the parts have their own.

        Raises:
            ValueError: it is of other parts, or of no such thing.
        """
        own = {"best": 0.0, "fallen": 0, "falls": 0, "_last": 0.0, "_kept": None}
        check_state(state, own, where=_WHERE)
        kept = state["_kept"]
        if kept is not None and (not isinstance(kept, list) or len(kept) != len(self.parts)):
            raise ValueError(f"{_WHERE}: what is kept must be of {len(self.parts)} parts.")
        for number, (part, one) in enumerate(zip(self.parts, kept or (), strict=False)):
            if isinstance(part, Optimizer):
                check_optimizer_state(one, part, where=f"{_WHERE}: part {number}")
            else:
                check_state(one, part.state_dict(), where=f"{_WHERE}: part {number}")
        vars(self).update(copy.deepcopy(state))

    def _has_fallen(self) -> bool:
        return self._last < self.best - self.margin

    def _go_back(self) -> bool:
        assert self._kept is not None
        for part, state in zip(self.parts, self._kept, strict=True):
            part.load_state_dict(copy.deepcopy(state))  # an optimiser goes on with the tensors that it is given
        self._last, self.fallen, self.falls = self.best, 0, self.falls + 1
        return True


def _check_parts(parts: Any) -> None:
    # A model may be a sequence of layers itself, and its optimizer would be left out.
    if _has_state(parts) or not isinstance(parts, Sequence):
        raise TypeError(f"{_WHERE}: parts must be a list, such as [model, optimizer], got {type(parts).__name__}.")
    for part in parts:
        if not _has_state(part):
            raise TypeError(f"{_WHERE}: parts must have state_dict and load_state_dict, got {shown(part)} among them.")


def _has_state(part: Any) -> bool:
    return callable(getattr(part, "state_dict", None)) and callable(getattr(part, "load_state_dict", None))
