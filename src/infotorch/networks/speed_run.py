"""The network of the CIFAR-10 speed run: a whitening stem and three blocks of two convolutions."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.networks.images import check_images
from infotorch.networks.recomputed import Recomputed
from infotorch.numerics.checks import check_widths, shown
from infotorch.numerics.kinds import check_kind

#: Side of the patches that the stem whitens.
_PATCH = 2
#: Least of an eigenvalue of their covariance, by which a direction is divided (paper, Sec. 3.2).
_LEAST_VARIANCE = 5e-4
#: Images whose patches are looked at together: 500 of 32 pixels make 23 MB of patches.
_IMAGES = 500
#: Smallest images: three poolings and the last one, of 3 x 3, leave one location.
_LEAST_SIDE = 25


class ShiftedNorm(nn.BatchNorm2d):
    """Batch norm that adds 8 b in place of a scale and a shift: gradient descent moves the shift 64 times as fast.

    Source: Jordan 2024, arXiv:2404.00498, Sec. 3.1, which multiplies the rate of these biases by 64 instead; steps of
        SGD with momentum and decay are the same.

    Example:
        >>> norm = ShiftedNorm(1)
        >>> norm(torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1)).flatten().tolist()
        [-1.0, 1.0]
    """

    strength = 8.0

    def __init__(self, channels: int) -> None:
        super().__init__(channels, eps=1e-12, momentum=0.4, affine=False)
        self.shift = nn.Parameter(torch.zeros(channels))

    def reset_parameters(self) -> None:
        """As it was made: an auxiliary network of the layers that follow starts so."""
        super().reset_parameters()
        if hasattr(self, "shift"):  # torch's own construction calls this before there is one
            nn.init.zeros_(self.shift)

    def forward(self, input: Tensor) -> Tensor:
        """Images (b, channels, h, w), of the same shape."""
        average = self.momentum
        if self.training:
            assert self.num_batches_tracked is not None
            self.num_batches_tracked.add_(1)
            average = 1 / int(self.num_batches_tracked) if average is None else average
        shift = self.strength * self.shift
        return F.batch_norm(
            input, self.running_mean, self.running_var, None, shift, self.training, average or 0.0, self.eps
        )


class Scale(nn.Module):
    """The input times a number.

    Example:
        >>> Scale(0.5)(torch.tensor([4.0]))
        tensor([2.])
    """

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Of the same shape."""
        return self.factor * x

    def extra_repr(self) -> str:
        """The number."""
        return f"{self.factor:g}"


def airbench94(
    shape: Sequence[int],
    outputs: int,
    *,
    channels: Sequence[int] = (64, 256, 256),
    images: Tensor | None = None,
    recompute: bool = False,
    every_location: bool = False,
) -> nn.Sequential:
    """Layers stem, conv1_1, pool1, conv1_2, ..., conv3_2, pool, flatten, fc, scale: 1,971,640 weights for CIFAR-10.

    The stem is a 2 x 2 convolution that whitens patches, whose weights do not train and whose bias does. Each block has
    a 3 x 3 convolution, 2 x 2 max pooling, batch norm and GELU, then a convolution, batch norm and GELU; convolutions
    have no bias, and their first filters pass on their inputs. A 3 x 3 max pooling, a linear layer without a bias, and
    a factor of 1/9 follow.

    Args:
        shape: (channels, height, width) of the images; sides of 25 or more.
        outputs: number of classes.
        channels: of each block; fewer or more than three blocks are not the published network.
        images: training images, (n, channels, height, width), scaled as the network will see them; the stem whitens
            their patches. None leaves the stem as torch draws it.
        recompute: keep of every block its input alone, and run it again for the backward pass: a third more time, and
            less memory. The layers of block 1 then are `block1.conv1_1` and so on.
        every_location: the linear layer reads the last 3 x 3 locations and not their largest values; `pool` then does
            nothing. For features that no label has shaped.

    Raises:
        TypeError: outputs or a number of channels is not an integer, or images no tensor of real numbers.
        ValueError: another shape, smaller images, channels below 1, or images of another shape, too few or not finite.

    Source: Jordan 2024, arXiv:2404.00498, Sec. 3 and Appendix: the network of 94 %, written from its text.

    Example:
        >>> model = airbench94((3, 32, 32), 10)
        >>> [name for name, _ in model.named_children()][:6]
        ['stem', 'stem_gelu', 'conv1_1', 'pool1', 'conv1_1_norm', 'conv1_1_gelu']
        >>> model(torch.zeros(2, 3, 32, 32)).shape
        torch.Size([2, 10])
    """
    check_images(shape, outputs, where="airbench94", least=_LEAST_SIDE)
    check_kind(recompute, bool, where="airbench94", name="recompute", said="True or False")
    if len(check_widths(channels, where="airbench94", name="channels")) != 3:
        raise ValueError(f"airbench94: channels must be three widths, got {shown(channels)}.")
    stem = nn.Conv2d(shape[0], 2 * shape[0] * _PATCH**2, _PATCH)
    stem.weight.requires_grad_(False)
    nn.init.zeros_(_bias_of(stem))
    layers: OrderedDict[str, nn.Module] = OrderedDict(stem=stem, stem_gelu=nn.GELU())
    for number, (before, after) in enumerate(pairwise((stem.out_channels, *channels)), start=1):
        block = _block(number, before, after)
        layers |= {f"block{number}": Recomputed(nn.Sequential(block))} if recompute else block
    check_kind(every_location, bool, where="airbench94", name="every_location", said="True or False")
    height, width = ((side - 1) // 8 // (1 if every_location else 3) for side in shape[1:])
    layers |= {"pool": nn.Identity() if every_location else nn.MaxPool2d(3), "flatten": nn.Flatten()}
    layers |= {"fc": nn.Linear(channels[-1] * height * width, outputs, bias=False), "scale": Scale(1 / 9)}
    model = nn.Sequential(layers).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    if images is not None:
        whiten(stem, images)
    return model


def _block(number: int, before: int, after: int) -> OrderedDict[str, nn.Module]:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    for place, inputs in ((1, before), (2, after)):
        name, convolution = f"conv{number}_{place}", nn.Conv2d(inputs, after, 3, padding=1, bias=False)
        nn.init.dirac_(convolution.weight[:inputs])
        layers[name] = convolution
        if place == 1:
            layers[f"pool{number}"] = nn.MaxPool2d(2)
        layers |= {f"{name}_norm": ShiftedNorm(after), f"{name}_gelu": nn.GELU()}
    return layers


def whiten(stem: nn.Conv2d, images: Tensor) -> None:
    """Give a convolution the eigenvectors of its patches' covariance, each divided by its root, and their negatives.

    Its first half of channels then have variance 1 on these images and no correlation, its second half their negatives;
    directions of variance below 5e-4 stay smaller.

    Args:
        stem: changed in place; twice as many outputs as its patches have numbers.
        images: (n, channels, height, width).

    Raises:
        TypeError: images is no tensor of real numbers.
        ValueError: images of another shape, fewer patches than they have numbers, or values that are not finite.

    Example:
        >>> stem, images = nn.Conv2d(1, 8, 2, bias=False), torch.eye(8).expand(50, 1, 8, 8)
        >>> whiten(stem, images)
        >>> covariance = stem(images).detach().transpose(0, 1).flatten(1).cov()
        >>> covariance.diagonal().round(decimals=1).tolist()  # an eye's patches vary in three directions
        [0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 1.0]
    """
    if not isinstance(images, Tensor) or not images.is_floating_point():
        raise TypeError(f"whiten: images must be a tensor of real numbers, got {shown(images)}.")
    numbers = stem.in_channels * stem.kernel_size[0] * stem.kernel_size[1]
    if images.ndim != 4 or images.shape[1] != stem.in_channels:
        raise ValueError(f"whiten: images must be (n, {stem.in_channels}, height, width), got {tuple(images.shape)}.")
    count, total, products = 0, torch.zeros(numbers).double(), torch.zeros(numbers, numbers).double()
    for rows in _patches(images, stem):
        count, total, products = count + len(rows), total + rows.sum(dim=0), products + rows.T @ rows
    if not bool(torch.isfinite(products).all()):
        raise ValueError("whiten: images must be finite, got NaN or infinite values.")
    if count <= numbers:
        raise ValueError(f"whiten: images must have more than {numbers} patches, got {count}.")
    mean = total / count
    covariance = (products - count * torch.outer(mean, mean)) / (count - 1)
    variances, directions = torch.linalg.eigh(covariance)
    filters = (directions / (variances.clamp(min=0) + _LEAST_VARIANCE).sqrt()).T.reshape(
        numbers, *stem.weight.shape[1:]
    )
    with torch.no_grad():
        stem.weight.copy_(torch.cat([filters, -filters]))


def _patches(images: Tensor, stem: nn.Conv2d) -> Iterator[Tensor]:
    """Rows of a patch each, float64 on the CPU."""
    for part in images.detach().split(_IMAGES):
        yield F.unfold(part.cpu(), stem.kernel_size).transpose(1, 2).flatten(0, 1).double()


def _bias_of(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias
