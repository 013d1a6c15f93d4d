"""What a normal law tells, and neighbours for the rest."""

import math
import warnings

import numpy as np
import pytest
import torch

from infotorch.distributions import AdditiveUniformNoise, CorrelatedGaussian, Stacked, Transformed, random_rotation
from infotorch.distributions.maps import half_cube, wiggly
from infotorch.estimators import gaussian_mi, gaussianised_mi
from infotorch.estimators.gaussianised import _kurtosis, independent_columns, mean_log_distance
from infotorch.estimators.normal_maps import whitened
from infotorch.numerics.neighbours import nearest_distances


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def among_idle(nats, informative, idle):
    """So many nats in some pairs of columns, the others idle."""
    rho = math.sqrt(-math.expm1(-2 * nats / informative))
    columns = informative + idle
    return CorrelatedGaussian.sparse(columns, columns, correlations=[rho] * informative)


@pytest.mark.parametrize("d", [1, 3, 20])
def test_the_reference_of_two_samples_is_a_closed_form(d):
    """Their difference is N(0, 2) in every column, its square twice a chi-squared."""
    truth = math.log(2) + 0.5 * float(torch.tensor(d / 2).digamma())
    assert mean_log_distance(2, d, 1) == pytest.approx(truth, abs=2e-3)  # the quadrature, of a law that is not smooth


@pytest.mark.parametrize(("n", "d"), [(500, 2), (1000, 10), (1000, 40)])
def test_the_reference_is_what_normal_samples_show(n, d):
    seen = [
        float(
            nearest_distances(torch.randn(n, d, dtype=torch.float64, generator=seeded(s)), 4, "euclidean")[:, -1]
            .log()
            .mean()
        )
        for s in range(8)
    ]
    error = np.std(seen, ddof=1) / math.sqrt(8)
    assert mean_log_distance(n, d, 4) == pytest.approx(np.mean(seen), abs=4 * error)


@pytest.mark.parametrize("margins", [True, False])
@pytest.mark.parametrize(("informative", "idle"), [(1, 0), (5, 5), (2, 20)])
def test_normal_data_at_any_value_and_among_idle_columns(informative, idle, margins):
    """5 nats; plain neighbours read 1.6 of them in 25 columns. As near as the covariance alone, which knows the law."""
    law = among_idle(5.0, informative, idle)
    turned = Transformed(law, *(random_rotation(informative + idle, seeded(s)) for s in (1, 2)))
    x, y = turned.sample(3000, seeded(3))
    found = gaussianised_mi(x, y, margins=margins)
    assert float(found) == pytest.approx(5.0, abs=0.2)  # the covariance's own error is 0.04
    assert float(found) == pytest.approx(
        float(gaussian_mi(x, y, unbiased=True)), abs=0.25 if margins else 0.1
    )  # maps bend what was turned


@pytest.mark.parametrize("bend", [half_cube, wiggly, torch.asinh])
def test_bent_margins_do_no_harm(bend):
    law = Transformed(among_idle(3.0, 2, 0), bend, torch.exp)
    x, y = law.sample(3000, seeded(4))
    assert float(gaussianised_mi(x, y)) == pytest.approx(3.0, abs=0.15)


def test_mixed_signals_with_noise_that_is_not_normal():
    """Uniform signals and noise in four turned columns: neighbours of the same samples read 0.4 nats less."""
    width = 0.05
    law = Stacked(*[AdditiveUniformNoise(width)] * 4)
    turned = Transformed(law, random_rotation(4, seeded(5)), random_rotation(4, seeded(6)))
    x, y = turned.sample(3000, seeded(7))
    assert float(gaussianised_mi(x, y, margins=False)) == pytest.approx(law.mutual_information(), abs=0.25)


@pytest.mark.parametrize("margins", [True, False])
def test_no_information_and_the_standard_error(margins):
    """Over twenty samples: no bias, and a standard error that is not far from the spread."""
    law = CorrelatedGaussian.sparse(3, 2, correlations=())
    found = [gaussianised_mi(*law.sample(400, seeded(s)), margins=margins) for s in range(20)]
    values = np.array([float(e) for e in found])
    assert abs(values.mean()) < 4 * values.std() / math.sqrt(20) + 0.01
    assert 0.7 < np.mean([e.std_error for e in found]) / values.std(ddof=1) < 2


def test_an_even_grid_is_no_order():
    """x laid out evenly, as in an experiment: single neighbours would take that for 0.14 nats more."""
    x = torch.linspace(0, 1, 2000, dtype=torch.float64)
    y = torch.randn(2000, generator=seeded(8), dtype=torch.float64)
    assert abs(float(gaussianised_mi(x, y))) < 0.06  # spread 0.02


def test_symmetric_and_blind_to_units_and_order():
    x, y = among_idle(1.0, 2, 1).sample(600, seeded(9))
    plain = float(gaussianised_mi(x, y))
    assert float(gaussianised_mi(y, x)) == pytest.approx(plain, abs=0.02)  # another start of the rotation
    order = torch.randperm(600, generator=seeded(10))
    assert float(gaussianised_mi(x[order], y[order])) == pytest.approx(plain, abs=1e-6)
    assert float(gaussianised_mi(1e6 * x - 3, y / 7)) == pytest.approx(plain, abs=1e-6)


def test_columns_that_tell_nothing_new_are_left_out():
    x, y = among_idle(1.0, 2, 0).sample(600, seeded(11))
    plain = float(gaussianised_mi(x, y, margins=False))
    more = torch.cat([x, x.sum(dim=1, keepdim=True), torch.ones(600, 1)], dim=1)
    assert independent_columns(more).shape == (600, 2)
    assert float(gaussianised_mi(more, y, margins=False)) == pytest.approx(plain, abs=0.02)
    assert float(gaussianised_mi(torch.ones(600), y)) == 0


def test_a_constant_tells_nothing_and_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert float(gaussianised_mi(torch.ones(60), torch.randn(60, generator=seeded(0)))) == 0


def test_what_has_no_density_and_too_few_samples_are_refused():
    x, y = among_idle(1.0, 2, 0).sample(600, seeded(12))
    with pytest.raises(ValueError, match="must be continuous, got a column that follows linearly from others"):
        gaussianised_mi(x, torch.cat([y, x[:, :1]], dim=1), margins=False)
    with pytest.raises(ValueError, match="must be continuous, got samples that coincide"):
        gaussianised_mi(x[:100].repeat(6, 1), y[:100].repeat(6, 1))
    with pytest.raises(ValueError, match="so many columns need 50 samples or more, got 49"):
        gaussianised_mi(x[:49], y[:49])
    with pytest.raises(ValueError, match="so many columns need 105 samples or more, got 104"):
        gaussianised_mi(torch.randn(104, 20, generator=seeded()), y[:104, 0])
    with pytest.raises(TypeError, match="gaussianised_mi: margins must be True or False, got 'yes'"):
        gaussianised_mi(x, y, margins="yes")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("columns", [1, 3])
def test_functions_without_noise_are_told(columns):
    x = torch.randn(1000, columns, generator=seeded(13), dtype=torch.float64)
    for y in (x.sin(), x.square() + x):
        found = gaussianised_mi(x, y)
        assert not found.reliable
        assert "without noise" in found.reason
    noisy = gaussianised_mi(x, x.sin() + 0.1 * torch.randn(1000, columns, generator=seeded(14), dtype=torch.float64))
    assert noisy.reliable


def test_kurtosis_is_mardias_in_standard_errors():
    """Of whitened normal samples about N(0, 1); of a sphere of radius root d exactly least, d^2 for d (d + 2)."""
    found = [_kurtosis(whitened(np.random.default_rng(s).standard_normal((500, 6)))[0]) for s in range(200)]
    assert np.mean(found) == pytest.approx(0, abs=0.21)  # three standard errors
    assert np.std(found) == pytest.approx(1, abs=0.15)
    rows = np.random.default_rng(0).standard_normal((500, 6))
    sphere = rows * math.sqrt(6) / np.linalg.norm(rows, axis=1, keepdims=True)
    assert _kurtosis(sphere) == pytest.approx((36 - 48 * 499 / 501) / math.sqrt(8 * 48 / 500))
