"""Residual networks of bottleneck blocks for large images, such as ResNet-50."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from torch import Tensor, nn

from infotorch.networks.images import check_images, draw_he
from infotorch.numerics.checks import check_depth, check_size, shown

_EXPANSION = 4


class Bottleneck(nn.Module):
    """relu(x + norm3(conv3(relu(norm2(conv2(relu(norm1(conv1(x)))))))): 1 x 1, 3 x 3 and 1 x 1 convolutions.

    Where shapes differ, x goes through a 1 x 1 convolution and a norm ("shortcut").

    Args:
        inputs: channels of x.
        width: channels of conv1 and conv2; what comes out has four times as many.
        stride: of conv2 and the shortcut.

    Example:
        >>> import torch
        >>> Bottleneck(4, 2, stride=2)(torch.zeros(2, 4, 6, 6)).shape
        torch.Size([2, 8, 3, 3])
    """

    def __init__(self, inputs: int, width: int, *, stride: int) -> None:
        super().__init__()
        outputs = _EXPANSION * width
        self.conv1 = nn.Conv2d(inputs, width, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, outputs, 1, bias=False)
        self.norm3 = nn.BatchNorm2d(outputs)
        self.shortcut: nn.Sequential | None = None
        if inputs != outputs or stride != 1:
            convolution = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)
            self.shortcut = nn.Sequential(convolution, nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        """Images (b, inputs, h, w) -> (b, 4 width, h / stride, w / stride)."""
        hidden = self.norm1(self.conv1(x)).relu()
        hidden = self.norm2(self.conv2(hidden)).relu()
        change = self.norm3(self.conv3(hidden))
        return (change + (x if self.shortcut is None else self.shortcut(x))).relu()


def resnet(
    shape: Sequence[int], outputs: int, *, blocks: Sequence[int] = (3, 4, 6, 3), width: int = 64
) -> nn.Sequential:
    """Layers conv, norm, relu, pool1, block1_1, ..., block4_3, pool, flatten, fc.

    The default is ResNet-50, with 25,557,032 parameters for 1000 classes of colour images.

    Args:
        shape: (channels, height, width) of the images.
        outputs: number of classes.
        blocks: number of blocks of every group; (3, 4, 23, 3) is ResNet-101.
        width: channels of the first convolution; the blocks of group g have width 2^(g-1) times as many, and give out
            four times those.

    Raises:
        TypeError: outputs, width or a number of blocks is not an integer.
        ValueError: another shape, no group, or a number below 1.

    Source: He, Zhang, Ren & Sun 2016, arXiv:1512.03385, Table 1, in the variant called v1.5, as is usual: the stride is
        in the 3 x 3 convolution and not in the 1 x 1 before it. Convolutions start as He's, norms as 1 and 0, the
        linear layer as torch's.

    Example:
        >>> [name for name, _ in resnet((3, 64, 64), 10, blocks=(1, 2), width=4).named_children()]
        ['conv', 'norm', 'relu', 'pool1', 'block1_1', 'block2_1', 'block2_2', 'pool', 'flatten', 'fc']
    """
    check_images(shape, outputs, where="resnet")
    check_size(width, where="resnet", name="width")
    if not isinstance(blocks, Sequence) or len(blocks) == 0:
        raise ValueError(f"resnet: blocks must name the number of blocks of one group at least, got {shown(blocks)}.")
    for count in blocks:
        check_depth(count, where="resnet", name="every one of blocks")
    layers: OrderedDict[str, nn.Module] = OrderedDict(
        conv=nn.Conv2d(shape[0], width, 7, stride=2, padding=3, bias=False),
        norm=nn.BatchNorm2d(width),
        relu=nn.ReLU(),
        pool1=nn.MaxPool2d(3, stride=2, padding=1),
    )
    before = width
    for group, count in enumerate(blocks, start=1):
        of_group = width << (group - 1)
        for number in range(1, count + 1):
            stride = 2 if number == 1 and group > 1 else 1
            layers[f"block{group}_{number}"] = Bottleneck(before, of_group, stride=stride)
            before = _EXPANSION * of_group
    layers |= {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten(), "fc": nn.Linear(before, outputs)}
    model = nn.Sequential(layers)
    draw_he(model)
    return model
