"""The ceiling of a signal for real targets: how much of y the inputs know, by KSG on them and on predictions."""

from __future__ import annotations

import torch
from torch import Tensor

from infotorch.estimators.doubts import unexamined
from infotorch.estimators.kraskov import ksg

#: Columns of x beyond which no prediction is fitted: the time of a fit grows with their cube.
MOST_COLUMNS = 4096
_FOLDS, _CENTRES = 5, 1000
# Ridges, as shares of the rows: one that only makes dependent columns solvable, and one for as many bumps as these.
_LINEAR, _BUMPS = 1e-9, 1e-5


def regression_ceiling(x: Tensor, y: Tensor) -> float:
    """I(X; Y) for real targets, in nats: the largest of three KSG estimates (k = 3).

    They are of x itself, of a least-squares prediction of y from x, and of one from 1000 Gaussian bumps as well. KSG
    falls far short where x has many columns; a prediction has as few as y. By the data-processing inequality it knows
    no more of y than x does, so that each errs downwards, and the largest errs least. It remains an estimate from below
    of samples outside the fit: a network that learns more, or overfits its samples, exceeds it.

    Args:
        x: (n, ...), real. Beyond 4096 columns it is itself the only one that is read.
        y: (n,) or (n, ...), real.

    Raises:
        ValueError: see `ksg`.

    Example:
        >>> x = torch.randn(1000, 30, generator=torch.Generator().manual_seed(0))
        >>> noise = torch.randn(1000, generator=torch.Generator().manual_seed(1))
        >>> y = x.mean(1) * 30**0.5 + noise  # 0.347 nats
        >>> float(ksg(x, y)) < 0.2, 0.3 < regression_ceiling(x, y) < 0.4
        (True, True)
    """
    with unexamined():  # of the three the largest is taken, because each may fall short
        return _largest(x.flatten(1), y.flatten(1) if y.ndim > 1 else y[:, None])


def _largest(x: Tensor, targets: Tensor) -> float:
    found = float(ksg(x, targets))
    if x.shape[1] > MOST_COLUMNS:
        return found
    columns, wanted = _standardised(x), targets.double()
    fits = ((columns, _LINEAR), (torch.cat([columns, _bumps(columns)], dim=1), _BUMPS))
    return max(found, *(float(ksg(_predictions(features, wanted, ridge), wanted)) for features, ridge in fits))


def _standardised(x: Tensor) -> Tensor:
    """Columns of mean 0 and deviation 1 in float64, of 0 where they do not vary; with a column of ones."""
    centred = x.double() - x.double().mean(dim=0)
    deviation = centred.square().mean(dim=0).sqrt()
    scaled = centred / torch.where(deviation > 0, deviation, 1.0)
    return torch.cat([scaled, torch.ones_like(scaled[:, :1])], dim=1)


def _bumps(columns: Tensor) -> Tensor:
    """Gaussian kernels at every few rows, half as wide as rows are apart in the median."""
    rows = torch.linspace(0, len(columns) - 1, min(_CENTRES, len(columns)), device=columns.device).long()
    distances = torch.cdist(columns, columns[rows])
    width = (distances.median() / 2).clamp_min(torch.finfo(distances.dtype).tiny ** 0.25)
    return (-(distances / width).square() / 2).exp()


def _predictions(features: Tensor, y: Tensor, ridge: float) -> Tensor:
    """Ridge regressions of y, each sample's by the other four fifths of the samples.

    Within its own fit a prediction would know of y what x does not.
    """
    found, fold = torch.empty_like(y), torch.arange(len(y), device=y.device) % _FOLDS
    gram, products = features.T @ features, features.T @ y
    gram.diagonal().add_(ridge * len(y))
    for number in range(_FOLDS):
        held = fold == number
        own = features[held]
        weights = torch.linalg.solve(gram - own.T @ own, products - own.T @ y[held])
        found[held] = own @ weights
    return found
