import math

import numpy as np
import pytest
import torch

from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.estimators.gaussian import (
    average_normal_scores,
    canonical_correlations,
    gaussian_copula_mi,
    gaussian_mi,
    gaussian_mi_cca,
)


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
    with pytest.raises(ValueError, match=r"gaussian_mi: needs more samples than columns .*, got 4 samples.*4 columns"):
        gaussian_mi(x[:4], y[:4])
    with pytest.raises(ValueError, match="gaussian_mi: the covariance of x and y must not be singular"):
        gaussian_mi(x, x.sum(dim=1))
    with pytest.raises(ValueError, match="gaussian_mi: x and y must be paired"):
        gaussian_mi(x, y[1:])


def test_unbiased_is_unbiased_from_very_few_rows():
    law, generator = random_law(2, 3, seed=11), seeded(10)
    values = torch.tensor([float(gaussian_mi(*law.sample(8, generator), unbiased=True)) for _ in range(1000)])
    raw = float(gaussian_mi(*law.sample(8, generator)))
    assert float(values.mean()) == pytest.approx(law.mutual_information(), abs=3 * float(values.std()) / 1000**0.5)
    assert raw > law.mutual_information()  # the plug-in value is about a nat too high here
    assert gaussian_mi(*law.sample(8, generator), unbiased=True).estimator == "gaussian_mi unbiased"


@pytest.mark.parametrize("scale", [1e-310, 1e-200, 1e200, 1e307])
def test_any_scale_gives_the_same(scale):
    x, y = random_law(2, 2).sample(100, seeded(12))
    for estimator in (gaussian_mi, gaussian_mi_cca, gaussian_copula_mi):
        expected = estimator(x, y)
        assert float(estimator(x * scale, y)) == pytest.approx(float(expected), abs=1e-9)
        assert estimator(x * scale, y).std_error == pytest.approx(expected.std_error, abs=1e-9)


@pytest.mark.parametrize(("dx", "dy"), [(1, 1), (2, 3), (5, 2), (6, 6)])
def test_canonical_correlations_give_the_log_determinants(dx, dy):
    x, y = random_law(dx, dy, seed=dx).sample(80, seeded(13))
    rho = canonical_correlations(x, y)
    expected = gaussian_mi(x, y)
    estimate = gaussian_mi_cca(x, y)
    assert rho.shape == (min(dx, dy),)
    assert bool((rho[:-1] >= rho[1:]).all())
    assert float(estimate) == pytest.approx(float(expected), abs=1e-9)
    assert estimate.std_error == pytest.approx(expected.std_error, abs=1e-9)
    assert -0.5 * float(torch.log1p(-(rho**2)).sum()) == pytest.approx(float(estimate), abs=1e-12)


def test_canonical_correlations_are_those_of_scikit_learn():
    cross_decomposition = pytest.importorskip("sklearn.cross_decomposition")
    x, y = random_law(3, 2, seed=5).sample(100, seeded(14))
    theirs = cross_decomposition.CCA(n_components=2, max_iter=10_000, tol=1e-12).fit_transform(x.numpy(), y.numpy())
    expected = [np.corrcoef(theirs[0][:, i], theirs[1][:, i])[0, 1] for i in range(2)]
    assert canonical_correlations(x, y).tolist() == pytest.approx(expected, abs=1e-6)


def test_the_first_components_give_what_the_best_linear_maps_tell():
    law = CorrelatedGaussian.sparse(3, 4, correlations=(0.9, 0.6, 0.3))
    mix = torch.randn(3, 3, generator=seeded(15), dtype=torch.float64)
    x, y = law.sample(20_000, seeded(16))
    information = [-0.5 * math.log1p(-r * r) for r in (0.9, 0.6, 0.3)]
    for r in (1, 2, 3):
        estimate = gaussian_mi_cca(x @ mix, y, num_components=r)
        assert float(estimate) == pytest.approx(sum(information[:r]), abs=4 * estimate.std_error)
        assert estimate.estimator == f"gaussian_mi_cca num_components={r}"


def test_standard_error_of_the_first_component_is_the_spread():
    law, generator = CorrelatedGaussian.sparse(2, 2, correlations=(0.8, 0.4)), seeded(17)
    estimates = [gaussian_mi_cca(*law.sample(400, generator), num_components=1) for _ in range(150)]
    spread = float(torch.tensor([float(e) for e in estimates]).std())
    assert np.mean([e.std_error for e in estimates]) == pytest.approx(spread, rel=0.18)  # s.e. of the spread is 6 %


def test_gradients_of_the_canonical_form():
    x, y = random_law(2, 2).sample(12, seeded(7))
    inputs = (x.clone().requires_grad_(), y.clone().requires_grad_())
    assert torch.autograd.gradcheck(canonical_correlations, inputs)
    assert torch.autograd.gradcheck(lambda a, b: gaussian_mi_cca(a, b, num_components=1).value, inputs)


def test_canonical_correlations_at_their_ends():
    x, y = random_law(3, 2).sample(50, seeded(18))
    exact = canonical_correlations(x, x[:, :2] + x[:, 2:])
    assert exact.tolist() == pytest.approx([1, 1], abs=1e-12)
    assert float(exact.max()) <= 1
    constant = torch.full((50, 2), 0.1)
    assert canonical_correlations(constant, y).numel() == 0
    for estimator in (gaussian_mi_cca, gaussian_copula_mi):
        assert float(estimator(constant, y)) == 0
        assert estimator(constant, y).std_error == pytest.approx(0, abs=1e-12)
    assert canonical_correlations(x.float(), y.half()).dtype == torch.float32


def test_copula_sees_no_increasing_map_of_a_column():
    x, y = random_law(2, 2).sample(500, seeded(19))
    value = float(gaussian_copula_mi(x, y))
    assert float(gaussian_copula_mi(x.exp(), y**3)) == value
    assert float(gaussian_copula_mi(-x, y)) == pytest.approx(value, abs=1e-12)
    wild = x.clone()
    wild[x.argmax(dim=0), [0, 1]] = 1e300
    assert float(gaussian_copula_mi(wild, y)) == value


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.95])
def test_copula_finds_the_information_behind_heavy_tails(rho):
    law = CorrelatedGaussian(rho)
    x, y = law.sample(5000, seeded(20))
    estimate = gaussian_copula_mi(x.sinh().sinh(), y.exp())
    assert float(estimate) == pytest.approx(law.mutual_information(), abs=4 * max(estimate.std_error, 1e-4))


def test_copula_lies_below_the_truth_for_one_column_of_another_copula():
    x = torch.randn(5000, generator=seeded(21), dtype=torch.float64)
    y = x * (torch.randint(2, (5000,), generator=seeded(22)) * 2 - 1)  # normal itself; I is infinite, correlation 0
    assert float(gaussian_copula_mi(x, y)) < 0.01


def test_ties_share_their_mean_rank():
    rows = torch.tensor([[3.0, 0.0], [1.0, 0.0], [3.0, 0.0], [7.0, 0.0]])
    expected = torch.special.ndtri(
        torch.tensor([[2.5, 2.5], [1.0, 2.5], [2.5, 2.5], [4.0, 2.5]], dtype=torch.float64) / 5
    )
    assert torch.allclose(average_normal_scores(rows), expected, atol=1e-15)
    # Ties broken by row order would make two sorted half-empty columns dependent.
    x = torch.tensor([0.0] * 50 + [1.0] * 50)
    y = torch.tensor([0.0, 1.0] * 50)
    assert float(gaussian_copula_mi(x, y)) == pytest.approx(0, abs=1e-12)


def test_no_gradient_through_ranks_and_no_change_of_the_input():
    x, y = random_law(2, 2).sample(40, seeded(8))
    before, state = x.clone(), torch.get_rng_state()
    assert not gaussian_copula_mi(x.clone().requires_grad_(), y).value.requires_grad
    assert gaussian_copula_mi(x.numpy(), (100 * y).long(), unbiased=True).estimator == "gaussian_copula_mi unbiased"
    assert canonical_correlations(x.t().contiguous().t(), y).dtype == torch.float64
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_wrong_input_of_the_other_forms_is_refused():
    x, y = random_law(2, 2).sample(30, seeded(9))
    for function in (canonical_correlations, gaussian_mi_cca, gaussian_copula_mi):
        name = function.__name__
        with pytest.raises(ValueError, match=rf"{name}: needs more samples than columns .*, got 4 samples.*4 columns"):
            function(x[:4], y[:4])
        with pytest.raises(ValueError, match=f"{name}: x and y must be paired"):
            function(x, y[1:])
        with pytest.raises(ValueError, match=f"{name}: y must be finite"):
            function(x, y * math.nan)
        with pytest.raises(ValueError, match=f"{name}: the covariance of x and y must not be singular"):
            function(torch.cat([x, x[:, :1]], dim=1), y)
        with pytest.raises(TypeError, match=f"{name}: x must hold real numbers"):
            function(x + 1j, y)
    with pytest.raises(ValueError, match="gaussian_mi_cca: the covariance of x and y must not be singular"):
        gaussian_mi_cca(x, x[:, 0] - x[:, 1])
    with pytest.raises(ValueError, match="gaussian_mi_cca: num_components must be at most 2, got 3"):
        gaussian_mi_cca(x, y, num_components=3)
    with pytest.raises(ValueError, match="gaussian_mi_cca: num_components must be at least 1, got 0"):
        gaussian_mi_cca(x, y, num_components=0)
    with pytest.raises(TypeError, match=r"gaussian_mi_cca: num_components must be an integer, got 1\.0"):
        gaussian_mi_cca(x, y, num_components=1.0)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("estimator", "instead"),
    [
        (gaussian_mi, "take unbiased=True,"),
        (gaussian_copula_mi, "take unbiased=True,"),
        (gaussian_mi_cca, "take gaussian_mi with unbiased=True,"),
    ],
)
def test_a_fit_to_few_samples_says_how_far_it_lies_too_high(estimator, instead):
    x, y = torch.randn(2, 100, 6, generator=seeded(20), dtype=torch.float64)
    with pytest.warns(UserWarning, match=f"6 and 6 columns lie 0.19 nats too high on average; {instead}"):
        found = estimator(x, y)
    assert not found.reliable
    # 6 * 6 / (2 * 100) to first order: the exact mean of the determinants of Wishart matrices is 0.194.
    assert abs(float(found)) < 1.96 * found.std_error < 0.6
    assert estimator(x[:, :2], y[:, :2]).reliable


def test_less_its_bias_no_fit_is_doubted():
    x, y = torch.randn(2, 100, 6, generator=seeded(20), dtype=torch.float64)
    assert gaussian_mi(x, y, unbiased=True).reliable
    assert gaussian_mi(x, y, unbiased=True).reason == ""
