"""Mixed KSG: mutual information of mixtures, variables that are partly discrete and partly continuous."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from infotorch.estimators.doubts import ONE_RADIUS, examined
from infotorch.estimators.estimate import Estimate
from infotorch.estimators.shortfall import neighbours_fall_short
from infotorch.estimators.subsampling import subsampling_error
from infotorch.numerics.checks import check_neighbours, check_positive, paired_samples
from infotorch.numerics.distances import common_unit
from infotorch.numerics.neighbours import count_within, digamma, joint_counts
from infotorch.numerics.typing import ArrayLike


def mixed_ksg(x: ArrayLike, y: ArrayLike, *, k: int = 3, shrink: float | None = None) -> Estimate:
    """Mutual information of x and y that may mix atoms and densities, in nats.

    <psi(k_i) + log n - psi(n_x) - psi(n_y)>, the counts including the row itself: with radius 0 (k rows coincide) k_i
    is the number of coinciding samples and n_x, n_y count equal samples; otherwise k_i = k and n_x, n_y count samples
    nearer than the radius. As in `ksg` units of columns relative to each other matter, those of class numbers too, and
    warnings tell; a common factor does not.

    Args:
        x: real or integer, shape (n,) or (n, ...), n > k.
        y: real or integer, the same number of samples.
        k: number of neighbours.
        shrink: None shrinks a radius by one unit in its last place, so that "<=" is strict in any unit. A number is an
            absolute one, in the units of the data: what is subtracted, and the largest distance that is a tie; 1e-15
            is the authors'. Above about 8 that changes nothing, and the k-th neighbour counts; of numbers below 1e-15
            all are ties.

    Returns:
        No bound, not clamped: it may be negative; about 1/(2n) above 0 for constant input. Computed in float64. The
        ceiling is log n - psi(k) where only coinciding samples tie. `std_error`, `reason` and `reliable` as of `ksg`.

    Raises:
        ValueError: samples not paired, n <= k, NaN or infinite values, or a shrink that is not positive.
        TypeError: x or y is not made of real numbers, or k is not an integer.

    Source: Gao, Kannan, Oh & Viswanath 2017, arXiv:1709.06212, Algorithm 1, as in the authors' code, which has psi
        where the paper has log(n_x + 1).

    Example:
        >>> bits = torch.arange(200) % 2
        >>> round(float(mixed_ksg(bits, bits)), 2)  # log 2 = 0.69
        0.7
    """
    xs, ys = paired_samples(x, y, where="mixed_ksg")
    k = check_neighbours(k, len(xs), where="mixed_ksg")
    if shrink is not None:
        check_positive(shrink, where="mixed_ksg", name="shrink")
    unit = common_unit(xs, ys, least=1e-100 if shrink is None else 0.0)
    xs, ys = xs / unit, ys / unit
    n = len(xs)
    estimate = Estimate(
        _mixed(xs, ys, k, shrink),
        side="none",
        n=n,
        estimator=f"mixed_ksg k={k}" + (f" shrink={shrink:g}" if shrink is not None else ""),
        ceiling=math.log(n) - digamma(k),
        error=lambda: subsampling_error(
            lambda rows: float(_mixed(xs[rows], ys[rows], k, shrink)), n, smallest=5 * (k + 1)
        ),
    )
    return examined(
        estimate,
        {"x": xs, "y": ys},
        depends=ONE_RADIUS,
        again=lambda a, b: float(_mixed(a, b, k, None)),
        resolution=1 / k,
        short=lambda: neighbours_fall_short(estimate, xs, ys),
    )


def _mixed(x: Tensor, y: Tensor, k: int, shrink: float | None) -> Tensor:
    tie = shrink or 0.0

    def shrunk(nearest: Tensor, _: Callable[[], Sequence[Tensor]]) -> Tensor:
        radius = nearest[:, -1]
        smaller = torch.nextafter(radius, torch.zeros_like(radius)) if shrink is None else radius - tie
        return torch.where(radius <= tie, tie, smaller)

    counts = joint_counts([x, y], k, "chebyshev", shrunk)
    in_joint = torch.full_like(counts.radius, k)
    tied = counts.radius <= tie
    if tied.any():
        together = count_within(torch.cat([x, y], dim=1), torch.full_like(counts.radius, tie), "chebyshev")
        in_joint = torch.where(tied, together, in_joint)
    marginals = sum(count.double().digamma() for count in counts.marginal)
    return (in_joint.digamma() - marginals).mean() + math.log(len(x))
