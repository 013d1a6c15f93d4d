"""How two usual estimates of I(X; T) react to what changes no information: a scale, a bijection; and their gradient."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from infotorch.estimators.binned import binned_mi
from infotorch.estimators.channel import pairwise_bounds
from infotorch.estimators.doubts import unexamined
from infotorch.numerics.columns import narrowed, spread

# Rows between which all distances are taken.
_MOST_ROWS = 500
_SCALE = 10.0
# A step that a bin is unlikely to notice, in units of the spread.
_STEP = 1e-7


@dataclass(frozen=True)
class Sensitivity:
    """One estimate of I(X; T), in nats, and what becomes of it; the information itself is the same each time.

    Args:
        assumption: what makes the estimate finite, with its number, in the units of the layer as it is.
        value: the estimate.
        scaled: of ten times the layer, under the same assumption.
        bent: of a bijection of the layer (the cube of each centred column, at the same spread).
        gradient: nats for each spread by which the layer moves along the gradient; 0 where nothing pulls.

    Example:
        >>> found = noisy_sensitivity(torch.tensor([[0.0], [1.0]]), 0.1)
        >>> found.assumption, round(found.value, 3)  # two points far apart: log 2
        ('noise_std=0.05', 0.693)
    """

    assumption: str
    value: float
    scaled: float
    bent: float
    gradient: float


def noisy_sensitivity(t: Tensor, relative_noise: float) -> Sensitivity:
    """The upper pairwise bound of the layer with Gaussian noise, in units of its spread.

    Example:
        >>> t = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
        >>> found = noisy_sensitivity(t, 0.3)
        >>> found.scaled > found.value + 2, found.gradient > 0
        (True, True)
    """
    rows, size = _prepared(t)
    noise_std = relative_noise * size if size > 0 else 1.0
    leaf = rows.clone().requires_grad_()
    value = pairwise_bounds(leaf, noise_std)[1].value
    (slope,) = torch.autograd.grad(value, leaf)
    scaled, bent = (float(pairwise_bounds(other, noise_std)[1]) for other in (_SCALE * rows, _bent(rows)))
    return Sensitivity(f"noise_std={noise_std:.3g}", float(value.detach()), scaled, bent, float(slope.norm()) * size)


def binned_sensitivity(t: Tensor) -> Sensitivity:
    """The binned estimate, bins as wide as the columns' root mean square deviation.

    Example:
        >>> t = torch.randn(200, 2, generator=torch.Generator().manual_seed(0))
        >>> found = binned_sensitivity(t)
        >>> found.scaled > found.value + 1, found.gradient
        (True, 0.0)
    """
    rows, size = _prepared(t)
    bin_width = size / math.sqrt(rows.shape[1]) if size > 0 else 1.0
    number = torch.arange(len(rows))

    def estimate(values: Tensor) -> float:
        with unexamined():  # this is the measure of how far units move the value
            return float(binned_mi(number, values, bin_width=bin_width))

    value = estimate(rows)
    moved = estimate(rows + _STEP * size * torch.cos(torch.arange(rows.numel())).reshape(rows.shape).to(rows))
    slope = (moved - value) / _STEP
    return Sensitivity(f"bin_width={bin_width:.3g}", value, estimate(_SCALE * rows), estimate(_bent(rows)), abs(slope))


def _prepared(t: Tensor) -> tuple[Tensor, float]:
    rows = narrowed(t[:_MOST_ROWS].detach().cpu().double())
    rows = rows - rows.mean(dim=0)
    size = spread(rows)
    # Centring leaves rounding of equal rows.
    return (rows, size) if size > 1e-9 * float(t.abs().max().clamp_min(1e-300)) else (torch.zeros_like(rows), 0.0)


def _bent(rows: Tensor) -> Tensor:
    cubed = rows**3
    size = spread(cubed)
    return cubed * (spread(rows) / size) if size > 0 else cubed
