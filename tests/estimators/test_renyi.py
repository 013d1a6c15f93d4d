import math

import numpy as np
import pytest
import torch
from tests.reference import kernels as slow

from infotorch.estimators.discrete import discrete_entropy, discrete_mi
from infotorch.estimators.renyi import renyi_entropy, renyi_mi, renyi_normalised_mi
from infotorch.estimators.renyi_multivariate import (
    channel_views,
    renyi_joint_entropy,
    renyi_multivariate_mi,
    renyi_total_correlation,
)
from infotorch.numerics.kernels import KERNELS, knn_bandwidth

ORDERS = [0.5, 0.9, 1, 1.01, 1.5, 2, 3, 7.5]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=seeded(seed), dtype=dtype)


def labels(n, classes=3, seed=5):
    return torch.randint(classes, (n,), generator=seeded(seed))


@pytest.mark.parametrize("alpha", ORDERS)
def test_far_groups_carry_the_renyi_entropy_of_their_shares(alpha):
    shares = [0.5, 0.3, 0.2]
    x = 1e3 * torch.arange(3.0, dtype=torch.float64).repeat_interleave(torch.tensor([50, 30, 20]))
    truth = (
        -sum(p * math.log(p) for p in shares) if alpha == 1 else math.log(sum(p**alpha for p in shares)) / (1 - alpha)
    )
    assert float(renyi_entropy(x, alpha=alpha, bandwidth=1.0)) == pytest.approx(
        truth, abs=1e-12 if alpha >= 1 else 1e-6
    )
    assert float(renyi_entropy((x / 1e3).long(), alpha=alpha)) == pytest.approx(truth, abs=1e-12)


@pytest.mark.parametrize("alpha", ORDERS)
def test_two_rows_have_the_spectrum_of_a_two_by_two_matrix(alpha):
    k = math.exp(-4 / 3)
    values = np.array([(1 + k) / 2, (1 - k) / 2])
    truth = -(values * np.log(values)).sum() if alpha == 1 else math.log((values**alpha).sum()) / (1 - alpha)
    x = torch.tensor([[0.0], [2.0]], dtype=torch.float64)
    assert float(renyi_entropy(x, alpha=alpha, bandwidth=3.0)) == pytest.approx(truth, abs=1e-12)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("alpha", ORDERS)
def test_equals_the_slow_twin(alpha, kernel):
    x, y, z = noise(14, 3), noise(14, 2, seed=1), labels(14)
    kx, ky = slow.gram(x.numpy(), 1.3, kernel), slow.gram(y.numpy(), 0.8, kernel)
    kz = slow.gram(z[:, None].numpy(), "symbols", kernel)
    settings = {"alpha": alpha, "kernel": kernel}
    entropy = renyi_entropy(x, bandwidth=1.3, **settings)
    joint = renyi_joint_entropy(x, y, z, bandwidth=(1.3, 0.8, 1.0), **settings)
    real = renyi_mi(x, y, bandwidth=(1.3, 0.8), **settings)
    label = renyi_mi(x, z, bandwidth=1.3, **settings)
    several = renyi_multivariate_mi([x, y], z, bandwidth=(1.3, 0.8, 1.0), **settings)
    total = renyi_total_correlation(x, y, z, bandwidth=(1.3, 0.8, 1.0), **settings)
    all_three = slow.entropy(slow.joint(kx, ky, kz), alpha)
    assert float(entropy) == pytest.approx(slow.entropy(kx, alpha), abs=1e-9)
    assert float(joint) == pytest.approx(all_three, abs=1e-9)
    assert float(real) == pytest.approx(slow.mutual_information(kx, ky, alpha), abs=1e-9)
    assert float(label) == pytest.approx(slow.mutual_information(kx, kz, alpha), abs=1e-9)
    assert float(several) == pytest.approx(slow.mutual_information(slow.joint(kx, ky), kz, alpha), abs=1e-9)
    parts = sum(slow.entropy(k, alpha) for k in (kx, ky, kz))
    assert float(total) == pytest.approx(parts - all_three, abs=1e-9)


def test_the_order_is_continuous_at_one_and_where_the_formula_changes():
    x = noise(40, 2)
    value = {alpha: float(renyi_entropy(x, alpha=alpha, bandwidth=1.0)) for alpha in (1 - 1e-9, 1, 1 + 1e-9)}
    assert value[1 - 1e-9] == pytest.approx(value[1], abs=1e-7)
    assert value[1 + 1e-9] == pytest.approx(value[1], abs=1e-7)
    for alpha in (0.5, 1.5, 2):
        below, above = (float(renyi_entropy(x, alpha=alpha + h, bandwidth=1.0)) for h in (-1e-9, 1e-9))
        assert below == pytest.approx(float(renyi_entropy(x, alpha=alpha, bandwidth=1.0)), abs=1e-7)
        assert above == pytest.approx(below, abs=1e-7)


def test_falls_with_the_order_and_stays_within_zero_and_log_n():
    x = noise(50, 3)
    values = [float(renyi_entropy(x, alpha=alpha, bandwidth=2.0)) for alpha in ORDERS]
    assert values == sorted(values, reverse=True)
    assert 0 < values[-1] < values[0] < math.log(50)
    narrow = renyi_entropy(x, bandwidth=1e-6)
    assert float(narrow) == pytest.approx(math.log(50), abs=1e-9)
    assert narrow.saturated


@pytest.mark.parametrize("alpha", [0.5, 1, 1.01, 2, 5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_constant_carries_nothing(alpha, dtype):
    x, dead = noise(30, 4, dtype=dtype), torch.full((30, 2), 0.1, dtype=dtype)
    tolerance = 1e-5 if dtype == torch.float32 else 1e-6 if alpha < 1 else 1e-12
    assert float(renyi_entropy(dead, alpha=alpha)) == pytest.approx(0, abs=tolerance)
    assert float(renyi_mi(x, dead, alpha=alpha)) == pytest.approx(0, abs=tolerance)
    assert float(renyi_mi(dead, labels(30), alpha=alpha)) == pytest.approx(0, abs=tolerance)
    assert float(renyi_mi(x, torch.zeros(30).long(), alpha=alpha)) == pytest.approx(0, abs=tolerance)
    assert float(renyi_entropy(torch.ones(1, 2), alpha=alpha)) == pytest.approx(0, abs=tolerance)


def test_partly_repeated_rows_have_a_bandwidth():
    x = torch.tensor([0.0, 1.0, 5.0]).repeat_interleave(20)
    for rule in ("knn", "median"):
        value = renyi_entropy(x, bandwidth=rule)
        assert 0 < float(value) < math.log(3) + 1e-5


def test_a_variable_knows_all_about_itself():
    x = noise(40, 3)
    # exp(-d2/s) twice is exp(-d2/(s/2)).
    twice = 2 * float(renyi_entropy(x, bandwidth=2.0)) - float(renyi_entropy(x, bandwidth=1.0))
    assert float(renyi_mi(x, x, bandwidth=2.0)) == pytest.approx(twice, abs=1e-9)
    y = labels(40)
    assert float(renyi_mi(y, y)) == pytest.approx(float(renyi_entropy(y)), abs=1e-12)
    assert float(renyi_normalised_mi(y, y)) == pytest.approx(1, abs=1e-12)


def test_symmetric_and_blind_to_order_translation_and_rotation():
    x, y = noise(40, 3), noise(40, 3, seed=1) + noise(40, 3)
    base = float(renyi_mi(x, y, bandwidth=(2.0, 3.0)))
    assert float(renyi_mi(y, x, bandwidth=(3.0, 2.0))) == pytest.approx(base, abs=1e-9)
    order = torch.randperm(40, generator=seeded(3))
    assert float(renyi_mi(x[order], y[order], bandwidth=(2.0, 3.0))) == pytest.approx(base, abs=1e-9)
    rotation, _ = torch.linalg.qr(noise(3, 3, seed=4))
    assert float(renyi_mi(x @ rotation + 50, y, bandwidth=(2.0, 3.0))) == pytest.approx(base, abs=1e-9)


@pytest.mark.parametrize("rule", ["knn", "median"])
def test_a_rule_and_the_second_kernel_do_not_see_the_unit(rule):
    x = noise(40, 3)
    base = float(renyi_entropy(x, bandwidth=rule, kernel="exp(-d2/2s2)"))
    for scale in (1e-30, 1e-3, 1e30):
        scaled = renyi_entropy(scale * x, bandwidth=rule, kernel="exp(-d2/2s2)")
        assert float(scaled) == pytest.approx(base, abs=1e-8)


def test_of_symbols_it_is_the_discrete_information():
    a, b = labels(200), (labels(200) + labels(200, 2, seed=6)) % 3
    assert float(renyi_entropy(a, alpha=1)) == pytest.approx(float(discrete_entropy(a)), abs=1e-12)
    assert float(renyi_mi(a, b, alpha=1)) == pytest.approx(float(discrete_mi(a, b)), abs=1e-12)
    assert float(renyi_mi(a.bool(), b, alpha=1)) == pytest.approx(float(discrete_mi(a.bool(), b)), abs=1e-12)


def test_other_orders_than_one_may_be_negative():
    # p = (1/2, 1/4, 1/4, 0): collision entropies log 1.6 each, jointly log(8/3).
    a, b = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 0, 1, 0])
    assert float(renyi_mi(a, b, alpha=2)) == pytest.approx(math.log(1.6**2 * 3 / 8), abs=1e-12)
    assert float(renyi_mi(a, b, alpha=2)) < 0


def test_information_is_at_most_either_entropy_and_joint_at_least():
    x, y = noise(60, 2), noise(60, 2) + 0.3 * noise(60, 2, seed=1)
    of_x, of_y = (float(renyi_entropy(v, bandwidth=1.0)) for v in (x, y))
    both, mi = float(renyi_joint_entropy(x, y, bandwidth=1.0)), float(renyi_mi(x, y, bandwidth=1.0))
    assert max(of_x, of_y) <= both <= of_x + of_y
    assert 0 < mi <= min(of_x, of_y)
    assert float(renyi_normalised_mi(x, y, bandwidth=1.0)) == pytest.approx(mi / min(of_x, of_y), abs=1e-12)
    assert float(renyi_total_correlation(x, y, bandwidth=1.0)) == pytest.approx(mi, abs=1e-12)
    assert float(renyi_total_correlation(x, bandwidth=1.0)) == pytest.approx(0, abs=1e-12)


def test_channels_multiply_to_one_kernel():
    grid = noise(20, 5, 2, 2)
    views, y = channel_views(grid), labels(20)
    assert all(torch.equal(view, same) for view, same in zip(views, channel_views(grid.numpy()), strict=True))
    kernels = [slow.gram(v.flatten(1).numpy(), knn_bandwidth(v.flatten(1)), "exp(-d2/s)") for v in views]
    truth = slow.mutual_information(slow.joint(*kernels), slow.gram(y[:, None].numpy(), "symbols", ""), 1.01)
    assert float(renyi_multivariate_mi(views, y)) == pytest.approx(truth, abs=1e-9)
    one = renyi_multivariate_mi([grid], y, bandwidth=3.0)
    assert float(one) == pytest.approx(float(renyi_mi(grid, y, bandwidth=3.0)), abs=1e-12)


@pytest.mark.parametrize("alpha", [1, 1.01, pytest.param(1.5, marks=pytest.mark.slow), 2, 3])
def test_gradients(alpha):
    x, y = noise(8, 3), noise(8, 2, seed=1)
    x[5] = x[2]  # equal rows: an eigenvalue of 0
    y[5] = y[2]
    inputs, z = (x.requires_grad_(), y.requires_grad_()), labels(8, 2)
    widths = {"alpha": alpha, "bandwidth": 2.0}
    for value in (
        lambda x, y: renyi_mi(x, y, **widths).value,
        lambda x, y: renyi_multivariate_mi([x, y], z, **widths).value,
        lambda x, y: renyi_normalised_mi(x, y, **widths),
    ):
        assert torch.autograd.gradcheck(value, inputs)


@pytest.mark.parametrize("alpha", [0.6, 0.9])
def test_gradients_below_order_one_where_no_rows_repeat(alpha):
    x = noise(7, 3).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: renyi_entropy(x, alpha=alpha, bandwidth=2.0).value, (x,))


def test_a_bandwidth_is_a_constant():
    x = noise(20, 2).requires_grad_()
    by_rule = torch.autograd.grad(renyi_entropy(x).value, x)[0]
    by_number = torch.autograd.grad(renyi_entropy(x, bandwidth=knn_bandwidth(x)).value, x)[0]
    torch.testing.assert_close(by_rule, by_number)


def test_order_two_takes_blocks_of_rows(monkeypatch):
    x = noise(50, 3).requires_grad_()
    y = labels(50)

    def all_of_it():
        value = renyi_mi(x, y, alpha=2, bandwidth=1.0)
        return float(value), torch.autograd.grad(value.value, x)[0], value.std_error

    whole, slope, error = all_of_it()
    monkeypatch.setattr("infotorch.numerics.kernels._BLOCK_ENTRIES", 70)
    assert all_of_it()[0] == pytest.approx(whole, abs=1e-12)
    assert all_of_it()[2] == pytest.approx(error, abs=1e-12)
    torch.testing.assert_close(all_of_it()[1], slope)


def test_order_two_takes_tiles_of_many_rows(monkeypatch):
    x, y = noise(50, 3), labels(50)
    whole = renyi_mi(x, y, alpha=2, bandwidth=1.0)
    error = whole.std_error
    monkeypatch.setattr("infotorch.numerics.kernels._BLOCK_ENTRIES", 70)
    monkeypatch.setattr("infotorch.numerics.kernels._TILED_ROWS", 0)
    monkeypatch.setattr("infotorch.numerics.kernels._CPU_TILE", 16)
    tiled = renyi_mi(x, y, alpha=2, bandwidth=1.0)
    assert float(tiled) == pytest.approx(float(whole), abs=1e-12)
    assert tiled.std_error == pytest.approx(error, abs=1e-12)


def test_single_precision_is_right_to_1e_4():
    x = noise(300, 5)
    for alpha in (0.5, 0.9, 1, 1.01, 2, 4):
        for bandwidth in (0.1, 5.0, 100.0):
            exact = float(renyi_entropy(x.float().double(), alpha=alpha, bandwidth=bandwidth))
            single = renyi_entropy(x.float(), alpha=alpha, bandwidth=bandwidth)
            assert float(single) == pytest.approx(exact, abs=1e-4)
            assert single.value.dtype == (torch.float64 if alpha < 1 else torch.float32)


@pytest.mark.parametrize("alpha", [pytest.param(1, marks=pytest.mark.slow), 1.01, 2])
def test_standard_error_is_the_spread_over_samples(alpha):
    generator, rounds = seeded(8), {"entropy": [], "mi": [], "labels": []}
    for _ in range(100):
        x = torch.randn(120, 2, generator=generator, dtype=torch.float64)
        y = torch.randint(3, (120,), generator=generator)
        t = x + torch.randn(120, 2, generator=generator, dtype=torch.float64)
        rounds["entropy"].append(renyi_entropy(x, alpha=alpha, bandwidth=2.0))
        rounds["mi"].append(renyi_mi(x, t, alpha=alpha, bandwidth=4.0))
        rounds["labels"].append(renyi_mi(x + y[:, None], y, alpha=alpha, bandwidth=4.0))
    for estimates in rounds.values():
        spread = np.std([float(e) for e in estimates], ddof=1)
        # The spread of 100 values has a relative error of 7 %, and the linear approximation is off by up to 15 %.
        assert np.mean([e.std_error for e in estimates]) == pytest.approx(spread, rel=0.3)


def test_a_single_row_has_no_standard_error():
    assert math.isnan(renyi_entropy(torch.ones(1, 2)).std_error)


def test_the_estimate_tells_what_was_used():
    x, y = noise(30, 2), labels(30)
    e = renyi_mi(x, y)
    assert e.estimator == f"renyi_mi alpha=1.01 exp(-d2/s) s={knn_bandwidth(x):.4g}, symbols"
    assert (e.side, e.n, e.ceiling) == ("none", 30, math.log(30))
    assert renyi_total_correlation(x, y, x).ceiling == pytest.approx(2 * math.log(30))


def test_half_precision_integers_numpy_and_images_are_read():
    image = torch.rand(12, 1, 3, 3, generator=seeded())
    base = float(renyi_entropy(image, bandwidth=1.0))
    for x in (image.half(), image.bfloat16(), image.numpy(), image.transpose(2, 3)):
        assert float(renyi_entropy(x, bandwidth=1.0)) == pytest.approx(base, abs=0.02)
    assert float(renyi_entropy((255 * image).to(torch.uint8))) == pytest.approx(math.log(12), abs=1e-9)
    assert float(renyi_mi(image, labels(12).numpy(), bandwidth=1.0)) > 0


@pytest.mark.parametrize("scale", [1e-38, 1e-30, 1e30, 1e37])
def test_extreme_scales_are_read(scale):
    x = scale * noise(30, 3, dtype=torch.float32)
    for kernel in KERNELS:
        assert 0 <= float(renyi_entropy(x, kernel=kernel)) <= math.log(30) + 1e-5


def test_caller_and_global_state_are_untouched():
    x, y = noise(30, 2), labels(30)
    before, state = x.clone(), torch.get_rng_state()
    assert renyi_mi(x, y).std_error > 0
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("measure", [renyi_mi, renyi_normalised_mi, renyi_joint_entropy, renyi_total_correlation])
def test_wrong_input_is_refused(measure):
    name, x = measure.__name__, torch.arange(20.0)
    with pytest.raises(ValueError, match=f"{name}: x and y must be paired row by row, got 20 and 19 rows"):
        measure(x, x[1:])
    with pytest.raises(ValueError, match=f"{name}: .* must be finite, got 1 NaN"):
        measure(x, torch.where(x == 3, math.nan, x))
    for alpha in (0, -1, math.inf):
        with pytest.raises(ValueError, match=f"{name}: alpha must be positive and finite"):
            measure(x, x, alpha=alpha)
    with pytest.raises(TypeError, match=f"{name}: alpha must be a number"):
        measure(x, x, alpha="2")
    with pytest.raises(ValueError, match=rf"{name}: bandwidth must be one, or 2 .one a variable., got \(1, 2, 3\)"):
        measure(x, x, bandwidth=(1, 2, 3))
    with pytest.raises(ValueError, match=f"{name}: bandwidth must be positive and finite, got -1"):
        measure(x, x.long(), bandwidth=(1, -1))
    with pytest.raises(ValueError, match=f"{name}: bandwidth must be one of knn, median, got 'scott'"):
        measure(x, x, bandwidth="scott")
    with pytest.raises(ValueError, match=f"{name}: kernel must be one of"):
        measure(x, x, kernel="rbf")
    with pytest.raises(ValueError, match=f"{name}: .* is empty"):
        measure(x[:0], x[:0])
    with pytest.raises(TypeError, match=f"{name}: .* must hold real numbers"):
        measure(x, ["a"] * 20)


def test_wrong_variables_are_refused():
    x = torch.arange(20.0)
    for measure in (renyi_joint_entropy, renyi_total_correlation):
        with pytest.raises(ValueError, match=f"{measure.__name__}: needs at least one variable, got none"):
            measure()
    with pytest.raises(ValueError, match="renyi_multivariate_mi: views must hold at least one variable, got none"):
        renyi_multivariate_mi([], x)
    with pytest.raises(ValueError, match="renyi_normalised_mi: x and y must not be constant, got an entropy of 0"):
        renyi_normalised_mi(x, torch.zeros(20))
    with pytest.raises(ValueError, match=r"channel_views: grid must have rows and channels, got shape \(20,\)"):
        channel_views(x)
    with pytest.raises(TypeError, match="channel_views: grid must hold real numbers"):
        channel_views("grid")
    with pytest.raises(ValueError, match="renyi_entropy: x must have rows of samples, got a single number"):
        renyi_entropy(1.0)
