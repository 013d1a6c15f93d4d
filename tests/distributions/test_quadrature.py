import math

import pytest
import torch

from infotorch.distributions.quadrature import normal_expectation


@pytest.mark.parametrize("power", [0, 2, 4, 6, 8])
def test_moments_of_the_normal_law(power):
    truth = math.prod(range(1, power, 2))
    assert normal_expectation(lambda z: z[:, 0] ** power) == pytest.approx(truth, rel=1e-12)
    assert normal_expectation(lambda z: z[:, 1] ** power * z[:, 0] ** 2, dim=2) == pytest.approx(truth, rel=1e-11)


def test_exponentials_and_waves():
    assert normal_expectation(lambda z: torch.exp(z[:, 0])) == pytest.approx(math.exp(0.5), rel=1e-13)
    assert normal_expectation(lambda z: torch.cos(3 * z[:, 0] + z[:, 1]), dim=2) == pytest.approx(math.exp(-5))


@pytest.mark.parametrize("separation", [1.0, 20.0, 100.0])
def test_a_kink_that_is_smooth_on_the_grid(separation):
    # E softplus(s (z - 1)) - E softplus(-s (z - 1)) = E s (z - 1) = -s.
    both = [
        normal_expectation(lambda z, sign=sign: torch.nn.functional.softplus(sign * separation * (z[:, 0] - 1)))
        for sign in (1, -1)
    ]
    assert both[0] - both[1] == pytest.approx(-separation, rel=1e-11)
