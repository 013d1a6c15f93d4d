"""Features of images: how much they look, anywhere and in each quarter, like small patches of training images.

Nothing but the patches is learned, so that features cost seconds, where a convolutional network that is trained costs
minutes, and do not tell one training image from the other.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from infotorch.numerics.seeds import derive_seed

_PATCHES, _SIDE, _PARTS = 256, 7, 2
# The image itself, in so many parts along each side.
_COARSE = 8
# Of so many drawn for each that is taken, the half with the most contrast is left.
_DRAWN = 8
# Contrast below this share of the images' own counts as none; likeness below this one too.
_LEAST_CONTRAST, _LEAST_LIKENESS = 0.1, 0.5
_AT_ONCE = 500
# Images with longer sides are looked at in every other place.
_LONG = 20
# A feature that hardly varies is not blown up.
_LEAST_SPREAD, _FAR = 0.05, 6.0


def patch_features(images: Tensor, train: Tensor) -> Tensor:
    """Likeness to 256 patches of training images, its maximum over places and its mean in each quarter; 8 x 8 pixels.

    Likeness is the correlation of pixels, less 0.5 and 0 where it is below: light and contrast do not matter to it. The
    pixels are means of the image's parts.

    Args:
        images: float32 of shape (n, c, h, w), at least 3 x 3 pixels.
        train: numbers of the images of which patches are taken, and in whose units features are measured.

    Returns:
        Shape (n, 1280 + 64 c), float32; of about mean 0 and variance 1 over the training images, at
        most 6.

    Source: Coates, Lee & Ng 2011, "An analysis of single-layer networks in unsupervised feature learning"; without
        whitening, and with the maximum over all places.

    Example:
        >>> images = torch.rand(20, 1, 12, 12, generator=torch.Generator().manual_seed(0))
        >>> features = patch_features(images, torch.arange(10))
        >>> features.shape, float(features.abs().max()) <= 6
        (torch.Size([20, 1344]), True)
    """
    side = min(_SIDE, *images.shape[2:])
    least = _LEAST_CONTRAST * float(images[train].std(unbiased=False)) + torch.finfo(images.dtype).tiny
    patches = _patches(images, train, side, least)
    coarse = F.adaptive_avg_pool2d(images, _COARSE).flatten(1)
    features = torch.cat([_likeness(part, patches, least) for part in images.split(_AT_ONCE)])
    features = torch.cat([features, coarse], dim=1)
    spread = features[train].std(dim=0, unbiased=False)
    unit = spread + _LEAST_SPREAD * spread.mean()
    return ((features - features[train].mean(dim=0)) / torch.where(unit > 0, unit, 1)).clamp(-_FAR, _FAR)


def _patches(images: Tensor, train: Tensor, side: int, least: float) -> Tensor:
    """Patches of mean 0 and length 1, drawn among those of much contrast; shape (256, c, side, side)."""
    generator = torch.Generator().manual_seed(derive_seed(0, "patches of mutual_information"))
    height, width = images.shape[2:]

    def drawn(most: int) -> list[int]:
        return torch.randint(most, (_DRAWN * _PATCHES,), generator=generator, device="cpu").tolist()

    places = zip(train[drawn(len(train))].tolist(), drawn(height - side + 1), drawn(width - side + 1), strict=True)
    all_drawn = torch.stack([images[i, :, top : top + side, left : left + side] for i, top, left in places])
    centered = all_drawn - all_drawn.mean(dim=(1, 2, 3), keepdim=True)
    contrast = centered.flatten(1).std(dim=1)
    best = contrast.argsort(descending=True)[: _DRAWN * _PATCHES // 2]
    taken = best[torch.randperm(len(best), generator=generator, device="cpu")[:_PATCHES]]
    length = centered[taken].flatten(1).norm(dim=1) + least
    return centered[taken] / length[:, None, None, None]


def _likeness(images: Tensor, patches: Tensor, least: float) -> Tensor:
    """Of each image to each patch: the maximum, and the mean of each quarter; shape (n, 1280)."""
    pixels = patches[0].numel()
    even = torch.full_like(patches[:1], 1 / pixels)
    step = 2 if min(images.shape[2:]) > _LONG else 1
    mean = F.conv2d(images, even, stride=step)
    contrast = (F.conv2d(images.square(), even, stride=step) - mean.square()).clamp_min(0).sqrt()
    # Patches have mean 0, so that an image's own mean adds nothing.
    likeness = F.conv2d(images, patches, stride=step) / (pixels**0.5 * (contrast + least))
    likeness = F.relu(likeness - _LEAST_LIKENESS)
    parts = F.adaptive_avg_pool2d(likeness, _PARTS).flatten(1)
    return torch.cat([likeness.amax(dim=(2, 3)), parts], dim=1)
