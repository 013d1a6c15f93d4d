"""Grids of locations: bounds on information averaged over them, and the patches of an image that belong to them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.objectives.base import full_precision

#: a bound that is averaged over locations
LocationBound = Literal["jsd", "infonce", "nwj"]

# Scores that are held at once where no gradient keeps them all: 4 MiB in float32, which a processor's cache holds.
_SCORES_AT_ONCE = 2**20


def at_most_locations(output: Tensor, locations: int | None) -> Tensor:
    """A grid (n, channels, height, width) averaged to at most `locations` rows and columns; anything else as it is.

    Example:
        >>> at_most_locations(torch.zeros(2, 3, 9, 5), 4).shape
        torch.Size([2, 3, 4, 4])
    """
    if output.ndim != 4 or locations is None or max(output.shape[2:]) <= locations:
        return output
    return F.adaptive_avg_pool2d(output, (min(locations, output.shape[2]), min(locations, output.shape[3])))


def image_patches(x: Tensor, rows: int, columns: int) -> Tensor:
    """The patch of every image at each location of a grid: neighbours overlap by a pixel on every side.

    Images are first averaged to a multiple of the grid; what lies outside is zero.

    Args:
        x: images (n, channels, height, width).
        rows: locations from top to bottom.
        columns: locations from left to right.

    Returns:
        Shape (n, channels x patch height x patch width, locations), locations in reading order.

    Example:
        >>> image_patches(torch.zeros(2, 1, 28, 28), 14, 14).shape  # 4 x 4 pixels at 196 locations
        torch.Size([2, 16, 196])
    """
    down, across = max(1, round(x.shape[2] / rows)), max(1, round(x.shape[3] / columns))
    x = F.adaptive_avg_pool2d(x, (rows * down, columns * across))
    return F.unfold(x, (down + 2, across + 2), stride=(down, across), padding=1)


def at_each_location(model: nn.Module, grid: Tensor) -> Tensor:
    """A network's outputs (locations, n, width) for the vectors of a grid (n, channels, locations).

    Example:
        >>> at_each_location(nn.Linear(3, 8), torch.zeros(5, 3, 49)).shape
        torch.Size([49, 5, 8])
    """
    return model(grid.permute(2, 0, 1))


def average_bound(first: Tensor, second: Tensor, *, bound: LocationBound, offset: Tensor | float = 0.0) -> Tensor:
    """The mean over locations of a bound on inner products: `dim_grid` for embeddings, several locations at a time.

    Args:
        first: embeddings (locations, n, d), n >= 2.
        second: embeddings of the same shape, or one location's for all where `first` has several, or the other way
            round.
        bound: "infonce", "nwj" or "jsd"; see the functions of these names.
        offset: a number added to all scores, which "nwj" and "jsd" need.

    Returns:
        0-d, in nats, differentiable.

    Example:
        >>> codes = 3 * torch.eye(4).expand(3, 4, 4)
        >>> average_bound(codes, codes, bound="infonce").item()  # log 4 = 1.3863 at all three
        1.385...
    """
    first, second = full_precision(first), full_precision(second)
    locations, n = max(len(first), len(second)), first.shape[1]
    first, second = first.expand(locations, -1, -1), second.expand(locations, -1, -1)
    at_once = max(1, _SCORES_AT_ONCE // n**2)
    total = first.new_zeros(())
    with torch.autocast(device_type=first.device.type, enabled=False):
        for some, others in zip(first.split(at_once), second.split(at_once), strict=True):
            total = total + _BOUND_AT_LOCATIONS[bound](some @ others.mT + offset).sum()
    return total / locations


def _infonce(scores: Tensor) -> Tensor:
    return math.log(scores.shape[1]) + (_together(scores) - scores.logsumexp(dim=2)).mean(dim=1)


def _nwj(scores: Tensor) -> Tensor:
    return _together(scores).mean(dim=1) - _mean_apart((scores - 1).exp())


def _jsd(scores: Tensor) -> Tensor:
    return math.log(2) - 0.5 * (F.softplus(-_together(scores)).mean(dim=1) + _mean_apart(F.softplus(scores)))


_BOUND_AT_LOCATIONS: dict[LocationBound, Callable[[Tensor], Tensor]] = {"jsd": _jsd, "infonce": _infonce, "nwj": _nwj}

#: the names of the bounds
BOUNDS = tuple(_BOUND_AT_LOCATIONS)


def _together(values: Tensor) -> Tensor:
    return values.diagonal(dim1=1, dim2=2)


def _mean_apart(values: Tensor) -> Tensor:
    """The mean of every location's matrix beside its diagonal."""
    n = values.shape[1]
    # Without its first entry the flattened matrix has the diagonal at the end of every n + 1 entries.
    return values.flatten(1)[:, 1:].unflatten(1, (n - 1, n + 1))[:, :, :-1].mean(dim=(1, 2))
