import math

import pytest
import torch
from scipy import integrate, stats

from infotorch.distributions.gamma import LogGammaExponential
from infotorch.distributions.uniform import AdditiveNormalNoise, AdditiveUniformNoise


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal_noise_twin(noise_std):
    """h(Y) - h(N) by adaptive quadrature over the lower half of the density of Y."""

    def p_log_p(y):
        p = stats.norm.cdf(y / noise_std) - stats.norm.cdf((y - 1) / noise_std)
        return -p * math.log(p) if p > 0 else 0.0

    edge = min(0.5, 10 * noise_std)
    half = integrate.quad(p_log_p, -10 * noise_std, edge, epsabs=1e-13, limit=500)[0]
    half += integrate.quad(p_log_p, edge, 0.5, epsabs=1e-13, limit=500)[0]
    return 2 * half - math.log(noise_std * math.sqrt(2 * math.pi * math.e))


@pytest.mark.parametrize("noise_std", [1e-4, 0.02, 0.06, 0.3, 1.0, 30.0])
def test_a_uniform_variable_in_normal_noise_by_adaptive_quadrature(noise_std):
    law = AdditiveNormalNoise(noise_std)
    assert law.mutual_information() == pytest.approx(normal_noise_twin(noise_std), abs=1e-11)


def test_wide_normal_noise_leaves_what_the_variance_says():
    # To first order in the signal-to-noise ratio, 1/2 log(1 + 1 / (12 noise_std^2)).
    assert AdditiveNormalNoise(50.0).mutual_information() == pytest.approx(0.5 * math.log1p(1 / 30_000), rel=1e-4)


def test_normal_noise_is_what_is_sampled():
    x, y = AdditiveNormalNoise(0.3).sample(20_000, seeded())
    assert stats.kstest(x[:, 0].numpy(), "uniform").pvalue > 1e-3
    assert stats.kstest((y - x)[:, 0].numpy() / 0.3, "norm").pvalue > 1e-3


@pytest.mark.parametrize("shape", [0.05, 0.5, 1.0, 4.0])
def test_the_mean_log_ratio_of_the_gamma_exponential_meets_the_truth(shape):
    law = LogGammaExponential(shape)
    log_x, log_y = law.sample(200_000, seeded(1))
    # p(y | x) = x exp(-x y) and p(y) = shape (1 + y)^-(shape + 1); the Jacobians of the logarithms cancel.
    log_one_plus_y = torch.logaddexp(torch.zeros_like(log_y), log_y)
    ratios = log_x - (log_x + log_y).exp() - math.log(shape) + (shape + 1) * log_one_plus_y
    assert law.mutual_information() == pytest.approx(float(ratios.mean()), abs=4 * float(ratios.std()) / math.sqrt(2e5))


def test_the_gamma_exponential_has_its_margins():
    log_x, log_y = LogGammaExponential(2.5).sample(20_000, seeded(2))
    assert stats.kstest(log_x[:, 0].exp().numpy(), stats.gamma(2.5).cdf).pvalue > 1e-3
    assert stats.kstest(log_y[:, 0].exp().numpy(), stats.lomax(2.5).cdf).pvalue > 1e-3


@pytest.mark.parametrize("law", [AdditiveUniformNoise, AdditiveNormalNoise, LogGammaExponential])
@pytest.mark.parametrize("mi", [1e-6, 0.1, 0.5, 3.0, 10.0, 29.0])
def test_the_wanted_information_is_met(law, mi):
    made = law.for_information(mi)
    assert made.mutual_information() == pytest.approx(mi, abs=1e-9)
    x, y = made.sample(1000, seeded(3))
    assert x.shape == y.shape == (1000, 1)
    assert torch.isfinite(torch.cat([x, y])).all()
    assert len(y.unique()) == 1000


@pytest.mark.parametrize("law", [AdditiveUniformNoise, AdditiveNormalNoise, LogGammaExponential])
def test_wrong_input_is_refused(law):
    name = law.__name__
    for wrong in (0.0, -1.0, 31.0, math.inf, math.nan):
        with pytest.raises(ValueError, match=rf"{name}\.for_information: mi must lie in \[1e-06, \d+\] nats, got"):
            law.for_information(wrong)
    with pytest.raises(TypeError, match=rf"{name}\.for_information: mi must be a number, got str"):
        law.for_information("a")
    with pytest.raises(ValueError, match=rf"{name}: \w+ must be positive and finite, got 0"):
        law(0)
    with pytest.raises(ValueError, match=rf"{name}\.sample: n must be at least 1, got 0"):
        law(0.5).sample(0)


def test_parameters_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"AdditiveNormalNoise: noise_std must lie in \[1e-14, 1000\], got 10000"):
        AdditiveNormalNoise(1e4)
    with pytest.raises(ValueError, match=r"LogGammaExponential: shape must lie in \[1e-13, 1e\+06\], got 1e-20"):
        LogGammaExponential(1e-20)
