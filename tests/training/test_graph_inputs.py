"""What users' own graphs hold: classes of any type, outputs and labels of other things."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from infotorch import Plan, fit, train
from infotorch.data.graphs import GraphSamples, GraphStructure, NodeSamples
from infotorch.objectives.base import LocalBatch
from infotorch.training.evaluate import accuracy

pyg = pytest.importorskip("torch_geometric.data")
gnn = pytest.importorskip("torch_geometric.nn")


def one_graph(y, nodes=12, **more):
    generator = torch.Generator().manual_seed(nodes)
    x, edges = torch.randn(nodes, 3, generator=generator), torch.randint(nodes, (2, 30), generator=generator)
    return pyg.Data(x=x, edge_index=edges, y=y, **more)


class Nodes(nn.Module):
    """A row for each node."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.first, self.out = gnn.GCNConv(3, 8), nn.Linear(8, 2)

    def forward(self, x, edge_index, batch=None):
        return self.out(self.first(x, edge_index).relu())


class Graphs(Nodes):
    """A row for each graph."""

    def forward(self, x, edge_index, batch=None):
        return self.out(gnn.global_mean_pool(self.first(x, edge_index).relu(), batch))


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.bool])
def test_nodes_outside_the_train_mask_have_no_label_whatever_the_type(dtype):
    """uint8 has no -1: it was class 255."""
    y, mask = torch.arange(12) % 2, torch.arange(12) < 6
    found = [
        fit(Nodes(), one_graph(y.to(kind), train_mask=mask), plan="Y,CE", epochs=3).metrics for kind in (y.dtype, dtype)
    ]
    assert found[0] == found[1]


SPLITS = {"train_mask": torch.arange(12) < 4, "val_mask": torch.arange(12) >= 9}
SPLITS["test_mask"] = ~(SPLITS["train_mask"] | SPLITS["val_mask"])


class TestMasksOfOneGraph:
    """A graph of Planetoid holds three: training reads one, validation another, and `evaluate` the third."""

    def right(self, model, graph):
        """Which nodes the model has right."""
        return (model.eval()(graph.x, graph.edge_index).argmax(dim=1) == graph.y).double()

    @pytest.mark.parametrize("given", [lambda graph: graph, lambda graph: DataLoader([graph], batch_size=None)])
    def test_each_use_reads_its_own(self, given):
        graph, model = one_graph(torch.arange(12) % 2, **SPLITS), Nodes()
        result = fit(model, given(graph), plan="Y,CE", epochs=3, lr=1e-2, validation=given(graph))
        right = self.right(model, graph)
        shares = [float(right[mask].mean()) for mask in SPLITS.values()]
        assert len(set(shares)) == 3
        names = "train_accuracy", "validation_accuracy"
        found = [*(result.metrics[name] for name in names), result.evaluate(given(graph))["accuracy"]]
        assert found == pytest.approx(shares)

    def test_a_pair_has_the_targets_that_it_gives(self):
        graph, model = one_graph(torch.arange(12) % 2, **SPLITS), Nodes()
        result = fit(model, graph, plan="Y,CE", epochs=3, lr=1e-2)
        assert result.evaluate((graph, graph.y))["accuracy"] == pytest.approx(float(self.right(model, graph).mean()))

    def test_none_stands_in_for_another(self):
        graph = one_graph(torch.arange(12) % 2, train_mask=SPLITS["train_mask"])
        with pytest.raises(ValueError, match=r"^fit: validation: the graph has a train_mask and no val_mask"):
            fit(Nodes(), graph, plan="Y,CE", validation=graph)
        result = fit(Nodes(), graph, plan="Y,CE", epochs=1)
        with pytest.raises(ValueError, match=r"^FitResult.evaluate: the graph has a train_mask and no test_mask"):
            result.evaluate(graph)

    @pytest.mark.parametrize("kind", [torch.Tensor.tolist, torch.Tensor.numpy])
    def test_lists_and_arrays_are_masks(self, kind):
        y, mask = torch.arange(12) % 2, SPLITS["train_mask"]
        found = [fit(Nodes(), one_graph(y, train_mask=held), plan="Y,CE").metrics for held in (mask, kind(mask))]
        assert found[0] == found[1]

    def test_names_are_no_mask(self):
        with pytest.raises(TypeError, match=r"^fit: train_mask must hold real numbers, got dtype <U3"):
            fit(Nodes(), one_graph(torch.arange(12) % 2, train_mask=["yes"] * 12), plan="Y,CE")


@pytest.mark.parametrize("kind", [np.int64, lambda label: np.array([label])])
def test_numbers_of_numpy_are_targets_of_graphs(kind):
    found = [
        fit(Graphs(), [one_graph(make(k), nodes=10 + k) for k in range(2)], plan="Y,CE").metrics for make in (int, kind)
    ]
    assert found[0] == found[1]


def test_vectors_of_numpy_are_targets_of_graphs():
    def metrics(kind):
        made = [one_graph(kind(torch.tensor([k, 1.5])), nodes=10 + k) for k in range(2)]
        return fit(Graphs(), made, plan="MSE", cuts=()).metrics

    assert metrics(torch.Tensor.numpy) == metrics(torch.Tensor.clone)


@pytest.mark.parametrize("kind", [torch.Tensor.numpy, torch.Tensor.tolist, torch.Tensor.clone])
def test_a_batch_and_targets_of_any_kind_are_its_graphs(kind):
    made, y = [one_graph(torch.tensor([k]), nodes=10 + k) for k in range(2)], torch.arange(2)
    both = pyg.Batch.from_data_list(made)
    found = fit(Graphs(), (both, kind(y)), plan="Y,CE").metrics
    assert found == fit(Graphs(), made, plan="Y,CE").metrics


@pytest.mark.parametrize("y", [None, torch.tensor([0])])
def test_batches_in_a_list_are_no_graphs(y):
    """Each was one graph of all their nodes."""
    both = [pyg.Batch.from_data_list([one_graph(y, nodes=10 + k) for k in range(2)]) for _ in range(3)]
    with pytest.raises(
        ValueError, match=r"^GraphSamples, graph 0: must be one graph, got a Batch of 2; give the loader"
    ):
        fit(Graphs(), both, plan="X,X")


def test_a_batch_of_one_graph_is_a_graph():
    made = [one_graph(torch.tensor([k]), nodes=10 + k) for k in range(2)]
    alone = [pyg.Batch.from_data_list([graph]) for graph in made]
    assert fit(Graphs(), alone, plan="Y,CE").metrics == fit(Graphs(), made, plan="Y,CE").metrics


@pytest.mark.parametrize("y", [1.0, torch.tensor(1)])
def test_one_number_is_no_target_of_a_batch(y):
    both = pyg.Batch.from_data_list([one_graph(None, nodes=10 + k) for k in range(2)])
    both.y = y
    with pytest.raises(ValueError, match=r"^fit: y must have a class for each node of the graph, 21 in all, got \(\)"):
        fit(Graphs(), both, plan="Y,CE")


def test_nodes_classes_in_a_column_are_named():
    with pytest.raises(ValueError, match=r"y must have a class for each node of the graph, 12 in all, got \(12, 1\)"):
        fit(Nodes(), one_graph(torch.zeros(12, 1, dtype=torch.int64), train_mask=torch.ones(12, dtype=torch.bool)))


def test_two_graphs_in_a_tuple_are_two_graphs():
    graphs = [one_graph(torch.tensor([k]), nodes=10 + k) for k in range(2)]
    assert fit(Graphs(), tuple(graphs), plan="Y,CE").metrics == fit(Graphs(), graphs, plan="Y,CE").metrics


def test_classes_of_graphs_and_scores_of_nodes():
    """Accuracy reads what the cross-entropy read: the mean over each graph's nodes."""
    scores = torch.tensor([[3.0, 0.0], [0.0, 1.0], [0.0, 1.0], [0.0, 1.0]])
    graphs = GraphSamples([
        pyg.Data(x=part, edge_index=torch.zeros(2, 0, dtype=torch.int64)) for part in (scores[:2], scores[2:])
    ])
    assert accuracy(lambda batch: batch.x, graphs, torch.tensor([0, 1])) == 1.0
    assert accuracy(lambda batch: batch.x, graphs, torch.tensor([1, -1])) == 0.0
    many = [one_graph(torch.tensor([k % 2]), nodes=9 + k) for k in range(4)]
    assert "train_accuracy" in fit(Nodes(), many, plan="Y,CE").metrics


def test_classes_of_nodes_and_outputs_of_graphs():
    with pytest.raises(ValueError, match=r"the 12 labels are of nodes, and behind a read-out .* each of 1 graphs"):
        fit(Graphs(), one_graph(torch.arange(12) % 2), plan=["CE"], cuts=())


def test_outputs_of_neither_nodes_nor_graphs():
    structure = GraphStructure(torch.zeros(2, 0, dtype=torch.int64), torch.tensor([0, 0, 0, 1]), 2)
    batch = LocalBatch(torch.zeros(4, 1), torch.zeros(4, 1), torch.zeros(3, 5), None, graph=structure)
    for with_labels in (False, True):
        with pytest.raises(ValueError, match=r"a row for each of 4 nodes or 2 graphs, got \(3, 5\)"):
            batch.paired(with_labels=with_labels)


class TestBatchOfOneGraph:
    """A data object may be several graphs side by side; objectives rely on their order."""

    LOOPS = torch.arange(4).repeat(2, 1)

    def rows(self, batch, edges=LOOPS):
        return NodeSamples(pyg.Data(x=torch.ones(4, 1), edge_index=edges, batch=batch))

    def test_is_kept(self):
        assert self.rows(torch.tensor([0, 0, 1, 1])).graph.to_dict()["batch"].tolist() == [0, 0, 1, 1]

    @pytest.mark.parametrize(
        ("batch", "message"),
        [
            (torch.tensor([0, 1, 0, 1]), "NodeSamples: nodes must be in the order of their graphs"),
            (torch.tensor([-1, 0, 0, 1]), "graph_index must lie in 0 to 1, got -1 to 1"),
            (torch.tensor([0, 0, 1]), r"one number for each of 4 nodes, got torch.int64 of shape \(3,\)"),
            (torch.zeros(4), r"batch must be int64, .* got torch.float32 of shape \(4,\)"),
            ([0, 0, 1, 1], "batch must be int64, .* got list"),
        ],
    )
    def test_must_be_graph_after_graph(self, batch, message):
        with pytest.raises(ValueError, match=message):
            self.rows(batch)

    def test_has_no_edge_between_two(self):
        with pytest.raises(ValueError, match="1 edges join nodes of different graphs"):
            self.rows(torch.tensor([0, 0, 1, 1]), torch.tensor([[1], [2]]))


@pytest.mark.parametrize(
    ("model", "data"),
    [
        (Nodes, lambda: one_graph(torch.arange(12) % 2, train_mask=torch.arange(12) < 6)),
        (Nodes, lambda: (one_graph(None), torch.arange(12) % 2)),
        (Graphs, lambda: [one_graph(torch.tensor([k % 2]), nodes=9 + k) for k in range(4)]),
        (Graphs, lambda: GraphSamples([one_graph(None, nodes=9 + k) for k in range(4)])),
    ],
)
def test_train_takes_graphs_as_fit_does(model, data):
    if isinstance(data := data(), GraphSamples):
        data = (data, torch.tensor([0, 1, 0, 1]))
    fitted, trained = model(), model()
    fit(fitted, data, plan="Y,CE", epochs=2, batch_size=2)
    plan = Plan.layerwise(trained, objectives="Y,CE", optimizer=lambda p: torch.optim.Adam(p, lr=1e-3))
    for _ in train(plan, data, epochs=2, batch_size=2):
        pass
    assert all(torch.equal(a, b) for a, b in zip(fitted.parameters(), trained.parameters(), strict=True))
