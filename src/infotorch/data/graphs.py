"""Graphs as rows: many labelled graphs, or the nodes of one, in torch_geometric's own data objects.

What a network sees is a `torch_geometric.data.Data` or `Batch`. Labels and masks are taken out of it: no module can
read what its objective does not give it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from infotorch.data.batches import Batch
from infotorch.data.graph_checks import (
    LABELS,
    attributes_of,
    check_alike,
    check_batch,
    check_graph,
    check_numbers_nothing,
    check_single_graphs,
)
from infotorch.data.sets import GraphSet
from infotorch.numerics.checks import shown
from infotorch.numerics.extras import require
from infotorch.numerics.indices import as_index
from infotorch.numerics.kinds import check_iterable
from infotorch.numerics.named_tensors import NamedTensors

if TYPE_CHECKING:
    from torch_geometric.data import Data

    from infotorch.data.typing import Inputs, Samples

_PURPOSE = "training on graphs"


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


def structure_of(data: Data) -> GraphStructure:
    """The structure of a data object; without a `batch` all nodes belong to one graph.

    Example:
        >>> from torch_geometric.data import Data
        >>> structure_of(Data(x=torch.zeros(3, 1), edge_index=torch.tensor([[0], [1]]))).num_graphs
        1
    """
    edge_index, x, batch = data.edge_index, features_of(data), data.batch
    assert edge_index is not None
    if batch is None:
        return GraphStructure(edge_index, torch.zeros(len(x), dtype=torch.int64, device=x.device), 1)
    count = getattr(data, "num_graphs", None)  # a Batch knows; it may end in graphs without nodes
    return GraphStructure(edge_index, batch, int(batch.max()) + 1 if count is None else int(count))


def with_features(data: Data, x: Tensor) -> Data:
    """The data object with other node features: (k n, f) for k copies of its graphs, one after the other.

    Raises:
        ValueError: x has other rows than k times the nodes.
    """
    changed, nodes = copy(data), _num_nodes(data)
    count, rest = divmod(len(x), nodes) if nodes else (0, 1)
    if rest or count < 1:
        raise ValueError(f"features must have a row for each of {nodes} nodes, or several times as many, got {len(x)}.")
    changed.x = x
    if count == 1:
        return changed
    structure = structure_of(data).copies(count)
    changed.edge_index, changed.batch = structure.edge_index, structure.graph_index
    for key, value in attributes_of(data).items():
        if key != "x":
            changed[key] = _repeated(data, key, value, count)
    if "num_nodes" in data.keys():
        changed.num_nodes = len(x)
    changed.ptr = torch.cat([structure.sizes.new_zeros(1), structure.sizes.cumsum(0)])
    if hasattr(changed, "_num_graphs"):
        changed._num_graphs = structure.num_graphs
    return changed


def _repeated(data: Data, key: str, value: Tensor, count: int) -> Tensor:
    """What belongs to nodes, edges or graphs once for every copy; numbers of nodes count on."""
    value = value.reshape(1) if value.ndim == 0 else value
    step = data.__inc__(key, value)
    copies = [value + number * step if step else value for number in range(count)]
    return torch.cat(copies, dim=data.__cat_dim__(key, value))


def tensors_of(value: Inputs) -> list[Tensor]:
    """The tensors in what a network takes: itself, its several inputs, or those of a data object."""
    if isinstance(value, Tensor | NamedTensors):
        return value.values() if isinstance(value, NamedTensors) else [value]
    return [held for held in value.to_dict().values() if isinstance(held, Tensor)]


class NodeSamples:
    """The nodes of one graph as rows: none can be taken without the others.

    Args:
        graph: with node features x (n, f) and edge_index (2, e); labels and masks in it are left out. Edges may be
            absent, repeated or loops, and nodes isolated: a layer takes them as they are. Where it is several graphs,
            its `batch` says which, in their order.

    Raises:
        TypeError: no data object, or features that are not real, or edges that are not int64.
        ValueError: no nodes, features or edges of a wrong shape, node numbers out of range, NaN or infinite features,
            or a `batch` that is not ascending numbers of graphs, one for each node.

    Example:
        >>> from torch_geometric.data import Data
        >>> rows = NodeSamples(Data(x=torch.eye(3), edge_index=torch.tensor([[0, 1], [1, 0]])))
        >>> len(rows), rows.num_features
        (3, 3)
    """

    def __init__(self, graph: Data) -> None:
        check_graph(graph, where="NodeSamples")
        check_batch(graph, where="NodeSamples")
        kept = copy(graph)
        for key in LABELS & set(kept.keys()):
            del kept[key]
        self.graph = kept

    def __len__(self) -> int:
        return _num_nodes(self.graph)

    def __repr__(self) -> str:
        return f"NodeSamples({len(self)} nodes, {self.num_features} features)"

    @property
    def num_features(self) -> int:
        """Features of a node."""
        return self.graph.num_node_features

    @property
    def numbers(self) -> Tensor:
        """The nodes' numbers, int64 (n,)."""
        return torch.arange(len(self), device=self.device)

    @property
    def device(self) -> torch.device:
        """Where the features are."""
        return tensors_of(self.graph)[0].device

    def to(self, target: torch.device | str | torch.dtype) -> NodeSamples:
        """The same graph on a device, or with real numbers of another precision."""
        moved = copy(self)
        moved.graph = _moved(self.graph, target)
        return moved


class NodeBatches:
    """The whole graph in every step: an epoch is one step.

    Args:
        rows: the graph.
        y: classes of its nodes, (n,), -1 where a node has no label for training; or None.

    Raises:
        ValueError: y has another number of rows than the graph has nodes.
    """

    def __init__(self, rows: NodeSamples, y: Tensor | None) -> None:
        if y is not None and len(y) != len(rows):
            raise ValueError(f"NodeBatches: y must have a class for each of {len(rows)} nodes, got {len(y)}.")
        self.x, self.y = rows, y

    def __len__(self) -> int:
        return 1

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        """The one batch of an epoch."""
        if start == 0:
            yield Batch(self.x.graph, self.y, self.x.numbers)


class GraphSamples:
    """Many graphs as rows: `rows[index]` is a `torch_geometric.data.Batch` of these graphs, made by gathering.

    Tensors are kept by what they belong to: a row for each node (x, pos, ...), each edge (edge_attr, ...) or each
    graph. Labels, masks and what is no tensor are left out.

    Args:
        graphs: data objects, each with node features x (n, f) and edge_index (2, e).

    Raises:
        TypeError: an element is no data object, features that are not real, or edges that are not int64.
        ValueError: no graph; a `Batch` of several as one; features or edges of a wrong shape; node numbers out of
            range; NaN or infinite features; other attributes, or of another width, than those of the first graph; an
            attribute that cannot be split by graphs.

    Example:
        >>> from torch_geometric.data import Data
        >>> edges = torch.tensor([[0, 1], [1, 0]])
        >>> rows = GraphSamples([Data(x=torch.full((2, 1), float(k)), edge_index=edges) for k in range(3)])
        >>> batch = rows[torch.tensor([2, 0])]
        >>> batch.x.flatten().tolist(), batch.edge_index.tolist(), batch.batch.tolist()
        ([2.0, 2.0, 0.0, 0.0], [[0, 1, 2, 3], [1, 0, 3, 2]], [0, 0, 1, 1])
    """

    def __init__(self, graphs: Sequence[Data]) -> None:
        require("graph", "torch_geometric.data", _PURPOSE)
        check_iterable(graphs, where="GraphSamples", name="graphs", said="a list of graphs")
        graphs = list(graphs)
        if not graphs:
            raise ValueError("GraphSamples: there must be at least one graph.")
        check_single_graphs(graphs, where="GraphSamples")
        held = [attributes_of(graph) for graph in graphs]
        check_alike(held)
        sizes = [_num_nodes(graph) for graph in graphs]
        began = torch.tensor([0, *sizes]).cumsum(0).tolist()
        edges = [graph.edge_index + first for graph, first in zip(graphs, began, strict=False)]
        self._hold(torch.cat(edges, dim=1), torch.tensor(sizes), torch.tensor([each.shape[1] for each in edges]))
        groups = (self._nodes, self._node_counts), (self._edges, self._edge_counts), (self._graphs, None)
        for key in held[0]:
            check_numbers_nothing(graphs[0], key, held[0][key])
            values = [own[key].reshape(1) if own[key].ndim == 0 else own[key] for own in held]
            rows = torch.tensor([len(value) for value in values], device=self.device)
            group = next((g for g, wanted in groups if bool((rows == (1 if wanted is None else wanted)).all())), None)
            if group is None:
                raise ValueError(
                    f"GraphSamples: {key!r} must have a row for each node, each edge or each graph, got "
                    f"{len(values[0])} rows for the first graph of {sizes[0]} nodes and {edges[0].shape[1]} edges, "
                    f"{int(rows.sum())} in all {len(graphs)} graphs."
                )
            group[key] = torch.cat(values)

    @classmethod
    def from_set(cls, graphs: GraphSet, rows: Tensor) -> GraphSamples:
        """Some graphs of a set, without a data object for each."""
        require("graph", "torch_geometric.data", _PURPOSE)
        if not isinstance(graphs, GraphSet):
            raise TypeError(f"GraphSamples.from_set: graphs must be a GraphSet, got {shown(graphs)}.")
        order = graphs.graph_index[graphs.edge_index[0]].argsort(stable=True)
        edge_index, count = graphs.edge_index[:, order], len(graphs.y)
        whole = cls.__new__(cls)
        whole._hold(
            edge_index,
            torch.bincount(graphs.graph_index, minlength=count),
            torch.bincount(graphs.graph_index[edge_index[0]], minlength=count),
        )
        whole._nodes["x"] = graphs.node_features
        if graphs.edge_features is not None:
            whole._edges["edge_attr"] = graphs.edge_features[order]
        whole._rows = whole._rows[as_index(rows, count, where="GraphSamples.from_set")]
        return whole

    def _hold(self, edge_index: Tensor, node_counts: Tensor, edge_counts: Tensor) -> None:
        """Keep the graphs as one, whose edges are in the order of the graphs, and how much belongs to each."""
        self._edge_index = edge_index
        self._node_counts, self._edge_counts = node_counts.to(self.device), edge_counts.to(self.device)
        self._rows = torch.arange(len(node_counts), device=self.device)
        self._nodes: dict[str, Tensor] = {}
        self._edges: dict[str, Tensor] = {}
        self._graphs: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def __repr__(self) -> str:
        return f"GraphSamples({len(self)} graphs, {self.num_features} features)"

    @property
    def num_features(self) -> int:
        """Features of a node."""
        return self._nodes["x"].shape[1]

    @property
    def device(self) -> torch.device:
        """Where the graphs are."""
        return self._edge_index.device

    def to(self, target: torch.device | str | torch.dtype) -> GraphSamples:
        """The same graphs on a device, or with real numbers of another precision."""
        moved = copy(self)
        for name in ("_nodes", "_edges", "_graphs"):
            setattr(moved, name, {key: _cast(value, target) for key, value in getattr(self, name).items()})
        for name in ("_edge_index", "_node_counts", "_edge_counts", "_rows"):
            setattr(moved, name, _cast(getattr(self, name), target))
        return moved

    def select(self, index: Tensor) -> GraphSamples:
        """Some of the graphs, as rows again."""
        fewer = copy(self)
        fewer._rows = self._rows[as_index(index, len(self), where="GraphSamples.select")]
        return fewer

    def __getitem__(self, index: Tensor | slice) -> Data:
        pyg = require("graph", "torch_geometric.data", _PURPOSE)
        chosen = self._rows[as_index(index, len(self), where="GraphSamples")]
        nodes, node_counts = _gathered(chosen, self._node_counts)
        edges, edge_counts = _gathered(chosen, self._edge_counts)
        ptr = torch.cat([node_counts.new_zeros(1), node_counts.cumsum(0)])
        began = (self._node_counts.cumsum(0) - self._node_counts)[chosen]
        shift = (ptr[:-1] - began).repeat_interleave(edge_counts)
        numbers = torch.arange(len(chosen), device=self.device)
        batch = pyg.Batch(batch=numbers.repeat_interleave(node_counts), ptr=ptr)
        batch._num_graphs = len(chosen)
        batch.edge_index = self._edge_index[:, edges] + shift
        for held, places in ((self._nodes, nodes), (self._edges, edges), (self._graphs, chosen)):
            for key, value in held.items():
                batch[key] = value[places]
        return batch


def select_samples(x: Samples, y: Tensor, index: Tensor) -> tuple[Any, Tensor]:
    """Some samples of tensors or graphs; of the nodes of one graph the others stay, without their labels."""
    if isinstance(x, NodeSamples):
        kept = torch.full_like(y, -1)
        kept[index] = y[index]
        return x, kept
    return (x.select(index) if isinstance(x, GraphSamples) else x[index]), y[index]


def _gathered(chosen: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Places of what belongs to the chosen graphs, one graph after the other, and how many each has."""
    of_chosen, began = counts[chosen], (counts.cumsum(0) - counts)[chosen]
    shift = began - (of_chosen.cumsum(0) - of_chosen)
    return torch.arange(int(of_chosen.sum()), device=counts.device) + shift.repeat_interleave(of_chosen), of_chosen


def features_of(data: Data) -> Tensor:
    """The features of a data object's nodes, (nodes, features)."""
    assert data.x is not None
    return data.x


def _num_nodes(data: Data) -> int:
    return len(features_of(data))


def _cast(value: Tensor, target: torch.device | str | torch.dtype) -> Tensor:
    if isinstance(target, torch.dtype):
        return value.to(target) if value.is_floating_point() else value
    return value.to(target)


def _moved(data: Data, target: torch.device | str | torch.dtype) -> Data:
    moved = copy(data)
    for key in data.keys():
        if isinstance(data[key], Tensor):
            moved[key] = _cast(data[key], target)
    return moved
