"""Ross: mutual information of a continuous variable with a discrete one, from nearest neighbours within each class."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from infotorch.estimators.doubts import STANDARDISE, examined
from infotorch.estimators.estimate import Estimate
from infotorch.estimators.shortfall import class_neighbours_fall_short
from infotorch.estimators.subsampling import subsampling_error
from infotorch.numerics.blocks import count_in_block, distances_between, each_block, nearest_in_block
from infotorch.numerics.checks import as_samples, check_choice, check_neighbours, check_paired
from infotorch.numerics.distances import common_unit
from infotorch.numerics.neighbours import METRICS, Metric, count_within, digamma, nearest_distances
from infotorch.numerics.symbols import as_symbols
from infotorch.numerics.trees import suits_tree
from infotorch.numerics.typing import ArrayLike


def ross(x: ArrayLike, labels: ArrayLike, *, k: int = 3, metric: Metric = "euclidean") -> Estimate:
    """Mutual information of continuous x and discrete labels, in nats.

    psi(n) - <psi(n_c)> + <psi(k_i)> - <psi(m_i)>: n_c rows in the row's class; the radius is the distance to the k-th
    nearest sample of the same class; k_i samples of the class, and m_i of all samples, lie within it (ties counted).

    Where more than k rows of a class coincide the radius is 0, and the row itself is counted in k_i and m_i: so a
    representation that is the same for all samples has exactly 0 nats, without rounding. A class of n_c <= k samples
    uses k = n_c - 1, and classes with a single sample are dropped (`n` says how many samples were used).

    A common factor of x changes nothing; units of its columns relative to each other decide who is a neighbour, and a
    warning tells where their scales lie more than a factor of five apart (of up to 40 columns). In many columns the
    value falls short unless classes lie far apart; where that is known, a warning tells.

    Args:
        x: shape (n,) or (n, ...), n > k.
        labels: integers, shape (n,); several columns are one symbol.
        k: number of neighbours.
        metric: the norm in x. "euclidean" goes by matrix products in many dimensions.

    Returns:
        No bound, not clamped: it may be negative. Computed in float64. The ceiling is psi(n) - <psi(n_c)>, about the
        entropy of the labels, reached when no class has a neighbour of another. `std_error` by subsampling, where
        scales are unlike with how far standardised columns move the value. `reason` and `reliable` tell what is known
        to speak against it.

    Raises:
        ValueError: samples not paired, n <= k, NaN or infinite values, an unknown metric, or no two samples share a
            label.
        TypeError: x is not made of real numbers, labels are not integers, or k is not an integer.

    Source: Ross 2014, doi:10.1371/journal.pone.0087357. Its code counts ties in no fixed way; without ties we agree.

    Example:
        >>> labels = torch.arange(300) % 3
        >>> x = labels + torch.rand(300, generator=torch.Generator().manual_seed(0)) / 2
        >>> round(float(ross(x, labels)), 3), round(float(ross(torch.zeros(300), labels)), 3)  # log 3 = 1.099
        (1.102, 0.0)
    """
    xs = as_samples(x, where="ross", name="x")
    classes = as_symbols(labels, where="ross", name="labels").to(xs.device)
    check_paired(xs, classes, where="ross")
    k = check_neighbours(k, len(xs), where="ross")
    check_choice(metric, METRICS, where="ross", name="metric")
    xs, classes = _without_singletons(xs / common_unit(xs), classes)
    n = len(xs)
    if n == 0:
        raise ValueError("ross: labels must repeat, got a different one in every sample.")

    def part(rows: Tensor) -> float:
        some, labels = _without_singletons(xs[rows], classes[rows])
        return float(_ross(some, labels, k, metric)) if len(some) else math.nan

    sizes = torch.bincount(classes)
    estimate = Estimate(
        _ross(xs, classes, k, metric),
        side="none",
        n=n,
        estimator=f"ross k={k} {metric}",
        ceiling=float((digamma(n) - sizes[classes].double().digamma()).mean()),
        # Groups in which most classes have k rows say what the whole sample says.
        error=lambda: subsampling_error(part, n, smallest=(k + 1) * max(5, int((sizes > 0).sum()))),
    )
    several = xs.shape[1] > 1
    return examined(
        estimate,
        {"x": xs},
        depends="one radius for all columns of x: the value depends on their units relative to each other" * several,
        instead=STANDARDISE,
        again=lambda scaled: float(_ross(scaled, classes, k, metric)),
        short=lambda: class_neighbours_fall_short(estimate, xs.shape[1], sizes, k),
        instead_of_short="take fewer columns or more samples, or readout_mi",
    )


def _without_singletons(x: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    keep = torch.bincount(classes)[classes] > 1
    return x[keep], classes[keep]


def _ross(x: Tensor, classes: Tensor, k: int, metric: Metric) -> Tensor:
    """The estimate on samples whose classes all have two samples or more."""
    order = classes.argsort(stable=True)
    x, classes = x[order], classes[order]
    slices = list(_class_slices(classes))
    count = _counts_by_tree if suits_tree([x], metric) else _counts_by_block
    radius, in_class, in_all = count(x, slices, k, metric)
    itself = (radius > 0).long()
    size = torch.bincount(classes)[classes]
    # Two differences row by row, and not one of means: they are exactly 0 where a dead network has them equal.
    of_class = _psi(in_class - itself) - _psi(size)
    of_all = _psi(in_all - itself) - _psi(torch.full_like(size, len(x)))
    return (of_class - of_all).mean()


def _class_slices(classes: Tensor) -> Iterator[slice]:
    start = 0
    for size in torch.unique_consecutive(classes, return_counts=True)[1].tolist():
        yield slice(start, start + size)
        start += size


def _counts_by_tree(x: Tensor, slices: list[slice], k: int, metric: Metric) -> tuple[Tensor, Tensor, Tensor]:
    radii, within = [], []
    for own in slices:
        points = x[own]
        radii.append(nearest_distances(points, min(k, len(points) - 1), metric)[:, -1])
        within.append(count_within(points, radii[-1], metric))
    radius = torch.cat(radii)
    return radius, torch.cat(within), count_within(x, radius, metric)


def _counts_by_block(x: Tensor, slices: list[slice], k: int, metric: Metric) -> tuple[Tensor, Tensor, Tensor]:
    """One pass: the distances of a block of samples to all samples give the radius and both counts."""
    between = distances_between(x, metric)

    def of_block(rows: slice, room: Tensor) -> list[tuple[Tensor, Tensor, Tensor]]:
        between(rows, room[0])
        inside = [own for own in slices if own.start < rows.stop and rows.start < own.stop]
        return [_counts_of_class(room, rows, own, k) for own in inside]

    parts = [part for block in each_block([x], metric, of_block) for part in block]
    radius, in_class, in_all = (torch.cat(column) for column in zip(*parts, strict=True))
    return radius, in_class, in_all


def _counts_of_class(room: Tensor, rows: slice, own: slice, k: int) -> tuple[Tensor, Tensor, Tensor]:
    """Radius and counts of those samples of a block that belong to one class."""
    start, stop = max(rows.start, own.start), min(rows.stop, own.stop)
    blocks = room[:, start - rows.start : stop - rows.start]
    nearest, _ = nearest_in_block(blocks, start, min(k, own.stop - own.start - 1), own)
    radius = nearest[:, -1]
    return radius, count_in_block(blocks[0], radius, own), count_in_block(blocks[0], radius)


def _psi(counts: Tensor) -> Tensor:
    return counts.double().digamma()
