import math

import pytest
import torch
from torch import nn

from infotorch.estimators.discrete import discrete_mi
from infotorch.networks.quantiser import Quantiser

KINDS = ["uniform", "quantile"]


def draw(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class TestCells:
    def test_uniform_cells_are_of_equal_width_between_the_extremes(self):
        x = torch.tensor([[0.0, 1.0], [2.1, 3.9], [6.1, 8.0]])
        assert Quantiser(4).cells(x).tolist() == [[0, 0], [1, 1], [3, 3]]
        assert Quantiser(4).edges(x).tolist() == [0, 2, 4, 6, 8]

    def test_quantile_cells_hold_equally_many_entries_each(self):
        x = draw(1000, 8).exp()
        assert torch.bincount(Quantiser(5, kind="quantile").cells(x).flatten()).tolist() == [1600] * 5

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize(("scale", "shift"), [(2.0**-20, 0.0), (1024.0, 0.0), (0.3, 5.0)])
    def test_scaling_and_moving_the_layer_leaves_every_entry_in_its_cell(self, kind, scale, shift):
        x = draw(500, 6)
        assert torch.equal(Quantiser(7, kind=kind).cells(scale * x + shift), Quantiser(7, kind=kind).cells(x))

    def test_fixed_limits_do_not_follow_and_two_cells_are_the_threshold(self):
        x = 3 * draw(500, 6)
        assert torch.equal(Quantiser(2, limits=(0, 1)).cells(x), (x > 0.5).long())
        assert not torch.equal(Quantiser(2, limits=(0, 1)).cells(10 * x), Quantiser(2, limits=(0, 1)).cells(x))
        assert Quantiser(2, limits=(0, 1)).cells(torch.tensor([0.5])).item() == 0

    def test_information_of_the_quantised_layer_cannot_be_changed_by_scaling_it_and_fixed_cells_let_it(self):
        x = draw(2000, 1)
        y = (x[:, 0] > 1).long()
        following, fixed = Quantiser(4, kind="quantile"), Quantiser(4, limits=(-2, 2))
        values = {q: [float(discrete_mi(q.cells(s * x), y)) for s in (1e-3, 1.0, 1e3)] for q in (following, fixed)}
        assert len(set(values[following])) == 1
        assert max(values[fixed]) > min(values[fixed]) + 0.1

    def test_a_layer_that_does_not_vary_is_in_one_cell(self):
        for kind in KINDS:
            quantiser = Quantiser(4, kind=kind)
            assert len(quantiser.cells(torch.ones(5, 2)).unique()) == 1
            assert torch.equal(quantiser(torch.ones(5, 2)), torch.ones(5, 2))
            assert quantiser.coordinates(torch.ones(5, 2)).isfinite().all()


class TestCoordinates:
    @pytest.mark.parametrize("kind", KINDS)
    def test_their_whole_part_is_the_cell_and_they_rise_with_the_entry(self, kind):
        x = draw(400, 1)
        quantiser = Quantiser(5, kind=kind)
        where, cells = quantiser.coordinates(x), quantiser.cells(x)
        inner = (where - where.round()).abs() > 1e-9  # at a border the cell below counts
        assert torch.equal(where.floor().long()[inner], cells[inner])
        order = x[:, 0].argsort()
        assert (where[order].diff(dim=0) >= 0).all()

    def test_their_slope_is_one_over_the_cells_width(self):
        x = torch.tensor([0.1, 0.6, 3.0], dtype=torch.float64, requires_grad=True)
        quantiser = Quantiser(4, limits=(0, 1))
        quantiser.coordinates(x).sum().backward()
        assert x.grad.tolist() == [4.0, 4.0, 4.0]
        inside = torch.tensor([0.1, 0.6], dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(quantiser.coordinates, (inside,))


class TestLayer:
    @pytest.mark.parametrize("kind", KINDS)
    def test_it_gives_the_centre_of_the_cell(self, kind):
        x = draw(300, 2)
        quantiser = Quantiser(3, kind=kind)
        edges, cells = quantiser.edges(x), quantiser.cells(x)
        centres = (edges[:-1] + edges[1:]) / 2
        torch.testing.assert_close(quantiser(x), centres[cells])
        assert len(quantiser(x).unique()) == 3

    def test_more_levels_come_closer(self):
        x = draw(300, 2)
        errors = [(Quantiser(levels)(x) - x).abs().max().item() for levels in (2, 8, 64)]
        width = (x.max() - x.min()).item()
        assert errors == sorted(errors, reverse=True)
        for levels, error in zip((2, 8, 64), errors, strict=True):
            assert error <= width / levels / 2 + 1e-12

    @pytest.mark.parametrize("straight_through", [True, False])
    def test_the_gradient_passes_as_if_nothing_had_happened_or_not_at_all(self, straight_through):
        x = draw(30, 2).requires_grad_()
        output = Quantiser(3, straight_through=straight_through)(x)
        if straight_through:
            output.square().sum().backward()
            torch.testing.assert_close(x.grad, 2 * output.detach())
        else:
            assert not output.requires_grad

    def test_evaluation_uses_the_running_mean_and_before_any_training_the_batch(self):
        quantiser, x = Quantiser(2, momentum=0.5), draw(50, 2)
        quantiser.eval()
        assert torch.equal(quantiser.edges(x), torch.linspace(0, 1, 3, dtype=x.dtype) * (x.max() - x.min()) + x.min())
        quantiser.train()
        for scale in (1.0, 3.0):
            quantiser(scale * x)
        quantiser.eval()
        torch.testing.assert_close(quantiser.edges(99 * x)[-1].item(), 2 * x.max().item(), rtol=1e-6, atol=0)
        before = quantiser.running_edges.clone()
        quantiser(x)
        assert torch.equal(before, quantiser.running_edges)
        other = Quantiser(2)
        other.load_state_dict(quantiser.state_dict())
        assert torch.equal(other.eval().edges(x), quantiser.edges(x))

    @pytest.mark.parametrize("ask", [Quantiser.forward, Quantiser.cells, Quantiser.coordinates, Quantiser.follow])
    def test_the_borders_of_a_batch_are_looked_for_once(self, ask, monkeypatch):
        looked, edges = [], Quantiser.edges
        monkeypatch.setattr(Quantiser, "edges", lambda self, x: looked.append(x) or edges(self, x))
        ask(Quantiser(4, kind="quantile"), draw(50, 2))
        assert len(looked) == 1

    def test_straight_through_the_layer_before_it_learns_and_beats_the_one_that_stays_as_it_was(self):
        x = draw(200, 4).float()
        y = (x[:, 0] + x[:, 1] > 0).long()
        right = []
        for straight_through in (True, False):
            torch.manual_seed(0)
            quantiser = Quantiser(5, kind="quantile", straight_through=straight_through)
            network = nn.Sequential(nn.Linear(4, 6), quantiser, nn.Linear(6, 2))
            optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
            for _ in range(100):
                optimizer.zero_grad()
                nn.functional.cross_entropy(network(x), y).backward()
                optimizer.step()
            right.append((network.eval()(x).argmax(dim=1) == y).float().mean().item())
        assert right[0] > max(0.95, right[1] + 0.02)  # 0.98 and 0.93 were seen


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: Quantiser(1), ValueError, "Quantiser: levels must be at least 2, got 1"),
        (lambda: Quantiser(2.0), TypeError, "levels must be an integer, got 2.0"),
        (lambda: Quantiser(2, kind="log"), ValueError, "kind must be one of uniform, quantile, got 'log'"),
        (lambda: Quantiser(2, limits=(1, 1)), ValueError, r"limits must be finite and rise, got \(1, 1\)"),
        (lambda: Quantiser(2, limits=(0, math.inf)), ValueError, "limits must be finite and rise"),
        (lambda: Quantiser(2, momentum=2.0), ValueError, "momentum must be at most 1, got 2.0"),
        (lambda: Quantiser(2)(torch.zeros(0, 3)), ValueError, "the input must have one entry or more .*, got none"),
        (lambda: Quantiser(2)(torch.arange(4)), TypeError, "the input must be real-valued, got torch.int64"),
    ],
)
def test_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kind", ["uniform", "quantile"])
def test_half_precision_has_the_cells_of_its_own_values(dtype, kind):
    x = torch.randn(64, 3, generator=torch.Generator().manual_seed(0)).to(dtype)
    layer = Quantiser(4, kind=kind)
    exact = Quantiser(4, kind=kind).edges(x.double())
    assert layer.edges(x).dtype == layer(x).dtype == dtype
    assert torch.allclose(layer.edges(x).double(), exact, atol=2 * torch.finfo(dtype).eps * float(x.abs().max()))
    assert layer.eval()(x).dtype == dtype
