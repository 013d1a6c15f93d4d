"""All distances between rows, exact, in float64, one block of rows at a time."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from infotorch.numerics.compiled import Result, block_loops, in_threads

Metric = Literal["chebyshev", "euclidean"]
METRICS: tuple[Metric, Metric] = ("chebyshev", "euclidean")

#: writes the distances of a slice of rows to all rows into room, shape (m, n)
DistanceBlock = Callable[[slice, Tensor], object]

# Up to here Euclidean distances come from differences, exact and cheap; beyond, one matrix product is many times
# faster.
_EXACT_COLUMNS = 16
# Entries of a block: half a MB in float64 stays in a core's cache between the steps; a GPU wants more work at a time.
_CPU_ENTRIES, _GPU_ENTRIES = 2**16, 2**24
# Fewer rows would cost more in calls than in distances.
_FEWEST_ROWS = 32
# Differences of numbers below which a second thread takes longer to wake up than the first one to finish (5 ms).
_THREADED_WORK = 5e7


def row_blocks(n: int, *, device: torch.device | None = None) -> Iterator[slice]:
    """Slices that cover n rows, so that a block of distances to all of them stays small."""
    entries = _CPU_ENTRIES if device is None or device.type == "cpu" else _GPU_ENTRIES
    return slices(n, max(_FEWEST_ROWS, entries // n))


def slices(n: int, size: int) -> Iterator[slice]:
    """Slices of `size` rows that cover n rows.

    Example:
        >>> list(slices(5, 3))
        [slice(0, 3, None), slice(3, 5, None)]
    """
    return (slice(start, min(start + size, n)) for start in range(0, n, size))


def each_block(spaces: Sequence[Tensor], metric: Metric, task: Callable[[slice, Tensor], Result]) -> list[Result]:
    """The task's result for every block of rows, in order.

    Args:
        spaces: points of shape (n, d_1), (n, d_2), ...
        metric: the norm within each space.
        task: (rows, room): room, shape (spaces, m, n), is the thread's own and used again for its next block. Fresh
            memory would cost more to touch than the distances cost to compute.
    """
    device, n = spaces[0].device, len(spaces[0])
    blocks = list(row_blocks(n, device=device))
    # A matrix product divides itself among threads, and so does a GPU's work.
    alone = device.type != "cpu" or any(_by_product(space, metric) for space in spaces)
    alone = alone or n * n * sum(space.shape[1] for space in spaces) < _THREADED_WORK
    threads = 1 if alone else min(len(blocks), torch.get_num_threads())

    stopped = threading.Event()

    def part(blocks: list[slice]) -> list[Result]:
        room = torch.empty(len(spaces) * (blocks[0].stop - blocks[0].start) * n, dtype=torch.float64, device=device)
        shapes = [(len(spaces), rows.stop - rows.start, n) for rows in blocks]
        return [
            task(rows, room[: math.prod(shape)].view(shape))
            for rows, shape in zip(blocks, shapes, strict=True)
            if not stopped.is_set()
        ]

    edges = [len(blocks) * i // threads for i in range(threads + 1)]
    parts = in_threads(part, [blocks[a:b] for a, b in pairwise(edges)], stop=stopped.set)
    return [result for results in parts for result in results]


def _by_product(points: Tensor, metric: Metric) -> bool:
    return metric == "euclidean" and points.shape[1] > _EXACT_COLUMNS


def distances_between(points: Tensor, metric: Metric) -> DistanceBlock:
    """A function that writes a block of distances; equal rows are exactly 0 apart."""
    if _by_product(points, metric):
        return _euclidean_by_product(points)
    loops = block_loops(points.device)
    if loops is None:
        return _by_cdist(points, metric)
    columns = points.T.contiguous().numpy()

    return lambda rows, room: loops.fill_block(columns, metric == "euclidean", rows.start, room.numpy())


def _by_cdist(points: Tensor, metric: Metric) -> DistanceBlock:
    p, mode = (torch.inf if metric == "chebyshev" else 2.0), "donot_use_mm_for_euclid_dist"
    return lambda rows, room: room.copy_(torch.cdist(points[rows], points, p=p, compute_mode=mode))


def _euclidean_by_product(points: Tensor) -> DistanceBlock:
    """Distances by one matrix product, rounded so that true ties are ties.

    Squares carry an error of a few ulp of the row's squared norm. Rounding them to a grid of powers of two, 1024 ulp
    wide, makes equal rows exactly 0 apart and equal distances equal; only distances below 1e-6 of the norm are moved
    visibly.
    """
    # The median is a centre that no outlier moves, and small norms are what keeps the error small.
    points = points - _median(points)
    norms = (points * points).sum(dim=1)
    # At the centre itself the product is exact, and any fine grid does.
    ulp = torch.finfo(points.dtype).eps * norms
    grid = torch.where(ulp > 0, torch.exp2(torch.ceil(torch.log2(ulp)) + 10), 2.0**-500)
    loops = block_loops(points.device)

    def block(rows: slice, room: Tensor) -> None:
        torch.addmm(norms, points[rows], points.T, alpha=-2, out=room)
        if loops is not None:
            loops.finish_squares(room.numpy(), norms.numpy(), rows.start, grid.numpy())
        else:
            step = grid[rows, None]
            room.add_(norms[rows, None]).clamp_min_(0).div_(step).round_().mul_(step).sqrt_()

    return block


def _median(points: Tensor) -> Tensor:
    """Of each column the lower of its two middle values."""
    if points.device.type != "cpu":
        return points.median(dim=0).values
    # NumPy selects in the processor's vectors, in a quarter to a half of torch's time.
    middle = (len(points) - 1) // 2
    return torch.from_numpy(np.partition(points.numpy(), middle, axis=0)[middle])


def nearest_in_block(blocks: Tensor, start: int, k: int, among: slice | None = None) -> tuple[Tensor, Tensor]:
    """Distance and row number of the k nearest, shape (m, k), ascending; a row is not its own neighbour.

    Args:
        blocks: distances to all rows in each space, shape (spaces, m, n); the largest space counts.
        start: number of the block's first row.
        k: number of neighbours.
        among: the rows that may be neighbours, more than k of them; all by default.
    """
    _, m, n = blocks.shape
    among = among or slice(0, n)
    loops = block_loops(blocks.device)
    if loops is not None:
        distance, index = np.empty((m, k)), np.empty((m, k), np.int64)
        loops.block_nearest(blocks.numpy(), start, among.start, among.stop, distance, index)
        return torch.from_numpy(distance), torch.from_numpy(index)
    joint = blocks[:, :, among].amax(dim=0)
    itself = torch.arange(start, start + m, device=joint.device)
    inside = (itself >= among.start) & (itself < among.stop)
    joint[inside.nonzero()[:, 0], itself[inside] - among.start] = torch.inf
    nearest = joint.topk(k, dim=1, largest=False)
    return nearest.values, nearest.indices + among.start


def count_in_block(block: Tensor, radius: Tensor, among: slice | None = None) -> Tensor:
    """Per row, to how many of the rows (all by default) the distance is at most the row's radius, shape (m,)."""
    among = among or slice(0, block.shape[1])
    loops = block_loops(block.device)
    if loops is None:
        return torch.count_nonzero(block[:, among] <= radius[:, None], dim=1)
    counts = np.empty(len(block), np.int64)
    loops.block_count(block.numpy(), radius.contiguous().numpy(), among.start, among.stop, counts)
    return torch.from_numpy(counts)
