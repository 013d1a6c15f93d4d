"""Mutual information of two streams as a metric."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from torch import Tensor

from infotorch.estimators.estimate import Estimate
from infotorch.estimators.registry import named
from infotorch.torchmetrics.pairs import PairedRows, number, precise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WHERE = "MutualInformation"


class MutualInformation(PairedRows):
    """I(X; Y) of two streams of samples, in nats: two views, a layer and labels, predictions and targets.

    Every `update` keeps its rows, and `compute` estimates once from all of them; `forward` estimates from the batch
    alone, as every metric does, which needs a batch of some size. Rows of several processes are joined.

    Args:
        estimator: a name, as `infotorch measure --estimator` takes it, "auto" for what suits the types and the number
            of columns (`mutual_information`); or a function of (x, y).
        max_samples: keep no more than the first so many of this process; None for all. The time of an estimate grows
            faster than their number.
        options: further ones of `torchmetrics.Metric`.

    Attributes:
        estimate: the last `Estimate`, with its standard error, ceiling and what speaks against it; None before, and
            from a function that gives plain numbers.

    Raises:
        ValueError: an unknown estimator, max_samples below 1, rows that do not pair, other columns than before, and in
            `compute` no samples, or what the estimator refuses.
        TypeError: no tensor, or max_samples no integer.

    Example:
        >>> import torch
        >>> from infotorch.torchmetrics import MutualInformation
        >>> generator = torch.Generator().manual_seed(0)
        >>> metric = MutualInformation()
        >>> for _ in range(10):  # batches; the truth is -log(1 - 0.8^2) / 2 = 0.51
        ...     x = torch.randn(200, 1, generator=generator)
        ...     metric.update(x, 0.8 * x + 0.6 * torch.randn(200, 1, generator=generator))
        >>> round(float(metric.compute()), 1), metric.estimate.n
        (0.5, 2000)
    """

    plot_lower_bound = 0.0

    def __init__(
        self,
        estimator: str | Callable[[Tensor, Tensor], Estimate | Tensor | float] = "auto",
        *,
        max_samples: int | None = None,
        **options: object,
    ) -> None:
        super().__init__(max_samples, **options)
        self.estimator = estimator
        self._information = estimator if callable(estimator) else named(estimator, where=_WHERE).load()
        self.estimate: Estimate | None = None

    def update(self, x: Tensor, y: Tensor) -> None:
        """Keep the rows of a batch, (n, ...) each; whole numbers are classes."""
        self._keep(x, y)

    def compute(self) -> Tensor:
        """The information of all rows so far, in nats."""
        x, y = self._rows()
        found = self._information(precise(x), precise(y))
        self.estimate = found if isinstance(found, Estimate) else None
        return number(float(found), self.device)

    def reset(self) -> None:
        """Forget all rows."""
        super().reset()
        self.estimate = None

    def plot(self, val: Tensor | Sequence[Tensor] | None = None, ax: Axes | None = None) -> tuple[Figure, Axes]:
        """A figure of matplotlib, of one value or of several in a row; see `torchmetrics.Metric.plot`."""
        return self._plot(val, ax)
