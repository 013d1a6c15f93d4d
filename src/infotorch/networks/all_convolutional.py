"""All-CNN-C: nine convolutions and an average over locations, without pooling and without linear layers."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import nn

from infotorch.networks.images import check_images, draw_he
from infotorch.networks.layers import hidden_layer
from infotorch.numerics.checks import check_share, check_size

#: (kernel, stride, padding, multiple of the width) of conv1 to conv8
_LAYERS = (
    (3, 1, 1, 1),
    (3, 1, 1, 1),
    (3, 2, 1, 1),
    (3, 1, 1, 2),
    (3, 1, 1, 2),
    (3, 2, 1, 2),
    (3, 1, 0, 2),  # the paper's average is over 6 x 6 locations, which 8 x 8 are without a margin
    (1, 1, 0, 2),
)


def all_cnn(
    shape: Sequence[int],
    outputs: int,
    *,
    width: int = 96,
    dropout: float = 0.5,
    input_dropout: float = 0.2,
) -> nn.Sequential:
    """Layers conv1 to conv9, each with ReLU, pool (mean over locations), flatten; 1,369,738 parameters for 10 classes.

    Args:
        shape: (channels, height, width) of the images; sides of 9 or more.
        outputs: number of classes.
        width: channels of conv1 to conv3; the others have twice as many.
        dropout: share of the outputs of conv3 and conv6, which halve the image, set to 0 in training.
        input_dropout: share of the pixels set to 0 in training.

    Raises:
        TypeError: outputs or width is not an integer.
        ValueError: another shape, smaller images, a width below 1, or a dropout outside [0, 1).

    Source: Springenberg, Dosovitskiy, Brox & Riedmiller 2015, arXiv:1412.6806, Table 1, model C, with the strided
        convolutions of Table 2. They do not say how weights start; ours are He's, biases of 0: with torch's own the
        signal shrinks by a factor of 2.4 a layer. Vasudevan 2020 trains it with `input_dropout=0.0`.

    Example:
        >>> sum(parameter.numel() for parameter in all_cnn((3, 32, 32), 10).parameters())
        1369738
    """
    check_images(shape, outputs, where="all_cnn", least=9)
    check_size(width, where="all_cnn", name="width")
    for name, share in (("dropout", dropout), ("input_dropout", input_dropout)):
        check_share(share, where="all_cnn", name=name)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    if input_dropout:
        layers["input_drop"] = nn.Dropout(input_dropout)
    before = shape[0]
    for number, (kernel, stride, padding, times) in enumerate(_LAYERS, start=1):
        convolution = nn.Conv2d(before, times * width, kernel, stride=stride, padding=padding)
        layers |= hidden_layer(f"conv{number}", convolution, norm="none", dropout=0.0)
        if stride == 2 and dropout:
            layers[f"conv{number}_drop"] = nn.Dropout(dropout)
        before = times * width
    layers |= hidden_layer("conv9", nn.Conv2d(before, outputs, 1), norm="none", dropout=0.0)
    layers |= {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}
    model = nn.Sequential(layers)
    draw_he(model)
    return model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
