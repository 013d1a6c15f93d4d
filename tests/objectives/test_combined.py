import re

import pytest
import torch
from torch import nn

from infotorch.data.batches import TensorBatches
from infotorch.networks.parallel import Parallel
from infotorch.numerics.seeds import SeedStreams
from infotorch.objectives.base import LocalBatch, Loss, Objective
from infotorch.objectives.combined import ParallelObjectives, SumOfObjectives
from infotorch.objectives.names import objective_from_name
from infotorch.training.loop import train
from infotorch.training.plan import Plan

STREAMS = SeedStreams(3)
Y = torch.arange(12) % 3


def rows(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def batch_of(output, y=Y, x=None, position=(0, 1, 2, 0), **settings):
    x = rows(len(output), 5, seed=9) if x is None else x
    return LocalBatch(x, x, output, y, STREAMS, position, **settings)


class Noisy(Objective):
    """The mean of the output times noise of this step: shows which stream a part draws from."""

    def forward(self, batch: LocalBatch) -> Loss:
        noise = torch.randn(batch.output.shape, generator=batch.generator())
        total = (noise * batch.output).mean()
        return Loss(total, {"noise_nats": total.detach()})


class Plain(Objective):
    """Some terms, whatever the batch."""

    def __init__(self, *names, bounds=(), total=1.0):
        super().__init__()
        self.names, self.total = names, total
        self.sides = dict(bounds)

    def forward(self, batch: LocalBatch) -> Loss:
        return Loss(batch.output.sum() * 0 + self.total, {name: torch.tensor(self.total) for name in self.names})


class Adversarial(Objective):
    """Has a critic, and says how its loss comes about."""

    def __init__(self, steps, scale=1.0):
        super().__init__()
        self.critic_steps, self.scale = steps, scale

    def build(self, example: LocalBatch, labels):
        self.critic = nn.Linear(example.output.shape[1], 1)

    def critics(self):
        return [self.critic]

    def critic_loss(self, batch: LocalBatch):
        return self.scale * self.critic(batch.output).mean() * torch.rand((), generator=batch.generator())

    def forward(self, batch: LocalBatch) -> Loss:
        return Loss(-self.critic(batch.output).mean(), {})


class TestSum:
    def test_it_is_the_weighted_sum_of_its_parts_totals_and_gradients(self):
        parts = [objective_from_name(name) for name in ("Y:readout", "X:reconstruction", "Y:supcon")]
        both, output = SumOfObjectives(parts, weights=(2.0, 0.5, 3.0)), rows(12, 4).requires_grad_()
        batch = batch_of(output)
        both.build(batch, Y)
        loss = both(batch)
        totals = [part(batch).total for part in parts]
        wanted = 2.0 * totals[0] + 0.5 * totals[1] + 3.0 * totals[2]
        torch.testing.assert_close(loss.total, wanted, atol=1e-6, rtol=1e-6)
        leaves = [output, *both.parameters()]
        for found, by_hand in zip(
            torch.autograd.grad(loss.total, leaves), torch.autograd.grad(wanted, leaves), strict=True
        ):
            torch.testing.assert_close(found, by_hand, atol=1e-6, rtol=1e-6)

    def test_without_weights_each_counts_once(self):
        assert SumOfObjectives([Plain(total=2.0), Plain(total=5.0)])(batch_of(rows(4, 2))).total.item() == 7.0

    def test_two_parts_of_one_kind_draw_different_noise_and_each_its_own_again(self):
        both, batch = SumOfObjectives([Noisy(), Noisy()]), batch_of(rows(12, 4))
        terms = both(batch).terms
        assert terms["noise_nats"] != terms["noise_2_nats"]
        assert both(batch).terms == terms
        for number, name in enumerate(("noise_nats", "noise_2_nats")):
            assert Noisy()(both.batch_of(number, batch)).total == terms[name]
        elsewhere = both(batch_of(rows(12, 4), position=(0, 1, 3, 0))).terms
        assert not set(map(float, terms.values())) & set(map(float, elsewhere.values()))

    @pytest.mark.parametrize(
        ("names", "wanted"),
        [
            ([("a_nats",), ("b_nats",)], ["a_nats", "b_nats"]),
            ([("a_nats",), ("a_nats",), ("a_nats",)], ["a_nats", "a_2_nats", "a_3_nats"]),
            ([("a",), ("a", "b")], ["a", "a_2", "b"]),
            ([(), ("a_nats",)], ["a_nats"]),
        ],
    )
    def test_a_term_that_an_earlier_part_has_carries_its_parts_number(self, names, wanted):
        both = SumOfObjectives([Plain(*own, total=float(n)) for n, own in enumerate(names, start=1)])
        terms = both(batch_of(rows(4, 2))).terms
        assert sorted(terms) == sorted(wanted)
        assert sum(map(float, terms.values())) == sum(n * len(own) for n, own in enumerate(names, start=1))

    def test_bounds_are_named_as_the_terms_are(self):
        both = objective_from_name("Y:supcon+Y:readout+X:infonce+X:views")
        assert both.sides == {
            "mi_ty_nats": "lower", "mi_ty_2_nats": "lower", "mi_xt_nats": "lower", "mi_xt_4_nats": "lower",
        }  # fmt: skip

    def test_the_terms_have_no_gradient(self):
        both, batch = objective_from_name("Y:supcon+Y:readout"), batch_of(rows(12, 4).requires_grad_())
        both.build(batch, Y)
        loss = both(batch)
        assert loss.total.requires_grad
        assert not any(term.requires_grad for term in loss.terms.values())

    def test_scores_are_those_of_the_first_part_that_reads_any(self):
        both, batch = objective_from_name("Y:supcon+Y:readout+Y:associated"), batch_of(rows(12, 4))
        both.build(batch, Y)
        assert torch.equal(both.scores(batch.output), both.parts[1].scores(batch.output))
        without = objective_from_name("X+Y:supcon")
        without.build(batch, Y)
        assert without.scores(batch.output) is None

    def test_critics_are_those_of_all_parts_and_step_as_often_as_the_keenest(self):
        parts = [Adversarial(2, scale=1.0), Plain(), Adversarial(5, scale=10.0)]
        both, batch = SumOfObjectives(parts, weights=(0.0, 1.0, 1.0)), batch_of(rows(12, 4))
        both.build(batch, Y)
        assert both.critics() == [parts[0].critic, parts[2].critic]
        assert both.critic_steps == 5
        # The weights weigh what the module minimises; a critic is at its best whatever its weight.
        wanted = sum(parts[n].critic_loss(both.batch_of(n, batch)) for n in (0, 2))
        assert both.critic_loss(batch) == wanted

    def test_labels_are_needed_only_where_every_part_needs_them(self):
        assert objective_from_name("Y:supcon+Y").needs_labels
        assert not objective_from_name("X:views+Y").needs_labels

    def test_a_batch_without_labels_trains_the_label_free_part_alone(self):
        both, output = objective_from_name("Y:readout+X"), rows(12, 4).requires_grad_()
        both.build(batch_of(output), Y)
        unlabelled = batch_of(output, torch.full_like(Y, -1))
        loss = both(unlabelled)
        assert list(loss.terms) == ["log_likelihood_nats"]
        assert loss.total == both.parts[1](unlabelled).total

    def test_the_state_holds_every_part(self):
        first, second = (objective_from_name("Y:readout+X") for _ in range(2))
        for both in (first, second):
            both.build(batch_of(rows(12, 4)), Y)
        second.load_state_dict(first.state_dict())
        assert second(batch_of(rows(12, 4))).total == first(batch_of(rows(12, 4))).total


class Own(Objective):
    """Half the mean squared output over a scale, with a weight of its own that starts at 1."""

    def build(self, example: LocalBatch, labels):
        self.scale = nn.Parameter(torch.ones(example.output.shape[1]))

    def forward(self, batch: LocalBatch) -> Loss:
        return Loss((self.scale * batch.output).square().mean() - self.scale.sum(), {})


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-2)


def branch(width, seed):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return nn.Sequential(nn.Linear(5, width), nn.BatchNorm1d(width), nn.ReLU())


class TestParallel:
    @pytest.mark.parametrize("order", ["sequential", "simultaneous"])
    @pytest.mark.parametrize("objectives", [("X:renyi", "Y:kernel"), ("Own", "X:renyi"), ("Y:supcon", "Own")])
    def test_every_branch_is_trained_as_if_it_were_alone_bit_for_bit(self, objectives, order):
        def made(name):
            # Parts with random initial weights would not start as they do alone.
            return Own() if name == "Own" else objective_from_name(name, {"Y:supcon": {"hidden": None}})

        x, y = rows(48, 5), torch.arange(48) % 3
        batches, widths = TensorBatches(x, y, batch_size=16), (3, 4)
        side_by_side = Parallel({str(n): branch(width, n) for n, width in enumerate(widths)})
        with torch.random.fork_rng():
            model = nn.Sequential(side_by_side, nn.Linear(7, 3))
        both = ParallelObjectives([made(name) for name in objectives], widths=widths)
        plan = Plan.layerwise(model, ("1",), [both, "CE"], order=order, optimizer=adam)
        assert all(info.diverged is None for info in train(plan, batches, epochs=3))
        for number, (width, name) in enumerate(zip(widths, objectives, strict=True)):
            alone = nn.Sequential(branch(width, number))
            for _ in train(Plan.end_to_end(alone, made(name), optimizer=adam), batches, epochs=3):
                pass
            trained = side_by_side.branches[str(number)].state_dict()
            assert not torch.equal(trained["0.weight"], branch(width, number)[0].weight)
            for key, value in alone[0].state_dict().items():
                assert torch.equal(trained[key], value), (name, key)

    def test_noise_and_encode_reach_a_branch_as_its_own(self):
        module = Parallel({"a": nn.Linear(5, 2), "b": nn.Linear(5, 3)})
        x = rows(12, 5, seed=9)
        batch = batch_of(module(x), x=x, encode=module)
        both = ParallelObjectives([Noisy(), Noisy()], widths=(2, 3))
        for number, (part, name) in enumerate(zip(both.parts, ("a", "b"), strict=True)):
            own = both.batch_of(number, batch)
            assert torch.equal(own.output, module.branches[name](x))
            assert torch.equal(own.encode(2 * x), module.branches[name](2 * x))
            assert own.position == (*batch.position, number)
            assert part(own).total == both(batch).terms["noise_nats" if number == 0 else "noise_2_nats"]

    def test_equal_widths_need_not_be_given_and_grids_are_shared_out_by_channel(self):
        both, grid = ParallelObjectives([Plain(), Plain(), Plain()]), rows(4, 6, 2, 2)
        assert torch.equal(both.batch_of(2, batch_of(grid, Y[:4])).output, grid[:, 4:])

    def test_the_critics_of_each_branch_see_its_columns(self):
        both, batch = ParallelObjectives([Adversarial(1), Adversarial(3)], widths=(1, 3)), batch_of(rows(12, 4))
        both.build(batch, Y)
        assert [critic.in_features for critic in both.critics()] == [1, 3]
        assert both.critic_steps == 3
        assert both.critic_loss(batch) == sum(p.critic_loss(both.batch_of(n, batch)) for n, p in enumerate(both.parts))

    def test_columns_that_cannot_be_shared_out_are_refused(self):
        for settings, message in (
            ({}, r"an output of 5 columns cannot be shared out: equally many for each branch; give widths\."),
            ({"widths": (2, 2)}, r"an output of 5 columns cannot be shared out: widths \(2, 2\)\."),
        ):
            both = ParallelObjectives([Plain(), Plain()], **settings)
            with pytest.raises(ValueError, match=message):
                both.build(batch_of(rows(12, 5)), Y)


@pytest.mark.parametrize("kind", [SumOfObjectives, ParallelObjectives])
class TestWrongUse:
    def test_parts_must_be_objectives_and_each_its_own(self, kind):
        part, name = Plain(), kind.__name__
        with pytest.raises(TypeError, match=rf"{name}: parts must be one objective or more, got \[\]"):
            kind([])
        with pytest.raises(TypeError, match=rf"{name}: parts must be one objective or more, got .*Linear"):
            kind([part, nn.Linear(2, 2)])
        sign = re.escape("+" if kind is SumOfObjectives else "|")
        for parts in ([part, "CE"], "CE"):
            with pytest.raises(
                TypeError, match=rf"{name}: parts must be objectives .*, not names, got 'CE'; .*\"A{sign}B\"\."
            ):
                kind(parts)
        with pytest.raises(ValueError, match=rf"{name}: each part must be an objective of its own"):
            kind([part, part])

    def test_one_number_for_each_part(self, kind):
        word = "weights" if kind is SumOfObjectives else "widths"
        with pytest.raises(ValueError, match=rf"{kind.__name__}: 2 parts need as many {word}, got 1"):
            kind([Plain(), Plain()], **{word: (1,)})


def test_a_term_keeps_its_name_in_a_batch_that_taught_the_earlier_part_nothing():
    both, output = (
        objective_from_name("Y:supcon+Y:readout"),
        torch.randn(4, 3, generator=torch.Generator().manual_seed(0)),
    )
    both.build(LocalBatch(output, output, output, torch.tensor([0, 0, 1, 1])), torch.tensor([0, 0, 1, 1]))
    without_pairs = LocalBatch(output, output, output, torch.tensor([0, 1, -1, -1]))
    assert list(both(without_pairs).terms) == ["mi_ty_2_nats"]
