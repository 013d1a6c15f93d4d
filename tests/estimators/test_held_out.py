import math

import numpy as np
import pytest
import torch

from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.estimators import bounds
from infotorch.estimators.held_out import held_out, pooled

RHO = 0.7
MEASURES = ["infonce", "donsker_varadhan", "nwj", "jsd", "smile"]


def log_ratio(x, y):
    """log p(x_i, y_j) / (p(x_i) p(y_j)) of unit Gaussians."""
    return -0.5 * (y.T - RHO * x) ** 2 / (1 - RHO**2) - 0.5 * math.log1p(-(RHO**2)) + 0.5 * y.T**2


def sample(n, seed):
    return CorrelatedGaussian(RHO).sample(n, torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("measure", MEASURES)
def test_one_group_is_the_bound_itself(measure):
    x, y = sample(50, 0)
    scores = 4 * log_ratio(x, y)  # strong enough for smile to clip
    expected = getattr(bounds, measure)(scores)
    found = held_out(measure, lambda x, y: 4 * log_ratio(x, y), x, y, group_size=50)
    assert found.value == pytest.approx(expected.item(), abs=1e-12)
    assert found.ceiling == {"infonce": math.log(50), "jsd": math.log(2)}.get(measure, math.inf)


def test_several_groups_pool_their_pairs():
    x, y = sample(31, 1)
    matrices = [log_ratio(x[part], y[part]) for part in (slice(0, 11), slice(11, 21), slice(21, 31))]
    true = torch.cat([m.diagonal() for m in matrices])
    each = [bounds.infonce(m).item() for m in matrices]
    infonce = held_out("infonce", log_ratio, x, y, group_size=11)
    assert infonce.value == pytest.approx((11 * each[0] + 10 * each[1] + 10 * each[2]) / 31, abs=1e-12)
    assert infonce.ceiling == pytest.approx((11 * math.log(11) + 20 * math.log(10)) / 31, abs=1e-12)
    # Every x has the same weight: its mean over the rows of its group.
    means = torch.cat([(m.exp().sum(1) - m.diagonal().exp()) / (len(m) - 1) for m in matrices])
    assert held_out("donsker_varadhan", log_ratio, x, y, group_size=11).value == pytest.approx(
        (true.mean() - means.mean().log()).item(), abs=1e-12
    )
    assert held_out("nwj", log_ratio, x, y, group_size=11).value == pytest.approx(
        (true.mean() - means.mean() / math.e).item(), abs=1e-12
    )


@pytest.mark.parametrize("n", [2, 3, 5])
def test_no_group_has_a_single_row(n):
    x, y = sample(n, 2)
    for measure in MEASURES:
        assert math.isfinite(held_out(measure, log_ratio, x, y, group_size=1).value)


@pytest.mark.parametrize("measure", MEASURES)
def test_standard_error_is_the_spread_over_samples(measure):
    found = [pooled([held_out(measure, log_ratio, *sample(200, seed), group_size=100)]) for seed in range(150)]
    values, errors, _ = zip(*found, strict=True)
    # Measured with 400 samples: ratios of 0.96 to 1.02; the spread of 150 has a relative error of 6 %.
    assert np.mean(errors) == pytest.approx(np.std(values, ddof=1), rel=0.2)


def test_extreme_scores_stay_finite():
    rows = torch.arange(6.0)[:, None]
    for measure in ("infonce", "donsker_varadhan", "jsd", "smile"):
        for sign in (1, -1):
            found = held_out(measure, lambda x, y, s=sign: s * 1e4 * (x - y.T) ** 2, rows, rows, group_size=6)
            assert math.isfinite(found.value)


def test_pooling_weighs_parts_by_their_rows():
    x, y = sample(30, 3)
    parts = [held_out("infonce", log_ratio, x[rows], y[rows], group_size=99) for rows in (slice(0, 10), slice(10, 30))]
    value, error, ceiling = pooled(parts)
    assert value == pytest.approx((parts[0].value + 2 * parts[1].value) / 3, abs=1e-12)
    assert ceiling == pytest.approx((math.log(10) + 2 * math.log(20)) / 3, abs=1e-12)
    assert error > 0
