"""Matrix-based Rényi entropy: information from the eigenvalues of kernel matrices, without any density."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from infotorch.estimators.estimate import Estimate
from infotorch.estimators.renyi_spectrum import entropy, join
from infotorch.estimators.renyi_terms import (
    check_matrices,
    estimate_of,
    read_variables,
    tell_units,
    total_correlation,
    with_units,
)
from infotorch.numerics.kernels import Bandwidth, Kernel
from infotorch.numerics.typing import ArrayLike


def renyi_entropy(
    x: ArrayLike, *, alpha: float = 1.01, bandwidth: Bandwidth = "knn", kernel: Kernel = "exp(-d2/s)"
) -> Estimate:
    """Matrix-based Rényi entropy of x, in nats: log(tr A^alpha) / (1 - alpha), A = K / n the Gaussian kernel matrix.

    It is the entropy of A's eigenvalues, not that of a density: about the log of how many groups of samples the kernel
    tells apart. A wider kernel tells fewer apart, so values at different bandwidths do not compare. Order 1 is the
    limit, -tr(A log A). Integers and booleans are symbols: their kernel is 1 between equal samples and 0 otherwise, and
    the entropy is that of their frequencies; pass `x.float()` for the Gaussian kernel.

    Args:
        x: shape (n,) or (n, ...); trailing axes are flattened.
        alpha: the order, above 0. Order 2 needs no eigenvalues: it is many times faster, and takes blocks of samples,
            so n = 100,000 fits. Orders below 1 weigh the smallest eigenvalues up, are computed in float64, and have no
            finite gradient where rows repeat.
        bandwidth: a number s, or the rule that finds it: "knn", the mean distance to the 10 nearest rows, or "median",
            the median distance. It is a constant: no gradient runs through it. `estimator` tells the number.
        kernel: "exp(-d2/s)", the published code's, where a distance divides a squared distance, so the unit of x
            matters; or "exp(-d2/2s2)", which no rescaling of x changes when the bandwidth is found by a rule.

    Returns:
        In [0, log n], differentiable, in the input's type. 0 when all samples are equal. Memory n^2 unless alpha is 2.
        `std_error` by the infinitesimal jackknife at a fixed bandwidth: a rule that follows the data's scale steadies
        the entropy, whose error is then overstated. It tells the spread over samples of n samples, not the distance
        from the value at infinite n, which is larger.

    Raises:
        ValueError: no rows, NaN or infinite values, alpha or bandwidth not positive, or an unknown rule or kernel.
        TypeError: x is not made of real numbers.
        MemoryError: the kernel matrix does not fit into memory: use `renyi_entropy_randomised` or alpha = 2.

    Source: Giraldo, Rao & Principe 2015, arXiv:1211.2459, in bits there. Order, bandwidth and kernel default to
    Yu et al. 2021, arXiv:2101.10160, and its code.

    Example:
        >>> x = torch.tensor([0.0, 0.0, 100.0, 100.0])
        >>> round(renyi_entropy(x, bandwidth=1.0).bits, 4)
        1.0
    """
    (sample,), name = read_variables([("x", x)], alpha, bandwidth, kernel, where="renyi_entropy")
    estimate = estimate_of([(1, sample)], alpha, name, ceiling=math.log(len(sample)))
    return with_units(estimate, [("x", x)], bandwidth, kernel)


def renyi_mi(
    x: ArrayLike,
    y: ArrayLike,
    *,
    alpha: float = 1.01,
    bandwidth: Bandwidth | Sequence[Bandwidth] = "knn",
    kernel: Kernel = "exp(-d2/s)",
) -> Estimate:
    """Matrix-based mutual information of x and y, in nats: S(x) + S(y) - S(x, y).

    It is no estimate of Shannon's information but a dependence measure in its likeness: it grows with n, and is
    positive for independent variables too, the more so the narrower the kernel. Compare at equal n and bandwidth.

    Args:
        x: shape (n,) or (n, ...); integers are symbols.
        y: the same number of samples.
        alpha: see `renyi_entropy`.
        bandwidth: one for both, or a pair; see `renyi_entropy`.
        kernel: see `renyi_entropy`.

    Returns:
        At most the smaller of S(x) and S(y), and so log n; differentiable; 0 when x or y is constant. At least 0 for
        alpha = 1 only: other orders are not subadditive (two binary variables reach -0.04 at alpha = 2). Symbols for y
        save two of the three matrices of n x n.

    Raises:
        ValueError: samples not paired, or as `renyi_entropy`.
        TypeError: x or y is not made of real numbers.
        MemoryError: a kernel matrix does not fit into memory: use `renyi_mi_randomised` or alpha = 2.

    Source: Giraldo, Rao & Principe 2015, arXiv:1211.2459, Sec. IV; used to train by Yu et al. 2021, arXiv:2101.10160.

    Example:
        >>> labels = torch.tensor([0, 1]).repeat(50)
        >>> round(renyi_mi(10.0 * labels, labels, bandwidth=1.0).bits, 4)
        1.0
    """
    samples, name = read_variables([("x", x), ("y", y)], alpha, bandwidth, kernel, where="renyi_mi")
    estimate = estimate_of(total_correlation(samples), alpha, name, ceiling=math.log(len(samples[0])))
    return with_units(estimate, [("x", x), ("y", y)], bandwidth, kernel)


def renyi_normalised_mi(
    x: ArrayLike,
    y: ArrayLike,
    *,
    alpha: float = 1.01,
    bandwidth: Bandwidth | Sequence[Bandwidth] = "knn",
    kernel: Kernel = "exp(-d2/s)",
) -> Tensor:
    """Matrix-based mutual information divided by its largest value: I / min(S(x), S(y)), a number without unit.

    Args:
        x: shape (n,) or (n, ...); integers are symbols.
        y: the same number of samples.
        alpha: see `renyi_entropy`.
        bandwidth: one for both, or a pair; see `renyi_entropy`.
        kernel: see `renyi_entropy`.

    Returns:
        0-d tensor, at most 1 but for rounding, differentiable; 1 when y is a function of x that the kernel resolves.

    Raises:
        ValueError: x or y is constant (0 / 0), samples not paired, or as `renyi_entropy`.
        TypeError: x or y is not made of real numbers.
        MemoryError: a kernel matrix does not fit into memory: use alpha = 2.

    Source: Yu et al. 2021, arXiv:2101.10160, the normalised total correlation T* of two variables.

    Example:
        >>> labels = torch.tensor([0, 1]).repeat(50)
        >>> round(float(renyi_normalised_mi(10.0 * labels, labels, bandwidth=1.0)), 4)
        1.0
    """
    (first, second), _ = read_variables([("x", x), ("y", y)], alpha, bandwidth, kernel, where="renyi_normalised_mi")
    check_matrices(total_correlation([first, second]), alpha, where="renyi_normalised_mi")
    tell_units([("x", x), ("y", y)], bandwidth, kernel, where="renyi_normalised_mi")
    of_x, of_y = entropy(first, alpha), entropy(second, alpha)
    smaller = torch.minimum(of_x, of_y)
    # A constant's entropy is 0 up to the eigenvalues' rounding.
    if float(smaller.detach()) <= 1e3 * torch.finfo(smaller.dtype).eps:
        raise ValueError("renyi_normalised_mi: x and y must not be constant, got an entropy of 0.")
    return (of_x + of_y - entropy(join(first, second), alpha)) / smaller
