"""Passes over samples of any kind through a network that is looked at: a chunk at a time, and a row for each sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor

from infotorch.data.graphs import GraphSamples, GraphStructure, NodeSamples, features_of, structure_of, tensors_of
from infotorch.networks.feature_extractor import as_columns
from infotorch.numerics.named_tensors import NamedTensors
from infotorch.numerics.nested import tensors_in

if TYPE_CHECKING:
    from torch_geometric.data import Data

#: Samples that are held for looks.
Held: TypeAlias = "Tensor | NamedTensors | GraphSamples | GraphNodes"


class GraphNodes:
    """Nodes of one or several graphs as samples, each graph passed as a whole.

    Args:
        graphs: data objects.
        nodes: for each, the numbers of the nodes that are samples, int64, in the order in which they are counted.

    Example:
        >>> from torch_geometric.data import Data
        >>> graph = Data(x=torch.eye(3), edge_index=torch.tensor([[0, 1], [1, 0]]))
        >>> nodes = GraphNodes([graph, graph], [torch.tensor([0, 2]), torch.tensor([1])])
        >>> len(nodes), nodes.features().argmax(1).tolist(), len(nodes.select(torch.tensor([2])).graphs)
        (3, [0, 2, 1], 1)
    """

    def __init__(self, graphs: Sequence[Data], nodes: Sequence[Tensor]) -> None:
        self.graphs, self.nodes = list(graphs), list(nodes)

    @classmethod
    def of(cls, samples: NodeSamples) -> GraphNodes:
        """All nodes of one graph."""
        return cls([samples.graph], [samples.numbers])

    def __len__(self) -> int:
        return sum(map(len, self.nodes))

    @property
    def device(self) -> torch.device:
        """Where the graphs are."""
        return tensors_of(self.graphs[0])[0].device

    def select(self, index: Tensor) -> GraphNodes:
        """Some of the samples in ascending order, and the graphs that they belong to."""
        taken = torch.zeros(len(self), dtype=torch.bool, device=self.device)
        taken[index.to(self.device)] = True
        parts = taken.split([len(nodes) for nodes in self.nodes])
        chosen = [(graph, nodes[part]) for graph, nodes, part in zip(self.graphs, self.nodes, parts, strict=True)]
        graphs, nodes = zip(*((graph, some) for graph, some in chosen if len(some)), strict=True)
        return GraphNodes(graphs, nodes)

    def features(self) -> Tensor:
        """The samples' own features, (n, features)."""
        pairs = zip(self.graphs, self.nodes, strict=True)
        return torch.cat([features_of(graph)[nodes] for graph, nodes in pairs])


@dataclass(frozen=True)
class Look:
    """What a network is handed in one pass, and which rows of what its layers give belong to the samples.

    Args:
        x: the network's input.
        count: samples in it.
        structure: of graphs, which nodes belong to which.
        nodes: of samples that are nodes, their numbers.
    """

    x: Any
    count: int
    structure: GraphStructure | None = None
    nodes: Tensor | None = None

    @property
    def device(self) -> torch.device:
        """Where the input is."""
        return tensors_of(self.x)[0].device

    def of_samples(self, t: Tensor) -> Tensor:
        """A row for each sample: of nodes theirs, of graphs the mean over each one's nodes; else t as it is."""
        if self.structure is None or t.ndim == 0 or len(t) != self.structure.num_nodes:
            return t
        if self.nodes is not None:
            return t[self.nodes]
        return self.structure.mean(t if t.is_floating_point() or t.is_complex() else t.float())

    def columns(self, value: Any, name: str) -> Tensor:
        """What a layer gives, (samples, columns), see `as_columns`.

        Raises:
            ValueError: it gives no tensor with a row for each sample, or, of graphs, for each node.
        """
        if self.structure is None:
            return as_columns(value, name, self.count)
        rows = [self.of_samples(tensor) for tensor in tensors_in(value) if tensor.ndim]
        if not (kept := [row for row in rows if len(row) == self.count]):
            what = "the graph's nodes" if self.nodes is not None else f"{self.count} graphs or their nodes"
            raise ValueError(f"layers: {name!r} gives no tensor with a row for each of {what}.")
        return as_columns(kept, name, self.count)


def looks(x: Held, size: int) -> Iterator[Look]:
    """Passes over all samples in their order, so many samples at a time; of nodes, a graph at a time.

    Example:
        >>> [look.count for look in looks(torch.zeros(5, 2), 2)]
        [2, 2, 1]
    """
    if isinstance(x, GraphNodes):
        for graph, nodes in zip(x.graphs, x.nodes, strict=True):
            yield Look(graph, len(nodes), structure_of(graph), nodes)
        return
    for start in range(0, len(x), size):
        part: Any = x[start : start + size]
        if isinstance(x, GraphSamples):
            yield Look(part, min(size, len(x) - start), structure_of(part))
        else:
            yield Look(part, len(part))


def first_look(x: Held, size: int) -> Look:
    """The first pass over so many samples."""
    return next(looks(x, size))


def chosen(x: Any, index: Tensor) -> Any:
    """Some of the samples, by their numbers; of nodes in ascending order. Pictures on disk are read."""
    if isinstance(x, GraphSamples | GraphNodes):
        return x.select(index)
    index = index.to(x.device) if hasattr(x, "device") else index
    return x.detach()[index] if isinstance(x, Tensor) else x[index]


def flat_rows(x: Any) -> Tensor:
    """Every sample as one row of real numbers, (n, columns), float32: what a ceiling reads of X.

    Several inputs stand side by side. Of graphs the edges are left out: of a node its own features are read, of a graph
    the mean of its nodes'.
    """
    if isinstance(x, GraphNodes):
        return x.features().float()
    if isinstance(x, GraphSamples):
        return torch.cat([look.of_samples(features_of(look.x)) for look in looks(x, 1000)]).float()
    if isinstance(x, NamedTensors):
        return torch.cat([flat_rows(value) for value in x.values()], dim=1)
    return x.reshape(len(x), -1).float()
