import math

import pytest
import torch
from scipy import stats

from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.distributions.student import StudentT


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def test_two_uncorrelated_cauchy_variables_have_their_closed_form():
    assert StudentT(0.0, dof=1).mutual_information() == pytest.approx(math.log(8 * math.pi) - 3, abs=1e-12)


@pytest.mark.parametrize(
    ("gaussian", "dof"),
    [
        (CorrelatedGaussian(0.75), 1),
        (CorrelatedGaussian.sparse(3, 2, correlations=(0.8, 0.8)), 2.5),
        (CorrelatedGaussian.dense(1, 4, correlation=0.4), 5),
    ],
)
def test_truth_is_the_mean_log_ratio_of_scipys_densities(gaussian, dof):
    law, d = StudentT(gaussian, dof=dof), gaussian.dim_x
    x, y = law.sample(20_000, seeded())
    s = gaussian.covariance.numpy()
    parts = [(torch.cat([x, y], dim=1), s), (x, s[:d, :d]), (y, s[d:, d:])]
    joint, left, right = (stats.multivariate_t(shape=shape, df=dof).logpdf(rows.numpy()) for rows, shape in parts)
    ratios = joint - left - right
    assert law.mutual_information() == pytest.approx(ratios.mean(), abs=4 * ratios.std() / math.sqrt(20_000))


@pytest.mark.parametrize("dof", [0.1, 0.5, 1, 2, 30])
def test_every_column_is_a_student_variable(dof):
    x, y = StudentT(0.6, dof=dof).sample(20_000, seeded(1))
    assert torch.isfinite(x).all()
    for column in (x, y):
        assert stats.kstest(column[:, 0].numpy(), stats.t(dof).cdf).pvalue > 1e-3


def test_many_degrees_of_freedom_are_the_gaussian():
    gaussian = CorrelatedGaussian.sparse(3, 3, correlations=(0.8, 0.8))
    # The correction falls as d_x d_y / (2 dof^2), and does not drown in rounding for a huge dof.
    for dof in (1e3, 1e5, 1e12):
        extra = StudentT(gaussian, dof=dof).mutual_information() - gaussian.mutual_information()
        assert extra == pytest.approx(9 / (2 * dof**2), rel=0.02, abs=1e-10)


def test_the_two_forms_of_the_correction_meet():
    below, above = (StudentT(0.5, dof=dof).mutual_information() for dof in (19_990, 20_010))
    assert below == pytest.approx(above, abs=1e-10)


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="StudentT: dof must be positive and finite, got 0"):
        StudentT(0.5, dof=0)
    with pytest.raises(ValueError, match=r"StudentT: dof must be at least 0\.1, got 0\.05"):
        StudentT(0.5, dof=0.05)
    with pytest.raises(TypeError, match="StudentT: dof must be a number, got str"):
        StudentT(0.5, dof="1")
    with pytest.raises(ValueError, match="covariance must be symmetric and positive definite"):
        StudentT(2.0, dof=1)
    with pytest.raises(ValueError, match=r"StudentT\.sample: n must be at least 1, got 0"):
        StudentT(0.5, dof=1).sample(0, seeded())
