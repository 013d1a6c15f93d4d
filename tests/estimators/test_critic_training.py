import math

import pytest
import torch
from torch import nn

from infotorch.estimators.critic_training import shuffled_batches, train_until_no_better


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


class Line(nn.Module):
    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.zeros(()))
        self.register_buffer("calls", torch.zeros(()))


def run(line, validation, *, lr=0.05, max_steps=500, patience=3, loss=None, **more):
    x = torch.randn(100, generator=seeded())
    settings = {"batch_size": 20, "generator": seeded(1)} | more
    loss = loss or (lambda x: (line.slope * x - 2 * x).square().mean())
    return train_until_no_better(line, loss, [x], validation, lr=lr, max_steps=max_steps, patience=patience, **settings)


def test_finds_the_minimum():
    line = Line()
    outcome = run(line, lambda: (line.slope - 2).square().item())
    assert line.slope.item() == pytest.approx(2, abs=1e-2)
    assert not line.training
    assert outcome.best_loss == pytest.approx((line.slope.item() - 2) ** 2)


def test_stops_by_patience_and_keeps_the_best_weights_and_buffers():
    line, seen = Line(), []

    def validation():
        line.calls.add_(1)
        seen.append((line.slope.item(), line.calls.item()))
        return abs(line.slope.item() - 1)  # the best slope lies on the way to 2

    outcome = run(line, validation, lr=0.01, max_steps=10_000)
    best = min(range(len(seen)), key=lambda k: abs(seen[k][0] - 1))
    assert outcome.ended == "patience"
    assert outcome.best_step == 50 * best > 0
    assert outcome.steps == 50 * (len(seen) - 1) == outcome.best_step + 3 * 50
    assert (line.slope.item(), line.calls.item()) == seen[best]


def test_max_steps_is_exact_and_the_last_look_counts():
    line, told = Line(), []
    outcome = run(line, lambda: -line.slope.item(), max_steps=70, on_check=lambda step, loss: told.append((step, loss)))
    assert (outcome.steps, outcome.best_step, outcome.ended) == (70, 70, "max_steps")
    assert [step for step, _ in told] == [50, 70]
    assert told[-1][1] == outcome.best_loss == -line.slope.item()


def test_a_loss_that_is_not_finite_ends_training_with_the_best_weights():
    line, looks = Line(), iter([5.0, 3.0, math.nan])  # before the first step, and after 50 and 100
    outcome = run(line, lambda: next(looks))
    assert (outcome.ended, outcome.steps, outcome.best_step, outcome.best_loss) == ("diverged", 100, 50, 3.0)
    assert math.isfinite(line.slope.item())


def test_weights_that_never_worked_are_given_back_as_they_came():
    line = Line()
    outcome = run(line, lambda: line.slope.item(), loss=lambda x: line.slope * math.nan)
    assert (outcome.ended, outcome.best_step) == ("diverged", 0)
    assert line.slope.item() == 0
    assert run(line, lambda: math.nan).best_loss == math.inf


def test_an_untrained_module_is_kept_where_nothing_is_better():
    line = Line()
    outcome = run(line, lambda: line.slope.item() ** 2)
    assert (outcome.best_step, outcome.best_loss, line.slope.item()) == (0, 0.0, 0.0)


def test_losses_below_zero_are_nothing_special():
    line = Line()
    outcome = run(line, lambda: (line.slope - 2).square().item() - 100)
    assert outcome.best_loss == pytest.approx(-100, abs=1e-3)


def test_frozen_parameters_are_left_alone_and_none_is_no_training():
    line = Line()
    line.slope.requires_grad_(False)
    outcome = run(line, lambda: 1.5)
    assert (outcome.steps, outcome.ended, outcome.best_loss) == (0, "nothing to train", 1.5)


def test_modes_and_gradients_in_training_and_validation():
    line, modes = Line(), []

    def loss(x):
        modes.append((line.training, torch.is_grad_enabled()))
        return (line.slope * x).mean()

    def validation():
        modes.append((line.training, torch.is_grad_enabled()))
        return 0.0

    run(line, validation, loss=loss, max_steps=50)
    assert modes[0] == modes[-1] == (False, False)
    assert set(modes[1:-1]) == {(True, True)}


def test_the_same_seed_gives_the_same_weights_and_the_global_state_is_untouched():
    state = torch.get_rng_state()
    lines = [Line(), Line()]
    for line in lines:
        run(line, lambda line=line: (line.slope - 2).square().item(), max_steps=60)
    assert torch.equal(lines[0].slope, lines[1].slope)
    assert torch.equal(torch.get_rng_state(), state)


def test_batches_are_paired_and_fresh_in_every_pass():
    a = torch.arange(10)
    batches = shuffled_batches([a, 10 * a], 3, seeded())
    passes = []
    for _ in range(3):
        rows = [next(batches) for _ in range(3)]
        for left, right in rows:
            assert len(left) == 3
            assert torch.equal(10 * left, right)
        passes.append(torch.cat([left for left, _ in rows]).tolist())
        assert len(set(passes[-1])) == 9
    assert passes[0] != passes[1] != passes[2]
    assert len(next(shuffled_batches([a], 64, seeded()))[0]) == 10
