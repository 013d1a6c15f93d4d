"""Going back to the weights that knew most of held-out rows."""

import copy

import pytest
import torch
from torch import nn

from infotorch.schedules.stopping import InformationStopping


def parts():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    return network, torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)


def train(network, optimizer, seed):
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(seed))
    optimizer.zero_grad()
    network(x).square().mean().backward()
    optimizer.step()


def state(network, optimizer):
    momenta = [held["momentum_buffer"] for held in optimizer.state.values()]
    return copy.deepcopy([*network.state_dict().values(), *momenta])


def same(one, other):
    return len(one) == len(other) and all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_weights_statistics_and_momentum_are_the_best_epochs_and_stay_so():
    """Twice back to the same epoch, with training between: what is kept is not what goes on."""
    network, optimizer = parts()
    stopping = InformationStopping([network, optimizer], ceiling=1.0, patience=2)
    train(network, optimizer, 0)
    assert stopping.step(0.5) is False
    train(network, optimizer, 1)
    assert stopping.step(0.8) is False
    best = state(network, optimizer)
    for falls in (1, 2):
        train(network, optimizer, 2)
        assert not same(state(network, optimizer), best)
        assert stopping.step(0.7) is False
        train(network, optimizer, 3)
        assert stopping.step(0.6) is True
        assert same(state(network, optimizer), best)
        assert stopping.falls == falls
    train(network, optimizer, 4)  # and it can be trained further
    assert not same(state(network, optimizer), best)


@pytest.mark.parametrize(
    ("signals", "went_back"),
    [
        ([1.0, 0.98, 0.98, 0.98, 0.98], [False] * 5),  # at the margin, 1 % of 2 nats, it has not fallen
        ([1.0, 0.97, 0.97, 0.97, 0.97], [False, False, False, True, False]),
        ([1.0, 0.97, 0.97, 0.99, 0.97, 0.97, 0.97], [False] * 6 + [True]),  # not in a row
        ([1.0, 0.97, 0.97, 1.01, 1.0, 1.0, 1.0], [False] * 7),  # a new best
        ([-3.0, -3.5, -3.5, -3.5], [False] * 3 + [True]),  # estimates may be negative
    ],
)
def test_three_epochs_in_a_row_below_the_best_by_a_share_of_the_ceiling(signals, went_back):
    stopping = InformationStopping(parts(), ceiling=2.0, tolerance=0.01 + 1e-9)
    assert [stopping.step(signal) for signal in signals] == went_back


def test_at_the_end_one_fallen_epoch_is_enough():
    network, optimizer = parts()
    stopping = InformationStopping([network], ceiling=1.0)
    stopping.step(0.5)
    best = copy.deepcopy(network.state_dict())
    assert stopping.finish() is False
    train(network, optimizer, 0)
    stopping.step(0.495)
    assert stopping.finish() is False
    stopping.step(0.3)
    assert stopping.finish() is True
    assert all(torch.equal(value, best[name]) for name, value in network.state_dict().items())
    assert stopping.finish() is False  # it is there already
    assert InformationStopping([network], ceiling=1.0).finish() is False


def test_a_state_goes_on_as_the_original_and_shares_nothing_with_it():
    network, optimizer = parts()
    stopping = InformationStopping([network, optimizer], ceiling=1.0, patience=2)
    train(network, optimizer, 0)
    for signal in (0.5, 0.4):
        stopping.step(signal)
    kept = stopping.state_dict()
    best = state(network, optimizer)
    other_network, other_optimizer = parts()
    other = InformationStopping([other_network, other_optimizer], ceiling=1.0, patience=2)
    other.load_state_dict(kept)
    kept["_kept"][0]["0.weight"].zero_()
    assert stopping.step(0.4)
    assert other.step(0.4)
    assert same(state(network, optimizer), best)
    assert same(state(other_network, other_optimizer), best)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"parts": []}, ValueError, "parts must hold what is taken back"),
        ({"parts": [3]}, TypeError, "parts must have state_dict and load_state_dict, got 3 among them"),
        ({"parts": parts()[0]}, TypeError, r"parts must be a list, such as \[model, optimizer\], got Sequential"),
        ({"parts": None}, TypeError, r"parts must be a list, .* got NoneType"),
        ({"ceiling": 0.0}, ValueError, "ceiling must be positive"),
        ({"tolerance": -0.1}, ValueError, "tolerance must be positive"),
        ({"tolerance": float("nan")}, ValueError, "tolerance must be finite"),
        ({"patience": 0}, ValueError, "patience must be at least 1"),
        ({"patience": 1.5}, TypeError, "patience must be an integer"),
    ],
)
def test_bad_options_are_refused(options, error, message):
    with pytest.raises(error, match=f"InformationStopping: {message}"):
        InformationStopping(**{"parts": [parts()[0]], "ceiling": 1.0, **options})


@pytest.mark.parametrize(
    ("signal", "error"), [(float("nan"), ValueError), ("much", TypeError), ([0.1, 0.2], ValueError)]
)
def test_a_signal_that_is_none_leaves_everything_as_it_was(signal, error):
    stopping = InformationStopping([parts()[0]], ceiling=1.0)
    stopping.step(0.5)
    with pytest.raises(error, match="InformationStopping: information must be"):
        stopping.step(signal)
    assert (stopping.best, stopping.fallen) == (0.5, 0)
    assert not stopping.finish()
