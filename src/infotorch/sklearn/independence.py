"""How likely columns that know nothing of y would score as much: p-values of mutual information."""

from __future__ import annotations

import functools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.stats import chi2, pearson3
from torch import Tensor

from infotorch.estimators.single_columns import Column, pair_counts, ross_of_places
from infotorch.numerics.seeds import derive_seed
from infotorch.numerics.symbols import symbols

# Entries of the columns of noise: 400 columns of 500 samples beside the symbols of y, so that the scatter is right to
# 4 %; where columns have symbols of their own, 160, and 6 %, as this is done again and again.
_ENTRIES, _ENTRIES_OF_EACH = 200_000, 80_000
# Samples of a column of noise: with more, scatter and skewness fall as their root (measured, 100 to 3,000 samples).
_SAMPLES = 500
# Where more classes than these remain, whole classes are left out, else samples of each.
_MANY = 20
# KSG of two columns that are independent, on 12 to 6,000 samples: its root mean square and its skewness, times the root
# of the number of samples (1,500 to 20,000 pairs of columns each, 23 November 2026; right to 1 % and to a tenth).
_SIZES = (12, 20, 40, 100, 250, 500, 1000, 2500, 6000)
_SCALES = (0.239, 0.315, 0.385, 0.463, 0.512, 0.538, 0.554, 0.570, 0.577)
_SKEWNESS = 3.8

# A variance below this share of the squared mean is rounding.
_ALIKE = 1e-12


@dataclass(frozen=True)
class Noise:
    """The law of the scores of columns that are independent of y: of mean 0 (measured), with a longer tail above.

    Args:
        scale: root mean square, in nats; 0 where all score 0.
        skewness: third moment by the scale's cube; the law is Pearson's third, a gamma law that is moved.

    Example:
        >>> round(Noise(0.1).above(0.05), 3), Noise(0.1).p_values(np.array([0.1645, 0.0])).round(3).tolist()
        (0.164, [0.05, 0.5])
    """

    scale: float
    skewness: float = 0.0

    def p_values(self, scores: np.ndarray) -> np.ndarray:
        """The probability of each score or a higher one; 1 where all score 0."""
        return pearson3.sf(scores / self.scale, self.skewness) if self.scale > 0 else np.ones(len(scores))

    def above(self, chance: float) -> float:
        """The score that is reached with this probability."""
        return self.scale * float(pearson3.isf(chance, self.skewness))


def independence_p_values(columns: Sequence[Column], y: Column, scores: Tensor) -> np.ndarray:
    """The probability of scores as high or higher where a column and y are independent, (d,).

    Numbers, with numbers or with symbols: only the order of numbers is read, so that the estimate has one law for all
    columns that are independent of y. Its mean is about 0; of two columns of numbers its scatter and skewness are
    known, beside symbols they are those of columns of noise, of 500 samples at most. They enter Pearson's third law.
    Of noise about one value in a thousand lies below 0.001, and up to two and a half beside a class of ten samples.

    Symbols with symbols: Pearson's chi squared, with the mean that it has over all orders of the samples, and with the
    variance where that is more than chi squared's, as where both have many rare symbols: of a hundred names each beside
    a hundred others, 200 samples, every fiftieth value would lie below 0.001. 1 of a constant.

    Args:
        columns: features.
        y: the target.
        scores: what `column_informations` says of them.
    """
    p, of_law = np.ones(len(columns)), defaultdict[Noise, list[int]](list)
    for j, column in enumerate(columns):
        if column.discrete and y.discrete:
            p[j] = _chi_squared(column.codes, y.codes)
        else:
            of_law[noise_of(column, y)].append(j)
    for noise, those in of_law.items():
        p[those] = noise.p_values(scores[those].numpy(force=True))
    return p


def noise_of(column: Column, y: Column) -> Noise:
    """How the score of such a column scatters about 0 if it is independent of y; of symbols with symbols nothing."""
    if column.discrete and y.discrete:
        return Noise(0.0)
    if not (column.discrete or y.discrete):
        n = len(y.codes)
        return Noise(float(np.interp(math.log(n), np.log(_SIZES), _SCALES)) / math.sqrt(n), _SKEWNESS / math.sqrt(n))
    if y.discrete:
        return _noise_of_sizes(_sizes(y.codes), _ENTRIES)
    n, about = len(y.codes), tuple(map(_rounded, _sizes(column.codes)))
    noise, fewer = _noise_of_sizes(about, _ENTRIES_OF_EACH), math.sqrt(sum(about) / n)
    return Noise(noise.scale * fewer, noise.skewness * fewer)


def _sizes(codes: Tensor) -> tuple[int, ...]:
    return tuple(sorted(torch.bincount(codes).tolist()))


def _rounded(size: int) -> int:
    """To steps of 15 % where that is a step: many columns then have the same sizes, and share a law."""
    return size if size <= 10 else round(math.exp(0.15 * round(math.log(size) / 0.15)))


@functools.lru_cache(maxsize=64)
def _noise_of_sizes(sizes: tuple[int, ...], entries: int) -> Noise:
    """Of Ross' estimate between numbers and symbols; nothing of one symbol, or where each has but one sample."""
    if len(sizes) == 1 or sizes[-1] == 1:
        return Noise(0.0)
    labels = _fewer_samples(sizes)
    orders = torch.rand(
        max(1, entries // len(labels)),
        len(labels),
        generator=torch.Generator().manual_seed(derive_seed(0, "columns of noise")),
    ).argsort(dim=1)
    values, fewer = ross_of_places(orders, labels), math.sqrt(len(labels) / sum(sizes))
    scale = float(values.square().mean().sqrt())
    if scale == 0:
        return Noise(0.0)
    # Below 0 by chance alone, and Pearson's law would end somewhere.
    skewness = max(0.0, float(values.pow(3).mean()) / scale**3)
    return Noise(scale * fewer, skewness * fewer)


def _fewer_samples(sizes: tuple[int, ...]) -> Tensor:
    """Labels of classes of these sizes; of some 500 samples where there are more."""
    n = sum(sizes)
    step = -(-n // _SAMPLES)
    some = sizes[::-step]
    if len(some) > _MANY and sum(some) < 1.2 * _SAMPLES:
        return _labels_of(some)
    return (
        _labels_of(sizes) if step == 1 else symbols(_labels_of(sizes)[torch.arange(_SAMPLES) * n // _SAMPLES][:, None])
    )


def _labels_of(sizes: Sequence[int]) -> Tensor:
    return torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))


def _chi_squared(a: Tensor, b: Tensor) -> float:
    n = len(a)
    counts, of_a, of_b = (each.double() for each in pair_counts(a, b))
    mean, variance = _moments(torch.bincount(a).double(), torch.bincount(b).double())
    if not variance > _ALIKE * mean**2:  # a constant, or symbols that never recur: one value for all orders
        return 1.0
    # Where it scatters less than chi squared, the tail is still that of chi squared.
    scale = max(1.0, variance / (2 * mean))
    found = n * float((counts * counts / of_a / of_b).sum() - 1)
    freedom = mean / scale
    return float(chi2.sf(found / mean * freedom, freedom))


def _moments(of_a: Tensor, of_b: Tensor) -> tuple[float, float]:
    """Mean and variance of Pearson's chi squared over all orders of the samples, by how often each symbol occurs.

    Source: Haldane 1940, Biometrika 31; Dawson 1954, Biometrika 41.
    """
    n = float(of_a.sum())
    if n < 4:
        return 0.0, 0.0
    many, spread = zip(*(_of_margin(of, n) for of in (of_a, of_b)), strict=True)
    mean = n / (n - 1) * (len(of_a) - 1) * (len(of_b) - 1)
    apart = (many[0] - spread[0]) * (many[1] - spread[1])
    return mean, 2 * n / (n - 3) * apart + n * n / (n - 1) * spread[0] * spread[1]


def _of_margin(counts: Tensor, n: float) -> tuple[float, float]:
    k = len(counts)
    return (k - 1) * (n - k) / (n - 1), (n * float((1 / counts).sum()) - k * k) / (n - 2)
