"""Random crops, shifts and flips of training images: every choice is a function of (seed, epoch, row)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from infotorch.numerics.checks import check_choice
from infotorch.numerics.seeds import SeedStreams

Augmentation = Literal["none", "crops-flips", "shifts-flips", "shifts"]
AUGMENTATIONS = ("none", "crops-flips", "shifts-flips", "shifts")
#: Pixels put around an image of 32 before a crop of 32 is taken from it (Lee et al. 2015, Sec. 4).
PADDING = 4
#: Pixels that an image is shifted by at most (Jordan 2024, Sec. 3.5).
SHIFT = 2
#: Data sets of which a mirrored image is another sign, or none.
_UPRIGHT = {"mnist", "digits"}


def check_augmentation(augment: Augmentation, x: object, *, where: str) -> None:
    """Refuse an unknown augmentation, or one of samples that are no images.

    Raises:
        ValueError: of the one or the other, or images that are too small to be shifted.

    Example:
        >>> check_augmentation("crops-flips", torch.zeros(2, 3, 32, 32), where="TensorBatches")
    """
    check_choice(augment, AUGMENTATIONS, where=where, name="augment")
    shape = getattr(x, "shape", None)
    if augment != "none" and (shape is None or len(shape) != 4):
        got = "graphs" if shape is None else f"rows of shape {tuple(shape[1:])}"
        raise ValueError(f"{where}: augment={augment!r} needs images (n, channels, height, width), got {got}.")
    if augment.startswith("shifts") and shape is not None and min(shape[2:]) <= SHIFT:
        raise ValueError(f"{where}: augment={augment!r} needs sides above {SHIFT}, got {tuple(shape[2:])}.")


def mirrors_alike(name: str) -> bool:
    """Whether the images of a data set keep their class in a mirror: all but digits.

    Example:
        >>> mirrors_alike("cifar10"), mirrors_alike("mnist")
        (True, False)
    """
    return name not in _UPRIGHT


def augmentation_for(name: str, augment: Augmentation) -> Augmentation:
    """The augmentation without the flips of "shifts-flips" where a mirror changes the class.

    Example:
        >>> augmentation_for("mnist", "shifts-flips")
        'shifts'
    """
    return "shifts" if augment == "shifts-flips" and not mirrors_alike(name) else augment


def draw_choices(augment: Augmentation, count: int, streams: SeedStreams, *position: int) -> Tensor | None:
    """What happens to each of `count` rows in one pass, for `augmented`; None where nothing does.

    All samples are drawn at once, so that a sample's fate does not depend on the batch or process that it falls to.

    Args:
        augment: which augmentation.
        count: rows of the data set.
        streams: of the run.
        position: the epoch, and whatever else tells two passes over the samples apart.

    Returns:
        int64 of shape (count, 3), on the CPU: a crop's upper and left edge, and whether it is mirrored, 0 or 1.
    """
    if augment == "none":
        return None
    if augment == "crops-flips":
        return crops_and_flips(count, streams, *position)
    return shifts_and_flips(count, streams, *position, flips=augment == "shifts-flips")


def augmented(augment: Augmentation, images: Tensor, rows: Tensor) -> Tensor:
    """The images as rows of `draw_choices` have them."""
    return (crop_and_flip if augment == "crops-flips" else shift_and_flip)(images, rows)


def crops_and_flips(count: int, streams: SeedStreams, *position: int) -> Tensor:
    """Of each of `count` rows the crop's upper and left edge, 0 to 8, and whether it is mirrored, 0 or 1.

    Args:
        count: see `draw_choices`.
        streams: of the run; the stream is "augment".
        position: see `draw_choices`.

    Returns:
        int64 of shape (count, 3), on the CPU.

    Example:
        >>> crops_and_flips(2, SeedStreams(0), 7).shape
        torch.Size([2, 3])
    """
    generator = streams.generator("augment", *position)
    edges = torch.randint(0, 2 * PADDING + 1, (count, 2), generator=generator)
    return torch.cat([edges, torch.randint(0, 2, (count, 1), generator=generator)], dim=1)


def shifts_and_flips(count: int, streams: SeedStreams, *position: int, flips: bool = True) -> Tensor:
    """Of each of `count` rows the crop's upper and left edge, 0 to 4, and whether it is mirrored, 0 or 1.

    Half of the samples, drawn once, are mirrored in the even epochs, and the others in the odd ones: two epochs in a
    row show either side of every image once.

    Args:
        count: see `draw_choices`.
        streams: of the run; the streams are "augment" for the shifts and "flips".
        position: see `draw_choices`.
        flips: False mirrors nothing.

    Returns:
        int64 of shape (count, 3), on the CPU.

    Source: Jordan 2024, arXiv:2404.00498, Sec. 3.6, alternating flip; its code tells the halves apart by a hash.

    Example:
        >>> first, second = (shifts_and_flips(3, SeedStreams(0), epoch)[:, 2] for epoch in (0, 1))
        >>> (first + second).tolist()
        [1, 1, 1]
    """
    edges = torch.randint(0, 2 * SHIFT + 1, (count, 2), generator=streams.generator("augment", *position))
    drawn = torch.randint(0, 2, (count, 1), generator=streams.generator("flips"))
    return torch.cat([edges, (drawn + sum(position)) % 2 if flips else torch.zeros_like(drawn)], dim=1)


def crop_and_flip(images: Tensor, choices: Tensor) -> Tensor:
    """Crops of the images' own size from the images with a margin of 4 zeros, some of them mirrored left to right.

    Zero is black where pixels lie in [0, 1], and the mean where they are standardised.

    Args:
        images: (b, channels, height, width), left as they are.
        choices: rows of `crops_and_flips`, (b, 3), on the images' device.

    Returns:
        (b, channels, height, width).

    Example:
        >>> image = torch.arange(4.0).reshape(1, 1, 2, 2)
        >>> crop_and_flip(image, torch.tensor([[4, 4, 1]]))  # the middle, mirrored
        tensor([[[[1., 0.],
                  [3., 2.]]]])
        >>> crop_and_flip(image, torch.tensor([[5, 4, 0]]))  # one pixel up
        tensor([[[[2., 3.],
                  [0., 0.]]]])
    """
    return _cut_out(F.pad(images, (PADDING,) * 4), choices, images.shape)


def shift_and_flip(images: Tensor, choices: Tensor) -> Tensor:
    """The images shifted by up to 2 pixels, some of them mirrored left to right; what comes in mirrors the border.

    Args:
        images: (b, channels, height, width), sides of 3 or more, left as they are.
        choices: rows of `shifts_and_flips`, (b, 3), on the images' device.

    Returns:
        (b, channels, height, width).

    Example:
        >>> image = torch.arange(9.0).reshape(1, 1, 3, 3)
        >>> shift_and_flip(image, torch.tensor([[3, 2, 0]]))  # one pixel up: below the border comes what is above it
        tensor([[[[3., 4., 5.],
                  [6., 7., 8.],
                  [3., 4., 5.]]]])
    """
    return _cut_out(F.pad(images, (SHIFT,) * 4, mode="reflect"), choices, images.shape)


def _cut_out(padded: Tensor, choices: Tensor, shape: torch.Size) -> Tensor:
    """Images of `shape` from within padded ones."""
    height, width = shape[2:]
    top, left, mirrored = choices.to(torch.int64).unbind(dim=1)
    rows = top[:, None] + torch.arange(height, device=padded.device)
    across = torch.arange(width, device=padded.device)
    columns = left[:, None] + torch.where(mirrored[:, None] == 1, width - 1 - across, across)
    # Pixels numbered through the padded image: one look-up instead of one along either side.
    pixels = (rows[:, :, None] * padded.shape[3] + columns[:, None, :]).flatten(1)
    return padded.flatten(2).gather(2, pixels[:, None].expand(-1, shape[1], -1)).view(shape)
