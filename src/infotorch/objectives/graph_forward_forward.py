"""Forward-Forward on graphs: labels beside the nodes' features, and a goodness of every node or graph."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from infotorch.data.graphs import GraphStructure
from infotorch.data.targets import TargetKind
from infotorch.numerics.checks import WHOLE, check_choice, check_positive, shown
from infotorch.numerics.kinds import check_function
from infotorch.numerics.module_inputs import module_input, rows_of_units
from infotorch.objectives.base import LocalBatch, Loss, Objective, full_precision, nothing_to_learn
from infotorch.objectives.checks import check_labels, check_targets

_WHERE = "GraphForwardForward"


class GraphForwardForward(Objective):
    """Graph Forward-Forward: a high goodness where the right label is written on the nodes, a low one for a wrong one.

    A label is a one-hot vector in columns of the nodes' raw features. Where y has a class for each node, it is written
    on that node; where for each graph, on all nodes of the graph. Goodness is the sum (or mean) of a sample's squared
    activities; where y is of graphs and the output has a row for each node, its mean over a graph's nodes. The loss is
    softplus(threshold - goodness) for right labels plus softplus(goodness - threshold) for wrong ones, drawn anew in
    every step among the other classes: the two cross-entropies, in nats, of telling right from wrong.

    Unlabelled nodes and graphs (y = -1) keep their features and do not count. The right labels of a mini-batch are
    written at once, and so are the wrong ones: a node also sees the labels of its neighbours. A mini-batch without any
    label teaches nothing: its loss and gradient are zero, and it has no term. Edges play no part but through the
    module.

    The input of every module but the first must have a fixed length, as `ForwardForward` says. Modules hand on their
    outputs for features without a label, the last one to the output module. To classify graphs by goodness instead, add
    the `goodness_scores` of the modules. The reported terms, goodness_right and goodness_wrong, are means without a
    unit.

    Args:
        columns: where labels are written: in the "last" columns of x, one for each class, which the data must leave
            free for them (equal in every node, such as zeros; the first mini-batch is looked at), or over the "first",
            whatever they hold.
        mark: the number that marks a class; 1 is the one-hot vector.
        threshold: goodness at which right and wrong are equally likely; None: the number of units, or 1 for "mean".
        goodness: "sum" of the squared activities, or their "mean", which keeps the loss soft for wide modules.

    Raises:
        TypeError: a mark or threshold that is no number; in `build`, labels that are no classes, or an x that is not
            real-valued.
        ValueError: unknown columns or goodness, a mark or threshold not positive; in `build`, samples that are no
            graphs, fewer than two classes, too few columns, last columns that are not free, or an output that does not
            fit y.

    Source: Paliotta, Alain, Mate & Fleuret 2023, arXiv:2302.05282, for graphs with labels beside the features; Hinton
        2022, arXiv:2212.13345, Sec. 2 and 3.3. Labels of nodes are ours, and wrong labels are equally likely.

    Example:
        >>> graph = GraphStructure(torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 0, 1]), 2)
        >>> x = torch.tensor([[5.0, 0.0, 0.0], [6.0, 0.0, 0.0], [7.0, 0.0, 0.0]])
        >>> batch = LocalBatch(x, x, x, torch.tensor([1, 0]), encode=lambda x: 2 * x[:, 1:], graph=graph)
        >>> objective = GraphForwardForward()
        >>> objective.build(batch, batch.y)
        >>> objective.write_labels(x, torch.tensor([1, 1, 0]))
        tensor([[5., 0., 1.],
                [6., 0., 1.],
                [7., 1., 0.]])
        >>> objective(batch).terms["goodness_right"].item()  # 0^2 + 2^2
        4.0
    """

    needs_labels: bool = True
    target_kinds: tuple[TargetKind, ...] | None = ("classes",)
    knows_graphs: bool = True

    level: float

    def __init__(
        self,
        *,
        columns: Literal["last", "first"] = "last",
        mark: float = 1.0,
        threshold: float | None = None,
        goodness: Literal["sum", "mean"] = "sum",
    ) -> None:
        super().__init__()
        check_choice(columns, ("last", "first"), where=_WHERE, name="columns")
        check_positive(mark, where=_WHERE, name="mark")
        if threshold is not None:
            check_positive(threshold, where=_WHERE, name="threshold")
        check_choice(goodness, ("sum", "mean"), where=_WHERE, name="goodness")
        self.columns, self.mark, self.threshold, self.kind = columns, mark, threshold, goodness
        self.classes = 0

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Count the classes, and check that there is room for them."""
        graph = _graph_of(example)
        self.classes = int(check_labels(labels, where=_WHERE).max()) + 1
        x = example.x
        if not x.is_floating_point():
            raise TypeError(f"{_WHERE}: labels are written on real-valued features, got x of {x.dtype}.")
        if self.classes < 2 or x.ndim != 2 or x.shape[1] < self.classes:
            raise ValueError(
                f"{_WHERE}: needs two classes or more and as many columns in x, got {self.classes} classes and x of "
                f"shape {tuple(x.shape)}."
            )
        if self.columns == "last" and not bool((x[:, -self.classes :] == x[:1, -self.classes :]).all()):
            raise ValueError(
                f"{_WHERE}: the last {self.classes} columns of x must be free for the label (equal in every node), got "
                "columns that vary; append columns of zeros, or overwrite others with columns='first'."
            )
        units = example.output[0].numel() if self.kind == "sum" else 1
        self.level = float(units if self.threshold is None else self.threshold)
        if example.y is not None:
            self._by_target(self.goodness(example.output), graph, of_graphs=len(example.y) == graph.num_graphs)

    def write_labels(self, x: Tensor, y: Tensor) -> Tensor:
        """A copy of the nodes' features (n, f) with their labels (n,); samples with the label -1 stay as they are."""
        x = module_input(x, where=_WHERE, name="x")
        check_targets(y, where=_WHERE, name="y")
        if x.ndim != 2 or x.shape[1] < self.classes or y.shape != x.shape[:1] or y.dtype not in WHOLE:
            raise ValueError(
                f"{_WHERE}: x must have rows of {self.classes} columns or more and y a class for each, got x of shape "
                f"{tuple(x.shape)} and y of {y.dtype} and shape {tuple(y.shape)}."
            )
        y = y.long()
        if len(y) and int(y.max()) >= self.classes:
            raise ValueError(f"{_WHERE}: y must lie below {self.classes}, or be -1, got {int(y.max())}.")
        marks = self.mark * F.one_hot(y.clamp(min=0), self.classes).to(x.dtype)
        parts = [x[:, : -self.classes], marks] if self.columns == "last" else [marks, x[:, self.classes :]]
        return torch.where((y >= 0)[:, None], torch.cat(parts, dim=1), x)

    def goodness(self, output: Tensor) -> Tensor:
        """Sum or mean of the squared activities of every sample, (b,)."""
        output = rows_of_units(output, where=_WHERE, name="output")
        squares = full_precision(output).flatten(1).square()
        return squares.sum(dim=1) if self.kind == "sum" else squares.mean(dim=1)

    def goodness_scores(self, encode: Callable[[Tensor], Tensor], x: Tensor, graph: GraphStructure) -> Tensor:
        """The goodness of every label for every graph, (g, classes): the highest is the module's guess.

        Args:
            encode: features of the nodes (n, f) -> the module's output for these graphs.
            x: features of the nodes, (n, f).
            graph: the graphs.

        Raises:
            TypeError: encode is no function, or graph no structure of graphs.
        """
        check_function(encode, where=_WHERE, name="encode")
        if not isinstance(graph, GraphStructure):
            raise TypeError(f"{_WHERE}: graph must be a GraphStructure, got {shown(graph)}.")
        x = module_input(x, where=_WHERE, name="x")
        labels = torch.arange(self.classes, device=x.device)
        outputs = [encode(self.write_labels(x, label.expand(len(x)))) for label in labels]
        guesses = [self._by_target(self.goodness(output), graph, of_graphs=True) for output in outputs]
        return torch.stack(guesses, dim=1)

    def forward(self, batch: LocalBatch) -> Loss:
        """The two cross-entropies in nats, for the labelled nodes or graphs."""
        graph, y = _graph_of(batch), batch.y
        if y is None or not (y >= 0).any():
            return nothing_to_learn(batch.output)
        of_graphs = len(y) == graph.num_graphs
        shift = torch.randint(1, self.classes, y.shape, generator=batch.generator("negatives"), device=y.device)
        wrong = torch.where(y >= 0, (y + shift) % self.classes, y)
        # One pass for both: batch norm would otherwise take away the very difference between right and wrong.
        on_nodes = [labels[graph.graph_index] if of_graphs else labels for labels in (y, wrong)]
        output = batch.encode(torch.cat([self.write_labels(batch.x, labels) for labels in on_nodes]))
        both = self._by_target(self.goodness(output), graph.copies(2), of_graphs=of_graphs)
        right, wrong = (values[y >= 0] for values in both.chunk(2))
        loss = F.softplus(self.level - right).mean() + F.softplus(wrong - self.level).mean()
        terms = {"goodness_right": right.detach().mean(), "goodness_wrong": wrong.detach().mean()}
        return Loss(loss, terms)

    def _by_target(self, goodness: Tensor, graph: GraphStructure, *, of_graphs: bool) -> Tensor:
        """The goodness (n,) or (g,) of the output's samples as one for each target."""
        if len(goodness) == (graph.num_graphs if of_graphs else graph.num_nodes):
            return goodness
        if of_graphs and len(goodness) == graph.num_nodes:
            return graph.mean(goodness)
        raise ValueError(
            f"{_WHERE}: the output must have a row for each node or, where y is of graphs, for each graph, got "
            f"{len(goodness)} rows for {graph.num_nodes} nodes and {graph.num_graphs} graphs."
        )


def _graph_of(batch: LocalBatch) -> GraphStructure:
    if batch.graph is None:
        raise ValueError(
            f"{_WHERE}: Y:graph-forward-forward needs graphs, got rows that are independent; for these use "
            "Y:forward-forward."
        )
    return batch.graph
