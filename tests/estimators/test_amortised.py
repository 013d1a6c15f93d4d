import math

import numpy as np
import pytest
import torch

from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.estimators.amortised import Beside, _network, amortised_mi, quantiles_of
from infotorch.estimators.amortised_inputs import CANDIDATES, KS, inputs_of, swapped
from infotorch.estimators.ensemble import ksg_ensemble
from infotorch.estimators.gaussian import gaussian_mi
from infotorch.estimators.kraskov import ksg
from infotorch.estimators.normal_scores import scores_of


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def samples(n=400, d=2, correlation=0.8, seed=0):
    return CorrelatedGaussian.sparse(d, d, correlations=[correlation] * d).sample(n, seeded(seed))


def candidates_of(x, y):
    order = torch.randperm(len(x), generator=seeded(9))
    a, b = (rows[order].numpy() for rows in scores_of(x, y))
    found = dict(zip(CANDIDATES, inputs_of(a, b).candidates.tolist(), strict=True))
    return found, torch.from_numpy(a), torch.from_numpy(b)


def test_the_inputs_are_what_the_estimators_of_those_names_say():
    found, a, b = candidates_of(*samples())
    for k in KS:
        assert found[f"neighbours {k}"] == pytest.approx(float(ksg(a, b, k=k, metric="euclidean")), abs=2e-3)
    assert found["extrapolated"] == pytest.approx(float(ksg_ensemble(a, b, ks=KS)), abs=5e-3)
    assert found["normal"] == pytest.approx(float(gaussian_mi(a, b)), abs=0.01)


def test_canonical_columns_are_a_linear_map_of_each_side():
    x, y = samples()
    turn = torch.tensor([[2.0, 1.0], [0.0, 0.5]], dtype=torch.float64)
    # Not through ranks, so that the map is linear in what is read.
    a, b = ((rows - rows.mean(0)).numpy() for rows in (x, y))
    first, second = inputs_of(a, b), inputs_of(a @ turn.numpy(), b)
    for name, one, two in zip(CANDIDATES, first.candidates, second.candidates, strict=True):
        if "canonical" in name or "normal" in name or "pairs" in name:
            assert one == pytest.approx(two, abs=5e-3)
    assert np.abs(first.candidates - second.candidates).max() > 0.02


def test_what_is_read_of_y_and_x_is_that_of_x_and_y_swapped():
    x, y = CorrelatedGaussian.sparse(3, 2, correlations=[0.9, 0.3]).sample(300, seeded())
    a, b = (rows.numpy() for rows in (x, torch.cat([y, y[:, :1].square() + y[:, 1:]], dim=1)))
    one, other = inputs_of(b, a), swapped(inputs_of(a, b))
    for name in ("candidates", "shapes", "rows"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), abs=2e-4), name
    assert np.allclose(sorted(one.columns.tolist()), sorted(other.columns.tolist()), atol=1e-5)
    told = quantiles_of(inputs_of(a, b), 300, Beside.nothing())
    for u, v in ((b, a), (a, -b)):
        assert quantiles_of(inputs_of(u, v), 300, Beside.nothing()) == pytest.approx(told, abs=1e-3)


def test_neither_units_nor_bends_nor_the_order_of_samples_matter():
    x, y = samples()
    value = float(amortised_mi(x, y))
    order = torch.randperm(len(x), generator=seeded(1))
    assert float(amortised_mi(x[order], y[order])) == value
    assert float(amortised_mi(x.exp() * 100, y**3)) == value
    assert float(amortised_mi(torch.cat([x, torch.ones(len(x), 1)], dim=1), y)) == value


@pytest.mark.parametrize(("n", "d", "correlation"), [(300, 1, 0.9), (1000, 3, 0.6), (3000, 5, 0.0), (1000, 5, 0.95)])
def test_normal_samples_are_read_within_their_interval(n, d, correlation):
    truth = -d / 2 * math.log1p(-(correlation**2))
    estimates = [amortised_mi(*samples(n, d, correlation, seed)) for seed in range(8)]
    errors = torch.tensor([float(estimate) - truth for estimate in estimates])
    # The spread of a normal law's information is about sqrt(d / n) correlation; 8 samples.
    assert abs(errors.mean()) < 3 * math.sqrt(d / n / 8) * correlation + 0.02 + 0.02 * truth
    assert sum(low <= truth <= high for low, high in (estimate.interval() for estimate in estimates)) >= 6


def test_independent_columns_tell_next_to_nothing():
    estimate = amortised_mi(*samples(1000, 5, 0.0))
    assert abs(float(estimate)) < 0.05
    assert estimate.interval()[0] < 0 < estimate.interval()[1]


def test_what_it_was_not_trained_on_is_said():
    x, y = samples(30)
    assert "fewer than 50 samples" in amortised_mi(x, y).reason
    x, y = samples(200, 12)
    assert not amortised_mi(x, y).reliable
    x, y = samples(200)
    assert "tied" in amortised_mi(x.round(), y).reason


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match=r"amortised_mi: x must have at least 20 rows, got 19\."):
        amortised_mi(*samples(19))


def test_the_caller_s_random_numbers_stay_as_they_are():
    _network.cache_clear()
    before = torch.get_rng_state()
    amortised_mi(*samples())
    assert torch.equal(torch.get_rng_state(), before)


def test_a_constant_tells_nothing():
    x, y = samples()
    estimate = amortised_mi(torch.zeros_like(x), y)
    assert float(estimate) == 0
    assert estimate.interval() == (0, 0)


def test_of_very_many_samples_some_are_drawn():
    x, y = samples(8000, 1)
    assert amortised_mi(x, y).n == 6000
