"""What the regularisers of a layer share: whose samples they look at, their weight, and what teaches nothing."""

from __future__ import annotations

import math

from torch import Tensor, nn

from infotorch.numerics.checks import check_positive
from infotorch.numerics.finite import all_finite
from infotorch.objectives.base import LocalBatch, Loss, Objective, full_precision, nothing_to_learn
from infotorch.objectives.layer_hook import LayerHook


class LayerPenalty(Objective):
    """A weighted term of a layer's samples.

    Args:
        weight: factor of the term.
        layer: the layer of the network that is looked at; None: the module's output.

    Attributes:
        term: its name among the terms.

    Raises:
        TypeError: weight is no number, or layer no module.
        ValueError: weight not positive.

    Example:
        >>> import torch
        >>> class MeanSquare(LayerPenalty):
        ...     term = "mean_square"
        ...     def _value(self, rows, batch):
        ...         return rows.square().mean()
        >>> x = torch.full((4, 2), 3.0)
        >>> MeanSquare(weight=0.5, layer=None)(LocalBatch(x=x, module_input=x, output=x, y=None)).total
        tensor(4.5000)
    """

    term: str

    def __init__(self, *, weight: float, layer: nn.Module | None) -> None:
        super().__init__()
        where = type(self).__name__
        check_positive(weight, where=where, name="weight")
        self.weight = float(weight)
        self.hook = None if layer is None else LayerHook(layer, where=where)

    def forward(self, batch: LocalBatch) -> Loss:
        """The weighted term; a gradient of zero, and no term, where the samples have none."""
        layer = batch.output if self.hook is None else self.hook.take()[1]
        if len(layer) != len(batch.x):
            raise ValueError(
                f"{type(self).__name__}: the layer must have a row for each input, {len(batch.x)}, got {len(layer)}; "
                "look at a layer before the draws."
            )
        rows = full_precision(layer.flatten(1))
        if not all_finite([rows]):
            return Loss(rows.new_full((), math.nan), {})  # the run has diverged: a result, not an error
        value = self._value(rows, batch)
        if value is None:
            return nothing_to_learn(rows)
        return Loss(self.weight * value, {self.term: value.detach()})

    def _value(self, rows: Tensor, batch: LocalBatch) -> Tensor | None:
        """The term of the rows (b, d), 0-d; None where they have none."""
        raise NotImplementedError
