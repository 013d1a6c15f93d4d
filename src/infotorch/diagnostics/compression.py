"""P2: how far a representation is compressed, geometrically, and by information once noise or bins make it finite."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from infotorch.diagnostics.own_noise import OwnNoise
from infotorch.estimators.binned import binned_mi
from infotorch.estimators.channel import pairwise_bounds
from infotorch.estimators.estimate import Estimate
from infotorch.numerics.columns import spread


@dataclass(frozen=True)
class NoisyInformation:
    """Bounds on I(X; T + noise) of Gaussian noise, in nats, for an input that is one of the rows.

    Args:
        relative_noise: the noise's standard deviation in every column, in units of the layer's spread.
        noise_std: the same in the layer's own units.
        lower: see `pairwise_bounds`; None where the layer holds noise of its own that is not Gaussian.
        upper: see `pairwise_bounds`; near log n it says nothing.

    Example:
        >>> found = compression(torch.eye(4), None, noise_levels=[0.01]).noisy[0]
        >>> round(found.upper, 3), round(found.lower or 0.0, 3)  # four points far apart: log 4
        (1.386, 1.386)
    """

    relative_noise: float
    noise_std: float
    lower: float | None
    upper: float


@dataclass(frozen=True)
class QuantisedEntropy:
    """Entropy of the layer after every column is cut into bins of equal width between its ends, in nats.

    Args:
        num_bins: bins of a column.
        entropy: H(Q(T)), and I(X; Q(T)) as well where the layer holds no noise of its own; log n where every row has a
            cell of its own.

    Example:
        >>> compression(torch.eye(4), None, noise_levels=[0.1], num_bins=[2]).quantised
        (QuantisedEntropy(num_bins=2, entropy=1.386...),)
    """

    num_bins: int
    entropy: float


@dataclass(frozen=True)
class Compression:
    """P2 of one layer T.

    Args:
        spread: root mean square distance of the rows from their mean: the layer's scale.
        within_classes: share of the squared distances from the mean that lies within classes, 0 (each class a point) to
            1; None without classes, or for a constant layer.
        dimensions: participation ratio of the covariance's eigenvalues: 1 for a line, d for a ball; 0 if constant.
        noisy: bounds at several noises; none of them is the right one.
        quantised: entropies for several numbers of bins.
        ceiling: log n, which neither can exceed, in nats.
        own_noise: "none"; "gaussian" where the layer's own noise is known and counted in `noisy`; "other" where it is
            left out there: the upper bounds then hold, and may lie far too high.

    Example:
        >>> found = compression(torch.eye(4), None, noise_levels=[0.1])
        >>> round(found.dimensions, 3), round(found.ceiling, 3), found.own_noise
        (3.0, 1.386, 'none')
    """

    spread: float
    within_classes: float | None
    dimensions: float
    noisy: tuple[NoisyInformation, ...]
    quantised: tuple[QuantisedEntropy, ...]
    ceiling: float
    own_noise: Literal["none", "gaussian", "other"] = "none"


def compression(
    t: Tensor,
    y: Tensor | None,
    *,
    noise_levels: Sequence[float],
    num_bins: Sequence[int] = (2, 4, 8),
    own: OwnNoise | None = None,
) -> Compression:
    """Measure P2. Noise and bins follow the layer's own scale, so that scaling it changes nothing.

    Args:
        t: the layer, (n, d), n >= 2.
        y: classes, (n,), -1 for unlabelled samples; or None.
        noise_levels: standard deviations of the noise, in units of the layer's spread.
        num_bins: numbers of bins of a column.
        own: the layer's own noise, see `infotorch.diagnostics.own_noise`; t is then one draw of it for every row.

    Source: Amjad & Geiger 2019, arXiv:1802.09766, Secs. 3, 5.4 and footnote 3; H(Q(T)) after Goldfeld et al.
        2019, arXiv:1810.05728.

    Example:
        >>> t = torch.tensor([[0.0, 0], [0, 0], [4, 0], [4, 0]])
        >>> found = compression(t, torch.tensor([0, 0, 1, 1]), noise_levels=[0.1])
        >>> found.within_classes, found.dimensions, round(found.noisy[0].upper, 3)  # log 2
        (0.0, 1.0, 0.693)
    """
    rows = t.detach().cpu().double()
    size = spread(rows)
    if size <= 1e-12 * float(rows.abs().max()):
        size, rows = 0.0, torch.zeros_like(rows)
    return Compression(
        spread=size,
        within_classes=None if y is None or size == 0 else within_classes(rows, y.cpu()),
        dimensions=participation_ratio(rows),
        noisy=tuple(_noisy(rows, level, size, own) for level in noise_levels),
        quantised=tuple(
            QuantisedEntropy(bins, float(binned_mi(torch.arange(len(rows)), rows, num_bins=bins))) for bins in num_bins
        ),
        ceiling=math.log(len(rows)),
        own_noise="none" if own is None else "other" if own.gaussian is None else "gaussian",
    )


def within_classes(t: Tensor, y: Tensor) -> float | None:
    """Share of the squared distances from the mean that lies within classes; None where no labelled samples differ.

    Example:
        >>> within_classes(torch.tensor([[0.0], [2], [4], [6]]), torch.tensor([0, 0, 1, 1]))
        0.2
    """
    t, y = t[y >= 0], y[y >= 0]
    total = float((t - t.mean(dim=0)).square().sum()) if len(t) else 0.0
    if total == 0:
        return None
    inside = sum(float((t[y == c] - t[y == c].mean(dim=0)).square().sum()) for c in y.unique().tolist())
    return inside / total


def participation_ratio(t: Tensor) -> float:
    """(sum of eigenvalues)^2 / sum of their squares, of the covariance; 0 for a constant layer.

    Example:
        >>> round(participation_ratio(torch.eye(4).double()), 6)  # a simplex: three equal directions
        3.0
    """
    sizes = torch.linalg.svdvals(t - t.mean(dim=0)).square()
    total = float(sizes.sum())
    return total**2 / float(sizes.square().sum()) if total > 0 else 0.0


def noisy_bounds(t: Tensor, noise_std: float, own: OwnNoise | None) -> tuple[Estimate | None, Estimate]:
    """Bounds on I(X; T + noise), see `pairwise_bounds`; the lower one is None where own noise is not known.

    Noise of its own that is known is part of the channel. Of any other, the draw that T is stands for the layer: what
    it tells is I(X; T + noise) of somebody who knows that draw, which is no less, so that the upper bound stays one.

    Args:
        t: the layer, (n, d).
        noise_std: standard deviation of the noise that is added.
        own: the layer's own noise.
    """
    if own is None:
        return pairwise_bounds(t, noise_std)
    if own.gaussian is None:
        return None, pairwise_bounds(t, noise_std)[1]
    mean, noise = (part.to(t) for part in own.gaussian)
    whole = noise.square().add(noise_std**2).sqrt()
    if bool((whole == whole[:1]).all()):  # one channel for all rows: distances by a matrix product
        return pairwise_bounds(mean / whole[0], 1.0)
    return pairwise_bounds(mean, whole)


def _noisy(rows: Tensor, level: float, size: float, own: OwnNoise | None) -> NoisyInformation:
    lower, upper = noisy_bounds(rows, level * size if size > 0 else 1.0, own)
    return NoisyInformation(level, level * size, None if lower is None else float(lower), float(upper))
