"""Parts that give something else than their network are refused; the question leaves no trace."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from infotorch import ProximalSplit, fit
from infotorch.networks.composition import check_composition
from infotorch.networks.segments import split

X = torch.rand(6, 4, generator=torch.Generator().manual_seed(0))
Y = torch.tensor([0, 1, 0, 1, 0, 1])
OTHERWISE = "cuts: the parts of the .* together give other values than it does"


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


class Layers(nn.Module):
    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.a, self.b, self.c = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 2)


class AsksForAnAttribute(Layers):
    """A symbol has every attribute, a tensor has not."""

    def forward(self, x):
        h = self.a(x)
        return self.c(self.b(h * 2 if hasattr(h, "mask") else h).relu())


class AsksForTheType(Layers):
    def forward(self, x):
        h = self.a(x)
        return self.c(self.b(h * 2 if isinstance(h, torch.Tensor) else h).relu())


class GivesAPair(Layers):
    """The second value alone comes out otherwise."""

    def forward(self, x):
        h = self.b(self.a(x)).relu()
        return self.c(h), h.sum(1) if hasattr(h, "mask") else h.mean(1)


class AsksInTraining(Layers):
    def forward(self, x):
        h = self.a(x)
        return self.c(self.b(h * 2 if self.training and isinstance(h, torch.Tensor) else h).relu())


@pytest.mark.parametrize("model", [AsksForAnAttribute, AsksForTheType, AsksInTraining])
def test_what_a_trace_gets_wrong_is_not_trained(model):
    with pytest.raises(ValueError, match=OTHERWISE):
        fit(model(), (X, Y), epochs=1)
    step = ProximalSplit.at(model(), "b", step_size=1.0, forward_optimizer=sgd, backward_optimizer=sgd)
    with pytest.raises(ValueError, match=OTHERWISE):
        step.step(X, lambda output: F.cross_entropy(output, Y))


def test_every_value_that_a_network_gives_counts():
    with pytest.raises(ValueError, match=OTHERWISE):
        check_composition(split(GivesAPair(), ["b"]), X)


class Counts(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return x + torch.rand_like(x)


def test_the_network_and_the_random_state_are_left_as_they_were():
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8, momentum=0.5), Counts(), nn.Dropout(), nn.Linear(8, 2))
    model[1].eval()
    parts = split(model, ["4"])
    parts[1].train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    check_composition(parts, X)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert [model.training, model[1].training, model[3].training, model[2].calls] == [True, False, True, 0]
    assert [part._mode for part in parts] == [None, True]


def test_parts_of_ones_own_are_not_looked_at():
    first, second = split(AsksForAnAttribute(), ["b"])
    check_composition([nn.Linear(4, 8), nn.Linear(8, 2)], X)
    check_composition([first], X)
    check_composition([second, first], X)


class Draws(nn.Module):
    """From a generator of its own, which nobody else can set back."""

    def __init__(self):
        super().__init__()
        self.generator = torch.Generator().manual_seed(0)

    def forward(self, x):
        return x + torch.rand(x.shape, generator=self.generator)


def test_a_network_that_does_not_repeat_itself_tells_nothing():
    check_composition(split(nn.Sequential(nn.Linear(4, 8), Draws(), nn.Linear(8, 2)), ["2"]), X)


def test_values_that_are_not_finite_are_compared_as_others_are():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    parts = split(model, ["2"])
    check_composition(parts, torch.full((6, 4), torch.nan))
    check_composition(parts, torch.full((6, 4), torch.inf))
