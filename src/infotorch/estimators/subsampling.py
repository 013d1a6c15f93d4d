"""Standard errors of neighbour estimators: how much disjoint parts of the sample disagree."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from infotorch.numerics.seeds import derive_seed

_ROUNDS = 10
# With ten groups the standard error came out about 10 % too short, with two it scatters by 20 % (n = 200 to 3000,
# k = 3, normal and heavy-tailed laws in 1 to 4 columns).
_MOST_GROUPS = 4
# In smaller groups k neighbours reach so far that the variance no longer falls as 1/n: at 20 rows the standard error
# came out 40 % too small, at 100 rows 10 % (Gaussians, k = 3).
_GROUP_SIZE = 100
# Larger groups tell the variance no better, and forty of them take longer than the estimate.
_LARGEST_GROUP = 25_000


def subsampling_error(estimate: Callable[[Tensor], float], n: int, *, smallest: int) -> float:
    """Standard error by subsampling: estimate in disjoint groups of samples, divide the variance by their number.

    The variance of a neighbour estimate falls as 1/n, so at n it is the variance between groups divided by their
    number: four groups, fewer where they would have under 100 rows, never fewer than two. Averaged over ten random
    splits, always the same ones: no global random state is read or changed. Bias is not part of it. It takes two to
    ten times as long as the estimate: two where all distances are computed, ten where a tree is used. Beyond 100,000
    rows every split leaves some out, so that it takes no longer than for 100,000.

    Args:
        estimate: from row numbers to the estimate on these samples, in nats; NaN where a group has none.
        n: number of samples.
        smallest: least number of samples of a group.

    Returns:
        The standard error in nats, NaN when n < 2 * smallest.

    Source: Holmes & Nemenman 2019, arXiv:1903.09280, Sec. II.

    Example:
        >>> x = torch.linspace(0, 1, 1000, dtype=torch.float64)
        >>> error = subsampling_error(lambda rows: float(x[rows].mean()), 1000, smallest=20)
        >>> bool(abs(error - float(x.std()) / 1000**0.5) < 0.003)
        True
    """
    if n < 2 * smallest:
        return math.nan
    groups = min(max(2, n // max(_GROUP_SIZE, smallest)), _MOST_GROUPS)
    used = min(n, groups * max(_LARGEST_GROUP, smallest))
    generator = torch.Generator().manual_seed(derive_seed(0, "subsampling"))
    variances = [_variance_between_groups(estimate, n, used, groups, generator) for _ in range(_ROUNDS)]
    return math.sqrt(sum(variances) / _ROUNDS / groups * (used / n))


def _variance_between_groups(
    estimate: Callable[[Tensor], float], n: int, used: int, groups: int, generator: torch.Generator
) -> float:
    parts = torch.randperm(n, generator=generator, device="cpu")[:used].tensor_split(groups)
    values = torch.tensor([estimate(part) for part in parts], dtype=torch.float64, device="cpu")
    return float(values[~values.isnan()].var())
