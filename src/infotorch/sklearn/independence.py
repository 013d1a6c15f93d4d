"""How likely columns that know nothing of y would score as much: p-values of mutual information."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import torch
from scipy.stats import chi2, t
from torch import Tensor

from infotorch.estimators.single_columns import Column, ksg_of_places, pair_counts, ross_of_places
from infotorch.numerics.seeds import derive_seed
from infotorch.numerics.symbols import symbols

# Entries of the columns of noise, and how many columns at least: of so few the scatter is right to an eighth.
_ENTRIES, _LEAST_DRAWS = 15_000, 30
# Samples of a column of noise: with more the scatter falls as their root (measured, 50 to 4,000 samples: within 3 %).
_SAMPLES = 500


def independence_p_values(columns: Sequence[Column], y: Column, scores: Tensor) -> np.ndarray:
    """The probability of scores as high or higher where a column and y are independent, (d,).

    Numbers, with numbers or with symbols: only the order of numbers is read, so that the estimate has one law for all
    columns that are independent of y: about 0 (measured), and nearly normal. Its scatter is that of 30 columns of noise
    or more beside this y, of at most 500 samples, and the test is Student's with as many degrees of freedom. Of few
    samples the law has a longer tail: with 40 some 8 % of the values lie below 0.05, with 100 some 6 %.

    Symbols with symbols: Pearson's chi squared test, with n - 1 in the place of n, so that the statistic's mean over
    all orders of the samples is the degrees of freedom, however few samples a symbol has. 1 of a constant.

    Args:
        columns: features.
        y: the target.
        scores: what `column_informations` says of them.
    """
    p = np.ones(len(columns))
    for j, column in enumerate(columns):
        if column.discrete and y.discrete:
            p[j] = _chi_squared(column.codes, y.codes)
            continue
        scale = noise_scale(column, y)
        if scale > 0:
            p[j] = float(t.sf(float(scores[j]) / scale, _num_draws(len(y.codes))))
    return p


def noise_scale(column: Column, y: Column) -> float:
    """How far the score of such a column scatters about 0 if it is independent of y; 0 of symbols with symbols."""
    if column.discrete and y.discrete:
        return 0.0
    if not (column.discrete or y.discrete):
        return _noise_of_numbers(len(y.codes))
    return _noise_of_symbols(y.codes if y.discrete else column.codes)


@functools.lru_cache(maxsize=64)
def _noise_of_numbers(n: int) -> float:
    """Root mean square of KSG between numbers that are independent."""
    used = min(n, _SAMPLES)
    return _root_mean_square(ksg_of_places(_orders(used), torch.arange(used))) * math.sqrt(used / n)


def _noise_of_symbols(codes: Tensor) -> float:
    """Of Ross' estimate between numbers and these symbols; 0 of one symbol, or where each has but one sample."""
    return _noise_of_sizes(tuple(sorted(torch.bincount(codes).tolist())))


@functools.lru_cache(maxsize=64)
def _noise_of_sizes(sizes: tuple[int, ...]) -> float:
    if len(sizes) == 1 or sizes[-1] == 1:
        return 0.0
    labels = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    n = len(labels)
    generator = torch.Generator().manual_seed(derive_seed(0, "samples of noise"))
    labels = symbols(labels[torch.randperm(n, generator=generator)[:_SAMPLES]][:, None])
    return _root_mean_square(ross_of_places(_orders(len(labels)), labels)) * math.sqrt(len(labels) / n)


def _num_draws(n: int) -> int:
    return max(_LEAST_DRAWS, _ENTRIES // n)


def _orders(n: int) -> Tensor:
    generator = torch.Generator().manual_seed(derive_seed(0, "columns of noise"))
    return torch.rand(_num_draws(n), n, generator=generator).argsort(dim=1)


def _root_mean_square(values: Tensor) -> float:
    return float(values.square().mean().sqrt())


def _chi_squared(a: Tensor, b: Tensor) -> float:
    freedom, n = int(a.max()) * int(b.max()), len(a)
    if freedom == 0:
        return 1.0
    counts, of_a, of_b = (each.double() for each in pair_counts(a, b))
    found = float((counts * counts / of_a / of_b).sum() - 1)
    return float(chi2.sf(found * (n - 1), freedom))
