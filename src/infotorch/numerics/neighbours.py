"""Nearest neighbours and counts of rows within a radius, exact, in float64.

Three ways to one answer, chosen by dimension: sort and search for a single column, a k-d tree for a few columns, and
otherwise all distances, one block of rows at a time. A row's distance to itself never competes for the k nearest, and
counts of rows within a radius include the row itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor

from infotorch.numerics.distances import squared_distances_near_origin

Metric = Literal["chebyshev", "euclidean"]
METRICS: tuple[Metric, Metric] = ("chebyshev", "euclidean")

#: (joint distance to the k nearest, shape (m, k), ascending; the same k rows' distance in each space) -> the radius in
#: each space within which rows are counted, inclusive, each of shape (m,)
RadiusRule = Callable[[Tensor, Sequence[Tensor]], Sequence[Tensor]]

#: a slice of rows -> their distances to all rows
DistanceBlock = Callable[[slice], Tensor]

# Beyond so many columns a k-d tree visits nearly every row, and all distances are faster (measured, n = 1000 to
# 10,000).
_TREE_COLUMNS = 10
# Below it, differences are exact and cheap; above, one matrix product is many times faster.
_EXACT_COLUMNS = 16
# Starting threads costs more than they save below so many rows.
_THREADED_ROWS = 2000
# Entries of one block of distances: 32 MB in float64.
_BLOCK_ENTRIES = 2**22


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
    metric = _norm_that_ties(spaces, metric)
    columns = sum(space.shape[1] for space in spaces)
    if columns <= _TREE_COLUMNS and (metric == "chebyshev" or len(spaces) == 1):
        return _joint_counts_by_tree(spaces, k, metric, rule)
    between = [distances_between(space, metric) for space in spaces]
    parts = [_joint_counts_of_block(between, rows, k, rule) for rows in row_blocks(len(spaces[0]))]
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
    if prefers_tree(points):
        return nearest_by_tree(points, k, metric)[0]
    between = distances_between(points, metric)
    return torch.cat([nearest_in_block(between(rows), rows.start, k)[0] for rows in row_blocks(len(points))])


def count_within(points: Tensor, radius: Tensor, metric: Metric) -> Tensor:
    """How many rows of points lie within radius_i of row i (inclusive), the row itself included, shape (n,).

    Example:
        >>> x = torch.tensor([[0.0], [1.0], [3.0]], dtype=torch.float64)
        >>> count_within(x, torch.tensor([1.0, 0.5, 3.0], dtype=torch.float64), "chebyshev").tolist()
        [2, 1, 3]
    """
    metric = _norm_that_ties([points], metric)
    if points.shape[1] == 1:
        counts = _count_sorted(points[:, 0].cpu().numpy(), radius.cpu().numpy())
        return torch.from_numpy(counts).to(points.device)
    if prefers_tree(points):
        return _count_by_tree(points, radius, metric)
    between = distances_between(points, metric)
    return torch.cat([count_leq(between(rows), radius[rows]) for rows in row_blocks(len(points))])


def prefers_tree(points: Tensor) -> bool:
    """Whether there are so few columns that a k-d tree beats computing all distances."""
    return points.shape[1] <= _TREE_COLUMNS


def row_blocks(n: int, *, columns: int | None = None) -> Iterator[slice]:
    """Slices that cover n rows, so that a block of distances to `columns` rows (default n) stays small."""
    size = max(1, _BLOCK_ENTRIES // (columns or n))
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def distances_between(points: Tensor, metric: Metric) -> DistanceBlock:
    """A function from a slice of rows to their distances to all rows, shape (m, n); equal rows are exactly 0 apart."""
    if metric == "chebyshev":
        return lambda rows: torch.cdist(points[rows], points, p=torch.inf)
    if points.shape[1] <= _EXACT_COLUMNS:
        return lambda rows: torch.cdist(points[rows], points, compute_mode="donot_use_mm_for_euclid_dist")
    return _euclidean_by_product(points)


def count_leq(distances: Tensor, radius: Tensor) -> Tensor:
    """Per row, how many of the distances are at most the row's radius."""
    return torch.count_nonzero(distances <= radius[:, None], dim=1)


def _norm_that_ties(spaces: Sequence[Tensor], metric: Metric) -> Metric:
    """With a single column both norms are |a - b|, and Chebyshev needs no root: equal distances stay equal."""
    return "chebyshev" if all(space.shape[1] == 1 for space in spaces) else metric


def _euclidean_by_product(points: Tensor) -> DistanceBlock:
    """Distances by one matrix product, rounded so that true ties are ties.

    Squares carry an error of a few ulp of the row's squared norm. Rounding them to a grid of powers of two, 1024 ulp
    wide, makes equal rows exactly 0 apart and equal distances equal; only distances below 1e-6 of the norm are moved
    visibly.
    """
    # The median is a centre that no outlier moves, and small norms are what keeps the error small.
    points = points - points.median(dim=0).values
    ulp = torch.finfo(points.dtype).eps * (points * points).sum(dim=1, keepdim=True)
    # At the centre itself the product is exact, and any fine grid does.
    grid = torch.where(ulp > 0, torch.exp2(torch.ceil(torch.log2(ulp)) + 10), 2.0**-500)

    def block(rows: slice) -> Tensor:
        squares = squared_distances_near_origin(points[rows], points)
        return squares.div_(grid[rows]).round_().mul_(grid[rows]).sqrt_()

    return block


def _joint_counts_of_block(between: Sequence[DistanceBlock], rows: slice, k: int, rule: RadiusRule) -> JointCounts:
    blocks = [distances(rows) for distances in between]
    joint = blocks[0].clone()
    for block in blocks[1:]:
        torch.maximum(joint, block, out=joint)
    nearest, index = nearest_in_block(joint, rows.start, k)
    radii = rule(nearest, [block.gather(1, index) for block in blocks])
    return JointCounts(nearest[:, -1], tuple(map(count_leq, blocks, radii)))


def nearest_in_block(distances: Tensor, start: int, k: int) -> tuple[Tensor, Tensor]:
    """Distance and index of the k nearest, shape (m, k), ascending; row i is column start + i, which is left out.

    Overwrites the distances of the rows to themselves.
    """
    itself = torch.arange(len(distances), device=distances.device)
    distances[itself, itself + start] = torch.inf
    nearest = distances.topk(k, dim=1, largest=False)
    return nearest.values, nearest.indices


def _joint_counts_by_tree(spaces: Sequence[Tensor], k: int, metric: Metric, rule: RadiusRule) -> JointCounts:
    nearest, index = nearest_by_tree(torch.cat(list(spaces), dim=1), k, metric)
    p = torch.inf if metric == "chebyshev" else 2
    distances = [torch.linalg.vector_norm(space[:, None] - space[index], ord=p, dim=2) for space in spaces]
    radii = rule(nearest, distances)
    marginal = tuple(count_within(space, radius, metric) for space, radius in zip(spaces, radii, strict=True))
    return JointCounts(nearest[:, -1], marginal)


def nearest_by_tree(points: Tensor, k: int, metric: Metric) -> tuple[Tensor, Tensor]:
    """Distance and index of the k nearest other rows, each of shape (n, k), ascending."""
    array = points.cpu().numpy()
    tree = KDTree(array)
    distance, index = map(np.asarray, tree.query(array, k + 1, p=_p(metric), workers=_workers(array)))
    # Among equal rows the tree may list another one first: drop the row itself where it stands, else the farthest.
    itself = index == np.arange(len(array))[:, None]
    itself[~itself.any(axis=1), -1] = True
    shape = (len(array), k)
    distance, index = distance[~itself].reshape(shape), index[~itself].reshape(shape)
    return torch.from_numpy(distance).to(points.device), torch.from_numpy(index).to(points.device)


def _count_by_tree(points: Tensor, radius: Tensor, metric: Metric) -> Tensor:
    array, reach = points.cpu().numpy(), radius.cpu().numpy()
    if metric == "euclidean":
        # The tree compares squares, and the square of a rounded root may fall short of the square it came from.
        reach = reach * (1 + 1e-12)
    counts = KDTree(array).query_ball_point(array, reach, p=_p(metric), workers=_workers(array), return_length=True)
    return torch.from_numpy(np.asarray(counts, dtype=np.int64)).to(points.device)


def _count_sorted(column: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Counts of |x_j - x_i| <= radius_i by bisection in the sorted column.

    The bisection evaluates that very difference. Searching for x_i + radius_i would round differently, and miscount the
    neighbours that lie on the radius itself.
    """
    order = np.argsort(column, kind="stable")
    values, reach = column[order], radius[order]
    n = len(values)
    position = np.arange(n)
    first = _bisect(lambda j: values - values[j] <= reach, np.zeros(n, np.int64), position)
    after = _bisect(lambda j: values[j] - values > reach, position + 1, np.full(n, n, np.int64))
    counts = np.empty(n, np.int64)
    counts[order] = after - first
    return counts


def _bisect(holds: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Per element the least index in [low, high) at which a monotone condition holds, or high."""
    last = len(low) - 1
    for _ in range(int(np.max(high - low)).bit_length()):
        middle = (low + high) // 2
        reached = holds(np.minimum(middle, last))
        open_ = low < high
        low, high = np.where(open_ & ~reached, middle + 1, low), np.where(open_ & reached, middle, high)
    return low


def _p(metric: Metric) -> float:
    return np.inf if metric == "chebyshev" else 2.0


def _workers(array: np.ndarray) -> int:
    return -1 if len(array) >= _THREADED_ROWS else 1
