"""What a hidden layer of the reference networks is made of."""

from __future__ import annotations

from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.numerics.checks import check_choice, check_share
from infotorch.numerics.module_inputs import module_input

Norm = Literal["none", "batch", "length"]
NORMS = ("none", "batch", "length")
Activation = Literal["relu", "sigmoid", "tanh"]
ACTIVATIONS: dict[Activation, type[nn.Module]] = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid, "tanh": nn.Tanh}
Start = Literal["default", "xavier", "normal"]
STARTS = ("default", "xavier", "normal")


class LengthNorm(nn.Module):
    """Every sample divided by its root mean square: what a sample says, and not how loudly.

    A layer trained by its goodness (Forward-Forward) must not hand that goodness on.

    Source: Hinton 2022, arXiv:2212.13345, Sec. 2.1, who divides by the length; the root of the number of columns more
    keeps the scale that an initial linear layer expects.

    Example:
        >>> import torch
        >>> LengthNorm()(torch.tensor([[3.0, 3.0], [0.0, 2.0]]))
        tensor([[1.0000, 1.0000],
                [0.0000, 1.4142]])
    """

    def forward(self, x: Tensor) -> Tensor:
        """The samples, (b, ...), each of root mean square 1; a sample of zeros stays one.

        Raises:
            TypeError: x is no dense tensor of real numbers.
            ValueError: x is a single sample.
        """
        x = module_input(x, where="LengthNorm", name="the input")
        if x.ndim < 2:
            raise ValueError(f"LengthNorm: the input must have rows (b, ...), got shape {tuple(x.shape)}.")
        return F.rms_norm(x, x.shape[1:])


def hidden_layer(
    name: str, layer: nn.Linear | nn.Conv2d, *, norm: Norm, dropout: float, activation: Activation = "relu"
) -> dict[str, nn.Module]:
    """A layer with its normalisation, activation and dropout, by name.

    Args:
        name: of the layer; the others are called `<name>_norm`, `<name>_relu` (or of the other name), `<name>_drop`.
        layer: linear or convolutional.
        norm: "batch" norm between layer and activation; "length" divides the layer's *input* by its root mean square;
            "none".
        dropout: share of the outputs set to 0 in training; whole channels of a convolution.
        activation: "relu", "sigmoid" or "tanh".

    Raises:
        ValueError: an unknown norm or activation, or a dropout outside [0, 1).

    Example:
        >>> list(hidden_layer("fc1", nn.Linear(4, 8), norm="batch", dropout=0.5))
        ['fc1', 'fc1_norm', 'fc1_relu', 'fc1_drop']
    """
    check_choice(norm, NORMS, where="hidden_layer", name="norm")
    check_choice(activation, tuple(ACTIVATIONS), where="hidden_layer", name="activation")
    check_share(dropout, where="hidden_layer", name="dropout")
    on_images = isinstance(layer, nn.Conv2d)
    layers: dict[str, nn.Module] = {f"{name}_length": LengthNorm()} if norm == "length" else {}
    layers[name] = layer
    if norm == "batch":
        layers[f"{name}_norm"] = nn.BatchNorm2d(layer.out_channels) if on_images else nn.BatchNorm1d(layer.out_features)
    layers[f"{name}_{activation}"] = ACTIVATIONS[activation]()
    if dropout > 0:
        layers[f"{name}_drop"] = nn.Dropout2d(dropout) if on_images else nn.Dropout(dropout)
    return layers


def initialise(model: nn.Module, start: Start) -> None:
    """Draw the initial weights of linear and convolutional layers anew, from torch's global generator.

    Args:
        model: changed in place.
        start: "xavier", normal weights of variance 2 / (inputs + outputs) and biases of 0 (Glorot & Bengio 2010);
            "normal", weights and biases from N(0, 1); "default" keeps what torch drew.

    Raises:
        ValueError: an unknown start.

    Example:
        >>> layer = nn.Linear(4, 4)
        >>> initialise(layer, "xavier")
        >>> layer.bias.tolist()
        [0.0, 0.0, 0.0, 0.0]
    """
    check_choice(start, STARTS, where="initialise", name="start")
    draws = {"xavier": (nn.init.xavier_normal_, nn.init.zeros_), "normal": (nn.init.normal_, nn.init.normal_)}
    for layer in model.modules():
        if isinstance(layer, nn.Linear | nn.Conv2d) and start != "default":
            draw_weight, draw_bias = draws[start]
            draw_weight(layer.weight)
            if layer.bias is not None:
                draw_bias(layer.bias)
