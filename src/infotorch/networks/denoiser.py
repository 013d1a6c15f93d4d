"""A variational autoencoder that takes noise off images: noise, encoder to (mu, sigma), decoder."""

from __future__ import annotations

import sys
from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.networks.images import check_images
from infotorch.numerics.checks import check_number, check_size, check_widths, shown

_SLOPE = 0.2  # of LeakyReLU below 0


class AddNoise(nn.Module):
    """Gaussian noise on the input, in training and in evaluation: it is part of the task.

    Args:
        noise_std: its standard deviation, in units of the input; the sum is not clipped.

    Raises:
        TypeError: noise_std is no number.
        ValueError: a negative noise_std.

    Example:
        >>> x = torch.zeros(1000)
        >>> bool((AddNoise(0.5)(x).std() - 0.5).abs() < 0.05), torch.equal(AddNoise(0.0)(x), x)
        (True, True)
    """

    def __init__(self, noise_std: float) -> None:
        super().__init__()
        check_number(noise_std, where="AddNoise", name="noise_std")
        if not 0 <= noise_std <= sys.float_info.max:
            raise ValueError(f"AddNoise: noise_std must be 0 or more, and finite, got {shown(noise_std)}.")
        self.noise_std = float(noise_std)

    def forward(self, x: Tensor) -> Tensor:
        """The noisy input; draws from torch's global generator."""
        return x + self.noise_std * torch.randn_like(x)


class GaussianEncoder(nn.Module):
    """Strided convolutions with batch norm and LeakyReLU, then two linear heads.

    Args:
        shape: (channels, side, side) of the images.
        channels: of the convolutions, each of which halves the side.
        latent: entries of mu and of sigma.
    """

    def __init__(self, shape: Sequence[int], channels: Sequence[int], latent: int) -> None:
        super().__init__()
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for number, (before, after) in enumerate(pairwise((shape[0], *channels)), start=1):
            layers[f"conv{number}"] = nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False)
            layers[f"conv{number}_norm"] = nn.BatchNorm2d(after)
            layers[f"conv{number}_relu"] = nn.LeakyReLU(_SLOPE)
        self.layers = nn.Sequential(layers)
        self.mean = nn.Linear(channels[-1], latent)
        self.deviation = nn.Linear(channels[-1], latent)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The pair (mu, sigma), (b, latent) each; sigma is the softplus of its head, and positive."""
        features = self.layers(x).flatten(1)
        return self.mean(features), F.softplus(self.deviation(features))


class GaussianDecoder(nn.Module):
    """Transposed convolutions with batch norm and LeakyReLU, Tanh behind the last.

    Args:
        shape: (channels, side, side) of the images.
        channels: of the encoder's convolutions, which are gone through backwards.
        latent: entries of mu and of sigma.
    """

    def __init__(self, shape: Sequence[int], channels: Sequence[int], latent: int) -> None:
        super().__init__()
        widths = (latent, *reversed(channels[:-1]), shape[0])
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        for number, (before, after) in enumerate(pairwise(widths), start=1):
            is_last = number == len(channels)
            layers[f"conv{number}"] = nn.ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=is_last)
            if not is_last:
                layers[f"conv{number}_norm"] = nn.BatchNorm2d(after)
                layers[f"conv{number}_relu"] = nn.LeakyReLU(_SLOPE)
        layers["tanh"] = nn.Tanh()
        self.layers = nn.Sequential(layers)

    def forward(self, code: tuple[Tensor, Tensor]) -> Tensor:
        """Images in [-1, 1] of z = mu + sigma * eps, eps drawn from N(0, I) in training; of z = mu in evaluation."""
        mean, deviation = code
        z = mean + deviation * torch.randn_like(deviation) if self.training else mean
        return self.layers(z[:, :, None, None])


def denoising_vae(
    shape: Sequence[int], channels: Sequence[int], *, latent: int = 128, noise_std: float
) -> nn.Sequential:
    """Layers noise, encoder, decoder: images in [-1, 1] -> images in [-1, 1], with noise put on and taken off.

    The encoder gives the pair (mu, sigma), which crosses a cut at "decoder": the bottleneck. The noise, and in training
    the decoder's draw of z = mu + sigma * eps, come from torch's global generator.

    Args:
        shape: (channels, side, side) of the images; the side is 2 to the power of the number of convolutions.
        channels: of the encoder's convolutions; the decoder has them backwards.
        latent: entries of mu and of sigma.
        noise_std: standard deviation of the noise, in units of the pixels.

    Raises:
        TypeError: a width that is no integer.
        ValueError: images of another shape, a width below 1, or a negative noise_std.

    Source: Han, Nakamura & Hong 2023, IEEE Access 11, Secs. III-B-2 and IV-A-2, who name the number of layers, batch
        norm, LeakyReLU before and Tanh behind the bottleneck, and latent 128. Ours: the widths; LeakyReLU between the
        decoder's layers, Tanh behind its last alone; sigma as a softplus; z = mu in evaluation.

    Example:
        >>> model = denoising_vae((1, 8, 8), (4, 8, 16), latent=5, noise_std=0.5)
        >>> x = torch.zeros(2, 1, 8, 8)
        >>> model(x).shape, [tuple(part.shape) for part in model[:2](x)]
        (torch.Size([2, 1, 8, 8]), [(2, 5), (2, 5)])
    """
    check_size(latent, where="denoising_vae", name="latent")
    check_widths(channels, where="denoising_vae", name="channels")
    check_images(shape, 1, where="denoising_vae")
    side = 2 ** len(channels)
    if not channels or tuple(shape[1:]) != (side, side):
        raise ValueError(
            f"denoising_vae: {len(channels)} convolutions take images (channels, {side}, {side}), got {tuple(shape)}."
        )
    parts = {
        "noise": AddNoise(noise_std),
        "encoder": GaussianEncoder(shape, channels, latent),
        "decoder": GaussianDecoder(shape, channels, latent),
    }
    return nn.Sequential(OrderedDict(parts))
