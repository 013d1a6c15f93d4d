"""What people ask of a representation beside its information: how many directions it fills, and how it lies."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from infotorch.numerics.checks import as_samples, as_tensor, check_paired, check_rows

_BLOCK = 1024


@dataclass(frozen=True)
class Representation:
    """How one layer's outputs lie. Rows of zeros have no direction, and are left out of the last two.

    Args:
        effective_rank: see `effective_rank`; None of a layer that is zero throughout.
        alignment: see `alignment`, of the labelled rows; None without classes, or where no two rows share one.
        uniformity: see `uniformity`; None with fewer than two rows that have a direction.

    Example:
        >>> Representation(effective_rank=3.2, alignment=None, uniformity=-2.1).effective_rank
        3.2
    """

    effective_rank: float | None
    alignment: float | None
    uniformity: float | None


def representation_of(t: Tensor, y: Tensor | None) -> Representation:
    """Of a layer's outputs.

    Args:
        t: finite, (n, d).
        y: classes, (n,), -1 for unlabelled rows; or None.

    Example:
        >>> round(representation_of(torch.eye(3), None).uniformity, 6)  # pairs at right angles: -2 * 2
        -4.0
    """
    there = t.double().norm(dim=1) > 0
    rows = t[there]
    if len(rows) == 0:
        return Representation(None, None, None)
    aligned = None
    if y is not None:
        labels = y.to(t.device)[there]
        known = labels >= 0
        if bool((torch.bincount(labels[known]) > 1).any()):
            aligned = alignment(rows[known], labels[known])
    return Representation(effective_rank(t), aligned, uniformity(rows) if len(rows) > 1 else None)


def effective_rank(t: Tensor) -> float:
    """Number of directions that a representation fills: exp of the entropy of its normalised singular values (RankMe).

    From 1, all rows on one line through the origin, to the number of columns (or rows), all directions alike. It grows
    smoothly where `torch.linalg.matrix_rank` counts every direction above rounding alike. The rows are taken as they
    are, not centred, as in the paper: a large common mean is one direction.

    Args:
        t: shape (n, d) or (n, ...), whose trailing axes are flattened.

    Returns:
        Between 1 and min(n, d).

    Raises:
        ValueError: no rows, values that are not finite, or a representation that is zero throughout.
        TypeError: not real numbers.

    Source: Garrido et al. 2023, arXiv:2210.02885, eq. 2; Roy & Vetterli 2007. Without the paper's 1e-7 in the shares.

    Example:
        >>> round(effective_rank(torch.eye(4)), 6), round(effective_rank(torch.tensor([[1.0, 2.0], [2.0, 4.0]])), 6)
        (4.0, 1.0)
    """
    rows = as_samples(t, where="effective_rank", name="t")
    strengths = torch.linalg.svdvals(rows)
    if not float(strengths.sum()) > 0:
        raise ValueError("effective_rank: t must not be zero throughout: nothing has no direction.")
    shares = strengths / strengths.sum()
    return float((-torch.xlogy(shares, shares).sum()).exp())


def alignment(t: Tensor, y: Tensor) -> float:
    """How near samples of one class lie: the mean squared distance of pairs of one label, rows brought to length 1.

    Wang & Isola's positive pairs are two views of one sample; here they are two samples of one label. For two views,
    give them as rows with the number of their sample as y.

    Args:
        t: shape (n, d) or (n, ...), whose trailing axes are flattened.
        y: integer labels, shape (n,); a label that no other row has makes no pair.

    Returns:
        From 0, every class one direction, to 4; 2 for directions that have nothing to do with the labels.

    Raises:
        ValueError: rows that do not pair, a row of zeros, which has no direction, labels of another shape, or no two
            rows of one label.
        TypeError: t is not made of real numbers, or y not of integers.

    Source: Wang & Isola 2020, arXiv:2005.10242, eq. 5 with alpha = 2.

    Example:
        >>> t = torch.tensor([[2.0, 0.0], [5.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
        >>> alignment(t, torch.tensor([0, 0, 1, 1]))  # of two pairs one has a right angle
        1.0
    """
    rows = _directions(t, where="alignment")
    labels = as_tensor(y, where="alignment", name="y").to(rows.device)
    check_paired(rows, labels, where="alignment")
    if labels.is_floating_point():
        raise TypeError(f"alignment: y must be integer labels, got {labels.dtype}.")
    if labels.ndim != 1:
        raise ValueError(f"alignment: y must have shape (n,), got {tuple(labels.shape)}.")
    classes, places = labels.unique(return_inverse=True)
    sums = rows.new_zeros(len(classes), rows.shape[1]).index_add_(0, places, rows)
    counts = torch.bincount(places).to(rows)
    pairs = counts * (counts - 1)  # each twice
    if not bool(pairs.any()):
        raise ValueError("alignment: y must give one label to two rows at least, got a label of its own for each.")
    # |a - b|^2 = 2 - 2 a b on the sphere, and the sum of a b over a class's pairs is |its sum|^2 - its rows.
    likeness = (sums.square().sum(dim=1) - counts).sum()
    return float((2 - 2 * likeness / pairs.sum()).clamp_min(0))


def uniformity(t: Tensor) -> float:
    """How evenly a representation covers the sphere: log of the mean of exp(-2 |a - b|^2) over pairs, rows of length 1.

    Args:
        t: shape (n, d) or (n, ...), whose trailing axes are flattened; n at least 2. Time grows with n^2.

    Returns:
        At most 0, all rows in one direction; the less the more even, about -4 + log(I_0(4)) = -1.57 on the circle, and
        towards -4 in many dimensions.

    Raises:
        ValueError: fewer than two rows, values that are not finite, or a row of zeros, which has no direction.
        TypeError: not real numbers.

    Source: Wang & Isola 2020, arXiv:2005.10242, eq. 6 with t = 2.

    Example:
        >>> round(uniformity(torch.tensor([[1.0, 0.0], [-1.0, 0.0]])), 6)  # exp(-2 * 4)
        -8.0
    """
    rows = _directions(t, where="uniformity")
    n = len(rows)
    total = rows.new_zeros(())
    for block in rows.split(_BLOCK):
        total += (4 * (block @ rows.T) - 4).clamp_max(0).exp().sum()
    # A row beside itself counts 1.
    return float(((total - n) / (n * (n - 1))).clamp_min(torch.finfo(torch.float64).tiny).log())


def _directions(t: Tensor, *, where: str) -> Tensor:
    rows = as_samples(t, where=where, name="t")
    check_rows(rows, where=where, name="t", at_least=2)
    lengths = rows.norm(dim=1, keepdim=True)
    if not bool((lengths > 0).all()):
        raise ValueError(f"{where}: every row of t must have a direction, got {int((lengths == 0).sum())} of zeros.")
    return rows / lengths
