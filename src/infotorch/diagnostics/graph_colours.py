"""Which graphs, or nodes with what is around them, are different inputs: colour refinement."""

from __future__ import annotations

import torch
from torch import Tensor

from infotorch.data.graph_checks import attributes_of
from infotorch.data.graphs import GraphSamples, features_of, structure_of
from infotorch.data.looks import GraphNodes, Look, looks
from infotorch.numerics.seeds import SeedStreams
from infotorch.numerics.symbols import symbols

# What a loader says of the parts that it cuts out.
_OF_LOADERS = frozenset({"n_id", "e_id", "input_id", "batch_size", "num_sampled_nodes", "num_sampled_edges"})
# Graphs at a time.
_CHUNK = 1000


def colours(x: GraphSamples | GraphNodes) -> Tensor:
    """Samples as numbers, equal where features, edges and what edges hold cannot tell them apart, (n,).

    Nodes are parted by their own numbers, then again and again by those of their neighbours, as long as that parts any;
    graphs by the colours of their nodes. No network that passes messages along edges tells more apart.

    Source: Weisfeiler & Leman 1968; Xu et al. 2019, arXiv:1810.00826, Lemma 2. We hash with 64 random bits a colour.

    Example:
        >>> from torch_geometric.data import Data
        >>> path = Data(x=torch.ones(4, 1), edge_index=torch.tensor([[0, 1, 1, 2, 2, 3], [1, 0, 2, 1, 3, 2]]))
        >>> len(colours(GraphNodes([path], [torch.arange(4)])).unique())  # the ends, and the two between them
        2
    """
    parts = list(looks(x, _CHUNK))
    began = torch.tensor([0, *(len(features_of(look.x)) for look in parts)]).cumsum(0).tolist()
    edges = torch.cat([look.x.edge_index.cpu() + first for look, first in zip(parts, began, strict=False)], dim=1)
    held = [_numbers(look) for look in parts]
    colour, kind = (symbols(torch.cat(rows)) for rows in zip(*held, strict=True))
    draws = SeedStreams(0).generator("colours")
    while True:
        around = [_sums(colour, kind, *ways, draws) for ways in ((edges[0], edges[1]), (edges[1], edges[0]))]
        finer = symbols(torch.stack([colour, *around], dim=1))
        if int(finer.max()) == int(colour.max()):
            break
        colour = finer
    split = colour.split([len(features_of(look.x)) for look in parts])
    if isinstance(x, GraphNodes):
        chosen = [own[nodes.cpu()] for own, nodes in zip(split, x.nodes, strict=True)]
        return symbols(torch.cat(chosen)[:, None])
    codes = _codes(colour, draws).split([len(own) for own in split])
    graphs = [_by_graph(look, own) for look, own in zip(parts, codes, strict=True)]
    return symbols(torch.cat(graphs))


def other_numbers(x: GraphSamples | GraphNodes) -> dict[str, Tensor]:
    """The real numbers that graphs hold beside the features of nodes, such as edge_weight, (rows, columns) each."""
    found: dict[str, list[Tensor]] = {}
    for look in looks(x, _CHUNK):
        for name, value in attributes_of(look.x).items():
            if name != "x" and value.is_floating_point():
                found.setdefault(name, []).append(_rows(value))
    together = {name: torch.cat(values) for name, values in found.items()}
    return {name: rows for name, rows in together.items() if rows.numel()}


def _rows(value: Tensor) -> Tensor:
    """A value as (rows, columns), of which there may be no row."""
    return value.reshape(-1, 1) if value.ndim < 2 else value.flatten(1)


def _numbers(look: Look) -> tuple[Tensor, Tensor]:
    """Of every node and of every edge, what it holds, as columns."""
    nodes, edges = [features_of(look.x)], [torch.zeros(look.x.edge_index.shape[1], 1)]
    graph = structure_of(look.x)
    for name, value in attributes_of(look.x).items():
        if name == "x" or name in _OF_LOADERS or value.ndim == 0:
            continue
        rows = _rows(value)
        if look.x.is_edge_attr(name):
            edges.append(rows)
        elif len(rows) == graph.num_nodes:
            nodes.append(rows)
        elif len(rows) == graph.num_graphs:
            nodes.append(rows[graph.graph_index])
    together = [torch.cat([part.cpu().double() for part in parts], dim=1) for parts in (nodes, edges)]
    return together[0], together[1]


def _codes(colour: Tensor, draws: torch.Generator) -> Tensor:
    """A random number for each colour."""
    return torch.randint(-(2**62), 2**62, (int(colour.max()) + 1,), generator=draws)[colour]


def _sums(colour: Tensor, kind: Tensor, source: Tensor, target: Tensor, draws: torch.Generator) -> Tensor:
    """A number for the colours around each node and the kinds of the edges to them; integers add in any order."""
    if not len(source):
        return torch.zeros_like(colour)
    pairs = symbols(torch.stack([colour[source], kind], dim=1))
    return torch.zeros_like(colour).index_add(0, target, _codes(pairs, draws))


def _by_graph(look: Look, codes: Tensor) -> Tensor:
    """A row for the colours of each graph's nodes."""
    graph = structure_of(look.x)
    sums = torch.zeros(graph.num_graphs, dtype=torch.int64).index_add(0, graph.graph_index.cpu(), codes)
    return torch.stack([sums, graph.sizes.cpu()], dim=1)
