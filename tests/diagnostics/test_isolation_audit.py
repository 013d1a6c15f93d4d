"""The locality audit: it finds every way in which a step can cheat, and accuses no step that does not."""

import copy
import random
import types

import numpy as np
import pytest
import torch
from tests.networks.test_rerun import Classifier, tokens
from tests.training.test_isolation import CUTS, OPTIONS
from tests.training.test_isolation import data as shared_data
from tests.training.test_isolation import network as shared_network
from torch import nn
from torch.nn import functional as F

from infotorch import Plan, audit_isolation
from infotorch.data.batches import TensorBatches
from infotorch.objectives.names import objective_from_name
from infotorch.objectives.registry import REGISTRY
from infotorch.training.loop import train

ORDERS = ("sequential", "simultaneous")


def samples(count=24, columns=6):
    x = torch.randn(count, columns, generator=torch.Generator().manual_seed(0))
    return x, torch.arange(count) % 3


def made(factory):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return factory()


def network():
    """Three modules, with batch norm and dropout."""
    return made(
        lambda: nn.Sequential(
            nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU()),
            nn.Sequential(nn.Dropout(0.2), nn.Linear(8, 8), nn.ReLU()),
            nn.Sequential(nn.Dropout(0.2), nn.Linear(8, 3)),
        )
    )


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-2)


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


def plan_of(objectives="X:views,Y,CE", **settings):
    return Plan.layerwise(network(), ("1", "2"), objectives, optimizer=adam, **settings)


def sentences():
    x = tokens(12, 5)
    return x, x["input_ids"][:, 0] % 3


def transformer_plan(**settings):
    return Plan.layerwise(Classifier(), ("encoder.layers.1", "encoder.layers.2"), "Y,Y,CE", optimizer=adam, **settings)


def verdicts(audit, *, fault="leak"):
    """The checks in which each module was found at fault."""
    found = {}
    for line in audit.table():
        if line["verdict"] == fault:
            found.setdefault(line["module"], set()).add(line["check"])
    return found


def bits(*modules):
    return [value.clone() for module in modules for value in module.state_dict().values()]


class TestPlans:
    @pytest.mark.parametrize("order", ORDERS)
    @pytest.mark.parametrize("prepared", [False, True])
    def test_isolated_ones_are_certified_in_every_order(self, order, prepared):
        plan, (x, y) = plan_of(order=order), samples()
        if prepared:
            list(train(plan, (x, y), epochs=2, batch_size=12))
        audit = audit_isolation(plan, x, y)
        assert audit.certified, audit
        assert audit.summary == "certified"
        assert audit.label_free == ("0",)
        assert [line["verdict"] for line in audit.table() if line["check"] == "labels"][1:] == ["reads labels"] * 2
        assert len(audit.table()) == 3 * 7

    def test_crossing_gradients_are_found_with_their_evidence(self):
        audit = audit_isolation(plan_of(order="simultaneous", isolated=False), *samples())
        assert not audit.certified
        found = verdicts(audit)
        assert {"later weights", "later inputs", "gradients"} <= found["0"] & found["1"]
        assert "2" not in found
        line = next(line for line in audit.table() if line["verdict"] == "leak")
        assert line["difference"] > 0
        assert "1.weight" in line["tensors"] or "0.weight" in line["tensors"]

    def test_gradients_that_pass_a_frozen_module_are_found(self):
        plan = plan_of(["Y", "frozen", "CE"], order="simultaneous", isolated=False)
        assert "later weights" in verdicts(audit_isolation(plan, *samples()))["0"]

    @pytest.mark.parametrize("order", ORDERS)
    def test_frozen_modules_are_isolated(self, order):
        assert audit_isolation(plan_of(["frozen", "Y", "CE"], order=order), *samples()).certified

    def test_back_propagation_is_not_isolated(self):
        audit = audit_isolation(Plan.end_to_end(network(), optimizer=adam), *samples())
        assert set(verdicts(audit)) == {"0", "1"}

    @pytest.mark.parametrize("order", [1, 2])
    def test_nor_is_a_proximal_split(self, order):
        plan = Plan.proximal(network(), "2", optimizer=adam, order=order, step_size=0.5)
        audit = audit_isolation(plan, *samples())
        assert "later weights" in verdicts(audit)["half 0"]

    def test_a_loss_that_looks_through_a_later_module_is_found_though_the_plan_says_isolated(self):
        model = network()
        later = model[2]

        def through_the_next(output, y):
            return F.cross_entropy(later[1](output), y)

        plan = Plan.layerwise(model, ("1", "2"), ["Y", through_the_next, "CE"], order="simultaneous", optimizer=adam)
        assert plan.isolated
        before = bits(model)
        audit = audit_isolation(plan, *samples())
        assert "later weights" in verdicts(audit)["1"]
        assert all(map(torch.equal, before, bits(model)))

    def test_a_schedule_that_has_run_and_one_that_begins_at_zero_are_audited(self):
        def warm(optimizer, steps):
            return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(step / 2, 1.0))

        plan, (x, y) = plan_of(scheduler=warm), samples()
        assert audit_isolation(plan, x, y).certified
        list(train(plan, (x, y), epochs=2, batch_size=12))
        assert audit_isolation(plan, x, y).certified

    def test_the_callers_plan_and_streams_stay_as_they_are(self):
        plan, (x, y) = plan_of(order="simultaneous"), samples()
        list(train(plan, (x, y), epochs=1, batch_size=12))
        twin = copy.deepcopy(plan.state_dict())
        streams = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
        modes = [layer.training for module in plan for layer in module.body.modules()]
        gradients = [p.grad for module in plan for p in module.parameters()]
        audit_isolation(plan, x, y)
        flat, spec = torch.utils._pytree.tree_flatten(plan.state_dict())
        before, same_spec = torch.utils._pytree.tree_flatten(twin)
        assert spec == same_spec
        assert all(torch.equal(a, b) if torch.is_tensor(a) else a == b for a, b in zip(flat, before, strict=True))
        assert torch.equal(streams[0], torch.get_rng_state())
        assert streams[1:] == (random.getstate(), np.random.get_state()[1].tolist())  # noqa: NPY002
        assert modes == [layer.training for module in plan for layer in module.body.modules()]
        assert all(a is b for a, b in zip(gradients, (p.grad for m in plan for p in m.parameters()), strict=True))

    def test_an_unprepared_plan_trains_on_as_if_nobody_had_looked(self):
        results = []
        for looked in (False, True):
            plan, (x, y) = plan_of(), samples()
            if looked:
                audit_isolation(plan, x, y)
            assert plan.num_steps is None
            list(train(plan, TensorBatches(x, y, batch_size=12), epochs=2))
            results.append(bits(*(module.body for module in plan)))
        assert all(map(torch.equal, *results))

    def test_without_labels_all_are_label_free(self):
        audit = audit_isolation(plan_of("X:views,X:views,X:infonce"), samples()[0], None)
        assert audit.certified
        assert audit.label_free == ("0", "1", "2")

    @pytest.mark.parametrize("order", ORDERS)
    def test_transformers(self, order):
        assert audit_isolation(transformer_plan(order=order), *sentences()).certified

    def test_gradients_that_cross_in_a_transformer_are_found(self):
        audit = audit_isolation(transformer_plan(order="simultaneous", isolated=False), *sentences())
        assert {"later weights", "later inputs", "gradients"} <= verdicts(audit)["embed"]

    def test_a_loss_that_looks_through_a_later_layer_of_a_transformer_is_found(self):
        model = Classifier()
        later = model.encoder.layers[2]

        def through_a_later_one(output, y):
            return F.cross_entropy(later(output)[:, 0], y)

        plan = Plan.layerwise(
            model, ("encoder.layers.1", "encoder.layers.2"), [through_a_later_one, "Y", "CE"], optimizer=adam
        )
        assert {"later weights", "later inputs"} <= verdicts(audit_isolation(plan, *sentences()))["embed"]

    def test_graphs(self):
        plan = Plan.layerwise(shared_network("graphs"), CUTS["graphs"], "X:dgi,X:infograph,CE", optimizer=adam)
        audit = audit_isolation(plan, *shared_data("graphs", 9))
        assert audit.certified, audit
        assert audit.label_free == ("layers", "layers.1")


@pytest.mark.slow
@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("name", sorted({*REGISTRY} - {"X:squared-error", "CE"}))
def test_no_objective_of_the_registry_is_accused(name, order):
    """What needs grids or images has them; of X:squared-error no module's output is as wide as X."""
    kind = {"rows": "vectors"}.get(needs := REGISTRY[name].needs, needs)
    objectives = [objective_from_name(name, OPTIONS), objective_from_name(name, OPTIONS), "CE"]
    if kind == "graphs":
        objectives[1] = "Y"
    plan = Plan.layerwise(shared_network(kind), CUTS.get(kind, ("1", "2")), objectives, order=order, optimizer=adam)
    x, y = shared_data(kind, 24)
    audit = audit_isolation(plan, x, y)
    assert audit.certified, audit
    first = plan.modules[0].name
    assert (first in audit.label_free) == name.startswith("X:")


class Stranger:
    """Three layers with a head and an optimiser each, trained by hand; each test cheats in one way."""

    def __init__(self, make=adam, *, dropout=0.0):
        def parts():
            widths = (6, 8, 8)
            layers = [nn.Sequential(nn.Linear(width, 8), nn.Dropout(dropout), nn.ReLU()) for width in widths]
            return layers, [nn.Linear(8, 3) for _ in widths]

        self.layers, self.heads = made(parts)
        self.modules = [nn.ModuleList(pair) for pair in zip(self.layers, self.heads, strict=True)]
        self.optimizers = [make(list(module.parameters())) for module in self.modules]

    def losses(self, x, y):
        losses = []
        for layer, head in zip(self.layers, self.heads, strict=True):
            x = layer(x.detach())
            losses.append(F.cross_entropy(head(x), y))
        return losses

    def __call__(self, x, y):
        for loss, optimizer in zip(self.losses(x, y), self.optimizers, strict=True):
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    def audit(self, step=None, batch=None):
        x, y = batch or samples()
        return audit_isolation(step or self, x, y, modules=self.modules)


class TestHonestSteps:
    @pytest.mark.parametrize("make", [adam, sgd])
    def test_one_is_certified_and_left_as_it_was(self, make):
        stranger = Stranger(make)
        stranger(*samples())
        before = bits(*stranger.modules)
        held = copy.deepcopy([optimizer.state_dict() for optimizer in stranger.optimizers])
        audit = stranger.audit()
        assert audit.certified, audit
        assert all(map(torch.equal, before, bits(*stranger.modules)))
        now = [optimizer.state_dict() for optimizer in stranger.optimizers]
        flat = [torch.utils._pytree.tree_leaves(states) for states in (held, now)]
        assert all(torch.equal(a, b) if torch.is_tensor(a) else a == b for a, b in zip(*flat, strict=True))

    def test_the_sum_of_local_losses_in_one_backward_is_no_leak(self):
        stranger = Stranger()
        joint = adam([p for module in stranger.modules for p in module.parameters()])

        def step(x, y):
            joint.zero_grad()
            sum(stranger.losses(x, y)).backward()
            joint.step()

        assert stranger.audit(step).certified

    def test_a_counter_in_the_closure_is_put_back(self):
        stranger, calls, optimizers = Stranger(), 0, []

        def step(x, y):
            nonlocal calls
            calls += 1
            optimizers.append(calls)
            for group in (group for optimizer in stranger.optimizers for group in optimizer.param_groups):
                group["lr"] = 0.01 / calls
            stranger(x, y)

        assert stranger.audit(step).certified
        assert calls == 0
        assert optimizers == []
        assert stranger.optimizers[0].param_groups[0]["lr"] == 0.01

    def test_what_a_step_finds_in_another_file_is_put_back(self):
        mine = types.ModuleType("steps_of_mine")
        exec("calls, inner = 0, None\ndef count():\n    global calls\n    calls += 1\n", vars(mine))
        stranger = Stranger()
        mine.inner = stranger
        stranger(*samples())
        names = {"mine": mine}
        exec("def step(x, y):\n    mine.count()\n    mine.inner(x, y)\n", names)
        audit = stranger.audit(names["step"])
        assert audit.certified, audit
        assert mine.calls == 0
        assert all(float(one["step"]) == 1 for made in stranger.optimizers for one in made.state.values())

    def test_a_step_that_is_a_local_forward_forward_pass_reads_its_labels(self):
        """Labels written into x by the step are seen by permuting y; they stand in x before the first layer."""
        stranger = Stranger()

        def step(x, y):
            hidden = x.clone()
            hidden[:, :3] = F.one_hot(y, 3).float()
            for layer, optimizer in zip(stranger.layers, stranger.optimizers, strict=True):
                hidden = layer(hidden.detach())
                optimizer.zero_grad()
                hidden.square().mean().backward()
                optimizer.step()

        audit = stranger.audit(step)
        assert audit.label_free == ()
        assert audit.certified

    def test_one_activation_in_all_modules_is_no_leak(self):
        stranger, activation = Stranger(), nn.ReLU()
        for layer in stranger.layers:
            layer[2] = activation
        audit = stranger.audit()
        assert audit.certified, audit

    def test_inputs_that_another_network_made_have_their_graph_left_behind(self):
        x, y = samples()
        made_of_x = nn.Linear(6, 6)(x)
        assert Stranger().audit(batch=(made_of_x, y)).certified
        assert audit_isolation(plan_of(), made_of_x, y).certified

    @pytest.mark.parametrize("crossing", [False, True])
    def test_a_graph_through_all_modules_is_no_leak_where_each_asks_for_its_own_gradients_alone(self, crossing):
        stranger = Stranger()

        def step(x, y):
            for number, (layer, head) in enumerate(stranger.modules):
                x = layer(x)
                own = list(stranger.modules[number].parameters())
                asked = own + crossing * [
                    parameter for one in stranger.layers[:number] for parameter in one.parameters()
                ]
                gradients = torch.autograd.grad(F.cross_entropy(head(x), y), asked, retain_graph=True)
                for parameter, gradient in zip(own, gradients, strict=False):
                    parameter.grad = gradient
            for optimizer in stranger.optimizers:
                optimizer.step()

        audit = stranger.audit(step)
        assert audit.certified is not crossing, audit
        assert verdicts(audit) == ({"0": {"gradients"}, "1": {"gradients"}} if crossing else {})
        assert not any(p._backward_hooks for module in stranger.modules for p in module.parameters())

    def test_a_deep_module_whose_step_refuses_what_is_not_finite_is_tried_with_less(self):
        """Sixteen layers of a thousandfold weights are more than a number can hold."""
        stranger = Stranger()
        stranger.layers[2].extend([nn.Linear(8, 8) for _ in range(16)])
        stranger.optimizers[2] = adam(list(stranger.modules[2].parameters()))

        def step(x, y):
            if not torch.isfinite(sum(stranger.losses(x, y))):
                raise FloatingPointError("a loss is not finite")
            stranger(x, y)

        audit = stranger.audit(step)
        assert audit.certified, audit

    def test_a_module_with_a_stream_of_its_own_is_isolated(self):
        stranger, generators = Stranger(), [torch.Generator().manual_seed(n) for n in range(3)]

        class Noise(nn.Module):
            def __init__(self, generator):
                super().__init__()
                self.generator = generator

            def forward(self, x):
                return x + torch.randn(x.shape, generator=self.generator)

        for layer, generator in zip(stranger.layers, generators, strict=True):
            layer.append(Noise(generator))
        audit = stranger.audit()
        assert audit.certified, audit
        assert all(g.initial_seed() == n for n, g in enumerate(generators))


def end_to_end(stranger):
    def step(x, y):
        for layer in stranger.layers:
            x = layer(x)
        for optimizer in stranger.optimizers:
            optimizer.zero_grad()
        F.cross_entropy(stranger.heads[-1](x), y).backward()
        for optimizer in stranger.optimizers:
            optimizer.step()

    return step


def straight_through(stranger):
    def step(x, y):
        for layer, head, optimizer in zip(stranger.layers, stranger.heads, stranger.optimizers, strict=True):
            x = layer(x)
            x = x.detach() + (x - x.detach())
            optimizer.zero_grad()
            F.cross_entropy(head(x), y).backward(retain_graph=True)
        for optimizer in stranger.optimizers:
            optimizer.step()

    return step


def gradient_by_hand(stranger):
    """The later loss's gradient at the boundary, written into .grad without a graph between the two."""

    def step(x, y):
        for optimizer in stranger.optimizers:
            optimizer.zero_grad()
        losses = stranger.losses(x, y)
        sum(losses).backward()
        boundary = stranger.layers[0](x).detach().requires_grad_()
        loss = F.cross_entropy(stranger.heads[1](stranger.layers[1](boundary)), y)
        (back,) = torch.autograd.grad(loss, boundary)
        with torch.no_grad():
            stranger.layers[0][0].weight.grad += back.t() @ x
        for optimizer in stranger.optimizers:
            optimizer.step()

    return step


def clipped_together(stranger):
    """A bound that the gradients keep as the network stands: only larger ones are clipped."""

    def step(x, y):
        parameters = [p for module in stranger.modules for p in module.parameters()]
        for optimizer in stranger.optimizers:
            optimizer.zero_grad()
        sum(stranger.losses(x, y)).backward()
        nn.utils.clip_grad_norm_(parameters, 5.0)
        for optimizer in stranger.optimizers:
            optimizer.step()

    return step


class NormedTogether(torch.optim.Optimizer):
    """Divides every step by a running norm of all gradients: a state that all parameters share."""

    def __init__(self, parameters):
        super().__init__(parameters, {"lr": 0.1})
        self.norm = 1.0

    def step(self):
        parameters = self.param_groups[0]["params"]
        for parameter in parameters:
            parameter.data.add_(parameter.grad, alpha=-0.1 / self.norm)
        self.norm = 0.5 * self.norm + 0.5 * sum(float(p.grad.square().sum()) for p in parameters)


def one_optimizer_with_a_state_of_all(stranger):
    joint = NormedTogether([p for module in stranger.modules for p in module.parameters()])

    def step(x, y):
        joint.zero_grad()
        sum(stranger.losses(x, y)).backward()
        joint.step()

    return step


def a_later_layer_writes_a_buffer(stranger):
    first, second = stranger.layers[:2]
    first.register_buffer("told", torch.zeros(()))

    class Telling(nn.Module):
        def forward(self, x):
            first.told.fill_(7.0)
            return x

    second.append(Telling())
    return stranger


def an_earlier_layer_writes_a_weight(stranger):
    def write(*_):
        with torch.no_grad():
            stranger.layers[2][0].weight.mul_(0.9)

    stranger.layers[0].register_forward_hook(write)
    return stranger


def a_rate_from_the_last_loss(stranger):
    def step(x, y):
        stranger(x, y)
        told = float(stranger.losses(x, y)[-1].detach())
        stranger.optimizers[0].param_groups[0]["lr"] = 0.01 * told

    return step


def a_rate_from_a_norm_of_at_most_one(stranger):
    """As the network stands the norm is larger: only smaller weights show it."""

    def step(x, y):
        stranger.optimizers[0].param_groups[0]["lr"] = 0.01 * min(1.0, float(stranger.layers[1][0].weight.norm()))
        stranger(x, y)

    return step


def a_rate_from_complex_weights(stranger):
    spectrum = nn.Parameter(torch.ones(8, dtype=torch.complex64))
    stranger.layers[1].register_parameter("spectrum", spectrum)

    def step(x, y):
        stranger.optimizers[0].param_groups[0]["lr"] = 0.01 * float(spectrum.detach().abs().mean())
        stranger(x, y)

    return step


def a_rate_from_a_table_of_whole_numbers(stranger):
    stranger.layers[2].register_buffer("table", torch.tensor([3, 1, 4, 1, 5]))

    def step(x, y):
        stranger.optimizers[0].param_groups[0]["lr"] = 0.01 * int(stranger.layers[2].table[0])
        stranger(x, y)

    return step


def a_rate_from_a_switch(stranger):
    stranger.layers[1].register_buffer("on", torch.tensor(True))

    def step(x, y):
        stranger.optimizers[0].param_groups[0]["lr"] = 0.02 if bool(stranger.layers[1].on) else 0.01
        stranger(x, y)

    return step


def weights_averaged_over_modules(stranger):
    def step(x, y):
        stranger(x, y)
        with torch.no_grad():
            stranger.layers[1][0].weight.lerp_(stranger.layers[2][0].weight, 0.1)

    return step


CHEATS = {
    end_to_end: {"0": {"later weights", "gradients"}, "1": {"later weights", "gradients"}},
    straight_through: {"0": {"later weights", "gradients"}, "1": {"gradients"}},
    gradient_by_hand: {"0": {"later weights"}},
    clipped_together: {"0": {"later weights"}, "1": {"later weights"}},
    one_optimizer_with_a_state_of_all: {"0": {"later weights"}, "1": {"later weights"}},
    a_later_layer_writes_a_buffer: {"0": {"buffers"}},
    an_earlier_layer_writes_a_weight: {"2": {"parameters"}},
    a_rate_from_the_last_loss: {"0": {"later weights"}},
    a_rate_from_a_norm_of_at_most_one: {"0": {"later weights"}},
    a_rate_from_complex_weights: {"0": {"later weights"}},
    a_rate_from_a_table_of_whole_numbers: {"0": {"later weights"}},
    a_rate_from_a_switch: {"0": {"later weights"}},
    weights_averaged_over_modules: {"1": {"later weights"}},
}


def test_a_table_of_places_that_fits_in_one_order_alone_is_no_fault():
    """In another order the step cannot be taken: the other trials still certify it."""
    stranger = Stranger()
    stranger.layers[1].register_buffer("order", torch.arange(4))

    def step(x, y):
        assert stranger.layers[1].order.tolist() == [0, 1, 2, 3]
        stranger(x, y)

    audit = stranger.audit(step)
    assert audit.certified, audit


class TestCheats:
    @pytest.mark.parametrize("cheat", CHEATS, ids=lambda cheat: cheat.__name__)
    def test_each_is_found_where_it_is(self, cheat):
        stranger = Stranger()
        step = cheat(stranger)
        before = bits(*stranger.modules)
        audit = stranger.audit(step)
        assert not audit.certified
        found = verdicts(audit)
        for module, checks in CHEATS[cheat].items():
            assert checks <= found.get(module, set()), audit
        assert all(map(torch.equal, before, bits(*stranger.modules)))

    def test_one_batch_norm_in_two_modules(self):
        stranger, norm = Stranger(), nn.BatchNorm1d(8, affine=False)
        for layer in stranger.layers[:2]:
            layer.append(norm)
        found = verdicts(stranger.audit())
        assert "buffers" in found["0"] & found["1"]
        assert "2" not in found

    @pytest.mark.parametrize("tie", [lambda w: w, lambda w: nn.Parameter(w.data), lambda w: nn.Parameter(w.data.t())])
    def test_tied_weights_and_views_of_them(self, tie):
        stranger = Stranger()
        stranger.layers[2][0].weight = tie(stranger.layers[1][0].weight)
        stranger.optimizers[2] = adam(list(stranger.modules[2].parameters()))
        found = verdicts(stranger.audit())
        assert all("parameters" in found[name] for name in ("1", "2"))
        assert "0" not in found

    def test_columns_of_one_table_are_not_shared(self):
        stranger, table = Stranger(sgd), torch.randn(8, 16, generator=torch.Generator().manual_seed(0))
        for number in (1, 2):
            stranger.layers[number][0].weight = nn.Parameter(table[:, 8 * number - 8 : 8 * number])
            stranger.optimizers[number] = sgd(list(stranger.modules[number].parameters()))
        assert stranger.audit().certified

    def test_a_constant_that_several_hold_is_no_leak(self):
        stranger, constant = Stranger(), torch.arange(8.0)
        for layer in stranger.layers:
            layer.register_buffer("positions", constant)
        audit = stranger.audit()
        assert audit.certified
        assert any(line["evidence"].endswith("never moved") for line in audit.table())

    @pytest.mark.parametrize("draw", ["torch", "own"])
    def test_dropout_from_one_stream(self, draw):
        if draw == "torch":
            stranger = Stranger(dropout=0.3)
        else:
            stranger, one = Stranger(), torch.Generator().manual_seed(0)

            class Noise(nn.Module):
                def forward(self, x):
                    return x + torch.rand(x.shape, generator=one)

            for layer in stranger.layers:
                layer.append(Noise())
        found = verdicts(stranger.audit())
        assert found == {"0": {"random streams"}, "1": {"random streams"}}

    def test_labels_that_stand_in_x_are_told_of(self):
        stranger, (x, y) = Stranger(), samples()
        x[:, :3] = 5 * F.one_hot(y, 3)

        def step(x, _):
            for layer, optimizer in zip(stranger.layers, stranger.optimizers, strict=True):
                x = layer(x.detach())
                optimizer.zero_grad()
                x.square().mean().backward()
                optimizer.step()

        audit = stranger.audit(step, (x, y))
        assert not audit.certified
        assert audit.label_free == ()
        assert "x holds them, in columns 0 to 2" in audit.summary


class TestLabels:
    def test_a_loss_of_how_often_each_class_occurs_reads_them(self):
        """No other order of the labels shows it."""
        stranger = Stranger()
        stranger.heads[0].requires_grad_(False)

        def step(x, y):
            of_class = torch.bincount(y, minlength=3).float()
            losses = stranger.losses(x, y)
            losses[0] = (stranger.layers[0](x).mean(dim=0)[:3] * of_class).sum()
            for loss, optimizer in zip(losses, stranger.optimizers, strict=True):
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()

        audit = stranger.audit(step)
        assert audit.certified, audit
        assert audit.label_free == ()

    def test_labels_that_the_step_takes_from_outside_are_changed_too(self):
        stranger, (x, y) = Stranger(), samples()
        audit = stranger.audit(lambda x, _: stranger(x, y), (x, y))
        assert audit.certified, audit
        assert audit.label_free == ()
        assert torch.equal(y, samples()[1])

    def test_a_loss_that_needs_every_class_gets_another_order(self):
        stranger, y = Stranger(), torch.arange(24) % 20

        def step(x, y):
            if len(y.unique()) < 20:
                raise ValueError("all classes must occur")
            stranger(x, y % 3)

        audit = stranger.audit(step, (samples()[0], y))
        assert audit.certified, audit
        assert audit.label_free == ()


class TestNotTested:
    def test_a_step_that_does_not_repeat_itself(self):
        stranger, batches = Stranger(), iter(torch.randn(1000, 24, 6, generator=torch.Generator().manual_seed(1)))
        audit = stranger.audit(lambda _, y: stranger(next(batches), y))
        assert not audit.certified
        assert "two equal trials differ" in audit.summary

    def test_a_module_that_the_step_leaves_alone(self):
        stranger = Stranger()
        stranger.optimizers[1] = adam([torch.zeros(1, requires_grad=True)])
        audit = stranger.audit()
        assert not audit.certified
        assert "moved none of its weights" in audit.summary
        stranger.modules[1].requires_grad_(False)
        stranger.heads[1].weight.requires_grad_(True)  # else no loss has a gradient
        assert verdicts(stranger.audit()) == {}

    def test_weights_that_stand_still_while_a_batch_norm_counts(self):
        """Gradients that are gathered over four steps: two steps show nothing of the leak."""
        stranger, calls = Stranger(), 0
        for layer in stranger.layers:
            layer.insert(1, nn.BatchNorm1d(8))
        leaking = gradient_by_hand(stranger)

        def step(x, y):
            nonlocal calls
            calls += 1
            leaking(x, y) if calls % 4 == 0 else stranger.losses(x, y)

        audit = stranger.audit(step)
        assert not audit.certified
        assert "moved none of its weights" in audit.summary

    def test_a_module_that_trains_and_is_not_listed(self):
        """The first module learns from the second's loss, and the audit is shown the first and the third alone."""
        stranger = Stranger()

        def step(x, y):
            for optimizer in stranger.optimizers:
                optimizer.zero_grad()
            x = stranger.layers[1](stranger.layers[0](x))
            F.cross_entropy(stranger.heads[1](x), y).backward()
            F.cross_entropy(stranger.heads[2](stranger.layers[2](x.detach())), y).backward()
            for optimizer in stranger.optimizers:
                optimizer.step()

        audit = audit_isolation(step, *samples(), modules=[stranger.modules[0], stranger.modules[2]])
        assert not audit.certified
        assert "trains 4 tensors with gradients that no module holds" in audit.summary

    def test_layers_that_are_never_called(self):
        stranger = Stranger()

        def step(x, y):
            for (layer, head), optimizer in zip(stranger.modules, stranger.optimizers, strict=True):
                x = F.linear(x.detach(), layer[0].weight, layer[0].bias).relu()
                optimizer.zero_grad()
                F.cross_entropy(F.linear(x, head.weight, head.bias), y).backward()
                optimizer.step()

        audit = stranger.audit(step)
        assert not audit.certified
        assert verdicts(audit) == {}
        assert "the step calls no layer of" in audit.summary

    def test_labels_that_are_all_the_same(self):
        audit = Stranger().audit(batch=(samples()[0], torch.zeros(24, dtype=torch.int64)))
        assert audit.summary.endswith("labels: not tested: all labels are the same")


class TestBadInput:
    def test_each_is_one_clear_line(self):
        x, y = samples()
        stranger = Stranger()
        cases = [
            (lambda: audit_isolation(3, x, y), TypeError, "audit_isolation: plan_or_step must"),
            (lambda: audit_isolation(stranger, x, y), ValueError, "modules must be given for a step"),
            (lambda: audit_isolation(stranger, x, y, modules=[1]), TypeError, "modules must"),
            (lambda: audit_isolation(stranger, x, y, modules={1: nn.Linear(1, 1)}), TypeError, "names of modules"),
            (lambda: audit_isolation(stranger, x, y, modules=stranger.modules[:1]), ValueError, "at least two, got 1"),
            (lambda: stranger.audit(lambda x, y: 1 / 0), ValueError, "the step fails on these samples: ZeroDivision"),
            (lambda: audit_isolation(stranger, x, y, modules=[nn.LazyLinear(2)] * 2), ValueError, "lazy|at least"),
        ]
        for call, kind, message in cases:
            with pytest.raises(kind, match=message):
                call()
