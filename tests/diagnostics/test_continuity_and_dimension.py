import math

import pytest
import torch
from tests.diagnostics.zoo import coins, gaussian

from infotorch.diagnostics.continuity import continuous_columns, input_kind
from infotorch.diagnostics.dimension import correlation_dimension, information_dimension


@pytest.mark.parametrize("n", [20, 100, 1000])
@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda n: gaussian(n, 5), True),
        (lambda n: gaussian(n, 5).relu(), True),  # mass at 0 beside a density
        (lambda n: gaussian(n, 5).double(), True),
        (lambda n: (gaussian(n, 5).sigmoid() * 255).round() / 255, False),
        (lambda n: ((gaussian(n, 5).sigmoid() * 63).round() - 3.7) / 11.3, False),
        (lambda n: coins(n, 5), False),
        (lambda n: torch.zeros(n, 5), False),
        (lambda n: torch.randint(9, (n, 5), generator=torch.Generator().manual_seed(0)), False),
    ],
)
def test_columns_of_a_density_are_told_from_levels(n, make, expected):
    if n == 20 and make(n).unique().numel() > 50 and not expected:
        pytest.skip("256 levels in 20 rows hardly repeat")
    assert continuous_columns(make(n)).tolist() == [expected] * 5


def test_a_column_of_few_entries_goes_with_the_others():
    pixels = (gaussian(300, 6).sigmoid() * 255).round() / 255
    pixels[3:, 5] = 0.0  # a border pixel: three entries that differ
    assert continuous_columns(pixels).tolist() == [False] * 6
    dense = gaussian(300, 6)
    dense[3:, 5] = 0.0
    assert continuous_columns(dense).tolist() == [True] * 6


@pytest.mark.parametrize("n", [100, 200, 1000])
def test_pixels_with_little_ink_are_levels_and_rare_measurements_are_not(n):
    # As at the border of an image: from 2 % to 30 % of the rows have ink, and few of so few entries tie.
    inked = torch.rand(n, 100, generator=torch.Generator().manual_seed(1)) < torch.linspace(0.02, 0.3, 100)
    assert not continuous_columns(((gaussian(n, 100).sigmoid() * 254).round() + 1) * inked).any()
    measured = gaussian(n, 100) * inked
    assert torch.equal(continuous_columns(measured), inked.any(dim=0))
    # Beside columns that are plainly of few values too, once 40 entries could have tied.
    beside = torch.cat([measured[:, inked.sum(dim=0) >= 40], coins(n, 20)], dim=1)
    assert continuous_columns(beside).tolist() == [True] * (beside.shape[1] - 20) + [False] * 20


def test_a_density_of_few_rows_is_seen_beside_coins():
    x = torch.cat([gaussian(30, 1), coins(30, 10)], dim=1)
    assert continuous_columns(x).tolist() == [True] + [False] * 10


def test_a_density_of_few_rows_is_seen_beside_256_levels():
    x = torch.cat([gaussian(60, 3), (gaussian(60, 3).sigmoid() * 255).round()], dim=1)
    assert continuous_columns(x).tolist() == [True] * 3 + [False] * 3


def test_the_input_as_a_whole():
    x = torch.cat([gaussian(50, 1), coins(50, 1), torch.ones(50, 1)], dim=1)
    assert input_kind(continuous_columns(x), x) == "mixed"
    assert input_kind(continuous_columns(x[:, [0, 2]]), x[:, [0, 2]]) == "continuous"
    assert input_kind(continuous_columns(x[:, 1:]), x[:, 1:]) == "discrete"
    assert input_kind(continuous_columns(torch.ones(50)), torch.ones(50)) == "discrete"


@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_uniform_cube_has_its_dimension_wherever_it_lies(d):
    cube = torch.rand(1000, d, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    embedded = cube @ torch.linalg.qr(gaussian(7, 7).double())[0][:d]
    for t in (cube, embedded, 1e6 * embedded + 3):
        assert information_dimension(t) == pytest.approx(d, rel=0.12)  # edges; the error of a mean of 1/sqrt(k n)
        assert correlation_dimension(t) == pytest.approx(d, rel=0.2)


def test_a_mixture_has_the_share_of_its_density_and_no_correlation_dimension():
    # Renyi 1959: its information dimension is the mixture of the dimensions; mass makes that of order two 0.
    t = torch.rand(1000, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    t[:400] = 0.0
    assert information_dimension(t) == pytest.approx(0.6, abs=0.08)
    assert correlation_dimension(t) == 0.0


def test_bijections_keep_the_dimension():
    t = torch.rand(1000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert information_dimension((3 * t).tanh()) == pytest.approx(information_dimension(t), rel=0.1)


@pytest.mark.parametrize("t", [torch.zeros(50, 3), coins(200, 2), torch.full((30, 1), 1e30)])
def test_few_values_have_dimension_zero(t):
    assert information_dimension(t) == 0.0
    assert correlation_dimension(t) == 0.0


def test_few_rows_are_no_reason_to_fail():
    assert math.isfinite(information_dimension(gaussian(20, 3)))
    assert math.isfinite(correlation_dimension(gaussian(20, 3)))
