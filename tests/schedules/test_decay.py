import copy
import math

import pytest
import torch
from tests.reference.mi_decay import algorithm_1
from torch import nn

from infotorch.estimators.estimate import Estimate
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
    for value in (1.0, torch.tensor(1.2), Estimate(torch.tensor(1.21), bound="none", n=10, estimator="ross")):
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
