import copy

import pytest
import torch
from torch import nn

from infotorch.updates.averaged_adam import AveragedAdam
from infotorch.updates.gradient import GradientUpdate


def train(optimizer, weight, steps, seed=0):
    """Steps along random gradients; the weights after each."""
    generator, seen = torch.Generator().manual_seed(seed), []
    for _ in range(steps):
        weight.grad = torch.randn(weight.shape, generator=generator).to(weight)
        optimizer.step()
        seen.append(weight.detach().clone())
    return seen


@pytest.mark.parametrize("decay", [0.5, 0.9, 0.999])
def test_the_average_is_the_weighted_mean_of_all_steps(decay):
    weight = nn.Parameter(torch.zeros(5, dtype=torch.float64))
    optimizer = AveragedAdam([weight], decay=decay, lr=0.1)
    seen = torch.stack(train(optimizer, weight, 30))
    shares = decay ** torch.arange(29, -1, -1, dtype=torch.float64)
    optimizer.eval()
    torch.testing.assert_close(weight.detach(), (shares[:, None] * seen).sum(dim=0) / shares.sum())


def test_the_weights_themselves_are_those_of_adam():
    ours, theirs = (nn.Parameter(torch.zeros(4)) for _ in range(2))
    averaged = AveragedAdam([ours], lr=0.1, betas=(0.5, 0.999))
    plain = torch.optim.Adam([theirs], lr=0.1, betas=(0.5, 0.999))
    assert torch.equal(train(averaged, ours, 20)[-1], train(plain, theirs, 20)[-1])
    assert averaged.step() is None


def test_a_look_at_the_averages_changes_nothing():
    weight = nn.Parameter(torch.zeros(3))
    update = GradientUpdate([weight], lambda p: AveragedAdam(p, lr=0.1), None, 10)
    assert update.averages_weights
    train(update.optimizer, weight, 5)
    own = weight.detach().clone()
    with update.using_averaged_weights():
        assert not torch.equal(weight, own)
    assert torch.equal(weight, own)
    other = nn.Parameter(torch.zeros(3))
    whole = AveragedAdam([other], lr=0.1)
    train(whole, other, 5)
    after = [train(optimizer, w, 5, seed=1)[-1] for optimizer, w in ((update.optimizer, weight), (whole, other))]
    assert torch.equal(*after)


def test_twice_eval_is_eval_and_a_step_there_is_refused():
    weight = nn.Parameter(torch.zeros(3))
    optimizer = AveragedAdam([weight], lr=0.1)
    train(optimizer, weight, 3)
    own = weight.detach().clone()
    optimizer.eval()
    average = weight.detach().clone()
    optimizer.eval()
    assert torch.equal(weight, average)
    with pytest.raises(ValueError, match=r"AveragedAdam: step must not follow eval\(\); call train\(\) first"):
        optimizer.step()
    optimizer.train()
    optimizer.train()
    assert torch.equal(weight, own)


def test_a_state_is_gone_on_from():
    weight = nn.Parameter(torch.zeros(3))
    optimizer = AveragedAdam([weight], decay=0.9, lr=0.1)
    train(optimizer, weight, 4)
    twin = nn.Parameter(weight.detach().clone())
    resumed = AveragedAdam([twin], lr=0.1)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for one, w in ((optimizer, weight), (resumed, twin)):
        train(one, w, 4, seed=2)
        one.eval()
    assert torch.equal(weight, twin)


def test_weights_without_a_gradient_stay():
    moved, still = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.ones(2))
    optimizer = AveragedAdam([moved, still], lr=0.1)
    train(optimizer, moved, 2)
    optimizer.eval()
    assert torch.equal(still, torch.ones(2))


def test_a_decay_that_cannot_be_is_refused():
    weight = nn.Parameter(torch.zeros(2))
    with pytest.raises(ValueError, match="AveragedAdam: decay must be below 1, got 1"):
        AveragedAdam([weight], decay=1.0)
    with pytest.raises(ValueError, match="AveragedAdam: decay must be positive and finite, got 0"):
        AveragedAdam([weight], decay=0.0)
    with pytest.raises(TypeError, match="AveragedAdam: decay must be a number, got str"):
        AveragedAdam([weight], decay="slow")
