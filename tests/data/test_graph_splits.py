import sys

import pytest
import torch

from infotorch.data.graph_splits import graphs_as_dataset
from infotorch.data.graphs import GraphSamples, NodeSamples
from infotorch.data.sets import Graph, GraphSet

pytest.importorskip("torch_geometric")

PATH = torch.tensor([[0, 1, 1, 2, 3, 4], [1, 0, 2, 1, 4, 3]])
Y = torch.tensor([0, 1, 2, 1, 0])


def one_graph():
    x = torch.arange(10.0).reshape(5, 2)
    return Graph("toy", x, PATH, Y, torch.tensor([0, 4]), torch.tensor([1]), torch.tensor([3]), num_classes=3, note="n")


def graph_set():
    """Three nodes in a path, two joined, and one alone."""
    x, of_graph = torch.arange(12.0).reshape(6, 2), torch.tensor([0, 0, 0, 1, 1, 2])
    parts = torch.tensor([2, 0]), torch.tensor([1]), torch.tensor([1])
    return GraphSet("toy", x, PATH, of_graph, None, torch.tensor([1, 0, 1]), *parts, num_classes=2, note="n")


def test_the_nodes_of_one_graph_are_unlabelled_outside_their_split():
    splits = graphs_as_dataset(one_graph())
    assert (splits.name, splits.kind, splits.num_classes, splits.note) == ("toy", "graph", 3, "n")
    assert splits.train.y.tolist() == [0, -1, -1, -1, 0]
    assert splits.validation.y.tolist() == [-1, 1, -1, -1, -1]
    assert splits.test.y.tolist() == [-1, -1, -1, 1, -1]
    assert isinstance(splits.train.x, NodeSamples)
    assert splits.train.x is splits.validation.x is splits.test.x  # every split sees the whole graph
    assert torch.equal(splits.train.x.graph.x, one_graph().x)
    assert torch.equal(splits.train.x.graph.edge_index, PATH)
    assert set(splits.train.x.graph.keys()) == {"x", "edge_index"}


def test_graphs_of_a_split_are_its_rows_with_their_classes():
    splits = graphs_as_dataset(graph_set())
    assert (splits.kind, splits.num_classes) == ("graphs", 2)
    assert isinstance(splits.train.x, GraphSamples)
    assert [len(split) for split in (splits.train, splits.validation, splits.test)] == [2, 1, 1]
    assert splits.train.y.tolist() == [1, 1]
    batch = splits.train.x[:]
    assert torch.equal(batch.x, graph_set().node_features[[5, 0, 1, 2]])
    assert batch.edge_index.tolist() == [[1, 2, 2, 3], [2, 1, 3, 2]]
    assert batch.batch.tolist() == [0, 1, 1, 1]
    assert splits.test.x[:].edge_index.tolist() == [[0, 1], [1, 0]]
    assert splits.test.y.tolist() == [0]


@pytest.mark.parametrize("make", [one_graph, graph_set])
def test_columns_for_labels_are_empty_and_behind_the_features(make):
    loaded = make()
    plain, wider = (graphs_as_dataset(loaded, label_columns=wanted).train.x for wanted in (False, True))
    assert (plain.num_features, wider.num_features) == (2, 2 + loaded.num_classes)
    plain, wider = (rows.graph.x if isinstance(rows, NodeSamples) else rows[:].x for rows in (plain, wider))
    assert torch.equal(wider[:, :2], plain)
    assert not wider[:, 2:].any()


@pytest.mark.parametrize("make", [one_graph, graph_set])
def test_the_loaded_data_are_as_they_were(make):
    loaded = make()
    graphs_as_dataset(loaded, label_columns=True)
    for name, value in vars(make()).items():
        assert torch.equal(getattr(loaded, name), value) if torch.is_tensor(value) else getattr(loaded, name) == value


@pytest.mark.parametrize("make", [one_graph, graph_set])
def test_a_data_set_of_graphs_moves_as_others_do(make):
    splits = graphs_as_dataset(make()).to("cpu")
    assert splits.train.x.device == splits.train.y.device == torch.device("cpu")


@pytest.mark.parametrize("make", [one_graph, graph_set])
def test_without_torch_geometric_the_way_to_it_is_named(monkeypatch, make):
    for name in [name for name in sys.modules if name.partition(".")[0] == "torch_geometric"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch_geometric", None)
    with pytest.raises(ModuleNotFoundError, match=r"training on graphs needs .*: pip install 'infotorch\[graph\]'"):
        graphs_as_dataset(make())


class TestRealSets:
    def test_cora(self, real):
        from infotorch import load

        loaded = load("cora", root=real("cora"))
        splits = graphs_as_dataset(loaded)
        assert splits.train.x.num_features == 1433
        assert [int((split.y >= 0).sum()) for split in (splits.train, splits.validation, splits.test)] == [
            140,
            500,
            1000,
        ]

    def test_mutagenicity_holds_the_graphs_one_by_one(self, real):
        from infotorch import load

        loaded = load("mutagenicity", root=real("mutagenicity"))
        rows = GraphSamples.from_set(loaded, torch.arange(len(loaded.y)))
        generator = torch.Generator().manual_seed(0)
        for number in torch.randint(len(rows), (20,), generator=generator).tolist():
            batch, nodes = rows[torch.tensor([number])], (loaded.graph_index == number).nonzero().flatten()
            assert torch.equal(batch.x, loaded.node_features[nodes])
            own = loaded.graph_index[loaded.edge_index[0]] == number
            assert torch.equal(batch.edge_index, loaded.edge_index[:, own] - nodes[0])
            assert torch.equal(batch.edge_attr, loaded.edge_features[own])


def test_what_is_no_loaded_graph_is_refused():
    with pytest.raises(TypeError, match="graphs_as_dataset: loaded must be a Graph or a GraphSet, got"):
        graphs_as_dataset(torch.zeros(3))  # pyright: ignore[reportArgumentType]
