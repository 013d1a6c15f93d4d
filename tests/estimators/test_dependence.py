import math

import numpy as np
import pytest
import torch
from tests.reference import kernels as slow

from infotorch.estimators.dependence import cka, hsic
from infotorch.numerics.kernels import median_bandwidth


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=seeded(seed), dtype=dtype)


def labels(n, classes=3, seed=5):
    return torch.randint(classes, (n,), generator=seeded(seed))


def twin(k, length, unbiased):
    return slow.hsic_unbiased(k, length) if unbiased else slow.hsic_biased(k, length)


EVERY_FORM = pytest.mark.parametrize(
    ("kernel", "unbiased"), [("rbf", True), ("rbf", False), ("linear", True), ("linear", False)]
)


@pytest.mark.parametrize("unbiased", [True, False])
def test_equals_the_slow_twin(unbiased):
    x, y, z = noise(9, 3), noise(9, 2, seed=1), labels(9)
    rbf = [slow.gram(v.numpy(), s, "exp(-d2/2s2)") for v, s in ((x, 1.3), (y, 0.8))]
    linear = [(v @ v.T).numpy() for v in (x, y)]
    symbol = slow.gram(z[:, None].numpy(), "symbols", "")
    widths = {"bandwidth": (1.3, 0.8), "unbiased": unbiased}
    assert float(hsic(x, y, **widths)) == pytest.approx(twin(*rbf, unbiased), abs=1e-12)
    assert float(hsic(x, y, kernel="linear", unbiased=unbiased)) == pytest.approx(twin(*linear, unbiased), abs=1e-12)
    assert float(hsic(x, z, **widths)) == pytest.approx(twin(rbf[0], symbol, unbiased), abs=1e-12)
    assert float(hsic(x, z, kernel="linear", unbiased=unbiased)) == pytest.approx(
        twin(linear[0], symbol, unbiased), abs=1e-12
    )


@pytest.mark.parametrize("unbiased", [True, False])
def test_cka_is_the_ratio(unbiased):
    x, y = noise(12, 3), noise(12, 4, seed=1)
    k, length = (x @ x.T).numpy(), (y @ y.T).numpy()
    ratio = twin(k, length, unbiased) / math.sqrt(twin(k, k, unbiased) * twin(length, length, unbiased))
    assert float(cka(x, y, unbiased=unbiased)) == pytest.approx(ratio, abs=1e-12)


def test_biased_linear_hsic_is_the_squared_covariance():
    x, y = noise(50, 3), noise(50, 2, seed=1) + 7
    covariance = np.cov(x.T, y.T)[:3, 3:]
    assert float(hsic(x, y, kernel="linear", unbiased=False)) == pytest.approx((covariance**2).sum(), rel=1e-12)


def test_linear_hsic_of_huge_and_tiny_numbers():
    x, y = noise(20, 3), noise(20, 2, seed=1)
    base = float(hsic(x, y, kernel="linear"))
    assert float(hsic(1e100 * x, 1e-100 * y, kernel="linear")) == pytest.approx(base, rel=1e-9)
    assert float(hsic(1e200 * x, 1e-200 * y, kernel="linear")) == pytest.approx(base, rel=1e-9)
    assert math.isinf(float(hsic(1e200 * x, y, kernel="linear")))
    assert float(hsic(1e200 * x, torch.zeros(20), kernel="linear")) == 0


def test_hsic_of_labels_by_hand():
    # K = L with two pairs of equal rows. Biased: tr((KH)^2) / 9, KH has the eigenvalue 2. Unbiased: see eq. 5.
    y = torch.tensor([0, 0, 1, 1])
    assert float(hsic(y, y, unbiased=False)) == pytest.approx(4 / 9, abs=1e-12)
    assert float(hsic(y, y)) == pytest.approx((4 + 16 / 6 - 4) / 4, abs=1e-12)


def test_equals_the_kernels_of_scikit_learn():
    pairwise = pytest.importorskip("sklearn.metrics.pairwise")
    x, y = noise(200, 5), noise(200, 3, seed=1)
    k = pairwise.rbf_kernel(x, gamma=0.5 / median_bandwidth(x) ** 2)
    length = pairwise.rbf_kernel(y, gamma=0.5 / median_bandwidth(y) ** 2)
    assert float(hsic(x, y, unbiased=False)) == pytest.approx(slow.hsic_biased(k, length), abs=1e-12)


@EVERY_FORM
def test_cka_of_a_variable_with_itself_is_one(kernel, unbiased):
    x = noise(40, 3)
    assert float(cka(x, x, kernel=kernel, unbiased=unbiased)) == pytest.approx(1, abs=1e-12)
    y = labels(40)
    assert float(cka(y, 7 - y, kernel=kernel, unbiased=unbiased)) == pytest.approx(1, abs=1e-12)


@EVERY_FORM
@pytest.mark.parametrize("scale", [1e-100, 1e-3, 1e3, 1e100])
def test_cka_is_blind_to_rotation_translation_and_scale(kernel, unbiased, scale):
    x, y = noise(40, 3), noise(40, 3) + noise(40, 3, seed=1)
    rotation, _ = torch.linalg.qr(noise(3, 3, seed=2))
    moved = scale * (x @ rotation + 5)
    base = float(cka(x, y, kernel=kernel, unbiased=unbiased))
    assert float(cka(moved, y, kernel=kernel, unbiased=unbiased)) == pytest.approx(base, abs=1e-9)
    assert float(cka(y, x, kernel=kernel, unbiased=unbiased)) == pytest.approx(base, abs=1e-12)
    assert 0 < base < 1


@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_unbiased_is_zero_on_average_for_independent_variables(kernel):
    generator, rounds = seeded(3), []
    for _ in range(400):
        x, y = (torch.randn(12, d, generator=generator, dtype=torch.float64) for d in (3, 2))
        rounds.append([float(hsic(x, y, kernel=kernel, bandwidth=2.0, unbiased=u)) for u in (True, False)])
    (fair, biased), error = np.mean(rounds, axis=0), np.std(rounds, axis=0) / 20
    assert abs(fair) < 3 * error[0]
    assert biased > 10 * error[1]
    assert min(r[1] for r in rounds) >= 0
    assert min(r[0] for r in rounds) < 0


def test_rbf_sees_what_linear_does_not():
    x = noise(400, 1)
    y = x**2 + 0.1 * noise(400, 1, seed=1)
    assert float(cka(x, y, kernel="rbf")) > 0.2
    assert abs(float(cka(x, y, kernel="linear"))) < 0.05  # the squared correlation: standard error about 0.01


def test_biased_cka_is_near_one_for_independent_wide_variables_and_the_unbiased_is_not():
    x, y = noise(40, 400), noise(40, 400, seed=1)
    assert float(cka(x, y, unbiased=False)) > 0.8
    assert abs(float(cka(x, y))) < 0.1


@EVERY_FORM
def test_a_constant_depends_on_nothing(kernel, unbiased):
    x, dead = noise(30, 3), torch.full((30, 2), 0.1, dtype=torch.float64)
    assert float(hsic(x, dead, kernel=kernel, unbiased=unbiased)) == pytest.approx(0, abs=1e-15)
    assert float(hsic(x, torch.zeros(30).long(), kernel=kernel, unbiased=unbiased)) == pytest.approx(0, abs=1e-14)
    with pytest.raises(ValueError, match="cka: y must vary as far as the kernel sees, got an HSIC with itself of 0"):
        cka(x, dead, kernel=kernel, unbiased=unbiased)
    with pytest.raises(ValueError, match="cka: x must vary as far as the kernel sees"):
        cka(dead, x, kernel=kernel, unbiased=unbiased)


@EVERY_FORM
def test_gradients(kernel, unbiased):
    x, y = noise(7, 3), noise(7, 2, seed=1)
    x[4] = x[1]
    inputs, z = (x.requires_grad_(), y.requires_grad_()), labels(7)
    form = {"kernel": kernel, "unbiased": unbiased, "bandwidth": 1.5}
    assert torch.autograd.gradcheck(lambda x, y: hsic(x, y, **form), inputs)
    assert torch.autograd.gradcheck(lambda x, y: cka(x, y, **form), inputs)
    assert torch.autograd.gradcheck(lambda x, y: cka(x, z, **form), inputs)


@EVERY_FORM
def test_blocks_of_rows_change_nothing(kernel, unbiased, monkeypatch):
    x, y = noise(50, 60).requires_grad_(), noise(50, 60, seed=1)

    def both():
        value = hsic(x, y, kernel=kernel, unbiased=unbiased)
        return float(value.detach()), torch.autograd.grad(value, x)[0]

    whole, slope = both()
    monkeypatch.setattr("infotorch.numerics.kernels._BLOCK_ENTRIES", 160)
    blocked, blocked_slope = both()
    assert blocked == pytest.approx(whole, rel=1e-10)
    torch.testing.assert_close(blocked_slope, slope)
    with torch.no_grad():
        assert float(hsic(x, y, kernel=kernel, unbiased=unbiased)) == pytest.approx(whole, rel=1e-10)


@pytest.mark.parametrize(("kernel", "spread"), [("rbf", 1.0), ("linear", 1.0), ("rbf", 1e9)])
@pytest.mark.parametrize("unbiased", [True, False])
def test_tiles_of_many_rows_change_nothing(kernel, spread, unbiased, monkeypatch):
    x, y, z = noise(50, 60), noise(50, 3, seed=1), labels(50)
    x[0] *= spread  # rows too far apart for products
    pairs = ((x, y), (x, z), (y, z), (z, z))
    whole = [float(measure(*pair, kernel=kernel, unbiased=unbiased)) for pair in pairs for measure in (hsic, cka)]
    monkeypatch.setattr("infotorch.numerics.kernels._TILED_ROWS", 0)
    monkeypatch.setattr("infotorch.numerics.kernels._CPU_TILE", 16)
    tiled = [float(measure(*pair, kernel=kernel, unbiased=unbiased)) for pair in pairs for measure in (hsic, cka)]
    assert tiled == pytest.approx(whole, rel=1e-10)


def test_every_kernel_matrix_of_cka_is_computed_once_and_by_halves(monkeypatch):
    monkeypatch.setattr("infotorch.numerics.kernels._TILED_ROWS", 0)
    monkeypatch.setattr("infotorch.numerics.kernels._CPU_TILE", 10)
    seen, exp = [], torch.Tensor.exp_
    monkeypatch.setattr(torch.Tensor, "exp_", lambda values: seen.append(values.numel()) or exp(values))
    cka(noise(100, 2), noise(100, 3), kernel="rbf", bandwidth=1.0)
    assert sum(seen) == 2 * 55 * 10**2  # two matrices, 55 of 100 tiles


@pytest.mark.parametrize("measure", [hsic, cka])
def test_types_and_autocast(measure):
    x, y = torch.rand(12, 1, 3, 3, generator=seeded()), torch.rand(12, 4, generator=seeded(1))
    base = measure(x, y)
    assert base.dtype == torch.float32
    assert measure(x.double(), y).dtype == torch.float64
    assert measure(labels(12), labels(12)).dtype == torch.float64
    for other in (x.half(), x.bfloat16(), x.numpy(), x.transpose(2, 3)):
        assert float(measure(other, y)) == pytest.approx(float(base), abs=0.01)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for kernel in ("linear", "rbf"):
            inside = float(measure(x, y, kernel=kernel))
            with torch.autocast("cpu", enabled=False):
                assert inside == float(measure(x, y, kernel=kernel))


def test_caller_and_global_state_are_untouched():
    x, y = noise(30, 2), noise(30, 2, seed=1)
    before, state = x.clone(), torch.get_rng_state()
    hsic(x, y)
    cka(x, y)
    assert torch.equal(x, before)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("measure", [hsic, cka])
def test_wrong_input_is_refused(measure):
    name, x = measure.__name__, torch.arange(20.0)
    with pytest.raises(ValueError, match=f"{name}: x and y must be paired row by row, got 20 and 19 rows"):
        measure(x, x[1:])
    with pytest.raises(ValueError, match=f"{name}: x must have at least 4 rows, got 3"):
        measure(x[:3], x[:3])
    with pytest.raises(ValueError, match=f"{name}: x must have at least 2 rows, got 1"):
        measure(x[:1], x[:1], unbiased=False)
    with pytest.raises(ValueError, match=f"{name}: y must be finite, got 1 NaN"):
        measure(x, torch.where(x == 3, math.inf, x))
    with pytest.raises(ValueError, match=f"{name}: kernel must be one of rbf, linear, got 'cosine'"):
        measure(x, x, kernel="cosine")
    with pytest.raises(ValueError, match=f"{name}: bandwidth must be positive and finite, got 0"):
        measure(x, x, kernel="rbf", bandwidth=0)
    with pytest.raises(ValueError, match=f"{name}: bandwidth must be positive and finite, got 0"):
        measure(x, x.long(), kernel="rbf", bandwidth=(1, 0))
    with pytest.raises(ValueError, match=rf"{name}: bandwidth must be one, or 2 .one a variable., got \(1,\)"):
        measure(x, x, kernel="rbf", bandwidth=(1,))
    with pytest.raises(TypeError, match=f"{name}: x must hold real numbers"):
        measure(["a"] * 20, x)
