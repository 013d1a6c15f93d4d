"""Multilayer perceptrons, and the folding of one linear layer into another."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

import torch
from torch import nn

from infotorch.networks.layers import Activation, Norm, hidden_layer
from infotorch.numerics.checks import check_choice, check_share, check_size, check_widths, shown


def mlp(
    inputs: int,
    hidden: Sequence[int],
    outputs: int,
    *,
    head: bool = False,
    norm: Norm = "none",
    dropout: float = 0.0,
    activation: Activation = "relu",
    squash: bool = False,
) -> nn.Sequential:
    """Linear layers fc1, fc2, ... with an activation between them, on the flattened input.

    Args:
        inputs: number of input features.
        hidden: widths of the hidden layers.
        outputs: number of outputs of the last layer.
        head: add a linear layer (outputs -> outputs) named "head" behind the last layer, without a nonlinearity before
            it: it adds no capacity and can be folded into the last layer.
        norm: of the hidden layers, see `hidden_layer`.
        dropout: share of a hidden layer's outputs set to 0 in training.
        activation: of the hidden layers, "relu", "sigmoid" or "tanh".
        squash: a sigmoid named "squash" behind the last layer, for outputs in [0, 1].

    Raises:
        TypeError: a width that is no integer, hidden no sequence of widths, or dropout no number.
        ValueError: a width below 1, an unknown norm or activation, or a dropout outside [0, 1).

    Example:
        >>> [name for name, _ in mlp(4, (8,), 3, head=True).named_children()]
        ['flatten', 'fc1', 'fc1_relu', 'fc2', 'head']
    """
    check_size(inputs, where="mlp", name="inputs")
    check_size(outputs, where="mlp", name="outputs")
    widths = [inputs, *check_widths(hidden, where="mlp"), outputs]
    check_share(dropout, where="mlp", name="dropout")
    for name, value in (("head", head), ("squash", squash)):
        check_choice(value, (True, False), where="mlp", name=name)
    layers: OrderedDict[str, nn.Module] = OrderedDict(flatten=nn.Flatten())
    for number, (before, after) in enumerate(pairwise(widths), start=1):
        layer = nn.Linear(before, after)
        is_last = number == len(widths) - 1
        name, kind = f"fc{number}", {"norm": norm, "dropout": dropout, "activation": activation}
        layers |= {name: layer} if is_last else hidden_layer(name, layer, **kind)
    if head:
        layers["head"] = nn.Linear(outputs, outputs)
    if squash:
        layers["squash"] = nn.Sigmoid()
    return nn.Sequential(layers)


def fold_linear(first: nn.Linear, second: nn.Linear) -> nn.Linear:
    """One linear layer equal to `second` after `first`; the product is taken in float64.

    Args:
        first: (b, i) -> (b, h).
        second: (b, h) -> (b, o).

    Raises:
        TypeError: one is no linear layer.
        ValueError: the widths do not fit, or a layer on the meta device.

    Example:
        >>> folded = fold_linear(nn.Linear(4, 3), nn.Linear(3, 2))
        >>> folded.in_features, folded.out_features
        (4, 2)
    """
    for name, layer in (("first", first), ("second", second)):
        if not isinstance(layer, nn.Linear):
            raise TypeError(f"fold_linear: {name} must be an nn.Linear, got {shown(layer)}.")
        if layer.weight.is_meta:
            raise ValueError(f"fold_linear: {name} must have weights, got a layer on the meta device.")
    if first.out_features != second.in_features:
        raise ValueError(f"fold_linear: first gives {first.out_features} features, second takes {second.in_features}.")
    bias = first.bias is not None or second.bias is not None
    shape, like = (first.in_features, second.out_features, bias), first.weight
    # Not nn.Linear itself: its initial weights would be drawn from the caller's random stream, to be thrown away.
    folded = cast(nn.Linear, nn.utils.skip_init(nn.Linear, *shape, device=like.device, dtype=like.dtype))
    with torch.no_grad():
        weight = second.weight.double()
        folded.weight.copy_(weight @ first.weight.double())
        if bias:
            shift = torch.zeros(second.out_features, dtype=torch.float64, device=weight.device)
            shift = shift if first.bias is None else shift + weight @ first.bias.double()
            folded.bias.copy_(shift if second.bias is None else shift + second.bias.double())
    return folded


def fold_head(model: nn.Sequential) -> nn.Sequential:
    """The network without its last layer, folded into the linear layer right before it; the outputs are equal.

    Args:
        model: a chain that ends in two linear layers; it is left as it is.

    Raises:
        TypeError: the last two layers are not linear.

    Example:
        >>> [name for name, _ in fold_head(mlp(4, (8,), 3, head=True)).named_children()]
        ['flatten', 'fc1', 'fc1_relu', 'fc2']
    """
    layers = list(model.named_children())
    if len(layers) < 2 or not all(isinstance(layer, nn.Linear) for _, layer in layers[-2:]):
        raise TypeError("fold_head: the network must end in two linear layers without a nonlinearity between them.")
    (name, last), (_, head) = layers[-2:]
    assert isinstance(last, nn.Linear)
    assert isinstance(head, nn.Linear)
    return nn.Sequential(OrderedDict([*layers[:-2], (name, fold_linear(last, head))]))
