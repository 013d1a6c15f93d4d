"""The Forward-Forward objective: a module is active for inputs with their right label, and quiet for wrong ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from infotorch.data.targets import TargetKind
from infotorch.numerics.checks import WHOLE, check_choice, check_positive
from infotorch.numerics.kinds import check_function
from infotorch.numerics.module_inputs import described, module_input, rows_of_units
from infotorch.numerics.on_host import on_host, rows_where
from infotorch.objectives.base import LocalBatch, Loss, Objective, full_precision, nothing_to_learn
from infotorch.objectives.checks import check_labels, check_targets


class ForwardForward(Objective):
    """Forward-Forward: a high goodness for inputs with the right label written on them, a low one for a wrong label.

    Goodness is the sum of the squared activities of the module's output. The loss is softplus(threshold - goodness) for
    the right label plus softplus(goodness - threshold) for a wrong one, drawn anew in every step among the other
    classes: the two cross-entropies, in nats, of telling right from wrong by sigmoid(goodness - threshold). A label is
    written over the first `classes` numbers of the flattened raw input: zeros, and at its class the largest number of
    the batch that `build` sees.

    The input of every module but the first must have a fixed length (a `norm="length"` layer between the modules), or a
    module reads the goodness of the one before it off that length and has nothing to learn. Batch norm does not fix it,
    and keeps running statistics of clean inputs: modules hand on their outputs for inputs without a label, the last one
    to the output module. To classify by goodness instead, add the `goodness_scores` of the modules.

    The reported terms, goodness_right and goodness_wrong, are means without a unit.

    Args:
        threshold: goodness at which right and wrong are equally likely; None: the number of units, or 1 for "mean".
        goodness: "sum" of the squared activities, or their "mean", which keeps the loss soft for wide modules.

    Raises:
        TypeError: a threshold that is no number, or in `build` an x that is not real-valued.
        ValueError: a threshold not positive, an unknown goodness, or in `build` fewer than two classes, an input with
            fewer numbers than classes, or no number above 0.

    Source: Hinton 2022, "The Forward-Forward Algorithm", arXiv:2212.13345, Sec. 2 and 3.3. Our wrong labels are equally
        likely, where he also draws the plausible ones more often; his one-pass classifier sees a neutral label, ours
        the input as it is.

    Example:
        >>> y = torch.tensor([0, 1, 0, 1])
        >>> x = torch.ones(4, 3)
        >>> batch = LocalBatch(x, x, x, y, encode=lambda rows: 2 * rows)
        >>> objective = ForwardForward()
        >>> objective.build(batch, y)
        >>> objective.write_labels(x, y)[:2]
        tensor([[1., 0., 1.],
                [0., 1., 1.]])
        >>> objective(batch).terms["goodness_right"].item()  # 2^2 + 0^2 + 2^2
        8.0
    """

    needs_labels: bool = True
    target_kinds: tuple[TargetKind, ...] | None = ("classes",)

    label_value: Tensor
    level: float

    def __init__(self, *, threshold: float | None = None, goodness: Literal["sum", "mean"] = "sum") -> None:
        super().__init__()
        if threshold is not None:
            check_positive(threshold, where="ForwardForward", name="threshold")
        check_choice(goodness, ("sum", "mean"), where="ForwardForward", name="goodness")
        self.kind, self.threshold = goodness, threshold
        self.classes = 0

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Count the classes and find the number that marks a label."""
        if example.graph is not None:
            raise ValueError(
                "ForwardForward: it passes labelled samples alone through the module, and nodes of a graph cannot go "
                "without the others; use Y:graph-forward-forward."
            )
        self.classes = int(check_labels(labels, where="ForwardForward").max()) + 1
        x = example.x
        if not x.is_floating_point():
            raise TypeError(f"ForwardForward: labels are written on real-valued inputs, got x of {x.dtype}.")
        if self.classes < 2 or x[0].numel() < self.classes:
            raise ValueError(
                "ForwardForward: needs two classes or more and as many numbers in an input, got "
                f"{self.classes} classes and inputs of shape {tuple(x.shape[1:])}."
            )
        units = example.output[0].numel() if self.kind == "sum" else 1
        self.level = float(units if self.threshold is None else self.threshold)
        check_positive(float(x.max()), where="ForwardForward", name="the largest number of x, which marks a label,")
        self.register_buffer("label_value", x.max().detach().clone())

    def write_labels(self, x: Tensor, y: Tensor) -> Tensor:
        """A copy of the inputs, (b, ...), with the labels (b,) written on them."""
        x = module_input(x, where="ForwardForward.write_labels", name="x")
        check_targets(y, where="ForwardForward.write_labels", name="y")
        if x.ndim < 2 or x.shape[1:].numel() < self.classes or y.shape != x.shape[:1] or y.dtype not in WHOLE:
            raise ValueError(
                f"ForwardForward.write_labels: x must have rows of {self.classes} entries or more and y a class for "
                f"each, got x {described(x)} and y {described(y)}."
            )
        y = y.long()
        here = on_host(y)
        if len(y) and not 0 <= int(here.min()) <= int(here.max()) < self.classes:
            raise ValueError(f"ForwardForward.write_labels: y must lie in 0 to {self.classes - 1}.")
        return self._written(x, y)

    def _written(self, x: Tensor, y: Tensor) -> Tensor:
        marks = F.one_hot(y, self.classes).to(x.dtype) * self.label_value.to(x.dtype)
        return torch.cat([marks, x.flatten(1)[:, self.classes :]], dim=1).reshape(x.shape)

    def goodness(self, output: Tensor) -> Tensor:
        """Sum or mean of the squared activities, (b,)."""
        output = rows_of_units(output, where="ForwardForward.goodness", name="output")
        squares = full_precision(output).flatten(1).square()
        return squares.sum(dim=1) if self.kind == "sum" else squares.mean(dim=1)

    def goodness_scores(self, encode: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """The goodness of every label for every input, (b, classes): the highest is the module's guess.

        Args:
            encode: raw inputs -> the module's output, such as `plan.encoder(number)`.
            x: raw inputs, (b, ...).
        """
        check_function(encode, where="ForwardForward.goodness_scores", name="encode")
        x = module_input(x, where="ForwardForward.goodness_scores", name="x")
        labels = torch.arange(self.classes, device=x.device)
        guesses = [self.goodness(encode(self.write_labels(x, label.expand(len(x))))) for label in labels]
        return torch.stack(guesses, dim=1)

    def forward(self, batch: LocalBatch) -> Loss:
        """The two cross-entropies in nats, for the labelled samples."""
        if batch.y is None or not (known := on_host(batch.y) >= 0).any():
            return nothing_to_learn(batch.output)
        x, y = rows_where(batch.x, known), rows_where(batch.y, known)
        shift = torch.randint(1, self.classes, y.shape, generator=batch.generator("negatives"), device=y.device)
        wrong = (y + shift) % self.classes
        # One pass for both: batch norm would otherwise take away the very difference between right and wrong.
        pairs = torch.cat([self.write_labels(x, y), self._written(x, wrong)])
        right, wrong = self.goodness(batch.encode(pairs)).chunk(2)
        loss = F.softplus(self.level - right).mean() + F.softplus(wrong - self.level).mean()
        terms = {"goodness_right": right.detach().mean(), "goodness_wrong": wrong.detach().mean()}
        return Loss(loss, terms)
