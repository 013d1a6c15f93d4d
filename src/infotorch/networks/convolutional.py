"""Plain convolutional networks: convolutions that each halve the image, then a perceptron."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import nn

from infotorch.networks.images import check_images
from infotorch.networks.layers import Activation, Norm, hidden_layer
from infotorch.networks.perceptron import mlp
from infotorch.numerics.checks import check_choice, check_size, check_widths


def convnet(
    shape: Sequence[int],
    channels: Sequence[int],
    hidden: Sequence[int],
    outputs: int,
    *,
    kernel: int = 3,
    halving: Literal["pool", "stride"] = "pool",
    head: bool = False,
    norm: Norm = "none",
    dropout: float = 0.0,
    activation: Activation = "relu",
    squash: bool = False,
) -> nn.Sequential:
    """Layers conv1, pool1, conv2, pool2, ..., flatten, fc1, fc2, ... with an activation behind all but the last.

    Every convolution, or the pooling behind it, halves both sides of the image. Cut at "flatten" to end the
    convolutional part with a grid, at "fc1" to end it with vectors.

    Args:
        shape: (channels, height, width) of the images.
        channels: of conv1, conv2, ...
        hidden: widths of the hidden linear layers.
        outputs: number of outputs of the last layer.
        kernel: side of the convolutions, odd.
        halving: "pool", 2 x 2 max pooling, which drops what is odd; or "stride", convolutions with a stride of 2 and
            no pooling layers, which round up, and take a quarter of the operations or less.
        head: see `mlp`.
        norm: of the hidden layers, see `hidden_layer`.
        dropout: of the hidden linear layers.
        activation: of the hidden layers, "relu" or "sigmoid".
        squash: see `mlp`.

    Raises:
        ValueError: images of another kind of shape or too small for the number of poolings, an even kernel, another
            halving, no convolution, or a width below 1.

    Example:
        >>> import torch
        >>> model = convnet((1, 28, 28), (8, 16), (32,), 10)
        >>> [name for name, _ in model.named_children()][:4], model(torch.zeros(2, 1, 28, 28)).shape
        (['conv1', 'conv1_relu', 'pool1', 'conv2'], torch.Size([2, 10]))
    """
    check_images(shape, outputs, where="convnet")
    if not check_widths(channels, where="convnet", name="channels"):
        raise ValueError("convnet: needs a convolution, got channels ().")
    check_size(kernel, where="convnet", name="kernel")
    if kernel % 2 == 0:
        raise ValueError(f"convnet: kernel must be odd, got {kernel}.")
    check_choice(halving, ("pool", "stride"), where="convnet", name="halving")
    stride = 2 if halving == "stride" else 1
    # Rounded down by every pooling, up by every stride.
    height, width = (side >> len(channels) if stride == 1 else -(-side >> len(channels)) for side in shape[1:])
    if min(height, width) < 1:
        raise ValueError(f"convnet: {len(channels)} poolings leave nothing of an image of {shape[1]} x {shape[2]}.")
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, (before, after) in enumerate(pairwise((shape[0], *channels)), start=1):
        convolution = nn.Conv2d(before, after, kernel, stride=stride, padding=kernel // 2)
        layers |= hidden_layer(f"conv{number}", convolution, norm=norm, dropout=0.0, activation=activation)
        if stride == 1:
            layers[f"pool{number}"] = nn.MaxPool2d(2)
    kind = {"head": head, "norm": norm, "dropout": dropout, "activation": activation, "squash": squash}
    behind = mlp(channels[-1] * height * width, hidden, outputs, **kind)
    return nn.Sequential(OrderedDict([*layers.items(), *behind.named_children()]))
