import math

import numpy as np
import pytest
import torch

from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.estimators.discrete import discrete_entropy
from infotorch.estimators.entropy import kozachenko_leonenko_entropy
from infotorch.estimators.estimate import Estimate
from infotorch.estimators.labels import readout_mi
from infotorch.estimators.reconstruction import gaussian_log_likelihood, reconstruction_bound

HALF_LOG = 0.5 * math.log(2 * math.pi * math.e)  # entropy of N(0, 1)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def channel(n, d, noise_std, seed=0):
    """X standard normal, T = X + noise; x given t is N(t / (1 + s^2), s^2 / (1 + s^2)) in every column."""
    x, noise = torch.randn(2, n, d, generator=seeded(seed), dtype=torch.float64)
    variance = noise_std**2 / (1 + noise_std**2)
    t = x + noise_std * noise
    return x, t / (1 + noise_std**2), math.sqrt(variance), 0.5 * d * math.log1p(noise_std**-2)


@pytest.mark.parametrize("noise_std", [0.1, 1.0, 3.0])
@pytest.mark.parametrize("d", [1, 4])
def test_the_best_decoder_of_a_gaussian_channel_reaches_its_information(d, noise_std):
    x, prediction, std, information = channel(5000, d, noise_std)
    for given in (std, None):
        estimate = reconstruction_bound(gaussian_log_likelihood(x, prediction, std=given), entropy=d * HALF_LOG)
        assert float(estimate) == pytest.approx(information, abs=4 * estimate.std_error)
    assert (estimate.side, estimate.n, estimate.ceiling) == ("lower", 5000, math.inf)


def test_a_wrong_width_costs_its_divergence():
    x, prediction, std, information = channel(50_000, 1, 1.0)
    estimate = reconstruction_bound(gaussian_log_likelihood(x, prediction, std=2 * std), entropy=HALF_LOG)
    divergence = math.log(2) + 1 / 8 - 1 / 2
    assert float(estimate) == pytest.approx(information - divergence, abs=4 * estimate.std_error)
    assert float(reconstruction_bound(gaussian_log_likelihood(x, -prediction, std=0.1), entropy=HALF_LOG)) < 0


def test_linear_regression_reaches_the_information_of_any_gaussian_law():
    root = torch.randn(5, 5, generator=seeded(1), dtype=torch.float64)
    law = CorrelatedGaussian(root @ root.T + torch.eye(5), dim_x=1)
    x, t = law.sample(20_000, seeded(2))
    prediction = t @ torch.linalg.lstsq(t[:10_000], x[:10_000]).solution
    entropy = HALF_LOG + 0.5 * math.log(law.covariance[0, 0])
    held_out = gaussian_log_likelihood(x[10_000:], prediction[10_000:], std=None)
    estimate = reconstruction_bound(held_out, entropy=entropy)
    assert float(estimate) == pytest.approx(law.mutual_information(), abs=4 * estimate.std_error)


def test_interval_covers_the_truth():
    covered = 0
    for seed in range(200):
        x, prediction, std, information = channel(300, 2, 0.5, seed)
        estimate = reconstruction_bound(gaussian_log_likelihood(x, prediction, std=std), entropy=2 * HALF_LOG)
        covered += abs(float(estimate) - information) < 1.96 * estimate.std_error
    assert 0.91 <= covered / 200 <= 0.99  # 0.95 +- 0.015


def test_the_entropy_may_be_an_estimate():
    x, prediction, std, information = channel(3000, 1, 1.0)
    entropy = kozachenko_leonenko_entropy(x)
    log_q = gaussian_log_likelihood(x, prediction, std=std)
    estimate = reconstruction_bound(log_q, entropy=entropy)
    assert float(estimate) == pytest.approx(float(entropy) + float(log_q.mean()), abs=1e-12)
    assert float(estimate) == pytest.approx(information, abs=0.06)
    own = reconstruction_bound(log_q, entropy=float(entropy)).std_error
    assert estimate.std_error == pytest.approx(math.hypot(own, entropy.std_error))


def test_of_class_labels_it_is_the_readout_bound():
    scores = torch.randn(100, 3, generator=seeded(3), dtype=torch.float64)
    y = torch.randint(3, (100,), generator=seeded(4))
    log_q = scores.log_softmax(dim=1)[torch.arange(100), y]
    estimate = reconstruction_bound(log_q, entropy=discrete_entropy(y))
    assert float(estimate) == pytest.approx(float(readout_mi(scores, y)), abs=1e-12)


def test_likelihood_equals_that_of_torch():
    x, prediction = torch.randn(2, 7, 3, 2, generator=seeded(5), dtype=torch.float64)
    for std in (0.3, torch.tensor(2.0), torch.rand(3, 2, generator=seeded(6)) + 0.1, prediction.exp()):
        law = torch.distributions.Normal(prediction, torch.as_tensor(std, dtype=torch.float64))
        expected = law.log_prob(x).sum(dim=(1, 2))
        assert torch.allclose(gaussian_log_likelihood(x, prediction, std=std), expected, atol=1e-12)
    rms = float((x - prediction).square().mean().sqrt())
    fitted = gaussian_log_likelihood(x, prediction, std=None)
    assert torch.allclose(fitted, gaussian_log_likelihood(x, prediction, std=rms), atol=1e-12)
    for other in (0.98 * rms, 1.02 * rms):
        assert fitted.mean() > gaussian_log_likelihood(x, prediction, std=other).mean()


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_scales_shift_the_likelihood_and_nothing_else(scale):
    x, prediction = torch.randn(2, 50, 2, generator=seeded(7))
    moved = gaussian_log_likelihood(scale * x, scale * prediction, std=None)
    expected = gaussian_log_likelihood(x, prediction, std=None) - 2 * math.log(scale)
    assert torch.allclose(moved, expected, rtol=1e-5)


def test_gradients():
    x, prediction = torch.randn(2, 5, 2, generator=seeded(8), dtype=torch.float64)
    prediction.requires_grad_()
    std = (torch.rand(5, 2, generator=seeded(9), dtype=torch.float64) + 0.5).requires_grad_()

    def value(prediction, std):
        return reconstruction_bound(gaussian_log_likelihood(x, prediction, std=std), entropy=1.0).value

    assert torch.autograd.gradcheck(value, (prediction, std))
    assert torch.autograd.gradcheck(lambda p: value(p, None), (prediction,))


def test_types_and_state():
    x, prediction = torch.randn(2, 20, generator=seeded(10))
    before, state = x.clone(), torch.get_rng_state()
    expected = gaussian_log_likelihood(x, prediction, std=1.0)
    assert torch.equal(gaussian_log_likelihood(x.numpy(), prediction.numpy(), std=np.float32(1.0)), expected)
    assert gaussian_log_likelihood(x.half(), prediction.half(), std=None).dtype == torch.float32
    assert gaussian_log_likelihood(x.long(), x.long() + 1, std=2).dtype == torch.float64
    assert float(reconstruction_bound(expected.numpy(), entropy=1)) == pytest.approx(float(expected.mean()) + 1)
    assert float(reconstruction_bound(torch.tensor([-1, -2]), entropy=2.0)) == 0.5
    assert math.isnan(reconstruction_bound(expected[:1], entropy=1.0).std_error)
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_wrong_input_is_refused():
    x, prediction = torch.randn(2, 6, 2, generator=seeded(11))
    log_q = gaussian_log_likelihood(x, prediction, std=1.0)
    with pytest.raises(ValueError, match=r"reconstruction_bound: log_likelihood must have shape \(n,\).*got \(6, 2\)"):
        reconstruction_bound(x, entropy=1.0)
    with pytest.raises(ValueError, match="reconstruction_bound: log_likelihood must be finite, got 6"):
        reconstruction_bound(log_q / 0, entropy=1.0)
    with pytest.raises(ValueError, match="reconstruction_bound: log_likelihood is empty"):
        reconstruction_bound([], entropy=1.0)
    with pytest.raises(
        TypeError, match="reconstruction_bound: entropy must be a number of nats or an Estimate, got str"
    ):
        reconstruction_bound(log_q, entropy="1")  # pyright: ignore[reportArgumentType]
    infinite = Estimate(torch.tensor(-math.inf), side="none", n=3, estimator="none")
    for entropy in (math.nan, infinite):
        with pytest.raises(ValueError, match="reconstruction_bound: entropy must be finite, got"):
            reconstruction_bound(log_q, entropy=entropy)
    name = "gaussian_log_likelihood"
    with pytest.raises(ValueError, match=rf"{name}: prediction must have the shape of x, got \(6,\) for \(6, 2\)"):
        gaussian_log_likelihood(x, prediction[:, 0], std=1.0)
    with pytest.raises(ValueError, match=f"{name}: x must be finite"):
        gaussian_log_likelihood(x * math.nan, prediction, std=1.0)
    with pytest.raises(ValueError, match=f"{name}: std must be given where the prediction is x itself, got None"):
        gaussian_log_likelihood(x, x, std=None)
    for std in (0.0, -1.0, math.inf, torch.tensor([1.0, 0.0])):
        with pytest.raises(ValueError, match=f"{name}: std must be positive and finite, got"):
            gaussian_log_likelihood(x, prediction, std=std)
    with pytest.raises(ValueError, match=rf"{name}: std must broadcast to the shape of x, \(6, 2\), got \(3,\)"):
        gaussian_log_likelihood(x, prediction, std=torch.ones(3))
    with pytest.raises(TypeError, match=f"{name}: std must hold real numbers"):
        gaussian_log_likelihood(x, prediction, std="wide")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.bool])
def test_integers_are_subtracted_as_real_numbers(dtype):
    x, guess = torch.tensor([[0, 1], [1, 1]]), torch.tensor([[1, 1], [0, 1]])
    expected = gaussian_log_likelihood(x.double(), guess.double(), std=1.0)
    assert torch.equal(gaussian_log_likelihood(x.to(dtype), guess.to(dtype), std=1.0), expected)
