import pytest
import torch
from torch import nn
from torch.distributions import Normal, kl_divergence

from infotorch.data.batches import TensorBatches
from infotorch.networks.denoiser import denoising_vae
from infotorch.numerics.seeds import seed_streams
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.code_kl import CodeDivergence, gaussian_kl
from infotorch.objectives.combined import SumOfObjectives
from infotorch.objectives.layer_hook import hooks_paused
from infotorch.objectives.squared_error import SquaredError
from infotorch.training.evaluate import evaluate_modules
from infotorch.training.loop import train
from infotorch.training.plan import Plan

STREAMS = seed_streams(0)


class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(()))

    def forward(self, x):
        return x + self.shift, (x + self.shift).exp()


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def batch_of(output):
    return LocalBatch(output, output, output, None)


class TestDivergence:
    def test_against_torch_distributions(self):
        mean, deviation = draw(6, 4), draw(6, 4).exp()
        wanted = kl_divergence(Normal(mean, deviation), Normal(0.0, 1.0)).sum(dim=1)
        torch.testing.assert_close(gaussian_kl(mean, deviation), wanted)

    def test_it_vanishes_for_the_standard_normal_alone_and_grows_finitely_as_sigma_vanishes(self):
        zero, one = torch.zeros(1, 3), torch.ones(1, 3)
        assert gaussian_kl(zero, one).item() == 0
        assert gaussian_kl(zero, 0.9 * one).item() > 0
        assert gaussian_kl(zero, zero).isfinite().all()


class TestObjective:
    def test_it_is_the_mean_over_rows_over_the_entries_of_the_output(self):
        encoder, x = Pair().double(), draw(6, 4)
        objective = CodeDivergence(encoder, weight=0.5)
        wanted = gaussian_kl(*encoder(x)).mean()
        loss = objective(batch_of(torch.zeros(6, 2, 5)))
        assert loss.total.item() == pytest.approx(0.5 * wanted.item() / 10, rel=1e-12)
        assert loss.terms["code_kl_nats"].item() == wanted.item()

    def test_its_gradient_reaches_the_encoder_which_is_none_of_its_parts(self):
        encoder = Pair().double()
        objective = CodeDivergence(encoder)
        encoder(draw(6, 4))
        objective(batch_of(torch.zeros(6, 1))).total.backward()
        assert encoder.shift.grad is not None
        assert encoder.shift.grad != 0
        assert list(objective.parameters()) == []
        assert objective.state_dict() == {}

    def test_what_it_saw_is_used_once_and_for_its_rows_alone(self):
        encoder = Pair().double()
        objective = CodeDivergence(encoder)
        encoder(draw(6, 4))
        objective(batch_of(torch.zeros(6, 1)))
        with pytest.raises(ValueError, match="CodeDivergence: the layer must run in the forward pass"):
            objective(batch_of(torch.zeros(6, 1)))
        encoder(draw(6, 4))
        with pytest.raises(
            ValueError, match=r"must have run for these rows, right before; it ran for 6, and .* gave 5"
        ):
            objective(batch_of(torch.zeros(5, 1)))

    def test_a_pass_of_other_samples_beside_the_batchs_own_does_not_count(self):
        encoder, own = Pair().double(), draw(6, 4)
        objective = CodeDivergence(encoder)
        wanted = gaussian_kl(*encoder(own)).mean()
        with hooks_paused():
            encoder(own + 1)
        assert objective(batch_of(torch.zeros(6, 1))).terms["code_kl_nats"].item() == wanted.item()

    @pytest.mark.parametrize("weight", [0.0, -1.0, float("inf")])
    def test_a_weight_that_is_none(self, weight):
        with pytest.raises(ValueError, match="CodeDivergence: weight must be positive and finite"):
            CodeDivergence(Pair(), weight=weight)


def test_a_heavy_divergence_empties_the_code_of_a_denoiser():
    """With all weight on the divergence nothing passes: the code is N(0, I) whatever the image."""
    x = torch.full((64, 1, 4, 4), -1.0)
    x[torch.arange(64), 0, torch.arange(64) % 4] = 1.0
    found = {}
    for weight in (1e-6, 100.0):
        with STREAMS.as_global("init"):
            network = denoising_vae((1, 4, 4), (8, 8), latent=3, noise_std=0.2)
        objective = SumOfObjectives([SquaredError(target="x"), CodeDivergence(network[1], weight=weight)])
        plan = Plan.end_to_end(network, objective, optimizer=lambda p: torch.optim.Adam(p, lr=1e-2))
        list(train(plan, TensorBatches(x, None, batch_size=32), epochs=40))
        found[weight] = evaluate_modules(plan, x, None, [0])["network"]
    assert found[1e-6]["squared_error"] < 0.1
    assert found[1e-6]["code_kl_nats"] > 5
    assert found[100.0]["squared_error"] > 0.6  # 0.75 is the error of the mean image
    assert found[100.0]["code_kl_nats"] < 0.1
