"""Signals that say that nothing is learnt: one value since training began, or no information at all any more."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from torch.optim import Optimizer

#: So many signals in a row. Later than in the beginning they may well be equal: estimators that count neighbours give
#: one value for a network that no longer changes. No information is none at any time.
STUCK = 5
#: Nats that are rounding and no information: sums of a thousand logarithms in float64 are off by some 1e-15.
NOTHING = 1e-9


class StuckSignalError(ValueError):
    """The signal of every group has not moved since training began, or has come to nothing."""


def check_moving(
    optimizer: Optimizer,
    signals: Sequence[Sequence[float]],
    *,
    ceilings: Sequence[float],
    untrained: Sequence[float] | None = None,
    where: str,
) -> None:
    """Look at the last `STUCK` signals.

    Args:
        optimizer: its groups' names are told.
        signals: of each group, all that were measured since training began.
        ceilings: the information that there is, of each group: a signal that begins there may stay.
        untrained: the signals before training, where they are known: one that begins above may stay as well.
        where: the schedule, for messages.

    Raises:
        StuckSignalError: all groups' signals are stuck; those of some alone are told by a warning, once.

    Example:
        >>> import torch
        >>> sgd = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> check_moving(sgd, [[0.1, 0.1, 0.1, 0.1, 0.2]], ceilings=[1.0], where="example")
        >>> check_moving(sgd, [[0.1] * 5], ceilings=[1.0], where="example")
        Traceback (most recent call last):
        ...
        infotorch.schedules.stuck.StuckSignalError: example: the signal has been exactly 0.1 5 times; measure it ...
    """
    befores = [None] * len(signals) if untrained is None else list(untrained)
    stuck = [
        group
        for group, (measured, ceiling, before) in enumerate(zip(signals, ceilings, befores, strict=True))
        if _is_nothing(measured) or _has_not_begun(measured, ceiling, before)
    ]
    if len(stuck) == len(signals):
        raise StuckSignalError(
            f"{where}: the signal has been exactly {signals[0][-1]} {STUCK} times; measure it on the network that is "
            "trained. If that is what gave it, the network is dead, and a lower rate is needed."
        )
    for group in stuck:
        if _is_nothing(signals[group][:-1]):
            continue  # has been told
        name = optimizer.param_groups[group].get("name", group)
        warnings.warn(
            f"{where}: the signal of group {name!r} has been exactly {signals[group][-1]} {STUCK} times, unlike that "
            "of others; the layer may be dead, and need a lower rate.",
            stacklevel=4,  # behind the schedule's own two functions
        )


def _is_nothing(measured: Sequence[float]) -> bool:
    return len(measured) >= STUCK and all(abs(value) < NOTHING for value in measured[-STUCK:])


def _has_not_begun(measured: Sequence[float], ceiling: float, before: float | None) -> bool:
    if len(measured) != STUCK or len(set(measured)) > 1:
        return False
    return measured[0] < ceiling * (1 - 1e-9) and (before is None or measured[0] <= before)
