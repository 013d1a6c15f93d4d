"""Matrix-based Renyi information of a module's output with the nodes of graphs and their neighbours."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from infotorch.estimators.renyi_spectrum import entropy, join
from infotorch.estimators.renyi_terms import read_variables
from infotorch.numerics.checks import check_choice, check_count, check_positive
from infotorch.numerics.finite import all_finite
from infotorch.numerics.kernels import KERNELS, Bandwidth, Kernel, find_bandwidth
from infotorch.objectives.base import LocalBatch, Loss, Objective, full_precision, nothing_to_learn
from infotorch.objectives.renyi import share_of_smaller

_WHERE = "GraphRenyiInformation"


class GraphRenyiInformation(Objective):
    """Minus the matrix-based Renyi information of T with nodes and neighbours: S(T) + S(X, N) - S(T, X, N), in nats.

    X is a node's raw features and N the mean of those of the nodes with an edge into it, 0 for an isolated node. The
    joint kernel of several variables is the product of their kernels. Without edges N is constant and this is
    I(T; X). Where the output has a row for each graph, X and N are their means over each graph's nodes.

    As `RenyiInformation` a value that is no bound on Shannon's information, grows with the samples and compares at
    equal rows only; it sits at its ceiling, the log of the rows, without a gradient, where kernels are narrow beside
    the distances. X and N together tell samples apart more easily than X alone: watch the terms.

    Terms: `renyi_xt_nats`, and with `normalised` `renyi_xt_normalised`. Fewer than two samples teach nothing: the loss
    and its gradient are zero, and there is no term.

    Args:
        num_nodes: at most this many samples (nodes, or graphs), drawn anew in every step, are compared: three sets of
            eigenvalues, of which each takes the cube of the samples. Neighbours are those of the whole mini-batch.
        alpha: the order, above 0; 2 needs no eigenvalues.
        bandwidth: a number s for all variables, or the rule that finds one for each in every step: "knn", the mean
            distance to the 10 nearest samples, or "median". No gradient runs through it.
        kernel: "exp(-d2/s)" or "exp(-d2/2s2)"; only the second, with a rule, does not depend on the units.
        normalised: divide by the smaller of S(T) and S(X, N).

    Raises:
        ValueError: an unknown kernel or rule, alpha or bandwidth not positive, num_nodes below 1; in `build`, rows that
            are no graphs, or an output with neither a row for each node nor for each graph; in a step, an x that is not
            finite.
        TypeError: alpha or bandwidth is no number, or num_nodes no integer.

    Source: Yu, Giraldo, Jenssen & Principe 2020, arXiv:1808.07912, Sec. III (several variables), and Yu et al. 2021,
        arXiv:2101.10160 (order, bandwidth, kernel, normalised). With the neighbours' mean: Li & Pei 2023 (MOLE), Sec. 4
        names it and gives no formula.

    Example:
        >>> from infotorch.data.graphs import GraphStructure
        >>> graph = GraphStructure(torch.tensor([[0, 1], [1, 0]]), torch.zeros(4, dtype=torch.int64), 1)
        >>> x = torch.tensor([[0.0], [0.0], [9.0], [9.0]])
        >>> batch = LocalBatch(x, x, x, None, graph=graph)
        >>> objective = GraphRenyiInformation(bandwidth=1.0)
        >>> objective.build(batch, None)
        >>> round(float(objective(batch).terms["renyi_xt_nats"]), 4)  # log 2
        0.6931
    """

    knows_graphs: bool = True

    def __init__(
        self,
        *,
        num_nodes: int = 256,
        alpha: float = 1.01,
        bandwidth: Bandwidth = "knn",
        kernel: Kernel = "exp(-d2/s)",
        normalised: bool = False,
    ) -> None:
        super().__init__()
        check_count(num_nodes, where=_WHERE, name="num_nodes")
        check_positive(alpha, where=_WHERE, name="alpha")
        find_bandwidth(torch.zeros(2, 1), bandwidth, where=_WHERE)
        check_choice(kernel, KERNELS, where=_WHERE, name="kernel")
        self.num_nodes, self.alpha, self.normalised = num_nodes, alpha, normalised
        self.bandwidth: Bandwidth = bandwidth
        self.kernel: Kernel = kernel

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Check that there are graphs, and samples to compare."""
        _views(example)

    def forward(self, batch: LocalBatch) -> Loss:
        """Minus the information; zero where fewer than two samples can be compared."""
        t, views = full_precision(batch.output), _views(batch)
        if len(t) < 2 or self.num_nodes < 2:
            return nothing_to_learn(t)
        if len(t) > self.num_nodes:
            rows = torch.randperm(len(t), generator=batch.generator("nodes"), device=t.device)[: self.num_nodes]
            t, views = t[rows], [view[rows] for view in views]
        if not all_finite([t]):
            return Loss(t.sum() * math.nan, {})  # the run has diverged: a result, where kernels refuse their input
        return self._loss(t, *views)

    def _loss(self, t: Tensor, x: Tensor, neighbours: Tensor) -> Loss:
        named = [("output", t), ("x", x), ("the neighbours' mean of x", neighbours)]
        (of_t, *of_x), _ = read_variables(named, self.alpha, self.bandwidth, self.kernel, where=_WHERE)
        seen = join(*of_x)
        of_output, of_seen, of_both = (entropy(sample, self.alpha) for sample in (of_t, seen, join(of_t, seen)))
        information = of_output + of_seen - of_both
        terms = {"renyi_xt_nats": information.detach()}
        if not self.normalised:
            return Loss(-information, terms)
        share = share_of_smaller(information, of_output, of_seen)
        return Loss(-share, {**terms, "renyi_xt_normalised": share.detach()})


def _views(batch: LocalBatch) -> list[Tensor]:
    """The raw features and their neighbours' mean, a row for each row of the output."""
    graph = batch.graph
    if graph is None:
        raise ValueError(f"{_WHERE}: X:graph-renyi needs graphs, got rows that are independent; for these use X:renyi.")
    if batch.x.ndim < 2 or len(batch.x) != graph.num_nodes:
        raise ValueError(
            f"{_WHERE}: x must have a row of features for each of {graph.num_nodes} nodes, got {tuple(batch.x.shape)}."
        )
    x = batch.x.flatten(1)
    views = [x, graph.neighbours_mean(full_precision(x) if x.is_floating_point() else x.float())]
    if len(batch.output) == graph.num_nodes:
        return views
    if len(batch.output) == graph.num_graphs:
        return [graph.mean(full_precision(view) if view.is_floating_point() else view.float()) for view in views]
    raise ValueError(
        f"{_WHERE}: the output must have a row for each of the {graph.num_nodes} nodes or of the {graph.num_graphs} "
        f"graphs, got {tuple(batch.output.shape)}."
    )
