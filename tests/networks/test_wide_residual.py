import pytest
import torch
import torch.nn.functional as F

from infotorch.networks.segments import split
from infotorch.networks.wide_residual import WideBlock, wide_resnet


def images(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def tiny(**settings):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return wide_resnet((3, 8, 8), 4, depth=16, width=2, **settings).double()


def active(x):
    """ReLU of batch norm in training, at its initial scale."""
    centred = x - x.mean(dim=(0, 2, 3), keepdim=True)
    return (centred / (centred.square().mean(dim=(0, 2, 3), keepdim=True) + 1e-5).sqrt()).clamp_min(0)


def written_out(network, x):
    x = F.conv2d(x, network.conv.weight, padding=1)
    for group, stride in ((1, 1), (2, 2), (3, 2)):
        for number in (1, 2):
            block = network.get_submodule(f"block{group}_{number}")
            step = stride if number == 1 else 1
            first = active(x)
            kept = F.conv2d(first, block.shortcut.weight, stride=step) if number == 1 else x
            change = F.conv2d(first, block.conv1.weight, stride=step, padding=1)
            x = kept + F.conv2d(active(change), block.conv2.weight, padding=1)
    return active(x).mean(dim=(2, 3)) @ network.fc.weight.T + network.fc.bias


@pytest.mark.parametrize(
    ("depth", "width", "classes", "millions"),
    # Zagoruyko & Komodakis 2016, Tables 4 and 9
    [(28, 10, 10, 36.5), (40, 4, 10, 8.9), (16, 8, 10, 11.0), (22, 8, 10, 17.2), (16, 10, 10, 17.1)],
)
def test_parameters_are_those_of_the_papers_tables(depth, width, classes, millions):
    with torch.device("meta"):
        network = wide_resnet((3, 32, 32), classes, depth=depth, width=width)
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 1) == millions


def test_parameters_of_wrn_28_10_to_the_last_one():
    """Depth 28 has 4 blocks a group; widths 160, 320 and 640; by hand."""
    block = 0
    for before, after in ((16, 160), (160, 320), (320, 640)):
        block += 2 * before + 9 * before * after + 2 * after + 9 * after**2 + before * after
        block += 3 * (4 * after + 18 * after**2)
    for classes, count in ((10, 36_479_194), (100, 36_536_884)):
        assert 27 * 16 + block + 2 * 640 + 641 * classes == count
        with torch.device("meta"):
            assert sum(p.numel() for p in wide_resnet((3, 32, 32), classes).parameters()) == count


def test_it_and_its_gradient_are_those_of_the_network_written_by_hand():
    network, x = tiny(), images(6, 3, 8, 8)
    found, wanted = network(x), written_out(network, x)
    torch.testing.assert_close(found, wanted, atol=1e-10, rtol=1e-10)
    weights = [p for p in network.parameters() if p.ndim > 1]
    for a, b in zip(*(torch.autograd.grad(y.square().sum(), weights) for y in (found, wanted)), strict=True):
        torch.testing.assert_close(a, b, atol=1e-9, rtol=1e-7)


def test_a_block_without_weights_passes_its_input_on():
    block, x = WideBlock(4, 4, stride=1, dropout=0.0).double(), images(3, 4, 5, 5)
    torch.nn.init.zeros_(block.conv2.weight)
    assert torch.equal(block(x), x)


def test_dropout_falls_on_what_the_second_convolution_takes():
    block, x = WideBlock(4, 4, stride=1, dropout=0.5), torch.ones(2, 4, 6, 6)
    seen = []
    block.drop.register_forward_hook(lambda _, inputs, output: seen.append((inputs[0], output)))
    block.conv2.register_forward_hook(lambda _, inputs, output: seen.append(inputs[0]))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        block(x + torch.randn(x.shape))
    (before, after), taken = seen
    assert taken is after
    assert before.min() == 0  # behind ReLU
    assert 0.3 < float((after[before > 0] == 0).double().mean()) < 0.7  # a standard error of 0.04 at 150 entries


def test_initial_weights_are_those_of_the_authors_code():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = wide_resnet((3, 32, 32), 10, depth=10, width=4)
    weight = network.block3_1.conv2.weight
    assert weight.std().item() == pytest.approx((2 / (9 * 256)) ** 0.5, rel=0.01)  # 590,000 weights
    assert torch.equal(network.fc.bias, torch.zeros(10))
    assert network.fc.weight.abs().max() <= 256**-0.5
    assert torch.equal(network.norm.weight, torch.ones(256))


def test_it_can_be_cut_between_blocks():
    network, x = tiny().eval(), images(3, 3, 8, 8)
    hidden = x
    for part in split(network, ("block2_1", "norm")):
        hidden = part.eval()(hidden, x)
    torch.testing.assert_close(hidden, network(x), atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"depth": 27}, "wide_resnet: depth must be 6 n \\+ 4 .* such as 28, got 27"),
        ({"depth": 4}, "wide_resnet: depth must be 6 n \\+ 4 .* got 4"),
        ({"width": 0}, "wide_resnet: width must be at least 1, got 0"),
        ({"dropout": 1.0}, "wide_resnet: dropout must be at least 0 and below 1, got 1.0"),
        ({"shape": (32, 32)}, r"wide_resnet: shape must be .* got \(32, 32\)"),
        ({"outputs": 0}, "wide_resnet: outputs must be at least 1, got 0"),
    ],
)
def test_wrong_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        wide_resnet(**{"shape": (3, 32, 32), "outputs": 10, "depth": 10, "width": 1, **settings})


def test_a_depth_that_is_no_integer_is_refused():
    with pytest.raises(TypeError, match=r"wide_resnet: depth must be an integer, got 28\.0"):
        wide_resnet((3, 32, 32), 10, depth=28.0)
