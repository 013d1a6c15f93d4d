"""Graphs that users bring, one, a list or a data set of them, as samples."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset as TorchDataset

from infotorch.data.graph_checks import Mask, is_graph, known_nodes
from infotorch.data.graphs import GraphSamples, NodeSamples
from infotorch.data.loaders import place_of
from infotorch.numerics.checks import as_tensor
from infotorch.numerics.seeds import SeedStreams

if TYPE_CHECKING:
    from typing_extensions import TypeIs

    from infotorch.data.typing import Graphs
    from infotorch.numerics.typing import ArrayLike

#: Graphs to learn from: with classes, or holding their own.
TrainingGraphs: TypeAlias = (
    "tuple[Graphs | GraphSamples | NodeSamples, ArrayLike | None] | Graphs | GraphSamples | NodeSamples"
)


def is_graph_samples(x: object) -> TypeIs[GraphSamples | NodeSamples]:
    """Whether samples are graphs, or nodes of a graph."""
    return isinstance(x, GraphSamples | NodeSamples)


def holds_graphs(data: object) -> bool:
    """Whether samples are torch_geometric graphs, alone or with their classes.

    Example:
        >>> holds_graphs((torch.zeros(2, 3), [0, 1]))
        False
    """
    x = data[0] if _is_pair(data) else data
    return is_graph(x) or is_graph_samples(x) or _are_graphs(x)


def _is_pair(data: object) -> TypeIs[tuple[Any, Any]]:
    """Whether data are (x, y), and not two graphs."""
    return isinstance(data, tuple) and len(data) == 2 and not is_graph(data[1])


def _are_graphs(x: object) -> bool:
    """Whether x is a list of graphs, or a data set of them."""
    if not isinstance(x, Sequence | TorchDataset) or not isinstance(x, Sized) or not len(x):
        return False
    with SeedStreams(0).as_global_everywhere("first sample"):  # a transform may draw
        return is_graph(x[0])


def graph_samples(
    model: nn.Module, data: Any, *, where: str, mask: Mask = "train_mask"
) -> tuple[GraphSamples | NodeSamples, Tensor | None]:
    """The graphs, and the targets of graphs or nodes: those given, or the graphs' own.

    Args:
        model: decides device and precision.
        data: what `holds_graphs`.
        where: for messages.
        mask: of a graph's own targets, which are read.

    Raises:
        TypeError: no numbers.
        ValueError: no target for each graph or node, or a mask that does not say which are read.
    """
    device, dtype = place_of(model)
    data = _unbatched(data)
    x, y = data if _is_pair(data) else (data, _own_targets(data, mask, where=where))
    rows = _rows_of(x)
    y = None if y is None else as_tensor(y, where=where, name="y").to(device)
    if y is not None and (y.ndim == 0 or len(y) != len(rows) or _is_column_of_classes(y)):
        what = "node of the graph" if isinstance(rows, NodeSamples) else "graph"
        raise ValueError(f"{where}: y must have a class for each {what}, {len(rows)} in all, got {tuple(y.shape)}.")
    rows = rows.to(device) if dtype is None else rows.to(device).to(dtype)
    return rows, y if y is None or y.is_floating_point() else y.long()


def _is_column_of_classes(y: Tensor) -> bool:
    """Whether a column of integers might be classes as well as one label of several."""
    return not y.is_floating_point() and tuple(y.shape[1:]) == (1,)


def _unbatched(data: Any) -> Any:
    """A `Batch` whose targets are of its graphs as a list of them; all else as it is."""
    x, y = data if _is_pair(data) else (data, getattr(data, "y", None))
    if not is_graph(x) or y is None or not hasattr(x, "to_data_list"):
        return data
    count = len(y) if isinstance(y, Sized) and getattr(y, "ndim", 1) else 0
    if not count == x.num_graphs != x.num_nodes:
        return data
    graphs = x.to_data_list()
    return (graphs, y) if _is_pair(data) else graphs


def _rows_of(x: Any) -> GraphSamples | NodeSamples:
    return x if is_graph_samples(x) else NodeSamples(x) if is_graph(x) else GraphSamples(x)


def _own_targets(data: Any, mask: Mask, *, where: str) -> Tensor | None:
    """The targets that graphs hold themselves; nodes outside the mask are unlabelled."""
    if is_graph_samples(data):
        return None
    if not is_graph(data):
        return _targets_of_graphs(list(data), where=where)
    if (y := getattr(data, "y", None)) is None:
        return None
    y = as_tensor(y, where=where, name="y")
    if y.ndim == 0 or (known := known_nodes(data, y, mask, where=where)) is None:
        return y
    y = y if y.is_floating_point() else y.long()  # an unsigned type has no -1
    missing = torch.nan if y.is_floating_point() else -1
    return torch.where(known.reshape(-1, *[1] * (y.ndim - 1)), y, missing)


def _targets_of_graphs(graphs: Sequence[Any], *, where: str) -> Tensor | None:
    """The targets of graphs, (n,) or (n, targets); a graph without one is unlabelled."""
    held = [getattr(graph, "y", None) for graph in graphs]
    held = [as_tensor(y, where=where, name="y") if isinstance(y, np.generic | np.ndarray) else y for y in held]
    several = _are_several_each(held, graphs)
    rows = {number: _row(y, number, several, where=where) for number, y in enumerate(held) if y is not None}
    if not rows:
        return None
    first = next(iter(rows.values()))
    for number, row in rows.items():
        if row.shape != first.shape:
            shapes = f"{tuple(first.shape)} and {tuple(row.shape)} for graph {number}"
            raise ValueError(f"{where}: y must have one shape in all graphs, got {shapes}.")
    real = any(row.is_floating_point() for row in rows.values())
    missing = torch.full(first.shape, torch.nan if real else -1, device=first.device)
    return torch.cat([rows.get(number, missing) for number in range(len(held))])


def _are_several_each(held: Sequence[Any], graphs: Sequence[Any]) -> bool:
    """Whether every y is a vector of one length, and no graph's nodes explain all of these lengths."""
    known = [(y, graph) for y, graph in zip(held, graphs, strict=True) if y is not None]
    lengths = {len(y) if isinstance(y, Tensor) and y.ndim == 1 else 0 for y, _ in known}
    return len(lengths) == 1 and lengths.pop() > 1 and any(len(y) != _num_nodes(graph) for y, graph in known)


def _num_nodes(graph: Any) -> int | None:
    return len(graph.x) if isinstance(getattr(graph, "x", None), Tensor) and graph.x.ndim else None


def _row(y: Any, number: int, several: bool, *, where: str) -> Tensor:
    """A graph's target, (1,), or its targets, (1, targets)."""
    row = torch.as_tensor(y) if isinstance(y, Tensor | int | float) else None
    if row is not None and (several or row.numel() == 1):
        row = row[None] if several else row.reshape(1)
    if row is None or row.ndim == 0 or len(row) != 1:
        got = f"shape {tuple(y.shape)}" if isinstance(y, Tensor) else type(y).__name__
        raise ValueError(
            f"{where}: y of each graph must be its one target, or a row (1, targets) of several, got {got} for graph "
            f"{number}. The classes of the nodes of one graph: give the graph itself, not a list."
        )
    return row
