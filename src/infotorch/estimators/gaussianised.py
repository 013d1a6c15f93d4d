"""Mutual information of continuous data by what a normal law tells, and neighbours for the rest.

I(X; Y) = J(X, Y) - J(X) - J(Y) + (what the covariance tells), with J the negentropy: by how much the entropy of the
whitened samples stays below that of N(0, 1). Of normal data every J is 0, so that no amount of information and no idle
column does harm; of others, maps that make columns normal take most of J, and neighbours read what is left.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np
import scipy.linalg
import scipy.special
import torch
from torch import Tensor

from infotorch.estimators.estimate import Estimate
from infotorch.estimators.normal_maps import NormalMap, Rows, independent_directions, normal_margins, whitened
from infotorch.numerics.checks import check_neighbours, in_float64, paired_samples
from infotorch.numerics.kinds import check_kind
from infotorch.numerics.neighbours import nearest_distances
from infotorch.numerics.seeds import derive_seed
from infotorch.numerics.typing import ArrayLike

# Samples for each column that whitening and rotating ask for.
_SAMPLES_PER_COLUMN = 5
_LEAST_SAMPLES = 50
# Rotations with maps of their columns, one after the other; a second one finds little.
_LAYERS = 2
# A column is mapped where that pays by so many standard errors on samples that did not make the map.
_ERRORS = 2.0
# What negentropy neighbours read of x and y together, in nats and times root n, where maps have left nothing. Seen on
# `tuning_suite` and mixed uniform signals.
_LEFT, _LEFT_BY_CHANCE = 0.03, 2.0
# Numbers of neighbours, samples, and share of the step of a line in a plane, by which a surface is told.
_NEAR, _FAR, _MOST_FOR_THIN, _THIN = 4, 32, 2000, 0.5
# Neighbours in many columns read next to nothing whatever n is, and the time grows as n squared.
_MANY_COLUMNS, _MOST_IN_MANY = 12, 4000
# What is left of a column beside the others, as a share of its length, below which it is rounding.
_DEPENDENT = 1e-7
# Samples beyond which some are drawn: maps and neighbours have then far less error than 0.02 nats by chance.
_MOST_SAMPLES = 20_000
_NODES = 40


#: What is said of samples that lie on a surface.
THIN = (
    "x and y may follow from each other without noise: the value grows with every sample, and the truth may be infinite"
)


class NotContinuous(ValueError):
    """A column follows linearly from others, or samples coincide: there is no density to estimate."""


def gaussianised_mi(x: ArrayLike, y: ArrayLike, *, k: int = 4, margins: bool = True) -> Estimate:
    """Mutual information of continuous x and y, in nats: what a normal law tells, and neighbours for the rest.

    x, y and both together are whitened, rotated to independent directions (ICA), each direction that is not normal is
    mapped to a normal one, and again. The logs of these maps' slopes are most of the entropy; for the rest the distance
    to the k-th neighbour is compared with its exact expectation for normal samples. So normal data are read without
    bias at any amount of information and with any number of idle columns, where neighbours alone fail, and so are
    sums of independent sources. Relations that bend (spirals, rings) are read too low: `ksg_ensemble` is better there.
    `mutual_information` weighs both.

    Args:
        x: shape (n,) or (n, ...), n at least 50, and 5 for each column of x and y together.
        y: the same number of samples.
        k: number of neighbours.
        margins: True: each column of x and of y is first mapped to a normal one, which makes units, bends and heavy
            tails of single columns harmless. False: columns are taken as they are, which keeps sums of columns sums:
            for mixed signals, and noise that is not normal.

    Returns:
        No bound, not clamped: it may be negative. Computed in float64 on the CPU, of 20,000 samples at most. 0 where x
        or y is constant. Standard error from the terms of the samples. `reason` and `reliable` tell where x and y lie
        on a surface, as functions without noise do.

    Raises:
        ValueError: samples not paired, too few, NaN or infinite values, samples that coincide, or a column that
            follows linearly from others (its information may be infinite).
        TypeError: x or y is not made of real numbers, or another argument is of another kind.

    Source: ours, from I = h(X) + h(Y) - h(X, Y). Whitening and maps one after the other: Chen & Gopinath 2000,
        "Gaussianization"; Laparra et al. 2020, arXiv:2010.03807; neighbours: Kozachenko & Leonenko 1987.

    Example:
        >>> from infotorch.distributions import CorrelatedGaussian
        >>> law = CorrelatedGaussian.sparse(10, 10, correlations=(0.9999,))  # 4.26 nats in one of ten columns
        >>> x, y = law.sample(2000, torch.Generator().manual_seed(0))
        >>> from infotorch.estimators.ensemble import ksg_ensemble
        >>> round(float(gaussianised_mi(x, y)), 1), float(ksg_ensemble(x, y)) < 1
        (4.2, True)
    """
    xs, ys = paired_samples(x, y, where="gaussianised_mi")
    k = check_neighbours(k, len(xs), where="gaussianised_mi")
    check_kind(margins, bool, where="gaussianised_mi", name="margins", said="True or False")
    xs, ys = independent_columns(xs), independent_columns(ys)
    needed = max(_LEAST_SAMPLES, _SAMPLES_PER_COLUMN * (xs.shape[1] + ys.shape[1]))
    if len(xs) < needed:
        raise ValueError(f"gaussianised_mi: so many columns need {needed} samples or more, got {len(xs)}.")
    try:
        found = gaussianised(xs, ys, k=k, margins=margins)
    except NotContinuous as why:
        raise ValueError(f"gaussianised_mi: x and y must be continuous, got {why}.") from why
    return Estimate(
        torch.tensor(found.value, dtype=xs.dtype, device=xs.device),
        side="none",
        n=found.n,
        estimator=f"gaussianised_mi k={k} margins={margins}",
        error=lambda: found.error,
        reason=THIN * found.thin,
        reliable=not found.thin,
    )


@dataclass(frozen=True)
class Found:
    """The estimate.

    Args:
        value: in nats.
        error: its standard error, in nats.
        n: samples used.
        complete: whether x and y together were made normal but for chance.
        thin: whether they lie on a surface as finely as these samples tell.
        kurtosis: of all columns together, about that of a normal law, in standard errors. In many columns it shows what
            neighbours do not; above 0 it may be the margins' maps alone.
    """

    value: float
    error: float
    n: int
    complete: bool = True
    thin: bool = False
    kurtosis: float = 0.0


def enough_samples(n: int, columns: int) -> bool:
    """Whether so many samples of so many columns can be whitened and rotated."""
    return n >= max(_LEAST_SAMPLES, _SAMPLES_PER_COLUMN * columns)


def gaussianised(x: Tensor, y: Tensor, *, k: int, margins: bool) -> Found:
    """The estimate for checked columns that vary, shapes (n, d_x) and (n, d_y), float64, whatever their order.

    Raises:
        NotContinuous: a column follows linearly from others, or k samples coincide with another one.
    """
    if 0 in (x.shape[1], y.shape[1]):
        return Found(0.0, 0.0, len(x))
    a, b = _shuffled(x, y)
    if margins:
        a, b = normal_margins(a), normal_margins(b)
    try:
        terms = [_entropy_terms(rows, k) for rows in (a, b, np.concatenate([a, b], axis=1))]
    except np.linalg.LinAlgError as error:
        raise NotContinuous("a column that follows linearly from others") from error
    of_maps = terms[0].of_maps + terms[1].of_maps - terms[2].of_maps
    rest = terms[0].rest.mean() + terms[1].rest.mean() - terms[2].rest.mean()
    least = min(len(part.rest) for part in terms)
    noise = sum(sign * part.noise[:least] for sign, part in zip((1, 1, -1), terms, strict=True))
    error = (of_maps[:least] + noise).std() / math.sqrt(least)
    together = terms[2].rest
    complete = -together.mean() <= _LEFT + _LEFT_BY_CHANCE / math.sqrt(len(together))
    thin, kurtosis = _is_thin(terms[2].white), terms[2].kurtosis
    return Found(float(of_maps.mean() + rest), float(error), len(a), bool(complete), thin, kurtosis)


@dataclass(frozen=True)
class _Terms:
    """Of an entropy, less that of N(0, 1) in as many columns: a number for each sample.

    Args:
        of_maps: logs of slopes, shape (n,).
        rest: of the mapped samples, by neighbours, shape (m,), m at most n.
        noise: the same less what whitening takes back, so that `of_maps + noise` has the variance of the sum.
        white: the mapped samples, shape (m, d).
        kurtosis: of all n mapped samples: those of some are not as white.
    """

    of_maps: Rows
    rest: Rows
    noise: Rows
    white: Rows
    kurtosis: float


def _entropy_terms(rows: Rows, k: int) -> _Terms:
    white, terms = whitened(rows)
    for _ in range(_LAYERS):
        mapped, slopes = _mapped_where_it_pays(white)
        if mapped is None:
            break
        white, log_det = whitened(mapped)
        terms = terms + log_det - slopes
    most = _MOST_IN_MANY if rows.shape[1] > _MANY_COLUMNS else len(rows)
    used = white[:most]
    rest = _neighbour_terms(used, k)
    return _Terms(terms, rest, rest - 0.5 * np.square(used).sum(axis=1), used, _kurtosis(white))


def _mapped_where_it_pays(white: Rows) -> tuple[Rows | None, Rows]:
    """Rotated, with the columns that are not normal mapped, and the sum of the logs of the slopes; None: all are.

    Whether any is, is judged on a half of the samples that neither chose the rotation nor made the maps.
    """
    n, half = len(white), len(white) // 2
    directions = independent_directions(white[:half])
    made, judged = white[:half] @ directions.T, white[half:] @ directions.T
    if not any(_gains(NormalMap.of(a), b) for a, b in zip(made.T, judged.T, strict=True)):
        return None, np.zeros(n)
    turned = white @ independent_directions(white).T
    mapped, slopes = turned.copy(), np.zeros(n)
    for column, out in zip(turned.T, mapped.T, strict=True):
        map = NormalMap.of(column)
        if map is not None and _gains(map, column, parameters=len(map.knots)):
            out[:], log_slope = map(column)
            slopes += log_slope - len(map.knots) / (2 * n)
    return mapped, slopes


def _gains(map: NormalMap | None, column: Rows, parameters: int = 0) -> bool:
    """Whether the map raises the mean log-likelihood of N(0, 1), beyond what so many fitted numbers do anyway."""
    if map is None:
        return False
    mapped, log_slope = map(column)
    gain = log_slope - 0.5 * (np.square(mapped) - np.square(column))
    return bool(gain.mean() - parameters / len(gain) > _ERRORS * gain.std() / math.sqrt(len(gain)))


def _neighbour_terms(white: Rows, k: int) -> Rows:
    # Numbers on a line are often laid out evenly (a grid, ranks), which few neighbours take for 0.14 nats of entropy.
    if white.shape[1] == 1:
        k = max(k, math.isqrt(len(white)))
    radius = nearest_distances(torch.from_numpy(np.ascontiguousarray(white)), k, "euclidean")[:, -1].numpy()
    if not radius.all():
        raise NotContinuous("samples that coincide")
    return white.shape[1] * (np.log(radius) - mean_log_distance(*white.shape, k))


def _kurtosis(white: Rows) -> float:
    """Of white rows, in standard errors about its mean for normal samples.

    Source: Mardia 1970, doi:10.1093/biomet/57.3.519.
    """
    n, d = white.shape
    found = np.square(np.square(white).sum(axis=1)).mean()
    return float((found - d * (d + 2) * (n - 1) / (n + 1)) / math.sqrt(8 * d * (d + 2) / n))


def _is_thin(white: Rows) -> bool:
    """Whether samples fill fewer dimensions than they have columns, so that what is read grows with every sample.

    From few neighbours to many a density reads about the same, a surface of e dimensions among d columns d / e - 1
    times the log of their ratio more.
    """
    used = white[:_MOST_FOR_THIN]
    few, many = (float(_neighbour_terms(used, min(k, len(used) - 1)).mean()) for k in (_NEAR, _FAR))
    return many - few > _THIN * math.log(_FAR / _NEAR)


@functools.cache
def mean_log_distance(n: int, d: int, k: int) -> float:
    """Expectation of the log of the distance to the k-th neighbour among n samples of N(0, 1) in d columns.

    A ball about a point at distance rho from the centre holds a share of the law that is noncentral chi-squared in the
    square of its radius, and the share up to the k-th neighbour is Beta(k, n - k). Gauss-Legendre in the probabilities
    of both.

    Example:
        >>> rows = torch.randn(4000, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        >>> found = float(nearest_distances(rows, 4, "euclidean")[:, -1].log().mean())
        >>> abs(found - mean_log_distance(4000, 3, 4)) < 0.02
        True
    """
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    p, weights = (nodes + 1) / 2, weights / 2
    squared = 2 * scipy.special.gammaincinv(d / 2, p)
    share = scipy.special.betaincinv(k, n - k, p)
    logs = 0.5 * np.log(scipy.special.chndtrix(share[None, :], d, squared[:, None]))
    return float(weights @ logs @ weights)


def independent_columns(rows: Tensor) -> Tensor:
    """Columns of mean 0 and standard deviation 1, in float64 on the CPU, none of which follows linearly from others.

    What those have to tell that are left out, the others tell.

    Example:
        >>> x = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
        >>> independent_columns(torch.cat([x, x.sum(dim=1, keepdim=True), torch.ones(100, 1)], dim=1)).shape
        torch.Size([100, 2])
    """
    rows = in_float64(rows).cpu()
    rows = rows[:, (rows != rows[:1]).any(dim=0)]
    if rows.shape[1] == 0:  # of no column torch warns that its deviation is unknown
        return rows
    rows = rows / rows.abs().amax(dim=0)
    rows = (rows - rows.mean(dim=0)) / rows.std(dim=0)
    if rows.shape[1] < 2:
        return rows
    _, upper, order = scipy.linalg.qr(rows.numpy(), mode="economic", pivoting=True)  # pyright: ignore[reportAssignmentType]
    lengths = np.abs(np.diag(upper))
    return rows[:, np.sort(order[: len(lengths)][lengths > _DEPENDENT * lengths[0]])]


def _shuffled(x: Tensor, y: Tensor) -> tuple[Rows, Rows]:
    """At most 20,000 samples in an order that depends on their values alone, not on theirs."""
    a, b = x.numpy(), y.numpy()
    order = np.lexsort(np.concatenate([a, b], axis=1).T)
    drawn = np.random.default_rng(derive_seed(0, "gaussianised")).permutation(len(a))[:_MOST_SAMPLES]
    return a[order[drawn]], b[order[drawn]]
