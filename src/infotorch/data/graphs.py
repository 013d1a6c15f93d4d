"""Graphs as rows: many labelled graphs, or the nodes of one, in torch_geometric's own data objects.

What a network sees is a `torch_geometric.data.Data` or `Batch`. Labels and masks are taken out of it: no module can
read what its objective does not give it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from infotorch.data.batches import Batch
from infotorch.data.sets import GraphSet, check_edge_index, check_graph_index
from infotorch.numerics.checks import require

if TYPE_CHECKING:
    from torch_geometric.data import Data

_PURPOSE = "training on graphs"
# What is said of nodes and graphs rather than seen by a network, and what a batch says of its own layout.
_LABELS = {"y", "train_mask", "val_mask", "test_mask"}
_LAYOUT = {"batch", "ptr", "num_nodes"}


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
    for key in _per_edge(data) | (_per_node(data) - {"x"}):
        changed[key] = torch.cat([data[key]] * count)
    changed.ptr = torch.cat([structure.sizes.new_zeros(1), structure.sizes.cumsum(0)])
    if hasattr(changed, "_num_graphs"):
        changed._num_graphs = structure.num_graphs
    return changed


def tensors_of(value: Any) -> list[Tensor]:
    """The tensors in what a network takes: itself, or those of a data object."""
    if isinstance(value, Tensor):
        return [value]
    return [held for held in value.to_dict().values() if isinstance(held, Tensor)]


class NodeRows:
    """The nodes of one graph as rows: none can be taken without the others.

    Args:
        graph: with node features x (n, f) and edge_index (2, e); labels and masks in it are left out. Edges may be
            absent, repeated or loops, and nodes isolated: a layer takes them as they are.

    Raises:
        TypeError: no data object, or features that are not real, or edges that are not int64.
        ValueError: no nodes, features or edges of a wrong shape, node numbers out of range, NaN or infinite features.

    Example:
        >>> from torch_geometric.data import Data
        >>> rows = NodeRows(Data(x=torch.eye(3), edge_index=torch.tensor([[0, 1], [1, 0]])))
        >>> len(rows), rows.num_features
        (3, 3)
    """

    def __init__(self, graph: Data) -> None:
        check_graph(graph, where="NodeRows")
        kept = copy(graph)
        for key in _LABELS & set(kept.keys()):
            del kept[key]
        self.graph = kept

    def __len__(self) -> int:
        return _num_nodes(self.graph)

    @property
    def num_features(self) -> int:
        """Features of a node."""
        return self.graph.num_node_features

    @property
    def device(self) -> torch.device:
        """Where the features are."""
        return tensors_of(self.graph)[0].device

    def to(self, target: torch.device | str | torch.dtype) -> NodeRows:
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

    def __init__(self, rows: NodeRows, y: Tensor | None) -> None:
        if y is not None and len(y) != len(rows):
            raise ValueError(f"NodeBatches: y must have a class for each of {len(rows)} nodes, got {len(y)}.")
        self.rows, self.y = rows, y

    def __len__(self) -> int:
        return 1

    def epoch(self, epoch: int, *, start: int = 0) -> Iterator[Batch]:
        """The one batch of an epoch."""
        if start == 0:
            yield Batch(self.rows.graph, self.y, torch.arange(len(self.rows), device=self.rows.device))


class GraphRows:
    """Many graphs as rows: `rows[index]` is a `torch_geometric.data.Batch` of these graphs, made by gathering.

    Attributes are kept by what they belong to: a row for each node (x, pos, ...), each edge (edge_attr, ...) or each
    graph. Labels, masks and what is no tensor are left out.

    Args:
        graphs: data objects, each with node features x (n, f) and edge_index (2, e).

    Raises:
        TypeError: an element is no data object, features that are not real, or edges that are not int64.
        ValueError: no graph; features or edges of a wrong shape, or of another width than those of the first graph;
            node numbers out of range; NaN or infinite features; an attribute that cannot be split by graphs.

    Example:
        >>> from torch_geometric.data import Data
        >>> edges = torch.tensor([[0, 1], [1, 0]])
        >>> rows = GraphRows([Data(x=torch.full((2, 1), float(k)), edge_index=edges) for k in range(3)])
        >>> batch = rows[torch.tensor([2, 0])]
        >>> batch.x.flatten().tolist(), batch.edge_index.tolist(), batch.batch.tolist()
        ([2.0, 2.0, 0.0, 0.0], [[0, 1, 2, 3], [1, 0, 3, 2]], [0, 0, 1, 1])
    """

    def __init__(self, graphs: Sequence[Data]) -> None:
        pyg = require("graph", "torch_geometric.data", _PURPOSE)
        if len(graphs) == 0:
            raise ValueError("GraphRows: there must be at least one graph.")
        for number, graph in enumerate(graphs):
            check_graph(graph, where=f"GraphRows, graph {number}")
            if graph.num_node_features != graphs[0].num_node_features:
                got = f"{graphs[0].num_node_features} and {graph.num_node_features}"
                raise ValueError(f"GraphRows: all graphs must have equally many node features, got {got}.")
        together = pyg.Batch.from_data_list(list(graphs), exclude_keys=list(_LABELS))
        self._hold(together, torch.tensor([_num_nodes(graph) for graph in graphs]))

    @classmethod
    def from_set(cls, graphs: GraphSet, rows: Tensor) -> GraphRows:
        """Some graphs of a set, without a data object for each."""
        pyg = require("graph", "torch_geometric.data", _PURPOSE)
        order = graphs.graph_index[graphs.edge_index[0]].argsort(stable=True)
        edges = {} if graphs.edge_features is None else {"edge_attr": graphs.edge_features[order]}
        held = pyg.Data(
            x=graphs.node_features, edge_index=graphs.edge_index[:, order], batch=graphs.graph_index, **edges
        )
        whole = cls.__new__(cls)
        whole._hold(held, torch.bincount(graphs.graph_index, minlength=len(graphs.y)))
        whole._rows = rows.to(whole.device)
        return whole

    def _hold(self, together: Data, sizes: Tensor) -> None:
        """Keep the graphs as one, and where each of them begins."""
        structure = structure_of(together)
        check_graph_index(structure.graph_index, structure.edge_index, len(sizes), where="GraphRows")
        graph_of_edge = structure.graph_index[structure.edge_index[0]]
        self._edge_index = structure.edge_index
        self._nodes = {key: together[key] for key in _per_node(together)}
        self._edges = {key: together[key] for key in _per_edge(together)}
        taken = {*self._nodes, *self._edges, "edge_index", *_LAYOUT}
        rest = {k: v for k, v in together.to_dict().items() if k not in taken and isinstance(v, Tensor)}
        for key, value in rest.items():
            if value.ndim == 0 or len(value) != len(sizes):
                raise ValueError(
                    f"GraphRows: {key!r} must have a row for each node, edge or graph, got {tuple(value.shape)} for "
                    f"{structure.num_nodes}, {len(graph_of_edge)} and {len(sizes)}."
                )
        self._graphs = rest
        self._node_counts = sizes.to(self.device)
        self._edge_counts = torch.bincount(graph_of_edge, minlength=len(sizes))
        self._rows = torch.arange(len(sizes), device=self.device)

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def num_features(self) -> int:
        """Features of a node."""
        return self._nodes["x"].shape[1]

    @property
    def device(self) -> torch.device:
        """Where the graphs are."""
        return self._edge_index.device

    def to(self, target: torch.device | str | torch.dtype) -> GraphRows:
        """The same graphs on a device, or with real numbers of another precision."""
        moved = copy(self)
        for name in ("_nodes", "_edges", "_graphs"):
            setattr(moved, name, {key: _cast(value, target) for key, value in getattr(self, name).items()})
        for name in ("_edge_index", "_node_counts", "_edge_counts", "_rows"):
            setattr(moved, name, _cast(getattr(self, name), target))
        return moved

    def rows(self, index: Tensor) -> GraphRows:
        """Some of the graphs, as rows again."""
        fewer = copy(self)
        fewer._rows = self._rows[index]
        return fewer

    def __getitem__(self, index: Tensor | slice) -> Data:
        pyg = require("graph", "torch_geometric.data", _PURPOSE)
        chosen = self._rows[index]
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


def chosen_rows(x: Any, y: Tensor, index: Tensor) -> tuple[Any, Tensor]:
    """Some rows of tensors or graphs; of the nodes of one graph the others stay, without their labels."""
    if isinstance(x, NodeRows):
        kept = torch.full_like(y, -1)
        kept[index] = y[index]
        return x, kept
    return (x.rows(index) if isinstance(x, GraphRows) else x[index]), y[index]


def _gathered(chosen: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
    """Places of what belongs to the chosen graphs, one graph after the other, and how many each has."""
    of_chosen, began = counts[chosen], (counts.cumsum(0) - counts)[chosen]
    shift = began - (of_chosen.cumsum(0) - of_chosen)
    return torch.arange(int(of_chosen.sum()), device=counts.device) + shift.repeat_interleave(of_chosen), of_chosen


def check_graph(graph: Any, *, where: str) -> None:
    """Refuse what no network on graphs can take.

    Raises:
        TypeError: no data object, features that are not real, or edges that are not int64.
        ValueError: no nodes, no or misshapen features or edges, node numbers out of range, NaN or infinite features.
    """
    if isinstance(graph, Tensor | Mapping) or not hasattr(graph, "edge_index"):
        raise TypeError(f"{where}: must be a torch_geometric Data object, got {type(graph).__name__}.")
    x, edge_index = graph.x, graph.edge_index
    if not isinstance(x, Tensor) or x.ndim != 2 or len(x) == 0:
        got = "none" if x is None else tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"{where}: node features x must have shape (nodes, features), one node at least, got {got}.")
    if not x.is_floating_point():
        raise TypeError(f"{where}: node features x must be real-valued, got {x.dtype}.")
    if not isinstance(edge_index, Tensor) or edge_index.dtype != torch.int64:
        got = edge_index.dtype if isinstance(edge_index, Tensor) else type(edge_index).__name__
        raise TypeError(f"{where}: edge_index must be an int64 tensor (2, edges), got {got}.")
    check_edge_index(edge_index, len(x), where=where)
    if not torch.isfinite(x).all():
        raise ValueError(f"{where}: node features x must be finite, got NaN or infinite values.")


def _num_nodes(data: Data) -> int:
    assert data.x is not None
    return len(data.x)


def _per_node(data: Data) -> set[str]:
    own = {key for key in data.keys() if key == "x" or (key not in _LAYOUT and data.is_node_attr(key))}
    return {key for key in own if isinstance(data[key], Tensor)}


def _per_edge(data: Data) -> set[str]:
    own = {key for key in data.keys() if key != "edge_index" and data.is_edge_attr(key)}
    return {key for key in own if isinstance(data[key], Tensor)} - _per_node(data) - _LAYOUT


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
