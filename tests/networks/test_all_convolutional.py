import pytest
import torch
import torch.nn.functional as F
from torch import nn

from infotorch.networks.all_convolutional import all_cnn

# (stride, padding) of conv1 to conv9, from Tables 1 and 2 of Springenberg et al. 2015
LAYERS = [(1, 1), (1, 1), (2, 1), (1, 1), (1, 1), (2, 1), (1, 0), (1, 0), (1, 0)]


def images(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def written_out(network, x):
    hidden = x
    for number, (stride, padding) in enumerate(LAYERS, start=1):
        layer = network.get_submodule(f"conv{number}")
        hidden = F.conv2d(hidden, layer.weight, layer.bias, stride=stride, padding=padding).clamp_min(0)
    return hidden.mean(dim=(2, 3))


@pytest.mark.parametrize(("classes", "count"), [(10, 1_369_738), (100, 1_369_738 + 90 * 193)])
def test_parameters_are_the_published_1_4_million(classes, count):
    with torch.device("meta"):
        network = all_cnn((3, 32, 32), classes)
    assert sum(p.numel() for p in network.parameters()) == count
    widths = [layer.out_channels for layer in network if isinstance(layer, nn.Conv2d)]
    assert widths == [96, 96, 96, 192, 192, 192, 192, 192, classes]


@pytest.mark.parametrize("sides", [(9, 9), (32, 32), (12, 15)])
def test_it_is_nine_convolutions_and_a_mean_written_by_hand(sides):
    network, x = all_cnn((3, *sides), 4, width=5).double().eval(), images(6, 3, *sides)
    torch.testing.assert_close(network(x), written_out(network, x), atol=1e-12, rtol=1e-12)


def test_its_gradient_is_that_of_the_written_network():
    network, x = all_cnn((3, 12, 12), 4, width=5, dropout=0.0, input_dropout=0.0).double(), images(6, 3, 12, 12)
    ours, theirs = (
        torch.autograd.grad(f(x).square().sum(), list(network.parameters()))
        for f in (network, lambda x: written_out(network, x))
    )
    assert all(gradient.abs().max() > 0 for gradient in ours)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-11, rtol=1e-9)


def test_the_mean_is_over_six_by_six_places():
    network = all_cnn((3, 32, 32), 4, width=2).eval()
    before = network[: [name for name, _ in network.named_children()].index("pool")]
    assert before(torch.zeros(1, 3, 32, 32)).shape == (1, 4, 6, 6)


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({}, {"input_drop": 0.2, "conv3_drop": 0.5, "conv6_drop": 0.5}),
        ({"input_dropout": 0.0}, {"conv3_drop": 0.5, "conv6_drop": 0.5}),
        ({"dropout": 0.0}, {"input_drop": 0.2}),
    ],
)
def test_dropout_stands_at_the_input_and_behind_what_halves_the_image(settings, names):
    network = all_cnn((3, 32, 32), 4, width=2, **settings)
    assert {name: layer.p for name, layer in network.named_children() if isinstance(layer, nn.Dropout)} == names


def test_signals_and_gradients_reach_both_ends_at_the_start():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network, x = all_cnn((3, 32, 32), 10, width=16, dropout=0.0, input_dropout=0.0), torch.rand(16, 3, 32, 32)
    loss = F.cross_entropy(network(x), torch.arange(16) % 10)
    loss.backward()
    assert network(x).std(dim=0).max() > 1e-3
    assert network.conv1.weight.grad.abs().max() > 1e-4
    assert network.conv1.bias.abs().max() == 0


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (((3, 8, 32), 10), {}, r"all_cnn: images must have .* sides of at least 9, got shape \(3, 8, 32\)"),
        (((3, 32, 32), 0), {}, "all_cnn: outputs must be at least 1, got 0"),
        (((3, 32, 32), 10), {"width": 0}, "all_cnn: width must be at least 1, got 0"),
        (((3, 32, 32), 10), {"dropout": 1.0}, "all_cnn: dropout must be at least 0 and below 1, got 1.0"),
        (((3, 32, 32), 10), {"input_dropout": -0.1}, "all_cnn: input_dropout must be .* got -0.1"),
    ],
)
def test_wrong_settings_are_refused(arguments, settings, message):
    with pytest.raises(ValueError, match=message):
        all_cnn(*arguments, **settings)


def test_a_width_that_is_no_integer_is_refused():
    with pytest.raises(TypeError, match=r"all_cnn: width must be an integer, got 1\.5"):
        all_cnn((3, 32, 32), 10, width=1.5)
