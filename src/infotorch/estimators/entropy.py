"""Kozachenko-Leonenko: differential entropy from nearest neighbours."""

from __future__ import annotations

import math

from torch import Tensor

from infotorch.estimators.doubts import examined
from infotorch.estimators.estimate import Estimate
from infotorch.estimators.shortfall import entropy_reaches_too_far
from infotorch.estimators.subsampling import subsampling_error
from infotorch.numerics.checks import as_samples, check_choice, check_neighbours
from infotorch.numerics.distances import common_unit
from infotorch.numerics.neighbours import METRICS, Metric, digamma, nearest_distances
from infotorch.numerics.typing import ArrayLike


def kozachenko_leonenko_entropy(x: ArrayLike, *, k: int = 3, metric: Metric = "chebyshev") -> Estimate:
    """Differential entropy of continuous x, in nats: psi(n) - psi(k) + log(volume of the unit ball) + d <log radius>.

    The radius of a sample is the distance to its k-th nearest neighbour, d the number of columns. A differential
    entropy depends on the units: a factor of a column adds its log. The estimate follows a common factor exactly, but
    where scales of columns are unlike, or columns many, balls reach beyond the bulk and it lies too high; warnings
    tell.

    Args:
        x: shape (n,) or (n, ...), n > k.
        k: number of neighbours.
        metric: the norm, "chebyshev" (the ball is a cube) or "euclidean".

    Returns:
        No bound; may be negative, as differential entropies may. Computed in float64. `std_error` by subsampling, where
        scales are unlike with how far standardised columns move the value. `reason` and `reliable` tell what is known
        to speak against it.

    Raises:
        ValueError: n <= k, NaN or infinite values, an unknown metric, or more than k equal samples: then x is not
            continuous and its differential entropy minus infinity.
        TypeError: x is not made of real numbers, or k is not an integer.

    Source: Kozachenko & Leonenko 1987; in this form Kraskov et al. 2004, arXiv:cond-mat/0305641, eq. 20. They write the
        diameter of the ball, we its radius.

    Example:
        >>> import torch
        >>> x = torch.rand(2000, generator=torch.Generator().manual_seed(0))  # uniform on [0, 1]: 0 nats
        >>> abs(float(kozachenko_leonenko_entropy(x))) < 0.1
        True
    """
    xs = as_samples(x, where="kozachenko_leonenko_entropy", name="x")
    k = check_neighbours(k, len(xs), where="kozachenko_leonenko_entropy")
    check_choice(metric, METRICS, where="kozachenko_leonenko_entropy", name="metric")
    value = _entropy(xs, k, metric)
    if value.isinf():
        raise ValueError(
            f"kozachenko_leonenko_entropy: x must be continuous, got rows with {k} or more exact copies: the "
            "differential entropy is minus infinity (discrete_entropy counts symbols)."
        )

    def error() -> float:
        return subsampling_error(lambda rows: float(_entropy(xs[rows], k, metric)), len(xs), smallest=5 * (k + 1))

    name = f"kozachenko_leonenko_entropy k={k} {metric}"
    estimate = Estimate(value, side="none", n=len(xs), estimator=name, error=error)
    return examined(
        estimate,
        {"x": xs},
        depends="differential entropy: a factor of a column adds its log",
        instead="divide each column by its scale, and add the logs of the scales",
        again=lambda scaled: float(_entropy(scaled, k, metric)) + _log_factors(xs, scaled),
        short=lambda: entropy_reaches_too_far(estimate, xs, k),
        instead_of_short="take fewer columns or more samples",
    )


def _entropy(x: Tensor, k: int, metric: Metric) -> Tensor:
    n, d = x.shape
    unit = common_unit(x)
    radius = nearest_distances(x / unit, k, metric)[:, -1]
    return digamma(n) - digamma(k) + _log_unit_ball(d, metric) + d * (radius.log().mean() + math.log(unit))


def _log_factors(x: Tensor, scaled: Tensor) -> float:
    """The sum over columns of log(x / scaled): by so much their entropies differ."""
    row = scaled.abs().argmax(dim=0, keepdim=True)
    return float((x.gather(0, row) / scaled.gather(0, row)).log().sum())


def _log_unit_ball(d: int, metric: Metric) -> float:
    if metric == "chebyshev":
        return d * math.log(2)
    return d / 2 * math.log(math.pi) - math.lgamma(d / 2 + 1)
