import math

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from infotorch.distributions.mixtures import GaussianMixture, LabelledClusters

CROSS = GaussianMixture([[0.0, 0.0]] * 2, [[[1.0, 0.9], [0.9, 1.0]], [[1.0, -0.9], [-0.9, 1.0]]])
CLUSTERS = GaussianMixture([[0.0, 3.0], [2.0, 0.0], [-1.0, -2.0]], [[1.0, 0.3], [0.3, 0.5]], weights=[0.5, 0.2, 0.3])


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def entropy(density, step):
    return -np.where(density > 0, density * np.log(np.maximum(density, 1e-300)), 0).sum() * step


@pytest.mark.parametrize("law", [CROSS, CLUSTERS])
def test_a_mixtures_truth_is_that_of_three_entropies(law):
    axis, step = np.linspace(-9, 10, 951, retstep=True)
    grid = np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1)
    components = list(zip(law.weights.tolist(), law.means.numpy(), law.covariances.numpy(), strict=True))
    joint = sum(w * stats.multivariate_normal(m, c).pdf(grid) for w, m, c in components)
    x, y = (sum(w * stats.norm(m[i], math.sqrt(c[i, i])).pdf(axis) for w, m, c in components) for i in (0, 1))
    truth = entropy(x, step) + entropy(y, step) - entropy(joint, step**2)
    assert law.mutual_information() == pytest.approx(truth, abs=1e-7)


@pytest.mark.parametrize("law", [CROSS, CLUSTERS])
def test_the_mean_log_ratio_of_a_sample_meets_the_truth(law):
    x, y = law.sample(50_000, seeded(1))
    ratios = law.log_ratio(x, y)
    assert law.mutual_information() == pytest.approx(float(ratios.mean()), abs=4 * float(ratios.std()) / 223)
    mean = law.weights @ law.means
    assert torch.allclose(torch.cat([x, y], dim=1).mean(dim=0), mean, atol=0.04)  # standard error below 0.01


def test_one_component_is_the_gaussian():
    law = GaussianMixture([[7.0, -3.0]], [[4.0, 1.0], [1.0, 1.0]])
    assert law.mutual_information() == pytest.approx(-0.5 * math.log(0.75), abs=1e-12)


def test_a_component_without_weight_does_not_matter():
    law = GaussianMixture([[0.0, 0.0], [50.0, 1.0]], [[1.0, 0.5], [0.5, 1.0]], weights=[1.0, 0.0])
    assert law.mutual_information() == pytest.approx(-0.5 * math.log(0.75), abs=1e-12)


@pytest.mark.parametrize("distance", [0.5, 2.0, 6.0, 20.0])
def test_two_labels_by_adaptive_integration(distance):
    weights = [0.3, 0.7]
    law = LabelledClusters([[0.0, 0.0], [0.6 * distance, 0.8 * distance]], noise_std=0.5, weights=weights)
    centres = (0.0, 2 * distance)  # along the line between them, in units of the noise

    def p_log_p(x):
        log_p = np.logaddexp(*(math.log(w) + stats.norm.logpdf(x, m) for w, m in zip(weights, centres, strict=True)))
        return -math.exp(log_p) * log_p

    h_x = sum(
        integrate.quad(p_log_p, a, b, epsabs=1e-12, limit=200)[0]
        for a, b in ((-9, centres[1] / 2), (centres[1] / 2, centres[1] + 9))
    )
    assert law.mutual_information() == pytest.approx(h_x - 0.5 * math.log(2 * math.pi * math.e), abs=1e-9)


def test_labels_in_a_plane_by_a_grid():
    centres = np.array([[0.0, 0.0], [2.5, 0.0], [0.5, 2.0], [-1.0, -1.0]])
    weights = [0.4, 0.3, 0.2, 0.1]
    axis, step = np.linspace(-10, 11, 601, retstep=True)
    grid = np.stack(np.meshgrid(axis, axis), axis=-1)
    density = sum(w * stats.multivariate_normal(c).pdf(grid) for w, c in zip(weights, centres, strict=True))
    truth = entropy(density, step**2) - math.log(2 * math.pi * math.e)
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(7, 2)))
    for places in (centres, centres @ turn.T + 100.0):
        law = LabelledClusters(places, noise_std=1.0, weights=weights)
        assert law.mutual_information() == pytest.approx(truth, abs=1e-7)


def test_labels_seen_without_noise_and_not_at_all():
    weights = [0.5, 0.3, 0.2]
    near, far = (LabelledClusters([[0.0], [1.0], [2.0]], noise_std=s, weights=weights) for s in (1e-3, 1e3))
    assert near.mutual_information() == pytest.approx(-sum(w * math.log(w) for w in weights), abs=1e-12)
    # Faint signals: half the variance of the centres over that of the noise.
    assert far.mutual_information() == pytest.approx(0.61 / 2 / 1e6, rel=1e-3)
    assert LabelledClusters([[3.0, 1.0]], noise_std=1.0).mutual_information() == pytest.approx(0, abs=1e-15)


def test_labels_sample_their_clusters():
    law = LabelledClusters([[0.0, 0.0], [5.0, 0.0], [0.0, 9.0]], noise_std=0.5, weights=[0.2, 0.5, 0.3])
    x, y = law.sample(20_000, seeded(2))
    assert torch.allclose(torch.bincount(y) / 20_000, law.weights.float(), atol=0.015)  # standard error 0.0035
    for label, centre in enumerate(law.centres):
        assert torch.allclose(x[y == label].mean(dim=0), centre, atol=0.04)  # standard error below 0.008
        assert torch.allclose(x[y == label].std(dim=0), torch.full((2,), 0.5).double(), atol=0.03)


def test_wrong_input_is_refused():
    eye = [[1.0, 0.0], [0.0, 1.0]]
    with pytest.raises(ValueError, match=r"GaussianMixture: means must be of shape \(k, 2\), got \(2,\)"):
        GaussianMixture([0.0, 0.0], eye)
    with pytest.raises(ValueError, match=r"covariances must be of shape \(2, 2\) or \(1, 2, 2\), got \(1, 1\)"):
        GaussianMixture([[0.0, 0.0]], [[1.0]])
    with pytest.raises(ValueError, match="GaussianMixture: covariances must be symmetric and positive definite"):
        GaussianMixture([[0.0, 0.0]], [[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(ValueError, match="GaussianMixture: means must be finite and not empty"):
        GaussianMixture([[0.0, math.nan]], eye)
    with pytest.raises(TypeError, match="GaussianMixture: means must hold real numbers"):
        GaussianMixture([["a", "b"]], eye)
    for bad in ([0.5], [0.7, 0.7], [-0.5, 1.5]):
        with pytest.raises(ValueError, match=r"weights must be 2 probabilities that sum to 1, got \["):
            GaussianMixture([[0.0, 0.0]] * 2, eye, weights=bad)
    with pytest.raises(ValueError, match=r"LabelledClusters: centres must be a matrix, got shape \(2,\)"):
        LabelledClusters([0.0, 1.0], noise_std=1.0)
    with pytest.raises(ValueError, match=r"LabelledClusters: centres must be finite and not empty, got shape \(1, 0\)"):
        LabelledClusters([[]], noise_std=1.0)
    with pytest.raises(ValueError, match="LabelledClusters: centres must span at most 2 dimensions, got 3"):
        LabelledClusters(np.eye(4), noise_std=1.0)
    with pytest.raises(ValueError, match="LabelledClusters: noise_std must be positive and finite, got -1"):
        LabelledClusters([[0.0]], noise_std=-1)
