"""Binned mutual information: real values become bin numbers, and bins are counted."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from infotorch.estimators.discrete import plug_in_mi
from infotorch.estimators.estimate import Estimate
from infotorch.numerics.checks import as_rows, as_samples, check_paired, check_positive, is_discrete
from infotorch.numerics.symbols import symbols


def binned_mi(x: Any, y: Any, *, bin_width: float | None = None, num_bins: int | None = None) -> Estimate:
    """Mutual information of x and y after every real column is cut into bins, in nats.

    The value depends on the bins, and for a deterministic continuous layer on nothing else: as they shrink it goes to
    log n. So there is no default; exactly one of `bin_width` and `num_bins` is given, and belongs beside the number.

    Args:
        x: shape (n,) or (n, ...). Real columns are binned, integers are symbols as they are; a row is one symbol.
        y: the same number of rows, treated alike.
        bin_width: width of the bins of every column, in its units; bins start at 0.
        num_bins: number of bins of equal width between the least and the greatest value of each column.

    Returns:
        Plug-in value in [0, log n]; at log n every row has its own bin (`saturated`). 0 when x or y is constant.
        Standard error by the delta method.

    Raises:
        ValueError: neither or both of bin_width and num_bins, one of them not positive, rows not paired, or NaN or
            infinite values.
        TypeError: x or y is not made of real numbers, or num_bins is not an integer.

    Source: Shwartz-Ziv & Tishby 2017, arXiv:1703.00810 (num_bins, on tanh); Saxe et al. 2018, ICLR (bin_width).

    Example:
        >>> x = torch.linspace(0, 1, 101)[:-1]
        >>> round(binned_mi(x, x, num_bins=4).bits, 6)
        2.0
    """
    first = _bins(x, bin_width, num_bins, name="x")
    second = _bins(y, bin_width, num_bins, name="y")
    check_paired(first, second, where="binned_mi")
    setting = f"num_bins={num_bins}" if bin_width is None else f"bin_width={bin_width}"
    return plug_in_mi(first, second.to(first.device), None, name=f"binned_mi {setting}")


def _bins(values: Any, bin_width: float | None, num_bins: int | None, *, name: str) -> Tensor:
    _check_bins(bin_width, num_bins)
    rows = as_rows(values, where="binned_mi", name=name)
    if is_discrete(rows):
        return symbols(rows)
    rows = as_samples(rows, where="binned_mi", name=name)
    if bin_width is not None:
        # Bin numbers stay in float64: an integer type would overflow for a small width.
        return symbols(torch.floor(rows / bin_width))
    assert num_bins is not None
    low, high = rows.amin(dim=0), rows.amax(dim=0)
    # Halved, so that the range of the largest doubles does not overflow.
    half_range = high / 2 - low / 2
    position = (rows / 2 - low / 2) / torch.where(half_range > 0, half_range, 1.0)
    return symbols(torch.floor(position * num_bins).clamp_max(num_bins - 1))


def _check_bins(bin_width: float | None, num_bins: int | None) -> None:
    if (bin_width is None) == (num_bins is None):
        given = "neither" if bin_width is None else "both"
        raise ValueError(f"binned_mi: give bin_width or num_bins, exactly one of them, got {given}.")
    if bin_width is not None:
        check_positive(bin_width, where="binned_mi", name="bin_width")
    elif isinstance(num_bins, bool) or not isinstance(num_bins, int):
        raise TypeError(f"binned_mi: num_bins must be an integer, got {type(num_bins).__name__}.")
    elif num_bins < 1:
        raise ValueError(f"binned_mi: num_bins must be at least 1, got {num_bins}.")
