"""Objectives that compare the similarity of samples with that of their labels."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.data.targets import TargetKind
from infotorch.numerics.checks import check_choice, check_count, check_number, shown
from infotorch.numerics.on_host import on_host, rows_where
from infotorch.objectives.base import LocalBatch, Loss, Objective, full_precision, nothing_to_learn
from infotorch.objectives.checks import check_labels
from infotorch.objectives.contrastive import cosine_similarities
from infotorch.objectives.labels import ReadoutInformation
from infotorch.objectives.locations import at_most_locations

KernelMeasure = Literal["alignment", "contrastive", "squared_error", "negative"]
MEASURES: tuple[KernelMeasure, ...] = get_args(KernelMeasure)


class KernelAlignment(Objective):
    """Pairwise learning: the kernel of the output is to say which rows share a class.

    The kernel is the cosine of two rows' outputs, which should end in their nonlinearity. The ideal kernel is 1 for two
    samples of one class and `least` for two of different classes. Only "same class or not" is used, and no part is
    trained beside the module. What is maximised, the reported term `kernel_<measure>`, is without a unit and at most
    the number in brackets:

    - "alignment": the cosine between the two matrices as vectors, the diagonal with them [1];
    - "contrastive": log of the share that pairs of one class have of the sum of exp(kernel) over pairs of two rows [0];
    - "squared_error": minus the mean square of the difference of the two matrices [0];
    - "negative": minus the log of the mean of exp(kernel) over pairs of different classes [-least]; pairs of one class
      are not looked at.

    Batches of one class, and for all but "negative" batches where no two samples share one, teach nothing. A cosine
    does not see the length of an output, and an output of zeros has the cosine 0 with all: units that end in a ReLU
    should have a norm before it, or they may die of this objective.

    Args:
        measure: "alignment", "contrastive", "squared_error" or "negative".
        least: the least value of the kernel: 0 for outputs that are never negative (ReLU, sigmoid), -1 for others
            (tanh). In [-1, 1). The contrastive and negative measures push down without it.
        centred: alignment of the centred matrices, which `least` does not touch: a constant kernel gains nothing.
        locations: grids are averaged to at most this many rows and columns first; None: every location counts.

    Raises:
        TypeError: a number of locations that is no integer.
        ValueError: an unknown measure, least out of range, locations below 1, or centred without "alignment".

    Source: Duan, Yu & Principe 2021, "Modularizing deep learning via pairwise learning with kernels", IEEE TNNLS 33(4),
        arXiv:2005.05541, and the authors' code, where each of the other three has a form for negatives only; here it is
        that of the contrastive one. Centred alignment: Cortes, Mohri & Rostamizadeh 2012, arXiv:1203.0550.

    Example:
        >>> y = torch.tensor([0, 0, 1, 1])
        >>> batch = LocalBatch(torch.zeros(4, 3), torch.zeros(4, 3), torch.eye(2)[y], y)
        >>> round(KernelAlignment()(batch).terms["kernel_alignment"].item(), 3)  # the ideal kernel
        1.0
    """

    needs_labels: bool = True
    target_kinds: tuple[TargetKind, ...] | None = ("classes",)

    def __init__(
        self,
        *,
        measure: KernelMeasure = "alignment",
        least: float = 0.0,
        centred: bool = False,
        locations: int | None = None,
    ) -> None:
        super().__init__()
        check_choice(measure, MEASURES, where="KernelAlignment", name="measure")
        check_number(least, where="KernelAlignment", name="least")
        if not -1 <= least < 1:
            raise ValueError(f"KernelAlignment: least must be at least -1 and below 1, got {least}.")
        check_choice(centred, (True, False), where="KernelAlignment", name="centred")
        if centred and measure != "alignment":
            raise ValueError(f"KernelAlignment: centred is for measure='alignment', got {shown(measure)}.")
        if locations is not None:
            check_count(locations, where="KernelAlignment", name="locations")
        self.measure, self.least, self.centred, self.locations = measure, least, centred, locations

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Check the labels."""
        check_labels(labels, where="KernelAlignment")

    def forward(self, batch: LocalBatch) -> Loss:
        """Minus the measure, on the labelled samples."""
        if batch.y is None:
            return nothing_to_learn(batch.output)
        known = on_host(batch.y) >= 0
        y = rows_where(batch.y, known)
        classes, count = len(on_host(y).unique()), len(y)
        if classes < 2 or (classes == count and self.measure != "negative"):
            return nothing_to_learn(batch.output)
        rows = rows_where(at_most_locations(batch.output, self.locations).flatten(1), known)
        kernel = cosine_similarities(full_precision(rows))
        value = self._measure(kernel, y[:, None] == y)
        return Loss(-value, {f"kernel_{self.measure}": value.detach()})

    def _measure(self, kernel: Tensor, same: Tensor) -> Tensor:
        pairs = ~torch.eye(len(kernel), dtype=torch.bool, device=kernel.device)
        if self.measure == "negative":
            apart = kernel[~same]
            return -(apart.logsumexp(dim=0) - math.log(len(apart)))
        if self.measure == "contrastive":
            return kernel[same & pairs].logsumexp(dim=0) - kernel[pairs].logsumexp(dim=0)
        ideal = torch.where(same, 1.0, self.least).to(kernel.dtype)
        if self.measure == "squared_error":
            return -F.mse_loss(kernel, ideal)
        if self.centred:
            kernel, ideal = _centred(kernel), _centred(ideal)
        return F.cosine_similarity(kernel.flatten(), ideal.flatten(), dim=0)


def _centred(matrix: Tensor) -> Tensor:
    return matrix - matrix.mean(dim=0) - matrix.mean(dim=1, keepdim=True) + matrix.mean()


class PredictiveSimilarity(ReadoutInformation):
    """Local error signals: similar samples where labels are similar, and a local prediction of the label.

    The loss is `similarity_weight` times the mean squared difference between the similarities of features and those of
    one-hot labels, plus 1 - `similarity_weight` times the cross-entropy of a linear read-out. A similarity is the
    cosine of two samples after each has lost its mean. The features of a vector are a linear layer of it; those of a
    grid the standard deviation over the locations of each channel of a 3 x 3 convolution. The layers are as wide as the
    output and are trained with the module.

    The reported terms are `mi_ty_nats`, the bound of the read-out (see `ReadoutInformation`), and `similarity_error`.

    Args:
        similarity_weight: share of the similarity in the loss, in [0, 1].
        readout_features: a grid is averaged over locations, its sides halved in turn, until the read-out has at most
            this many inputs.

    Raises:
        TypeError: readout_features is no integer.
        ValueError: similarity_weight out of range, readout_features below 1, or an output that is neither vector nor
            grid.

    Source: Nokland & Eidnes 2019, arXiv:1901.06656, Sec. 2 ("predsim"); the defaults are those of the authors' code.
        The total is theirs less the constant (1 - similarity_weight) H(Y). Where a side cannot be halved evenly their
        averages include padding, ours do not.

    Example:
        >>> objective = PredictiveSimilarity()
        >>> y = torch.tensor([0, 1, 0, 1])
        >>> batch = LocalBatch(torch.zeros(4, 3), torch.zeros(4, 3), torch.ones(4, 8, 6, 6), y)
        >>> objective.build(batch, y)
        >>> sorted(objective(batch).terms)
        ['mi_ty_nats', 'similarity_error']
    """

    target_kinds: tuple[TargetKind, ...] | None = ("classes",)

    features: nn.Module
    readout: nn.Linear  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(self, *, similarity_weight: float = 0.99, readout_features: int = 4096) -> None:
        super().__init__()
        check_number(similarity_weight, where="PredictiveSimilarity", name="similarity_weight")
        if not 0 <= similarity_weight <= 1:
            raise ValueError(
                f"PredictiveSimilarity: similarity_weight must lie between 0 and 1, got {similarity_weight}."
            )
        check_count(readout_features, where="PredictiveSimilarity", name="readout_features")
        self.similarity_weight, self.readout_features = similarity_weight, readout_features

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make the read-out, which starts at 0 as in the authors' code, and the layer of the features."""
        check_labels(labels, where="PredictiveSimilarity")
        output = example.output
        if output.ndim not in {2, 4}:
            raise ValueError(
                f"PredictiveSimilarity: the output must be vectors (b, d) or a grid (b, c, h, w), got "
                f"{tuple(output.shape)}."
            )
        width = output.shape[1]
        layer = (
            nn.Linear(width, width, bias=False) if output.ndim == 2 else nn.Conv2d(width, width, 3, 1, 1, bias=False)
        )
        self.features = layer.to(output.device, output.dtype)
        rows = self._readout_rows(output)
        super().build(LocalBatch(example.x, example.module_input, rows, example.y), labels)
        nn.init.zeros_(self.readout.weight)

    def _readout_rows(self, output: Tensor) -> Tensor:
        sides = list(output.shape[2:])
        turn = 0
        while sides and max(sides) > 1 and output.shape[1] * sides[0] * sides[1] > self.readout_features:
            sides[turn % 2] = -(-sides[turn % 2] // 2)
            turn += 1
        return (F.adaptive_avg_pool2d(output, (sides[0], sides[1])) if turn else output).flatten(1)

    def scores(self, output: Tensor) -> Tensor:
        """The read-out's class scores."""
        return self.readout(self._readout_rows(output))

    def forward(self, batch: LocalBatch) -> Loss:
        """The weighted error of the similarities less the weighted bound, on the labelled samples."""
        if batch.y is None:
            return super()._judge_rows(super()._read_rows(batch.output), None)
        known = on_host(batch.y) >= 0
        prediction = super()._judge_rows(super()._read_rows(batch.output), batch.y)
        rows = rows_where(batch.output, known)
        return self._weighted(prediction, lambda: self._features(rows), rows_where(batch.y, known))

    def _read_rows(self, output: Tensor) -> tuple[Tensor, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """What the read-out says of each row, and the row's features."""
        return super()._read_rows(output), self._features(output)

    def _judge_rows(self, rows: tuple[Tensor, Tensor], y: Tensor | None) -> Loss:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The loss of what was read, see `forward`."""
        said, features = rows
        prediction = super()._judge_rows(said, y)
        if y is None:
            return prediction
        known = on_host(y) >= 0
        return self._weighted(prediction, lambda: rows_where(features, known), rows_where(y, known))

    def _features(self, output: Tensor) -> Tensor:
        features = full_precision(self.features(output))
        if features.ndim != 4:
            return features
        locations = features.flatten(2)
        return locations.std(dim=2) if locations.shape[2] > 1 else locations.flatten(1)

    def _weighted(self, prediction: Loss, features: Callable[[], Tensor], y: Tensor) -> Loss:
        if not prediction.terms:
            return prediction
        rows = features()
        one_hot = F.one_hot(y, self.readout.out_features).to(rows.dtype)
        error = F.mse_loss(_adjusted_cosines(rows), _adjusted_cosines(one_hot))
        total = self.similarity_weight * error + (1 - self.similarity_weight) * prediction.total
        return Loss(total, {**prediction.terms, "similarity_error": error.detach()})


def _adjusted_cosines(rows: Tensor) -> Tensor:
    return cosine_similarities(rows - rows.mean(dim=1, keepdim=True))
