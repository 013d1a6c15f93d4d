"""What autograd keeps for the backward pass, at its highest."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class SavedActivations:
    """Bytes that autograd keeps for backward; parameters, which live anyway, are not counted.

    Attributes:
        peak_bytes: the highest sum over distinct storages that were alive at once: real memory.
        peak_bytes_as_saved: the same, counting a storage once for each operation that saves it.
    """

    def __init__(self, parameters: Iterable[Tensor]) -> None:
        self._ignored = {parameter.untyped_storage().data_ptr() for parameter in parameters}
        self._alive: dict[int, list[int]] = {}  # storage -> [number of saves, bytes]
        self._distinct = self._as_saved = 0
        self.peak_bytes = self.peak_bytes_as_saved = 0

    def pack(self, tensor: Tensor) -> _Saved:
        """Count a tensor that autograd saves."""
        saved = _Saved(tensor)
        if tensor.layout is not torch.strided:
            return saved  # a sparse matrix has no storage to ask for; its own indices and values go uncounted
        storage = tensor.untyped_storage()
        key = storage.data_ptr()
        if key not in self._ignored:
            entry = self._alive.setdefault(key, [0, storage.nbytes()])
            self._distinct += entry[1] if entry[0] == 0 else 0
            entry[0] += 1
            own = tensor.numel() * tensor.element_size()
            self._as_saved += own
            self.peak_bytes = max(self.peak_bytes, self._distinct)
            self.peak_bytes_as_saved = max(self.peak_bytes_as_saved, self._as_saved)
            weakref.finalize(saved, self._forget, key, own)
        return saved

    def _forget(self, key: int, own: int) -> None:
        entry = self._alive[key]
        entry[0] -= 1
        self._as_saved -= own
        if entry[0] == 0:
            self._distinct -= entry[1]
            del self._alive[key]


class _Saved:
    """Holds a saved tensor until autograd lets go of it."""

    __slots__ = ("__weakref__", "tensor")

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def _unpack(saved: _Saved) -> Tensor:
    return saved.tensor


@contextmanager
def track_saved_activations(parameters: Iterable[Tensor] = ()) -> Iterator[SavedActivations]:
    """Count what autograd saves inside the block.

    Args:
        parameters: tensors that are not counted.

    Example:
        >>> x = torch.ones(256, requires_grad=True)
        >>> with track_saved_activations() as saved:
        ...     x.exp().sum().backward()  # exp keeps its result: 256 numbers of 4 bytes
        >>> saved.peak_bytes
        1024
    """
    saved = SavedActivations(parameters)
    with torch.autograd.graph.saved_tensors_hooks(saved.pack, _unpack):
        yield saved
