"""Means of an epoch's losses that a checkpoint can hold."""

from __future__ import annotations

from torch import Tensor

from infotorch.numerics.on_host import numbers_of
from infotorch.training.position import StepInfo

# Numbers that may wait on a GPU until they are read together.
_MOST_WAITING = 4096


class EpochMeans:
    """Running means over the steps of an epoch, module by module and term by term.

    A term counts in the steps that report it: a batch without labels has no information about them. Numbers that lie on
    a GPU are read when someone asks: every read is a wait.

    Args:
        sums: module -> term -> [sum, number of steps].

    Example:
        >>> means = EpochMeans({"fc1": {"loss": [3.0, 2]}})
        >>> means.of("fc1")
        {'loss': 1.5}
    """

    def __init__(self, sums: dict[str, dict[str, list[float]]] | None = None) -> None:
        self._sums = {} if sums is None else sums
        self._waiting: list[tuple[list[float], Tensor]] = []

    @property
    def sums(self) -> dict[str, dict[str, list[float]]]:
        """Module -> term -> [sum, number of steps]."""
        for (entry, _), number in zip(self._waiting, numbers_of([value for _, value in self._waiting]), strict=True):
            entry[0] += number
        self._waiting.clear()
        return self._sums

    def add(self, info: StepInfo) -> None:
        """Count one step."""
        for module, loss in info.losses.items():
            terms = self._sums.setdefault(module, {})
            for name, value in {"loss": loss.total, **loss.terms}.items():
                entry = terms.setdefault(name, [0.0, 0])
                entry[1] += 1
                if isinstance(value, Tensor) and not value.is_cpu:
                    self._waiting.append((entry, value.detach()))
                else:
                    entry[0] += float(value)
        if len(self._waiting) >= _MOST_WAITING:
            _ = self.sums

    def of(self, module: str) -> dict[str, float]:
        """The means of one module."""
        return {name: total / steps for name, (total, steps) in self.sums[module].items()}
