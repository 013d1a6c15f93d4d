import copy
import math

import numpy as np
import pytest
import torch
from tests.reference.mi_decay import algorithm_1
from torch import nn

from infotorch.estimators.estimate import Estimate
from infotorch.schedules.anneal import HoldThenAnneal, InformationAnneal
from infotorch.schedules.decay import MutualInformationDecay

SETTINGS = {"lr_min": 0.001, "lr_max": 0.2, "lr_top": 0.05, "threshold": 0.02, "ceiling": 2.3, "epochs": 30}


def optimizer_of(groups=1, kind=torch.optim.SGD, lr=7.0):
    weights = [nn.Parameter(torch.ones(1)) for _ in range(groups)]
    return kind([{"params": [weight]} for weight in weights], lr=lr)


def decay_of(optimizer, **options):
    return MutualInformationDecay(optimizer, **(SETTINGS | options))


def signals(seed, epochs=30):
    generator = torch.Generator().manual_seed(seed)
    rising = 2.2 * (1 - torch.exp(-torch.arange(epochs + 1) / 6.0)) + 0.1
    return (rising + 0.05 * torch.randn(epochs + 1, generator=generator)).tolist()


def rates_of(decay, optimizer, values):
    rates = [optimizer.param_groups[0]["lr"]]
    for value in values:
        optimizer.step()
        decay.step(value)
        rates.append(optimizer.param_groups[0]["lr"])
    return rates


@pytest.mark.parametrize("seed", range(5))
def test_the_rates_are_those_of_the_papers_algorithm(seed):
    ity = signals(seed)
    optimizer = optimizer_of()
    found = rates_of(decay_of(optimizer, initial=ity[0]), optimizer, ity[1:-1])
    expected = algorithm_1(ity, 2.3, lr_min=0.001, lr_max=0.2, lr_top=0.05, epsilon=0.02, epochs=30)
    assert found == pytest.approx(expected)
    assert len(set(found)) > 5


def test_epoch_by_epoch_by_hand():
    optimizer = optimizer_of()
    decay = decay_of(optimizer, threshold=0.1, ceiling=2.0, epochs=10)
    # epoch 2: (1 - 1/2) 0.2; then d_s = 1/3 keeps; then 0.0625 < 0.1: 0.2 (1 - 4/10) 0.2
    assert rates_of(decay, optimizer, [1.0, 1.5, 1.6]) == pytest.approx([0.05, 0.1, 0.1, 0.024])
    assert decay.get_last_lr() == pytest.approx([0.024])
    last = decay.history[0][-1]
    assert (last["epoch"], last["signal"], last["lr"]) == (4, 1.6, pytest.approx(0.024))
    assert (last["d_p"], last["d_s"]) == (pytest.approx(0.2), pytest.approx(0.0625))
    assert decay.history[0][0] == {"epoch": 1, "lr": 0.05, "signal": None, "d_p": None, "d_s": None}


def test_a_drop_triggers_a_change_and_the_best_so_far_decides_it():
    optimizer = optimizer_of()
    rates = rates_of(decay_of(optimizer, ceiling=2.0, epochs=10), optimizer, [1.0, 1.6, 0.9])
    assert rates[-1] == pytest.approx((1 - 1.6 / 2) * (1 - 4 / 10) * 0.2)


@pytest.mark.parametrize(
    ("time_decay", "factor"), [(True, 1 - 3 / 10), (False, 1.0), ("literal", 1 - 0.02 / 10)], ids=str
)
def test_time_decay(time_decay, factor):
    optimizer = optimizer_of()
    rates = rates_of(decay_of(optimizer, ceiling=2.0, epochs=10, time_decay=time_decay), optimizer, [1.0, 1.001])
    assert rates[-1] == pytest.approx((1 - 1.001 / 2) * factor * 0.2)


def test_every_layer_has_its_own_rate():
    values = [signals(seed) for seed in (0, 1)]
    several = optimizer_of(2)
    together = decay_of(several, ceiling=(2.3, 2.0), lr_max=(0.2, 0.1))
    alone = []
    for seed, (ceiling, lr_max) in enumerate(((2.3, 0.2), (2.0, 0.1))):
        optimizer = optimizer_of()
        alone.append(rates_of(decay_of(optimizer, ceiling=ceiling, lr_max=lr_max), optimizer, values[seed][1:20]))
    for pair in zip(values[0][1:20], values[1][1:20], strict=True):
        several.step()
        together.step(pair)
    for group in (0, 1):
        assert [line["lr"] for line in together.history[group]] == pytest.approx(alone[group])


def test_without_a_top_rate_the_untrained_networks_information_decides():
    optimizer = optimizer_of()
    decay_of(optimizer, lr_top=None, initial=0.23)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.1 * 0.2)
    decay_of(optimizer, lr_top=None, initial=-0.1)
    assert optimizer.param_groups[0]["lr"] == 0.001
    with pytest.raises(ValueError, match="give lr_top, or initial"):
        decay_of(optimizer, lr_top=None)


def test_information_that_is_not_positive_or_above_the_ceiling_is_guarded():
    optimizer = optimizer_of()
    decay = decay_of(optimizer, ceiling=2.0, epochs=10)
    assert rates_of(decay, optimizer, [-1.0, -0.5, 0.0, 3.0, 2.9])[1] == pytest.approx(0.2)  # d_p clipped to 1
    gains = [line["d_s"] for line in decay.history[0][2:]]
    assert gains == pytest.approx([1.0, math.inf, 1.0, -0.1 / 2.9])
    assert decay.history[0][-1]["lr"] == 0.001  # d_p clipped to 0


def test_warm_up_comes_before_the_first_epoch():
    optimizer = optimizer_of()
    plain = optimizer_of()
    values = signals(0)
    warm = rates_of(decay_of(optimizer, warmup=4), optimizer, [0.01, 0.02, 0.03, 0.04, *values[1:10]])
    assert warm[:5] == pytest.approx([0.01, 0.02, 0.03, 0.04, 0.05])
    assert warm[5] == pytest.approx(rates_of(decay_of(plain), plain, values[1:2])[1])
    assert all(0.001 <= rate <= 0.2 for rate in warm)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.RMSprop])
def test_it_drives_any_optimiser_and_takes_numbers_tensors_and_estimates(kind):
    optimizer = optimizer_of(kind=kind)
    decay = decay_of(optimizer, ceiling=2.0, epochs=10)
    for value in (1.0, torch.tensor(1.2), Estimate(torch.tensor(1.21), side="none", n=10, estimator="ross")):
        optimizer.step()
        decay.step(value)
    assert optimizer.param_groups[0]["lr"] == pytest.approx((1 - 1.21 / 2) * (1 - 4 / 10) * 0.2, rel=1e-6)


def test_a_rate_that_is_a_tensor_stays_that_tensor():
    weight = nn.Parameter(torch.ones(1))
    rate = torch.tensor(3.0)
    optimizer = torch.optim.Adam([weight], lr=rate, capturable=False)
    decay_of(optimizer)
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == pytest.approx(0.05)


def test_a_resumed_schedule_goes_on_as_the_uninterrupted_one():
    values = signals(3)
    optimizer = optimizer_of()
    decay = decay_of(optimizer, initial=values[0])
    rates_of(decay, optimizer, values[1:10])
    kept = copy.deepcopy((optimizer.state_dict(), decay.state_dict()))
    expected = rates_of(decay, optimizer, values[10:20])
    again = optimizer_of()
    resumed = decay_of(again)
    again.load_state_dict(kept[0])
    resumed.load_state_dict(torch.load(_saved(kept[1]), weights_only=True))
    assert rates_of(resumed, again, values[10:20]) == expected
    assert resumed.history == decay.history


def _saved(state):
    import io

    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return file


def test_the_signal_is_needed_and_must_move():
    optimizer = optimizer_of()
    decay = decay_of(optimizer)
    with pytest.raises(TypeError, match=r"step\(signal\) needs the information"):
        decay.step()
    with pytest.raises(TypeError, match="signal must be a number"):
        decay.step("much")
    with pytest.raises(ValueError, match="signal must be finite"):
        decay.step(float("nan"))
    with pytest.raises(ValueError, match="one for each of 1 groups, got 2"):
        decay.step([1.0, 2.0])
    for _ in range(4):
        decay.step(1.0)
    with pytest.raises(ValueError, match=r"exactly 1.0 5 times.*the network is dead"):
        decay.step(1.0)


def test_a_network_that_has_settled_may_give_one_signal_for_long():
    optimizer = optimizer_of()
    decay = decay_of(optimizer)
    for signal in (1.0, 1.5, *[1.75] * 8):
        decay.step(signal)
    assert decay.history[0][-1]["d_s"] == 0.0


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"lr_min": 0.2}, ValueError, "lr_min must lie below lr_max"),
        ({"lr_min": 0.0}, ValueError, "lr_min must be positive"),
        ({"lr_max": math.inf}, ValueError, "lr_max must be finite"),
        ({"lr_top": (0.1, 0.2)}, ValueError, "lr_top must be one for all or one for each of 1 groups, got 2"),
        ({"threshold": 0.0}, ValueError, "threshold must be positive"),
        ({"ceiling": -1.0}, ValueError, "ceiling must be positive"),
        ({"lr_top": 0.3}, ValueError, r"lr_top must lie from lr_min to lr_max, 0\.001 to 0\.2, got 0\.3"),
        ({"lr_top": 0.0005}, ValueError, "lr_top must lie from lr_min to lr_max"),
        ({"epochs": 0}, ValueError, "epochs must be at least 1"),
        ({"epochs": 1.5}, TypeError, "epochs must be an integer"),
        ({"warmup": -1}, ValueError, "warmup must be at least 0"),
        ({"warmup": True}, TypeError, "warmup must be an integer"),
        ({"time_decay": "often"}, ValueError, "time_decay must be one of"),
        ({"initial": "much"}, TypeError, "initial must be a number"),
    ],
)
def test_wrong_settings_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        decay_of(optimizer_of(), **options)


def plain_decay(**settings):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    kind = {"lr_min": 0.01, "lr_max": 0.5, "lr_top": 0.1, "threshold": 0.1, "ceiling": 2.0, "epochs": 9}
    return MutualInformationDecay(optimizer, **(kind | settings))


def test_a_network_that_has_learnt_everything_is_not_dead():
    decay = plain_decay(ceiling=2.0)
    for _ in range(8):
        decay.optimizer.step()
        decay.step(2.0)
    assert decay.get_last_lr() == [0.01]


def test_a_network_that_dies_in_its_first_epoch_is_found_beside_what_the_untrained_one_knew():
    decay = plain_decay(initial=1.2)
    for _ in range(4):
        decay.optimizer.step()
        decay.step(0.0)
    with pytest.raises(ValueError, match=r"the signal has been exactly 0\.0 5 times"):
        decay.step(0.0)


def two_groups():
    """An optimiser of two groups, one of which has a name."""
    weights = [nn.Parameter(torch.ones(1)) for _ in range(2)]
    return torch.optim.SGD([{"params": [weights[0]]}, {"params": [weights[1]], "name": "fc2"}], lr=1.0)


class TestAnOptimiserThatAnotherScheduleMoves:
    def test_a_warm_up_of_torchs_made_before_is_refused_with_the_way_out(self):
        optimizer = optimizer_of(lr=1.0)
        torch.optim.lr_scheduler.LinearLR(optimizer, start_factor=0.1, total_iters=4)
        with pytest.raises(ValueError, match=r"MutualInformationDecay: another schedule was made .* give warmup="):
            decay_of(optimizer)
        with pytest.raises(ValueError, match="InformationAnneal: another schedule was made for this optimiser"):
            InformationAnneal(optimizer, lr_top=0.5, lr_min=0.0, epochs=4, ceiling=2.0)

    def test_its_state_in_a_new_optimiser_is_not(self):
        """The way out, and what resuming looks like: the groups' initial_lr is there, the other schedule is not."""
        first, second = optimizer_of(lr=1.0), optimizer_of(lr=1.0)
        torch.optim.lr_scheduler.LinearLR(first)
        second.load_state_dict(first.state_dict())
        assert "initial_lr" in second.param_groups[0]
        assert decay_of(second).get_last_lr() == [0.05]

    def test_a_second_of_ours_takes_the_place_of_the_first(self):
        optimizer = optimizer_of()
        decay_of(optimizer)
        assert decay_of(optimizer, lr_top=0.1).get_last_lr() == [0.1]

    @pytest.mark.parametrize("milestone", [0, 2])
    def test_a_sequence_of_torchs_has_no_signal_and_the_error_says_so(self, milestone):
        optimizer = optimizer_of()
        decay = decay_of(optimizer)
        warm = torch.optim.lr_scheduler.LinearLR(optimizer)
        with pytest.raises(TypeError, match=r"SequentialLR of torch does not hand on; for a warm-up give warmup="):  # noqa: PT012
            sequence = torch.optim.lr_scheduler.SequentialLR(optimizer, [warm, decay], milestones=[milestone])
            for _ in range(milestone + 1):
                optimizer.step()
                sequence.step()


@pytest.mark.parametrize("optimizer", [None, [torch.zeros(1)]])
def test_what_is_no_optimiser_is_named(optimizer):
    got = type(optimizer).__name__
    with pytest.raises(
        TypeError, match=f"MutualInformationDecay: optimizer must be a torch.optim.Optimizer, got {got}"
    ):
        decay_of(optimizer)
    for make in (
        lambda: HoldThenAnneal(optimizer, lr_top=0.5, lr_min=0.0, steps=3),
        lambda: InformationAnneal(optimizer, lr_top=0.5, lr_min=0.0, epochs=3, ceiling=2.0),
    ):
        with pytest.raises(TypeError, match=f"Anneal: optimizer must be a torch.optim.Optimizer, got {got}"):
            make()


def test_a_group_added_later_is_refused_and_so_is_a_state_of_fewer():
    optimizer = optimizer_of()
    decay = decay_of(optimizer)
    state = decay.state_dict()
    optimizer.add_param_group({"params": [nn.Parameter(torch.ones(1))]})
    message = "the schedule is of 1 parameter groups, and the optimiser has 2; add every group before"
    with pytest.raises(ValueError, match=f"MutualInformationDecay: {message}"):
        decay.step(1.0)
    assert decay.signals == [[]]
    with pytest.raises(ValueError, match=message):
        decay_of(optimizer_of(2)).load_state_dict(state)


def test_an_array_of_signals_is_as_a_list():
    found = []
    for kind in (list, tuple, np.array, torch.tensor):
        optimizer = two_groups()
        decay = decay_of(optimizer, ceiling=np.array([2.0, 2.0]))
        decay.step(kind([1.0, 1.5]))
        found.append([group["lr"] for group in optimizer.param_groups])
    assert found[0] == pytest.approx([0.1, 0.05])
    assert all(one == found[0] for one in found)
    decay = decay_of(optimizer_of())
    decay.step(np.array(1.0))
    assert decay.signals == [[1.0]]


def test_a_dead_layer_among_others_is_told_once_by_its_name(recwarn):
    decay = decay_of(two_groups())
    for epoch in range(9):
        decay.optimizer.step()
        decay.step([1.0 + epoch / 10, 0.25])
    (warning,) = recwarn
    assert str(warning.message).startswith(
        "MutualInformationDecay: the signal of group 'fc2' has been exactly 0.25 5 times, unlike that of others"
    )
    assert warning.filename == __file__


def test_a_dead_layer_without_a_name_has_its_number():
    decay = decay_of(two_groups())
    for epoch in range(4):
        decay.step([0.25, 1.0 + epoch / 10])
    with pytest.warns(UserWarning, match=r"the signal of group 0 has been exactly 0\.25 5 times"):
        decay.step([0.25, 1.9])


@pytest.mark.parametrize("rate", [1.0, torch.tensor(1.0)], ids=["number", "tensor"])
@pytest.mark.parametrize(
    ("make", "steps"),
    [
        (lambda optimizer: decay_of(optimizer, ceiling=2.0, epochs=10), [1.0, 1.5, 1.51, 1.8, 1.81]),
        (
            lambda optimizer: InformationAnneal(optimizer, lr_top=0.4, lr_min=0.01, epochs=9, ceiling=2.0),
            [1.0, 1.5, 1.5, 1.51, 1.52],
        ),
        (lambda optimizer: HoldThenAnneal(optimizer, lr_top=0.4, lr_min=0.01, steps=7, hold=0.3), [None] * 5),
    ],
    ids=["decay", "anneal", "control"],
)
@pytest.mark.parametrize(
    "order", ["optimiser, make, schedule", "make, optimiser, schedule", "make, schedule, optimiser"]
)
def test_a_run_may_be_put_together_again_in_any_order(order, make, steps, rate):
    def go_on(schedule, values):
        rates = []
        for value in values:
            schedule.optimizer.step()
            schedule.step(*([] if value is None else [value]))
            rates.append(float(schedule.optimizer.param_groups[0]["lr"]))
        return rates

    def fresh():
        kept = copy.deepcopy(rate)
        return torch.optim.Adam([nn.Parameter(torch.ones(1))], lr=kept), kept

    whole = make(fresh()[0])
    expected = go_on(whole, steps)
    assert len(set(expected)) > 2
    for stop in range(1, len(steps)):
        first = make(fresh()[0])
        go_on(first, steps[:stop])
        optimizer, held = fresh()
        schedule = None
        for part in order.split(", "):
            if part == "make":
                schedule = make(optimizer)
            elif part == "optimiser":
                optimizer.load_state_dict(first.optimizer.state_dict())
                held = optimizer.param_groups[0]["lr"]
            else:
                schedule.load_state_dict(torch.load(_saved(first.state_dict()), weights_only=True))
        assert float(optimizer.param_groups[0]["lr"]) == expected[stop - 1]
        if isinstance(rate, torch.Tensor):
            assert optimizer.param_groups[0]["lr"] is held
        assert [float(last) for last in schedule.get_last_lr()] == [expected[stop - 1]]
        assert go_on(schedule, steps[stop:]) == expected[stop:]


def test_a_rate_that_the_caller_has_changed_is_the_states():
    optimizer, other = optimizer_of(), optimizer_of()
    decay = decay_of(optimizer)
    optimizer.param_groups[0]["lr"] = 0.031
    decay_of(other).load_state_dict(decay.state_dict())
    assert other.param_groups[0]["lr"] == 0.031
