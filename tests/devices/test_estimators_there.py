"""Every public estimator on a device beside the CPU: its value, its error and its gradient are the CPU's.

A value that carries a gradient lies where the samples lie.
"""

import pytest
import torch
from tests.devices.places import moved
from tests.estimators.test_contract import CASES, cases, tensor_of

from infotorch import Estimate
from infotorch.estimators import registry

GRADIENTS = {entry.function for entry in (*registry.INFORMATION, *registry.DEPENDENCE) if entry.gradient}
#: Train a network in float32, whose steps carry rounding on.
TRAINED = {"neural_mi", "architecture_aware_mine"}


def drawn(case):
    torch.manual_seed(0)  # networks and critics that a call builds
    return case.draw(60, 0, 2)


def value_of(case, arguments):
    torch.manual_seed(0)
    found = case.call(*arguments)
    value = tensor_of(found)
    return value, (found.std_error if isinstance(found, Estimate) else 0.0)


def close(place, case, wanted):
    return pytest.approx(wanted, rel=1e-3 if case.name in TRAINED else max(place.accuracy, 1e-9), abs=1e-9, nan_ok=True)


@cases()
def test_a_value_and_its_error_are_the_processors(place, case):
    given = drawn(case)
    wanted, error = value_of(case, given)
    with place.drawing_alike():
        found, error_there = value_of(case, moved(given, place.device))
    assert found.device == place.device or (found.device.type == "cpu" and case.name not in GRADIENTS)
    assert found.item() == close(place, case, wanted.item())
    assert error_there == close(place, case, error)


@cases(lambda case: case.name in GRADIENTS)
def test_a_gradient_is_the_processors(place, case):
    """Of the first real argument that has one: of a given density's own data there is none."""
    given = drawn(case)

    def gradients(arguments):
        arguments = [one.detach().requires_grad_(one.is_floating_point()) for one in arguments]
        value, _ = value_of(case, arguments)
        asked = [one for one in arguments if one.requires_grad]
        found = torch.autograd.grad(value, asked, allow_unused=True)
        return [None if one is None else one.cpu() for one in found]

    wanted = gradients(given)
    with place.drawing_alike():
        found = gradients(moved(given, place.device))
    assert any(one is not None and one.abs().sum() > 0 for one in wanted) or float(value_of(case, given)[0]) == 0
    for one, other in zip(wanted, found, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            torch.testing.assert_close(other, one, rtol=max(place.accuracy, 1e-8), atol=1e-9)


def test_no_estimator_is_left_out():
    """The contract's cases are of all, and of those that say so the gradient is tried."""
    assert set(registry.HOMES) <= {case.name for case in CASES}
    assert {case.name for case in CASES} >= GRADIENTS
