"""A weighted sum of KSG estimates whose biases cancel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from infotorch.estimators.doubts import ONE_RADIUS, examined
from infotorch.estimators.estimate import Estimate
from infotorch.estimators.kraskov import ksg_values
from infotorch.estimators.shortfall import SCATTER_OF_SEVERAL, neighbours_fall_short
from infotorch.estimators.subsampling import subsampling_error
from infotorch.numerics.checks import check_choice, check_neighbours, paired_samples
from infotorch.numerics.kinds import check_iterable
from infotorch.numerics.neighbours import METRICS, Metric
from infotorch.numerics.typing import ArrayLike

# How much the spread of the weights counts against the bias that they leave. Chosen on
# `infotorch.distributions.tuning_suite` (n = 300 to 10,000): from 0.1 to 0.3 the mean error hardly changes.
_RIDGE = 0.2


def ksg_ensemble(
    x: ArrayLike, y: ArrayLike, *, ks: Sequence[int] = (1, 2, 4, 8), metric: Metric = "euclidean"
) -> Estimate:
    """Mutual information of continuous x and y, in nats: KSG with several k, weighted so that their biases cancel.

    sum_k w_k KSG_k (variant 1). The bias of KSG_k grows about as k^(2/d), d the columns of x and y together, so weights
    with sum_k w_k k^(2/d) = 0 remove it, at the price of variance. We take the weights of sum 1 that minimise
    (sum_k w_k k^(2/d))^2 + 0.2 mean_k w_k^2: for d = 6 they are 1.36, 0.73,
    -0.05 and -1.04.

    Where a single KSG lies far below the truth, in three columns and more, the error is about half; with one column on
    each side there is little bias to remove. Units of columns matter, and warnings tell, as for `ksg`;
    `mutual_information` uses it on normal scores.

    Args:
        x: shape (n,) or (n, ...), n > max(ks).
        y: the same number of samples.
        ks: two or more different numbers of neighbours.
        metric: the norm in x and in y; "euclidean" leaves less bias (tuning_suite).

    Returns:
        No bound, not clamped: it may be negative. Computed in float64. 0 when x or y is constant. The ceiling is what
        a copy, y = x, gives: psi(n) - sum_k w_k psi(k). Since weights are negative too, rows in tight groups, larger
        than the small ks and smaller than the large ones, may carry the value above it. `std_error` by subsampling.

    Raises:
        ValueError: samples not paired, n <= max(ks), fewer than two or repeated ks, NaN or infinite values, or an
            unknown metric.
        TypeError: x or y is not made of real numbers, ks is a single number, or a k is not an integer.

    Source: weighted ensembles: Moon, Sricharan & Hero 2017, arXiv:1701.08083, for kernel estimators; the KSG members,
        the single exponent and the ridge are ours.

    Example:
        >>> from infotorch.distributions import CorrelatedGaussian
        >>> law = CorrelatedGaussian.sparse(5, 5, correlations=(0.8, 0.8))  # 1.02 nats
        >>> x, y = law.sample(2000, torch.Generator().manual_seed(0))
        >>> from infotorch.estimators.kraskov import ksg
        >>> round(float(ksg(x, y)), 2), round(float(ksg_ensemble(x, y)), 2)
        (0.67, 0.99)
    """
    xs, ys = paired_samples(x, y, where="ksg_ensemble")
    check_iterable(ks, where="ksg_ensemble", name="ks", said="a list of numbers of neighbours")
    ks = [check_neighbours(k, len(xs), where="ksg_ensemble") for k in ks]
    if len(set(ks)) < max(2, len(ks)):
        raise ValueError(f"ksg_ensemble: ks must hold two or more different numbers of neighbours, got {ks}.")
    check_choice(metric, METRICS, where="ksg_ensemble", name="metric")
    weights = weights_of(ks, xs.shape[1] + ys.shape[1])

    def value(xs: Tensor, ys: Tensor) -> Tensor:
        return weights @ torch.stack(ksg_values(xs, ys, ks, 1, metric)).cpu()

    n = len(xs)
    counts = torch.tensor([n, *ks], dtype=torch.float64, device="cpu").digamma()
    estimate = Estimate(
        value(xs, ys).to(xs.device),
        side="none",
        n=n,
        estimator=f"ksg_ensemble k={','.join(map(str, ks))} {metric}",
        ceiling=float(counts[0] - weights @ counts[1:]),
        error=lambda: subsampling_error(lambda rows: float(value(xs[rows], ys[rows])), n, smallest=5 * (max(ks) + 1)),
    )
    return examined(
        estimate,
        {"x": xs, "y": ys},
        depends=ONE_RADIUS,
        again=lambda *scaled: float(value(*scaled)),
        resolution=1 / min(ks),
        short=lambda: neighbours_fall_short(estimate, xs, ys, scatter=SCATTER_OF_SEVERAL),
    )


def weights_of(ks: Sequence[int], columns: int) -> Tensor:
    """The weights of sum 1 that minimise (w . bias)^2 + ridge |w|^2, shape (len(ks),).

    Example:
        >>> [round(float(weight), 2) for weight in weights_of([1, 2, 4, 8], 6)]
        [1.36, 0.73, -0.05, -1.04]
    """
    bias = torch.tensor(ks, dtype=torch.float64, device="cpu").pow(2 / columns)
    cost = torch.outer(bias, bias) + _RIDGE / len(ks) * torch.ones_like(bias).diag()
    weights = torch.linalg.solve(cost, torch.ones_like(bias))
    return weights / weights.sum()
