"""Where nearest neighbours are known to fall short: many columns, and much information in few of them.

The shares below were chosen on Gaussian pairs among idle columns and on `infotorch.distributions.tuning_suite`;
`benchmarks/shortfall.py` measures there, and on `suite`, how often a doubt is missed or raised in vain.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from infotorch.estimators.estimate import Estimate
from infotorch.estimators.gaussian import average_normal_scores, gaussian_information
from infotorch.numerics.columns import column_scales
from infotorch.numerics.neighbours import digamma
from infotorch.numerics.symbols import is_constant, multiplicity

# What one pair of columns can read at most, in nats, below which columns are too many whatever the value.
_LEAST_READABLE = 0.4
# Share of it above which a value may stand for far more; of two columns alone neighbours fail later.
_SHARE, _SHARE_OF_TWO = 2 / 3, 0.8
# Correlations tell more than the value does beyond so many standard errors of both and this share.
_ERRORS, _MARGIN = 2.0, 0.1
#: Standard error times root n, about, on normal laws: of KSG with k = 3, of a weighted sum of several k
SCATTER, SCATTER_OF_SEVERAL = 1.0, 2.0
# Minus the log of a ball's share of one column: below, entropy errs by 0.15 nats and more on normal laws, and Ross
# reads 85 % and less of two overlapping classes in one of the columns.
_LEAST_REACH, _LEAST_REACH_OF_CLASSES = 0.5, 0.25
# Samples whose correlations tell enough.
_ENOUGH = 100_000
# Share of the labels' entropy above which classes lie so far apart that no reach matters.
_TOLD = 0.9


def neighbours_fall_short(estimate: Estimate, x: Tensor, y: Tensor, *, scatter: float = SCATTER) -> str:
    """Why a neighbour estimate of I(X; Y) lies far below the truth, or may; "" where nothing says so.

    - What `pair_reads_too_little` finds; where correlations tell as much as the value, a large value is no doubt.
    - Correlations of normal scores alone tell more: the value is too low, whatever else there is.

    Args:
        estimate: KSG, mixed KSG, or a weighted sum of several k.
        x: shape (n, d_x), float64.
        y: shape (n, d_y), float64.
        scatter: the estimate's standard error times root n, about: subsampling would take too long.

    Example:
        >>> from infotorch.distributions import CorrelatedGaussian
        >>> law = CorrelatedGaussian.sparse(3, 3, correlations=(0.99995,))  # 4.6 nats in one of three columns
        >>> x, y = law.sample(300, torch.Generator().manual_seed(0))
        >>> found = Estimate(torch.tensor(0.5), side="none", n=300, estimator="ksg", ceiling=5.0)
        >>> neighbours_fall_short(found, x, y)
        'neighbours fall short: correlations alone tell more than the value'
    """
    if is_constant(x) or is_constant(y):
        return ""
    together = torch.cat([x, y], dim=1)
    # Correlations of so many columns take as long as the neighbours, and would change nothing.
    if too_many := pair_reads_too_little(estimate, together, agrees=True):
        return too_many
    linear = _of_correlations(x, y)
    value, agrees = float(estimate), False
    if linear is not None:
        told, its_error = linear
        margin = _ERRORS * math.hypot(scatter / math.sqrt(estimate.n), its_error) + _MARGIN * abs(told)
        if told - value > margin:
            return "neighbours fall short: correlations alone tell more than the value"
        agrees = abs(told - value) <= margin
    return pair_reads_too_little(estimate, together, agrees=agrees)


def pair_reads_too_little(estimate: Estimate, together: Tensor, *, agrees: bool = False) -> str:
    """Why information in one pair of columns would read far below the truth; "" where it would not.

    It reads ceiling / (columns - 1) at most, however much it is: in all columns together the k-th neighbour is no
    nearer than that, and to halve the distance takes 2^(columns - 1) times as many samples. Below 0.4 nats columns are
    too many; above two thirds of it (0.8 of the ceiling for two columns) a value may stand for far more.

    Args:
        estimate: by neighbours in the joint space, with its ceiling.
        together: all columns, shape (n, d); constant ones do not count. Samples that coincide are counted as symbols,
            where columns do not matter: where these are half of all, nothing is said.
        agrees: whether another estimate tells as much: a large value is then no doubt.

    Source: the exponential growth: Gao, Ver Steeg & Galstyan 2015, arXiv:1411.2003, Sec. 3; ours: the rest.

    Example:
        >>> found = Estimate(torch.tensor(0.1), side="none", n=300, estimator="ksg", ceiling=5.0)
        >>> pair_reads_too_little(found, torch.randn(300, 30, generator=torch.Generator().manual_seed(0)))
        'neighbours fall short: 30 columns are too many for 300 samples'
    """
    varying = (together != together[0]).any(dim=0)
    columns = int(varying.sum())
    if columns < 2:
        return ""
    readable = estimate.ceiling / (columns - 1)
    large = not agrees and float(estimate) > (_SHARE_OF_TWO if columns == 2 else _SHARE) * readable
    many = columns > 2 and readable < _LEAST_READABLE
    if not (large or many) or _mostly_symbols(together[:, varying]):
        return ""
    if many:
        return f"neighbours fall short: {columns} columns are too many for {estimate.n} samples"
    return f"neighbours may fall short: the value is large for {estimate.n} samples in {columns} columns"


def _mostly_symbols(rows: Tensor) -> bool:
    """Whether half of the rows occur more than once."""
    # Then at most three quarters of them are distinct, and of each column's values.
    if any(len(column.unique()) > 0.75 * len(rows) for column in rows.T):
        return False
    return float((multiplicity(rows) > 1).double().mean()) >= 0.5


def class_neighbours_fall_short(estimate: Estimate, columns: int, sizes: Tensor, k: int) -> str:
    """Why Ross's estimate lies below the truth: many columns for the samples of a class, and classes that overlap.

    Example:
        >>> found = Estimate(torch.tensor(0.1), side="none", n=300, estimator="ross", ceiling=0.69)
        >>> class_neighbours_fall_short(found, 64, torch.tensor([150, 150]), 3)
        'neighbours fall short: 64 columns are too many for classes of 150 samples, and classes overlap'
    """
    of_class = float((sizes * sizes).sum() / sizes.sum())  # a sample's class, on average over samples
    reach = (digamma(max(1, round(of_class))) - digamma(k)) / columns
    if reach >= _LEAST_REACH_OF_CLASSES or float(estimate) > _TOLD * estimate.ceiling:
        return ""
    size = f"classes of {of_class:.0f} samples"
    return f"neighbours fall short: {columns} columns are too many for {size}, and classes overlap"


def entropy_reaches_too_far(estimate: Estimate, x: Tensor, k: int) -> str:
    """Why the nearest neighbours' entropy lies above the truth; "" where nothing says so.

    Either columns are too many for the samples, or the value exceeds the entropy of a Gaussian of the same covariance,
    the largest there is, by three standard errors.

    Example:
        >>> found = Estimate(torch.tensor(90.0), side="none", n=300, estimator="example")
        >>> entropy_reaches_too_far(found, torch.randn(300, 30, generator=torch.Generator().manual_seed(0)), 3)
        'neighbours reach too far: 30 columns are too many for 300 samples, and the value lies too high'
    """
    n, d = x.shape
    if (digamma(n) - digamma(k)) / d < _LEAST_REACH:
        return f"neighbours reach too far: {d} columns are too many for {n} samples, and the value lies too high"
    scales = column_scales(x)
    if n <= d + 2 or not bool((scales > 0).all()):
        return ""
    scaled = x / scales
    log_det = float(torch.linalg.slogdet(torch.atleast_2d(torch.cov(scaled.T))).logabsdet)
    # The log-determinant of n samples lies low by about d (d + 1) / (2n) on average.
    most = 0.5 * (d * math.log(2 * math.pi * math.e) + log_det + d * (d + 1) / (2 * n)) + float(scales.log().sum())
    if float(estimate) - most <= 3 * math.sqrt(d / n) + _MARGIN:
        return ""
    return "neighbours reach too far: the value exceeds the largest entropy that the covariance allows"


def _of_correlations(x: Tensor, y: Tensor) -> tuple[float, float] | None:
    """What correlations of normal scores tell, in nats, with its standard error; None where they cannot be computed.

    Of very many samples every few are enough.
    """
    step = max(1, len(x) // _ENOUGH)
    x, y = x[::step], y[::step]
    if len(x) <= x.shape[1] + y.shape[1]:
        return None
    scores = average_normal_scores(torch.cat([x, y], dim=1)).split([x.shape[1], y.shape[1]], dim=1)
    try:
        found = gaussian_information(*scores, name="correlations", dtype=torch.float64, freedom=len(x) - 1)
    except ValueError:  # a column that follows from others
        return None
    return float(found), found.std_error
