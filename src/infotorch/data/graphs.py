"""Graphs as rows: many labelled graphs, or the nodes of one, in torch_geometric's own data objects.

What a network sees is a `torch_geometric.data.Data` or `Batch`. Labels and masks are taken out of it: no module can read
what its objective does not give it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from infotorch.data.sets import Graph, GraphSet, check_edge_index, check_graph_index, check_lengths
from infotorch.numerics.checks import require

if TYPE_CHECKING:
    from torch_geometric.data import Data

_PURPOSE = "training on graphs"
# What is said of a node or a graph rather than seen by the network.
_LABELS = {"y", "train_mask", "val_mask", "test_mask", "node_index"}
_NODE, _EDGE, _GRAPH = "node", "edge", "graph"


@dataclass(frozen=True)
class GraphStructure:
    """Which nodes are joined, and the graph that each belongs to.

    Args:
        edge_index: int64 (2, e), from source to target; both directions of an undirected edge.
        graph_index: the graph of every node, int64 (n,), ascending.
        num_graphs: graphs, of which the last may have no node.

    Example:
        >>> pair = GraphStructure(torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 0, 1]), 2)
        >>> pair.mean(torch.tensor([[1.0], [3.0], [5.0]])).tolist()
        [[2.0], [5.0]]
    """

    edge_index: Tensor
    graph_index: Tensor
    num_graphs: int

    @property
    def num_nodes(self) -> int:
        """Nodes of all graphs."""
        return len(self.graph_index)

    @property
    def sizes(self) -> Tensor:
        """Nodes of each graph, int64 (g,)."""
        return torch.bincount(self.graph_index, minlength=self.num_graphs)

    def mean(self, rows: Tensor) -> Tensor:
        """Mean of the rows (n, ...) of each graph's nodes, (g, ...); 0 for a graph without nodes."""
        return _mean_by(rows, self.graph_index, self.num_graphs)

    def neighbours_mean(self, rows: Tensor) -> Tensor:
        """Mean of the rows (n, ...) of the nodes with an edge into each node, (n, ...); 0 for an isolated node."""
        source, target = self.edge_index
        return _mean_by(rows[source], target, self.num_nodes)

    def copies(self, count: int) -> GraphStructure:
        """The same graphs `count` times, one copy after the other."""
        if count == 1:
            return self
        steps = torch.arange(count, device=self.graph_index.device)
        edges = self.edge_index[:, None, :] + (steps * self.num_nodes)[None, :, None]
        graphs = self.graph_index[None, :] + (steps * self.num_graphs)[:, None]
        return GraphStructure(edges.flatten(1), graphs.flatten(), count * self.num_graphs)


def _mean_by(rows: Tensor, group: Tensor, count: int) -> Tensor:
    sums = rows.new_zeros(count, *rows.shape[1:]).index_add(0, group, rows)
    sizes = torch.bincount(group, minlength=count).clamp(min=1)
    return sums / sizes.to(rows.dtype).reshape(-1, *[1] * (rows.ndim - 1))


def is_graph(value: Any) -> bool:
    """Whether a value is a torch_geometric data object (or what looks like one): it has an edge_index."""
    return not isinstance(value, Tensor) and getattr(value, "edge_index", None) is not None


def structure_of(data: Data) -> GraphStructure:
    """The structure of a data object; without a `batch` all nodes belong to one graph.

    Example:
        >>> from torch_geometric.data import Data
        >>> structure_of(Data(x=torch.zeros(3, 1), edge_index=torch.tensor([[0], [1]]))).num_graphs
        1
    """
    edge_index, x, batch = data.edge_index, data.x, data.batch
    assert edge_index is not None
    assert x is not None
    if batch is None:
        return GraphStructure(edge_index, torch.zeros(len(x), dtype=torch.int64, device=x.device), 1)
    return GraphStructure(edge_index, batch, int(data.num_graphs))  # pyright: ignore[reportAttributeAccessIssue]
