"""What the schedules have in common: a rate for each parameter group, numbers for each, and a state that keeps them."""

from __future__ import annotations

import copy
import math
from typing import Any
from weakref import WeakSet

import numpy as np
import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from infotorch.estimators.estimate import Estimate
from infotorch.numerics.checks import shown
from infotorch.numerics.kinds import check_kind
from infotorch.numerics.states import check_keys, check_state

#: Optimisers that a schedule of ours moves already: a second one may take the first one's place.
_TAKEN: WeakSet[Optimizer] = WeakSet()

#: What an information may be handed over as.
Number = float | torch.Tensor | Estimate


class GroupRates(LRScheduler):
    """The base of the schedules here: a rate for each parameter group, and a state that holds these rates.

    A run may be put together again in any order: torch's own schedules overwrite the rates of an optimiser that was
    loaded before they are made; here `load_state_dict` gives them back.
    """

    _where = ""

    def __repr__(self) -> str:
        rates = ", ".join(f"{float(group['lr']):.3g}" for group in self.optimizer.param_groups)
        return f"{type(self).__name__}: lr {rates} after {self.last_epoch} calls of step"

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next rate depends on, as it is now."""
        # What stands in the groups, and not what was set last: the caller may have changed it since.
        rates = [float(group["lr"]) for group in self.optimizer.param_groups]
        return copy.deepcopy(super().state_dict()) | {"_last_lr": rates}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from a state, at its rates, be the optimiser's own loaded before or after.

        Raises:
            ValueError: the state is of another number of groups, or of another schedule.
        """
        check_keys(state_dict, ("_last_lr",), where=self._where, extra=True)
        check_kind(state_dict["_last_lr"], (list, tuple), where=self._where, name="_last_lr", said="a list of rates")
        check_groups(self.optimizer, len(state_dict["_last_lr"]), where=self._where)
        check_state(state_dict, self.state_dict(), where=self._where, extra=True)
        state = copy.deepcopy(state_dict)
        super().load_state_dict(state)
        for group, rate in zip(self.optimizer.param_groups, state["_last_lr"], strict=True):
            set_rate(group, float(rate))


def number_of_groups(optimizer: Any, *, where: str) -> int:
    """How many parameter groups an optimiser has.

    Raises:
        TypeError: it is none.
    """
    if not isinstance(optimizer, Optimizer):
        raise TypeError(f"{where}: optimizer must be a torch.optim.Optimizer, got {type(optimizer).__name__}.")
    return len(optimizer.param_groups)


def check_groups(optimizer: Optimizer, groups: int, *, where: str) -> None:
    """Refuse an optimiser whose parameter groups are no longer as many.

    Raises:
        ValueError: they are more or fewer.
    """
    if len(optimizer.param_groups) != groups:
        raise ValueError(
            f"{where}: the schedule is of {groups} parameter groups, and the optimiser has "
            f"{len(optimizer.param_groups)}; add every group before the schedule is made."
        )


def take(optimizer: Optimizer, *, where: str) -> None:
    """Refuse an optimiser whose rates another schedule moves; give each group a rate of its own.

    Raises:
        ValueError: a schedule of torch's was made for it.
    """
    # The mark of torch's schedules. `initial_lr` in the groups is none: an optimiser's state brings it along as well.
    if hasattr(optimizer.step, "_wrapped_by_lr_sched") and optimizer not in _TAKEN:
        raise ValueError(
            f"{where}: another schedule was made for this optimiser, and both would set its rates. For a warm-up give "
            "warmup= to MutualInformationDecay; after a schedule that has ended, load the optimiser's state into a new "
            "optimiser."
        )
    _TAKEN.add(optimizer)
    part_rates(optimizer)


def part_rates(optimizer: Optimizer) -> None:
    """Give every parameter group a rate of its own, where several share one tensor."""
    seen: set[int] = set()
    for group in optimizer.param_groups:
        if isinstance(group["lr"], torch.Tensor):
            group["lr"] = group["lr"].clone() if id(group["lr"]) in seen else group["lr"]
            seen.add(id(group["lr"]))


def set_rate(group: dict[str, Any], rate: float) -> None:
    """Give a parameter group a rate; a tensor, as compiled optimisers keep it, stays that tensor."""
    if isinstance(group["lr"], torch.Tensor):
        group["lr"].fill_(rate)
    else:
        group["lr"] = rate


def numbers_of(values: Any, groups: int, name: str, *, where: str) -> list[float]:
    """One number for each group, from one for all or one for each.

    Raises:
        TypeError: no number.
        ValueError: another number of them than groups, or one that is not finite.

    Example:
        >>> numbers_of(0.1, 2, "lr_top", where="example")
        [0.1, 0.1]
    """
    several = isinstance(values, list | tuple) or (isinstance(values, torch.Tensor | np.ndarray) and values.ndim > 0)
    listed = list(values) if several else [values] * groups
    if len(listed) != groups:
        raise ValueError(f"{where}: {name} must be one for all or one for each of {groups} groups, got {len(listed)}.")
    try:
        numbers = [float(value) for value in listed]  # pyright: ignore[reportArgumentType]
    except OverflowError as error:
        raise ValueError(f"{where}: {name} must be finite, got {shown(values)}.") from error
    except (TypeError, ValueError, RuntimeError) as error:  # torch's, of a tensor with several entries or none
        raise TypeError(f"{where}: {name} must be a number, got {shown(values)}.") from error
    for number in numbers:
        if not math.isfinite(number):
            raise ValueError(f"{where}: {name} must be finite, got {number}.")
    return numbers


def positive_numbers(values: Any, groups: int, name: str, *, where: str) -> list[float]:
    """The same, refusing what is not positive.

    Raises:
        TypeError: no number.
        ValueError: see `numbers_of`; or a number that is not positive.

    Example:
        >>> positive_numbers([0.1, 0.2], 2, "lr_top", where="example")
        [0.1, 0.2]
    """
    numbers = numbers_of(values, groups, name, where=where)
    for number in numbers:
        if number <= 0:
            raise ValueError(f"{where}: {name} must be positive, got {number}.")
    return numbers
