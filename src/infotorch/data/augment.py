"""Random crops and flips of training images: every choice is a function of (seed, epoch, row)."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from infotorch.numerics.checks import check_choice
from infotorch.numerics.seeds import SeedStreams

Augmentation = Literal["none", "crops-flips"]
AUGMENTATIONS = ("none", "crops-flips")
#: Pixels put around an image of 32 before a crop of 32 is taken from it (Lee et al. 2015, Sec. 4).
PADDING = 4


def check_augmentation(augment: Augmentation, x: object, *, where: str) -> None:
    """Refuse an unknown augmentation, or one of samples that are no images.

    Raises:
        ValueError: of the one or the other.

    Example:
        >>> check_augmentation("crops-flips", torch.zeros(2, 3, 32, 32), where="TensorBatches")
    """
    check_choice(augment, AUGMENTATIONS, where=where, name="augment")
    shape = getattr(x, "shape", None)
    if augment != "none" and (shape is None or len(shape) != 4):
        got = "graphs" if shape is None else f"rows of shape {tuple(shape[1:])}"
        raise ValueError(f"{where}: augment={augment!r} needs images (n, channels, height, width), got {got}.")


def crops_and_flips(count: int, streams: SeedStreams, *position: int) -> Tensor:
    """What happens to each of `count` rows: the crop's upper and left edge, 0 to 8, and whether it is mirrored, 0 or 1.

    All samples are drawn at once, so that a sample's fate does not depend on the batch or process that it falls to.

    Args:
        count: rows of the data set.
        streams: of the run; the stream is "augment".
        position: the epoch, and whatever else tells two passes over the samples apart.

    Returns:
        int64 of shape (count, 3), on the CPU.

    Example:
        >>> crops_and_flips(2, SeedStreams(0), 7).shape
        torch.Size([2, 3])
    """
    generator = streams.generator("augment", *position)
    edges = torch.randint(0, 2 * PADDING + 1, (count, 2), generator=generator)
    return torch.cat([edges, torch.randint(0, 2, (count, 1), generator=generator)], dim=1)


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
    height, width = images.shape[2:]
    top, left, mirrored = choices.to(torch.int64).unbind(dim=1)
    rows = top[:, None] + torch.arange(height, device=images.device)
    across = torch.arange(width, device=images.device)
    columns = left[:, None] + torch.where(mirrored[:, None] == 1, width - 1 - across, across)
    padded = F.pad(images, (PADDING,) * 4).flatten(2)
    # Pixels numbered through the padded image: one look-up instead of one along either side.
    pixels = (rows[:, :, None] * (width + 2 * PADDING) + columns[:, None, :]).flatten(1)
    return padded.gather(2, pixels[:, None].expand(-1, images.shape[1], -1)).view(images.shape)
