"""Training and evaluation mode of layers that several modules call, and of those that a network fixes."""

import pytest
import torch
from torch import nn

from infotorch import Plan, train
from infotorch.training.modes import kept_in_evaluation

X = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-2)


class OneDropout(nn.Module):
    """The same dropout behind both hidden layers."""

    def __init__(self):
        super().__init__()
        self.a, self.b, self.o, self.drop = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2), nn.Dropout(0.5)

    def forward(self, x):
        return self.o(self.drop(self.b(self.drop(self.a(x)))))


@pytest.mark.parametrize(
    ("order", "modes"),
    [
        # Stage by stage: what the trained module calls is on, what the frozen ones before it call is off.
        ("sequential", [[True], [False, True], [False, False]]),
        ("simultaneous", [[True, True]]),
    ],
)
def test_a_dropout_of_two_modules_is_on_in_the_trained_one_alone(order, modes):
    torch.manual_seed(0)
    model, called = OneDropout(), []
    plan = Plan.layerwise(model, objectives="Y,Y,CE", order=order, optimizer=adam)
    plan.prepare((X, Y), epochs=1, seed=0, batch_size=64)
    model.drop.register_forward_hook(lambda layer, *_: called.append(layer.training))
    found = []
    for _ in train(plan, (X, Y), epochs=1, batch_size=64):
        found.append(called.copy())
        called.clear()
    assert found == modes


class FixedNorm(nn.Module):
    """Batch norm that its network keeps in evaluation mode."""

    def __init__(self):
        super().__init__()
        self.a, self.bn, self.o = nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)
        self.bn.requires_grad_(False)

    def train(self, mode=True):
        super().train(mode)
        self.bn.eval()
        return self

    def forward(self, x):
        return self.o(self.bn(self.a(x)).relu())


@pytest.mark.parametrize("cuts", [(), ("o",)])
def test_a_network_s_own_train_is_heard(cuts):
    torch.manual_seed(0)
    model = FixedNorm()
    before = model.bn.state_dict()["running_mean"].clone()
    plan = Plan.layerwise(model, cuts, ["Y"] * len(cuts) + ["CE"], optimizer=adam)
    weight = model.a.weight.detach().clone()
    list(train(plan, (X, Y), epochs=1))
    assert torch.equal(model.bn.running_mean, before)
    assert not torch.equal(model.a.weight, weight)


def test_asking_a_network_leaves_its_modes_as_they_are():
    model = nn.Sequential(FixedNorm(), nn.Dropout())
    model[0].a.eval()
    model[0].bn.train()
    before = [layer.training for layer in model.modules()]
    assert kept_in_evaluation([model]) == {model[0].bn}
    assert [layer.training for layer in model.modules()] == before
    model[1].train = lambda mode=True: model[1]  # as of a network that is fixed from outside
    model[1].training = False
    assert kept_in_evaluation([model]) == {model[0].bn, model[1]}
