"""Objectives that set the nodes of graphs against summaries of whole graphs: Deep Graph Infomax and InfoGraph."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from infotorch.data.graphs import GraphStructure
from infotorch.estimators.bounds import jsd, nwj
from infotorch.estimators.critics import BilinearCritic, SeparableCritic
from infotorch.numerics.blocks import slices
from infotorch.numerics.checks import check_choice, check_count, check_widths
from infotorch.objectives.base import LocalBatch, Loss, Objective, Side, full_precision, nothing_to_learn
from infotorch.objectives.critic import Standardised

Corruption = Literal["auto", "shuffle", "graphs"]
Summary = Literal["sum", "mean", "max"]
SummaryBound = Literal["jsd", "infonce", "nwj"]
CORRUPTIONS: tuple[Corruption, ...] = get_args(Corruption)
SUMMARIES: tuple[Summary, ...] = get_args(Summary)

# Scores that are held at once: 16 MiB in float32.
_SCORES_AT_ONCE = 2**22


class DeepGraphInfomax(Objective):
    """Deep Graph Infomax: minus what a bilinear discriminator tells between a graph's nodes and corrupted ones.

    A node's vector h has the score h' W s + b with the summary s = sigmoid(mean of h over the nodes of its graph). The
    output must have a row for each node.

    With corruption "shuffle" the corrupted nodes are the module's outputs for the same edges and the features' rows
    shuffled over the nodes of each graph. This is no information of two variables: it is a divergence of the true nodes
    from those of a graph whose features do not fit its edges. With "graphs" they are the nodes of another graph of the
    mini-batch; the divergence is then between nodes and summaries drawn together and apart.

    Terms: `jsd_nats`, a Jensen-Shannon divergence of at most log 2, which the loss counts twice as `DeepInfoMax` does;
    or with bound "nwj" `kl_nats`, a lower bound on the Kullback-Leibler divergence: with "graphs" that is the
    information of a node's vector with its graph's summary. On training graphs the discriminator overfits and
    both are too high.

    A mini-batch teaches nothing, its loss and gradient are zero and it has no term, where shuffling changes nothing (no
    edges, or fewer than two nodes), or, with "graphs", where fewer than two graphs have nodes. Nodes without an edge
    and graphs of one node count as they are.

    Args:
        bound: "jsd" (the paper's) or "nwj".
        corruption: "shuffle", "graphs", or "auto": "graphs" where the first mini-batch holds several graphs, else
            "shuffle".

    Raises:
        ValueError: an unknown bound or corruption; in `build`, rows that are no graphs, an output that has not a row
            for each node, or corruption "graphs" and fewer than two graphs.

    Source: Velickovic et al. 2019, arXiv:1809.10341, eq. 1 and Sec. 4.2, which divides by the number of all nodes, true
        and corrupted: half our loss but for a constant. Its corruption for many graphs also drops features out. Ours
        passes true and shuffled nodes through the module together, so that batch norm scales both alike.

    Example:
        >>> ring = torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]])
        >>> graph = GraphStructure(ring, torch.zeros(4, dtype=torch.int64), 1)
        >>> x = torch.rand(4, 3, generator=torch.Generator().manual_seed(0))
        >>> model = graph.copies(2).neighbours_mean
        >>> batch = LocalBatch(x, x, graph.neighbours_mean(x), None, encode=model, graph=graph)
        >>> objective = DeepGraphInfomax()
        >>> objective.build(batch, None)
        >>> bool(objective(batch).terms["jsd_nats"] <= math.log(2))
        True
    """

    knows_graphs: bool = True

    critic: BilinearCritic

    def __init__(self, *, bound: Literal["jsd", "nwj"] = "jsd", corruption: Corruption = "auto") -> None:
        super().__init__()
        check_choice(bound, ("jsd", "nwj"), where="DeepGraphInfomax", name="bound")
        check_choice(corruption, CORRUPTIONS, where="DeepGraphInfomax", name="corruption")
        self.bound, self.corruption = bound, corruption
        self.shuffles = corruption == "shuffle"

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make the discriminator, and choose the corruption."""
        graph = _graph_of(example, where="DeepGraphInfomax", name="X:dgi")
        _check_node_level(example.output, graph)
        if self.corruption == "graphs" and graph.num_graphs < 2:
            raise ValueError(
                f"DeepGraphInfomax: corruption 'graphs' needs mini-batches of two graphs or more, got "
                f"{graph.num_graphs}; 'shuffle' serves one graph."
            )
        if self.corruption == "auto":
            self.shuffles = graph.num_graphs < 2
        columns = example.output[0].numel()
        critic = BilinearCritic(columns, columns)
        # From zeros, the module's first step would have no gradient.
        nn.init.xavier_uniform_(critic.from_y.weight)
        self.critic = critic.to(full_precision(example.output))

    def forward(self, batch: LocalBatch) -> Loss:
        """Minus the divergence, twice that of Jensen and Shannon; zero where nothing can be told apart."""
        graph = _graph_of(batch, where="DeepGraphInfomax", name="X:dgi")
        _check_node_level(batch.output, graph)
        pairs = self._shuffled(batch, graph) if self.shuffles else self._of_other_graphs(batch, graph)
        if pairs is None:
            return nothing_to_learn(batch.output)
        true, corrupted, summaries = pairs
        directions = full_precision(self.critic.from_y(graph.mean(true).sigmoid()))  # W s of every graph
        together = (true * directions[graph.graph_index]).sum(dim=1) + self.critic.offset
        apart = (corrupted * directions[summaries]).sum(dim=1) + self.critic.offset
        if self.bound == "jsd":
            value = jsd(together, apart)
            return Loss(-2 * value, {"jsd_nats": value.detach()})
        value = nwj(together, apart)
        return Loss(-value, {"kl_nats": value.detach()})

    def _shuffled(self, batch: LocalBatch, graph: GraphStructure) -> tuple[Tensor, Tensor, Tensor] | None:
        """The nodes, the nodes with shuffled features, and the graph whose summary each of these is set against."""
        if graph.num_nodes < 2 or graph.edge_index.shape[1] == 0:
            return None
        order = shuffled_within_graphs(graph, batch.generator("corruption"))
        # One pass for both: batch norm would otherwise take away much of the difference between true and corrupted.
        both = batch.encode(torch.cat([batch.x, batch.x[order]]))
        true, corrupted = full_precision(both).flatten(1).chunk(2)
        return true, corrupted, graph.graph_index

    def _of_other_graphs(self, batch: LocalBatch, graph: GraphStructure) -> tuple[Tensor, Tensor, Tensor] | None:
        """The nodes twice, and another graph for each of them."""
        present, own = graph.graph_index.unique_consecutive(return_inverse=True)
        if len(present) < 2:
            return None
        # One cycle through all graphs: every graph meets another one, and each with the same probability.
        order = torch.randperm(len(present), generator=batch.generator("corruption"), device=present.device)
        other = torch.empty_like(order).scatter_(0, order, order.roll(1))
        nodes = full_precision(batch.output).flatten(1)
        return nodes, nodes, present[other[own]]


class InfoGraph(Objective):
    """InfoGraph: minus a bound on what nodes tell about the graph that they belong to, among those of a mini-batch.

    Every node is scored against the summaries of all graphs of the mini-batch: its own is the true pair, the others'
    are drawn apart, and no pair drawn apart comes from one graph. Each graph counts alike, and within it each node. The
    scores are inner products of two networks, which see nodes and summaries standardised by column.

    Where the output has a row for each node, these are the nodes, and the summary is their sum, mean or maximum over
    the graph. Where it has a row for each graph, behind a read-out, it is the summary, and the nodes are the rows of
    the network's input x.

    With "infonce" and "nwj" the term `mi_xt_nats` is a lower bound on I(X; T), X the graph and T the output for all of
    it, and a loose one: the information of a summary with one node, drawn at random. With "jsd" it is `jsd_nats`, at
    most log 2 and no information, which the loss counts twice as the paper does. On training graphs the networks
    overfit and all are too high.

    A mini-batch where fewer than two graphs have nodes teaches nothing: its loss and gradient are zero, and it has no
    term. Edges play no part but through the module. Of the scores of all nodes with all graphs a block at a time is
    held.

    Args:
        bound: "jsd" (the paper's), "infonce" (at most log g) or "nwj".
        summary: "sum" (the paper's), "mean" or "max" of the nodes of a graph.
        hidden: widths of the hidden layers of the two networks; (): linear.
        embedding: columns of the inner product.

    Raises:
        ValueError: an unknown bound or summary, or a width below 1; in `build`, samples that are no graphs, fewer than
            two graphs, or an output with neither a row for each node nor for each graph.
        TypeError: a width is not an integer, or hidden is no sequence; in `build`, a graph's output and an x that is
            not real-valued.

    Source: Sun, Hoffmann, Verma & Tang 2020, arXiv:1908.01000, eqs. 2-4. Their nodes are the outputs of all layers side
        by side and their networks are wider; standardising, the other bounds and a graph against raw nodes are ours.

    Example:
        >>> graph = GraphStructure(torch.tensor([[0, 1], [1, 0]]), torch.tensor([0, 0, 1]), 2)
        >>> x = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> objective = InfoGraph(bound="infonce")
        >>> batch = LocalBatch(x, x, 2 * x, None, graph=graph)
        >>> objective.build(batch, None)
        >>> bool(objective(batch).terms["mi_xt_nats"] <= math.log(2))
        True
    """

    knows_graphs: bool = True

    critic: SeparableCritic

    def __init__(
        self,
        *,
        bound: SummaryBound = "jsd",
        summary: Summary = "sum",
        hidden: Sequence[int] = (64,),
        embedding: int = 64,
    ) -> None:
        super().__init__()
        check_choice(bound, tuple(_BOUNDS), where="InfoGraph", name="bound")
        check_choice(summary, SUMMARIES, where="InfoGraph", name="summary")
        check_count(embedding, where="InfoGraph", name="embedding")
        self.bound: SummaryBound = bound
        self.summary: Summary = summary
        self.hidden, self.embedding = check_widths(hidden, where="InfoGraph"), embedding
        self.term = "jsd_nats" if bound == "jsd" else "mi_xt_nats"
        self.sides: Mapping[str, Side] = {} if bound == "jsd" else {self.term: "lower"}

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make the two networks, and measure where standardising starts."""
        graph = _graph_of(example, where="InfoGraph", name="X:infograph")
        if graph.num_graphs < 2:
            raise ValueError(
                f"InfoGraph: needs mini-batches of two graphs or more, got {graph.num_graphs}; for one graph use X:dgi."
            )
        self.of_nodes = len(example.output) == graph.num_nodes
        if not self.of_nodes and not example.x.is_floating_point():
            raise TypeError(f"InfoGraph: x must be real-valued, got {example.x.dtype}.")
        nodes, summaries = self._nodes_and_summaries(example, graph)
        self.scale_nodes, self.scale_summaries = Standardised(nodes), Standardised(summaries)
        critic = SeparableCritic(nodes.shape[1], summaries.shape[1], hidden=self.hidden, embedding=self.embedding)
        self.critic = critic.to(nodes)

    def forward(self, batch: LocalBatch) -> Loss:
        """Minus the bound, twice that of Jensen and Shannon; zero where fewer than two graphs have nodes."""
        graph = _graph_of(batch, where="InfoGraph", name="X:infograph")
        present, own = graph.graph_index.unique_consecutive(return_inverse=True)
        if len(present) < 2:
            return nothing_to_learn(batch.output)
        nodes, summaries = self._nodes_and_summaries(batch, graph)
        nodes, summaries = self.scale_nodes(nodes), self.scale_summaries(summaries[present])
        codes, wanted = full_precision(self.critic.tower_x(nodes)), full_precision(self.critic.tower_y(summaries))
        with torch.autocast(codes.device.type, enabled=False):
            of_nodes = bound_of_nodes(codes, wanted, own, self.critic.offset, bound=self.bound)
        value = GraphStructure(graph.edge_index, own, len(present)).mean(of_nodes).mean()
        times = 2 if self.bound == "jsd" else 1
        return Loss(-times * value, {self.term: value.detach()})

    def _nodes_and_summaries(self, batch: LocalBatch, graph: GraphStructure) -> tuple[Tensor, Tensor]:
        """The nodes (n, d) and the summary of every graph (g, d')."""
        output = full_precision(batch.output).flatten(1)
        if len(output) != (graph.num_nodes if self.of_nodes else graph.num_graphs):
            raise ValueError(
                f"InfoGraph: the output must have a row for each of the {graph.num_nodes} nodes or of the "
                f"{graph.num_graphs} graphs, got {tuple(batch.output.shape)}."
            )
        if not self.of_nodes:
            return batch.x.flatten(1).to(output), output
        return output, summed_up(output, graph, self.summary)


def shuffled_within_graphs(graph: GraphStructure, generator: torch.Generator) -> Tensor:
    """An order of the nodes, int64 (n,), that shuffles them within each graph.

    Example:
        >>> graph = GraphStructure(torch.zeros(2, 0, dtype=torch.int64), torch.tensor([0, 0, 0, 1]), 2)
        >>> shuffled_within_graphs(graph, torch.Generator().manual_seed(1)).tolist()
        [1, 2, 0, 3]
    """
    order = torch.randperm(graph.num_nodes, generator=generator, device=graph.graph_index.device)
    return order[graph.graph_index[order].argsort(stable=True)]


def summed_up(rows: Tensor, graph: GraphStructure, summary: Summary) -> Tensor:
    """The "sum", "mean" or "max" of the rows (n, d) of each graph's nodes, (g, d); 0 for a graph without nodes.

    Example:
        >>> pair = GraphStructure(torch.zeros(2, 0, dtype=torch.int64), torch.tensor([0, 0, 1]), 2)
        >>> summed_up(torch.tensor([[1.0], [3.0], [-5.0]]), pair, "max").tolist()
        [[3.0], [-5.0]]
    """
    if summary == "mean":
        return graph.mean(rows)
    empty = rows.new_zeros(graph.num_graphs, rows.shape[1])
    if summary == "sum":
        return empty.index_add(0, graph.graph_index, rows)
    index = graph.graph_index[:, None].expand_as(rows)
    return empty.scatter_reduce(0, index, rows, reduce="amax", include_self=False)


def _jsd(together: Tensor, apart: Tensor) -> Tensor:
    return math.log(2) - 0.5 * (F.softplus(-together) + _mean_apart(F.softplus(apart)))


def _infonce(together: Tensor, apart: Tensor) -> Tensor:
    of_all = torch.logaddexp(together, apart.logsumexp(dim=1))
    return math.log(apart.shape[1]) + together - of_all


def _nwj(together: Tensor, apart: Tensor) -> Tensor:
    return together - _mean_apart((apart - 1).exp())


# For every node, from its score (n,) with its own graph and those (n, g) with all, where its own column holds -inf.
_BOUNDS: dict[SummaryBound, Callable[[Tensor, Tensor], Tensor]] = {"jsd": _jsd, "infonce": _infonce, "nwj": _nwj}


def _mean_apart(values: Tensor) -> Tensor:
    return values.sum(dim=1) / (values.shape[1] - 1)


def bound_of_nodes(nodes: Tensor, summaries: Tensor, own: Tensor, offset: Tensor, *, bound: SummaryBound) -> Tensor:
    """A bound for every node (n,), whose mean it is, from inner products of embeddings; some nodes at a time.

    Args:
        nodes: embeddings (n, d).
        summaries: embeddings of the graphs, (g, d), g >= 2.
        own: the number of each node's graph, (n,).
        offset: a number added to all scores.
        bound: "jsd", "infonce" or "nwj".

    Example:
        >>> codes = 3 * torch.eye(4)
        >>> bound_of_nodes(codes, codes, torch.arange(4), torch.zeros(()), bound="infonce").mean().item()  # log 4
        1.385...
    """

    def part(rows: slice) -> Tensor:
        scores = torch.addmm(offset, nodes[rows], summaries.T)
        columns = own[rows, None]
        # Masked before exp or softplus: behind exp, an infinite score of no account would make the gradient NaN.
        apart = scores.scatter(1, columns, -math.inf)
        return _BOUNDS[bound](scores.gather(1, columns).squeeze(1), apart)

    blocks = list(slices(len(nodes), max(1, _SCORES_AT_ONCE // len(summaries))))
    if len(blocks) == 1 or not torch.is_grad_enabled():
        return torch.cat([part(rows) for rows in blocks])
    # Every block is computed again on the way back rather than kept.
    values = [checkpoint(part, rows, use_reentrant=False, preserve_rng_state=False) for rows in blocks]
    return torch.cat(values)  # pyright: ignore[reportArgumentType]


def _graph_of(batch: LocalBatch, *, where: str, name: str) -> GraphStructure:
    if batch.graph is None:
        raise ValueError(f"{where}: {name} needs graphs, got rows that are independent; for these use X:infonce.")
    return batch.graph


def _check_node_level(output: Tensor, graph: GraphStructure) -> None:
    if len(output) != graph.num_nodes:
        raise ValueError(
            f"DeepGraphInfomax: the output must have a row for each of the {graph.num_nodes} nodes, got "
            f"{tuple(output.shape)}; behind a read-out use X:infograph."
        )
