import math

import pytest
import torch
from torch import nn

import infotorch
from infotorch.data.batches import TensorBatches
from infotorch.estimators.channel import leave_one_out_bound, pairwise_bounds
from infotorch.networks.noise import GaussianNoise
from infotorch.networks.stochastic import GaussianLayer
from infotorch.numerics.seeds import seed_streams
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.nonlinear import NonlinearBottleneck, lagrangian_cost
from infotorch.training.evaluate import evaluate_modules, plan_accuracy
from infotorch.training.loop import train
from infotorch.training.plan import Plan

STREAMS = seed_streams(0)
Y = torch.arange(12) % 3


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def batch_of(x, output, y=Y):
    return LocalBatch(x, x, output, y, STREAMS)


def network_and(noise, **settings):
    with STREAMS.as_global("init"):
        network = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), noise, nn.Linear(6, 3))
        objective = NonlinearBottleneck(beta=0.5, layer=noise, **settings)
        x = draw(12, 4)
        objective.build(batch_of(x, network(x)), Y)
    return network, objective, x


class TestCost:
    def test_values(self):
        information = torch.tensor([0.0, 0.5, 2.0])
        assert torch.equal(lagrangian_cost(information, "plain"), information)
        assert lagrangian_cost(information, "squared").tolist() == [0.0, 0.25, 4.0]
        wanted = [0.0, (math.e - 1) / 2, (math.exp(4) - 1) / 2]
        assert lagrangian_cost(information, "exponential", rate=2.0).tolist() == pytest.approx(wanted)
        torch.testing.assert_close(
            lagrangian_cost(information, "exponential", rate=1e-3), information, rtol=2e-3, atol=0
        )

    @pytest.mark.parametrize("kind", ["squared", "exponential"])
    def test_where_y_is_a_function_of_x_each_beta_picks_its_own_point_and_the_plain_form_one_corner(self, kind):
        # The best I(Y; T) for a given I(X; T) = r is min(r, H(Y)), here with H(Y) = log 10.
        r = torch.linspace(0, 4, 4001, dtype=torch.float64)
        precision = r.clamp(max=math.log(10))

        def best(kind, beta):
            return r[(precision - beta * lagrangian_cost(r, kind)).argmax()].item()

        assert {round(best("plain", beta), 2) for beta in (0.1, 0.3, 0.6, 0.9)} == {2.3}
        picked = [best(kind, beta) for beta in (0.25, 0.4, 0.6, 0.8)]
        slopes = {"squared": lambda beta: 1 / (2 * beta), "exponential": lambda beta: -math.log(beta)}
        assert picked == pytest.approx([slopes[kind](beta) for beta in (0.25, 0.4, 0.6, 0.8)], abs=2e-3)


class TestTerm:
    @pytest.mark.parametrize("noise", [GaussianNoise(0.3), GaussianNoise(0.5, scale="relative")])
    def test_it_is_the_pairwise_bound_of_the_clean_layer_for_the_noise_that_goes_on(self, noise):
        network, objective, x = network_and(noise)
        loss = objective(batch_of(x, network(x)))
        clean = network[:2](x).detach()
        wanted = pairwise_bounds(clean, float(noise.std(clean)))[1]
        assert loss.terms["mi_xt_nats"].item() == pytest.approx(float(wanted), rel=1e-5)
        total = -loss.terms["mi_ty_nats"] + 0.5 * loss.terms["mi_xt_nats"] ** 2
        assert loss.total.item() == pytest.approx(total.item(), rel=1e-5)

    def test_units_with_deviations_of_their_own_are_measured_in_those(self):
        noise = GaussianNoise(1.0, scale="learned", width=6)
        network, objective, x = network_and(noise)
        deviations = torch.tensor([0.1, 0.2, 0.3, 0.5, 1.0, 3.0])
        with torch.no_grad():
            noise.log_std.copy_(deviations.log())
        term = objective(batch_of(x, network(x))).terms["mi_xt_nats"].item()
        squares = ((network[:2](x)[:, None] - network[:2](x)) / deviations).square().sum(dim=2)
        assert term == pytest.approx(-(-squares / 2).exp().mean(dim=1).log().mean().item(), rel=1e-5)
        assert term < math.log(12)

    def test_it_lies_above_the_information_of_the_channel_and_below_log_n(self):
        network, objective, x = network_and(GaussianNoise(0.4))
        term = objective(batch_of(x, network(x))).terms["mi_xt_nats"].item()
        # The mixture's own information by a million draws: a component, and its term for the draw.
        clean, rows = network[:2](x).detach(), torch.randint(12, (200_000,), generator=torch.Generator().manual_seed(1))
        noise = 0.4 * torch.randn(200_000, 6, generator=torch.Generator().manual_seed(2))
        squares = torch.cdist(clean[rows] + noise, clean).square() / (-2 * 0.4**2)
        own = squares.gather(1, rows[:, None])[:, 0]
        exact = (own - squares.logsumexp(dim=1) + math.log(12)).mean().item()
        assert exact < term < math.log(12)
        generator = torch.Generator().manual_seed(0)
        assert (
            float(leave_one_out_bound(clean, 0.4, generator=generator)) > exact - 0.3
        )  # the same channel, by one draw

    def test_scaling_a_layer_changes_it_under_fixed_noise_and_not_under_relative_noise(self):
        for scale, changes in (("fixed", True), ("relative", False)):
            network, objective, x = network_and(GaussianNoise(0.5, scale=scale))
            network[1] = nn.Identity()
            values = []
            for factor in (1.0, 8.0):
                with torch.no_grad():
                    network[0].weight.mul_(factor), network[0].bias.mul_(factor)
                values.append(objective(batch_of(x, network(x))).terms["mi_xt_nats"].item())
            assert (abs(values[1] - values[0]) > 1e-3) == changes

    def test_a_term_of_its_own_noise_behind_a_hidden_module(self):
        output = draw(12, 5).requires_grad_()
        objective = NonlinearBottleneck(beta=0.5, noise_std=0.5, lagrangian="plain")
        objective.build(batch_of(output.detach(), output), Y)
        loss = objective(batch_of(output.detach(), output))
        deviation = (output - output.mean(dim=0)).square().mean().sqrt()
        wanted = pairwise_bounds(output.detach(), 0.5 * deviation.item())[1]
        assert loss.terms["mi_xt_nats"].item() == pytest.approx(float(wanted), rel=1e-4)
        loss.total.backward()
        assert output.grad.abs().sum() > 0

    def test_one_row_tells_nothing_and_a_diverged_layer_ends_the_run(self):
        network, objective, x = network_and(GaussianNoise(0.5))
        assert set(objective(batch_of(x[:1], network(x[:1]), Y[:1])).terms) == {"mi_ty_nats"}
        with torch.no_grad():
            network[0].weight[0, 0] = math.nan
        assert objective(batch_of(x, network(x))).total.isnan()


class TestTraining:
    def curve(self, lagrangian, betas):
        data = infotorch.load("digits", seed=0)
        rows = data.train.x[:500], data.train.y[:500]
        points = []
        for beta in betas:
            noise = GaussianNoise(1.0)
            with STREAMS.as_global("init"):
                network = nn.Sequential(
                    nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 4), noise, nn.Linear(4, 10)
                )
            objective = NonlinearBottleneck(beta=beta, layer=noise, lagrangian=lagrangian)
            plan = Plan.end_to_end(network, objective, optimizer=lambda p: torch.optim.Adam(p, lr=1e-2))
            for _ in train(plan, TensorBatches(*rows, batch_size=100), epochs=15):
                pass
            terms = evaluate_modules(plan, *rows, [0])["network"]
            points.append((terms["mi_xt_nats"], terms["mi_ty_nats"], plan_accuracy(plan, *rows)))
        return points

    def test_digits_whose_class_is_a_function_of_x_have_a_curve_under_the_squared_lagrangian(self):
        points = self.curve("squared", (0.02, 0.2, 1.0))
        compression, precision = [point[0] for point in points], [point[1] for point in points]
        assert compression[0] > compression[1] + 0.3 > compression[2] + 0.6
        assert precision[0] > precision[1] + 0.1 > precision[2] + 0.2
        assert points[0][2] > 0.75  # 0.85 was seen
        assert all(0 < ty < xt for xt, ty, _ in points)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (
            lambda: NonlinearBottleneck(beta=1.0),
            ValueError,
            r"noise_std belongs to an objective without layer=.*got None",
        ),
        (
            lambda: NonlinearBottleneck(beta=1.0, layer=GaussianNoise(1.0), noise_std=1.0),
            ValueError,
            r"noise_std belongs to an objective without layer=\.\.\., got 1.0",
        ),
        (
            lambda: NonlinearBottleneck(beta=1.0, layer=GaussianLayer(2, 2)),
            TypeError,
            "layer must be a GaussianNoise, got GaussianLayer",
        ),
        (
            lambda: NonlinearBottleneck(beta=-1.0, noise_std=1.0),
            ValueError,
            "NonlinearBottleneck: beta must be at least",
        ),
        (lambda: NonlinearBottleneck(beta=1.0, noise_std=0.0), ValueError, "noise_std must be positive"),
        (lambda: NonlinearBottleneck(beta=1.0, noise_std=1.0, rate=0.0), ValueError, "rate must be positive"),
        (
            lambda: NonlinearBottleneck(beta=1.0, noise_std=1.0, lagrangian="cubic"),
            ValueError,
            "lagrangian must be one of plain, squared, exponential, got 'cubic'",
        ),
        (lambda: lagrangian_cost(torch.tensor(1.0), "cubic"), ValueError, "lagrangian_cost: kind must be one of plain"),
    ],
)
def test_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make()
