import copy
import math

import pytest
import torch
from torch import nn

from infotorch.networks.all_convolutional import all_cnn
from infotorch.networks.images import check_images, draw_he
from infotorch.networks.lenet import lenet5
from infotorch.networks.wide_residual import wide_resnet


def drawn():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = nn.Sequential(
            nn.Conv2d(20, 30, 3), nn.BatchNorm2d(30), nn.Conv2d(30, 400, 1, bias=False), nn.Flatten()
        )
        network.append(nn.Linear(40, 50))
        before = network[4].weight.clone(), network[4].bias.clone()
        draw_he(network)
    return network, before


def test_weights_have_he_s_variance_and_are_normal():
    network, _ = drawn()
    for layer, variance in ((network[0], 2 / (9 * 30)), (network[2], 2 / 400)):
        weight, count = layer.weight.detach(), layer.weight.numel()
        assert weight.square().mean().item() == pytest.approx(variance, rel=4 * math.sqrt(2 / count))  # four s.e.
        assert weight.mean().item() == pytest.approx(0, abs=4 * math.sqrt(variance / count))
        # of a normal law E z^4 = 3, with a standard error of sqrt(96 / n); a uniform one has 1.8
        assert weight.pow(4).mean().item() / variance**2 == pytest.approx(3, abs=4 * math.sqrt(96 / count))


def test_it_keeps_the_size_of_gradients_through_many_layers():
    """What the variance is for: 2 / (k k outputs) undoes the halving by ReLU on the way back."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        layers = [
            layer for _ in range(12) for layer in (nn.Conv2d(32, 32, 3, padding=1, padding_mode="circular"), nn.ReLU())
        ]
        network = nn.Sequential(*layers)
        draw_he(network)
        x = torch.randn(8, 32, 6, 6, requires_grad=True)
        output = network(x)
        at_the_top = torch.randn_like(output)
    (at_the_bottom,) = torch.autograd.grad(output, x, at_the_top)
    ratio = (at_the_bottom.square().mean() / at_the_top.square().mean()).sqrt().item()
    assert 0.5 < ratio < 2  # torch's own start gives 2.4^-12 = 3e-5


def test_biases_become_zero_and_other_layers_stay():
    network, (weight, bias) = drawn()
    assert torch.equal(network[0].bias, torch.zeros(30))
    assert torch.equal(network[1].weight, torch.ones(30))
    assert torch.equal(network[4].weight, weight)
    assert torch.equal(network[4].bias, bias)


def test_the_smallest_image_passes():
    check_images((1, 16, 16), 1, where="lenet5", least=16)


@pytest.mark.parametrize("shape", [(), (16, 16), (1, 1, 16, 16), (1.0, 16, 16), "abc", 28, None])
def test_what_is_no_shape_of_images_is_refused(shape):
    with pytest.raises(ValueError, match=r"net: shape must be \(channels, height, width\), got "):
        check_images(shape, 10, where="net", least=16)


@pytest.mark.parametrize("shape", [(0, 16, 16), (1, 15, 16), (1, 16, 15)])
def test_images_that_are_too_small_are_refused(shape):
    with pytest.raises(ValueError, match=r"net: images must have a channel and sides of at least 16, got shape \("):
        check_images(shape, 10, where="net", least=16)


def test_numbers_of_outputs_that_are_none_are_refused():
    with pytest.raises(ValueError, match="net: outputs must be at least 1, got 0"):
        check_images((1, 8, 8), 0, where="net")
    with pytest.raises(TypeError, match="net: outputs must be an integer, got True"):
        check_images((1, 8, 8), True, where="net")


def test_the_memory_format_of_a_network_changes_no_output():
    images = torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        networks = [
            lenet5((3, 16, 16), 10),
            all_cnn((3, 16, 16), 10, width=8),
            wide_resnet((3, 16, 16), 10, depth=10, width=1),
        ]
    for network in networks:
        network.eval()
        weights = [p for p in network.parameters() if p.ndim == 4 and min(p.shape[1:]) > 1]
        assert weights
        assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)
        plain = copy.deepcopy(network).to(memory_format=torch.contiguous_format)
        torch.testing.assert_close(network(images), plain(images), rtol=1e-4, atol=1e-5)
