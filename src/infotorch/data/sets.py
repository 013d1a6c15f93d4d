"""What `load` returns: splits of vectors or images, one graph, or a set of graphs.

Every set has train, validation and test: choices are made on validation, and only the final number touches test.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from infotorch.numerics.checks import WHOLE, check_count, check_dense, shown
from infotorch.numerics.indices import as_index
from infotorch.numerics.sketches import sketch


@dataclass(frozen=True)
class Split:
    """Paired inputs and targets.

    Args:
        x: float32 rows (n, d) or images (n, c, h, w); `GraphSamples`, or `NodeSamples` of one graph.
        y: int64 labels (n,), or float32 targets (n, t) for regression.

    Raises:
        TypeError: y is no tensor, or x has no rows to take by number.
        ValueError: x and y have different lengths, or are single numbers.

    Example:
        >>> Split(torch.zeros(3, 2), torch.zeros(3, dtype=torch.int64))
        Split(x=float32 (3, 2), y=int64 (3,))
    """

    x: Any
    y: Tensor

    def __post_init__(self) -> None:
        if not isinstance(self.x, Tensor) and not all(hasattr(self.x, has) for has in ("__len__", "to")):
            raise TypeError(f"Split: x must be a tensor or samples, got {shown(self.x)}.")
        for name, values in (("x", self.x), ("y", self.y)):
            # A split may move to the meta device: shapes without values.
            if (name == "y" or isinstance(values, Tensor)) and not getattr(values, "is_meta", False):
                _check_tensor(values, where="Split", name=name)
        if len(self.x) != len(self.y):
            raise ValueError(f"Split: x and y must be paired row by row, got {len(self.x)} and {len(self.y)} rows.")

    def __len__(self) -> int:
        return len(self.x)

    def __repr__(self) -> str:
        return f"Split(x={sketch(self.x)}, y={sketch(self.y)})"

    def select(self, index: Tensor) -> Split:
        """The samples at `index`, int64 of shape (m,).

        Raises:
            TypeError: no whole numbers.
            ValueError: index of another shape.
            IndexError: no such row.
        """
        rows = as_index(index, len(self.y), where="Split.select")
        return Split(self.x[rows], self.y[rows])

    def to(self, device: torch.device | str) -> Split:
        """The same split on a device."""
        return Split(self.x.to(device), self.y.to(device))


@dataclass(frozen=True)
class Scaling:
    """Standardisation, z = (v - mean) / std, with moments of the training split.

    Args:
        mean: broadcastable to the values, in their own unit.
        std: likewise; 1 where a training column is constant.

    Raises:
        TypeError: no tensors of real numbers.

    Example:
        >>> celsius = Scaling(torch.tensor([20.0]), torch.tensor([5.0]))
        >>> celsius.invert(celsius.apply(torch.tensor([[25.0]]))).item()
        25.0
    """

    mean: Tensor
    std: Tensor

    def __post_init__(self) -> None:
        for name, values in (("mean", self.mean), ("std", self.std)):
            _check_numbers(values, where="Scaling", name=name)

    def apply(self, values: Tensor) -> Tensor:
        """From the original unit to standard units.

        Raises:
            TypeError: no tensor of real numbers.
            ValueError: of other columns than the moments.
        """
        self._check(values, where="Scaling.apply")
        return (values - self.mean.to(values.device)) / self.std.to(values.device)

    def invert(self, values: Tensor) -> Tensor:
        """From standard units back to the original unit.

        Raises:
            TypeError: no tensor of real numbers.
            ValueError: of other columns than the moments.
        """
        self._check(values, where="Scaling.invert")
        return values * self.std.to(values.device) + self.mean.to(values.device)

    def _check(self, values: Tensor, *, where: str) -> None:
        _check_numbers(values, where=where, name="values")
        for moment in (self.mean, self.std):
            pairs = zip(reversed(values.shape), reversed(moment.shape), strict=False)
            if any(own != of_moment and 1 not in (own, of_moment) for own, of_moment in pairs):
                raise ValueError(
                    f"{where}: values must go with moments of shape {tuple(moment.shape)}, got {tuple(values.shape)}."
                )


@dataclass(frozen=True)
class Dataset:
    """Vectors, images or a regression task, split in three.

    Args:
        name: what `load` was asked for.
        kind: "vectors", "images" or "regression"; "graphs" or "graph" where training made rows of them.
        train: what a network is fitted to.
        validation: what choices are made on.
        test: what the final number is measured on.
        num_classes: None for regression.
        feature_names: one a column for vectors and regression, empty for images.
        note: what a reader should know: counts, what was dropped, which split, whether checksums were known.
        input_scaling: the standardisation that x has had, or None.
        target_scaling: the standardisation that y has had, or None; `target_scaling.invert(prediction)` is in the
            targets' own unit.
        target_names: one a target for regression, else empty.
        target_forecasts: names of the features that foretell each target as they are, in its order and unit, or empty.

    Example:
        >>> split = Split(torch.zeros(4, 2), torch.tensor([0, 1, 0, 1]))
        >>> Dataset("toy", "vectors", split, split, split, num_classes=2)
        Dataset toy: vectors, 2 classes; train 4, validation 4, test 4; x float32 (2,), y int64 ()
    """

    name: str
    kind: Literal["vectors", "images", "regression", "graphs", "graph"]
    train: Split
    validation: Split
    test: Split
    num_classes: int | None
    feature_names: tuple[str, ...] = ()
    note: str = ""
    input_scaling: Scaling | None = None
    target_scaling: Scaling | None = None
    target_names: tuple[str, ...] = ()
    target_forecasts: tuple[str, ...] = ()

    def __repr__(self) -> str:
        kind = self.kind if self.num_classes is None else f"{self.kind}, {self.num_classes} classes"
        x, y = (_sketch_of_one(values) for values in (self.train.x, self.train.y))
        return f"Dataset {self.name}: {kind}; {_sizes(self)}; x {x}, y {y}"

    def to(self, device: torch.device | str) -> Dataset:
        """The same data set with its three splits on a device."""
        moved = {part: getattr(self, part).to(device) for part in ("train", "validation", "test")}
        return replace(self, **moved)


@dataclass(frozen=True)
class Graph:
    """One graph whose nodes are classified.

    Args:
        name: what `load` was asked for.
        x: node features, float32 (n, d).
        edge_index: int64 (2, e), both directions of every edge, no self loops, no duplicates.
        y: labels, int64 (n,).
        train: labelled nodes, int64 (t,).
        validation: nodes that choices are made on.
        test: nodes that the final number is measured on.
        num_classes: labels run from 0 to num_classes - 1.
        note: what a reader should know.

    Raises:
        TypeError: no dense tensors, or numbers of nodes, labels or classes that are not whole.
        ValueError: lengths that do not agree, or an index out of range.

    Example:
        >>> nodes = torch.tensor([[0], [1], [2]])
        >>> edges, y = torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 1, 1])
        >>> Graph("toy", torch.eye(3), edges, y, *nodes, num_classes=2).test.tolist()
        [2]
    """

    name: str
    x: Tensor
    edge_index: Tensor
    y: Tensor
    train: Tensor
    validation: Tensor
    test: Tensor
    num_classes: int
    note: str = ""

    def __post_init__(self) -> None:
        _check_kinds(self, ("x",), ("edge_index", "y", "train", "validation", "test"))
        where, nodes = f"Graph {self.name}", len(self.x)
        check_lengths(where, "nodes", x=self.x, y=self.y)
        check_edge_index(self.edge_index, nodes, where=where)
        _check_labels(self.y, self.num_classes, where=where)
        _check_parts(self, nodes, where=where)

    def __repr__(self) -> str:
        """Edges are counted as `edge_index` holds them, both directions of each."""
        what = f"{len(self.x)} nodes, {self.edge_index.shape[1]} edges, {_sketch_of_one(self.x)} features"
        return f"Graph {self.name}: {what}, {self.num_classes} classes; {_sizes(self)}"

    def to(self, device: torch.device | str) -> Graph:
        """The same graph on a device."""
        return replace(self, **_moved(self, device))


@dataclass(frozen=True)
class GraphSet:
    """Many graphs, each with one label, stored as one graph of disconnected parts.

    Args:
        name: what `load` was asked for.
        node_features: one-hot node labels beside node attributes, float32 (n, d); a constant 1 where there are none.
        edge_index: int64 (2, e); an edge joins nodes of one graph.
        graph_index: the graph of every node, int64 (n,), in ascending order.
        edge_features: one-hot edge labels beside edge attributes, float32 (e, f), or None.
        y: graph labels, int64 (g,).
        train: graphs a network is fitted to, int64.
        validation: graphs that choices are made on.
        test: graphs that the final number is measured on.
        num_classes: labels run from 0 to num_classes - 1.
        note: what a reader should know.

    Raises:
        TypeError: no dense tensors, or numbers of nodes, graphs, labels or classes that are not whole.
        ValueError: lengths that do not agree, an index out of range, or an edge between two graphs.

    Example:
        >>> edges, of_graph, y = torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 0, 1]), torch.tensor([1, 0])
        >>> parts = (torch.tensor([0]), torch.tensor([1]), torch.tensor([1]))
        >>> len(GraphSet("toy", torch.eye(3), edges, of_graph, None, y, *parts, num_classes=2).node_features)
        3
    """

    name: str
    node_features: Tensor
    edge_index: Tensor
    graph_index: Tensor
    edge_features: Tensor | None
    y: Tensor
    train: Tensor
    validation: Tensor
    test: Tensor
    num_classes: int
    note: str = ""

    def __post_init__(self) -> None:
        real = ("node_features",) if self.edge_features is None else ("node_features", "edge_features")
        _check_kinds(self, real, ("edge_index", "graph_index", "y", "train", "validation", "test"))
        where, nodes, graphs = f"GraphSet {self.name}", len(self.node_features), len(self.y)
        check_lengths(where, "nodes", node_features=self.node_features, graph_index=self.graph_index)
        check_edge_index(self.edge_index, nodes, where=where)
        check_graph_index(self.graph_index, self.edge_index, graphs, where=where)
        if self.edge_features is not None:
            check_lengths(where, "edges", edge_index=self.edge_index.T, edge_features=self.edge_features)
        _check_labels(self.y, self.num_classes, where=where)
        _check_parts(self, graphs, where=where)

    def __repr__(self) -> str:
        """Edges are counted as `edge_index` holds them."""
        held = f"{len(self.y)} graphs of {len(self.graph_index)} nodes, {self.edge_index.shape[1]} edges"
        features = f"{_sketch_of_one(self.node_features)} features"
        return f"GraphSet {self.name}: {held}, {features}, {self.num_classes} classes; {_sizes(self)}"

    def to(self, device: torch.device | str) -> GraphSet:
        """The same graphs on a device."""
        return replace(self, **_moved(self, device))


def _sizes(data: Dataset | Graph | GraphSet) -> str:
    return ", ".join(f"{part} {len(getattr(data, part))}" for part in ("train", "validation", "test"))


def _sketch_of_one(values: object) -> str:
    """Of one sample, where samples are a tensor."""
    return sketch(values[0]) if isinstance(values, Tensor) and len(values) else sketch(values)


def _check_kinds(data: Graph | GraphSet, real: tuple[str, ...], whole: tuple[str, ...]) -> None:
    where = type(data).__name__
    if not isinstance(data.name, str):
        raise TypeError(f"{where}: name must be a string, got {shown(data.name)}.")
    for name in real:
        _check_numbers(getattr(data, name), where=where, name=name, rows=True)
    for name in whole:
        values = getattr(data, name)
        _check_tensor(values, where=where, name=name)
        if values.dtype not in WHOLE:
            raise TypeError(f"{where}: {name} must be int64, got {values.dtype}.")
    check_count(data.num_classes, where=where, name="num_classes")


def _check_tensor(values: object, *, where: str, name: str, rows: bool = True) -> None:
    if not isinstance(values, Tensor):
        raise TypeError(f"{where}: {name} must be a tensor, got {shown(values)}; torch.as_tensor(...) makes one.")
    check_dense(values, where=where, name=name)
    if rows and values.ndim == 0:
        raise ValueError(f"{where}: {name} must have rows, got a single number.")


def _check_numbers(values: Tensor, *, where: str, name: str, rows: bool = False) -> None:
    _check_tensor(values, where=where, name=name, rows=rows)
    if values.dtype not in WHOLE and (not values.is_floating_point() or values.element_size() < 2):
        raise TypeError(f"{where}: {name} must be real numbers, got {values.dtype}.")


def check_lengths(where: str, what: str, **tensors: Tensor) -> None:
    """Raise ValueError unless all tensors have the same number of samples."""
    if len({len(tensor) for tensor in tensors.values()}) > 1:
        counts = ", ".join(f"{name} has {len(tensor)}" for name, tensor in tensors.items())
        raise ValueError(f"{where}: the numbers of {what} do not agree: {counts}.")


def check_edge_index(edge_index: Tensor, num_nodes: int, *, where: str) -> None:
    """Raise ValueError unless edge_index is (2, e) with entries in 0 .. num_nodes - 1."""
    if edge_index.ndim != 2 or len(edge_index) != 2:
        raise ValueError(f"{where}: edge_index must have shape (2, e), got {tuple(edge_index.shape)}.")
    _check_range(edge_index, num_nodes, where=where, name="edge_index")


def check_graph_index(graph_index: Tensor, edge_index: Tensor, num_graphs: int, *, where: str) -> None:
    """Raise ValueError unless nodes are sorted by graph, in 0 .. num_graphs - 1, and no edge joins two graphs."""
    _check_range(graph_index, num_graphs, where=where, name="graph_index")
    if bool((graph_index.diff() < 0).any()):
        raise ValueError(f"{where}: nodes must be in the order of their graphs.")
    crossing = int((graph_index[edge_index[0]] != graph_index[edge_index[1]]).sum())
    if crossing:
        raise ValueError(f"{where}: {crossing} edges join nodes of different graphs.")


def _check_range(index: Tensor, size: int, *, where: str, name: str) -> None:
    if index.numel() and (int(index.min()) < 0 or int(index.max()) >= size):
        got = f"{int(index.min())} to {int(index.max())}"
        raise ValueError(f"{where}: {name} must lie in 0 to {size - 1}, got {got}.")


def _check_labels(y: Tensor, num_classes: int, *, where: str) -> None:
    _check_range(y, num_classes, where=where, name="y")


def _check_parts(data: Graph | GraphSet, size: int, *, where: str) -> None:
    for part in ("train", "validation", "test"):
        _check_range(getattr(data, part), size, where=where, name=part)


def _moved(data: Graph | GraphSet, device: torch.device | str) -> dict[str, Tensor]:
    return {name: value.to(device) for name, value in vars(data).items() if isinstance(value, Tensor)}
