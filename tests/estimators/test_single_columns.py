"""Many columns in one pass: the estimators that they stand for, one column at a time."""

import numpy as np
import pytest
import torch

from infotorch.estimators.class_neighbours import ross
from infotorch.estimators.discrete import discrete_mi
from infotorch.estimators.doubts import unexamined
from infotorch.estimators.kraskov import ksg
from infotorch.estimators.single_columns import Column, column_informations, normal_grid, within


def samples(n=300):
    rng = np.random.default_rng(0)
    y = rng.normal(size=n)
    return rng.normal(size=(6, n)) + np.linspace(0, 3, 6)[:, None] * y, y


def columns_of(x):
    return [Column.read(torch.as_tensor(values), f"x{j}") for j, values in enumerate(x)]


@pytest.mark.parametrize("n", [6, 30, 300])
def test_numbers_with_numbers_are_ksg_of_normal_scores(either_way, n):
    x, y = samples(n)
    columns, of_y, grid = columns_of(x), Column.read(torch.as_tensor(y), "y"), normal_grid(n)
    with unexamined():
        each = [float(ksg(grid[column.codes], grid[of_y.codes], k=5)) for column in columns]
    assert column_informations(columns, of_y).tolist() == pytest.approx(each, abs=1e-12)


@pytest.mark.parametrize("edges", [[0.0], [-1.5, 0.0, 0.1, 2.0]])
def test_numbers_with_symbols_are_ross_of_normal_scores(either_way, edges):
    x, y = samples()
    labels = np.digitize(y, edges)
    columns, of_y, grid = columns_of(x), Column.read(torch.as_tensor(labels), "y"), normal_grid(len(y))
    each = [float(ross(grid[column.codes], labels, k=5)) for column in columns]
    assert column_informations(columns, of_y).tolist() == pytest.approx(each, abs=1e-12)
    turned = [float(column_informations([of_y], column)[0]) for column in columns]  # the column is the symbols
    assert turned == pytest.approx(each, abs=1e-12)


def test_samples_alone_in_their_class_are_left_out(either_way):
    x, y = samples(101)
    labels = np.digitize(y, [0.0])
    labels[50] = 7
    kept = np.arange(101) != 50
    grid = normal_grid(100)
    alone = [float(ross(grid[column.codes], labels[kept], k=5)) for column in columns_of(x[:, kept])]
    assert column_informations(columns_of(x), Column.read(torch.as_tensor(labels), "y")).tolist() == pytest.approx(
        alone
    )


def test_symbols_with_symbols_are_discrete():
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 4, (3, 200)), rng.integers(0, 3, 200)
    each = [float(discrete_mi(column, y, correction="miller-madow")) for column in x]
    assert column_informations(columns_of(x), Column.read(torch.as_tensor(y), "y")).tolist() == pytest.approx(each)


def test_no_increasing_map_changes_anything():
    x, y = samples()
    of_y = Column.read(torch.as_tensor(np.exp(3 * y)), "y")
    mapped = column_informations(columns_of(np.sign(x) * x**4), of_y)
    assert torch.equal(mapped, column_informations(columns_of(x), Column.read(torch.as_tensor(y), "y")))


@pytest.mark.parametrize("kind", ["numbers", "symbols"])
def test_a_constant_tells_nothing(kind):
    _, y = samples(50)
    of_y = Column.read(torch.as_tensor(y if kind == "numbers" else (y > 0).astype(int)), "y")
    assert column_informations([Column.read(torch.ones(50), "x0")], of_y).tolist() == [0.0]


def test_integers_are_symbols_unless_nearly_all_differ():
    assert Column.read(torch.arange(100) // 3, "x").discrete
    assert not Column.read(torch.arange(100), "x").discrete
    assert not Column.read(torch.arange(100.0) // 3, "x").discrete
    assert Column.read(torch.arange(100.0) // 3, "x", discrete=True).discrete


def test_equal_numbers_stand_in_the_same_random_order_in_every_call():
    ties = torch.arange(40.0) // 10
    first, again, other = (Column.read(ties, name).codes for name in ("x0", "x0", "x1"))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(first // 10, torch.arange(40) // 10)


@pytest.mark.parametrize("seed", range(3))
def test_counts_are_those_of_all_differences(seed):
    generator = torch.Generator().manual_seed(seed)
    grid = torch.cat([torch.randn(50, generator=generator, dtype=torch.float64), torch.tensor([1e-12, 1e6, -1e6])])
    grid = grid.sort().values
    at = torch.randint(len(grid), (500,), generator=generator)
    other = torch.randint(len(grid), (500,), generator=generator)
    radius = (grid[at] - grid[other]).abs()  # some value lies on it
    radius[::2] = torch.nextafter(radius[::2], torch.zeros(250, dtype=torch.float64)).clamp(min=0)
    counted = ((grid[at][:, None] - grid).abs() <= radius[:, None]).sum(dim=1)
    assert torch.equal(within(grid, at, radius), counted)


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_a_gaussian_pair_has_its_information(rho):
    generator = torch.Generator().manual_seed(1)
    x, noise = torch.randn(2, 4000, generator=generator, dtype=torch.float64)
    y = rho * x + (1 - rho**2) ** 0.5 * noise
    found = float(column_informations([Column.read(x, "x0")], Column.read(y, "y"))[0])
    assert found == pytest.approx(-0.5 * np.log(1 - rho**2), abs=0.04)  # 3 s.e., 0.7 / sqrt(n) of independent ones
