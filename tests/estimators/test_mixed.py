import math

import pytest
import torch
from scipy.special import digamma
from tests.reference import neighbours as slow

from infotorch.distributions.discrete import BinarySymmetricChannel
from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.estimators.kraskov import ksg
from infotorch.estimators.mixed import mixed_ksg


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def rectified(n, columns, seed=0):
    x = torch.randn(n, columns, generator=seeded(seed), dtype=torch.float64)
    return x.relu(), (x + 0.5 * torch.randn(n, columns, generator=seeded(seed + 1), dtype=torch.float64)).relu()


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("columns", [1, 3, 12])
@pytest.mark.parametrize("k", [1, 3, 5])
def test_equals_the_authors_code(columns, k):
    x, y = rectified(50, columns)
    y = y.round()
    for a, b in ((x, y), (y, x), (10 * x, 100 * y)):
        expected = slow.mixed_ksg(a.numpy(), b.numpy(), k)
        assert float(mixed_ksg(a, b, k=k, shrink=1e-15)) == pytest.approx(expected, abs=1e-9)


def test_on_a_density_it_is_ksg_with_log_n():
    x, y = CorrelatedGaussian(0.7).sample(400, seeded(1))
    expected = float(ksg(x, y)) - digamma(400) + math.log(400)
    assert float(mixed_ksg(x, y)) == pytest.approx(expected, abs=1e-9)


def test_finds_the_information_of_a_binary_channel():
    law = BinarySymmetricChannel(0.1)
    x, y = law.sample(2000, seeded(2))
    assert float(mixed_ksg(x, y)) == pytest.approx(law.mutual_information(), abs=0.04)  # spread 0.015 at n = 2000


def test_finds_the_information_of_uniform_noise_on_an_integer():
    """X uniform on 0..4, Y = X + U(0, 2): I = log 5 - 4/5 log 2 (Gao et al. 2017, experiment I)."""
    x = torch.randint(5, (2000,), generator=seeded(3))
    y = x + 2 * torch.rand(2000, generator=seeded(4), dtype=torch.float64)
    assert float(mixed_ksg(x, y)) == pytest.approx(math.log(5) - 0.8 * math.log(2), abs=0.05)  # spread 0.015


@pytest.mark.parametrize("columns", [1, 10])
def test_constant_input_has_next_to_no_information(columns):
    varied = torch.randn(100, columns, generator=seeded(5))
    for y in (varied, torch.zeros(100)):
        assert float(mixed_ksg(torch.full((100, columns), 0.3), y)) == pytest.approx(1 / 200, abs=1e-4)


def test_ceiling_is_reached_by_a_copy():
    x, _ = CorrelatedGaussian(0.5).sample(100, seeded(1))
    estimate = mixed_ksg(x, x)
    assert float(estimate) == pytest.approx(estimate.ceiling, abs=1e-9) == math.log(100) - digamma(3)


def test_caller_and_global_state_are_untouched():
    x, y = rectified(100, 2)
    before, state = (x.clone(), y.clone()), torch.get_rng_state()
    assert mixed_ksg(x, y).std_error > 0
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])
    assert torch.equal(torch.get_rng_state(), state)


def test_wrong_input_is_refused():
    x, y = rectified(10, 1)
    with pytest.raises(ValueError, match="mixed_ksg: x and y must be paired"):
        mixed_ksg(x, y[1:])
    with pytest.raises(ValueError, match="mixed_ksg: needs more samples than neighbours, got 10 samples for k = 12"):
        mixed_ksg(x, y, k=12)
    with pytest.raises(ValueError, match="mixed_ksg: y must be finite"):
        mixed_ksg(x, y / 0)


def test_numbers_of_any_size_have_the_information_of_ordinary_ones():
    x, y = CorrelatedGaussian(0.8).sample(300, seeded())
    ordinary = float(mixed_ksg(x, y))
    for power in (-1000, -60, -50):  # 1e-15 is larger than most of these distances, or all
        assert float(mixed_ksg(x * 2.0**power, y * 2.0**power)) == pytest.approx(ordinary, abs=1e-9)


@pytest.mark.parametrize("factor", [1e-6, 1e-3, 10.0, 1e3, 1e6])
def test_a_common_factor_changes_nothing(factor):
    """At 1e3 the authors' 1e-15 is lost in the radius, and the k-th neighbour counts: 0.34 in place of 0.39."""
    x = torch.randn(1000, 2, generator=seeded())
    y = x[:, 0] + torch.randn(1000, generator=seeded(1))
    ordinary = float(mixed_ksg(x, y))
    assert float(mixed_ksg(factor * x, factor * y)) == pytest.approx(ordinary, abs=2e-3)  # float32's rounding
    authors = [float(mixed_ksg(c * x, c * y, shrink=1e-15)) for c in (1.0, 1e3)]
    assert authors[0] == ordinary
    assert authors[1] < ordinary - 0.03


def test_the_authors_tie_is_an_absolute_one():
    labels = torch.arange(200, dtype=torch.float64) % 2
    nearly = labels + 1e-17 * torch.arange(200) * (labels == 0)  # saturated outputs: 0, 2e-17, 4e-17, ... against 1
    tied = float(mixed_ksg(labels, labels))
    assert float(mixed_ksg(nearly, labels, shrink=1e-15)) == pytest.approx(tied, abs=1e-12)
    assert float(mixed_ksg(1e-16 * labels, 1e-16 * labels)) == tied
    assert float(mixed_ksg(1e-16 * labels, 1e-16 * labels, shrink=1e-15)) < 0.01
    with pytest.raises(ValueError, match="mixed_ksg: shrink must be positive and finite, got 0"):
        mixed_ksg(labels, labels, shrink=0)
