"""A loaded graph, or set of graphs, as the splits that networks are trained and measured on."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from infotorch.data.graphs import GraphSamples, NodeSamples, select_samples
from infotorch.data.sets import Dataset, Graph, GraphSet, Split
from infotorch.numerics.extras import require
from infotorch.numerics.kinds import check_kind


def graphs_as_dataset(loaded: Graph | GraphSet, *, label_columns: bool = False) -> Dataset:
    """Three splits of samples: graphs, or the one graph's nodes, of which those of other splits are unlabelled.

    Args:
        loaded: what `load` returned.
        label_columns: add as many empty features as there are classes, which Forward-Forward writes labels on.

    Raises:
        ModuleNotFoundError: torch_geometric is not installed.
        TypeError: loaded is no graph that `load` returned, or label_columns no bool.

    Example:
        >>> nodes = torch.tensor([[0], [1], [2]])
        >>> edges, y = torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 1, 1])
        >>> splits = graphs_as_dataset(Graph("toy", torch.eye(3), edges, y, *nodes, num_classes=2))
        >>> splits.train.y.tolist(), splits.test.y.tolist()
        ([0, -1, -1], [-1, -1, 1])
    """
    check_kind(loaded, (Graph, GraphSet), where="graphs_as_dataset", name="loaded", said="a Graph or a GraphSet")
    check_kind(label_columns, bool, where="graphs_as_dataset", name="label_columns", said="True or False")
    pyg = require("graph", "torch_geometric.data", "training on graphs")
    parts = (loaded.train, loaded.validation, loaded.test)
    if isinstance(loaded, Graph):
        x = _with_columns(loaded.x, loaded.num_classes * label_columns)
        nodes = NodeSamples(pyg.Data(x=x, edge_index=loaded.edge_index))
        train, validation, test = (Split(*select_samples(nodes, loaded.y, rows)) for rows in parts)
    else:
        features = _with_columns(loaded.node_features, loaded.num_classes * label_columns)
        graphs = replace(loaded, node_features=features)
        train, validation, test = (Split(GraphSamples.from_set(graphs, rows), loaded.y[rows]) for rows in parts)
    kind = "graph" if isinstance(loaded, Graph) else "graphs"
    return Dataset(loaded.name, kind, train, validation, test, num_classes=loaded.num_classes, note=loaded.note)


def _with_columns(x: Tensor, count: int) -> Tensor:
    """Node features and as many empty columns behind them, which labels may be written on."""
    return torch.cat([x, x.new_zeros(len(x), count)], dim=1) if count else x
