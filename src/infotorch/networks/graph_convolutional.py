"""Message passing on graphs: an embedding, graph layers, a read-out, then a perceptron."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Literal

from torch import Tensor, nn

from infotorch.networks.layers import NORMS, LengthNorm, Norm, hidden_layer
from infotorch.numerics.checks import check_choice, check_module, check_share, check_size, check_widths, shown
from infotorch.numerics.extras import require
from infotorch.numerics.kinds import check_names

if TYPE_CHECKING:
    from torch_geometric.data import Data

GraphLayer = Literal["gcn", "gin", "sage", "gat"]
GRAPH_LAYERS = ("gcn", "gin", "sage", "gat")
Readout = Literal["mean", "sum", "max"]
READOUTS = ("mean", "sum", "max")


class GraphNetwork(nn.Module):
    """Layers that run one after another on a torch_geometric `Data` or `Batch`; see `graph_network`.

    Args:
        layers: by name.
        with_edges: names of those that take (rows, edge_index); "readout" takes (rows, data), the others rows alone.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> model = GraphNetwork([("linear", nn.Linear(3, 2))], with_edges=[])
        >>> model(Data(x=torch.ones(4, 3), edge_index=torch.tensor([[0, 1], [1, 0]]))).shape
        torch.Size([4, 2])
    """

    def __init__(self, layers: Iterable[tuple[str, nn.Module]], *, with_edges: Iterable[str]) -> None:
        super().__init__()
        try:
            named = dict(layers)
        except (TypeError, ValueError) as error:
            raise TypeError(f"GraphNetwork: layers must be pairs (name, layer), got {shown(layers)}.") from error
        for name, layer in named.items():
            check_module(layer, where="GraphNetwork", name=f"the layer {name!r}")
            self.add_module(name, layer)
        self._with_edges = frozenset(check_names(with_edges, where="GraphNetwork", name="with_edges"))

    def forward(self, data: Data) -> Tensor:
        """A row for each node, (n, outputs), or behind a read-out for each graph, (g, outputs).

        Raises:
            TypeError: a tensor, which has no edges.
        """
        if isinstance(data, Tensor):
            raise TypeError("GraphNetwork: takes a torch_geometric Data or Batch, got a tensor, which has no edges.")
        if not hasattr(data, "x"):
            raise TypeError(f"GraphNetwork: takes a torch_geometric Data or Batch, got {shown(data)}.")
        rows = data.x
        for name, layer in self.named_children():
            if name in self._with_edges:
                rows = layer(rows, data.edge_index)
            else:
                rows = layer(rows, data) if name == "readout" else layer(rows)
        return rows  # pyright: ignore[reportReturnType]


def graph_network(
    inputs: int,
    *,
    embedding: Sequence[int] = (),
    convolutions: Sequence[int],
    hidden: Sequence[int] = (),
    outputs: int,
    layer: GraphLayer = "gcn",
    norm: Norm = "none",
    dropout: float = 0.0,
    readout: Readout | None = None,
) -> GraphNetwork:
    """Layers embed1, ..., conv1, conv2, ..., readout, fc1, fc2, ... with ReLU behind all but the last.

    Normalisation, ReLU and dropout of a layer are called `<name>_norm`, `<name>_relu`, `<name>_drop`. Cut at "conv1",
    "conv2", "fc1"; a cut at "readout" ends a module with nodes, one at "fc1" with graphs.

    Args:
        inputs: number of features of a node.
        embedding: widths of linear layers on every node's own features.
        convolutions: widths of the message-passing layers.
        hidden: widths of the hidden linear layers behind them.
        outputs: number of outputs of the last layer.
        layer: "gcn" (Kipf & Welling 2017), "gin" (Xu et al. 2019, eps 0, a perceptron of one hidden layer), "sage"
            (Hamilton et al. 2017, mean of the neighbours) or "gat" (Velickovic et al. 2018, one head).
        norm: of the hidden layers, see `hidden_layer`; over the nodes of a mini-batch before the read-out. "batch" also
            normalises inside the perceptron of "gin".
        dropout: share of a hidden layer's outputs set to 0 in training.
        readout: "mean", "sum" or "max" over the nodes of each graph; None keeps a row for each node.

    Raises:
        ModuleNotFoundError: torch_geometric is not installed.
        ValueError: no message-passing layer, a width below 1, a dropout outside [0, 1), or an unknown layer, norm or
            read-out.

    Example:
        >>> import torch
        >>> from torch_geometric.data import Data
        >>> model = graph_network(5, convolutions=(16, 16), outputs=3)
        >>> edges = torch.tensor([[0, 1], [1, 0]])
        >>> model(Data(x=torch.ones(4, 5), edge_index=edges)).shape
        torch.Size([4, 3])
        >>> [name for name, _ in model.named_children()]
        ['conv1', 'conv1_relu', 'conv2', 'conv2_relu', 'fc1']
    """
    where = "graph_network"
    for name, width in (("inputs", inputs), ("outputs", outputs)):
        check_size(width, where=where, name=name)
    for name, widths in (("embedding", embedding), ("hidden", hidden)):
        check_widths(widths, where=where, name=name)
    if not check_widths(convolutions, where=where, name="convolutions"):
        raise ValueError("graph_network: needs a message-passing layer, got convolutions ().")
    check_choice(layer, GRAPH_LAYERS, where="graph_network", name="layer")
    check_choice(norm, NORMS, where="graph_network", name="norm")
    if readout is not None:
        check_choice(readout, READOUTS, where="graph_network", name="readout")
    check_share(dropout, where=where, name="dropout")
    require("graph", "torch_geometric", "graph_network")
    from infotorch.networks.graph_layers import ReadOut

    layers: dict[str, nn.Module] = {}
    for number, sizes in enumerate(pairwise((inputs, *embedding)), start=1):
        layers |= hidden_layer(f"embed{number}", nn.Linear(*sizes), norm=norm, dropout=dropout)
    for number, sizes in enumerate(pairwise(((inputs, *embedding)[-1], *convolutions)), start=1):
        layers |= _hidden_convolution(f"conv{number}", *sizes, layer=layer, norm=norm, dropout=dropout)
    if readout is not None:
        layers["readout"] = ReadOut(readout)
    for number, sizes in enumerate(pairwise((convolutions[-1], *hidden)), start=1):
        layers |= hidden_layer(f"fc{number}", nn.Linear(*sizes), norm=norm, dropout=dropout)
    layers[f"fc{len(hidden) + 1}"] = nn.Linear((convolutions[-1], *hidden)[-1], outputs)
    return GraphNetwork(layers.items(), with_edges=[f"conv{number + 1}" for number in range(len(convolutions))])


def _hidden_convolution(
    name: str, inputs: int, outputs: int, *, layer: str, norm: Norm, dropout: float
) -> dict[str, nn.Module]:
    from infotorch.networks.graph_layers import graph_layer

    layers: dict[str, nn.Module] = {f"{name}_length": LengthNorm()} if norm == "length" else {}
    layers[name] = graph_layer(layer, inputs, outputs, norm=norm == "batch")
    if norm == "batch":
        layers[f"{name}_norm"] = nn.BatchNorm1d(outputs)
    layers[f"{name}_relu"] = nn.ReLU()
    if dropout > 0:
        layers[f"{name}_drop"] = nn.Dropout(dropout)
    return layers
