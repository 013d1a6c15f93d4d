"""Tensors inside tuples, lists and dicts such as (mu, sigma): torch's pytrees, with the two things asked of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from torch import Tensor
from torch.utils._pytree import tree_iter, tree_map_only

Structure = TypeVar("Structure")


def map_tensors(value: Structure, change: Callable[[Tensor], Tensor]) -> Structure:
    """The same structure with every tensor changed; whatever is no tensor stays.

    Example:
        >>> import torch
        >>> map_tensors({"mu": torch.ones(1), "name": "z"}, lambda t: t + 1)
        {'mu': tensor([2.]), 'name': 'z'}
    """
    return tree_map_only(Tensor, change, value)


def tensors_in(value: object) -> Iterator[Tensor]:
    """The tensors of the structure, in the order in which `map_tensors` meets them.

    Example:
        >>> import torch
        >>> [len(tensor) for tensor in tensors_in((torch.ones(1), [torch.ones(2)]))]
        [1, 2]
    """
    return (leaf for leaf in tree_iter(value) if isinstance(leaf, Tensor))
