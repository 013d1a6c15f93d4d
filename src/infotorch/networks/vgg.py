"""VGG-16 for small images: thirteen 3 x 3 convolutions in five blocks, each of which ends by halving the image."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

from torch import nn

from infotorch.networks.images import check_images, draw_he
from infotorch.networks.layers import hidden_layer
from infotorch.networks.perceptron import mlp
from infotorch.numerics.checks import check_choice, check_size

#: (multiple of the width, number of convolutions) of each block: configuration D
_BLOCKS = ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))


def vgg16(
    shape: Sequence[int],
    outputs: int,
    *,
    width: int = 64,
    hidden: Sequence[int] = (),
    norm: Literal["batch", "none"] = "batch",
    dropout: float = 0.0,
) -> nn.Sequential:
    """Layers conv1_1, conv1_2, pool1, ..., conv5_3, pool5, flatten, fc1, ... with batch norm and ReLU.

    On 32 x 32 colour images and 10 classes 14,728,266 parameters; with `hidden=(512,)` 14,991,946; with
    `hidden=(512, 512), norm="none"` 15,245,130.

    Args:
        shape: (channels, height, width) of the images; sides of 32 or more.
        outputs: number of classes.
        width: channels of the first block; the others have 2, 4, 8 and 8 times as many.
        hidden: widths of linear layers before the last.
        norm: "batch" behind every convolution and hidden linear layer, or "none", as published in 2015.
        dropout: share of the outputs of a hidden linear layer set to 0 in training.

    Raises:
        TypeError: outputs or width is not an integer.
        ValueError: another shape, smaller images, a width below 1, another norm, or a dropout outside [0, 1).

    Source: Simonyan & Zisserman 2015, arXiv:1409.1556, Table 1, D, for images of 224 pixels, with two linear layers of
        4096. On 32 pixels these are usually left out or have a width of 512, and batch norm is put in (Liu & Deng
        2015); convolutions start as He's. Vasudevan 2020 does not say which of these was used.

    Example:
        >>> model = vgg16((3, 32, 32), 10, width=2)
        >>> [name for name, _ in model.named_children()][:7]
        ['conv1_1', 'conv1_1_norm', 'conv1_1_relu', 'conv1_2', 'conv1_2_norm', 'conv1_2_relu', 'pool1']
    """
    check_images(shape, outputs, where="vgg16", least=32)
    check_size(width, where="vgg16", name="width")
    check_choice(norm, ("batch", "none"), where="vgg16", name="norm")
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    before = shape[0]
    for block, (times, count) in enumerate(_BLOCKS, start=1):
        for number in range(1, count + 1):
            convolution = nn.Conv2d(before, times * width, 3, padding=1)
            layers |= hidden_layer(f"conv{block}_{number}", convolution, norm=norm, dropout=0.0)
            before = times * width
        layers[f"pool{block}"] = nn.MaxPool2d(2)
    locations = (shape[1] >> len(_BLOCKS)) * (shape[2] >> len(_BLOCKS))
    behind = mlp(before * locations, hidden, outputs, norm=norm, dropout=dropout)
    model = nn.Sequential(OrderedDict([*layers.items(), *behind.named_children()]))
    draw_he(model)
    return model
