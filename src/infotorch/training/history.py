"""What a training reports, epoch by epoch and module by module."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from torch import Tensor

from infotorch.numerics.on_host import numbers_of
from infotorch.training.position import StepInfo

#: A line of the history: module, epoch, rate, and the numbers of that epoch.
HistoryLine: TypeAlias = "dict[str, str | int | float]"


class History:
    """Gathers the means of each epoch's steps, and what is measured at its end.

    Args:
        epochs: of each stage.
        measure: names of the modules that the epoch trained -> module -> numbers on held-out samples; or None.

    Attributes:
        lines: one for each epoch and module.
        metrics: "<module>/<term>" -> mean over the module's last whole epoch.
        diverged: name of the module whose loss became non-finite, or None.
    """

    def __init__(self, epochs: int, measure: Callable[[list[str]], dict[str, dict[str, float]]] | None) -> None:
        self.lines: list[HistoryLine] = []
        self.metrics: dict[str, float] = {}
        self.diverged: str | None = None
        self._epochs, self._measure = epochs, measure
        self._totals: dict[str, list[Tensor]] = {}
        self._terms: dict[str, dict[str, list[Tensor]]] = {}

    def add(self, info: StepInfo) -> None:
        """Count one step."""
        self.diverged = info.diverged
        for module, loss in info.losses.items():
            self._totals.setdefault(module, []).append(loss.total)
            for name, value in loss.terms.items():
                self._terms.setdefault(module, {}).setdefault(name, []).append(value)
        if info.ends_epoch:
            self._end_epoch(info)

    def _end_epoch(self, info: StepInfo) -> None:
        held_out = self._measure(list(info.losses)) if self._measure and info.diverged is None else {}
        for module, totals in self._totals.items():
            terms = {name: _mean(values) for name, values in self._terms.get(module, {}).items()}
            self.metrics |= {f"{module}/{name}": value for name, value in terms.items()}
            found = {f"validation_{name}": value for name, value in held_out.get(module, {}).items()}
            self.lines.append({
                "epoch": info.position.stage * self._epochs + info.position.epoch + 1,
                "module": module,
                "learning_rate": info.learning_rates[module],
                "loss": _mean(totals),
                **terms,
                **found,
            })
        self._totals, self._terms = {}, {}


def _mean(values: list[Tensor]) -> float:
    return sum(numbers_of(values)) / len(values)
