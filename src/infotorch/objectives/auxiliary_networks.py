"""What an auxiliary network is made of: convolutions, copies of later layers, attention, or message passing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

import torch.nn.functional as F
from torch import Tensor, nn

from infotorch.networks.graph_convolutional import GRAPH_LAYERS, GraphLayer
from infotorch.networks.later_layers import fitted, fresh_copy
from infotorch.numerics.checks import check_choice, check_count, check_widths
from infotorch.numerics.extras import require
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.locations import at_most_locations
from infotorch.objectives.place import Place


class AuxiliaryKind(Protocol):
    """Makes an auxiliary network for a module's output."""

    def make(self, example: LocalBatch, place: Place) -> nn.Module:
        """The network, with weights drawn from torch's global generator."""
        ...


class _Averaged(nn.Module):
    """A grid averaged to at most so many rows and columns."""

    def __init__(self, locations: int) -> None:
        super().__init__()
        self.locations = locations

    def forward(self, grid: Tensor) -> Tensor:
        return at_most_locations(grid, self.locations)

    def extra_repr(self) -> str:
        return str(self.locations)


@dataclass(frozen=True)
class Convolutions:
    """Convolutions with batch norm and ReLU on a grid, which may be averaged before and behind them.

    Args:
        channels: of each convolution: one number or several; None: one convolution with the output's channels.
        kernel: its side, odd.
        locations: the grid is averaged to at most this many rows and columns first; None: as it is.
        pooled: what the convolutions give is averaged to at most this many rows and columns; None: as it is.

    Raises:
        TypeError: a number that is no integer.
        ValueError: a number below 1, no channels, or an even kernel; in `make`, an output that is no grid.

    Source: Belilovsky, Eickenberg & Oyallon 2020, arXiv:1901.08164 (DGL); Nokland & Eidnes 2019, arXiv:1901.06656.

    Example:
        >>> import torch
        >>> x = torch.zeros(2, 3, 8, 8)
        >>> network = Convolutions(channels=16).make(LocalBatch(x, x, x, None), Place())
        >>> network(x).shape
        torch.Size([2, 16, 2, 2])
    """

    channels: int | Sequence[int] | None = None
    kernel: int = 3
    locations: int | None = None
    pooled: int | None = 2

    def __post_init__(self) -> None:
        where = "auxiliary 'convolutions'"
        if self.channels is not None:
            several = [self.channels] if isinstance(self.channels, int) else self.channels
            check_widths(several, where=where, name="channels", at_least=1)
        check_count(self.kernel, where=where, name="kernel")
        for name, value in (("locations", self.locations), ("pooled", self.pooled)):
            if value is not None:
                check_count(value, where=where, name=name)
        if self.kernel % 2 == 0:
            raise ValueError(f"{where}: kernel must be odd, so that a location stays in place, got {self.kernel}.")

    def make(self, example: LocalBatch, place: Place) -> nn.Module:
        """See `AuxiliaryKind`."""
        output = example.output
        if output.ndim != 4:
            raise ValueError(
                f"auxiliary 'convolutions': the output must be a grid (b, channels, height, width), got "
                f"{tuple(output.shape)}; cut before a grid is flattened; 'attention' is for tokens."
            )
        width, channels = output.shape[1], self.channels
        given = [width] if channels is None else [channels] if isinstance(channels, int) else list(channels)
        layers: list[nn.Module] = [] if self.locations is None else [_Averaged(self.locations)]
        for inputs, outputs in pairwise([width, *given]):
            layers += [
                nn.Conv2d(inputs, outputs, self.kernel, padding=self.kernel // 2, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
        return nn.Sequential(*layers, *([] if self.pooled is None else [_Averaged(self.pooled)]))


@dataclass(frozen=True)
class Following:
    """Copies of some of the layers that follow the module, evenly chosen, with weights of their own drawn anew.

    A layer here is a layer with weights, or a block, and what follows it up to the next; the network's last one is left
    to the objective's own read-out. Where a layer in between is left out, what the next one takes is averaged to its
    locations and mapped to its channels. Where fewer layers follow, all of them are copied; before the network's last
    layer there is none to copy.

    Args:
        copies: how many layers.
        pooled: a grid at the end is averaged to at most this many rows and columns; None: as it is.

    Raises:
        TypeError: a number that is no integer.
        ValueError: a number below 1; in `make`, no layers follow, they do not run one after the other, share state, or
            cannot be drawn anew.

    Source: Ma, Tian, Zhang, Wang & Zhang 2024, "Scaling supervised local learning with augmented auxiliary networks",
        arXiv:2402.17318, which adapts the copied layers themselves.

    Example:
        >>> Following(copies=2).chosen(6)  # of six layers
        [2, 5]
    """

    copies: int = 1
    pooled: int | None = 2

    def __post_init__(self) -> None:
        where = "auxiliary 'following'"
        check_count(self.copies, where=where, name="copies")
        if self.pooled is not None:
            check_count(self.pooled, where=where, name="pooled")

    def chosen(self, count: int) -> list[int]:
        """The numbers of the layers that are copied, of so many; the last of them always is."""
        copies = min(self.copies, count)
        return [-(-number * count // copies) - 1 for number in range(1, copies + 1)]

    def make(self, example: LocalBatch, place: Place) -> nn.Module:
        """See `AuxiliaryKind`."""
        where = "auxiliary 'following'"
        later = place.following()
        if not later:
            raise ValueError(f"{where}: no layer follows the plan's last module; give it no auxiliary network.")
        shape, layers = example.output.shape[1:], []
        for number in self.chosen(len(later) - 1):
            fit = fitted(shape, later[number].shape, where=where)
            layers += [*([] if fit is None else [fit]), fresh_copy(later[number].layers, where=where)]
            shape = later[number + 1].shape
        return nn.Sequential(*layers, *([] if self.pooled is None else [_Averaged(self.pooled)]))


class _Tokens(nn.Module):
    """Encoder layers on tokens, whose mean comes out."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, tokens: Tensor) -> Tensor:
        for layer in self.layers:
            tokens = layer(tokens)
        return tokens.mean(dim=1)


@dataclass(frozen=True)
class Attention:
    """Encoder layers of a transformer on tokens (b, tokens, width), and the mean over the tokens.

    All tokens count, also those that fill a sentence up.

    Args:
        layers: how many.
        heads: of the attention; they must divide the width.
        hidden: width of the layers' perceptron; None: twice that of a token.

    Raises:
        TypeError: a number that is no integer.
        ValueError: a number below 1; in `make`, an output that is no sequence of tokens, or whose width the heads do
            not divide.

    Example:
        >>> import torch
        >>> x = torch.zeros(2, 5, 8)
        >>> Attention(heads=2).make(LocalBatch(x, x, x, None), Place())(x).shape
        torch.Size([2, 8])
    """

    layers: int = 1
    heads: int = 4
    hidden: int | None = None

    def __post_init__(self) -> None:
        hidden = 1 if self.hidden is None else self.hidden
        for name, value in (("layers", self.layers), ("heads", self.heads), ("hidden", hidden)):
            check_count(value, where="auxiliary 'attention'", name=name)

    def make(self, example: LocalBatch, place: Place) -> nn.Module:
        """See `AuxiliaryKind`."""
        shape = tuple(example.output.shape)
        if len(shape) != 3:
            raise ValueError(f"auxiliary 'attention': the output must be tokens (b, tokens, width), got {shape}.")
        width = shape[2]
        if width % self.heads:
            raise ValueError(f"auxiliary 'attention': heads must divide the width {width}, got {self.heads}.")
        hidden = 2 * width if self.hidden is None else self.hidden
        made = [
            nn.TransformerEncoderLayer(width, self.heads, hidden, dropout=0.0, batch_first=True)
            for _ in range(self.layers)
        ]
        return _Tokens(made)


class _Messages(nn.Module):
    """Message-passing layers with ReLU."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)

    def forward(self, rows: Tensor, edge_index: Tensor) -> Tensor:
        for layer in self.layers:
            rows = F.relu(layer(rows, edge_index))
        return rows


@dataclass(frozen=True)
class MessagePassing:
    """Message-passing layers with ReLU on the nodes of graphs.

    Objectives with labels of graphs then take the mean over the nodes of each, as they do without an auxiliary network.

    Args:
        widths: of each layer: one number or several; None: one layer with the output's columns.
        layer: "gcn", "gin", "sage" or "gat", see `graph_network`.

    Raises:
        ModuleNotFoundError: torch_geometric is not installed.
        TypeError: a width that is no integer.
        ValueError: a width below 1, none, or an unknown layer; in `make`, samples that are no graphs, or an output
            without a row for each node.

    Example:
        >>> import torch
        >>> from infotorch.data.graphs import GraphStructure
        >>> graph = GraphStructure(torch.tensor([[0, 1], [1, 0]]), torch.zeros(2, dtype=torch.int64), 1)
        >>> x = torch.ones(2, 3)
        >>> network = MessagePassing(widths=4).make(LocalBatch(x, x, x, None, graph=graph), Place())
        >>> network(x, graph.edge_index).shape
        torch.Size([2, 4])
    """

    widths: int | Sequence[int] | None = None
    layer: GraphLayer = "gcn"

    def __post_init__(self) -> None:
        where = "auxiliary 'message-passing'"
        if self.widths is not None:
            several = [self.widths] if isinstance(self.widths, int) else self.widths
            check_widths(several, where=where, name="widths", at_least=1)
        check_choice(self.layer, GRAPH_LAYERS, where=where, name="layer")

    def make(self, example: LocalBatch, place: Place) -> nn.Module:
        """See `AuxiliaryKind`."""
        graph, shape = example.graph, tuple(example.output.shape)
        if graph is None or len(shape) != 2 or shape[0] != graph.num_nodes:
            nodes = "samples that are no graphs" if graph is None else f"{shape} for {graph.num_nodes} nodes"
            raise ValueError(
                f"auxiliary 'message-passing': the output must have a row (n, width) for each node, got {nodes}."
            )
        require("graph", "torch_geometric", "auxiliary 'message-passing'")
        from infotorch.networks.graph_layers import graph_layer

        widths = self.widths
        given = [shape[1]] if widths is None else [widths] if isinstance(widths, int) else list(widths)
        return _Messages([graph_layer(self.layer, *sizes) for sizes in pairwise([shape[1], *given])])


AuxiliaryName = Literal["convolutions", "following", "attention", "message-passing"]
#: Kind -> what makes it.
KINDS: dict[AuxiliaryName, type[AuxiliaryKind]] = {
    "convolutions": Convolutions,
    "following": Following,
    "attention": Attention,
    "message-passing": MessagePassing,
}
