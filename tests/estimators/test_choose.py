import math
import time

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from infotorch.distributions.discrete import BinarySymmetricChannel
from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.distributions.high import high_information_suite
from infotorch.distributions.suites import tuning_suite
from infotorch.estimators.choose import _most_samples, mutual_information
from infotorch.estimators.estimate import Estimate
from infotorch.estimators.kraskov import ksg
from infotorch.estimators.normal_scores import scores_of
from infotorch.estimators.weighed import _by_neighbours, _gaussianised, _growing, _weighed


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


N = 1000
LABELS = torch.randint(4, (N,), generator=seeded(0))
NOISE = torch.randn(N, 12, generator=seeded(1), dtype=torch.float64)
CLUSTERS = NOISE[:, :3] + 20 * LABELS[:, None]


@pytest.mark.parametrize(
    ("x", "y", "picked"),
    [
        (LABELS, LABELS, "discrete_mi"),
        (LABELS.bool(), LABELS, "discrete_mi"),
        (torch.nn.functional.one_hot(LABELS).float(), LABELS, "discrete_mi"),
        (CLUSTERS, LABELS, "ross"),
        (LABELS, CLUSTERS, "ross"),
        (CLUSTERS.relu(), torch.nn.functional.one_hot(LABELS).float(), "ross"),
        ((NOISE[:, :9] * 50).round().long(), LABELS, "ross"),
        (NOISE[:, :1].relu(), NOISE[:, :2], "ksg_ensemble k=1,2,4,8 euclidean"),
        (torch.nn.functional.one_hot(torch.arange(N) % 100).float(), LABELS, "discrete_mi"),
        (NOISE[:, 0], NOISE[:, 1], "ksg k=3 variant=1 chebyshev"),
        (NOISE[:, 0], NOISE[:, 1:3], "ksg_ensemble k=1,2,4,8 euclidean"),
        (NOISE[:, :6], NOISE[:, 6:], "ksg_ensemble k=1,2,4,8 euclidean"),
        (NOISE[:8, :1], NOISE[:8, 1:], "ksg k=3 variant=1 euclidean"),
        (NOISE.repeat(1, 4) ** 2, NOISE, "ksg_ensemble k=1,2,4,8 euclidean"),
    ],
)
def test_picks_by_type_and_dimension_and_says_why(x, y, picked):
    estimate = mutual_information(x, y, effort="fast")
    assert estimate.estimator.startswith(picked)
    assert "column" in estimate.reason
    assert math.isfinite(float(estimate))


def test_values_are_right_whatever_is_picked():
    assert float(mutual_information(CLUSTERS, LABELS)) == pytest.approx(math.log(4), abs=0.02)
    law = BinarySymmetricChannel(0.1)
    assert float(mutual_information(*law.sample(N, seeded(2)))) == pytest.approx(law.mutual_information(), abs=0.06)
    gaussian = CorrelatedGaussian(0.8)
    x, y = gaussian.sample(N, seeded(3))
    # Spread 0.03; the cube, the exponential and the units change nothing.
    assert float(mutual_information(x, y)) == pytest.approx(gaussian.mutual_information(), abs=0.1)
    bent = 1e-6 * x**3, y.exp()
    assert float(mutual_information(*bent)) == pytest.approx(gaussian.mutual_information(), abs=0.1)
    ranks = [float(mutual_information(*pair, effort="fast")) for pair in (bent, (x, y))]
    assert ranks[0] == pytest.approx(ranks[1], abs=1e-12)


def test_a_constant_has_no_information():
    for y in (LABELS, NOISE, NOISE.relu()):
        assert float(mutual_information(torch.full((N, 3), 0.2), y)) == pytest.approx(0, abs=1e-12)


def test_numpy_and_a_standard_error():
    estimate = mutual_information(CLUSTERS.numpy().astype(np.float32), LABELS.numpy())
    assert 0 < estimate.std_error < 0.1


def test_rounding_and_atoms_do_no_harm():
    law = CorrelatedGaussian(0.9)
    x, y = law.sample(N, seeded(5))
    rounded = mutual_information((10 * x).round() / 10, (10 * y).round() / 10)
    # Rounding to a tenth of the spread loses 0.01 nats; spread over seeds 0.03. Mixed KSG reads 1.5 nats here.
    assert float(rounded) == pytest.approx(law.mutual_information(), abs=0.1)
    cut = mutual_information(x.relu(), y)
    assert float(cut) == pytest.approx(relu_information(0.9), abs=0.1)
    assert "ties broken at random" in cut.reason


def relu_information(rho):
    """I(relu(X); Y) of standard normal X and Y: the atom at 0, and the density of Y for every X > 0."""
    variance = 1 - rho**2

    def at_zero(y):
        p = norm.cdf(-rho * y / math.sqrt(variance))
        return norm.pdf(y) * p * math.log(2 * p) if p > 0 else 0.0

    def above(x):
        return norm.pdf(x) * (-0.5 * math.log(variance) - 0.5 + 0.5 * (rho**2 * x**2 + variance))

    return quad(at_zero, -9, 9)[0] + quad(above, 0, 9)[0]


def test_too_many_symbols_for_the_rows_are_told():
    codes = torch.randint(300, (N, 2), generator=seeded(6))
    estimate = mutual_information(codes[:, 0], codes[:, 1])
    assert "of the samples have a pair of their own" in estimate.reason
    assert "pair of their own" not in mutual_information(LABELS, LABELS).reason


def test_in_many_columns_no_unit_matters():
    """50 columns against 10 of them with noise: -5 log(0.2) = 8.05 nats, above what neighbours of 300 can show."""
    x = torch.randn(300, 50, generator=seeded(8), dtype=torch.float64)
    y = x[:, :10] + 0.5 * torch.randn(300, 10, generator=seeded(9), dtype=torch.float64)
    small, whole = mutual_information(x, y, effort="fast"), mutual_information(x, y)
    assert 0.5 < float(small) < 8
    assert float(whole) == pytest.approx(8.05, abs=0.6)  # spread over seeds 0.2
    for scale in (1e-3, 1e6):
        assert float(mutual_information(x, scale * y + 7, effort="fast")) == pytest.approx(float(small), abs=1e-9)
        assert float(mutual_information(x, scale * y + 7)) == pytest.approx(float(whole), abs=1e-6)
    independent = mutual_information(x, y[torch.randperm(300, generator=seeded(10))])
    assert abs(float(independent)) < 0.5
    assert "far too low" in small.reason


def test_what_is_left_out_or_copied_is_told():
    x, labels = NOISE[:200, :2], torch.cat([torch.arange(150) % 3, torch.arange(10, 60)])
    assert "50 classes of one sample left out" in mutual_information(x, labels).reason
    assert "left out" not in mutual_information(CLUSTERS, LABELS).reason
    twice = mutual_information(x.repeat(2, 1), NOISE[:200, 2:4].repeat(2, 1))
    assert "100% of the samples occur twice: if as copies of samples, the value is too high" in twice.reason


def test_one_column_is_one_column():
    assert mutual_information(LABELS, CLUSTERS).reason.startswith(
        "x is discrete (1 column), y is continuous (3 columns)"
    )


def test_far_closer_to_the_truth_than_plain_ksg():
    """Four of the laws that may be tuned on; benchmarks/accuracy.py has the broad suite."""
    errors = []
    for name in (
        "normal 4x4 two pairs, half-cube",
        "student 3x3 two pairs dof 1",
        "normal 5x5 dense",
        "swiss roll 2x1",
    ):
        law = tuning_suite()[name]
        x, y = law.sample(1000, seeded(7))
        errors.append([abs(float(f(x, y)) - law.mutual_information()) for f in (mutual_information, ksg)])
    ours, plain = map(sum, zip(*errors, strict=True))
    assert ours < 0.6 * plain


@pytest.mark.parametrize("columns", [1, 4, 20])
def test_of_too_many_samples_some_are_drawn_and_reason_says_so(columns, monkeypatch):
    law = CorrelatedGaussian.sparse(columns, 1, correlations=(0.8,))
    x, y = law.sample(2000, seeded(1))
    whole = mutual_information(x, y, effort="fast")
    monkeypatch.setattr("infotorch.estimators.choose._MOST_SINGLE", 500)
    monkeypatch.setattr("infotorch.estimators.choose._MOST_BY_TREE", 5 * 500)
    monkeypatch.setattr("infotorch.estimators.choose._MOST_DISTANCES", 500**2 * 81)
    first, again, other = (mutual_information(x, y, effort="fast", generator=seeded(s)) for s in (0, 0, 1))
    assert (first.n, whole.n) == (500, 2000)
    assert first.reason == f"{whole.reason}; of 500 of the 2,000 samples, drawn at random, so that it takes seconds"
    assert float(first) == float(again) != float(other)
    assert abs(float(first) - float(whole)) < 4 * first.std_error + 0.1 * (columns == 20)  # fewer samples: more bias
    # Fewer samples than the most, and counts of symbols, take all.
    few = mutual_information(x[:500], y[:500])
    assert few.n == 500
    assert "drawn" not in few.reason
    codes = (x[:, 0] > 0).long()
    assert mutual_information(codes, codes).n == 2000
    assert mutual_information(x, codes, generator=seeded()).n < 2000


@pytest.mark.parametrize(("columns", "most"), [(0, math.inf), (2, 2_000_000), (4, 250_000), (20, 35_355)])
def test_the_most_samples_by_the_columns_of_numbers(columns, most):
    assert _most_samples(columns) == most


@pytest.mark.slow
@pytest.mark.parametrize("kinds", ["numbers", "ties", "labels", "counts", "columns", "many columns"])
def test_a_million_samples_take_seconds(kinds):
    x, noise, other = torch.randn(3, 1_000_000, generator=seeded())
    y = x + noise
    pair = {
        "numbers": (x, y),
        "ties": (x.relu(), y),
        "labels": (x, (y > 0).long()),
        "counts": ((10 * x).long(), (10 * y).long()),
        "columns": (torch.stack([x, other], dim=1), y),
        "many columns": (torch.stack([x] * 11, dim=1), y),
    }[kinds]
    began = time.process_time()
    estimate = mutual_information(*pair, generator=seeded(1))
    assert time.process_time() - began < 60  # of one core; half of it on two
    truth = {"labels": 0.193, "ties": 0.270}.get(kinds, math.log(2) / 2)  # the first two: integrals of two densities
    assert float(estimate) == pytest.approx(truth, abs=0.02)


def test_caller_and_global_state_are_untouched():
    x, before, state = NOISE.clone().requires_grad_(), NOISE.clone(), torch.get_rng_state()
    assert mutual_information(x[:, :2], x[:, 2:4]).std_error > 0
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), state)


def test_wrong_input_is_refused():
    with pytest.raises(ValueError, match="mutual_information: x and y must be paired row by row, got 1000 and 999"):
        mutual_information(NOISE, LABELS[1:])
    with pytest.raises(ValueError, match="mutual_information: needs more samples than neighbours, got 3 samples"):
        mutual_information(NOISE[:3], LABELS[:3])
    with pytest.raises(TypeError, match="mutual_information: generator must be"):
        mutual_information(NOISE, LABELS, generator=3)
    with pytest.raises(ValueError, match="mutual_information: x must be finite"):
        mutual_information(NOISE / 0, LABELS)


def test_a_type_that_is_told_is_taken_and_reason_says_so():
    as_floats = LABELS.double()
    assert mutual_information(as_floats, LABELS, discrete_x=True).estimator.startswith("discrete_mi")
    # Two normal numbers rounded to whole ones: symbols by themselves, numbers when told, and nearly all is left.
    law = CorrelatedGaussian(0.9)
    x, y = ((3 * v).round().long() for v in law.sample(N, seeded(11)))
    assert mutual_information(x, y).reason.startswith("x is discrete (1 column), y is discrete (1 column)")
    told = mutual_information(x, y, discrete_x=False, discrete_y=False)
    assert told.estimator.startswith("ksg k=3")
    assert told.reason.startswith("x is continuous with ties as told (1 column), y is continuous with ties as told")
    # Whole thirds of the spread lose 0.05 nats (0.78 left of 0.83); spread over seeds 0.03.
    assert float(told) == pytest.approx(law.mutual_information(), abs=0.15)
    half = mutual_information(x, LABELS, discrete_x=False)
    assert half.estimator.startswith("ross")
    assert "y is discrete (1 column)" in half.reason


@pytest.mark.parametrize(("x", "said"), [(LABELS, True), (NOISE[:, :2], False)])
def test_a_type_that_would_be_taken_anyway_changes_no_number(x, said):
    told, chosen = mutual_information(x, NOISE[:, 5], discrete_x=said), mutual_information(x, NOISE[:, 5])
    assert float(told) == float(chosen)
    assert told.reason.replace(" as told", "") == chosen.reason


def test_a_constant_has_no_information_whatever_it_is_told_to_be():
    for said in (True, False):
        found = mutual_information(torch.full((N, 3), 0.2), NOISE, discrete_x=said)
        assert float(found) == pytest.approx(0, abs=1e-12)
        assert (" as told" in found.reason) is said


def test_types_that_cannot_be_are_refused():
    with pytest.raises(
        ValueError, match="discrete_y must be False or None where no sample of y occurs twice, got True"
    ):
        mutual_information(LABELS, NOISE, discrete_y=True)
    words = [f"word {i}" for i in range(N)]  # which are no numbers, whatever is told
    for said in (None, True):
        with pytest.raises(
            ValueError, match=rf"words of x must occur again, got {N} different ones in {N} rows; merge"
        ):
            mutual_information(words, NOISE[:, 0], discrete_x=said)
    with pytest.raises(TypeError, match="mutual_information: discrete_x must be True, False or None, got 'yes'"):
        mutual_information(LABELS, LABELS, discrete_x="yes")  # pyright: ignore[reportArgumentType]


def test_thorough_asks_a_critic_too_and_is_the_same_at_every_call():
    law = CorrelatedGaussian(0.9)
    x, y = law.sample(600, seeded(12))
    found = [mutual_information(x, y, effort="thorough") for _ in range(2)]
    assert "a critic on held-out samples" in found[0].reason
    assert float(found[0]) == float(found[1]) == pytest.approx(law.mutual_information(), abs=0.12)  # spread 0.04


def test_thorough_is_no_harm_where_there_is_little_to_learn_from():
    few = mutual_information(NOISE[:60, 0], NOISE[:60, 1], effort="thorough")
    assert "critic" not in few.reason
    assert float(mutual_information(torch.ones(N), NOISE, effort="thorough")) == pytest.approx(0, abs=1e-12)
    twice = mutual_information(NOISE[:200, :2].repeat(2, 1), NOISE[:200, 2:4].repeat(2, 1), effort="thorough")
    assert "critic" not in twice.reason  # it would know copies of what it has learnt from
    with pytest.raises(ValueError, match="effort must be one of"):
        mutual_information(NOISE[:, 0], NOISE[:, 1], effort="most")  # pyright: ignore[reportArgumentType]


def test_a_function_without_noise_is_no_confident_number():
    """The truth is infinite: by correlations it cannot be written down, and neighbours are doubted."""
    x = NOISE[:, :1]
    for y in (3 * x + 1, x.sin()):
        found = mutual_information(x, y)
        assert float(found) > 3
        assert not found.reliable


def test_a_value_that_half_of_the_samples_do_not_tell_is_doubted_and_its_interval_is_wide():
    x, y = CorrelatedGaussian.for_information(6.0, 6).sample(400, seeded())
    half = float(_weighed([_by_neighbours(*scores_of(x, y), few=False, many=False), *_gaussianised(x, y)], 12))
    for growth, grows in ((0.5, True), (0.02, False), (-0.5, False)):
        found = Estimate(torch.tensor(half + growth), side="none", n=800, estimator="some", error=lambda: 0.1)
        counted, doubt = _growing(found, x, y)
        assert float(counted) == float(found)
        assert bool(doubt) == grows
        assert counted.bias_std == pytest.approx(4 * max(growth, 0))
        low, high = counted.interval()
        assert high - low == pytest.approx(2 * 1.96 * math.hypot(0.1, 4 * max(growth, 0)), rel=1e-3)


def test_a_function_that_neighbours_alone_see_is_doubted_beside_gaussianisation():
    """4.77 nats are next to the ceiling of 300 samples, 4.78; the truth is infinite."""
    y = torch.randn(300, generator=seeded(1)).sort().values
    with pytest.warns(UserWarning, match="mutual_information: neighbours may fall short: the value is large for 300"):
        found = mutual_information(torch.arange(300), y)
    assert not found.reliable


def test_many_columns_flatter_than_a_normal_law_are_doubted():
    """In 50 columns no single direction shows it, and neighbours see nothing: 2 nats of 5 are told."""
    laws = high_information_suite(5.0)
    for name, flat in (("smoothed uniform 10+15", True), ("normal 10+15", False)):
        found = mutual_information(*laws[name].sample(1000, seeded()))
        assert ("flatter than a normal law" in found.reason) == flat
        assert found.reliable != flat
        assert (abs(float(found) - 5) < 0.3) != flat


def test_what_varies_in_one_half_alone_is_no_error():
    x = torch.zeros(200, 2)
    x[3] = 1.5
    y = torch.randn(200, 2, generator=seeded())
    assert abs(float(mutual_information(x, y, discrete_x=False))) < 0.2
