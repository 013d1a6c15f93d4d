"""Wide residual networks for small images: few layers of many channels, normalised and rectified before convolving."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from infotorch.networks.images import check_images, draw_he
from infotorch.numerics.checks import check_depth, check_share, check_size

_STEM = 16
#: (multiple of the width, stride of the first block) of each group
_GROUPS = ((16, 1), (32, 2), (64, 2))


class WideBlock(nn.Module):
    """x + conv2(drop(relu(norm2(conv1(a))))) with a = relu(norm1(x)); the first x is shortcut(a) where shapes differ.

    Args:
        inputs: channels of x.
        outputs: channels of what comes out.
        stride: of conv1 and the shortcut.
        dropout: share of what conv2 takes that is set to 0 in training.

    Example:
        >>> import torch
        >>> WideBlock(4, 8, stride=2, dropout=0.0)(torch.zeros(2, 4, 6, 6)).shape
        torch.Size([2, 8, 3, 3])
    """

    def __init__(self, inputs: int, outputs: int, *, stride: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.drop = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        same = inputs == outputs and stride == 1
        self.shortcut = None if same else nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Images (b, inputs, h, w) -> (b, outputs, h / stride, w / stride)."""
        active = self.norm1(x).relu()
        change = self.conv2(self.drop(self.norm2(self.conv1(active)).relu()))
        return change + (x if self.shortcut is None else self.shortcut(active))


def wide_resnet(
    shape: Sequence[int], outputs: int, *, depth: int = 28, width: int = 10, dropout: float = 0.0
) -> nn.Sequential:
    """Layers conv, block1_1, ..., block3_4, norm, relu, pool, flatten, fc.

    WRN-28-10 has 36,479,194 parameters for 10 classes of colour images, 36,536,884 for 100.

    Args:
        shape: (channels, height, width) of the images.
        outputs: number of classes.
        depth: 6 n + 4, with n blocks of two convolutions in each of the three groups.
        width: factor of the channels 16, 32 and 64 of the groups.
        dropout: inside the blocks; the paper has 0 and 0.3.

    Raises:
        TypeError: outputs, depth or width is not an integer.
        ValueError: another shape, a depth that is not 6 n + 4, a width below 1, or a dropout outside [0, 1).

    Source: Zagoruyko & Komodakis 2016, arXiv:1605.07146, Table 1, and the authors' code: convolutions start as He's,
        the linear layer as torch's with biases of 0.

    Example:
        >>> [name for name, _ in wide_resnet((3, 32, 32), 10, depth=10, width=1).named_children()]
        ['conv', 'block1_1', 'block2_1', 'block3_1', 'norm', 'relu', 'pool', 'flatten', 'fc']
    """
    check_images(shape, outputs, where="wide_resnet")
    check_depth(depth, where="wide_resnet", name="depth")
    check_size(width, where="wide_resnet", name="width")
    if depth < 10 or depth % 6 != 4:
        raise ValueError(f"wide_resnet: depth must be 6 n + 4 with n blocks a group, such as 28, got {depth}.")
    check_share(dropout, where="wide_resnet", name="dropout")
    layers: OrderedDict[str, nn.Module] = OrderedDict(conv=nn.Conv2d(shape[0], _STEM, 3, padding=1, bias=False))
    before = _STEM
    for group, (channels, stride) in enumerate(_GROUPS, start=1):
        for number in range(1, (depth - 4) // 6 + 1):
            after = channels * width
            layers[f"block{group}_{number}"] = WideBlock(
                before, after, stride=stride if number == 1 else 1, dropout=dropout
            )
            before = after
    layers |= {"norm": nn.BatchNorm2d(before), "relu": nn.ReLU(), "pool": nn.AdaptiveAvgPool2d(1)}
    layers |= {"flatten": nn.Flatten(), "fc": nn.Linear(before, outputs)}
    model = nn.Sequential(layers)
    draw_he(model)
    nn.init.zeros_(model.get_submodule("fc").bias)  # pyright: ignore[reportArgumentType]
    return model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
