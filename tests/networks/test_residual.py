import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from infotorch.networks.residual import Bottleneck, resnet
from infotorch.networks.segments import split


def images(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def tiny():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return resnet((3, 32, 32), 4, blocks=(1, 2), width=3).double()


def norm(x):
    """Batch norm in training, at its initial scale."""
    centred = x - x.mean(dim=(0, 2, 3), keepdim=True)
    return centred / (centred.square().mean(dim=(0, 2, 3), keepdim=True) + 1e-5).sqrt()


def written_out(network, x):
    x = F.max_pool2d(norm(F.conv2d(x, network.conv.weight, stride=2, padding=3)).clamp_min(0), 3, 2, padding=1)
    for name, stride in (("block1_1", 1), ("block2_1", 2), ("block2_2", 1)):
        block = network.get_submodule(name)
        hidden = norm(F.conv2d(x, block.conv1.weight)).clamp_min(0)
        hidden = norm(F.conv2d(hidden, block.conv2.weight, stride=stride, padding=1)).clamp_min(0)
        hidden = norm(F.conv2d(hidden, block.conv3.weight))
        if name != "block2_2":  # the first of a group changes the number of channels
            x = norm(F.conv2d(x, block.shortcut[0].weight, stride=stride))
        x = (x + hidden).clamp_min(0)
    return x.mean(dim=(2, 3)) @ network.fc.weight.T + network.fc.bias


@pytest.mark.parametrize(
    ("blocks", "count"), [((3, 4, 6, 3), 25_557_032), ((3, 4, 23, 3), 44_549_160), ((3, 8, 36, 3), 60_192_808)]
)
def test_parameters_of_resnet_50_101_and_152(blocks, count):
    with torch.device("meta"):
        assert sum(p.numel() for p in resnet((3, 224, 224), 1000, blocks=blocks).parameters()) == count


def test_resnet_50_takes_the_published_operations():
    """He et al. 2016, Table 1: 3.8 billion for v1; the stride in the 3 x 3 convolutions makes it 4.1."""
    with torch.device("meta"):
        network, x = resnet((3, 224, 224), 1000), torch.empty(1, 3, 224, 224)
        with FlopCounterMode(display=False) as counter:
            network.eval()(x)
    assert round(counter.get_total_flops() / 2 / 1e9, 1) == 4.1


def test_it_and_its_gradient_are_those_of_the_network_written_by_hand():
    network, x = tiny(), images(6, 3, 32, 32)
    found, wanted = network(x), written_out(network, x)
    torch.testing.assert_close(found, wanted, atol=1e-10, rtol=1e-10)
    weights = [p for p in network.parameters() if p.ndim > 1]
    for a, b in zip(*(torch.autograd.grad(y.square().sum(), weights) for y in (found, wanted)), strict=True):
        torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-7)


def test_a_block_without_weights_rectifies_its_input():
    block, x = Bottleneck(8, 2, stride=1).double().eval(), images(3, 8, 5, 5)
    torch.nn.init.zeros_(block.norm3.weight)
    assert torch.equal(block(x), x.clamp_min(0))


def test_initial_weights():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = resnet((3, 32, 32), 10, blocks=(1, 1), width=32)
    weight = network.block2_1.conv2.weight
    assert weight.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.02)  # 37,000 weights
    assert torch.equal(network.block2_1.norm3.weight, torch.ones(256))
    assert network.conv.bias is None


def test_it_can_be_cut_between_blocks():
    network, x = tiny().eval(), images(3, 3, 32, 32)
    hidden = x
    for part in split(network, ("block1_1", "block2_2", "fc")):
        hidden = part.eval()(hidden, x)
    torch.testing.assert_close(hidden, network(x), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"blocks": ()}, r"resnet: blocks must name the number of blocks of one group at least, got \(\)"),
        ({"blocks": (1, 0)}, "resnet: every one of blocks must be at least 1, got 0"),
        ({"width": 0}, "resnet: width must be at least 1, got 0"),
        ({"shape": (3, 32)}, r"resnet: shape must be .* got \(3, 32\)"),
        ({"outputs": 0}, "resnet: outputs must be at least 1, got 0"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        resnet(**{"shape": (3, 32, 32), "outputs": 10, **settings})


def test_a_width_that_is_no_integer_is_refused():
    with pytest.raises(TypeError, match=r"resnet: width must be an integer, got 0\.5"):
        resnet((3, 32, 32), 10, width=0.5)
