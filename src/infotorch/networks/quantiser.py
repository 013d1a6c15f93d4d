"""Quantisers whose cells follow the statistics of what they quantise, so that scaling a layer changes no cell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Real
from typing import Literal

import torch
from torch import Tensor, fx, nn

from infotorch.numerics.checks import check_choice, check_positive, check_size, shown
from infotorch.numerics.module_inputs import module_input

# What torch.quantile takes at most; of more entries every second, third, ... counts.
_MOST_ENTRIES = 2**24


class Quantiser(nn.Module):
    """Every entry replaced by the centre of its cell; the cells are the same for all units of the layer.

    In training the cells are those of the batch, in evaluation those of a running mean over the training batches (of
    the batch, where there was none). Under x -> a x + b with a > 0 the cells move along, and every entry keeps its
    cell: information of the quantised layer cannot be changed by scaling the layer.

    Args:
        levels: number of cells, 2 or more.
        kind: "uniform", of equal width between the lowest and the highest entry; "quantile", with equally many entries
            each.
        limits: (low, high) for equal cells between two fixed numbers instead; what lies outside is in the outer cells.
            (0, 1) with two levels is the decision "above 1/2". Such cells do not follow the layer.
        straight_through: the gradient passes as if nothing had been quantised; False: none passes.
        momentum: share of the newest batch in the running mean.

    Raises:
        TypeError: levels is no integer, or momentum no number.
        ValueError: levels below 2, an unknown kind, limits that do not rise or are not finite, or momentum outside
            (0, 1].

    Source: Amjad & Geiger 2019, arXiv:1802.09766, Sec. 5.4, footnote 3; straight-through: Bengio, Léonard & Courville
        2013, arXiv:1308.3432.

    Example:
        >>> Quantiser(4, limits=(0.0, 1.0)).cells(torch.tensor([0.1, 0.3, 0.9, 7.0]))
        tensor([0, 1, 3, 3])
        >>> x = torch.tensor([[0.0], [1.0], [4.0]])
        >>> Quantiser(2)(x).flatten(), Quantiser(2, kind="quantile").cells(x).flatten()
        (tensor([1., 1., 3.]), tensor([0, 0, 1]))
    """

    running_edges: Tensor
    started: Tensor

    def __init__(
        self,
        levels: int,
        *,
        kind: Literal["uniform", "quantile"] = "uniform",
        limits: tuple[float, float] | None = None,
        straight_through: bool = True,
        momentum: float = 0.1,
    ) -> None:
        super().__init__()
        check_size(levels, where="Quantiser", name="levels")
        if levels < 2:
            raise ValueError(f"Quantiser: levels must be at least 2, got {levels}.")
        check_choice(kind, ("uniform", "quantile"), where="Quantiser", name="kind")
        check_positive(momentum, where="Quantiser", name="momentum")
        if momentum > 1:
            raise ValueError(f"Quantiser: momentum must be at most 1, got {momentum}.")
        self.levels, self.kind, self.straight_through, self.momentum = levels, kind, straight_through, momentum
        self.limits = None if limits is None else _checked(limits)
        self.register_buffer("running_edges", torch.linspace(*(self.limits or (0.0, 1.0)), levels + 1))
        self.register_buffer("started", torch.tensor(self.limits is not None))

    def extra_repr(self) -> str:
        """The settings, for printing."""
        return f"{self.levels}, {self.kind if self.limits is None else self.limits}"

    def edges(self, x: Tensor) -> Tensor:
        """The borders of the cells for these samples, rising, (levels + 1,); it moves no running mean.

        Raises:
            ValueError: there are no samples to follow.
        """
        x = self._input(x)
        if self.limits is not None or not (self.training or not bool(self.started)):
            return self.running_edges.to(x.dtype)
        entries = x.detach().flatten()
        if len(entries) == 0:
            raise ValueError("Quantiser: the input must have one entry or more for its cells to follow, got none.")
        entries = entries[:: math.ceil(len(entries) / _MOST_ENTRIES)]
        # torch.quantile takes no half precision.
        dtype = torch.promote_types(x.dtype, torch.float32) if self.kind == "quantile" else x.dtype
        shares = torch.linspace(0, 1, self.levels + 1, dtype=dtype, device=x.device)
        if self.kind == "quantile":
            return torch.quantile(entries.to(dtype), shares).to(x.dtype)
        low, high = entries.aminmax()
        return low + (high - low) * shares

    def cells(self, x: Tensor) -> Tensor:
        """The number of every entry's cell, 0 to levels - 1, in the shape of x; a border belongs to the cell below."""
        x = self._input(x)
        return _cells(x, self.edges(x))

    def coordinates(self, x: Tensor) -> Tensor:
        """Where an entry lies, in cells: its cell's number plus the way through that cell; differentiable in x."""
        x = self._input(x)
        edges = self.edges(x)
        cells = _cells(x, edges)
        low, width = edges[cells], edges.diff()[cells]
        # Entries of a layer that does not vary are all in the middle of one cell.
        return cells + torch.where(width > 0, (x - low) / width.masked_fill(width == 0, 1.0), 0.5)

    def _input(self, x: Tensor) -> Tensor:
        x = module_input(x, where="Quantiser", name="the input")
        if not isinstance(x, fx.Proxy) and x.device != self.running_edges.device:
            raise ValueError(f"Quantiser: the input must be on {self.running_edges.device}, got {x.device}.")
        return x

    def follow(self, x: Tensor) -> None:
        """Let the running mean of the borders count these samples; `forward` does so in training."""
        if self.limits is None:
            self._move_towards(self.edges(x))

    def _move_towards(self, edges: Tensor) -> None:
        edges = edges.to(self.running_edges.dtype)
        self.running_edges.copy_(self.running_edges.lerp(edges, self.momentum) if bool(self.started) else edges)
        self.started.fill_(True)

    def forward(self, x: Tensor) -> Tensor:
        """The centres of the entries' cells, in the shape of x.

        Raises:
            TypeError: x is no dense tensor of real numbers.
        """
        x = self._input(x)
        edges = self.edges(x)
        centres = ((edges[1:] + edges[:-1]) / 2)[_cells(x, edges)]
        if self.training and self.limits is None:
            self._move_towards(edges)
        return centres + (x - x.detach()) if self.straight_through else centres


def _cells(x: Tensor, edges: Tensor) -> Tensor:
    return torch.bucketize(x.detach(), edges[1:-1])


def _checked(limits: tuple[float, float]) -> tuple[float, float]:
    if not isinstance(limits, Sequence) or len(limits) != 2 or not all(isinstance(one, Real) for one in limits):
        raise TypeError(f"Quantiser: limits must be two numbers (low, high), got {shown(limits)}.")
    low, high = (float(limit) for limit in limits)
    if not -math.inf < low < high < math.inf:
        raise ValueError(f"Quantiser: limits must be finite and rise, got {limits}.")
    return low, high
