"""Pairs on graphs for the bounds of `infotorch.estimators.bounds`: who is paired with whom, scores, weighted pairs.

A matrix of scores of all nodes against all does not fit. Here each node meets a few others, drawn anew, and each edge
its own two ends: memory grows with the pairs. Nodes are numbered through all graphs of a mini-batch, graph after graph.
"""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from infotorch.numerics.checks import check_count
from infotorch.numerics.seeds import as_generator

# Numbers gathered at once while pairs are scored: 32 MiB in float32.
_GATHERED_AT_ONCE = 2**23


def other_nodes(graph_index: Tensor, count: int, generator: torch.Generator | None = None) -> Tensor:
    """For every node `count` nodes of other graphs, each of them equally likely; in a single graph, other nodes of it.

    Args:
        graph_index: the graph of every node, int64 (n,), ascending.
        count: draws for each node, with replacement.
        generator: on the device of `graph_index`; None: other draws in every call.

    Returns:
        Node numbers, int64 (n, count).

    Raises:
        ValueError: fewer than two nodes, or count below 1.
        TypeError: count is not an integer.

    Example:
        >>> drawn = other_nodes(torch.tensor([0, 0, 1, 1]), 3, torch.Generator().manual_seed(0))
        >>> sorted(drawn[:2].unique().tolist()), sorted(drawn[2:].unique().tolist())
        ([2, 3], [0, 1])
    """
    n = len(graph_index)
    if n < 2:
        raise ValueError(f"other_nodes: at least 2 nodes are needed, got {n}.")
    first, last = _blocks(graph_index, graph_index)
    alone = last - first == n
    node = torch.arange(n, device=graph_index.device)
    return draw_outside(
        torch.where(alone, node, first), torch.where(alone, node + 1, last), n, count=count, generator=generator
    )


def draw_outside(
    start: Tensor,
    stop: Tensor,
    total: int,
    *,
    count: int,
    weights: Tensor | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Numbers below `total` that lie outside each row's own block [start, stop), with replacement.

    Args:
        start: the first number of each row's block, int64 (r,).
        stop: the first number behind it; something must be left outside.
        total: how many numbers there are.
        count: draws for each row.
        weights: numbers are drawn in proportion to these, (total,), positive; None: all alike.
        generator: on the device of `start`; None: other draws in every call.

    Returns:
        int64 (r, count).

    Raises:
        ValueError: a block that leaves nothing outside, or count below 1.
        TypeError: count is not an integer.

    Example:
        >>> start, stop = torch.tensor([0, 1]), torch.tensor([2, 3])
        >>> draw_outside(start, stop, 3, count=2, generator=torch.Generator().manual_seed(0)).tolist()
        [[2, 2], [0, 0]]
    """
    generator = as_generator(generator, where="draw_outside", device=start.device)
    check_count(count, where="draw_outside", name="count")
    if bool((stop - start >= total).any()):
        raise ValueError(f"draw_outside: a block must leave one of the {total} numbers outside.")
    start, stop = start[:, None], stop[:, None]
    # In float64, where sums of 10^6 weights keep nine digits and all whole numbers are exact.
    sums = None if weights is None else F.pad(weights.double().cumsum(0), (1, 0))
    low, high = (start.double(), stop.double()) if sums is None else (sums[start], sums[stop])
    whole = total if sums is None else sums[-1]
    place = torch.rand(len(start), count, dtype=torch.float64, device=start.device, generator=generator)
    place = place * (whole - (high - low))
    # Rounding must not carry a draw into the block: what is behind it is decided here, and kept by the clamps.
    behind = ((place >= low) & (stop < total)) | (start == 0)
    place = torch.where(behind, place + (high - low), place)
    drawn = place.long() if sums is None else torch.searchsorted(sums, place, right=True) - 1
    return torch.where(behind, drawn.clamp(max=total - 1).maximum(stop), drawn.clamp(min=0).minimum(start - 1))


def non_edges(edge_index: Tensor, graph_index: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """For every edge a pair without one, at random: the edge's target and a node of its graph that it is not joined to.

    Joined is who has an edge in either direction; nobody is paired with themselves. All that qualify are equally
    likely, without rejection. An edge whose target is joined to every node of its graph gives no pair.

    Args:
        edge_index: int64 (2, e), from source to target.
        graph_index: the graph of every node, int64 (n,), ascending.
        generator: on the device of `edge_index`; None: other draws in every call.

    Returns:
        int64 (2, p), p <= e: a node in place of the source, and the target.

    Example:
        >>> path = torch.tensor([[0, 1], [1, 2]])
        >>> non_edges(path, torch.zeros(3, dtype=torch.int64), torch.Generator().manual_seed(0)).tolist()
        [[0], [2]]
    """
    generator = as_generator(generator, where="non_edges", device=edge_index.device)
    n, target = len(graph_index), edge_index[1]
    node = torch.arange(n, device=graph_index.device)
    first, last = _blocks(graph_index, graph_index)
    # Every node's own like, sorted: who it cannot be paired with, as one number each.
    excluded = torch.cat([target * n + edge_index[0], edge_index[0] * n + target, node * n + node]).unique()
    owner, taken = excluded // n, excluded % n
    begin, end = _blocks(node, owner)
    free = (last - first) - (end - begin)
    target = target[free[target] > 0]
    drawn = torch.rand(len(target), dtype=torch.float64, device=target.device, generator=generator)
    rank = (drawn * free[target]).long().minimum(free[target] - 1)
    # The rank-th free node stands behind all excluded ones with at most `rank` free ones before them.
    before = taken - first[owner] - (torch.arange(len(taken), device=taken.device) - begin[owner])
    stride = n + 1
    skipped = torch.searchsorted(owner * stride + before, target * stride + rank, right=True) - begin[target]
    return torch.stack([first[target] + rank + skipped, target])


def pair_scores(a: Tensor, b: Tensor, columns: Tensor, rows: Tensor | None = None) -> Tensor:
    """Inner products of rows of a with rows of b, for given pairs: memory for the scores, and not for the rows paired.

    Args:
        a: (n, d).
        b: (m, d), of a's dtype.
        columns: the row of b of each pair, int64: (n, k), k for every row of a; or (p,) with `rows`.
        rows: the row of a of each pair, int64 (p,).

    Returns:
        Scores in the shape of `columns`, differentiable once.

    Example:
        >>> a, b = torch.eye(2), torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> pair_scores(a, b, torch.tensor([[0, 1], [0, 1]]))
        tensor([[1., 3.],
                [2., 4.]])
        >>> pair_scores(a, b, torch.tensor([1]), rows=torch.tensor([0]))
        tensor([3.])
    """
    return _PairScores.apply(a, b, columns, rows)  # pyright: ignore[reportReturnType]


class _PairScores(torch.autograd.Function):
    """Gathers a chunk of pairs at a time; backward is two products with the sparse matrix of the scores' gradients."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, columns: Tensor, rows: Tensor | None) -> Tensor:
        ctx.save_for_backward(a, b, columns, rows)
        left, right = _rows_of(columns, rows), columns.flatten()
        scores = a.new_empty(len(right))
        step = max(1, _GATHERED_AT_ONCE // max(1, a.shape[1]))
        for part in (slice(at, at + step) for at in range(0, len(right), step)):
            torch.sum(a[left[part]].mul_(b[right[part]]), dim=1, out=scores[part])
        return scores.view(columns.shape)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, Tensor, None, None]:
        (grad,) = grads
        a, b, columns, rows = ctx.saved_tensors
        # A pair that is there twice is two entries of the matrix, whose products add up.
        pairs = torch.stack([_rows_of(columns, rows), columns.flatten()])
        matrix = torch.sparse_coo_tensor(pairs, grad.flatten(), (len(a), len(b)), check_invariants=False)
        return torch.sparse.mm(matrix, b), torch.sparse.mm(matrix.t(), a), None, None


def _rows_of(columns: Tensor, rows: Tensor | None) -> Tensor:
    if rows is not None:
        return rows
    return torch.arange(len(columns), device=columns.device).repeat_interleave(columns.shape[1])


def sampled_infonce(
    scores: Tensor, product: Tensor, *, rows: Tensor | None = None, weights: Tensor | None = None
) -> Tensor:
    """InfoNCE lower bound on I(X; Y) with k pairs drawn apart for each x, in nats; at most log(k + 1).

    log(k + 1) + the mean over true pairs of log(exp s / (exp s + sum over the k of exp s')).

    Args:
        scores: scores of p true pairs, (p,).
        product: scores of n x's with k draws of y from its marginal, (n, k).
        rows: the x, a row of `product`, of each true pair, int64 (p,); None: p = n, in order.
        weights: how much each true pair counts, (p,); None: all alike. The y's must be drawn with the same weights.

    Source: van den Oord, Li & Vinyals 2018, arXiv:1807.03748, eq. 4, with N = k + 1.

    Example:
        >>> round(sampled_infonce(torch.tensor([9.0, 9.0]), torch.zeros(2, 3)).item(), 3)  # log 4 is 1.386
        1.386
    """
    others = product.logsumexp(dim=1)
    others = others if rows is None else others[rows]
    return math.log(product.shape[1] + 1) + _weighted_mean(scores - torch.logaddexp(scores, others), weights)


def weighted_jsd(scores: Tensor, product: Tensor, weights: Tensor, product_weights: Tensor) -> Tensor:
    """`jsd` of pairs that count differently: at most log 2 nats, and no bound on I(X; Y).

    Args:
        scores: of true pairs, (p,).
        product: of pairs drawn apart, (m,).
        weights: of the true pairs, (p,), not negative.
        product_weights: of the others, (m,), not negative.

    Example:
        >>> ones = torch.ones(2)
        >>> round(weighted_jsd(torch.tensor([0.0, 9.0]), torch.zeros(2), torch.tensor([1.0, 0.0]), ones).item(), 4)
        0.0
    """
    together = _weighted_mean(F.softplus(-scores), weights)
    return math.log(2) - 0.5 * (together + _weighted_mean(F.softplus(product), product_weights))


def weighted_pairs(scores: Tensor, product: Tensor, weights: Tensor, product_weights: Tensor) -> tuple[Tensor, Tensor]:
    """What to give `donsker_varadhan`, `MineGradient` or `nwj` for pairs that count differently; not `jsd` or `smile`.

    These bounds are linear in the scores of true pairs, and see the others through the mean of exp(s): so the former
    become their weighted mean, and the latter get the logarithm of their weight added.

    Args:
        scores: of true pairs, (p,).
        product: of pairs drawn apart, (m,).
        weights: of the true pairs, (p,), not negative.
        product_weights: of the others, (m,), not negative.

    Returns:
        (1,) and (m,).

    Example:
        >>> from infotorch.estimators.bounds import donsker_varadhan
        >>> scores, product, uneven = torch.tensor([2.0, 0.0]), torch.tensor([1.0, 5.0]), torch.tensor([1.0, 0.0])
        >>> round(donsker_varadhan(*weighted_pairs(scores, product, uneven, uneven)).item(), 4)  # 2 - 1
        1.0
    """
    return _weighted_mean(scores, weights)[None], product + (product_weights / product_weights.mean()).log()


def _weighted_mean(values: Tensor, weights: Tensor | None) -> Tensor:
    return values.mean() if weights is None else (values * weights).sum() / weights.sum()


def _blocks(wanted: Tensor, ascending: Tensor) -> tuple[Tensor, Tensor]:
    """Where each wanted number begins and ends in an ascending sequence."""
    return torch.searchsorted(ascending, wanted), torch.searchsorted(ascending, wanted, right=True)
