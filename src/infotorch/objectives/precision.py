"""Precision at a module's output, compression at a layer of one's choice: what the remedies of the bottleneck share."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.data.targets import TargetKind
from infotorch.networks.stochastic import log_mean_probability
from infotorch.numerics.finite import all_finite
from infotorch.numerics.on_host import on_host
from infotorch.objectives.base import LocalBatch, Loss, Side, full_precision, nothing_to_learn
from infotorch.objectives.beta import Beta, BetaSchedule
from infotorch.objectives.checks import check_labels
from infotorch.objectives.labels import ReadoutInformation
from infotorch.objectives.layer_hook import LayerHook


class PrecisionAndCompression(ReadoutInformation):
    """Minus a bound on I(Y; T), plus beta times a compression term that subclasses define, in nats.

    Precision is H(Y) - CE, with H(Y) of the training labels, see `ReadoutInformation`. With `layer`, of the module's
    own output, taken as class scores, and compression is of that layer: the two look at different layers of the
    network. Without, of a linear read-out of the module's output, and compression is of that output: a local objective
    for a hidden module.

    Args:
        beta: weight of the compression term, a number of 0 or more, or a function of (epoch, step) such as `Ramp`.
        layer: the layer of the module that is compressed; None: the module's output.

    Raises:
        TypeError: beta is neither a number nor a function, or layer no module.
        ValueError: beta negative or not finite.

    Source: Amjad & Geiger 2019, arXiv:1802.09766, Sec. 5.4 (different layers) and Sec. 9 (the bound).
    """

    sides: Mapping[str, Side] = {"mi_ty_nats": "lower", "mi_xt_nats": "upper"}
    #: The compression term's name.
    compressed = "mi_xt_nats"
    #: Average the draws' probabilities before the logarithm, in training too.
    average_first = False
    reads_labels: bool | None = True
    target_kinds: tuple[TargetKind, ...] | None = ("classes",)

    def __init__(self, *, beta: BetaSchedule, layer: nn.Module | None = None) -> None:
        super().__init__()
        self.beta = Beta(beta, where=type(self).__name__)
        self.hook = None if layer is None else LayerHook(self._hooked(layer), where=type(self).__name__)

    def _hooked(self, layer: nn.Module) -> nn.Module:
        """The part of the layer that gets the hook."""
        return layer

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Measure H(Y), and make the read-out, or check that the output can hold a score for each class.

        Raises:
            ValueError: it cannot.
        """
        where = type(self).__name__
        self._check_rows(example)
        super().build(example, labels)
        if self.hook is not None:
            classes, shape = int(check_labels(labels, where=where).max()) + 1, tuple(example.output.shape)
            if len(shape) != 2 or shape[1] < classes:
                raise ValueError(
                    f"{where}: with layer=... the output must have a column for each class, {classes} or more, "
                    f"got {shape}."
                )
            self.readout = nn.Identity()

    def _check_rows(self, batch: LocalBatch) -> None:
        if len(batch.output) != len(batch.x):
            raise ValueError(
                f"{type(self).__name__}: the output must have a row for each input, {len(batch.x)}, got "
                f"{len(batch.output)}; behind a layer of several draws, end the network in SampleMean."
            )

    def draw_scores(self, output: Tensor) -> Tensor:
        """Class scores, (b, classes), or of several draws a sample (b, draws, classes)."""
        return output if self.hook is not None else super().scores(output)

    def scores(self, output: Tensor) -> Tensor:
        """Class scores (b, classes); of several draws the logarithm of the mean of their probabilities."""
        scores = full_precision(self.draw_scores(output))
        return log_mean_probability(scores) if scores.ndim == 3 else scores

    def forward(self, batch: LocalBatch) -> Loss:
        """Minus precision plus beta times compression.

        Raises:
            ValueError: the output has another number of samples than the input.
        """
        self._check_rows(batch)
        precision, compression = self._precision(batch), self._compression(batch)
        if compression is None:
            return precision
        beta = self.beta(batch.position)
        terms = {**precision.terms, self.compressed: compression.detach()}
        if self.beta.varies:
            terms["beta"] = compression.new_tensor(beta)
        return Loss(precision.total + beta * self._cost(compression), terms)

    def _precision(self, batch: LocalBatch) -> Loss:
        scores = full_precision(self.draw_scores(batch.output))
        if batch.y is None or not (on_host(batch.y) >= 0).any():
            return nothing_to_learn(scores)
        information = self.label_entropy - _cross_entropy(scores, batch.y, self.average_first or not self.training)
        return Loss(-information, {"mi_ty_nats": information.detach()})

    def _compression(self, batch: LocalBatch) -> Tensor | None:
        """The compression term, 0-d, in nats; None where these samples have none."""
        raise NotImplementedError

    def _cost(self, compression: Tensor) -> Tensor:
        """What beta weighs."""
        return compression


def _cross_entropy(scores: Tensor, y: Tensor, average_first: bool) -> Tensor:
    """Of draws (b, draws, classes) the mean of their cross-entropies, or that of their mean probabilities."""
    if scores.ndim == 3:
        scores = log_mean_probability(scores) if average_first else scores.log_softmax(dim=2).mean(dim=1)
        return F.nll_loss(scores, y, ignore_index=-1)
    return F.cross_entropy(scores, y, ignore_index=-1)


def rows_or_nan(values: Tensor) -> Tensor | None:
    """Features as samples, (b, d), in full precision; None where they are not finite, as of a run that has diverged."""
    rows = full_precision(values.flatten(1))
    return rows if all_finite([rows]) else None


def diverged(like: Tensor) -> Tensor:
    """The compression term of a run that has diverged: NaN, which ends it, where the bounds refuse their input."""
    return full_precision(like).new_full((), math.nan)
