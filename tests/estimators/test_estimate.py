import copy
import dataclasses
import math
import pickle

import numpy as np
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


def estimate_of(value, *, error=None, **fields):
    made = {"side": "none", "n": 8, "estimator": "ross k=3 chebyshev", **fields}
    return Estimate(torch.tensor(value, dtype=torch.float64), error=error, **made)


def test_an_estimate_calculates_compares_and_rounds_as_its_value():
    e, other = estimate_of(0.75), estimate_of(0.25)
    assert (e + 1, 1 + e, e - other, 1 - e, 2 * e, e * other) == (1.75, 1.75, 0.5, 0.25, 1.5, 0.1875)
    assert (e / other, 3 / e, e**2, 4**other, -e, +e, abs(-e)) == (3.0, 4.0, 0.5625, 4**0.25, -0.75, 0.75, 0.75)
    assert all(type(v) is float for v in (e + 1, e + other, -e, e.item(), round(e, 1), np.float32(2) * e))
    assert e > other >= 0.25
    assert other < e <= 0.75
    assert not e < math.nan
    assert (round(e), round(e, 1), e.item(), f"{e:.1f}", f"{e:8.3f}") == (1, 0.8, 0.75, "0.8", "   0.750")
    assert sum([e, other]) == 1.0
    assert max([other, e]) is e
    assert bool(estimate_of(0.0))  # `found and found.std_error` asks whether there is an estimate


def test_a_root_of_a_negative_estimate_is_no_complex_number():
    with pytest.raises(ValueError, match="math domain error"):
        estimate_of(-0.25) ** 0.5


@pytest.mark.parametrize("operand", [torch.ones(2), np.ones(2), "cat", None, [1.0]])
def test_what_is_no_number_is_not_calculated_with(operand):
    with pytest.raises(TypeError):
        estimate_of(0.75) + operand
    with pytest.raises(TypeError):
        operand - estimate_of(0.75)
    with pytest.raises(TypeError):
        assert estimate_of(0.75) < operand
    assert estimate_of(0.75) != "cat"


def test_no_gradient_is_lost_in_silence():
    weight = torch.tensor(2.0, requires_grad=True)
    estimate = Estimate(3 * weight, side="lower", n=8, estimator="example")
    for calculate in (lambda e: 1 - e, lambda e: e * e, lambda e: -e, abs):
        with pytest.raises(
            TypeError, match=r"value without gradient.*take e\.value to keep the gradient, or float\(e\)"
        ):
            calculate(estimate)
    assert estimate > 5
    assert (round(estimate, 1), estimate.item(), f"{estimate:.1f}") == (6.0, 6.0, "6.0")


def test_equal_is_every_field_or_the_number_and_hashes_agree():
    e = estimate_of(0.75, error=lambda: 0.1)
    assert e == estimate_of(0.75) == pickle.loads(pickle.dumps(e))
    assert e != estimate_of(0.75, n=9)
    assert e == 0.75 == e
    assert len({e, estimate_of(0.75), 0.75}) == 1
    nothing = estimate_of(math.nan)
    assert nothing != math.nan
    assert hash(nothing) == hash(nothing)


@pytest.mark.parametrize(
    ("value", "error", "printed"),
    [
        (0.9812, 0.0312, "0.98 ± 0.03 nats (ross)"),
        (-0.0004, 0.02, "0.00 ± 0.02 nats (ross)"),
        (12.6, 3.2, "13 ± 3 nats (ross)"),
        (0.0, 0.0, "0.00 ± 0.00 nats (ross)"),
        (0.98123, None, "0.981 nats (ross)"),
        (0.98123, math.nan, "0.981 nats (ross)"),
        (math.inf, 0.1, "inf nats (ross)"),
    ],
)
def test_prints_as_its_value_with_its_error(value, error, printed):
    estimate = estimate_of(value, error=None if error is None else lambda: error)
    assert str(estimate) == repr(estimate) == f"{estimate}" == printed


def test_a_doubt_is_printed():
    assert str(estimate_of(0.5, reliable=False)) == "0.5 nats (ross, unreliable: see reason)"


def test_only_what_is_printed_costs_its_error():
    def never():
        raise AssertionError

    e = estimate_of(0.75, error=never)
    assert (f"{e:.2f}", round(e, 1), e + 0, e > 0, e == e, hash(e) == hash(0.75)) == (
        "0.75",
        0.8,
        0.75,
        True,
        True,
        True,
    )
    with pytest.raises(AssertionError):
        str(e)


def test_a_value_is_one_real_number():
    with pytest.raises(
        ValueError, match=r"Estimate: value must be a real 0-d tensor, got torch.float32 of shape \(2,\)"
    ):
        Estimate(torch.zeros(2), side="none", n=8, estimator="example")
    with pytest.raises(TypeError, match=r"Estimate: value must be a 0-d tensor, got 1\.0"):
        Estimate(1.0, side="none", n=8, estimator="example")  # pyright: ignore[reportArgumentType]


def of(value, *, error=0.1, side="none", ceiling=math.inf, bias_std=0.0):
    known = None if error is None else lambda: error
    return Estimate(
        torch.tensor(value), side=side, n=10, estimator="example", ceiling=ceiling, error=known, bias_std=bias_std
    )


def test_an_interval_is_of_chance_and_of_what_is_known_of_bias():
    assert of(1.0).interval(0.95) == pytest.approx((1 - 0.19600, 1 + 0.19600), abs=1e-5)
    assert of(1.0, error=0.3, bias_std=0.4).interval(0.6827) == pytest.approx(
        (0.5, 1.5), abs=1e-4
    )  # one deviation: 0.5
    assert all(math.isnan(end) for end in of(1.0, error=None).interval())


def test_the_interval_of_a_bound_is_open_on_the_other_side():
    assert of(1.0, side="lower").interval() == (pytest.approx(0.804, abs=1e-3), math.inf)
    assert of(1.0, side="upper").interval() == (-math.inf, pytest.approx(1.196, abs=1e-3))
    assert of(2.29, ceiling=2.3).interval()[1] == math.inf


def test_a_level_out_of_range_is_refused():
    for level in (0.0, 1, 95):
        with pytest.raises(ValueError, match=rf"Estimate\.interval: level must lie between 0 and 1, got {level}"):
            of(1.0).interval(level)
    with pytest.raises(TypeError, match=r"Estimate\.interval: level must be a number"):
        of(1.0).interval("0.95")  # pyright: ignore[reportArgumentType]


def test_known_quantiles_are_the_interval_and_its_middle_part_the_error():
    scores = {0.025: -1.959964, 0.16: -0.994458, 0.5: 0.0, 0.84: 0.994458, 0.975: 1.959964}
    quantiles = tuple((p, 1 + (0.2 if z > 0 else 0.1) * z) for p, z in scores.items())
    estimate = Estimate(torch.tensor(1.0), side="none", n=8, estimator="example", quantiles=quantiles)
    assert estimate.interval(0.95) == pytest.approx((1 - 0.1 * 1.959964, 1 + 0.2 * 1.959964))
    assert estimate.interval(0.99)[1] == pytest.approx(1 + 0.2 * 2.575829)
    assert estimate.std_error == pytest.approx(0.15)
    assert pickle.loads(pickle.dumps(estimate)).interval() == estimate.interval()
    assert dataclasses.replace(estimate, error=lambda: 0.5).std_error == 0.5
