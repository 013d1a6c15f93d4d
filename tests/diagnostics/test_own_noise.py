import pytest
import torch
from torch import nn

from infotorch.diagnostics.own_noise import own_noise
from infotorch.networks.coded_perceptron import coded_mlp
from infotorch.networks.noise import GaussianNoise
from infotorch.networks.stochastic import LogNormalLayer
from infotorch.numerics.seeds import seed_streams


def rows(n=30, d=4):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(0))


def noises(network, layers, x=None):
    return own_noise(network, rows() if x is None else x, layers, streams=seed_streams(0))


def test_layers_without_noise_are_left_out():
    network = nn.Sequential(nn.Linear(4, 3), nn.Dropout(), nn.BatchNorm1d(3), GaussianNoise(1.0), nn.Linear(3, 2))
    assert list(noises(network, ["0", "1", "2", "3", "4", "output"])) == ["3", "4", "output"]


def test_the_law_of_known_noise_is_that_of_many_draws():
    torch.manual_seed(0)
    network = coded_mlp(4, (8,), 3, 2, kind="gaussian", evaluation_draws=4).eval()
    mean, deviation = noises(network, ["bottleneck"])["bottleneck"].gaussian
    x = rows()
    with torch.no_grad():
        draws = torch.stack([network[:-2](x).reshape(30, 4, 3) for _ in range(2000)]).transpose(1, 2).flatten(0, 1)
    # 8,000 draws: standard errors of 1.1 % of a deviation, and of 0.8 % of it.
    assert ((draws.mean(dim=0) - mean) / deviation).abs().max() < 0.05
    assert (draws.std(dim=0) / deviation - 1).abs().max() < 0.05


def test_additive_noise_behind_repeated_rows_has_a_row_for_each_input():
    torch.manual_seed(0)
    network = coded_mlp(4, (8,), 3, 2, kind="additive", noise_std=0.5, scale="fixed", evaluation_draws=12)
    mean, deviation = noises(network, ["bottleneck"])["bottleneck"].gaussian
    code = network[: [name for name, _ in network.named_children()].index("bottleneck")].eval()
    with torch.no_grad():
        assert torch.equal(mean, code(rows())[::12])
    assert deviation.unique().tolist() == [0.5]


def test_noise_on_noise_and_other_noise_have_no_known_law():
    twice = nn.Sequential(GaussianNoise(1.0), GaussianNoise(1.0), LogNormalLayer(4, 2))
    found = noises(twice, ["0", "1", "2"])
    assert [found[name].gaussian is None for name in ("0", "1", "2")] == [False, True, True]


def test_a_look_leaves_modes_hooks_and_chance():
    network = nn.Sequential(nn.Linear(4, 3), GaussianNoise(1.0, scale="relative"))
    network[0].eval()
    state, buffers = torch.get_rng_state(), {name: value.clone() for name, value in network.named_buffers()}
    noises(network, ["1"])
    assert [layer.training for layer in network] == [False, True]
    assert not network[1]._forward_pre_hooks
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, buffers[name]) for name, value in network.named_buffers())


@pytest.mark.parametrize("count", [3, 51, 600])
def test_every_row_has_its_law_however_many_there_are(count):
    x = rows(count)
    mean, deviation = noises(nn.Sequential(GaussianNoise(1.0)), ["0"], x)["0"].gaussian
    assert torch.equal(mean, x)
    assert deviation.shape == x.shape
