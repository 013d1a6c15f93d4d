import math

import pytest
import torch
from torch import nn

from infotorch.data.batches import TensorBatches
from infotorch.objectives.base import LocalBatch, Loss, Objective
from infotorch.objectives.bottleneck import InformationBottleneck
from infotorch.objectives.labels import CrossEntropy, ReadoutInformation
from infotorch.training.local_module import LocalModule
from infotorch.training.loop import Position, train
from infotorch.training.memory import track_saved_activations
from infotorch.training.plan import Plan


def adam(parameters):
    return torch.optim.Adam(parameters, lr=1e-2)


def sgd(parameters):
    return torch.optim.SGD(parameters, lr=0.1)


def weights(model):
    return [parameter.detach().clone() for parameter in model.parameters()]


def same(first, second):
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def finish(plan, batches, **settings):
    return list(train(plan, batches, **settings))


class TestIsolation:
    @pytest.mark.parametrize("order", ["sequential", "simultaneous"])
    def test_no_gradient_crosses_a_module(self, order, make_mlp, two_blobs):
        """The first module's weights after training do not depend on what the later ones minimise, bit for bit."""
        results = []
        for later in ("Y,CE", "frozen,CE"):
            model = make_mlp()
            plan = Plan.layerwise(model, objectives=f"X,{later}", order=order, optimizer=adam)
            finish(plan, TensorBatches(*two_blobs, batch_size=64), epochs=2)
            results.append(weights(model[0]))
        assert same(*results)
        assert not same(results[0], weights(make_mlp()[0]))

    @pytest.mark.parametrize("order", ["sequential", "simultaneous"])
    def test_a_label_free_first_module_is_the_same_for_any_labels(self, order, make_mlp, two_blobs):
        x, y = two_blobs
        results = []
        for labels in (y, 1 - y, y.roll(3)):
            model = make_mlp()
            plan = Plan.layerwise(model, objectives="X,Y,CE", order=order, optimizer=adam)
            finish(plan, TensorBatches(x, labels, batch_size=64), epochs=2)
            results.append(weights(model[0]))
        assert same(results[0], results[1])
        assert same(results[0], results[2])

    def test_gradients_do_cross_when_the_plan_says_so(self, make_mlp, two_blobs):
        results = []
        for objective in (
            InformationBottleneck(beta=0.0, noise_std=1.0),
            InformationBottleneck(beta=5.0, noise_std=1.0),
        ):
            model = make_mlp()
            plan = Plan.layerwise(
                model, objectives=["Y", objective, "CE"], order="simultaneous", isolated=False, optimizer=adam
            )
            finish(plan, TensorBatches(*two_blobs, batch_size=64), epochs=2)
            results.append(weights(model[0]))
        assert not same(*results)

    def test_deep_supervision_equals_one_backward_of_the_summed_losses(self, make_mlp, two_blobs):
        x, y = two_blobs
        model, twin = make_mlp(), make_mlp()
        plan = Plan.layerwise(model, ("2", "4"), "Y,Y,CE", order="simultaneous", isolated=False, optimizer=sgd)
        batches = TensorBatches(x, y, batch_size=256, shuffle=False)
        plan.prepare(batches, epochs=1, seed=0)
        readouts = [plan[k].objective.readout for k in (0, 1)]
        hidden1 = twin[1](twin[0](x))
        hidden2 = twin[3](twin[2](hidden1))
        scores = [readouts[0](hidden1), readouts[1](hidden2), twin[4](hidden2)]
        total = sum(nn.functional.cross_entropy(s, y) for s in scores)
        gradients = torch.autograd.grad(total, list(twin.parameters()))
        finish(plan, batches, epochs=1)
        for trained, start, gradient in zip(model.parameters(), twin.parameters(), gradients, strict=True):
            torch.testing.assert_close(trained, start - 0.1 * gradient, atol=1e-6, rtol=0)  # float32 rounding

    @pytest.mark.parametrize("cache", [None, "memory"])
    @pytest.mark.parametrize("objectives", ["frozen,Y,CE", "Y,frozen,CE"])
    def test_deep_supervision_leaves_no_gradient_in_frozen_modules(self, objectives, cache, make_mlp, two_blobs):
        model = make_mlp()
        plan = Plan.layerwise(model, objectives=objectives, order="simultaneous", isolated=False, optimizer=adam)
        finish(plan, TensorBatches(*two_blobs, batch_size=64), epochs=1, cache=cache)
        frozen = objectives.split(",").index("frozen") * 2
        assert same(weights(model[frozen]), weights(make_mlp()[frozen]))
        assert all(parameter.grad is None for parameter in model[frozen].parameters())
        moved = [not same(weights(model[n]), weights(make_mlp()[n])) for n in (0, 2, 4)]
        assert moved == [n != frozen for n in (0, 2, 4)]


class TestEqualsPlainTraining:
    def test_end_to_end_equals_a_bare_loop_bit_for_bit(self, make_mlp, two_blobs):
        x, y = two_blobs
        model, twin = make_mlp(), make_mlp()
        batches = TensorBatches(x, y, batch_size=64, seed=5)
        finish(Plan.end_to_end(model, optimizer=adam), batches, epochs=3)
        optimizer = adam(twin.parameters())
        for epoch in range(3):
            for batch in batches.epoch(epoch):
                loss = nn.functional.cross_entropy(twin(batch.x), batch.y)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
        assert same(weights(model), weights(twin))

    def test_the_last_of_sequential_modules_is_a_linear_model_on_frozen_features(self, make_mlp, two_blobs):
        x, y = two_blobs
        model, twin = make_mlp(), make_mlp()
        batches = TensorBatches(x, y, batch_size=64, seed=5)
        finish(Plan.layerwise(model, objectives="frozen,frozen,CE", optimizer=adam), batches, epochs=2)
        assert same(weights(model[:4]), weights(twin[:4]))
        features = twin[:4](x).detach()
        optimizer = adam(twin[4].parameters())
        for epoch in range(2):
            for batch in batches.epoch(epoch):
                optimizer.zero_grad()
                nn.functional.cross_entropy(twin[4](features[batch.rows]), batch.y).backward()
                optimizer.step()
        for trained, wanted in zip(model[4].parameters(), twin[4].parameters(), strict=True):
            torch.testing.assert_close(trained, wanted, atol=1e-6, rtol=1e-5)  # rounding of another batch shape

    def test_the_schedule_spans_a_stage(self, make_mlp, two_blobs):
        plan = Plan.layerwise(
            make_mlp(),
            objectives="Y,Y,CE",
            optimizer=adam,
            scheduler=lambda optimizer, steps: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps),
        )
        infos = finish(plan, TensorBatches(*two_blobs, batch_size=64), epochs=2)  # 8 steps a stage
        assert [len(infos), infos[0].learning_rates["0"], infos[8].learning_rates["2"]] == [24, 1e-2, 1e-2]
        half = 1e-2 * (1 + math.cos(math.pi * 4 / 8)) / 2
        assert infos[4].learning_rates["0"] == pytest.approx(half, rel=1e-12)


class TestCache:
    @pytest.mark.parametrize("kind", ["memory", "disk"])
    def test_cached_and_uncached_training_agree(self, kind, make_mlp, two_blobs):
        results, losses = [], []
        for cache in (None, kind):
            model = make_mlp()
            plan = Plan.layerwise(model, objectives="Y,Y,CE", optimizer=adam)
            infos = finish(plan, TensorBatches(*two_blobs, batch_size=64), epochs=2, cache=cache)
            results.append(weights(model))
            losses.append([float(loss.total) for info in infos for loss in info.losses.values()])
        assert losses[0] == pytest.approx(losses[1], abs=1e-6)
        for plain, cached in zip(*results, strict=True):
            torch.testing.assert_close(plain, cached, atol=1e-6, rtol=1e-5)

    def test_batches_without_rows_cannot_be_cached(self, make_mlp, two_blobs):
        inner = TensorBatches(*two_blobs, batch_size=64)

        class Streamed:
            y = inner.y
            epoch = inner.epoch

            def __len__(self):
                return len(inner)

        plan = Plan.layerwise(make_mlp(), objectives="Y,Y,CE", optimizer=adam)
        with pytest.raises(ValueError, match="a cache needs batches that hold their samples in memory"):
            train(plan, Streamed(), epochs=1, cache="memory")
        assert len(finish(plan, Streamed(), epochs=1)) == 12


class TestLayersWithState:
    def make(self):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return nn.Sequential(
                nn.Linear(4, 8),
                nn.BatchNorm1d(8),
                nn.ReLU(),
                nn.Dropout(0.5),
                nn.Linear(8, 8),
                nn.ReLU(),
                nn.Linear(8, 2),
            )

    def test_frozen_modules_are_in_evaluation_mode_and_keep_their_statistics(self, two_blobs):
        model = self.make()
        plan = Plan.layerwise(model, ("4", "6"), "Y,Y,CE", optimizer=adam)
        batches = TensorBatches(*two_blobs, batch_size=64)
        statistics = []
        for info in train(plan, batches, epochs=1):
            statistics.append(model[1].running_mean.clone())
            assert [model[1].training, model[3].training] == [info.position.stage == 0] * 2
        assert not torch.equal(statistics[0], statistics[3])
        assert all(torch.equal(statistics[3], later) for later in statistics[4:])

    def test_batch_norm_counts_a_batch_once_whatever_the_hand_off(self, two_blobs):
        statistics = []
        for handoff in ("before", "after"):
            model = self.make()
            plan = Plan.layerwise(model, ("4", "6"), "Y,Y,CE", order="simultaneous", optimizer=adam)
            finish(plan, TensorBatches(*two_blobs, batch_size=256), epochs=1, handoff=handoff)
            assert int(model[1].num_batches_tracked) == 1
            statistics.append(model[1].running_mean.clone())
        assert torch.equal(*statistics)

    def test_a_mode_changed_by_the_caller_between_steps_does_not_matter(self, two_blobs):
        results = []
        for meddle in (False, True):
            model = self.make()
            plan = Plan.layerwise(model, ("4", "6"), "Y,Y,CE", order="simultaneous", optimizer=adam)
            for _ in train(plan, TensorBatches(*two_blobs, batch_size=64), epochs=2):
                if meddle:
                    model.eval()
            results.append(weights(model))
        assert same(*results)

    def test_dropout_follows_the_seed_and_leaves_the_global_stream_alone(self, two_blobs):
        results = []
        for seed, noise in ((0, 1), (0, 2), (1, 1)):
            model = self.make()
            plan = Plan.layerwise(model, ("4", "6"), "Y,Y,CE", optimizer=adam)
            with torch.random.fork_rng():
                torch.manual_seed(noise)
                before = torch.get_rng_state()
                finish(plan, TensorBatches(*two_blobs, batch_size=64), epochs=1, seed=seed)
                assert torch.equal(torch.get_rng_state(), before)
            results.append(weights(model))
        assert same(results[0], results[1])
        assert not same(results[0], results[2])


class TestOrders:
    def test_simultaneous_trains_every_module_in_every_step(self, make_mlp, two_blobs):
        plan = Plan.layerwise(make_mlp(), objectives="Y,Y,CE", order="simultaneous", optimizer=adam)
        infos = finish(plan, TensorBatches(*two_blobs, batch_size=64), epochs=2)
        assert [list(info.losses) for info in infos] == [["0", "2", "4"]] * 8
        assert [info.ends_stage for info in infos] == [False] * 7 + [True]

    def test_the_hand_off_after_the_update_shows_the_next_module_the_moved_output(self, make_mlp, two_blobs):
        x, y = two_blobs
        seen = {}
        for handoff in ("before", "after"):
            model = make_mlp((4, 8, 2))
            plan = Plan.layerwise(model, objectives="Y,CE", order="simultaneous", optimizer=sgd)
            batches = TensorBatches(x, y, batch_size=256, shuffle=False)
            (info,) = finish(plan, batches, epochs=1, handoff=handoff)
            twin, moved = make_mlp((4, 8, 2)), model[:2]
            features = moved(x) if handoff == "after" else twin[:2](x)
            wanted = nn.functional.cross_entropy(twin[2](features), y)
            torch.testing.assert_close(info.losses["2"].total, wanted, atol=1e-6, rtol=1e-6)
            seen[handoff] = wanted.item()
        assert seen["before"] != pytest.approx(seen["after"], abs=1e-5)

    def test_bfloat16_autocast_learns_with_float32_weights(self, make_mlp, two_blobs):
        from infotorch.training.devices import launch

        plan = Plan.layerwise(make_mlp(), objectives="Y,Y,CE", optimizer=adam)
        infos = finish(plan, TensorBatches(*two_blobs, batch_size=64), epochs=20, fabric=launch("cpu", "bf16-mixed"))
        assert all(parameter.dtype == torch.float32 for parameter in plan[0].parameters())
        assert float(infos[-1].losses["4"].total) < 0.4  # guessing costs log 2 = 0.69


class TestPositions:
    def test_going_on_from_any_step_gives_the_same_weights_bit_for_bit(self, make_mlp, two_blobs):
        def begin():
            model = make_mlp()
            plan = Plan.layerwise(
                model,
                objectives=[InformationBottleneck(beta=0.1, noise_std=1.0, penalty="leave_one_out"), "Y", "CE"],
                optimizer=adam,
            )
            batches = TensorBatches(*two_blobs, batch_size=48)
            plan.prepare(batches, epochs=2, seed=0)
            return model, plan, batches

        model, plan, batches = begin()
        states = []
        for info in train(plan, batches, epochs=2):
            copied = torch.utils._pytree.tree_map(lambda v: v.clone() if torch.is_tensor(v) else v, plan.state_dict())
            states.append((info.next, copied))
        wanted = weights(model)
        for stop in (0, 5, 11, 13, 17, 24, 34, 35):  # 6 steps an epoch: ends of epochs and of stages, and mid-epoch
            model, plan, batches = begin()
            plan.load_state_dict(states[stop][1])
            rest = finish(plan, batches, epochs=2, start=states[stop][0])
            assert len(rest) == 36 - stop - 1
            assert same(weights(model), wanted)

    def test_positions_count_stages_epochs_and_steps(self, make_mlp, two_blobs):
        plan = Plan.layerwise(make_mlp(), objectives="Y,frozen,CE", optimizer=adam)
        infos = finish(plan, TensorBatches(*two_blobs, batch_size=128), epochs=2)
        assert [info.position for info in infos[:3]] == [
            Position(0, 0, 0, 0),
            Position(0, 0, 1, 1),
            Position(0, 1, 0, 2),
        ]
        assert infos[-1].next == Position(2, 0, 0, 8)
        assert [info.ends_stage for info in infos] == [False, False, False, True] * 2


class Exploding(Objective):
    """Cross-entropy that is NaN from the third call on."""

    calls = 0

    def forward(self, batch: LocalBatch) -> Loss:
        self.calls += 1
        loss = nn.functional.cross_entropy(batch.output, batch.y)
        return Loss(loss * math.nan if self.calls >= 3 else loss, {})


class Careless(Objective):
    """Read-out by the output's first columns, which changes a tensor of the batch on the way."""

    needs_labels = True

    def __init__(self, name):
        super().__init__()
        self.name = name

    def forward(self, batch: LocalBatch) -> Loss:
        with torch.no_grad():
            getattr(batch, self.name).mul_(1)
        return Loss(nn.functional.cross_entropy(batch.output[:, :2].clone(), batch.y.clone()), {})


@pytest.mark.parametrize("name", ["x", "module_input", "output", "y"])
@pytest.mark.parametrize("order", ["simultaneous", "sequential"])
def test_an_objective_that_changes_what_others_read_is_refused(name, order, make_mlp, two_blobs):
    plan = Plan.layerwise(make_mlp(), objectives=[Careless(name), None, CrossEntropy()], order=order, optimizer=adam)
    with pytest.raises(ValueError, match="module '0': Careless changes a tensor of its batch in place"):
        finish(plan, TensorBatches(*two_blobs, batch_size=64), epochs=1)


class TestDivergence:
    def test_a_non_finite_loss_ends_training_before_it_moves_a_weight(self, make_mlp, two_blobs):
        model, steps, kept = make_mlp(), [], None
        plan = Plan.end_to_end(model, Exploding(), optimizer=adam)
        for info in train(plan, TensorBatches(*two_blobs, batch_size=64), epochs=5):
            steps.append(info)
            kept = weights(model) if info.diverged is None else kept
        assert [info.diverged for info in steps] == [None, None, "network"]
        assert same(weights(model), kept)
        assert all(torch.isfinite(weight).all() for weight in kept)

    def test_a_negative_loss_is_no_divergence(self, make_mlp, two_blobs):
        plan = Plan.layerwise(make_mlp(), objectives="Y,Y,CE", optimizer=adam)
        infos = finish(plan, TensorBatches(*two_blobs, batch_size=64), epochs=3)
        assert min(float(info.losses["0"].total) for info in infos if "0" in info.losses) < 0
        assert all(info.diverged is None for info in infos)

    def test_a_weight_spoiled_by_a_stages_last_update_is_a_divergence_too(self, make_mlp, two_blobs):
        plan = Plan.end_to_end(make_mlp(), optimizer=lambda p: torch.optim.SGD(p, lr=math.inf))
        infos = finish(plan, TensorBatches(*two_blobs, batch_size=256), epochs=1)
        assert [info.diverged for info in infos] == ["network"]
        assert math.isfinite(infos[0].losses["network"].total)


class TestMemory:
    def deep(self, depth=6, width=64):
        layers = [layer for _ in range(depth) for layer in (nn.Linear(width, width), nn.ReLU())]
        return nn.Sequential(*layers)

    def measure(self, plan, x, y):
        batches = TensorBatches(x, y, batch_size=len(x))
        return finish(plan, batches, epochs=1)[0].peak_saved_activation_bytes

    def test_autograd_keeps_one_module_at_a_time(self):
        generator = torch.Generator().manual_seed(0)
        x, y = torch.randn(128, 64, generator=generator), torch.arange(128) % 10
        one = 128 * 64 * 4  # bytes of one layer's output
        local = Plan.layerwise(self.deep(), objectives="Y,Y,Y,Y,Y,Y", order="simultaneous", optimizer=sgd)
        whole = Plan.end_to_end(self.deep(), ReadoutInformation(), optimizer=sgd)
        scores = 128 * 10 * 4
        # input and output of one layer, and the read-out's log-probabilities, against seven such tensors
        assert self.measure(local, x, y) <= 2 * one + 2 * scores
        assert self.measure(whole, x, y) >= 7 * one

    def test_only_the_first_step_of_a_stage_is_measured(self, make_mlp, two_blobs):
        plan = Plan.layerwise(make_mlp(), objectives="Y,Y,CE", optimizer=adam)
        infos = finish(plan, TensorBatches(*two_blobs, batch_size=128), epochs=1)
        assert [info.peak_saved_activation_bytes is not None for info in infos] == [True, False] * 3

    def test_saved_tensors_are_counted_by_hand(self):
        x = torch.rand(10, 100, generator=torch.Generator().manual_seed(0), requires_grad=True)
        with track_saved_activations() as saved:
            y = x.exp()  # keeps its result: 4000 bytes
            z = y.tanh()  # keeps its own result: 4000 more
            assert saved.peak_bytes == 8000
            del y
            z.sum().backward()
            del z
            x.exp().sum().backward()
        assert saved.peak_bytes == 8000
        with track_saved_activations([x]) as saved:
            (x * x).sum()  # keeps x twice, which is a parameter here
        assert saved.peak_bytes == 0
        with track_saved_activations() as saved:
            (x * x).sum()
        assert (saved.peak_bytes, saved.peak_bytes_as_saved) == (4000, 8000)

    def test_sparse_matrices_that_autograd_saves_pass_uncounted(self):
        x = torch.ones(3, 2, requires_grad=True)
        with track_saved_activations() as saved:
            torch.sparse.mm(torch.eye(3).to_sparse(), x).sum().backward()
        assert x.grad is not None
        assert torch.equal(x.grad, torch.ones(3, 2))
        assert saved.peak_bytes == 0


class TestWrongUse:
    def test_settings_are_checked_before_the_first_step(self, make_mlp, two_blobs):
        plan = Plan.end_to_end(make_mlp(), optimizer=adam)
        batches = TensorBatches(*two_blobs, batch_size=64)
        with pytest.raises(ValueError, match="epochs must be at least 1, got 0"):
            train(plan, batches, epochs=0)
        with pytest.raises(ValueError, match="handoff must be one of before, after, got 'between'"):
            train(plan, batches, epochs=1, handoff="between")
        with pytest.raises(ValueError, match="cache must be one of memory, disk, got 'cloud'"):
            train(plan, batches, epochs=1, cache="cloud")

    def test_a_plan_whose_schedule_has_run_is_not_trained_on_by_accident(self, make_mlp, two_blobs):
        batches = TensorBatches(*two_blobs, batch_size=64)
        plan = Plan.end_to_end(
            make_mlp(),
            optimizer=adam,
            scheduler=lambda optimizer, steps: torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps),
        )
        assert finish(plan, batches, epochs=1)[0].learning_rates["network"] == 1e-2
        with pytest.raises(ValueError, match="the plan's schedules have run; prepare the plan again"):
            train(plan, batches, epochs=1)
        plan.prepare(batches, epochs=1, seed=0)
        with pytest.raises(ValueError, match="the plan was prepared for 4 steps a stage, got 8"):
            train(plan, batches, epochs=2)
        assert finish(plan, batches, epochs=1)[0].learning_rates["network"] == 1e-2

    def test_local_modules_of_ones_own_need_no_tracing(self, two_blobs):
        x, y = two_blobs
        with torch.random.fork_rng():
            torch.manual_seed(0)
            bodies = [nn.Sequential(nn.Linear(4, 8), nn.ReLU()), nn.Linear(8, 2)]
        plan = Plan([
            LocalModule("features", bodies[0], ReadoutInformation(), optimizer=adam),
            LocalModule("output", bodies[1], CrossEntropy(), optimizer=adam),
        ])
        infos = finish(plan, TensorBatches(x, y, batch_size=64), epochs=20)
        assert float(infos[-1].losses["output"].total) < 0.2
