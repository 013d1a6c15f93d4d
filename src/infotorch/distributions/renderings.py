"""Images of a few numbers, one to one, for `Transformed`: they keep the information and spread it over pixels."""

from __future__ import annotations

import torch
from torch import Tensor

from infotorch.numerics.checks import as_tensor, check_positive, check_size

# A rectangle covers at least one pixel whole in either direction, so that its edges can be read off.
_LEAST_SIDE = 2.0


def gaussian_images(rows: Tensor, *, size: int = 16, width: float = 2.0) -> Tensor:
    """A round bump at each place: exp(-|pixel - place|^2 / (2 width^2)), one to one.

    Args:
        rows: places, shape (n, 2), vertical and horizontal as shares of the image, in [0, 1].
        size: pixels of either side, at least 2.
        width: standard deviation of the bump, in pixels.

    Returns:
        Images of shape (n, size, size), values in [0, 1].

    Raises:
        ValueError: rows has another shape or a value outside [0, 1], or size or width is out of range.
        TypeError: rows are not made of real numbers, or size or width is of another kind.

    Source: Butakov et al. 2024, arXiv:2305.08013, Sec. 5 (Gaussian images of a known latent).

    Example:
        >>> gaussian_images(torch.tensor([[0.5, 0.5]]), size=3, width=1.0).round(decimals=2)[0]
        tensor([[0.3700, 0.6100, 0.3700],
                [0.6100, 1.0000, 0.6100],
                [0.3700, 0.6100, 0.3700]])
    """
    rows = _shares(rows, 2, size, where="gaussian_images")
    check_positive(width, where="gaussian_images", name="width")
    pixels = torch.arange(size, dtype=rows.dtype, device=rows.device)
    profile = torch.exp(-(((pixels - (size - 1) * rows[:, :, None]) / width) ** 2) / 2)
    return profile[:, 0, :, None] * profile[:, 1, None, :]


def rectangle_images(rows: Tensor, *, size: int = 16) -> Tensor:
    """A bright rectangle, each pixel as bright as the share of it that is covered: one to one.

    Args:
        rows: shape (n, 4), in [0, 1]: where the rectangle begins and how long it is, first vertically, then
            horizontally. Lengths run from 2 pixels to half of the image, places over what then remains.
        size: pixels of either side, at least 8.

    Returns:
        Images of shape (n, size, size), values in [0, 1].

    Raises:
        ValueError: rows has another shape or a value outside [0, 1], or size is below 8.
        TypeError: rows are not made of real numbers, or size is no integer.

    Source: Butakov et al. 2024, arXiv:2305.08013, Sec. 5 (rectangles of known latents).

    Example:
        >>> rectangle_images(torch.tensor([[0.0, 0.0, 0.25, 0.0]]), size=8)[0, :3, :5]
        tensor([[0.0000, 0.5000, 1.0000, 0.5000, 0.0000],
                [0.0000, 0.5000, 1.0000, 0.5000, 0.0000],
                [0.0000, 0.0000, 0.0000, 0.0000, 0.0000]])
    """
    rows = _shares(rows, 4, size, where="rectangle_images")
    if size < 8:
        raise ValueError(f"rectangle_images: size must be at least 8, got {size}.")
    length = _LEAST_SIDE + (size / 2 - _LEAST_SIDE) * rows[:, 1::2]
    begin = (size - length) * rows[:, 0::2]
    pixels = torch.arange(size, dtype=rows.dtype, device=rows.device)
    low, high = begin[:, :, None], (begin + length)[:, :, None]
    covered = (torch.minimum(high, pixels + 1) - torch.maximum(low, pixels)).clamp(0, 1)
    return covered[:, 0, :, None] * covered[:, 1, None, :]


def _shares(rows: Tensor, columns: int, size: int, *, where: str) -> Tensor:
    check_size(size, where=where, name="size")
    if size < 2:
        raise ValueError(f"{where}: size must be at least 2, got {size}.")
    rows = as_tensor(rows, where=where, name="rows")
    rows = rows if rows.is_floating_point() and rows.element_size() > 1 else rows.to(torch.get_default_dtype())
    if rows.ndim != 2 or rows.shape[1] != columns or not ((rows >= 0) & (rows <= 1)).all():
        raise ValueError(f"{where}: rows must be {columns} columns of values in [0, 1], got shape {tuple(rows.shape)}.")
    return rows
