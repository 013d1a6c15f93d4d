"""Tensors in a few words, for what data and plans print."""

from __future__ import annotations

from torch import Tensor


def sketch(values: object) -> str:
    """What a value is, without its numbers: type and shape of a tensor, the words of what has its own.

    Example:
        >>> import torch
        >>> sketch(torch.zeros(3, 2)), sketch(torch.arange(3)), sketch(None)
        ('float32 (3, 2)', 'int64 (3,)', 'None')
    """
    if not isinstance(values, Tensor):
        return repr(values)
    place = "" if values.device.type == "cpu" else f" on {values.device}"
    return f"{str(values.dtype).removeprefix('torch.')} {tuple(values.shape)}{place}"
