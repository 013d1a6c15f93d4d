"""Stochastic encoders: layers that give the parameters of a distribution and hand on draws from it.

Several draws of a sample stand side by side as samples of their own, (b * draws, width), the draws of one input
together, so that any layer can follow; `SampleMean` brings them together at the end. Noise comes from torch's global
generator unless one is given, as in `infotorch.networks.noise`.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from numbers import Integral
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.networks.perceptron import mlp
from infotorch.numerics.checks import (
    check_choice,
    check_module,
    check_positive,
    check_size,
    check_widths,
    shown,
)
from infotorch.numerics.module_inputs import module_input
from infotorch.numerics.seeds import as_generator

# Deviations start small, near softplus(-5) = 0.0067, so that the code begins by telling much (Alemi et al. 2017).
_SHIFT = 5.0
#: Of the noise of information dropout (Achille & Soatto 2018).
MAX_STD = 0.7


def check_draws(draws: int, evaluation_draws: int, *, where: str) -> None:
    """Refuse numbers of draws that cannot be.

    Raises:
        TypeError: one is no integer.
        ValueError: draws below 1, or evaluation_draws below 0.
    """
    check_size(draws, where=where, name="draws")
    if not isinstance(evaluation_draws, Integral) or isinstance(evaluation_draws, bool) or evaluation_draws != 0:
        check_size(evaluation_draws, where=where, name="evaluation_draws, where not 0,")


def _flat(x: Tensor, layer: nn.Linear, where: str) -> Tensor:
    x = module_input(x, where=where, name="the input", weight=layer.weight, columns=layer.in_features)
    return x.reshape(len(x), -1) if len(x) else x.reshape(0, layer.in_features)


class GaussianHeads(nn.Module):
    """Rows -> the pair (mu, sigma), (b, width) each, by a linear layer; sigma = softplus(. - 5).

    Source: Alemi, Fischer, Dillon & Murphy 2017, arXiv:1612.00410, Sec. 4.1.

    Example:
        >>> mean, deviation = GaussianHeads(4, 2)(torch.zeros(3, 4))
        >>> mean.shape, bool((deviation > 0).all())
        (torch.Size([3, 2]), True)
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, 2 * width)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(mu, sigma) of x, (b, ...), which is flattened."""
        mean, raw = self.linear(_flat(x, self.linear, "GaussianLayer")).chunk(2, dim=1)
        return mean, F.softplus(raw - _SHIFT)


class LogNormalHeads(nn.Module):
    """Rows -> the pair (f, alpha), (b, width) each, by a linear layer: features, and the deviation of their logarithm.

    Args:
        inputs: entries of a sample.
        width: units.
        activation: of the features: "relu" or "softplus".
        max_std: alpha = max_std * sigmoid(.), below this.
    """

    def __init__(self, inputs: int, width: int, *, activation: str, max_std: float) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, 2 * width)
        self.activation, self.max_std = activation, max_std

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(f, alpha) of x, (b, ...), which is flattened."""
        features, raw = self.linear(_flat(x, self.linear, "LogNormalLayer")).chunk(2, dim=1)
        features = F.relu(features) if self.activation == "relu" else F.softplus(features)
        return features, self.max_std * raw.sigmoid()


class StochasticLayer(nn.Module):
    """A layer that draws from the distribution that its `encoder` gives; subclasses say which.

    Args:
        encoder: samples -> (centre, deviation), (b, width) each.
        draws: draws of each sample in training.
        evaluation_draws: draws of each sample in evaluation; 0 hands on the centre, without noise.

    Example:
        >>> layer = GaussianLayer(4, 2, draws=3, evaluation_draws=0)
        >>> isinstance(layer, StochasticLayer), layer(torch.zeros(5, 4)).shape  # three draws of each row
        (True, torch.Size([15, 2]))
    """

    def __init__(self, encoder: nn.Module, *, draws: int, evaluation_draws: int) -> None:
        super().__init__()
        check_draws(draws, evaluation_draws, where=type(self).__name__)
        check_module(encoder, where=type(self).__name__, name="encoder")
        self.encoder = encoder
        self.draws, self.evaluation_draws = draws, evaluation_draws

    def extra_repr(self) -> str:
        """The numbers of draws, for printing."""
        return f"draws={self.draws}, evaluation_draws={self.evaluation_draws}"

    def draw(self, code: tuple[Tensor, Tensor], *, generator: torch.Generator | None = None) -> Tensor:
        """Draws from the code, (b * draws, width), those of one sample together; the centre where none are drawn."""
        where = type(self).__name__
        if not isinstance(code, tuple | list) or len(code) != 2:
            raise TypeError(f"{where}: the code must be a pair of tensors (centre, deviation), got {shown(code)}.")
        centre, deviation = (module_input(part, where=where, name="the code") for part in code)
        if centre.shape != deviation.shape:
            raise ValueError(
                f"{where}: centre and deviation must have one shape, got {tuple(centre.shape)} and "
                f"{tuple(deviation.shape)}."
            )
        if centre.device != deviation.device:
            raise ValueError(
                f"{where}: centre and deviation must be on one device, got {centre.device} and {deviation.device}."
            )
        if generator is not None:
            as_generator(generator, where=where)
        count = self.draws if self.training else self.evaluation_draws
        if count == 0:
            return centre
        centre, deviation = (part.repeat_interleave(count, dim=0) for part in (centre, deviation))
        noise = torch.randn(centre.shape, generator=generator, dtype=centre.dtype, device=centre.device)
        return self._put(centre, deviation * noise)

    def _put(self, centre: Tensor, noise: Tensor) -> Tensor:
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        """Draws for the samples x, (b, ...) -> (b * draws, width)."""
        return self.draw(self.encoder(x))


class GaussianLayer(StochasticLayer):
    """z = mu(x) + sigma(x) eps, eps of N(0, I): the encoder of the variational bottleneck.

    Args:
        inputs: entries of a sample; what has more axes is flattened.
        width: entries of z.
        draws: draws of each sample in training.
        evaluation_draws: draws of each sample in evaluation; 0 hands on mu.

    Raises:
        TypeError: a count that is no integer.
        ValueError: a count below 1, evaluation_draws below 0.

    Source: Alemi, Fischer, Dillon & Murphy 2017, arXiv:1612.00410, Sec. 4.1.

    Example:
        >>> layer = GaussianLayer(4, 2, draws=3, evaluation_draws=0)
        >>> layer(torch.zeros(5, 4)).shape, layer.eval()(torch.zeros(5, 4)).shape
        (torch.Size([15, 2]), torch.Size([5, 2]))
    """

    def __init__(self, inputs: int, width: int, *, draws: int = 1, evaluation_draws: int = 1) -> None:
        for name, value in (("inputs", inputs), ("width", width)):
            check_size(value, where="GaussianLayer", name=name)
        super().__init__(GaussianHeads(inputs, width), draws=draws, evaluation_draws=evaluation_draws)

    def gaussian(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean mu and deviation sigma of the samples x, (b, width) each; `pairwise_bounds(mu, sigma)` has I(X; Z)."""
        return self.encoder(x)

    def _put(self, centre: Tensor, noise: Tensor) -> Tensor:
        return centre + noise


class LogNormalLayer(StochasticLayer):
    """z = f(x) exp(alpha(x) eps), eps of N(0, I): the layer of information dropout.

    Args:
        inputs: entries of a sample; what has more axes is flattened.
        width: entries of z.
        activation: "relu" or "softplus", of f.
        max_std: alpha stays below it.
        draws: draws of each sample in training.
        evaluation_draws: draws of each sample in evaluation; 0 hands on f, as the published code does.

    Raises:
        TypeError: a count that is no integer, or max_std no number.
        ValueError: a count below 1, evaluation_draws below 0, max_std not positive, or an unknown activation.

    Source: Achille & Soatto 2018, arXiv:1611.01353, Sec. 5, with its max_std of 0.7.

    Example:
        >>> LogNormalLayer(4, 2, draws=3)(torch.zeros(5, 4)).shape
        torch.Size([15, 2])
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        *,
        activation: Literal["relu", "softplus"] = "relu",
        max_std: float = MAX_STD,
        draws: int = 1,
        evaluation_draws: int = 1,
    ) -> None:
        for name, value in (("inputs", inputs), ("width", width)):
            check_size(value, where="LogNormalLayer", name=name)
        check_choice(activation, ("relu", "softplus"), where="LogNormalLayer", name="activation")
        check_positive(max_std, where="LogNormalLayer", name="max_std")
        heads = LogNormalHeads(inputs, width, activation=activation, max_std=max_std)
        super().__init__(heads, draws=draws, evaluation_draws=evaluation_draws)
        self.activation: Literal["relu", "softplus"] = activation
        self.max_std = max_std

    def _put(self, centre: Tensor, noise: Tensor) -> Tensor:
        return centre * noise.exp()


class SampleMean(nn.Module):
    """The last layer behind a stochastic one: brings the draws of each sample together again.

    In evaluation the class probabilities of the draws are averaged, and their logarithm is handed on: class scores
    (b, classes) whose cross-entropy is at most the mean of the draws' (Amjad & Geiger 2019, eq. 26). In training the
    draws stay apart, (b, draws, classes), as `VariationalBottleneck` and its kin take them, and `CrossEntropy` does
    not; of one draw, (b, classes) are handed on as they are.

    Args:
        draws: as the stochastic layer's.
        evaluation_draws: as the stochastic layer's.

    Raises:
        TypeError: a count that is no integer.
        ValueError: a count below 1, evaluation_draws below 0, or samples that are not a multiple of the draws.

    Example:
        >>> scores = torch.tensor([[9.0, 0.0], [0.0, 9.0]])
        >>> SampleMean(1, 2).eval()(scores).exp()
        tensor([[0.5000, 0.5000]])
    """

    def __init__(self, draws: int = 1, evaluation_draws: int = 1) -> None:
        super().__init__()
        check_draws(draws, evaluation_draws, where="SampleMean")
        self.draws, self.evaluation_draws = draws, evaluation_draws

    def extra_repr(self) -> str:
        """The numbers of draws, for printing."""
        return f"{self.draws}, {self.evaluation_draws}"

    def forward(self, x: Tensor) -> Tensor:
        """(b * draws, classes) -> (b, draws, classes) in training, log of mean probabilities in evaluation."""
        x = module_input(x, where="SampleMean", name="the input")
        count = self.draws if self.training else self.evaluation_draws
        if count <= 1:
            return x
        if len(x) % count:
            raise ValueError(f"SampleMean: the rows must be a multiple of {count} draws, got {len(x)}.")
        if x.ndim != 2:
            raise ValueError(f"SampleMean: the input must be (b * draws, classes), got shape {tuple(x.shape)}.")
        apart = x.unflatten(0, (len(x) // count, count))
        return apart if self.training else log_mean_probability(apart)


def log_mean_probability(scores: Tensor) -> Tensor:
    """Logarithm of the mean over draws of the class probabilities: (b, draws, classes) -> (b, classes).

    Source: Amjad & Geiger 2019, arXiv:1802.09766, eq. 25.

    Example:
        >>> log_mean_probability(torch.zeros(1, 5, 2)).exp()
        tensor([[0.5000, 0.5000]])
    """
    return scores.log_softmax(dim=2).logsumexp(dim=1) - math.log(scores.shape[1])


def stochastic_mlp(
    inputs: int,
    hidden: Sequence[int],
    code: int,
    classes: int,
    *,
    kind: Literal["gaussian", "log-normal"] = "gaussian",
    draws: int = 1,
    evaluation_draws: int = 12,
) -> nn.Sequential:
    """Hidden ReLU layers, a stochastic layer "bottleneck", a linear layer "head", and "mean", a `SampleMean`.

    Args:
        inputs: entries of a sample; what has more axes is flattened.
        hidden: widths of the layers before the code; one at least.
        code: entries of the code.
        classes: class scores.
        kind: "gaussian" for `GaussianLayer`, "log-normal" for `LogNormalLayer`.
        draws: draws of each sample in training.
        evaluation_draws: draws of each sample in evaluation; 0 for the centre.

    Raises:
        TypeError: a count that is no integer.
        ValueError: a width or count below 1, no hidden layer, or an unknown kind.

    Source: Alemi et al. 2017, arXiv:1612.00410, Sec. 4.1: hidden (1024, 1024), a code of 256, 12 draws at the end.

    Example:
        >>> model = stochastic_mlp(64, (32,), 8, 10)
        >>> [name for name, _ in model.named_children()]
        ['flatten', 'fc1', 'fc1_relu', 'bottleneck', 'head', 'mean']
    """
    check_choice(kind, ("gaussian", "log-normal"), where="stochastic_mlp", name="kind")
    if not check_widths(hidden, where="stochastic_mlp"):
        raise ValueError("stochastic_mlp: hidden must have one width or more, got none.")
    check_size(classes, where="stochastic_mlp", name="classes")
    layers = OrderedDict(mlp(inputs, hidden[:-1], hidden[-1]).named_children())
    made = GaussianLayer if kind == "gaussian" else LogNormalLayer
    layers[f"fc{len(hidden)}_relu"] = nn.ReLU()
    layers["bottleneck"] = made(hidden[-1], code, draws=draws, evaluation_draws=evaluation_draws)
    layers["head"] = nn.Linear(code, classes)
    layers["mean"] = SampleMean(draws, evaluation_draws)
    return nn.Sequential(layers)
