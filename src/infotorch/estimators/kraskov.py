"""KSG: mutual information of continuous variables from nearest neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from infotorch.estimators.doubts import ONE_RADIUS, examined
from infotorch.estimators.estimate import Estimate
from infotorch.estimators.shortfall import neighbours_fall_short
from infotorch.estimators.subsampling import subsampling_error
from infotorch.numerics.checks import check_choice, check_neighbours, paired_samples, shown
from infotorch.numerics.distances import common_unit
from infotorch.numerics.neighbours import METRICS, JointCounts, Metric, digamma, joint_counts_each
from infotorch.numerics.symbols import is_constant, multiplicity
from infotorch.numerics.typing import ArrayLike


def ksg(
    x: ArrayLike, y: ArrayLike, *, k: int = 3, variant: Literal[1, 2] = 1, metric: Metric = "chebyshev"
) -> Estimate:
    """Mutual information of continuous x and y, in nats, from the k nearest neighbours in the joint space.

    Variant 1: psi(k) + psi(n) - <psi(n_x + 1) + psi(n_y + 1)>, n_x rows strictly nearer in x than the k-th neighbour.
    Variant 2: psi(k) - 1/k + psi(n) - <psi(n_x) + psi(n_y)>, n_x rows within the k neighbours' extent in x.

    The joint distance is the larger of the distances in x and in y, so their units relative to each other, and those of
    columns, decide who is a neighbour: ten times x reads less, a hundred times next to nothing. Standardise the
    columns; a warning tells where their scales lie more than a factor of five apart. In many dimensions the estimate
    falls far below the truth; where that is known, a warning tells. Where more than k samples coincide in x and y,
    psi(k) becomes psi of their number, the samples themselves counted everywhere. Other ties (integers, zeros of a
    ReLU) are better left to `mixed_ksg` and `mutual_information`: here they may carry the value above the ceiling.

    Args:
        x: shape (n,) or (n, ...), n > k.
        y: the same number of samples.
        k: number of neighbours; more is smoother and more biased.
        variant: 1 or 2, algorithms (1) and (2) of the paper.
        metric: the norm in x and in y. "euclidean" goes by matrix products: far faster in hundreds of dimensions.

    Returns:
        No bound, not clamped: it may be negative. Computed in float64. 0 when x or y is constant. The ceiling is
        psi(n) - psi(k), less 1/k for variant 2, where no two distances are equal. `std_error` by subsampling, where
        scales are unlike with how far standardised columns move the value. `reason` and `reliable` tell what is known
        to speak against it.

    Raises:
        ValueError: samples not paired, n <= k, NaN or infinite values, or an unknown variant or metric.
        TypeError: x or y is not made of real numbers, or k is not an integer.

    Source: Kraskov, Stögbauer & Grassberger 2004, arXiv:cond-mat/0305641, eqs. 8 and 9.

    Example:
        >>> noise = torch.randn(2, 1000, generator=torch.Generator().manual_seed(0))
        >>> estimate = ksg(noise[0], noise[0] + noise[1])  # 0.347 nats
        >>> abs(float(estimate) - 0.347) < 3 * estimate.std_error
        True
    """
    xs, ys = paired_samples(x, y, where="ksg")
    k = check_neighbours(k, len(xs), where="ksg")
    check_choice(metric, METRICS, where="ksg", name="metric")
    if not (isinstance(variant, Integral) and variant in {1, 2}):
        raise ValueError(f"ksg: variant must be 1 or 2, got {shown(variant)}.")

    def value(xs: Tensor, ys: Tensor) -> Tensor:
        return ksg_values(xs, ys, [k], variant, metric)[0]

    ceiling = digamma(len(xs)) - digamma(k) - (variant == 2) / k
    estimate = Estimate(
        value(xs, ys),
        side="none",
        n=len(xs),
        estimator=f"ksg k={k} variant={variant} {metric}",
        ceiling=ceiling,
        error=lambda: subsampling_error(lambda rows: float(value(xs[rows], ys[rows])), len(xs), smallest=5 * (k + 1)),
    )
    return examined(
        estimate,
        {"x": xs, "y": ys},
        depends=ONE_RADIUS,
        again=lambda *scaled: float(value(*scaled)),
        resolution=1 / k,
        short=lambda: neighbours_fall_short(estimate, xs, ys),
    )


def ksg_values(x: Tensor, y: Tensor, ks: Sequence[int], variant: int, metric: Metric) -> list[Tensor]:
    """The estimate for each number of neighbours, from one search; x and y of shape (n, d), float64."""
    if is_constant(x) or is_constant(y):
        return [x.new_zeros(())] * len(ks)
    unit = common_unit(x, y)
    x, y = x / unit, y / unit
    if variant == 2:  # which of equally near samples count must not depend on the order of the samples
        order = torch.from_numpy(np.lexsort(torch.cat([x, y], dim=1).T.cpu().numpy())).to(x.device)
        x, y = x[order], y[order]
    rule = _strictly_within if variant == 1 else _extent
    each = joint_counts_each([x, y], ks, metric, rule)
    return [_value(x, y, k, variant, counts) for k, counts in zip(ks, each, strict=True)]


def _value(x: Tensor, y: Tensor, k: int, variant: int, counts: JointCounts) -> Tensor:
    coincident = counts.radius == 0
    in_joint = torch.full_like(counts.radius, k)
    if coincident.any():
        in_joint = torch.where(coincident, multiplicity(torch.cat([x, y], dim=1)), in_joint)
    # Both counts include the row itself, as n_x + 1 of variant 1 does; n_x of variant 2 does not.
    itself = torch.where(coincident, 0, variant - 1)
    terms = in_joint.digamma() - sum(torch.digamma((count - itself).double()) for count in counts.marginal)
    correction = (~coincident).double() * ((variant - 1) / k)
    return (terms - correction).mean() + digamma(len(x))


def _strictly_within(nearest: Tensor, _: Callable[[], Sequence[Tensor]]) -> Tensor:
    """One radius for all spaces, one ulp below the k-th distance: counts are inclusive, and variant 1 is strict."""
    return torch.nextafter(nearest[:, -1], torch.zeros_like(nearest[:, -1]))


def _extent(_: Tensor, distances: Callable[[], Sequence[Tensor]]) -> list[Tensor]:
    """In each space the farthest of the k nearest rows."""
    return [distance.amax(dim=1) for distance in distances()]
