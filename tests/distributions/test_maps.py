import math

import numpy as np
import pytest
import torch
from scipy import stats

from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.distributions.maps import (
    Linear,
    Spiral,
    bimodal,
    half_cube,
    normal_cdf,
    random_rotation,
    swiss_roll,
    wiggly,
)
from infotorch.distributions.transformed import Stacked, Transformed
from infotorch.distributions.uniform import AdditiveUniformNoise


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def normal(*shape):
    return torch.randn(*shape, generator=seeded(), dtype=torch.float64)


@pytest.mark.parametrize("map_", [half_cube, normal_cdf, bimodal, wiggly, torch.asinh])
def test_maps_of_single_values_keep_their_order(map_):
    values = normal(1000, 2)
    before = values.clone()
    assert torch.equal(map_(values).argsort(dim=0), values.argsort(dim=0))
    assert torch.equal(values, before)
    assert map_(values.float()).dtype == torch.float32


def test_normal_columns_become_what_the_maps_say():
    values = normal(20_000, 1)
    assert stats.kstest(normal_cdf(values)[:, 0].numpy(), "uniform").pvalue > 1e-3
    line = torch.linspace(-30, 30, 601, dtype=torch.float64)

    def mixture_log_cdf(t):
        return np.logaddexp(stats.norm.logcdf(t, -3), stats.norm.logcdf(t, 3)) - math.log(2)

    lower = line[line <= 0].numpy()
    assert mixture_log_cdf(bimodal(line)[line <= 0].numpy()) == pytest.approx(stats.norm.logcdf(lower), rel=1e-9)
    assert torch.equal(bimodal(-line), -bimodal(line))
    assert half_cube(torch.tensor([-9.0, 0.0, 4.0])).tolist() == [-27.0, 0.0, 8.0]


def test_a_spiral_turns_back_and_keeps_volumes():
    rows = normal(50, 4)
    turned = Spiral(0.7, plane=(1, 3))(rows)
    assert torch.allclose(torch.linalg.vector_norm(turned, dim=1), torch.linalg.vector_norm(rows, dim=1))
    assert torch.equal(turned[:, [0, 2]], rows[:, [0, 2]])
    assert torch.allclose(Spiral(-0.7, plane=(1, 3))(turned), rows)
    for row in rows[:5]:
        jacobian = torch.autograd.functional.jacobian(lambda row: Spiral(0.7, plane=(1, 3))(row[None])[0], row)
        assert float(torch.linalg.det(jacobian)) == pytest.approx(1)


def test_the_swiss_roll_can_be_unrolled():
    u = torch.rand(1000, 1, generator=seeded(), dtype=torch.float64)
    t = 21 * torch.linalg.vector_norm(swiss_roll(u), dim=1)
    assert torch.allclose((t / (1.5 * math.pi) - 1) / 2, u[:, 0])


def test_linear_maps_multiply_scale_and_embed():
    rows = normal(10, 2)
    assert torch.allclose(Linear([[1.0, 2.0], [0.0, 1.0]])(rows)[:, 0], rows[:, 0] + 2 * rows[:, 1])
    scales = torch.tensor([1e-200, 1e200], dtype=torch.float64)
    assert torch.allclose(Linear(scales)(rows) / scales, rows)
    assert Linear([0.5])(torch.ones(1, 1, dtype=torch.int64)).tolist() == [[0.5]]
    assert Linear(np.eye(3)[:, :2])(rows.float()).shape == (10, 3)


def test_rotations_are_uniform():
    generator = seeded(3)
    turns = torch.stack([random_rotation(3, generator).matrix for _ in range(2000)])
    assert torch.allclose(turns @ turns.mT, torch.eye(3, dtype=torch.float64).expand(2000, 3, 3), atol=1e-12)
    # Uniform: every entry has mean 0 and variance 1/3 (standard errors 0.013 and 0.0067).
    assert float(turns.mean(dim=0).abs().max()) < 0.05
    assert float((turns.var(dim=0) - 1 / 3).abs().max()) < 0.03


def test_transformed_keeps_information_and_maps_both_sides():
    law = CorrelatedGaussian.sparse(2, 3, correlations=(0.8,))
    turned = Transformed(law, Spiral(1.0), half_cube)
    x, y = law.sample(20, seeded(1))
    u, v = turned.sample(20, seeded(1))
    assert torch.equal(u, Spiral(1.0)(x))
    assert torch.equal(v, half_cube(y))
    assert turned.mutual_information() == law.mutual_information()
    assert all(torch.equal(a, b) for a, b in zip(Transformed(law).sample(20, seeded(1)), (x, y), strict=True))


def test_stacked_laws_are_independent_and_add_up():
    law = Stacked(CorrelatedGaussian(0.8), AdditiveUniformNoise(0.5), CorrelatedGaussian.dense(2, 1, correlation=0.5))
    parts = [part.mutual_information() for part in law.laws]
    assert law.mutual_information() == pytest.approx(sum(parts), abs=1e-15)
    x, y = law.sample(20_000, seeded(2))
    assert (x.shape[1], y.shape[1]) == (4, 3)
    moments = torch.corrcoef(torch.cat([x, y], dim=1).T)
    assert moments[0, 4] == pytest.approx(0.8, abs=0.02)  # standard error 0.0025
    assert abs(float(moments[0, 5])) < 0.03  # standard error 0.007
    assert abs(float(moments[1, 2])) < 0.03


def test_stacked_gaussians_are_the_block_gaussian():
    blocks = Stacked(CorrelatedGaussian(0.8), CorrelatedGaussian(-0.3))
    whole = CorrelatedGaussian.sparse(2, 2, correlations=(0.8, -0.3))
    assert blocks.mutual_information() == pytest.approx(whole.mutual_information(), abs=1e-14)


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="Stacked: needs at least one law"):
        Stacked()
    for bad in (torch.zeros(3), torch.zeros(3, 2)):
        with pytest.raises(ValueError, match=r"swiss_roll: rows must be one column of values in \[0, 1\], got shape"):
            swiss_roll(bad)
    with pytest.raises(ValueError, match="swiss_roll: rows must be one column of values"):
        swiss_roll(torch.tensor([[1.5]]))
    with pytest.raises(ValueError, match=r"Spiral: plane must name two different columns, got \(1, 1\)"):
        Spiral(1.0, plane=(1, 1))
    with pytest.raises(TypeError, match="Spiral: speed must be a number, got str"):
        Spiral("a")
    with pytest.raises(ValueError, match=r"Spiral: rows must have the columns \(0, 5\), got shape \(2, 2\)"):
        Spiral(1.0, plane=(0, 5))(torch.ones(2, 2))
    with pytest.raises(ValueError, match=r"Linear: rows must have 2 columns, got shape \(2, 3\)"):
        Linear([1.0, 2.0])(torch.ones(2, 3))
    with pytest.raises(ValueError, match=r"Linear: matrix must be a vector or a matrix, got shape \(1, 1, 1\)"):
        Linear([[[1.0]]])
    for bad in ([1.0, 0.0], [[1.0, 1.0], [1.0, 1.0]], [[1.0, 2.0]], [math.inf, 1.0]):
        with pytest.raises(ValueError, match="Linear: the columns of matrix must be finite and linearly independent"):
            Linear(bad)
    with pytest.raises(ValueError, match="random_rotation: dim must be at least 1, got 0"):
        random_rotation(0, seeded())
