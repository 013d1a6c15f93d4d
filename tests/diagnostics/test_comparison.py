"""Two networks on the same samples: likeness of layers by closed forms and identities, and gains in what they know."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from infotorch import cka, diagnose
from infotorch.diagnostics import compare_networks
from infotorch.estimators.dependence import cka_between

X = torch.randn(150, 6, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] + X[:, 1] > 0).long()


def network(seed, hidden=5):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(6, hidden), nn.Tanh(), nn.Linear(hidden, 2))


def turned(model):
    """The same function, whose hidden layer is turned and scaled; the last layer undoes it."""
    q = torch.linalg.qr(torch.randn(5, 5, generator=torch.Generator().manual_seed(1)))[0]
    first, last = nn.Linear(6, 5), nn.Linear(5, 2)
    with torch.no_grad():
        first.weight.copy_(3 * q @ model[0].weight)
        first.bias.copy_(3 * q @ model[0].bias)
        last.weight.copy_(model[2].weight @ q.T / 3)
        last.bias.copy_(model[2].bias)
    return nn.Sequential(first, last)


def test_every_pair_is_what_cka_gives():
    views = [X, X.tanh() @ torch.ones(6, 3), X[:, :1], X.repeat(1, 40)]
    found = cka_between(views[:2], views[1:])
    for i, a in enumerate(views[:2]):
        for j, b in enumerate(views[1:]):
            assert float(found[i, j]) == pytest.approx(float(cka(a.double(), b.double())), abs=1e-12)


def test_what_does_not_vary_is_like_nothing():
    found = cka_between([X, torch.ones(150, 3)], [X])
    assert float(found[0, 0]) == pytest.approx(1.0, abs=1e-12)
    assert math.isnan(float(found[1, 0]))


def test_a_diagnosis_has_the_likeness_of_its_layers():
    model = network(0)
    found = diagnose(model, (X, Y), num_samples=150)
    outputs = [model[:1](X), model[:2](X), model(X)]
    for i, row in enumerate(found.similarity):
        for j, value in enumerate(row):
            assert value == pytest.approx(float(cka(outputs[i].detach(), outputs[j].detach())), abs=1e-5)
    assert diagnose(model, (X, Y), properties=False).similarity is None
    cells = found.figure("similarity").data[0].z
    assert [list(row) for row in cells] == [[float(f"{value:.6g}") for value in row] for row in found.similarity]


def test_a_turned_layer_is_the_same_layer():
    linear = nn.Sequential(*list(network(0))[::2])
    found = compare_networks(linear, turned(network(0)), (X, Y), properties=False)
    assert found.similarity[0][0] == pytest.approx(1.0, abs=1e-6)
    assert found.similarity[1][1] == pytest.approx(1.0, abs=1e-6)
    assert [line["most_like"] for line in found.table()] == ["0", "1"]
    assert repr(found) == (
        "Comparison of 2 and 2 layers on 150 samples\n"
        "  0 is most like 0 of the second, CKA 1.00\n  1 is most like 1 of the second, CKA 1.00"
    )


def test_unlike_networks_and_their_gains():
    trained, blind = network(0), nn.Sequential(nn.Linear(6, 2))
    with torch.no_grad():
        blind[0].weight.zero_()
        blind[0].weight[:, 5] = torch.tensor([1.0, -1.0])  # nothing that tells the classes
        trained[2].weight.copy_(torch.linalg.lstsq(trained[:2](X), 4.0 * nn.functional.one_hot(Y).float()).solution.T)
    found = compare_networks(trained, blind, (X, Y), num_samples=150)
    last = found.table()[-1]
    assert last["layer"] == "2"
    assert last["cka"] < 0.2
    assert last["linear_accuracy"] > 0.8
    assert last["linear_accuracy_gain"] < -0.2
    assert last["linear_accuracy"] == found.first["2"].decisions.linear.accuracy
    assert last["mi_ty_nats_gain"] == pytest.approx(
        found.second["0"].decisions.information - found.first["2"].decisions.information
    )
    frame = found.to_frame()
    assert frame.loc["2", "effective_rank_gain"] == last["effective_rank_gain"]
    heat = found.figure().data[0]
    assert [list(row) for row in heat.z] == [[float(f"{value:.6g}") for value in row] for row in found.similarity]
    assert found.figure().layout.yaxis.ticktext == ("0", "1", "2")
    assert found.figure().layout.xaxis.ticktext == ("0",)


def test_both_see_the_same_rows_of_a_loader_that_shuffles():
    rows = torch.utils.data.TensorDataset(X, Y)
    loader = torch.utils.data.DataLoader(rows, batch_size=30, shuffle=True)
    found = compare_networks(network(0), network(0), loader, num_samples=60, properties=False)
    assert np.diag(np.array(found.similarity)) == pytest.approx(np.ones(3), abs=1e-6)


def test_a_layer_that_does_not_vary_is_told_as_such():
    dead = nn.Sequential(nn.Linear(6, 3), nn.ReLU())
    nn.init.constant_(dead[0].bias, -1e3)
    found = compare_networks(dead, network(0), (X, None), properties=False)
    assert found.table()[1] == {"layer": "1", "most_like": None, "cka": None}
    assert repr(found).count("most like") == 1


def test_several_inputs_and_layers_by_name():
    class Two(nn.Module):
        def __init__(self, seed):
            super().__init__()
            torch.manual_seed(seed)
            self.left, self.right = nn.Linear(6, 3), nn.Linear(6, 3)

        def forward(self, a, b):
            return self.left(a) + self.right(b)

    data = ({"a": X, "b": X.flip(0)}, Y)
    found = compare_networks(
        Two(0), Two(0), data, layers=["left"], other_layers=["right", "left"], num_samples=150, properties=False
    )
    assert [line["most_like"] for line in found.table()] == ["left"]
    assert found.similarity[0][1] == pytest.approx(1.0, abs=1e-6)
    assert found.similarity[0][0] == pytest.approx(float(cka(Two(0).left(X), Two(0).right(X.flip(0)))), abs=1e-5)


@pytest.mark.parametrize(
    ("first", "options", "error", "message"),
    [
        (lambda x: x, {}, TypeError, r"first must be a torch.nn.Module"),
        (network(0), {"num_samples": 0}, ValueError, "num_samples must be at least 1"),
        (network(0), {"targets": "words"}, ValueError, "targets must be"),
        (network(0), {"other_layers": ["9"]}, ValueError, "'9'"),
    ],
)
def test_what_is_refused(first, options, error, message):
    with pytest.raises(error, match=message):
        compare_networks(first, network(1), (X, Y), **options)
