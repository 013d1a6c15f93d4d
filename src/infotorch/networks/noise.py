"""Noise on a layer's output that goes on to the next layer: the network is stochastic, and its information finite.

Noise is there in training and in evaluation, as it is part of the network, and comes from torch's global generator, as
that of `nn.Dropout` does: `train` and the evaluations of a plan set it from the run's seed and put it back.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from infotorch.numerics.checks import check_choice, check_count, check_positive
from infotorch.numerics.module_inputs import module_input

Scale = Literal["fixed", "relative", "learned"]
# Variance of a layer that does not vary: it has no scale, and carries no information.
_LEAST_VARIANCE = 1e-12


class _Noise(nn.Module):
    """A deviation that is fixed or learned, one for each unit."""

    def __init__(self, noise_std: float, *, scale: str, scales: tuple[str, ...], width: int | None) -> None:
        super().__init__()
        where = type(self).__name__
        check_positive(noise_std, where=where, name="noise_std")
        check_choice(scale, scales, where=where, name="scale")
        if (width is None) is (scale == "learned"):
            raise ValueError(f'{where}: width, the number of units, belongs to scale="learned", got {width}.')
        self.noise_std, self.scale = float(noise_std), scale
        if width is not None:
            check_count(width, where=where, name="width")
            self.log_std = nn.Parameter(torch.full((width,), self.noise_std).log())

    def extra_repr(self) -> str:
        """The settings, for printing."""
        return f"noise_std={self.noise_std}, scale={self.scale!r}"

    def _input(self, x: Tensor) -> Tensor:
        return module_input(x, where=type(self).__name__, name="the input")

    def _learned(self, x: Tensor) -> Tensor:
        """The units' deviations, shaped to meet x on axis 1."""
        if x.ndim < 2 or x.shape[1] != len(self.log_std):
            raise ValueError(
                f"{type(self).__name__}: the input must have {len(self.log_std)} units on axis 1, got {tuple(x.shape)}."
            )
        return self.log_std.exp().reshape(-1, *[1] * (x.ndim - 2))


class GaussianNoise(_Noise):
    """x + noise of N(0, s^2) in every entry, in training and in evaluation.

    Args:
        noise_std: s, in the unit that `scale` says; for "learned" where it starts.
        scale: "fixed": the unit of x, which a layer can escape by growing; "relative": the root-mean-square deviation
            of x from its units' means, over the batch in training and its running mean in evaluation, so that scaling
            x changes nothing; "learned": a deviation of its own for each unit, trained with the weights. Without a
            compression term in the loss a learned deviation shrinks to nothing.
        width: number of units (axis 1), for "learned" alone.
        momentum: share of the newest batch in the running variance.

    Raises:
        TypeError: noise_std or momentum is no number, or width no integer.
        ValueError: noise_std not positive, momentum outside (0, 1], an unknown scale, a width missing or needless, or
            an input of another width.

    Source: Amjad & Geiger 2019, arXiv:1802.09766, Sec. 5.3; footnote 3 for noise that follows the layer.

    Example:
        >>> noise = GaussianNoise(0.5, scale="relative")
        >>> x = torch.tensor([[1.0, -2.0], [-1.0, 2.0]])
        >>> bool(torch.isclose(noise.std(10 * x), 10 * noise.std(x)))
        True
    """

    running_variance: Tensor
    started: Tensor

    def __init__(
        self, noise_std: float, *, scale: Scale = "fixed", width: int | None = None, momentum: float = 0.1
    ) -> None:
        super().__init__(noise_std, scale=scale, scales=("fixed", "relative", "learned"), width=width)
        check_positive(momentum, where="GaussianNoise", name="momentum")
        if momentum > 1:
            raise ValueError(f"GaussianNoise: momentum must be at most 1, got {momentum}.")
        self.momentum = momentum
        if scale == "relative":
            self.register_buffer("running_variance", torch.ones(()))
            self.register_buffer("started", torch.tensor(False))

    def std(self, x: Tensor) -> Tensor:
        """The noise's standard deviation for these rows: 0-d, or one for each unit; it moves no running mean."""
        x = self._input(x)
        if self.scale == "learned":
            return self._learned(x)
        if self.scale == "fixed":
            return x.new_full((), self.noise_std)
        variance = _variance(x)
        if not self.training:  # before the first training batch, the layer's own spread is the only one known
            variance = torch.where(self.started, self.running_variance.to(x.dtype), variance)
        return self.noise_std * (variance + _LEAST_VARIANCE).sqrt()

    def gaussian(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation of what is handed on for the samples x, each in the shape of x."""
        return x, self.std(x).expand_as(x)

    def forward(self, x: Tensor) -> Tensor:
        """The noisy samples, (b, ...).

        Raises:
            TypeError: x is no dense tensor of real numbers.
        """
        x = self._input(x)
        deviation = self.std(x)
        if self.scale == "relative" and self.training:
            now = _variance(x.detach()).to(self.running_variance.dtype)
            self.running_variance.lerp_(now, torch.where(self.started, self.momentum, 1.0).to(now))
            self.started.fill_(True)
        return x + deviation * torch.randn_like(x)


class LogNormalNoise(_Noise):
    """x times exp(s eps), eps of N(0, 1) in every entry: noise in proportion to what it falls on.

    What is 0 stays 0, and scaling x scales the noise with it. The factor's median is 1.

    Args:
        noise_std: s, the deviation of the factor's logarithm; for "learned" where it starts.
        scale: "fixed", or "learned", one for each unit.
        width: number of units (axis 1), for "learned" alone.

    Raises:
        TypeError: noise_std is no number, or width no integer.
        ValueError: noise_std not positive, an unknown scale, a width missing or needless, or an input of another
            width.

    Source: Achille & Soatto 2018, arXiv:1611.01353, Sec. 5; here the deviation does not depend on x, as it does in
        `infotorch.networks.stochastic.LogNormalLayer`.

    Example:
        >>> LogNormalNoise(0.5)(torch.zeros(2))
        tensor([0., 0.])
    """

    def __init__(
        self, noise_std: float, *, scale: Literal["fixed", "learned"] = "fixed", width: int | None = None
    ) -> None:
        super().__init__(noise_std, scale=scale, scales=("fixed", "learned"), width=width)

    def forward(self, x: Tensor) -> Tensor:
        """The noisy samples, (b, ...).

        Raises:
            TypeError: x is no dense tensor of real numbers.
        """
        x = self._input(x)
        deviation = self._learned(x) if self.scale == "learned" else self.noise_std
        return x * (deviation * torch.randn_like(x)).exp()


def _variance(x: Tensor) -> Tensor:
    """The mean over all entries of the squared deviation from the unit's mean over the samples, 0-d."""
    return (x - x.mean(dim=0)).square().mean()
