import dataclasses
import math

import pytest
import torch

from infotorch.estimators.estimate import Estimate


def test_an_estimate_knows_what_it_is():
    estimate = Estimate(torch.tensor(math.log(2)), bound="lower", n=8, estimator="example", ceiling=math.log(8))
    assert float(estimate) == pytest.approx(math.log(2))
    assert estimate.bits == pytest.approx(1)
    assert not estimate.saturated
    assert math.isnan(estimate.std_error)


def test_close_to_the_ceiling_is_saturated():
    assert Estimate(torch.tensor(2.05), bound="lower", n=8, estimator="example", ceiling=math.log(8)).saturated
    assert not Estimate(torch.tensor(2.05), bound="none", n=8, estimator="example").saturated


def test_the_standard_error_is_computed_once_and_late():
    calls = []
    estimate = Estimate(torch.tensor(1.0), bound="none", n=8, estimator="example", error=lambda: calls.append(1) or 0.5)
    assert not calls
    assert estimate.std_error == estimate.std_error == 0.5
    assert len(calls) == 1


def test_the_value_carries_its_gradient_and_nothing_can_be_changed():
    value = torch.tensor(1.0, requires_grad=True)
    estimate = Estimate(value * 2, bound="none", n=8, estimator="example")
    estimate.value.backward()
    assert value.grad == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        estimate.n = 9  # pyright: ignore[reportAttributeAccessIssue]
