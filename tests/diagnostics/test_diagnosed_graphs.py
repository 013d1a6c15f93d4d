"""What `diagnose` says of networks on graphs, where the truth is known."""

import copy

import pytest
import torch
from tests.diagnostics.zoo import gaussian
from torch import nn
from torch.utils.data import DataLoader

from infotorch import diagnose
from infotorch.diagnostics.graph_colours import colours
from infotorch.networks.noise import GaussianNoise

pyg = pytest.importorskip("torch_geometric")
from torch_geometric.data import Batch, Data  # noqa: E402
from torch_geometric.loader import DataLoader as GraphLoader  # noqa: E402

from infotorch.data.graphs import GraphSamples  # noqa: E402
from infotorch.data.looks import GraphNodes  # noqa: E402

X = gaussian(120, 3)
Y = (X[:, 0] > 0).long()
LEVELS = (X > 0).float()
NO_EDGES = torch.zeros(2, 0, dtype=torch.int64)


class Step(nn.Module):
    def forward(self, x):
        return x.sign()


class Zero(nn.Module):
    def forward(self, x):
        return 0 * x


class Coin(nn.Module):
    def forward(self, x):
        return torch.bernoulli(x.sigmoid())


class Always(nn.Module):
    def forward(self, x):
        return nn.functional.dropout(x, 0.5, training=True)


class Rows(nn.Module):
    def __init__(self, layer):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.layer, self.out = nn.Linear(3, 5), layer, nn.Linear(5, 2)

    def forward(self, x):
        return self.out(self.layer(self.first(x)))


class OnNodes(Rows):
    """The same network for the nodes of a graph, whose edges it adds up where there are any."""

    def forward(self, x, edge_index, batch=None):
        rows = super().forward(x)
        return rows.index_add(0, edge_index[1], rows[edge_index[0]])


LAYERS = [nn.Tanh, nn.ReLU, nn.Hardtanh, Step, Zero, Coin, Always, lambda: GaussianNoise(0.5)]


@pytest.mark.parametrize("layer", LAYERS, ids=lambda made: getattr(made, "__name__", "GaussianNoise"))
@pytest.mark.parametrize("x", [X, LEVELS], ids=["real", "discrete"])
def test_nodes_without_edges_and_graphs_of_one_node_are_rows(layer, x):
    settings = {"properties": False, "layers": ["first", "layer", "out"]}
    rows = diagnose(Rows(layer()), (x, Y), **settings)
    single = [Data(x=row[None], edge_index=NO_EDGES, y=label.reshape(1)) for row, label in zip(x, Y, strict=True)]
    for data in (Data(x=x, edge_index=NO_EDGES, y=Y), single):
        found = diagnose(OnNodes(layer()), data, **settings)
        for seen, wanted in zip(found, rows, strict=True):
            assert seen.verdict == wanted.verdict, seen.reason
            for name in ("input", "distinct_inputs", "activations", "noise", "noise_escaped", "depends", "mixes"):
                assert getattr(seen.evidence, name) == getattr(wanted.evidence, name), name
            if wanted.evidence.noise == "none":
                assert seen.evidence.distinct == wanted.evidence.distinct
            assert seen.evidence.smooth == pytest.approx(wanted.evidence.smooth, abs=0.15)  # other random steps


def ring(size):
    there = torch.stack([torch.arange(size), torch.arange(size).roll(1)])
    return torch.cat([there, there.flip(0)], dim=1)


def path(size):
    there = torch.stack([torch.arange(size - 1), torch.arange(1, size)])
    return torch.cat([there, there.flip(0)], dim=1)


class Sums(nn.Module):
    """So many rounds in which a node adds a third of its neighbours' features to its own."""

    def __init__(self, rounds):
        super().__init__()
        self.rounds = nn.ModuleList(pyg.nn.SimpleConv("sum", combine_root="sum") for _ in range(rounds))

    def forward(self, x, edge_index, batch=None):
        for one in self.rounds:
            x = one(x / 3, edge_index)
        return x


@pytest.mark.parametrize(("rounds", "verdict", "values"), [(1, "piecewise-constant", 2), (19, "saturated", 20)])
def test_nodes_of_a_path_differ_by_how_far_its_end_is(rounds, verdict, values):
    graph = Data(x=torch.ones(40, 1), edge_index=path(40))
    found = diagnose(Sums(rounds), graph, layers=["output"], properties=False)["output"]
    assert (found.evidence.distinct_inputs, found.evidence.distinct) == (20, values)
    assert found.verdict == verdict


def test_equal_graphs_in_another_order_are_one_input():
    generator, graphs = torch.Generator().manual_seed(0), []
    for number in range(40):
        size = 4 + number % 2
        order = torch.randperm(size, generator=generator)
        features = (torch.arange(size) % 3 == number % 4 // 2).float()[:, None]
        edges = order.argsort()[path(size)]
        graphs.append(Data(x=features[order], edge_index=edges))
    assert len(colours(GraphSamples(graphs)).unique()) == 3  # of five nodes one kind is the other, read from the end
    found = diagnose(Sums(3), graphs, layers=["output"], properties=False)["output"]
    assert (found.evidence.input, found.evidence.distinct_inputs, found.verdict) == ("discrete", 3, "saturated")


def test_a_node_that_hears_its_neighbours_alone_moves_with_them():
    class Neighbours(nn.Module):
        def __init__(self):
            super().__init__()
            self.sum = pyg.nn.SimpleConv("sum")

        def forward(self, x, edge_index):
            return self.sum(x, edge_index)

    settings = {"layers": ["sum"], "properties": False}
    heard = diagnose(Neighbours(), Data(x=X, edge_index=ring(120)), **settings)["sum"]
    assert (heard.verdict, heard.evidence.smooth, heard.evidence.mixes) == ("infinite", 1.0, False)
    alone = diagnose(Neighbours(), Data(x=X, edge_index=NO_EDGES), **settings)["sum"]
    assert alone.verdict == "constant"


@pytest.mark.parametrize("data", ["list", "batch", "loader"])
def test_lists_batches_and_loaders_of_the_same_graphs(data):
    graphs = [Data(x=X[3 * k : 3 * k + 3], edge_index=ring(3), y=Y[k : k + 1]) for k in range(40)]
    held = {"list": graphs, "batch": Batch.from_data_list(graphs), "loader": GraphLoader(graphs, batch_size=7)}
    assert repr(diagnose(OnNodes(nn.Tanh()), held[data])) == repr(diagnose(OnNodes(nn.Tanh()), graphs))
    found = diagnose(OnNodes(nn.Tanh()), held[data])["out"]
    assert found.decisions is not None
    assert found.compression is not None
    assert found.robustness is None  # P4 is not measured


def test_parts_of_a_graph_are_read_at_their_first_nodes():
    graph = Data(x=LEVELS, edge_index=NO_EDGES, y=Y)
    parts = [Data(x=LEVELS[k : k + 30], edge_index=NO_EDGES, y=Y[k : k + 30], batch_size=20) for k in range(0, 120, 20)]
    loader = DataLoader(parts, batch_size=None)
    settings = {"properties": False, "layers": ["first", "out"]}
    whole, found = diagnose(OnNodes(nn.Tanh()), graph, **settings), diagnose(OnNodes(nn.Tanh()), loader, **settings)
    assert repr(found) == repr(whole)


def test_what_was_not_tested_is_said():
    weighted = Data(x=LEVELS, edge_index=ring(120), edge_weight=torch.rand(240, generator=torch.manual_seed(0)))
    found = diagnose(OnNodes(nn.Tanh()), weighted, properties=False)["out"]
    assert found.verdict == "unknown"
    assert found.reason.startswith("not tested: small steps of edge_weight, which look continuous")
    known = diagnose(OnNodes(nn.Tanh()), weighted, properties=False, input_kind="discrete")["out"]
    assert (known.verdict, known.evidence.distinct) == ("piecewise-constant", 8)  # "out" comes before the edges

    class Numbered(Rows):
        def forward(self, x, edge_index):
            return super().forward(x) + torch.arange(len(x))[:, None]

    found = diagnose(Numbered(nn.Tanh()), Data(x=LEVELS, edge_index=NO_EDGES), properties=False)["output"]
    assert found.verdict == "unknown"
    assert found.reason.startswith("not tested: what T tells apart beyond features and edges")

    class Noisy(Rows):
        def forward(self, x, edge_index):
            rows = torch.randn(len(x), 5, dtype=x.dtype)
            return self.out(rows.index_add(0, edge_index[1], torch.ones(edge_index.shape[1], 5, dtype=x.dtype)))

    found = diagnose(Noisy(nn.Tanh()), Data(x=X, edge_index=path(120)), layers=["output"], properties=False)["output"]
    assert (found.verdict, found.reason) == ("unknown", "not tested: whether the edges move T, which holds noise.")


@pytest.mark.parametrize("x", [X, LEVELS], ids=["real", "discrete"])
@pytest.mark.parametrize("alone", [True, False])
def test_what_edges_would_hold_plays_no_part_where_there_are_none(x, alone):
    """It was an error of torch, of nodes always and of graphs where none has an edge."""
    verdicts = []
    for more in ({}, {"edge_attr": torch.zeros(0, 2)}, {"edge_weight": torch.zeros(0)}):
        graph = Data(x=x, edge_index=NO_EDGES, y=Y, **more)
        single = [Data(x=r[None], edge_index=NO_EDGES, y=y[None], **more) for r, y in zip(x, Y, strict=True)]
        verdicts.append([
            layer.verdict for layer in diagnose(OnNodes(nn.Tanh()), graph if alone else single, properties=False)
        ])
    assert verdicts[0] == verdicts[1] == verdicts[2]


def test_a_layer_that_mixes_graphs_is_no_function_of_one():
    class Normed(OnNodes):
        def __init__(self):
            super().__init__(nn.Tanh())
            self.norm = nn.BatchNorm1d(2, track_running_stats=False)

        def forward(self, x, edge_index, batch=None):
            return self.norm(super().forward(x, edge_index, batch))

    graphs = [Data(x=X[3 * k : 3 * k + 3], edge_index=ring(3)) for k in range(40)]
    found = diagnose(Normed(), graphs, properties=False)
    assert found["out"].verdict == "infinite"
    assert found["norm"].evidence.mixes
    assert found["norm"].reason.startswith("a row of T changes with the other rows")


def test_colours_part_nodes_by_what_edges_hold():
    graph = Data(x=torch.ones(4, 1), edge_index=ring(4))
    assert colours(GraphNodes([graph], [torch.arange(4)])).unique().tolist() == [0]
    graph.edge_attr = torch.arange(8) % 4 == 0
    assert len(colours(GraphNodes([graph], [torch.arange(4)])).unique()) == 2


def test_a_diagnosis_leaves_graph_and_model_as_they_were():
    graph, model = Data(x=X.clone(), edge_index=ring(120), y=Y), OnNodes(nn.Tanh()).train()
    held, weights = {key: graph[key].clone() for key in graph.keys()}, copy.deepcopy(model.state_dict())
    diagnose(model, graph, properties=False)
    assert all(torch.equal(graph[key], value) for key, value in held.items())
    assert all(torch.equal(value, model.state_dict()[key]) for key, value in weights.items())
    assert model.training
