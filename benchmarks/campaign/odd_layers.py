"""The modules that the odd models are made of, as somebody might write them: 6 columns in, scores of 3 classes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn


class Apply(nn.Module):
    """A function as a layer."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Any) -> Any:
        """The function's value."""
        return self.function(x)


class _TwoLayers(nn.Module):
    """`first` and `last`, with something between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x: Any) -> Tensor:
        """The class scores."""
        return self.last(self.between(self.first(x).tanh()))

    def between(self, hidden: Tensor) -> Tensor:
        """What a subclass does."""
        return hidden


class CountsInABuffer(_TwoLayers):
    """Sets its buffer anew in every call."""

    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(()))

    def between(self, hidden: Tensor) -> Tensor:
        """One more call."""
        self.count = self.count + 1
        return hidden


class CountsInPlace(CountsInABuffer):
    """Changes its buffer in place."""

    def between(self, hidden: Tensor) -> Tensor:
        """One more call."""
        self.count += 1
        return hidden


class RunningMean(_TwoLayers):
    """Centres by a running mean that it sets anew in every training step."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(8))

    def between(self, hidden: Tensor) -> Tensor:
        """Centred."""
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * hidden.detach().mean(0)
        return hidden - self.mean


class LateBuffer(_TwoLayers):
    """Its buffer is None until the first call."""

    scale: Tensor | None

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scale", None)

    def between(self, hidden: Tensor) -> Tensor:
        """Divided by the first batch's spread."""
        if self.scale is None:
            self.scale = hidden.detach().std() + 1
        return hidden / self.scale


class CountsInANumber(_TwoLayers):
    """Counts its calls in a plain number."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def between(self, hidden: Tensor) -> Tensor:
        """One more call."""
        self.calls += 1
        return hidden


class KeepsHidden(_TwoLayers):
    """Keeps its hidden layer for whoever looks."""

    def between(self, hidden: Tensor) -> Tensor:
        """As it is."""
        self.seen = hidden
        return hidden


class KeepsState(_TwoLayers):
    """Adds what it kept of the last batch, without its history."""

    def __init__(self) -> None:
        super().__init__()
        self.state = torch.zeros(8)

    def between(self, hidden: Tensor) -> Tensor:
        """With the state of the last call."""
        hidden = hidden + 0.1 * self.state
        self.state = hidden.detach().mean(0)
        return hidden


class TakesDict(_TwoLayers):
    """Its samples are a dict."""

    def forward(self, x: Any) -> Tensor:
        """The class scores."""
        return super().forward(x["left"] + x["right"])


class TakesTwo(_TwoLayers):
    """Takes two tensors."""

    def forward(self, left: Tensor, right: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The class scores."""
        return super().forward(left + right)


class NeedsKeywords(_TwoLayers):
    """Its second argument has no default."""

    def forward(self, x: Tensor, *, scale: float) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The class scores."""
        return scale * super().forward(x)


class WithContainers(nn.Module):
    """Layers in a ModuleList and in a ModuleDict, and a parameter beside them."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(6, 8), nn.Linear(8, 8)])
        self.heads = nn.ModuleDict({"scores": nn.Linear(8, 3), "unused": nn.Linear(8, 2)})
        self.scale = nn.Parameter(torch.ones(3))

    def forward(self, x: Tensor) -> Tensor:
        """The class scores."""
        for block in self.blocks:
            x = block(x).tanh()
        return self.scale * self.heads["scores"](x)


class Twice(nn.Module):
    """One layer runs twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.middle, self.last = nn.Linear(6, 8), nn.Linear(8, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        """The class scores."""
        return self.last(self.middle(self.middle(self.first(x).tanh()).tanh()).tanh())


class Tied(nn.Module):
    """The second layer has the first one's weights."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.last = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(6, 3)
        self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        """The class scores."""
        return self.last(self.second(self.first(x).tanh()).tanh())


class WeightsAsBuffers(_TwoLayers):
    """A random projection that is no parameter."""

    projection: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("projection", torch.randn(8, 8) / 8**0.5)

    def between(self, hidden: Tensor) -> Tensor:
        """Projected."""
        return (hidden @ self.projection).tanh()


class DataDependent(nn.Module):
    """Takes another way for another batch."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        """The class scores."""
        hidden = self.first(x)
        if hidden.mean() > 0:
            hidden = hidden.tanh()
        return self.second(hidden)


class Draws(nn.Module):
    """Adds noise of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(6, 8), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor:
        """The class scores."""
        hidden = self.first(x)
        return self.second(hidden + 0.1 * torch.randn_like(hidden))


class CallableAttribute(_TwoLayers):
    """Its activation is a function held as an attribute."""

    def __init__(self) -> None:
        super().__init__()
        self.activation = torch.nn.functional.gelu

    def between(self, hidden: Tensor) -> Tensor:
        """By the function."""
        return self.activation(hidden)


class Backbone(nn.Module):
    """Has a head that forward never calls, as those have who fine-tune a backbone."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second, self.old_head = nn.Linear(6, 8), nn.Linear(8, 3), nn.Linear(8, 1000)
        self.token = nn.Parameter(torch.zeros(1))

    def forward(self, x: Tensor) -> Tensor:
        """The class scores."""
        return self.second(self.first(x).tanh())
