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


def test_wrong_input_is_refused():
    x = normal(10, 1)
    with pytest.raises(ValueError, match="binned_mi: give bin_width or num_bins, exactly one of them, got neither"):
        binned_mi(x, x)
    with pytest.raises(ValueError, match="exactly one of them, got both"):
        binned_mi(x, x, bin_width=1.0, num_bins=3)
    with pytest.raises(ValueError, match="binned_mi: bin_width must be positive and finite, got -1"):
        binned_mi(x, x, bin_width=-1)
    with pytest.raises(ValueError, match="binned_mi: num_bins must be at least 1, got 0"):
        binned_mi(x, x, num_bins=0)
    with pytest.raises(TypeError, match="binned_mi: num_bins must be an integer, got float"):
        binned_mi(x, x, num_bins=2.0)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="binned_mi: x and y must be paired"):
        binned_mi(x, x[1:], num_bins=2)
