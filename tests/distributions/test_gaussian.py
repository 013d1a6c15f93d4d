import math

import pytest
import torch

from infotorch.distributions.gaussian import CorrelatedGaussian


def canonical_information(law):
    """I = -1/2 sum log(1 - rho_i^2) over canonical correlations: another road than log-determinants."""
    d, s = law.dim_x, law.covariance
    x, y = (torch.linalg.cholesky(block) for block in (s[:d, :d], s[d:, d:]))
    between = torch.linalg.solve_triangular(x, s[:d, d:], upper=False)
    between = torch.linalg.solve_triangular(y, between.T, upper=False)
    return -0.5 * float((-(torch.linalg.svdvals(between) ** 2)).log1p().sum())


@pytest.mark.parametrize(
    "law",
    [
        CorrelatedGaussian.dense(3, 2, correlation=0.5),
        CorrelatedGaussian.dense(4, 4, correlation=-0.1),
        CorrelatedGaussian.sparse(5, 3, correlations=(0.8, -0.4)),
        CorrelatedGaussian.low_rank([[1.0, 0.0], [2.0, 1.0], [0.0, 0.5]], [[1.0, 1.0]], noise_std=0.7),
        CorrelatedGaussian.for_information(2.5, dim=4),
    ],
)
def test_every_shape_agrees_with_canonical_correlations(law):
    assert law.mutual_information() == pytest.approx(canonical_information(law), abs=1e-12)
    x, y = law.sample(20_000, torch.Generator().manual_seed(0))
    assert x.shape[1] == law.dim_x
    largest = float(law.covariance.diagonal().max())
    moments = torch.cov(torch.cat([x, y], dim=1).T)
    assert torch.allclose(moments, law.covariance, atol=0.05 * largest)  # standard error at most 0.01 of the largest


def test_dense_has_its_closed_form():
    # All variables share one source: the sums of X and of Y carry everything.
    d, c = 3, 0.5
    between = d * c / (1 + (d - 1) * c)
    law = CorrelatedGaussian.dense(d, d, correlation=c)
    assert law.mutual_information() == pytest.approx(-0.5 * math.log1p(-(between**2)), abs=1e-12)


def test_sparse_pairs_add_up():
    law = CorrelatedGaussian.sparse(4, 6, correlations=(0.8, -0.8))
    assert law.mutual_information() == pytest.approx(-math.log(0.36), abs=1e-12)
    assert CorrelatedGaussian.sparse(2, 2, correlations=()).mutual_information() == 0


def test_low_rank_has_its_closed_form():
    law = CorrelatedGaussian.low_rank([[2.0]], [[2.0]], noise_std=1.0)
    assert law.mutual_information() == pytest.approx(-0.5 * math.log1p(-(0.8**2)), abs=1e-12)


@pytest.mark.parametrize("dim", [1, 3, 20])
@pytest.mark.parametrize("mi", [0.0, 1e-9, 0.3, 5.0])
def test_a_law_for_a_wanted_information_has_it(mi, dim):
    law = CorrelatedGaussian.for_information(mi, dim)
    assert law.mutual_information() == pytest.approx(mi, rel=1e-6, abs=1e-14)
    assert law.dim_x == dim == len(law.covariance) - dim


def test_wrong_shapes_are_refused():
    with pytest.raises(ValueError, match=r"dense: correlation must lie in \(-0\.3333, 1\) for 4 variables, got -0\.5"):
        CorrelatedGaussian.dense(2, 2, correlation=-0.5)
    with pytest.raises(ValueError, match="dense: dim_x must be at least 1, got 0"):
        CorrelatedGaussian.dense(0, 2, correlation=0.5)
    with pytest.raises(TypeError, match=r"sparse: dim_y must be an integer, got 2\.5"):
        CorrelatedGaussian.sparse(2, 2.5, correlations=())
    with pytest.raises(TypeError, match="dense: correlation must be a number, got str"):
        CorrelatedGaussian.dense(2, 2, correlation="a")
    with pytest.raises(TypeError, match="sparse: correlations must be a list, got float"):
        CorrelatedGaussian.sparse(2, 2, correlations=0.5)
    with pytest.raises(TypeError, match="sparse: each correlation must be a number, got str"):
        CorrelatedGaussian.sparse(2, 2, correlations=["a"])
    with pytest.raises(TypeError, match=r"CorrelatedGaussian: dim_x must be an integer, got 1\.5"):
        CorrelatedGaussian(0.5, dim_x=1.5)
    for bad in ((0.5, 0.5), (1.0,)):
        with pytest.raises(ValueError, match=r"sparse: correlations must be at most 1 numbers in \(-1, 1\), got \["):
            CorrelatedGaussian.sparse(1, 3, correlations=bad)
    with pytest.raises(ValueError, match=r"low_rank: loadings must be matrices .*, got shapes \(1, 1\) and \(1, 2\)"):
        CorrelatedGaussian.low_rank([[1.0]], [[1.0, 2.0]])
    with pytest.raises(ValueError, match="low_rank: noise_std must be positive and finite, got 0"):
        CorrelatedGaussian.low_rank([[1.0]], [[1.0]], noise_std=0)
    assert CorrelatedGaussian.low_rank([[1.0]], [[1.0]], noise_std=2**62).mutual_information() == pytest.approx(0)
    with pytest.raises(ValueError, match="for_information: mi must be finite and at least 0 nats, got -1"):
        CorrelatedGaussian.for_information(-1)
    with pytest.raises(TypeError, match="for_information: mi must be a number, got str"):
        CorrelatedGaussian.for_information("1")
    with pytest.raises(ValueError, match="for_information: mi must be below 18 nats here, got 50"):
        CorrelatedGaussian.for_information(50)
