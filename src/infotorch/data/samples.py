"""The data that people have, as the samples that a network is looked at with: `diagnose`, planes and signals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor, nn

from infotorch.data.dict_batches import inputs_and_labels
from infotorch.data.graph_checks import is_graph
from infotorch.data.graph_reading import graph_samples, holds_graphs
from infotorch.data.graphs import GraphSamples, NodeSamples, features_of
from infotorch.data.loaders import (
    SampleSource,
    as_loader,
    check_same_kind,
    held_pair,
    is_read_by_loader,
    order_kept,
    place_of,
    placed,
    read_pairs,
    told_in_a_line,
)
from infotorch.data.looks import GraphNodes
from infotorch.data.targets import Targets, fully_labelled, labelled_samples
from infotorch.networks.forward_inputs import several_inputs, takes_several
from infotorch.networks.segments import network_of
from infotorch.numerics.named_tensors import joined
from infotorch.numerics.seeds import seed_streams

if TYPE_CHECKING:
    from infotorch.data.graph_reading import TrainingGraphs

#: What `diagnose`, `InformationPlane` and `InformationSignal` look at, as `fit` takes it.
LookSource: TypeAlias = "SampleSource | Mapping[str, object] | TrainingGraphs"
# Samples a step of the loader that reads a `Dataset`.
_READ = 100


def read_samples(
    data: Any,
    model: object,
    num_samples: int,
    *,
    seed: int,
    where: str,
    labelled: bool = False,
    targets: Targets = "auto",
) -> Any:
    """The pair (x, y) that data are, the first samples that a `DataLoader` gives, or as many drawn from a `Dataset`.

    A pair of arrays, and what is none of these kinds, is handed back as it is. Several inputs become `NamedTensors`,
    graphs `GraphSamples` or `GraphNodes`, where the model is and in its precision. Nothing that decides a loader's
    order is moved, and of a loader no more than its first num_samples are held.

    Args:
        data: what a user gave.
        model: decides device and precision, and which inputs it takes.
        num_samples: samples at most, of a loader or a `Dataset`.
        seed: decides what is drawn from a `Dataset`, and what a loader draws that has no generator of its own.
        where: for messages.
        labelled: leave out samples of which a target is missing, of a loader or a `Dataset`.
        targets: what y of a loader is, see `read_targets`.

    Raises:
        TypeError: batches that are no pairs of numbers.
        ValueError: no samples, rows that do not pair, NaN in x, or inputs that the model does not take.

    Example:
        >>> from torch.utils.data import DataLoader, TensorDataset
        >>> samples = TensorDataset(torch.arange(6.0)[:, None], torch.tensor([0, 1, 0, 1, 0, 1]))
        >>> x, y = read_samples(DataLoader(samples, batch_size=2), nn.Linear(1, 2), 3, seed=0, where="example")
        >>> x.flatten().tolist(), y.tolist()
        ([0.0, 1.0, 2.0], [0, 1, 0])
    """
    data, network = held_pair(data), network_of(model) if isinstance(model, nn.Module) else None
    if isinstance(data, Mapping):
        data = inputs_and_labels(data, where=where)
    if network is not None and holds_graphs(data):
        x, y = graph_samples(network, data, where=where)
        return (GraphNodes.of(x) if isinstance(x, NodeSamples) else x), y
    if is_read_by_loader(data):
        return _of_loader(data, network, num_samples, seed, where=where, labelled=labelled, targets=targets)
    is_pair = isinstance(data, tuple | list) and len(data) == 2
    if is_pair and network is not None and takes_several(network, data[0]):
        return placed(several_inputs(network, data[0], where=where), *place_of(network)), data[1]
    return data


def _of_loader(
    data: Any, model: object, num_samples: int, seed: int, *, where: str, labelled: bool, targets: Targets
) -> tuple[Any, Tensor | None]:
    loader = as_loader(data, batch_size=_READ, where=where)
    xs: list[Any] = []
    ys: list[Tensor] = []
    with order_kept(loader):
        for x, y in read_pairs(loader, seed_streams(seed), 0, where=where, model=model, targets=targets):
            some, y = _samples_of(x, y)
            known = fully_labelled(y) if labelled else torch.ones(len(y), dtype=torch.bool, device=y.device)
            if not bool(known.any()):
                continue
            xs.append(some if bool(known.all()) else _kept(some, known))
            ys.append(y[known])
            check_same_kind(ys[-1], ys[0], where=where)
            if sum(map(len, ys)) >= num_samples:
                break
    if not xs:
        without = " with a target" * labelled
        raise ValueError(f"{where}: the DataLoader has no samples{without}.")
    device, dtype = place_of(model)
    with told_in_a_line(where):  # batches of several lengths
        x = _joined(xs, num_samples, where=where)
    y = torch.cat(ys)[:num_samples].to(device)
    untold = isinstance(x, GraphSamples | GraphNodes) and not bool(labelled_samples(y).any())
    return _placed(x, device, dtype), None if untold else y


def _samples_of(x: Any, y: Tensor) -> tuple[Any, Tensor]:
    """The samples of one batch: of graphs with a target each, a list of them; of nodes all, or of a part its first."""
    if not is_graph(x):
        return x, y
    if x.batch is not None and len(y) == x.num_graphs and "batch_size" not in x.keys():
        return x.to_data_list(), y
    if len(y) != len(features_of(x)):
        return [x], y
    count = int(x.batch_size) if "batch_size" in x.keys() else len(y)
    return GraphNodes([x], [torch.arange(count)]), y[:count]


def _kept(x: Any, known: Tensor) -> Any:
    if isinstance(x, GraphNodes):
        return x.select(known.nonzero().flatten())
    return [graph for graph, is_known in zip(x, known, strict=True) if is_known] if isinstance(x, list) else x[known]


def _joined(parts: list[Any], num_samples: int, *, where: str) -> Any:
    """The samples of all batches, at most so many."""
    if len({type(part) for part in parts}) > 1:
        raise TypeError(f"{where}: a DataLoader must give targets of nodes or of graphs in all batches, got both.")
    if isinstance(parts[0], GraphNodes):
        graphs = [graph for part in parts for graph in part.graphs]
        whole = GraphNodes(graphs, [nodes for part in parts for nodes in part.nodes])
        return whole.select(torch.arange(min(num_samples, len(whole))))
    if isinstance(parts[0], list):
        return GraphSamples([graph for part in parts for graph in part][:num_samples])
    return joined(parts)[:num_samples]


def _placed(x: Any, device: torch.device, dtype: torch.dtype | None) -> Any:
    if isinstance(x, GraphNodes):
        nodes = [numbers.to(device) for numbers in x.nodes]
        return GraphNodes([placed(graph, device, dtype) for graph in x.graphs], nodes)
    if isinstance(x, GraphSamples):
        return x.to(device) if dtype is None else x.to(device).to(dtype)
    return placed(x, device, dtype)
