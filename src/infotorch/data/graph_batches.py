"""Batches of torch_geometric's loaders: graphs, or a part of one graph whose first nodes are the samples."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from infotorch.data.graph_checks import LABELS, Mask, check_batch, check_graph, known_nodes
from infotorch.data.targets import Targets, read_targets
from infotorch.numerics.checks import as_tensor

if TYPE_CHECKING:
    from torch_geometric.data import Data


def graph_and_targets(graph: Data, targets: Targets, *, where: str, mask: Mask = "train_mask") -> tuple[Data, Tensor]:
    """A batch without its labels, and the targets of its graphs or nodes.

    Of a part of a graph, as `NeighborLoader` gives, the first `batch_size` nodes are the samples: the nodes behind them
    serve as neighbours, and their targets count as missing. Elsewhere nodes outside the mask have none. Without y all
    targets are missing: of the graphs of a `Batch`, and else of the nodes.

    Args:
        graph: with targets y, or without.
        targets: what y is, see `read_targets`.
        where: for messages.
        mask: of the nodes whose targets are read.

    Raises:
        TypeError: features or targets of another kind than numbers.
        ValueError: targets, but other than one for each graph or node.

    Example:
        >>> from torch_geometric.data import Data
        >>> edges = torch.tensor([[1, 2], [0, 1]])
        >>> part = Data(x=torch.eye(3), edge_index=edges, y=torch.tensor([1, 0, 1]), batch_size=1)
        >>> graph_and_targets(part, "auto", where="example")[1].tolist()
        [1, -1, -1]
    """
    check_graph(graph, where=where)
    check_batch(graph, where=where)
    nodes = len(graph.x) if graph.x is not None else 0
    count = 1 if graph.batch is None else int(getattr(graph, "num_graphs", None) or graph.batch.max() + 1)
    if getattr(graph, "y", None) is None:
        y = torch.full((nodes if graph.batch is None else count,), -1)
    else:
        y = read_targets(as_tensor(graph.y, where=where, name="y"), targets, where=where)
    if y.ndim == 0 or len(y) not in {nodes, count}:
        raise ValueError(
            f"{where}: y must have a target for each of {count} graphs or {nodes} nodes, got shape {tuple(y.shape)}; "
            "several targets of a graph are its row (1, targets)."
        )
    if len(y) == nodes:
        y = _of_samples(graph, y, mask, where=where)
    kept = copy(graph)
    for key in LABELS & set(kept.keys()):
        del kept[key]
    return kept, y


def _of_samples(graph: Any, y: Tensor, mask: Mask, *, where: str) -> Tensor:
    """The targets of nodes, missing for those that are no samples."""
    if "batch_size" in graph.keys():
        known = torch.arange(len(y), device=y.device) < int(graph.batch_size)
    elif (known := known_nodes(graph, y, mask, where=where)) is None:
        return y
    missing = torch.full_like(y, torch.nan if y.is_floating_point() else -1)
    return torch.where(known.reshape(-1, *[1] * (y.ndim - 1)), y, missing)


def placed_graph(graph: Data, device: torch.device, dtype: torch.dtype | None) -> Data:
    """The graph on a device; its real numbers in a precision."""
    moved = copy(graph)
    for key in graph.keys():
        if isinstance(value := graph[key], Tensor):
            moved[key] = value.to(device, dtype if value.is_floating_point() else None)
    return moved
