"""Layers that keep the edges of a graph (cached=True): what else passes through them is computed anew."""

import pytest
import torch
from torch import nn

from infotorch import fit
from infotorch.training.graph_caches import without_graph_caches
from infotorch.training.plan import Plan

pyg = pytest.importorskip("torch_geometric.data")
gnn = pytest.importorskip("torch_geometric.nn")


def one_graph(nodes=24):
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(nodes) % 2
    edges = torch.randint(nodes, (2, 4 * nodes), generator=generator)
    edges = edges[:, y[edges[0]] == y[edges[1]]]
    x = torch.cat([torch.randn(nodes, 4, generator=generator) + y[:, None], torch.zeros(nodes, 2)], dim=1)
    return pyg.Data(x=x, edge_index=edges, y=y)


class Network(nn.Module):
    def __init__(self, layer, *, cached):
        super().__init__()
        self.first, self.out = layer(6, 8, cached=cached), nn.Linear(8, 2)

    def forward(self, x, edge_index):
        return self.out(self.first(x, edge_index).relu())


def network(layer, *, cached):
    torch.manual_seed(0)
    return Network(layer, cached=cached)


@pytest.mark.parametrize("layer", [gnn.GCNConv, gnn.SGConv])
@pytest.mark.parametrize("order", ["sequential", "simultaneous"])
@pytest.mark.parametrize("objective", ["X:dgi", "X:views", "Y:graph-forward-forward"])
def test_training_is_that_of_layers_that_keep_nothing(layer, order, objective):
    """Shuffled features, views and written labels are two copies of the graph, or other features, of which a cached
    layer knows nothing: its copies had no edges, and its views were the rows themselves. float32, some steps."""
    results = [
        fit(network(layer, cached=cached), one_graph(), plan=f"{objective},CE", order=order, epochs=5).metrics
        for cached in (False, True)
    ]
    assert results[1] == pytest.approx(results[0], abs=1e-4)


def test_on_held_out_rows_too():
    """The encoder that evaluation gives objectives passes other features through."""
    model = network(gnn.SGConv, cached=True)
    plan = Plan.end_to_end(model, "X:dgi", optimizer=torch.optim.SGD)
    graph = one_graph()
    with torch.no_grad():
        plan.outputs(graph)
        changed = pyg.Data(x=2 * graph.x, edge_index=graph.edge_index)
        wanted = network(gnn.SGConv, cached=False)(changed.x, changed.edge_index)
        torch.testing.assert_close(plan.encoder(0)(changed), wanted)


def test_what_they_keep_is_there_again():
    """Also when what happens inside the context fails."""
    layer = gnn.GCNConv(6, 8, cached=True)
    graph = one_graph()
    layer(graph.x, graph.edge_index)
    kept = layer._cached_edge_index
    assert kept is not None

    def pass_and_fail():
        with without_graph_caches([layer, nn.Sequential(layer)]):
            assert layer._cached_edge_index is None
            layer(graph.x.repeat(2, 1), graph.edge_index)
            assert layer._cached_edge_index is None
            raise KeyError

    with pytest.raises(KeyError):
        pass_and_fail()
    assert layer.cached is True
    assert layer._cached_edge_index is kept


def test_many_graphs_refuse_them():
    model = network(gnn.GCNConv, cached=True)
    with pytest.raises(ValueError, match="GCNConv with cached=True keeps the edges of the first mini-batch"):
        fit(model, ([one_graph(4), one_graph(6)], None), plan=["X:gmi", None])
