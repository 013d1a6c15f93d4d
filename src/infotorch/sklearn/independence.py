"""How likely columns that know nothing of y would score as much: p-values of mutual information."""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import numpy as np
import torch
from scipy.stats import chi2, t
from torch import Tensor

from infotorch.estimators.discrete import plug_in_mi
from infotorch.estimators.single_columns import Column, ksg_of_places, ross_of_places
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

    Symbols with symbols: the test by the likelihood ratio G = 2 n I, of the plug-in estimate I, against chi squared,
    with G divided so that its mean over all orders of the samples, which is known exactly, is the degrees of freedom.
    1 of a constant.

    Args:
        columns: features.
        y: the target.
        scores: what `column_informations` says of them.
    """
    p = np.ones(len(columns))
    for j, column in enumerate(columns):
        if column.discrete and y.discrete:
            p[j] = _likelihood_ratio(column.codes, y.codes)
            continue
        symbols_of = y.codes if y.discrete else column.codes if column.discrete else None
        scale = _noise_of_numbers(len(y.codes)) if symbols_of is None else _noise_of_symbols(symbols_of)
        if scale > 0:
            p[j] = float(t.sf(float(scores[j]) / scale, _num_draws(len(y.codes))))
    return p


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


def _likelihood_ratio(a: Tensor, b: Tensor) -> float:
    from sklearn.metrics.cluster import contingency_matrix, expected_mutual_information

    freedom = int(a.max()) * int(b.max())
    if freedom == 0:
        return 1.0
    table = contingency_matrix(a.numpy(), b.numpy(), sparse=True, dtype=np.int64)
    mean = float(expected_mutual_information(table, len(a)))
    found = float(plug_in_mi(a, b, None, name="discrete_mi").value)
    return float(chi2.sf(found / mean * freedom, freedom))
