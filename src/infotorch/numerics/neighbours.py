"""Nearest neighbours and counts of rows within a radius, exact, in float64.

A k-d tree for a few columns, otherwise all distances, one block of rows at a time. A row's distance to itself never
competes for the k nearest, and counts of rows within a radius include the row itself.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from infotorch.numerics.blocks import (
    METRICS,
    DistanceBlock,
    Metric,
    count_in_block,
    distances_between,
    each_block,
    nearest_in_block,
)
from infotorch.numerics.trees import count_by_tree, distances_to, nearest_by_tree, suits_tree

__all__ = [
    "METRICS",
    "JointCounts",
    "Metric",
    "RadiusRule",
    "count_within",
    "digamma",
    "joint_counts",
    "nearest_distances",
]

#: (joint distance to the k nearest, shape (m, k), ascending; a function that gives the same k rows' distance in each
#: space) -> the radius within which rows are counted, inclusive, shape (m,): one for each space, or one for all
RadiusRule = Callable[[Tensor, Callable[[], Sequence[Tensor]]], Sequence[Tensor] | Tensor]


def digamma(count: int) -> float:
    """Psi of a whole number, as torch computes it.

    Example:
        >>> round(digamma(1), 4)  # minus Euler's constant
        -0.5772
    """
    return float(torch.tensor(float(count), dtype=torch.float64, device="cpu").digamma())


@dataclass(frozen=True)
class JointCounts:
    """What one pass over the neighbours of paired rows gives.

    Args:
        radius: distance to the k-th nearest row in the joint space, the largest of the spaces' distances, shape (n,).
        marginal: for each space, the number of rows within the rule's radius, the row itself included, shape (n,).
    """

    radius: Tensor
    marginal: tuple[Tensor, ...]


def joint_counts(spaces: Sequence[Tensor], k: int, metric: Metric, rule: RadiusRule) -> JointCounts:
    """The k nearest rows in the joint space, then the number of rows within the rule's radius in each space.

    Args:
        spaces: float64 tensors of shape (n, d_1), (n, d_2), ..., paired row by row.
        k: number of neighbours, 1 <= k < n.
        metric: the norm within each space; across spaces it is always the maximum.
        rule: see `RadiusRule`.

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [3.0]], dtype=torch.float64)
        >>> counts = joint_counts([x], 1, "chebyshev", lambda nearest, _: [nearest[:, -1]])
        >>> counts.radius.tolist(), counts.marginal[0].tolist()
        ([1.0, 1.0, 2.0], [2, 2, 2])
    """
    return joint_counts_each(spaces, [k], metric, rule)[0]


def joint_counts_each(
    spaces: Sequence[Tensor], ks: Sequence[int], metric: Metric, rule: RadiusRule
) -> list[JointCounts]:
    """`joint_counts` for several numbers of neighbours, by one search for the largest of them.

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [3.0]], dtype=torch.float64)
        >>> counts = joint_counts_each([x], [1, 2], "chebyshev", lambda nearest, _: [nearest[:, -1]])
        >>> [count.radius.tolist() for count in counts]
        [[1.0, 1.0, 2.0], [3.0, 2.0, 3.0]]
    """
    metric = _norm_that_ties(spaces, metric)
    if suits_tree(spaces, metric):
        return _joint_counts_by_tree(spaces, ks, metric, rule)
    between = [distances_between(space, metric) for space in spaces]
    blocks = each_block(spaces, metric, lambda rows, room: _joint_counts_of_block(between, rows, room, ks, rule))
    return [_joined(parts) for parts in zip(*blocks, strict=True)]


def _joined(parts: Sequence[JointCounts]) -> JointCounts:
    marginals = zip(*(part.marginal for part in parts), strict=True)
    return JointCounts(torch.cat([part.radius for part in parts]), tuple(torch.cat(counts) for counts in marginals))


def nearest_distances(points: Tensor, k: int, metric: Metric) -> Tensor:
    """Distances to the k nearest other rows, shape (n, k), ascending.

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [3.0]], dtype=torch.float64)
        >>> nearest_distances(x, 2, "chebyshev").tolist()
        [[1.0, 3.0], [1.0, 2.0], [2.0, 3.0]]
    """
    metric = _norm_that_ties([points], metric)
    if suits_tree([points], metric):
        return nearest_by_tree([points], k, metric)[0]
    between = distances_between(points, metric)

    def of_block(rows: slice, room: Tensor) -> Tensor:
        between(rows, room[0])
        return nearest_in_block(room, rows.start, k)[0]

    return torch.cat(each_block([points], metric, of_block))


def count_within(points: Tensor, radius: Tensor, metric: Metric) -> Tensor:
    """How many rows of points lie within radius_i of row i (inclusive), the row itself included, shape (n,).

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [3.0]], dtype=torch.float64)
        >>> count_within(x, torch.tensor([1.0, 0.5, 3.0], dtype=torch.float64), "chebyshev").tolist()
        [2, 1, 3]
    """
    metric = _norm_that_ties([points], metric)
    if suits_tree([points], metric):
        return count_by_tree(points, radius, metric)
    between = distances_between(points, metric)

    def of_block(rows: slice, room: Tensor) -> Tensor:
        between(rows, room[0])
        return count_in_block(room[0], radius[rows])

    return torch.cat(each_block([points], metric, of_block))


def _norm_that_ties(spaces: Sequence[Tensor], metric: Metric) -> Metric:
    """With a single column both norms are |a - b|, and Chebyshev needs no root: equal distances stay equal."""
    return "chebyshev" if all(space.shape[1] == 1 for space in spaces) else metric


def _joint_counts_of_block(
    between: Sequence[DistanceBlock], rows: slice, room: Tensor, ks: Sequence[int], rule: RadiusRule
) -> list[JointCounts]:
    for distances, own in zip(between, room, strict=True):
        distances(rows, own)
    nearest, index = nearest_in_block(room, rows.start, max(ks))
    counts = []
    for k in ks:
        radii = _radii(rule, nearest, lambda: [own.gather(1, index) for own in room], k, len(room))
        counts.append(JointCounts(nearest[:, k - 1], tuple(map(count_in_block, room, radii))))
    return counts


def _radii(
    rule: RadiusRule, nearest: Tensor, distances: Callable[[], Sequence[Tensor]], k: int, spaces: int
) -> Sequence[Tensor]:
    found = rule(nearest[:, :k], lambda: [distance[:, :k] for distance in distances()])
    return [found] * spaces if isinstance(found, Tensor) else found


def _joint_counts_by_tree(
    spaces: Sequence[Tensor], ks: Sequence[int], metric: Metric, rule: RadiusRule
) -> list[JointCounts]:
    nearest, index = nearest_by_tree(spaces, max(ks), metric)
    distances = functools.cache(lambda: [distances_to(space, index, metric) for space in spaces])
    counts = []
    for k in ks:
        radii = _radii(rule, nearest, distances, k, len(spaces))
        marginal = tuple(count_within(space, radius, metric) for space, radius in zip(spaces, radii, strict=True))
        counts.append(JointCounts(nearest[:, k - 1], marginal))
    return counts
