"""A forward hook for objectives that look at a layer of the model beside their module's output."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from torch import Tensor, nn

from infotorch.networks.shares import whole_rows

_PAUSED: ContextVar[bool] = ContextVar("paused", default=False)


@contextmanager
def hooks_paused() -> Iterator[None]:
    """A context whose forward passes no `LayerHook` keeps: they are of other samples than the batch's."""
    token = _PAUSED.set(True)
    try:
        yield
    finally:
        _PAUSED.reset(token)


def _copied(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone()
    return tuple(_copied(part) for part in value) if isinstance(value, tuple) else value


class LayerHook:
    """Keeps what a layer of the model last took and gave, for an objective that looks at that layer.

    The layer is no part of the objective, and nothing is kept once it has been taken.

    Args:
        layer: gets a forward hook.
        where: the objective, for messages.

    Raises:
        TypeError: layer is no module.

    Example:
        >>> import torch
        >>> layer = nn.Linear(3, 2)
        >>> hook = LayerHook(layer, where="example")
        >>> _ = layer(torch.zeros(4, 3))
        >>> [part.shape for part in hook.take()]
        [torch.Size([4, 3]), torch.Size([4, 2])]
    """

    def __init__(self, layer: nn.Module, *, where: str) -> None:
        if not isinstance(layer, nn.Module):
            raise TypeError(f"{where}: layer must be a layer of the network, got {type(layer).__name__}.")
        self.where, self._kept = where, None
        layer.register_forward_hook(self._keep)

    def _keep(self, layer: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        if not _PAUSED.get():
            # Copies: a layer behind this one may change them in place.
            self._kept = _copied(whole_rows(given[0])), _copied(whole_rows(output))

    def take(self) -> tuple[Any, Any]:
        """(input, output) of the layer's last forward pass.

        Raises:
            ValueError: there was none since the last time.
        """
        kept, self._kept = self._kept, None  # kept, it would keep the step's graph
        if kept is None:
            raise ValueError(
                f"{self.where}: the layer must run in the forward pass of this objective's module, right "
                "before; it did not."
            )
        return kept
