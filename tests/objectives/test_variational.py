import math

import pytest
import torch
from torch import nn
from torch.distributions import LogNormal, kl_divergence
from torch.nn import functional as F

import infotorch
from infotorch.data.batches import TensorBatches
from infotorch.networks.stochastic import GaussianLayer, LogNormalLayer, stochastic_mlp
from infotorch.numerics.seeds import seed_streams
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.beta import Ramp
from infotorch.objectives.code_kl import gaussian_kl
from infotorch.objectives.names import parse_objectives
from infotorch.objectives.variational import (
    InformationDropout,
    VariationalBottleneck,
    VariationalDeficiency,
    log_normal_kl,
)
from infotorch.training.evaluate import evaluate_modules, plan_accuracy
from infotorch.training.fit import fit
from infotorch.training.loop import train
from infotorch.training.plan import Plan

STREAMS = seed_streams(0)
Y = torch.arange(12) % 3
KINDS = {"gaussian": VariationalBottleneck, "log-normal": InformationDropout}


def draw(*shape, dtype=torch.float32):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def batch_of(x, output, y=Y, **settings):
    return LocalBatch(x, x, output, y, STREAMS, **settings)


def network_and(made, *, kind="gaussian", draws=1, evaluation_draws=12, x=None, **settings):
    """A network, its objective, built, and the network's inputs."""
    x = draw(12, 4) if x is None else x
    with STREAMS.as_global("init"):
        network = stochastic_mlp(4, (8,), 5, 3, kind=kind, draws=draws, evaluation_draws=evaluation_draws)
        network.to(x.dtype)
        objective = made(layer=network.bottleneck, **settings)
        objective.build(batch_of(x, network.eval()(x)), Y)
    return network.train(), objective.train(), x


def loss_of(network, objective, x, y=Y, **settings):
    with STREAMS.as_global("test"):
        return objective(batch_of(x, network(x), y, **settings))


class TestRate:
    def test_log_normal_against_torch_distributions(self):
        centre, deviation = draw(6, 4, dtype=torch.float64).exp(), 0.7 * draw(6, 4, dtype=torch.float64).sigmoid()
        log_mean, log_std = torch.tensor(0.3).double(), torch.tensor(-0.4).double()
        wanted = kl_divergence(LogNormal(centre.log(), deviation), LogNormal(log_mean, log_std.exp())).sum(dim=1)
        torch.testing.assert_close(log_normal_kl(centre, deviation, log_mean, log_std), wanted)
        assert torch.autograd.gradcheck(
            log_normal_kl, tuple(part.requires_grad_() for part in (centre, deviation, log_mean, log_std))
        )

    def test_a_gaussian_layers_is_the_mean_divergence_of_its_code(self):
        network, objective, x = network_and(VariationalBottleneck, beta=0.5)
        loss = loss_of(network, objective, x)
        hidden = network[:3](x)
        assert loss.terms["mi_xt_nats"].item() == pytest.approx(
            gaussian_kl(*network.bottleneck.encoder(hidden)).mean().item(), rel=1e-6
        )
        wanted = -loss.terms["mi_ty_nats"] + 0.5 * loss.terms["mi_xt_nats"]
        assert loss.total.item() == pytest.approx(wanted.item(), rel=1e-5)

    def test_it_bounds_the_information_of_a_gaussian_channel_and_meets_it_for_the_marginal_as_prior(self):
        # z = a x + s eps with x ~ N(0, 1): I(X; Z) = log(1 + a^2 / s^2) / 2, and Z ~ N(0, a^2 + s^2).
        x = draw(200_000, 1, dtype=torch.float64)
        for a, s in ((0.8, 0.6), (2.0, 0.6)):
            rate = gaussian_kl(a * x, torch.full_like(x, s)).mean().item()
            exact = 0.5 * math.log1p((a / s) ** 2)
            slack = 0.5 * (a**2 + s**2 - 1 - math.log(a**2 + s**2))  # the marginal's divergence from the prior
            assert rate == pytest.approx(exact + slack, abs=0.02)  # 3 s.e. of 200,000 rows at a = 2

    def test_relu_units_that_are_off_cost_nothing_and_the_loudest_noise_costs_nothing(self):
        network, objective, x = network_and(InformationDropout, kind="log-normal", beta=1.0)
        loss = loss_of(network, objective, x)
        features, deviation = network.bottleneck.encoder(network[:3](x))
        wanted = sum(
            math.log(0.7) - math.log(s)
            for f, s in zip(features.flatten().tolist(), deviation.flatten().tolist(), strict=True)
            if f > 0
        )
        assert loss.terms["rate_nats"].item() == pytest.approx(wanted / 12, rel=1e-5)
        with torch.no_grad():
            network.bottleneck.encoder.linear.bias[5:] = 50.0
        assert loss_of(network, objective, x).terms["rate_nats"].item() == pytest.approx(0, abs=1e-5)

    def test_the_prior_of_softplus_units_is_trained(self):
        with STREAMS.as_global("init"):
            network = nn.Sequential(LogNormalLayer(4, 5, activation="softplus"), nn.Linear(5, 3))
        objective, x = InformationDropout(beta=1.0, layer=network[0]), draw(12, 4)
        objective.build(batch_of(x, network.eval()(x)), Y)
        loss_of(network.train(), objective, x).total.backward()
        assert objective.prior_mean.grad.abs() > 0
        assert objective.prior_log_std.grad.abs() > 0


class TestDraws:
    def test_training_averages_cross_entropies_and_deficiency_their_probabilities_which_is_less(self):
        losses = {}
        for made in (VariationalBottleneck, VariationalDeficiency):
            network, objective, x = network_and(made, draws=7, beta=0.1)
            with torch.no_grad():
                network.bottleneck.encoder.linear.bias[5:] += 5.5
                network.head.weight *= 5
            losses[made] = loss_of(network, objective, x)
            with STREAMS.as_global("test"):
                scores = network(x)
            each = F.cross_entropy(scores.flatten(0, 1), Y.repeat_interleave(7))
            inside = F.nll_loss(scores.softmax(dim=2).mean(dim=1).log(), Y)
            wanted = math.log(3) - (inside if made is VariationalDeficiency else each).item()
            assert losses[made].terms["mi_ty_nats"].item() == pytest.approx(wanted, abs=1e-5)
        assert losses[VariationalDeficiency].total < losses[VariationalBottleneck].total - 0.05

    def test_evaluation_averages_probabilities_before_the_logarithm(self):
        network, objective, x = network_and(VariationalBottleneck, draws=1, evaluation_draws=6, beta=0.1)
        network.eval(), objective.eval()
        loss = loss_of(network, objective, x)
        with STREAMS.as_global("test"):
            z = network.bottleneck(network[:3](x))
        probability = network.head(z).softmax(dim=1).view(12, 6, 3).mean(dim=1)
        wanted = math.log(3) + probability[torch.arange(12), Y].log().mean().item()
        assert loss.terms["mi_ty_nats"].item() == pytest.approx(wanted, abs=1e-5)

    def test_the_gradient_of_the_loss_is_right_in_float64(self):
        network, objective, x = network_and(VariationalDeficiency, draws=3, beta=0.2, x=draw(12, 4).double())

        def total(weight):
            values = {**dict(network.named_parameters()), "fc1.weight": weight}
            with STREAMS.as_global("test"):
                output = torch.func.functional_call(network, values, (x,))
            return objective(batch_of(x, output)).total

        assert torch.autograd.gradcheck(total, (network.fc1.weight.detach().clone().requires_grad_(),))


class TestLocal:
    """Without layer=...: the objective brings its own layer and read-out."""

    @pytest.mark.parametrize("made", KINDS.values())
    def test_it_trains_a_hidden_module_and_has_a_row_for_each_input(self, made):
        x = draw(12, 4)
        objective = made(beta=0.1, code=6, draws=3, evaluation_draws=4)
        objective.build(batch_of(x, x), Y)
        assert objective.draw_scores(x).shape == (12, 3, 3)
        assert objective.scores(x).shape == (12, 3)
        objective.eval()
        assert objective.draw_scores(x).shape == (12, 4, 3)
        output = x.clone().requires_grad_()
        loss = objective.train()(batch_of(x, output))
        loss.total.backward()
        assert output.grad.abs().sum() > 0
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in objective.parameters())

    def test_a_grid_is_flattened_and_the_random_state_of_the_caller_stays_through_training(self):
        x = draw(12, 1, 4, 4)
        model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 3))
        state = torch.get_rng_state()
        result = fit(model, (x, Y), plan=[VariationalBottleneck(code=4), "CE"], cuts=["2"], epochs=1)
        assert torch.equal(state, torch.get_rng_state())
        assert result.diverged is None


class TestRows:
    def test_unlabelled_rows_count_in_the_rate_alone(self):
        network, objective, x = network_and(VariationalBottleneck, beta=0.1, evaluation_draws=0)
        network.eval(), objective.eval()
        everyone = loss_of(network, objective, x)
        some = torch.where(torch.arange(12) < 5, Y, -1)
        mixed, labelled = loss_of(network, objective, x, some), loss_of(network, objective, x[:5], Y[:5])
        assert torch.equal(mixed.terms["mi_xt_nats"], everyone.terms["mi_xt_nats"])
        assert mixed.terms["mi_ty_nats"].item() == pytest.approx(labelled.terms["mi_ty_nats"].item(), abs=1e-6)
        for y in (None, torch.full((12,), -1)):
            assert set(loss_of(network, objective, x, y).terms) == {"mi_xt_nats"}

    def test_beta_follows_the_position_of_the_step_and_is_told(self):
        network, objective, x = network_and(VariationalBottleneck, beta=Ramp(0.0, 1.0, epochs=4), evaluation_draws=0)
        network.eval()
        for epoch in (0, 2, 9):
            loss = loss_of(network, objective, x, position=(0, epoch, 5, 0))
            beta = min(epoch / 4, 1.0)
            wanted = -loss.terms["mi_ty_nats"] + beta * loss.terms["mi_xt_nats"]
            assert loss.terms["beta"].item() == beta
            assert loss.total.item() == pytest.approx(wanted.item(), rel=1e-5)

    def test_a_run_that_has_diverged_is_a_loss_that_is_not_finite(self):
        network, objective, x = network_and(VariationalBottleneck, beta=0.1)
        with torch.no_grad():
            network.fc1.weight[0, 0] = math.nan
        assert not loss_of(network, objective, x).total.isfinite()


def digits(beta, *, made=VariationalBottleneck, kind="gaussian", draws=1, epochs=8):
    """(mi_ty, rate, accuracy) on the validation rows of digits, of a run with 500 rows."""
    data = infotorch.load("digits", seed=0)
    with STREAMS.as_global("init"):
        network = stochastic_mlp(64, (32,), 8, 10, kind=kind, draws=draws, evaluation_draws=4)
    objective = made(beta=beta, layer=network.bottleneck)
    plan = Plan.end_to_end(network, objective, optimizer=lambda p: torch.optim.Adam(p, lr=5e-3))
    for _ in train(plan, TensorBatches(data.train.x[:500], data.train.y[:500], batch_size=50), epochs=epochs):
        pass
    held_out = data.validation.x, data.validation.y
    terms = evaluate_modules(plan, *held_out, [0])["network"]
    rate = next(terms[name] for name in ("mi_xt_nats", "rate_nats") if name in terms)
    return terms["mi_ty_nats"], rate, plan_accuracy(plan, *held_out)


class TestTraining:
    def test_on_digits_the_variational_bottleneck_learns_and_its_rate_falls_with_beta(self):
        little, much = (digits(beta) for beta in (1e-3, 0.3))
        assert little[2] > 0.8  # chance is 0.1
        assert little[1] > 2 * much[1]
        assert much[1] > much[0]  # I(X; Z) >= I(Y; Z)
        assert little[0] > much[0]

    @pytest.mark.parametrize(
        ("made", "kind"), [(VariationalDeficiency, "gaussian"), (InformationDropout, "log-normal")]
    )
    def test_on_digits_the_others_learn_too(self, made, kind):
        little, much = (digits(beta, made=made, kind=kind, draws=2, epochs=10) for beta in (1e-4, 0.3))
        assert little[2] > 0.75  # 0.83 and more was seen; chance is 0.1
        assert much[1] < 0.7 * little[1]

    def test_modules_are_trained_one_after_the_other(self):
        data = infotorch.load("digits", seed=0)
        with STREAMS.as_global("init"):
            model = nn.Sequential(
                nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 10)
            )
        parts = [VariationalBottleneck(beta=1e-3, code=16), VariationalDeficiency(beta=1e-3, code=16, draws=2), "CE"]
        result = fit(model, (data.train.x[:500], data.train.y[:500]), plan=parts, epochs=8, batch_size=50, lr=5e-3)
        assert result.metrics["train_accuracy"] > 0.85

    def test_it_has_a_name_in_plan_strings(self):
        (made,) = parse_objectives("Y:vib", {"Y:vib": {"beta": 0.5, "code": 3}})
        assert isinstance(made, VariationalBottleneck)
        assert (made.beta.beta, made.code) == (0.5, 3)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: VariationalBottleneck(layer=nn.Linear(2, 2)), TypeError, "layer must be a GaussianLayer, got Linear"),
        (lambda: InformationDropout(layer=GaussianLayer(2, 2)), TypeError, "layer must be a LogNormalLayer, got Gauss"),
        (lambda: VariationalBottleneck(beta=-1.0), ValueError, "VariationalBottleneck: beta must be at least 0"),
        (lambda: VariationalBottleneck(code=0), ValueError, "VariationalBottleneck: code must be at least 1, got 0"),
        (lambda: VariationalBottleneck(draws=1.5), TypeError, "draws must be an integer, got 1.5"),
        (lambda: VariationalDeficiency(draws=1), ValueError, "draws must be at least 2, .* got 1"),
        (lambda: VariationalDeficiency(layer=GaussianLayer(2, 2)), ValueError, "draws must be at least 2, .* got 1"),
        (lambda: InformationDropout(activation="tanh"), ValueError, "activation must be one of relu, softplus"),
    ],
)
def test_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


class TestRefusedWhenBuilt:
    def built(self, network, layer, x):
        objective = VariationalBottleneck(layer=layer)
        objective.build(batch_of(x, network.eval()(x)), Y)
        return objective

    def test_draws_that_nothing_brings_together(self):
        network = nn.Sequential(GaussianLayer(4, 5, evaluation_draws=3), nn.Linear(5, 3))
        with pytest.raises(ValueError, match=r"a row for each input, 12, got 36; .* end the network in SampleMean"):
            self.built(network, network[0], draw(12, 4))

    @pytest.mark.parametrize("made", [VariationalBottleneck, VariationalDeficiency, InformationDropout])
    def test_without_labels_it_says_its_own_name(self, made):
        settings = {"draws": 2} if made is VariationalDeficiency else {}
        with pytest.raises(TypeError, match=f"{made.__name__}: this objective needs class labels, got y=None"):
            made(**settings).build(batch_of(draw(12, 4), draw(12, 4)), None)

    def test_too_few_columns(self):
        network = nn.Sequential(GaussianLayer(4, 5), nn.Linear(5, 2))
        with pytest.raises(
            ValueError, match=r"with layer=\.\.\. the output must have a column for each class, 3 or more"
        ):
            self.built(network, network[0], draw(12, 4))

    def test_a_layer_that_did_not_run(self):
        network = nn.Sequential(GaussianLayer(4, 5), nn.Linear(5, 3))
        x, objective = draw(12, 4), self.built(network, GaussianLayer(4, 5), draw(12, 4))
        with pytest.raises(ValueError, match="VariationalBottleneck: the layer must run in the forward pass"):
            objective(batch_of(x, network(x)))

    def test_a_layer_that_saw_other_rows(self):
        network, x = nn.Sequential(GaussianLayer(4, 5), nn.Linear(5, 3)), draw(12, 4)
        objective = self.built(network, network[0], x)
        output = network(x)
        network(x[:7])
        with pytest.raises(ValueError, match="the layer must have a row for each of the output's 12, got 7"):
            objective(batch_of(x, output))
