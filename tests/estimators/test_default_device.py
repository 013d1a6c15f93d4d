"""A default device set by the caller (`torch.set_default_device("cuda")`) is not where the caller's data lie.

"meta", which holds no numbers, stands for it here: whatever is made there by mistake cannot be read.
"""

import pytest
import torch

import infotorch


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


X, Y, Z = torch.randn(3, 120, 3, generator=seeded(), dtype=torch.float64)
WIDE = torch.randn(120, 20, generator=seeded(1), dtype=torch.float64)
LABELS = torch.arange(120) % 3

MEASURES = {
    "ksg": lambda: infotorch.ksg(X, Y),
    "ksg in many columns": lambda: infotorch.ksg(X, WIDE, metric="euclidean"),
    "ksg_ensemble": lambda: infotorch.ksg_ensemble(X, Y),
    "mixed_ksg": lambda: infotorch.mixed_ksg(X, Y),
    "ross": lambda: infotorch.ross(X, LABELS),
    "ross in many columns": lambda: infotorch.ross(WIDE, LABELS),
    "ksg_conditional": lambda: infotorch.ksg_conditional(X, Y, Z),
    "kozachenko_leonenko": lambda: infotorch.kozachenko_leonenko(X),
    "mutual_information": lambda: infotorch.mutual_information(X, Y),
    "discrete_mi": lambda: infotorch.discrete_mi(LABELS, LABELS),
    "binned_mi": lambda: infotorch.binned_mi(X, Y, num_quantiles=3),
    "gaussian_mi": lambda: infotorch.gaussian_mi(X, Y, unbiased=True),
    "gaussian_copula_mi": lambda: infotorch.gaussian_copula_mi(X, Y),
    "gaussian_mi_cca": lambda: infotorch.gaussian_mi_cca(X, Y),
    "pairwise_bounds": lambda: infotorch.pairwise_bounds(X, 1.0)[0],
    "leave_one_out_bound": lambda: infotorch.leave_one_out_bound(X, 1.0, generator=seeded()),
    "renyi_mi": lambda: infotorch.renyi_mi(X, Y),
    "renyi_mi_randomised": lambda: infotorch.renyi_mi_randomised(X, Y, generator=seeded()),
    "hsic": lambda: infotorch.hsic(X, LABELS),
    "readout_mi": lambda: infotorch.readout_mi(X, LABELS),
}


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize("name", MEASURES)
def test_a_default_device_changes_nothing(name):
    expected = MEASURES[name]()
    with torch.device("meta"):
        found = MEASURES[name]()
        error = getattr(found, "std_error", None)
    assert float(found) == float(expected)
    assert error == getattr(expected, "std_error", None)
