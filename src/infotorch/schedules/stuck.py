"""First signals that are equal to the last bit: what is measured is not trained, or the network is dead."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from torch.optim import Optimizer

#: So many first signals. Later ones may well be equal: estimators that count neighbours give one value for a network
#: that has settled.
STUCK = 5


class StuckSignalError(ValueError):
    """The signal of every group has been one value since training began."""


def check_moving(
    optimizer: Optimizer,
    signals: Sequence[Sequence[float]],
    *,
    ceilings: Sequence[float],
    untrained: Sequence[float] | None = None,
    where: str,
) -> None:
    """Look at the first `STUCK` signals, once there are as many.

    One that stands at everything there is, or above what the untrained network had, has learnt.

    Args:
        optimizer: its groups' names are told.
        signals: of each group, those that were measured since training began.
        ceilings: the information that there is, of each group.
        untrained: the signals before training, where they are known.
        where: the schedule, for messages.

    Raises:
        StuckSignalError: all groups' signals are stuck; those of some alone are told by a warning.

    Example:
        >>> import torch
        >>> sgd = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> check_moving(sgd, [[0.1, 0.1, 0.1, 0.1, 0.2]], ceilings=[1.0], where="example")
        >>> check_moving(sgd, [[0.1] * 5], ceilings=[1.0], where="example")
        Traceback (most recent call last):
        ...
        infotorch.schedules.stuck.StuckSignalError: example: the signal has been exactly 0.1 5 times; measure it ...
    """
    if len(signals[0]) != STUCK:
        return
    stuck = []
    for group, (measured, ceiling) in enumerate(zip(signals, ceilings, strict=True)):
        value = measured[-1]
        has_learnt = value >= ceiling * (1 - 1e-9) or (untrained is not None and value > untrained[group])
        if set(measured) == {value} and not has_learnt:
            stuck.append(group)
    if len(stuck) == len(signals):
        raise StuckSignalError(
            f"{where}: the signal has been exactly {signals[0][-1]} {STUCK} times; measure it on the network that is "
            "trained. If that is what gave it, the network is dead, and a lower rate is needed."
        )
    for group in stuck:
        name = optimizer.param_groups[group].get("name", group)
        warnings.warn(
            f"{where}: the signal of group {name!r} has been exactly {signals[group][-1]} {STUCK} times, unlike that "
            "of others; the layer may be dead, and need a lower rate.",
            stacklevel=4,  # behind the schedule's own two functions
        )
