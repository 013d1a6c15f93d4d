"""Binned mutual information: real values become bin numbers, and bins are counted."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from infotorch.estimators.discrete import examined_mi, plug_in_mi
from infotorch.estimators.doubts import examined
from infotorch.estimators.estimate import Estimate
from infotorch.numerics.checks import (
    as_rows,
    as_samples,
    as_tensor,
    check_count,
    check_paired,
    check_positive,
    is_discrete,
    shown,
)
from infotorch.numerics.symbols import is_constant, symbols
from infotorch.numerics.typing import ArrayLike

# A float64 tells no more apart.
_MOST_BINS = 2**53

#: float64 rows -> bin numbers of the same shape
Binning = Callable[[Tensor], Tensor]


def binned_mi(
    x: ArrayLike,
    y: ArrayLike,
    *,
    bin_width: float | None = None,
    num_bins: int | None = None,
    num_quantiles: int | None = None,
    edges: ArrayLike | tuple[ArrayLike, ArrayLike] | None = None,
) -> Estimate:
    """Mutual information of x and y after every real column is cut into bins, in nats.

    The value depends on the bins, and for a deterministic continuous layer on nothing else: as they shrink it goes to
    log n. So there is no default; exactly one way to bin is given, and belongs beside the number.

    Args:
        x: shape (n,) or (n, ...). Real columns are binned, integers are symbols as they are; a sample is one symbol.
        y: the same number of samples, treated alike.
        bin_width: width of the bins of every column, in its units; bins start at 0. A warning tells where scales of
            columns lie more than a factor of five apart; so for edges.
        num_bins: number of bins of equal width between the least and the greatest value of each column.
        num_quantiles: number of bins of each column that hold equally many values each (adaptive bins). Equal values
            share a bin, so that ties leave some bins fuller and others empty. No increasing map of a column matters.
        edges: inner edges of the bins of every column, increasing, shape (m,); a bin contains its lower edge, and the
            first and the last reach to infinity. A tuple of two such sequences is one for x and one for y.

    Returns:
        Plug-in value in [0, log n]; at log n every sample has its own bin (`saturated`). 0 when x or y is constant.
        Standard error by the delta method; NaN where a variable falls into one bin, which `reason` tells. A warning,
        `reason` and `reliable` tell where too few samples are left of bias, as for `discrete_mi`; not where x or y
        numbers the samples, for then the value is the entropy of the other's bins on these samples.

    Raises:
        ValueError: none or several ways to bin, a width or number that is not positive, a width too small for the
            values, edges that do not increase, samples not paired, or NaN or infinite values.
        TypeError: x, y or edges is not made of real numbers, or a number of bins is not an integer.

    Source: Shwartz-Ziv & Tishby 2017, arXiv:1703.00810 (num_bins, on tanh); Saxe et al. 2018, ICLR (bin_width);
        Chelombiev, Houghton & O'Donnell 2019, arXiv:1902.09037 (num_quantiles; there all columns of a layer share
        their bins).

    Example:
        >>> x = torch.linspace(0, 1, 101)[:-1]
        >>> round(binned_mi(x, x, num_bins=4).bits, 6), round(binned_mi(x, x.exp(), num_quantiles=4).bits, 6)
        (2.0, 2.0)
        >>> round(binned_mi(x, x, edges=([0.5], [0.25, 0.5, 0.75])).bits, 6)
        1.0
    """
    ways = {"bin_width": bin_width, "num_bins": num_bins, "num_quantiles": num_quantiles, "edges": edges}
    way = _only_one(ways)
    if edges is None:
        binning_x = binning_y = _binning(bin_width, num_bins, num_quantiles)
    else:
        pair = edges if isinstance(edges, tuple) else (edges, edges)
        if len(pair) != 2:
            raise ValueError(f"binned_mi: edges must be one sequence or a tuple of two, got a tuple of {len(pair)}.")
        binning_x, binning_y = _between(pair[0]), _between(pair[1])
    first, second = _bins(x, binning_x, name="x"), _bins(y, binning_y, name="y")
    check_paired(first, second, where="binned_mi")
    setting = "edges" if edges is not None else f"{way}={ways[way]}"
    name = f"binned_mi {setting}"
    second = second.to(first.device)
    if _numbers_samples(x, first) or _numbers_samples(y, second):
        estimate = plug_in_mi(first, second, None, name=name)
    else:
        estimate = examined_mi(first, second, None, name=name, instead="take fewer bins or more samples")
    if way in {"num_bins", "num_quantiles"}:
        return estimate
    given = ("x", x, first), ("y", y, second)
    read = {name: (as_rows(values, where="binned_mi", name=name).detach(), codes) for name, values, codes in given}
    return _of_units(estimate, read, setting, shared=not isinstance(edges, tuple))


def _numbers_samples(values: ArrayLike, codes: Tensor) -> bool:
    """Whether these are the samples' own numbers: then the entropy of the other side on these samples is asked for."""
    whole = is_discrete(as_tensor(values, where="binned_mi", name="x or y"))
    return whole and int(codes.max()) + 1 == len(codes)


def _of_units(estimate: Estimate, read: dict[str, tuple[Tensor, Tensor]], setting: str, *, shared: bool) -> Estimate:
    """Bins in the units of the columns: name -> the values and their bins; shared where x and y have the same ones."""
    numbers = {name: rows for name, (rows, _) in read.items() if not is_discrete(rows)}
    coarse = [name for name, rows in numbers.items() if is_constant(read[name][1]) and not is_constant(rows)]
    return examined(
        estimate,
        numbers,
        depends=f"bins in the units of the columns ({setting}): the value depends on them",
        instead="bin by num_quantiles or num_bins, or standardise the columns",
        together=shared,
        resolution=math.nan if coarse else 0.0,
        short=lambda: f"all of {' and '.join(coarse)} falls into one bin" * bool(coarse),
        instead_of_short="take narrower bins",
    )


def _only_one(ways: dict[str, object]) -> str:
    given = [name for name, value in ways.items() if value is not None]
    if len(given) != 1:
        raise ValueError(
            f"binned_mi: give exactly one of {', '.join(ways)}, got {' and '.join(given) if given else 'none'}."
        )
    return given[0]


def _bins(values: ArrayLike, binning: Binning, *, name: str) -> Tensor:
    rows = as_rows(values, where="binned_mi", name=name)
    if is_discrete(rows):
        return symbols(rows)
    return symbols(binning(as_samples(rows, where="binned_mi", name=name)))


def _binning(bin_width: float | None, num_bins: int | None, num_quantiles: int | None) -> Binning:
    """By the one that is given."""
    if bin_width is not None:
        check_positive(bin_width, where="binned_mi", name="bin_width")
        return lambda rows: _of_width(rows, bin_width)
    if num_bins is not None:
        check_count(num_bins, where="binned_mi", name="num_bins")
        return lambda rows: _of_range(rows, num_bins)
    assert num_quantiles is not None
    check_count(num_quantiles, where="binned_mi", name="num_quantiles")
    return lambda rows: _of_ranks(rows, num_quantiles)


def _of_width(rows: Tensor, bin_width: float) -> Tensor:
    # Bin numbers stay in float64: an integer type would overflow for a small width.
    numbers = torch.floor(rows / bin_width)
    if not numbers.isfinite().all():
        raise ValueError(
            f"binned_mi: bin_width is too small for values up to {float(rows.abs().max()):.3g}, got {bin_width}."
        )
    return numbers


def _of_range(rows: Tensor, num_bins: int) -> Tensor:
    low, high = rows.amin(dim=0), rows.amax(dim=0)
    # Halved, so that the range of the largest doubles does not overflow.
    half_range = high / 2 - low / 2
    position = (rows / 2 - low / 2) / torch.where(half_range > 0, half_range, 1.0)
    num_bins = min(num_bins, _MOST_BINS)
    return torch.floor(position * num_bins).clamp_max(num_bins - 1)


def _of_ranks(rows: Tensor, num_quantiles: int) -> Tensor:
    columns = rows.T.contiguous()
    below = torch.searchsorted(columns.sort(dim=1).values, columns)
    # With more bins than rows every value has its own, and the product would overflow.
    return (below * min(num_quantiles, len(rows)) // len(rows)).T


def _between(edges: object) -> Binning:
    inner = as_tensor(edges, where="binned_mi", name="edges").detach().to(torch.float64)
    if inner.ndim != 1 or inner.isnan().any() or (inner[1:] <= inner[:-1]).any():
        raise ValueError(f"binned_mi: edges must be increasing numbers in one dimension, got {shown(edges)}.")
    return lambda rows: torch.bucketize(rows.contiguous(), inner.to(rows.device), right=True)
