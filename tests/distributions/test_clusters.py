import math

import pytest
import torch

from infotorch.distributions.clusters import SharedClusters
from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.distributions.mixtures import GaussianMixture
from infotorch.distributions.student import StudentT


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


PLACES = [[0.0, 1.0], [2.0, 2.0], [-3.0, -1.0]]


def test_in_one_column_it_is_the_mixture_of_gaussians():
    noise = CorrelatedGaussian(0.7)
    law = SharedClusters(noise, PLACES, [0.5, 0.3, 0.2])
    twin = GaussianMixture(PLACES, noise.covariance, [0.5, 0.3, 0.2])
    assert law.mutual_information() == pytest.approx(twin.mutual_information(), abs=1e-9)


def test_in_many_columns_the_mean_log_ratio_meets_the_truth():
    noise = CorrelatedGaussian.dense(3, 2, correlation=0.6)
    centres = torch.randn(3, 5, generator=seeded(), dtype=torch.float64) * 2
    law = SharedClusters(noise, centres, [0.5, 0.3, 0.2])
    x, y = law.sample(40_000, seeded(1))

    def log_density(points, where):
        covariance = noise.covariance[where][:, where]
        parts = torch.distributions.MultivariateNormal(torch.zeros(len(where)).double(), covariance)
        log_p = torch.stack([parts.log_prob(points - centre[where]) for centre in centres], dim=1)
        return (log_p + law.weights.log()).logsumexp(dim=1)

    both = torch.cat([x, y], dim=1)
    ratios = log_density(both, [0, 1, 2, 3, 4]) - log_density(x, [0, 1, 2]) - log_density(y, [3, 4])
    assert law.mutual_information() == pytest.approx(float(ratios.mean()), abs=4 * float(ratios.std()) / 200)
    assert float(ratios.std()) / 200 < 0.01


def test_centres_at_one_place_leave_the_gaussian():
    noise = CorrelatedGaussian.sparse(2, 2, correlations=(0.5,))
    law = SharedClusters(noise, torch.ones(2, 4))
    assert law.mutual_information() == pytest.approx(noise.mutual_information(), abs=1e-12)


@pytest.mark.parametrize("dim", [1, 2, 10])
@pytest.mark.parametrize("mi", [0.7, 5.0, 10.0])
def test_the_wanted_information_is_met(dim, mi):
    law = SharedClusters.for_information(mi, dim)
    assert law.mutual_information() == pytest.approx(mi, abs=1e-6)
    assert 0 < law.noise.mutual_information() < mi


@pytest.mark.parametrize("dim", [1, 3])
def test_student_laws_have_the_wanted_information(dim):
    assert StudentT.for_information(5.0, dim, dof=3).mutual_information() == pytest.approx(5.0, abs=1e-9)
    least = StudentT(CorrelatedGaussian.for_information(0.0, dim), dof=3).mutual_information()
    with pytest.raises(ValueError, match=rf"StudentT\.for_information: mi must be at least {least:.4g} nats for dim"):
        StudentT.for_information(least / 2, dim, dof=3)


def test_a_rare_event_adds_what_its_mean_log_ratio_says():
    law = GaussianMixture.rare_event(0.02, correlation=0.99, shift=3.0)
    x, y = law.sample(100_000, seeded(2))
    ratios = law.log_ratio(x, y)
    assert law.mutual_information() == pytest.approx(float(ratios.mean()), abs=4 * float(ratios.std()) / math.sqrt(1e5))
    # An event that shows with certainty says: its own entropy, and its own information as often as it comes.
    far = GaussianMixture.rare_event(0.02, correlation=0.9, shift=20.0).mutual_information()
    entropy = -0.02 * math.log(0.02) - 0.98 * math.log(0.98)
    assert far == pytest.approx(entropy + 0.02 * CorrelatedGaussian(0.9).mutual_information(), abs=1e-8)


def test_wrong_input_is_refused():
    noise = CorrelatedGaussian(0.5)
    with pytest.raises(TypeError, match=r"SharedClusters: noise must be a CorrelatedGaussian, got 0\.5"):
        SharedClusters(0.5, PLACES)
    with pytest.raises(
        ValueError, match=r"SharedClusters: centres must have 2 columns, as the noise has, got shape \(3,"
    ):
        SharedClusters(noise, torch.zeros(3, 3))
    with pytest.raises(ValueError, match="centres must span at most 2 dimensions, got 3"):
        SharedClusters(CorrelatedGaussian.for_information(1.0, 2), torch.eye(4))
    with pytest.raises(ValueError, match="weights must be 3 probabilities that sum to 1"):
        SharedClusters(noise, PLACES, [0.5, 0.5, 0.5])
    with pytest.raises(ValueError, match=r"SharedClusters\.for_information: mi must lie in \[0\.7, 11\] nats, got 0"):
        SharedClusters.for_information(0.0)
    for wrong in ({"probability": 0}, {"correlation": 1.0}, {"shift": math.inf}):
        settings = {"probability": 0.1, "correlation": 0.9} | wrong
        with pytest.raises(ValueError, match=r"GaussianMixture\.rare_event: \w+ must lie in"):
            GaussianMixture.rare_event(settings.pop("probability"), **settings)
