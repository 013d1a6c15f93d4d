import math
from collections import Counter

import pytest
import torch
from tests.reference import graph_pairs as slow
from torch import nn

from infotorch.estimators import graph as under_test
from infotorch.estimators.bounds import donsker_varadhan, infonce, jsd, nwj, off_diagonal
from infotorch.estimators.graph import (
    draw_outside,
    non_edges,
    other_nodes,
    pair_scores,
    sampled_infonce,
    weighted_jsd,
    weighted_pairs,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def int64(*values):
    return torch.tensor(values, dtype=torch.int64)


def shares(drawn, total):
    return torch.bincount(drawn.flatten(), minlength=total).double() / drawn.numel()


class TestOtherNodes:
    def test_every_node_of_the_other_graphs_is_equally_likely_and_none_of_its_own(self):
        """Shares of 20000 draws; four standard errors of 1/4 are 0.012."""
        graph_index = int64(0, 0, 1, 3, 3, 3)  # graph 2 has no node
        drawn = other_nodes(graph_index, 20000, seeded())
        for node, graph in enumerate(graph_index):
            allowed = (graph_index != graph).double()
            assert shares(drawn[node], 6).tolist() == pytest.approx((allowed / allowed.sum()).tolist(), abs=0.014)
            assert not shares(drawn[node], 6)[graph_index == graph].any()

    def test_in_a_single_graph_they_are_its_other_nodes(self):
        drawn = other_nodes(torch.zeros(4, dtype=torch.int64), 20000, seeded())
        for node in range(4):
            wanted = [0.0 if other == node else 1 / 3 for other in range(4)]
            assert shares(drawn[node], 4).tolist() == pytest.approx(wanted, abs=0.014)
            assert not (drawn[node] == node).any()

    def test_a_seed_is_a_draw_and_global_chance_is_left_alone(self):
        graph_index, state = torch.arange(50) // 5, torch.get_rng_state()
        first, again, other = (other_nodes(graph_index, 3, seeded(seed)) for seed in (1, 1, 2))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
        assert torch.equal(torch.get_rng_state(), state)

    @pytest.mark.parametrize("count", [0, 1])
    def test_one_node_has_nobody_to_meet(self, count):
        with pytest.raises(ValueError, match=f"other_nodes: at least 2 nodes are needed, got {count}"):
            other_nodes(torch.zeros(count, dtype=torch.int64), 3, seeded())


class TestDrawOutside:
    @pytest.mark.parametrize("weights", [None, torch.tensor([1.0, 4.0, 0.5, 2.0, 1e-3, 3.0])])
    @pytest.mark.parametrize(("start", "stop"), [(0, 2), (2, 5), (4, 6), (3, 3), (0, 5), (1, 6), (0, 0), (6, 6)])
    def test_what_is_outside_is_drawn_by_its_weight(self, start, stop, weights):
        """Shares of 20000 draws; four standard errors are at most 0.014."""
        drawn = draw_outside(int64(start), int64(stop), 6, count=20000, generator=seeded(), weights=weights)
        wanted = torch.ones(6) if weights is None else weights.clone()
        wanted[start:stop] = 0
        assert shares(drawn, 6).tolist() == pytest.approx((wanted / wanted.sum()).tolist(), abs=0.014)
        assert not ((drawn >= start) & (drawn < stop)).any()

    def test_rounding_never_carries_a_draw_into_the_block(self, monkeypatch):
        """The largest number below 1, where weights of 1e-12 stand before and behind a heavy block."""
        weights = torch.tensor([1e-12, 1e6, 1e6, 1e-12])
        for place in (0.0, 0.5, 1 - 2.0**-53):
            monkeypatch.setattr(torch, "rand", lambda *shape, place=place, **_: torch.full(shape, place).double())
            drawn = draw_outside(int64(1), int64(3), 4, count=1, generator=seeded(), weights=weights)
            assert drawn.item() in {0, 3}

    def test_a_block_of_everything_is_refused(self):
        with pytest.raises(ValueError, match="draw_outside: a block must leave one of the 3 numbers outside"):
            draw_outside(int64(1, 0), int64(2, 3), 3, count=2, generator=seeded())

    def test_the_count_is_checked(self):
        with pytest.raises(ValueError, match="draw_outside: count must be at least 1, got 0"):
            draw_outside(int64(0), int64(1), 3, count=0, generator=seeded())
        with pytest.raises(TypeError, match=r"draw_outside: count must be an integer, got 1\.5"):
            draw_outside(int64(0), int64(1), 3, count=1.5, generator=seeded())  # pyright: ignore[reportArgumentType]


class TestNonEdges:
    def test_they_are_the_pairs_of_a_graph_that_no_edge_joins_each_as_likely_as_the_other(self):
        """A random graph, repeated until every free node of every target must have come; shares within four s.e."""
        graph_index = int64(0, 0, 0, 0, 0, 2, 2, 2, 2, 2, 2, 3)
        edges = int64(0, 1, 2, 2, 5, 6, 6, 9, 5, 10, 11), int64(1, 0, 3, 3, 6, 7, 6, 5, 8, 5, 11)
        listed = list(zip(*(end.tolist() for end in edges), strict=True))
        repeated = torch.stack(edges).repeat(1, 2000)
        sources, targets = non_edges(repeated, graph_index, seeded())
        for target in set(edges[1].tolist()):
            free = slow.free_nodes(target, listed, graph_index.tolist())
            found = Counter(sources[targets == target].tolist())
            assert set(found) == set(free)
            total = sum(found.values())
            assert total == (2000 * edges[1].tolist().count(target) if free else 0)
            for count in found.values():
                p = 1 / len(free)
                assert abs(count / total - p) <= 4 * math.sqrt(p * (1 - p) / total)

    def test_whoever_is_joined_to_everybody_gives_no_pair(self):
        everybody = (1 - torch.eye(4)).nonzero().T
        assert non_edges(everybody, torch.zeros(4, dtype=torch.int64), seeded()).shape == (2, 0)
        star = int64(0, 0, 0), int64(1, 2, 3)
        sources, targets = non_edges(torch.stack(star), torch.zeros(4, dtype=torch.int64), seeded())
        assert targets.tolist() == [1, 2, 3]
        assert all(source not in {0, target} for source, target in zip(sources, targets, strict=True))

    def test_no_edges_give_none(self):
        assert non_edges(torch.zeros(2, 0, dtype=torch.int64), int64(0, 0, 1), seeded()).shape == (2, 0)

    def test_codes_of_pairs_do_not_overflow_with_many_nodes(self):
        """70000 nodes have 4.9e9 pairs, beyond 32 bits."""
        n = 70_002
        edges = torch.stack([int64(n - 2, n - 1), int64(n - 1, n - 2)])
        sources, targets = non_edges(edges, torch.arange(n) // 3, seeded())
        assert targets.tolist() == [n - 1, n - 2]
        assert sources.tolist() == [n - 3, n - 3]


class TestPairScores:
    @pytest.fixture
    def parts(self):
        a, b = (torch.randn(rows, 3, generator=seeded(rows)).double().requires_grad_() for rows in (5, 4))
        return a, b, torch.randint(4, (5, 6), generator=seeded()), torch.randint(5, (7,), generator=seeded())

    @pytest.mark.parametrize("at_once", [1, 40, 2**23])
    def test_scores_and_gradients_are_those_of_gathered_rows_whatever_the_chunk(self, parts, at_once, monkeypatch):
        monkeypatch.setattr(under_test, "_GATHERED_AT_ONCE", at_once)
        a, b, columns, rows = parts
        for scores, wanted in (
            (pair_scores(a, b, columns), (a[:, None] * b[columns]).sum(2)),
            (pair_scores(a, b, columns[0, :1].expand(7), rows=rows), (a[rows] * b[columns[0, :1].expand(7)]).sum(1)),
        ):
            assert torch.allclose(scores, wanted, atol=1e-14)
            weight = torch.randn(scores.shape, generator=seeded()).double()
            got = torch.autograd.grad((scores * weight).sum(), (a, b))
            slow_ones = torch.autograd.grad((wanted * weight).sum(), (a, b))
            assert all(torch.allclose(x, y, atol=1e-14) for x, y in zip(got, slow_ones, strict=True))

    def test_gradcheck_where_one_matrix_is_on_both_sides(self):
        a = torch.randn(3, 2, generator=seeded()).double().requires_grad_()
        columns, rows = int64(1, 1, 2, 0), int64(0, 2, 2, 0)
        assert torch.autograd.gradcheck(lambda a: pair_scores(a, a, columns[:, None].expand(4, 2)[:3]).tanh(), a)
        assert torch.autograd.gradcheck(lambda a: pair_scores(a, a, columns, rows=rows).tanh(), a)

    def test_autograd_keeps_rows_and_pairs_and_no_row_for_each_pair(self):
        """200 rows of 64 columns with 50 pairs each: gathered they would be 640000 numbers."""
        a = torch.randn(200, 64, generator=seeded(), requires_grad=True)
        columns, kept = torch.randint(200, (200, 50), generator=seeded()), []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.numel()) or t, lambda t: t):
            pair_scores(a, a, columns)
        assert sum(kept) == 2 * a.numel() + columns.numel()

    def test_no_pairs_no_scores(self, parts):
        a, b, _, _ = parts
        empty = torch.zeros(0, dtype=torch.int64)
        scores = pair_scores(a, b, empty, rows=empty)
        assert scores.shape == (0,)
        assert not torch.autograd.grad(scores.sum(), a)[0].any()


class TestSampledInfonce:
    def test_with_all_others_as_pairs_drawn_apart_it_is_infonce(self):
        matrix = torch.randn(7, 7, generator=seeded()).double()
        # off_diagonal is (n - 1, n) in the order of the rows: n (n - 1) entries, n - 1 for each row.
        value = sampled_infonce(matrix.diagonal(), off_diagonal(matrix).reshape(7, 6))
        assert value.item() == pytest.approx(infonce(matrix).item(), abs=1e-12)

    def test_rows_and_weights_as_in_the_slow_twin(self):
        scores, product = (torch.randn(*shape, generator=seeded()).double() for shape in ((5,), (3, 4)))
        rows, weights = int64(2, 0, 0, 1, 2), torch.tensor([0.5, 2.0, 0.0, 1.0, 3.0]).double()
        value = sampled_infonce(scores, product, rows=rows, weights=weights).item()
        wanted = slow.infonce(scores.tolist(), product.tolist(), rows.tolist(), weights.tolist())
        assert value == pytest.approx(wanted, abs=1e-12)

    def test_the_true_log_ratio_recovers_the_information_of_coins(self):
        """Two coins that agree with probability 0.9: log 2 - H(0.1) = 0.368; 20000 rows with 64 draws each.

        The standard error is 0.005; 64 draws lose about var(ratio) / 128 = 0.005.
        """
        x = torch.randint(2, (20000,), generator=seeded())
        y = torch.where(torch.rand(20000, generator=seeded(1)) < 0.9, x, 1 - x)
        drawn = y[torch.randint(20000, (20000, 64), generator=seeded(2))]

        def log_ratio(x, y):
            return torch.where(x == y, math.log(1.8), math.log(0.2))

        value = sampled_infonce(log_ratio(x, y), log_ratio(x[:, None], drawn)).item()
        assert value == pytest.approx(math.log(2) + 0.9 * math.log(0.9) + 0.1 * math.log(0.1), abs=0.02)

    def test_it_never_exceeds_its_ceiling_and_reaches_it(self):
        product = torch.randn(50, 9, generator=seeded())
        assert sampled_infonce(torch.randn(50, generator=seeded(1)), product) <= math.log(10)
        assert sampled_infonce(torch.full((50,), 1e4), product).item() == pytest.approx(math.log(10))

    def test_gradcheck(self):
        scores, product = (torch.randn(*s, generator=seeded()).double().requires_grad_() for s in ((3,), (3, 2)))
        assert torch.autograd.gradcheck(sampled_infonce, (scores, product))


class TestWeightedPairs:
    @pytest.fixture
    def scores(self):
        return [2 * torch.randn(count, generator=seeded(count)).double() for count in (5, 8)]

    def test_weights_that_are_whole_numbers_repeat_pairs(self, scores):
        times = int64(1, 0, 3, 2, 1), int64(2, 1, 1, 0, 4, 1, 1, 2)
        repeated = [s.repeat_interleave(t) for s, t in zip(scores, times, strict=True)]
        weights = [t.double() for t in times]
        for bound in (donsker_varadhan, nwj):
            value = bound(*weighted_pairs(*scores, *weights)).item()
            assert value == pytest.approx(bound(*repeated).item(), abs=1e-12)
        assert weighted_jsd(*scores, *weights).item() == pytest.approx(jsd(*repeated).item(), abs=1e-12)

    def test_values_are_those_of_the_slow_twins_whatever_the_weights_add_up_to(self, scores):
        weights = [10 * torch.rand(len(s), generator=seeded(7)).double() for s in scores]
        listed = [values.tolist() for values in (*scores, *weights)]
        pairs = weighted_pairs(*scores, *weights)
        assert donsker_varadhan(*pairs).item() == pytest.approx(slow.donsker_varadhan(*listed), abs=1e-12)
        assert nwj(*pairs).item() == pytest.approx(slow.nwj(*listed), abs=1e-12)
        assert weighted_jsd(*scores, *weights).item() == pytest.approx(slow.jsd(*listed), abs=1e-12)

    def test_gradcheck_with_a_pair_that_does_not_count(self, scores):
        weights = [torch.ones(len(s)).double() for s in scores]
        weights[0][2] = weights[1][3] = 0
        given = [s.requires_grad_() for s in scores]
        assert torch.autograd.gradcheck(lambda a, b: donsker_varadhan(*weighted_pairs(a, b, *weights)), given)
        assert torch.autograd.gradcheck(lambda a, b: weighted_jsd(a, b, *weights), given)

    def test_scores_of_a_thousand_do_not_overflow_where_the_bound_does_not(self):
        large, ones = torch.full((3,), 1e3), torch.ones(3)
        assert donsker_varadhan(*weighted_pairs(large, large, ones, ones)).item() == pytest.approx(0, abs=1e-3)
        assert weighted_jsd(large, -large, ones, ones).item() == pytest.approx(math.log(2))


def test_uniform_draws_bound_more_than_information_where_neighbours_are_not_like_nodes():
    """Why pairs drawn apart must follow the law of the true pairs.

    In a star the hub is every leaf's neighbour. Of features that only say "hub", a constant h tells nothing; a critic
    that likes hubs nevertheless scores above 0 against nodes drawn uniformly, and not against neighbours' neighbours.
    """
    n = 101
    edges = torch.cat([torch.stack([torch.zeros(n - 1).long(), torch.arange(1, n)])] * 2, dim=1)
    edges[:, n - 1 :] = edges[:, n - 1 :].flip(0)
    likes = nn.functional.one_hot(torch.tensor(0), n).double() * 3
    drawn = draw_outside(int64(0), int64(0), 2 * (n - 1), count=4000, generator=seeded())
    assert donsker_varadhan(likes[edges[0]], likes).item() > 1.0
    # Half of the edges start at the hub: four standard errors of the mean over 4000 draws are 0.05.
    assert donsker_varadhan(likes[edges[0]], likes[edges[0][drawn[0]]]).item() < 0.05
