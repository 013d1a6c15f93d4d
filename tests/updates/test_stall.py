"""When a proximal step is told to have stalled: on the paper's own plateaus, and not in training that works."""

import copy
import warnings
from functools import partial

import pytest
import torch
from tests.reference.halves import SGD, batch, halves, loss_of, split_of
from torch import nn
from torch.nn import functional

from infotorch.updates.proximal import ProximalSplit
from infotorch.updates.stall import FLAT, FlatWatch, StallWatch


def watched(pairs, window=10):
    """The verdict after every whole window of (loss, norm)."""
    watch, verdicts = StallWatch(window), []
    for number, (loss, norm) in enumerate(pairs, start=1):
        watch.add(torch.tensor(loss), torch.tensor(norm))
        if number % window == 0:
            verdicts.append(watch.stalled)
    return verdicts


def test_a_plateau_that_the_norm_creeps_down_is_a_stall():
    # 0.1 % a window: less than any share of the window before would notice.
    assert watched([(0.25, 3e-3 * 0.9999**step) for step in range(60)]) == [False, False, True, True, True, True]


@pytest.mark.parametrize(
    "pairs",
    [
        [(0.99**step, 0.99**step) for step in range(60)],  # both fall
        [(-0.01 * step, 0.99**step) for step in range(60)],  # a loss may be negative
        [(0.25, 3e-3 * 1.001**step) for step in range(60)],  # the norm rises
        [(0.25, 3e-3) for _ in range(60)],  # nothing changes
    ],
)
def test_progress_or_a_norm_that_does_not_fall_is_no_stall(pairs):
    assert not any(watched(pairs))


def test_noise_of_the_norm_is_no_fall():
    noise = torch.randn(400, generator=torch.Generator().manual_seed(0)).tolist()
    # 40 windows against one at two standard errors: 2 % each, and the norm of the best window is kept.
    verdicts = watched([(0.25 + 1e-4 * n, 1.0 + 0.3 * n) for n in noise], window=10)
    assert sum(verdicts) <= 6
    assert all(watched([(0.25, 1.0 - 0.02 * step + 0.03 * n) for step, n in enumerate(noise[:40])])[2:])


def test_progress_ends_a_stall_and_a_long_run_may_rest_longer():
    falling = [(1.0 * 0.9 ** (step // 10), 1.0) for step in range(240)]
    resting = [(falling[-1][0], 1.0 - 1e-3 * step) for step in range(60)]
    # 24 windows made progress: a sixth of the run is 5 windows.
    assert watched(falling + resting)[-6:] == [False, False, False, False, True, True]
    assert not watched([*falling, *resting, *[(1e-3, 1.0)] * 10])[-1]


def test_a_watch_goes_on_from_its_state():
    pairs = [(0.25, 3e-3 * 0.9999**step) for step in range(45)]
    whole, first, second = StallWatch(10), StallWatch(10), StallWatch(10)
    for number, (loss, norm) in enumerate(pairs):
        whole.add(torch.tensor(loss), torch.tensor(norm))
        (first if number < 17 else second).add(torch.tensor(loss), torch.tensor(norm))
        if number == 16:
            second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert whole.state_dict() == second.state_dict()
    assert whole.stalled


def test_a_stall_of_accumulated_steps_is_that_of_whole_ones():
    verdicts = []
    for parts in ((slice(0, 10),), (slice(0, 3), slice(3, 10))):
        f, g = halves("mlp")
        x, y = batch(rows=10)
        split = split_of(f, g, stall_window=2)
        for _ in range(4):
            for rows in parts:
                split.accumulate(x[rows], loss_of(y[rows]), share=len(y[rows]) / 10)
            split.apply()
        verdicts.append(split.state_dict()["watch"]["last"])
    assert verdicts[0] == pytest.approx(verdicts[1], rel=1e-4)


def test_a_stall_is_told_once_and_recommends_what_helps():
    # L = z^4 / 4 - z^2 / 2 has a hill at 0, where its slope is 0 too: order 2 climbs it.
    f, g = nn.Linear(1, 1, bias=False).double(), nn.Linear(1, 1, bias=False).double()
    nn.init.constant_(f.weight, 0.3)
    nn.init.constant_(g.weight, 1.0)
    split = split_of(f, g, step_size=1.0, stall_window=5, backward_optimizer=partial(torch.optim.SGD, lr=1e-12))
    x = torch.ones(1, 1, dtype=torch.float64)
    with pytest.warns(UserWarning, match="order 1 and 'hybrid' follow the loss") as told:
        infos = [split.step(x, lambda z: (z**4 / 4 - z**2 / 2).sum()) for _ in range(40)]
    assert len(told) == 1
    assert infos[-1].loss > infos[0].loss
    assert infos[-1].stalled
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        f.weight.data.fill_(0.3)
        again = split_of(f, g, order="hybrid", step_size=0.1, stall_window=5)
        for _ in range(40):
            info = again.step(x, lambda z: (z**4 / 4 - z**2 / 2).sum())
    assert info.loss.item() == pytest.approx(-1 / 4, abs=1e-3)


def in_the_plane(seed, order, **options):
    """The paper's first experiment: points in a circle or not, sigmoids and squared error, at its rates."""
    torch.manual_seed(seed)
    x = torch.randn(600, 2)
    y = functional.one_hot((x.square().sum(dim=1) > 1.386).long(), 2).float()
    layers = [nn.Linear(a, b) for a, b in ((2, 8), (8, 8), (8, 8), (8, 8), (8, 2))]
    for layer in layers:
        nn.init.normal_(layer.weight)
        nn.init.normal_(layer.bias)
    model = nn.Sequential(*[part for layer in layers for part in (layer, nn.Sigmoid())])
    settings = {
        "step_size": 10.0,
        "forward_optimizer": partial(torch.optim.SGD, lr=100.0),
        "backward_optimizer": partial(torch.optim.SGD, lr=0.1),
    }
    split = ProximalSplit.at(model, "4", order=order, **(settings | options))
    return [split.step(x, lambda output: functional.mse_loss(output, y)) for _ in range(400)]


@pytest.mark.parametrize("seed", [1])
def test_order_2_stalls_on_the_papers_own_experiment_and_is_told_so(seed):
    with pytest.warns(UserWarning, match="has stalled"):
        infos = in_the_plane(seed, 2)
    assert infos[-1].stalled
    assert infos[-1].loss > 0.24  # what guessing costs is 0.25


def test_the_hybrid_learns_where_order_2_stalls():
    infos = in_the_plane(0, "hybrid")
    assert not any(info.stalled for info in infos)
    assert infos[-1].loss < 0.2


def test_order_2_that_learns_from_mini_batches_is_not_told_to_stall():
    torch.manual_seed(0)
    x = torch.randn(512, 5)
    y = (x @ torch.randn(5, 3)).argmax(dim=1)
    model = nn.Sequential(nn.Linear(5, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 3))
    adam = partial(torch.optim.Adam, lr=3e-3)
    split = ProximalSplit.at(model, "2", step_size=1.0, forward_optimizer=adam, backward_optimizer=adam)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for step in range(300):
            rows = torch.randperm(512, generator=torch.Generator().manual_seed(step))[:64]
            info = split.step(x[rows], loss_of(y[rows]))
            assert not info.stalled
    assert info.loss < 0.5


def test_flat_means_a_slope_and_no_curvature_three_times_in_a_row():
    zero, one = [torch.zeros(2)], [torch.tensor([0.0, 1.0])]
    watch = FlatWatch()
    looks = [(one, zero), (one, zero), (one, one), (one, zero), (zero, zero), *[(one, zero)] * 4]
    assert [watch.add(*look) for look in looks] == [False] * 7 + [True, False]


@pytest.mark.parametrize("order", [1, 2, "hybrid"])
def test_a_piecewise_linear_loss_that_order_2_cannot_follow_is_told_once(order):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 1))
    split = ProximalSplit.at(model, "2", order=order, step_size=1.0, forward_optimizer=SGD, backward_optimizer=SGD)
    x, before = batch()[0].float(), model[0].weight.detach().clone()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        infos = [split.step(x, lambda output: (output - 1).abs().mean()) for _ in range(6)]
    assert [str(one.message) for one in told] == ([FLAT] if order == 2 else [])
    assert all(one.filename == __file__ for one in told)
    assert torch.equal(before, model[0].weight) == (order == 2)
    if order == 2:
        assert infos[-1].curvatures[0] == 0
