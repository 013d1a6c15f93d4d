"""Layers that keep what they computed from a graph: torch_geometric's `cached=True`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import nn


def _caching(bodies: Iterable[nn.Module]) -> list[nn.Module]:
    """Layers that keep the normalised edges, or the features summed over them, of the first graph that they see."""
    layers = {layer: None for body in bodies for layer in body.modules()}
    return [layer for layer in layers if getattr(layer, "cached", False) is True]


@contextmanager
def without_graph_caches(bodies: Iterable[nn.Module]) -> Iterator[None]:
    """A context in which such layers compute everything anew: other features, or copies of the graph, pass through."""
    kept: list[tuple[nn.Module, dict[str, Any]]] = []
    for layer in _caching(bodies):
        held = {name: value for name, value in vars(layer).items() if name.startswith("_cached_")}
        kept.append((layer, held))
        vars(layer).update({**dict.fromkeys(held), "cached": False})
    try:
        yield
    finally:
        for layer, held in kept:
            vars(layer).update({**held, "cached": True})


def refuse_graph_caches(bodies: Iterable[nn.Module]) -> None:
    """Refuse such layers where there are many graphs.

    Raises:
        ValueError: a layer would go on with the edges of the first mini-batch.
    """
    if layers := _caching(bodies):
        raise ValueError(
            f"Plan: {type(layers[0]).__name__} with cached=True keeps the edges of the first mini-batch for all the "
            "others; many graphs need cached=False."
        )
