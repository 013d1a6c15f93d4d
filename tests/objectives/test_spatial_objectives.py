import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from infotorch.data.batches import TensorBatches
from infotorch.estimators.bounds import infonce, jsd, nwj
from infotorch.estimators.spatial import dim_global, dim_grid, prior_matching
from infotorch.numerics.seeds import SeedStreams
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.locations import at_most_locations, image_patches
from infotorch.objectives.names import objective_from_name
from infotorch.objectives.spatial import DeepInfoMax, GreedyInfoMax
from infotorch.training.local_module import LocalModule
from infotorch.training.loop import train
from infotorch.training.plan import Plan

BOUNDS = {"infonce": infonce, "jsd": jsd, "nwj": nwj}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def batch():
    x = torch.rand(6, 1, 12, 12, generator=seeded(), dtype=torch.float64)
    output = torch.randn(6, 3, 6, 6, generator=seeded(1), dtype=torch.float64, requires_grad=True)
    return LocalBatch(x, x, output, None, streams=SeedStreams(0), position=(1,))


def built(objective, batch):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        objective.build(batch, None)
        # A critic starts with scores close to 0, where a mistake would not show.
        for name, parameter in objective.named_parameters():
            if "tower_y" in name:
                parameter.data.mul_(5.0)
            if "offset" in name:
                parameter.data.fill_(0.3)
        return objective


class TestDeepInfoMax:
    @pytest.mark.parametrize("bound", BOUNDS)
    def test_local_is_dim_grid_of_places_and_patches(self, bound, batch):
        objective = built(DeepInfoMax(scope="local", bound=bound), batch)
        patches = image_patches(batch.x, 6, 6).unflatten(2, (6, 6))
        wanted = dim_grid(batch.output, patches, critic=objective.local_critic, bound=BOUNDS[bound])
        (term,) = objective(batch).terms.values()
        assert abs(wanted.item()) > 0.01
        assert term.item() == pytest.approx(wanted.item(), abs=1e-10)

    @pytest.mark.parametrize("bound", BOUNDS)
    def test_local_of_a_summary_is_dim_grid_of_a_vector(self, bound, batch):
        objective = built(DeepInfoMax(scope="local", local="summary", bound=bound), batch)
        patches = image_patches(batch.x, 6, 6).unflatten(2, (6, 6))
        summary = at_most_locations(batch.output, 4).flatten(1)
        wanted = dim_grid(summary, patches, critic=objective.local_critic, bound=BOUNDS[bound])
        (term,) = objective(batch).terms.values()
        assert term.item() == pytest.approx(wanted.item(), abs=1e-10)

    @pytest.mark.parametrize("bound", BOUNDS)
    def test_global_is_dim_global_of_the_summary_and_the_whole_image(self, bound, batch):
        objective = built(DeepInfoMax(scope="global", bound=bound), batch)
        scores = objective.global_critic(at_most_locations(batch.output, 4).flatten(1), batch.x.flatten(1))
        (term,) = objective(batch).terms.values()
        assert term.item() == pytest.approx(dim_global(scores, bound=BOUNDS[bound]).item(), abs=1e-10)

    @pytest.mark.parametrize(("bound", "times"), [("jsd", 2), ("infonce", 1), ("nwj", 1)])
    def test_both_is_the_weighted_sum(self, bound, times, batch):
        objective = built(DeepInfoMax(bound=bound, global_weight=0.5, local_weight=3.0), batch)
        loss = objective(batch)
        quantity = "jsd" if bound == "jsd" else "mi_xt"
        whole, local = (loss.terms[f"{quantity}_{name}"] for name in ("nats", "local_nats"))
        assert loss.total.item() == pytest.approx(-times * (0.5 * whole + 3.0 * local).item(), abs=1e-10)
        assert set(loss.terms) == {f"{quantity}_nats", f"{quantity}_local_nats"}

    def test_the_jensen_shannon_loss_is_the_papers_up_to_a_constant(self, batch):
        """Eq. 4 at one location: mean of -softplus(-s) over true pairs, less that of softplus(s) over the others."""
        objective = built(DeepInfoMax(scope="global", global_weight=1.0), batch)
        scores = objective.global_critic(at_most_locations(batch.output, 4).flatten(1), batch.x.flatten(1)).tolist()
        true = sum(-math.log1p(math.exp(-scores[i][i])) for i in range(6)) / 6
        false = sum(math.log1p(math.exp(scores[i][j])) for i in range(6) for j in range(6) if i != j) / 30
        assert objective(batch).total.item() == pytest.approx(-(true - false) - 2 * math.log(2), abs=1e-10)

    @pytest.mark.parametrize("bound", BOUNDS)
    @pytest.mark.parametrize("scope", ["local", "global", "both"])
    def test_only_bounds_on_information_are_named_so(self, bound, scope, batch):
        objective = built(DeepInfoMax(scope=scope, bound=bound), batch)
        terms = set(objective(batch).terms)
        assert objective.sides == ({} if bound == "jsd" else dict.fromkeys(terms, "lower"))
        assert any(name.startswith("mi_xt") for name in terms) == (bound != "jsd")
        if bound == "infonce":
            assert all(float(term) <= math.log(6) for term in objective(batch).terms.values())

    def test_large_grids_are_averaged_to_the_places_asked_for(self, batch):
        coarse = replace(batch, output=at_most_locations(batch.output, 3))
        fine, same = built(DeepInfoMax(scope="local", locations=3), batch), built(DeepInfoMax(scope="local"), coarse)
        assert fine(batch).total.item() == same(coarse).total.item()

    def test_no_part_is_made_that_is_not_used(self, batch):
        parts = {
            scope: {name.split(".")[0] for name, _ in built(DeepInfoMax(scope=scope), batch).named_parameters()}
            for scope in ("local", "global", "both")
        }
        assert parts == {
            "local": {"local_critic"},
            "global": {"global_critic"},
            "both": {"local_critic", "global_critic"},
        }

    def test_the_names_in_plans(self):
        for name, weights in (("X:dim-local", {"local"}), ("X:dim-global", {"global"}), ("X:dim", {"local", "global"})):
            objective = objective_from_name(name)
            assert isinstance(objective, DeepInfoMax)
            assert set(objective.weights) == weights

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"scope": "all"}, "scope must be one of local, global, both, got 'all'"),
            ({"bound": "mine"}, "bound must be one of jsd, infonce, nwj, got 'mine'"),
            ({"local": "patch"}, "local must be one of grid, summary, got 'patch'"),
            ({"global_weight": -1.0}, "global_weight must be at least 0 and finite, got -1.0"),
            ({"local_weight": math.inf}, "local_weight must be at least 0 and finite, got inf"),
            ({"prior_weight": math.nan}, "prior_weight must be at least 0 and finite, got nan"),
            ({"locations": 0}, "locations must be at least 1, got 0"),
            ({"embedding": 0}, "embedding must be at least 1, got 0"),
            ({"hidden": (8, 0)}, "every width of hidden must be at least 1, got 0"),
            ({"critic_steps": 0}, "critic_steps must be at least 1, got 0"),
        ],
    )
    def test_wrong_settings_are_refused(self, settings, message):
        with pytest.raises(ValueError, match=f"DeepInfoMax: {message}"):
            DeepInfoMax(**settings)

    def test_hidden_must_be_a_sequence(self):
        with pytest.raises(TypeError, match=r"DeepInfoMax: hidden must be a sequence of widths .*, got 64"):
            DeepInfoMax(hidden=64)  # pyright: ignore[reportArgumentType]

    def test_vectors_and_integers_are_refused(self, batch):
        with pytest.raises(ValueError, match=r"DeepInfoMax: the output must be a grid .*, got \(6, 3\); for vectors"):
            DeepInfoMax().build(replace(batch, output=torch.zeros(6, 3)), None)
        with pytest.raises(ValueError, match=r"DeepInfoMax: x must be images .*, got \(6, 9\)"):
            DeepInfoMax().build(replace(batch, x=torch.zeros(6, 9)), None)
        with pytest.raises(TypeError, match=r"DeepInfoMax: x must be real-valued, got torch\.uint8"):
            DeepInfoMax().build(replace(batch, x=torch.zeros(6, 1, 12, 12, dtype=torch.uint8)), None)


class TestPrior:
    def test_without_its_weight_there_is_no_adversary(self, batch):
        objective = built(DeepInfoMax(), batch)
        assert objective.critics() == []
        assert objective.critic_steps == 0

    @pytest.mark.parametrize("scope", ["local", "global"])
    def test_the_adversary_tells_codes_from_draws_and_the_module_raises_its_score_of_codes(self, scope, batch):
        objective = built(
            DeepInfoMax(scope=scope, prior_weight=0.5, global_weight=0.0, local_weight=0.0, critic_steps=3), batch
        )
        tower = objective.global_critic.tower_x if scope == "global" else objective.local_critic.tower_x
        summary = at_most_locations(batch.output, 4).flatten(1)
        codes = tower(summary if scope == "global" else batch.output.permute(0, 2, 3, 1).reshape(-1, 3)).sigmoid()
        scores = objective.discriminator(codes)
        loss = objective(batch)
        assert loss.total.item() == pytest.approx(-0.5 * scores.sigmoid().log().mean().item(), abs=1e-12)
        assert objective.critic_loss(batch).item() == pytest.approx(-loss.terms["prior_matching"].item(), abs=1e-12)
        assert objective.critics() == [objective.discriminator]
        assert objective.critic_steps == 3

    def test_it_is_prior_matching_of_the_summarys_codes_against_uniform_draws(self, batch):
        objective = built(DeepInfoMax(scope="global", prior_weight=1.0), batch)
        codes = objective.global_critic.tower_x(at_most_locations(batch.output, 4).flatten(1)).sigmoid()
        drawn = torch.rand(codes.shape, generator=batch.generator("prior")).double()
        wanted = prior_matching(objective.discriminator(drawn), objective.discriminator(codes))
        assert objective(batch).terms["prior_matching"].item() == pytest.approx(wanted.item(), abs=1e-12)

    def test_a_step_of_the_adversary_reaches_nothing_but_the_adversary(self, batch):
        objective = built(DeepInfoMax(prior_weight=1.0), batch)
        objective.critic_loss(batch).backward()
        moved = {name.split(".")[0] for name, p in objective.named_parameters() if p.grad is not None}
        assert moved == {"discriminator"}
        assert batch.output.grad is None

    def test_codes_far_from_the_prior_come_closer_to_it(self):
        """Codes start near 1, and the prior's mean is 1/2; seeds 0 to 2 ended at 0.57, 0.55 and 0.66."""
        x = torch.randn(128, 1, 4, 4, generator=seeded())
        with torch.random.fork_rng():
            torch.manual_seed(0)
            body = nn.Conv2d(1, 2, 1)
        objective = DeepInfoMax(scope="global", prior_weight=1.0, embedding=2)
        # An encoder without momentum and slower than its adversary does not run past the prior.
        module = LocalModule(
            "layer",
            body,
            objective,
            optimizer=lambda p: torch.optim.Adam(p, lr=1e-3, betas=(0.0, 0.99)),
            critic_optimizer=lambda p: torch.optim.Adam(p, lr=3e-3),
        )
        plan, batches = Plan([module]), TensorBatches(x, None, batch_size=64)
        plan.prepare(batches, epochs=30, seed=0)
        dict(objective.named_parameters())["global_critic.tower_x.2.bias"].data.fill_(3.0)

        def mean_code():
            with torch.no_grad():
                return float(objective.global_critic.tower_x(body(x).flatten(1)).sigmoid().mean())

        assert mean_code() > 0.9
        for _ in train(plan, batches, epochs=30):
            pass
        assert abs(mean_code() - 0.5) < 0.25


class TestGreedyInfoMax:
    def test_it_is_infonce_of_predictions_and_what_lies_below(self, batch):
        objective = built(GreedyInfoMax(steps=(1, 4)), batch)
        wanted = []
        for step, linear in zip((1, 4), objective.predictions, strict=True):
            values = [
                infonce(linear(batch.output[:, :, row, column]) @ batch.output[:, :, row + step, column].T).item()
                for row in range(6 - step)
                for column in range(6)
            ]
            wanted.append(sum(values) / len(values))
        term = objective(batch).terms["mi_xt_nats"].item()
        assert term == pytest.approx(sum(wanted) / 2, abs=1e-12)
        assert objective(batch).total.item() == -term

    def test_a_place_that_names_the_image_is_predicted_as_far_as_n_allows(self):
        """Every location holds the image's own one-hot code, times 20: log n, up to (n - 1) e^-20."""
        output = math.sqrt(20) * torch.eye(5)[:, :, None, None].expand(5, 5, 4, 3)
        batch = LocalBatch(torch.zeros(5, 1, 4, 3), output, output, None)
        objective = built(GreedyInfoMax(steps=(2, 3)), batch)
        objective.load_state_dict({f"predictions.{k}.weight": torch.eye(5) for k in range(2)})
        assert objective(batch).terms["mi_xt_nats"].item() == pytest.approx(math.log(5), abs=1e-6)

    @pytest.mark.parametrize("shape", [(6, 9), (6, 2, 3, 9)])
    def test_vectors_and_low_grids_are_refused(self, shape, batch):
        with pytest.raises(ValueError, match=r"a grid .* of more than 3 rows, .* got \(6,.*X:infonce or X:views"):
            GreedyInfoMax(steps=(3, 1)).build(replace(batch, output=torch.zeros(shape)), None)

    @pytest.mark.parametrize("steps", [(), (2, 2)])
    def test_steps_must_differ_and_be_there(self, steps):
        with pytest.raises(ValueError, match="GreedyInfoMax: steps must be different and one at least, got"):
            GreedyInfoMax(steps=steps)

    def test_a_step_must_be_a_count(self):
        with pytest.raises(ValueError, match="GreedyInfoMax: every step must be at least 1, got 0"):
            GreedyInfoMax(steps=(0,))
        with pytest.raises(TypeError, match=r"GreedyInfoMax: every step must be an integer, got 1\.5"):
            GreedyInfoMax(steps=(1.5,))  # pyright: ignore[reportArgumentType]


EVERY = {
    "dim": lambda: DeepInfoMax(prior_weight=0.1),
    "dim-summary": lambda: DeepInfoMax(local="summary", bound="infonce"),
    "dim-nwj": lambda: DeepInfoMax(scope="local", bound="nwj"),
    "greedy": lambda: GreedyInfoMax(steps=(2,)),
}


@pytest.mark.parametrize("kind", EVERY)
class TestAll:
    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_a_diverged_layer_has_a_loss_that_is_not_finite(self, kind, value, batch):
        output = batch.output.detach().clone()
        output[3] = value
        assert not torch.isfinite(built(EVERY[kind](), batch)(replace(batch, output=output)).total)

    def test_a_single_row_teaches_nothing(self, kind, batch):
        one = replace(batch, x=batch.x[:1], output=batch.output[:1])
        loss = built(EVERY[kind](), batch)(one)
        (gradient,) = torch.autograd.grad(loss.total, batch.output)
        assert loss.total.item() == 0
        assert torch.count_nonzero(gradient) == 0
        assert loss.terms == {}

    def test_nothing_of_the_callers_changes_and_a_step_repeats_itself(self, kind, batch):
        objective, state = built(EVERY[kind](), batch), torch.get_rng_state()
        before = [t.detach().clone() for t in (batch.x, batch.output)]
        assert objective(batch).total.item() == objective(batch).total.item()
        assert all(torch.equal(a, b) for a, b in zip(before, (batch.x, batch.output), strict=True))
        assert torch.equal(torch.get_rng_state(), state)

    def test_under_autocast_the_loss_is_in_full_precision(self, kind, batch):
        narrow = replace(batch, x=batch.x.float(), output=batch.output.detach().float())
        objective = built(EVERY[kind](), narrow)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = objective(narrow)
        assert loss.total.dtype == torch.float32
        assert loss.total.item() == pytest.approx(objective(narrow).total.item(), rel=0.05, abs=0.05)


def dim_plan(body, objective, *, rate, hold=False):
    """A plan of one layer; `hold` keeps the layer's weights while the objective's parts are trained."""
    own = {id(parameter) for parameter in body.parameters()}

    def optimizer(parameters):
        groups = [[p for p in parameters if (id(p) in own) == mine] for mine in (True, False)]
        rates = [0.0 if hold else rate, rate]
        return torch.optim.Adam([{"params": g, "lr": r} for g, r in zip(groups, rates, strict=True) if g])

    return Plan([LocalModule("layer", body, objective, optimizer=optimizer)])


class NoisyConv(nn.Module):
    """A 1 x 1 convolution that starts on the wrong one of two channels, with noise on its output."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(2, 3, 1, bias=False)
        self.conv.weight.data.copy_(torch.tensor([[0.05, 0.3], [0.05, -0.3], [-0.05, 0.3]]).view(3, 2, 1, 1))

    def forward(self, x):
        clean = self.conv(x)
        return clean + 0.5 * torch.randn_like(clean)


@pytest.mark.parametrize(
    ("settings", "gain"),
    [
        ({"scope": "local", "bound": "infonce"}, 0.4),
        ({"scope": "local", "bound": "jsd"}, 0.08),
        ({"scope": "local", "bound": "infonce", "local": "summary"}, 0.2),
        ({"scope": "global", "bound": "infonce"}, 0.05),
        (None, 0.1),
    ],
)
def test_a_layer_finds_the_channel_that_tells_of_the_image(settings, gain):
    """One channel is the image's brightness; the other is weak noise, which the layer starts on.

    With seeds 0 to 3 every gain was above the one asked for, which is about half of the usual.
    """
    brightness = torch.randn(256, 1, 1, 1, generator=seeded()).expand(256, 1, 6, 6)
    x = torch.cat([brightness, 0.1 * torch.randn(256, 1, 6, 6, generator=seeded(1))], dim=1)
    values = []
    for hold in (False, True):
        objective = GreedyInfoMax() if settings is None else DeepInfoMax(**settings, hidden=(32,), embedding=16)
        plan = dim_plan(NoisyConv(), objective, rate=3e-2, hold=hold)
        losses = [info.losses["layer"] for info in train(plan, TensorBatches(x, None, batch_size=64), epochs=8)]
        (name,) = losses[-1].terms
        values.append(sum(float(loss.terms[name]) for loss in losses[-8:]) / 8)
    assert values[0] > values[1] + gain


def test_steps_that_are_no_sequence_are_refused():
    with pytest.raises(TypeError, match=r"GreedyInfoMax: steps must be a sequence such as \(2, 3\), got 2"):
        GreedyInfoMax(steps=2)
