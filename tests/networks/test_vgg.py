import pytest
import torch
import torch.nn.functional as F
from torch import nn

from infotorch.networks.vgg import vgg16


def images(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def normalised(x):
    """Batch norm of training, at its initial scale, by the mean over everything but the columns."""
    axes = [axis for axis in range(x.ndim) if axis != 1]
    centred = x - x.mean(dim=axes, keepdim=True)
    return centred / (centred.square().mean(dim=axes, keepdim=True) + 1e-5).sqrt()


def written_out(network, x, norm, hidden):
    for block, count in enumerate((2, 2, 3, 3, 3), start=1):
        for number in range(1, count + 1):
            layer = network.get_submodule(f"conv{block}_{number}")
            x = F.conv2d(x, layer.weight, layer.bias, padding=1)
            x = (normalised(x) if norm == "batch" else x).clamp_min(0)
        x = F.max_pool2d(x, 2)
    x = x.flatten(1)
    for number in range(1, hidden + 1):
        layer = network.get_submodule(f"fc{number}")
        x = x @ layer.weight.T + layer.bias
        x = (normalised(x) if norm == "batch" else x).clamp_min(0)
    last = network.get_submodule(f"fc{hidden + 1}")
    return x @ last.weight.T + last.bias


@pytest.mark.parametrize(
    ("settings", "count"),
    [
        ({}, 14_728_266),
        ({"hidden": (512,)}, 14_991_946),
        ({"hidden": (512, 512), "norm": "none"}, 15_245_130),
    ],
)
def test_parameters_are_those_of_the_usual_variants_for_cifar(settings, count):
    with torch.device("meta"):
        assert sum(p.numel() for p in vgg16((3, 32, 32), 10, **settings).parameters()) == count


def test_parameters_on_large_images_are_the_published_138_million():
    """Simonyan & Zisserman 2015, Table 2: the original is the same function."""
    with torch.device("meta"):
        network = vgg16((3, 224, 224), 1000, hidden=(4096, 4096), norm="none", dropout=0.5)
    assert sum(p.numel() for p in network.parameters()) == 138_357_544


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("hidden", [(), (5, 4)])
def test_it_and_its_gradient_are_those_of_the_network_written_by_hand(norm, hidden):
    network, x = vgg16((2, 32, 40), 3, width=2, norm=norm, hidden=hidden).double(), images(6, 2, 32, 40)
    found, wanted = network(x), written_out(network, x, norm, len(hidden))
    torch.testing.assert_close(found, wanted, atol=1e-9, rtol=1e-9)
    weights = [p for p in network.parameters() if p.ndim > 1]
    for a, b in zip(*(torch.autograd.grad(y.square().sum(), weights) for y in (found, wanted)), strict=True):
        torch.testing.assert_close(a, b, atol=1e-8, rtol=1e-6)


def test_dropout_stands_behind_hidden_linear_layers_alone():
    network = vgg16((3, 32, 32), 4, width=1, hidden=(4, 4), dropout=0.5)
    assert [n for n, layer in network.named_children() if isinstance(layer, nn.Dropout)] == ["fc1_drop", "fc2_drop"]
    assert not any(isinstance(layer, nn.Dropout) for layer in vgg16((3, 32, 32), 4, width=1, dropout=0.5))


def test_images_of_64_pixels_keep_a_grid_of_four_places():
    assert vgg16((3, 64, 64), 4, width=2).fc1.in_features == 16 * 4


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (((1, 28, 28), 10), {}, r"vgg16: images must have .* sides of at least 32, got shape \(1, 28, 28\)"),
        (((3, 32, 32), 0), {}, "vgg16: outputs must be at least 1, got 0"),
        (((3, 32, 32), 10), {"width": 0}, "vgg16: width must be at least 1, got 0"),
        (((3, 32, 32), 10), {"norm": "length"}, "vgg16: norm must be one of batch, none, got 'length'"),
        (((3, 32, 32), 10), {"hidden": (0,), "width": 1}, "every width of hidden must be at least 1"),
        (((3, 32, 32), 10), {"hidden": (4,), "width": 1, "dropout": 1.0}, "dropout must be at least 0 and below 1"),
    ],
)
def test_wrong_settings_are_refused(arguments, settings, message):
    with pytest.raises(ValueError, match=message):
        vgg16(*arguments, **settings)


def test_a_width_that_is_no_integer_is_refused():
    with pytest.raises(TypeError, match="vgg16: width must be an integer, got '64'"):
        vgg16((3, 32, 32), 10, width="64")
