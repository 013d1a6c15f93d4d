"""A model cut at a layer stays the model when its numbers, tensors, layers or mode change."""

import copy
from types import SimpleNamespace

import pytest
import torch
import torch.nn.functional as F
from tests.networks.segmented import run
from torch import nn

from infotorch.networks.segments import check_no_shared_parameters, split
from infotorch.updates.proximal import ProximalSplit

X = torch.rand(6, 4, generator=torch.Generator().manual_seed(0))


class Tempered(nn.Module):
    """Numbers and tensors of every kind, on both sides of the cut."""

    t: torch.Tensor
    m: torch.Tensor

    def __init__(self):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.a, self.b, self.c = nn.Linear(4, 8), nn.Linear(8, 8), nn.Linear(8, 3)
        self.tau, self.steps, self.settings = 1.0, 2, SimpleNamespace(inner={"gain": 1.0})
        setattr(self.a, "scale", 1.0)  # noqa: B010
        self.plain, self.several = torch.zeros(8), [torch.ones(8), torch.ones(8)]
        self.act = F.relu
        self.register_buffer("t", torch.zeros(()))
        self.register_buffer("m", torch.ones(8))
        self.p = nn.Parameter(torch.zeros(3))

    def forward(self, x):
        h = self.a(x) / self.tau * self.a.scale @ torch.diag(self.m) + self.plain.sin()
        h = self.b(self.act(h) * self.several[0].exp()) * self.t.exp() * self.settings.inner["gain"]
        for _ in range(self.steps):
            h = h + self.t.cos() + torch.eye(8).to(h).sum(0)
        return self.c(h) + self.p.exp()


def change_in_place(model):
    model.t.fill_(0.5)


def replace_a_plain_tensor(model):
    model.plain = torch.ones(8)


def replace_a_layer(model):
    model.c = nn.Linear(8, 5, bias=False)
    model.p = nn.Parameter(torch.ones(5))


CHANGES = {
    "number": lambda model: setattr(model, "tau", 0.1),
    "count": lambda model: setattr(model, "steps", 3),
    "number of an opaque layer": lambda model: setattr(model.a, "scale", 3.0),
    "nested setting": lambda model: model.settings.inner.update(gain=2.0),
    "function": lambda model: setattr(model, "act", torch.tanh),
    "buffer in place": change_in_place,
    "buffer replaced": lambda model: setattr(model, "m", torch.arange(8.0)),
    "plain tensor in place": lambda model: model.plain.fill_(2.0),
    "plain tensor replaced": replace_a_plain_tensor,
    "tensor in a list": lambda model: model.several[0].fill_(0.5),
    "layer replaced": replace_a_layer,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=list(CHANGES))
def test_a_change_of_the_model_reaches_its_parts(change):
    model = Tempered()
    segments = split(model, ("b", "c"))
    before = run(segments, X)
    assert torch.equal(before, model(X))
    with torch.no_grad():
        change(model)
    assert not torch.equal(model(X), before)
    assert torch.equal(run(segments, X), model(X))


def test_an_annealed_temperature_reaches_the_step_of_a_proximal_split():
    model = Tempered()
    sgd = lambda parameters: torch.optim.SGD(parameters, lr=0.01)  # noqa: E731
    step = ProximalSplit.at(model, "b", step_size=1.0, forward_optimizer=sgd, backward_optimizer=sgd)
    for tau in (1.0, 0.5, 0.25):
        model.tau = tau
        model.t.mul_(0.9).add_(0.1)
        wanted = model(X)
        assert torch.equal(step.step(X, lambda output: output.square().mean()).output, wanted)


def test_an_unchanged_model_is_traced_once():
    segments = split(Tempered(), ("b",))
    graphs = [(segment.training_graph, segment.evaluation_graph) for segment in segments]
    for _ in range(3):
        run(segments, X)
    assert graphs == [(segment.training_graph, segment.evaluation_graph) for segment in segments]


def test_the_model_may_change_its_precision_after_the_cut():
    model = Tempered()
    segments = split(model, ("b",))
    model.double()
    model.plain, model.several = model.plain.double(), [one.double() for one in model.several]
    assert torch.equal(run(segments, X.double()), model(X.double()))


def test_moving_the_parts_moves_the_models_own_buffers():
    model = Tempered()
    segments = split(model, ("b",))
    for segment in segments:
        segment.double()
    assert model.m.dtype == model.t.dtype == torch.float64
    assert torch.equal(run(segments, X.double()), model(X.double()))


def test_the_models_own_buffers_are_saved_and_loaded_with_the_parts():
    model, other = Tempered(), Tempered()
    model.t.fill_(0.7)
    for source, target in zip(split(model, ("b",)), split(other, ("b",)), strict=True):
        target.load_state_dict(source.state_dict())
    assert other.t.item() == model.t.item()


class Counting(nn.Module):
    seen: torch.Tensor

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, x):
        h = self.a(x) / (1 + self.seen)
        self.seen.add_(1)
        return self.b(h) * self.seen


def test_a_buffer_that_forward_changes_in_place_counts_each_run_once():
    model = Counting()
    segments = split(model, ("b",))
    assert model.seen.item() == 0
    twin = copy.deepcopy(model)
    for _ in range(3):
        assert torch.equal(run(segments, X), twin(X))
    assert model.seen.item() == twin.seen.item() == 3


def test_a_new_trace_leaves_the_model_as_it_was_and_serves_in_training():
    model = Tempered()
    segments = split(model, ("b",))
    before = {name for module in model.modules() for name in vars(module)}
    model.a.eval()
    modes, state = [module.training for module in model.modules()], torch.get_rng_state()
    model.steps = 4
    with torch.inference_mode():
        run(segments, X)
    assert {name for module in model.modules() for name in vars(module)} == before
    assert [module.training for module in model.modules()] == modes
    assert torch.equal(torch.get_rng_state(), state)
    run(segments, X).sum().backward()
    assert model.b.weight.grad is not None


def test_a_copy_follows_its_own_model():
    model = Tempered()
    segments, copied = copy.deepcopy((split(model, ("b",)), model))
    model.tau = 9.0
    wanted = copied(X)
    assert torch.equal(run(segments, X), wanted)
    copied.tau = 0.1
    copied.t.fill_(1.0)
    assert torch.equal(run(segments, X), copied(X))
    assert not torch.equal(copied(X), wanted)


class Stashing(nn.Module):
    def __init__(self, *, count):
        super().__init__()
        self.a, self.b, self.count, self.calls = nn.Linear(4, 4), nn.Linear(4, 4), count, 0

    def forward(self, x):
        h = self.a(x)
        if self.count:
            self.calls += 1
        else:
            self.hidden = h
        return self.b(h)


@pytest.mark.parametrize(("count", "name"), [(True, "calls"), (False, "hidden")])
def test_a_forward_that_keeps_values_on_the_model_is_refused(count, name):
    model = Stashing(count=count)
    before = dict(vars(model))
    with pytest.raises(ValueError, match=f"forward sets the attribute '{name}' of Stashing, which the parts would not"):
        split(model, ("b",))
    assert dict(vars(model)) == before


class Branching(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b, self.deep = nn.Linear(4, 4), nn.Linear(4, 4), False
        self.register_buffer("on", torch.tensor(True))

    def forward(self, x):
        h = self.a(x)
        if self.deep and self.on:
            h = h.relu()
        return self.b(h)


def test_a_change_after_which_the_model_cannot_be_cut_is_refused_in_the_next_run():
    model = Branching()
    segments = split(model, ("b",))
    model.deep = True  # from here on a tensor decides
    with pytest.raises(ValueError, match=r"cannot be traced .* control flow"):
        run(segments, X)


class FormOfTensors(nn.Module):
    """Reads the form of its tensors as numbers, and takes them apart."""

    table: torch.Tensor

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)
        self.register_buffer("table", torch.arange(8.0).reshape(2, 4))

    def forward(self, x):
        h = self.a(x)
        for number in range(self.table.shape[0]):
            h = h + self.table[number]
        for row in self.table:
            h = h * row
        assert self.table.size(0) == len(self.table)
        return self.b(h + torch.ones(self.table.size(1), dtype=self.table.dtype))


def test_the_form_of_a_models_tensor_is_known_and_followed():
    model = FormOfTensors()
    segments = split(model, ("b",))
    assert torch.equal(run(segments, X), model(X))
    model.table = torch.ones(3, 4)
    assert torch.equal(run(segments, X), model(X))


class FunctionalDropout(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(4, 8), nn.Linear(8, 3)

    def forward(self, x):
        return self.b(F.dropout(self.a(x), 0.9, self.training))


def drops(segments):
    first, second = (run(segments, X) for _ in range(2))
    return not torch.equal(first, second)


def test_the_parts_follow_the_models_mode():
    model = FunctionalDropout()
    segments = split(model, ("b",))
    assert drops(segments)
    model.eval()
    assert not drops(segments)
    assert torch.equal(run(segments, X), model(X))
    model.train()
    assert drops(segments)


def test_a_part_with_a_mode_of_its_own_keeps_it():
    model = FunctionalDropout()
    segments = split(model, ("b",))
    for segment in segments:
        segment.eval()
    model.train()
    assert not drops(segments)
    segments[0].train()
    model.eval()
    assert segments[0].training
    assert drops(segments)


class FrozenOnBothSides(nn.Module):
    def __init__(self):
        super().__init__()
        self.fixed, self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)

    def forward(self, x):
        return self.fixed(self.b(self.fixed(self.a(x))))


def test_a_frozen_layer_may_serve_both_sides_and_a_training_one_may_not():
    model = FrozenOnBothSides()
    with pytest.raises(ValueError, match=r"modules 0 and 1 share the parameter 'fixed\.weight'"):
        split(model, ("b",))
    model.fixed.requires_grad_(False)
    segments = split(model, ("b",))
    assert torch.equal(run(segments, X), model(X))
    check_no_shared_parameters(segments)
