"""Models and targets that people have, in signals and range tests."""

import copy
import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from infotorch.estimators.class_neighbours import ross
from infotorch.schedules.range_test import lr_range_test
from infotorch.schedules.signal import InformationSignal

X = torch.randn(60, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long() + (X[:, 1] > 0.5).long()


def perceptron():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))


class Remembers(nn.Module):
    """A buffer that is None at first, and a number and a tensor that it sets anew."""

    scale: torch.Tensor | None

    def __init__(self):
        super().__init__()
        self.layer, self.calls, self.state = nn.Linear(4, 3), 0, torch.zeros(3)
        self.register_buffer("scale", None)

    def forward(self, x):
        self.calls += 1
        self.scale = x.std() if self.scale is None else self.scale
        self.state = self.layer(x / self.scale).detach().mean(0)
        return self.layer(x / self.scale) + self.state


def test_a_signal_of_a_model_in_half_precision_is_that_of_its_own_output():
    model = perceptron().half()
    signal = InformationSignal(model, (X, Y), num_samples=50, layers=["0", "2"])
    with torch.no_grad():
        hidden, output = model[0](signal.x.half()).float(), model(signal.x.half()).float()
    assert signal() == pytest.approx([float(ross(hidden, signal.y)), float(ross(output, signal.y))], abs=1e-9)


def test_a_signal_leaves_a_model_the_generators_and_its_samples_as_they_were():
    class Draws(Remembers):
        def forward(self, x):
            noise = random.random() + np.random.rand()  # noqa: NPY002 as a network may
            return super().forward(x.mul_(2)) + noise

    model = Draws()
    state = model.state
    signal = InformationSignal(model, (X, Y), num_samples=50)
    states = random.getstate(), np.random.get_state(legacy=False)["state"]["key"].tolist()  # noqa: NPY002
    assert signal() == signal()
    assert (random.getstate(), np.random.get_state(legacy=False)["state"]["key"].tolist()) == states  # noqa: NPY002
    assert model.scale is None
    assert model.calls == 0
    assert model.state is state


def test_ksg_counts_classes_and_not_their_numbers():
    def value(y):
        return InformationSignal(perceptron(), (X, y), num_samples=50, estimator="ksg", ceiling="estimate")()

    wanted = value(Y)
    assert value(torch.tensor([0, 7, 2**62])[Y]) == wanted
    assert value(Y.to(torch.uint8)) == wanted
    assert value(Y.bool()) == value((Y > 0).long())


@pytest.mark.parametrize(
    ("model", "x", "kind", "words"),
    [
        (nn.Sequential(nn.LazyLinear(3)), X, ValueError, "layer '0' has no weights yet"),
        (perceptron().to("meta"), X, ValueError, "layer '0' is on the meta device"),
        (perceptron(), X[:, :3], ValueError, r"the network does not run on x of shape \(50, 3\), torch.float32: mat1"),
        (perceptron(), X.to_sparse(), TypeError, "x must be a dense tensor of numbers"),
        (perceptron(), X / 0, ValueError, "x must be finite, got NaN or infinite values"),
        (perceptron(), (X, X), TypeError, "x must be a tensor or an array, got tuple; wrap a model of several inputs"),
        (perceptron(), {"x": X}, ValueError, r"the network does not run on x of several inputs, x \(50, 4\)"),
    ],
)
def test_what_a_signal_cannot_measure_is_told_in_one_line(model, x, kind, words):
    with pytest.raises(kind, match=f"^InformationSignal: {words}"):
        InformationSignal(model, (x, Y), num_samples=50)()


def test_a_layer_that_has_diverged_is_named():
    model = perceptron()
    nn.init.constant_(model.get_parameter("2.bias"), float("nan"))
    with pytest.raises(ValueError, match=r"^InformationSignal: layer '2' gives NaN or infinite values"):
        InformationSignal(model, (X, Y), num_samples=50, layers=["0", "2"])()


@pytest.mark.filterwarnings("ignore:lr_range_test")
@pytest.mark.parametrize("stopped", [False, True])
def test_a_range_test_puts_back_what_a_model_remembers_and_what_the_optimizer_moves_beside_it(stopped):
    model, beside = Remembers(), nn.Parameter(torch.ones(2))
    sgd = torch.optim.SGD([*model.parameters(), beside], lr=0.1, momentum=0.9)
    epochs = []

    def epoch():
        epochs.append(model.calls)
        if stopped and len(epochs) == 4:
            raise KeyboardInterrupt
        loss = nn.functional.cross_entropy(model.train()(X), Y) + beside.square().sum()
        sgd.zero_grad()
        loss.backward()
        sgd.step()
        model.eval()
        return loss.item()

    model.register_buffer("scale", None)
    beside.grad = gradient = torch.full((2,), 5.0)
    state, weights = model.state, copy.deepcopy(model.state_dict())
    try:
        lr_range_test(model, sgd, epoch, rates=(0.01, 0.1), trials=1, epochs=2)
    except KeyboardInterrupt:
        assert stopped
    assert (model.calls, model.training, model.scale, model.state is state) == (0, True, None, True)
    assert all(torch.equal(value, weights[name]) for name, value in model.state_dict().items())
    assert beside.tolist() == [1.0, 1.0]
    assert beside.grad is gradient
    assert not sgd.state_dict()["state"]
    assert epochs[:3] == [0, 0, 1]  # both candidates begin alike; the second one's start is measured anew


def _inference():
    with torch.inference_mode():
        return perceptron()


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (perceptron().to("meta"), "layer 0 is on the meta device"),
        (_inference(), "layer 0 was made under torch.inference_mode, and cannot be trained; make it outside"),
        (
            nn.Sequential(nn.Linear(4, 4), prune.l1_unstructured(nn.Linear(4, 3), "weight", 0.5)),
            "layer 1 computes its weight from weight_orig, which its reset_parameters does not draw; give reset",
        ),
    ],
)
def test_a_range_test_refuses_a_model_that_cannot_be_trained_or_drawn_anew(model, words):
    with pytest.raises(ValueError, match=f"^lr_range_test: {words}"):
        lr_range_test(model, torch.optim.SGD(model.parameters(), lr=0.1), lambda: 0.0)


@pytest.mark.filterwarnings("ignore:lr_range_test")
def test_frozen_weights_are_the_same_in_every_trial_and_need_no_reset():
    features = nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6, affine=False), nn.TransformerEncoderLayer(6, 2, 8))
    features.requires_grad_(False)
    features[1].running_mean.fill_(0.5)
    model = nn.Sequential(features, nn.Linear(6, 6), nn.Linear(6, 3))
    model[1].weight.requires_grad_(False)  # its reset draws weight and bias together
    sgd = torch.optim.SGD([weight for weight in model.parameters() if weight.requires_grad], lr=0.1)
    seen = []

    def epoch():
        seen.append([tensor.clone() for tensor in (*model.parameters(), model[0][1].running_mean)])
        sgd.step()
        return 1.0 - 0.1 * len(seen)

    wanted = [tensor.clone() for tensor in (*model.parameters(), model[0][1].running_mean)]
    lr_range_test(model, sgd, epoch, rates=(0.01, 0.1), trials=2, epochs=1)
    kept = [all(torch.equal(tensors[number], one) for tensors in seen) for number, one in enumerate(wanted)]
    assert kept == [not tensor.requires_grad for tensor in (*model.parameters(), model[0][1].running_mean)]
