"""Learning rates that decay as mutual information grows (Vasudevan 2020, Algorithm 1), for a network or its layers.

After every epoch the caller measures I(T; Y) on a fixed sample of training samples and hands it to `step`. With IXY the
ceiling of that information and e the epoch to come,

    d_p = 1 - max(ITY of all epochs before e) / IXY                 how far the best so far is from the ceiling
    d_s = (ITY of e-1 - ITY of e-2) / ITY of e-1                    how much the last epoch brought
    LR  = max(d_p LR_max, LR_min)                                   in epoch 2
    LR  = max(d_p (1 - e / E) LR_max, LR_min)  where d_s < epsilon  later; else it stays
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Literal

import torch
from torch.optim import Optimizer

from infotorch.numerics.checks import check_choice, check_count, shown
from infotorch.schedules.no_signal import no_signal
from infotorch.schedules.rates import (
    GroupRates,
    Number,
    check_groups,
    number_of_groups,
    numbers_of,
    positive_numbers,
    set_rate,
    take,
)
from infotorch.schedules.stuck import check_moving

_WHERE = "MutualInformationDecay"


class MutualInformationDecay(GroupRates):
    """A learning rate that decays with the information that is still missing. Call `step(signal)` after every epoch.

    One signal moves all parameter groups; a sequence of as many signals as there are groups moves each by its own
    (layer-wise; `layer_groups` and `InformationSignal` make groups and signals of a network's layers).

    Args:
        optimizer: any; its groups' rates are set by the schedule.
        lr_min: lower end of the range, one for all groups or one for each; see `lr_range_test`.
        lr_max: upper end, likewise.
        lr_top: rate of the first epoch, likewise, from lr_min to lr_max; None: max(ITY_0 / IXY lr_max, lr_min), which
            needs `initial`.
        threshold: d_s below which the rate changes (the paper's epsilon), above 0, likewise.
        ceiling: IXY in nats, likewise: H(Y) for class labels.
        epochs: number of epochs E.
        initial: ITY_0, the information of the untrained network; None leaves it out of the best so far.
        time_decay: True for the factor 1 - e / E; False for none, "for models known to fit well"; "literal" for 1 -
            epsilon / E as it is printed, which decays nothing (a misprint).
        warmup: epochs over which the first epoch's rate is reached linearly, before epoch 1; they need signals too, and
            E counts without them. It takes the place of torch's `LinearLR`, which would move the same rates.

    Attributes:
        history: for every group a list of {"epoch", "lr", "signal", "d_p", "d_s"}, the rate being that of the epoch to
            come; None where a value is not defined yet.

    Raises:
        TypeError: no optimiser, the signal is missing or no number, epochs or warmup is not an integer.
        ValueError: lr_min >= lr_max, lr_top outside them, a rate, threshold or ceiling that is not positive, another
            number of values or signals than there are groups, a signal that is not finite, or whose first five values
            are one in every group (a warning tells of some groups); a schedule of torch's was made for the optimiser
            before, or a group was added to it afterwards.

    Source: Vasudevan 2020, Entropy 22(5):560, Algorithm 1. We read its printed factor (1 - epsilon / E) as (1 - e / E),
        clip d_p to [0, 1], and where ITY is not positive take d_s relative to its absolute value.

    Example:
        >>> weight = torch.nn.Parameter(torch.zeros(1))
        >>> optimizer = torch.optim.SGD([weight], lr=1.0)
        >>> decay = MutualInformationDecay(
        ...     optimizer, lr_min=0.01, lr_max=0.2, lr_top=0.1, threshold=0.1, ceiling=2.0, epochs=10
        ... )
        >>> for signal in (1.0, 1.5, 1.6):
        ...     optimizer.step()
        ...     decay.step(signal)
        ...     print(round(decay.get_last_lr()[0], 4))
        0.1
        0.1
        0.024
    """

    _where = _WHERE

    def __init__(
        self,
        optimizer: Optimizer,
        *,
        lr_min: float | Sequence[float],
        lr_max: float | Sequence[float],
        lr_top: float | Sequence[float] | None = None,
        threshold: float | Sequence[float],
        ceiling: Number | Sequence[Number],
        epochs: int,
        initial: Number | Sequence[Number] | None = None,
        time_decay: bool | Literal["literal"] = True,
        warmup: int = 0,
    ) -> None:
        groups = number_of_groups(optimizer, where=_WHERE)
        self.lr_min = positive_numbers(lr_min, groups, "lr_min", where=_WHERE)
        self.lr_max = positive_numbers(lr_max, groups, "lr_max", where=_WHERE)
        self.threshold = positive_numbers(threshold, groups, "threshold", where=_WHERE)
        self.ceiling = positive_numbers(ceiling, groups, "ceiling", where=_WHERE)
        for low, high in zip(self.lr_min, self.lr_max, strict=True):
            if low >= high:
                raise ValueError(f"{_WHERE}: lr_min must lie below lr_max, got {low} and {high}.")
        check_count(epochs, where=_WHERE, name="epochs")
        check_choice(time_decay, (True, False, "literal"), where=_WHERE, name="time_decay")
        if isinstance(warmup, bool) or not isinstance(warmup, int):
            raise TypeError(f"{_WHERE}: warmup must be an integer, got {shown(warmup)}.")
        if warmup < 0:
            raise ValueError(f"{_WHERE}: warmup must be at least 0, got {warmup}.")
        self.epochs, self.time_decay, self.warmup = epochs, time_decay, warmup
        start = None if initial is None else numbers_of(initial, groups, "initial", where=_WHERE)
        self.first = (
            positive_numbers(lr_top, groups, "lr_top", where=_WHERE)
            if lr_top is not None
            else self._informed_start(start)
        )
        for low, top, high in zip(self.lr_min, self.first, self.lr_max, strict=True):
            if not low <= top <= high:
                raise ValueError(f"{_WHERE}: lr_top must lie from lr_min to lr_max, {low} to {high}, got {top}.")
        #: signals of every group, ITY_0 first where it is known
        self.signals: list[list[float]] = [[] if start is None else [start[group]] for group in range(groups)]
        self.measured = 0
        self.history: list[list[dict[str, float | None]]] = [[] for _ in range(groups)]
        self._begun = False
        take(optimizer, where=_WHERE)
        super().__init__(optimizer)
        self._begun = True

    def step(self, signal: Number | Sequence[Number] | None = None) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Set the rates of the epoch to come.

        Args:
            signal: I(T; Y) after the epoch that has ended, in the ceiling's unit: a number, a 0-d tensor or an
                `Estimate`, or one for each group.

        Raises:
            TypeError: no signal, or one that is no number.
            ValueError: another number of signals than groups, one that is not finite, the first five are one, or five
                in a row are 0; the optimiser has another number of groups than before.
        """
        if not self._begun:  # the base class's own first step
            self.last_epoch += 1
            self._step_count = 1
            self._set([self._warm(rate, 1) for rate in self.first], [(None, None, None)] * len(self.first))
            return
        if signal is None:
            raise TypeError(no_signal(sys._getframe(), "for a warm-up give warmup=", where=_WHERE))
        check_groups(self.optimizer, len(self.signals), where=_WHERE)
        found = numbers_of(signal, len(self.signals), "signal", where=_WHERE)
        self._check_moving(found)
        for past, value in zip(self.signals, found, strict=True):
            past.append(value)
        self.last_epoch += 1
        self._step_count += 1
        self.measured += 1
        changes = [self._next(group) for group in range(len(found))]
        self._set([rate for rate, _, _ in changes], [(s, p, d) for s, (_, p, d) in zip(found, changes, strict=True)])

    def _check_moving(self, found: list[float]) -> None:
        knows_untrained = len(self.signals[0]) > self.measured
        check_moving(
            self.optimizer,
            [[*known[len(known) - self.measured :], now] for known, now in zip(self.signals, found, strict=True)],
            ceilings=self.ceiling,
            untrained=[known[0] for known in self.signals] if knows_untrained else None,
            where=_WHERE,
        )

    def get_lr(self) -> list[float | torch.Tensor]:
        """The rates of the epoch to come."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def _next(self, group: int) -> tuple[float, float | None, float | None]:
        """(rate, d_p, d_s) of the epoch to come."""
        now = float(self.optimizer.param_groups[group]["lr"])
        epoch = self.measured + 1 - self.warmup
        signals = self.signals[group]
        missing = min(1.0, max(0.0, 1 - max(signals) / self.ceiling[group]))
        gain = _relative_gain(*signals[-2:]) if len(signals) > 1 else None
        if epoch <= 1:
            return self._warm(self.first[group], self.measured + 1), missing, gain
        if epoch == 2:
            return max(missing * self.lr_max[group], self.lr_min[group]), missing, gain
        if gain is None or gain >= self.threshold[group]:
            return now, missing, gain
        return max(missing * self._time_factor(epoch, group) * self.lr_max[group], self.lr_min[group]), missing, gain

    def _time_factor(self, epoch: int, group: int) -> float:
        if self.time_decay == "literal":
            return 1 - self.threshold[group] / self.epochs
        return max(0.0, 1 - epoch / self.epochs) if self.time_decay else 1.0

    def _warm(self, rate: float, epoch: int) -> float:
        return rate * min(1.0, epoch / (self.warmup + 1))

    def _informed_start(self, start: list[float] | None) -> list[float]:
        if start is None:
            raise ValueError(f"{_WHERE}: give lr_top, or initial, the information of the untrained network.")
        shares = [min(1.0, max(0.0, value / top)) for value, top in zip(start, self.ceiling, strict=True)]
        return [max(share * high, low) for share, low, high in zip(shares, self.lr_min, self.lr_max, strict=True)]

    def _set(self, rates: list[float], seen: list[tuple[float | None, float | None, float | None]]) -> None:
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            set_rate(group, rate)
        for past, rate, (signal, missing, gain) in zip(self.history, rates, seen, strict=True):
            past.append({"epoch": len(past) + 1, "lr": rate, "signal": signal, "d_p": missing, "d_s": gain})
        self._last_lr: list[float | torch.Tensor] = list(rates)


def _relative_gain(before: float, now: float) -> float:
    """(now - before) / now, relative to the size of an information that is not positive; 0 where nothing changed."""
    if now == before:
        return 0.0
    return (now - before) / abs(now) if now != 0 else math.copysign(math.inf, now - before)
