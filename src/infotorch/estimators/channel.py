"""Bounds on I(X; T) for a known Gaussian channel T = F(x) + noise: p(t | x) is known, so no critic is trained.

`features` are the clean outputs F(x), one row a sample, and noise ~ N(0, noise_std^2 I). Every bound is
differentiable in `features`, and in `noise_std` when that is a tensor. A penalty that is minimised must be an upper
bound.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from infotorch.estimators.contrast import LogLikelihood, contrast, true_pairs
from infotorch.estimators.estimate import Estimate, Side
from infotorch.estimators.pairwise import bounds_by_tiles
from infotorch.numerics.checks import as_rows, check_noise_std, check_rows
from infotorch.numerics.distances import product_eps, squared_distances
from infotorch.numerics.kernels import tiles
from infotorch.numerics.seeds import as_generator
from infotorch.numerics.typing import ArrayLike

# Largest error of a squared distance, in units of the noise, that a matrix product may make.
_TOLERANCE = 1e-2


def pairwise_bounds(features: ArrayLike, noise_std: float | Tensor) -> tuple[Estimate, Estimate]:
    """Lower and upper bound on I(X; T), in nats, from the distances between the samples.

    upper = -1/n sum_i log 1/n sum_j exp(-|f_i - f_j|^2 / (2 s^2)); lower has 8 s^2 (the Bhattacharyya distance). Where
    every entry has a deviation of its own, as that of a variational encoder N(mu(x), sigma(x)^2), the exponents are
    minus the Kullback-Leibler divergence of row i's Gaussian from row j's, and minus their Bhattacharyya distance.

    They bracket the information of the channel whose input is one of these n samples, each equally likely, which is at
    most log n. On average over samples that information is below the population's, so the lower bound holds for the
    population too; the upper one does only where it stays well below log n (look at `saturated`).

    Args:
        features: clean outputs F(x), shape (n, ...), n >= 2; trailing axes are flattened.
        noise_std: standard deviation s of the noise in every coordinate, a number or a 0-d tensor; or one for each
            entry, in the shape of the features.

    Returns:
        (lower, upper), each in [0, log n], lower <= upper; 0 when all samples are equal. Both together take n^2 / 2
        exponentials beyond 8192 samples, and far longer where a gradient is needed (seconds at n = 100,000:
        docs/choosing-an-estimator.md). `gaussian_channel_bound` takes n d^2.

    Raises:
        ValueError: fewer than two samples, NaN or infinite values, noise_std not positive or of another shape, or
            samples too many noise_std apart for float64 (1e150).
        TypeError: features or noise_std is not made of real numbers.

    Source: Kolchinsky & Tracey 2017, arXiv:1706.02419, Sec. 4. We include j = i in the sums, as they do.

    Example:
        >>> lower, upper = pairwise_bounds(torch.tensor([[0.0], [1.0]]), noise_std=1.0)
        >>> round(float(lower), 4), round(float(upper), 4)
        (0.0605, 0.2191)
        >>> lower, upper = pairwise_bounds(torch.zeros(2, 1), noise_std=torch.tensor([[1.0], [3.0]]))  # of a code
        >>> round(float(lower), 4), round(float(upper), 4)
        (0.1196, 0.4571)
    """
    if isinstance(noise_std, Tensor) and noise_std.ndim > 0:
        return _encoder_bounds(features, noise_std)
    rows, dtype = _in_noise_units(features, noise_std, where="pairwise_bounds")
    ceiling = math.log(len(rows))
    needed = torch.is_grad_enabled() and rows.requires_grad
    if halves := [] if needed else tiles(len(rows), device=rows.device):
        return bounds_by_tiles(rows.detach(), halves, dtype=dtype)

    def bound(factor: float, side: Side) -> Estimate:
        def log_kernel(rows: Tensor, block: slice) -> Tensor:
            squares = _squared_distances(rows[block], rows)
            squares.diagonal(block.start).zero_()
            return squares / -factor

        return contrast(rows, log_kernel, side=side, estimator=f"pairwise_bounds {side}", ceiling=ceiling, dtype=dtype)

    return bound(8.0, "lower"), bound(2.0, "upper")


def _encoder_bounds(features: ArrayLike, noise_std: Tensor) -> tuple[Estimate, Estimate]:
    """`pairwise_bounds` of Gaussians with a deviation for each entry, column by column in float64."""
    where = "pairwise_bounds"
    mean = as_rows(features, where=where, name="features")
    check_rows(mean, where=where, name="features", at_least=2)
    deviation = as_rows(noise_std, where=where, name="noise_std")
    if deviation.shape != mean.shape:
        raise ValueError(
            f"{where}: noise_std must be a number, a 0-d tensor, or one deviation for each of the features' entries "
            f"{tuple(mean.shape)}, got shape {tuple(noise_std.shape)}."
        )
    if not bool((deviation > 0).all()):
        raise ValueError(f"{where}: noise_std must be positive and finite, got {float(deviation.detach().min()):g}.")
    dtype = mean.dtype if mean.is_floating_point() else torch.float64
    wide = dtype if mean.device.type == "mps" else torch.float64  # Apple's GPUs have no float64
    both = torch.stack([mean.to(wide), deviation.to(wide)], dim=1)

    def bound(pair: Callable[[Tensor, Tensor, Tensor], Tensor], side: Side) -> Estimate:
        def log_kernel(both: Tensor, block: slice) -> Tensor:
            total = both.new_zeros(len(both[block]), len(both))
            for centre, spread in zip(both[:, 0].T, both[:, 1].T, strict=True):
                total = total + pair(centre[block, None] - centre, spread[block, None], spread)
            return -total

        name = f"pairwise_bounds {side}"
        return contrast(both, log_kernel, side=side, estimator=name, ceiling=math.log(len(both)), dtype=dtype)

    return bound(_bhattacharyya, "lower"), bound(_kullback_leibler, "upper")


def _kullback_leibler(way: Tensor, own: Tensor, other: Tensor) -> Tensor:
    """Of N(0, own^2) from N(way, other^2)."""
    ratio = own / other
    return (ratio.square() - 1 + (way / other).square()) / 2 - ratio.log()


def _bhattacharyya(way: Tensor, own: Tensor, other: Tensor) -> Tensor:
    """Between N(0, own^2) and N(way, other^2)."""
    both = own.square() + other.square()
    return way.square() / (4 * both) + (both / (2 * own * other)).log() / 2


def leave_one_out_bound(
    features: ArrayLike, noise_std: float | Tensor, *, generator: torch.Generator | None = None
) -> Estimate:
    """Upper bound on I(X; T), in nats: the other samples stand for the marginal of T.

    mean_i [log p(t_i | x_i) - log 1/(n-1) sum_{j != i} p(t_i | x_j)], with one noise draw t_i per sample.

    Args:
        features: clean outputs F(x), shape (n, ...), n >= 2; trailing axes are flattened.
        noise_std: standard deviation of the noise in every coordinate, a number or a 0-d tensor.
        generator: draws the noise; None: fresh noise in every call.

    Returns:
        An upper bound for the population, without ceiling: rows far apart (in units of the noise) make it very large.
        About 0 when all samples are equal.

    Raises:
        ValueError: fewer than two samples, NaN or infinite values, noise_std not positive, or samples too many
            noise_std apart for float64 (1e150).
        TypeError: features or noise_std is not made of real numbers, or generator is something else.

    Source: Poole et al. 2019, arXiv:1905.06922, eq. 13.

    Example:
        >>> e = leave_one_out_bound(torch.ones(5, 2), 1.0, generator=torch.Generator().manual_seed(0))
        >>> round(abs(float(e)), 4), e.side
        (0.0, 'upper')
    """
    generator = as_generator(generator, where="leave_one_out_bound")
    rows, dtype = _in_noise_units(features, noise_std, where="leave_one_out_bound")
    log_likelihood = _noisy_likelihood(rows, generator)
    name = "leave_one_out_bound"
    return contrast(rows, log_likelihood, side="upper", estimator=name, leave_one_out=True, dtype=dtype)


def infonce_known_channel(
    features: ArrayLike, noise_std: float | Tensor, *, generator: torch.Generator | None = None
) -> Estimate:
    """InfoNCE lower bound on I(X; T), in nats, with the true log-ratio instead of a critic.

    mean_i [log p(t_i | x_i) - log 1/n sum_j p(t_i | x_j)], with one noise draw t_i per sample.

    Args:
        features: clean outputs F(x), shape (n, ...), n >= 2; trailing axes are flattened.
        noise_std: standard deviation of the noise in every coordinate, a number or a 0-d tensor.
        generator: draws the noise; None: fresh noise in every call.

    Returns:
        A lower bound, at most log n (`ceiling`); close to log n it says "at least this much" (`saturated`).

    Raises:
        ValueError: fewer than two samples, NaN or infinite values, noise_std not positive, or samples too many
            noise_std apart for float64 (1e150).
        TypeError: features or noise_std is not made of real numbers, or generator is something else.

    Source: Poole et al. 2019, arXiv:1905.06922, eq. 12 (InfoNCE with a known conditional).

    Example:
        >>> features = torch.tensor([[0.0], [100.0]])
        >>> e = infonce_known_channel(features, 1.0, generator=torch.Generator().manual_seed(0))
        >>> round(float(e), 4), e.saturated
        (0.6931, True)
    """
    generator = as_generator(generator, where="infonce_known_channel")
    rows, dtype = _in_noise_units(features, noise_std, where="infonce_known_channel")
    log_likelihood = _noisy_likelihood(rows, generator)
    ceiling, name = math.log(len(rows)), "infonce_known_channel"
    return contrast(rows, log_likelihood, side="lower", estimator=name, ceiling=ceiling, dtype=dtype)


def gaussian_channel_bound(features: ArrayLike, noise_std: float | Tensor) -> Estimate:
    """Upper bound on I(X; T), in nats, by the Gaussian with the same moments: 1/2 log det(I + S / noise_std^2).

    S is the covariance of the features, divided by n (not n - 1). The bound holds for the population's covariance;
    from a batch it is biased low, by about d (d + 3) / (4 n) while d << n, and by far more once d approaches n, because
    S has rank n - 1 at most. Equality holds when the features are Gaussian.

    Args:
        features: clean outputs F(x), shape (n, ...), n >= 2; trailing axes are flattened.
        noise_std: standard deviation of the noise in every coordinate, a number or a 0-d tensor.

    Returns:
        At least 0, without ceiling; 0 when all samples are equal. Computed in float64 through the smaller of the n x n
        and the d x d Gram matrix, with an exact gradient.

    Raises:
        ValueError: fewer than two samples, NaN or infinite values, noise_std not positive, or samples too many
            noise_std apart for float64 (1e150).
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
        side="upper",
        n=len(rows),
        estimator="gaussian_channel_bound",
        error=lambda: _gaussian_error(centered.detach()),
    )


def _in_noise_units(features: ArrayLike, noise_std: float | Tensor, *, where: str) -> tuple[Tensor, torch.dtype]:
    """The samples, moved and divided by the noise's deviation, so that the noise is N(0, I); and their type.

    Where float32 would lose the noise beside the distances, the samples come in float64.

    Raises:
        ValueError: a bound's features or noise_std that it documents as refused.
    """
    rows = as_rows(features, where=where, name="features")
    check_rows(rows, where=where, name="features", at_least=2)
    check_noise_std(noise_std, where=where)
    rows = rows if rows.is_floating_point() else rows.to(torch.float64)
    # By a sample and not by the mean, which misses the value of equal samples by rounding.
    moved = (rows - rows[0].detach()) / noise_std
    if moved.dtype != torch.float64 and rows.device.type != "mps" and not _fits(moved):
        moved = (rows.double() - rows[0].detach().double()) / noise_std
    farthest = float(moved.detach().abs().max())
    if not farthest < math.sqrt(torch.finfo(moved.dtype).max) / 1e4:
        raise ValueError(f"{where}: features must lie closer together in units of noise_std, got {farthest:.3g}.")
    return moved, rows.dtype


def _fits(rows: Tensor) -> bool:
    """Whether squared distances by matrix product are exact enough in the samples' type."""
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
        return torch.where(true_pairs(squares, block), own[block, None], squares) / -2

    return log_likelihood


def _half_log_det(centered: Tensor) -> Tensor:
    """1/2 log det(I + C'C)."""
    n, d = centered.shape
    gram = centered.T @ centered if d <= n else centered @ centered.T
    # Beside large variances a Gram matrix loses the identity, and with it the directions that do not vary.
    if float(gram.detach().trace()) * torch.finfo(gram.dtype).eps > 1e-9:
        return 0.5 * torch.log1p(torch.linalg.svdvals(centered).square()).sum()
    return 0.5 * torch.linalg.slogdet(torch.eye(len(gram), dtype=gram.dtype, device=gram.device) + gram).logabsdet


def _gaussian_error(centered: Tensor) -> float:
    """Infinitesimal jackknife of 1/2 log det: half of every sample's squared length in the metric (I + S)^-1."""
    directions, sizes, _ = torch.linalg.svd(centered, full_matrices=False)
    leverage = (directions * sizes / torch.hypot(sizes, torch.ones_like(sizes))).square().sum(dim=1)
    # n * leverage is the squared length; its standard error divides by sqrt(n).
    return 0.5 * math.sqrt(len(centered)) * float(leverage.std())
