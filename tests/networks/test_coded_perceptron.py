import pytest
import torch

from infotorch.networks.coded_perceptron import Repeat, coded_mlp
from infotorch.networks.noise import GaussianNoise
from infotorch.networks.stochastic import GaussianLayer, LogNormalLayer

SIZES = (6, (16, 8), 4, 3)


def names(network):
    return [name for name, _ in network.named_children()]


def test_all_kinds_share_their_hidden_layers_and_the_place_of_the_bottleneck():
    hidden = ["flatten", "fc1", "fc1_relu", "fc2", "fc2_relu"]
    for kind in ("plain", "additive", "gaussian", "log-normal"):
        network = coded_mlp(*SIZES, kind=kind)
        assert names(network)[:5] == hidden
        last = names(network)[names(network).index("bottleneck") :]
        assert last == ["bottleneck", "head"] + ["mean"] * (kind != "plain")
        assert network.head.in_features == 4


def test_the_layers_are_what_they_are_called():
    assert isinstance(coded_mlp(*SIZES).bottleneck, torch.nn.Linear)
    assert isinstance(coded_mlp(*SIZES, kind="gaussian").bottleneck, GaussianLayer)
    assert isinstance(coded_mlp(*SIZES, kind="log-normal").bottleneck, LogNormalLayer)
    noise = coded_mlp(*SIZES, kind="additive", noise_std=0.3, scale="learned").bottleneck
    assert isinstance(noise, GaussianNoise)
    assert noise.log_std.exp().tolist() == pytest.approx([0.3] * 4)
    assert [type(layer).__name__ for layer in coded_mlp(*SIZES, dropout=0.2)].count("Dropout") == 2


@pytest.mark.parametrize("kind", ["additive", "gaussian", "log-normal"])
def test_scores_are_of_several_draws(kind):
    network = coded_mlp(*SIZES, kind=kind, draws=5, evaluation_draws=7)
    x = torch.randn(10, 6, generator=torch.Generator().manual_seed(0))
    seen = []
    network.head.register_forward_hook(lambda _layer, given, _out: seen.append(len(given[0])))
    assert network(x).shape == (10, 5, 3)
    scores = network.eval()(x)
    assert seen == [50, 70]
    torch.testing.assert_close(scores.exp().sum(dim=1), torch.ones(10))  # logarithms of probabilities


def test_the_mean_of_many_draws_settles_and_a_single_one_does_not():
    torch.manual_seed(0)
    x = torch.randn(20, 6, generator=torch.Generator().manual_seed(1))

    def spread(draws):
        torch.manual_seed(0)
        network = coded_mlp(*SIZES, kind="additive", noise_std=3.0, evaluation_draws=draws).eval()
        return (network(x).softmax(dim=1) - network(x).softmax(dim=1)).abs().mean().item()

    assert spread(400) < spread(1) / 10  # 1 / sqrt 400 = 1 / 20


def test_a_plain_network_draws_nothing():
    network = coded_mlp(*SIZES)
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(0))
    assert torch.equal(network(x), network(x))
    assert network(x).shape == (4, 3)


def test_repeated_rows_stand_together_and_one_draw_is_the_input_itself():
    x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    assert Repeat(3)(x)[:, 0].tolist() == [1, 1, 1, 3, 3, 3]
    for single in (Repeat(1), Repeat(3, 1).eval(), Repeat(3, 0).eval()):
        assert single(x) is x
    assert Repeat(2)(x[:, None]).shape == (4, 1, 2)
    assert str(Repeat(2, 12)) == "Repeat(2, 12)"


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"kind": "noisy"},
            ValueError,
            "coded_mlp: kind must be one of plain, additive, gaussian, log-normal, got 'noisy'",
        ),
        ({"hidden": ()}, ValueError, "coded_mlp: hidden must have one width or more, got none"),
        ({"code": 0}, ValueError, "coded_mlp: code must be at least 1, got 0"),
        ({"code": 2.5}, TypeError, "coded_mlp: code must be an integer, got 2.5"),
        ({"classes": 0}, ValueError, "coded_mlp: classes must be at least 1, got 0"),
        ({"kind": "additive", "noise_std": 0.0}, ValueError, "GaussianNoise: noise_std must be positive"),
        ({"kind": "additive", "draws": 0}, ValueError, "Repeat: draws must be at least 1, got 0"),
    ],
)
def test_what_cannot_be_built_is_refused(options, error, message):
    sizes = {"inputs": 6, "hidden": (8,), "code": 4, "classes": 3} | options
    with pytest.raises(error, match=message):
        coded_mlp(**sizes)
