import sys

import numpy as np
import pytest
import torch

from infotorch.data.graphs import (
    GraphSamples,
    GraphStructure,
    NodeBatches,
    NodeSamples,
    select_samples,
    structure_of,
    tensors_of,
    with_features,
)
from infotorch.data.sets import GraphSet

pyg = pytest.importorskip("torch_geometric.data")

NO_EDGES = torch.zeros(2, 0, dtype=torch.int64)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def some_graph(nodes, edges, generator, *, everything=True):
    """Any edges at all, loops and repetitions too."""
    held = {}
    if everything:
        held = {
            "edge_attr": torch.randn(edges, 2, generator=generator),
            "edge_weight": torch.rand(edges, generator=generator),
            "pos": torch.randn(nodes, 3, generator=generator),
            "kind": torch.randint(9, (nodes,), generator=generator),
            "is_root": torch.rand(nodes, generator=generator) < 0.5,
            "mass": torch.rand(1, generator=generator),
            "charge": torch.tensor(float(nodes)),
            "whole": torch.randn(1, 4, 2, generator=generator),
        }
    edge_index = torch.randint(nodes, (2, edges), generator=generator)
    return pyg.Data(x=torch.randn(nodes, 5, generator=generator), edge_index=edge_index, **held)


def many_graphs(count=12, **settings):
    """Every third one has no edges, every fourth a single node; as many nodes as edges in some, and not in others."""
    generator = seeded()
    sizes = torch.randint(2, 9, (count, 2), generator=generator).tolist()
    return [
        some_graph(1 if k % 4 == 3 else nodes, 0 if k % 3 == 2 else edges, generator, **settings)
        for k, (nodes, edges) in enumerate(sizes)
    ]


def assert_same(ours, theirs):
    """The same attributes with the same content, bit for bit."""
    assert set(ours.keys()) == set(theirs.keys())
    for key in theirs.keys():
        assert torch.equal(ours[key], theirs[key]), key
    assert ours.num_graphs == theirs.num_graphs
    assert ours.num_nodes == theirs.num_nodes


class TestGraphSamples:
    @pytest.mark.parametrize("seed", range(5))
    @pytest.mark.parametrize("everything", [True, False])
    def test_a_batch_is_torch_geometrics_own(self, seed, everything):
        graphs = many_graphs(everything=everything)
        index = torch.randint(12, (7,), generator=seeded(seed))  # in any order, and some twice
        assert_same(GraphSamples(graphs)[index], pyg.Batch.from_data_list([graphs[k] for k in index.tolist()]))

    def test_every_single_graph_and_all_of_them(self):
        graphs = many_graphs()
        rows = GraphSamples(graphs)
        assert len(rows) == 12
        assert rows.num_features == 5
        for k, graph in enumerate(graphs):
            assert_same(rows[torch.tensor([k])], pyg.Batch.from_data_list([graph]))
        assert_same(rows[:], pyg.Batch.from_data_list(graphs))
        assert_same(rows[3:9:2], pyg.Batch.from_data_list(graphs[3:9:2]))

    def test_an_empty_choice_is_a_batch_of_nothing(self):
        batch = GraphSamples(many_graphs())[torch.tensor([], dtype=torch.int64)]
        assert (batch.num_graphs, len(batch.x), batch.edge_index.shape) == (0, 0, (2, 0))

    def test_as_many_nodes_as_edges_in_all_do_not_mix_them_up(self):
        """Three nodes and five edges beside five nodes and three edges: eight of each."""
        graphs = [some_graph(3, 5, seeded(0)), some_graph(5, 3, seeded(1))]
        for graph in graphs:
            graph.strength = torch.arange(float(graph.num_edges))
        for index in ([1, 0], [0], [1]):
            assert_same(GraphSamples(graphs)[torch.tensor(index)], pyg.Batch.from_data_list([graphs[k] for k in index]))

    def test_labels_masks_and_what_is_no_tensor_never_travel(self):
        graphs = many_graphs(everything=False)
        for number, graph in enumerate(graphs):
            graph.y, graph.name, graph.order = torch.tensor([number]), f"graph {number}", number
            graph.train_mask = graph.val_mask = graph.test_mask = torch.ones(graph.num_nodes, dtype=torch.bool)
        batch = GraphSamples(graphs)[torch.tensor([1, 4])]
        assert set(batch.keys()) == {"x", "edge_index", "batch", "ptr"}
        assert batch.y is None
        assert graphs[1].y.tolist() == [1]  # the caller's graphs keep theirs

    def test_rows_of_rows_are_rows(self):
        graphs = many_graphs()
        fewer = GraphSamples(graphs).select(torch.tensor([4, 2, 9])).select(torch.tensor([2, 0]))
        assert len(fewer) == 2
        assert_same(fewer[:], pyg.Batch.from_data_list([graphs[9], graphs[4]]))

    def test_another_precision_is_that_of_the_real_numbers_alone(self):
        rows = GraphSamples(many_graphs())
        batch = rows.to(torch.float64)[torch.tensor([0, 5])]
        kinds = {key: batch[key].dtype for key in batch.keys()}
        assert {kinds[key] for key in ("x", "edge_attr", "edge_weight", "pos", "mass", "whole")} == {torch.float64}
        assert {kinds[key] for key in ("edge_index", "batch", "ptr", "kind")} == {torch.int64}
        assert kinds["is_root"] == torch.bool
        assert rows[:].x.dtype == torch.float32

    def test_the_callers_graphs_are_as_they_were(self):
        graphs = many_graphs()
        before = [graph.clone() for graph in graphs]
        GraphSamples(graphs)[:].x.zero_()
        for graph, old in zip(graphs, before, strict=True):
            assert set(graph.keys()) == set(old.keys())
            assert all(torch.equal(graph[key], old[key]) for key in old.keys())

    @pytest.mark.parametrize(
        ("graphs", "error", "message"),
        [
            ([], ValueError, "GraphSamples: there must be at least one graph"),
            ([{"edge_index": NO_EDGES}], TypeError, "graph 0: must be a torch_geometric Data object, got dict"),
            ([torch.eye(3)], TypeError, "graph 0: must be a torch_geometric Data object, got Tensor"),
        ],
    )
    def test_what_are_no_graphs_is_refused(self, graphs, error, message):
        with pytest.raises(error, match=message):
            GraphSamples(graphs)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            (
                {"edge_attr": torch.zeros(3, 4)},
                r"of 'edge_attr' graph 0 has rows of shape \(2,\), graph 1 rows of shape",
            ),
            ({"edge_attr": None}, r"of 'edge_attr' graph 0 has rows of shape \(2,\), graph 1 none"),
            ({"extra": torch.zeros(1)}, r"of 'extra' graph 0 has none, graph 1 rows of shape \(\)"),
            (
                {"pos": torch.zeros(2, 3)},
                "'pos' must have a row for each node, each edge or each graph, got 3 rows for",
            ),
            ({"x": torch.zeros(4, 6)}, r"of 'x' graph 0 has rows of shape \(5,\), graph 1 rows of shape \(6,\)"),
        ],
    )
    def test_graphs_that_differ_in_kind_are_refused(self, change, message):
        graphs = [some_graph(3, 4, seeded(0)), some_graph(4, 3, seeded(1))]
        for key, value in change.items():
            graphs[1][key] = value
        with pytest.raises(ValueError, match=message):
            GraphSamples(graphs)

    @pytest.mark.parametrize("name", ["face", "root_index"])
    def test_other_numbers_of_nodes_than_edges_are_refused(self, name):
        graph = some_graph(4, 3, seeded())
        graph[name] = torch.tensor([[0], [1], [2]]) if name == "face" else torch.tensor([2])
        with pytest.raises(ValueError, match=f"GraphSamples: {name!r} numbers nodes, as only edge_index may here"):
            GraphSamples([graph, graph])


class TestFromASet:
    def make(self, *, edge_features=True):
        """Twelve graphs as a set, whose edges are in no order, and as data objects."""
        generator = seeded(1)
        graphs = [
            some_graph(graph.num_nodes, graph.num_edges, generator, everything=False)
            for graph in many_graphs(everything=False)
        ]
        for graph in graphs:
            if edge_features:
                graph.edge_attr = torch.randn(graph.num_edges, 2, generator=generator)
        whole = pyg.Batch.from_data_list(graphs)
        order = torch.randperm(whole.num_edges, generator=generator)
        y = torch.arange(12) % 2
        parts = torch.arange(8), torch.tensor([8, 9]), torch.tensor([11, 10])
        attributes = whole.edge_attr[order] if edge_features else None
        edges = whole.edge_index[:, order]
        return GraphSet("toy", whole.x, edges, whole.batch, attributes, y, *parts, num_classes=2), graphs

    @pytest.mark.parametrize("edge_features", [True, False])
    def test_it_holds_the_graphs_one_by_one(self, edge_features):
        loaded, graphs = self.make(edge_features=edge_features)
        rows = GraphSamples.from_set(loaded, torch.tensor([10, 3, 0]))
        assert len(rows) == 3
        for place, number in enumerate([10, 3, 0]):
            batch, graph = rows[torch.tensor([place])], graphs[number]
            assert torch.equal(batch.x, graph.x)
            # The edges of a graph keep the order that they have in the set.
            own = (loaded.graph_index[loaded.edge_index[0]] == number).nonzero().flatten()
            began = int((loaded.graph_index < number).sum())
            assert torch.equal(batch.edge_index, loaded.edge_index[:, own] - began)
            pairs = [tuple(pair) for pair in batch.edge_index.T.tolist()]
            assert sorted(pairs) == sorted(tuple(pair) for pair in graph.edge_index.T.tolist())
            if edge_features:
                assert torch.equal(batch.edge_attr, loaded.edge_features[own])
            else:
                assert batch.edge_attr is None

    def test_sorted_edges_make_the_same_rows_as_data_objects(self):
        loaded, graphs = self.make()
        rows = GraphSamples.from_set(loaded, torch.arange(12))
        again = GraphSamples([rows[torch.tensor([k])] for k in range(12)])
        index = torch.tensor([7, 7, 2, 11])
        assert_same(rows[index], again[index])
        assert again[index].num_nodes == sum(graphs[k].num_nodes for k in (7, 7, 2, 11))

    def test_a_graph_without_nodes_has_its_place(self):
        y, parts = torch.tensor([0, 1, 0]), [torch.tensor([0, 1, 2])] * 3
        loaded = GraphSet("toy", torch.eye(2), NO_EDGES, torch.tensor([0, 2]), None, y, *parts, num_classes=2)
        batch = GraphSamples.from_set(loaded, torch.tensor([2, 1]))[:]
        assert (batch.num_graphs, batch.batch.tolist(), batch.ptr.tolist()) == (2, [0], [0, 1, 1])
        assert structure_of(batch).sizes.tolist() == [1, 0]
        assert structure_of(batch).mean(batch.x).tolist() == [[0.0, 1.0], [0.0, 0.0]]


class TestNodeSamples:
    def test_it_is_the_graph_without_its_labels(self):
        graph = some_graph(6, 9, seeded())
        graph.y = graph.train_mask = graph.val_mask = graph.test_mask = torch.ones(6, dtype=torch.bool)
        rows = NodeSamples(graph)
        assert (len(rows), rows.num_features, rows.numbers.tolist()) == (6, 5, list(range(6)))
        assert set(graph.keys()) - set(rows.graph.keys()) == {"y", "train_mask", "val_mask", "test_mask"}
        assert all(torch.equal(rows.graph[key], graph[key]) for key in rows.graph.keys())
        assert graph.y is not None

    def test_an_epoch_is_one_step_that_sees_the_whole_graph(self):
        rows, y = NodeSamples(some_graph(4, 3, seeded())), torch.tensor([0, -1, 1, -1])
        batches = NodeBatches(rows, y)
        assert len(batches) == 1
        for epoch in (0, 5):
            ((x, classes, numbers),) = batches.epoch(epoch)
            assert x is rows.graph
            assert torch.equal(classes, y)
            assert numbers.tolist() == [0, 1, 2, 3]
        assert list(batches.epoch(0, start=1)) == []

    def test_other_numbers_of_classes_than_of_nodes_are_refused(self):
        with pytest.raises(ValueError, match="NodeBatches: y must have a class for each of 4 nodes, got 3"):
            NodeBatches(NodeSamples(some_graph(4, 3, seeded())), torch.zeros(3, dtype=torch.int64))

    def test_another_precision_leaves_the_callers_graph(self):
        graph = some_graph(4, 3, seeded())
        moved = NodeSamples(graph).to(torch.float64)
        assert (moved.graph.x.dtype, moved.graph.edge_attr.dtype) == (torch.float64, torch.float64)
        assert (moved.graph.edge_index.dtype, moved.graph.kind.dtype) == (torch.int64, torch.int64)
        assert graph.x.dtype == torch.float32
        assert NodeSamples(graph).to("cpu").device == torch.device("cpu")

    def test_chosen_nodes_keep_the_others_without_their_labels(self):
        rows, y = NodeSamples(some_graph(4, 3, seeded())), torch.tensor([2, 1, -1, 0])
        same, kept = select_samples(rows, y, torch.tensor([3, 0]))
        assert same is rows
        assert kept.tolist() == [2, -1, -1, 0]
        assert y.tolist() == [2, 1, -1, 0]

    def test_chosen_graphs_and_rows_are_those_alone(self):
        graphs, y, index = many_graphs(4), torch.tensor([3, 2, 1, 0]), torch.tensor([2, 0])
        fewer, classes = select_samples(GraphSamples(graphs), y, index)
        assert_same(fewer[:], pyg.Batch.from_data_list([graphs[2], graphs[0]]))
        assert classes.tolist() == [1, 3]
        fewer, _ = select_samples(torch.arange(4.0), y, index)
        assert fewer.tolist() == [2.0, 0.0]


BAD = [
    ({"x": None}, ValueError, r"node features x must have shape \(nodes, features\), one node at least, got none"),
    ({"x": torch.zeros(4)}, ValueError, r"one node at least, got \(4,\)"),
    ({"x": torch.zeros(0, 5)}, ValueError, r"one node at least, got \(0, 5\)"),
    ({"x": np.zeros((4, 5))}, ValueError, "one node at least, got ndarray"),
    ({"x": torch.zeros(4, 5, dtype=torch.int64)}, TypeError, r"x must be real-valued, got torch.int64; .*one_hot"),
    ({"x": torch.full((4, 5), torch.nan)}, ValueError, "x must be finite, got NaN or infinite"),
    ({"x": torch.full((4, 5), -torch.inf)}, ValueError, "x must be finite"),
    ({"edge_index": None}, TypeError, r"edge_index must be an int64 tensor \(2, edges\), got NoneType"),
    (
        {"edge_index": torch.zeros(2, 3)},
        TypeError,
        r"edge_index must be an int64 tensor \(2, edges\), got torch.float32",
    ),
    ({"edge_index": torch.zeros(2, 3, dtype=torch.int32)}, TypeError, "got torch.int32"),
    ({"edge_index": torch.zeros(3, 2, dtype=torch.int64)}, ValueError, r"shape \(2, e\), got \(3, 2\)"),
    ({"edge_index": torch.tensor([[0, 4], [1, 0]])}, ValueError, "edge_index must lie in 0 to 3, got 0 to 4"),
    ({"edge_index": torch.tensor([[0, 1], [1, -1]])}, ValueError, "edge_index must lie in 0 to 3, got -1 to 1"),
]


@pytest.mark.parametrize(("change", "error", "message"), BAD)
def test_a_bad_graph_is_refused_by_its_place(change, error, message):
    graph = some_graph(4, 3, seeded(), everything=False)
    for key, value in change.items():
        graph[key] = value
    with pytest.raises(error, match=f"^NodeSamples: .*{message}"):
        NodeSamples(graph)
    with pytest.raises(error, match=f"^GraphSamples, graph 1: .*{message}"):
        GraphSamples([some_graph(4, 3, seeded(), everything=False), graph])


def test_without_torch_geometric_the_way_to_it_is_named(monkeypatch):
    graphs = many_graphs(2)
    rows = GraphSamples(graphs)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torch_geometric"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch_geometric", None)
    for ask in (lambda: GraphSamples(graphs), lambda: rows[:]):
        with pytest.raises(ModuleNotFoundError, match=r"training on graphs needs .*: pip install 'infotorch\[graph\]'"):
            ask()


def slow_mean(rows, graph_index, count):
    """Means of the rows of each graph, one after the other."""
    means = torch.zeros(count, *rows.shape[1:], dtype=rows.dtype)
    for graph in range(count):
        own = [row for row, of in zip(rows, graph_index.tolist(), strict=True) if of == graph]
        if own:
            means[graph] = sum(own) / len(own)
    return means


class TestStructure:
    def test_one_graph_needs_no_numbers(self):
        structure = structure_of(some_graph(6, 4, seeded()))
        assert (structure.num_graphs, structure.num_nodes) == (1, 6)
        assert structure.sizes.tolist() == [6]

    def test_a_batch_of_another_maker_counts_its_graphs(self):
        data = some_graph(3, 0, seeded(), everything=False)
        data.batch = torch.tensor([0, 0, 2])
        assert structure_of(data).num_graphs == 3
        assert structure_of(data).sizes.tolist() == [2, 0, 1]

    @pytest.mark.parametrize("shape", [(), (3,), (2, 3)])
    def test_means_are_those_of_a_loop(self, shape):
        batch = GraphSamples(many_graphs())[:]
        structure = structure_of(batch)
        rows = torch.randn(structure.num_nodes, *shape, generator=seeded(3), dtype=torch.float64)
        torch.testing.assert_close(structure.mean(rows), slow_mean(rows, structure.graph_index, 12))
        wanted = torch.zeros_like(rows)
        for node in range(structure.num_nodes):
            into = [source for source, target in structure.edge_index.T.tolist() if target == node]
            if into:
                wanted[node] = sum(rows[source] for source in into) / len(into)
        torch.testing.assert_close(structure.neighbours_mean(rows), wanted)

    def test_gradients_of_means_are_right(self):
        structure = structure_of(GraphSamples(many_graphs(4))[:])
        rows = torch.randn(structure.num_nodes, 2, generator=seeded(), dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(structure.mean, rows)
        assert torch.autograd.gradcheck(structure.neighbours_mean, rows)

    @pytest.mark.parametrize("count", [1, 2, 3])
    def test_copies_are_the_graphs_one_copy_after_the_other(self, count):
        graphs = many_graphs(5)
        ours = structure_of(GraphSamples(graphs)[:]).copies(count)
        theirs = pyg.Batch.from_data_list(graphs * count)
        assert torch.equal(ours.edge_index, theirs.edge_index)
        assert torch.equal(ours.graph_index, theirs.batch)
        assert ours.num_graphs == theirs.num_graphs == 5 * count

    def test_edges_of_an_edgeless_graph_have_copies_too(self):
        assert GraphStructure(NO_EDGES, torch.tensor([0, 0]), 1).copies(3).edge_index.shape == (2, 0)


class TestWithFeatures:
    @pytest.mark.parametrize("count", [1, 2, 3])
    def test_copies_of_a_batch_are_a_batch_of_copies(self, count):
        graphs = many_graphs()
        batch = GraphSamples(graphs)[torch.tensor([5, 1, 2, 3])]
        copies = [graphs[k].clone() for _ in range(count) for k in (5, 1, 2, 3)]
        x = torch.randn(count * batch.num_nodes, 5, generator=seeded(7))
        for graph, rows in zip(copies, x.split([graph.num_nodes for graph in copies]), strict=True):
            graph.x = rows
        assert_same(with_features(batch, x), pyg.Batch.from_data_list(copies))

    def test_copies_of_one_graph_are_a_batch_of_copies(self):
        graph = some_graph(4, 6, seeded())
        graph.face = torch.tensor([[0, 1], [1, 2], [2, 3]])
        graph.num_nodes = 4
        x = torch.randn(12, 5, generator=seeded(7))
        made = with_features(graph, x)
        wanted = pyg.Batch.from_data_list([graph] * 3)
        for key in ("edge_index", "edge_attr", "pos", "mass", "charge", "whole", "is_root", "face", "batch", "ptr"):
            assert torch.equal(made[key], wanted[key]), key
        assert made.num_nodes == wanted.num_nodes == 12
        assert torch.equal(made.x, x)

    def test_the_data_are_as_they_were_and_features_keep_their_gradient(self):
        graph = some_graph(4, 6, seeded())
        before, x = graph.clone(), torch.randn(8, 5, generator=seeded(7), requires_grad=True)
        assert with_features(graph, x).x is x
        assert with_features(graph, x[:4]).x.requires_grad
        assert set(graph.keys()) == set(before.keys())
        assert all(torch.equal(graph[key], before[key]) for key in before.keys())

    @pytest.mark.parametrize("rows", [0, 3, 5, 6])
    def test_other_numbers_of_rows_are_refused(self, rows):
        with pytest.raises(ValueError, match=f"a row for each of 4 nodes, or several times as many, got {rows}"):
            with_features(some_graph(4, 6, seeded()), torch.zeros(rows, 5))


def test_tensors_of_a_graph_and_of_a_tensor():
    graph = pyg.Data(x=torch.eye(2), edge_index=NO_EDGES, name="toy")
    found = tensors_of(graph)
    assert len(found) == 2
    assert found[0] is graph.x
    assert found[1] is graph.edge_index
    rows = torch.eye(2)
    assert tensors_of(rows)[0] is rows
