import math
import random

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from tests.diagnostics.zoo import Apply, OutOfSight, gaussian
from torch import nn

from infotorch.diagnostics.movement import escapes, movements
from infotorch.diagnostics.noise import paths
from infotorch.diagnostics.sensitivity import binned_sensitivity, noisy_sensitivity
from infotorch.numerics.seeds import seed_streams

STREAMS = seed_streams(0)
X = gaussian(300, 4).double()


def movement(function, continuous=(True, True, True, True)):
    model = Apply(function)
    return movements(model, X, ["output"], continuous=torch.tensor(continuous), streams=STREAMS)["output"]


def test_shares_of_moving_rows_are_those_of_the_map():
    live = float((X[:, 0] > 0).double().mean())
    assert movement(lambda x: x[:, :1].relu()).smooth == pytest.approx(live, abs=0.01)
    assert movement(torch.sign).smooth == 0.0
    assert movement(lambda x: x.sin()).smooth == 1.0
    assert movement(lambda x: torch.frac(1e12 * x)).jumps > 0.9


def test_columns_that_are_no_density_stand_still():
    assert movement(lambda x: x[:, 1:], continuous=(True, False, False, False)).smooth == 0.0
    assert movement(lambda x: x[:, :1], continuous=(True, False, False, False)).smooth == 1.0


def test_what_depends_on_x_is_told_from_its_noise():
    assert movement(lambda x: torch.randn_like(x)).depends is False
    assert movement(lambda x: x + torch.randn_like(x)).depends is True
    assert movement(lambda x: 0 * x).depends is False


def test_a_row_that_changes_with_the_others_is_noticed_and_rounding_and_noise_are_not():
    weights = torch.randn(4, 70, dtype=X.dtype, generator=torch.Generator().manual_seed(1))
    for alone in (torch.tanh, lambda x: x @ weights, lambda x: x + torch.randn_like(x), torch.randn_like):
        assert movement(alone).mixes is False
    for together in (
        lambda x: x - x.mean(dim=0),
        lambda x: x / x.std(dim=0),
        lambda x: (x > x.median(dim=0).values).to(x.dtype),
        lambda x: x + x.max() * torch.randn_like(x),
        lambda x: x / (x[:1] - x[2:3]),  # divides by 0 where the third row is the first
    ):
        assert movement(together).mixes is True


NOISES = {
    "none": [lambda x: x.tanh(), lambda x: x + 0 * torch.randn_like(x)],
    "with a density": [
        lambda x: x + torch.randn_like(x),
        lambda x: x * torch.empty_like(x).normal_(),
        lambda x: (x + torch.rand_like(x)) @ torch.ones(4, 30, dtype=x.dtype),
        lambda x: (x + torch.randn_like(x)).relu(),
    ],
    "of few values": [
        lambda x: F.dropout(x, 0.5, training=True),
        lambda x: F.dropout(x, 0.5, training=True) @ torch.randn(4, 30, dtype=x.dtype).fill_(0.3),
        lambda x: x * (torch.rand_like(x) > 0.5),
        lambda x: torch.bernoulli(x.sigmoid()),
    ],
    "unknown": [
        lambda x: OutOfSight.apply(1e6 * (x + torch.randn_like(x))),
        lambda x: x + torch.randn_like(x) if torch.rand(1) > 0.5 else x.tanh(),
    ],
}


@pytest.mark.parametrize(("kind", "function"), [(k, f) for k, functions in NOISES.items() for f in functions])
def test_the_kind_of_noise(kind, function):
    assert paths(Apply(function), X, ["output"], streams=STREAMS)["output"].noise == kind


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: torch.bernoulli(x.sigmoid()), True),
        (lambda x: (torch.rand_like(x) < x.sigmoid()).to(x.dtype) @ torch.ones(4, 2, dtype=x.dtype), True),
        (lambda x: (x + torch.randn_like(x)).sign(), True),
        (lambda x: (torch.randn_like(x) > x).to(x.dtype), True),  # x itself, not the result of a function
        (lambda x: F.dropout(x, 0.5, training=True).relu(), False),
        (lambda x: x * torch.bernoulli(torch.full_like(x, 0.5)), False),
        (lambda x: x.tanh() * (torch.rand_like(x) > 0.5), False),
        (lambda x: x * x.new_empty(x.shape).bernoulli_(0.5), False),
        (lambda x: x * torch.randn_like(x), False),  # no few values
        (lambda x: x, False),
    ],
)
def test_whether_x_decides_the_odds_of_few_values(function, expected):
    assert paths(Apply(function), X, ["output"], streams=STREAMS)["output"].odds_by_x is expected


def test_rows_at_which_the_noise_leaves_alone_what_moves():
    assert movement(lambda x: x + torch.randn_like(x)).bare == 0.0
    assert movement(lambda x: x).bare == 1.0
    half = movement(lambda x: x + (x[:, :1] < 0) * torch.randn_like(x)).bare
    assert half == pytest.approx(float((X[:, 0] >= 0).double().mean()), abs=0.01)
    assert movement(lambda x: torch.cat([x[:, :1], torch.randn_like(x)], dim=1)).bare == 1.0  # a column of its own
    assert movement(lambda x: (x + torch.randn_like(x)).relu()).bare == 0.0  # units that are dead twice do not move
    assert movement(lambda x: x.sign() + 0 * torch.randn_like(x)).bare == 0.0


def test_the_dimension_of_noise_is_that_of_its_source():
    flat = paths(Apply(lambda x: torch.tanh(x + torch.randn(len(x), 1, dtype=x.dtype))), X, ["output"], streams=STREAMS)
    assert flat["output"].noise_dimension == pytest.approx(1.0, abs=0.15)
    none = paths(Apply(torch.tanh), X, ["output"], streams=STREAMS)
    assert none["output"].noise_dimension == 0.0


def test_noise_covers_a_direction_or_does_not():
    draws = torch.randn(30, 1, 2, generator=torch.Generator().manual_seed(0)) @ torch.tensor([[1.0, 0, 1], [0, 1, 1]])
    assert escapes(torch.tensor([[1.0, 1.0, 2.0]]), draws) is False  # in its plane
    assert escapes(torch.tensor([[1.0, 1.0, 1.0]]), draws) is True
    assert escapes(torch.zeros(0, 3), draws) is False
    assert escapes(torch.ones(1, 50), torch.randn(10, 1, 50)) is False  # ten draws cannot show fifty directions


def test_every_row_is_judged_by_its_own_noise():
    ways = torch.eye(2)  # the first row moves the first column, the second row the second
    noise = torch.randn(30, 2, 2, generator=torch.Generator().manual_seed(0))
    assert escapes(ways, noise * ways) is False
    assert escapes(ways, noise * ways.flip(0)) is True
    assert escapes(ways * torch.tensor([[1.0], [0.0]]), noise * ways[0]) is False  # the second row stands still


def test_ways_start_at_the_first_rows_and_are_nought_where_a_layer_does_not_move():
    found = movement(lambda x: torch.cat([2 * x[:, :1].relu(), x[:, 1:].sign()], dim=1))
    live = X[:4, 0] > 0
    torch.testing.assert_close(found.here[:, 0], 2 * X[:4, 0].relu())
    assert bool((found.ways[:, 1:] == 0).all())
    assert torch.equal(found.ways[:, 0] != 0, live)
    assert 0 < int(live.sum()) < 4  # both kinds are there
    assert not movement(lambda x: x, continuous=(False,) * 4).ways.any()


DRAWS = {
    "torch": torch.randn_like,
    "numpy": lambda x: torch.from_numpy(np.random.normal(size=tuple(x.shape))),  # noqa: NPY002
    "python": lambda x: torch.full_like(x, random.random()),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_random_numbers_are_drawn_from_streams_of_their_own(draw):
    kept = torch.get_rng_state(), random.getstate(), np.random.get_state()  # noqa: NPY002
    found = paths(nn.Sequential(Apply(lambda x: x + draw(x))), X, ["0"], streams=STREAMS)["0"]
    assert bool((found.draws[0] != found.draws[1]).any())
    # The same draw before and after each step of x: otherwise the noise itself would be a jump.
    moves = movement(lambda x: x + draw(x))
    assert (moves.smooth, moves.jumps, moves.mixes) == (1.0, 0.0, False)
    assert torch.equal(torch.get_rng_state(), kept[0])
    assert random.getstate() == kept[1]
    assert all(map(np.array_equal, np.random.get_state(), kept[2]))  # noqa: NPY002


def test_a_scale_and_a_bijection_move_the_estimates_though_no_information_changes():
    t = gaussian(300, 2)
    for found in (noisy_sensitivity(t, 0.3), binned_sensitivity(t)):
        assert found.scaled > found.value + 1
        assert abs(found.bent - found.value) > 0.1
    assert noisy_sensitivity(t, 0.3).scaled <= math.log(300) + 1e-9


def test_the_gradient_is_that_of_the_estimate_and_bins_have_none():
    t = gaussian(100, 2).double()
    found = noisy_sensitivity(t, 0.5)
    rows = t - t.mean(dim=0)
    size = float(rows.square().sum(dim=1).mean().sqrt())
    # Along the gradient, a step of one part in a million of the spread.
    from infotorch.estimators.channel import pairwise_bounds

    leaf = rows.clone().requires_grad_()
    value = pairwise_bounds(leaf, 0.5 * size)[1].value
    (slope,) = torch.autograd.grad(value, leaf)
    step = 1e-6 * size
    moved = float(pairwise_bounds(rows + step * slope / slope.norm(), 0.5 * size)[1])
    assert (moved - value.item()) / 1e-6 == pytest.approx(found.gradient, rel=1e-3)
    assert binned_sensitivity(t).gradient == 0.0


def test_a_constant_layer_has_nothing_to_react():
    for found in (noisy_sensitivity(torch.full((50, 3), 0.7), 0.3), binned_sensitivity(torch.full((50, 3), 0.7))):
        assert (found.value, found.scaled, found.bent, found.gradient) == pytest.approx((0.0, 0.0, 0.0, 0.0), abs=1e-9)
