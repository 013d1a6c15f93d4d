"""Mixed KSG: mutual information of mixtures, variables that are partly discrete and partly continuous."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from infotorch.estimators.estimate import Estimate
from infotorch.estimators.subsampling import subsampling_error
from infotorch.numerics.checks import check_neighbours, paired_samples
from infotorch.numerics.distances import common_unit
from infotorch.numerics.neighbours import count_within, digamma, joint_counts
from infotorch.numerics.typing import ArrayLike

# The authors' code: radii below it are ties, and radii above it are shrunk by it to make "<=" strict.
_TIE = 1e-15
# Where all numbers are smaller, it would be no small part of their distances.
_SMALLEST = 1e-6


def mixed_ksg(x: ArrayLike, y: ArrayLike, *, k: int = 3) -> Estimate:
    """Mutual information of x and y that may mix atoms and densities, in nats.

    <psi(k_i) + log n - psi(n_x) - psi(n_y)>, the counts including the row itself: with radius 0 (k rows coincide, up to
    1e-15) k_i is the number of coinciding samples and n_x, n_y count equal samples; otherwise k_i = k and n_x, n_y
    count samples within the radius.

    Args:
        x: real or integer, shape (n,) or (n, ...), n > k.
        y: real or integer, the same number of samples.
        k: number of neighbours.

    Returns:
        No bound, not clamped: it may be negative; about 1/(2n) above 0 for constant input. Computed in float64. The
        ceiling is log n - psi(k) where only coinciding samples tie. `std_error` by subsampling.

    Raises:
        ValueError: samples not paired, n <= k, or NaN or infinite values.
        TypeError: x or y is not made of real numbers, or k is not an integer.

    Source: Gao, Kannan, Oh & Viswanath 2017, arXiv:1709.06212, Algorithm 1, as in the authors' code: it has psi where
        the paper has log(n_x + 1), and radius - 1e-15, which above about 8 changes nothing: the k-th neighbour then
        counts. Where all numbers are below 1e-6, they are first multiplied by a power of two.

    Example:
        >>> bits = torch.arange(200) % 2
        >>> round(float(mixed_ksg(bits, bits)), 2)  # log 2 = 0.69
        0.7
    """
    xs, ys = paired_samples(x, y, where="mixed_ksg")
    k = check_neighbours(k, len(xs), where="mixed_ksg")
    unit = common_unit(xs, ys, least=_SMALLEST, most=math.inf)
    xs, ys = xs / unit, ys / unit
    n = len(xs)
    return Estimate(
        _mixed(xs, ys, k),
        side="none",
        n=n,
        estimator=f"mixed_ksg k={k}",
        ceiling=math.log(n) - digamma(k),
        error=lambda: subsampling_error(lambda rows: float(_mixed(xs[rows], ys[rows], k)), n, smallest=5 * (k + 1)),
    )


def _mixed(x: Tensor, y: Tensor, k: int) -> Tensor:
    counts = joint_counts([x, y], k, "chebyshev", _shrunk)
    in_joint = torch.full_like(counts.radius, k)
    tied = counts.radius <= _TIE
    if tied.any():
        together = count_within(torch.cat([x, y], dim=1), torch.full_like(counts.radius, _TIE), "chebyshev")
        in_joint = torch.where(tied, together, in_joint)
    marginals = sum(count.double().digamma() for count in counts.marginal)
    return (in_joint.digamma() - marginals).mean() + math.log(len(x))


def _shrunk(nearest: Tensor, _: Callable[[], Sequence[Tensor]]) -> Tensor:
    radius = nearest[:, -1]
    return torch.where(radius <= _TIE, _TIE, radius - _TIE)
