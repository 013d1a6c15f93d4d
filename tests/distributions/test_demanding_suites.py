"""The suites of high information and of images and sentences: truths as asked, samples as named."""

import math

import pytest
import torch

from infotorch.distributions.base import JointLaw
from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.distributions.high import high_information_suite
from infotorch.distributions.maps import heavy_tails, random_rotation
from infotorch.distributions.transformed import Transformed, WithIdleColumns
from infotorch.distributions.unstructured import image_suite, token_suite
from infotorch.estimators.discrete import discrete_mi
from infotorch.estimators.gaussian import gaussian_mi
from infotorch.estimators.kraskov import ksg


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("nats", [1.0, 4.5, 10.0])
def test_every_law_has_the_information_asked_for(nats):
    laws = high_information_suite(nats)
    assert len(laws) == 76
    for name, law in laws.items():
        assert isinstance(law, JointLaw)
        assert law.mutual_information() == pytest.approx(nats, abs=1e-6), name
        informative, idle = map(int, name.split()[-1].split("+"))
        for side in law.sample(500, seeded()):
            assert side.shape == (500, informative + idle), name
            assert side.dtype == torch.float64
            assert torch.isfinite(side).all(), name
            assert all(len(column.unique()) == 500 for column in side.T), name


@pytest.mark.parametrize("family", ["smoothed uniform", "uniform plus normal", "log-gamma"])
def test_no_column_is_louder_than_the_idle_ones(family):
    for shape in ("3+20", "1+0"):
        for side in high_information_suite(2.0)[f"{family} {shape}"].sample(20_000, seeded(8)):
            moments = torch.cov(side.T).reshape(side.shape[1], -1)
            expected = torch.eye(side.shape[1], dtype=torch.float64)
            assert torch.allclose(moments, expected, atol=0.09)  # standard error 0.02 where tails are long


def test_a_law_samples_what_its_generator_says():
    first, second = (high_information_suite(3.0)["mixture 3+20"].sample(30, seeded(1)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("shape", ["1+0", "5+5", "10+15", "3+20"])
def test_the_normal_laws_are_what_a_covariance_says(shape):
    law = high_information_suite(5.0)[f"normal {shape}"]
    estimate = gaussian_mi(*law.sample(10_000, seeded(2)))
    columns = sum(map(int, shape.split("+")))
    bias = columns**2 / 20_000
    assert float(estimate) - bias == pytest.approx(5.0, abs=4 * estimate.std_error)


@pytest.mark.parametrize("family", ["student", "uniform", "smoothed uniform", "log-gamma", "mixture", "heavy-tailed"])
def test_neighbours_find_a_low_truth_in_one_column(family):
    estimate = ksg(*high_information_suite(1.0)[f"{family} 1+0"].sample(5000, seeded(3)))
    assert float(estimate) == pytest.approx(1.0, abs=4 * estimate.std_error)


def test_idle_columns_say_nothing_and_stand_on_either_side():
    law = WithIdleColumns(CorrelatedGaussian(0.8), 2, 0)
    x, y = law.sample(20_000, seeded(4))
    assert (x.shape, y.shape) == ((20_000, 3), (20_000, 1))
    moments = torch.corrcoef(torch.cat([x, y], dim=1).T)
    truth = torch.eye(4, dtype=torch.float64)
    truth[0, 3] = truth[3, 0] = 0.8
    assert torch.allclose(moments, truth, atol=0.03)  # standard error 0.007
    turned = Transformed(law, random_rotation(3, seeded(5)))
    assert turned.mutual_information() == pytest.approx(CorrelatedGaussian(0.8).mutual_information(), abs=0)


def test_heavy_tails_fall_as_they_should():
    z = torch.tensor([0.5, 3.0, -3.0], dtype=torch.float64)
    assert heavy_tails(z).tolist() == pytest.approx([0.5 * math.exp(1 / 16), 3 * math.exp(9 / 4), -3 * math.exp(9 / 4)])


def test_images_and_sentences_say_what_their_names_say():
    for laws in (image_suite(), token_suite()):
        for name, law in laws.items():
            level = name.removesuffix("log 10").split()[-1] if not name.endswith("log 10") else math.log(10)
            assert law.mutual_information() == pytest.approx(float(level), abs=1e-9), name
            x, y = law.sample(20, seeded(6))
            assert x.shape[1:] in {(16, 16), (16,)}, name
            assert y.shape[1:] in {(16, 16), (16,), ()}, name


def test_the_classes_of_sentences_have_the_information_of_the_pairs():
    x, y = token_suite()["sentence pairs 1.5"].sample(20_000, seeded(7))
    topics = [((side - 100).clamp(min=-1) // 50).amax(dim=1) for side in (x, y)]
    estimate = discrete_mi(*topics, correction="miller-madow")
    assert float(estimate) == pytest.approx(1.5, abs=4 * estimate.std_error)


@pytest.mark.parametrize("wrong", [0.5, 10.5, math.nan])
def test_information_out_of_range_is_refused(wrong):
    with pytest.raises(ValueError, match=r"high_information_suite: nats must lie in \[1, 10\] nats, got"):
        high_information_suite(wrong)


def test_wrong_idle_columns_are_refused():
    with pytest.raises(ValueError, match="WithIdleColumns: idle_y must be at least 0, got -1"):
        WithIdleColumns(CorrelatedGaussian(0.5), 0, -1)
    with pytest.raises(TypeError, match=r"WithIdleColumns: idle_x must be an integer, got 1\.0"):
        WithIdleColumns(CorrelatedGaussian(0.5), 1.0)
    with pytest.raises(TypeError, match="WithIdleColumns: a law must have sample and mutual_information, got 3"):
        WithIdleColumns(3)
