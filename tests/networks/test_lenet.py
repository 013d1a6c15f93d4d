import pytest
import torch
import torch.nn.functional as F
from torch import nn

from infotorch.networks.lenet import lenet5


def images(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def written_out(network, x, keep=None):
    """The same network from its weights alone; `keep` is the mask of dropout."""
    hidden = x
    for layer in (network.conv1, network.conv2):
        hidden = F.max_pool2d(F.conv2d(hidden, layer.weight, layer.bias).clamp_min(0), 2)
    hidden = (hidden.flatten(1) @ network.fc1.weight.T + network.fc1.bias).clamp_min(0)
    hidden = hidden if keep is None else hidden * keep
    return hidden @ network.fc2.weight.T + network.fc2.bias


def test_parameters_are_those_of_caffes_lenet():
    """Counted by layer, and the 431 thousand of the literature (Han et al. 2015, Table 1)."""
    counts = [sum(p.numel() for p in layer.parameters()) for layer in lenet5((1, 28, 28), 10)]
    assert [count for count in counts if count] == [520, 25_050, 400_500, 5_010]
    assert sum(counts) == 431_080


@pytest.mark.parametrize("sides", [(16, 16), (28, 28), (17, 23)])
def test_it_is_two_convolutions_with_pooling_and_two_linear_layers_written_by_hand(sides):
    network, x = lenet5((2, *sides), 3, channels=(4, 5), hidden=6).double().eval(), images(7, 2, *sides)
    torch.testing.assert_close(network(x), written_out(network, x), atol=1e-12, rtol=1e-12)


def test_its_gradient_is_that_of_the_written_network_with_the_same_dropout():
    network, x = lenet5((1, 16, 16), 3, channels=(4, 5), hidden=6).double(), images(7, 1, 16, 16)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        keep = F.dropout(torch.ones(7, 6, dtype=torch.float64), 0.5)
        torch.manual_seed(3)
        ours = torch.autograd.grad(network(x).square().sum(), list(network.parameters()))
    theirs = torch.autograd.grad(written_out(network, x, keep).square().sum(), list(network.parameters()))
    assert 0 < int((keep == 0).sum()) < keep.numel()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, atol=1e-11, rtol=1e-9)


def test_dropout_stands_between_the_two_linear_layers_alone():
    names = "conv1 pool1 conv1_relu conv2 pool2 conv2_relu flatten fc1 fc1_relu fc1_drop fc2"
    network = lenet5((1, 28, 28), 10)
    assert [name for name, _ in network.named_children()] == names.split()
    assert network.fc1_drop.p == 0.5
    assert not any(isinstance(layer, nn.Dropout) for layer in lenet5((1, 28, 28), 10, dropout=0.0))


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (((1, 15, 28), 10), {}, r"lenet5: images must have .* sides of at least 16, got shape \(1, 15, 28\)"),
        (((1, 28, 15), 10), {}, "sides of at least 16"),
        (((784,), 10), {}, r"lenet5: shape must be \(channels, height, width\)"),
        (((1, 28, 28), 0), {}, "lenet5: outputs must be at least 1, got 0"),
        (((1, 28, 28), 10), {"channels": (4,)}, r"lenet5: channels must be two widths, got \(4,\)"),
        (((1, 28, 28), 10), {"channels": (4, 0)}, "lenet5: every width of channels must be at least 1, got 0"),
        (((1, 28, 28), 10), {"hidden": 0}, "lenet5: hidden must be at least 1"),
        (((1, 28, 28), 10), {"dropout": 1.0}, "dropout must be at least 0 and below 1, got 1.0"),
    ],
)
def test_wrong_settings_are_refused(arguments, settings, message):
    with pytest.raises(ValueError, match=message):
        lenet5(*arguments, **settings)


def test_a_number_of_outputs_that_is_no_integer_is_refused():
    with pytest.raises(TypeError, match=r"lenet5: outputs must be an integer, got 10\.0"):
        lenet5((1, 28, 28), 10.0)
