import math

import numpy as np
import pytest
import torch

from infotorch.data.batches import TensorBatches
from infotorch.networks.denoiser import denoising_vae
from infotorch.numerics.seeds import seed_streams
from infotorch.training.denoising import denoising_picture, denoising_psnr_db
from infotorch.training.evaluate import evaluate_modules
from infotorch.training.loop import train
from infotorch.training.plan import Plan

STREAMS = seed_streams(0)


def plan(noise_std=0.5):
    with STREAMS.as_global("init"):
        network = denoising_vae((1, 4, 4), (8, 8), latent=3, noise_std=noise_std)
    objective = "X:squared-error"
    made = Plan.end_to_end(network, objective, optimizer=lambda p: torch.optim.Adam(p, lr=1e-2))
    return network, made


def bars(count=32):
    x = torch.full((count, 1, 4, 4), -1.0)
    x[torch.arange(count), 0, torch.arange(count) % 4] = 1.0
    return x


class TestPsnr:
    def test_doing_nothing_has_the_ratio_of_the_noise(self):
        network, made = plan(0.5)
        found = denoising_psnr_db(made, bars(2000), model=network.get_submodule("noise"))
        # The mean of the logarithm of a chi-square of 16 is 10 log10(e) / 16 = 0.27 dB below the logarithm of the mean.
        assert found == pytest.approx(10 * math.log10(4 / 0.25) + 0.27, abs=0.1)

    def test_it_is_the_same_every_time_and_leaves_the_global_stream_and_modes_alone(self):
        network, made = plan()
        network.train()
        before = torch.get_rng_state()
        first = denoising_psnr_db(made, bars())
        torch.manual_seed(5)
        assert denoising_psnr_db(made, bars()) == first
        torch.set_rng_state(before)
        denoising_psnr_db(made, bars())
        assert torch.equal(torch.get_rng_state(), before)
        assert network.training

    def test_looking_at_the_network_moves_no_training_curve(self):
        curves = []
        for looks in (False, True):
            _, made = plan()
            curve = []
            for info in train(made, TensorBatches(bars(), None, batch_size=16), epochs=3):
                curve.append(float(info.losses["network"].total))
                if looks:
                    denoising_psnr_db(made, bars())
                    evaluate_modules(made, bars(), None, [0])
            curves.append(curve)
        assert curves[0] == curves[1]

    def test_training_raises_it_over_that_of_the_noisy_images(self):
        network, made = plan()
        list(train(made, TensorBatches(bars(), None, batch_size=16), epochs=60))
        floor = denoising_psnr_db(made, bars(), model=network.get_submodule("noise"))
        assert denoising_psnr_db(made, bars()) > floor + 1


class TestPicture:
    def test_rows_are_clean_noisy_and_denoised_and_the_noise_is_what_the_network_saw(self):
        network, made = plan()
        x = bars()
        seen = []
        network.get_submodule("encoder").register_forward_hook(lambda m, given, out: seen.append(given[0]))
        picture = denoising_picture(made, network.get_submodule("noise"), x, None, count=6)
        assert picture.shape == (3 * 5 - 1, 6 * 5 - 1, 1)
        assert picture.dtype == np.uint8
        pixels = lambda images: ((images.clamp(-1, 1) + 1) * 127.5).round().numpy()  # noqa: E731
        for column in range(6):
            left = slice(5 * column, 5 * column + 4)
            assert (picture[0:4, left, 0] == pixels(x[column, 0])).all()
            assert (picture[5:9, left, 0] == pixels(seen[-1][column, 0])).all()
        assert (picture[4] == 255).all()

    def test_classes_share_the_columns(self):
        network, made = plan(0.0)
        x = torch.linspace(-1, 1, 20)[:, None, None, None].expand(20, 1, 4, 4)
        y = torch.tensor([0] * 15 + [1] * 5)
        picture = denoising_picture(made, network.get_submodule("noise"), x, y, count=4)
        wanted = ((x[[0, 1, 15, 16], 0, 0, 0] + 1) * 127.5).round().int().tolist()
        assert picture[0, [0, 5, 10, 15], 0].tolist() == wanted
