import math

import pytest
import torch

from infotorch.distributions.base import JointLaw
from infotorch.distributions.discrete import BinarySymmetricChannel, DiscreteJoint
from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.distributions.uniform import AdditiveUniformNoise

LAWS = [CorrelatedGaussian(0.5), BinarySymmetricChannel(0.2), DiscreteJoint([[0.5, 0.5]]), AdditiveUniformNoise(0.3)]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("law", LAWS)
def test_sampling_is_a_function_of_the_generator(law):
    assert isinstance(law, JointLaw)
    state = torch.get_rng_state()
    x, y = law.sample(50, seeded(1))
    assert len(x) == len(y) == 50
    assert all(torch.equal(a, b) for a, b in zip(law.sample(50, seeded(1)), (x, y), strict=True))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("rho", [-0.9, 0.0, 0.5])
def test_correlated_gaussian_has_its_closed_form(rho):
    law = CorrelatedGaussian(rho)
    assert law.mutual_information() == pytest.approx(-0.5 * math.log1p(-(rho**2)), abs=1e-12)
    x, y = law.sample(20_000, seeded(2))
    moments = torch.cov(torch.cat([x, y], dim=1).T)
    assert torch.allclose(moments, law.covariance, atol=0.04)  # standard error 0.01


def test_gaussian_blocks_add_up():
    law = CorrelatedGaussian([[1, 0, 0.6, 0], [0, 4, 0, 1], [0.6, 0, 1, 0], [0, 1, 0, 1]], dim_x=2)
    assert law.mutual_information() == pytest.approx(-0.5 * (math.log(1 - 0.36) + math.log(1 - 0.25)))
    x, y = law.sample(3, seeded(0))
    assert x.shape == y.shape == (3, 2)


def test_binary_symmetric_channel_has_its_closed_form():
    p = 0.2
    flip_entropy = -p * math.log(p) - (1 - p) * math.log(1 - p)
    assert BinarySymmetricChannel(p).mutual_information() == pytest.approx(math.log(2) - flip_entropy)
    assert BinarySymmetricChannel(0.0, p_one=p).mutual_information() == pytest.approx(flip_entropy)
    assert BinarySymmetricChannel(0.5).mutual_information() == pytest.approx(0, abs=1e-12)
    x, y = BinarySymmetricChannel(p).sample(20_000, seeded(3))
    assert float((x != y).double().mean()) == pytest.approx(p, abs=0.012)  # standard error 0.003


def test_discrete_joint_samples_its_table():
    law = DiscreteJoint([[0.1, 0.2, 0.0], [0.3, 0.0, 0.4]])
    x, y = law.sample(20_000, seeded(4))
    counts = torch.bincount(3 * x + y, minlength=6).reshape(2, 3) / 20_000
    assert torch.allclose(counts.double(), law.table, atol=0.015)  # standard error 0.0035


@pytest.mark.parametrize("half_width", [0.05, 0.5, 2.0])
def test_uniform_noise_by_integration(half_width):
    law = AdditiveUniformNoise(half_width)
    # h(Y) of the trapezoid density, by midpoints, minus h(N) = log(2h).
    t = torch.linspace(-half_width, 1 + half_width, 400_001, dtype=torch.float64)
    t = (t[1:] + t[:-1]) / 2
    density = ((t + half_width).clamp(max=1) - (t - half_width).clamp(min=0)) / (2 * half_width)
    entropy = -float(torch.xlogy(density, density).sum()) * (1 + 2 * half_width) / 400_000
    assert law.mutual_information() == pytest.approx(entropy - math.log(2 * half_width), abs=1e-6)
    x, y = law.sample(1000, seeded(5))
    assert float((y - x).abs().max()) <= half_width
    assert 0 <= float(x.min()) <= float(x.max()) <= 1


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match=r"CorrelatedGaussian: covariance must be square, got shape \(1, 2\)"):
        CorrelatedGaussian([[1.0, 0.0]])
    with pytest.raises(ValueError, match="CorrelatedGaussian: dim_x must be between 1 and 1, got 2"):
        CorrelatedGaussian(0.5, dim_x=2)
    for bad in (1.0, [[1.0, 0.2], [0.5, 1.0]]):
        with pytest.raises(ValueError, match="CorrelatedGaussian: covariance must be symmetric and positive definite"):
            CorrelatedGaussian(bad)
    with pytest.raises(ValueError, match=r"DiscreteJoint: table must be a matrix, got shape \(2,\)"):
        DiscreteJoint([0.5, 0.5])
    with pytest.raises(ValueError, match=r"DiscreteJoint: table must hold probabilities that sum to 1, got sum 0\.7"):
        DiscreteJoint([[0.5, 0.2]])
    with pytest.raises(ValueError, match=r"BinarySymmetricChannel: flip_probability must lie in \[0, 1\], got 2"):
        BinarySymmetricChannel(2)
    with pytest.raises(ValueError, match="AdditiveUniformNoise: half_width must be positive and finite, got 0"):
        AdditiveUniformNoise(0)


@pytest.mark.parametrize("law", LAWS)
def test_wrong_sample_size_is_refused(law):
    with pytest.raises(ValueError, match="sample: n must be at least 1, got 0"):
        law.sample(0, seeded())
    with pytest.raises(TypeError, match=r"sample: n must be an integer, got 1\.0"):
        law.sample(1.0, seeded())


@pytest.mark.parametrize("law", LAWS)
def test_without_a_generator_every_sample_is_fresh(law):
    state = torch.get_rng_state()
    first, again = (torch.cat([part.flatten().double() for part in law.sample(200)]) for _ in range(2))
    assert not torch.equal(first, again)
    assert torch.equal(torch.get_rng_state(), state)
    with pytest.raises(TypeError, match=r"generator must be a torch\.Generator or None, got int"):
        law.sample(2, 0)
