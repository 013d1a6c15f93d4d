"""A network of several inputs as one that takes a single tensor, whose columns are all of them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from infotorch.networks.feature_extractor import OUTPUT
from infotorch.networks.forward_inputs import called_with, main_output, unpacked
from infotorch.numerics.named_tensors import NamedTensors

_INNER = "network"


class OneInput(nn.Module):
    """Takes what `packed` makes of several inputs: each is read from its columns, in its own type and shape.

    Args:
        network: a model of several inputs.
        inputs: what its inputs look like; the values do not matter.

    Example:
        >>> inputs = NamedTensors({"input1": torch.ones(3, 2), "input2": torch.zeros(3, 2)})
        >>> network = nn.Bilinear(2, 2, 1)
        >>> one = OneInput(network, inputs)
        >>> torch.equal(one(packed(inputs)), network(inputs["input1"], inputs["input2"]))
        True
    """

    def __init__(self, network: nn.Module, inputs: NamedTensors) -> None:
        super().__init__()
        self.network = network
        self._forms = [(name, inputs[name].shape[1:], inputs[name].dtype) for name in inputs.keys()]

    def forward(self, x: Tensor) -> object:
        """The network's result."""
        weight = next((weight for weight in self.network.parameters() if weight.is_floating_point()), x)
        found: dict[str, Tensor] = {}
        start = 0
        for name, shape, dtype in self._forms:
            columns = math.prod(shape)
            part = x if len(self._forms) == 1 else x[:, start : start + columns]
            wanted = weight.dtype if dtype.is_floating_point else dtype
            part = part if part.dtype == wanted else part.to(wanted)
            found[name] = part if part.shape[1:] == shape else part.reshape(len(x), *shape)
            start += columns
        with unpacked():
            return main_output(called_with(self.network, found))


def packed(inputs: NamedTensors) -> Tensor:
    """Several inputs side by side, (n, columns): in float64 where only some are integers. One stays as it is."""
    if len(inputs.values()) == 1:
        return inputs.main
    parts = [value.reshape(len(value), -1) for value in inputs.values()]
    real = [part for part in parts if part.is_floating_point()]
    if 0 < len(real) < len(parts):
        parts = [part.double() for part in parts]
    return torch.cat(parts, dim=1)


def real_columns(inputs: NamedTensors) -> Tensor:
    """Which columns of `packed` are of real inputs, and may move."""
    real = [value[0].numel() * [value.is_floating_point()] for value in inputs.values()]
    return torch.tensor([column for columns in real for column in columns])


def name_within(layer: str) -> str:
    """A layer of the network by its name in a `OneInput` of it."""
    return layer if layer == OUTPUT else f"{_INNER}.{layer}"


def name_without(layer: str) -> str:
    """The reverse of `name_within`; the network as a whole is its output."""
    return OUTPUT if layer in {_INNER, OUTPUT} else layer.removeprefix(f"{_INNER}.")
