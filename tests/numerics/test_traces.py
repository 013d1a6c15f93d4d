import math

import numpy as np
import pytest
import torch

from infotorch.numerics.traces import estimate_trace


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def entropy_like(values):
    return -torch.special.xlogy(values, values)


def estimate(matrix, function, *, seed=0, probes=32, deflated=8, steps=8):
    n, generator = len(matrix), seeded(seed)
    signs = 2.0 * torch.randint(2, (n, probes + deflated), generator=generator).to(matrix.dtype) - 1
    return estimate_trace(
        lambda v: matrix @ v,
        function,
        trace=float(matrix.trace()),
        trace_of_square=float(matrix.double().square().sum()),
        probes=signs[:, :probes],
        sketch=signs[:, probes:],
        steps=steps,
    )


def with_spectrum(values, seed=9):
    values = torch.as_tensor(values, dtype=torch.float64)
    root = torch.randn(len(values), len(values), generator=seeded(seed), dtype=torch.float64)
    vectors = torch.linalg.qr(root).Q
    return (vectors * values) @ vectors.T


SPECTRA = {
    "steep": [2.0**-i for i in range(120)],
    "slow": [1 / (i + 1) for i in range(120)],
    "flat": [1.0 + 0.1 * (i % 7) for i in range(120)],
    "low rank": [1.0] * 5 + [0.0] * 115,
}


@pytest.mark.parametrize("name", SPECTRA)
def test_trace_of_a_known_spectrum_is_covered_by_its_error(name):
    values = torch.tensor(SPECTRA[name], dtype=torch.float64)
    values = values / values.sum()
    matrix, truth = with_spectrum(values), float(entropy_like(values).sum())
    inside = 0
    for seed in range(50):
        found = estimate(matrix, entropy_like, seed=seed, steps=12)
        assert found.value == pytest.approx(truth, rel=0.005)
        error = math.hypot(float(found.deviations.norm()), found.bracket / math.sqrt(12))
        inside += abs(found.value - truth) < 1.96 * error + 1e-12
    assert inside >= 43  # 95 % but for three standard errors of 50 trials


@pytest.mark.parametrize("power", [1, 2])
def test_polynomials_that_the_controls_know_are_exact(power):
    matrix = with_spectrum(SPECTRA["slow"])
    truth = sum(v**power for v in SPECTRA["slow"])
    found = estimate(matrix, lambda values: values**power, steps=3)
    assert found.value == pytest.approx(truth, rel=1e-9)
    assert float(found.deviations.norm()) < 1e-9


def test_as_many_steps_and_columns_as_rows_leave_no_error():
    values = [0.5, 0.3, 0.15, 0.05]
    found = estimate(with_spectrum(values), entropy_like, probes=8, deflated=4, steps=4)
    assert found.value == pytest.approx(-sum(v * math.log(v) for v in values), abs=1e-7)


def test_bracket_closes_with_steps_and_holds_the_truth():
    values = torch.linspace(0, 1, 150, dtype=torch.float64)
    matrix, truth = with_spectrum(values), float(entropy_like(values).sum())
    brackets = [estimate(matrix, entropy_like, steps=steps) for steps in (3, 6, 12)]
    assert [b.bracket for b in brackets] == sorted((b.bracket for b in brackets), reverse=True)
    for b in brackets:
        assert abs(b.value - truth) < b.bracket + 4 * float(b.deviations.norm())


def test_deviations_are_the_spread_over_probes():
    matrix = with_spectrum(SPECTRA["slow"])
    found = [estimate(matrix, torch.sqrt, seed=seed, steps=20) for seed in range(60)]
    spread = np.std([f.value for f in found], ddof=1)
    # 60 values tell their spread to 9 %.
    assert np.mean([float(f.deviations.norm()) for f in found]) == pytest.approx(spread, rel=0.35)


def test_rounding_in_single_precision_does_no_harm_where_nothing_is_left_to_probe():
    values = torch.tensor(SPECTRA["steep"], dtype=torch.float64)
    matrix, truth = with_spectrum(values).float(), float(entropy_like(values).sum())
    for seed in range(20):
        found = estimate(matrix, entropy_like, seed=seed, deflated=24)
        assert found.value == pytest.approx(truth, rel=1e-3)
