import pytest
import torch
import torch.nn.functional as F
from torch import nn

from infotorch.data.batches import TensorBatches
from infotorch.networks.denoiser import AddNoise, denoising_vae
from infotorch.networks.segments import split
from infotorch.numerics.seeds import seed_streams
from infotorch.training.evaluate import evaluate_modules
from infotorch.training.loop import train
from infotorch.training.plan import Plan
from infotorch.updates.proximal import ProximalSplit

STREAMS = seed_streams(0)


def small(noise_std=0.3, **options):
    with STREAMS.as_global("init"):
        return denoising_vae((1, 8, 8), (4, 8, 8), latent=6, noise_std=noise_std, **options)


def images(count=64):
    """Bars: one row of pixels is 1, the others are -1."""
    x = torch.full((count, 1, 8, 8), -1.0)
    x[torch.arange(count), 0, torch.arange(count) % 8] = 1.0
    return x


class TestLayers:
    def test_noise_is_additive_of_its_deviation_and_of_the_global_stream_in_both_modes(self):
        x, layer = images(500), AddNoise(0.3)
        for mode in (True, False):
            with STREAMS.as_global("test"):
                noise = layer.train(mode)(x) - x
            assert noise.mean().item() == pytest.approx(0, abs=0.006)  # 3 s.e. of 32,000 entries
            assert noise.std().item() == pytest.approx(0.3, abs=0.004)
            with STREAMS.as_global("test"):
                assert torch.equal(noise, layer(x) - x)

    def test_sigma_is_positive_and_the_softplus_of_its_head(self):
        encoder = small()[1].eval()
        mean, deviation = encoder(images())
        features = encoder.layers(images()).flatten(1)
        assert torch.equal(mean, encoder.mean(features))
        assert torch.equal(deviation, F.softplus(encoder.deviation(features)))
        assert (deviation > 0).all()

    def test_in_training_z_is_mu_and_sigma_times_a_draw(self):
        decoder = small()[2].train()
        mean, deviation = torch.randn(2, 16, 6, generator=torch.Generator().manual_seed(0))
        with STREAMS.as_global("test"):
            found = decoder((mean, deviation))
        with STREAMS.as_global("test"):
            z = mean + deviation * torch.randn(16, 6)
        assert torch.equal(found, decoder.layers(z[:, :, None, None]))
        assert not torch.equal(found, decoder((mean, deviation)))

    def test_in_evaluation_z_is_mu(self):
        decoder = small()[2].eval()
        mean = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
        assert torch.equal(decoder((mean, torch.ones(4, 6))), decoder((mean, torch.zeros(4, 6))))

    def test_all_layers_but_the_last_have_batch_norm_and_leaky_relu(self):
        _, encoder, decoder = small()
        kinds = [[type(layer).__name__ for layer in part.layers] for part in (encoder, decoder)]
        assert kinds[0] == ["Conv2d", "BatchNorm2d", "LeakyReLU"] * 3
        assert kinds[1] == ["ConvTranspose2d", "BatchNorm2d", "LeakyReLU"] * 2 + ["ConvTranspose2d", "Tanh"]

    def test_five_convolutions_take_32_pixels_to_one_and_back(self):
        network = denoising_vae((3, 32, 32), (4, 4, 4, 4, 4), noise_std=0.1).eval()
        x = torch.zeros(2, 3, 32, 32)
        assert network[1].layers(x).shape == (2, 4, 1, 1)
        assert [part.shape for part in network[1](x)] == [(2, 128)] * 2
        assert network(x).shape == x.shape
        assert network(x).abs().max() <= 1

    @pytest.mark.parametrize("shape", [(1, 28, 28), (1, 8, 4), (64,), (1, 16, 16)])
    def test_images_that_do_not_halve_to_a_pixel(self, shape):
        with pytest.raises(ValueError, match=r"denoising_vae: .* \(channels, .*got \("):
            denoising_vae(shape, (4, 4, 4), noise_std=0.1)

    @pytest.mark.parametrize(
        ("options", "error", "message"),
        [
            ({"channels": ()}, ValueError, "0 convolutions take images"),
            ({"channels": (4, 0, 4)}, ValueError, "channels must be at least 1, got 0"),
            ({"latent": 0}, ValueError, "latent must be at least 1, got 0"),
            ({"latent": 2.5}, TypeError, "must be an integer, got 2.5"),
            ({"noise_std": -0.1}, ValueError, "AddNoise: noise_std must be 0 or more, and finite, got -0.1"),
            ({"noise_std": float("nan")}, ValueError, "and finite, got nan"),
        ],
    )
    def test_widths_and_noise_that_cannot_be(self, options, error, message):
        with pytest.raises(error, match=message):
            denoising_vae((1, 8, 8), **{"channels": (4, 4, 4), "noise_std": 0.1, **options})


class TestSplit:
    def test_the_pair_crosses_the_cut(self):
        network, x = small().eval(), images()
        first, second = split(network, ("decoder",))
        with STREAMS.as_global("test"):
            whole = network(x)
        with STREAMS.as_global("test"):
            code = first(x, x)
            assert [part.shape for part in code] == [(64, 6), (64, 6)]
            assert torch.equal(second(code, x), whole)

    def test_order_2_is_the_sum_of_the_squared_slopes_of_mu_and_sigma(self):
        """Eq. 7 by a double backward pass in float64, against the step's own gradients."""
        network, x = small().double(), images(8).double()
        noise, encoder, decoder = network
        with STREAMS.as_global("test"):
            code = encoder(noise(x))
            loss = F.mse_loss(decoder(code), x)
        slopes = torch.autograd.grad(loss, code, create_graph=True)
        theta, phi = list(encoder.parameters()), list(decoder.parameters())
        penalty = 0.1**2 / 2 * sum(slope.square().sum() for slope in slopes)
        # The dependence of the slopes on theta goes through (mu, sigma) alone: phi is held.
        wanted = torch.autograd.grad(penalty, theta, retain_graph=True)
        wanted_phi = torch.autograd.grad(loss, phi)
        fresh = small().double()
        rate = lambda p: torch.optim.SGD(p, lr=1.0)  # noqa: E731
        before = [p.detach().clone() for p in fresh.parameters()]
        step = ProximalSplit.at(fresh, "decoder", step_size=0.1, forward_optimizer=rate, backward_optimizer=rate)
        with STREAMS.as_global("test"):
            info = step.step(x, lambda output: F.mse_loss(output, x))
        moved = [old - new for old, new in zip(before, fresh.parameters(), strict=True)]
        assert info.loss.item() == pytest.approx(loss.item(), rel=1e-12)
        for found, expected in zip(moved, (*wanted, *wanted_phi), strict=True):
            torch.testing.assert_close(found, expected, rtol=1e-6, atol=1e-12)


class TestTraining:
    @pytest.mark.parametrize("order", [None, pytest.param(1, marks=pytest.mark.slow), 2, "hybrid"])
    def test_it_learns_to_take_the_noise_off(self, order):
        x, network = images(), small(noise_std=0.5)
        adam = lambda p: torch.optim.Adam(p, lr=1e-2)  # noqa: E731
        if order is None:
            plan = Plan.end_to_end(network, "X:squared-error", optimizer=adam)
        else:
            plan = Plan.proximal(network, "decoder", "X:squared-error", optimizer=adam, order=order, step_size=1.0)
        errors = [
            float(info.losses["network"].total)
            for info in train(plan, TensorBatches(x, None, batch_size=32), epochs=60)
        ]
        assert errors[0] > 0.8
        # Order 2 lowers the slope at the bottleneck, and the loss by the decoder alone as long as that helps.
        assert sum(errors[-4:]) / 4 < (0.44 if order == 2 else 0.25)  # 0.4375 is the error of the mean image
        found = evaluate_modules(plan, x, None, [0])["network"]["loss"]
        assert found < (0.44 if order == 2 else 0.25)

    def test_modules_of_one_kind_keep_their_statistics_in_a_state_dict(self):
        network = small()
        assert isinstance(network, nn.Sequential)
        other = small()
        network.train()(images())
        other.load_state_dict(network.state_dict())
        with STREAMS.as_global("a"):
            one = network.eval()(images())
        with STREAMS.as_global("a"):
            assert torch.equal(one, other.eval()(images()))
