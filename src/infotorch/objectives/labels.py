"""Objectives that look at the label: cross-entropy, and the read-out bound on I(Y; T)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.networks.perceptron import mlp
from infotorch.numerics.checks import check_count, check_widths
from infotorch.objectives.base import LocalBatch, Loss, Objective, Side, full_precision, nothing_to_learn
from infotorch.objectives.checks import check_labels
from infotorch.objectives.locations import at_most_locations


def masked_cross_entropy(scores: Tensor, y: Tensor | None) -> Tensor | None:
    """Mean cross-entropy in nats over the labelled rows; None when there is none.

    Args:
        scores: class scores, (b, classes).
        y: classes, (b,), -1 for unlabelled rows; None when no row has a label.

    Example:
        >>> masked_cross_entropy(torch.zeros(3, 4), torch.tensor([0, -1, 2])).item()  # log 4
        1.386...
    """
    if y is not None:
        loss = F.cross_entropy(scores, y, ignore_index=-1)
        # The mean over no row is NaN; looking for labels only then keeps two kernels out of every other step.
        if not loss.isnan() or (y >= 0).any():
            return loss
    return None


class CrossEntropy(Objective):
    """Cross-entropy of the module's own output, taken as class scores: the objective of an output module.

    Raises:
        TypeError: no integer labels.
        ValueError: the output has another number of columns than there are classes.

    Example:
        >>> batch = LocalBatch(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2, 4), torch.tensor([0, 3]))
        >>> CrossEntropy()(batch).total.item()
        1.386...
    """

    needs_labels: bool = True

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Check that the output can hold a score for each class.

        Raises:
            ValueError: it cannot.
        """
        highest = int(check_labels(labels, where="CrossEntropy").max())
        shape = tuple(example.output.shape)
        if len(shape) != 2 or shape[1] <= highest:
            raise ValueError(
                f"CrossEntropy: the output must have a column for each class, {highest + 1} or more, got {shape}."
            )

    def scores(self, output: Tensor) -> Tensor:
        """The output itself."""
        return output

    def forward(self, batch: LocalBatch) -> Loss:
        """The mean cross-entropy over the labelled rows.

        Raises:
            ValueError: the output is not (b, classes), as of several draws a row.
        """
        scores = full_precision(batch.output)
        if scores.ndim != 2:
            raise ValueError(
                f"CrossEntropy: the output must be class scores (b, classes), got {tuple(scores.shape)}; several draws "
                "a row are for VariationalBottleneck and its kind."
            )
        loss = masked_cross_entropy(scores, batch.y)
        return nothing_to_learn(scores) if loss is None else Loss(loss, {"cross_entropy_nats": loss.detach()})


class ReadoutInformation(Objective):
    """Minus the read-out bound on I(Y; T): I(Y; T) >= H(Y) - CE of a read-out, in nats.

    The read-out is trained together with the module. H(Y) is the entropy of the training labels, a constant, so that
    the reported term is information and never exceeds H(Y).

    Args:
        locations: a grid of features is averaged to at most this many rows and columns before the read-out, which then
            has fewer weights to fit noise with; None reads every location.
        hidden: widths of the read-out's hidden layers (ReLU); none for a linear read-out. A deeper one lets an early
            module keep what only later modules can make linear.

    Raises:
        TypeError: a width is not an integer.
        ValueError: locations or a width below 1.

    Source: Barber & Agakov 2003; Amjad & Geiger 2019, arXiv:1802.09766, Sec. 9: I(Y; L) >= I(Y; Yhat) >= H(Y) - CE;
        read-outs with hidden layers: Belilovsky, Eickenberg & Oyallon 2019, arXiv:1812.11446.

    Example:
        >>> objective = ReadoutInformation()
        >>> batch = LocalBatch(torch.zeros(4, 3), torch.zeros(4, 3), torch.ones(4, 5), torch.tensor([0, 1, 0, 1]))
        >>> objective.build(batch, batch.y)
        >>> bool(objective(batch).terms["mi_ty_nats"] <= 0.6932)  # H(Y) = log 2
        True
    """

    sides: Mapping[str, Side] = {"mi_ty_nats": "lower"}
    needs_labels: bool = True

    readout: nn.Module
    label_entropy: Tensor

    def __init__(self, *, locations: int | None = None, hidden: Sequence[int] = ()) -> None:
        super().__init__()
        if locations is not None:
            check_count(locations, where="ReadoutInformation", name="locations")
        self.locations, self.hidden = locations, check_widths(hidden, where="ReadoutInformation")

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make the read-out and measure H(Y)."""
        counts = torch.bincount(check_labels(labels, where="ReadoutInformation")).double()
        probabilities = counts / counts.sum()
        like = at_most_locations(example.output, self.locations)
        columns, classes = like[0].numel(), len(counts)
        placed = {"device": like.device, "dtype": like.dtype}
        made: nn.Module = mlp(columns, self.hidden, classes) if self.hidden else nn.Linear(columns, classes, **placed)
        self.readout = made.to(**placed)
        self.register_buffer("label_entropy", torch.special.entr(probabilities).sum().to(like.device, like.dtype))

    def scores(self, output: Tensor) -> Tensor:
        """The read-out's class scores."""
        return self.readout(at_most_locations(output, self.locations).flatten(1))

    def forward(self, batch: LocalBatch) -> Loss:
        """CE - H(Y), which is minus the bound."""
        scores = full_precision(self.scores(batch.output))
        cross_entropy = masked_cross_entropy(scores, batch.y)
        if cross_entropy is None:
            return nothing_to_learn(scores)
        information = self.label_entropy - cross_entropy
        return Loss(-information, {"mi_ty_nats": information.detach()})
