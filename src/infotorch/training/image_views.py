"""Scores of an image that are means over a few views of it: shifted by a pixel, and mirrored."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch.nn.functional as F
from torch import Tensor

from infotorch.numerics.checks import check_callable

_SHIFT = 1


def check_views(x: object, *, where: str) -> None:
    """Refuse samples that have no such views.

    Raises:
        ValueError: no images in a tensor, or of one pixel.

    Example:
        >>> import torch
        >>> check_views(torch.zeros(2, 3, 8, 8), where="cifar10")
    """
    if not isinstance(x, Tensor) or x.ndim != 4 or min(x.shape[2:]) <= _SHIFT:
        got = f"rows of shape {tuple(x.shape[1:])}" if isinstance(x, Tensor) else "samples that are no tensor"
        raise ValueError(f"{where}: data.test_views needs images (n, channels, height, width), got {got}.")


def view_scores(scores: Callable[[Tensor], Tensor], *, mirror: bool) -> Callable[[Tensor], Tensor]:
    """A function from images to the weighted mean of their views' scores.

    Half of the weight is the image's own, a quarter each that of the image shifted by a pixel up and to the left, and
    down and to the right, where the border is mirrored in. Each shares its weight evenly with its mirror image.

    Args:
        scores: images (b, channels, height, width) -> scores (b, classes).
        mirror: False leaves the mirror images out, of digits for instance.

    Raises:
        TypeError: scores cannot be called.

    Source: Jordan 2024, arXiv:2404.00498, Sec. 3.5: six views.

    Example:
        >>> import torch
        >>> corner = view_scores(lambda images: images[:, 0, :1, 0], mirror=True)
        >>> corner(torch.arange(4.0).reshape(1, 1, 2, 2))  # 0/4 + 1/4, and by eighths 3 + 2 and 3 + 2
        tensor([[1.5000]])
    """
    check_callable(scores, where="view_scores", name="scores")

    def mean(images: Tensor) -> Tensor:
        total = sum(weight * scores(view) for view, weight in _views(images, mirror))
        assert isinstance(total, Tensor)
        return total

    return mean


def _views(images: Tensor, mirror: bool) -> Iterator[tuple[Tensor, float]]:
    height, width = images.shape[2:]
    padded = F.pad(images, (_SHIFT,) * 4, mode="reflect")
    last = 2 * _SHIFT
    shifted = (padded[:, :, last:, last:], padded[:, :, :height, :width])
    for view, weight in ((images, 0.5), *((one, 0.25) for one in shifted)):
        if mirror:
            yield view, weight / 2
            yield view.flip(3), weight / 2
        else:
            yield view, weight
