"""What a column tells once another is known, for every mixture of numbers and symbols: closed forms and identities."""

import itertools
import math

import pytest
import torch

from infotorch.estimators.column_conditionals import conditional_column_informations
from infotorch.estimators.single_columns import Column

N = 3000


def gaussians(seed=0):
    """x and z are independent, y = x + z + noise."""
    x, z, noise = torch.randn(3, N, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return x, x + z + noise, z


def as_column(values, name, discrete):
    return Column.read((values > 0).long() if discrete else values, name)


def told(x, y, z):
    return float(conditional_column_informations([x], y, z)[0])


@pytest.mark.parametrize("kinds", list(itertools.product([False, True], repeat=3)))
def test_a_column_that_is_known_tells_nothing_more(kinds):
    x, y, _ = gaussians()
    of_y, of_x = as_column(y, "y", kinds[0]), as_column(x, "x", kinds[1])
    assert told(of_x, of_y, of_x) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("kinds", list(itertools.product([False, True], repeat=3)))
def test_independent_columns_tell_nothing_given_the_third(kinds):
    shared, a, b = torch.randn(3, N, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    known = as_column(shared, "z", kinds[2])
    # Given symbols alone, x and y must not share what the symbols leave of z.
    common = (shared > 0).double() * 2 if kinds[2] else shared
    found = told(as_column(common + a, "x", kinds[0]), as_column(common + b, "y", kinds[1]), known)
    assert found == pytest.approx(0, abs=0.06)  # 3 s.e. of the differences


def test_numbers_given_numbers():
    x, y, z = gaussians()
    # I(X; Y | Z) = I(X; X + noise) = log(2) / 2
    found = told(as_column(x, "x", False), as_column(y, "y", False), as_column(z, "z", False))
    assert found == pytest.approx(math.log(2) / 2, abs=0.06)


@pytest.mark.parametrize("kinds", [(True, True, False), (False, True, False), (True, False, False), (True, True, True)])
def test_one_of_two_signs_given_the_other(kinds):
    """y is the product of the signs of x and z: nothing by itself, log 2 once the other is known."""
    x, z = torch.randn(2, N, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    y = torch.sign(x * z) + (0 if kinds[1] else 0.01) * z
    of_y = as_column(y, "y", kinds[1])
    found = told(as_column(x, "x", kinds[0]), of_y, as_column(z, "z", kinds[2]))
    assert found == pytest.approx(math.log(2), abs=0.06)


def test_numbers_given_symbols_are_a_mean_over_them():
    x, noise = torch.randn(2, N, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    group = torch.arange(N) % 2
    y = torch.where(group == 0, x + noise, noise)  # half the samples tell log(2) / 2
    found = told(as_column(x, "x", False), as_column(y, "y", False), Column.read(group, "z"))
    assert found == pytest.approx(math.log(2) / 4, abs=0.05)


def test_too_few_samples_tell_nothing():
    tiny = Column.read(torch.tensor([0.1, 0.2, 0.3]), "x")
    assert told(tiny, Column.read(torch.tensor([0, 1, 0]), "y"), tiny) == 0
