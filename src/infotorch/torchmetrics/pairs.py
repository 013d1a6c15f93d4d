"""A metric that keeps pairs of rows: what both metrics of information are made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from infotorch.numerics.checks import check_count
from infotorch.numerics.extras import require

if TYPE_CHECKING:
    from torchmetrics import Metric
else:
    Metric = require("torchmetrics", "torchmetrics", "infotorch.torchmetrics").Metric


class PairedRows(Metric):
    """Keeps the rows of two streams until they are asked about; the ranks' rows are joined."""

    is_differentiable = False
    higher_is_better = None
    full_state_update = False
    _names = ("x", "y")

    first: list[Tensor]
    second: list[Tensor]

    def __init__(self, max_samples: int | None, **options: object) -> None:
        super().__init__(**options)
        self.max_samples = max_samples
        if max_samples is not None:
            check_count(max_samples, where=type(self).__name__, name="max_samples")
            # A collection lets metrics of equal states share their rows, and these would share the limit, too.
            self.add_state("limit", default=torch.tensor(max_samples), dist_reduce_fx="max")
        self.add_state("first", default=[], dist_reduce_fx="cat")
        self.add_state("second", default=[], dist_reduce_fx="cat")

    def forward(self, *args: object, **kwargs: object) -> object:
        """Keep the rows of a batch, and tell of the batch alone."""
        value = super().forward(*args, **kwargs)
        if self.max_samples is not None:
            # torchmetrics has joined the rows of the batch to those before, each within the limit.
            self.first = [torch.cat(self.first)[: self.max_samples]]
            self.second = [torch.cat(self.second)[: self.max_samples]]
        return value

    def _keep(self, first: Tensor, second: Tensor) -> None:
        """The rows of a batch, as many as there is still room for."""
        where, (one, other) = type(self).__name__, self._names
        for name, values, held in ((one, first, self.first), (other, second, self.second)):
            if not isinstance(values, Tensor):
                raise TypeError(f"{where}: {name} must be a tensor, got {type(values).__name__}.")
            if values.ndim == 0:
                raise ValueError(f"{where}: {name} must have a row for each sample, got a single number.")
            if held and values.shape[1:] != held[0].shape[1:]:
                raise ValueError(
                    f"{where}: {name} must have the same columns in every batch, got {tuple(held[0].shape[1:])} and "
                    f"then {tuple(values.shape[1:])}."
                )
        if len(first) != len(second):
            raise ValueError(
                f"{where}: {one} and {other} must be paired row by row, got {len(first)} and {len(second)} rows."
            )
        if self.max_samples is not None:
            room = self.max_samples - sum(map(len, self.first))
            if room <= 0:
                return
            if room < len(first):
                # Copies: a slice would keep the whole batch in memory.
                first, second = first[:room].clone(), second[:room].clone()
        self.first.append(first.detach())
        self.second.append(second.detach())

    def _rows(self) -> tuple[Tensor, Tensor]:
        """All rows, (n, columns) or (n,) each."""
        one, other = (self._joined(held) for held in (self.first, self.second))
        return one, other

    def _joined(self, held: list[Tensor] | Tensor) -> Tensor:
        # torchmetrics joins the rows itself where it has brought those of other processes.
        if isinstance(held, list):
            if not held:
                raise ValueError(f"{type(self).__name__}: there are no samples yet; call update first.")
            held = torch.cat(held)
        return held.flatten(1) if held.ndim > 2 else held


def precise(values: Tensor) -> Tensor:
    """Numbers of a half's precision as floats, in which neighbours can be told apart."""
    return values.float() if values.dtype in {torch.float16, torch.bfloat16} else values


def number(value: float | None, device: torch.device) -> Tensor:
    """As torchmetrics hands it on, where the metric is; NaN where there is none."""
    return torch.tensor(float("nan") if value is None else float(value), device=device)
