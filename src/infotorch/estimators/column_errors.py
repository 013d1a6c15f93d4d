"""Standard errors of what is told of all features at once: how much disjoint parts of the sample disagree."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from infotorch.numerics.seeds import derive_seed

# As `subsampling_error` splits samples; more tell the scatter no better, and take longer.
_ROUNDS, _GROUPS, _LEAST, _MOST = 10, 4, 20, 2000


def errors_by_groups(values: Callable[[Tensor], Tensor], n: int) -> Tensor:
    """Standard errors of several estimates of n samples, from ten random splits into four groups, always the same ones.

    The variance of a neighbour estimate falls as 1/n, so it is that between groups divided by their number. Of more
    than 2,000 samples so many are drawn for it, and the error falls as the root.

    Args:
        values: row numbers -> the estimates on these samples, (d,).
        n: number of samples.

    Returns:
        (d,); NaN below 40 samples.

    Example:
        >>> x = torch.linspace(0, 1, 1000, dtype=torch.float64)
        >>> float(errors_by_groups(lambda rows: x[rows].mean()[None], 1000)[0])  # the truth is 0.0091
        0.008...
    """
    used = min(n, _MOST)
    groups = min(_GROUPS, used // _LEAST)
    if groups < 2:
        return torch.full_like(values(torch.arange(n, device="cpu")), math.nan)
    generator = torch.Generator().manual_seed(derive_seed(0, "groups of samples"))
    variances = []
    for _ in range(_ROUNDS):
        parts = torch.randperm(n, generator=generator, device="cpu")[:used].tensor_split(groups)
        variances.append(torch.stack([values(part) for part in parts]).var(dim=0))
    return (torch.stack(variances).mean(dim=0) / groups * (used / n)).sqrt()
