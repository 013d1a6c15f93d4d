"""Checks of labels and settings that several objectives share."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor

from infotorch.numerics.checks import check_count


def check_labels(labels: Tensor | None, *, where: str) -> Tensor:
    """The labelled rows' classes.

    Raises:
        TypeError: there are no labels, or they are not integers.
        ValueError: every row is unlabelled, or a label lies below -1.
    """
    if labels is None:
        raise TypeError(f"{where}: this objective needs class labels, got y=None.")
    if labels.is_floating_point() or labels.ndim != 1:
        raise TypeError(
            f"{where}: class labels must be integers of shape (n,), got {labels.dtype} of shape {tuple(labels.shape)}."
        )
    lowest = int(labels.min())
    if lowest < -1:
        raise ValueError(f"{where}: classes count from 0 and unlabelled rows are -1, got {lowest}.")
    known = labels[labels >= 0]
    if len(known) == 0:
        raise ValueError(f"{where}: every row is unlabelled (y = -1).")
    return known


def check_widths(widths: Sequence[int], *, where: str, name: str = "hidden", at_least: int = 0) -> tuple[int, ...]:
    """The widths of hidden layers as a tuple.

    Raises:
        TypeError: no sequence, fewer than at_least widths, or one that is no integer.
        ValueError: a width below 1.

    Example:
        >>> check_widths([64, 32], where="example")
        (64, 32)
    """
    if not isinstance(widths, Sequence) or isinstance(widths, str) or len(widths) < at_least:
        raise TypeError(f"{where}: {name} must be a sequence of widths such as (64,), got {widths!r}.")
    for width in widths:
        check_count(width, where=where, name=f"every width of {name}")
    return tuple(widths)


def check_weight(weight: float, *, where: str, name: str) -> float:
    """The factor of a term, which may be 0.

    Raises:
        ValueError: negative or not finite.

    Example:
        >>> check_weight(0.5, where="example", name="local_weight")
        0.5
    """
    if not 0 <= weight < math.inf:
        raise ValueError(f"{where}: {name} must be at least 0 and finite, got {weight}.")
    return weight


def check_critic_steps(steps: int, *, where: str) -> int:
    """The number of a critic's own steps before each step of its module, which may be 0.

    Raises:
        TypeError: no integer.
        ValueError: negative.

    Example:
        >>> check_critic_steps(5, where="example")
        5
    """
    if isinstance(steps, bool) or not isinstance(steps, int):
        raise TypeError(f"{where}: critic_steps must be an integer, got {steps!r}.")
    if steps < 0:
        raise ValueError(f"{where}: critic_steps must be at least 0, got {steps}.")
    return steps
