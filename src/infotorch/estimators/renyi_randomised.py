"""Matrix-based Rényi information for many samples: traces from random probes instead of all eigenvalues."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from infotorch.estimators.estimate import Estimate
from infotorch.estimators.renyi_spectrum import NEAR_ONE, KernelSample, entropy
from infotorch.estimators.renyi_terms import Terms, read_variables, too_wide, total_correlation, with_units
from infotorch.numerics.checks import check_count
from infotorch.numerics.kernels import (
    Bandwidth,
    Kernel,
    Tile,
    gram_blocks,
    tiles,
    unit_gram_rows,
    unit_gram_tiles,
    upper_half,
)
from infotorch.numerics.seeds import as_generator
from infotorch.numerics.traces import Times, Trace, estimate_trace
from infotorch.numerics.typing import ArrayLike

# Entries of a kernel matrix that is kept (256 MB in float32) rather than computed again for every product.
_KEPT_ENTRIES = 2**26
# Three controls and the mean leave at least four degrees of freedom to the error.
_FEWEST_PROBES = 8


def renyi_entropy_randomised(
    x: ArrayLike,
    *,
    alpha: float = 1.01,
    bandwidth: Bandwidth = "knn",
    kernel: Kernel = "exp(-d2/s)",
    num_probes: int = 32,
    num_deflated: int = 16,
    num_steps: int = 8,
    generator: torch.Generator | None = None,
) -> Estimate:
    """Estimate of `renyi_entropy(x)`, in nats, from products of the kernel matrix with a few columns.

    benchmarks/speed.py has its error and its time beside the exact value's. Beyond 8192 rows the kernel matrix is
    computed in tiles for every product: memory stays small, and the time grows with n^2 rather than n^3. A product
    takes n^2 / 2 exponentials and 2 n^2 (num_probes + num_deflated) operations, and there are num_steps + 2 of them: at
    n = 100,000 that is 10^13 operations, minutes on two cores. num_probes=8, num_deflated=8 and num_steps=4 take
    half as long, with four to five times the error; order 2 is exact in one pass.

    Args:
        x: shape (n,) or (n, ...); trailing axes are flattened; integers are symbols, whose entropy is exact.
        alpha: see `renyi_entropy`; order 2 is exact, and faster there.
        bandwidth: see `renyi_entropy`. "knn" takes all distances itself: give a number where that is too slow.
        kernel: see `renyi_entropy`.
        num_probes: random signs, at least 8; the error of chance falls as 1 / sqrt(num_probes).
        num_deflated: columns that span the largest eigenvalues, which are then free of chance.
        num_steps: Lanczos steps, at least 2; the error of quadrature falls as 1 / num_steps^2.
        generator: draws the probes; None: fresh ones in every call.

    Returns:
        Without gradient. `std_error` is the error against `renyi_entropy`, of chance and of quadrature together, not
        the spread over samples.

    Raises:
        ValueError: as `renyi_entropy`, or too few probes or steps.
        TypeError: x is not made of real numbers, a count is not an integer, or generator is something else.

    Source: the problem as in Dong, Gong, Yu & Li 2023, arXiv:2112.13720, who expand in polynomials; ours is Lanczos
    quadrature with control variates, see `infotorch.numerics.traces`.

    Example:
        >>> x = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
        >>> e = renyi_entropy_randomised(x, bandwidth=1.0, generator=torch.Generator().manual_seed(1))
        >>> e.std_error < 0.1
        True
    """
    where = "renyi_entropy_randomised"
    generator = as_generator(generator, where=where)
    _check_counts(num_probes, num_deflated, num_steps, where=where)
    (sample,), name = read_variables([("x", x)], alpha, bandwidth, kernel, where=where)
    estimate = _estimate([(1, sample)], alpha, name, (num_probes, num_deflated, num_steps), generator)
    return with_units(estimate, [("x", x)], bandwidth, kernel)


def renyi_mi_randomised(
    x: ArrayLike,
    y: ArrayLike,
    *,
    alpha: float = 1.01,
    bandwidth: Bandwidth | Sequence[Bandwidth] = "knn",
    kernel: Kernel = "exp(-d2/s)",
    num_probes: int = 32,
    num_deflated: int = 16,
    num_steps: int = 8,
    generator: torch.Generator | None = None,
) -> Estimate:
    """Estimate of `renyi_mi(x, y)`, in nats: three entropies from the same probes, so that part of the errors cancels.

    The error is about as large as that of one entropy: weak dependence needs more probes and steps.

    Args:
        x: shape (n,) or (n, ...); integers are symbols.
        y: the same number of samples.
        alpha: see `renyi_entropy`; order 2 is exact, and faster there.
        bandwidth: one for both, or a pair; see `renyi_entropy`.
        kernel: see `renyi_entropy`.
        num_probes: as for `renyi_entropy_randomised`.
        num_deflated: as for `renyi_entropy_randomised`.
        num_steps: as for `renyi_entropy_randomised`.
        generator: draws the probes; None: fresh ones in every call.

    Returns:
        Without gradient. `std_error` is the error against `renyi_mi`, not the spread over samples.

    Raises:
        ValueError: as `renyi_mi`, or too few probes or steps.
        TypeError: x or y is not made of real numbers, a count is not an integer, or generator is something else.

    Source: see `renyi_entropy_randomised`.

    Example:
        >>> x = torch.randn(500, 3, generator=torch.Generator().manual_seed(0))
        >>> e = renyi_mi_randomised(x, x, bandwidth=1.0, generator=torch.Generator().manual_seed(1))
        >>> e.std_error < 0.1
        True
    """
    where = "renyi_mi_randomised"
    generator = as_generator(generator, where=where)
    _check_counts(num_probes, num_deflated, num_steps, where=where)
    samples, name = read_variables([("x", x), ("y", y)], alpha, bandwidth, kernel, where=where)
    estimate = _estimate(total_correlation(samples), alpha, name, (num_probes, num_deflated, num_steps), generator)
    return with_units(estimate, [("x", x), ("y", y)], bandwidth, kernel)


def _check_counts(num_probes: int, num_deflated: int, num_steps: int, *, where: str) -> None:
    for name, value, least in (
        ("num_probes", num_probes, _FEWEST_PROBES),
        ("num_deflated", num_deflated, 1),
        ("num_steps", num_steps, 2),
    ):
        check_count(value, where=where, name=name)
        if value < least:
            raise ValueError(f"{where}: {name} must be at least {least}, got {value}.")


@torch.no_grad()
def _estimate(
    terms: Terms, alpha: float, name: str, counts: tuple[int, int, int], generator: torch.Generator
) -> Estimate:
    num_probes, num_deflated, num_steps = counts
    columns = terms[0][1].columns
    n = len(columns)
    shape = (n, num_probes + min(num_deflated, n))
    signs = 2.0 * torch.randint(2, shape, generator=generator, device=generator.device) - 1
    signs = signs.to(columns)
    # bfloat16 products would leave no digit.
    with torch.autocast(device_type=columns.device.type, enabled=False):
        parts = [(sign, _entropy(sample, alpha, signs, num_probes, num_steps)) for sign, sample in terms]
    value = sum(sign * part.value for sign, part in parts)
    chance = torch.stack([sign * part.deviations for sign, part in parts]).sum(dim=0).norm()
    # The truth lies anywhere within the bracket: a uniform law has its width over sqrt 12 as its deviation.
    quadrature = math.hypot(*(part.bracket for _, part in parts)) / math.sqrt(12)
    reason = too_wide([part.value for _, part in parts], terms)
    return Estimate(
        columns.new_tensor(value),
        side="none",
        n=n,
        estimator=f"{name} probes={num_probes} deflated={num_deflated} steps={num_steps}",
        ceiling=math.log(n),
        reason=reason,
        reliable=not reason,
        error=lambda: math.hypot(float(chance), quadrature),
    )


def _entropy(sample: KernelSample, alpha: float, signs: Tensor, num_probes: int, num_steps: int) -> Trace:
    """The entropy with its errors, in nats: a trace's errors times the entropy's slope in the trace."""
    if alpha == 2 or sample.columns.shape[1] == 0:
        return Trace(float(entropy(sample, alpha)), torch.zeros(num_probes, dtype=torch.float64, device="cpu"), 0.0)
    times, trace_of_square = _operator(sample)
    found = estimate_trace(
        times,
        lambda values: _summand(values, alpha),
        trace=1.0,
        trace_of_square=trace_of_square,
        probes=signs[:, :num_probes],
        sketch=signs[:, num_probes:],
        steps=num_steps,
    )
    value, slope = _entropy_of_trace(found.value, alpha)
    return Trace(value, slope * found.deviations, abs(slope) * found.bracket)


def _summand(values: Tensor, alpha: float) -> Tensor:
    """Near order 1 what an eigenvalue adds to (tr A - tr A^alpha) / (alpha - 1), else to tr A^alpha."""
    if alpha == 1:
        return -torch.special.xlogy(values, values)
    if NEAR_ONE[0] <= alpha <= NEAR_ONE[1]:
        return values * torch.expm1((alpha - 1) * values.clamp_min(1e-300).log()) / (1 - alpha)
    return values**alpha


def _entropy_of_trace(trace: float, alpha: float) -> tuple[float, float]:
    """The entropy that belongs to a sum of `_summand`, and its derivative."""
    if alpha == 1:
        return trace, 1.0
    if NEAR_ONE[0] <= alpha <= NEAR_ONE[1]:
        return math.log1p((1 - alpha) * trace) / (1 - alpha), 1 / (1 + (1 - alpha) * trace)
    return math.log(trace) / (1 - alpha), 1 / ((1 - alpha) * trace)


def _operator(sample: KernelSample) -> tuple[Times, float]:
    """The product with A = K / n, and tr A^2."""
    n = len(sample)
    if sample.codes is None:
        product, squares = _block_operator(sample.columns)
        return lambda columns: product(columns).div_(n), squares / n**2
    parts = [(rows, *_block_operator(sample.columns[rows])) for rows in sample.blocks() if len(rows) > 1]
    squares = float(n - sum(len(rows) for rows, *_ in parts)) + sum(squares for *_, squares in parts)

    def times(columns: Tensor) -> Tensor:
        # A sample alone in its block only meets itself.
        image = columns.clone()
        for rows, product, _ in parts:
            image[rows] = product(columns[rows])
        return image / n

    return times, squares / n**2


def _block_operator(z: Tensor) -> tuple[Times, float]:
    """The product with the kernel matrix of one block, and the sum of its squares."""
    if halves := tiles(len(z), device=z.device):
        return _by_tiles(unit_gram_tiles(z), halves)
    gram, blocks = _rows_of(z), _slices(z)

    def product(local: Tensor) -> Tensor:
        image = torch.empty_like(local)
        for block in blocks:
            image[block] = gram(block) @ local
        return image

    return product, sum(_sum_of_squares(gram(block)) for block in blocks)


def _by_tiles(gram: Tile, halves: Sequence[tuple[slice, slice]]) -> tuple[Times, float]:
    def product(local: Tensor) -> Tensor:
        image = torch.zeros_like(local)
        for rows, columns in halves:
            own = gram(rows, columns)
            image[rows] += own @ local[columns]
            if rows != columns:
                image[columns] += own.T @ local[rows]
        return image

    return product, sum((1 + (rows != columns)) * _sum_of_squares(gram(rows, columns)) for rows, columns in halves)


def _sum_of_squares(block: Tensor) -> float:
    return float(torch.linalg.vector_norm(block, dim=1).double().square().sum())


def _slices(z: Tensor) -> list[slice]:
    return [slice(0, len(z))] if len(z) ** 2 <= _KEPT_ENTRIES else list(gram_blocks(len(z)))


def _rows_of(z: Tensor) -> Callable[[slice], Tensor]:
    """Rows of a block's kernel matrix, kept where it is small."""
    if len(z) ** 2 > _KEPT_ENTRIES:
        return unit_gram_rows(z)
    tile, whole = unit_gram_tiles(z), z.new_empty(len(z), len(z))
    for rows, columns in upper_half(len(z), device=z.device):
        whole[rows, columns] = own = tile(rows, columns)
        if rows != columns:
            whole[columns, rows] = own.T
        del own  # its memory, at hand and in the cache, is the next one's
    return lambda block: whole[block]
