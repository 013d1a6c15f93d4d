import math

import pytest
import torch

from infotorch.estimators.subsampling import subsampling_error


@pytest.mark.parametrize("n", [100, 250, 5000])
def test_of_a_mean_is_the_textbook_standard_error(n):
    x = torch.randn(n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    error = subsampling_error(lambda rows: float(x[rows].mean()), n, smallest=20)
    # Ten splits into two groups fix a variance to about 45 %, into ten groups to about 15 %.
    assert error == pytest.approx(float(x.std()) / math.sqrt(n), rel=0.5)


def test_of_many_rows_only_some_are_looked_at():
    n, seen = 400_000, []
    x = torch.randn(n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    error = subsampling_error(lambda rows: seen.append(len(rows)) or float(x[rows].mean()), n, smallest=20)
    assert seen == [25_000] * 40
    assert error == pytest.approx(1 / math.sqrt(n), rel=0.5)


def test_groups_without_an_estimate_are_left_out():
    x = torch.arange(1000.0)
    whole = subsampling_error(lambda rows: float(x[rows].mean()), 1000, smallest=20)
    some = subsampling_error(lambda rows: math.nan if 0 in rows else float(x[rows].mean()), 1000, smallest=20)
    assert some == pytest.approx(whole, rel=0.5)


def test_too_few_rows_have_none():
    assert math.isnan(subsampling_error(lambda rows: 1.0, 39, smallest=20))
