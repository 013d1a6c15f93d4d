"""Layers on graphs: torch_geometric's, and its graph convolution with sparse products.

Needs torch_geometric; `graph_network` imports this module when it is called.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary
from torch_geometric.data import Data
from torch_geometric.nn import GATConv, GCNConv, GINConv, SAGEConv, global_add_pool, global_max_pool, global_mean_pool
from torch_geometric.nn.conv.gcn_conv import gcn_norm

# A sparse product costs some twenty times as much for an entry as a dense one.
_FEW = 0.05
# x -> (how often it was changed in place, its entries), as long as x is there
_KNOWN = WeakTensorKeyDictionary()

_POOLS = {"mean": global_mean_pool, "sum": global_add_pool, "max": global_max_pool}


class GraphConvolution(GCNConv):
    """A layer of a graph convolutional network: D^-1/2 (A + I) D^-1/2 X W + b, D the degrees of A + I.

    Weights and values are those of torch_geometric's `GCNConv`; the sum over neighbours is one product with a sparse
    matrix, where a row for every edge would cost more than the linear map. So is X W where X is data and nearly all
    zero, such as the words of documents.

    Source: Kipf & Welling 2017, arXiv:1609.02907, eq. 2.

    Example:
        >>> layer, edges = GraphConvolution(3, 2), torch.tensor([[0, 1], [1, 0]])
        >>> layer(torch.zeros(4, 3), edges).shape
        torch.Size([4, 2])
    """

    def forward(self, x: Tensor, edge_index: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Nodes' rows (n, inputs) and edges (2, e), from source to target, -> (n, outputs)."""
        nodes = len(x)
        edges, values = gcn_norm(edge_index, None, nodes, dtype=x.dtype)
        assert isinstance(edges, Tensor)
        assert values is not None
        graph = torch.sparse_coo_tensor(edges.flip(0), values, (nodes, nodes), check_invariants=False)
        # The sum over neighbours stays in the features' own precision, whatever autocast makes of the linear map.
        return _SparseProduct.apply(graph.coalesce(), self._linear(x).to(x.dtype)) + self.bias

    def _linear(self, x: Tensor) -> Tensor:
        entries = _entries(x)
        if entries is None:
            return self.lin(x)
        return _SparseProduct.apply(entries, self.lin.weight.t().contiguous())  # pyright: ignore[reportReturnType]


def _entries(x: Tensor) -> Tensor | None:
    """The data x as a sparse matrix where few enough of its entries are not zero, found once for every x."""
    if x.requires_grad or x.ndim != 2 or x.is_inference():
        return None
    known = _KNOWN.get(x)
    if known is None or known[0] != x._version:
        few = x.count_nonzero() < _FEW * x.numel()
        known = x._version, x.to_sparse() if few else None
        _KNOWN[x] = known
    return known[1]


class _SparseProduct(torch.autograd.Function):
    """A sparse matrix without gradient times rows; what is kept for the backward pass is the matrix alone.

    `torch.sparse.mm` itself hands the matrix to hooks on saved tensors; those that measure them ask for its storage.
    """

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, rows: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx.matrix = matrix
        return _product(matrix, rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, Tensor]:  # pyright: ignore[reportIncompatibleMethodOverride]
        return None, _product(ctx.matrix.t(), gradient)


def _product(matrix: Tensor, rows: Tensor) -> Tensor:
    # Autocast narrows the rows alone, of which the way back, outside of it, has no product with the matrix.
    with torch.autocast(rows.device.type, enabled=False):
        return torch.sparse.mm(matrix, rows)


class ReadOut(nn.Module):
    """One row for each graph: the mean, sum or maximum of its nodes' rows; 0 for a graph without nodes.

    Args:
        how: "mean", "sum" or "max".

    Example:
        >>> pair = Data(edge_index=torch.zeros(2, 0, dtype=torch.int64))
        >>> ReadOut("mean")(torch.tensor([[1.0], [3.0]]), pair)
        tensor([[2.]])
    """

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, rows: Tensor, data: Data) -> Tensor:
        """Nodes' rows (n, d) of the graphs in `data` -> (g, d); all are one graph's where `data.batch` is None."""
        of_graph, count = data.batch, 1
        if of_graph is None:
            of_graph = torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
        else:
            count = int(data.num_graphs)  # pyright: ignore[reportAttributeAccessIssue]
        return _POOLS[self.how](rows, of_graph, count)

    def extra_repr(self) -> str:
        """What `print` shows in brackets."""
        return self.how


def graph_layer(kind: str, inputs: int, outputs: int, *, norm: bool = False) -> nn.Module:
    """One message-passing layer, `(rows (n, inputs), edge_index) -> (n, outputs)`.

    Args:
        kind: "gcn" (Kipf & Welling 2017), "gin" (Xu et al. 2019, eps 0, a perceptron of one hidden layer), "sage"
            (Hamilton et al. 2017, mean of the neighbours) or "gat" (Velickovic et al. 2018, one head).
        inputs: width of a node's row.
        outputs: width of what it becomes.
        norm: batch norm inside the perceptron of "gin".

    Example:
        >>> sum(p.numel() for p in graph_layer("sage", 4, 3).parameters()) == 2 * 4 * 3 + 3
        True
    """
    if kind == "gin":
        inside = [nn.BatchNorm1d(outputs)] if norm else []
        return GINConv(nn.Sequential(nn.Linear(inputs, outputs), *inside, nn.ReLU(), nn.Linear(outputs, outputs)))
    return {"gcn": GraphConvolution, "sage": SAGEConv, "gat": GATConv}[kind](inputs, outputs)
