from __future__ import annotations

from pathlib import Path

import pytest
import torch

from infotorch.data import GraphSet, load
from infotorch.data.assembly import Options
from infotorch.data.tudataset import read_tudataset

GRAPHS = 20


def raw_files(folder: Path, **changes: str | None) -> Path:
    """Graph g has two nodes joined both ways; its label is -1 or 1; `None` leaves a file out."""
    nodes = range(1, 2 * GRAPHS + 1)
    partner = {k: k + 1 if k % 2 else k - 1 for k in nodes}
    content = {
        "A": "\n".join(f"{k}, {partner[k]}" for k in nodes),
        "graph_indicator": "\n".join(str((k + 1) // 2) for k in nodes),
        "graph_labels": "\n".join("-1" if g % 2 else "1" for g in range(GRAPHS)),
        "node_labels": "\n".join("7" if k % 2 else "3" for k in nodes),
        "node_attributes": "\n".join(f"{k}, 0.5" for k in nodes),
        "edge_labels": "\n".join(str(k % 3) for k in nodes),
    } | changes
    folder.mkdir(parents=True, exist_ok=True)
    for part, text in content.items():
        if text is not None:
            (folder / f"TOY_{part}.txt").write_text(text)
    return folder


def test_features_are_one_hot_labels_beside_attributes(tmp_path):
    graphs = read_tudataset(raw_files(tmp_path), "TOY", Options())
    assert graphs.node_features[:3].tolist() == [[0, 1, 1, 0.5], [1, 0, 2, 0.5], [0, 1, 3, 0.5]]
    assert graphs.edge_features is not None
    assert graphs.edge_features[:3].tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    assert graphs.edge_index[:, :3].tolist() == [[0, 1, 2], [1, 0, 3]]
    assert graphs.graph_index[:5].tolist() == [0, 0, 1, 1, 2]
    assert graphs.y[:3].tolist() == [1, 0, 1]
    assert graphs.num_classes == 2


def test_graphs_are_split_by_seed_80_10_10_and_stratified(tmp_path):
    folder = raw_files(tmp_path)
    zero, again, one = (read_tudataset(folder, "TOY", Options(seed=seed)) for seed in (0, 0, 1))
    assert [len(zero.train), len(zero.validation), len(zero.test)] == [16, 2, 2]
    assert torch.cat([zero.train, zero.validation, zero.test]).sort().values.tolist() == list(range(GRAPHS))
    assert zero.y[zero.test].sort().values.tolist() == zero.y[zero.validation].sort().values.tolist() == [0, 1]
    assert torch.equal(zero.train, again.train)
    assert not torch.equal(zero.train, one.train)


def test_validation_and_limit(tmp_path):
    graphs = read_tudataset(raw_files(tmp_path), "TOY", Options(validation=6, limit=4))
    assert (len(graphs.validation), graphs.y[graphs.train].bincount().tolist()) == (6, [2, 2])


def test_a_collection_without_features_gets_a_constant(tmp_path):
    folder = raw_files(tmp_path, node_labels=None, node_attributes=None, edge_labels=None)
    graphs = read_tudataset(folder, "TOY", Options())
    assert graphs.node_features.tolist() == [[1.0]] * 2 * GRAPHS
    assert graphs.edge_features is None
    assert graphs.note.endswith("Nodes have no features: a constant 1.")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"A": "1, 2\n2, 41"}, r"TOY_A\.txt, counted from 0: edge_index must lie in 0 to 39, got 0 to 40"),
        ({"A": "0, 2"}, r"TOY_A\.txt, counted from 0: edge_index must lie in 0 to 39, got -1 to 1"),
        ({"A": "1, 2, 3"}, r"TOY_A\.txt must hold 2 numbers a line, got 3"),
        ({"A": "1, 2\n3"}, r"TOY_A\.txt must hold numbers separated by commas"),
        ({"A": "one, two"}, r"TOY_A\.txt must hold numbers separated by commas"),
        ({"A": "1, 3"}, r"TOY_graph_indicator\.txt, .*1 edges join nodes of different graphs"),
        ({"graph_labels": "1\n0"}, r"TOY_graph_indicator\.txt.*graph_index must lie in 0 to 1, got 0 to 19"),
        ({"node_labels": "1\n2"}, "there must be features of 40 nodes, got 2 lines"),
        ({"edge_labels": "1\n2"}, "there must be features of 40 edges, got 2 lines"),
        ({"node_attributes": "1\nnan"}, r"TOY_node_attributes\.txt holds NaN or infinite values"),
        ({"graph_labels": "1\n\xe9"}, r"TOY_graph_labels\.txt must hold numbers"),
    ],
)
def test_files_that_do_not_fit_together(tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        read_tudataset(raw_files(tmp_path, **changes), "TOY", Options())


@pytest.mark.filterwarnings("ignore:loadtxt")
def test_an_empty_file(tmp_path):
    with pytest.raises(ValueError, match=r"TOY_graph_labels\.txt is empty"):
        read_tudataset(raw_files(tmp_path, graph_labels=""), "TOY", Options())


def test_a_scaling_or_choice_of_classes_is_refused(tmp_path):
    with pytest.raises(ValueError, match="scaling cannot be chosen: features of a graph set are left"):
        read_tudataset(raw_files(tmp_path), "TOY", Options(scaling="standard"))
    with pytest.raises(ValueError, match="classes cannot be chosen: a graph set is read whole"):
        read_tudataset(tmp_path, "TOY", Options(classes=(0,)))


def test_an_unlisted_collection_loads_from_raw_files_and_says_so(tmp_path):
    raw_files(tmp_path / "tudataset" / "TOY" / "raw")
    graphs = load("tudataset/TOY", root=tmp_path)
    assert isinstance(graphs, GraphSet)
    assert graphs.name == "tudataset/TOY"
    assert graphs.note.startswith("No checksum of these files is known. No official split: 16/2/2 graphs")


def test_an_unlisted_collection_that_is_not_there(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"PROTEINS: PROTEINS_A\.txt is not in .*PROTEINS\.zip and put it there"
    ):
        load("tudataset/PROTEINS", root=tmp_path)


@pytest.mark.data
def test_mutagenicity_has_the_published_counts(real):
    graphs = load("mutagenicity", root=real("mutagenicity"))
    assert graphs.name == "mutagenicity"
    assert graphs.y.bincount().tolist() == [2401, 1936]
    assert graphs.node_features.shape == (131488, 14)
    assert (graphs.node_features.sum(dim=1) == 1).all()
    assert graphs.edge_index.shape == (2, 266894)
    assert graphs.edge_features.shape == (266894, 3)
    assert [len(graphs.train), len(graphs.validation), len(graphs.test)] == [3469, 434, 434]


@pytest.mark.slow
@pytest.mark.data
def test_mutagenicity_is_what_another_library_reads(real):
    io = pytest.importorskip("torch_geometric.io")
    folder = real("mutagenicity") / "tudataset" / "Mutagenicity" / "raw"
    ours = load("mutagenicity", root=real("mutagenicity"))
    theirs, slices, _ = io.read_tu_data(str(folder), "Mutagenicity")
    starts = torch.repeat_interleave(
        slices["x"][:-1], slices["edge_index"].diff()
    )  # theirs count nodes from each graph's first
    assert torch.equal(ours.node_features, theirs.x)
    assert torch.equal(ours.y, theirs.y)
    pairs = [edges.T.unique(dim=0) for edges in (ours.edge_index, theirs.edge_index + starts)]
    assert torch.equal(pairs[0], pairs[1])
