"""Which rows: stratified draws of an exact size, each a function of (seed, stream name)."""

from __future__ import annotations

import torch
from torch import Tensor


def stratified_rows(labels: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Exactly `count` rows whose classes have the proportions of `labels`, in ascending order.

    Shares are rounded by largest remainder; every class keeps at least one row where `count` allows it.

    Args:
        labels: int64, shape (n,).
        count: rows to draw, 0 <= count <= n.
        generator: decides which rows of a class, and nothing else.

    Returns:
        Row numbers, int64, shape (count,).

    Raises:
        ValueError: count is negative or above n.

    Example:
        >>> labels = torch.tensor([0] * 90 + [1] * 10)
        >>> rows = stratified_rows(labels, 20, torch.Generator().manual_seed(0))
        >>> torch.bincount(labels[rows]).tolist()
        [18, 2]
    """
    if not 0 <= count <= len(labels):
        raise ValueError(f"stratified_rows: count must lie in 0 to {len(labels)}, got {count}.")
    shuffled = torch.randperm(len(labels), generator=generator)
    classes, sizes = labels.unique(return_counts=True)
    shares = _apportion(sizes.tolist(), count)
    of_class = labels[shuffled]
    drawn = [shuffled[of_class == label][:share] for label, share in zip(classes, shares, strict=True)]
    return torch.cat(drawn).sort().values if drawn else shuffled


def _apportion(sizes: list[int], count: int) -> list[int]:
    """Integer shares of `count`, in proportion to `sizes`, each at most its size."""
    total = sum(sizes)
    floors = [size * count // total for size in sizes] if total else []
    remainders = [size * count % total for size in sizes] if total else []
    order = sorted(range(len(sizes)), key=lambda k: (-remainders[k], k))
    shares = [floor + (k in order[: count - sum(floors)]) for k, floor in enumerate(floors)]
    if count >= len(sizes):
        for k in (k for k, share in enumerate(shares) if share == 0):
            shares[shares.index(max(shares))] -= 1
            shares[k] = 1
    return shares


def grouped_rows(groups: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Exactly `count` rows that make up whole groups, but for the last group drawn, in ascending order.

    Rows of one group resemble each other (one day at 25 weather stations), so a held-out row would otherwise have
    near twins in training.

    Args:
        groups: int64, shape (n,).
        count: rows to draw, 0 <= count <= n.
        generator: decides the order of the groups.

    Raises:
        ValueError: count is negative or above n.

    Example:
        >>> groups = torch.tensor([0, 0, 1, 1, 2, 2])
        >>> len(set(groups[grouped_rows(groups, 4, torch.Generator().manual_seed(0))].tolist()))
        2
    """
    if not 0 <= count <= len(groups):
        raise ValueError(f"grouped_rows: count must lie in 0 to {len(groups)}, got {count}.")
    _, member = groups.unique(return_inverse=True)
    rank = torch.randperm(int(member.max()) + 1 if len(member) else 0, generator=generator)
    return rank[member].argsort(stable=True)[:count].sort().values


def all_but(rows: Tensor, total: int) -> Tensor:
    """The rows of 0 .. total - 1 that are not in `rows`, in ascending order."""
    kept = torch.ones(total, dtype=torch.bool)
    kept[rows] = False
    return kept.nonzero().flatten()


def rows_for(size: int | float, total: int, *, where: str, name: str) -> int:
    """A number of rows from a number (int) or a fraction of `total` (float).

    Raises:
        TypeError: neither int nor float.
        ValueError: an int outside 1 .. total - 1, or a fraction outside (0, 1) or that leaves no row on either side.

    Example:
        >>> rows_for(0.25, 10, where="load", name="validation")
        2
    """
    if isinstance(size, bool) or not isinstance(size, int | float):
        raise TypeError(f"{where}: {name} must be a number of rows or a fraction, got {type(size).__name__}.")
    if isinstance(size, float) and not 0 < size < 1:
        raise ValueError(f"{where}: {name} as a fraction must lie between 0 and 1, got {size}.")
    count = round(size * total) if isinstance(size, float) else size
    if not 0 < count < total:
        raise ValueError(f"{where}: {name} must leave rows on both sides, got {size} of {total} rows.")
    return count


def holdout(labels: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Rows kept and rows held out: `count` held out, stratified, both in ascending order.

    Example:
        >>> kept, held = holdout(torch.arange(100) % 2, 10, torch.Generator().manual_seed(0))
        >>> len(kept), len(held)
        (90, 10)
    """
    held = stratified_rows(labels, count, generator)
    return all_but(held, len(labels)), held
