"""Targets: classes, real numbers or several labels a sample, with missing ones. Type and axes of a tensor say which."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from infotorch.numerics.checks import check_choice

#: What the targets of a data set are.
TargetKind = Literal["classes", "real", "multilabel"]
#: What `fit` and `train` are told of them; "auto" goes by type and axes.
Targets = Literal["auto", "classes", "real", "multilabel"]
TARGETS: tuple[Targets, ...] = ("auto", "classes", "real", "multilabel")


def kind_of_targets(y: Tensor) -> TargetKind | None:
    """What targets are, by their type and axes.

    Returns:
        "classes" for integers (n,), with -1 for a missing one; "multilabel" for integers (n, labels), each 0, 1 or -1;
        "real" for floating-point numbers (n, ...), with NaN for a missing one; None for integers of other axes, which
        only a loss of one's own can read.

    Example:
        >>> kind_of_targets(torch.tensor([0, 2, -1])), kind_of_targets(torch.zeros(3, 2))
        ('classes', 'real')
    """
    if y.is_floating_point():
        return "real"
    return "classes" if y.ndim == 1 else "multilabel" if y.ndim == 2 else None


def known_targets(y: Tensor) -> Tensor:
    """Which targets are not missing, as y: neither NaN nor below 0, of integers.

    Example:
        >>> known_targets(torch.tensor([[1, 0], [-1, 1]]))
        tensor([[ True,  True],
                [False,  True]])
    """
    return ~y.isnan() if y.is_floating_point() else y >= 0


def labelled_samples(y: Tensor) -> Tensor:
    """Which samples have a target, or one of several, (n,).

    Example:
        >>> labelled_samples(torch.tensor([[0.5, torch.nan], [torch.nan, torch.nan]]))
        tensor([ True, False])
    """
    known = known_targets(y)
    return known if y.ndim == 1 else known.flatten(1).any(dim=1)


def fully_labelled(y: Tensor) -> Tensor:
    """Which samples have all of their targets, (n,).

    Example:
        >>> fully_labelled(torch.tensor([[1, 0], [-1, 1]]))
        tensor([ True, False])
    """
    known = known_targets(y)
    return known if y.ndim == 1 else known.flatten(1).all(dim=1)


def combined_labels(y: Tensor) -> Tensor:
    """Several labels a sample, (n, labels), as one class, -1 where one is missing; other targets as they are.

    Example:
        >>> combined_labels(torch.tensor([[0, 1], [1, 1], [0, 1], [1, -1]])).tolist()
        [0, 1, 0, -1]
    """
    if kind_of_targets(y) != "multilabel":
        return y
    combined, known = torch.full((len(y),), -1, dtype=torch.int64, device=y.device), fully_labelled(y)
    combined[known] = y[known].unique(dim=0, return_inverse=True)[1]
    return combined


def precision_of_targets(dtype: torch.dtype | None) -> torch.dtype:
    """The precision of real targets beside weights of `dtype`: float64 beside such, else float32, as losses have it.

    Example:
        >>> precision_of_targets(torch.bfloat16)
        torch.float32
    """
    return torch.float64 if dtype == torch.float64 else torch.float32


def read_targets(y: Tensor, targets: Targets = "auto", *, where: str) -> Tensor:
    """Targets in the type that says what they are, see `kind_of_targets`.

    Args:
        y: numbers, (n, ...).
        targets: "auto": whole-number types and bool are classes, or labels where they have several columns; others are
            real. "classes" also takes whole numbers of a floating-point type and shape (n, 1), and NaN for a missing
            one; "multilabel" 0, 1 and NaN of such a type, and (n,) for one label; "real" any numbers.
        where: for messages.

    Returns:
        int64 for classes and labels, else as floating-point as y is; float32 for whole numbers.

    Raises:
        ValueError: numbers that cannot be what `targets` says, or infinite ones.

    Example:
        >>> read_targets(torch.tensor([1.0, torch.nan, 0.0]), "classes", where="example")
        tensor([ 1, -1,  0])
        >>> read_targets(torch.tensor([3, 7]), "real", where="example")
        tensor([3., 7.])
    """
    check_choice(targets, TARGETS, where=where, name="targets")
    if y.is_floating_point() and bool(y.isinf().any()):
        raise ValueError(f"{where}: y must be finite, or NaN where a target is missing, got an infinite value.")
    if targets == "real":
        return y if y.is_floating_point() else y.float()
    if targets == "auto":
        return y if y.is_floating_point() else y.long()
    whole = _whole_numbers(y, targets, where=where)
    if targets == "classes":
        if y.shape[1:].numel() != 1:
            raise ValueError(f"{where}: y must have shape (n,) for targets='classes', got {tuple(y.shape)}.")
        return whole.reshape(len(y))
    if y.ndim > 2:
        raise ValueError(f"{where}: y must have shape (n, labels) for targets='multilabel', got {tuple(y.shape)}.")
    return whole.reshape(len(y), -1) if len(y) else whole.long()


def _whole_numbers(y: Tensor, targets: Targets, *, where: str) -> Tensor:
    """Integers of the kind, -1 for a missing one."""
    whole = y.nan_to_num(nan=-1.0).long() if y.is_floating_point() else y.long()
    wrong = (whole < -1) | (whole > 1 if targets == "multilabel" else torch.zeros_like(whole, dtype=torch.bool))
    if y.is_floating_point():
        wrong |= (whole != y) & ~y.isnan()
    if bool(wrong.any()):
        said = (
            "0, 1, or -1 or NaN where one is missing,"
            if targets == "multilabel"
            else "class numbers from 0, -1 for none,"
        )
        raise ValueError(f"{where}: y must hold {said} for targets={targets!r}, got {y[wrong][0].item()}.")
    return whole
