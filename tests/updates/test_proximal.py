"""ProximalSplit against back-propagation, a double backward twin, and the facts that the paper's equations imply."""

import copy
from functools import partial

import pytest
import torch
from tests.reference.halves import HALVES, SGD, assert_close, batch, gradients, halves, loss_of, split_of
from tests.reference.proximal import forward_gradient
from torch import nn
from torch.nn import functional

from infotorch.updates.proximal import ProximalSplit


@pytest.mark.parametrize("penalty", ["l2", "l1", "huber"])
@pytest.mark.parametrize("order", [1, 2, "hybrid", "whole"])
@pytest.mark.parametrize("kind", list(HALVES))
def test_the_gradient_equals_a_double_backward_through_everything(kind, order, penalty):
    if order == "whole" and kind in {"vae", "dict", "batch-norm-and-dropout"}:
        pytest.skip("the twin does not repeat random draws, and moves one tensor")
    f, g = halves(kind)
    x, y = batch()
    torch.manual_seed(5)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        expected = forward_gradient(
            copy.deepcopy(f), copy.deepcopy(g), x, loss_of(y), order=order, step=0.7, penalty=penalty, weight=1.3
        )
    torch.manual_seed(5)
    split = split_of(f, g, order=order, penalty=penalty, weight=1.3)
    split.accumulate(x, loss_of(y), share=1.0)
    assert_close(gradients([f]), expected)


@pytest.mark.parametrize("kind", list(HALVES))
def test_order_1_is_back_propagation_with_a_scaled_rate(kind):
    f, g = halves(kind)
    twin_f, twin_g = copy.deepcopy(f), copy.deepcopy(g)
    x, y = batch()
    torch.manual_seed(5)
    split_of(f, g, order=1, step_size=0.25, forward_optimizer=partial(torch.optim.SGD, lr=0.4), weight=2.0).step(
        x, loss_of(y)
    )
    torch.manual_seed(5)
    loss_of(y)(twin_g(twin_f(x))).backward()
    torch.optim.SGD(twin_f.parameters(), lr=0.4 * 0.25 * 2.0).step()
    torch.optim.SGD(twin_g.parameters(), lr=0.1).step()
    for found, expected in zip(
        (*f.parameters(), *g.parameters()), (*twin_f.parameters(), *twin_g.parameters()), strict=True
    ):
        assert torch.allclose(found, expected, rtol=1e-12, atol=1e-15)


def test_order_2_of_a_quadratic_has_a_closed_form():
    # f(x) = a x, L = c z^2 / 2: dL/dz = c z, so that theta follows d/da (b c a x)^2 / 2 = b^2 c^2 a x^2.
    f, g = nn.Linear(1, 1, bias=False).double(), nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(f.weight, 3.0)
    nn.init.constant_(g.weight, 1.0)
    split = split_of(f, g, step_size=0.5)
    info = split.accumulate(torch.full((1, 1), 2.0, dtype=torch.float64), lambda z: z.square().sum() * 5 / 2, share=1.0)
    assert f.weight.grad.item() == pytest.approx(0.5**2 * 5**2 * 3 * 2**2)
    assert info.gradient_norm.item() == pytest.approx(5 * 6)
    assert info.curvatures[0].item() == pytest.approx(5)


def test_both_gradients_are_at_the_old_weights_or_the_second_at_the_new():
    f, g = halves("mlp")
    x, y = batch()
    later_f, later_g = copy.deepcopy(f), copy.deepcopy(g)
    before = forward_gradient(f, copy.deepcopy(g), x, loss_of(y), order=2, step=0.7)
    split_of(f, g, forward_optimizer=partial(torch.optim.SGD, lr=1.0)).step(x, loss_of(y))
    assert_close([a - b for a, b in zip(later_f.parameters(), f.parameters(), strict=True)], before)
    # g is where it is in both; there the gradient at its new weights
    after = forward_gradient(copy.deepcopy(later_f), g, x, loss_of(y), order=2, step=0.7)
    moved = copy.deepcopy(later_f)
    split_of(later_f, later_g, handoff="after", forward_optimizer=partial(torch.optim.SGD, lr=1.0)).step(x, loss_of(y))
    for a, b in zip(g.parameters(), later_g.parameters(), strict=True):
        assert torch.equal(a, b)
    assert_close([a - b for a, b in zip(moved.parameters(), later_f.parameters(), strict=True)], after)
    assert max((a - b).abs().max() / a.abs().max() for a, b in zip(before, after, strict=True)) > 1e-3


@pytest.mark.parametrize("order", [1, 2, "hybrid"])
def test_parts_of_a_batch_add_up_to_the_whole_gradient(order):
    f, g = halves("mlp")
    x, y = batch(rows=10)
    whole = split_of(f, g, order=order)
    whole.accumulate(x, loss_of(y), share=1.0)
    expected = gradients([f, g])
    whole.zero_grad()
    for rows in (slice(0, 3), slice(3, 10)):
        part = whole.accumulate(x[rows], loss_of(y[rows]), share=len(y[rows]) / 10)
        assert part.loss.item() == pytest.approx(loss_of(y[rows])(g(f(x[rows]))).item())
    assert_close(gradients([f, g]), expected)


def test_means_of_the_parts_gradients_are_not_the_whole_gradient():
    f, g = halves("mlp")
    x, y = batch(rows=10)
    split = split_of(f, g)
    split.accumulate(x, loss_of(y), share=1.0)
    expected = gradients([f])
    split.zero_grad()
    for rows in (slice(0, 5), slice(5, 10)):
        split.accumulate(x[rows], loss_of(y[rows]), share=1.0)
    naive = [gradient / 2 for gradient in gradients([f])]
    assert max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(naive, expected, strict=True)) > 0.1


def test_step_is_accumulate_and_apply():
    f, g = halves("mlp")
    twin_f, twin_g = copy.deepcopy(f), copy.deepcopy(g)
    x, y = batch()
    split_of(f, g, max_norm=0.01).step(x, loss_of(y))
    twin = split_of(twin_f, twin_g, max_norm=0.01)
    twin.accumulate(x, loss_of(y), share=1.0)
    twin.apply()
    for a, b in zip((*f.parameters(), *g.parameters()), (*twin_f.parameters(), *twin_g.parameters()), strict=True):
        assert torch.equal(a, b)
    assert all(p.grad is None for p in twin_f.parameters())


def test_clipping_bounds_the_step_of_each_half():
    f, g = halves("mlp")
    before = [[p.detach().clone() for p in half.parameters()] for half in (f, g)]
    split_of(f, g, order="hybrid", max_norm=0.01).step(*((b := batch())[0], loss_of(b[1])))
    for half, old in zip((f, g), before, strict=True):
        moved = torch.stack([(p - o).square().sum() for p, o in zip(half.parameters(), old, strict=True)]).sum().sqrt()
        assert moved.item() == pytest.approx(0.1 * 0.01, rel=1e-4)


@pytest.mark.parametrize("order", [2, "hybrid"])
def test_a_chain_moves_each_part_by_its_own_bottleneck(order):
    torch.manual_seed(0)
    parts = [nn.Sequential(nn.Linear(5, 6), nn.Tanh()), nn.Sequential(nn.Linear(6, 4), nn.Tanh()), nn.Linear(4, 5)]
    parts = [part.double() for part in parts]
    x, y = batch()
    rest = nn.Sequential(parts[1], parts[2])
    first = forward_gradient(parts[0], rest, x, loss_of(y), order=order, step=0.7)
    second = forward_gradient(parts[1], parts[2], parts[0](x).detach(), loss_of(y), order=order, step=0.3)
    split = split_of(parts[:2], parts[2], order=order, step_size=(0.7, 0.3))
    info = split.accumulate(x, loss_of(y), share=1.0)
    assert_close(gradients(parts[:2]), [*first, *second])
    assert len(info.gradient_norms) == len(info.curvatures) == 2


@pytest.mark.parametrize("handoff", ["before", "after"])
@pytest.mark.parametrize("order", [1, 2, "hybrid", "whole"])
def test_dropout_is_drawn_once_and_batch_norm_counts_once(order, handoff):
    f, g = halves("batch-norm-and-dropout")
    plain_f, plain_g = copy.deepcopy(f), copy.deepcopy(g)
    x, y = batch()
    torch.manual_seed(5)
    plain_g(plain_f(x))
    state = torch.get_rng_state()
    torch.manual_seed(5)
    split_of(f, g, order=order, handoff=handoff).step(x, loss_of(y))
    assert torch.equal(torch.get_rng_state(), state)
    for module, plain in ((f, plain_f), (g, plain_g)):
        for (name, buffer), expected in zip(module.named_buffers(), plain.buffers(), strict=True):
            assert torch.equal(buffer, expected), name


def test_the_second_look_repeats_the_first_ones_draws():
    f, g = halves("batch-norm-and-dropout")
    x, y = batch()
    seen = []

    def loss_fn(output):
        seen.append(output.detach().clone())
        return loss_of(y)(output)

    split_of(f, g, handoff="after", backward_optimizer=partial(torch.optim.SGD, lr=1e-30)).step(x, loss_fn)
    assert torch.equal(seen[0], seen[1])


@pytest.mark.parametrize("order", [1, 2, "hybrid"])
@pytest.mark.parametrize(
    "optimizer",
    [
        partial(torch.optim.Adam, lr=1e-2),
        partial(torch.optim.AdamW, lr=1e-2, weight_decay=0.1),
        partial(torch.optim.NAdam, lr=1e-2),
        partial(torch.optim.SGD, lr=1e-2, momentum=0.9, weight_decay=1e-3),
    ],
)
def test_any_optimiser_moves_both_halves_as_it_would_alone(optimizer, order):
    f, g = halves("mlp")
    twin_f, twin_g = copy.deepcopy(f), copy.deepcopy(g)
    moved = [optimizer(twin_f.parameters()), optimizer(twin_g.parameters())]
    split = split_of(f, g, order=order, forward_optimizer=optimizer, backward_optimizer=optimizer)
    for seed in range(3):
        x, y = batch(seed)
        for p, gradient in zip(
            twin_f.parameters(), forward_gradient(twin_f, twin_g, x, loss_of(y), order=order, step=0.7), strict=True
        ):
            p.grad = gradient
        for p, gradient in zip(
            twin_g.parameters(),
            torch.autograd.grad(loss_of(y)(twin_g(twin_f(x))), list(twin_g.parameters())),
            strict=True,
        ):
            p.grad = gradient
        for one in moved:
            one.step()
        split.step(x, loss_of(y))
    for a, b in zip((*f.parameters(), *g.parameters()), (*twin_f.parameters(), *twin_g.parameters()), strict=True):
        assert torch.allclose(a, b, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("name", ["AdamP", "LARS"])
def test_optimisers_of_pytorch_optimizer_work(name):
    kind = getattr(pytest.importorskip("pytorch_optimizer"), name)
    f, g = halves("mlp")
    before = [p.detach().clone() for p in (*f.parameters(), *g.parameters())]
    split = split_of(
        f, g, order="hybrid", forward_optimizer=partial(kind, lr=1e-2), backward_optimizer=partial(kind, lr=1e-2)
    )
    x, y = batch()
    losses = [split.step(x, loss_of(y)).loss.item() for _ in range(30)]
    assert losses[-1] < losses[0]
    assert all(not torch.equal(a, b) for a, b in zip(before, (*f.parameters(), *g.parameters()), strict=True))


def test_schedules_and_resume_go_on_as_if_nothing_had_happened():
    def begin():
        f, g = (half.float() for half in halves("mlp"))
        split = split_of(
            f,
            g,
            order="hybrid",
            forward_optimizer=partial(torch.optim.Adam, lr=1e-2),
            backward_optimizer=SGD,
            stall_window=2,
        )
        schedule = torch.optim.lr_scheduler.ExponentialLR(split.forward_optimizer, 0.5)
        return f, g, split, schedule

    f, g, split, schedule = begin()
    kept = None
    for step in range(6):
        x, y = batch(step)
        split.step(x.float(), loss_of(y))
        schedule.step()
        if step == 2:
            kept = copy.deepcopy([m.state_dict() for m in (f, g, split, schedule)])
    f2, g2, split2, schedule2 = begin()
    for module, state in zip((f2, g2, split2, schedule2), kept, strict=True):
        module.load_state_dict(state)
    for step in range(3, 6):
        x, y = batch(step)
        split2.step(x.float(), loss_of(y))
        schedule2.step()
    for a, b in zip((*f.parameters(), *g.parameters()), (*f2.parameters(), *g2.parameters()), strict=True):
        assert torch.equal(a, b)
    assert split.state_dict()["watch"] == split2.state_dict()["watch"]


@pytest.mark.parametrize("order", [1, 2, "hybrid", "whole"])
@pytest.mark.parametrize("handoff", ["before", "after"])
def test_autocast_stays_near_full_precision(order, handoff):
    f, g = (half.float() for half in halves("mlp"))
    twin_f, twin_g = copy.deepcopy(f), copy.deepcopy(g)
    x, y = batch()
    exact = split_of(twin_f, twin_g, order=order, handoff=handoff).step(x.float(), loss_of(y))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        info = split_of(f, g, order=order, handoff=handoff).step(x.float(), loss_of(y))
    assert info.loss.item() == pytest.approx(exact.loss.item(), rel=0.03)
    assert info.gradient_norm.item() == pytest.approx(exact.gradient_norm.item(), rel=0.05)
    assert all(p.grad.dtype == torch.float32 for p in f.parameters())
    for a, b in zip(gradients([f]), gradients([twin_f]), strict=True):
        assert functional.cosine_similarity(a.flatten(), b.flatten(), dim=0) > 0.99


def test_split_at_a_layer_trains_the_network_itself():
    model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 6), nn.Tanh(), nn.Linear(6, 5)).double()
    f, g = copy.deepcopy(model[:2]), copy.deepcopy(model[2:])
    x, y = batch()
    split_of(f, g).step(x, loss_of(y))
    ProximalSplit.at(model, "2", step_size=0.7, forward_optimizer=SGD, backward_optimizer=SGD).step(x, loss_of(y))
    for a, b in zip(model.parameters(), (*f.parameters(), *g.parameters()), strict=True):
        assert torch.equal(a, b)
    assert (
        len(ProximalSplit.at(model, ("2", "4"), step_size=0.7, forward_optimizer=SGD, backward_optimizer=SGD).forwards)
        == 2
    )


def test_a_loss_with_weights_of_its_own_trains_them_with_g():
    f, g = halves("mlp")
    readout = nn.Linear(5, 5).double()
    x, y = batch()
    before = readout.weight.detach().clone()
    split = split_of(f, g, backward_optimizer=SGD([*g.parameters(), *readout.parameters()]))
    split.step(x, lambda output: loss_of(y)(readout(output)))
    assert not torch.equal(before, readout.weight)


def test_frozen_weights_stay_and_a_frozen_first_part_is_passed():
    torch.manual_seed(0)
    parts = [nn.Linear(5, 6).double(), nn.Sequential(nn.Linear(6, 4), nn.Tanh()).double(), nn.Linear(4, 5).double()]
    parts[1][0].bias.requires_grad_(False)
    kept = parts[1][0].bias.detach().clone()
    x, y = batch()
    split_of(parts[:2], parts[2], order="hybrid").step(x, loss_of(y))
    assert torch.equal(parts[1][0].bias, kept)
