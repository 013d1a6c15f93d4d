"""Plans whose network is split at a bottleneck: the loop takes the steps of a ProximalSplit, and can be resumed."""

import copy
from dataclasses import replace
from functools import partial

import pytest
import torch
from torch import nn
from torch.nn import functional

from infotorch.data.batches import TensorBatches
from infotorch.objectives.base import Loss, Objective
from infotorch.objectives.bottleneck import InformationBottleneck
from infotorch.training.evaluate import plan_accuracy
from infotorch.training.loop import train
from infotorch.training.plan import Plan
from infotorch.updates.proximal import ProximalSplit

ADAM = partial(torch.optim.Adam, lr=1e-2)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 6), nn.ReLU(), nn.Linear(6, 3))


def rows():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(96, 4, generator=generator)
    return x, (x[:, 0] > 0).long() + (x[:, 1] > 0.5).long()


def batches():
    return TensorBatches(*rows(), batch_size=32)


def weights(model):
    return [value.clone() for value in model.state_dict().values()]


@pytest.mark.parametrize("order", [1, 2, "hybrid", "whole"])
def test_the_loop_takes_the_steps_of_a_proximal_split(order):
    model, twin = network(), network()
    plan = Plan.proximal(model, "3", optimizer=ADAM, order=order, step_size=0.5)
    infos = list(train(plan, batches(), epochs=2))
    split = ProximalSplit.at(twin, "3", order=order, step_size=0.5, forward_optimizer=ADAM, backward_optimizer=ADAM)
    seen = [
        split.step(batch.x, lambda output, y=batch.y: functional.cross_entropy(output, y))
        for epoch in range(2)
        for batch in batches().epoch(epoch)
    ]
    for a, b in zip(weights(model), weights(twin), strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-7)
    for info, other in zip(infos, seen, strict=True):
        loss = info.losses["network"]
        assert loss.total.item() == pytest.approx(other.loss.item(), rel=1e-5)
        assert loss.terms["gradient_norm"].item() == pytest.approx(other.gradient_norm.item(), rel=1e-4)
        assert ("curvature" in loss.terms) == (order != 1)
        assert loss.terms["stalled"].item() == other.stalled


def test_a_stall_is_recorded_step_by_step():
    model = network()
    plan = Plan.proximal(model, "3", optimizer=partial(torch.optim.SGD, lr=1e-9), order=2, step_size=1.0)
    plan.prepare(batches(), epochs=3, seed=0)
    verdicts = iter([False, True, True, False, False, True, True, False, False])
    update = plan[0].update
    take = update.split.step
    update.split.step = lambda x, loss_fn: replace(take(x, loss_fn), stalled=next(verdicts))
    found = [info.losses["network"].terms["stalled"].item() for info in train(plan, batches(), epochs=3)]
    assert found == [0, 1, 1, 0, 0, 1, 1, 0, 0]


def test_a_gradient_that_is_not_finite_ends_the_run_and_leaves_the_weights():
    model = network().float()
    before = [parameter.detach().clone() for parameter in model.parameters()]
    plan = Plan.proximal(model, "3", optimizer=ADAM, order=2, step_size=1e30)
    infos = list(train(plan, batches(), epochs=2))
    assert [info.diverged for info in infos] == ["network"]
    assert infos[0].losses["network"].total.isnan()
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_order_1_of_step_size_1_is_back_propagation():
    model, twin = network(), network()
    list(train(Plan.proximal(model, "3", optimizer=ADAM, order=1, step_size=1.0), batches(), epochs=2))
    list(train(Plan.end_to_end(twin, optimizer=ADAM), batches(), epochs=2))
    for a, b in zip(weights(model), weights(twin), strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-7)


def test_hybrid_learns():
    model = network()
    plan = Plan.proximal(model, ("3", "5"), optimizer=ADAM, order="hybrid", step_size=0.5)
    list(train(plan, batches(), epochs=30))
    assert plan_accuracy(plan, *rows()) > 0.9


def test_both_rates_follow_the_schedule_and_a_resumed_run_is_the_uninterrupted_one():
    def prepared():
        model = network()
        plan = Plan.proximal(
            model,
            "3",
            optimizer=partial(torch.optim.Adam, lr=1e-2),
            forward_optimizer=partial(torch.optim.SGD, lr=1.0),
            scheduler=lambda optimizer, steps: torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.5, steps),
            order=2,
            step_size=0.5,
        )
        plan.prepare(batches(), epochs=2, seed=0)
        return model, plan

    model, plan = prepared()
    kept = None
    for info in train(plan, batches(), epochs=2):
        if info.next.steps == 4:
            kept = copy.deepcopy(plan.state_dict()), info.next
    split = plan[0].update.split
    assert split.forward_optimizer.param_groups[0]["lr"] == pytest.approx(0.5)
    assert split.backward_optimizer.param_groups[0]["lr"] == pytest.approx(0.5e-2)
    assert plan[0].update.learning_rate == pytest.approx(0.5e-2)
    resumed, again = prepared()
    again.load_state_dict(kept[0])
    list(train(again, batches(), epochs=2, start=kept[1]))
    for a, b in zip(weights(model), weights(resumed), strict=True):
        assert torch.equal(a, b)


def test_a_read_out_of_the_objective_moves_with_the_backward_half():
    model = network()
    plan = Plan.proximal(model, "3", "Y", optimizer=ADAM, order="hybrid", step_size=0.5)
    plan.prepare(batches(), epochs=1, seed=0)
    before = [p.detach().clone() for p in plan[0].objective.parameters()]
    list(train(plan, batches(), epochs=1))
    assert all(not torch.equal(a, b) for a, b in zip(before, plan[0].objective.parameters(), strict=True))


class Nan(Objective):
    def forward(self, batch):
        return Loss(batch.output.sum() * float("nan"), {})


def test_a_loss_that_is_not_finite_ends_training_and_moves_nothing():
    model = network()
    before = [p.detach().clone() for p in model.parameters()]
    (info,) = train(Plan.proximal(model, "3", Nan(), optimizer=ADAM, step_size=1.0), batches(), epochs=1)
    assert info.diverged == "network"
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match="the network needs an objective"):
        Plan.proximal(network(), "3", "frozen", optimizer=ADAM, step_size=1.0)
    adversarial = InformationBottleneck(beta=0.1, noise_std=1.0, penalty="aamine", lower_bound="accept")
    with pytest.raises(ValueError, match="has critics; choose another objective"):
        list(train(Plan.proximal(network(), "3", adversarial, optimizer=ADAM, step_size=1.0), batches(), epochs=1))
    with pytest.raises(ValueError, match="no layer 'nine'"):
        Plan.proximal(network(), "nine", optimizer=ADAM, step_size=1.0)
