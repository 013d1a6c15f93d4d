"""What data, plans, schedules, planes and diagnoses print: a summary, not addresses or tensors."""

import re
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from infotorch import InformationPlane, InformationSignal, LocalBatch, Plan, TensorBatches, diagnose
from infotorch.data.folders import FolderSplit, ImageFiles
from infotorch.data.loaders import LoaderBatches
from infotorch.data.sets import Dataset, Graph, GraphSet, Split
from infotorch.objectives.labels import CrossEntropy
from infotorch.schedules.anneal import HoldThenAnneal
from infotorch.schedules.stopping import InformationStopping

X, Y = torch.randn(20, 4, generator=torch.Generator().manual_seed(0)), torch.arange(20) % 2
EDGES = torch.tensor([[0, 1], [1, 0]])
SPLIT = Split(X, Y)
PICTURES = ImageFiles((Path("cat.png"), Path("dog.png")), size=32)


def model():
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


def plan(**settings):
    objectives = [CrossEntropy(), CrossEntropy()]
    return Plan.layerwise(model(), objectives=objectives, optimizer=torch.optim.SGD, **settings)


def schedule():
    groups = [{"params": [nn.Parameter(torch.zeros(1))], "lr": rate} for rate in (0.1, 0.02)]
    return HoldThenAnneal(torch.optim.SGD(groups, lr=0.1), lr_top=[0.1, 0.02], lr_min=0.0, steps=10)


def plane():
    watched = InformationPlane(model(), (X, Y), layers=["0", "2"], num_bins=4)
    watched(0)
    return watched


def stopped():
    stopping = InformationStopping([model()], ceiling=2.0, tolerance=0.1, patience=1)
    for information in (1.5, 1.0):
        stopping.step(information)
    return stopping


@pytest.mark.parametrize(
    ("make", "printed"),
    [
        (lambda: SPLIT, "Split(x=float32 (20, 4), y=int64 (20,))"),
        (
            lambda: Dataset("toy", "vectors", SPLIT, SPLIT, SPLIT, num_classes=2),
            "Dataset toy: vectors, 2 classes; train 20, validation 20, test 20; x float32 (4,), y int64 ()",
        ),
        (
            lambda: Dataset("toy", "regression", Split(X, X), Split(X, X), Split(X, X), num_classes=None),
            "Dataset toy: regression; train 20, validation 20, test 20; x float32 (4,), y float32 (4,)",
        ),
        (
            lambda: Graph("toy", X, EDGES, Y, *torch.arange(20).split([12, 4, 4]), num_classes=2),
            "Graph toy: 20 nodes, 2 edges, float32 (4,) features, 2 classes; train 12, validation 4, test 4",
        ),
        (
            lambda: GraphSet(
                "toy", X, EDGES, torch.arange(20) // 2, None, Y[:10], *torch.arange(10).split([6, 2, 2]), num_classes=2
            ),
            "GraphSet toy: 10 graphs of 20 nodes, 2 edges, float32 (4,) features, 2 classes; "
            "train 6, validation 2, test 2",
        ),
        (
            lambda: TensorBatches(X, None, batch_size=8),
            "TensorBatches(x=float32 (20, 4), y=None; 3 steps of 8)",
        ),
        (
            lambda: LoaderBatches(DataLoader(TensorDataset(X, Y), batch_size=8), nn.Linear(4, 3)),
            "LoaderBatches(x=float32 (1, 4), y=int64 (20,); 3 steps an epoch of 8)",
        ),
        (
            lambda: LocalBatch(x=X, module_input=X, output=X, y=Y),
            "LocalBatch(x=float32 (20, 4), module_input=float32 (20, 4), output=float32 (20, 4), y=int64 (20,), "
            "position=())",
        ),
        (plan, "Plan, sequential: 0 (CrossEntropy), 2 (CrossEntropy)"),
        (
            lambda: plan(order="simultaneous", isolated=False),
            "Plan, simultaneous, not isolated: 0 (CrossEntropy), 2 (CrossEntropy)",
        ),
        (lambda: plan()[0], "LocalModule 0 (CrossEntropy)"),
        (schedule, "HoldThenAnneal: lr 0.1, 0.02 after 0 calls of step"),
        (
            lambda: InformationStopping([model()], ceiling=2.0, tolerance=0.1),
            "InformationStopping: nothing seen yet, margin 0.2, patience 3, went back 0x",
        ),
        (
            stopped,
            "InformationStopping: best 1.5 nats, margin 0.2, patience 1, went back 1x",
        ),
        (
            lambda: InformationSignal(model(), (X, Y), num_samples=20, estimator="readout"),
            "InformationSignal of the output: 20 samples, ceiling 0.6931 nats",
        ),
        (
            lambda: InformationSignal(model(), (X, Y), num_samples=20, layers=["0", "2"], estimator="ksg"),
            "InformationSignal of 2 layers (0, 2): 20 samples, ceiling 0.6931 nats",
        ),
        (lambda: PICTURES, "ImageFiles(2 pictures, 32 x 32, on cpu)"),
        (lambda: FolderSplit(PICTURES, Y[:2]), "FolderSplit(2 pictures, 32 x 32)"),
        (plane, "InformationPlane: 2 points of 2 layers (0, 2), 20 samples, num_bins=4"),
    ],
)
def test_prints_a_summary(make, printed):
    assert repr(make()) == printed


def test_a_diagnosis_prints_a_line_for_each_layer():
    found = diagnose(model(), (X, None), properties=False)
    lines = repr(found).splitlines()
    assert lines[0] == found.summary == "Diagnosis of 3 layers on 20 samples: I(X; T) is infinite in 3"
    assert [line.split(":")[:2] for line in lines[1:]] == [[f"  {one.name}", f" {one.verdict}"] for one in found]


def test_graphs_as_samples_print_their_number():
    data = pytest.importorskip("torch_geometric.data")
    from infotorch.data.graphs import GraphSamples, NodeSamples

    graph = data.Data(x=X, edge_index=EDGES)
    assert repr(NodeSamples(graph)) == "NodeSamples(20 nodes, 4 features)"
    assert repr(Split(GraphSamples([graph, graph]), Y[:2])) == (
        "Split(x=GraphSamples(2 graphs, 4 features), y=int64 (2,))"
    )


@pytest.mark.parametrize("make", [plan, schedule, plane, lambda: SPLIT])
def test_no_address_is_printed(make):
    assert not re.search(r"0x[0-9a-f]{6}|tensor\(", repr(make()))
