"""Holding and annealing a rate, by the clock and by information."""

import math

import pytest
import torch

import infotorch
from infotorch.schedules.anneal import HoldThenAnneal, InformationAnneal
from infotorch.schedules.decay import MutualInformationDecay


def sgd(groups=1):
    return torch.optim.SGD([{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(groups)], lr=1.0)


def rates(schedule, signals):
    """The rate of every step, the first one included."""
    seen = [schedule.get_last_lr()]
    for signal in signals:
        schedule.optimizer.step()
        schedule.step() if signal is None else schedule.step(signal)
        seen.append(schedule.get_last_lr())
        assert seen[-1] == [group["lr"] for group in schedule.optimizer.param_groups]
    return [one[0] if len(one) == 1 else one for one in seen]


def by_hand(top, low, begin, steps):
    """Steps 0 to begin - 1 at the top, then equal falls, the last step at the bottom."""
    fall = (top - low) / (steps - begin)
    return [top] * begin + [top - fall * k for k in range(1, steps - begin + 1)]


@pytest.mark.parametrize(
    ("steps", "hold", "begin"), [(10, 0.7, 7), (10, 0.0, 0), (7, 0.5, 4), (1, 0.0, 0), (3, 0.99, 2), (10, 0.95, 9)]
)
def test_the_control_holds_then_falls_in_equal_steps(steps, hold, begin):
    schedule = HoldThenAnneal(sgd(), lr_top=0.5, lr_min=0.1, steps=steps, hold=hold)
    assert rates(schedule, [None] * (steps - 1)) == pytest.approx(by_hand(0.5, 0.1, begin, steps))


def test_past_its_end_the_rate_stays_at_the_bottom():
    schedule = HoldThenAnneal(sgd(), lr_top=0.5, lr_min=0.1, steps=4, hold=0.5)
    assert rates(schedule, [None] * 8)[4:] == pytest.approx([0.1] * 5)


def test_the_line_begins_where_the_signal_stands_still():
    schedule = InformationAnneal(sgd(), lr_top=0.5, lr_min=0.0, epochs=10, ceiling=2.0, threshold=0.1)
    # gains by hand: -, 0.5 of 1.0, 0.4 of 0.5, 0.01 of 0.1 (= 0.1, not below), 0.005 of 0.09
    signals = [1.0, 1.5, 1.9, 1.91, 1.915, 1.9, 1.9, 1.9, 1.9]
    seen = rates(schedule, signals)
    assert schedule.begins == [5]
    assert seen == pytest.approx(by_hand(0.5, 0.0, 5, 10))
    gains = [line["gain"] for line in schedule.history[0]]
    assert gains[0] is None
    assert gains[1:5] == pytest.approx([0.5, 0.8, 0.1, 0.005 / 0.09])
    assert [line["signal"] for line in schedule.history[0]] == signals
    assert [line["lr"] for line in schedule.history[0]] == seen[1:]
    assert [line["epoch"] for line in schedule.history[0]] == list(range(2, 11))


def test_a_signal_that_always_grows_gives_the_control():
    signals = [2 - 2.0**-k for k in range(9)]
    informed = InformationAnneal(sgd(), lr_top=0.5, lr_min=0.1, epochs=10, ceiling=2.0, hold=0.6)
    control = HoldThenAnneal(sgd(), lr_top=0.5, lr_min=0.1, steps=10, hold=0.6)
    assert rates(informed, signals) == rates(control, [None] * 9)


def test_patience_and_the_earliest_time_put_the_line_off():
    flat = [1.0 + 1e-6 * epoch for epoch in range(9)]
    kind = {"lr_top": 0.5, "lr_min": 0.0, "epochs": 10, "ceiling": 2.0}
    for options, begin in (({}, 2), ({"patience": 3}, 4), ({"earliest": 0.5}, 5), ({"hold": 0.1}, 1)):
        schedule = InformationAnneal(sgd(), **kind, **options)
        assert rates(schedule, flat) == pytest.approx(by_hand(0.5, 0.0, begin, 10)), options


def test_a_fall_of_the_signal_counts_as_standing_still_and_a_reached_ceiling_too():
    for signals in ([1.0, 0.5, 0.5], [2.0, 2.0, 2.0]):
        schedule = InformationAnneal(sgd(), lr_top=0.5, lr_min=0.0, epochs=4, ceiling=2.0, hold=0.9)
        rates(schedule, signals)
        assert schedule.begins == [2]


def test_within_an_epoch_the_line_falls_by_steps():
    schedule = InformationAnneal(sgd(), lr_top=0.6, lr_min=0.0, epochs=4, steps_per_epoch=3, ceiling=2.0, hold=0.9)
    signals = [None, None, 1.0, None, None, 1.0, None, None, 1.0, None, None]
    assert rates(schedule, signals) == pytest.approx(by_hand(0.6, 0.0, 6, 12))


def test_every_group_has_its_own_line():
    schedule = InformationAnneal(sgd(2), lr_top=[0.4, 0.2], lr_min=0.0, epochs=6, ceiling=[2.0, 1.0], hold=0.99)
    seen = rates(schedule, [[1.0, 0.2], [1.0, 0.6], [1.0, 0.9], [1.0, 0.9], [1.001, 0.9]])
    assert schedule.begins == [2, 4]
    assert [one[0] for one in seen] == pytest.approx(by_hand(0.4, 0.0, 2, 6))
    assert [one[1] for one in seen] == pytest.approx(by_hand(0.2, 0.0, 4, 6))


def test_a_signal_that_never_moved_is_refused_unless_it_is_all_there_is():
    schedule = InformationAnneal(sgd(), lr_top=0.5, lr_min=0.0, epochs=9, ceiling=2.0)
    rates(schedule, [0.0] * 4)
    with pytest.raises(ValueError, match=r"InformationAnneal: the signal has been exactly 0\.0 5 times.*dead"):
        schedule.step(0.0)
    for signals in ([2.0] * 8, [0.0] * 4 + [0.1] + [0.0] * 3, [0.0, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]):
        rates(InformationAnneal(sgd(), lr_top=0.5, lr_min=0.0, epochs=9, ceiling=2.0), signals)


def test_a_network_that_dies_later_is_refused_too():
    schedule = InformationAnneal(sgd(), lr_top=0.5, lr_min=0.0, epochs=12, ceiling=2.0)
    rates(schedule, [0.5, 1.0, 1e-15, 0.0, 0.0, -1e-16])
    with pytest.raises(ValueError, match=r"InformationAnneal: the signal has been exactly 0\.0 5 times.*dead"):
        schedule.step(0.0)


def test_a_layer_that_dies_later_is_told_once(recwarn):
    schedule = InformationAnneal(sgd(2), lr_top=0.5, lr_min=0.0, epochs=12, ceiling=2.0)
    rates(schedule, [[0.5 + 0.01 * epoch, 0.3 if epoch < 2 else 0.0] for epoch in range(11)])
    (warning,) = recwarn
    assert "InformationAnneal: the signal of group 1 has been exactly 0.0 5 times" in str(warning.message)


@pytest.mark.parametrize("stop", range(1, 8))
def test_a_reloaded_schedule_goes_on_as_if_nothing_had_happened(stop):
    def fresh():
        return InformationAnneal(sgd(), lr_top=0.5, lr_min=0.1, epochs=9, ceiling=2.0, patience=2, threshold=0.2)

    signals = [1.0, 1.5, 1.5, 1.9, 1.9, 1.9, 1.9, 1.9]
    whole, first, second = fresh(), fresh(), fresh()
    expected = rates(whole, signals)
    rates(first, signals[:stop])
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    second.load_state_dict(first.state_dict())
    assert rates(second, signals[stop:]) == expected[stop:]
    assert second.history == whole.history


def test_a_signal_above_the_ceiling_refutes_it_and_growth_goes_on_being_growth():
    schedule = InformationAnneal(sgd(), lr_top=0.5, lr_min=0.0, epochs=8, ceiling=1.0, threshold=0.05, hold=0.99)
    rates(schedule, [0.8, 1.2, 1.3, 1.31])
    assert [line["gain"] for line in schedule.history[0]] == [None, 1.0, 1.0, 1.0]
    assert schedule.get_last_lr() == [0.5]
    rates(schedule, [1.31])  # nothing new, of all there is known to be
    assert schedule.history[0][-1]["gain"] == 0.0
    assert schedule.get_last_lr()[0] < 0.5


def test_estimates_and_tensors_are_signals_and_a_compiled_optimisers_rate_stays_a_tensor():
    rate = torch.tensor(1.0)
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=rate)
    schedule = InformationAnneal(optimizer, lr_top=0.5, lr_min=0.0, epochs=3, ceiling=torch.tensor(2.0))
    optimizer.step()
    schedule.step(torch.tensor(1.0))
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == 0.5


def test_a_constant_problem_ends_nearer_the_optimum_than_at_the_top_rate():
    """Noisy gradient descent on x^2 / 2: a held rate leaves a variance of lr / (2 - lr), which annealing takes away."""
    generator = torch.Generator().manual_seed(0)

    def final(anneal):
        x = torch.nn.Parameter(torch.full((4000,), 3.0))
        optimizer = torch.optim.SGD([x], lr=0.5)
        schedule = InformationAnneal(optimizer, lr_top=0.5, lr_min=1e-3, epochs=60, ceiling=1.0, hold=0.9)
        for _ in range(60):
            x.grad = x.detach() + torch.randn(4000, generator=generator)
            optimizer.step()
            if anneal:
                schedule.step(math.exp(-x.detach().mean().abs().item()))
        return x.detach().var().item()

    held = final(anneal=False)
    assert held == pytest.approx(0.5 / 1.5, rel=0.07)  # three s.e. of a variance of 4000 draws
    assert final(anneal=True) < held / 5


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"lr_top": 0.0}, ValueError, "InformationAnneal: lr_top must be positive, got 0.0"),
        ({"lr_min": -0.1}, ValueError, "lr_min must be at least 0 and below lr_top, got -0.1 and 0.5"),
        ({"lr_min": 0.5}, ValueError, "lr_min must be at least 0 and below lr_top, got 0.5 and 0.5"),
        ({"lr_top": [0.1, 0.2]}, ValueError, "lr_top must be one for all or one for each of 1 groups, got 2"),
        ({"epochs": 2.5}, TypeError, "InformationAnneal: epochs must be an integer"),
        ({"steps_per_epoch": 0}, ValueError, "InformationAnneal: steps_per_epoch must be at least 1"),
        ({"patience": 0}, ValueError, "InformationAnneal: patience must be at least 1"),
        ({"threshold": 0.0}, ValueError, "threshold must be positive, got 0.0"),
        ({"ceiling": -1.0}, ValueError, "ceiling must be positive, got -1.0"),
        ({"hold": 1.0}, ValueError, "hold must be at least 0 and below 1, got 1.0"),
        ({"earliest": 0.8}, ValueError, "earliest must be between 0 and hold, 0.7, got 0.8"),
    ],
)
def test_wrong_settings_are_refused(changes, error, message):
    with pytest.raises(error, match=message):
        InformationAnneal(sgd(), **{"lr_top": 0.5, "lr_min": 0.0, "epochs": 5, "ceiling": 2.0} | changes)


def test_signals_are_asked_for_at_the_end_of_an_epoch_and_refused_within():
    schedule = InformationAnneal(sgd(), lr_top=0.5, lr_min=0.0, epochs=5, steps_per_epoch=2, ceiling=2.0)
    with pytest.raises(ValueError, match="a signal belongs to the end of an epoch of 2 steps"):
        schedule.step(1.0)
    schedule.step()
    for signal, error, message in (
        (
            None,
            TypeError,
            r"step\(signal\) needs the information I\(T; Y\) that was measured after the epoch, got none",
        ),
        ("much", TypeError, "InformationAnneal: signal must be a number, got 'much'"),
        (math.nan, ValueError, "InformationAnneal: signal must be finite, got nan"),
        ([1.0, 2.0], ValueError, "InformationAnneal: signal must be one for all or one for each of 1 groups, got 2"),
    ):
        before = schedule.state_dict()
        with pytest.raises(error, match=message):
            schedule.step(signal)
        assert schedule.state_dict() == before
    schedule.step(1.0)
    assert schedule.signals == [[1.0]]


def test_hold_then_anneal_refuses_what_is_no_number_of_steps():
    for steps, error in ((0, ValueError), (True, TypeError)):
        with pytest.raises(error, match="HoldThenAnneal: steps must be"):
            HoldThenAnneal(sgd(), lr_top=0.5, lr_min=0.0, steps=steps)


def test_algorithm_1_and_the_anneal_take_the_same_signals():
    """One loop serves both."""
    for schedule in (
        MutualInformationDecay(sgd(), lr_min=0.01, lr_max=0.5, lr_top=0.4, threshold=0.1, ceiling=2.0, epochs=4),
        InformationAnneal(sgd(), lr_top=0.4, lr_min=0.01, epochs=4, ceiling=2.0),
    ):
        assert rates(schedule, [1.0, 1.2, 1.2])[0] == pytest.approx(0.4)
        assert [line["signal"] for line in schedule.history[0][-3:]] == [1.0, 1.2, 1.2]


@pytest.mark.parametrize(
    "make",
    [
        lambda optimizer: InformationAnneal(optimizer, lr_top=[0.1, 0.02], lr_min=0.0, epochs=9, ceiling=2.0),
        lambda optimizer: MutualInformationDecay(
            optimizer, lr_min=1e-3, lr_max=0.2, lr_top=[0.1, 0.02], threshold=0.1, ceiling=2.0, epochs=9
        ),
    ],
    ids=["anneal", "Algorithm 1"],
)
class TestBothSchedules:
    def test_groups_that_share_one_tensor_as_their_rate_get_their_own(self, make):
        optimizer = torch.optim.Adam(
            [{"params": [torch.nn.Parameter(torch.zeros(1))]} for _ in range(2)], lr=torch.tensor(0.3)
        )
        make(optimizer)
        assert [group["lr"].item() for group in optimizer.param_groups] == pytest.approx([0.1, 0.02])

    def test_a_state_is_not_moved_by_what_follows(self, make):
        whole, other = make(sgd(2)), make(sgd(2))
        rates(whole, [1.0])
        state, of_optimizer = whole.state_dict(), whole.optimizer.state_dict()
        rates(whole, [1.9, 1.95])
        other.optimizer.load_state_dict(of_optimizer)
        other.load_state_dict(state)
        rates(other, [1.9, 1.95])
        assert other.history == whole.history
        assert other.get_last_lr() == whole.get_last_lr()


def test_a_lowered_top_moves_the_rest_of_the_line_and_never_below_the_bottom():
    schedule = HoldThenAnneal(sgd(2), lr_top=[0.5, 0.3], lr_min=[0.1, 0.0], steps=10, hold=0.5)
    rates(schedule, [None] * 2)
    schedule.lower(0.2)
    assert (schedule.lr_top, schedule.finished) == ([0.1, 0.06], False)
    left = rates(schedule, [None] * 7)
    assert left[0] == [0.5, 0.3]  # from the next step on
    assert [first for first, _ in left[1:]] == [0.1] * 7
    assert [second for _, second in left[1:]] == pytest.approx(by_hand(0.06, 0.0, 5, 10)[3:])


@pytest.mark.parametrize("factor", [0.0, 1.0, -0.5, float("nan")])
def test_a_factor_that_lowers_nothing_is_refused(factor):
    with pytest.raises(ValueError, match="HoldThenAnneal: factor must be above 0 and below 1"):
        HoldThenAnneal(sgd(), lr_top=0.5, lr_min=0.0, steps=2).lower(factor)


def test_it_is_finished_once_every_group_is_at_the_bottom_and_a_state_remembers_it():
    schedule = InformationAnneal(sgd(2), lr_top=[0.5, 0.3], lr_min=0.2, epochs=3, ceiling=1.0)
    schedule.lower(0.6)
    assert not schedule.finished
    schedule.lower(0.6)
    assert schedule.finished
    other = InformationAnneal(sgd(2), lr_top=[0.5, 0.3], lr_min=0.2, epochs=3, ceiling=1.0)
    other.load_state_dict(schedule.state_dict())
    assert other.finished


@pytest.mark.parametrize("schedule", ["InformationAnneal", "MutualInformationDecay"])
def test_a_step_without_a_signal_names_who_left_it_out(schedule):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    ends = {"lr_top": 0.1, "lr_min": 0.01, "epochs": 3, "ceiling": 1.0}
    ends |= {"lr_max": 0.2, "threshold": 0.1} if schedule == "MutualInformationDecay" else {}
    made = getattr(infotorch, schedule)(optimizer, **ends)
    optimizer.step()
    chained = torch.optim.lr_scheduler.ChainedScheduler([made])
    with pytest.raises(TypeError, match=rf"^{schedule}: step\(signal\) needs .*, which ChainedScheduler of torch does"):
        chained.step()
    with pytest.raises(TypeError, match=rf"^{schedule}: step\(signal\) needs .* after the epoch, got none\.$"):
        made.step()
