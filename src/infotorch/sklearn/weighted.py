"""Objectives of samples that carry weights: each module's loss is a mean over samples, and weights enter it exactly."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from infotorch.data.targets import TargetKind
from infotorch.objectives.base import LocalBatch, Loss, Objective, full_precision


def mass_cross_entropy(scores: Tensor, mass: Tensor) -> Tensor:
    """Cross-entropy of class scores with a mass for each class, (n, classes): the sample's weight, at its class.

    Example:
        >>> import torch
        >>> mass_cross_entropy(torch.zeros(2, 2), torch.tensor([[2.0, 0.0], [0.0, 0.0]])).item()  # log 2, and 0
        0.693...
    """
    return -(mass * scores.log_softmax(dim=1)).sum(dim=1).mean()


def weighted_squared_error(predicted: Tensor, target_and_weight: Tensor) -> Tensor:
    """Mean of the squared errors times their weights; the target is the first column and the weight the second.

    Example:
        >>> import torch
        >>> weighted_squared_error(torch.zeros(2, 1), torch.tensor([[3.0, 2.0], [7.0, 0.0]])).item()
        9.0
    """
    target, weight = target_and_weight.unbind(dim=1)
    return (weight * (predicted[:, 0] - target).square()).mean()


class WeightedLoss(Objective):
    """A loss of weighted samples: of the module's output, or of a linear read-out that is trained with it.

    The sum of the weights is not divided by: weights of mean 1 make it the weighted mean, in batches of any size.

    Args:
        loss: (predictions, targets with their weights) -> 0-d.
        columns: of the predictions, where a read-out makes them; None: they are the output.

    Example:
        >>> import torch
        >>> x = torch.zeros(2, 3)
        >>> batch = LocalBatch(x, x, torch.zeros(2, 4), torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
        >>> objective = WeightedLoss(mass_cross_entropy, columns=2)
        >>> objective.build(batch, batch.y)
        >>> objective(batch).total.ndim
        0
    """

    needs_labels: bool = True
    target_kinds: tuple[TargetKind, ...] | None = ("real",)

    def __init__(self, loss: Callable[[Tensor, Tensor], Tensor], columns: int | None = None) -> None:
        super().__init__()
        self.loss, self.columns = loss, columns
        self.readout: nn.Module = nn.Identity()

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make the read-out."""
        if self.columns is not None:
            width = example.output[:1].numel()
            self.readout = nn.Linear(width, self.columns, device=example.output.device, dtype=example.output.dtype)

    def scores(self, output: Tensor) -> Tensor:
        """The predictions."""
        return self.readout(output if self.columns is None else output.flatten(1))

    def forward(self, batch: LocalBatch) -> Loss:
        """The mean over the samples of their weighted losses."""
        assert batch.y is not None
        total = self.loss(full_precision(self.scores(batch.output)), batch.y)
        return Loss(total, {})
