"""P2: how far a representation is compressed, geometrically, and by information once noise or bins make it finite."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from infotorch.diagnostics.representations import spread
from infotorch.estimators.binned import binned_mi
from infotorch.estimators.channel import pairwise_bounds


@dataclass(frozen=True)
class NoisyInformation:
    """Bounds on I(X; T + noise) of Gaussian noise, in nats, for an input that is one of the rows.

    Args:
        relative_noise: the noise's standard deviation in every column, in units of the layer's spread.
        noise_std: the same in the layer's own units.
        lower: see `pairwise_bounds`.
        upper: see `pairwise_bounds`; near log n it says nothing.
    """

    relative_noise: float
    noise_std: float
    lower: float
    upper: float


@dataclass(frozen=True)
class QuantisedEntropy:
    """Entropy of the layer after every column is cut into bins of equal width between its ends, in nats.

    Args:
        num_bins: bins of a column.
        entropy: H(Q(T)), I(X; Q(T)) as well; log n where every row has a cell of its own.
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
        log_rows: log n, the ceiling of both, in nats.
    """

    spread: float
    within_classes: float | None
    dimensions: float
    noisy: tuple[NoisyInformation, ...]
    quantised: tuple[QuantisedEntropy, ...]
    log_rows: float


def compression(
    t: Tensor,
    y: Tensor | None,
    *,
    noise_levels: Sequence[float],
    num_bins: Sequence[int] = (2, 4, 8),
) -> Compression:
    """Measure P2. Noise and bins follow the layer's own scale, so that scaling it changes nothing.

    Args:
        t: the layer, (n, d), n >= 2.
        y: classes, (n,), -1 for unlabelled rows; or None.
        noise_levels: standard deviations of the noise, in units of the layer's spread.
        num_bins: numbers of bins of a column.

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
        noisy=tuple(_noisy(rows, level, size) for level in noise_levels),
        quantised=tuple(
            QuantisedEntropy(bins, float(binned_mi(torch.arange(len(rows)), rows, num_bins=bins))) for bins in num_bins
        ),
        log_rows=math.log(len(rows)),
    )


def within_classes(t: Tensor, y: Tensor) -> float | None:
    """Share of the squared distances from the mean that lies within classes; None where no labelled rows differ.

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


def _noisy(rows: Tensor, level: float, size: float) -> NoisyInformation:
    noise_std = level * size if size > 0 else 1.0
    lower, upper = pairwise_bounds(rows, noise_std)
    return NoisyInformation(level, level * size, float(lower), float(upper))
