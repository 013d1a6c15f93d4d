"""Labels that the CPU knows too: what a step decides by them need not wait for the device that they lie on.

A GPU works behind Python, which waits for it whenever it reads a number. Which samples have a label, and how many
classes a batch has, is known beforehand: whoever moves labels to a device tells it here.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

_COPIES = WeakTensorKeyDictionary()


def remember_on_host(values: Tensor, copy: Tensor) -> None:
    """Tell what a tensor on another device holds, as long as it lives; it must not be changed in place.

    Args:
        values: the tensor; one on the CPU needs no copy.
        copy: the same numbers on the CPU.
    """
    if not values.is_cpu:
        _COPIES[values] = copy


def on_host(values: Tensor) -> Tensor:
    """A tensor's numbers on the CPU, without gradient: itself, what was remembered, or a copy that is waited for.

    Example:
        >>> import torch
        >>> y = torch.tensor([1, 0])
        >>> on_host(y) is y
        True
    """
    if values.is_cpu:
        return values
    if values not in _COPIES:
        _COPIES[values] = values.detach().cpu()
    return _COPIES[values]


def rows_where(values: Tensor, chosen: Tensor) -> Tensor:
    """The rows that are chosen; all of another device's are the tensor itself, which takes no wait.

    Args:
        values: (n, ...), on any device.
        chosen: bool (n,), on the CPU.

    Example:
        >>> import torch
        >>> rows_where(torch.tensor([5, 6, 7]), torch.tensor([True, False, True]))
        tensor([5, 7])
    """
    if values.is_cpu:
        return values[chosen]
    if bool(chosen.all()):
        return values
    found = values[chosen.nonzero().flatten().to(values.device)]
    if values in _COPIES:
        _COPIES[found] = _COPIES[values][chosen]
    return found


def numbers_of(values: Sequence[Tensor | float]) -> list[float]:
    """What tensors of one entry hold, with one wait for those of one type and device, however many they are.

    Example:
        >>> import torch
        >>> numbers_of([torch.tensor(0.5), torch.tensor(2)])
        [0.5, 2.0]
    """
    found = [0.0 if isinstance(value, Tensor) else float(value) for value in values]
    there = {place: value.detach().reshape(()) for place, value in enumerate(values) if isinstance(value, Tensor)}
    for kind in dict.fromkeys((value.dtype, value.device) for value in there.values()):
        alike = {place: value for place, value in there.items() if (value.dtype, value.device) == kind}
        for place, number in zip(alike, torch.stack(list(alike.values())).tolist(), strict=True):
            found[place] = float(number)
    return found
