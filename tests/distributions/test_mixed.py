import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from infotorch.distributions.mixed import DiscretePlusUniform, ZeroInflatedPoisson


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("symbols", [1, 2, 5])
def test_symbols_plus_uniform_by_entropies(symbols):
    # Y is uniform on [0, 1] with half a symbol's weight, on [1, 2] with a symbol's, ...: h(Y) - log 2.
    density = np.convolve(np.ones(symbols), [0.5, 0.5]) / symbols
    h_y = -(density * np.log(density)).sum()
    assert DiscretePlusUniform(symbols).mutual_information() == pytest.approx(h_y - math.log(2), abs=1e-14)


def test_symbols_plus_uniform_samples_its_law():
    x, y = DiscretePlusUniform(4).sample(20_000, seeded())
    noise = y[:, 0] - x
    assert x.dtype == torch.int64
    assert torch.allclose(torch.bincount(x) / 20_000, torch.full((4,), 0.25), atol=0.012)  # standard error 0.003
    assert stats.kstest(noise.numpy(), stats.uniform(0, 2).cdf).pvalue > 1e-3


@pytest.mark.parametrize("p", [0.0, 0.15, 0.7])
def test_inflated_poisson_by_integration(p):
    def integrand(x, k):
        conditional = (1 - p) * stats.poisson.pmf(k, x) + p * (k == 0)
        marginal = (1 - p) * 0.5 ** (k + 1) + p * (k == 0)
        return math.exp(-x) * conditional * math.log(conditional / marginal) if conditional > 0 else 0.0

    truth = sum(integrate.quad(integrand, 0, 80, args=(k,), epsabs=1e-11, limit=200)[0] for k in range(35))
    assert ZeroInflatedPoisson(p).mutual_information() == pytest.approx(truth, abs=1e-8)


def test_the_papers_value_is_right_without_inflation_and_too_large_with_it():
    paper = 2 * math.log(2) - np.euler_gamma - sum(math.log(k) * 2.0**-k for k in range(1, 100))
    assert ZeroInflatedPoisson(0.0).mutual_information() == pytest.approx(paper, abs=1e-12)
    # Data processing: whether a zero was inflated is lost.
    assert ZeroInflatedPoisson(0.15).mutual_information() < 0.85 * paper - 0.02
    assert ZeroInflatedPoisson(1.0).mutual_information() == 0


def test_inflated_poisson_samples_its_law():
    x, y = ZeroInflatedPoisson(0.3).sample(20_000, seeded(1))
    assert stats.kstest(x[:, 0].numpy(), stats.expon.cdf).pvalue > 1e-3
    frequency = torch.bincount(y, minlength=3)[:3] / 20_000
    assert torch.allclose(frequency, torch.tensor([0.65, 0.175, 0.0875]), atol=0.014)  # standard error 0.0034
    large = y[x[:, 0] > 2].double()
    expected = 0.7 * 3  # E[X | X > 2] = 3
    assert float(large.mean()) == pytest.approx(expected, abs=0.18)  # standard error 0.04


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="DiscretePlusUniform: symbols must be at least 1, got 0"):
        DiscretePlusUniform(0)
    with pytest.raises(TypeError, match=r"DiscretePlusUniform: symbols must be an integer, got 2\.0"):
        DiscretePlusUniform(2.0)
    with pytest.raises(TypeError, match="ZeroInflatedPoisson: p_zero must be a number, got str"):
        ZeroInflatedPoisson("a")
    for bad in (-0.1, math.nan):
        with pytest.raises(ValueError, match=r"ZeroInflatedPoisson: p_zero must lie in \[0, 1\], got"):
            ZeroInflatedPoisson(bad)
