import math

import pytest
import torch
from tests.diagnostics.zoo import gaussian
from torch import nn

from infotorch.assessment.attacks import fgsm, pgd, slope
from infotorch.networks.stochastic import SampleMean


def linear(weight):
    """Scores of two classes, whose difference is 2 x w."""
    return lambda x: torch.stack([-x @ weight, x @ weight], dim=1)


def test_the_gradient_of_a_linear_decision_has_its_closed_form():
    x, y, weight = gaussian(50, 3).double(), torch.arange(50) % 2, torch.tensor([1.0, -0.5, 0.2]).double()
    sign = 2.0 * y - 1
    expected = -2 * (sign * torch.sigmoid(-2 * sign * (x @ weight)))[:, None] * weight
    torch.testing.assert_close(slope(linear(weight), x, y), expected)


def test_where_there_is_no_gradient_there_is_no_attack():
    x, y = gaussian(10, 2), torch.arange(10) % 2
    for blind in (lambda x: torch.stack([x[:, 0].sign(), -x[:, 0].sign()], 1), lambda x: torch.zeros(len(x), 2)):
        assert not slope(blind, x, y).any()
        assert torch.equal(fgsm(blind, x, y, 0.5), x)
        assert torch.equal(pgd(blind, x, y, 0.5), x)


def test_a_step_has_the_whole_radius_and_keeps_the_range():
    x, y, weight = torch.rand(200, 2, generator=torch.Generator().manual_seed(0)), torch.arange(200) % 2, torch.ones(2)
    free = fgsm(linear(weight), x, y, 0.3)
    torch.testing.assert_close((free - x).abs(), torch.full_like(x, 0.3))
    kept = fgsm(linear(weight), x, y, 0.3, limits=(0.0, 1.0))
    torch.testing.assert_close(kept, free.clamp(0, 1))


@pytest.mark.parametrize("steps", [1, 4, 20])
def test_projected_steps_reach_the_corner_of_the_ball_and_no_further(steps):
    # Of a linear decision the corner is the worst point, for any radius.
    x, y, weight = torch.rand(100, 2, generator=torch.Generator().manual_seed(1)), torch.arange(100) % 2, torch.ones(2)
    found = pgd(linear(weight), x, y, 0.2, limits=(0.0, 1.0), steps=steps)
    torch.testing.assert_close(found, fgsm(linear(weight), x, y, 0.2, limits=(0.0, 1.0)))


def test_many_steps_find_what_one_step_misses():
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 40), nn.Tanh(), nn.Linear(40, 2))
    x, y = gaussian(500, 2), torch.arange(500) % 2
    scores = lambda rows: network(6 * rows)  # noqa: E731
    loss = {
        name: nn.functional.cross_entropy(scores(moved), y).item()
        for name, moved in {"none": x, "fgsm": fgsm(scores, x, y, 0.3), "pgd": pgd(scores, x, y, 0.3, steps=20)}.items()
    }
    assert loss["none"] < loss["fgsm"] < loss["pgd"]


def test_the_gradient_behind_draws_is_that_of_their_mean_probability():
    # log E p with p = sigmoid(2 (x + noise)) over two known draws, against the derivative by hand.
    draws = torch.tensor([-0.7, 1.1]).double()

    class Noisy(nn.Module):
        def forward(self, x):
            rows = x.repeat_interleave(2, dim=0) + draws.repeat(len(x))[:, None]
            return torch.cat([-rows, rows], dim=1)

    network = nn.Sequential(Noisy(), SampleMean(1, 2)).eval()
    x = torch.tensor([[0.3]]).double()
    p = torch.sigmoid(2 * (0.3 + draws))
    expected = -(2 * p * (1 - p)).mean() / p.mean()
    torch.testing.assert_close(slope(network, x, torch.tensor([1])), expected.reshape(1, 1))


def test_the_callers_tensors_and_weights_stay_as_they_were():
    network, x, y = nn.Linear(2, 2), gaussian(6, 2), torch.arange(6) % 2
    kept = x.clone()
    with torch.no_grad():
        pgd(network, x, y, 0.1)
    assert torch.equal(x, kept)
    assert not x.requires_grad
    assert network.weight.grad is None


@pytest.mark.parametrize("attack", [fgsm, pgd])
def test_a_radius_that_cannot_be_is_refused(attack):
    x, y = gaussian(4, 2), torch.arange(4) % 2
    for radius in (-0.1, math.inf, math.nan):
        with pytest.raises(ValueError, match=f"{attack.__name__}: radius must be at least 0 and finite, got"):
            attack(nn.Linear(2, 2), x, y, radius)
    with pytest.raises(TypeError, match=f"{attack.__name__}: radius must be a number, got str"):
        attack(nn.Linear(2, 2), x, y, "far")
    assert torch.equal(attack(nn.Linear(2, 2), x, y, 0.0), x)


def test_steps_are_counted():
    x, y = gaussian(4, 2), torch.arange(4) % 2
    with pytest.raises(ValueError, match="pgd: steps must be at least 1, got 0"):
        pgd(nn.Linear(2, 2), x, y, 0.1, steps=0)
    with pytest.raises(TypeError, match=r"pgd: steps must be an integer, got 2\.0"):
        pgd(nn.Linear(2, 2), x, y, 0.1, steps=2.0)


def test_inference_mode_hides_no_gradient():
    x, y, weight = gaussian(10, 2), torch.arange(10) % 2, torch.ones(2)
    with torch.inference_mode():
        found = slope(linear(weight), x.clone(), y)
    assert torch.equal(found, slope(linear(weight), x, y))
