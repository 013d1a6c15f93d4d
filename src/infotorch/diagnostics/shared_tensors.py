"""Tensors of different modules that lie in the same memory: tied weights, views of them, buffers held twice."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


def share_memory(one: Tensor, other: Tensor) -> bool:
    """Whether an element of one is an element of the other.

    Example:
        >>> both = torch.zeros(4, 2)
        >>> share_memory(both, both[2:].t()), share_memory(both[:, 0], both[:, 1])
        (True, False)
    """
    if one is other:
        return True
    if one.layout != torch.strided or other.layout != torch.strided or one.device != other.device:
        return False
    storage = one.untyped_storage()
    if storage.data_ptr() == 0 or storage.data_ptr() != other.untyped_storage().data_ptr():
        return False
    (start, stop), (other_start, other_stop) = _span(one), _span(other)
    if (
        stop <= other_start or other_stop <= start
    ):  # as pieces of one flat tensor of weights, which may be many and large
        return False
    first, second = _bytes(one), _bytes(other)
    touching = torch.zeros(storage.nbytes(), dtype=torch.bool)
    touching[first] = True
    return bool(touching[second].any())


def _span(tensor: Tensor) -> tuple[int, int]:
    """The first place in its storage that it takes, and the first behind it."""
    if tensor.numel() == 0:
        return 0, 0
    last = sum(stride * (length - 1) for length, stride in zip(tensor.shape, tensor.stride(), strict=True))
    start, size = int(tensor.storage_offset()), tensor.element_size()
    return start * size, (start + int(last) + 1) * size


def _bytes(tensor: Tensor) -> Tensor:
    """The places in its storage of each element's first byte, and of its last: elements of other types overlap too."""
    place = torch.tensor(tensor.storage_offset())
    for length, stride in zip(tensor.shape, tensor.stride(), strict=True):
        place = place.unsqueeze(-1) + stride * torch.arange(length)
    first = place.reshape(-1, 1) * tensor.element_size()
    return (first + torch.arange(tensor.element_size())).reshape(-1)


def shared_with(own: Mapping[str, Tensor], others: Mapping[str, Mapping[str, Tensor]]) -> dict[str, list[str]]:
    """Module -> the names of the tensors in `own` that share memory with one of its.

    Example:
        >>> weight = torch.ones(2)
        >>> shared_with({"weight": weight}, {"head": {"tied": weight}, "other": {"weight": torch.ones(2)}})
        {'head': ['weight']}
    """
    found: dict[str, list[str]] = {}
    for other, tensors in others.items():
        names = [name for name, tensor in own.items() if any(share_memory(tensor, one) for one in tensors.values())]
        if names:
            found[other] = names
    return found
