"""What bounds by pairs of samples share: mean_i [log p(t_i | x_i) - log mean_j p(t_i | x_j)], block by block."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from infotorch.estimators.estimate import Estimate, Side, error_of_mean
from infotorch.numerics.blocks import slices

# Distances that are held at once: one block up to 4096 rows.
_BLOCK_ENTRIES = 2**24

#: rows in units of the noise, and a slice of them -> log p(t_i | x_j) up to one constant for the i of the slice and all
#: j, shape (m, n), the true pairs at j = i
LogLikelihood = Callable[[Tensor, slice], Tensor]


def contrast(
    rows: Tensor,
    log_likelihood: LogLikelihood,
    *,
    side: Side,
    estimator: str,
    dtype: torch.dtype,
    ceiling: float = math.inf,
    leave_one_out: bool = False,
) -> Estimate:
    """mean_i [log p(t_i | x_i) - log mean_j p(t_i | x_j)], the mean over all j or over j != i."""

    def terms(block: slice) -> Tensor:
        return _terms(log_likelihood(rows, block), block, leave_one_out)[0]

    blocks = list(_blocks(len(rows)))
    if len(blocks) > 1 and rows.requires_grad and torch.is_grad_enabled():
        # Every block is computed again on the way back rather than kept.
        parts = [checkpoint(terms, block, use_reentrant=False, preserve_rng_state=False) for block in blocks]
    else:
        parts = [terms(block) for block in blocks]

    def error() -> float:
        with torch.no_grad():
            return _contrast_error(rows.detach(), log_likelihood, leave_one_out)

    value = torch.cat(parts).mean().to(dtype)  # pyright: ignore[reportArgumentType]
    return Estimate(value, side=side, n=len(rows), estimator=estimator, ceiling=ceiling, error=error)


def _blocks(n: int) -> Iterator[slice]:
    """Slices that cover n samples, so that n = 100,000 needs no n x n matrix."""
    return slices(n, max(1, _BLOCK_ENTRIES // n))


def true_pairs(log_p: Tensor, block: slice) -> Tensor:
    """Where j = i, shape (m, n)."""
    own = torch.arange(block.start, block.stop, device=log_p.device)
    return own[:, None] == torch.arange(log_p.shape[1], device=log_p.device)


def _terms(log_p: Tensor, block: slice, leave_one_out: bool) -> tuple[Tensor, Tensor]:
    """Each sample's log p(t_i | x_i) - log mean_j p(t_i | x_j), shape (m,), and what the mean is over, shape (m, n)."""
    mixture = log_p.masked_fill(true_pairs(log_p, block), -math.inf) if leave_one_out else log_p
    count = log_p.shape[1] - leave_one_out
    return log_p.diagonal(block.start) - (mixture.logsumexp(dim=1) - math.log(count)), mixture


def _contrast_error(rows: Tensor, log_likelihood: LogLikelihood, leave_one_out: bool) -> float:
    """Infinitesimal jackknife: a sample's own term, and what it does as a component of everyone's mixture."""
    influence = torch.zeros(len(rows), dtype=rows.dtype, device=rows.device)
    for block in _blocks(len(rows)):
        terms, mixture = _terms(log_likelihood(rows, block), block, leave_one_out)
        influence[block] += terms
        influence -= mixture.softmax(dim=1).sum(dim=0)
    return error_of_mean(influence)
