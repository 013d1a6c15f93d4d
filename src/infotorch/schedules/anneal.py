"""Hold a rate, then anneal it linearly: from a fixed time on, or from when the information has stopped growing.

control   LR_top until a share of the epochs is over, then a line down to LR_min at the last step
informed  the same line, begun by the signal: once an epoch brought less than a share of what was still missing
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

from torch import Tensor
from torch.optim import Optimizer

from infotorch.numerics.checks import check_count, check_number, check_share
from infotorch.schedules.no_signal import no_signal
from infotorch.schedules.rates import (
    GroupRates,
    Number,
    check_groups,
    number_of_groups,
    numbers_of,
    part_rates,
    positive_numbers,
    set_rate,
    take,
)
from infotorch.schedules.stuck import check_moving


class HoldThenAnneal(GroupRates):
    """LR_top until a share of the steps is over, then a straight line down to LR_min: a control that knows nothing.

    Args:
        optimizer: any; its groups' rates are set by the schedule.
        lr_top: the rate that is held, one for all groups or one for each.
        lr_min: the rate of the last step, likewise, at least 0 and below lr_top.
        steps: calls of `step` in all.
        hold: share of the steps before the line begins, in [0, 1).

    Raises:
        TypeError: no optimiser, or steps is not an integer.
        ValueError: lr_top not positive, lr_min negative or not below lr_top, hold outside [0, 1); a group was added to
            the optimiser afterwards.

    Example:
        >>> import torch
        >>> sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        >>> schedule = HoldThenAnneal(sgd, lr_top=0.4, lr_min=0.0, steps=5, hold=0.4)
        >>> for _ in range(4):
        ...     sgd.step()
        ...     schedule.step()
        ...     print(round(schedule.get_last_lr()[0], 3))
        0.4
        0.267
        0.133
        0.0
    """

    _where = "HoldThenAnneal"

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        lr_top: float | Sequence[float],
        lr_min: float | Sequence[float],
        steps: int,
        hold: float = 0.7,
    ) -> None:
        groups = number_of_groups(optimizer, where=self._where)
        self.lr_top = positive_numbers(lr_top, groups, "lr_top", where=self._where)
        self.lr_min = numbers_of(lr_min, groups, "lr_min", where=self._where)
        for low, high in zip(self.lr_min, self.lr_top, strict=True):
            if not 0 <= low < high:
                raise ValueError(f"{self._where}: lr_min must be at least 0 and below lr_top, got {low} and {high}.")
        check_count(steps, where=self._where, name="steps")
        check_share(hold, where=self._where, name="hold")
        self.steps = steps
        #: step after which each group's line begins
        # A single step is held, where any is.
        self.begins = [min(math.ceil(hold * steps), max(steps - 1, 1))] * groups
        part_rates(optimizer)
        super().__init__(optimizer)

    @property
    def finished(self) -> bool:
        """Whether LR_top has been lowered to LR_min, in every group: there is no lower rate to go on with."""
        return all(top <= low for top, low in zip(self.lr_top, self.lr_min, strict=True))

    def lower(self, factor: float) -> None:
        """Lower LR_top, and what is left of the line with it, from the next `step` on.

        Args:
            factor: of LR_top, in (0, 1); LR_min is the least it becomes.

        Raises:
            TypeError: factor is no number.
            ValueError: it is outside (0, 1).

        Example:
            >>> import torch
            >>> sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
            >>> schedule = HoldThenAnneal(sgd, lr_top=0.4, lr_min=0.1, steps=5)
            >>> schedule.lower(0.5)
            >>> sgd.step()
            >>> schedule.step()
            >>> schedule.get_last_lr(), schedule.finished
            ([0.2], False)
        """
        check_number(factor, where=self._where, name="factor")
        if not 0 < factor < 1:
            raise ValueError(f"{self._where}: factor must be above 0 and below 1, got {factor}.")
        self.lr_top = [max(top * factor, low) for top, low in zip(self.lr_top, self.lr_min, strict=True)]

    def get_lr(self) -> list[float | Tensor]:
        """The rates of the step to come."""
        check_groups(self.optimizer, len(self.begins), where=self._where)
        return [self._rate(group) for group in range(len(self.begins))]

    def _rate(self, group: int) -> float:
        top, low, begin = self.lr_top[group], self.lr_min[group], self.begins[group]
        # The last of the steps, number steps - 1 from 0, has lr_min.
        share = (self.last_epoch - begin + 1) / max(1, self.steps - begin)
        return top + (low - top) * min(1.0, max(0.0, share))


class InformationAnneal(HoldThenAnneal):
    """LR_top until the information stops growing, then a straight line down to LR_min over the steps that are left.

    Before every epoch's last `step` the caller measures I(T; Y), as for `MutualInformationDecay`. With IXY its ceiling,

        gain = (ITY - best ITY so far) / (IXY - best ITY so far)

    is the share of what was still missing that the epoch brought. A signal above IXY, an estimate that was too low,
    takes its place: a new best then has a gain of 1, and any other at most 0. The line begins once `patience` epochs in
    a row had a gain below `threshold`, and at the latest when `hold` of all steps are over: the control's time.

    Args:
        optimizer: any; its groups' rates are set by the schedule.
        lr_top: the rate that is held, one for all groups or one for each; see `lr_range_test`.
        lr_min: the rate of the last step, likewise.
        epochs: epochs in all.
        ceiling: IXY in nats, one or one for each group: H(Y) for class labels.
        steps_per_epoch: calls of `step` in an epoch; 1 to anneal by epochs.
        threshold: share of the missing information below which an epoch counts as standing still, likewise.
        patience: how many such epochs in a row.
        hold: share of the steps after which the line begins at the latest.
        earliest: share of the steps before which it does not begin.

    Attributes:
        history: for every group a list of {"epoch", "lr", "signal", "gain"}, the rate being that of the epoch to come.
        begins: step after which each group's line begins, or would at the latest.

    Raises:
        TypeError: no optimiser, the signal is missing at an epoch's end or no number, a count is not an integer.
        ValueError: see `HoldThenAnneal`; a ceiling or threshold that is not positive, earliest outside [0, hold],
            another number of signals than groups, or one that is not finite; a schedule of torch's was made for the
            optimiser before.

    Example:
        >>> import torch
        >>> sgd = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        >>> schedule = InformationAnneal(sgd, lr_top=0.4, lr_min=0.0, epochs=5, ceiling=2.0)
        >>> for signal in (1.5, 1.8, 1.8, 1.9):
        ...     sgd.step()
        ...     schedule.step(signal)
        ...     print(round(schedule.get_last_lr()[0], 3))
        0.4
        0.4
        0.2
        0.0
    """

    _where = "InformationAnneal"

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        lr_top: float | Sequence[float],
        lr_min: float | Sequence[float],
        epochs: int,
        ceiling: Number | Sequence[Number],
        steps_per_epoch: int = 1,
        threshold: float | Sequence[float] = 0.05,
        patience: int = 1,
        hold: float = 0.7,
        earliest: float = 0.0,
    ) -> None:
        groups = number_of_groups(optimizer, where=self._where)
        for name, count in (("epochs", epochs), ("steps_per_epoch", steps_per_epoch), ("patience", patience)):
            check_count(count, where=self._where, name=name)
        self.ceiling = positive_numbers(ceiling, groups, "ceiling", where=self._where)
        self.thresholds = positive_numbers(threshold, groups, "threshold", where=self._where)
        for name, share in (("earliest", earliest), ("hold", hold)):
            check_number(share, where=self._where, name=name)
        if not 0 <= earliest <= hold:
            raise ValueError(f"{self._where}: earliest must be between 0 and hold, {hold}, got {earliest}.")
        self.steps_per_epoch, self.patience = steps_per_epoch, patience
        self.earliest = math.ceil(earliest * epochs * steps_per_epoch)
        self.signals: list[list[float]] = [[] for _ in range(groups)]
        #: epochs in a row that brought too little
        self.still = [0] * groups
        self.history: list[list[dict[str, float | None]]] = [[] for _ in range(groups)]
        take(optimizer, where=self._where)
        super().__init__(optimizer, lr_top=lr_top, lr_min=lr_min, steps=epochs * steps_per_epoch, hold=hold)

    def step(self, signal: Number | Sequence[Number] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Set the rates of the step to come.

        Args:
            signal: I(T; Y) at the end of an epoch, in the ceiling's unit: a number, a 0-d tensor or an `Estimate`, or
                one for each group; None within an epoch.

        Raises:
            TypeError: no signal at the end of an epoch, or one that is no number.
            ValueError: a signal within an epoch, another number of them than groups, one that is not finite, the
                first five are one, or five in a row are 0; the optimiser has another number of groups than before.
        """
        check_groups(self.optimizer, len(self.begins), where=self._where)
        done = getattr(self, "last_epoch", -1) + 1
        ends_epoch = done > 0 and done % self.steps_per_epoch == 0
        if ends_epoch and signal is None:
            raise TypeError(no_signal(sys._getframe(), "step this schedule yourself", where=self._where))
        if not ends_epoch and signal is not None:
            raise ValueError(f"{self._where}: a signal belongs to the end of an epoch of {self.steps_per_epoch} steps.")
        gains = (
            self._look(numbers_of(signal, len(self.begins), "signal", where=self._where), done) if ends_epoch else []
        )
        self.last_epoch = done
        self._step_count = done + 1
        rates = self.get_lr()
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            set_rate(group, float(rate))
        self._last_lr: list[float | Tensor] = rates
        for group, gain in enumerate(gains):
            past, seen = self.history[group], self.signals[group]
            past.append({"epoch": len(past) + 2, "lr": float(rates[group]), "signal": seen[-1], "gain": gain})

    def _look(self, signals: list[float], done: int) -> list[float | None]:
        """The gain of every group; begins the lines of those that stand still."""
        check_moving(
            self.optimizer,
            [[*past, now] for past, now in zip(self.signals, signals, strict=True)],
            ceilings=self.ceiling,
            where=self._where,
        )
        gains: list[float | None] = []
        for group, signal in enumerate(signals):
            past = self.signals[group]
            gain = _share_of_missing(past, signal, self.ceiling[group])
            self.still[group] = self.still[group] + 1 if gain is not None and gain < self.thresholds[group] else 0
            if self.still[group] >= self.patience and done < self.begins[group]:
                self.begins[group] = min(max(done, self.earliest), self.begins[group])
            past.append(signal)
            gains.append(gain)
        return gains


def _share_of_missing(past: list[float], now: float, ceiling: float) -> float | None:
    """What `now` adds to the best so far, as a share of what that lacked; 0 where it adds nothing to all there is.

    A signal above the ceiling shows that more was missing: `now` is then all there is known to be.
    """
    if not past:
        return None
    best = max(past)
    missing = max(ceiling, now) - best
    return (now - best) / missing if missing > 0 else 0.0
