"""A look at a batch: what may lie behind a bottleneck, and that it sees the weights as they are."""

import copy

import pytest
import torch
from tests.reference.halves import SGD, batch, halves, loss_of, split_of
from torch import nn
from torch.nn import functional

from infotorch.updates.proximal import ProximalSplit


def chain(in_place):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 6), nn.ReLU(inplace=in_place), nn.Linear(6, 5))
    return model.double()


def losses(split, x, y, steps, *, one_block):
    """The losses of some steps under autocast, entered once or for each step."""
    found = []
    with torch.autocast("cpu", torch.bfloat16, enabled=one_block):
        for _ in range(steps):
            with torch.autocast("cpu", torch.bfloat16):
                found.append(split.step(x, loss_of(y)).loss.item())
    return found


@pytest.mark.parametrize("handoff", ["before", "after"])
@pytest.mark.parametrize("order", [1, 2, "hybrid", "whole"])
def test_autocast_around_the_loop_trains_as_autocast_around_each_step(order, handoff):
    x, y = batch()
    found = []
    for one_block in (True, False):
        f, g = (half.float() for half in halves("mlp"))
        found.append(losses(split_of(f, g, order=order, handoff=handoff), x.float(), y, 4, one_block=one_block))
    assert found[0] == found[1]
    assert len(set(found[0])) == 4


def test_within_autocast_others_see_the_weights_as_a_step_left_them():
    f, g = (half.float() for half in halves("mlp"))
    x, y = batch()
    split = split_of(f, g, order="hybrid")
    with torch.autocast("cpu", torch.bfloat16):
        with torch.no_grad():  # its copies of the weights carry no gradient
            g(f(x.float()))
        split.step(x.float(), loss_of(y))
        seen = g(f(x.float()))
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(seen, g(f(x.float())))


def test_parts_of_a_batch_within_one_autocast_see_the_weights_after_apply():
    f, g = (half.float() for half in halves("mlp"))
    x, y = batch()
    split = split_of(f, g, order="hybrid")
    with torch.autocast("cpu", torch.bfloat16):
        seen = []
        for _ in range(2):
            for part in (slice(0, 6), slice(6, 12)):
                info = split.accumulate(x[part].float(), loss_of(y[part]), share=0.5)
            seen.append(info.loss.item())
            split.apply()
    assert seen[0] != seen[1]


@pytest.mark.parametrize("order", [1, 2, "hybrid"])
@pytest.mark.parametrize("names", [["2", "3"], ["1", "3"], ["3"]])
def test_a_layer_that_works_in_place_behind_any_bottleneck_is_refused(names, order):
    settings = {"order": order, "step_size": 1.0, "forward_optimizer": SGD, "backward_optimizer": SGD}
    x, y = batch()
    ProximalSplit.at(chain(in_place=False), names, **settings).step(x, loss_of(y))
    with pytest.raises(ValueError, match="changes it in place; use inplace=False"):
        ProximalSplit.at(chain(in_place=True), names, **settings).step(x, loss_of(y))


def test_a_loss_that_works_in_place_on_the_last_bottleneck_is_refused():
    f, _ = halves("mlp")
    with pytest.raises(ValueError, match="changes it in place"):
        split_of([f, nn.Linear(4, 5).double()], nn.Sequential(nn.Identity(), Negated()).double()).step(
            batch()[0], lambda output: output.square().sum()
        )


class Negated(nn.Linear):
    def __init__(self):
        super().__init__(5, 5)

    def forward(self, z):
        return super().forward(z.neg_())


def test_in_place_elsewhere_is_no_ones_business():
    f, _ = halves("mlp")
    g = nn.Sequential(nn.Linear(4, 6), nn.ReLU(inplace=True), nn.Linear(6, 5)).double()
    twin_f, twin_g = copy.deepcopy(f), copy.deepcopy(g)
    twin_g[1] = nn.ReLU()
    x, y = batch()
    split_of(f, g).step(x, loss_of(y))
    split_of(twin_f, twin_g).step(x, loss_of(y))
    for a, b in zip((*f.parameters(), *g.parameters()), (*twin_f.parameters(), *twin_g.parameters()), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("order", [1, 2, "hybrid", "whole"])
def test_a_loss_that_reads_weights_of_f_is_refused_before_anything_moves(order):
    f, g = halves("mlp")
    x, y = batch()
    before = [p.detach().clone() for p in (*f.parameters(), *g.parameters())]
    with pytest.raises(ValueError, match=r"reads 0\.weight of forward itself.*weight_decay"):
        split_of(f, g, order=order).step(x, lambda output: loss_of(y)(output) + f[0].weight.square().sum())
    assert all(torch.equal(a, b) for a, b in zip(before, (*f.parameters(), *g.parameters()), strict=True))


def test_a_loss_that_reads_weights_of_a_later_part_of_a_chain_is_refused_too():
    torch.manual_seed(0)
    parts = [nn.Linear(5, 6).double(), nn.Sequential(nn.Linear(6, 4), nn.Tanh()).double(), nn.Linear(4, 5).double()]
    x, y = batch()
    split_of(parts[:2], parts[2]).step(x, loss_of(y))
    with pytest.raises(ValueError, match=r"reads 0\.weight of forward itself"):
        split_of(parts[:2], parts[2]).step(x, lambda output: loss_of(y)(output) + parts[1][0].weight.square().sum())
    # Weights of g are g's to read.
    split_of(parts[:2], parts[2]).step(x, lambda output: loss_of(y)(output) + parts[2].weight.square().sum())


class Scale(nn.Module):
    """Its weight is a bottleneck itself."""

    def __init__(self):
        super().__init__()
        self.layer, self.scale = nn.Linear(5, 4), nn.Parameter(torch.zeros(4))

    def forward(self, x):
        return self.layer(x), self.scale


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 5)

    def forward(self, z):
        return self.layer((z[0] * z[1].exp()).tanh())


def test_a_weight_that_is_a_bottleneck_is_read_through_it():
    first, f, g = nn.Linear(5, 5).double(), Scale().double(), Scaled().double()
    split_of([first, f], g).step(*((b := batch())[0], loss_of(b[1])))
    assert f.scale.abs().sum() > 0


@pytest.mark.parametrize("context", [torch.no_grad, torch.inference_mode])
def test_a_step_without_gradients_says_why(context):
    with context(), pytest.raises(ValueError, match=r"switched off here \(torch\.no_grad\); take the step outside"):
        split_of(*halves("mlp")).step(*((b := batch())[0], loss_of(b[1])))


def test_autocast_to_float16_is_refused():
    f, g = (half.float() for half in halves("mlp"))
    x, y = batch()
    with torch.autocast("cpu", torch.float16), pytest.raises(ValueError, match=r"float16 is not supported.*bfloat16"):
        split_of(f, g).step(x.float(), loss_of(y))


class Attention(nn.Module):
    """Notes which kernels attention may take."""

    def __init__(self):
        super().__init__()
        self.out, self.fused = nn.Linear(4, 5), []

    def forward(self, z):
        self.fused.append(torch.backends.cuda.flash_sdp_enabled())
        z = z[:, None, :]
        return self.out(functional.scaled_dot_product_attention(z, z, z)[:, 0])


@pytest.mark.parametrize("handoff", ["before", "after"])
def test_every_look_at_an_order_above_1_takes_the_plain_attention(handoff):
    f, _ = halves("mlp")
    x, y = batch()
    for order, looks in (("whole", 2), (2, 1)):
        g = Attention().double()
        split_of(f, g, order=order, handoff=handoff).step(x, loss_of(y))
        assert g.fused == [False] * (looks + (handoff == "after"))
