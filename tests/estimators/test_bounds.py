import copy
import math

import numpy as np
import pytest
import torch
from tests.reference import bounds as slow

from infotorch.distributions.gaussian import CorrelatedGaussian
from infotorch.estimators.bounds import MineGradient, donsker_varadhan, infonce, jsd, nwj, smile
from infotorch.estimators.bounds_upper import club, leave_one_out_upper

LOWER = [infonce, donsker_varadhan, nwj, jsd, smile]
APART = [donsker_varadhan, nwj, jsd, smile, MineGradient()]
UPPER = [club, leave_one_out_upper]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def random_scores(n, seed=0):
    return torch.randn(n, n, generator=seeded(seed), dtype=torch.float64)


def log_conditional(x, y, rho):
    """log p(y_j | x_i) of unit Gaussians with correlation rho, shape (n, n)."""
    variance = 1 - rho**2
    return -0.5 * (y.T - rho * x) ** 2 / variance - 0.5 * math.log(2 * math.pi * variance)


def log_ratio(x, y, rho):
    """log p(y_j | x_i) / p(y_j)."""
    return log_conditional(x, y, rho) + 0.5 * y.T**2 + 0.5 * math.log(2 * math.pi)


def gaussian(n, rho, seed=0):
    law = CorrelatedGaussian(rho)
    return *law.sample(n, seeded(seed)), law.mutual_information()


# Standard errors at n = 2000, the spread over 60 samples, the same for all of them to three digits.
@pytest.mark.parametrize(("rho", "error"), [(0.0, 1e-12), (0.5, 0.0112), (0.8, 0.0186)])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_true_log_ratio_gives_the_information(rho, error, seed):
    x, y, truth = gaussian(2000, rho, seed)
    ratio = log_ratio(x, y, rho)
    values = [infonce(ratio), donsker_varadhan(ratio), nwj(1 + ratio), smile(ratio, clip=20)]
    values.append(leave_one_out_upper(log_conditional(x, y, rho)))
    for value in values:
        assert value.item() == pytest.approx(truth, abs=3.5 * error)


@pytest.mark.parametrize(("rho", "seed"), [(0.5, 0), (0.8, 1)])
def test_club_of_gaussians_is_its_closed_form(rho, seed):
    x, y, truth = gaussian(2000, rho, seed)
    expected = rho**2 / (1 - rho**2)
    assert truth < expected
    # The value is rho S_xy / (1 - rho^2) up to 1/n; its standard error is rho sqrt(1 + rho^2) / (1 - rho^2) / sqrt(n).
    error = rho * math.sqrt(1 + rho**2) / (1 - rho**2) / math.sqrt(2000)
    assert club(log_conditional(x, y, rho)).item() == pytest.approx(expected, abs=3.5 * error)


def test_a_fitted_conditional_can_make_club_fall_below_the_information():
    x, y, truth = gaussian(2000, 0.8)
    assert club(log_conditional(x, y, 0.1)).item() < truth


def test_jsd_of_a_noiseless_binary_channel_is_its_closed_form():
    # Joint: x = y, each 1/2. Product: four pairs of 1/4. The mixture is 3/8 where x = y and 1/8 elsewhere.
    divergence = 0.5 * math.log(0.5 / 0.375) + 0.5 * (0.5 * math.log(0.25 / 0.375) + 0.5 * math.log(0.25 / 0.125))
    equal, unequal = math.log(2), -60.0  # log p(x, y) / (p(x) p(y)), the second cut off at e^-60
    joint, product = torch.tensor([equal, equal]), torch.tensor([equal, unequal, unequal, equal])
    assert jsd(joint, product).item() == pytest.approx(divergence, abs=1e-6)
    assert nwj(1 + joint, 1 + product).item() == pytest.approx(math.log(2), abs=1e-6)


@pytest.mark.parametrize("n", [2, 3, 9])
def test_every_bound_equals_its_slow_twin(n):
    scores = 2 * random_scores(n, n)
    rows = scores.tolist()
    joint, product = slow.together(rows), slow.apart(rows)
    assert infonce(scores).item() == pytest.approx(slow.infonce(rows), abs=1e-12)
    assert club(scores).item() == pytest.approx(slow.club(rows), abs=1e-12)
    assert leave_one_out_upper(scores).item() == pytest.approx(slow.leave_one_out_upper(rows), abs=1e-12)
    for bound in (donsker_varadhan, nwj, jsd):
        twin = getattr(slow, bound.__name__)(joint, product)
        assert bound(scores).item() == pytest.approx(twin, abs=1e-12)
        assert bound(np.array(joint), np.array(product)).item() == pytest.approx(twin, abs=1e-12)
    assert smile(scores, clip=0.7).item() == pytest.approx(slow.smile(joint, product, 0.7), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_identities_between_bounds(seed):
    scores = 3 * random_scores(12, seed)
    value = donsker_varadhan(scores).item()
    assert value >= nwj(scores).item()
    off = scores[~torch.eye(12, dtype=torch.bool)]
    # NWJ is largest over all shifts where the mean of exp(s - 1) is 1, and there it equals Donsker-Varadhan.
    assert nwj(scores + 1 - (off.logsumexp(0) - math.log(len(off)))).item() == pytest.approx(value, abs=1e-10)
    assert donsker_varadhan(scores + 100).item() == pytest.approx(value, abs=1e-10)
    assert smile(scores, clip=1e6).item() == pytest.approx(value, abs=1e-10)
    shift = torch.arange(12.0, dtype=torch.float64)[:, None]
    assert infonce(scores + shift).item() == pytest.approx(infonce(scores).item(), abs=1e-10)
    order = torch.randperm(12, generator=seeded(seed))
    for bound in LOWER:
        assert bound(scores[order][:, order]).item() == pytest.approx(bound(scores).item(), abs=1e-10)


@pytest.mark.parametrize("bound", LOWER)
def test_useless_scores_carry_nothing(bound):
    scores = torch.full((6, 6), 1.0 if bound is nwj else 0.0)
    assert bound(scores).item() == pytest.approx(0, abs=1e-6)


def test_ceilings_are_reached_and_never_exceeded():
    perfect = 1e4 * torch.eye(16)
    assert infonce(perfect).item() == pytest.approx(math.log(16), abs=1e-6)
    assert jsd(2e4 * torch.eye(16) - 1e4).item() == pytest.approx(math.log(2), abs=1e-6)
    for seed in range(20):
        scores = 10 * random_scores(16, seed)
        assert infonce(scores).item() <= math.log(16)
        assert jsd(scores).item() <= math.log(2)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
@pytest.mark.parametrize("size", [1e4, -1e4])
@pytest.mark.parametrize("bound", [infonce, donsker_varadhan, jsd, smile, MineGradient(), *UPPER])
def test_extreme_scores_give_finite_values_and_gradients(bound, size, dtype):
    scores = (size * torch.eye(4) + size / 2).to(dtype).requires_grad_()
    value = bound(scores)
    value.backward()
    assert value.dtype == torch.float32
    assert torch.isfinite(value)
    assert torch.isfinite(scores.grad).all()


def test_nwj_overflows_to_minus_infinity_and_says_so():
    assert nwj(torch.full((3, 3), 85.0)).item() < -1e36
    assert nwj(torch.full((3, 3), 200.0)).item() == -math.inf
    assert math.isfinite(nwj(torch.full((3, 3), 200.0).double()).item())


@pytest.mark.parametrize("bound", [*LOWER, *UPPER])
def test_what_is_not_a_number_is_passed_on(bound):
    scores = random_scores(4)
    scores[0, 0] = scores[2, 1] = math.nan
    assert math.isnan(bound(scores).item())


@pytest.mark.parametrize("bound", [*LOWER, *UPPER])
def test_gradients(bound):
    assert torch.autograd.gradcheck(bound, random_scores(5).requires_grad_())


@pytest.mark.parametrize("bound", [donsker_varadhan, nwj, jsd, smile])
def test_gradients_of_pairs_apart(bound):
    scores = random_scores(5)
    assert torch.autograd.gradcheck(bound, (scores[0].clone().requires_grad_(), scores[1:].flatten().requires_grad_()))


@pytest.mark.parametrize("bound", [*LOWER, MineGradient(), *UPPER])
def test_layout_type_and_caller_are_respected(bound):
    scores = random_scores(6)
    before, state = scores.clone(), torch.get_rng_state()
    value = bound(scores).item()
    padded = torch.zeros(6, 12, dtype=torch.float64)
    padded[:, ::2] = scores
    for same in (scores.numpy(), scores.T.contiguous().T, padded[:, ::2]):
        assert bound(same).item() == pytest.approx(value, abs=1e-12)
    assert bound(torch.eye(3, dtype=torch.int64)).dtype == torch.float32
    assert torch.equal(scores, before)
    assert torch.equal(torch.get_rng_state(), state)


def gradient(objective, scores):
    scores = scores.clone().requires_grad_()
    objective(scores).backward()
    return scores.grad


def test_mine_has_the_value_of_donsker_varadhan():
    objective = MineGradient(decay=0.9)
    for seed in range(4):
        scores = random_scores(7, seed)
        assert objective(scores).item() == pytest.approx(donsker_varadhan(scores).item(), abs=1e-12)


def test_mine_has_the_exact_gradient_where_the_average_is_the_batch():
    scores = random_scores(7)
    exact = gradient(donsker_varadhan, scores)
    forgetful, first, steady = MineGradient(decay=0.0), MineGradient(decay=0.99), MineGradient(decay=0.5)
    forgetful(random_scores(7, 1))
    assert torch.allclose(gradient(forgetful, scores), exact, atol=1e-12)
    assert torch.allclose(gradient(first, scores), exact, atol=1e-12)
    for _ in range(3):
        assert torch.allclose(gradient(steady, scores), exact, atol=1e-6)  # the average is kept in float32
    assert torch.allclose(gradient(MineGradient().eval(), scores), exact, atol=1e-12)


def test_mine_gradient_equals_its_slow_twin():
    steps = [(random_scores(6, seed)[0], 2 * random_scores(6, seed)[1:].flatten()) for seed in range(5)]
    objective = MineGradient(decay=0.7)
    expected = slow.mine_gradient([(joint.tolist(), product.tolist()) for joint, product in steps], 0.7)
    for (joint, product), (for_joint, for_product) in zip(steps, expected, strict=True):
        joint, product = joint.clone().requires_grad_(), product.clone().requires_grad_()
        objective(joint, product).backward()
        assert joint.grad.tolist() == pytest.approx(for_joint, abs=1e-12)
        assert product.grad.tolist() == pytest.approx(for_product, rel=1e-5)


def test_mine_average_is_part_of_the_state():
    objective = MineGradient(decay=0.9)
    objective(random_scores(7))
    resumed = MineGradient(decay=0.9)
    resumed.load_state_dict(copy.deepcopy(objective.state_dict()))
    assert "log_average" in objective.state_dict()
    assert torch.equal(gradient(resumed, random_scores(7, 1)), gradient(objective, random_scores(7, 1)))
    assert torch.equal(resumed.log_average, objective.log_average)


def test_mine_average_stands_still_in_evaluation_and_recovers_from_a_bad_batch():
    objective = MineGradient()
    objective(random_scores(7))
    before = objective.log_average.clone()
    objective.eval()(5 * random_scores(7, 1))
    assert torch.equal(objective.log_average, before)
    objective.train()(torch.full((3, 3), math.nan))
    assert torch.isfinite(gradient(objective, random_scores(7))).all()


def test_mine_weight_is_bounded_when_scores_jump():
    objective = MineGradient(decay=0.99)
    objective(torch.zeros(4, 4))
    assert gradient(objective, torch.full((4, 4), 1e3)).abs().sum().item() == pytest.approx(1 + 100, rel=1e-4)


@pytest.mark.parametrize("bound", [*LOWER, MineGradient(), *UPPER])
def test_wrong_matrices_are_refused(bound):
    name = getattr(bound, "__name__", "MineGradient")
    argument = "log_conditional" if bound in UPPER else "scores"
    for shape in ((1, 1), (3, 2), (4,), (2, 2, 2), (0, 0), ()):
        with pytest.raises(ValueError, match=f"{name}: {argument} must be square with at least 2 rows, got shape"):
            bound(torch.zeros(shape))
    with pytest.raises(TypeError, match=f"{name}: {argument} must hold real numbers"):
        bound(torch.zeros(2, 2, dtype=torch.complex64))
    with pytest.raises(TypeError, match=f"{name}: {argument} must hold real numbers"):
        bound(["a"])


@pytest.mark.parametrize("bound", APART)
def test_wrong_pairs_are_refused(bound):
    name = getattr(bound, "__name__", "MineGradient")
    with pytest.raises(ValueError, match=f"{name}: with product given, scores must be one-dimensional and not empty"):
        bound(torch.zeros(2, 2), torch.zeros(3))
    with pytest.raises(ValueError, match=f"{name}: with product given, product must be .* got shape \\(0,\\)"):
        bound(torch.zeros(2), torch.zeros(0))


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="smile: clip must be positive and finite, got 0"):
        smile(torch.zeros(2, 2), clip=0)
    for decay in (1.0, -0.1, math.nan):
        with pytest.raises(ValueError, match="MineGradient: decay must be at least 0 and below 1, got"):
            MineGradient(decay=decay)
