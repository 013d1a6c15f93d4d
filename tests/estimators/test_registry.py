import inspect
import subprocess
import sys

import pytest
import torch

import infotorch.estimators
from infotorch.estimators.registry import DEPENDENCE, HOMES, INFORMATION, describe_estimators, named

ENTRIES = [*INFORMATION, *DEPENDENCE]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name or entry.function)
def test_an_entry_leads_to_its_function_and_takes_its_settings(entry):
    function = getattr(infotorch.estimators, entry.function)
    assert entry.load() is function or entry.load().func is function
    assert set(entry.settings) <= set(inspect.signature(function).parameters)
    assert entry.side or entry in DEPENDENCE


def test_names_are_unique_and_lead_to_the_function_with_their_settings():
    names = [entry.name for entry in ENTRIES if entry.name]
    assert len(set(names)) == len(names)
    x = torch.randn(50, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert named("ksg-2", where="f").load()(x, x.exp()).estimator == "ksg k=3 variant=2 chebyshev"
    with pytest.raises(ValueError, match=r"f: estimator must be one of auto, ksg, .*, got 'kgs'"):
        named("kgs", where="f")


def test_what_is_measured_between_two_arrays_takes_two_arrays():
    for name in describe_estimators():
        parameters = list(inspect.signature(named(name, where="f").load()).parameters.values())
        assert all(p.default is not p.empty for p in parameters[2:]), name


def test_the_list_needs_no_torch():
    code = "import sys, infotorch.estimators.registry as r; r.describe_estimators(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_estimate_and_bound_is_registered():
    """Functions of the public namespace that are no estimators are known by name."""
    others = {
        "channel_views",
        "describe_estimators",
        "gaussian_log_likelihood",
        "hard_decisions",
        "log_mean_exp",
        "mi_matrix",
    }
    public = {name for name in infotorch.estimators.HOMES if inspect.isfunction(getattr(infotorch.estimators, name))}
    assert public - others == set(HOMES)
