"""The squared error of the module's own output: regression, classes one-hot, denoising."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor

from infotorch.data.targets import labelled_samples
from infotorch.numerics.checks import check_choice, check_positive, shown
from infotorch.numerics.on_host import on_host, rows_where
from infotorch.objectives.base import LocalBatch, Loss, Objective, full_precision, nothing_to_learn
from infotorch.objectives.checks import check_known, check_labels


def psnr_db(output: Tensor, target: Tensor, *, peak: float) -> Tensor:
    """Peak signal-to-noise ratio of every sample, in dB: 10 log10(peak^2 / mean squared error of its entries).

    Args:
        output: (b, ...).
        target: likewise.
        peak: the range of the target's values, such as 2 for pixels in [-1, 1].

    Returns:
        (b,); infinite where a sample is met exactly.

    Raises:
        ValueError: different shapes, or a peak that is not positive.

    Example:
        >>> import torch
        >>> psnr_db(torch.full((1, 4), 0.2), torch.zeros(1, 4), peak=2.0).item()
        20.0
    """
    if output.shape != target.shape:
        raise ValueError(
            f"psnr_db: output and target must have one shape, got {tuple(output.shape)} and {tuple(target.shape)}."
        )
    _check_peak(peak, where="psnr_db")
    return 10 * (float(peak) ** 2 / (output - target).square().flatten(1).mean(dim=1)).log10()


def _check_peak(peak: float, *, where: str) -> None:
    check_positive(peak, where=where, name="peak")
    if peak > 1e150:
        raise ValueError(f"{where}: peak must be at most 1e150, whose square is a number, got {shown(peak)}.")


class SquaredError(Objective):
    """Mean squared error of the module's own output over samples and entries: the objective of an output module.

    Args:
        target: "y" for the samples' targets: real ones as they are, classes one-hot. Missing ones (NaN, or a class of
            -1) do not count. "x" for the network's raw input, before any noise that the network itself adds to it.
        peak: the range of the target's values; with it the mean of the samples' `psnr_db` is reported.

    Raises:
        ValueError: an unknown target, or a peak that is not positive.

    Example:
        >>> import torch
        >>> x, output = torch.zeros(2, 3), torch.full((2, 4), 0.5)
        >>> batch = LocalBatch(x, x, output, torch.tensor([0, 3]))
        >>> objective = SquaredError()
        >>> objective.build(batch, batch.y)
        >>> objective(batch).total.item()
        0.25
    """

    def __init__(self, *, target: Literal["x", "y"] = "y", peak: float | None = None) -> None:
        super().__init__()
        check_choice(target, ("y", "x"), where="SquaredError", name="target")
        if peak is not None:
            _check_peak(peak, where="SquaredError")
        self.target, self.peak = target, None if peak is None else float(peak)
        self.needs_labels = target == "y"
        self._of_classes = False
        self.target_kinds = ("classes", "real") if target == "y" else None

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Check that the output can hold the target.

        Raises:
            TypeError: the target is y and there is none, or x and not real-valued.
            ValueError: the output has fewer columns than there are classes, or another number of entries than the
                target.
        """
        if self.target == "x" and not example.x.is_floating_point():
            raise TypeError(f"SquaredError: x must be real-valued, got {example.x.dtype}.")
        self._of_classes = self.target == "y" and (labels is None or not labels.is_floating_point())
        if self._of_classes:
            highest = int(check_labels(labels, where="SquaredError").max())
            columns = example.output[0].numel()
            if columns <= highest:
                raise ValueError(
                    f"SquaredError: the output must have a column for each class, {highest + 1} or more, got {columns}."
                )
        else:
            if self.target == "y" and labels is not None:
                check_known(labels, where="SquaredError")
            self._wanted(example)

    def _wanted(self, batch: LocalBatch) -> Tensor:
        """The target, (b, entries), of the output's kind; of unlabelled samples anything."""
        columns = batch.output[0].numel()
        wanted = batch.x if self.target == "x" else batch.y
        assert wanted is not None
        if self._of_classes:
            wanted = F.one_hot(wanted.clamp(min=0), columns)
        wanted = wanted.reshape(len(wanted), -1).to(full_precision(batch.output).dtype)
        if wanted.shape[1] != columns:
            raise ValueError(
                f"SquaredError: the output must have as many entries a row as {self.target}, {wanted.shape[1]}, "
                f"got {columns}."
            )
        return wanted

    def scores(self, output: Tensor) -> Tensor | None:
        """The output itself where the target is a class, else None."""
        return output.flatten(1) if self._of_classes else None

    def _may_miss(self, y: Tensor | None) -> bool:
        """Whether an entry of a target may be missing, without a wait where the batches know."""
        if self.target == "x" or y is None or not y.is_floating_point():
            return False
        return y.is_cpu or bool(on_host(y).isnan().any())

    def forward(self, batch: LocalBatch) -> Loss:
        """The mean squared error; a gradient of zero, and no term, where no sample has a label."""
        output = full_precision(batch.output).flatten(1)
        if self.target == "y" and batch.y is None:
            return nothing_to_learn(output)
        wanted = self._wanted(batch)
        if self.target == "y":
            assert batch.y is not None
            known = labelled_samples(on_host(batch.y))
            if not known.any():
                return nothing_to_learn(output)
            output, wanted = rows_where(output, known), rows_where(wanted, known)
        loss = F.mse_loss(output, wanted)
        if self._may_miss(batch.y) and loss.isnan() and (missing := wanted.isnan()).any():
            loss = F.mse_loss(output[~missing], wanted[~missing])
        terms = {"squared_error": loss.detach()}
        if self.peak is not None:
            terms["psnr_db"] = psnr_db(output.detach(), wanted, peak=self.peak).mean()
        return Loss(loss, terms)
