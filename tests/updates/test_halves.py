"""Step sizes and optimisers of the two halves."""

from functools import partial

import numpy as np
import pytest
import torch
from tests.reference.halves import SGD, batch, halves, loss_of, split_of
from torch import nn

from infotorch.updates.halves import modules_of, names_of, optimizers_of, putting_back, step_sizes_of


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (1, (1.0, 1.0)),
        (np.float32(0.5), (0.5, 0.5)),
        (torch.tensor(0.5), (0.5, 0.5)),
        ([1, 2.0], (1.0, 2.0)),
        (torch.tensor([0.5, 2.0]), (0.5, 2.0)),
        (np.array([0.5, 2.0]), (0.5, 2.0)),
    ],
)
def test_one_step_size_or_one_for_each_bottleneck(given, expected):
    assert step_sizes_of(given, 2) == expected
    assert all(type(step) is float for step in step_sizes_of(given, 2))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([1.0, float("nan")], ValueError, "step_size must be positive and finite, got nan"),
        ([1.0, float("inf")], ValueError, "step_size must be positive and finite, got inf"),
        ([0.0, 1.0], ValueError, "positive and finite, got 0"),
        (torch.tensor(-1.0), ValueError, "positive and finite, got -1"),
        ([1.0], ValueError, "2 bottlenecks need as many step sizes, got 1"),
        ("0.1", TypeError, r"a number, or one for each bottleneck, got '0\.1'"),
        (["0.1", "0.2"], TypeError, "step_size must be a number, got str"),
        (None, TypeError, "got None"),
        (True, TypeError, "step_size must be a number, got bool"),
    ],
)
def test_other_step_sizes_are_refused(given, error, message):
    with pytest.raises(error, match=message):
        step_sizes_of(given, 2)


def test_an_optimiser_of_g_that_holds_weights_of_f_is_refused():
    f, g = halves("mlp")
    with pytest.raises(ValueError, match=r"holds 0\.weight, 0\.bias, 2\.weight of forward, which would move twice"):
        split_of(f, g, backward_optimizer=SGD([*f.parameters(), *g.parameters()]))
    both = SGD([*f.parameters(), *g.parameters()])
    with pytest.raises(ValueError, match="would move twice"):
        split_of(f, g, forward_optimizer=both, backward_optimizer=both)
    for parameter in f[0].parameters():
        parameter.requires_grad_(False)
    with pytest.raises(ValueError, match=r"holds 2\.weight, 2\.bias of forward"):
        split_of(f, g, backward_optimizer=SGD([*f.parameters(), *g.parameters()]))


class Stack(nn.ModuleList):
    def forward(self, x):
        return self[1](self[0](x))


def test_a_chain_is_a_plain_sequence_and_a_module_with_a_forward_is_one():
    f, g = halves("mlp")
    for chain in ([f, g], (f, g), nn.ModuleList([f, g]), iter([f, g])):
        assert modules_of(chain, g) == (f, g)
    for one in (f, Stack([f, g])):
        assert modules_of(one, g) == (one,)


def test_names_are_one_or_several():
    assert names_of("a.b", nn.Sequential()) == ("a.b",)
    assert names_of({"a": 1, "b": 2}, nn.Sequential()) == ("a", "b")


@pytest.mark.parametrize("given", ["adam", None, 3])
def test_what_is_no_optimiser_and_makes_none_is_refused(given):
    f, g = halves("mlp")
    with pytest.raises(TypeError, match=f"forward_optimizer must be or make .*, got {type(given).__name__}"):
        split_of(f, g, forward_optimizer=given)


def test_what_makes_no_optimiser_is_refused():
    with pytest.raises(TypeError, match="backward_optimizer must be or make a torch optimiser, got list"):
        optimizers_of(halves("mlp")[:1], halves("mlp")[1], SGD, lambda parameters: parameters)


class Closure(torch.optim.SGD):
    def step(self, closure):
        return super().step(closure)


@pytest.mark.parametrize("kind", [torch.optim.LBFGS, Closure])
def test_an_optimiser_that_needs_a_closure_is_refused_before_anything_moves(kind):
    name = kind.__name__
    with pytest.raises(ValueError, match=f"forward_optimizer {name} needs a closure that computes the loss again"):
        split_of(*halves("mlp"), forward_optimizer=partial(kind, lr=0.1))
    with pytest.raises(ValueError, match=f"backward_optimizer {name} needs a closure"):
        split_of(*halves("mlp"), backward_optimizer=partial(kind, lr=0.1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda o, p: o.AdaHessian(p), "AdaHessian needs gradients that can be differentiated again"),
        (lambda o, p: o.SophiaH(p), "SophiaH needs gradients that can be differentiated again"),
        (lambda o, p: o.SAM(p, torch.optim.SGD, lr=0.1), "SAM needs a closure"),
        (lambda o, p: o.AliG(p), "AliG needs a closure"),
    ],
)
def test_optimisers_of_pytorch_optimizer_that_need_more_are_refused(make, message):
    package = pytest.importorskip("pytorch_optimizer")
    with pytest.raises(ValueError, match=message):
        split_of(*halves("mlp"), backward_optimizer=lambda parameters: make(package, parameters))


@pytest.mark.parametrize("steps", [0, 2])
def test_what_is_put_back_goes_on_as_if_nothing_had_happened(steps):
    def begin():
        torch.manual_seed(0)
        model = nn.Linear(5, 5)
        return model, torch.optim.AdamW(model.parameters(), lr=1e-2)

    def move(model, optimizer, seed):
        x, y = batch(seed)
        optimizer.zero_grad()
        loss_of(y)(model(x.float())).backward()
        optimizer.step()

    found = []
    for detour in (True, False):
        model, optimizer = begin()
        for seed in range(steps):
            move(model, optimizer, seed)
        if detour:
            put_back = putting_back(optimizer)
            move(model, optimizer, 9)
            optimizer.param_groups[0]["lr"] = 1.0
            put_back()
        move(model, optimizer, 5)
        found.append([p.detach().clone() for p in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


class Offsets(nn.Module):
    """x plus two weights of its shape, which have one gradient."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.zeros(5)), nn.Parameter(torch.ones(5))

    def forward(self, x):
        return x + self.a + self.b


def test_weights_of_one_gradient_are_clipped_once():
    f, g = Offsets(), nn.Linear(5, 1)
    split = split_of(f, g, order=1, max_norm=0.1)
    split.step(torch.arange(5.0), lambda output: 100 * output.square().sum())
    moved = torch.cat([f.a.detach(), f.b.detach() - 1])
    assert moved.norm().item() == pytest.approx(0.1 * 0.1, rel=1e-4)  # the rate times the norm, but for the 1e-6 in it


@pytest.mark.parametrize("max_norm", [None, 1e3])
@pytest.mark.parametrize("fused", [False, True])
def test_one_gradient_of_all_entries_moves_each_as_backward_does(fused, max_norm):
    f, g = halves("mlp")
    scales = nn.Parameter(torch.zeros(40).double())
    adam = torch.optim.Adam([*g.parameters(), scales], lr=0.1, fused=fused)
    x, y = batch()
    split = split_of(f, g, backward_optimizer=adam, max_norm=max_norm)
    split.step(x, lambda output: loss_of(y)(output) + scales.sum())
    torch.testing.assert_close(scales.detach(), torch.full((40,), -0.1).double())
