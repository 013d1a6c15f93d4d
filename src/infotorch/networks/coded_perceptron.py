"""A perceptron with a layer "bottleneck" before its last one: the same network with noise there, or without."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from infotorch.networks.noise import GaussianNoise, Scale
from infotorch.networks.perceptron import mlp
from infotorch.networks.stochastic import GaussianLayer, LogNormalLayer, SampleMean, check_draws
from infotorch.numerics.checks import check_choice, check_size, check_widths

CodeKind = Literal["plain", "additive", "gaussian", "log-normal"]
CODE_KINDS = ("plain", "additive", "gaussian", "log-normal")


class Repeat(nn.Module):
    """Every sample as many times as the noise behind it is to be drawn, side by side; `SampleMean` ends the network.

    Args:
        draws: draws of each sample in training.
        evaluation_draws: draws of each sample in evaluation; 0 counts as one.

    Raises:
        TypeError: a count that is no integer.
        ValueError: a count below 1, evaluation_draws below 0.

    Example:
        >>> import torch
        >>> Repeat(1, 2).eval()(torch.tensor([[1.0], [2.0]])).flatten()
        tensor([1., 1., 2., 2.])
    """

    def __init__(self, draws: int = 1, evaluation_draws: int = 1) -> None:
        super().__init__()
        check_draws(draws, evaluation_draws, where="Repeat")
        self.draws, self.evaluation_draws = draws, evaluation_draws

    def extra_repr(self) -> str:
        """The numbers of draws, for printing."""
        return f"{self.draws}, {self.evaluation_draws}"

    def forward(self, x: Tensor) -> Tensor:
        """(b, ...) -> (b * draws, ...), those of one sample together."""
        count = self.draws if self.training else self.evaluation_draws
        return x if count <= 1 else x.repeat_interleave(count, dim=0)


def coded_mlp(
    inputs: int,
    hidden: Sequence[int],
    code: int,
    classes: int,
    *,
    kind: CodeKind = "plain",
    dropout: float = 0.0,
    noise_std: float = 1.0,
    scale: Scale = "relative",
    draws: int = 1,
    evaluation_draws: int = 12,
) -> nn.Sequential:
    """Hidden ReLU layers, a layer "bottleneck" of `code` units, and a linear layer "head" on it.

    Args:
        inputs: entries of a sample; what has more axes is flattened.
        hidden: widths of the hidden layers; one at least.
        code: units of the bottleneck.
        classes: class scores.
        kind: of the bottleneck: "plain", a linear layer; "additive", a linear layer "code" and `GaussianNoise` on it;
            "gaussian", a `GaussianLayer`; "log-normal", a `LogNormalLayer`. Behind the last three ends `SampleMean`.
        dropout: share of the hidden layers' outputs set to 0 in training.
        noise_std: of "additive" noise, see `GaussianNoise`.
        scale: its unit.
        draws: draws of each sample in training.
        evaluation_draws: draws of each sample in evaluation, whose probabilities are averaged; 0 draws none of
            "gaussian" and "log-normal".

    Raises:
        TypeError: a count that is no integer.
        ValueError: a width or count below 1, no hidden layer, an unknown kind, or a noise that cannot be.

    Example:
        >>> [name for name, _ in coded_mlp(4, (8,), 2, 3).named_children()]
        ['flatten', 'fc1', 'fc1_relu', 'bottleneck', 'head']
        >>> [name for name, _ in coded_mlp(4, (8,), 2, 3, kind="additive").named_children()][3:]
        ['code', 'repeat', 'bottleneck', 'head', 'mean']
    """
    check_choice(kind, CODE_KINDS, where="coded_mlp", name="kind")
    if not check_widths(hidden, where="coded_mlp"):
        raise ValueError("coded_mlp: hidden must have one width or more, got none.")
    check_size(code, where="coded_mlp", name="code")
    check_size(classes, where="coded_mlp", name="classes")
    layers = OrderedDict(list(mlp(inputs, hidden, code, dropout=dropout).named_children()))
    _, last = layers.popitem()
    if kind == "additive":
        width = code if scale == "learned" else None
        layers |= {
            "code": last,
            "repeat": Repeat(draws, evaluation_draws),
            "bottleneck": GaussianNoise(noise_std, scale=scale, width=width),
        }
    elif kind == "plain":
        layers["bottleneck"] = last
    else:
        stochastic = GaussianLayer if kind == "gaussian" else LogNormalLayer
        layers["bottleneck"] = stochastic(hidden[-1], code, draws=draws, evaluation_draws=evaluation_draws)
    layers["head"] = nn.Linear(code, classes)
    if kind != "plain":
        layers["mean"] = SampleMean(draws, evaluation_draws)
    return nn.Sequential(layers)
