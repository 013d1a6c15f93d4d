import math
from dataclasses import replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tests.objectives.on_small_graphs import communities, trained
from tests.reference import graph_pairs as slow

from infotorch.data.graphs import GraphStructure
from infotorch.estimators.graph import other_nodes
from infotorch.numerics.seeds import SeedStreams
from infotorch.objectives import graph_nodes
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.critic import BOUNDS
from infotorch.objectives.graph_nodes import WEIGHTINGS, GraphicalInformation, NodeInformation
from infotorch.objectives.names import objective_from_name

READ = {"mine": slow.donsker_varadhan, "nwj": slow.nwj, "jsd": slow.jsd}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def structure(edges, graph_index):
    ends = torch.tensor(edges, dtype=torch.int64).reshape(-1, 2).T
    return GraphStructure(ends, torch.tensor(graph_index, dtype=torch.int64), max(graph_index) + 1)


# Two graphs of five nodes, out of order: node 3 has no edge, 4 only one out, 2 has a loop and 6 an edge twice.
TWO = structure(
    [(6, 7), (0, 1), (1, 0), (2, 1), (1, 2), (2, 2), (4, 0), (5, 6), (5, 6), (8, 6), (7, 9), (9, 8)], [0] * 5 + [1] * 5
)
ONE = structure([(0, 1), (1, 0), (2, 1), (1, 2), (3, 2), (3, 4), (4, 3)], [0] * 6)


def batch_on(graph, *, seed=0, width=4):
    """Features of three columns and outputs that depend on them, in float64."""
    x = torch.randn(graph.num_nodes, 3, generator=seeded(seed)).double()
    output = torch.tanh(x @ torch.randn(3, width, generator=seeded(seed + 1)).double())
    return LocalBatch(x, output.detach(), output.requires_grad_(), None, SeedStreams(seed), (0, 0, 0), graph=graph)


def built(objective, batch, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        objective.build(batch, None)
    return objective


def flat(lists):
    return [value for row in lists for value in row]


def objective_of(name, **settings) -> Any:
    return objective_from_name(name, {name: settings})


def standardised(values):
    return (values - values.mean(0)) / (values.var(0, unbiased=False) + 1e-5).sqrt()


def all_scores(objective, part, batch):
    """The critic's scores of every node against every node's features."""
    with torch.no_grad():
        return objective.critic[part](standardised(batch.output), standardised(batch.x)).tolist()


class TestNodes:
    @pytest.mark.parametrize("bound", BOUNDS)
    @pytest.mark.parametrize("graph", [TWO, ONE])
    def test_a_node_is_read_against_its_own_features_and_those_of_nodes_drawn_apart(self, bound, graph):
        batch = batch_on(graph)
        objective = built(NodeInformation(bound=bound, num_negatives=3, hidden=(8,), embedding=6), batch)
        scores = all_scores(objective, "own", batch)
        drawn = other_nodes(graph.graph_index, 3, batch.generator("pairs")).tolist()
        nodes = range(graph.num_nodes)
        together, ones = [scores[i][i] for i in nodes], [1.0] * graph.num_nodes
        product = [[scores[i][j] for j in drawn[i]] for i in nodes]
        if bound == "infonce":
            wanted = slow.infonce(together, product, nodes, ones)
        else:
            wanted = READ[bound](together, flat(product), ones, 3 * ones)
        loss = objective(batch)
        assert loss.total.item() == pytest.approx(-wanted, abs=1e-10)
        assert {name: value.item() for name, value in loss.terms.items()} == {
            "jsd_nats" if bound == "jsd" else "mi_xt_nats": -loss.total.item()
        }

    def test_each_step_draws_anew(self):
        batch = batch_on(TWO)
        objective = built(NodeInformation(num_negatives=2), batch)
        values = [objective(replace(batch, position=(0, 0, step))).total.item() for step in (0, 1, 0)]
        assert values[0] == values[2] != values[1]

    def test_edges_do_not_matter(self):
        batch = batch_on(TWO)
        objective = built(NodeInformation(), batch)
        bare = replace(TWO, edge_index=TWO.edge_index[:, :0])
        assert objective(batch).total.item() == objective(replace(batch, graph=bare)).total.item()

    @pytest.mark.parametrize(("bound", "tolerance"), [("infonce", 0.05), ("mine", 0.1), ("nwj", 0.1)])
    def test_a_trained_critic_finds_what_a_code_of_four_values_tells(self, bound, tolerance):
        """h = x, one of four: log 4. The bound stays below but for the sample's error, about 0.02, and MINE's bias."""
        graph = GraphStructure(torch.zeros(2, 0, dtype=torch.int64), torch.arange(400) // 4, 100)
        x = F.one_hot(torch.randint(4, (400,), generator=seeded()), 4).float()
        objective = NodeInformation(bound=bound, num_negatives=64, hidden=(16,), embedding=8)
        values = train_critic(objective, LocalBatch(x, x, x, None, graph=graph))
        assert values == pytest.approx(math.log(4), abs=tolerance)

    def test_the_target_says_which_x(self):
        batch = batch_on(TWO)
        for target, width in (("x", 3), ("module_input", 4)):
            objective = built(objective_of("X:node-infonce", target=target), batch)
            shapes = {name: tuple(p.shape) for name, p in objective.named_parameters()}
            assert shapes["critic.own.tower_y.0.weight"] == (256, width)

    def test_names_in_plans(self):
        for name, bound in (("X:node-infonce", "infonce"), ("X:node-mine", "mine")):
            objective = objective_from_name(name, {name: {"num_negatives": 8}})
            assert isinstance(objective, NodeInformation)
            assert (objective.bound, objective.num_negatives) == (bound, 8)


def train_critic(objective, batch, *, steps=100, part="mi_xt_nats"):
    """The mean of the last 20 values of a critic that is trained on batches whose draws differ."""
    built(objective, batch)
    optimizer = torch.optim.Adam(objective.parameters(), lr=2e-2)
    values = []
    for step in range(steps):
        loss = objective(replace(batch, position=(step,)))
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
        values.append(loss.terms[part].item())
    return sum(values[-20:]) / 20


class TestNeighbours:
    @pytest.fixture
    def draws(self, monkeypatch):
        """What is drawn apart of neighbours: numbers of edges sorted by their target."""
        kept = []
        plain = graph_nodes.draw_outside
        monkeypatch.setattr(graph_nodes, "draw_outside", lambda *a, **k: kept.append(plain(*a, **k)) or kept[-1])
        return kept

    @pytest.mark.parametrize("bound", BOUNDS)
    @pytest.mark.parametrize("weighting", WEIGHTINGS)
    @pytest.mark.parametrize("graph", [TWO, ONE])
    def test_each_edge_counts_by_its_weight_and_each_node_by_that_of_its_edges(self, bound, weighting, graph, draws):
        batch = batch_on(graph)
        settings = {
            "bound": bound,
            "weighting": weighting,
            "num_negatives": 3,
            "own_weight": 0,
            "edges_weight": 0,
            "neighbours_weight": 0.7,
        }
        objective = built(GraphicalInformation(**settings), batch)
        scores, h = all_scores(objective, "neighbours", batch), batch.output.tolist()
        loss = objective(batch)
        # Edges into one node keep their order, which alone decides which of them a drawn number is.
        edges = sorted(((i, j) for j, i in graph.edge_index.T.tolist() if i != j), key=lambda e: e[0])
        nodes = sorted({i for i, _ in edges})
        into = {i: sum(e[0] == i for e in edges) for i in nodes}
        weights = [1 / into[i] if weighting == "mean" else 1 / (1 + math.exp(-slow.dot(h[i], h[j]))) for i, j in edges]
        of_node = [sum(w for w, (i, _) in zip(weights, edges, strict=True) if i == node) for node in nodes]
        product = [[scores[i][edges[e][1]] for e in row] for i, row in zip(nodes, draws[0].tolist(), strict=True)]
        together = [scores[i][j] for i, j in edges]
        if bound == "infonce":
            wanted = slow.infonce(together, product, [nodes.index(i) for i, _ in edges], weights)
        else:
            wanted = READ[bound](together, flat(product), weights, [w for w in of_node for _ in range(3)])
        (term,) = loss.terms
        assert term == ("jsd_neighbours_nats" if bound == "jsd" else "mi_xt_neighbours_nats")
        assert loss.terms[term].item() == pytest.approx(wanted, abs=1e-10)
        assert loss.total.item() == pytest.approx(-0.7 * (2 if bound == "jsd" else 1) * wanted, abs=1e-10)

    @pytest.mark.parametrize("weighting", WEIGHTINGS)
    @pytest.mark.parametrize("graph", [TWO, ONE])
    def test_pairs_drawn_apart_follow_the_edges_weights_elsewhere(self, weighting, graph, monkeypatch):
        """Shares of 20000 draws: elsewhere is another graph, or edges into another node; four s.e. are 0.014."""
        batch = batch_on(graph)
        objective = GraphicalInformation(weighting=weighting, num_negatives=20000)
        edges = graph.edge_index[:, graph.edge_index[0] != graph.edge_index[1]]
        edges = edges[:, edges[1].argsort(stable=True)]
        nodes, row, degree = edges[1].unique_consecutive(return_inverse=True, return_counts=True)
        weights = objective._edge_weights(batch, edges, degree[row])
        drawn = objective._drawn_apart(batch, edges, nodes, weights)
        for node, found in zip(nodes.tolist(), drawn, strict=True):
            elsewhere = [
                w if (graph.graph_index[i] != graph.graph_index[node] if graph is TWO else i != node) else 0.0
                for i, w in zip(edges[1].tolist(), weights.tolist(), strict=True)
            ]
            wanted = torch.zeros(graph.num_nodes).index_add(0, edges[0], torch.tensor(elsewhere))
            share = torch.bincount(found, minlength=graph.num_nodes) / 20000
            assert share.tolist() == pytest.approx((wanted / wanted.sum()).tolist(), abs=0.014)
            assert not share[wanted == 0].any()

    def test_where_all_edges_are_in_one_of_several_graphs_they_meet_their_like(self):
        graph = structure([(1, 2), (2, 1), (3, 2)], [0, 1, 1, 1, 2])
        loss = built(GraphicalInformation(), batch_on(graph))(batch_on(graph))
        assert set(loss.terms) == {"jsd_nats", "jsd_neighbours_nats", "jsd_edges_nats"}

    def test_no_gradient_passes_through_adaptive_weights(self):
        batch = batch_on(TWO)
        settings = {"bound": "nwj", "weighting": "adaptive", "own_weight": 0, "edges_weight": 0}
        objective = built(GraphicalInformation(**settings), batch)
        with torch.no_grad():
            for name, parameter in objective.named_parameters():
                if ".tower_x." in name:
                    parameter.zero_()
        # h reaches the bound through its weights alone, and these are constants.
        (gradient,) = torch.autograd.grad(objective(batch).total, batch.output)
        assert not gradient.any()

    def test_a_trained_critic_finds_what_neighbours_of_one_kind_tell(self):
        """Rings whose nodes share one of four codes, h = x: log 4, as nodes of other rings are drawn apart."""
        code = torch.randint(4, (100,), generator=seeded()).repeat_interleave(4)
        x, around = F.one_hot(code, 4).float(), torch.arange(400)
        edges = torch.stack([around, around // 4 * 4 + (around + 1) % 4])
        batch = LocalBatch(x, x, x, None, graph=GraphStructure(edges, around // 4, 100))
        for weighting in WEIGHTINGS:
            objective = GraphicalInformation(
                bound="mine", weighting=weighting, num_negatives=8, own_weight=0, edges_weight=0, hidden=(16,)
            )
            value = train_critic(objective, batch, part="mi_xt_neighbours_nats")
            assert value == pytest.approx(math.log(4), abs=0.08)

    def test_hubs_that_are_everybodys_neighbours_are_no_information(self):
        """Stars whose hubs alone have a mark, and h is noise: nothing, though critics could tell hubs from nodes.

        With nodes drawn apart uniformly a critic that likes the mark would reach the divergence of neighbours from
        nodes: 0.5 log(0.5 / 0.1) + 0.5 log(0.5 / 0.9) = 0.51.
        """
        node = torch.arange(1000)
        leaves = node[node % 10 > 0]
        edges = torch.stack([leaves, leaves // 10 * 10])
        graph = GraphStructure(torch.cat([edges, edges.flip(0)], dim=1), node // 10, 100)
        x = (node % 10 == 0).float()[:, None] + 0.01 * torch.randn(1000, 2, generator=seeded())
        batch = LocalBatch(x, x, torch.randn(1000, 2, generator=seeded(1)), None, graph=graph)
        objective = GraphicalInformation(bound="mine", own_weight=0, edges_weight=0, num_negatives=8)
        value = train_critic(objective, batch, steps=100, part="mi_xt_neighbours_nats")
        assert abs(value) < 0.05


class TestEdges:
    def only_edges(self, graph, h):
        batch = LocalBatch(h, h, h.requires_grad_(), None, graph=graph)
        return built(GraphicalInformation(own_weight=0, neighbours_weight=0, edges_weight=0.5), batch)(batch)

    def test_nodes_that_point_away_from_whom_they_are_not_joined_to_tell_all(self):
        """Two cliques of one graph: scores are 100 within and -100 across, so that all of log 2 is known."""
        side = torch.tensor([1.0, 1.0, 1.0, -1.0, -1.0, -1.0])
        edges = ((side[:, None] == side) & ~torch.eye(6, dtype=torch.bool)).nonzero().tolist()
        loss = self.only_edges(structure(edges, [0] * 6), 10 * side[:, None])
        assert loss.terms["jsd_edges_nats"].item() == pytest.approx(math.log(2), abs=1e-6)
        assert loss.total.item() == pytest.approx(-math.log(2), abs=1e-6)

    def test_orthogonal_vectors_know_the_edges_and_not_their_absence(self):
        """Scores of 100 and 0: half of the cross-entropy is gone."""
        side = torch.tensor([0, 0, 0, 1, 1, 1])
        edges = ((side[:, None] == side) & ~torch.eye(6, dtype=torch.bool)).nonzero().tolist()
        loss = self.only_edges(structure(edges, [0] * 6), 10 * F.one_hot(side, 2).float())
        assert loss.terms["jsd_edges_nats"].item() == pytest.approx(math.log(2) / 2, abs=1e-6)

    def test_scores_of_a_million_keep_their_gradient(self):
        """The gradient of log(sigmoid + eps) would be zero where an edge is scored far below none."""
        h = torch.tensor([[1e3], [-1e3], [1e3]])
        loss = self.only_edges(structure([(0, 1)], [0, 0, 0]), h)
        (gradient,) = torch.autograd.grad(loss.total, h)
        # softplus(1e6) of the edge; -1e6 would be right for (1, 2), which is the only pair without one.
        assert loss.total.item() == pytest.approx(0.5 * 1e6, rel=1e-5)
        assert gradient[0].item() == pytest.approx(0.5 * 1e3)

    def test_pairs_without_an_edge_are_of_one_graph(self, monkeypatch):
        kept = []
        plain = graph_nodes.non_edges
        monkeypatch.setattr(graph_nodes, "non_edges", lambda *a: kept.append(plain(*a)) or kept[-1])
        built(GraphicalInformation(), batch_on(TWO))(batch_on(TWO))
        joined = {tuple(sorted(edge)) for edge in TWO.edge_index.T.tolist()}
        assert kept[0].shape[1] == 11  # all edges but the loop
        for a, b in kept[0].T.tolist():
            assert (a < 5) == (b < 5)
            assert a != b
            assert (min(a, b), max(a, b)) not in joined


class TestSum:
    @pytest.mark.parametrize("bound", BOUNDS)
    def test_the_loss_is_minus_the_weighted_terms_divergences_twice(self, bound):
        batch = batch_on(TWO)
        loss = built(GraphicalInformation(bound=bound, own_weight=0.3, neighbours_weight=0.5, edges_weight=0.7), batch)(
            batch
        )
        own, neighbours, edges = (value.item() for value in loss.terms.values())
        times = 2 if bound == "jsd" else 1
        wanted = -times * (0.3 * own + 0.5 * neighbours) - 2 * 0.7 * edges
        assert loss.total.item() == pytest.approx(wanted, abs=1e-12)

    def test_its_jsd_terms_are_the_cross_entropies_of_the_paper_but_for_a_constant(self):
        batch = batch_on(TWO)
        objective = built(GraphicalInformation(own_weight=1.0, neighbours_weight=0, edges_weight=0), batch)
        scores = torch.tensor(all_scores(objective, "own", batch))
        drawn = other_nodes(TWO.graph_index, 5, batch.generator("pairs"))
        paper = F.softplus(-scores.diagonal()).mean() + F.softplus(scores.gather(1, drawn)).mean()
        assert objective(batch).total.item() == pytest.approx(paper.item() - 2 * math.log(2), abs=1e-6)

    def test_only_what_is_a_lower_bound_of_information_is_called_one(self):
        both = {"mi_xt_nats": "lower", "mi_xt_neighbours_nats": "lower"}
        assert {bound: dict(GraphicalInformation(bound=bound).sides) for bound in BOUNDS} == {
            "infonce": both,
            "mine": both,
            "nwj": both,
            "jsd": {},
        }
        assert dict(GraphicalInformation(bound="nwj", neighbours_weight=0).sides) == {"mi_xt_nats": "lower"}

    def test_what_has_no_weight_is_not_made(self):
        batch = batch_on(TWO)
        for weights, parts in (
            ({"own_weight": 0}, {"neighbours"}),
            ({"neighbours_weight": 0}, {"own"}),
            ({"own_weight": 0, "neighbours_weight": 0}, set()),
        ):
            objective = built(objective_of("X:gmi", **weights, critic_steps=2), batch)
            assert set(objective.critic) == parts
            assert len(objective.critics()) == (1 if parts else 0)
            assert objective.critic_steps == (2 if parts else 0)
        assert set(built(GraphicalInformation(edges_weight=0), batch)(batch).terms) == {
            "jsd_nats",
            "jsd_neighbours_nats",
        }

    def test_the_name_in_plans(self):
        objective = objective_from_name("X:gmi", {"X:gmi": {"weighting": "adaptive", "bound": "infonce"}})
        assert isinstance(objective, GraphicalInformation)
        assert (objective.weighting, objective.bound) == ("adaptive", "infonce")


EMPTY = "jsd_nats", "jsd_neighbours_nats", "jsd_edges_nats"
ODD = {
    "one node": (structure([], [0]), ()),
    "one node with a loop": (structure([(0, 0)], [0]), ()),
    "no edges": (structure([], [0, 0, 0]), EMPTY[:1]),
    "graphs of one node": (structure([], [0, 1, 2]), EMPTY[:1]),
    "loops alone": (structure([(0, 0), (1, 1)], [0, 0]), EMPTY[:1]),
    "two nodes, joined": (structure([(0, 1), (1, 0)], [0, 0]), EMPTY[:2]),
    "one edge": (structure([(0, 1)], [0, 0, 0]), (EMPTY[0], EMPTY[2])),
    "edges into one node": (structure([(1, 0), (2, 0)], [0, 0, 0, 0]), (EMPTY[0], EMPTY[2])),
    "everybody joined": (structure([(a, b) for a in range(4) for b in range(4)], [0] * 4), EMPTY[:2]),
    "an isolated node": (structure([(0, 1), (1, 0)], [0, 0, 0]), EMPTY),
    "one graph with edges, one without": (structure([(0, 1), (1, 2)], [0, 0, 0, 1]), EMPTY),
    "a graph without nodes": (structure([(0, 1), (1, 2)], [0, 0, 0, 2]), EMPTY),
}
EVERY = {
    **{f"node-{bound}": lambda bound=bound: NodeInformation(bound=bound, hidden=(8,)) for bound in BOUNDS},
    **{f"gmi-{bound}": lambda bound=bound: GraphicalInformation(bound=bound) for bound in BOUNDS},
    "gmi-adaptive": lambda: GraphicalInformation(weighting="adaptive", bound="infonce", critic_steps=1),
}


@pytest.mark.parametrize("case", ODD)
class TestOddGraphs:
    def test_terms_without_pairs_are_left_out(self, case):
        graph, terms = ODD[case]
        loss = built(GraphicalInformation(), batch_on(TWO))(batch_on(graph))
        assert tuple(loss.terms) == terms
        assert loss.total.isfinite()

    @pytest.mark.parametrize("kind", ["gmi-jsd", "gmi-mine", "gmi-adaptive", "node-infonce"])
    def test_gradients_are_finite_and_zero_where_nothing_can_be_learnt(self, kind, case):
        graph, terms = ODD[case]
        batch, objective = batch_on(graph), built(EVERY[kind](), batch_on(TWO))
        loss, still = objective(batch), objective.critic_loss(replace(batch, output=batch.output.detach()))
        (gradient,) = torch.autograd.grad(loss.total, batch.output)
        assert gradient.isfinite().all()
        assert still.isfinite()
        still.backward()
        if not terms:
            assert loss.terms == {}
            assert loss.total.item() == still.item() == 0
            assert not gradient.any()
            assert not any(p.grad is not None and p.grad.any() for p in objective.parameters())

    def test_a_first_batch_of_this_kind_builds_what_others_can_use(self, case):
        objective = built(GraphicalInformation(), batch_on(ODD[case][0]))
        assert objective(batch_on(TWO)).total.isfinite()


def test_an_isolated_node_counts_by_its_own_features_alone():
    batch = batch_on(structure([(0, 1), (1, 0), (1, 2)], [0, 0, 0, 0]))
    cases: tuple[Any, ...] = (
        ({"neighbours_weight": 0, "edges_weight": 0}, True),
        ({"own_weight": 0, "edges_weight": 0}, False),
    )
    for weights, moved in cases:
        objective = built(GraphicalInformation(**weights), batch).eval()  # in training its h is in the columns' means
        (gradient,) = torch.autograd.grad(objective(batch).total, batch.output)
        assert bool(gradient[3].any()) is moved


@pytest.mark.parametrize("kind", EVERY)
class TestAll:
    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_a_diverged_layer_has_a_loss_that_is_not_finite(self, kind, value):
        batch = batch_on(TWO)
        output = batch.output.detach().clone()
        output[7, 2] = value
        assert not built(EVERY[kind](), batch)(replace(batch, output=output)).total.isfinite()

    def test_nothing_of_the_callers_changes_and_a_step_repeats_itself(self, kind):
        batch = batch_on(TWO)
        objective, state = built(EVERY[kind](), batch), torch.get_rng_state()
        kept = (batch.x, batch.output, batch.module_input, TWO.edge_index, TWO.graph_index)
        before = [t.detach().clone() for t in kept]
        assert objective(batch).total.item() == objective(batch).total.item()
        assert all(torch.equal(a, b) for a, b in zip(before, kept, strict=True))
        assert torch.equal(torch.get_rng_state(), state)

    def test_gradients_are_those_of_the_loss(self, kind):
        """Central differences in a random direction; MINE's gradient is of another function in training."""
        batch = batch_on(TWO)
        objective = built(EVERY[kind](), batch).eval()
        objective.weighting = "mean"  # adaptive weights are constants to the gradient alone
        (gradient,) = torch.autograd.grad(objective(batch).total, batch.output)
        way = torch.randn(batch.output.shape, generator=seeded(5)).double()
        ahead, behind = (objective(replace(batch, output=batch.output + e * way)).total for e in (1e-6, -1e-6))
        assert (gradient * way).sum().item() == pytest.approx((ahead - behind).item() / 2e-6, rel=1e-4, abs=1e-7)

    def test_neither_scale_nor_place_of_features_changes_the_bounds_on_them(self, kind):
        batch = batch_on(TWO)
        far = replace(batch, x=1e4 * batch.x + 3e5)
        plain, moved = (built(EVERY[kind](), given)(given).total.item() for given in (batch, far))
        assert moved == pytest.approx(plain, abs=1e-3)  # batch norm's eps is 1e-5 of the variance

    def test_under_autocast_and_in_half_precision_the_loss_is_in_full_precision(self, kind):
        batch = batch_on(TWO)
        narrow = replace(batch, x=batch.x.float(), output=batch.output.detach().bfloat16())
        objective = built(EVERY[kind](), narrow)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = objective(narrow)
        assert loss.total.dtype == torch.float32
        assert loss.total.item() == pytest.approx(objective(narrow).total.item(), rel=0.05, abs=0.05)

    def test_critics_move_with_the_module_or_by_steps_of_their_own(self, kind):
        objective, batch = EVERY[kind](), batch_on(TWO)
        built(objective, batch)
        averages = {name: value.clone() for name, value in objective.state_dict().items() if "running" in name}
        objective.critic_loss(replace(batch, output=batch.output.detach())).backward()
        assert {name.split(".")[0] for name, p in objective.named_parameters() if p.grad is not None} == {"critic"}
        assert all(torch.equal(objective.state_dict()[name], value) for name, value in averages.items())
        assert objective.critics() == ([objective.critic] if kind == "gmi-adaptive" else [])

    def test_rows_that_are_no_graphs_outputs_of_graphs_and_integers_are_refused(self, kind):
        objective, batch = EVERY[kind](), batch_on(TWO)
        where = type(objective).__name__
        with pytest.raises(ValueError, match=f"{where}: needs graphs, got rows without edges; use X:infonce or X:mine"):
            objective.build(replace(batch, graph=None), None)
        for shape in ((2, 4), (10, 4, 3), (10,)):
            with pytest.raises(ValueError, match=rf"{where}: the output must have a vector for each of the 10 nodes"):
                objective.build(replace(batch, output=torch.zeros(shape)), None)
        with pytest.raises(TypeError, match=rf"{where}: x must be real-valued, got torch\.int64"):
            objective.build(replace(batch, x=batch.x.long()), None)


@pytest.mark.parametrize("kind", [NodeInformation, GraphicalInformation])
class TestSettings:
    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"bound": "kl"}, "bound must be one of infonce, mine, nwj, jsd, got 'kl'"),
            ({"target": "y"}, "target must be one of x, module_input, got 'y'"),
            ({"num_negatives": 0}, "num_negatives must be at least 1, got 0"),
            ({"embedding": 0}, "embedding must be at least 1, got 0"),
            ({"hidden": (8, 0)}, "every width of hidden must be at least 1, got 0"),
            ({"critic_steps": -1}, "critic_steps must be at least 0, got -1"),
        ],
    )
    def test_wrong_values_are_refused(self, kind, settings, message):
        with pytest.raises(ValueError, match=f"{kind.__name__}: {message}"):
            kind(**settings)

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"num_negatives": 2.0}, r"num_negatives must be an integer, got 2\.0"),
            ({"hidden": 8}, r"hidden must be a sequence of widths such as \(64,\), got 8"),
            ({"critic_steps": True}, "critic_steps must be an integer, got True"),
        ],
    )
    def test_wrong_kinds_are_refused(self, kind, settings, message):
        with pytest.raises(TypeError, match=f"{kind.__name__}: {message}"):
            kind(**settings)

    def test_the_decay_is_checked(self, kind):
        with pytest.raises(ValueError, match="decay must be at least 0 and below 1, got 1"):
            kind(bound="mine", decay=1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weighting": "sum"}, "weighting must be one of mean, adaptive, got 'sum'"),
        ({"own_weight": -1.0}, "own_weight must be at least 0 and finite, got -1.0"),
        ({"neighbours_weight": math.inf}, "neighbours_weight must be at least 0 and finite, got inf"),
        ({"edges_weight": math.nan}, "edges_weight must be at least 0 and finite, got nan"),
        (
            {"own_weight": 0, "neighbours_weight": 0, "edges_weight": 0},
            "own_weight, neighbours_weight or edges_weight must be positive, got 0 for all",
        ),
    ],
)
def test_weights_of_the_terms_are_checked(settings, message):
    with pytest.raises(ValueError, match=f"GraphicalInformation: {message}"):
        GraphicalInformation(**settings)


@pytest.mark.parametrize("kind", ["gmi-jsd", "gmi-adaptive", "node-infonce"])
def test_what_autograd_keeps_grows_with_nodes_and_edges(kind):
    """Rings in one graph: twice the nodes are twice the numbers, where all pairs would be four times as many."""

    def kept(n):
        node = torch.arange(n)
        graph = GraphStructure(torch.stack([node, (node + 1) % n]), torch.zeros_like(node), 1)
        batch, numbers = batch_on(graph), []
        objective = built(EVERY[kind](), batch)
        with torch.autograd.graph.saved_tensors_hooks(lambda t: numbers.append(t.numel()) or t, lambda t: t):
            objective(batch)
        return sum(numbers)

    assert kept(2000) < 2.02 * kept(1000)


def test_a_module_that_gmi_teaches_beats_a_frozen_one():
    """Seeds 0 to 2 reach 0.81, 0.55 and 0.94, frozen modules 0.51, 0.46 and 0.35; a run's standard error is 0.03."""
    frozen, learnt = ([trained(name, communities, seed=seed)[1] for seed in (0, 1, 2)] for name in ("frozen", "X:gmi"))
    assert sum(learnt) / 3 > sum(frozen) / 3 + 0.15


def features_that_agree(*, seed=0, classes=0):
    """The communities with the class in four columns and noise in eight."""
    graph, y = communities(seed=seed)
    generator = seeded(seed + 7)
    corners = torch.tensor([[1.0, 0.0], [-0.5, 0.87], [-0.5, -0.87]])
    signal = corners[y].repeat(1, 2) + 0.5 * torch.randn(240, 4, generator=generator)
    graph.x = torch.cat([signal, 1.5 * torch.randn(240, 8, generator=generator)], dim=1)
    return graph, y


@pytest.mark.slow
def test_a_module_that_features_of_nodes_teach_beats_a_frozen_one():
    """On one machine seeds 0 to 5 gained 0.08 to 0.30 over frozen modules, 0.17 on average, with a deviation of 0.09.

    On another one seeds 0 and 1 gained 0.16 and 0.15: rounding decides that much. Four seeds gain 0.16 on the first.
    """
    frozen, learnt = (
        [trained(name, features_that_agree, seed=seed, epochs=100, lr=3e-2)[1] for seed in range(4)]
        for name in ("frozen", "X:node-mine")
    )
    assert sum(learnt) / 4 > sum(frozen) / 4 + 0.1
