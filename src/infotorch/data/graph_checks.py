"""What a torch_geometric data object must be before a network is trained on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from infotorch.data.sets import check_edge_index, check_graph_index
from infotorch.numerics.checks import as_tensor

if TYPE_CHECKING:
    from torch_geometric.data import Data
    from typing_extensions import TypeIs

#: Whose targets are read: those of training, of validation or of test nodes.
Mask = Literal["train_mask", "val_mask", "test_mask"]
#: What is said of nodes and graphs rather than seen by a network.
LABELS = frozenset({"y", "train_mask", "val_mask", "test_mask"})
# What a batch says of its own layout.
_LAYOUT = frozenset({"batch", "ptr", "num_nodes"})


def is_graph(value: object) -> TypeIs[Data]:
    """Whether a value is a torch_geometric data object (or what looks like one), be it without edges."""
    return not isinstance(value, Tensor) and hasattr(value, "edge_index") and hasattr(value, "to_dict")


def check_graph(graph: Any, *, where: str) -> None:
    """Refuse what no network on graphs can take.

    Raises:
        TypeError: no data object, features that are not real, or edges that are not int64.
        ValueError: no nodes, no or misshapen features or edges, node numbers out of range, NaN or infinite features of
            nodes or edges.
    """
    if not is_graph(graph):
        raise TypeError(f"{where}: must be a torch_geometric Data object, got {type(graph).__name__}.")
    x, edge_index = graph.x, graph.edge_index
    if not isinstance(x, Tensor) or x.ndim != 2 or len(x) == 0:
        got = "none" if x is None else tuple(x.shape) if isinstance(x, Tensor) else type(x).__name__
        raise ValueError(f"{where}: node features x must have shape (nodes, features), one node at least, got {got}.")
    if not x.is_floating_point():
        raise TypeError(
            f"{where}: node features x must be real-valued, got {x.dtype}; give x.float(), or a column for each kind "
            "by torch.nn.functional.one_hot."
        )
    if not isinstance(edge_index, Tensor) or edge_index.dtype != torch.int64:
        got = edge_index.dtype if isinstance(edge_index, Tensor) else type(edge_index).__name__
        raise TypeError(f"{where}: edge_index must be an int64 tensor (2, edges), got {got}.")
    check_edge_index(edge_index, len(x), where=where)
    if not torch.isfinite(x).all():
        raise ValueError(f"{where}: node features x must be finite, got NaN or infinite values.")
    for name in ("edge_attr", "edge_weight"):
        values = getattr(graph, name, None)
        if isinstance(values, Tensor) and values.is_floating_point() and not torch.isfinite(values).all():
            raise ValueError(f"{where}: {name} must be finite, got NaN or infinite values.")


def check_batch(graph: Data, *, where: str) -> None:
    """Refuse a `batch` that does not say, graph after graph, which graph each node belongs to.

    Raises:
        ValueError: other numbers than one int64 for each node, nodes not in the order of their graphs, or an edge
            between two graphs.
    """
    batch, x = graph.batch, graph.x
    if batch is None:
        return
    assert x is not None
    if not isinstance(batch, Tensor) or batch.dtype != torch.int64 or tuple(batch.shape) != (len(x),):
        got = f"{batch.dtype} of shape {tuple(batch.shape)}" if isinstance(batch, Tensor) else type(batch).__name__
        raise ValueError(f"{where}: batch must be int64, one number for each of {len(x)} nodes, got {got}.")
    assert graph.edge_index is not None
    check_graph_index(batch, graph.edge_index, int(batch.max()) + 1, where=where)


def known_nodes(graph: Data, y: Tensor, mask: Mask, *, where: str) -> Tensor | None:
    """Which nodes' targets are read, (nodes,); None where no mask parts the nodes.

    Args:
        graph: with masks, or without.
        y: targets, (nodes, ...).
        mask: which of its masks.
        where: for messages.

    Raises:
        TypeError: a mask that holds no numbers.
        ValueError: a mask of another shape, or a train_mask without the mask that is asked for.

    Example:
        >>> from torch_geometric.data import Data
        >>> known_nodes(Data(x=torch.eye(2), train_mask=[1, 0]), torch.tensor([3, 4]), "train_mask", where="example")
        tensor([ True, False])
    """
    given = getattr(graph, mask, None)
    if given is None:
        if getattr(graph, "train_mask", None) is None:
            return None
        raise ValueError(
            f"{where}: the graph has a train_mask and no {mask}, which would say whose targets count here; set it, or "
            "give (graph, y) with y = -1 (NaN of real numbers) at all other nodes."
        )
    given = as_tensor(given, where=where, name=mask).to(y.device)
    if given.shape != y.shape[:1]:
        raise ValueError(
            f"{where}: {mask} must say of each node whether its target is known, got shape {tuple(given.shape)} for y "
            f"of shape {tuple(y.shape)}; choose one of several splits."
        )
    return given.bool()


def check_single_graphs(graphs: Sequence[Any], *, where: str) -> None:
    """Refuse what `check_graph` refuses, and a `Batch` of several graphs as one: which is which would be forgotten.

    Raises:
        TypeError: as there.
        ValueError: as there, or such a batch.
    """
    for number, graph in enumerate(graphs):
        check_graph(graph, where=f"{where}, graph {number}")
        batch = graph.batch
        if isinstance(batch, Tensor) and batch.numel() and int(batch.max()) > 0:
            raise ValueError(
                f"{where}, graph {number}: must be one graph, got a Batch of {int(batch.max()) + 1}; give the loader "
                "that made it, or the graphs of its to_data_list()."
            )


def attributes_of(graph: Data) -> dict[str, Tensor]:
    """The tensors that nodes, edges and graphs have, without labels and the graph itself."""
    left_out = LABELS | _LAYOUT | {"edge_index"}
    return {k: v for k, v in graph.to_dict().items() if isinstance(v, Tensor) and k not in left_out}


def check_alike(held: Sequence[Mapping[str, Tensor]]) -> None:
    """Refuse graphs that have other attributes than the first, or of another width.

    Raises:
        ValueError: naming the attribute and the graph.
    """
    first = {key: tuple(value.shape[1:]) for key, value in held[0].items()}
    for number, own in enumerate(held):
        found = {key: tuple(value.shape[1:]) for key, value in own.items()}
        if found != first:
            key = next(key for key in {**first, **found} if first.get(key) != found.get(key))
            wanted, got = (f"rows of shape {w[key]}" if key in w else "none" for w in (first, found))
            raise ValueError(
                f"GraphSamples: all graphs must have the same attributes; of {key!r} graph 0 has {wanted}, "
                f"graph {number} {got}."
            )


def check_numbers_nothing(graph: Data, key: str, value: Tensor) -> None:
    """Refuse numbers of nodes other than edge_index, which would have to count on from graph to graph.

    Raises:
        ValueError: the attribute is one.
    """
    if graph.__cat_dim__(key, value) != 0 or graph.__inc__(key, value):
        raise ValueError(f"GraphSamples: {key!r} numbers nodes, as only edge_index may here; leave it out.")
