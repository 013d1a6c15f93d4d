import math

import pytest
import torch
from torch import nn

from infotorch.data.batches import TensorBatches
from infotorch.networks.noise import GaussianNoise, LogNormalNoise
from infotorch.numerics.seeds import seed_streams
from infotorch.training.evaluate import evaluate_modules
from infotorch.training.loop import train
from infotorch.training.plan import Plan

STREAMS = seed_streams(0)


def draw(*shape, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=dtype)


def noisy(layer, x):
    with STREAMS.as_global("test"):
        return layer(x)


class TestGaussian:
    @pytest.mark.parametrize("training", [True, False])
    def test_fixed_noise_is_of_its_deviation_in_both_modes(self, training):
        x = draw(4000, 8)
        noise = noisy(GaussianNoise(0.3).train(training), x) - x
        assert noise.mean().item() == pytest.approx(0, abs=0.005)  # 3 s.e. of 32,000 entries
        assert noise.std().item() == pytest.approx(0.3, abs=0.004)
        assert abs(torch.corrcoef(torch.stack([noise.flatten(), x.flatten()]))[0, 1]) < 0.02

    def test_relative_noise_is_that_share_of_the_deviation_from_the_units_means(self):
        x = draw(6, 3) * 4 + torch.tensor([0.0, 100.0, -7.0])
        wanted = 0.5 * math.sqrt(((x - x.mean(dim=0)) ** 2).sum().item() / 18)
        assert GaussianNoise(0.5, scale="relative").std(x).item() == pytest.approx(wanted, rel=1e-9)

    def test_scaling_and_moving_the_layer_scales_relative_noise_with_it_and_its_gradient_says_so(self):
        x = draw(50, 4).requires_grad_()
        layer = GaussianNoise(0.5, scale="relative")
        torch.testing.assert_close(noisy(layer, 7 * x + 3), 7 * noisy(layer, x) + 3)
        # x / deviation(x) does not change along x itself (from the units' means).
        centred = (x - x.mean(dim=0)).detach()
        slope = torch.autograd.functional.jvp(lambda t: t / layer.std(t), centred, centred)[1]
        assert slope.abs().max() < 1e-9

    def test_in_evaluation_it_follows_the_running_mean_of_the_training_batches(self):
        layer, x = GaussianNoise(1.0, scale="relative", momentum=0.25), draw(40, 4)
        batches = [x, 2 * x, 3 * x]
        wanted = None  # the first batch's own variance starts the mean: a fixed start would be the unit of x
        for batch in batches:
            noisy(layer, batch)
            now = ((batch - batch.mean(dim=0)) ** 2).mean().item()
            wanted = now if wanted is None else 0.75 * wanted + 0.25 * now
        layer.eval()
        before = layer.running_variance.clone()
        assert layer.std(1000 * x).item() == pytest.approx(math.sqrt(wanted), rel=1e-6)
        noisy(layer, x)
        assert torch.equal(before, layer.running_variance)

    def test_before_any_training_it_follows_the_rows_themselves(self):
        layer, x = GaussianNoise(0.5, scale="relative").eval(), draw(40, 4)
        for factor in (1e-3, 1.0, 1e3):
            rows = factor * x
            wanted = 0.5 * ((rows - rows.mean(dim=0)) ** 2).mean().sqrt().item()
            assert layer.std(rows).item() == pytest.approx(wanted, rel=1e-4)

    def test_learned_noise_has_a_deviation_for_each_unit_that_a_loss_can_move(self):
        layer, x = GaussianNoise(0.1, scale="learned", width=3), draw(5000, 3)
        with torch.no_grad():
            layer.log_std.copy_(torch.tensor([0.1, 0.5, 2.0]).log())
        noise = noisy(layer, x) - x
        torch.testing.assert_close(noise.std(dim=0).float(), torch.tensor([0.1, 0.5, 2.0]), rtol=0.04, atol=0)
        noise.square().sum().backward()
        assert (layer.log_std.grad > 0).all()

    def test_channels_of_images_have_their_own_deviation(self):
        layer, x = GaussianNoise(0.1, scale="learned", width=2), torch.zeros(200, 2, 5, 5)
        with torch.no_grad():
            layer.log_std.copy_(torch.tensor([0.1, 3.0]).log())
        spread = noisy(layer, x).std(dim=(0, 2, 3))
        torch.testing.assert_close(spread, torch.tensor([0.1, 3.0]), rtol=0.05, atol=0)

    def test_a_layer_that_does_not_vary_is_finite(self):
        layer = GaussianNoise(1.0, scale="relative")
        assert noisy(layer, torch.ones(4, 2)).isfinite().all()
        assert noisy(layer, torch.ones(1, 2)).isfinite().all()

    def test_it_changes_no_input_and_the_seed_decides_it(self):
        x, layer = draw(5, 2), GaussianNoise(1.0)
        kept = x.clone()
        assert torch.equal(noisy(layer, x), noisy(layer, x))
        assert torch.equal(x, kept)
        assert not torch.equal(layer(x), layer(x))


class TestLogNormal:
    def test_the_logarithm_of_the_factor_is_gaussian_of_its_deviation(self):
        x = draw(4000, 8).abs() + 0.1
        factor = noisy(LogNormalNoise(0.4), x) / x
        assert factor.log().mean().item() == pytest.approx(0, abs=0.007)  # 3 s.e. of 32,000 entries
        assert factor.log().std().item() == pytest.approx(0.4, abs=0.005)

    def test_zero_stays_zero_and_scaling_commutes(self):
        x, layer = draw(20, 3).relu(), LogNormalNoise(0.4)
        torch.testing.assert_close(noisy(layer, 5 * x), 5 * noisy(layer, x))
        assert torch.equal(noisy(layer, x) == 0, x == 0)

    def test_learned_deviations_belong_to_units(self):
        layer = LogNormalNoise(0.1, scale="learned", width=2)
        with torch.no_grad():
            layer.log_std.copy_(torch.tensor([0.1, 1.0]).log())
        spread = noisy(layer, torch.ones(5000, 2)).log().std(dim=0)
        torch.testing.assert_close(spread, torch.tensor([0.1, 1.0]), rtol=0.04, atol=0)


class TestInAPlan:
    def plan(self):
        with STREAMS.as_global("init"):
            model = nn.Sequential(
                nn.Linear(3, 8), nn.ReLU(), GaussianNoise(0.5, scale="relative"), LogNormalNoise(0.2), nn.Linear(8, 2)
            )
        return Plan.layerwise(model, ("4",), "Y,CE", optimizer=lambda p: torch.optim.Adam(p, lr=1e-2))

    def test_the_seed_decides_a_run_and_its_evaluation_and_the_callers_random_state_stays(self):
        x = draw(60, 3, dtype=torch.float32)
        y, state, seen = (x[:, 0] > 0).long(), torch.get_rng_state(), []
        for seed in (0, 0, 1):
            plan = self.plan()
            for _ in train(plan, TensorBatches(x, y, batch_size=20), epochs=1, seed=seed):
                pass
            seen.append([evaluate_modules(plan, x, y, [0, 1]) for _ in range(2)])
        assert seen[0][0] == seen[0][1] == seen[1][0] != seen[2][0]
        assert torch.equal(state, torch.get_rng_state())

    def test_the_next_module_sees_the_noise(self):
        plan, x = self.plan(), draw(6, 3, dtype=torch.float32)
        first, second = (plan.outputs(x, stop=1)[0] for _ in range(2))
        assert not torch.equal(first, second)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: GaussianNoise(0.0), ValueError, "GaussianNoise: noise_std must be positive and finite, got 0.0"),
        (lambda: GaussianNoise("a"), TypeError, "noise_std must be a number, got str"),
        (lambda: GaussianNoise(1.0, scale="learn"), ValueError, "scale must be one of fixed, relative, learned"),
        (lambda: GaussianNoise(1.0, scale="learned"), ValueError, 'width, .* belongs to scale="learned", got None'),
        (lambda: GaussianNoise(1.0, width=3), ValueError, 'width, .* belongs to scale="learned", got 3'),
        (lambda: GaussianNoise(1.0, scale="learned", width=0), ValueError, "width must be at least 1, got 0"),
        (lambda: GaussianNoise(1.0, momentum=0.0), ValueError, "momentum must be positive"),
        (lambda: GaussianNoise(1.0, momentum=1.5), ValueError, "momentum must be at most 1, got 1.5"),
        (
            lambda: GaussianNoise(1.0, scale="learned", width=3)(torch.zeros(2, 4)),
            ValueError,
            r"the input must have 3 units on axis 1, got \(2, 4\)",
        ),
        (
            lambda: LogNormalNoise(1.0, scale="learned", width=3)(torch.zeros(3)),
            ValueError,
            r"LogNormalNoise: the input must have 3 units on axis 1, got \(3,\)",
        ),
        (lambda: LogNormalNoise(1.0, scale="relative"), ValueError, "LogNormalNoise: scale must be one of fixed, le"),
        (lambda: LogNormalNoise(-1.0), ValueError, "LogNormalNoise: noise_std must be positive"),
    ],
)
def test_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make()
