from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from infotorch.data import Dataset, Graph, GraphSet, Scaling, Split


def a_graph(**changes) -> Graph:
    """A path of three nodes."""
    values = {
        "x": torch.eye(3),
        "edge_index": torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]),
        "y": torch.tensor([0, 1, 0]),
        "train": torch.tensor([0]),
        "validation": torch.tensor([1]),
        "test": torch.tensor([2]),
    }
    return Graph("path", **(values | changes), num_classes=2)


def a_graph_set(**changes) -> GraphSet:
    """Two graphs of two nodes."""
    values = {
        "node_features": torch.ones(4, 1),
        "edge_index": torch.tensor([[0, 1, 2, 3], [1, 0, 3, 2]]),
        "graph_index": torch.tensor([0, 0, 1, 1]),
        "edge_features": torch.ones(4, 2),
        "y": torch.tensor([0, 1]),
        "train": torch.tensor([0]),
        "validation": torch.tensor([1]),
        "test": torch.tensor([1]),
    }
    return GraphSet("pairs", **(values | changes), num_classes=2)


def test_rows_of_a_split_stay_paired():
    split = Split(torch.arange(6.0).reshape(3, 2), torch.tensor([7, 8, 9])).select(torch.tensor([2, 0]))
    assert split.x.tolist() == [[4.0, 5.0], [0.0, 1.0]]
    assert split.y.tolist() == [9, 7]


def test_a_split_must_be_paired():
    with pytest.raises(ValueError, match="paired row by row, got 2 and 3 rows"):
        Split(torch.zeros(2, 1), torch.zeros(3))


def test_scaling_and_its_inverse_are_the_identity():
    values = torch.tensor([[1.0, -3.0], [2.5, 8.0]])
    scaling = Scaling(torch.tensor([2.0, 1.0]), torch.tensor([0.5, 4.0]))
    assert scaling.apply(values).tolist() == [[-2.0, -1.0], [1.0, 1.75]]
    assert torch.equal(scaling.invert(scaling.apply(values)), values)  # exact: powers of two


def test_sets_move_to_a_device():
    split = Split(torch.zeros(2, 1), torch.zeros(2))
    moved = Dataset("toy", "vectors", split, split, split, 2).to("meta")
    assert {moved.train.x.device.type, moved.validation.y.device.type, moved.test.x.device.type} == {"meta"}


def test_graphs_move_to_a_device():
    # Moved to where they are: an abstract device has no values for the checks to look at.
    assert torch.equal(a_graph().to("cpu").edge_index, a_graph().edge_index)
    assert a_graph_set(edge_features=None).to("cpu").edge_features is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y": torch.tensor([0, 1])}, "Graph path: the numbers of nodes do not agree: x has 3, y has 2"),
        ({"edge_index": torch.zeros(3, 2, dtype=torch.int64)}, r"edge_index must have shape \(2, e\), got \(3, 2\)"),
        ({"edge_index": torch.tensor([[0], [3]])}, "edge_index must lie in 0 to 2, got 0 to 3"),
        ({"edge_index": torch.tensor([[-1], [0]])}, "edge_index must lie in 0 to 2, got -1 to 0"),
        ({"y": torch.tensor([0, 1, 2])}, "y must lie in 0 to 1, got 0 to 2"),
        ({"test": torch.tensor([5])}, "test must lie in 0 to 2, got 5 to 5"),
    ],
)
def test_a_graph_that_does_not_fit_together(changes, message):
    with pytest.raises(ValueError, match=message):
        a_graph(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"node_features": torch.ones(3, 1)}, "numbers of nodes do not agree: node_features has 3, graph_index has 4"),
        ({"edge_features": torch.ones(3, 2)}, "numbers of edges do not agree: edge_index has 4, edge_features has 3"),
        ({"graph_index": torch.tensor([0, 0, 1, 2])}, "graph_index must lie in 0 to 1, got 0 to 2"),
        ({"graph_index": torch.tensor([1, 1, 0, 0])}, "nodes must be in the order of their graphs"),
        ({"edge_index": torch.tensor([[0, 1, 1, 3], [1, 0, 2, 2]])}, "1 edges join nodes of different graphs"),
        ({"edge_index": torch.tensor([[0], [4]])}, "edge_index must lie in 0 to 3, got 0 to 4"),
        ({"y": torch.tensor([0, 2])}, "y must lie in 0 to 1"),
        ({"train": torch.tensor([2])}, "train must lie in 0 to 1, got 2 to 2"),
    ],
)
def test_a_graph_set_that_does_not_fit_together(changes, message):
    with pytest.raises(ValueError, match=message):
        a_graph_set(**changes)


def test_a_changed_copy_is_checked_too():
    with pytest.raises(ValueError, match="edge_index must lie in"):
        replace(a_graph(), edge_index=torch.tensor([[0], [9]]))
