"""What the published networks for images share: the check of an image's shape, and He's initial weights.

`lenet5`, `all_cnn` and `wide_resnet` keep their convolutions' weights in torch's memory format `channels_last`: values
and shapes are as ever, and a training step on a CPU takes less time; that of `vgg16` and `resnet` would not
(benchmarks/memory_format.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral

from torch import nn

from infotorch.numerics.checks import check_size, shown


def check_images(shape: Sequence[int], outputs: int, *, where: str, least: int = 1) -> None:
    """Refuse what is no shape of images, or too small a one for a network.

    Args:
        shape: (channels, height, width) of the images.
        outputs: of the network.
        where: name of the network, for the message.
        least: smallest height and width that leave something for the last layer.

    Raises:
        TypeError: outputs is not an integer.
        ValueError: no three integers, a side below `least`, no channel, or outputs below 1.

    Example:
        >>> check_images((1, 28, 28), 10, where="lenet5", least=16)
    """
    check_size(outputs, where=where, name="outputs")
    sizes = tuple(shape) if isinstance(shape, Sequence) else (shape,)
    if len(sizes) != 3 or not all(isinstance(size, Integral) and not isinstance(size, bool) for size in sizes):
        raise ValueError(f"{where}: shape must be (channels, height, width), got {shown(shape)}.")
    if sizes[0] < 1 or min(sizes[1:]) < least or max(sizes) >= 2**31:
        raise ValueError(f"{where}: images must have a channel and sides of at least {least}, got shape {sizes}.")


def draw_he(model: nn.Module) -> None:
    """Draw the weights of convolutions from N(0, 2 / (k k outputs)), k their side; their biases become 0.

    Other layers stay as they are. Draws from torch's global generator.

    Source: He, Zhang, Ren & Sun 2015, arXiv:1502.01852, eq. 14, the variance that keeps gradients.

    Example:
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> layer = nn.Conv2d(64, 32, 3)
        >>> draw_he(layer)
        >>> round(layer.weight.std().item(), 2), layer.bias.abs().max().item()  # sqrt(2 / 288) = 0.083
        (0.08, 0.0)
    """
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
