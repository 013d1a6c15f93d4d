import math

import pytest
import torch
from tests.reference import counts as slow

from infotorch.estimators.binned import binned_mi
from infotorch.estimators.discrete import discrete_mi


def normal(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_bins_of_a_width_equal_the_slow_twin():
    x, y = normal(200, 2, 0), normal(200, 1, 1)
    a, b = ([tuple(math.floor(v / 0.7) for v in row) for row in rows.tolist()] for rows in (x, y))
    assert float(binned_mi(x, y, bin_width=0.7)) == pytest.approx(slow.mutual_information(a, b), abs=1e-12)


def test_a_number_of_bins_equals_the_slow_twin():
    x, y = normal(200, 1, 0), normal(200, 1, 1)

    def cut(values):
        low, high = min(values), max(values)
        return [min(int((v - low) / (high - low) * 5), 4) for v in values]

    expected = slow.mutual_information(cut(x[:, 0].tolist()), cut(y[:, 0].tolist()))
    assert float(binned_mi(x, y, num_bins=5)) == pytest.approx(expected, abs=1e-12)


def test_tiny_and_huge_bins():
    x = normal(100, 3)
    fine = binned_mi(x, x, bin_width=1e-300)
    assert float(fine) == pytest.approx(math.log(100))
    assert fine.saturated
    assert float(binned_mi(x, x, num_bins=1)) == 0
    assert float(binned_mi(x + 1e6, x + 1e6, bin_width=1e9)) == 0


def test_constant_input_and_extreme_ranges():
    x = normal(100, 1)
    for setting in ({"num_bins": 7}, {"bin_width": 0.1}):
        assert float(binned_mi(torch.full((100,), 0.3), x, **setting)) == 0
    wide = torch.tensor([-1.7e308, 1.7e308], dtype=torch.float64).repeat(10)
    assert float(binned_mi(wide, wide, num_bins=2)) == pytest.approx(math.log(2))


def test_integers_are_symbols_as_they_are():
    x, labels = normal(100, 1), torch.arange(100) % 4
    codes = torch.floor(x[:, 0] / 0.5).long()
    assert float(binned_mi(x, labels, bin_width=0.5)) == pytest.approx(float(discrete_mi(codes, labels)), abs=1e-12)


def test_quantiles_hold_equally_many_values_and_equal_the_slow_twin():
    x, y = normal(203, 2, 0), normal(203, 1, 1)

    def cut(column):
        return [sum(v < value for v in column) * 5 // len(column) for value in column]

    a = list(zip(*(cut(x[:, i].tolist()) for i in range(2)), strict=True))
    expected = slow.mutual_information(a, cut(y[:, 0].tolist()))
    assert float(binned_mi(x, y, num_quantiles=5)) == pytest.approx(expected, abs=1e-12)
    column = normal(200, 1)
    assert float(binned_mi(column, column, num_quantiles=8)) == pytest.approx(math.log(8), abs=1e-12)
    assert float(binned_mi(column, column, num_quantiles=200)) == pytest.approx(math.log(200), abs=1e-12)


def test_quantiles_do_not_see_increasing_maps_and_keep_ties_together():
    x, y = normal(200, 2, 0), normal(200, 1, 1)
    value = float(binned_mi(x, y, num_quantiles=6))
    assert float(binned_mi(x.exp() * 1e200, y**3, num_quantiles=6)) == value
    order = torch.randperm(200, generator=torch.Generator().manual_seed(2))
    rectified = x[:, 0].relu()  # half of it zero: one symbol of weight 1/2 among four quantiles
    estimate = binned_mi(rectified, rectified, num_quantiles=4)
    zeros = int((rectified == 0).sum())
    sizes = [zeros, *torch.bincount((torch.arange(zeros, 200) * 4) // 200).tolist()]
    expected = -sum(s / 200 * math.log(s / 200) for s in sizes if s)
    assert float(estimate) == pytest.approx(expected, abs=1e-12)
    shuffled = binned_mi(rectified[order], rectified[order], num_quantiles=4)
    assert float(shuffled) == pytest.approx(expected, abs=1e-12)


def test_given_edges_equal_the_slow_twin():
    x, y = normal(200, 2, 0), normal(200, 1, 1)

    def cut(value, edges):
        return sum(value >= edge for edge in edges)

    for_x, for_y = [-0.5, 0.0, 1.0], [0.2]
    a = [tuple(cut(v, for_x) for v in row) for row in x.tolist()]
    b = [cut(v, for_y) for v in y[:, 0].tolist()]
    expected = slow.mutual_information(a, b)
    assert float(binned_mi(x, y, edges=(for_x, for_y))) == pytest.approx(expected, abs=1e-12)
    assert float(binned_mi(x, y, edges=(torch.tensor(for_x), torch.tensor(for_y, dtype=torch.float64)))) == (
        pytest.approx(expected, abs=1e-12)
    )
    same = slow.mutual_information([cut(v, for_x) for v in x[:, 0].tolist()], [cut(v, for_x) for (v,) in y.tolist()])
    assert float(binned_mi(x[:, 0], y, edges=for_x)) == pytest.approx(same, abs=1e-12)


def test_edges_belong_to_the_bin_above_and_may_be_infinite():
    x, y = torch.tensor([0.0, 0.5, 1.0, 2.0]), torch.tensor([0, 1, 1, 2])
    assert float(binned_mi(x, y, edges=[0.5, 2.0])) == pytest.approx(float(discrete_mi(y, y)), abs=1e-12)
    assert float(binned_mi(x, x, edges=[-math.inf, math.inf])) == 0
    assert float(binned_mi(x, x, edges=torch.tensor([]))) == 0
    assert binned_mi(x, x, edges=[0.5]).estimator == "binned_mi edges"


def test_integers_stay_symbols_and_constants_tell_nothing_whatever_the_bins():
    x, labels = normal(100, 1), torch.arange(100) % 4
    for setting in ({"num_quantiles": 7}, {"edges": [0.0]}, {"num_bins": 3}, {"bin_width": 0.1}):
        assert float(binned_mi(labels, labels, **setting)) == pytest.approx(math.log(4), abs=1e-12)
        assert float(binned_mi(torch.full((100,), 0.3), x, **setting)) == 0
        assert binned_mi(x, labels, **setting).std_error > 0


def test_too_few_samples_for_the_bins_are_told():
    x, y = torch.randn(2, 500, generator=torch.Generator().manual_seed(0))
    with pytest.warns(
        UserWarning, match=r"binned_mi: the value falls by 0\.\d+ nats .*; take fewer bins or more samples"
    ):
        estimate = binned_mi(x, y, num_bins=20)
    assert not estimate.reliable
    assert float(estimate) < 1.96 * estimate.std_error  # the truth is 0
    assert binned_mi(torch.arange(500), y, num_bins=20).reliable  # the entropy of the bins


def test_caller_and_global_state_are_untouched():
    x, y = normal(50, 2, 0), normal(50, 1, 1)
    before, state = x.clone(), torch.get_rng_state()
    for setting in ({"num_quantiles": 7}, {"edges": [0.0]}, {"num_bins": 3}, {"bin_width": 0.1}):
        expected = float(binned_mi(x, y, **setting))
        assert float(binned_mi(x.clone().requires_grad_(), y.numpy(), **setting)) == expected
        assert float(binned_mi(x.t().contiguous().t(), y.reshape(50, 1, 1), **setting)) == expected
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_wrong_input_is_refused():
    x = normal(10, 1)
    one_of = "binned_mi: give exactly one of bin_width, num_bins, num_quantiles, edges, got"
    with pytest.raises(ValueError, match=f"{one_of} none"):
        binned_mi(x, x)
    with pytest.raises(ValueError, match=f"{one_of} bin_width and num_bins"):
        binned_mi(x, x, bin_width=1.0, num_bins=3)
    with pytest.raises(ValueError, match="binned_mi: bin_width must be positive and finite, got -1"):
        binned_mi(x, x, bin_width=-1)
    with pytest.raises(ValueError, match=r"binned_mi: bin_width is too small for values up to 1e\+10, got 1e-300"):
        binned_mi(torch.full((10,), 1e10), x, bin_width=1e-300)
    for name in ("num_bins", "num_quantiles"):
        with pytest.raises(ValueError, match=f"binned_mi: {name} must be at least 1, got 0"):
            binned_mi(x, x, **{name: 0})
        with pytest.raises(TypeError, match=rf"binned_mi: {name} must be an integer, got 2\.0"):
            binned_mi(x, x, **{name: 2.0})
    for wrong in ([0.0, 0.0], [1.0, 0.0], [math.nan], [[0.0], [1.0]], 0.5, (0.0, 1.0)):
        with pytest.raises(ValueError, match="binned_mi: edges must be increasing numbers in one dimension, got"):
            binned_mi(x, x, edges=wrong)
    with pytest.raises(ValueError, match="binned_mi: edges must be one sequence or a tuple of two, got a tuple of 3"):
        binned_mi(x, x, edges=([0.0], [1.0], [2.0]))
    with pytest.raises(TypeError, match="binned_mi: edges must hold real numbers"):
        binned_mi(x, x, edges=["a"])
    with pytest.raises(ValueError, match="binned_mi: x and y must be paired"):
        binned_mi(x, x[1:], num_bins=2)
    with pytest.raises(ValueError, match="binned_mi: y must be finite"):
        binned_mi(x, x / 0, num_bins=2)


@pytest.mark.parametrize("way", ["num_bins", "num_quantiles"])
def test_any_number_of_bins_can_be_asked_for(way):
    x = torch.randn(50, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for count in (10**6, 2**62, 10**400):  # every row has its own bin
        assert float(binned_mi(x, x, **{way: count})) == pytest.approx(math.log(50))
