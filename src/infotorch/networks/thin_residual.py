"""Residual networks of few channels and many layers for small images, such as ResNet-110."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.networks.images import check_images, draw_he
from infotorch.numerics.checks import check_depth, check_size

#: Channels of the three groups, as shares of the width.
_GROUPS = (1, 2, 4)


class ThinBlock(nn.Module):
    """relu(short(x) + norm2(conv2(relu(norm1(conv1(x)))))) of 3 x 3 convolutions, without weights on the short way.

    Where shapes differ, the short way takes every other row and column, and zeros for the further channels.

    Args:
        inputs: channels of x.
        outputs: channels of what comes out.
        stride: of conv1 and of the short way.

    Example:
        >>> import torch
        >>> ThinBlock(4, 8, stride=2)(torch.zeros(2, 4, 6, 6)).shape
        torch.Size([2, 8, 3, 3])
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.stride, self.further = stride, outputs - inputs

    def forward(self, x: Tensor) -> Tensor:
        """Images (b, inputs, h, w) -> (b, outputs, h / stride, w / stride)."""
        change = self.norm2(self.conv2(self.norm1(self.conv1(x)).relu()))
        short = x[:, :, :: self.stride, :: self.stride]
        before = self.further // 2
        return (change + F.pad(short, (0, 0, 0, 0, before, self.further - before))).relu()


def thin_resnet(shape: Sequence[int], outputs: int, *, depth: int = 110, width: int = 16) -> nn.Sequential:
    """Layers conv, norm, relu, block1_1, ..., block3_18, pool, flatten, fc.

    The default is ResNet-110, with 1,727,962 parameters for 10 classes of colour images.

    Args:
        shape: (channels, height, width) of the images.
        outputs: number of classes.
        depth: 6 n + 2, with n blocks of two convolutions in each of the three groups.
        width: channels of the first group; the others have 2 and 4 times as many.

    Raises:
        TypeError: outputs, depth or width is not an integer.
        ValueError: another shape, a depth that is not 6 n + 2, or a width below 1.

    Source: He, Zhang, Ren & Sun 2016, arXiv:1512.03385, Sec. 4.2, with identity shortcuts in all cases (option A).
        Convolutions start as He's, norms as 1 and 0, the linear layer as torch's.

    Example:
        >>> [name for name, _ in thin_resnet((3, 32, 32), 10, depth=8, width=4).named_children()]
        ['conv', 'norm', 'relu', 'block1_1', 'block2_1', 'block3_1', 'pool', 'flatten', 'fc']
    """
    check_images(shape, outputs, where="thin_resnet")
    check_depth(depth, where="thin_resnet", name="depth")
    check_size(width, where="thin_resnet", name="width")
    if depth < 8 or depth % 6 != 2:
        raise ValueError(f"thin_resnet: depth must be 6 n + 2 with n blocks a group, such as 110, got {depth}.")
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(shape[0], width, 3, padding=1, bias=False), norm=nn.BatchNorm2d(width), relu=nn.ReLU()
    )
    before = width
    for group, times in enumerate(_GROUPS, start=1):
        for number in range(1, (depth - 2) // 6 + 1):
            stride = 2 if number == 1 and group > 1 else 1
            layers[f"block{group}_{number}"] = ThinBlock(before, times * width, stride=stride)
            before = times * width
    layers |= {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "fc": nn.Linear(before, outputs)}
    model = nn.Sequential(layers)
    draw_he(model)
    return model
