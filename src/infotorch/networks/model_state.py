"""What a forward pass may change in a model that nothing trains, so that it can be put back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn


class ModelState:
    """Attributes, buffers and modes of every layer as they are now; `restore` puts them back.

    Tensors that are no parameters come back with their values and as the same objects, whether forward changed them in
    place, put others in their place, or set attributes that were not there. Weights come back too where a layer has a
    `train` of its own, which may change them, as layers do that merge what they learnt into a weight for evaluation.

    Args:
        model: any module.

    Example:
        >>> model = nn.BatchNorm1d(1)
        >>> before = ModelState(model)
        >>> _ = model.eval()(torch.ones(2, 1)), model.train()(torch.ones(2, 1))
        >>> model.seen = 2
        >>> before.restore()
        >>> model.running_mean.item(), hasattr(model, "seen")
        (0.0, False)
    """

    def __init__(self, model: nn.Module) -> None:
        layers = list(model.modules())
        self._held = [(held, dict(held)) for layer in layers for held in _registers(layer)]
        self._modes = [(layer, layer.training) for layer in layers if isinstance(layer, torch.jit.ScriptModule)]
        has_own = any(type(layer).train is not nn.Module.train for layer in layers)
        tensors = {id(tensor): tensor for layer in layers for tensor in _tensors(layer, weights=has_own)}.values()
        self._values = [(tensor, tensor.detach().clone()) for tensor in tensors]

    def restore(self) -> None:
        """Everything as it was; what did not change is not touched, as a backward pass may still need it."""
        for held, kept in self._held:
            _put_back(held, kept)
        for layer, training in self._modes:
            layer.training = training
        for tensor, value in self._values:
            if tensor.shape != value.shape or torch.equal(tensor, value):
                continue
            with torch.inference_mode(tensor.is_inference()), torch.no_grad():
                tensor.copy_(value)


def _registers(layer: nn.Module) -> Iterator[MutableMapping[str, Any]]:
    """Where a layer holds what it has: its attributes, its mode among them, then its buffers and weights."""
    if not isinstance(layer, torch.jit.ScriptModule):  # whose attributes are not Python's
        yield vars(layer)
        yield layer._parameters
    yield layer._buffers


def _tensors(layer: nn.Module, *, weights: bool) -> Iterator[Tensor]:
    """The tensors of a layer that have values."""
    plain: Mapping[str, Any] = {} if isinstance(layer, torch.jit.ScriptModule) else vars(layer)
    values = [*layer._buffers.values(), *plain.values(), *(layer.parameters(recurse=False) if weights else ())]
    return (value for value in values if isinstance(value, Tensor) and not value.is_meta)


def _put_back(held: MutableMapping[str, Any], kept: dict[str, Any]) -> None:
    for name in held.keys() - kept.keys():
        del held[name]
    for name, value in kept.items():
        if name not in held or held[name] is not value:
            held[name] = value


@contextmanager
def keeping_statistics(bodies: Iterable[nn.Module]) -> Iterator[None]:
    """A context after which the buffers of layers that train are what they were.

    Running statistics, of batch norm, of noise or cells that follow their layer, so count each sample once.
    """
    layers = dict.fromkeys(layer for body in bodies for layer in body.modules() if layer.training)
    kept = [(layer, name, buffer) for layer in layers for name, buffer in layer.named_buffers(recurse=False)]
    # Copies take the updates: autograd keeps the buffers of a forward pass, and refuses any that changed since.
    for layer, name, buffer in kept:
        setattr(layer, name, buffer.clone())
    try:
        yield
    finally:
        for layer, name, buffer in kept:
            setattr(layer, name, buffer)
