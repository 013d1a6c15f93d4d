"""Rows as symbols: what is equal, and how often it occurs."""

from __future__ import annotations

import torch
from torch import Tensor

from infotorch.numerics.checks import as_rows, is_discrete


def symbols(rows: Tensor) -> Tensor:
    """Number the distinct rows 0, 1, 2, ... in sorted order; equal rows get the same number, shape (n,).

    Example:
        >>> symbols(torch.tensor([[3, 1], [0, 5], [3, 1]])).tolist()
        [1, 0, 1]
    """
    if rows.shape[1] == 1:
        return torch.unique(rows[:, 0], return_inverse=True)[1]
    return torch.unique(rows, dim=0, return_inverse=True)[1]


def multiplicity(rows: Tensor) -> Tensor:
    """How often each row occurs, itself included, shape (n,).

    Example:
        >>> multiplicity(torch.tensor([[3, 1], [0, 5], [3, 1]])).tolist()
        [2, 1, 2]
    """
    numbers = symbols(rows)
    return torch.bincount(numbers)[numbers]


def as_symbols(values: object, *, where: str, name: str) -> Tensor:
    """Number the distinct rows of integer input: several columns are one symbol, shape (n,).

    Raises:
        TypeError: not integers or booleans.
        ValueError: no rows.
    """
    rows = as_rows(values, where=where, name=name)
    if not is_discrete(rows):
        raise TypeError(
            f"{where}: {name} must be integers or booleans, got {rows.dtype}: convert class numbers to integers; "
            "measurements are not classes."
        )
    return symbols(rows)


def is_constant(rows: Tensor) -> bool:
    """Whether all rows are equal."""
    return bool((rows == rows[0]).all())
