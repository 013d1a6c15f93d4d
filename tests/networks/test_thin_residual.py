"""Thin residual networks: layers and parameters as published, the short way by hand, what is refused."""

import pytest
import torch
import torch.nn.functional as F

from infotorch.networks.thin_residual import ThinBlock, thin_resnet


def weights(depth, width, classes):
    """Parameters by the paper's table: convolutions without biases, two numbers a normalised channel."""
    n = (depth - 2) // 6
    found = 9 * 3 * width + 2 * width
    before = width
    for times in (1, 2, 4):
        after = times * width
        found += 9 * before * after + 9 * after * after * (2 * n - 1) + 2 * after * 2 * n
        before = after
    return found + before * classes + classes


@pytest.mark.parametrize("depth", [20, 110])
def test_parameters_are_as_published(depth):
    network = thin_resnet((3, 32, 32), 10, depth=depth)
    assert sum(p.numel() for p in network.parameters()) == weights(depth, 16, 10)
    assert round(weights(depth, 16, 10), -4) == {20: 270_000, 110: 1_730_000}[depth]  # 0.27 M and 1.7 M in the paper


def test_layers_with_weights_are_as_many_as_the_name_says():
    network = thin_resnet((3, 32, 32), 10)
    assert sum(isinstance(layer, torch.nn.Conv2d | torch.nn.Linear) for layer in network.modules()) == 110
    sizes = [tuple(network[:last](torch.zeros(1, 3, 32, 32)).shape[1:]) for last in (3, 21, 39, 57)]
    assert sizes == [(16, 32, 32), (16, 32, 32), (32, 16, 16), (64, 8, 8)]


def test_a_block_that_changes_nothing_hands_on_what_it_takes():
    block = ThinBlock(2, 6, stride=2).eval()
    torch.nn.init.zeros_(block.conv2.weight)
    x = torch.rand(3, 2, 4, 4, generator=torch.Generator().manual_seed(0))
    zeros = torch.zeros(3, 2, 2, 2)
    assert torch.equal(block(x), torch.cat([zeros, x[:, :, ::2, ::2], zeros], dim=1))


def test_a_block_is_its_formula():
    torch.manual_seed(0)
    block = ThinBlock(3, 3, stride=1).double()
    x = torch.rand(4, 3, 5, 5, dtype=torch.float64)

    def normalised(maps):
        deviation = maps.var(dim=(0, 2, 3), unbiased=False, keepdim=True) + 1e-5
        return (maps - maps.mean(dim=(0, 2, 3), keepdim=True)) / deviation.sqrt()

    hidden = normalised(F.conv2d(x, block.conv1.weight, padding=1)).clamp(min=0)
    wanted = (x + normalised(F.conv2d(hidden, block.conv2.weight, padding=1))).clamp(min=0)
    torch.testing.assert_close(block(x), wanted)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"depth": 111}, ValueError, r"thin_resnet: depth must be 6 n \+ 2 .* such as 110, got 111"),
        ({"depth": 2}, ValueError, r"thin_resnet: depth must be 6 n \+ 2 .* got 2"),
        ({"depth": 8.0}, TypeError, r"thin_resnet: depth must be an integer, got 8\.0"),
        ({"width": 0}, ValueError, "thin_resnet: width must be at least 1, got 0"),
        ({"shape": (32, 32)}, ValueError, r"thin_resnet: shape must be .* got \(32, 32\)"),
        ({"outputs": 0}, ValueError, "thin_resnet: outputs must be at least 1, got 0"),
    ],
)
def test_refused(settings, error, message):
    with pytest.raises(error, match=message):
        thin_resnet(**{"shape": (3, 32, 32), "outputs": 10, "depth": 8, "width": 1, **settings})
