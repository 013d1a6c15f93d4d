import math

import pytest
import torch

from infotorch.estimators.renyi import renyi_entropy, renyi_mi
from infotorch.estimators.renyi_randomised import renyi_entropy_randomised, renyi_mi_randomised


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(*shape, seed=0, dtype=torch.float32):
    return torch.randn(*shape, generator=seeded(seed), dtype=dtype)


def labels(n, classes=3, seed=5):
    return torch.randint(classes, (n,), generator=seeded(seed))


@pytest.mark.parametrize(
    ("d", "bandwidth"), [(1, 1.0), (1, 0.01), (3, 0.1), (3, 5.0), (10, 10.0), (64, 9.0), (64, 1e3)]
)
def test_within_one_percent_of_all_eigenvalues(d, bandwidth):
    x = noise(600, d)
    exact = float(renyi_entropy(x, bandwidth=bandwidth))
    for seed in range(3):
        e = renyi_entropy_randomised(x, bandwidth=bandwidth, generator=seeded(seed))
        assert float(e) == pytest.approx(exact, rel=0.01)
        assert abs(float(e) - exact) < 4 * e.std_error + 1e-4


@pytest.mark.parametrize("alpha", [0.7, 1, 1.3, 2, 3, 6])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_order(alpha, dtype):
    x = noise(400, 3, dtype=dtype)
    exact = float(renyi_entropy(x, alpha=alpha, bandwidth=2.0))
    e = renyi_entropy_randomised(x, alpha=alpha, bandwidth=2.0, generator=seeded(), num_steps=16)
    assert float(e) == pytest.approx(exact, rel=0.02 if alpha < 1 else 0.01)
    if alpha == 2:
        assert float(e) == pytest.approx(exact, abs=1e-6)
        assert e.std_error == 0


def test_information_of_real_variables_and_of_labels():
    x, y = noise(600, 3), labels(600)
    t, z = x + 0.5 * noise(600, 3, seed=1), noise(600, 3, seed=2) + y[:, None]
    for a, b in ((x, t), (z, y), (y, y)):
        exact = float(renyi_mi(a, b, bandwidth=3.0))
        e = renyi_mi_randomised(a, b, bandwidth=3.0, generator=seeded(3))
        assert abs(float(e) - exact) < 4 * e.std_error + 1e-4
        assert float(e) == pytest.approx(exact, rel=0.05)


def test_standard_error_covers_the_exact_value():
    x = noise(300, 3)
    exact = float(renyi_entropy(x, bandwidth=1.0))
    estimates = [renyi_entropy_randomised(x, bandwidth=1.0, generator=seeded(s), num_steps=12) for s in range(60)]
    inside = sum(abs(float(e) - exact) < 1.96 * e.std_error for e in estimates)
    # The bracket of the quadrature is part of the error, so that it covers more often than 95 %.
    assert inside >= 54


def test_more_probes_and_steps_come_nearer():
    x = noise(500, 3)
    exact = float(renyi_entropy(x, bandwidth=1.0))
    few = renyi_entropy_randomised(x, bandwidth=1.0, generator=seeded(), num_probes=8, num_deflated=1, num_steps=3)
    many = renyi_entropy_randomised(x, bandwidth=1.0, generator=seeded(), num_probes=128, num_deflated=64, num_steps=24)
    assert many.std_error < few.std_error / 10
    assert abs(float(many) - exact) < 1e-3 * exact


def test_blocks_of_rows_change_nothing(monkeypatch):
    x, y = noise(120, 3, dtype=torch.float64), labels(120)
    whole = renyi_mi_randomised(x, y, bandwidth=2.0, generator=seeded())
    monkeypatch.setattr("infotorch.estimators.renyi_randomised._KEPT_ENTRIES", 100)
    monkeypatch.setattr("infotorch.numerics.kernels._BLOCK_ENTRIES", 700)
    blocked = renyi_mi_randomised(x, y, bandwidth=2.0, generator=seeded())
    assert float(blocked) == pytest.approx(float(whole), abs=1e-9)
    assert blocked.std_error == pytest.approx(whole.std_error, rel=1e-6)
    monkeypatch.setattr("infotorch.numerics.kernels._TILED_ROWS", 0)
    monkeypatch.setattr("infotorch.numerics.kernels._CPU_TILE", 16)
    tiled = renyi_mi_randomised(x, y, bandwidth=2.0, generator=seeded())
    assert float(tiled) == pytest.approx(float(whole), abs=1e-9)
    assert tiled.std_error == pytest.approx(whole.std_error, rel=1e-6)


def test_a_kernel_that_is_too_wide_is_told():
    """As the exact functions tell it: 0.00 nats of what varies."""
    x = 1e-6 * noise(60, 1, dtype=torch.float64)
    for estimate in (renyi_entropy_randomised(x, generator=seeded()), renyi_mi_randomised(x, x, generator=seeded())):
        assert "too wide" in estimate.reason
        assert not estimate.reliable
    assert renyi_entropy_randomised(1e6 * x, generator=seeded()).reliable
    assert renyi_entropy_randomised(torch.ones(60), generator=seeded()).reliable


def test_constants_symbols_and_a_few_rows():
    dead = torch.full((50, 2), 0.1)
    assert float(renyi_entropy_randomised(dead, generator=seeded())) == pytest.approx(0, abs=1e-3)
    assert float(renyi_mi_randomised(noise(50, 2), dead, generator=seeded())) == pytest.approx(0, abs=1e-3)
    y = labels(50)
    symbols = renyi_entropy_randomised(y, generator=seeded())
    assert float(symbols) == pytest.approx(float(renyi_entropy(y)), abs=1e-12)
    assert symbols.std_error == 0
    for n in (1, 2, 5, 17):
        x = noise(n, 2, dtype=torch.float64)
        exact = float(renyi_entropy(x, bandwidth=1.0))
        assert float(renyi_entropy_randomised(x, bandwidth=1.0, generator=seeded())) == pytest.approx(exact, abs=1e-3)


def test_the_generator_alone_decides():
    x, state = noise(100, 2), torch.get_rng_state()
    first, again = (renyi_entropy_randomised(x, generator=seeded(4)) for _ in range(2))
    assert float(first) == float(again)
    assert float(first) != float(renyi_entropy_randomised(x, generator=seeded(5)))
    assert float(renyi_entropy_randomised(x)) != float(renyi_entropy_randomised(x))
    assert torch.equal(torch.get_rng_state(), state)
    assert not renyi_entropy_randomised(x.requires_grad_(), generator=seeded()).value.requires_grad
    assert "probes=32 deflated=16 steps=8" in first.estimator
    assert first.ceiling == math.log(100)


def test_a_seed_is_no_generator():
    x = torch.arange(20.0)
    with pytest.raises(TypeError, match="renyi_entropy_randomised: generator must be a torch"):
        renyi_entropy_randomised(x, generator=0)  # pyright: ignore[reportArgumentType]
    with pytest.raises(TypeError, match="renyi_mi_randomised: generator must be a torch"):
        renyi_mi_randomised(x, x, generator=0)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("counts", [{"num_probes": 7}, {"num_steps": 1}, {"num_deflated": 0}])
def test_too_small_counts_are_refused(counts):
    (name, value), x = *counts.items(), torch.arange(20.0)
    with pytest.raises(ValueError, match=f"renyi_entropy_randomised: {name} must be at least [128], got {value}"):
        renyi_entropy_randomised(x, generator=seeded(), **counts)
    with pytest.raises(ValueError, match=f"renyi_mi_randomised: {name} must be at least [128], got {value}"):
        renyi_mi_randomised(x, x, generator=seeded(), **counts)
    with pytest.raises(TypeError, match=f"renyi_mi_randomised: {name} must be an integer, got 2.5"):
        renyi_mi_randomised(x, x, generator=seeded(), **{name: 2.5})
    with pytest.raises(ValueError, match="renyi_mi_randomised: x and y must be paired row by row"):
        renyi_mi_randomised(x, x[1:], generator=seeded())


def test_autocast_does_not_touch_the_products():
    x = noise(100, 3)
    plain = renyi_mi_randomised(x, 2 * x, bandwidth=1.0, generator=seeded())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = renyi_mi_randomised(x, 2 * x, bandwidth=1.0, generator=seeded())
    assert float(cast) == float(plain)
