import math
from dataclasses import replace
from functools import cache

import pytest
import torch
from tests.objectives.on_small_graphs import communities, molecules, seeded, trained
from tests.reference import graph_summary as slow
from torch import nn

from infotorch.data.graphs import GraphStructure
from infotorch.estimators.bounds import infonce, jsd, nwj
from infotorch.numerics.seeds import SeedStreams
from infotorch.objectives import graph_summary
from infotorch.objectives.base import LocalBatch
from infotorch.objectives.graph_summary import (
    DeepGraphInfomax,
    InfoGraph,
    bound_of_nodes,
    shuffled_within_graphs,
    summed_up,
)
from infotorch.objectives.names import objective_from_name
from infotorch.training.plan import evaluating

NO_EDGES = torch.zeros(2, 0, dtype=torch.int64)


def ring(size, start=0):
    nodes = torch.arange(start, start + size)
    return torch.stack([nodes, nodes.roll(1)])


def graphs_of(*sizes):
    """Directed rings of these sizes; one node has an edge to itself."""
    starts = [sum(sizes[:number]) for number in range(len(sizes))]
    edges = [NO_EDGES, *(ring(size, start) for size, start in zip(sizes, starts, strict=True) if size)]
    index = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    return GraphStructure(torch.cat(edges, dim=1), index, len(sizes))


def batch_of(graph, *, columns=3, width=4, seed=0, step=0, read_out=False):
    """A module of one weight matrix behind the mean of the neighbours, in float64."""
    x = torch.randn(graph.num_nodes, columns, generator=seeded(seed), dtype=torch.float64)
    weight = torch.randn(columns, width, generator=seeded(seed + 1), dtype=torch.float64, requires_grad=True)

    def encode(features):
        copies = graph.copies(len(features) // graph.num_nodes)
        nodes = (copies.neighbours_mean(features) + 0.5 * features) @ weight
        return copies.mean(nodes) if read_out else nodes

    streams = SeedStreams(seed)
    return LocalBatch(x, x, encode(x), None, streams, (step,), encode, graph), weight


def built(objective, batch, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        objective.build(batch, None)
        # Scores that start close to 0 would not show a mistake.
        for name, parameter in objective.named_parameters():
            if "offset" in name:
                parameter.data.fill_(0.3)
            if "tower_y" in name:
                parameter.data.mul_(5.0)
    return objective


def corrupted_inputs(batch, objective):
    """What the objective passes through the module."""
    seen = []

    def watching(features):
        seen.append(features)
        return batch.encode(features)

    objective(replace(batch, encode=watching))
    return seen


class TestShuffling:
    def test_rows_stay_in_their_graph_and_every_order_is_equally_likely(self):
        """6 orders of three nodes, 600 draws: 100 each with a standard deviation of 9."""
        graph, generator, counts = graphs_of(2, 3), seeded(), {}
        for _ in range(600):
            order = shuffled_within_graphs(graph, generator).tolist()
            assert sorted(order[:2]) == [0, 1]
            counts[tuple(order[2:])] = counts.get(tuple(order[2:]), 0) + 1
        assert len(counts) == 6
        assert all(abs(count - 100) < 40 for count in counts.values())

    def test_sums_means_and_maxima_by_hand(self):
        graph = GraphStructure(NO_EDGES, torch.tensor([0, 0, 2]), 3)
        rows = torch.tensor([[1.0, -2.0], [3.0, -4.0], [-5.0, 0.5]])
        assert summed_up(rows, graph, "sum").tolist() == [[4.0, -6.0], [0.0, 0.0], [-5.0, 0.5]]
        assert summed_up(rows, graph, "mean").tolist() == [[2.0, -3.0], [0.0, 0.0], [-5.0, 0.5]]
        assert summed_up(rows, graph, "max").tolist() == [[3.0, -2.0], [0.0, 0.0], [-5.0, 0.5]]


class TestDeepGraphInfomax:
    def slow_loss(self, objective, batch, corrupted, summary_of_corrupted):
        nodes, graph = batch.output.tolist(), batch.graph
        means = slow.graph_means(nodes, graph.graph_index.tolist(), graph.num_graphs)
        summaries = [[1 / (1 + math.exp(-value)) for value in mean] for mean in means]
        weight, offset = objective.critic.from_y.weight.tolist(), objective.critic.offset.item()
        own = [summaries[g] for g in graph.graph_index.tolist()]
        others = [summaries[g] for g in summary_of_corrupted]
        return slow.dgi_cross_entropy(nodes, corrupted, own, others, weight, offset)

    @pytest.mark.parametrize("sizes", [(6,), (4, 3, 2)])
    def test_shuffling_is_the_papers_cross_entropy_twice_less_a_constant(self, sizes):
        batch, _ = batch_of(graphs_of(*sizes))
        objective = built(DeepGraphInfomax(corruption="shuffle"), batch)
        (features,) = corrupted_inputs(batch, objective)
        wrong = batch.encode(features)[len(batch.x) :].tolist()
        wanted = self.slow_loss(objective, batch, wrong, batch.graph.graph_index.tolist())
        loss = objective(batch)
        assert loss.total.item() == pytest.approx(2 * wanted - 2 * math.log(2), abs=1e-12)
        assert loss.terms["jsd_nats"].item() == pytest.approx(math.log(2) - wanted, abs=1e-12)

    def test_shuffled_features_are_the_graphs_own(self):
        batch, _ = batch_of(graphs_of(5, 4))
        (features,) = corrupted_inputs(batch, built(DeepGraphInfomax(corruption="shuffle"), batch))
        true, wrong = features.chunk(2)
        assert torch.equal(true, batch.x)
        assert not torch.equal(wrong, batch.x)
        for nodes in (slice(0, 5), slice(5, 9)):
            assert sorted(wrong[nodes].tolist()) == sorted(batch.x[nodes].tolist())

    def test_nodes_of_another_graph_are_set_against_a_summary(self):
        """Two graphs: each is the other's; no pass through the module is needed."""
        batch, _ = batch_of(graphs_of(4, 3))
        objective = built(DeepGraphInfomax(), batch)
        assert corrupted_inputs(batch, objective) == []
        other = [1 - g for g in batch.graph.graph_index.tolist()]
        wanted = self.slow_loss(objective, batch, batch.output.tolist(), other)
        assert objective(batch).total.item() == pytest.approx(2 * wanted - 2 * math.log(2), abs=1e-12)

    def test_every_other_graph_is_met_equally_often_and_its_own_never(self):
        """800 draws among four others: 200 each, standard deviation 13."""
        batch, _ = batch_of(graphs_of(3, 1, 2, 2, 4))
        objective = DeepGraphInfomax()
        counts = torch.zeros(5, 5)
        for step in range(800):
            *_, other = objective._of_other_graphs(replace(batch, position=(step,)), batch.graph)
            own = batch.graph.graph_index
            pairs = torch.stack([own, other]).unique(dim=1)
            assert pairs.shape[1] == 5  # all nodes of a graph meet the same one
            assert sorted(pairs[1].tolist()) == [0, 1, 2, 3, 4]
            counts[pairs[0], pairs[1]] += 1
        assert counts.diagonal().tolist() == [0.0] * 5
        assert (counts[~torch.eye(5, dtype=torch.bool)] - 200).abs().max() < 52

    def test_a_graph_without_nodes_is_left_out(self):
        batch, _ = batch_of(graphs_of(3, 0, 2))
        *_, other = DeepGraphInfomax()._of_other_graphs(batch, batch.graph)
        assert other.tolist() == [2, 2, 2, 0, 0]
        only, _ = batch_of(graphs_of(3, 0))
        loss = built(DeepGraphInfomax(), batch)(only)
        assert loss.total.item() == 0.0
        assert loss.terms == {}

    def test_auto_follows_the_first_mini_batch(self):
        one, _ = batch_of(graphs_of(5))
        several, _ = batch_of(graphs_of(3, 2))
        assert corrupted_inputs(one, built(DeepGraphInfomax(), one))
        assert not corrupted_inputs(several, built(DeepGraphInfomax(), several))
        # A lone last graph then teaches nothing: one objective does not change its corruption.
        assert not corrupted_inputs(one, built(DeepGraphInfomax(), several))

    def test_nwj_is_that_of_the_same_scores(self):
        batch, _ = batch_of(graphs_of(4, 3))
        objective = built(DeepGraphInfomax(bound="nwj"), batch)
        summaries = batch.graph.mean(batch.output).sigmoid()
        scores = objective.critic(batch.output, summaries)
        own = batch.graph.graph_index
        nodes = torch.arange(7)
        wanted = nwj(scores[nodes, own], scores[nodes, 1 - own])
        loss = objective(batch)
        assert loss.terms["kl_nats"].item() == pytest.approx(wanted.item(), abs=1e-12)
        assert loss.total.item() == pytest.approx(-wanted.item(), abs=1e-12)

    @pytest.mark.parametrize("bound", ["jsd", "nwj"])
    @pytest.mark.parametrize("sizes", [(5,), (3, 2)])
    def test_the_gradient_is_that_of_finite_differences(self, sizes, bound):
        graph = graphs_of(*sizes)
        batch, weight = batch_of(graph)
        objective = built(DeepGraphInfomax(bound=bound), batch)

        def loss(weight):
            def encode(features):
                copies = graph.copies(len(features) // graph.num_nodes)
                return (copies.neighbours_mean(features) + 0.5 * features) @ weight

            return objective(replace(batch, output=encode(batch.x), encode=encode)).total

        assert torch.autograd.gradcheck(loss, weight)

    def test_large_scores_stay_finite(self):
        batch, weight = batch_of(graphs_of(6))
        objective = built(DeepGraphInfomax(), batch)
        objective.critic.from_y.weight.data.mul_(1e4)
        loss = objective(batch).total
        (gradient,) = torch.autograd.grad(loss, weight)
        assert loss.isfinite()
        assert gradient.isfinite().all()
        assert gradient.abs().max() > 0

    def test_scores_that_tell_everything_reach_log_two(self):
        """Shuffling leaves no neighbour alike: nodes of one sign against nodes near 0."""
        graph = graphs_of(4)
        x = torch.ones(4, 1).double()
        batch = LocalBatch(x, x, x, None, encode=lambda both: torch.cat([both[:4], -both[4:]]), graph=graph)
        objective = built(DeepGraphInfomax(), batch)
        objective.critic.from_y.weight.data.fill_(100.0)
        objective.critic.offset.data.zero_()
        assert objective(batch).terms["jsd_nats"].item() == pytest.approx(math.log(2), abs=1e-9)

    @pytest.mark.parametrize(
        "graph",
        [
            GraphStructure(NO_EDGES, torch.zeros(4, dtype=torch.int64), 1),
            graphs_of(1),
            GraphStructure(NO_EDGES, torch.zeros(1, dtype=torch.int64), 1),
        ],
        ids=["no edges", "one node with a loop", "one node"],
    )
    def test_where_shuffling_changes_nothing_nothing_is_learnt(self, graph):
        batch, weight = batch_of(graph)
        loss = built(DeepGraphInfomax(), batch)(batch)
        (gradient,) = torch.autograd.grad(loss.total, weight)
        assert loss.total.item() == 0.0
        assert loss.terms == {}
        assert torch.count_nonzero(gradient) == 0

    def test_isolated_nodes_and_graphs_of_one_node_count(self):
        isolated = GraphStructure(ring(3), torch.zeros(5, dtype=torch.int64), 1)
        single = GraphStructure(NO_EDGES, torch.arange(4), 4)
        for graph in (isolated, single):
            batch, weight = batch_of(graph)
            loss = built(DeepGraphInfomax(), batch)(batch)
            (gradient,) = torch.autograd.grad(loss.total, weight)
            assert gradient.abs().max() > 0

    def test_the_draw_is_the_steps_own_and_the_global_state_stays(self):
        batch, _ = batch_of(graphs_of(9))
        objective = built(DeepGraphInfomax(), batch)
        before, x = torch.get_rng_state(), batch.x.clone()
        first = objective(batch).total
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.equal(batch.x, x)
        assert torch.equal(objective(batch).total, first)
        assert not torch.equal(objective(replace(batch, position=(1,))).total, first)

    def test_batch_norm_sees_true_and_corrupted_nodes_together(self):
        batch, _ = batch_of(graphs_of(8))
        norm = nn.BatchNorm1d(4, affine=False).double()
        encode = lambda features: norm(batch.encode(features))  # noqa: E731
        normed = replace(batch, output=encode(batch.x), encode=encode)
        objective = built(DeepGraphInfomax(), normed)
        (features,) = corrupted_inputs(normed, objective)
        together = encode(features)
        summary = together[:8].mean(0).sigmoid()[None]
        scores = objective.critic(together, summary).squeeze(1)
        assert objective(normed).terms["jsd_nats"].item() == pytest.approx(jsd(scores[:8], scores[8:]).item())
        assert not torch.allclose(together[:8], encode(batch.x))  # a pass of their own would be scaled otherwise

    def test_no_term_is_called_a_bound_on_the_modules_information(self):
        assert dict(DeepGraphInfomax(bound="nwj").sides) == {}

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"bound": "infonce"}, "bound must be one of jsd, nwj, got 'infonce'"),
            ({"corruption": "noise"}, "corruption must be one of auto, shuffle, graphs, got 'noise'"),
        ],
    )
    def test_wrong_settings_are_refused(self, settings, message):
        with pytest.raises(ValueError, match=f"DeepGraphInfomax: {message}"):
            DeepGraphInfomax(**settings)

    def test_rows_that_are_no_graphs_and_read_outs_are_refused(self):
        batch, _ = batch_of(graphs_of(3, 2))
        with pytest.raises(ValueError, match="DeepGraphInfomax: X:dgi needs graphs, got rows that are independent"):
            DeepGraphInfomax().build(replace(batch, graph=None), None)
        with pytest.raises(
            ValueError, match=r"a row for each of the 5 nodes, got \(2, 4\); behind a read-out use X:inf"
        ):
            DeepGraphInfomax().build(replace(batch, output=torch.zeros(2, 4)), None)
        with pytest.raises(ValueError, match="'graphs' needs mini-batches of two graphs or more, got 1; 'shuffle'"):
            DeepGraphInfomax(corruption="graphs").build(batch_of(graphs_of(5))[0], None)


class TestInfoGraph:
    BOUNDS = ("jsd", "infonce", "nwj")

    def scores(self, objective, nodes, summaries):
        return objective.critic(objective.scale_nodes(nodes), objective.scale_summaries(summaries))

    @pytest.mark.parametrize("bound", BOUNDS)
    @pytest.mark.parametrize("summary", ["sum", "mean", "max"])
    def test_it_is_the_slow_bound_of_nodes_and_summaries(self, bound, summary):
        batch, _ = batch_of(graphs_of(4, 1, 3))
        objective = built(InfoGraph(bound=bound, summary=summary), batch)
        scores = self.scores(objective, batch.output, summed_up(batch.output, batch.graph, summary)).tolist()
        wanted = slow.infograph(scores, batch.graph.graph_index.tolist(), bound)
        loss = objective(batch)
        (term,) = loss.terms.values()
        assert abs(wanted) > 1e-3
        assert term.item() == pytest.approx(wanted, abs=1e-10)
        assert loss.total.item() == pytest.approx(-wanted * (2 if bound == "jsd" else 1), abs=1e-10)

    @pytest.mark.parametrize("bound", BOUNDS)
    def test_behind_a_read_out_it_is_the_graph_against_its_raw_nodes(self, bound):
        batch, _ = batch_of(graphs_of(4, 1, 3), read_out=True)
        objective = built(InfoGraph(bound=bound), batch)
        scores = self.scores(objective, batch.x, batch.output).tolist()
        wanted = slow.infograph(scores, batch.graph.graph_index.tolist(), bound)
        (term,) = objective(batch).terms.values()
        assert term.item() == pytest.approx(wanted, abs=1e-10)

    @pytest.mark.parametrize(("bound", "plain"), [("jsd", jsd), ("infonce", infonce), ("nwj", nwj)])
    def test_graphs_of_one_node_give_the_plain_bound_of_a_square_of_scores(self, bound, plain):
        batch, _ = batch_of(graphs_of(1, 1, 1, 1, 1))
        objective = built(InfoGraph(bound=bound), batch)
        wanted = plain(self.scores(objective, batch.output, batch.output))
        (term,) = objective(batch).terms.values()
        assert term.item() == pytest.approx(wanted.item(), abs=1e-10)

    def test_repeating_a_graphs_nodes_changes_nothing_for_means(self):
        """Graphs count alike, whatever their sizes: but for the standardising of nodes, which is kept out here."""
        batch, _ = batch_of(graphs_of(2, 3))
        objective = built(InfoGraph(summary="mean"), batch).eval()
        twice = torch.tensor([0, 0, 1, 1, 2, 3, 4])
        larger = GraphStructure(NO_EDGES, torch.tensor([0, 0, 0, 0, 1, 1, 1]), 2)
        repeated = replace(batch, x=batch.x[twice], output=batch.output[twice], graph=larger)
        assert objective(repeated).total.item() == pytest.approx(objective(batch).total.item(), abs=1e-12)

    def test_infonce_never_exceeds_the_log_of_the_graphs(self):
        graph = GraphStructure(NO_EDGES, torch.arange(4).repeat_interleave(3), 4)
        output = torch.eye(4, dtype=torch.float64)[graph.graph_index]
        batch = LocalBatch(output, output, output, None, graph=graph)
        objective = built(InfoGraph(bound="infonce", hidden=(), embedding=4), batch)
        with torch.no_grad():
            for tower in (objective.critic.tower_x[0], objective.critic.tower_y[0]):
                tower.weight.copy_(3.0 * torch.eye(4))
        term = objective(batch).terms["mi_xt_nats"].item()
        assert term == pytest.approx(math.log(4), abs=1e-4)
        assert term <= math.log(4)

    def test_graphs_without_nodes_are_left_out(self):
        batch, _ = batch_of(graphs_of(3, 2))
        objective = built(InfoGraph(), batch)
        index = torch.tensor([1, 1, 1, 3, 3])
        padded = replace(batch, graph=GraphStructure(batch.graph.edge_index, index, 5))
        assert objective(padded).total.item() == pytest.approx(objective(batch).total.item(), abs=1e-12)

    @pytest.mark.parametrize("bound", BOUNDS)
    def test_large_scores_with_the_own_graph_leave_the_gradient_finite(self, bound):
        batch, weight = batch_of(graphs_of(3, 2))
        objective = built(InfoGraph(bound=bound, hidden=()), batch)
        objective.critic.tower_x[0].weight.data.mul_(300.0 if bound != "nwj" else 3.0)
        loss = objective(batch).total
        assert all(gradient.isfinite().all() for gradient in torch.autograd.grad(loss, [weight]))
        # The own score alone may overflow exp: it stands in no exponential.
        codes = math.sqrt(800.0) * torch.eye(2, dtype=torch.float64)
        codes.requires_grad_()
        value = bound_of_nodes(codes, codes, torch.arange(2), torch.zeros(()).double(), bound=bound).mean()
        (gradient,) = torch.autograd.grad(value, codes)
        assert gradient.isfinite().all()

    @pytest.mark.parametrize("bound", BOUNDS)
    def test_blocks_of_nodes_change_no_value_and_no_gradient(self, bound, monkeypatch):
        generator, own = seeded(), torch.tensor([0, 0, 1, 1, 1, 2, 2])
        nodes = torch.randn(7, 3, generator=generator, dtype=torch.float64, requires_grad=True)
        summaries = torch.randn(3, 3, generator=generator, dtype=torch.float64, requires_grad=True)
        offset = torch.tensor(0.3, dtype=torch.float64, requires_grad=True)
        found = []
        for entries in (2**22, 7, 1):  # all nodes, two, one at a time
            monkeypatch.setattr(graph_summary, "_SCORES_AT_ONCE", entries)
            values = bound_of_nodes(nodes, summaries, own, offset, bound=bound)
            with torch.no_grad():
                torch.testing.assert_close(bound_of_nodes(nodes, summaries, own, offset, bound=bound), values)
            found.append([values, *torch.autograd.grad(values.square().sum(), [nodes, summaries, offset])])
        for others in found[1:]:
            torch.testing.assert_close(others, found[0], rtol=1e-12, atol=1e-12)

    @pytest.mark.parametrize("bound", BOUNDS)
    @pytest.mark.parametrize("read_out", [False, True])
    def test_the_gradient_is_that_of_finite_differences(self, bound, read_out):
        graph = graphs_of(3, 2, 1)
        batch, weight = batch_of(graph, read_out=read_out)
        objective = built(InfoGraph(bound=bound, summary="mean", hidden=()), batch)

        def loss(weight):
            nodes = (graph.neighbours_mean(batch.x) + 0.5 * batch.x) @ weight
            return objective(replace(batch, output=graph.mean(nodes) if read_out else nodes)).total

        assert torch.autograd.gradcheck(loss, weight)

    def test_without_another_graph_nothing_is_learnt(self):
        batch, weight = batch_of(graphs_of(4))
        objective = built(InfoGraph(), batch_of(graphs_of(2, 2))[0])
        loss = objective(batch)
        (gradient,) = torch.autograd.grad(loss.total, weight)
        assert loss.total.item() == 0.0
        assert loss.terms == {}
        assert torch.count_nonzero(gradient) == 0

    def test_nothing_is_drawn(self):
        batch, _ = batch_of(graphs_of(3, 4))
        objective = built(InfoGraph(), batch)
        before = torch.get_rng_state()
        first = objective(batch).total
        assert torch.equal(torch.get_rng_state(), before)
        assert torch.equal(objective(replace(batch, position=(7,))).total, first)

    @pytest.mark.parametrize("bound", BOUNDS)
    def test_only_bounds_on_information_are_named_so(self, bound):
        batch, _ = batch_of(graphs_of(3, 4))
        objective = built(InfoGraph(bound=bound), batch)
        assert dict(objective.sides) == ({} if bound == "jsd" else {"mi_xt_nats": "lower"})
        assert set(objective(batch).terms) == {"jsd_nats" if bound == "jsd" else "mi_xt_nats"}

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"bound": "mine"}, "bound must be one of jsd, infonce, nwj, got 'mine'"),
            ({"summary": "median"}, "summary must be one of sum, mean, max, got 'median'"),
            ({"embedding": 0}, "embedding must be at least 1, got 0"),
            ({"hidden": (8, 0)}, "every width of hidden must be at least 1, got 0"),
        ],
    )
    def test_wrong_settings_are_refused(self, settings, message):
        with pytest.raises(ValueError, match=f"InfoGraph: {message}"):
            InfoGraph(**settings)

    def test_widths_of_another_kind_are_refused(self):
        with pytest.raises(TypeError, match="InfoGraph: hidden must be a sequence of widths"):
            InfoGraph(hidden=64)  # pyright: ignore[reportArgumentType]
        with pytest.raises(TypeError, match=r"InfoGraph: embedding must be an integer, got 1\.5"):
            InfoGraph(embedding=1.5)  # pyright: ignore[reportArgumentType]

    def test_one_graph_other_rows_and_integers_are_refused(self):
        batch, _ = batch_of(graphs_of(3, 2))
        with pytest.raises(ValueError, match="InfoGraph: X:infograph needs graphs, got rows that are independent"):
            InfoGraph().build(replace(batch, graph=None), None)
        with pytest.raises(
            ValueError, match="needs mini-batches of two graphs or more, got 1; for one graph use X:dgi"
        ):
            InfoGraph().build(batch_of(graphs_of(5))[0], None)
        with pytest.raises(ValueError, match=r"for each of the 5 nodes or of the 2 graphs, got \(3, 4\)"):
            InfoGraph().build(replace(batch, output=torch.zeros(3, 4)), None)
        with pytest.raises(TypeError, match=r"InfoGraph: x must be real-valued, got torch\.int64"):
            InfoGraph().build(replace(batch, output=torch.zeros(2, 4), x=torch.zeros(5, 3, dtype=torch.int64)), None)


@cache
def of_a_frozen_module(task, **settings):
    return trained("frozen", task, **settings)[1]


class TestLearning:
    """Accuracies behind a frozen first module are 0.45 to 0.76 in these tasks; see `on_small_graphs`."""

    @pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow)])
    def test_dgi_finds_what_neighbours_share(self, seed):
        """Seen: 0.93 and 0.84 (0.80 for seed 2), frozen 0.62 and 0.45; one accuracy's standard error is 0.03."""
        result, accuracy = trained("X:dgi", communities, seed=seed, width=8, epochs=150)
        assert accuracy > of_a_frozen_module(communities, seed=seed, width=8, epochs=150) + 0.1
        assert 0.1 < result.metrics["conv/jsd_nats"] < math.log(2)

    def test_dgi_between_molecules_finds_what_their_nodes_share(self):
        """Seen: 0.98 against 0.64, standard errors 0.01 and 0.04."""
        _, accuracy = trained("X:dgi", molecules, seed=1, cut="pool")
        assert accuracy > of_a_frozen_module(molecules, seed=1) + 0.15

    @pytest.mark.parametrize(("cut", "bound"), [("pool", "jsd"), ("out", "infonce")])
    def test_infograph_finds_what_their_nodes_share(self, cut, bound):
        """Seen: 0.98 and 0.96 against 0.64."""
        _, accuracy = trained("X:infograph", molecules, seed=1, cut=cut, bound=bound)
        assert accuracy > of_a_frozen_module(molecules, seed=1) + 0.15

    @pytest.mark.parametrize(("name", "cut"), [("X:dgi", "pool"), ("X:infograph", "out")])
    def test_the_same_seed_gives_the_same_weights(self, name, cut):
        weights = []
        for _ in range(2):
            result, _ = trained(name, molecules, seed=0, epochs=2, cut=cut)
            weights.append([p.clone() for module in result.plan for p in module.body.parameters()])
        assert all(torch.equal(a, b) for a, b in zip(*weights, strict=True))

    @pytest.mark.parametrize("name", ["X:dgi", "X:infograph"])
    def test_evaluation_leaves_statistics_as_they_are(self, name):
        result, _ = trained(name, molecules, seed=0, epochs=1, cut="pool")
        objective = result.plan[0].objective
        batch, _ = batch_of(graphs_of(3, 2), columns=8, width=2)
        batch = replace(batch, x=batch.x.float(), output=batch.output.float())
        before = {key: value.clone() for key, value in objective.state_dict().items()}
        with evaluating(result.plan), torch.no_grad():
            objective(batch)
        assert all(torch.equal(value, before[key]) for key, value in objective.state_dict().items())

    def test_the_names_in_plans(self):
        assert isinstance(objective_from_name("X:dgi"), DeepGraphInfomax)
        assert isinstance(objective_from_name("X:infograph"), InfoGraph)
