"""Run layers once more as they ran before: the same random draws, and running statistics counted once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from infotorch.networks.model_state import keeping_statistics


@contextmanager
def looking(bodies: Iterable[nn.Module]) -> Iterator[None]:
    """A context after which what layers remember of their calls, buffers or plain tensors, is what it was.

    For a look at shapes, which a model that counts its calls or keeps a state must not notice.

    Example:
        >>> norm = nn.BatchNorm1d(2)
        >>> with looking([norm]):
        ...     _ = norm(torch.ones(4, 2))
        >>> norm.running_mean
        tensor([0., 0.])
    """
    layers = dict.fromkeys(layer for body in bodies for layer in body.modules())
    kept: list[tuple[dict[str, Any], dict[str, Any]]] = []
    for layer in (layer for layer in layers if not isinstance(layer, torch.jit.ScriptModule)):
        for held in (layer._buffers, vars(layer)):
            tensors = {k: v for k, v in held.items() if isinstance(v, Tensor) and not is_lazy(v)}
            unset = {k: None for k, v in held.items() if v is None and held is layer._buffers}
            kept.append((held, tensors | unset))
            held.update({name: tensor.clone() for name, tensor in tensors.items()})
    try:
        yield
    finally:
        for held, before in kept:
            held.update(before)


class Replay:
    """The random state of a first run, for later runs that must draw the same numbers.

    Args:
        bodies: the layers that run.
        device: where they run; its generator is kept beside the CPU's.

    Example:
        >>> dropout = nn.Dropout(0.5)
        >>> replay = Replay([dropout], torch.device("cpu"))
        >>> first = dropout(torch.ones(8))
        >>> with replay.again():
        ...     torch.equal(dropout(torch.ones(8)), first)
        True
    """

    def __init__(self, bodies: Sequence[nn.Module], device: torch.device) -> None:
        self._bodies = bodies
        self._devices = [device] if device.type == "cuda" else []
        self._states = [torch.get_rng_state(), *(torch.cuda.get_rng_state(device) for device in self._devices)]

    @contextmanager
    def again(self) -> Iterator[None]:
        """A context that begins as the first run began; the random state and the statistics are restored after it."""
        with torch.random.fork_rng(self._devices), keeping_statistics(self._bodies):
            torch.set_rng_state(self._states[0])
            for device, state in zip(self._devices, self._states[1:], strict=True):
                torch.cuda.set_rng_state(state, device)
            yield
