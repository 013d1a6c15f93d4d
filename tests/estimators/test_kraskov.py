import math

import numpy as np
import pytest
import torch
from scipy.special import digamma
from tests.reference import neighbours as slow

from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.distributions.uniform import AdditiveUniformNoise
from infotorch.estimators.kraskov import ksg


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def pair(n, dx, dy, seed=0):
    x = torch.randn(n, dx, generator=seeded(seed), dtype=torch.float64)
    y = torch.randn(n, dy, generator=seeded(seed + 1), dtype=torch.float64)
    return x, y + x[:, :1]


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
@pytest.mark.parametrize("variant", [1, 2])
@pytest.mark.parametrize(("dx", "dy"), [(1, 1), (2, 1), (3, 4), (12, 3), (40, 2)])
def test_equals_the_slow_twin(dx, dy, variant, metric):
    x, y = pair(40, dx, dy)
    for k in (1, 3, 7):
        expected = slow.ksg(x.numpy(), y.numpy(), k, variant, metric)
        assert float(ksg(x, y, k=k, variant=variant, metric=metric)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
@pytest.mark.parametrize("columns", [1, 3, 30])
def test_ties_are_counted_as_the_slow_twin_counts_them(columns, metric):
    x = torch.randint(0, 3, (40, columns), generator=seeded(0)).double()
    x[:15] = x[0]
    y = torch.randint(0, 4, (40, 1), generator=seeded(1)).double()
    expected = slow.ksg(x.numpy(), y.numpy(), 3, 1, metric)
    assert float(ksg(x, y, metric=metric)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("variant", [1, 2])
def test_finds_the_information_of_a_gaussian(rho, variant):
    law = CorrelatedGaussian(rho)
    estimate = ksg(*law.sample(3000, seeded(3)), variant=variant)
    # Spread at n = 3000 is 0.013 at rho = 0 and 0.02 at rho = 0.9.
    assert float(estimate) == pytest.approx(law.mutual_information(), abs=0.06)


@pytest.mark.parametrize("half_width", [0.1, 0.75])
def test_finds_the_information_of_uniform_noise(half_width):
    law = AdditiveUniformNoise(half_width)
    assert float(ksg(*law.sample(3000, seeded(4)))) == pytest.approx(law.mutual_information(), abs=0.06)


def test_equals_scikit_learn_in_one_dimension():
    feature_selection = pytest.importorskip("sklearn.feature_selection")
    x, y = pair(500, 1, 1)
    # Standardised, because scikit-learn scales its input; it also adds noise of 1e-10, which moves no count here.
    x, y = x / x.std(unbiased=False), y / y.std(unbiased=False)
    theirs = feature_selection.mutual_info_regression(x.numpy(), y[:, 0].numpy(), n_neighbors=3, random_state=0)[0]
    assert float(ksg(x, y)) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("variant", [1, 2])
def test_symmetric_and_blind_to_order_shift_and_sign(variant):
    x, y = pair(300, 2, 3)
    value = float(ksg(x, y, variant=variant))
    order = torch.randperm(300, generator=seeded(5))
    assert float(ksg(y, x, variant=variant)) == pytest.approx(value, abs=1e-12)
    assert float(ksg(x[order], y[order], variant=variant)) == pytest.approx(value, abs=1e-12)
    assert float(ksg(-4 * x, -4 * y, variant=variant)) == pytest.approx(value, abs=1e-12)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
@pytest.mark.parametrize("columns", [1, 3, 50])
@pytest.mark.parametrize("variant", [1, 2])
def test_constant_input_has_no_information(columns, variant, metric):
    constant, varied = torch.full((50, columns), 0.1), torch.randn(50, columns, generator=seeded(0))
    for x, y in ((constant, varied), (varied, constant), (constant, constant)):
        estimate = ksg(x, y, variant=variant, metric=metric)
        assert float(estimate) == 0
        assert estimate.std_error == 0


def test_ceiling_is_reached_by_a_copy():
    x, _ = pair(100, 1, 1)
    estimate = ksg(x, x)
    assert float(estimate) == pytest.approx(estimate.ceiling, abs=1e-9) == digamma(100) - digamma(3)
    assert estimate.saturated
    assert ksg(x, x, variant=2).ceiling == pytest.approx(digamma(100) - digamma(3) - 1 / 3)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("columns", [4, 20])
def test_many_rows_go_block_by_block(columns, monkeypatch):
    x, y = pair(200, columns, columns)
    whole = float(ksg(x, y, metric="euclidean"))
    monkeypatch.setattr("infotorch.numerics.blocks._CPU_ENTRIES", 1500)
    assert float(ksg(x, y, metric="euclidean")) == pytest.approx(whole, abs=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("rho", "n"), [(0.0, 200), (0.8, 200)])
def test_interval_covers_the_truth(rho, n):
    law, generator = CorrelatedGaussian(rho), seeded(6)
    estimates = [ksg(*law.sample(n, generator)) for _ in range(100)]
    covered = [abs(float(e) - law.mutual_information()) < 1.96 * e.std_error for e in estimates]
    # 0.95 +- 0.02 for a perfect interval; ours is about 10 % too short.
    assert 0.83 <= np.mean(covered) <= 0.99


def test_every_kind_of_input_is_read(generator):
    x = torch.rand(60, 2, generator=generator)
    y = x.sum(dim=1)
    expected = float(ksg(x.double(), y.double()))
    assert float(ksg(x.numpy(), y.numpy())) == expected
    assert float(ksg(x.reshape(60, 1, 2).requires_grad_(), y)) == expected
    assert ksg(x, y).value.dtype == torch.float64
    small = (x * 100).to(torch.uint8)
    assert float(ksg(small, y)) == float(ksg(small.long(), y))
    assert float(ksg(x.half(), y)) == float(ksg(x.half().double(), y))


def test_caller_and_global_state_are_untouched():
    x, y = pair(100, 2, 9)
    before, state = (x.clone(), y.clone()), torch.get_rng_state()
    for metric in ("chebyshev", "euclidean"):
        assert ksg(x, y, metric=metric).std_error > 0
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])
    assert torch.equal(torch.get_rng_state(), state)


def test_no_standard_error_from_few_rows():
    assert math.isnan(ksg(*pair(30, 1, 1)).std_error)


def test_wrong_input_is_refused():
    x, y = pair(10, 1, 1)
    with pytest.raises(ValueError, match="ksg: x and y must be paired row by row, got 10 and 9 rows"):
        ksg(x, y[1:])
    with pytest.raises(ValueError, match="ksg: needs more samples than neighbours, got 10 samples for k = 10"):
        ksg(x, y, k=10)
    with pytest.raises(ValueError, match="ksg: k must be at least 1, got 0"):
        ksg(x, y, k=0)
    with pytest.raises(TypeError, match="ksg: k must be an integer, got float"):
        ksg(x, y, k=3.0)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="ksg: metric must be one of chebyshev, euclidean, got 'cosine'"):
        ksg(x, y, metric="cosine")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="ksg: variant must be 1 or 2, got 3"):
        ksg(x, y, variant=3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"ksg: variant must be 1 or 2, got \[1\]"):
        ksg(x, y, variant=[1])  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match="ksg: y must be finite, got 10 NaN or infinite values"):
        ksg(x, y * math.nan)
    with pytest.raises(ValueError, match="ksg: x is empty"):
        ksg(x[:0], y[:0])
    with pytest.raises(ValueError, match="ksg: x must have rows of samples, got a single number"):
        ksg(1.0, y)
    with pytest.raises(TypeError, match="ksg: x must hold real numbers, got dtype <U1"):
        ksg(["a"] * 10, y)
    with pytest.raises(TypeError, match=r"ksg: x must hold real numbers, got dtype torch\.complex128"):
        ksg(x + 1j, y)


@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
@pytest.mark.parametrize("power", [-1000, 511, 1020])
def test_units_whose_squares_overflow_or_vanish_change_nothing(metric, power):
    x, y = torch.randn(2, 100, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = x + y
    found = [float(ksg(a, b, metric=metric)) for a, b in ((x, y), (x * 2.0**power, y * 2.0**power))]
    assert found[0] == found[1]


def test_small_integers_of_numpy_are_neighbours_too():
    x, y = pair(1500, 1, 1)
    assert ksg(x, y, k=np.uint8(60)).std_error == ksg(x, y, k=60).std_error > 0
