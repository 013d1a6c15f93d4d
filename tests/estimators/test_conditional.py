import math

import numpy as np
import pytest
import torch
from tests.reference import conditional as slow
from tests.reference import counts

from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.estimators.conditional import (
    conditional_discrete_mi,
    conditional_gaussian_mi,
    conditional_ksg,
    conditional_mixed_ksg,
)
from infotorch.estimators.discrete import discrete_mi
from infotorch.estimators.gaussian import gaussian_mi
from infotorch.estimators.kraskov import ksg

ALL = (conditional_ksg, conditional_mixed_ksg, conditional_gaussian_mi, conditional_discrete_mi)
NEIGHBOURS = (conditional_ksg, conditional_mixed_ksg)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def triple(n, dx=1, dy=1, dz=1, seed=0):
    """x and y share z and, given z, have correlation 0.6 in the first column."""
    noise = torch.randn(n, dx + dy + dz, generator=seeded(seed), dtype=torch.float64)
    x, y, z = noise.split([dx, dy, dz], dim=1)
    y = y.clone()
    y[:, 0] = 0.6 * x[:, 0] + 0.8 * y[:, 0]
    return x + z[:, :1], y - 2 * z[:, :1], z


GIVEN_Z = -0.5 * math.log1p(-(0.6**2))


@pytest.mark.parametrize(("dx", "dy", "dz"), [(1, 1, 1), (2, 1, 3), (5, 4, 12)])
@pytest.mark.parametrize("k", [1, 3, 7])
def test_neighbours_equal_the_slow_twins(dx, dy, dz, k):
    x, y, z = triple(40, dx, dy, dz)
    arrays = x.numpy(), y.numpy(), z.numpy()
    assert float(conditional_ksg(x, y, z, k=k)) == pytest.approx(slow.ksg(*arrays, k), abs=1e-9)
    assert float(conditional_mixed_ksg(x, y, z, k=k)) == pytest.approx(slow.mixed(*arrays, k), abs=1e-9)


@pytest.mark.parametrize("columns", [1, 4, 12])
def test_ties_are_counted_as_the_slow_twins_count_them(columns):
    x, y, z = (torch.randint(0, 3, (40, columns), generator=seeded(i)).double() for i in range(3))
    for part in (x, y, z):
        part[:12] = part[0]
    z = z.relu() + (z > 0) * torch.rand(40, 1, generator=seeded(3), dtype=torch.float64)
    arrays = x.numpy(), y.numpy(), z.numpy()
    assert float(conditional_ksg(x, y, z)) == pytest.approx(slow.ksg(*arrays, 3), abs=1e-9)
    assert float(conditional_mixed_ksg(x, y, z)) == pytest.approx(slow.mixed(*arrays, 3), abs=1e-9)


@pytest.mark.parametrize("estimator", [*NEIGHBOURS, conditional_gaussian_mi])
def test_finds_what_is_left_given_z(estimator):
    x, y, z = triple(3000, seed=1)
    # Spread at n = 3000 about 0.02; x and y alone share far more, 0.64 nats less.
    assert float(estimator(x, y, z)) == pytest.approx(GIVEN_Z, abs=0.06)
    independent = triple(3000, seed=2)
    assert float(estimator(independent[0], y, torch.cat([independent[2], z], dim=1))) == pytest.approx(0, abs=0.06)


def test_ksg_with_constant_z_is_ksg():
    x, y, _ = triple(200, 2, 3)
    constant = torch.full((200, 2), 0.3)
    assert float(conditional_ksg(x, y, constant)) == pytest.approx(float(ksg(x, y)), abs=1e-9)
    assert float(conditional_gaussian_mi(x, y, constant)) == pytest.approx(float(gaussian_mi(x, y)), abs=1e-12)
    bits = torch.randint(3, (2, 100), generator=seeded(1))
    expected = float(discrete_mi(bits[0], bits[1], correction="miller-madow"))
    given = conditional_discrete_mi(bits[0], bits[1], torch.zeros(100, dtype=torch.long), correction="miller-madow")
    assert float(given) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("estimator", [*NEIGHBOURS, conditional_gaussian_mi])
def test_chain_rule(estimator):
    x, y, z = triple(2000, seed=3)
    nothing = torch.zeros(2000)
    whole = float(estimator(x, torch.cat([y, z], dim=1), nothing))
    parts = float(estimator(x, z, nothing)) + float(estimator(x, y, z))
    tolerance = 1e-9 if estimator is conditional_gaussian_mi else 0.08  # each of the three spreads by 0.02
    assert parts == pytest.approx(whole, abs=tolerance)


@pytest.mark.parametrize("estimator", [*NEIGHBOURS, conditional_gaussian_mi])
def test_symmetric_and_blind_to_order(estimator):
    x, y, z = triple(200, 2, 1, 2, seed=4)
    value = float(estimator(x, y, z))
    order = torch.randperm(200, generator=seeded(5))
    assert float(estimator(y, x, z)) == pytest.approx(value, abs=1e-12)
    assert float(estimator(x[order], y[order], z[order])) == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("estimator", NEIGHBOURS)
def test_constant_input_and_a_copy(estimator):
    x, y, _ = triple(100, seed=6)
    constant = torch.full((100,), 0.1)
    assert float(estimator(constant, y, x)) == float(estimator(x, constant, x)) == 0
    copy = estimator(x, x, constant)
    assert float(copy) == pytest.approx(copy.ceiling, abs=1e-9)
    assert copy.saturated
    assert float(estimator(x, y, x)) == pytest.approx(0, abs=1e-9)  # x tells nothing new once it is given


@pytest.mark.parametrize("estimator", [*NEIGHBOURS, conditional_gaussian_mi])
def test_standard_error_is_the_spread(estimator):
    estimates = [estimator(*triple(200, seed=seed)) for seed in range(10, 70)]
    spread = float(torch.tensor([float(e) for e in estimates]).std())
    errors = np.mean([e.std_error for e in estimates[:20]])
    assert errors == pytest.approx(spread, rel=0.28)  # the spread of 60 values is known to 9 %


def test_bias_where_z_tells_much_shrinks_with_n():
    few = np.mean([float(conditional_ksg(*triple(200, seed=seed))) for seed in range(40)])
    many = np.mean([float(conditional_ksg(*triple(4000, seed=seed))) for seed in range(4)])
    assert few == pytest.approx(0.08, abs=0.025)  # as the docstring says; s.e. 0.007
    assert many == pytest.approx(0.21, abs=0.02)  # s.e. 0.006


def test_mixed_lies_above_ksg_on_a_density():
    gaps = []
    for seed in range(4):
        x, y, z = torch.randn(3, 5000, generator=seeded(seed), dtype=torch.float64)
        gaps.append(float(conditional_mixed_ksg(x, y, z)) - float(conditional_ksg(x, y, z)))
    assert np.mean(gaps) == pytest.approx(0.02, abs=0.008)  # as the docstring says; s.e. 0.001


def test_gaussian_is_the_partial_correlation():
    x, y, z = triple(60, seed=7)
    correlation = np.linalg.inv(np.corrcoef(torch.cat([x, y, z], dim=1).T))
    partial = -correlation[0, 1] / math.sqrt(correlation[0, 0] * correlation[1, 1])
    assert float(conditional_gaussian_mi(x, y, z)) == pytest.approx(-0.5 * math.log1p(-(partial**2)), abs=1e-12)


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_gaussian_equals_the_log_determinants_of_numpy(scale):
    x, y, z = triple(80, 2, 3, 2, seed=8)

    def log_det(*parts):
        return np.linalg.slogdet(np.cov(torch.cat(parts, dim=1).T))[1]

    expected = 0.5 * (log_det(x, z) + log_det(y, z) - log_det(z) - log_det(x, y, z))
    assert float(conditional_gaussian_mi(x * scale, y, z / scale)) == pytest.approx(expected, abs=1e-9)


def test_gaussian_unbiased_is_unbiased_from_very_few_rows():
    values = torch.tensor([
        float(conditional_gaussian_mi(*triple(10, 2, 2, 3, seed=seed), unbiased=True)) for seed in range(1000)
    ])
    assert float(values.mean()) == pytest.approx(GIVEN_Z, abs=3 * float(values.std()) / 1000**0.5)


def test_columns_of_z_leave_fewer_degrees_of_freedom_and_more_bias():
    x, y, z = torch.randn(30, 24, generator=seeded(3), dtype=torch.float64).split([2, 2, 20], dim=1)
    assert gaussian_mi(x, y).reliable
    with pytest.warns(UserWarning, match=r"conditional_gaussian_mi: .* 2 and 2 columns lie .* too high"):
        assert not conditional_gaussian_mi(x, y, z).reliable


def test_gaussian_leaves_out_what_z_determines():
    x, y, z = triple(50, 2, 2, 2, seed=9)
    padded = torch.cat([x, z.sum(dim=1, keepdim=True) + 3], dim=1)
    assert float(conditional_gaussian_mi(padded, y, z)) == pytest.approx(float(conditional_gaussian_mi(x, y, z)))
    assert float(conditional_gaussian_mi(z, y, z)) == 0


def test_gaussian_gradient_and_types():
    x, y, z = triple(14, 2, 1, 2, seed=10)
    inputs = tuple(part.clone().requires_grad_() for part in (x, y, z))
    assert torch.autograd.gradcheck(lambda a, b, c: conditional_gaussian_mi(a, b, c).value, inputs)
    assert conditional_gaussian_mi(x.float(), y.half(), (10 * z).long()).value.dtype == torch.float32


def test_gaussian_relation_to_a_known_law():
    """I(X; (Y, Z)) - I(X; Z) by the laws' closed form."""
    root = torch.randn(4, 4, generator=seeded(11), dtype=torch.float64)
    covariance = root @ root.T + 0.5 * torch.eye(4)
    law = CorrelatedGaussian(covariance, dim_x=1)  # columns: x, then y (1), then z (2)
    without_y = CorrelatedGaussian(covariance[[0, 2, 3]][:, [0, 2, 3]], dim_x=1)
    x, rest = law.sample(20_000, seeded(12))
    estimate = conditional_gaussian_mi(x, rest[:, :1], rest[:, 1:])
    truth = law.mutual_information() - without_y.mutual_information()
    assert float(estimate) == pytest.approx(truth, abs=4 * estimate.std_error)


def test_discrete_equals_the_slow_twin():
    a, b, c = (torch.randint(3, (200,), generator=seeded(i)) for i in range(3))
    b = torch.where(c == 0, a, b)
    lists = a.tolist(), b.tolist(), c.tolist()
    assert float(conditional_discrete_mi(a, b, c)) == pytest.approx(slow.discrete(*lists), abs=1e-12)
    pairs = list(zip(*lists[1:], strict=True))
    chain = counts.mutual_information(lists[0], pairs, miller_madow=True) - counts.mutual_information(
        lists[0], lists[2], miller_madow=True
    )
    corrected = conditional_discrete_mi(a, b, c, correction="miller-madow")
    assert float(corrected) == pytest.approx(chain, abs=1e-12)
    assert corrected.ceiling - math.log(200) == pytest.approx(chain - slow.discrete(*lists), abs=1e-12)


def test_discrete_sees_the_exclusive_or():
    """Independent bits tell nothing of each other, and everything once their sum is known."""
    a, b = torch.tensor([0, 0, 1, 1]).repeat(25), torch.tensor([0, 1, 0, 1]).repeat(25)
    assert float(conditional_discrete_mi(a, b, a ^ b)) == pytest.approx(math.log(2), abs=1e-12)
    assert float(conditional_discrete_mi(a, b, a)) == pytest.approx(0, abs=1e-12)
    assert float(conditional_discrete_mi(a > 0, torch.ones(100, dtype=torch.uint8), b)) == 0


def test_discrete_interval_covers_the_truth():
    """A = B with probability 0.9 where C = 1, independent where C = 0: I = 1/2 (log 2 - h(0.1))."""
    truth = 0.5 * (math.log(2) + 0.1 * math.log(0.1) + 0.9 * math.log(0.9))
    covered = []
    for seed in range(100):
        generator = seeded(seed)
        a, noise, c = torch.randint(2, (3, 400), generator=generator)
        flipped = (torch.rand(400, generator=generator) < 0.1).long()
        estimate = conditional_discrete_mi(a, torch.where(c == 1, a ^ flipped, noise), c, correction="miller-madow")
        covered.append(abs(float(estimate) - truth) < 1.96 * estimate.std_error)
    assert 0.88 <= np.mean(covered) <= 1  # 0.95 +- 0.02


@pytest.mark.parametrize("correction", [None, "miller-madow"])
def test_too_few_samples_for_the_triples_are_told(correction):
    """Of independent symbols the value is bias alone, and the interval holds the truth, 0, all the same."""
    for seed in range(5):
        a, b, c = torch.randint(5, (3, 500), generator=seeded(seed))
        with pytest.warns(UserWarning, match=r"conditional_discrete_mi: the value falls by 0\.\d+ nats .* triples of"):
            estimate = conditional_discrete_mi(a, b, c, correction=correction)
        assert not estimate.reliable
        assert float(estimate) < 1.96 * estimate.std_error
    a, b, c = torch.randint(3, (3, 2000), generator=seeded(1))
    assert conditional_discrete_mi(a, b, c, correction="miller-madow").reliable


def test_mixed_reads_integers_beside_a_density():
    """X a fair coin, Y = X + U(0, 2) for Z = 1 and noise alone for Z = 0: I = 1/2 * 1/2 log 2."""
    x, z = torch.randint(2, (2, 3000), generator=seeded(13))
    y = x * z + 2 * torch.rand(3000, generator=seeded(14), dtype=torch.float64)
    assert float(conditional_mixed_ksg(x, y, z)) == pytest.approx(0.25 * math.log(2), abs=0.04)  # spread 0.01


@pytest.mark.parametrize("estimator", NEIGHBOURS)
def test_caller_and_global_state_are_untouched(estimator):
    x, y, z = triple(100, 2, 1, 1)
    before, state = x.clone(), torch.get_rng_state()
    assert estimator(x.clone().requires_grad_(), y.numpy(), z.reshape(100, 1, 1)).std_error > 0
    assert float(estimator(x.float(), y.float(), z.half())) == pytest.approx(float(estimator(x, y, z)), abs=0.1)
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), state)
    assert math.isnan(estimator(x[:30], y[:30], z[:30]).std_error)


@pytest.mark.parametrize("estimator", ALL)
def test_wrong_input_is_refused(estimator):
    name = estimator.__name__
    discrete = estimator is conditional_discrete_mi
    x, y, z = (part.long() if discrete else part for part in triple(10))
    names = "a, b and c" if discrete else "x, y and z"
    with pytest.raises(ValueError, match=f"{name}: {names} must be paired row by row, got 10, 9 and 10 rows"):
        estimator(x, y[1:], z)
    with pytest.raises(ValueError, match=f"{name}: {'a' if discrete else 'x'} is empty"):
        estimator(x[:0], y[:0], z[:0])
    with pytest.raises(TypeError, match=f"{name}: . must hold real numbers, got dtype <U1"):
        estimator(x, y, ["a"] * 10)
    if discrete:
        with pytest.raises(TypeError, match=f"{name}: c must be integers or booleans"):
            estimator(x, y, z.double())
        with pytest.raises(ValueError, match=f"{name}: correction must be one of miller-madow, got 'james'"):
            estimator(x, y, z, correction="james")  # pyright: ignore[reportCallIssue]
    else:
        with pytest.raises(ValueError, match=f"{name}: z must be finite, got 10"):
            estimator(x, y, z * math.nan)


@pytest.mark.parametrize("estimator", NEIGHBOURS)
def test_wrong_numbers_of_neighbours_are_refused(estimator):
    x, y, z = triple(10)
    with pytest.raises(ValueError, match=f"{estimator.__name__}: needs more samples than neighbours, got 10 samples"):
        estimator(x, y, z, k=10)
    with pytest.raises(TypeError, match=f"{estimator.__name__}: k must be an integer, got float"):
        estimator(x, y, z, k=3.0)


def test_singular_gaussians_are_refused():
    x, y, z = triple(20, 2, 2, 2)
    with pytest.raises(
        ValueError, match=r"conditional_gaussian_mi: needs more samples .* x, y and z together, got 6 samples"
    ):
        conditional_gaussian_mi(x[:6], y[:6], z[:6])
    with pytest.raises(ValueError, match="conditional_gaussian_mi: no column of z may be a linear function of other"):
        conditional_gaussian_mi(x, y, torch.cat([z, z[:, :1]], dim=1))
    with pytest.raises(ValueError, match="conditional_gaussian_mi: the covariance of x and y must not be singular"):
        conditional_gaussian_mi(x, x[:, 0] + z[:, 0], z)


@pytest.mark.parametrize("estimate", [conditional_ksg, conditional_mixed_ksg])
@pytest.mark.parametrize("power", [-1000, 1020])
def test_units_near_the_ends_of_float64_change_nothing(estimate, power):
    x, y, z = torch.randn(3, 100, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    parts = x, x + y, z
    assert float(estimate(*(2.0**power * part for part in parts))) == float(estimate(*parts))
