"""Means of an epoch's losses that a checkpoint can hold."""

from __future__ import annotations

from dataclasses import dataclass, field

from infotorch.training.position import StepInfo


@dataclass
class EpochMeans:
    """Running means over the steps of an epoch, module by module and term by term.

    A term counts in the steps that report it: a batch without labels has no information about them.

    Args:
        sums: module -> term -> [sum, number of steps].

    Example:
        >>> means = EpochMeans({"fc1": {"loss": [3.0, 2]}})
        >>> means.of("fc1")
        {'loss': 1.5}
    """

    sums: dict[str, dict[str, list[float]]] = field(default_factory=dict)

    def add(self, info: StepInfo) -> None:
        """Count one step."""
        for module, loss in info.losses.items():
            terms = self.sums.setdefault(module, {})
            for name, value in {"loss": loss.total, **loss.terms}.items():
                entry = terms.setdefault(name, [0.0, 0])
                entry[0] += float(value)
                entry[1] += 1

    def of(self, module: str) -> dict[str, float]:
        """The means of one module."""
        return {name: total / steps for name, (total, steps) in self.sums[module].items()}
