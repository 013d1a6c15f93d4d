import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.distributions.images import AmplitudeImages, PatternImages


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def binary_input(a):
    """h(A + Z) - h(Z) for a fair sign A = +-a."""

    def p_log_p(t):
        log_p = np.logaddexp(stats.norm.logpdf(t, -a), stats.norm.logpdf(t, a)) - math.log(2)
        return -math.exp(log_p) * log_p

    halves = integrate.quad(p_log_p, 0, a + 9, epsabs=1e-13, limit=200)[0]
    return 2 * halves - 0.5 * math.log(2 * math.pi * math.e)


@pytest.mark.parametrize("a", [0.01, 0.5, 1.0, 3.0, 12.0])
def test_one_pattern_is_the_channel_with_binary_input(a):
    pattern = torch.full((1, 4, 4), a / 2)
    assert PatternImages(pattern, noise_std=1.0).mutual_information() == pytest.approx(binary_input(a), abs=1e-11)


def test_the_mean_log_ratio_over_all_labels_meets_the_truth():
    law = PatternImages.digits(noise_std=2.0)
    x, y = law.sample(20_000, seeded())
    bits = torch.tensor([[label >> j & 1 for j in range(4)] for label in range(16)]).double()
    clean = bits @ law.patterns.flatten(1)
    log_p = -torch.cdist(x.flatten(1), clean).square() / (2 * 2.0**2)
    ratios = log_p[torch.arange(len(y)), y] - log_p.logsumexp(dim=1) + math.log(16)
    assert law.mutual_information() == pytest.approx(float(ratios.mean()), abs=4 * float(ratios.std()) / 141)


def test_patterns_lie_where_they_belong():
    law = PatternImages.digits(noise_std=1e-6)
    x, y = law.sample(200, seeded(1))
    assert law.patterns.max() <= 1
    for j, quarter in enumerate([x[:, :8, :8], x[:, :8, 8:], x[:, 8:, :8], x[:, 8:, 8:]]):
        assert torch.equal(quarter.amax(dim=(1, 2)) > 0.5, (y >> j & 1).bool())
    assert law.mutual_information() == pytest.approx(4 * math.log(2), abs=1e-12)


def test_amplitudes_are_a_linear_gaussian_channel():
    patterns = torch.randn(3, 2, 4, generator=seeded(2), dtype=torch.float64)
    law, p = AmplitudeImages(patterns, noise_std=0.6), patterns.flatten(1)
    covariance = torch.cat([
        torch.cat([torch.eye(3, dtype=torch.float64), p], dim=1),
        torch.cat([p.T, p.T @ p + 0.36 * torch.eye(8, dtype=torch.float64)], dim=1),
    ])
    truth = CorrelatedGaussian(covariance, dim_x=3).mutual_information()
    assert law.mutual_information() == pytest.approx(truth, abs=1e-10)
    x, y = law.sample(20_000, seeded(3))
    moments = torch.cov(torch.cat([x, y.flatten(1)], dim=1).T)
    assert torch.allclose(moments, covariance, atol=0.05 * float(covariance.max()))  # standard error 0.01 of it


def test_faint_patterns_keep_their_information():
    law = AmplitudeImages(torch.full((1, 10, 10), 1e-9), noise_std=1.0)
    assert law.mutual_information() == pytest.approx(0.5 * 1e-16, rel=1e-6)
    assert AmplitudeImages([[0.0, 0.0]], noise_std=1.0).mutual_information() == 0


def test_noise_of_any_scale_has_a_finite_truth():
    law = AmplitudeImages([[1.0, 0.0]], noise_std=1e-5)
    assert law.mutual_information() == pytest.approx(0.5 * math.log1p(1e10), abs=1e-14, rel=0)
    law = AmplitudeImages([[1.0, 0.0]], noise_std=1e-300)
    assert law.mutual_information() == pytest.approx(300 * math.log(10), rel=1e-12)


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="PatternImages: patterns must be orthogonal to each other"):
        PatternImages([[1.0, 1.0], [1.0, 0.0]], noise_std=1.0)
    with pytest.raises(ValueError, match=r"PatternImages: needs at most 62 patterns .*, got 63"):
        PatternImages(torch.eye(63), noise_std=1.0)
    with pytest.raises(ValueError, match="PatternImages: noise_std must be positive and finite, got 0"):
        PatternImages([[1.0, 1.0]], noise_std=0)
    for law in (PatternImages, AmplitudeImages):
        with pytest.raises(ValueError, match=rf"{law.__name__}: patterns must be finite images, one each, got shape"):
            law([1.0, 2.0], noise_std=1.0)
    with pytest.raises(TypeError, match="AmplitudeImages: patterns must hold real numbers"):
        AmplitudeImages([["a"]], noise_std=1.0)
    with pytest.raises(ValueError, match=r"AmplitudeImages\.sample: n must be at least 1, got 0"):
        AmplitudeImages([[1.0]], noise_std=1.0).sample(0, seeded())
