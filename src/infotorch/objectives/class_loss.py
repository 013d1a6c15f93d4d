"""Class weights and label smoothing of a cross-entropy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.numerics.checks import check_number, check_positive, shown

#: A weight for each class; or "balanced": n / (classes x samples of the class).
ClassWeights: TypeAlias = Sequence[float] | Literal["balanced"]


class ClassLoss(nn.Module):
    """The cross-entropy that is minimised, where it is not the plain one: weighted by class, or of smoothed labels.

    Args:
        class_weights: a positive weight for each class, or "balanced", which gives each class the same weight in all;
            None for none. The mean is divided by the sum of the samples' weights, as in `nn.CrossEntropyLoss`.
        label_smoothing: share of the target, in [0, 1), that is spread evenly over all classes.
        where: for messages.

    Raises:
        TypeError: weights or smoothing are no numbers.
        ValueError: a weight that is not positive, or smoothing outside [0, 1).

    Example:
        >>> loss = ClassLoss("balanced", 0.0, where="example")
        >>> loss.build(torch.tensor([3, 1]))
        >>> loss.weight
        tensor([0.6667, 2.0000])
    """

    weight: Tensor

    def __init__(self, class_weights: ClassWeights | None, label_smoothing: float, *, where: str) -> None:
        super().__init__()
        check_number(label_smoothing, where=where, name="label_smoothing")
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"{where}: label_smoothing must be at least 0 and below 1, got {shown(label_smoothing)}.")
        if class_weights is not None and not (isinstance(class_weights, str) and class_weights == "balanced"):
            several = isinstance(class_weights, Tensor) and class_weights.ndim == 1
            if isinstance(class_weights, str) or not (several or isinstance(class_weights, Sequence)):
                raise TypeError(
                    f'{where}: class_weights must be a number for each class or "balanced", got {shown(class_weights)}.'
                )
            class_weights = [float(check) if isinstance(check, Tensor) else check for check in class_weights]
            for weight in class_weights:
                check_positive(weight, where=where, name="every class weight")
        self.class_weights, self.label_smoothing, self.where = class_weights, float(label_smoothing), where
        self.is_plain = class_weights is None and label_smoothing == 0

    def build(self, counts: Tensor) -> None:
        """Make the weights.

        Args:
            counts: training samples of each class, with a 0 for columns of the scores that no sample has.

        Raises:
            ValueError: another number of weights than of classes.
        """
        if self.class_weights is None:
            return
        if self.class_weights == "balanced":
            weight = counts.sum() / (counts > 0).sum() / counts.clamp(min=1)
        else:
            weight = torch.tensor(self.class_weights, device=counts.device)
            if len(weight) != len(counts):
                wanted = f"a number for each of {len(counts)} classes"
                raise ValueError(f"{self.where}: class_weights must be {wanted}, got {len(weight)}.")
        self.register_buffer("weight", weight.float())

    def forward(self, scores: Tensor, y: Tensor) -> Tensor:
        """The mean over the labelled samples, of which there is one or more."""
        weight = None if self.class_weights is None else self.weight.to(scores.dtype)
        return F.cross_entropy(scores, y, weight=weight, label_smoothing=self.label_smoothing, ignore_index=-1)

    def refuse(self, kind: str) -> None:
        """Refuse settings that mean nothing for such targets.

        Raises:
            ValueError: class weights, or smoothing of real targets.
        """
        if self.class_weights is not None:
            raise ValueError(f"{self.where}: class_weights are of classes, and the targets are {kind}.")
        if self.label_smoothing and kind == "real":
            raise ValueError(f"{self.where}: label_smoothing is of classes and labels, and the targets are real.")
