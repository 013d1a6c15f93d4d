"""Neighbours by a k-d tree, exact, in float64: for few columns. Compiled where numba is installed, else SciPy's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType

import numpy as np
import torch
from scipy.spatial import KDTree
from torch import Tensor

from infotorch.numerics.blocks import Metric
from infotorch.numerics.compiled import in_threads, tree_loops

# Beyond so many columns a k-d tree visits nearly every row, and all distances are faster (measured, n = 1000 to
# 10,000).
_TREE_COLUMNS = 10
# Starting threads costs more than they save below so many rows.
_THREADED_ROWS = 4000


def suits_tree(spaces: Sequence[Tensor], metric: Metric) -> bool:
    """Whether there are so few columns that a k-d tree beats computing all distances."""
    # SciPy's tree knows one norm for all columns together.
    one_norm = metric == "chebyshev" or len(spaces) == 1 or tree_loops() is not None
    return one_norm and sum(space.shape[1] for space in spaces) <= _TREE_COLUMNS


def nearest_by_tree(spaces: Sequence[Tensor], k: int, metric: Metric) -> tuple[Tensor, Tensor]:
    """Distance and row number of the k nearest other rows in the joint space, each of shape (n, k), ascending."""
    device, rows = spaces[0].device, torch.cat(list(spaces), dim=1).cpu()
    loops = tree_loops()
    if loops is None:
        distance, index = _nearest_by_scipy(rows.numpy(), k, metric)
    else:
        edges = np.cumsum([0, *(space.shape[1] for space in spaces)])
        distance, index = _nearest_by_loops(loops, rows.T.contiguous().numpy(), edges, k, metric)
    return torch.from_numpy(distance).to(device), torch.from_numpy(index).to(device)


def count_by_tree(points: Tensor, radius: Tensor, metric: Metric) -> Tensor:
    """How many rows lie within each row's radius (inclusive), the row itself included, shape (n,)."""
    rows, reach = points.cpu(), radius.cpu().numpy()
    loops = tree_loops()
    if loops is None:
        one_column = points.shape[1] == 1
        counts = _count_sorted(rows[:, 0].numpy(), reach) if one_column else _count_by_scipy(rows, reach, metric)
    else:
        counts = _count_by_loops(loops, rows.T.contiguous().numpy(), reach, metric)
    return torch.from_numpy(counts).to(points.device)


def distances_to(points: Tensor, index: Tensor, metric: Metric) -> Tensor:
    """Each row's distances to the rows that index names, shape (n, k), rounded as the compiled tree rounds them."""
    which, total = index.cpu().numpy(), np.zeros(index.shape)
    for column in points.T.cpu().numpy():
        gap = column[:, None] - column[which]
        total = np.maximum(total, np.abs(gap)) if metric == "chebyshev" else total + gap * gap
    # Not torch's root, whose last bit differs.
    return torch.from_numpy(total if metric == "chebyshev" else np.sqrt(total)).to(points.device)


def _nearest_by_loops(
    loops: ModuleType, columns: np.ndarray, edges: np.ndarray, k: int, metric: Metric
) -> tuple[np.ndarray, np.ndarray]:
    n = columns.shape[1]
    tree, euclidean = loops.build_tree(columns), metric == "euclidean"
    distance, index = np.empty((n, k)), np.empty((n, k), np.int64)
    _each_part(n, lambda a, b: loops.tree_nearest(tree, columns, edges, euclidean, a, b, distance, index))
    return distance, index


def _count_by_loops(loops: ModuleType, columns: np.ndarray, radius: np.ndarray, metric: Metric) -> np.ndarray:
    n = columns.shape[1]
    tree, euclidean, counts = loops.build_tree(columns), metric == "euclidean", np.empty(n, np.int64)
    _each_part(n, lambda a, b: loops.tree_count(tree, columns, euclidean, radius, a, b, counts))
    return counts


def _each_part(n: int, task: Callable[[int, int], None]) -> None:
    """Run the task on the parts of range(n), one a thread."""
    parts = torch.get_num_threads() if n >= _THREADED_ROWS else 1
    edges = [n * i // parts for i in range(parts + 1)]
    in_threads(lambda i: task(edges[i], edges[i + 1]), list(range(parts)))


def _nearest_by_scipy(array: np.ndarray, k: int, metric: Metric) -> tuple[np.ndarray, np.ndarray]:
    distance, index = map(np.asarray, KDTree(array).query(array, k + 1, p=_p(metric), workers=_workers(array)))
    # Among equal rows the tree may list another one first: drop the row itself where it stands, else the farthest.
    itself = index == np.arange(len(array))[:, None]
    itself[~itself.any(axis=1), -1] = True
    shape = (len(array), k)
    return distance[~itself].reshape(shape), index[~itself].reshape(shape)


def _count_by_scipy(rows: Tensor, reach: np.ndarray, metric: Metric) -> np.ndarray:
    if metric == "euclidean":
        # The tree compares squares, and the square of a rounded root may fall short of the square it came from.
        reach = reach * (1 + 1e-12)
    array = rows.numpy()
    counts = KDTree(array).query_ball_point(array, reach, p=_p(metric), workers=_workers(array), return_length=True)
    return np.asarray(counts, dtype=np.int64)


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
    return torch.get_num_threads() if len(array) >= _THREADED_ROWS else 1
