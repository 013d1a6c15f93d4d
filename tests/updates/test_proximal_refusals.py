"""What ProximalSplit refuses, or leaves unmoved, and how it says so."""

from functools import partial

import pytest
import torch
from tests.reference.halves import SGD, batch, halves, loss_of, split_of
from torch import nn

from infotorch.updates.proximal import ProximalSplit

ADAM = partial(torch.optim.Adam, lr=1e-2)


class Once(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x.tanh()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient):
        (x,) = ctx.saved_tensors
        return gradient * (1 - x.tanh() ** 2)


class OnceLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.out = nn.Linear(4, 5)

    def forward(self, z):
        # Autograd alone would follow tanh and leave the other layer's share out, without a word.
        return self.out(Once.apply(z.tanh()))


class Detached(nn.Linear):
    def forward(self, z):
        return super().forward(z.detach())


class Spare(nn.Module):
    def __init__(self):
        super().__init__()
        self.used, self.spare = nn.Linear(4, 5), nn.Linear(4, 5)

    def forward(self, z):
        return self.used(z)


def test_a_layer_without_a_second_derivative_is_named_and_order_1_takes_it():
    f, _ = halves("mlp")
    g = OnceLayer().double()
    x, y = batch()
    with pytest.raises(ValueError, match=r"cannot be differentiated twice.*order 1"):
        split_of(f, g).step(x, loss_of(y))
    split_of(f, g, order=1).step(x, loss_of(y))


@pytest.mark.parametrize(
    ("g", "loss_fn", "message"),
    [
        (nn.Linear(4, 5), lambda output: output.square().sum(dim=1), "one number, a 0-d tensor, got \\(12,\\)"),
        (nn.Linear(4, 5), lambda output: 0.5, "got float"),
        (nn.Linear(4, 5), lambda output: output.detach().sum(), "does not depend on the bottleneck"),
        (Detached(4, 5), lambda output: output.square().sum(), "does not depend on the bottleneck"),
        (nn.Linear(4, 5), lambda output: output.sum(), "linear in the bottleneck"),
        (Spare(), lambda output: output.square().sum(), "does not depend on spare.weight, spare.bias of backward"),
        (nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 5)), lambda output: output.square().sum(), "inplace=False"),
    ],
)
def test_what_cannot_be_split_is_refused_by_name(g, loss_fn, message):
    f, _ = halves("mlp")
    with pytest.raises(ValueError, match=message):
        split_of(f, g.double()).step(batch()[0], loss_fn)


def test_weights_of_f_that_the_bottleneck_does_not_show_are_refused():
    f = nn.Sequential(Spare())
    with pytest.raises(ValueError, match=r"0\.spare\.weight, 0\.spare\.bias of forward"):
        split_of(f.double(), nn.Sequential(nn.Tanh(), nn.Linear(5, 5)).double()).step(
            batch()[0][:, :4], loss_of(batch()[1])
        )


def test_wrong_settings_are_refused():
    f, g = halves("mlp")
    for options, message in [
        ({"stall_window": 0}, "stall_window must be at least 1"),
        ({"order": 3}, "order must be"),
        ({"penalty": "l3"}, "penalty must be"),
        ({"handoff": "later"}, "handoff must be"),
        ({"step_size": 0.0}, "step_size must be positive"),
        ({"step_size": float("nan")}, "step_size must be positive"),
        ({"step_size": (1.0, 2.0)}, "1 bottlenecks? need"),
        ({"weight": -1.0}, "weight must be positive"),
        ({"weight": float("inf")}, "weight must be positive and finite"),
        ({"max_norm": 0.0}, "max_norm must be positive"),
        ({"forward_optimizer": SGD(g.parameters())}, "forward_optimizer does not hold 0.weight"),
        ({"forward_optimizer": SGD([*f.parameters(), *g.parameters()])}, "not forward's"),
        ({"backward_optimizer": SGD(list(g.parameters())[:1])}, "backward_optimizer does not hold"),
    ]:
        with pytest.raises(ValueError, match=message):
            split_of(f, g, **options)
    with pytest.raises(ValueError, match="share the parameter"):
        split_of(f, nn.Sequential(f[2], nn.Linear(4, 5).double()))
    with pytest.raises(ValueError, match="no parameter to train"):
        split_of(nn.Tanh(), g)
    with pytest.raises(ValueError, match="order 'whole' is for one bottleneck"):
        split_of([f, nn.Linear(4, 4).double()], g, order="whole")
    for share, match in (
        (0.0, "share must be positive and finite, got 0"),
        (1.5, r"share must be at most 1, got 1\.5"),
    ):
        with pytest.raises(ValueError, match=match):
            split_of(f, g).accumulate(*((b := batch())[0], loss_of(b[1])), share=share)
    with pytest.raises(TypeError, match="share must be a number, got str"):
        split_of(f, g).accumulate(*((b := batch())[0], loss_of(b[1])), share="0.5")
    with pytest.raises(TypeError, match=r"stall_window must be an integer, got 2\.5"):
        split_of(f, g, stall_window=2.5)
    with pytest.raises(ValueError, match="layers must name one layer or more, got none"):
        ProximalSplit.at(nn.Sequential(f, g), [], step_size=1.0, forward_optimizer=SGD, backward_optimizer=SGD)
    with pytest.raises(ValueError, match="'after' needs one batch"):
        split_of(f, g, handoff="after").accumulate(*((b := batch())[0], loss_of(b[1])), share=0.5)


@pytest.mark.parametrize(
    ("forward", "backward", "message"),
    [
        (3, nn.Tanh(), "forward must be a module or a sequence of them, got int"),
        ("f", nn.Tanh(), "forward must be a module or a sequence of them, got str"),
        ([nn.Tanh(), None], nn.Tanh(), "forward must be a module or a sequence of them, got NoneType"),
        (nn.Linear(2, 2), torch.tanh, "backward must be a module, got builtin_function_or_method"),
    ],
)
def test_halves_that_are_no_modules_are_refused(forward, backward, message):
    with pytest.raises(TypeError, match=message):
        split_of(forward, backward)


@pytest.mark.parametrize(
    ("model", "layers", "message"),
    [
        ("model", "2", "model must be a module, got str"),
        (nn.Sequential(nn.Tanh()), 2, "layers must be names of layers, got int"),
        (nn.Sequential(nn.Tanh()), [nn.Tanh()], "layers must be names of layers, got Tanh"),
    ],
)
def test_what_cannot_be_cut_by_name_is_refused(model, layers, message):
    with pytest.raises(TypeError, match=message):
        ProximalSplit.at(model, layers, step_size=1.0, forward_optimizer=SGD, backward_optimizer=SGD)


def test_an_empty_chain_is_refused():
    with pytest.raises(ValueError, match="forward must hold one module or more, got none"):
        split_of([], nn.Linear(4, 5))


def test_a_loss_in_place_of_its_function_is_refused():
    f, g = halves("mlp")
    x, _ = batch()
    with pytest.raises(TypeError, match="loss_fn must be a function, got Tensor"):
        split_of(f, g).step(x, g(f(x)).sum())


def test_a_residual_connection_over_the_split_is_refused_with_its_reason():
    class Residual(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(5, 5), nn.Linear(5, 5)

        def forward(self, x):
            hidden = self.first(x)
            return hidden + self.second(hidden.tanh())

    with pytest.raises(ValueError, match="skip connection over the cut"):
        ProximalSplit.at(Residual(), "second", step_size=1.0, forward_optimizer=SGD, backward_optimizer=SGD)


@pytest.mark.parametrize("shares", [(), (0.5,), (1.0, 0.5), (0.3, 0.7 - 1e-3)])
def test_shares_that_are_no_whole_batch_are_refused_and_can_be_completed(shares):
    f, g = halves("mlp")
    x, y = batch()
    split = split_of(f, g)
    for share in shares:
        split.accumulate(x, loss_of(y), share=share)
    with pytest.raises(ValueError, match="shares of a batch must sum to 1, got"):
        split.apply()
    if shares == (0.5,):
        split.accumulate(x, loss_of(y), share=0.5)
        assert split.apply()


def test_shares_may_be_rounded():
    f, g = halves("mlp")
    x, y = batch()
    split = split_of(f, g)
    for _ in range(3):
        split.accumulate(x, loss_of(y), share=torch.tensor(1 / 3, dtype=torch.float32).item())
    assert split.apply()


def test_a_loss_that_is_not_finite_moves_nothing():
    f, g = halves("mlp")
    before = [p.detach().clone() for p in (*f.parameters(), *g.parameters())]
    x, y = batch()
    info = split_of(f, g).step(x, lambda output: loss_of(y)(output) * float("nan"))
    assert info.loss.isnan()
    assert all(torch.equal(a, b) for a, b in zip(before, (*f.parameters(), *g.parameters()), strict=True))
    assert not info.finite


def without_finite_slopes(y):
    """A loss of 0 + cross-entropy, whose first part has the slope 0 / 0."""
    return lambda output: (output - output.detach()).square().sum().sqrt() + loss_of(y)(output)


@pytest.mark.parametrize("order", [1, 2, "hybrid", "whole"])
@pytest.mark.parametrize("handoff", ["before", "after"])
def test_slopes_that_are_not_finite_move_nothing_and_are_told(order, handoff):
    f, g = halves("mlp")
    split = split_of(f, g, order=order, handoff=handoff, forward_optimizer=ADAM, backward_optimizer=ADAM)
    x, y = batch()
    before = [p.detach().clone() for p in (*f.parameters(), *g.parameters())]
    info = split.step(x, without_finite_slopes(y))
    assert info.loss.isfinite()
    assert not info.finite
    assert all(torch.equal(a, b) for a, b in zip(before, (*f.parameters(), *g.parameters()), strict=True))
    assert split.step(x, loss_of(y)).finite
    assert not torch.equal(before[0], f[0].weight)


@pytest.mark.parametrize("handoff", ["before", "after"])
def test_a_product_that_overflows_moves_nothing(handoff):
    f, g = (half.float() for half in halves("mlp"))
    x, y = batch()
    split = split_of(f, g, step_size=1e30, handoff=handoff, forward_optimizer=ADAM, backward_optimizer=ADAM)
    before = [p.detach().clone() for p in (*f.parameters(), *g.parameters())]
    info = split.step(x.float(), loss_of(y))
    assert not info.finite
    assert all(torch.equal(a, b) for a, b in zip(before, (*f.parameters(), *g.parameters()), strict=True))
    assert not split.backward_optimizer.state


def test_a_part_that_is_not_finite_spoils_its_batch_and_no_other():
    f, g = halves("mlp")
    split = split_of(f, g)
    x, y = batch()
    before = [p.detach().clone() for p in (*f.parameters(), *g.parameters())]
    seen = [split.accumulate(x + part, loss_of(y), share=0.5).finite for part in (float("nan"), 0.0)]
    assert seen == [False, True]
    assert not split.apply()
    assert all(torch.equal(a, b) for a, b in zip(before, (*f.parameters(), *g.parameters()), strict=True))
    assert split.accumulate(x, loss_of(y), share=1.0).finite
    assert split.apply()
    assert not torch.equal(before[0], f[0].weight)


def test_a_refused_step_after_g_moved_puts_g_back():
    f, _ = halves("mlp")
    linear = nn.Linear(4, 5).double()
    split = split_of(f, linear, handoff="after", backward_optimizer=ADAM)
    before = [p.detach().clone() for p in linear.parameters()]
    with pytest.raises(ValueError, match="linear in the bottleneck"):
        split.step(batch()[0], lambda output: output.sum())
    assert all(torch.equal(a, b) for a, b in zip(before, linear.parameters(), strict=True))
    assert not split.backward_optimizer.state
