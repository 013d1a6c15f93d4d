"""What autograd keeps for the backward pass, at its highest, and what trains beside the modules."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from infotorch.objectives.auxiliary import ThroughAuxiliary
from infotorch.objectives.infopro import ImageReconstruction
from infotorch.objectives.similarity import PredictiveSimilarity


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


def auxiliary_parameter_bytes(objectives: Iterable[nn.Module | None]) -> int:
    """Bytes of the weights of all auxiliary networks, InfoPro's decoders and predicted similarity's layers among them.

    Read-outs are none.

    Example:
        >>> from infotorch.objectives.base import LocalBatch
        >>> from infotorch.objectives.labels import ReadoutInformation
        >>> objective, x, y = ThroughAuxiliary(ReadoutInformation(), nn.Linear(3, 2)), torch.ones(2, 3), torch.arange(2)
        >>> objective.build(LocalBatch(x, x, x, y), y)
        >>> auxiliary_parameter_bytes([objective, None])  # (3 + 1) x 2 numbers of 4 bytes
        32
    """
    parts = [part for objective in objectives if objective is not None for part in objective.modules()]
    # Before they are built there are none.
    networks = [getattr(part, "network", None) for part in parts if isinstance(part, ThroughAuxiliary)]
    networks += [getattr(part, "decoder", None) for part in parts if isinstance(part, ImageReconstruction)]
    networks += [getattr(part, "features", None) for part in parts if isinstance(part, PredictiveSimilarity)]
    weights = [weight for network in networks if network is not None for weight in network.parameters()]
    return sum(weight.numel() * weight.element_size() for weight in weights)
