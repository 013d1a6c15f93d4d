import math

import pytest
import torch

from infotorch.objectives.beta import Beta, Ramp


class TestRamp:
    def test_it_is_a_straight_line_over_the_epochs_and_then_stays(self):
        ramp = Ramp(1.0, 3.0, epochs=4)
        assert [ramp(epoch, 17) for epoch in range(6)] == [1.0, 1.5, 2.0, 2.5, 3.0, 3.0]

    def test_it_may_fall(self):
        assert Ramp(1.0, 0.0, epochs=2)(1, 0) == 0.5


class TestBeta:
    def test_a_number_is_the_same_everywhere(self):
        assert [Beta(0.25, where="T")(position) for position in ((), (3, 0), (0, 9, 9, 0))] == [0.25] * 3

    def test_it_follows_epoch_and_step_and_not_what_was_asked_before(self):
        beta = Beta(lambda epoch, step: epoch + step / 10, where="T")
        assert beta((0, 2, 3, 1)) == beta((5, 2, 3, 1, 0)) == 2.3
        assert beta((0, 0, 1, 1)) == 0.1

    def test_held_out_rows_are_weighed_as_the_last_step_was_and_a_saved_state_keeps_that(self):
        beta = Beta(Ramp(0.5, 1.0, epochs=2), where="T")
        assert beta((1000, 0)) == 0.5
        beta((0, 1, 0, 0))
        assert beta((1000, 0)) == 0.75
        resumed = Beta(Ramp(0.5, 1.0, epochs=2), where="T")
        resumed.load_state_dict(beta.state_dict())
        assert resumed((0,)) == 0.75

    @pytest.mark.parametrize("weight", [lambda *position: 0.5, lambda e, s=0, *, scale=0.5: scale, max])
    def test_any_function_that_can_be_given_two_numbers_is_taken(self, weight):
        assert Beta(weight, where="T")((0, 0, 0, 0)) in (0.5, 0.0)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
    def test_no_move_of_the_module_rounds_it_and_no_device_needs_float64(self, dtype):
        beta = Beta(lambda epoch, step: 0.1 * epoch, where="T")
        assert not any(buffer.is_floating_point() for buffer in beta.buffers())
        beta.to(dtype)
        beta((0, 3, 0, 0))
        assert beta((1000, 0)) == 0.1 * 3  # bit for bit


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: Beta(-1.0, where="T"), ValueError, "T: beta must be at least 0 and finite, got -1.0"),
        (lambda: Beta(math.inf, where="T"), ValueError, "beta must be at least 0 and finite, got inf"),
        (lambda: Beta(math.nan, where="T"), ValueError, "beta must be at least 0 and finite, got nan"),
        (lambda: Beta("1", where="T"), TypeError, r"beta must be a number or a function of \(epoch, step\), got '1'"),
        (
            lambda: Beta(lambda epoch, step: -epoch, where="T")((0, 1, 0, 0)),
            ValueError,
            "at least 0 and finite, got -1",
        ),
        (lambda: Beta(lambda epoch, step: None, where="T"), TypeError, "must be a number .*, got None"),
        (
            lambda: Beta(lambda e: 1.0, where="T"),
            TypeError,
            r"T: beta must be .* of \(epoch, step\), got a .* of \(e\)",
        ),
        (lambda: Beta(lambda: 1.0, where="T"), TypeError, r"T: beta must be .*, got a function of \(\)"),
        (lambda: Ramp(0.0, 1.0, epochs=0), ValueError, "Ramp: epochs must be at least 1, got 0"),
        (lambda: Ramp(0.0, -1.0, epochs=1), ValueError, "Ramp: beta must be at least 0"),
    ],
)
def test_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make()
