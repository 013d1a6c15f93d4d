"""A network in the manner of LeNet-5: two convolutions with pooling, two linear layers with dropout between them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from infotorch.networks.images import check_images
from infotorch.networks.perceptron import mlp
from infotorch.numerics.checks import check_size, check_widths

_KERNEL = 5


def lenet5(
    shape: Sequence[int],
    outputs: int,
    *,
    channels: tuple[int, int] = (20, 50),
    hidden: int = 500,
    dropout: float = 0.5,
) -> nn.Sequential:
    """Layers conv1, pool1, conv2, pool2, flatten, fc1, fc2 with ReLU behind both poolings and fc1; 431,080 parameters.

    Convolutions are 5 x 5 without padding, poolings take the maximum of 2 x 2. Weights are torch's own.

    Args:
        shape: (channels, height, width) of the images; sides of 16 or more.
        outputs: number of classes.
        channels: of the two convolutions.
        hidden: width of fc1.
        dropout: share of fc1's outputs set to 0 in training.

    Raises:
        TypeError: outputs or a channel is not an integer.
        ValueError: another shape, smaller images, a width below 1, or a dropout outside [0, 1).

    Source: Vasudevan 2020, Entropy 22(5):560, Sec. 3: "two sets of convolution and pooling blocks followed by 2 fully
        connected layers separated by a Dropout layer", after LeCun et al. 1998. Widths, kernels and the share of
        dropout are not in its text; ours are those of Caffe's LeNet, the "LeNet-5" of 431 thousand parameters, with
        ReLU behind the convolutions too, and one half.

    Example:
        >>> sum(parameter.numel() for parameter in lenet5((1, 28, 28), 10).parameters())
        431080
    """
    check_images(shape, outputs, where="lenet5", least=16)
    if len(check_widths(channels, where="lenet5", name="channels")) != 2:
        raise ValueError(f"lenet5: channels must be two widths, got {channels}.")
    check_size(hidden, where="lenet5", name="hidden")
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for number, (before, after) in enumerate(pairwise((shape[0], *channels)), start=1):
        layers[f"conv{number}"] = nn.Conv2d(before, after, _KERNEL)
        layers[f"pool{number}"] = nn.MaxPool2d(2)
        # A maximum and ReLU may change places; behind it ReLU has a quarter of the work.
        layers[f"conv{number}_relu"] = nn.ReLU()
    height, width = (((side - 4) // 2 - 4) // 2 for side in shape[1:])
    behind = mlp(channels[-1] * height * width, (hidden,), outputs, dropout=dropout)
    model = nn.Sequential(OrderedDict([*layers.items(), *behind.named_children()]))
    return model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
