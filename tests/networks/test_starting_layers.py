"""Where modules start when no cuts are given, of models around other models."""

import pytest
import torch
from torch import nn

from infotorch import Plan, fit
from infotorch.networks.segments import starting_layers

X = torch.randn(40, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()


def perceptron():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 2))


class Wrapped(nn.Module):
    def __init__(self, net):
        super().__init__()
        self.flat, self.net = nn.Flatten(), net

    def forward(self, x):
        return self.net(self.flat(x))


class Listed(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(4, 4) for _ in range(3))

    def forward(self, x):
        for layer in self.layers:
            x = layer(x).relu()
        return x


class Scaled(Wrapped):
    """Not a mere wrapper: it has a parameter of its own."""

    def __init__(self, net):
        super().__init__(net)
        self.scale = nn.Parameter(torch.ones(4))

    def forward(self, x):
        return self.net(x * self.scale)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        h = self.first(x)
        return h + self.b(self.a(h).relu())


@pytest.mark.parametrize(
    ("model", "names"),
    [
        (Wrapped(perceptron()), ("net.2", "net.4")),
        (Wrapped(Wrapped(perceptron())), ("net.net.2", "net.net.4")),
        (nn.Sequential(nn.BatchNorm1d(4), perceptron(), nn.Softmax(dim=-1)), ("1.2", "1.4")),
        (Wrapped(Listed()), ("net.layers.1", "net.layers.2")),
        (Wrapped(nn.Linear(4, 2)), ()),
        (Scaled(perceptron()), ()),
        (nn.Sequential(perceptron()), ()),  # one block, as its maker says
    ],
)
def test_the_layers_of_a_wrapped_model_start_modules(model, names):
    assert starting_layers(model) == names


def test_a_wrapped_model_trains_as_the_one_within_it():
    plain, wrapped = perceptron(), Wrapped(perceptron())
    for model in (plain, wrapped):
        assert len(fit(model, (X, Y), epochs=2, progress=False).plan) == 3
    assert all(torch.equal(a, b) for a, b in zip(plain.parameters(), wrapped.parameters(), strict=True))


def test_a_wrapped_model_that_cannot_be_cut_is_one_module_with_a_warning():
    with pytest.warns(UserWarning, match=r"plain back-propagation, as it cannot be cut at net\.a, net\.b: .*skip conn"):
        assert starting_layers(Wrapped(Residual())) == ()


@pytest.mark.parametrize(
    ("wrap", "advice"),
    [
        (
            nn.DataParallel,
            r"a DataParallel shows no layers to cut at; give the model within it, model\.module, or cuts=",
        ),
        (
            lambda net: torch.jit.trace(net, X),
            r"Module shows no layers .*the model as it was before torch\.jit, or cuts=",
        ),
    ],
)
def test_what_hides_its_layers_is_refused_with_advice(wrap, advice):
    with pytest.raises(ValueError, match=f"^cuts: .*{advice}"):
        fit(wrap(perceptron()), (X, Y), epochs=1, progress=False)
    with pytest.raises(ValueError, match=f"^cuts: .*{advice}"):
        Plan.layerwise(wrap(perceptron()), objectives="Y,Y,CE", optimizer=torch.optim.Adam)
    assert starting_layers(wrap(nn.Linear(4, 2))) == ()


@pytest.mark.slow  # torch.compile takes seconds to load
def test_a_compiled_model_is_refused_with_advice():
    with pytest.raises(ValueError, match=r"^cuts: a OptimizedModule .* give the model within it, model\._orig_mod"):
        fit(torch.compile(perceptron(), backend="eager"), (X, Y), epochs=1, progress=False)
