"""Changes of inputs that a classifier should put up with, in five severities: noise, blur, light and contrast."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from infotorch.numerics.checks import check_choice, check_number, shown
from infotorch.numerics.kinds import check_kind
from infotorch.numerics.module_inputs import module_input

#: (samples, severity 1 to 5, generator) -> changed samples of the same shape.
Corruption = Callable[[Tensor, int, torch.Generator], Tensor]
#: What is done to images: darkest and brightest pixel stay.
CorruptionName = Literal["gaussian_noise", "shot_noise", "impulse_noise", "gaussian_blur", "contrast", "brightness"]
SEVERITIES = (1, 2, 3, 4, 5)

# Of images of 32 x 32 pixels with values of 0 to 1, as the authors made CIFAR-10-C.
_NOISE = (0.04, 0.06, 0.08, 0.09, 0.10)
_PHOTONS = (500, 250, 100, 75, 50)
_STRUCK = (0.01, 0.02, 0.03, 0.05, 0.07)
_BLUR = (0.4, 0.6, 0.7, 0.8, 1.0)
_CONTRAST = (0.75, 0.5, 0.4, 0.3, 0.15)
_LIGHT = (0.05, 0.1, 0.15, 0.2, 0.3)
# Of vectors, in standard deviations of each column.
_SHARES = (0.1, 0.2, 0.3, 0.5, 1.0)


@dataclass(frozen=True)
class ImageCorruption:
    """One kind of change of images (n, channels, height, width), with the severities of CIFAR-10-C.

    "gaussian_noise" adds noise to every pixel, "shot_noise" counts photons, "impulse_noise" makes pixels of single
    channels darkest or brightest, "gaussian_blur" averages neighbours, "contrast" draws pixels to the mean of their
    image and channel, "brightness" adds light to all channels alike (the authors add it in HSV space).

    Args:
        name: which.
        pixel_range: darkest and brightest pixel, to which results are clipped.

    Example:
        >>> images = torch.tensor([[[[0.0, 1.0]]]])
        >>> ImageCorruption("contrast", (0.0, 1.0))(images, 2, torch.Generator()).tolist()
        [[[[0.25, 0.75]]]]

    Source: Hendrycks & Dietterich 2019, arXiv:1903.12261; sizes from the authors' make_cifar_c.py.
    """

    name: CorruptionName
    pixel_range: tuple[float, float]

    def __post_init__(self) -> None:
        check_choice(self.name, NAMES, where="ImageCorruption", name="name")
        low, high = _ends(self.pixel_range)
        object.__setattr__(self, "pixel_range", (low, high))

    def __call__(self, images: Tensor, severity: int, generator: torch.Generator) -> Tensor:
        """The changed images.

        Raises:
            TypeError: images are no tensor of real numbers, or generator is none.
            ValueError: images are not (n, channels, height, width), or a severity that is not 1 to 5.
        """
        images = module_input(images, where="ImageCorruption", name="images")
        if images.ndim != 4 or not images.is_floating_point():
            got = f"{images.dtype} {tuple(images.shape)}"
            raise ValueError(f"ImageCorruption: images must be real, (n, channels, height, width), got {got}.")
        check_choice(severity, SEVERITIES, where="ImageCorruption", name="severity")
        check_kind(generator, torch.Generator, where="ImageCorruption", name="generator", said="a torch.Generator")
        low, high = self.pixel_range
        unit = ((images - low) / (high - low)).clamp(0, 1)
        changed = _CHANGES[self.name](unit, int(severity) - 1, generator)
        return low + (high - low) * changed.clamp(0, 1)


def _gaussian_noise(x: Tensor, size: int, generator: torch.Generator) -> Tensor:
    return x + _NOISE[size] * _normal(x, generator)


def _shot_noise(x: Tensor, size: int, generator: torch.Generator) -> Tensor:
    photons = _PHOTONS[size]
    return torch.poisson((x * photons).cpu().double(), generator=generator).to(x) / photons


def _impulse_noise(x: Tensor, size: int, generator: torch.Generator) -> Tensor:
    drawn = torch.rand(x.shape, generator=generator, dtype=torch.float64).to(x.device)
    share = _STRUCK[size]
    struck = torch.where(drawn < share / 2, torch.zeros_like(x), torch.ones_like(x))
    return torch.where(drawn < share, struck, x)


def _gaussian_blur(x: Tensor, size: int, generator: torch.Generator) -> Tensor:
    del generator
    deviation = _BLUR[size]
    reach = int(4 * deviation + 0.5)
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=x.dtype, device=x.device) / deviation) ** 2)
    weights = weights / weights.sum()
    n, c, h, w = x.shape
    rows = F.pad(x.reshape(n * c, 1, h, w), (reach, reach, reach, reach), mode="replicate")
    return F.conv2d(F.conv2d(rows, weights.view(1, 1, 1, -1)), weights.view(1, 1, -1, 1)).reshape(n, c, h, w)


def _contrast(x: Tensor, size: int, generator: torch.Generator) -> Tensor:
    del generator
    means = x.mean(dim=(2, 3), keepdim=True)
    return (x - means) * _CONTRAST[size] + means


def _brightness(x: Tensor, size: int, generator: torch.Generator) -> Tensor:
    del generator
    return x + _LIGHT[size]


def column_noise(rows: Tensor, severity: int, generator: torch.Generator) -> Tensor:
    """Normal noise on every column of vectors, of 0.1, 0.2, 0.3, 0.5 or 1 of the column's standard deviation.

    Example:
        >>> rows = torch.tensor([[0.0, 5.0], [2.0, 5.0]])
        >>> column_noise(rows, 5, torch.Generator().manual_seed(0))[:, 1].tolist()
        [5.0, 5.0]
    """
    spread = rows.std(dim=0, keepdim=True) if len(rows) > 1 else torch.zeros_like(rows)
    return rows + _SHARES[int(severity) - 1] * spread * _normal(rows, generator)


def _normal(x: Tensor, generator: torch.Generator) -> Tensor:
    """Drawn in float64 on the CPU, so that neither type nor device changes what is drawn."""
    return torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x)


def _ends(pixel_range: object) -> tuple[float, float]:
    """Darkest and brightest pixel.

    Raises:
        TypeError: no pair of numbers.
        ValueError: the second is not above the first.
    """
    if not isinstance(pixel_range, tuple | list) or len(pixel_range) != 2:
        raise TypeError(f"ImageCorruption: pixel_range must be a pair of numbers, got {shown(pixel_range)}.")
    for end in pixel_range:
        check_number(end, where="ImageCorruption", name="an end of pixel_range")
    low, high = (float(end) for end in pixel_range)
    if not -math.inf < low < high < math.inf:
        raise ValueError(f"ImageCorruption: pixel_range must have a finite length, got {low} to {high}.")
    return low, high


_CHANGES: Mapping[CorruptionName, Corruption] = {
    "gaussian_noise": _gaussian_noise,
    "shot_noise": _shot_noise,
    "impulse_noise": _impulse_noise,
    "gaussian_blur": _gaussian_blur,
    "contrast": _contrast,
    "brightness": _brightness,
}
NAMES = tuple(_CHANGES)
