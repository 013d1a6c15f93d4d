"""Training on graphs: models of torch_geometric cut anywhere, `fit` on all forms of graphs, and what objectives see."""

import sys
from functools import partial

import pytest
import torch
from torch import nn

from infotorch import fit
from infotorch.data.batches import TensorBatches
from infotorch.data.graph_splits import graphs_as_dataset
from infotorch.data.graphs import GraphSamples, GraphStructure, NodeBatches, NodeSamples
from infotorch.data.sets import Graph
from infotorch.networks.forward_inputs import FromGraph
from infotorch.networks.segments import split
from infotorch.objectives.base import LocalBatch, Loss, Objective
from infotorch.objectives.combined import ParallelObjectives, SumOfObjectives
from infotorch.training.batch_norm import update_batch_norm
from infotorch.training.evaluate import accuracy, evaluate_modules
from infotorch.training.loop import train
from infotorch.training.plan import Plan

pyg = pytest.importorskip("torch_geometric.data")
gnn = pytest.importorskip("torch_geometric.nn")
from torch_geometric.nn import global_max_pool, global_mean_pool  # noqa: E402
from torch_geometric.utils import degree, scatter  # noqa: E402

NO_EDGES = torch.zeros(2, 0, dtype=torch.int64)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def perceptron(inputs, outputs):
    return nn.Sequential(nn.Linear(inputs, outputs), nn.ReLU(), nn.Linear(outputs, outputs))


LAYERS = {
    "gcn": gnn.GCNConv,
    "gin": lambda inputs, outputs: gnn.GINConv(perceptron(inputs, outputs)),
    "gat": partial(gnn.GATConv, heads=2, concat=False),
    "sage": gnn.SAGEConv,
}


class MeanReadout(nn.Module):
    """A read-out as a layer."""

    def forward(self, hidden, batch):
        return global_mean_pool(hidden, batch)


class OnData(nn.Module):
    """forward(data): two layers, batch norm, dropout, and a read-out that is a function or a layer."""

    def __init__(self, layer="gcn", readout="function"):
        super().__init__()
        self.first, self.norm, self.second = LAYERS[layer](6, 8), nn.BatchNorm1d(8), LAYERS[layer](8, 5)
        self.drop, self.hidden, self.out = nn.Dropout(0.3), nn.Linear(5, 16), nn.Linear(16, 2)
        self.readout = MeanReadout() if readout == "layer" else None

    def forward(self, data):
        x, edge_index = data.x, data.edge_index
        x = self.norm(self.first(x, edge_index)).relu()
        x = self.drop(self.second(x, edge_index)).relu()
        x = global_max_pool(x, data.batch) if self.readout is None else self.readout(x, data.batch)
        return self.out(self.hidden(x).relu())


class OnTensors(nn.Module):
    """forward(x, edge_index, ...): the same with arguments; the read-out is found in its package, or there is none."""

    def __init__(self, layer="gcn", *, of_graphs=True):
        super().__init__()
        self.first, self.second = LAYERS[layer](6, 8), LAYERS[layer](8, 5)
        self.hidden, self.out, self.of_graphs = nn.Linear(5, 4), nn.Linear(4, 2), of_graphs

    def forward(self, x, edge_index, batch=None, edge_weight=None):
        x = self.first(x, edge_index).relu()
        x = self.second(x, edge_index).relu()
        x = gnn.global_add_pool(x, batch) if self.of_graphs else x
        return self.out(self.hidden(x).relu())


class WithFunction(nn.Module):
    """The read-out is a function that the model holds."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.out = gnn.GCNConv(6, 8), gnn.GCNConv(8, 5), nn.Linear(5, 2)
        self.pool = gnn.global_mean_pool

    def forward(self, x, edge_index, batch):
        x = self.second(self.first(x, edge_index).relu(), edge_index).relu()
        return self.out(self.pool(x, batch))


def made(model, *arguments, **settings):
    """A model with the same weights each time."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return model(*arguments, **settings)


def ring(size, seed, label=None):
    around, x = torch.arange(size), torch.randn(size, 6, generator=seeded(seed))
    edges = torch.stack([around, around.roll(-1)])
    held = {} if label is None else {"y": torch.tensor([label])}
    return pyg.Data(x=x, edge_index=torch.cat([edges, edges.flip(0)], dim=1), **held)


def graphs(count=24):
    """Rings of 3 to 6 nodes whose class leans on the first feature of every node."""
    made = [ring(3 + number % 4, number, label=number % 2) for number in range(count)]
    for number, graph in enumerate(made):
        graph.x[:, 0] += 4.0 * (number % 2) - 2.0
    return made


def one_graph(nodes=30):
    """Nodes of two classes, told by the first feature; a few have no label in training."""
    y = torch.arange(nodes) % 2
    graph = ring(nodes, 0)
    graph.x[:, 0] += 4.0 * y - 2.0
    graph.y, graph.train_mask = y, torch.arange(nodes) % 3 != 0
    return graph


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-2)


def state(module):
    return [value.clone() for value in module.state_dict().values()]


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def run(segments, data):
    """The segments one after another."""
    hidden = data
    for segment in segments:
        hidden = segment(hidden, data)
    return hidden


CUTS = [("second",), ("hidden",), ("out",), ("second", "hidden"), ("second", "hidden", "out")]


class TestCuts:
    @pytest.mark.parametrize("layer", LAYERS)
    @pytest.mark.parametrize("cuts", [*CUTS, ("norm",), ("drop",), ("norm", "drop", "out")])
    @pytest.mark.parametrize("readout", ["function", "layer"])
    def test_a_model_of_data_is_the_chain_of_its_segments(self, layer, cuts, readout):
        model, batch = made(OnData, layer, readout), GraphSamples(graphs())[:]
        for training in (False, True):
            model.train(training)
            segments = split(model, cuts)
            with torch.random.fork_rng():
                torch.manual_seed(3)
                wanted = model(batch)
                torch.manual_seed(3)
                assert torch.equal(run(segments, batch), wanted)

    @pytest.mark.parametrize("layer", LAYERS)
    @pytest.mark.parametrize("cuts", CUTS)
    def test_a_model_of_tensors_is_the_chain_of_its_segments(self, layer, cuts):
        model, batch = made(OnTensors, layer), GraphSamples(graphs())[:]
        wanted = model(batch.x, batch.edge_index, batch.batch)
        assert torch.equal(run(split(model, cuts), batch), wanted)

    @pytest.mark.parametrize("cuts", CUTS)
    def test_so_is_a_model_of_the_nodes_of_one_graph(self, cuts):
        model, graph = made(OnTensors, of_graphs=False), one_graph()
        assert torch.equal(run(split(model, cuts), graph), model(graph.x, graph.edge_index))

    @pytest.mark.parametrize("cuts", [("second",), ("out",), ("second", "out")])
    def test_a_model_may_hold_its_functions(self, cuts):
        model, batch = made(WithFunction), GraphSamples(graphs())[:]
        assert torch.equal(run(split(model, cuts), batch), model(batch.x, batch.edge_index, batch.batch))

    def test_torch_geometrics_own_functions_between_layers_are_steps(self):
        class Normalised(OnTensors):
            def forward(self, x, edge_index, batch=None):
                x = self.second(self.first(x, edge_index).relu(), edge_index)
                x = torch.cat([scatter(x, batch), degree(batch)[:, None]], dim=1)
                return self.out(x[:, :4])

        model, batch = made(Normalised), GraphSamples(graphs())[:]
        assert torch.equal(run(split(model, ("second", "out")), batch), model(batch.x, batch.edge_index, batch.batch))

    def test_a_ready_made_network_is_cut_at_its_layers(self):
        model, graph = made(gnn.GraphSAGE, 6, 8, 3, out_channels=2), one_graph()
        segments = split(model, ("convs.1", "convs.2"))
        assert len(segments) == 3
        torch.testing.assert_close(run(segments, graph), model(graph.x, graph.edge_index), rtol=0, atol=0)

    def test_gradients_stop_at_the_cuts(self):
        model, batch = made(OnData), GraphSamples(graphs())[:]
        first, second = split(model, ("second",))
        second(first(batch, batch).detach(), batch).sum().backward()
        assert all(parameter.grad is None for parameter in model.first.parameters())
        assert all(parameter.grad is not None for parameter in model.second.parameters())

    def test_a_skip_connection_over_a_cut_is_refused(self):
        class Skipping(nn.Module):
            def __init__(self):
                super().__init__()
                self.first, self.second, self.third = gnn.GCNConv(6, 8), gnn.GCNConv(8, 8), gnn.GCNConv(8, 2)

            def forward(self, data):
                early = self.first(data.x, data.edge_index).relu()
                late = self.second(early, data.edge_index).relu()
                return self.third(late, data.edge_index) + early[:, :2]

        with pytest.raises(ValueError, match=r"cross the cut at 'third', found 2 .* skip connection over the cut"):
            split(Skipping(), ("third",))
        split(Skipping(), ("second",))  # both ways begin behind this cut

    def test_raw_features_may_be_read_behind_a_cut_and_carry_no_gradient(self):
        class Jumping(OnTensors):
            def forward(self, x, edge_index):
                hidden = self.first(x, edge_index).relu()
                return self.out(torch.cat([self.second(hidden, edge_index), x], dim=1)[:, :4])

        model, graph = made(Jumping), one_graph()
        assert torch.equal(run(split(model, ("second",)), graph), model(graph.x, graph.edge_index))


class TestFromGraph:
    def test_it_reads_the_arguments_from_the_data(self):
        model, graph = made(OnTensors, of_graphs=False), one_graph()
        assert torch.equal(FromGraph(model)(graph), model(graph.x, graph.edge_index))
        batch = GraphSamples(graphs())[:]
        model = made(OnTensors)
        assert torch.equal(FromGraph(model)(batch), model(batch.x, batch.edge_index, batch.batch))

    def test_an_edge_weight_arrives_and_other_arguments_keep_their_defaults(self):
        class Weighted(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = gnn.GCNConv(6, 2)

            def forward(self, x, edge_index, edge_weight=None, scale=2.0):
                return scale * self.layer(x, edge_index, edge_weight)

        model, graph = made(Weighted), one_graph()
        graph.edge_weight = torch.rand(graph.num_edges, generator=seeded())
        wanted = model(graph.x, graph.edge_index, graph.edge_weight)
        assert torch.equal(FromGraph(model)(graph), wanted)
        assert not torch.equal(wanted, model(graph.x, graph.edge_index))

    def test_a_missing_attribute_is_named(self):
        class Wanting(nn.Module):
            def __init__(self):
                super().__init__()
                self.layer = gnn.GCNConv(6, 2)

            def forward(self, x, edge_index, strength):
                return self.layer(x, edge_index) * strength

        with pytest.raises(ValueError, match=r"cannot take a graph of 30 nodes .*: .*'strength'"):
            fit(made(Wanting), one_graph(), plan="CE", cuts=())


class TestFit:
    @pytest.mark.parametrize("layer", LAYERS)
    def test_graphs_are_learnt_module_by_module(self, layer):
        model, learnt = made(OnData, layer), graphs()
        result = fit(model, learnt, plan="Y,Y,CE", cuts=("second", "hidden"), epochs=40, batch_size=24, lr=1e-2)
        assert result.diverged is None
        batch = GraphSamples(learnt)[:]
        right = float((model.eval()(batch).argmax(dim=1) == torch.arange(24) % 2).float().mean())
        assert result.metrics["train_accuracy"] == pytest.approx(right)
        assert right > 0.9  # the class moves a feature of every node by four standard deviations

    @pytest.mark.parametrize("layer", LAYERS)
    def test_nodes_are_learnt_module_by_module(self, layer):
        class Separate(OnTensors):
            """Neighbours in the ring are of the other class: what a node is itself must get through."""

            def forward(self, x, edge_index):
                return self.out(self.hidden(self.second(self.first(x, edge_index), edge_index)).relu())

        graph = one_graph(120)
        pairs = torch.arange(0, 120, 2)  # only nodes of one class are joined now
        graph.edge_index = torch.cat([
            torch.stack([pairs, pairs.roll(1)]), torch.stack([pairs + 1, pairs.roll(1) + 1])
        ], dim=1)  # fmt: skip
        model = made(Separate, layer)
        result = fit(model, graph, plan="Y,Y,CE", cuts=("second", "hidden"), epochs=60, lr=1e-2)
        hidden = ~graph.train_mask
        right = (model.eval()(graph.x, graph.edge_index).argmax(dim=1) == graph.y).float()
        assert result.metrics["train_accuracy"] == pytest.approx(float(right[graph.train_mask].mean()))
        assert float(right[hidden].mean()) > 0.85

    def weights(self, data, model=OnData, plan="X,Y,CE", cuts=("second", "hidden"), **settings):
        trained = made(model, **settings)
        fit(trained, data, plan=plan, cuts=cuts, epochs=1, batch_size=8)
        return state(trained)

    def test_every_form_of_graphs_is_the_same_training(self):
        learnt = graphs()
        y = torch.tensor([int(graph.y) for graph in learnt])
        wanted = self.weights(learnt)
        for data in ((learnt, y), (learnt, y.numpy()), (tuple(learnt), y), (GraphSamples(learnt), y), DataSet(learnt)):
            assert same(self.weights(data), wanted)
        for graph, label in zip(learnt, y.tolist(), strict=True):
            graph.y = label  # a plain number
        assert same(self.weights(learnt), wanted)

    def test_every_form_of_one_graph_is_the_same_training(self):
        graph = one_graph()
        kept = torch.where(graph.train_mask, graph.y, -1)
        model = partial(OnTensors, of_graphs=False)
        wanted = self.weights(graph, model)
        for data in ((graph, kept), (NodeSamples(graph), kept), (graph, kept.numpy())):
            assert same(self.weights(data, model), wanted)
        assert not same(self.weights((graph, graph.y), model), wanted)  # given classes count, whatever the mask says

    def test_labels_outside_the_mask_teach_nothing(self):
        graph, model = one_graph(), partial(OnTensors, of_graphs=False)
        wanted = self.weights(graph, model)
        graph.y = torch.where(graph.train_mask, graph.y, 1 - graph.y)
        assert same(self.weights(graph, model), wanted)

    def test_graphs_without_labels_train_label_free_modules(self):
        learnt = [pyg.Data(x=graph.x, edge_index=graph.edge_index) for graph in graphs()]
        for data in (learnt, (learnt, None), (GraphSamples(learnt), None), GraphSamples(learnt)):
            result = fit(made(OnData), data, plan="X:dgi,X:infograph,frozen", cuts=("second", "hidden"), epochs=1)
            assert "train_accuracy" not in result.metrics
        with pytest.raises(TypeError, match="needs class labels, got y=None"):
            fit(made(OnData), learnt, plan="X,Y,CE", cuts=("second", "hidden"))

    def test_a_graph_without_a_class_among_others_is_unlabelled(self):
        learnt = graphs()
        y = torch.arange(24) % 2
        given = [pyg.Data(x=g.x, edge_index=g.edge_index, y=y[n : n + 1]) for n, g in enumerate(learnt)]
        for graph in given[6:]:
            graph.y = None
        models = made(OnData), made(OnData)
        cuts = {"plan": "X:infograph,Y,CE", "cuts": ("second", "hidden"), "epochs": 1}
        fit(models[0], given, **cuts)
        fit(models[1], (learnt, torch.where(torch.arange(24) < 6, y, -1)), **cuts)
        assert same(*(list(model.state_dict().values()) for model in models))

    def test_forward_forward_of_rows_refuses_nodes(self):
        with pytest.raises(ValueError, match="use Y:graph-forward-forward"):
            fit(made(OnTensors, of_graphs=False), one_graph(), plan="Y:forward-forward,Y,Y,CE", epochs=1)

    def test_unlabelled_graphs_serve_the_label_free_modules(self):
        learnt, y = graphs(), torch.arange(24) % 2
        few = torch.where(torch.arange(24) < 6, y, -1)
        all_known, few_known = made(OnData), made(OnData)
        for model, labels in ((all_known, y), (few_known, few)):
            fit(model, (learnt, labels), plan="X,Y,CE", cuts=("second", "hidden"), epochs=2, batch_size=8)
        assert same(state(all_known.first), state(few_known.first))
        assert not same(state(all_known.second), state(few_known.second))

    def test_auto_tries_every_assignment(self):
        tried = {"Y,Y,CE", "X,Y,CE", "X,X,CE"}
        settings = {"plan": "auto", "cuts": ("second", "hidden"), "epochs": 2}
        assert set(fit(made(OnData), graphs(), **settings).assignments) == tried
        node_model = made(OnTensors, of_graphs=False)
        assert set(fit(node_model, one_graph(), **settings).assignments) == tried

    def test_the_callers_graphs_modes_and_global_stream_are_as_they_were(self):
        learnt = graphs()
        before = [graph.clone() for graph in learnt]
        model, stream = made(OnData), torch.get_rng_state()
        model.drop.eval()
        fit(model, learnt, plan="X:views,Y,CE", cuts=("second", "hidden"), epochs=1)
        assert torch.equal(torch.get_rng_state(), stream)
        assert (model.training, model.drop.training) == (True, False)
        for graph, old in zip(learnt, before, strict=True):
            assert set(graph.keys()) == set(old.keys())
            assert all(torch.equal(graph[key], old[key]) for key in old.keys())

    def test_weights_of_double_precision_get_features_of_theirs(self):
        model = made(OnData).double()
        assert fit(model, graphs(), plan="Y,CE", cuts=("hidden",), epochs=1).diverged is None

    def test_settled_statistics_are_those_of_all_nodes(self):
        model, rows = made(OnData), GraphSamples(graphs())
        plan = Plan.layerwise(model, ("second", "hidden"), "frozen,Y,CE", optimizer=adam)
        update_batch_norm(plan, rows, batch_size=24)
        hidden = model.first(rows[:].x, rows[:].edge_index)
        torch.testing.assert_close(model.norm.running_mean, hidden.mean(dim=0))
        torch.testing.assert_close(model.norm.running_var, hidden.var(dim=0))


class DataSet(torch.utils.data.Dataset):
    """What torch_geometric's data sets are: no list, but with a length and items."""

    def __init__(self, held):
        self.held = held

    def __len__(self):
        return len(self.held)

    def __getitem__(self, number):
        return self.held[number]


def changed(number=0, **attributes):
    learnt = graphs(6)
    for key, value in attributes.items():
        learnt[number][key] = value
    return learnt


class TestBadData:
    @pytest.mark.parametrize(
        ("data", "error", "message"),
        [
            (changed(2, x=torch.full((5, 6), torch.nan)), ValueError, "graph 2: node features x must be finite"),
            (
                changed(2, edge_attr=torch.tensor([[torch.nan]])),
                ValueError,
                "graph 2: edge_attr must be finite, got NaN",
            ),
            (changed(2, edge_weight=torch.tensor([torch.inf])), ValueError, "graph 2: edge_weight must be finite"),
            (changed(1, x=torch.ones(4, 6, dtype=torch.int64)), TypeError, "graph 1: .* real-valued, got torch.int64"),
            (changed(1, x=torch.zeros(4, 5)), ValueError, "must have equally many node features|'x' graph 0"),
            (
                changed(3, edge_index=torch.tensor([[0], [6]])),
                ValueError,
                "graph 3: edge_index must lie in 0 to 5, got",
            ),
            (changed(3, edge_index=torch.zeros(2, 4)), TypeError, "graph 3: edge_index must be an int64 tensor"),
            (changed(0, edge_index=None), TypeError, "graph 0: edge_index must be .*, got NoneType"),
            (changed(2, y=torch.tensor([0, 1])), ValueError, r"its one target, .* got shape \(2,\) for graph 2"),
            (changed(2, y="mutagen"), ValueError, "its one target, .* got str for graph 2"),
            ([*graphs(3), "graph"], TypeError, "graph 3: must be a torch_geometric Data object, got str"),
            ((graphs(6), torch.zeros(5).long()), ValueError, r"a class for each graph, 6 in all, got \(5,\)"),
            ((graphs(6), torch.zeros(6, 2)), TypeError, r"CrossEntropy: takes classes .* got torch.float32 of shape"),
            ((graphs(6), torch.zeros(6)), TypeError, "takes classes or several labels a sample, got torch.float32"),
            ((graphs(6), torch.full((6,), -1)), ValueError, "every row is unlabelled"),
            ((one_graph(), torch.zeros(5).long()), ValueError, r"each node of the graph, 30 in all, got \(5,\)"),
            (
                [one_graph()],
                ValueError,
                r"got shape \(30,\) for graph 0. The classes of the nodes of one graph: give the",
            ),
            (
                graphs(6)[0].x,
                TypeError,
                "data must be the pair .*, or torch_geometric graphs, one or a list, got Tensor",
            ),
            ([], TypeError, "data must be the pair"),
        ],
    )
    def test_it_is_refused(self, data, error, message):
        with pytest.raises(error, match=message):
            fit(made(OnData), data, plan="X,Y,CE", cuts=("second", "hidden"), epochs=1)

    def test_a_mask_of_several_splits_is_refused(self):
        graph = one_graph()
        graph.train_mask = torch.ones(30, 10, dtype=torch.bool)
        with pytest.raises(
            ValueError, match=r"train_mask must say of each node .* got shape \(30, 10\) for y of shape"
        ):
            fit(made(OnTensors, of_graphs=False), graph, plan="Y,CE", cuts=("out",))

    def test_features_of_another_width_than_the_model_takes_are_named(self):
        learnt = [pyg.Data(x=graph.x[:, :5], edge_index=graph.edge_index, y=graph.y) for graph in graphs(6)]
        with pytest.raises(ValueError, match=r"cannot take a graph of 25 nodes with 5 features and 50 edges"):
            fit(made(OnData), learnt, plan="Y,CE", cuts=("out",))

    def test_rows_that_are_no_graphs_are_named(self):
        with pytest.raises(ValueError, match=r"cannot take a tensor of shape \(8, 6\), torch.float32: .* no attribute"):
            fit(made(OnData), (torch.zeros(8, 6), torch.arange(8) % 2), plan="Y,CE", cuts=("out",))

    def test_a_model_without_parameters_is_refused(self):
        with pytest.raises(ValueError, match="the model has no parameters to train"):
            fit(MeanReadout(), graphs(6))

    @pytest.mark.parametrize("plan", ["X,Y,CE", "X:gmi,X:infograph,CE", "X:dgi,X,CE", "X:graph-renyi,Y:supcon,CE"])
    @pytest.mark.parametrize(
        "kind", ["no edges", "isolated nodes", "single nodes", "self loops", "repeated edges", "one graph"]
    )
    def test_unusual_graphs_are_trained_on(self, kind, plan):
        learnt = graphs(9)
        for graph in learnt:
            if kind in {"no edges", "single nodes"}:
                graph.edge_index = NO_EDGES
            if kind == "single nodes":
                graph.x = graph.x[:1]
            if kind == "isolated nodes":
                graph.x = torch.cat([graph.x, torch.ones(2, 6)])
            if kind == "self loops":
                graph.edge_index = torch.arange(len(graph.x)).repeat(2, 1)
            if kind == "repeated edges":
                graph.edge_index = graph.edge_index.repeat(1, 3)
        learnt = learnt[:1] if kind == "one graph" else learnt
        if kind == "one graph" and plan == "X:gmi,X:infograph,CE":
            pytest.skip("other graphs of the batch are what InfoGraph compares with")
        result = fit(made(OnData), learnt, plan=plan, cuts=("second", "hidden"), epochs=2, batch_size=4)
        assert result.diverged is None
        assert all(torch.isfinite(value).all() for value in result.plan[2].body.state_dict().values())

    def test_without_torch_geometric_the_way_to_it_is_named(self, monkeypatch):
        learnt, model = graphs(6), made(OnData)
        for name in [name for name in sys.modules if name.partition(".")[0] == "torch_geometric"]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, "torch_geometric", None)
        with pytest.raises(ModuleNotFoundError, match=r"pip install 'infotorch\[graph\]'"):
            fit(model, learnt, plan="CE", cuts=())

    @pytest.mark.parametrize("kind", ["memory", "disk"])
    def test_there_is_no_cache_for_batches_of_graphs(self, kind):
        plan = Plan.layerwise(made(OnData), ("hidden",), "Y,CE", optimizer=adam)
        batches = TensorBatches(GraphSamples(graphs()), torch.arange(24) % 2, batch_size=8)
        with pytest.raises(
            ValueError,
            match=r"a cache needs batches that hold their samples in memory, .*; batches of many graphs have none",
        ):
            train(plan, batches, epochs=1, cache=kind)

    @pytest.mark.parametrize("kind", ["memory", "disk"])
    def test_the_nodes_of_one_graph_have_one(self, kind):
        graph, results = one_graph(), []
        for cache in (None, kind):
            model = made(OnTensors, of_graphs=False)
            plan = Plan.layerwise(model, ("second", "hidden"), "X:dgi,Y,CE", optimizer=adam)
            list(train(plan, NodeBatches(NodeSamples(graph), graph.y), epochs=3, cache=cache))
            results.append(state(model))
        assert same(*results)


class TestLoop:
    def by_hand(self, model, batches, epochs):
        """End to end, as anybody would write it."""
        optimizer = adam(model.parameters())
        model.train()
        for epoch in range(epochs):
            for data, y, _ in batches.epoch(epoch):
                optimizer.zero_grad()
                nn.functional.cross_entropy(model(data), y, ignore_index=-1).backward()
                optimizer.step()

    @pytest.mark.parametrize("layer", LAYERS)
    def test_end_to_end_it_is_the_hand_written_loop_bit_for_bit(self, layer):
        models = [made(OnData, layer), made(OnData, layer)]
        for model in models:
            model.drop.p = 0.0  # noise has streams of its own
        learnt, y = graphs(), torch.arange(24) % 2
        ours = TensorBatches(GraphSamples(learnt), y, batch_size=7, seed=3)
        list(train(Plan.end_to_end(models[0], optimizer=adam), ours, epochs=4))
        self.by_hand(models[1], OwnBatches(learnt, y, ours), epochs=4)
        assert same(state(models[0]), state(models[1]))

    def test_so_it_is_on_the_nodes_of_one_graph(self):
        models = [made(OnTensors, of_graphs=False), made(OnTensors, of_graphs=False)]
        graph = one_graph()
        y = torch.where(graph.train_mask, graph.y, -1)
        batches = NodeBatches(NodeSamples(graph), y)
        list(train(Plan.end_to_end(models[0], optimizer=adam), batches, epochs=5))
        optimizer = adam(models[1].parameters())
        for _ in range(5):
            optimizer.zero_grad()
            scores = models[1](graph.x, graph.edge_index)[graph.train_mask]
            nn.functional.cross_entropy(scores, graph.y[graph.train_mask]).backward()
            optimizer.step()
        for ours, theirs in zip(state(models[0]), state(models[1]), strict=True):
            torch.testing.assert_close(ours, theirs)

    @pytest.mark.parametrize("order", ["sequential", "simultaneous"])
    def test_going_on_from_a_checkpoint_is_bit_for_bit(self, order):
        def begin():
            model = made(OnData)
            plan = Plan.layerwise(model, ("second", "hidden"), "X:dgi,Y:supcon+Y,CE", order=order, optimizer=adam)
            batches = TensorBatches(GraphSamples(graphs()), torch.arange(24) % 2, batch_size=10)
            plan.prepare(batches, epochs=2, seed=0)
            return model, plan, batches

        model, plan, batches = begin()
        copied = []
        for info in train(plan, batches, epochs=2):
            kept = torch.utils._pytree.tree_map(lambda v: v.clone() if torch.is_tensor(v) else v, plan.state_dict())
            copied.append((info.next, kept))
        for position, kept in copied[:-1:2]:
            again, plan, batches = begin()
            plan.load_state_dict(kept)
            list(train(plan, batches, epochs=2, start=position))
            assert same(state(again), state(model))

    def test_held_out_numbers_are_means_over_graphs(self):
        learnt = graphs(30)
        model, rows, y = made(OnData), GraphSamples(learnt), torch.arange(30) % 2
        plan = Plan.layerwise(model, ("second", "hidden"), "Y,Y,CE", optimizer=adam)
        plan.prepare(TensorBatches(rows, y, batch_size=10), epochs=1, seed=0)
        found = evaluate_modules(plan, rows, y, [0, 1, 2])
        model.eval()
        wanted = nn.functional.cross_entropy(model(rows[:]), y).item()
        assert found["hidden"]["cross_entropy_nats"] == pytest.approx(wanted, rel=1e-5)
        right = float((model(rows[:]).argmax(dim=1) == y).float().mean())
        assert found["hidden"]["accuracy"] == pytest.approx(right)
        assert accuracy(model, rows, y) == pytest.approx(right)
        hidden = plan.outputs(rows[:])[0]
        means = torch.stack([hidden[rows[:].batch == number].mean(dim=0) for number in range(30)])
        scores = plan[0].objective.scores(means)
        assert found["first"]["accuracy"] == pytest.approx(float((scores.argmax(dim=1) == y).float().mean()))


class OwnBatches:
    """The same order of graphs, in batches that torch_geometric makes."""

    def __init__(self, learnt, y, order):
        self.learnt, self.y, self.order = learnt, y, order

    def epoch(self, epoch):
        for _, y, rows in self.order.epoch(epoch):
            assert torch.equal(y, self.y[rows])
            yield pyg.Batch.from_data_list([self.learnt[k] for k in rows.tolist()]), y, rows


class Watching(Objective):
    """Keeps what it sees; minimises the output's length."""

    def __init__(self, *, knows_graphs, reads_labels):
        super().__init__()
        self.knows_graphs, self.reads_labels = knows_graphs, reads_labels
        self.seen = []

    def forward(self, batch: LocalBatch) -> Loss:
        self.seen.append(batch)
        return Loss(batch.output.square().mean(), {})


def watched(place, *, knows_graphs, reads_labels=False):
    watching = Watching(knows_graphs=knows_graphs, reads_labels=reads_labels)
    objectives = [watching if number == place else "frozen" for number in range(3)]
    model, rows = made(OnData), GraphSamples(graphs(8))
    model.drop.p = 0.0
    plan = Plan.layerwise(model, ("second", "hidden"), objectives, optimizer=adam)
    batches = TensorBatches(rows, torch.arange(8) % 2, batch_size=8, shuffle=False)
    list(train(plan, batches, epochs=1))
    return watching.seen[0], rows[:]


class TestWhatObjectivesSee:
    def test_one_that_knows_graphs_sees_nodes_and_who_is_joined_to_whom(self):
        for place, rows in ((0, "nodes"), (2, "graphs")):
            batch, data = watched(place, knows_graphs=True)
            assert torch.equal(batch.x, data.x)
            assert len(batch.output) == (len(data.x) if rows == "nodes" else 8)
            assert torch.equal(batch.graph.edge_index, data.edge_index)
            assert torch.equal(batch.graph.graph_index, data.batch)
            assert batch.y.tolist() == [0, 1] * 4

    def test_one_that_does_not_sees_nodes_as_rows_before_the_read_out(self):
        batch, data = watched(0, knows_graphs=False)
        assert torch.equal(batch.x, data.x)
        assert torch.equal(batch.module_input, data.x)
        assert len(batch.output) == len(data.x)

    def test_where_labels_count_it_sees_the_means_over_the_nodes_of_each_graph(self):
        nodes, data = watched(0, knows_graphs=True)
        pooled, _ = watched(0, knows_graphs=False, reads_labels=True)
        for name in ("x", "module_input", "output"):
            torch.testing.assert_close(getattr(pooled, name), global_mean_pool(getattr(nodes, name), data.batch))

    def test_behind_the_read_out_it_sees_the_mean_features_of_graphs(self):
        batch, data = watched(2, knows_graphs=False)
        torch.testing.assert_close(batch.x, global_mean_pool(data.x, data.batch))
        assert len(batch.module_input) == len(batch.output) == 8

    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_encode_of_several_copies_is_each_copy_encoded(self, place):
        class Encoding(Watching):
            def forward(self, batch):
                features = [data.x * factor for factor in (1.0, 0.5, -2.0)]
                together = batch.encode(torch.cat(features))
                apart = torch.cat([batch.encode(x) for x in features])
                torch.testing.assert_close(together, apart)
                torch.testing.assert_close(batch.encode(features[0]), batch.output)
                return super().forward(batch)

        data = GraphSamples(graphs(8))[:]
        watching = Encoding(knows_graphs=True, reads_labels=False)
        objectives = [watching if number == place else "frozen" for number in range(3)]
        model = made(OnData)
        model.drop.p, model.norm = 0.0, nn.LayerNorm(8)  # an output is a function of its own graph
        plan = Plan.layerwise(model, ("second", "hidden"), objectives, optimizer=adam)
        y = torch.arange(8) % 2
        list(train(plan, TensorBatches(GraphSamples(graphs(8)), y, batch_size=8, shuffle=False), epochs=1))
        assert len(watching.seen) == 1


def path_batch(output, y, *, encode=None):
    """Three nodes in a path and two joined."""
    graph = GraphStructure(torch.tensor([[0, 1, 3], [1, 2, 4]]), torch.tensor([0, 0, 0, 1, 1]), 2)
    x = torch.tensor([[3.0], [6.0], [0.0], [1.0], [5.0]])
    settings = {} if encode is None else {"encode": encode}
    return LocalBatch(x, 10 * x, output, y, graph=graph, **settings)


class TestPaired:
    nodes = torch.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 0.0], [2.0, 2.0], [4.0, -2.0]])
    means = torch.tensor([[3.0, 2.0], [3.0, 0.0]])  # by hand

    def test_nodes_with_labels_of_graphs_are_means_of_graphs(self):
        seen = path_batch(self.nodes, torch.tensor([1, 0])).paired(with_labels=True)
        assert torch.equal(seen.output, self.means)
        assert seen.x.flatten().tolist() == [3.0, 3.0]
        assert seen.module_input.flatten().tolist() == [30.0, 30.0]
        assert seen.y.tolist() == [1, 0]
        assert seen.graph is None

    def test_nodes_without_labels_or_with_their_own_are_rows(self):
        batch = path_batch(self.nodes, torch.tensor([1, 0]))
        assert batch.paired(with_labels=False) is batch
        batch = path_batch(self.nodes, torch.arange(5))
        assert batch.paired(with_labels=True) is batch

    def test_graphs_are_paired_with_mean_features_whatever_counts(self):
        for with_labels in (False, True):
            seen = path_batch(self.means, torch.tensor([1, 0])).paired(with_labels=with_labels)
            assert seen.output is self.means
            assert seen.x.flatten().tolist() == [3.0, 3.0]

    def test_rows_that_are_independent_stay_so(self):
        batch = LocalBatch(self.nodes, self.nodes, self.nodes, None)
        assert batch.paired(with_labels=True) is batch

    def test_means_of_graphs_are_no_inputs(self):
        batch = path_batch(self.nodes, torch.tensor([1, 0]), encode=lambda x: x @ torch.ones(1, 2))
        assert batch.paired(with_labels=False).encode(batch.x).tolist() == (batch.x @ torch.ones(1, 2)).tolist()
        with pytest.raises(ValueError, match=r"these are means over the nodes of graphs, .* use one that knows graphs"):
            batch.paired(with_labels=True).encode(batch.x)

    def test_an_objective_that_would_encode_means_is_refused(self):
        with pytest.raises(ValueError, match="such as X:infograph or Y:graph-forward-forward"):
            fit(made(OnData), graphs(), plan="Y:forward-forward,frozen,frozen", cuts=("second", "hidden"), epochs=1)

    @pytest.mark.parametrize(
        ("reads_labels", "needs_labels", "knows_graphs", "rows"),
        [(None, True, False, 2), (None, False, False, 5), (True, False, False, 2), (False, True, False, 5),
         (None, True, True, 5)],
    )  # fmt: skip
    def test_what_an_objective_says_of_itself_decides(self, reads_labels, needs_labels, knows_graphs, rows):
        objective = Watching(knows_graphs=knows_graphs, reads_labels=reads_labels)
        objective.needs_labels = needs_labels
        objective(path_batch(self.nodes, torch.tensor([1, 0])))
        assert len(objective.seen[0].output) == rows

    @pytest.mark.parametrize("together", [SumOfObjectives, ParallelObjectives])
    def test_each_part_of_several_sees_what_it_reads(self, together):
        first, second = Watching(knows_graphs=False, reads_labels=True), Watching(knows_graphs=True, reads_labels=False)
        together([first, second])(path_batch(self.nodes, torch.tensor([1, 0])))
        width = 2 if together is SumOfObjectives else 1
        assert torch.equal(first.seen[0].output, self.means[:, :width])
        assert torch.equal(second.seen[0].output, self.nodes[:, -width:])
        assert second.seen[0].graph is not None

    def test_critics_see_what_their_objective_sees(self):
        class Critical(Watching):
            critic_steps = 1

            def build(self, example, labels):
                self.built, self.critic = example, nn.Linear(5, 1)

            def critics(self):
                return [self.critic]

            def critic_loss(self, batch):
                self.told = batch
                return self.critic(batch.output).square().mean()

        objective = Critical(knows_graphs=False, reads_labels=True)
        plan = Plan.layerwise(made(OnData), ("second", "hidden"), ["frozen", objective, "frozen"], optimizer=adam)
        list(train(plan, TensorBatches(GraphSamples(graphs(8)), torch.arange(8) % 2, batch_size=8), epochs=1))
        for batch in (objective.built, objective.told, objective.seen[0]):
            assert len(batch.output) == len(batch.x) == len(batch.module_input) == 8


class TwoConvolutions(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = gnn.GCNConv(5, 8), gnn.GCNConv(8, 2)

    def forward(self, x, edge_index):
        return self.second(self.first(x, edge_index).relu(), edge_index)


def test_a_loaded_graph_is_its_training_part():
    """All nodes, of which those of validation and test are unlabelled: weight for weight as the part itself."""
    torch.manual_seed(0)
    nodes = torch.arange(12)
    edges = torch.stack([nodes[:-1], nodes[1:]])
    loaded = Graph(
        "path", torch.randn(12, 5), torch.cat([edges, edges.flip(0)], 1), nodes % 2, nodes[:6], nodes[6:9], nodes[9:],
        num_classes=2,
    )  # fmt: skip
    weights = []
    for data in (loaded, graphs_as_dataset(loaded).train):
        torch.manual_seed(1)
        model = TwoConvolutions()
        result = fit(model, data, plan="Y,CE", epochs=2, validation=graphs_as_dataset(loaded).validation)
        weights.append([weight.detach().clone() for weight in model.parameters()])
        assert 0 <= result.evaluate(graphs_as_dataset(loaded).test)["accuracy"] <= 1
    assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))
