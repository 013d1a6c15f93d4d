"""Objectives that look at the target: cross-entropy, and the read-out bound on I(Y; T)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.data.targets import TargetKind, kind_of_targets
from infotorch.networks.perceptron import mlp
from infotorch.numerics.checks import check_count, check_positive, check_widths
from infotorch.numerics.on_host import on_host
from infotorch.objectives.base import LocalBatch, Loss, Objective, Side, full_precision, nothing_to_learn
from infotorch.objectives.checks import check_known, check_labels
from infotorch.objectives.class_loss import ClassLoss, ClassWeights
from infotorch.objectives.likelihoods import (
    BernoulliLikelihood,
    GaussianLikelihood,
    column_means,
    label_cross_entropies,
)
from infotorch.objectives.locations import at_most_locations


def masked_cross_entropy(scores: Tensor, y: Tensor | None) -> Tensor | None:
    """Mean cross-entropy in nats over the labelled samples; None when there is none.

    Args:
        scores: class scores, (b, classes).
        y: classes, (b,), -1 for unlabelled samples; None when no sample has a label.

    Example:
        >>> masked_cross_entropy(torch.zeros(3, 4), torch.tensor([0, -1, 2])).item()  # log 4
        1.386...
    """
    if y is not None:
        loss = F.cross_entropy(scores, y, ignore_index=-1)
        # The mean over no row is NaN; looking for labels only then keeps two kernels out of every other step. Elsewhere
        # than on the CPU that would be a wait, and the batches know.
        if (loss.is_cpu and not loss.isnan()) or (on_host(y) >= 0).any():
            return loss
    return None


class CrossEntropy(Objective):
    """Cross-entropy of the module's own output, taken as class scores: the objective of an output module.

    Of several labels a sample, the output is a logit for each, and the loss the sum of the labels' cross-entropies. For
    real targets use "MSE", `SquaredError`.

    Args:
        class_weights: a weight for each class, that is, each column of the output; "balanced", which gives each class
            the same weight in all; None for none.
        label_smoothing: share of the target, in [0, 1), that is spread evenly over all classes.

    The reported `cross_entropy_nats` is without weights and smoothing.

    Raises:
        TypeError: no integer labels.
        ValueError: the output has another number of columns than there are classes or labels, weights that are not
            positive, smoothing outside [0, 1), or class weights for several labels.

    Example:
        >>> batch = LocalBatch(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2, 4), torch.tensor([0, 3]))
        >>> CrossEntropy()(batch).total.item()
        1.386...
    """

    needs_labels: bool = True
    _reads_rows: bool = True
    target_kinds: tuple[TargetKind, ...] | None = ("classes", "multilabel")

    def __init__(self, *, class_weights: ClassWeights | None = None, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.class_loss = ClassLoss(class_weights, label_smoothing, where="CrossEntropy")
        self._several = False

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Check that the output can hold a score for each class or label.

        Raises:
            ValueError: it cannot.
        """
        self._several = labels is not None and kind_of_targets(labels) == "multilabel"
        if self._several:
            assert labels is not None
            self._check_several(example.output, check_known(labels, where="CrossEntropy"))
            return
        highest = int(check_labels(labels, where="CrossEntropy").max())
        shape = tuple(example.output.shape)
        if len(shape) != 2 or shape[1] <= highest:
            raise ValueError(
                f"CrossEntropy: the output must have a column for each class, {highest + 1} or more, got {shape}."
            )
        assert labels is not None
        self.class_loss.build(torch.bincount(labels[labels >= 0], minlength=shape[1]))

    def _check_several(self, output: Tensor, labels: Tensor) -> None:
        self.class_loss.refuse("several labels")
        if tuple(output.shape[1:]) != tuple(labels.shape[1:]):
            raise ValueError(
                f"CrossEntropy: the output must have a column for each of {labels.shape[1]} labels, got "
                f"{tuple(output.shape)}."
            )

    def scores(self, output: Tensor) -> Tensor:
        """The output itself."""
        return output

    def forward(self, batch: LocalBatch) -> Loss:
        """The mean cross-entropy over the labelled samples.

        Raises:
            ValueError: the output is not (b, classes), as of several draws a sample.
        """
        return self._judge_rows(self._read_rows(batch.output), batch.y)

    def _read_rows(self, output: Tensor) -> Tensor:
        """The output itself."""
        return output

    def _judge_rows(self, rows: Tensor, y: Tensor | None) -> Loss:
        """The loss of class scores, see `forward`."""
        scores = full_precision(rows)
        if scores.ndim != 2:
            raise ValueError(
                f"CrossEntropy: the output must be class scores (b, classes), got {tuple(scores.shape)}; several draws "
                "a row are for VariationalBottleneck and its kind."
            )
        if self._several and y is not None:
            return self._of_several(scores, y)
        loss = masked_cross_entropy(scores, y)
        if loss is None or y is None:
            return nothing_to_learn(scores)
        total = loss if self.class_loss.is_plain else self.class_loss(scores, y)
        return Loss(total, {"cross_entropy_nats": loss.detach()})

    def _of_several(self, scores: Tensor, y: Tensor) -> Loss:
        known, smoothing = y >= 0, self.class_loss.label_smoothing
        if not (on_host(y) >= 0).any():
            return nothing_to_learn(scores)
        loss = column_means(label_cross_entropies(scores, y), known).sum()
        total = column_means(label_cross_entropies(scores, y, smoothing), known).sum() if smoothing else loss
        return Loss(total, {"cross_entropy_nats": loss.detach()})


class ReadoutInformation(Objective):
    """Minus the read-out bound on I(Y; T): I(Y; T) >= H(Y) - CE of a read-out, in nats.

    The read-out is trained together with the module. H(Y) is the entropy of the training labels, a constant, so that
    the reported term is information and never exceeds H(Y). It is a bound on held-out samples whose labels are
    distributed as the training ones; of others, whose entropy is smaller, it may exceed all that they hold.

    It takes targets of every kind. Of several labels a sample, the read-out has a logit for each, see
    `BernoulliLikelihood`; of real targets it is a Gaussian about a linear prediction, see `GaussianLikelihood`. What is
    minimised there is minus `gain_nats`: how much more likely the read-out makes the targets than one that sees
    nothing, summed over labels or columns. `mi_ty_nats` is a lower bound on I(Y; T); of several labels it counts from
    the training labels' entropy, too. The unit of y does not matter, and missing targets do not count.

    Class weights and label smoothing change what is minimised, which then is no bound; `mi_ty_nats` stays the plain
    one.

    Args:
        locations: a grid of features is averaged to at most this many rows and columns before the read-out, which then
            has fewer weights to fit noise with; None reads every location.
        hidden: widths of the read-out's hidden layers (ReLU); none for a linear read-out. A deeper one lets an early
            module keep what only later modules can make linear.
        class_weights: a weight for each class; "balanced", which gives each class the same weight in all; None for
            none.
        label_smoothing: share of the target, in [0, 1), that is spread evenly over all classes.
        temperature: what class scores are divided by; above 1 the module moves more slowly, and its read-out more so.

    Raises:
        TypeError: a width is not an integer, or a weight no number.
        ValueError: locations or a width below 1, weights that are not positive, smoothing outside [0, 1), or either of
            these for targets that it is not of; a temperature that is not positive.

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
    _reads_rows: bool = True
    target_kinds: tuple[TargetKind, ...] | None = ("classes", "real", "multilabel")

    readout: nn.Module
    label_entropy: Tensor

    def __init__(
        self,
        *,
        locations: int | None = None,
        hidden: Sequence[int] = (),
        class_weights: ClassWeights | None = None,
        label_smoothing: float = 0.0,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        check_positive(temperature, where="ReadoutInformation", name="temperature")
        self.temperature = temperature
        self.class_loss = ClassLoss(class_weights, label_smoothing, where="ReadoutInformation")
        self.likelihood: GaussianLikelihood | BernoulliLikelihood | None = None
        if locations is not None:
            check_count(locations, where="ReadoutInformation", name="locations")
        self.locations, self.hidden = locations, check_widths(hidden, where="ReadoutInformation")

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make the read-out and measure H(Y)."""
        like = at_most_locations(example.output, self.locations)
        placed = {"device": like.device, "dtype": like.dtype}
        self.likelihood = self._likelihood(labels)
        if self.likelihood is None:
            counts = torch.bincount(check_labels(labels, where="ReadoutInformation")).double()
            self.class_loss.build(counts)
            width = len(counts)
            self.register_buffer("label_entropy", torch.special.entr(counts / counts.sum()).sum().to(**placed))
        else:
            width = self.likelihood.width
        columns = like[0].numel()
        made: nn.Module = mlp(columns, self.hidden, width) if self.hidden else nn.Linear(columns, width, **placed)
        self.readout = made.to(**placed)

    def _likelihood(self, labels: Tensor | None) -> GaussianLikelihood | BernoulliLikelihood | None:
        """What the read-out's numbers mean where targets are not classes."""
        kind = None if labels is None else kind_of_targets(labels)
        if labels is None or kind not in {"real", "multilabel"}:
            return None
        self.class_loss.refuse("real" if kind == "real" else "several labels")
        labels = check_known(labels, where="ReadoutInformation")
        if kind == "real":
            return GaussianLikelihood(labels)
        return BernoulliLikelihood(labels, label_smoothing=self.class_loss.label_smoothing)

    def scores(self, output: Tensor) -> Tensor:
        """What the read-out predicts: class scores, a logit for each label, or real targets in their unit."""
        scores = self._read_out(output)
        return scores / self.temperature if self.likelihood is None else self.likelihood.prediction(scores)

    def _read_out(self, output: Tensor) -> Tensor:
        return self.readout(at_most_locations(output, self.locations).flatten(1))

    def forward(self, batch: LocalBatch) -> Loss:
        """Minus the bound of classes, CE - H(Y); minus the gain of other targets."""
        return self._judge_rows(self._read_rows(batch.output), batch.y)

    def _read_rows(self, output: Tensor) -> Tensor:
        """What the read-out says of each row."""
        return self._read_out(output) if self.likelihood is not None else self.scores(output)

    def _judge_rows(self, rows: Tensor, y: Tensor | None) -> Loss:
        """The loss of what the read-out says, see `forward`."""
        scores = full_precision(rows)
        if self.likelihood is not None:
            return nothing_to_learn(scores) if y is None else self.likelihood.loss(scores, y)
        cross_entropy = masked_cross_entropy(scores, y)
        if cross_entropy is None or y is None:
            return nothing_to_learn(scores)
        information = self.label_entropy - cross_entropy
        total = -information if self.class_loss.is_plain else self.class_loss(scores, y) - self.label_entropy
        return Loss(total, {"mi_ty_nats": information.detach()})
