"""Where the data lie, and where they do not."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

import infotorch


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


X, Y, Z = torch.randn(3, 120, 3, generator=seeded(), dtype=torch.float64)
WIDE = torch.randn(120, 20, generator=seeded(1), dtype=torch.float64)
LABELS = torch.arange(120) % 3
HERE = SimpleNamespace(x=X, y=Y, z=Z, wide=WIDE, labels=LABELS)
DEVICES = [
    pytest.param(name, marks=[pytest.mark.cuda] * (name == "cuda"))
    for name, there in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available()))
    if there
]

MEASURES = {
    "ksg": lambda d: infotorch.ksg(d.x, d.y),
    "ksg in many columns": lambda d: infotorch.ksg(d.x, d.wide, metric="euclidean"),
    "ksg_ensemble": lambda d: infotorch.estimators.ksg_ensemble(d.x, d.y),
    "mixed_ksg": lambda d: infotorch.mixed_ksg(d.x, d.y),
    "ross": lambda d: infotorch.ross(d.x, d.labels),
    "ross in many columns": lambda d: infotorch.ross(d.wide, d.labels),
    "conditional_ksg": lambda d: infotorch.estimators.conditional_ksg(d.x, d.y, d.z),
    "conditional_mixed_ksg": lambda d: infotorch.estimators.conditional_mixed_ksg(d.x, d.y, d.labels),
    "kozachenko_leonenko_entropy": lambda d: infotorch.estimators.kozachenko_leonenko_entropy(d.x),
    "mutual_information": lambda d: infotorch.mutual_information(d.x, d.y),
    "mutual_information of labels": lambda d: infotorch.mutual_information(d.labels, d.labels.cpu()),
    "discrete_mi": lambda d: infotorch.discrete_mi(d.labels, d.labels.cpu()),
    "conditional_discrete_mi": lambda d: infotorch.estimators.conditional_discrete_mi(
        d.labels, d.labels, d.labels.cpu() % 2
    ),
    "binned_mi": lambda d: infotorch.binned_mi(d.x, d.y, num_quantiles=3),
    "gaussian_mi": lambda d: infotorch.gaussian_mi(d.x, d.y, unbiased=True),
    "gaussian_copula_mi": lambda d: infotorch.estimators.gaussian_copula_mi(d.x, d.y),
    "gaussian_mi_cca": lambda d: infotorch.estimators.gaussian_mi_cca(d.x, d.y),
    "conditional_gaussian_mi": lambda d: infotorch.estimators.conditional_gaussian_mi(d.x, d.y, d.z),
    "pairwise_bounds": lambda d: infotorch.pairwise_bounds(d.x, 1.0)[0],
    "leave_one_out_bound": lambda d: infotorch.estimators.leave_one_out_bound(d.x, 1.0, generator=seeded()),
    "infonce_known_channel": lambda d: infotorch.estimators.infonce_known_channel(d.x, 1.0, generator=seeded()),
    "gaussian_channel_bound": lambda d: infotorch.estimators.gaussian_channel_bound(d.x, 1.0),
    "renyi_mi": lambda d: infotorch.renyi_mi(d.x, d.y),
    "renyi_mi of order 2": lambda d: infotorch.renyi_mi(d.x, d.labels, alpha=2),
    "renyi_mi_randomised": lambda d: infotorch.estimators.renyi_mi_randomised(d.x, d.y, generator=seeded()),
    "hsic": lambda d: infotorch.hsic(d.x, d.labels),
    "cka": lambda d: infotorch.cka(d.x, d.y),
    "readout_mi": lambda d: infotorch.estimators.readout_mi(d.x, d.labels),
    "supervised_contrastive": lambda d: infotorch.estimators.supervised_contrastive(d.x @ d.x.T, d.labels),
    "gaussian_log_likelihood": lambda d: infotorch.estimators.gaussian_log_likelihood(d.x, d.y, std=None).mean(),
}
# On another device training takes other steps.
TRAINED = {
    "neural_mi": lambda d: infotorch.neural_mi(
        d.x, d.y, bound="mine", hidden=(8,), max_steps=50, generator=seeded(), device="cpu"
    ),
    "neural_mi of a constant": lambda d: infotorch.neural_mi(d.x, 0 * d.y),
    "architecture_aware_mine": lambda d: infotorch.architecture_aware_mine(
        torch.nn.Identity(), d.x, 1.0, hidden=(8,), max_steps=50, generator=seeded(), device="cpu"
    ),
}


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("name", [*MEASURES, *TRAINED])
def test_a_default_device_changes_nothing(name):
    measure = (MEASURES | TRAINED)[name]
    expected = measure(HERE)
    # "meta" holds no numbers: what is made there by mistake, and not beside the data, cannot be read.
    with torch.device("meta"):
        found = measure(HERE)
        error = getattr(found, "std_error", None)
    assert float(found) == float(expected)
    assert error == pytest.approx(getattr(expected, "std_error", None), nan_ok=True)


def test_a_default_device_changes_no_matrix():
    columns = torch.cat([X[:, :2], LABELS[:, None]], dim=1)
    columns[:9, 1] = torch.nan
    expected = infotorch.mi_matrix(columns, missing="category")
    with torch.device("meta"):
        found = infotorch.mi_matrix(columns, missing="category")
    assert np.array_equal(found.values, expected.values)
    assert np.array_equal(found.std_errors, expected.std_errors, equal_nan=True)


@pytest.mark.parametrize("name", MEASURES)
def test_a_default_type_changes_nothing(name):
    expected = MEASURES[name](HERE)
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.float64)
        found = MEASURES[name](HERE)
    finally:
        torch.set_default_dtype(before)
    assert float(found) == float(expected)


@pytest.mark.skipif(not DEVICES, reason="no device but the processor")
@pytest.mark.parametrize("beside", [False, True])
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", MEASURES)
def test_other_devices_give_the_same(name, device, beside):
    moved = {key: values if values.dtype == torch.int64 else values.float() for key, values in vars(HERE).items()}
    expected = MEASURES[name](SimpleNamespace(**moved))
    stay = {"y", "z", "labels"} if beside else set()  # x on the device, what goes with it left behind
    there = {key: values if key in stay else values.to(device) for key, values in moved.items()}
    found = MEASURES[name](SimpleNamespace(**there))
    assert float(found) == pytest.approx(float(expected), abs=1e-4)  # float32 products
    if isinstance(found, infotorch.Estimate):
        assert found.std_error == pytest.approx(expected.std_error, rel=1e-2)
