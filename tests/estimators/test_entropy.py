import math

import pytest
import torch
from tests.reference import neighbours as slow

from infotorch.estimators.entropy import kozachenko_leonenko_entropy


def normal(n, d, seed=0):
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
@pytest.mark.parametrize("d", [1, 3, 12, 30])
def test_equals_the_slow_twin(d, metric):
    x = normal(40, d)
    for k in (1, 4):
        expected = slow.entropy(x.numpy(), k, metric)
        assert float(kozachenko_leonenko_entropy(x, k=k, metric=metric)) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
@pytest.mark.parametrize("d", [1, 2, 3])
def test_finds_the_entropy_of_a_gaussian(d, metric):
    truth = d / 2 * math.log(2 * math.pi * math.e)
    estimate = kozachenko_leonenko_entropy(normal(3000, d), metric=metric)
    assert float(estimate) == pytest.approx(truth, abs=4 * 0.02 * math.sqrt(d))  # spread about 0.02 sqrt(d)
    assert 0.01 < estimate.std_error < 0.05


def test_scaling_adds_the_logarithm():
    x = normal(200, 2)
    expected = float(kozachenko_leonenko_entropy(x)) + 2 * math.log(10)
    assert float(kozachenko_leonenko_entropy(10 * x)) == pytest.approx(expected, abs=1e-9)


def test_wrong_input_is_refused():
    with pytest.raises(
        ValueError, match="kozachenko_leonenko_entropy: x must be continuous, got rows with 3 or more exact copies"
    ):
        kozachenko_leonenko_entropy(torch.ones(10, 2))
    with pytest.raises(ValueError, match="kozachenko_leonenko_entropy: needs more samples than neighbours"):
        kozachenko_leonenko_entropy(torch.ones(3))
    with pytest.raises(ValueError, match="kozachenko_leonenko_entropy: metric must be one of"):
        kozachenko_leonenko_entropy(normal(9, 1), metric="l1")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
@pytest.mark.parametrize("power", [-1000, 511, 1020])
def test_so_it_does_for_units_whose_squares_overflow_or_vanish(metric, power):
    x = normal(100, 2)
    found = float(kozachenko_leonenko_entropy(x * 2.0**power, metric=metric))
    assert found == pytest.approx(
        float(kozachenko_leonenko_entropy(x, metric=metric)) + 2 * power * math.log(2), rel=1e-12
    )
