"""InfoPro: keep what the image is made of and what tells its label, each through an auxiliary network of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.numerics.checks import check_choice, check_count, shown
from infotorch.objectives.auxiliary import Auxiliary, ThroughAuxiliary
from infotorch.objectives.base import LocalBatch, Loss, Objective, full_precision
from infotorch.objectives.checks import check_weight
from infotorch.objectives.combined import SumOfObjectives
from infotorch.objectives.contrastive import SupervisedContrastive
from infotorch.objectives.labels import ReadoutInformation
from infotorch.objectives.place import Place

ReconstructionError = Literal["squared", "cross-entropy"]


class ImageReconstruction(Objective):
    """The mean error of the raw image, made again from a grid by two convolutions.

    The grid is interpolated to the image's size, and two 3 x 3 convolutions, with batch norm and ReLU between them,
    make the image of it. The smaller the error, the more of the image the grid is known to hold: minus the error per
    value, times the number of values, bounds I(X; T) from below up to a constant.

    The reported term is `reconstruction_error`, a mean over images and values.

    Args:
        channels: between the two convolutions.
        error: "squared", half the squared difference; "cross-entropy", in nats, of values in [0, 1] and the sigmoid
            of what the convolutions give.

    Raises:
        TypeError: channels is no integer.
        ValueError: channels below 1, or an unknown error; in `build`, an output or input that is no grid of real
            numbers, or values outside [0, 1] for "cross-entropy".

    Source: Wang, Ni, Song, Yang & Huang 2021, arXiv:2101.10832, Sec. 3, with cross-entropy and 12 channels between.

    Example:
        >>> import torch
        >>> x = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))
        >>> batch = LocalBatch(x, x, torch.ones(4, 6, 4, 4), None)
        >>> objective = ImageReconstruction()
        >>> objective.build(batch, None)
        >>> list(objective(batch).terms)
        ['reconstruction_error']
    """

    decoder: nn.Sequential

    def __init__(self, *, channels: int = 12, error: ReconstructionError = "squared") -> None:
        super().__init__()
        check_count(channels, where="ImageReconstruction", name="channels")
        check_choice(error, ("squared", "cross-entropy"), where="ImageReconstruction", name="error")
        self.channels, self.error = channels, error

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make the decoder."""
        output, x = example.output, example.x
        for name, values in (("the output", output), ("x", x)):
            if values.ndim != 4 or not values.is_floating_point():
                raise ValueError(
                    f"ImageReconstruction: {name} must be a grid (b, channels, height, width) of real numbers, got "
                    f"{values.dtype} of shape {tuple(values.shape)}."
                )
        if self.error == "cross-entropy" and len(x) and not bool(((x >= 0) & (x <= 1)).all()):
            raise ValueError(
                "ImageReconstruction: x must lie in [0, 1] for error='cross-entropy', got values from "
                f"{float(x.min()):.3g} to {float(x.max()):.3g}; use 'squared'."
            )
        layers = nn.Sequential(
            nn.Conv2d(output.shape[1], self.channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(self.channels),
            nn.ReLU(),
            nn.Conv2d(self.channels, x.shape[1], 3, padding=1),
        )
        self.decoder = layers.to(output.device, output.dtype)

    def forward(self, batch: LocalBatch) -> Loss:
        """The mean error."""
        size = [batch.x.shape[2], batch.x.shape[3]]
        grid = F.interpolate(batch.output, size=size, mode="bilinear", align_corners=False)
        image, x = full_precision(self.decoder(grid)), full_precision(batch.x)
        if self.error == "squared":
            loss = 0.5 * F.mse_loss(image, x)
        else:
            loss = F.binary_cross_entropy_with_logits(image, x)
        return Loss(loss, {"reconstruction_error": loss.detach()})


class InfoPro(SumOfObjectives):
    """InfoPro: an image's reconstruction error and its label's bound, weighted by the module's place in the plan.

    The loss is `reconstruction_weight` times the error of `ImageReconstruction` minus `label_weight` times a bound on
    I(Y; T). What neither the label nor the image needs may be lost. Each weight is one number, or two: that of the
    plan's first module and that of the last but one; those between are interpolated, so that early modules can keep
    more of the image.

    Terms: `reconstruction_error`, a mean over images and values, and `mi_ty_nats`, a lower bound on I(Y; T), see
    `ReadoutInformation` and `SupervisedContrastive`.

    Args:
        reconstruction_weight: of the reconstruction error; one number or two.
        label_weight: of the label's bound; one number or two.
        labels: "readout", the bound H(Y) - CE of a linear read-out; "contrast", the supervised contrastive one of a
            projection with one hidden layer, at temperature 0.07.
        auxiliary: what the label's bound is read through, see `ThroughAuxiliary`.
        decoder_channels: between the two convolutions that make the image.
        error: of the reconstruction, "squared", or "cross-entropy" for images in [0, 1].

    Raises:
        TypeError: a weight or number of channels that is no number, or an auxiliary network of no kind.
        ValueError: a negative weight, more than two of them, an unknown choice, or channels below 1.

    Source: Wang, Ni, Song, Yang & Huang 2021, arXiv:2101.10832, Sec. 3. Their error is the cross-entropy of pixels; our
        total has the constant H(Y) less. The default weights and auxiliary network are ours.

    Example:
        >>> objective = InfoPro(reconstruction_weight=(5.0, 1.0))
        >>> objective.stand_at(Place(1, 4))  # the second of four modules: halfway to the third
        >>> objective.weights
        (3.0, 1.0)
    """

    def __init__(
        self,
        *,
        reconstruction_weight: float | Sequence[float] = (1.0, 0.1),
        label_weight: float | Sequence[float] = 1.0,
        labels: Literal["readout", "contrast"] = "readout",
        auxiliary: Auxiliary = "convolutions",
        decoder_channels: int = 12,
        error: ReconstructionError = "squared",
    ) -> None:
        check_choice(labels, ("readout", "contrast"), where="InfoPro", name="labels")
        given = (("reconstruction_weight", reconstruction_weight), ("label_weight", label_weight))
        ends = [_ends(weight, name=name) for name, weight in given]
        of_label = (
            ReadoutInformation()
            if labels == "readout"
            else SupervisedContrastive(temperature=0.07, embedding=128, hidden=(128,))
        )
        parts = [ImageReconstruction(channels=decoder_channels, error=error), ThroughAuxiliary(of_label, auxiliary)]
        super().__init__(parts, weights=[first for first, _ in ends])
        self._ends, self.needs_labels = ends, True

    def stand_at(self, place: Place) -> None:
        """See `Objective.stand_at`: the weights of this place."""
        super().stand_at(place)
        self.weights = tuple(first + (last - first) * place.share for first, last in self._ends)


def _ends(weight: float | Sequence[float], *, name: str) -> tuple[float, float]:
    several = list(weight) if isinstance(weight, Sequence) and not isinstance(weight, str) else [weight]
    if not 1 <= len(several) <= 2:
        raise ValueError(f"InfoPro: {name} must be one number, or one for each end of the plan, got {shown(weight)}.")
    for one in several:
        check_weight(one, where="InfoPro", name=name)  # pyright: ignore[reportArgumentType]
    return float(several[0]), float(several[-1])  # pyright: ignore[reportArgumentType]
