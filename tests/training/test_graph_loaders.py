"""Graphs from torch_geometric's loaders: batches of graphs, and parts of one graph around its samples."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from infotorch import Plan, fit, train

gnn = pytest.importorskip("torch_geometric.nn")
from torch_geometric.data import Batch, Data  # noqa: E402
from torch_geometric.loader import DataLoader as GraphLoader  # noqa: E402
from torch_geometric.utils import k_hop_subgraph  # noqa: E402


class Network(nn.Module):
    def __init__(self, pooled=False):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.pooled = gnn.GCNConv(4, 8), gnn.GCNConv(8, 2), pooled

    def forward(self, x, edge_index, batch=None):
        h = self.second(self.first(x, edge_index).relu(), edge_index)
        return gnn.global_mean_pool(h, batch) if self.pooled else h


def one_graph(nodes=40, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(nodes, 4, generator=generator)
    edges = torch.randint(0, nodes, (2, 3 * nodes), generator=generator)
    return Data(x=x, edge_index=torch.cat([edges, edges.flip(0)], 1).unique(dim=1), y=(x[:, 0] > 0).long())


def graphs(count=12):
    made = [one_graph(5 + number % 3, seed=number) for number in range(count)]
    for number, graph in enumerate(made):
        graph.y = torch.tensor([number % 2])
    return made


def around(graph, hops=2, **options):
    """Batches as NeighborLoader gives them with all neighbours: the samples first, then what is near them."""

    def part(rows):
        seeds = torch.tensor(rows)
        near = k_hop_subgraph(seeds, hops, graph.edge_index, num_nodes=len(graph.x))[0]
        order = torch.cat([seeds, near[~torch.isin(near, seeds)]])
        number = torch.full((len(graph.x),), -1)
        number[order] = torch.arange(len(order))
        edges = number[graph.edge_index]
        edges = edges[:, (edges >= 0).all(0)]
        return Data(
            x=graph.x[order], edge_index=edges, y=graph.y[order], n_id=order, input_id=seeds, batch_size=len(seeds)
        )

    return DataLoader(range(len(graph.x)), collate_fn=part, **options)


class Outward(nn.Module):
    """Nodes send to whom they point at, with a weight that no degree changes: two hops are all that a sample sees."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = gnn.GraphConv(4, 8, aggr="mean"), gnn.GraphConv(8, 2, aggr="mean")

    def forward(self, x, edge_index):
        return self.second(self.first(x, edge_index).relu(), edge_index)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def step_of(data, model):
    """The weights after one step of gradient descent: that many gradients."""
    plan = Plan.end_to_end(model, "CE", optimizer=lambda p: torch.optim.SGD(p, lr=1.0))
    next(iter(train(plan, data, epochs=1)))
    return weights(model)


def test_all_neighbours_give_the_gradient_of_the_whole_graph():
    graph = one_graph()
    whole = step_of(graph, Outward())
    assert torch.allclose(step_of(around(graph, batch_size=40), Outward()), whole, atol=1e-6)
    some = one_graph()
    some.train_mask = torch.arange(40) < 10
    wanted = step_of(some, Outward())
    assert torch.allclose(step_of(around(graph, batch_size=10), Outward()), wanted, atol=1e-6)
    assert not torch.allclose(whole, wanted, atol=1e-3)


def test_the_classes_of_neighbours_are_never_seen():
    graph, other = one_graph(), one_graph()
    other.y = other.y.clone()
    other.y[10:] = 1 - other.y[10:]
    assert torch.equal(
        step_of(around(graph, batch_size=10), Outward()), step_of(around(other, batch_size=10), Outward())
    )


def test_a_cut_network_learns_from_parts_of_a_graph():
    loader = around(one_graph(), batch_size=8, shuffle=True)
    result = fit(Outward(), loader, plan="Y,CE", cuts=["second"], epochs=30, lr=1e-2)
    assert result.metrics["train_accuracy"] > 0.7


@pytest.mark.parametrize("plan", ["CE", "Y,CE"])
def test_a_loader_of_graphs_a_batch_and_a_list_are_the_same_samples(plan):
    cuts = () if plan == "CE" else ("second",)
    trained = []
    for data in (GraphLoader(graphs(), batch_size=12), graphs(), Batch.from_data_list(graphs())):
        model = Network(pooled=True)
        result = fit(model, data, plan=plan, cuts=cuts, epochs=3, batch_size=12, lr=1e-2)
        assert 0 <= result.metrics["train_accuracy"] <= 1
        trained.append(weights(model))
    assert torch.equal(trained[1], trained[2])
    assert torch.allclose(trained[0], trained[1], atol=1e-5)  # another order within the one batch


def test_a_pair_of_a_batch_and_the_classes_of_its_graphs():
    trained = []
    for data in ((graphs(), [0, 1] * 6), (Batch.from_data_list(graphs()), torch.tensor([0, 1] * 6))):
        model = Network(pooled=True)
        fit(model, data, plan="CE", cuts=(), epochs=1)
        trained.append(weights(model))
    assert torch.equal(*trained)


def test_real_targets_of_graphs():
    made = graphs()
    for graph in made:
        graph.y = graph.x.mean().repeat(1, 2)
    result = fit(Network(pooled=True), GraphLoader(made, batch_size=4), plan=[nn.MSELoss()], cuts=(), epochs=1)
    assert result.diverged is None


def test_a_list_takes_the_targets_that_a_loader_of_it_takes():
    generator = torch.Generator().manual_seed(3)
    kinds = (lambda: torch.randn(1, 2, generator=generator), lambda: torch.tensor([[0, 1]]))
    for draw in kinds:
        made = graphs()
        for graph in made:
            graph.y = draw()
        trained = []
        for data in (made, GraphLoader(made, batch_size=len(made)), (made, torch.cat([graph.y for graph in made]))):
            model = Network(pooled=True)
            result = fit(model, data, cuts=(), epochs=2, optimizer=lambda p: torch.optim.SGD(p, lr=0.1))
            trained.append([*weights(model).flatten().tolist(), *result.metrics.values()])
        assert trained[1] == pytest.approx(trained[0], abs=1e-5)  # the order of the graphs is another
        assert trained[2] == pytest.approx(trained[0], abs=1e-5)


@pytest.mark.parametrize("targets", [torch.tensor([1.5, 2.5]), torch.tensor([0, 1])])
def test_vectors_of_one_length_are_the_rows_of_the_graphs_of_a_list(targets):
    """Sizes are 5, 6 and 7 nodes: no vector of two can be of them."""
    metrics = []
    for shape in ((2,), (1, 2)):
        made = graphs()
        for number, graph in enumerate(made):
            graph.y = None if number == 3 else targets.roll(number).reshape(shape)
        metrics.append(fit(Network(pooled=True), made, cuts=(), epochs=2).metrics)
    assert metrics[0] == metrics[1]


def test_vectors_as_long_as_some_graphs_but_not_all_are_their_rows():
    made = [one_graph(nodes, seed=nodes) for nodes in (2, 5, 2, 6)]
    for graph in made:
        graph.y = torch.tensor([1.5, 2.5])
    assert "train_mse" in fit(Network(pooled=True), made, plan="MSE", cuts=(), epochs=1).metrics


@pytest.mark.parametrize("sizes", [(5, 5, 5), (5, 6, 7)])
def test_classes_of_the_nodes_of_listed_graphs_are_refused(sizes):
    made = [one_graph(nodes, seed=nodes) for nodes in sizes]
    words = r"^fit: y of each graph must be its one target, or a row \(1, targets\) .* got shape \(5,\) for graph 0\."
    with pytest.raises(ValueError, match=words):
        fit(Network(), made, plan="CE", cuts=())


def test_a_loader_joins_vectors_of_targets_and_says_which_it_keeps_apart():
    made = graphs()
    for graph in made:
        graph.y = torch.tensor([1.5, 2.5])
    with pytest.raises(ValueError, match=r"got shape \(24,\); several targets of a graph are its row \(1, targets\)"):
        fit(Network(pooled=True), GraphLoader(made, batch_size=12), plan="MSE", cuts=())


def test_a_graph_of_a_list_without_real_targets_teaches_nothing():
    made, fewer = graphs(), graphs()[1:]
    for held in (made, fewer):
        for graph in held:
            graph.y = torch.tensor([[1.5, 2.5]])
    made[0].y = None
    scores = [fit(Network(pooled=True), held, plan="MSE", cuts=(), epochs=1, lr=0.0).metrics for held in (made, fewer)]
    assert scores[0]["train_mse"] == pytest.approx(scores[1]["train_mse"])


def test_several_targets_of_nodes_and_their_mask():
    graph = one_graph(5)
    graph.y, graph.train_mask = torch.arange(10.0).reshape(5, 2), torch.arange(5) < 3
    masked = fit(Network(), graph, plan="MSE", cuts=(), epochs=1, lr=0.0).metrics
    given = (graph, torch.where(graph.train_mask[:, None], graph.y, torch.nan))
    assert masked == fit(Network(), given, plan="MSE", cuts=(), epochs=1, lr=0.0).metrics


def test_graphs_without_targets_learn_where_none_is_needed():
    made = graphs()
    for graph in made:
        del graph.y
    for data in (made, GraphLoader(made, batch_size=4)):
        assert fit(Network(pooled=True), data, plan="X", cuts=(), epochs=1).diverged is None
        assert fit(Network(pooled=True), data, cuts=(), epochs=1).diverged is None
        with pytest.raises((TypeError, ValueError), match=r"^CrossEntropy: [^\n]*label"):
            fit(Network(pooled=True), data, plan="CE", cuts=(), epochs=1)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"y": torch.zeros(3).long()}, r"y must have a target for each of 1 graphs or 5 nodes, got shape \(3,\)"),
        ({"x": torch.full((5, 4), torch.nan)}, "node features x must be finite"),
        ({"y": torch.zeros(5).long(), "train_mask": torch.ones(3).bool()}, "train_mask must say of each node"),
    ],
)
def test_what_no_graph_network_can_learn_from_is_told_in_one_line(change, words):
    graph = one_graph(5)
    for name, value in change.items():
        graph[name] = value
    with pytest.raises(ValueError, match=f"^fit: .*{words}"):
        fit(Network(), DataLoader([graph], batch_size=None), plan="CE", cuts=())
