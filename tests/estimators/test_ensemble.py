import pytest
import torch

from infotorch.distributions import CorrelatedGaussian, StudentT
from infotorch.estimators.ensemble import ksg_ensemble, weights_of
from infotorch.estimators.kraskov import ksg


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("columns", [2, 5, 8, 40])
def test_weights_minimise_bias_and_spread(columns):
    ks = (1, 2, 4, 8)
    bias = torch.tensor(ks, dtype=torch.float64).pow(2 / columns)

    def cost(weights):
        return float((weights @ bias) ** 2 + 0.2 * weights.square().mean())

    weights = weights_of(ks, columns)
    assert float(weights.sum()) == pytest.approx(1, abs=1e-12)
    for seed in range(20):  # along the constraint every direction goes up
        step = torch.randn(4, generator=seeded(seed), dtype=torch.float64) * 1e-3
        assert cost(weights + step - step.mean()) > cost(weights)


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("metric", ["chebyshev", "euclidean"])
@pytest.mark.parametrize("columns", [1, 3, 12])
def test_is_the_weighted_sum_of_single_estimates(columns, metric):
    x, y = (torch.randn(120, columns, generator=seeded(s), dtype=torch.float64) for s in (0, 1))
    y = y + x
    ks = (1, 3, 7)
    single = torch.tensor([float(ksg(x, y, k=k, metric=metric)) for k in ks], dtype=torch.float64)
    expected = float(weights_of(ks, 2 * columns) @ single)
    assert float(ksg_ensemble(x, y, ks=ks, metric=metric)) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    "law",
    [
        CorrelatedGaussian.sparse(5, 5, correlations=(0.8, 0.8)),
        StudentT(CorrelatedGaussian.sparse(4, 4, correlations=(0.7, 0.7)), dof=5),
    ],
)
def test_closer_to_the_truth_than_a_single_k(law):
    truth, errors = law.mutual_information(), []
    for seed in range(3):
        x, y = law.sample(1000, seeded(seed))
        errors.append([abs(float(e) - truth) for e in (ksg_ensemble(x, y, metric="euclidean"), ksg(x, y))])
    ours, single = (sum(column) / 3 for column in zip(*errors, strict=True))
    assert ours < 0.6 * single  # spread over seeds 0.06 of ours, 0.03 of the single one, whose bias is 0.3
    assert ours < 0.2


def test_no_information_in_a_constant_and_the_ceiling_in_a_copy():
    x = torch.randn(100, 2, generator=seeded(3), dtype=torch.float64)
    assert float(ksg_ensemble(x, torch.ones(100))) == 0
    copy = ksg_ensemble(x, x)
    assert float(copy) == pytest.approx(copy.ceiling, abs=1e-9)
    assert copy.saturated


@pytest.mark.slow
def test_interval_covers_the_truth():
    law, generator = CorrelatedGaussian(0.6), seeded(4)
    estimates = [ksg_ensemble(*law.sample(400, generator)) for _ in range(100)]
    covered = [abs(float(e) - law.mutual_information()) < 1.96 * e.std_error for e in estimates]
    assert 0.88 <= sum(covered) / 100 <= 1.0  # 0.95 +- 0.02 for a perfect interval


def test_wrong_input_is_refused():
    x = torch.randn(20, 2, generator=seeded(5))
    with pytest.raises(ValueError, match="ksg_ensemble: x and y must be paired row by row, got 20 and 19 rows"):
        ksg_ensemble(x, x[1:])
    with pytest.raises(ValueError, match=r"ks must hold two or more different numbers of neighbours, got \[3\]"):
        ksg_ensemble(x, x, ks=[3])
    with pytest.raises(TypeError, match="ks must be a list of numbers of neighbours, got 3"):
        ksg_ensemble(x, x, ks=3)  # pyright: ignore[reportArgumentType]
    with pytest.raises(ValueError, match=r"two or more different numbers of neighbours, got \[3, 3, 1\]"):
        ksg_ensemble(x, x, ks=(3, 3, 1))
    with pytest.raises(ValueError, match="ksg_ensemble: needs more samples than neighbours, got 20 samples for k = 20"):
        ksg_ensemble(x, x, ks=(1, 20))
    with pytest.raises(TypeError, match="ksg_ensemble: k must be an integer, got float"):
        ksg_ensemble(x, x, ks=(1, 2.5))
    with pytest.raises(ValueError, match="ksg_ensemble: metric must be one of chebyshev, euclidean"):
        ksg_ensemble(x, x, metric="manhattan")
    with pytest.raises(ValueError, match="ksg_ensemble: y must be finite"):
        ksg_ensemble(x, x / 0)


def test_tight_groups_carry_the_value_above_the_ceiling():
    # Eight copies of each of 120 independent pairs but for 1e-9: KSG_1 to KSG_4 see a copy, KSG_8 next to nothing.
    groups = torch.rand(2, 120, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x, y = groups.repeat_interleave(8, dim=1)
    apart = 1e-9 * torch.rand(960, 1, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    estimate = ksg_ensemble(x + apart, y + apart)
    assert float(estimate) > estimate.ceiling + 1
    assert estimate.saturated
