import copy
import dataclasses
import math
import pickle

import pytest
import torch

from infotorch.estimators.estimate import Estimate


def test_an_estimate_knows_what_it_is():
    estimate = Estimate(torch.tensor(math.log(2)), side="lower", n=8, estimator="example", ceiling=math.log(8))
    assert float(estimate) == pytest.approx(math.log(2))
    assert estimate.bits == pytest.approx(1)
    assert not estimate.saturated
    assert math.isnan(estimate.std_error)


def test_close_to_the_ceiling_is_saturated():
    assert Estimate(torch.tensor(2.05), side="lower", n=8, estimator="example", ceiling=math.log(8)).saturated
    assert not Estimate(torch.tensor(2.05), side="none", n=8, estimator="example").saturated


@pytest.mark.parametrize(
    ("value", "ceiling", "saturated"), [(0.0, 0.07, False), (0.065, 0.07, True), (0.0, 0.0, False)]
)
def test_a_low_ceiling_is_not_reached_from_everywhere(value, ceiling, saturated):
    estimate = Estimate(torch.tensor(value), side="none", n=8, estimator="example", ceiling=ceiling)
    assert estimate.saturated is saturated


def test_the_standard_error_is_computed_once_and_late():
    calls = []
    estimate = Estimate(torch.tensor(1.0), side="none", n=8, estimator="example", error=lambda: calls.append(1) or 0.5)
    assert not calls
    assert estimate.std_error == estimate.std_error == 0.5
    assert len(calls) == 1


def test_another_process_gets_the_numbers():
    value = torch.tensor(1.0, requires_grad=True)
    estimate = Estimate(2 * value, side="lower", n=8, estimator="example", ceiling=3.0, error=lambda: 0.5)
    there = pickle.loads(pickle.dumps(estimate))
    assert (float(there), there.std_error, there.ceiling, there.side, there.n) == (2.0, 0.5, 3.0, "lower", 8)
    assert there.bound == there.side
    assert not there.value.requires_grad
    assert math.isnan(copy.deepcopy(Estimate(value, side="none", n=8, estimator="example")).std_error)


def test_the_value_carries_its_gradient_and_nothing_can_be_changed():
    value = torch.tensor(1.0, requires_grad=True)
    estimate = Estimate(value * 2, side="none", n=8, estimator="example")
    estimate.value.backward()
    assert value.grad == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        estimate.n = 9  # pyright: ignore[reportAttributeAccessIssue]
