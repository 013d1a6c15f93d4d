"""A loss of the user's own, of a module's output and y, as an objective."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from infotorch.data.targets import fully_labelled
from infotorch.numerics.checks import check_callable
from infotorch.numerics.on_host import on_host, rows_where
from infotorch.objectives.base import LocalBatch, Loss, Objective, full_precision, nothing_to_learn
from infotorch.objectives.checks import check_labels


class LossFunction(Objective):
    """Any loss of the module's output and y: a function, or a loss of torch, whose own parameters are trained too.

    Class weights and label smoothing of the cross-entropy are those of `nn.CrossEntropyLoss`.

    Args:
        function: (output, y) -> the loss, 0-d, of the samples whose targets are all known: those of class -1, and those
            with a NaN among real targets or a -1 among several labels, are left out. Several labels, integers of the
            output's own shape, come as floating-point numbers, as `nn.BCEWithLogitsLoss` wants them.

    Raises:
        TypeError: no function, or a class in place of its instance.

    Example:
        >>> batch = LocalBatch(torch.zeros(3, 2), torch.zeros(3, 2), torch.zeros(3, 4), torch.tensor([0, 3, -1]))
        >>> LossFunction(torch.nn.CrossEntropyLoss(label_smoothing=0.1))(batch).total.item()  # log 4
        1.386...
    """

    needs_labels: bool = True

    def __init__(self, function: Callable[[Tensor, Tensor], Tensor]) -> None:
        super().__init__()
        check_callable(function, where="LossFunction", name="function")
        if isinstance(function, type):
            raise TypeError(f"LossFunction: function must be one, such as {function.__name__}(), got the class.")
        self.function = function
        self._num_classes = 0

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Count the classes, where y are such.

        Raises:
            TypeError: there is no y, or the loss is not one number.
            ValueError: it compares every output with every y.
        """
        if labels is None:
            raise TypeError("LossFunction: a loss of (output, y) needs y, got None.")
        self._num_classes = 0
        if _are_classes(labels):
            self._num_classes = int(check_labels(labels, where="LossFunction").max()) + 1
        with torch.no_grad():
            self.to(example.output.device)
            with _EveryWithEvery(example):
                self.forward(example)

    def scores(self, output: Tensor) -> Tensor | None:
        """The output itself where it has a column for each class, else None."""
        return output if output.ndim == 2 and 0 < self._num_classes <= output.shape[1] else None

    def forward(self, batch: LocalBatch) -> Loss:
        """The loss of the labelled samples; a gradient of zero, and no term, where there are none.

        Raises:
            TypeError: the loss is not one number.
        """
        output, y = full_precision(batch.output), batch.y
        if y is not None:
            output, y = _known(output, y)
        if y is None or not len(y):
            return nothing_to_learn(output)
        loss = self.function(output, y)
        if not isinstance(loss, Tensor) or loss.ndim != 0 or not loss.is_floating_point():
            got = f"shape {tuple(loss.shape)}, {loss.dtype}" if isinstance(loss, Tensor) else type(loss).__name__
            raise TypeError(f"LossFunction: the loss must be one real number, a 0-d tensor, got {got}.")
        return Loss(loss, {"loss": loss.detach()})


class _EveryWithEvery(TorchDispatchMode):
    """A context that refuses an operation on a column of outputs and a row of real targets, which fills a square."""

    def __init__(self, batch: LocalBatch) -> None:
        super().__init__()
        self._output, self._y = batch.output, batch.y

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        y, column = self._y, (len(self._output), 1)
        if y is not None and y.ndim == 1 and len(y) > 1 and tuple(self._output.shape) == column:
            square = any(isinstance(one, Tensor) and one.shape == (len(y), len(y)) for one in (found, *args))
            given = {one.untyped_storage().data_ptr() for one in args if isinstance(one, Tensor)}
            if square and {t.untyped_storage().data_ptr() for t in (self._output, y)} <= given:
                raise ValueError(
                    f"LossFunction: {len(y)} outputs of shape {column} and as many y of shape ({len(y)},) give "
                    f"{len(y)} x {len(y)} differences; in the loss, compare output.squeeze(1) with y."
                )
        return found


def _known(output: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """The samples whose targets are all known, in the type that losses take."""
    several = not y.is_floating_point() and y.ndim == 2 and y.shape == output.shape
    if not (y.is_floating_point() or _are_classes(y) or several):
        return output, y
    known = fully_labelled(on_host(y))
    if not bool(known.all()):
        output, y = rows_where(output, known), rows_where(y, known)
    return output, y.to(output.dtype) if several else y


def _are_classes(y: Tensor) -> bool:
    return y.ndim == 1 and not y.is_floating_point()
