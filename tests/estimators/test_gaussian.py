import numpy as np
import pytest
import torch

from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.estimators.gaussian import gaussian_mi


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def random_law(dx, dy, seed=0):
    root = torch.randn(dx + dy, dx + dy, generator=seeded(seed), dtype=torch.float64)
    return CorrelatedGaussian(root @ root.T + 0.5 * torch.eye(dx + dy), dim_x=dx)


def test_one_column_each_is_the_correlation_coefficient():
    x, y = CorrelatedGaussian(0.6).sample(50, seeded(1))
    r = np.corrcoef(x[:, 0], y[:, 0])[0, 1]
    assert float(gaussian_mi(x, y)) == pytest.approx(-0.5 * np.log1p(-(r**2)), abs=1e-12)


@pytest.mark.parametrize(("dx", "dy"), [(2, 3), (5, 1)])
def test_equals_the_determinants_of_numpy(dx, dy):
    x, y = random_law(dx, dy).sample(60, seeded(2))
    joint = np.cov(torch.cat([x, y], dim=1).T)
    det = np.linalg.det
    expected = 0.5 * np.log(det(np.atleast_2d(joint[:dx, :dx])) * det(np.atleast_2d(joint[dx:, dx:])) / det(joint))
    assert float(gaussian_mi(x, y)) == pytest.approx(expected, abs=1e-9)


def test_finds_the_information_and_covers_it():
    law, generator = random_law(2, 2), seeded(3)
    estimates = [gaussian_mi(*law.sample(500, generator)) for _ in range(100)]
    truth = law.mutual_information()
    assert np.mean([float(e) for e in estimates]) == pytest.approx(truth + 4 / 1000, abs=0.02)  # bias d_x d_y / (2n)
    assert 0.88 <= np.mean([abs(float(e) - truth) < 1.96 * e.std_error for e in estimates]) <= 0.99


def test_does_not_see_linear_maps():
    x, y = random_law(3, 2).sample(100, seeded(4))
    mix = torch.randn(3, 3, generator=seeded(5), dtype=torch.float64)
    assert float(gaussian_mi(1e6 * x @ mix + 7, -y)) == pytest.approx(float(gaussian_mi(x, y)), abs=1e-7)


def test_constant_columns_are_left_out():
    x, y = random_law(2, 2).sample(100, seeded(6))
    padded = torch.cat([x, torch.full((100, 1), 0.1)], dim=1)
    assert float(gaussian_mi(padded, y)) == pytest.approx(float(gaussian_mi(x, y)), abs=1e-12)
    dead = gaussian_mi(torch.full((100, 2), 0.1), y)
    assert float(dead) == 0
    assert dead.std_error == pytest.approx(0, abs=1e-12)


def test_gradient():
    x, y = random_law(2, 2).sample(12, seeded(7))
    inputs = (x.clone().requires_grad_(), y.clone().requires_grad_())
    assert torch.autograd.gradcheck(lambda a, b: gaussian_mi(a, b).value, inputs)


def test_types_and_state():
    x, y = random_law(2, 2).sample(40, seeded(8))
    before, state = x.clone(), torch.get_rng_state()
    assert gaussian_mi(x.float(), y.float()).value.dtype == torch.float32
    assert gaussian_mi(x.float(), y).value.dtype == torch.float64
    assert gaussian_mi((10 * x).long(), y.half()).std_error > 0
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_wrong_input_is_refused():
    x, y = random_law(2, 2).sample(30, seeded(9))
    with pytest.raises(ValueError, match=r"gaussian_mi: needs more rows than columns .*, got 4 rows.*4 columns"):
        gaussian_mi(x[:4], y[:4])
    with pytest.raises(ValueError, match="gaussian_mi: the covariance of x and y must not be singular"):
        gaussian_mi(x, x.sum(dim=1))
    with pytest.raises(ValueError, match="gaussian_mi: x and y must be paired"):
        gaussian_mi(x, y[1:])
