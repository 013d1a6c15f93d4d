"""Objectives that set the nodes of graphs against features: their own, and those of their neighbours (GMI)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from infotorch.estimators.bounds import MineGradient, jsd, nwj
from infotorch.estimators.critics import SeparableCritic
from infotorch.estimators.graph import (
    draw_outside,
    non_edges,
    other_nodes,
    pair_scores,
    sampled_infonce,
    weighted_jsd,
    weighted_pairs,
)
from infotorch.numerics.checks import check_choice, check_count, check_size, check_widths
from infotorch.objectives.base import LocalBatch, Loss, Objective, Side, Target, full_precision, nothing_to_learn
from infotorch.objectives.checks import check_critic_steps, check_weight
from infotorch.objectives.critic import BOUNDS, CriticBound, Standardised

Weighting = Literal["mean", "adaptive"]
WEIGHTINGS: tuple[Weighting, ...] = get_args(Weighting)

# A neighbour of whom sigmoid(h_i . h_j) says nothing is left keeps this weight: somebody must be drawn.
_LEAST_WEIGHT = 1e-6


class _FeatureInformation(Objective):
    """Bounds on what a node tells of features, its own ("") or a neighbour's ("neighbours"), each by its own critic."""

    knows_graphs = True

    scale_t: Standardised
    scale_x: Standardised
    critic: nn.ModuleDict

    def __init__(
        self,
        parts: Sequence[str],
        *,
        bound: CriticBound,
        num_negatives: int,
        hidden: Sequence[int],
        embedding: int,
        target: Target,
        critic_steps: int,
        decay: float,
    ) -> None:
        super().__init__()
        where = type(self).__name__
        check_choice(bound, BOUNDS, where=where, name="bound")
        check_choice(target, ("x", "module_input"), where=where, name="target")
        check_size(num_negatives, where=where, name="num_negatives")
        check_count(embedding, where=where, name="embedding")
        self.bound, self.num_negatives, self.target = bound, num_negatives, target
        self.hidden = check_widths(hidden, where=where)
        self.embedding = embedding
        self.critic_steps = check_critic_steps(critic_steps, where=where)
        self.parts = tuple(parts)
        self.averages = nn.ModuleDict({part: MineGradient(decay=decay) for part in parts if bound == "mine"})
        self.sides: Mapping[str, Side] = {} if bound == "jsd" else {self._term(part): "lower" for part in parts}

    def _term(self, part: str) -> str:
        quantity = "jsd" if self.bound == "jsd" else "mi_xt"
        return f"{quantity}_nats" if part == "own" else f"{quantity}_{part}_nats"

    def build(self, example: LocalBatch, labels: Tensor | None) -> None:
        """Make the critics, and measure where standardising starts.

        Raises:
            ValueError: the samples are no graphs, or the output has not a vector for each node.
            TypeError: X is not real-valued.
        """
        where = type(self).__name__
        if example.graph is None:
            raise ValueError(f"{where}: needs graphs, got rows without edges; use X:infonce or X:mine.")
        nodes, shape = example.graph.num_nodes, tuple(example.output.shape)
        if len(shape) != 2 or shape[0] != nodes:
            raise ValueError(
                f"{where}: the output must have a vector for each of the {nodes} nodes, got shape {shape}; "
                "behind a read-out use X:infograph."
            )
        t, x = full_precision(example.output.detach()), self._target(example)
        if not torch.is_floating_point(x):
            raise TypeError(f"{where}: {self.target} must be real-valued, got {x.dtype}.")
        self.scale_t, self.scale_x = Standardised(t), Standardised(x.to(t))
        settings = {"hidden": self.hidden, "embedding": self.embedding}
        widths = t.shape[1], x[0].numel()
        self.critic = nn.ModuleDict({part: SeparableCritic(*widths, **settings).to(t) for part in self.parts})

    def critics(self) -> list[nn.Module]:
        """The critics of features, where they take steps of their own."""
        return [self.critic] if self.critic_steps else []

    def critic_loss(self, batch: LocalBatch) -> Tensor:
        """Minus the bounds, without weights: no critic feels another's."""
        values = self._values(batch, count=False)
        if not values:
            return torch.stack([parameter.sum() for parameter in self.critic.parameters()]).sum() * 0.0
        return -torch.stack(list(values.values())).sum()

    def _values(self, batch: LocalBatch, *, count: bool) -> dict[str, Tensor]:
        """Of each part that this batch can teach, the bound."""
        if len(batch.output) < 2:
            return {}
        t = full_precision(batch.output)
        scaled_t = self.scale_t(t, count=count)
        scaled_x = self.scale_x(self._target(batch).to(t), count=count)
        found: dict[str, Tensor] = {}
        for part in self.parts:
            critic = self.critic[part]
            assert isinstance(critic, SeparableCritic)
            h, x = full_precision(critic.tower_x(scaled_t)), full_precision(critic.tower_y(scaled_x))
            value = self._own(h, x, critic, batch) if part == "own" else self._neighbours(h, x, critic, batch)
            if value is not None:
                found[part] = value
        return found

    def _own(self, h: Tensor, x: Tensor, critic: SeparableCritic, batch: LocalBatch) -> Tensor:
        assert batch.graph is not None
        drawn = other_nodes(batch.graph.graph_index, self.num_negatives, batch.generator("pairs"))
        together, apart = (h * x).sum(dim=1) + critic.offset, pair_scores(h, x, drawn) + critic.offset
        if self.bound == "infonce":
            return sampled_infonce(together, apart)
        return self._read("own")(together, apart.flatten())

    def _neighbours(self, h: Tensor, x: Tensor, critic: SeparableCritic, batch: LocalBatch) -> Tensor | None:
        raise TypeError(f"{type(self).__name__} has no neighbours.")

    def _read(self, part: str) -> Callable[[Tensor, Tensor], Tensor]:
        return self.averages[part] if self.bound == "mine" else {"nwj": nwj, "jsd": jsd}[self.bound]

    def _target(self, batch: LocalBatch) -> Tensor:
        return batch.x if self.target == "x" else batch.module_input


class NodeInformation(_FeatureInformation):
    """Minus a bound on I(h; x) of a node's vector h = T and its own features x, in nats, by a trained critic.

    The bound is on the information of the two for a node picked at random, hence, as x is a part of the graph, also a
    lower bound on what h tells of graph and node. Pairs drawn apart are a node's h with the x of `num_negatives` nodes
    of the mini-batch's other graphs, or of the same graph where there is only one. Memory grows with nodes x
    num_negatives.

    The critic is separable: the inner product of a network on h and one on x, both standardised by column. It
    cooperates: module and critic climb the same bound. A batch with fewer than two nodes teaches nothing: its loss and
    gradient are zero, and it has no term. Edges do not matter here.

    Terms: `mi_xt_nats`; with "jsd" `jsd_nats`, a Jensen-Shannon divergence of at most log 2 and no information. On
    training graphs the critic overfits and all are too high: read them on held-out graphs.

    Args:
        bound: "infonce" (lower bound, at most log(1 + num_negatives)); "mine" (lower bound: Donsker-Varadhan with the
            gradient by a moving average, biased upwards by the order of one over the pairs drawn apart); "nwj" (lower
            bound); "jsd".
        num_negatives: nodes drawn apart for each node, with replacement and anew in each step.
        hidden: widths of the hidden layers of the critic's two networks; none: linear.
        embedding: columns of the inner product.
        target: which X, the network's raw input "x" or the module's own input "module_input".
        critic_steps: 0 moves the critic by the module's own step; k by k steps of its own before each.
        decay: of the moving average of "mine".

    Raises:
        ValueError: an unknown bound or target, critic_steps negative, a width, embedding or num_negatives below 1, or
            decay out of [0, 1); in `build`, samples that are no graphs, or an output that has not a vector for each
            node.
        TypeError: a count or width is not an integer, or hidden is no sequence.

    Source: van den Oord, Li & Vinyals 2018, arXiv:1807.03748 (infonce); Belghazi et al. 2018, arXiv:1801.04062 (mine);
        Nguyen, Wainwright & Jordan 2010, arXiv:0809.0853 (nwj); Hjelm et al. 2019, arXiv:1808.06670 (jsd). On the
        features of nodes: the first term of Peng et al. 2020, arXiv:2002.01169; MINE in Li & Pei 2023 (MOLE).

    Example:
        >>> import math
        >>> from infotorch.data.graphs import GraphStructure
        >>> x = torch.rand(6, 3, generator=torch.Generator().manual_seed(0))
        >>> pair = GraphStructure(torch.tensor([[0, 3], [1, 4]]), torch.tensor([0, 0, 0, 1, 1, 1]), 2)
        >>> batch = LocalBatch(x, x, x.tanh(), None, graph=pair)
        >>> objective = NodeInformation(bound="infonce", num_negatives=7)
        >>> objective.build(batch, None)
        >>> bool(objective(batch).terms["mi_xt_nats"] <= math.log(8))
        True
    """

    def __init__(
        self,
        *,
        bound: CriticBound = "infonce",
        num_negatives: int = 32,
        hidden: Sequence[int] = (256, 256),
        embedding: int = 64,
        target: Target = "x",
        critic_steps: int = 0,
        decay: float = 0.99,
    ) -> None:
        super().__init__(
            ("own",),
            bound=bound,
            num_negatives=num_negatives,
            hidden=hidden,
            embedding=embedding,
            target=target,
            critic_steps=critic_steps,
            decay=decay,
        )

    def forward(self, batch: LocalBatch) -> Loss:
        """Minus the bound; zero where there are fewer than two nodes."""
        values = self._values(batch, count=True)
        if not values:
            return nothing_to_learn(batch.output)
        return Loss(-values["own"], {self._term("own"): values["own"].detach()})


class GraphicalInformation(_FeatureInformation):
    """Graphical mutual information (GMI) of nodes' vectors h with the graph: minus three weighted terms, in nats.

    Own features, I(h_i; x_i), as in `NodeInformation`. Neighbours' features, I(h_i; x_j): the pair is an edge from j
    to i drawn with probability proportional to w_ij. Edges: how well sigmoid(h_i . h_j) tells an edge from a pair of
    nodes of one graph that is not joined, one such pair for each edge.

    With "infonce", "mine" and "nwj" the first two are lower bounds, each on the information of the two variables it
    names and so on what h tells of graph and node (`mi_xt_nats`, `mi_xt_neighbours_nats`); their sum is a bound on
    nothing, since own and neighbours' features overlap. With "jsd" they are Jensen-Shannon divergences of at most log 2
    and no bound on I(X; T): `jsd_nats`, `jsd_neighbours_nats`. That of edges always is one: `jsd_edges_nats`, what
    h_i . h_j tells of a fair coin that decided for edge or none. The loss counts divergences twice, so that they are
    the cross-entropies of the paper but for a constant.

    Pairs drawn apart come from other graphs of the mini-batch, in proportion to the same w; where one graph holds all
    nodes (all edges), from other nodes of it (edges into other nodes). Pairs without an edge come from the same graph:
    that nodes of two graphs are not joined is no news. Memory grows with nodes x num_negatives + edges.

    Self loops are left out; an edge that is there twice counts twice. A node without edges counts in the first term
    alone. A term without pairs is left out of loss and terms: own features with fewer than two nodes, neighbours with
    edges into fewer than two nodes, edges where every edge's target is joined to its whole graph. Without any the loss
    and its gradient are zero.

    Args:
        bound: "jsd" (the paper's), "infonce", "mine" or "nwj", of the terms of features.
        weighting: "mean", w_ij = 1 / (edges into i), so that all nodes with neighbours count alike; "adaptive", w_ij =
            sigmoid(h_i . h_j), through which no gradient passes.
        own_weight: of own features.
        neighbours_weight: of neighbours' features.
        edges_weight: of edges.
        num_negatives: pairs drawn apart for each node, in each of the terms of features.
        hidden: widths of the hidden layers of the critics' networks; none: linear, a bilinear critic as the paper's.
        embedding: columns of the inner product; a linear critic's rank.
        target: which X, the network's raw input "x" or the module's own input "module_input".
        critic_steps: 0 moves the critics by the module's own step; k by k steps of their own before each.
        decay: of the moving average of "mine".

    Raises:
        ValueError: an unknown bound, weighting or target; a weight negative or not finite, or all zero; critic_steps
            negative; a width, embedding or num_negatives below 1; decay out of [0, 1); in `build`, samples that are no
            graphs, or an output that has not a vector for each node.
        TypeError: a count or width is not an integer, or hidden is no sequence.

    Source: Peng et al. 2020, arXiv:2002.01169, and the authors' code, github.com/zpeng27/GMI, for the weights 0.8, 1
        and 1, five negatives and "mean", with which they found better results. There neighbours' features are compared
        after averaging, in the embedding of the first layer, and edges with all n^2 pairs, to which edges are weighed
        up; pairs drawn apart are drawn uniformly, which for neighbours bounds the information plus the divergence of
        neighbours from nodes, where ours bounds the information. Standardising is ours.

    Example:
        >>> from infotorch.data.graphs import GraphStructure
        >>> x = torch.rand(5, 3, generator=torch.Generator().manual_seed(0))
        >>> path = GraphStructure(torch.tensor([[0, 1, 2, 3], [1, 2, 3, 4]]), torch.zeros(5, dtype=torch.int64), 1)
        >>> batch = LocalBatch(x, x, path.neighbours_mean(x), None, graph=path)
        >>> objective = GraphicalInformation()
        >>> objective.build(batch, None)
        >>> sorted(objective(batch).terms)
        ['jsd_edges_nats', 'jsd_nats', 'jsd_neighbours_nats']
    """

    def __init__(
        self,
        *,
        bound: CriticBound = "jsd",
        weighting: Weighting = "mean",
        own_weight: float = 0.8,
        neighbours_weight: float = 1.0,
        edges_weight: float = 1.0,
        num_negatives: int = 5,
        hidden: Sequence[int] = (),
        embedding: int = 64,
        target: Target = "x",
        critic_steps: int = 0,
        decay: float = 0.99,
    ) -> None:
        where = type(self).__name__
        check_choice(weighting, WEIGHTINGS, where=where, name="weighting")
        for name, weight in (
            ("own_weight", own_weight),
            ("neighbours_weight", neighbours_weight),
            ("edges_weight", edges_weight),
        ):
            check_weight(weight, where=where, name=name)
        if own_weight == neighbours_weight == edges_weight == 0:
            raise ValueError(f"{where}: own_weight, neighbours_weight or edges_weight must be positive, got 0 for all.")
        super().__init__(
            [part for part, weight in (("own", own_weight), ("neighbours", neighbours_weight)) if weight > 0],
            bound=bound,
            num_negatives=num_negatives,
            hidden=hidden,
            embedding=embedding,
            target=target,
            critic_steps=critic_steps if own_weight > 0 or neighbours_weight > 0 else 0,
            decay=decay,
        )
        self.weighting = weighting
        self.weights = {"own": own_weight, "neighbours": neighbours_weight, "edges": edges_weight}

    def forward(self, batch: LocalBatch) -> Loss:
        """Minus the weighted terms; zero where there are none."""
        values = self._values(batch, count=True)
        terms = {self._term(part): value.detach() for part, value in values.items()}
        edges = self._edges(batch) if self.weights["edges"] > 0 else None
        if edges is not None:
            values["edges"], terms["jsd_edges_nats"] = edges, edges.detach()
        # Where there is no term at all, still a number that is not finite for an output that is not.
        total = full_precision(batch.output).sum() * 0.0
        for part, value in values.items():
            times = 2 if part == "edges" or self.bound == "jsd" else 1
            total = total - times * self.weights[part] * value
        return Loss(total, terms)

    def _edges(self, batch: LocalBatch) -> Tensor | None:
        assert batch.graph is not None
        h, joined = full_precision(batch.output), _without_loops(batch)
        apart = non_edges(joined, batch.graph.graph_index, batch.generator("non-edges"))
        if apart.shape[1] == 0:
            return None
        return jsd(pair_scores(h, h, joined[0], joined[1]), pair_scores(h, h, apart[0], apart[1]))

    def _neighbours(self, h: Tensor, x: Tensor, critic: SeparableCritic, batch: LocalBatch) -> Tensor | None:
        edges = _without_loops(batch)
        edges = edges[:, edges[1].argsort(stable=True)]
        source, target = edges
        nodes, row, degree = target.unique_consecutive(return_inverse=True, return_counts=True)
        if len(nodes) < 2:
            return None
        weights = self._edge_weights(batch, edges, degree[row])
        apart = self._drawn_apart(batch, edges, nodes, weights)
        together = pair_scores(h, x, source, target) + critic.offset
        scores = pair_scores(h[nodes], x, apart) + critic.offset
        if self.bound == "infonce":
            return sampled_infonce(together, scores, rows=row, weights=weights)
        of_node = weights.new_zeros(len(nodes)).index_add(0, row, weights)
        of_pair = of_node[:, None].expand_as(scores).flatten()
        if self.bound == "jsd":
            return weighted_jsd(together, scores.flatten(), weights, of_pair)
        return self._read("neighbours")(*weighted_pairs(together, scores.flatten(), weights, of_pair))

    def _edge_weights(self, batch: LocalBatch, edges: Tensor, degree: Tensor) -> Tensor:
        h = full_precision(batch.output.detach())
        if self.weighting == "mean":
            return degree.to(h.dtype).reciprocal()
        return pair_scores(h, h, edges[0], edges[1]).sigmoid().clamp(min=_LEAST_WEIGHT)

    def _drawn_apart(self, batch: LocalBatch, edges: Tensor, nodes: Tensor, weights: Tensor) -> Tensor:
        """For every node with neighbours, whom edges of other graphs start from; edges are sorted by target."""
        assert batch.graph is not None
        graph_of = batch.graph.graph_index
        of_edge, of_node = graph_of[edges[1]], graph_of[nodes]
        first, last = torch.searchsorted(of_edge, of_node), torch.searchsorted(of_edge, of_node, right=True)
        alone = last - first == len(of_edge)
        first = torch.where(alone, torch.searchsorted(edges[1], nodes), first)
        last = torch.where(alone, torch.searchsorted(edges[1], nodes, right=True), last)
        generator = batch.generator("neighbours")
        drawn = draw_outside(first, last, len(of_edge), count=self.num_negatives, generator=generator, weights=weights)
        return edges[0][drawn]


def _without_loops(batch: LocalBatch) -> Tensor:
    assert batch.graph is not None
    edges = batch.graph.edge_index
    return edges[:, edges[0] != edges[1]]
