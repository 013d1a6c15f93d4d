"""The bottleneck behind a soft decision rule: closed form, finite, with a gradient."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from infotorch.data.targets import TargetKind
from infotorch.estimators.decision import soft_decision_label_mi
from infotorch.estimators.labels import soft_decision_mi
from infotorch.numerics.checks import check_choice
from infotorch.numerics.finite import all_finite
from infotorch.numerics.on_host import on_host, rows_where
from infotorch.objectives.base import LocalBatch, Loss, Side, full_precision, nothing_to_learn
from infotorch.objectives.beta import Beta, BetaSchedule
from infotorch.objectives.labels import CrossEntropy, ReadoutInformation, masked_cross_entropy


class SoftDecisionInformation(ReadoutInformation):
    """Minus I(Y; Yhat) plus beta I(X; Yhat), in nats: Yhat is drawn from a softmax of the module's output.

    Both terms are closed forms in the class probabilities p of the batch: H(mean p) - mean H(p) for X, and the same
    with p averaged within each class for Y. Of a hidden module p comes from a linear softmax that is trained with it.

    Args:
        beta: weight of I(X; Yhat): a number, or a function of (epoch, step) such as `Ramp`. The decision compresses
            already, and I(X; Yhat) is at least I(Y; Yhat): a weight near 1 undoes what is learnt.
        output: "readout", a linear softmax behind the module; "own", the module's output are class scores.
        precision: "decision", I(Y; Yhat), which does not care which class carries which name; "cross-entropy", H(Y) -
            CE, which does: it bounds I(Y; T) of the output T from below, and not I(Y; Yhat) of a drawn class.

    Raises:
        TypeError: beta is neither a number nor a function.
        ValueError: beta negative, or an unknown output or precision.

    Source: Amjad & Geiger 2019, arXiv:1802.09766, Sec. 5.2; Sec. 9 for cross-entropy.

    Example:
        >>> y = torch.tensor([0, 0, 1, 1])
        >>> batch = LocalBatch(torch.zeros(4, 2), torch.zeros(4, 2), 50 * torch.eye(2)[y], y)
        >>> objective = SoftDecisionInformation(output="own")
        >>> objective.build(batch, y)
        >>> round(objective(batch).terms["mi_ty_nats"].item(), 4)  # certain and right: log 2
        0.6931
    """

    sides: Mapping[str, Side] = {}
    reads_labels: bool | None = True
    target_kinds: tuple[TargetKind, ...] | None = ("classes",)

    def __init__(
        self,
        *,
        beta: BetaSchedule = 0.0,
        output: Literal["readout", "own"] = "readout",
        precision: Literal["decision", "cross-entropy"] = "decision",
    ) -> None:
        super().__init__()
        where = "SoftDecisionInformation"
        check_choice(output, ("readout", "own"), where=where, name="output")
        check_choice(precision, ("decision", "cross-entropy"), where=where, name="precision")
        self.beta = Beta(beta, where=where)
        self.output, self.precision = output, precision
        self.sides = {"mi_ty_nats": "lower"} if precision == "cross-entropy" else {}

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make the read-out, or check that the output can hold a score for each class; measure H(Y)."""
        if self.output == "own":
            CrossEntropy().build(example, labels)
        super().build(example, labels)
        if self.output == "own":
            self.readout = torch.nn.Identity()

    def scores(self, output: Tensor) -> Tensor:
        """The read-out's class scores, or the output itself."""
        return full_precision(output if self.output == "own" else super().scores(output))

    def forward(self, batch: LocalBatch) -> Loss:
        """Minus the precision of the labelled samples plus beta times the compression of all samples."""
        scores = self.scores(batch.output)
        if not all_finite([scores]):
            return Loss(scores.sum() * math.nan, {})  # the run has diverged: a result, where estimators refuse it
        compression = soft_decision_mi(scores).value
        total, terms = self.beta(batch.position) * compression, {"mi_xt_nats": compression.detach()}
        precision = self._precision(scores, batch.y)
        if precision is None:
            return Loss(total + nothing_to_learn(scores).total, terms)
        return Loss(total - precision, {"mi_ty_nats": precision.detach(), **terms})

    def _precision(self, scores: Tensor, y: Tensor | None) -> Tensor | None:
        if self.precision == "cross-entropy":
            cross_entropy = masked_cross_entropy(scores, y)
            return None if cross_entropy is None else self.label_entropy - cross_entropy
        if y is None or not (known := on_host(y) >= 0).any():
            return None
        return soft_decision_label_mi(rows_where(scores, known), rows_where(y, known)).value
