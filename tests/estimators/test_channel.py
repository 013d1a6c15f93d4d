import math

import numpy as np
import pytest
import torch
from tests.reference import channel as slow

from infotorch.estimators.channel import (
    gaussian_channel_bound,
    infonce_known_channel,
    leave_one_out_bound,
    pairwise_bounds,
)


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def linear_layer(n, d, scale, *, seed=0, dtype=torch.float64):
    """Features W x + b of standard Gaussian x, and the closed form of I(X; WX + b + eps) for unit noise."""
    generator = seeded(seed)
    weight = scale * torch.randn(d, d, generator=generator, dtype=torch.float64) / math.sqrt(d)
    x = torch.randn(n, d, generator=generator, dtype=torch.float64)
    truth = 0.5 * float(torch.logdet(torch.eye(d, dtype=torch.float64) + weight @ weight.T))
    return (x @ weight.T + 3).to(dtype), truth


def every_bound(features, noise_std, seed=0):
    return [
        *pairwise_bounds(features, noise_std),
        leave_one_out_bound(features, noise_std, generator=seeded(seed)),
        infonce_known_channel(features, noise_std, generator=seeded(seed)),
        gaussian_channel_bound(features, noise_std),
    ]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_bounds_enclose_the_information_of_a_linear_gaussian_layer(seed, dtype):
    features, truth = linear_layer(2048, 10, 0.95, seed=seed, dtype=dtype)
    assert 2 < truth < 4
    pair_low, pair_high, above, below, gauss = every_bound(features, 1.0, seed)
    assert pair_low.value < truth < pair_high.value
    # Measured: both within 0.1 of the truth at n = 2048, with a standard error of 0.05.
    assert float(below) == pytest.approx(truth, abs=0.25)
    assert float(above) == pytest.approx(truth, abs=0.25)
    assert float(below) < float(above)
    assert float(gauss) == pytest.approx(truth, abs=4 * gauss.std_error)


def test_a_lower_bound_beyond_log_n_is_saturated():
    features, truth = linear_layer(512, 30, 5000.0)
    low, high, above, below, gauss = every_bound(features, 1.0)
    assert truth > 100
    for e in (low, high, below):
        assert e.saturated
        assert float(e) == pytest.approx(math.log(512), abs=1e-6)
        assert float(e) <= e.ceiling + 1e-12
    assert float(above) > truth
    assert not above.saturated
    assert float(gauss) == pytest.approx(truth, abs=2)


def test_each_bound_declares_its_side():
    assert [e.side for e in every_bound(torch.rand(5, 2, generator=seeded()), 1.0)] == [
        "lower", "upper", "upper", "lower", "upper",
    ]  # fmt: skip


@pytest.mark.parametrize("scale", [1e-3, 0.1, 1, 10, 1e3])
def test_pairwise_lower_never_exceeds_upper(scale):
    low, high = pairwise_bounds(scale * torch.randn(60, 3, generator=seeded(1)), 1.0)
    assert 0 <= float(low) <= float(high) <= math.log(60) + 1e-6


@pytest.mark.parametrize(("n", "d"), [(12, 3), (7, 20)])
def test_every_bound_equals_its_slow_twin(n, d):
    generator = seeded(n)
    features = torch.randn(n, d, generator=generator, dtype=torch.float64)
    low, high, above, below, gauss = every_bound(features, 0.7, seed=5)
    noise = torch.randn(n, d, generator=seeded(5), dtype=torch.float64)
    f, t = features.numpy(), (features + 0.7 * noise).numpy()
    assert float(low) == pytest.approx(slow.pairwise(f, 8 * 0.49), abs=1e-9)
    assert float(high) == pytest.approx(slow.pairwise(f, 2 * 0.49), abs=1e-9)
    assert float(above) == pytest.approx(slow.contrast(f, t, 0.7, leave_one_out=True), abs=1e-9)
    assert float(below) == pytest.approx(slow.contrast(f, t, 0.7, leave_one_out=False), abs=1e-9)
    assert float(gauss) == pytest.approx(slow.gaussian(f, 0.7), abs=1e-9)


def test_pairwise_and_gaussian_do_not_see_translation_and_rotation():
    features = torch.randn(40, 5, generator=seeded(2), dtype=torch.float64)
    rotation, _ = torch.linalg.qr(torch.randn(5, 5, generator=seeded(3), dtype=torch.float64))
    moved = features @ rotation + 100
    for a, b in zip(
        [*pairwise_bounds(features, 1.0), gaussian_channel_bound(features, 1.0)],
        [*pairwise_bounds(moved, 1.0), gaussian_channel_bound(moved, 1.0)],
        strict=True,
    ):
        assert float(a) == pytest.approx(float(b), abs=1e-9)


def test_only_features_over_noise_matters():
    features = torch.randn(40, 5, generator=seeded(2), dtype=torch.float64)
    for a, b in zip(every_bound(features, 1.0), every_bound(50 * features, 50.0), strict=True):
        assert float(a) == pytest.approx(float(b), abs=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_constant_features_carry_no_information(dtype):
    for e in every_bound(torch.full((50, 4), 0.1, dtype=dtype), 1.0):
        assert float(e) == pytest.approx(0, abs=1e-5 if dtype == torch.float32 else 1e-12)


def test_repeated_rows_carry_the_log_of_their_number():
    features = torch.arange(4.0).repeat_interleave(25) * 1000
    for e in every_bound(features, 1.0)[:2]:
        assert float(e) == pytest.approx(math.log(4), abs=1e-5)


@pytest.mark.parametrize(("n", "d"), [(6, 2), (4, 7)])
def test_gradients(n, d):
    features = torch.randn(n, d, generator=seeded(4), dtype=torch.float64, requires_grad=True)
    noise_std = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)
    for i in range(5):
        assert torch.autograd.gradcheck(lambda f, s, i=i: every_bound(f, s)[i].value, (features, noise_std))


def test_standard_error_is_the_spread_over_samples():
    weight = torch.randn(3, 3, generator=seeded(9), dtype=torch.float64)
    generator = seeded(10)
    rounds = [
        every_bound(torch.randn(100, 3, generator=generator, dtype=torch.float64) @ weight, 1.0, seed)
        for seed in range(100)
    ]
    for estimates in zip(*rounds, strict=True):
        spread = np.std([float(e) for e in estimates], ddof=1)
        # The spread of 100 values has a relative error of 7 %, and the linear approximation is off by up to 10 %.
        assert np.mean([e.std_error for e in estimates]) == pytest.approx(spread, rel=0.3)


def test_half_precision_integers_and_images_are_read():
    images = torch.rand(6, 1, 4, 4, generator=seeded(0))
    for features in (images.half(), images.bfloat16(), (images * 255).to(torch.uint8), images.numpy()):
        assert all(math.isfinite(float(e)) for e in every_bound(features, 1.0))


def test_autocast_does_not_touch_the_distances():
    features = torch.randn(30, 8, generator=seeded(0))
    plain = [float(e) for e in every_bound(features, 1.0)]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert [float(e) for e in every_bound(features, 1.0)] == plain


def test_caller_and_global_state_are_untouched():
    features = torch.randn(30, 8, generator=seeded(0))
    before, state = features.clone(), torch.get_rng_state()
    for e in every_bound(features, 1.0):
        assert e.std_error > 0
    assert torch.equal(features, before)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("bound", [leave_one_out_bound, infonce_known_channel])
def test_without_a_generator_the_noise_is_fresh(bound):
    features, state = torch.randn(30, 8, generator=seeded(0)), torch.get_rng_state()
    assert float(bound(features, 1.0)) != float(bound(features, 1.0))
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("bound", [leave_one_out_bound, infonce_known_channel])
def test_a_seed_is_no_generator(bound):
    with pytest.raises(TypeError, match=f"{bound.__name__}: generator must be a torch"):
        bound(torch.ones(3), 1.0, generator=0)


@pytest.mark.parametrize("bound", [pairwise_bounds, gaussian_channel_bound])
def test_wrong_input_is_refused(bound):
    name = bound.__name__
    with pytest.raises(ValueError, match=f"{name}: features must have at least 2 rows, got 1"):
        bound(torch.ones(1, 3), 1.0)
    with pytest.raises(ValueError, match=f"{name}: features must be finite, got 1 NaN"):
        bound(torch.tensor([1.0, math.nan]), 1.0)
    with pytest.raises(ValueError, match=f"{name}: noise_std must be positive and finite, got 0"):
        bound(torch.ones(3), 0)
    with pytest.raises(ValueError, match=f"{name}: noise_std must be positive and finite, got -1"):
        bound(torch.ones(3), torch.tensor(-1.0))
    with pytest.raises(ValueError, match=f"{name}: noise_std must be a number"):
        bound(torch.ones(3), torch.ones(2))
    with pytest.raises(TypeError, match=f"{name}: noise_std must be a number, got str"):
        bound(torch.ones(3), "1")


def two_points(size, dtype=torch.float32):
    """200 rows at two points, size apart in units of the noise: log 2, but for the shares of the points."""
    side = torch.arange(200) % 2
    return side[:, None] * (size * torch.tensor([0.6, 0.8], dtype=dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("size", [1e2, 1e4, 1e7, 1e12])
def test_rounding_does_not_drown_the_noise(size, dtype, generator):
    features = two_points(size, dtype)
    for estimate in (*pairwise_bounds(features, 1.0), infonce_known_channel(features, 1.0, generator=generator)):
        assert estimate.value.dtype == dtype
        # At 1e12 float64 keeps four digits of the noise.
        assert float(estimate) == pytest.approx(math.log(2), abs=1e-3)
    upper = leave_one_out_bound(features, 1.0, generator=generator)
    assert float(upper) == pytest.approx(math.log(199 / 99), abs=1e-3)


@pytest.mark.parametrize("size", [1e2, 1e9, 1e12])
def test_the_gaussian_bound_keeps_what_does_not_vary(size):
    features = two_points(size, torch.float64).requires_grad_()
    estimate = gaussian_channel_bound(features, 1.0)
    assert float(estimate) == pytest.approx(math.log(size / 2) + 0.5 * math.log1p(4 / size**2), rel=1e-9)
    assert 0 <= estimate.std_error < 1e-6
    estimate.value.backward()
    assert features.grad.isfinite().all()


@pytest.mark.parametrize("offset", [1e4, 1e30])
def test_an_offset_of_all_rows_changes_nothing(offset, generator):
    features = torch.full((13, 2), offset)
    found = [*pairwise_bounds(features, 0.5), gaussian_channel_bound(features, 0.5)]
    found += [bound(features, 0.5, generator=generator) for bound in (infonce_known_channel, leave_one_out_bound)]
    assert [float(estimate) for estimate in found] == pytest.approx([0.0] * 5, abs=1e-5)


def test_gradients_of_rows_far_apart_are_finite(generator):
    features = two_points(1e8, torch.float64).requires_grad_()
    leave_one_out_bound(features, 1.0, generator=generator).value.backward()
    assert features.grad.isfinite().all()


def test_rows_too_far_apart_are_refused():
    with pytest.raises(ValueError, match="pairwise_bounds: features must lie closer together in units of noise_std"):
        pairwise_bounds(torch.tensor([1e308, -1e308], dtype=torch.float64), 1.0)
    with pytest.raises(ValueError, match="gaussian_channel_bound: features must lie closer together"):
        gaussian_channel_bound(torch.tensor([0.0, 1e30]), 1e-30 * 1e-130)


@pytest.mark.parametrize(
    "bound",
    [
        lambda f: pairwise_bounds(f, 0.7)[0],
        lambda f: pairwise_bounds(f, 0.7)[1],
        lambda f: leave_one_out_bound(f, 0.7, generator=torch.Generator().manual_seed(0)),
        lambda f: infonce_known_channel(f, 0.7, generator=torch.Generator().manual_seed(0)),
    ],
)
def test_many_rows_go_block_by_block(bound, monkeypatch):
    features = torch.randn(50, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64, requires_grad=True)
    whole = bound(features)
    (gradient,) = torch.autograd.grad(whole.value, features)
    error = whole.std_error
    monkeypatch.setattr("infotorch.estimators.contrast._BLOCK_ENTRIES", 50 * 7)
    parts = bound(features)
    assert float(parts) == pytest.approx(float(whole), abs=1e-12)
    assert torch.allclose(torch.autograd.grad(parts.value, features)[0], gradient, atol=1e-12)
    assert parts.std_error == pytest.approx(error, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("spread", [1.0, 1e4, 1e9])
def test_tiles_of_many_rows_change_nothing(dtype, spread, monkeypatch):
    features = torch.randn(50, 3, generator=seeded(), dtype=dtype)
    features[::7] *= spread
    whole = pairwise_bounds(features, 0.7)
    monkeypatch.setattr("infotorch.numerics.kernels._TILED_ROWS", 0)
    monkeypatch.setattr("infotorch.numerics.kernels._CPU_TILE", 16)
    tiled = pairwise_bounds(features, 0.7)
    tolerance = 1e-9 if dtype == torch.float64 and spread < 1e9 else 1e-6  # rounding of far samples and of products
    for one, other in zip(whole, tiled, strict=True):
        assert float(other) == pytest.approx(float(one), abs=tolerance)
        assert other.std_error == pytest.approx(one.std_error, abs=tolerance)
        assert (other.value.dtype, other.side, other.n) == (dtype, one.side, 50)
        assert (other.ceiling, other.estimator) == (one.ceiling, one.estimator)
    # What needs a gradient goes by blocks of samples.
    assert pairwise_bounds(features.requires_grad_(), 0.7)[1].value.requires_grad


def test_lowered_precision_of_products_does_not_reach_the_bounds():
    x = torch.randn(300, 64, generator=seeded()) * 20 + 50.0 * (torch.arange(300) % 5)[:, None]
    exact, before = [float(e) for e in pairwise_bounds(x.double(), 150.0)], torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        found = [float(e) for e in pairwise_bounds(x, 150.0)]
    finally:
        torch.set_float32_matmul_precision(before)
    assert found == pytest.approx(exact, abs=1e-6)


class TestDeviationsOfEveryEntry:
    """`pairwise_bounds` of a code N(mu(x), sigma(x)^2), as a variational encoder gives it."""

    def code(self, n=40, d=3, seed=0, dtype=torch.float64):
        generator = seeded(seed)
        mean = torch.randn(n, d, generator=generator, dtype=dtype)
        return mean, torch.rand(n, d, generator=generator, dtype=dtype) + 0.2

    def test_they_are_the_sums_over_divergences_by_torch(self):
        mean, deviation = self.code()
        law = torch.distributions.Normal(mean[:, None], deviation[:, None])
        other = torch.distributions.Normal(mean, deviation)
        divergence = torch.distributions.kl_divergence(law, other).sum(dim=2)
        upper = -torch.exp(-divergence).mean(dim=1).log().mean()
        assert float(pairwise_bounds(mean, deviation)[1]) == pytest.approx(float(upper), rel=1e-12)

    def test_the_lower_one_has_the_overlap_of_the_densities(self):
        mean, deviation = self.code(n=5, d=1)
        t = torch.linspace(-12, 12, 40001, dtype=torch.float64)
        density = torch.distributions.Normal(mean, deviation).log_prob(t).exp()
        overlap = torch.trapezoid((density[:, None] * density).sqrt(), t)
        lower = -overlap.mean(dim=1).log().mean()
        assert float(pairwise_bounds(mean, deviation)[0]) == pytest.approx(float(lower), rel=1e-9)

    @pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
    def test_they_enclose_the_information_of_the_mixture(self, scale):
        mean, deviation = self.code(n=12, d=1, seed=1)
        t = torch.linspace(-40, 40, 80001, dtype=torch.float64)
        log_density = torch.distributions.Normal(scale * mean, deviation).log_prob(t)
        mixture = log_density.logsumexp(dim=0) - math.log(12)
        truth = float(torch.trapezoid(log_density.exp() * (log_density - mixture), t).mean())
        low, high = pairwise_bounds(scale * mean, deviation)
        assert float(low) < truth < float(high) <= math.log(12)

    def test_one_deviation_for_all_gives_what_a_number_gives(self):
        mean, _ = self.code(n=200, dtype=torch.float32)
        each = pairwise_bounds(mean, torch.full_like(mean, 0.7))
        once = pairwise_bounds(mean, 0.7)
        assert [float(e) for e in each] == pytest.approx([float(e) for e in once], rel=1e-6)
        assert [e.std_error for e in each] == pytest.approx([e.std_error for e in once], rel=1e-5)
        assert each[0].value.dtype == torch.float32

    def test_gradcheck(self):
        mean, deviation = self.code(n=6)
        for side in (0, 1):
            torch.autograd.gradcheck(
                lambda mean, deviation, side=side: pairwise_bounds(mean, deviation)[side].value,
                (mean.requires_grad_(), deviation.requires_grad_()),
            )

    def test_deviations_that_are_none_are_refused(self):
        mean, deviation = self.code()
        with pytest.raises(ValueError, match=r"noise_std must be .* features' entries \(40, 3\), got shape \(40, 2\)"):
            pairwise_bounds(mean, deviation[:, :2])
        deviation[3, 1] = 0
        with pytest.raises(ValueError, match="noise_std must be positive and finite, got 0"):
            pairwise_bounds(mean, deviation)
