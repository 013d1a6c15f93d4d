"""Numbers of rows: what may stand between the brackets of samples."""

from __future__ import annotations

import torch
from torch import Tensor

from infotorch.numerics.checks import WHOLE, as_tensor


def as_index(index: object, count: int, *, where: str) -> Tensor | slice:
    """Which of `count` rows to take: a slice as it is, numbers as int64 (m,), or bool (count,).

    Raises:
        TypeError: neither whole numbers nor bool.
        ValueError: of another shape.
        IndexError: a number of no row; looked at on the CPU alone, where that waits for nothing.

    Example:
        >>> as_index([2, 0], 3, where="example")
        tensor([2, 0])
    """
    if isinstance(index, slice):
        return index
    rows = as_tensor(index, where=where, name="index")
    if rows.numel() and rows.dtype not in WHOLE and rows.dtype != torch.bool:
        raise TypeError(f"{where}: index must be numbers of rows, int64 of shape (m,), got {rows.dtype}.")
    if rows.ndim != 1 or (rows.dtype == torch.bool and len(rows) != count):
        raise ValueError(f"{where}: index must have shape (m,), or bool ({count},), got {tuple(rows.shape)}.")
    if rows.dtype == torch.bool:
        return rows
    if rows.device.type == "cpu" and rows.numel() and not -count <= int(rows.min()) <= int(rows.max()) < count:
        raise IndexError(f"{where}: index must be numbers of {count} rows, got {int(rows.min())} to {int(rows.max())}.")
    return rows.long()
