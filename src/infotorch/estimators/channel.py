"""Bounds on I(X; T) for a known Gaussian channel T = F(x) + noise: p(t | x) is known, so no critic is trained.

`features` are the clean outputs F(x), one row a sample, and noise ~ N(0, noise_std^2 I). Every bound is differentiable
in `features`, and in `noise_std` when that is a tensor. A penalty that is minimised must be an upper bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from infotorch.estimators.estimate import Bound, Estimate
from infotorch.numerics.blocks import slices
from infotorch.numerics.checks import as_rows, check_generator, check_noise_std, check_rows
from infotorch.numerics.distances import product_eps, squared_distances

# Largest error of a squared distance, in units of the noise, that a matrix product may make.
_TOLERANCE = 1e-2
# Distances that are held at once: one block up to 4096 rows.
_BLOCK_ENTRIES = 2**24

#: rows in units of the noise, and a slice of them -> log p(t_i | x_j) up to one constant for the i of the slice and all
#: j, shape (m, n), the true pairs at j = i
LogLikelihood = Callable[[Tensor, slice], Tensor]


def pairwise_bounds(features: Any, noise_std: float | Tensor) -> tuple[Estimate, Estimate]:
    """Lower and upper bound on I(X; T), in nats, from the distances between the rows.

    upper = -1/n sum_i log 1/n sum_j exp(-|f_i - f_j|^2 / (2 s^2)); lower has 8 s^2 (the Bhattacharyya distance).

    They bracket the information of the channel whose input is one of these n rows, each equally likely, which is at
    most log n. On average over samples that information is below the population's, so the lower bound holds for the
    population too; the upper one does only where it stays well below log n (look at `saturated`).

    Args:
        features: clean outputs F(x), shape (n, ...), n >= 2; trailing axes are flattened.
        noise_std: standard deviation s of the noise in every coordinate, a number or a 0-d tensor.

    Returns:
        (lower, upper), each in [0, log n], lower <= upper; 0 when all rows are equal.

    Raises:
        ValueError: fewer than two rows, NaN or infinite values, noise_std not positive, or rows too many noise_std
            apart for float64 (1e150).
        TypeError: features or noise_std is not made of real numbers.

    Source: Kolchinsky & Tracey 2017, arXiv:1706.02419, Sec. 4. We include j = i in the sums, as they do.

    Example:
        >>> lower, upper = pairwise_bounds(torch.tensor([[0.0], [1.0]]), noise_std=1.0)
        >>> round(float(lower), 4), round(float(upper), 4)
        (0.0605, 0.2191)
    """
    rows, dtype = _in_noise_units(features, noise_std, where="pairwise_bounds")
    ceiling = math.log(len(rows))

    def bound(factor: float, side: Bound) -> Estimate:
        def log_kernel(rows: Tensor, block: slice) -> Tensor:
            squares = _squared_distances(rows[block], rows)
            squares.diagonal(block.start).zero_()
            return squares / -factor

        return _contrast(
            rows, log_kernel, bound=side, estimator=f"pairwise_bounds {side}", ceiling=ceiling, dtype=dtype
        )

    return bound(8.0, "lower"), bound(2.0, "upper")


def leave_one_out_bound(features: Any, noise_std: float | Tensor, *, generator: torch.Generator) -> Estimate:
    """Upper bound on I(X; T), in nats: the other rows stand for the marginal of T.

    mean_i [log p(t_i | x_i) - log 1/(n-1) sum_{j != i} p(t_i | x_j)], with one noise draw t_i per row.

    Args:
        features: clean outputs F(x), shape (n, ...), n >= 2; trailing axes are flattened.
        noise_std: standard deviation of the noise in every coordinate, a number or a 0-d tensor.
        generator: draws the noise.

    Returns:
        An upper bound for the population, without ceiling: rows far apart (in units of the noise) make it very large.
        About 0 when all rows are equal.

    Raises:
        ValueError: fewer than two rows, NaN or infinite values, noise_std not positive, or rows too many noise_std
            apart for float64 (1e150).
        TypeError: features or noise_std is not made of real numbers, or generator is none.

    Source: Poole et al. 2019, arXiv:1905.06922, eq. 13.

    Example:
        >>> e = leave_one_out_bound(torch.ones(5, 2), 1.0, generator=torch.Generator().manual_seed(0))
        >>> round(abs(float(e)), 4), e.bound
        (0.0, 'upper')
    """
    check_generator(generator, where="leave_one_out_bound")
    rows, dtype = _in_noise_units(features, noise_std, where="leave_one_out_bound")
    log_likelihood = _noisy_likelihood(rows, generator)
    name = "leave_one_out_bound"
    return _contrast(rows, log_likelihood, bound="upper", estimator=name, leave_one_out=True, dtype=dtype)


def infonce_known_channel(features: Any, noise_std: float | Tensor, *, generator: torch.Generator) -> Estimate:
    """InfoNCE lower bound on I(X; T), in nats, with the true log-ratio instead of a critic.

    mean_i [log p(t_i | x_i) - log 1/n sum_j p(t_i | x_j)], with one noise draw t_i per row.

    Args:
        features: clean outputs F(x), shape (n, ...), n >= 2; trailing axes are flattened.
        noise_std: standard deviation of the noise in every coordinate, a number or a 0-d tensor.
        generator: draws the noise.

    Returns:
        A lower bound, at most log n (`ceiling`); close to log n it says "at least this much" (`saturated`).

    Raises:
        ValueError: fewer than two rows, NaN or infinite values, noise_std not positive, or rows too many noise_std
            apart for float64 (1e150).
        TypeError: features or noise_std is not made of real numbers, or generator is none.

    Source: Poole et al. 2019, arXiv:1905.06922, eq. 12 (InfoNCE with a known conditional).

    Example:
        >>> features = torch.tensor([[0.0], [100.0]])
        >>> e = infonce_known_channel(features, 1.0, generator=torch.Generator().manual_seed(0))
        >>> round(float(e), 4), e.saturated
        (0.6931, True)
    """
    check_generator(generator, where="infonce_known_channel")
    rows, dtype = _in_noise_units(features, noise_std, where="infonce_known_channel")
    log_likelihood = _noisy_likelihood(rows, generator)
    ceiling, name = math.log(len(rows)), "infonce_known_channel"
    return _contrast(rows, log_likelihood, bound="lower", estimator=name, ceiling=ceiling, dtype=dtype)


def gaussian_channel_bound(features: Any, noise_std: float | Tensor) -> Estimate:
    """Upper bound on I(X; T), in nats, by the Gaussian with the same moments: 1/2 log det(I + S / noise_std^2).

    S is the covariance of the features, divided by n (not n - 1). The bound holds for the population's covariance;
    from a batch it is biased low, by about d (d + 3) / (4 n) while d << n, and by far more once d approaches n, because
    S has rank n - 1 at most. Equality holds when the features are Gaussian.

    Args:
        features: clean outputs F(x), shape (n, ...), n >= 2; trailing axes are flattened.
        noise_std: standard deviation of the noise in every coordinate, a number or a 0-d tensor.

    Returns:
        At least 0, without ceiling; 0 when all rows are equal. Computed in float64 through the smaller of the n x n and
        the d x d Gram matrix, with an exact gradient.

    Raises:
        ValueError: fewer than two rows, NaN or infinite values, noise_std not positive, or rows too many noise_std
            apart for float64 (1e150).
        TypeError: features or noise_std is not made of real numbers.

    Source: maximum entropy of the Gaussian, Cover & Thomas 2006, Thm. 8.6.5.

    Example:
        >>> round(float(gaussian_channel_bound(torch.tensor([[-1.0], [1.0]]), noise_std=1.0)), 4)
        0.3466
    """
    rows, dtype = _in_noise_units(features, noise_std, where="gaussian_channel_bound")
    wide = rows if rows.device.type == "mps" else rows.double()  # Apple's GPUs have no float64
    centered = (wide - wide.mean(dim=0)) / math.sqrt(len(rows))
    return Estimate(
        _half_log_det(centered).to(dtype),
        bound="upper",
        n=len(rows),
        estimator="gaussian_channel_bound",
        error=lambda: _gaussian_error(centered.detach()),
    )


def _in_noise_units(features: Any, noise_std: float | Tensor, *, where: str) -> tuple[Tensor, torch.dtype]:
    """The rows, moved and divided by the noise's standard deviation: from here on the noise is N(0, I). And their type.

    Where float32 would lose the noise beside the distances, the rows come in float64.

    Raises:
        ValueError: a bound's features or noise_std that it documents as refused.
    """
    rows = as_rows(features, where=where, name="features")
    check_rows(rows, where=where, name="features", at_least=2)
    check_noise_std(noise_std, where=where)
    rows = rows if rows.is_floating_point() else rows.to(torch.float64)
    # By a row and not by the mean, which misses the value of equal rows by rounding.
    moved = (rows - rows[0].detach()) / noise_std
    if moved.dtype != torch.float64 and rows.device.type != "mps" and not _fits(moved):
        moved = (rows.double() - rows[0].detach().double()) / noise_std
    farthest = float(moved.detach().abs().max())
    if not farthest < math.sqrt(torch.finfo(moved.dtype).max) / 1e4:
        raise ValueError(f"{where}: features must lie closer together in units of noise_std, got {farthest:.3g}.")
    return moved, rows.dtype


def _fits(rows: Tensor) -> bool:
    """Whether squared distances by matrix product are exact enough in the rows' type."""
    with torch.no_grad():
        return float((rows * rows).sum(dim=1).max()) * product_eps(rows) <= _TOLERANCE


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    if _fits(b.detach() - b.detach().mean(dim=0)):
        return squared_distances(a, b)
    return torch.cdist(a, b, compute_mode="donot_use_mm_for_euclid_dist").square()


def _noisy_likelihood(rows: Tensor, generator: torch.Generator) -> LogLikelihood:
    """What gives log p(t_i | x_j), with the noise fixed here: the standard error sees the draw that the value saw."""
    noise = torch.randn(rows.shape, generator=generator, device=generator.device, dtype=rows.dtype).to(rows.device)
    own = (noise * noise).sum(dim=1)

    def log_likelihood(rows: Tensor, block: slice) -> Tensor:
        squares = _squared_distances(rows[block] + noise[block], rows)
        # The true pair's distance is the noise itself: no rounding, and no gradient.
        return torch.where(_true_pairs(squares, block), own[block, None], squares) / -2

    return log_likelihood


def _contrast(
    rows: Tensor,
    log_likelihood: LogLikelihood,
    *,
    bound: Bound,
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
    return Estimate(value, bound=bound, n=len(rows), estimator=estimator, ceiling=ceiling, error=error)


def _blocks(n: int) -> Iterator[slice]:
    """Slices that cover n rows, so that n = 100,000 needs no n x n matrix."""
    return slices(n, max(1, _BLOCK_ENTRIES // n))


def _true_pairs(log_p: Tensor, block: slice) -> Tensor:
    """Where j = i, shape (m, n)."""
    own = torch.arange(block.start, block.stop, device=log_p.device)
    return own[:, None] == torch.arange(log_p.shape[1], device=log_p.device)


def _terms(log_p: Tensor, block: slice, leave_one_out: bool) -> tuple[Tensor, Tensor]:
    """Each row's log p(t_i | x_i) - log mean_j p(t_i | x_j), shape (m,), and what the mean is over, shape (m, n)."""
    mixture = log_p.masked_fill(_true_pairs(log_p, block), -math.inf) if leave_one_out else log_p
    count = log_p.shape[1] - leave_one_out
    return log_p.diagonal(block.start) - (mixture.logsumexp(dim=1) - math.log(count)), mixture


def _contrast_error(rows: Tensor, log_likelihood: LogLikelihood, leave_one_out: bool) -> float:
    """Infinitesimal jackknife: a row's own term, and what it does as a component of everyone's mixture."""
    influence = torch.zeros(len(rows), dtype=rows.dtype, device=rows.device)
    for block in _blocks(len(rows)):
        terms, mixture = _terms(log_likelihood(rows, block), block, leave_one_out)
        influence[block] += terms
        influence -= mixture.softmax(dim=1).sum(dim=0)
    return float(influence.std()) / math.sqrt(len(rows))


def _half_log_det(centered: Tensor) -> Tensor:
    """1/2 log det(I + C'C)."""
    n, d = centered.shape
    gram = centered.T @ centered if d <= n else centered @ centered.T
    # Beside large variances a Gram matrix loses the identity, and with it the directions that do not vary.
    if float(gram.detach().trace()) * torch.finfo(gram.dtype).eps > 1e-9:
        return 0.5 * torch.log1p(torch.linalg.svdvals(centered).square()).sum()
    return 0.5 * torch.linalg.slogdet(torch.eye(len(gram), dtype=gram.dtype, device=gram.device) + gram).logabsdet


def _gaussian_error(centered: Tensor) -> float:
    """Infinitesimal jackknife of 1/2 log det: half of every row's squared length in the metric (I + S)^-1."""
    directions, sizes, _ = torch.linalg.svd(centered, full_matrices=False)
    leverage = (directions * sizes / torch.hypot(sizes, torch.ones_like(sizes))).square().sum(dim=1)
    # n * leverage is the squared length; its standard error divides by sqrt(n).
    return 0.5 * math.sqrt(len(centered)) * float(leverage.std())
