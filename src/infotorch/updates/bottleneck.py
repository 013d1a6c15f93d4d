"""What lies between two parts of a network: one tensor, or tuples, lists and dicts of tensors such as (mu, sigma)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor


def map_tensors(value: Any, change: Callable[[Tensor], Tensor]) -> Any:
    """The same structure with every tensor changed; whatever is no tensor stays.

    Example:
        >>> import torch
        >>> map_tensors({"mu": torch.ones(1), "name": "z"}, lambda t: t + 1)
        {'mu': tensor([2.]), 'name': 'z'}
    """
    if isinstance(value, Tensor):
        return change(value)
    if isinstance(value, dict):
        return {key: map_tensors(part, change) for key, part in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):  # a named tuple takes its parts one by one
        return type(value)(*(map_tensors(part, change) for part in value))
    if isinstance(value, list | tuple):
        return type(value)(map_tensors(part, change) for part in value)
    return value


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors of the structure, in the order in which `map_tensors` meets them.

    Example:
        >>> import torch
        >>> [len(tensor) for tensor in tensors_in((torch.ones(1), [torch.ones(2)]))]
        [1, 2]
    """
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors_in(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors_in(part)
