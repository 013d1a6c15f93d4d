"""Critics: parts of an objective that take steps of their own before each step of their module."""

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from infotorch.data.batches import TensorBatches
from infotorch.objectives.base import LocalBatch, Loss, Objective
from infotorch.objectives.combined import SumOfObjectives
from infotorch.objectives.critic import CriticInformation
from infotorch.objectives.labels import ReadoutInformation
from infotorch.training.devices import launch
from infotorch.training.local_module import LocalModule
from infotorch.training.loop import train
from infotorch.training.plan import Plan

STEPS = 3


class Adversary(Objective):
    """The critic learns to tell the output from noise, and the module to look like noise; a scale cooperates."""

    critic_steps = STEPS

    def __init__(self, *, spoil_at=None):
        super().__init__()
        self.spoil_at, self.events = spoil_at, []

    def build(self, example: LocalBatch, labels):
        width = example.output.shape[1]
        self.critic = nn.Sequential(nn.Linear(width, 8), nn.ReLU(), nn.Linear(8, 1))
        self.scale = nn.Parameter(torch.ones(width))

    def critics(self):
        return [self.critic]

    def critic_loss(self, batch: LocalBatch):
        self.events.append(("critic", batch.position, batch.output, self.critic[0].weight.detach().clone()))
        noise = torch.randn(batch.output.shape, generator=batch.generator())
        loss = self.critic(noise).mean() - self.critic(self.scale * batch.output).tanh().mean()
        return loss * math.nan if self.spoil_at == batch.position[:3] else loss

    def forward(self, batch: LocalBatch) -> Loss:
        self.events.append(("module", batch.position, batch.output, self.critic[0].weight.detach().clone()))
        told = self.critic(self.scale * batch.output).tanh().mean()
        return Loss(told - 0.1 * batch.output.abs().mean(), {"told": told.detach()})


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-2)


def copied(state):
    return torch.utils._pytree.tree_map(lambda value: value.clone() if torch.is_tensor(value) else value, state)


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def weights(module):
    return [parameter.detach().clone() for parameter in module.parameters()]


@pytest.fixture
def adversarial(make_mlp, two_blobs):
    """A function that makes a plan with the adversary in its first module, and its batches."""

    def make(*, order="sequential", isolated=True, optimizer=adam, batch_size=64, first=None, **settings):
        objective = first or Adversary()
        plan = Plan.layerwise(
            make_mlp(), objectives=[objective, "Y", "CE"], order=order, isolated=isolated, optimizer=optimizer,
            **settings,
        )  # fmt: skip
        return plan, TensorBatches(*two_blobs, batch_size=batch_size)

    return make


ORDERS = [("sequential", True), ("simultaneous", True), ("simultaneous", False)]
every_order = pytest.mark.parametrize(("order", "isolated"), ORDERS)


class TestSteps:
    @every_order
    def test_critics_step_before_each_step_of_the_module_on_the_output_as_it_was(self, order, isolated, adversarial):
        plan, batches = adversarial(order=order, isolated=isolated)
        events = plan[0].objective.events
        infos = [info for info in train(plan, batches, epochs=2) if "0" in info.losses]
        assert len(infos) == 8
        assert [kind for kind, *_ in events] == [*["critic"] * STEPS, "module"] * 8
        for number, info in enumerate(infos):
            *critics, module = events[number * (STEPS + 1) : (number + 1) * (STEPS + 1)]
            key = (info.position.stage, info.position.epoch, info.position.step, 0)
            assert [position for _, position, *_ in critics] == [(*key, step) for step in range(STEPS)]
            assert module[1] == key
            assert all(torch.equal(output, module[2]) for _, _, output, _ in critics)
            assert not any(output.requires_grad for _, _, output, _ in critics)
            assert module[2].requires_grad
            states = [weight for *_, weight in (*critics, module)]
            assert not any(torch.equal(a, b) for a, b in pairwise(states))

    @every_order
    def test_the_modules_step_moves_no_critic_and_the_critics_steps_no_module(self, order, isolated, adversarial):
        body, seen = None, []

        class Watching(Adversary):
            def critic_loss(self, batch):
                seen.append((weights(body), self.scale.detach().clone(), weights(self.critic)))
                return super().critic_loss(batch)

            def forward(self, batch):
                seen.append((weights(body), self.scale.detach().clone(), weights(self.critic)))
                return super().forward(batch)

        objective = Watching()
        plan, batches = adversarial(order=order, isolated=isolated, first=objective)
        body = plan[0].body
        for info in train(plan, batches, epochs=1):
            if "0" in info.losses:
                (before, scale, _), (at_module, scale_then, critic) = seen[-STEPS - 1], seen[-1]
                assert same(before, at_module)
                assert torch.equal(scale, scale_then)
                assert same(critic, weights(objective.critic))
                assert not same(at_module, weights(body))
                assert not torch.equal(scale_then, objective.scale)
            assert all(p.grad is None or torch.isfinite(p.grad).all() for p in objective.parameters())

    @every_order
    def test_one_step_is_what_two_optimisers_do_by_hand(self, order, isolated, adversarial, make_mlp, two_blobs):
        """SGD, one batch: critic down its loss, then the layer down its own with the critic as it then is."""
        plan, _ = adversarial(order=order, isolated=isolated, optimizer=sgd)
        batches = TensorBatches(*two_blobs, batch_size=256, shuffle=False)
        plan.prepare(batches, epochs=1, seed=0)
        objective, twin = plan[0].objective, Adversary()
        layer = make_mlp()[:2]
        with torch.no_grad():
            output = layer(two_blobs[0])
        twin.build(LocalBatch(two_blobs[0], two_blobs[0], output, None), None)
        twin.load_state_dict(objective.state_dict())
        info = next(iter(train(plan, batches, epochs=1)))
        for _, position, still, _ in objective.events[:STEPS]:
            loss = twin.critic_loss(LocalBatch(two_blobs[0], two_blobs[0], still, None, batches.streams, position))
            gradients = torch.autograd.grad(loss, list(twin.critic.parameters()))
            with torch.no_grad():
                for parameter, gradient in zip(twin.critic.parameters(), gradients, strict=True):
                    parameter -= 0.1 * gradient
        assert torch.equal(still, output)
        loss = twin(LocalBatch(two_blobs[0], two_blobs[0], layer(two_blobs[0]), None)).total
        torch.testing.assert_close(info.losses["0"].total, loss, atol=1e-6, rtol=1e-6)
        if isolated:  # with crossing gradients the layer feels the later losses too
            gradients = torch.autograd.grad(loss, [*layer.parameters(), twin.scale])
            moved = [*plan[0].body.parameters(), objective.scale]
            for start, gradient, found in zip([*layer.parameters(), twin.scale], gradients, moved, strict=True):
                torch.testing.assert_close(found, start - 0.1 * gradient, atol=1e-6, rtol=1e-6)
        for found, wanted in zip(objective.critic.parameters(), twin.critic.parameters(), strict=True):
            torch.testing.assert_close(found, wanted, atol=1e-6, rtol=1e-6)

    def test_later_modules_do_not_move_a_critic(self, adversarial):
        plan, batches = adversarial()
        kept = None
        for info in train(plan, batches, epochs=1):
            if info.position.stage == 0 and info.ends_stage:
                kept = weights(plan[0].objective)
        assert same(kept, weights(plan[0].objective))


class TestOptimisers:
    def test_critics_have_the_critic_optimizer_and_the_module_its_own(self, adversarial):
        plan, batches = adversarial(critic_optimizer=sgd)
        plan.prepare(batches, epochs=1, seed=0)
        module = plan[0]
        assert type(module.critic_update.optimizer) is torch.optim.SGD
        assert type(module.update.optimizer) is torch.optim.Adam
        critics = {id(p) for p in module.objective.critic.parameters()}
        assert {id(p) for p in module.critic_update.parameters} == critics
        own = {id(p) for p in (*module.body.parameters(), module.objective.scale)}
        assert {id(p) for p in module.update.parameters} == own
        assert plan[1].critic_update is None

    def test_without_one_they_have_one_of_the_modules_kind_and_a_state_of_their_own(self, adversarial):
        plan, batches = adversarial()
        for _ in train(plan, batches, epochs=1):
            pass
        counts = [
            {int(state["step"]) for state in update.optimizer.state.values()}
            for update in (plan[0].critic_update, plan[0].update)
        ]
        assert counts == [{4 * STEPS}, {4}]

    def test_a_schedule_spans_all_steps_of_the_critics(self, adversarial):
        plan, batches = adversarial(
            scheduler=lambda optimizer, steps: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        )
        infos = [info for info in train(plan, batches, epochs=2) if info.position.stage == 0]
        assert len(infos) == 8
        assert plan[0].critic_update.scheduler.T_max == 8 * STEPS
        assert plan[0].critic_update.learning_rate == pytest.approx(0.0, abs=1e-12)

    def test_a_plan_without_training_of_its_critics_is_refused(self, make_mlp, two_blobs):
        objective = Adversary()
        objective.critic_steps = 0
        plan = Plan.end_to_end(make_mlp(), objective, optimizer=adam)
        with pytest.raises(ValueError, match="module 'network': Adversary has critics, and its critic_steps is 0"):
            plan.prepare(TensorBatches(*two_blobs, batch_size=64), epochs=1, seed=0)

    def test_critics_without_a_loss_are_an_error_that_says_so(self, make_mlp, two_blobs):
        class Mute(ReadoutInformation):
            critic_steps = 1

            def critics(self):
                return [self.readout]

        plan = Plan.end_to_end(make_mlp(), Mute(), optimizer=adam)
        with pytest.raises(TypeError, match=r"Mute must define critic_loss\(batch\), as it has critics"):
            list(train(plan, TensorBatches(*two_blobs, batch_size=64), epochs=1))


class TestResume:
    @every_order
    def test_going_on_from_any_step_gives_the_same_weights_bit_for_bit(self, order, isolated, adversarial):
        def begin():
            plan, batches = adversarial(
                order=order,
                isolated=isolated,
                first=SumOfObjectives([Adversary(), ReadoutInformation()]),
                scheduler=lambda optimizer, steps: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps),
            )
            plan.prepare(batches, epochs=2, seed=0)
            return plan, batches

        plan, batches = begin()
        states = [(info.next, copied(plan.state_dict())) for info in train(plan, batches, epochs=2)]
        for stop in (0, 2, 5):  # 4 steps an epoch
            again, batches = begin()
            again.load_state_dict(states[stop][1])
            for _ in train(again, batches, epochs=2, start=states[stop][0]):
                pass
            for first, second in zip(plan, again, strict=True):
                assert same(weights(first.body), weights(second.body))
                assert same(weights(first.objective), weights(second.objective))

    def test_the_optimiser_of_the_critics_is_part_of_the_state(self, adversarial):
        plan, batches = adversarial()
        for _ in train(plan, batches, epochs=1):
            pass
        state = plan.state_dict()["0"]
        assert len(state["critic_update"]["optimizer"]["state"]) == 4  # weights and biases of two layers
        assert plan.state_dict()["2"]["critic_update"] is None


class TestDivergence:
    @every_order
    def test_a_critic_that_is_not_finite_ends_the_run_and_leaves_the_module_as_it_was(
        self, order, isolated, adversarial
    ):
        plan, batches = adversarial(order=order, isolated=isolated, first=Adversary(spoil_at=(0, 0, 2)))
        kept, infos = None, []
        for info in train(plan, batches, epochs=2):
            kept = weights(plan[0].body) if info.diverged is None else kept
            infos.append(info)
        assert [info.diverged for info in infos] == [None, None, "0"]
        assert infos[-1].losses["0"].total.isnan()
        assert same(kept, weights(plan[0].body))

    def test_a_critic_spoiled_in_the_very_last_step_is_a_divergence_too(self, adversarial):
        plan, batches = adversarial(first=Adversary(spoil_at=(0, 1, 3)))
        infos = list(train(plan, batches, epochs=2))
        assert (len(infos), infos[-1].diverged) == (8, "0")


class TestModulesOfOnesOwn:
    def test_a_local_module_takes_its_critics_optimizer(self, two_blobs):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            body = nn.Linear(4, 3)
        module = LocalModule("layer", body, Adversary(), optimizer=adam, critic_optimizer=sgd)
        for _ in train(Plan([module]), TensorBatches(*two_blobs, batch_size=128), epochs=1):
            pass
        apart = {id(parameter) for parameter in module.critic_parameters()}
        assert len(apart) == 4
        assert not apart & {id(parameter) for parameter in module.parameters()}

    def test_an_adversary_that_the_module_fools_ends_up_guessing(self, two_blobs):
        """Behaviour: with an adversary a layer's output comes to look like standard noise, without one it does not."""

        class Matching(Adversary):
            def critic_loss(self, batch):
                noise = torch.randn(batch.output.shape, generator=batch.generator())
                real, fake = self.critic(noise), self.critic(batch.output)
                return nn.functional.softplus(-real).mean() + nn.functional.softplus(fake).mean()

            def forward(self, batch):
                told = self.critic(batch.output)
                return Loss(nn.functional.softplus(-told).mean(), {"told": told.detach().mean()})

        with torch.random.fork_rng():
            torch.manual_seed(0)
            body = nn.Linear(4, 1)
            with torch.no_grad():
                body.bias.fill_(4.0)
        x = two_blobs[0]
        start = body(x).mean().item()
        module = LocalModule("layer", body, Matching(), optimizer=adam)
        for _ in train(Plan([module]), TensorBatches(x, None, batch_size=128), epochs=150):
            pass
        with torch.no_grad():
            output = body(x)
        assert abs(start) > 2
        assert abs(output.mean().item()) < 0.5  # noise has mean 0; the game circles around it


def test_under_autocast_every_step_of_a_critic_reads_the_weights_that_the_one_before_left():
    x = torch.randn(64, 5, generator=torch.Generator().manual_seed(0))
    model = nn.Sequential(nn.Linear(5, 4))
    objective = CriticInformation(of="x", bound="nwj", hidden=(8,), critic_steps=3)
    seen = []
    objective.critic_loss = lambda batch, own=objective.critic_loss: seen.append(own(batch)) or seen[-1]
    sgd = lambda p: torch.optim.SGD(p, lr=1.0)  # noqa: E731
    plan = Plan.end_to_end(model, objective, optimizer=sgd)
    # One pair set for all three steps, so that only the weights differ.
    object.__setattr__(objective, "_value", lambda t, other, _: objective.read(objective.critic(t, other)))
    next(train(plan, TensorBatches(x, None, batch_size=64), epochs=1, fabric=launch("cpu", "bf16-mixed")))
    values = [loss.item() for loss in seen]
    assert len(set(values)) == 3, values
