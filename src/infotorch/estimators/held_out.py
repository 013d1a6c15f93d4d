"""The value of a trained critic on samples that it has never seen, with the influence of every sample."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from infotorch.numerics.checks import in_float64

#: what is measured: a bound of `infotorch.estimators.bounds`
Measure = Literal["infonce", "donsker_varadhan", "nwj", "jsd", "smile"]
#: x and y, paired -> scores of every x against every y
Scores = Callable[[Tensor, Tensor], Tensor]

SMILE_CLIP = 5.0


@dataclass(frozen=True)
class HeldOut:
    """A value on held-out samples.

    Args:
        value: in nats.
        influence: of every sample on the value, up to a constant: the infinitesimal jackknife.
        ceiling: the largest value that these samples could give, in nats.
    """

    value: float
    influence: Tensor
    ceiling: float


@torch.no_grad()
def held_out(measure: Measure, scores: Scores, x: Tensor, y: Tensor, *, group_size: int) -> HeldOut:
    """The value on samples (x, y), every sample against the others of its group.

    The samples are cut in their order into groups of equal size (up to one sample), at most `group_size`. InfoNCE is
    the mean over the groups, with the log of their size as ceiling; the others take their means over the pairs of all
    groups.

    Example:
        >>> rows = torch.arange(8.0)[:, None]
        >>> found = held_out("infonce", lambda x, y: -100 * (x - y.T) ** 2, rows, rows, group_size=4)
        >>> round(found.value, 4), round(found.ceiling, 4)  # log 4
        (1.3863, 1.3863)
    """
    # A group of a single sample would have no pair drawn apart.
    groups = max(1, min(math.ceil(len(x) / group_size), len(x) // 2))
    matrices = (in_float64(scores(a, b)) for a, b in zip(x.tensor_split(groups), y.tensor_split(groups), strict=True))
    if measure == "infonce":
        return _infonce(matrices)
    if measure == "jsd":
        return _jsd(matrices)
    true, by_x, by_y = _log_means(matrices, SMILE_CLIP if measure == "smile" else math.inf)
    if measure == "nwj":
        return _nwj(true, by_x, by_y)
    log_mean = by_x.logsumexp(0) - math.log(len(by_x))
    influence = true - (by_x - log_mean).exp() - (by_y - log_mean).exp()
    return HeldOut(float(true.mean() - log_mean), influence, math.inf)


def pooled(parts: Sequence[HeldOut]) -> tuple[float, float, float]:
    """Value, standard error and ceiling over several parts of the samples, each with a critic of its own.

    The standard error takes the critics as given: that other training samples would have given other critics is not
    part of it.

    Example:
        >>> part = HeldOut(1.0, torch.tensor([0.0, 2.0]), 3.0)
        >>> pooled([part, part])  # the error is sqrt(4 / 3 / 4)
        (1.0, 0.577..., 3.0)
    """
    centered = torch.cat([part.influence - part.influence.mean() for part in parts])
    n = len(centered)
    error = math.sqrt(float(centered.square().sum()) / (n - 1) / n)
    shares = [len(part.influence) / n for part in parts]
    value = sum(share * part.value for share, part in zip(shares, parts, strict=True))
    return value, error, sum(share * part.ceiling for share, part in zip(shares, parts, strict=True))


def _infonce(matrices: Iterable[Tensor]) -> HeldOut:
    terms, influence, ceilings = [], [], []
    for matrix in matrices:
        log_p = matrix.log_softmax(dim=1)
        ceilings.append(log_p.new_full((len(matrix),), math.log(len(matrix))))
        terms.append(log_p.diagonal() + ceilings[-1])
        # A sample has a term of its own, and takes part in everyone's mean as a y.
        influence.append(terms[-1] - log_p.exp().sum(dim=0))
    return HeldOut(float(torch.cat(terms).mean()), torch.cat(influence), float(torch.cat(ceilings).mean()))


def _jsd(matrices: Iterable[Tensor]) -> HeldOut:
    together, by_x, by_y = [], [], []
    for matrix in matrices:
        apart = F.softplus(matrix).fill_diagonal_(0)
        together.append(F.softplus(-matrix.diagonal()))
        by_x.append(apart.sum(dim=1) / (len(matrix) - 1))
        by_y.append(apart.sum(dim=0) / (len(matrix) - 1))
    true, over_x, over_y = torch.cat(together), torch.cat(by_x), torch.cat(by_y)
    value = math.log(2) - 0.5 * float((true + over_x).mean())
    return HeldOut(value, -0.5 * (true + over_x + over_y), math.log(2))


def _nwj(true: Tensor, by_x: Tensor, by_y: Tensor) -> HeldOut:
    over_x, over_y = ((log_mean - 1).exp() for log_mean in (by_x, by_y))
    return HeldOut(float((true - over_x).mean()), true - over_x - over_y, math.inf)


def _log_means(matrices: Iterable[Tensor], limit: float) -> tuple[Tensor, Tensor, Tensor]:
    """Scores of the true pairs, and log mean exp of the scores drawn apart, for every x and for every y."""
    true, by_x, by_y = [], [], []
    for matrix in matrices:
        true.append(matrix.diagonal().clone())
        apart = matrix.clamp(-limit, limit).fill_diagonal_(-math.inf)
        by_x.append(apart.logsumexp(dim=1) - math.log(len(matrix) - 1))
        by_y.append(apart.logsumexp(dim=0) - math.log(len(matrix) - 1))
    return torch.cat(true), torch.cat(by_x), torch.cat(by_y)
