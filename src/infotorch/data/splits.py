"""Which samples: stratified draws of an exact size, each a function of (seed, stream name)."""

from __future__ import annotations

import heapq

import torch
from torch import Tensor


def stratified_samples(labels: Tensor, num_samples: int, generator: torch.Generator) -> Tensor:
    """Exactly `num_samples` samples whose classes have the proportions of `labels`, in ascending order.

    Shares are rounded by largest remainder; every class keeps at least one sample where `num_samples` allows it.

    Args:
        labels: int64, shape (n,).
        num_samples: how many to draw, 0 <= num_samples <= n.
        generator: decides which samples of a class, and nothing else.

    Returns:
        Their numbers, int64, shape (num_samples,).

    Raises:
        ValueError: num_samples is negative or above n.

    Example:
        >>> labels = torch.tensor([0] * 90 + [1] * 10)
        >>> rows = stratified_samples(labels, 20, torch.Generator().manual_seed(0))
        >>> torch.bincount(labels[rows]).tolist()
        [18, 2]
    """
    if not 0 <= num_samples <= len(labels):
        raise ValueError(f"stratified_samples: num_samples must lie in 0 to {len(labels)}, got {num_samples}.")
    shuffled = torch.randperm(len(labels), generator=generator)
    _, sizes = labels.unique(return_counts=True)
    shares = torch.tensor(_apportion(sizes.tolist(), num_samples), dtype=torch.int64)
    by_class = shuffled[labels[shuffled].argsort(stable=True)]
    rank = torch.arange(len(labels)) - (sizes.cumsum(0) - sizes).repeat_interleave(sizes)
    return by_class[rank < shares.repeat_interleave(sizes)].sort().values


def _apportion(sizes: list[int], count: int) -> list[int]:
    """Integer shares of `count`, in proportion to `sizes`, each at most its size."""
    total = sum(sizes)
    floors = [size * count // total for size in sizes] if total else []
    remainders = [size * count % total for size in sizes] if total else []
    order = sorted(range(len(sizes)), key=lambda k: (-remainders[k], k))
    shares = list(floors)
    for k in order[: count - sum(floors)]:
        shares[k] += 1
    if count >= len(sizes):
        largest = [(-share, k) for k, share in enumerate(shares) if share]
        heapq.heapify(largest)
        for k in [k for k, share in enumerate(shares) if share == 0]:
            most, giver = largest[0]
            heapq.heapreplace(largest, (most + 1, giver))
            shares[giver] -= 1
            shares[k] = 1
    return shares


def grouped_samples(groups: Tensor, num_samples: int, generator: torch.Generator) -> Tensor:
    """Exactly `num_samples` samples that make up whole groups, but for the last group drawn, in ascending order.

    Samples of one group resemble each other (one day at 25 weather stations), so a held-out sample would otherwise have
    near twins in training.

    Args:
        groups: int64, shape (n,).
        num_samples: how many to draw, 0 <= num_samples <= n.
        generator: decides the order of the groups.

    Raises:
        ValueError: num_samples is negative or above n.

    Example:
        >>> groups = torch.tensor([0, 0, 1, 1, 2, 2])
        >>> len(set(groups[grouped_samples(groups, 4, torch.Generator().manual_seed(0))].tolist()))
        2
    """
    if not 0 <= num_samples <= len(groups):
        raise ValueError(f"grouped_samples: num_samples must lie in 0 to {len(groups)}, got {num_samples}.")
    _, member = groups.unique(return_inverse=True)
    rank = torch.randperm(int(member.max()) + 1 if len(member) else 0, generator=generator)
    return rank[member].argsort(stable=True)[:num_samples].sort().values


def all_but(index: Tensor, total: int) -> Tensor:
    """The numbers of 0 .. total - 1 that are not in `index`, in ascending order."""
    kept = torch.ones(total, dtype=torch.bool)
    kept[index] = False
    return kept.nonzero().flatten()


def num_samples_of(size: int | float, total: int, *, where: str, name: str) -> int:
    """A number of samples from a number (int) or a fraction of `total` (float).

    Raises:
        TypeError: neither int nor float.
        ValueError: an int outside 1 .. total - 1, or a fraction outside (0, 1) or that leaves no sample on either side.

    Example:
        >>> num_samples_of(0.25, 10, where="load", name="validation")
        2
    """
    if isinstance(size, bool) or not isinstance(size, int | float):
        raise TypeError(f"{where}: {name} must be a number of samples or a fraction, got {type(size).__name__}.")
    if isinstance(size, float) and not 0 < size < 1:
        raise ValueError(f"{where}: {name} as a fraction must lie between 0 and 1, got {size}.")
    count = round(size * total) if isinstance(size, float) else size
    if not 0 < count < total:
        raise ValueError(f"{where}: {name} must leave samples on both sides, got {size} of {total} samples.")
    return count


def holdout(labels: Tensor, num_samples: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Numbers of the samples kept and of `num_samples` held out, stratified, both in ascending order.

    Raises:
        ValueError: num_samples is negative or above the number of labels.

    Example:
        >>> kept, held = holdout(torch.arange(100) % 2, 10, torch.Generator().manual_seed(0))
        >>> len(kept), len(held)
        (90, 10)
    """
    held = stratified_samples(labels, num_samples, generator)
    return all_but(held, len(labels)), held
