"""What a call of a model runs beside its class's forward: hooks on the model itself, and a forward set on it."""

import pytest
import torch
from tests.networks.segmented import run
from torch import nn

from infotorch import ProximalSplit, fit
from infotorch.networks.segments import split

X = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()


def perceptron():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))


def with_hook(model):
    model.register_forward_hook(lambda _, given, output: -output)
    return model


def with_pre_hook(model):
    model.register_forward_pre_hook(lambda _, given: (2 * given[0],))
    return model


def with_own_forward(model):
    forward = model.forward
    model.forward = lambda x: -forward(x)
    return model


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (with_hook, "^cuts: a forward hook stands on the model itself, and the parts would leave it out; register"),
        (with_pre_hook, "^cuts: a forward pre-hook stands on the model itself"),
        (with_own_forward, "^cuts: a forward was set on the model itself, .*; write it into the class"),
    ],
)
def test_what_the_parts_would_leave_out_is_refused(change, message):
    model = change(perceptron())
    with pytest.raises(ValueError, match=message):
        fit(model, (X, Y), epochs=1, progress=False)
    adam = torch.optim.Adam
    with pytest.raises(ValueError, match=message):
        ProximalSplit.at(model, "2", order=1, step_size=1.0, forward_optimizer=adam, backward_optimizer=adam)


@pytest.mark.parametrize("change", [with_hook, with_own_forward])
def test_one_that_comes_later_is_refused_in_the_next_run(change):
    model = perceptron()
    segments = split(model, ["2"])
    change(model)
    with pytest.raises(ValueError, match=r"cuts: a forward .*on the model itself"):
        run(segments, X)


def test_the_whole_network_is_called_with_its_hooks():
    model = with_hook(perceptron())
    result = fit(model, (X, Y), plan="CE", cuts=(), epochs=30, lr=0.03, progress=False)
    right = (model.eval()(X).argmax(1) == Y).float().mean().item()
    assert result.metrics["train_accuracy"] == pytest.approx(right, abs=1e-6)
    assert right > 0.9


@pytest.mark.parametrize("change", [with_hook, with_pre_hook, with_own_forward])
def test_a_model_whose_layers_stand_in_a_list_is_run_again_with_all_that(change):
    class Listed(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

        def forward(self, x):
            for layer in self.layers:
                x = layer(x).relu()
            return x

    model = change(Listed())
    segments = split(model, ["layers.1", "layers.2"])
    assert torch.equal(run(segments, X), model(X))


def test_hooks_of_inner_layers_are_called_by_the_parts():
    model = perceptron()
    with_hook(model[0])
    with_pre_hook(model[2])
    assert torch.equal(run(split(model, ["2"]), X), model(X))
