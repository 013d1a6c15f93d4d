import pytest
import torch
import torch.nn.functional as F
from torch import nn

from infotorch.networks.convolutional import convnet
from infotorch.networks.perceptron import fold_head


def images(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("sides", [(8, 8), (9, 7), (4, 11)])
def test_it_is_convolutions_with_pooling_and_linear_layers_written_by_hand(sides, kernel):
    network, x = convnet((3, *sides), (4, 5), (6,), 2, kernel=kernel).double(), images(7, 3, *sides)
    hidden = x
    for layer in (network.conv1, network.conv2):
        hidden = F.max_pool2d(F.conv2d(hidden, layer.weight, layer.bias, padding=kernel // 2).relu(), 2)
    assert hidden.shape[2:] == (sides[0] // 4, sides[1] // 4)  # what is odd loses its last row or column
    wanted = network.fc2(network.fc1(hidden.flatten(1)).relu())
    torch.testing.assert_close(network(x), wanted, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("kernel", [1, 3, 5])
@pytest.mark.parametrize("sides", [(8, 8), (9, 7), (1, 11), (5, 6)])
def test_with_a_stride_it_is_strided_convolutions_without_pooling(sides, kernel):
    network, x = convnet((3, *sides), (4, 5), (6,), 2, kernel=kernel, halving="stride").double(), images(7, 3, *sides)
    hidden = x
    for layer in (network.conv1, network.conv2):
        hidden = F.conv2d(hidden, layer.weight, layer.bias, padding=kernel // 2)[:, :, ::2, ::2].relu()
    wanted = network.fc2(network.fc1(hidden.flatten(1)).relu())
    torch.testing.assert_close(network(x), wanted, atol=1e-12, rtol=1e-12)
    assert not any(name.startswith("pool") for name, _ in network.named_children())


@pytest.mark.parametrize(
    ("norm", "names"),
    [
        ("none", "conv1 conv1_relu pool1 conv2 conv2_relu pool2 flatten fc1 fc1_relu fc1_drop fc2 head"),
        (
            "batch",
            "conv1 conv1_norm conv1_relu pool1 conv2 conv2_norm conv2_relu pool2 "
            "flatten fc1 fc1_norm fc1_relu fc1_drop fc2 head",
        ),
        (
            "length",
            "conv1_length conv1 conv1_relu pool1 conv2_length conv2 conv2_relu pool2 "
            "flatten fc1_length fc1 fc1_relu fc1_drop fc2 head",
        ),
    ],
)
def test_names_and_dropout_behind_linear_layers_alone(norm, names):
    network = convnet((1, 8, 8), (2, 2), (3,), 2, head=True, norm=norm, dropout=0.3)
    assert [name for name, _ in network.named_children()] == names.split()
    assert [type(layer) for layer in network if type(layer).__name__.startswith("Drop")] == [nn.Dropout]


def test_parameters_are_those_of_the_papers_network():
    count = sum(p.numel() for p in convnet((1, 28, 28), (16, 32), (128,), 10, kernel=5).parameters())
    assert count == (25 + 1) * 16 + (25 * 16 + 1) * 32 + (32 * 7 * 7 + 1) * 128 + (128 + 1) * 10


def test_no_hidden_layer_at_all_is_a_linear_layer_behind_the_grid():
    network = convnet((1, 4, 4), (2,), (), 3)
    assert [name for name, _ in network.named_children()] == ["conv1", "conv1_relu", "pool1", "flatten", "fc1"]
    assert network(torch.zeros(5, 1, 4, 4)).shape == (5, 3)


def test_the_head_folds_into_the_last_layer():
    network, x = convnet((1, 6, 6), (2,), (4,), 3, head=True).double(), images(5, 1, 6, 6)
    torch.testing.assert_close(fold_head(network)(x), network(x), atol=1e-13, rtol=1e-12)


def test_the_smallest_image_that_two_poolings_leave_something_of():
    assert convnet((1, 4, 4), (2, 2), (), 3)(torch.zeros(2, 1, 4, 4)).shape == (2, 3)
    for sides in ((3, 4), (4, 3), (28, 3)):
        message = f"2 poolings leave nothing of an image of {sides[0]} x {sides[1]}"
        with pytest.raises(ValueError, match=message):
            convnet((1, *sides), (2, 2), (), 3)


@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (((784,), (4,), (3,), 2), {}, r"shape must be \(channels, height, width\), got \(784,\)"),
        (((1, 8, 8), (), (3,), 2), {}, r"needs a convolution, got channels \(\)"),
        (((1, 8, 8), (4,), (3,), 2), {"kernel": 4}, "kernel must be odd, got 4"),
        (((1, 8, 8), (4,), (3,), 2), {"kernel": -1}, "kernel must be at least 1, got -1"),
        (((1, 8, 8), (4,), (3,), 2), {"halving": "crop"}, "halving must be one of pool, stride, got 'crop'"),
        (((1, 8, 8), (4, 0), (3,), 2), {}, "every width of channels must be at least 1, got 0"),
        (((1, 8, 8), (4,), (0,), 2), {}, "every width of hidden must be at least 1"),
        (((1, 8, 8), (4,), (3,), 2), {"norm": "group"}, "norm must be one of none, batch, length, got 'group'"),
        (((1, 8, 8), (4,), (3,), 2), {"dropout": 1.5}, "dropout must be at least 0 and below 1, got 1.5"),
    ],
)
def test_wrong_settings_are_refused(arguments, settings, message):
    with pytest.raises(ValueError, match=message):
        convnet(*arguments, **settings)
