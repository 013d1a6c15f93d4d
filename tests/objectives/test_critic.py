import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from infotorch.data.batches import TensorBatches
from infotorch.estimators.bounds import donsker_varadhan, infonce, jsd, nwj
from infotorch.estimators.critics import BilinearCritic, JointCritic, SeparableCritic
from infotorch.numerics.seeds import SeedStreams
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.critic import BOUNDS, CRITICS, CriticInformation
from infotorch.training.evaluate import evaluate_modules, plan_accuracy
from infotorch.training.loop import train
from infotorch.training.plan import Plan

LABELS = torch.arange(24) % 3


@pytest.fixture
def rows():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(24, 4, generator=generator)
    return x, torch.tanh(x @ torch.randn(4, 5, generator=generator))


def built(t, x, y=LABELS, **settings):
    torch.manual_seed(0)
    objective = CriticInformation(**{"hidden": (16,), "embedding": 8, **settings})
    objective.build(LocalBatch(x, x, t, y), LABELS)
    return objective


def standardised(values):
    values = values.flatten(1)
    return (values - values.mean(0)) / (values.var(0, unbiased=False) + 1e-5).sqrt()


class TestValues:
    @pytest.mark.parametrize("of", ["x", "y"])
    def test_infonce_is_the_mean_of_both_directions_over_all_pairs(self, rows, of):
        x, t = rows
        objective = built(t, x, of=of)
        loss = objective(LocalBatch(x, x, t, LABELS))
        other = standardised(x) if of == "x" else F.one_hot(LABELS, 3).float()
        scores = torch.stack([objective.critic.pairs(standardised(t), other.roll(-k, 0)) for k in range(24)])
        # Row k of `scores` holds s(t_i, other_{i + k}): put them back in their places.
        matrix = torch.stack([scores[(torch.arange(24) - i) % 24, i] for i in range(24)])
        wanted = (infonce(matrix) + infonce(matrix.T)) / 2
        assert loss.total.item() == pytest.approx(-wanted.item(), abs=1e-5)
        assert loss.terms["mi_xt_nats" if of == "x" else "mi_ty_nats"].item() == -loss.total.item()

    @pytest.mark.parametrize(("bound", "function"), [("mine", donsker_varadhan), ("nwj", nwj), ("jsd", jsd)])
    def test_a_separable_critic_is_read_against_all_pairs_drawn_apart(self, rows, bound, function):
        x, t = rows
        objective = built(t, x, of="x", bound=bound, critic="separable")
        wanted = function(objective.critic(standardised(t), standardised(x)))
        assert objective(LocalBatch(x, x, t, None)).total.item() == pytest.approx(-wanted.item(), abs=1e-5)

    @pytest.mark.parametrize(("bound", "function"), [("mine", donsker_varadhan), ("nwj", nwj), ("jsd", jsd)])
    def test_a_joint_critic_is_read_against_a_derangement_of_its_own_for_each_step(self, rows, bound, function):
        x, t = rows
        objective = built(t, x, of="x", bound=bound, critic="joint")
        matrix = objective.critic(standardised(t), standardised(x))
        values = {}
        for step in (0, 1):
            batch = LocalBatch(x, x, t, None, SeedStreams(3), (0, 0, step, 0))
            order = torch.randperm(24, generator=batch.generator("pairs"))
            wanted = function(matrix.diagonal(), matrix[order, order.roll(1)])
            values[step] = objective(batch).total.item()
            assert values[step] == pytest.approx(-wanted.item(), abs=1e-5)
            assert objective(batch).total.item() == values[step]
        assert values[0] != values[1]

    def test_rows_sorted_by_class_are_not_compared_with_their_like(self):
        # Rolled by one, 1000 sorted rows of two classes meet another class twice; in a random order 500 times.
        y = (torch.arange(1000) >= 500).long()
        t = F.one_hot(y, 2).float()
        objective = built(t, t, y, of="y", bound="nwj", critic="joint")
        objective.critic.contrast = lambda t, y: (torch.ones(2), (t.argmax(1) == y.roll(1)).float().mean()[None])
        assert objective._value(t, y, torch.Generator().manual_seed(0)).item() == pytest.approx(
            1 - math.exp(0.5 - 1), abs=0.05
        )

    @pytest.mark.parametrize("bound", BOUNDS)
    @pytest.mark.parametrize("critic", CRITICS)
    @pytest.mark.parametrize("of", ["x", "y"])
    def test_every_bound_reads_every_critic_and_starts_near_nothing(self, rows, bound, critic, of):
        x, t = rows
        objective = built(t, x, of=of, bound=bound, critic=critic)
        kind = {"joint": JointCritic, "separable": SeparableCritic, "bilinear": BilinearCritic}[critic]
        assert isinstance(objective.critic, kind)
        ((name, value),) = objective(LocalBatch(x, x, t, LABELS)).terms.items()
        assert name == ("jsd_nats" if bound == "jsd" else f"mi_{'xt' if of == 'x' else 'ty'}_nats")
        assert -0.6 < value.item() < 0.3  # an untrained nwj is about -1/e

    def test_only_what_is_a_lower_bound_of_information_is_called_one(self):
        found = {bound: dict(CriticInformation(of="y", bound=bound).sides) for bound in BOUNDS}
        lower = {"mi_ty_nats": "lower"}
        assert found == {"infonce": lower, "nwj": lower, "mine": lower, "jsd": {}}

    def test_each_bound_has_the_critic_that_suits_it(self):
        kinds = {bound: CriticInformation(of="x", bound=bound).kind for bound in BOUNDS}
        assert kinds == {"infonce": "separable", "mine": "joint", "nwj": "joint", "jsd": "joint"}

    def test_the_target_says_which_x(self, rows):
        x, t = rows
        batch = LocalBatch(x, t[:, :2], t, None)
        for target, width in (("x", 4), ("module_input", 2)):
            objective = CriticInformation(of="x", target=target, critic="bilinear")
            objective.build(batch, None)
            assert objective.critic.from_y.in_features == width


class TestScale:
    @pytest.mark.parametrize("bound", BOUNDS)
    def test_neither_the_scale_nor_the_place_of_features_changes_the_bound(self, rows, bound):
        x, t = (values.double() for values in rows)
        plain = built(t, x, of="x", bound=bound)(LocalBatch(x, x, t, None)).total.item()
        far_x, far_t = 1e4 * x + 3e5, 1e3 * t - 7e3
        moved = built(far_t, far_x, of="x", bound=bound)(LocalBatch(far_x, far_x, far_t, None)).total.item()
        assert moved == pytest.approx(plain, abs=1e-4)  # batch norm's eps is 1e-5 of the variance

    def test_a_column_that_was_dead_in_training_cannot_drown_the_others(self, rows):
        x, t = rows
        x = torch.cat([x, torch.zeros(24, 1)], dim=1)
        objective = built(t, x, of="x").eval()
        x[0, 4] = 1e6
        assert objective.scale_x(x).abs().max().item() == 10.0

    def test_evaluation_starts_from_the_statistics_of_the_first_batch(self, rows):
        x, t = rows
        objective = built(100 * t + 5, x, of="x").eval()
        scaled = objective.scale_t(100 * t + 5)
        assert scaled.mean(0).abs().max() < 1e-4
        assert scaled.std(0).sub(1).abs().max() < 1e-3

    def test_channels_of_a_grid_are_standardised_as_one(self):
        t = torch.randn(24, 2, 3, 3, generator=torch.Generator().manual_seed(0)) * torch.arange(1, 10).view(3, 3)
        objective = built(t, torch.zeros(24, 4), of="x")
        scaled = objective.scale_t(t).view(24, 2, 9)
        assert scaled.var((0, 2), unbiased=False).tolist() == pytest.approx([1.0, 1.0], abs=1e-3)
        assert scaled[..., 8].std() > 3 * scaled[..., 0].std()

    def test_steps_of_the_critic_leave_the_running_averages_to_the_step_of_the_module(self, rows):
        x, t = rows
        objective = built(t, x, of="x", critic_steps=2)
        before = {name: value.clone() for name, value in objective.state_dict().items()}
        objective.critic_loss(LocalBatch(x, x, 3 * t, None))
        assert all(torch.equal(value, before[name]) for name, value in objective.state_dict().items())
        objective(LocalBatch(x, x, 3 * t, None))
        assert not torch.equal(objective.scale_t.norm.running_var, before["scale_t.norm.running_var"])


class TestRows:
    @pytest.mark.parametrize("bound", BOUNDS)
    def test_unlabelled_rows_do_not_count(self, rows, bound):
        x, t = rows
        y = torch.where(torch.arange(24) < 12, LABELS, -1)
        mixed = built(t, x, of="y", bound=bound)(LocalBatch(x, x, t, y)).total
        alone = built(t, x, of="y", bound=bound)(LocalBatch(x[:12], x[:12], t[:12], y[:12])).total
        assert torch.equal(mixed, alone)

    @pytest.mark.parametrize("y", [None, torch.full((24,), -1), torch.where(torch.arange(24) == 5, 1, -1)])
    def test_fewer_than_two_labels_measure_nothing(self, rows, y):
        x, t = rows[0], rows[1].requires_grad_()
        objective = built(t, x, of="y", critic_steps=1)
        batch = LocalBatch(x, x, t, y)
        loss = objective(batch)
        (gradient,) = torch.autograd.grad(loss.total, t)
        assert torch.count_nonzero(gradient) == 0
        assert loss.terms == {}
        objective.critic_loss(batch).backward()
        assert all(torch.count_nonzero(p.grad) == 0 for p in objective.critic.parameters())

    @pytest.mark.parametrize("bound", BOUNDS)
    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_a_diverged_layer_has_a_loss_that_is_not_finite(self, rows, bound, value):
        x, t = rows
        objective = built(t, x, of="x", bound=bound)
        t[3, 2] = value
        assert not objective(LocalBatch(x, x, t, None)).total.isfinite()

    def test_nothing_of_the_caller_changes(self, rows):
        x, t = rows
        objective = built(t, x, of="x", bound="mine")
        before, state = (x.clone(), t.clone()), torch.get_rng_state()
        objective(LocalBatch(x, x, t, None))
        assert torch.equal(x, before[0])
        assert torch.equal(t, before[1])
        assert torch.equal(torch.get_rng_state(), state)

    def test_half_precision_outputs_give_losses_in_float32(self, rows):
        x, t = rows[0], rows[1].bfloat16()
        assert built(t, x, of="x")(LocalBatch(x, x, t, None)).total.dtype == torch.float32


def signal(count=600):
    """Twenty columns, of which one tells three classes apart."""
    y = torch.arange(count) % 3
    x = torch.randn(count, 20, generator=torch.Generator().manual_seed(0))
    x[:, 0] += 3.0 * y
    return x, y


def trained(objective, *, x, y, epochs=10, seed=0, critic_optimizer=None):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(20, 2), nn.Tanh(), nn.Linear(2, 3))
    plan = Plan.layerwise(
        model,
        objectives=[objective, "CE"],
        optimizer=lambda p: torch.optim.Adam(p, lr=2e-2),
        critic_optimizer=critic_optimizer,
    )
    for _ in train(plan, TensorBatches(x, y, batch_size=100, seed=seed), epochs=epochs, seed=seed):
        pass
    return plan


class TestTraining:
    @pytest.mark.parametrize("critic_steps", [0, 3])
    @pytest.mark.parametrize("bound", BOUNDS)
    def test_a_layer_of_two_units_learns_to_tell_the_classes(self, bound, critic_steps):
        x, y = signal()
        objective = CriticInformation(of="y", bound=bound, hidden=(32,), embedding=8, critic_steps=critic_steps)
        plan = trained(objective, x=x[:300], y=y[:300])
        frozen = trained("frozen", x=x[:300], y=y[:300])
        learnt, base = (plan_accuracy(p, x[300:], y[300:]) for p in (plan, frozen))
        assert learnt > base + 0.15  # standard error of each: 0.03 at most
        numbers = evaluate_modules(plan, x[300:], y[300:], [0])["0"]
        assert numbers["accuracy"] > base + 0.15  # read from the critic itself

    @pytest.mark.parametrize("bound", BOUNDS)
    def test_a_layer_of_two_units_keeps_the_columns_that_x_is_made_of(self, bound):
        # X is two factors seen in twenty columns, and noise: the layer that tells most of X finds the factors.
        generator = torch.Generator().manual_seed(0)
        factors = torch.randn(600, 2, generator=generator)
        x = 3 * factors @ torch.randn(2, 20, generator=generator) / 2**0.5 + 2.0 * torch.randn(
            600, 20, generator=generator
        )
        found = {}
        for name in ("frozen", "ours"):
            ours = CriticInformation(of="x", bound=bound, hidden=(32,), embedding=8)
            objective = ours if name == "ours" else "frozen"
            plan = trained(objective, x=x[:300], y=torch.zeros(300, dtype=torch.int64), epochs=15)
            with torch.no_grad():
                t = plan.outputs(x[300:], stop=1)[0]
            found[name] = gaussian_information(t, factors[300:])
        assert found["ours"] > found["frozen"] + 0.3

    def test_a_run_is_a_function_of_its_seed(self):
        x, y = signal(200)
        weights = []
        for seed in (0, 0, 1):
            objective = CriticInformation(of="y", bound="mine", hidden=(8,))
            weights.append(trained(objective, x=x, y=y, epochs=2, seed=seed)[0].body.state_dict())
        assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
        assert any(not torch.equal(weights[0][name], weights[2][name]) for name in weights[0])

    def test_a_critic_with_steps_of_its_own_is_moved_by_them_alone(self):
        x, y = signal(200)
        objective = CriticInformation(of="y", bound="nwj", hidden=(8,), critic_steps=1)
        trained(objective, x=x, y=y, epochs=2, critic_optimizer=lambda p: torch.optim.SGD(p, lr=0.0))
        still = {name: value.clone() for name, value in objective.critic.state_dict().items()}
        torch.manual_seed(0)
        again = CriticInformation(of="y", bound="nwj", hidden=(8,), critic_steps=1)
        trained(again, x=x, y=y, epochs=1, critic_optimizer=lambda p: torch.optim.SGD(p, lr=0.0))
        assert all(torch.equal(value, still[name]) for name, value in again.critic.state_dict().items())
        moving = CriticInformation(of="y", bound="nwj", hidden=(8,), critic_steps=1)
        trained(moving, x=x, y=y, epochs=1)
        assert any(not torch.equal(value, still[name]) for name, value in moving.critic.state_dict().items())


def gaussian_information(a, b):
    """Gaussian information of two pairs of columns, in nats."""
    both = torch.cat([a, b], dim=1).T
    whole = torch.corrcoef(both)
    return -0.5 * float(torch.logdet(whole) - torch.logdet(whole[:2, :2]) - torch.logdet(whole[2:, 2:]))


class TestScores:
    def test_they_are_the_log_ratios_and_the_classes_frequencies(self, rows):
        x, t = rows
        skewed = torch.tensor([0] * 12 + [1] * 8 + [2] * 4)
        objective = CriticInformation(of="y", bound="nwj", critic="bilinear")
        objective.build(LocalBatch(x, x, t, skewed), skewed)
        # A bilinear critic starts at zero: what is left is the prior.
        wanted = torch.tensor([0.5, 1 / 3, 1 / 6]).log().expand(24, 3)
        torch.testing.assert_close(objective.scores(t), wanted)

    def test_without_labels_there_are_none(self, rows):
        x, t = rows
        assert built(t, x, of="x").scores(t) is None


class TestRefusals:
    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"of": "z"}, "of must be one of x, y, got 'z'"),
            ({"of": "x", "bound": "club"}, "bound must be one of infonce, mine, nwj, jsd, got 'club'"),
            ({"of": "x", "critic": "deep"}, "critic must be one of joint, separable, bilinear, got 'deep'"),
            ({"of": "x", "target": "t"}, "target must be one of x, module_input, got 't'"),
            ({"of": "y", "target": "module_input"}, "target says which X, and of='y' looks at none"),
            ({"of": "x", "critic_steps": -1}, "critic_steps must be at least 0, got -1"),
            ({"of": "x", "bound": "mine", "decay": 1.0}, "decay must be at least 0 and below 1, got 1.0"),
        ],
    )
    def test_wrong_settings(self, settings, message):
        with pytest.raises(ValueError, match=message):
            CriticInformation(**settings)

    def test_steps_that_are_no_integer(self):
        with pytest.raises(TypeError, match=r"critic_steps must be an integer, got 2\.5"):
            CriticInformation(of="x", critic_steps=2.5)

    def test_token_ids(self):
        tokens = torch.zeros(4, 3, dtype=torch.int64)
        with pytest.raises(TypeError, match=r"x must be real-valued, got torch\.int64"):
            CriticInformation(of="x").build(LocalBatch(tokens, tokens, torch.zeros(4, 2), None), None)

    def test_missing_labels(self, rows):
        x, t = rows
        with pytest.raises(TypeError, match="needs class labels, got y=None"):
            CriticInformation(of="y").build(LocalBatch(x, x, t, None), None)


def test_widths_that_are_no_sequence_are_refused():
    with pytest.raises(
        TypeError, match=r"CriticInformation: hidden must be a sequence of widths such as \(64,\), got 64"
    ):
        CriticInformation(of="x", hidden=64)
