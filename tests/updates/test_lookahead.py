"""SGD that looks ahead, against a loop in float64."""

import pytest
import torch

from infotorch.updates.lookahead import LookaheadSGD

SGD = {"lr": 0.1, "momentum": 0.85, "nesterov": True, "weight_decay": 0.01}


def weight(value=(3.0, 4.0)):
    return torch.nn.Parameter(torch.tensor(value, dtype=torch.float64))


def gradients(count):
    return torch.randn(count, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("steps", [10, 12])
def test_it_is_sgd_that_goes_back_to_slow_weights_every_five_steps_and_at_the_end(steps):
    ours, plain, slow = weight(), weight(), torch.tensor([3.0, 4.0], dtype=torch.float64)
    optimizer, reference = LookaheadSGD([ours], num_steps=steps, **SGD), torch.optim.SGD([plain], **SGD)
    for number, gradient in enumerate(gradients(steps), start=1):
        for one, moves in ((ours, optimizer), (plain, reference)):
            one.grad = gradient.clone()
            moves.step()
        if number % 5 == 0 or number == steps:
            share = 0.95**5 * (number / steps) ** 3
            slow = share * slow + (1 - share) * plain.detach()
            plain.data.copy_(slow)
        assert torch.allclose(ours, plain, rtol=1e-12)


def test_running_statistics_take_part():
    ours, mean = weight(), torch.zeros(2, dtype=torch.float64)
    optimizer = LookaheadSGD([{"params": [ours]}, {"params": [mean]}], every=1, **SGD)
    mean += 1
    ours.grad = torch.ones_like(ours)
    optimizer.step()
    assert mean.tolist() == pytest.approx([1 - 0.95**5] * 2)


def test_a_saved_one_goes_on_bit_for_bit():
    steps, rows = 12, gradients(12)
    whole, first = weight(), weight()
    optimizer, half = (LookaheadSGD([one], num_steps=steps, **SGD) for one in (whole, first))
    for gradient in rows:
        whole.grad = gradient.clone()
        optimizer.step()
    for gradient in rows[:7]:
        first.grad = gradient.clone()
        half.step()
    again = weight(first.tolist())
    other = LookaheadSGD([again], **SGD)
    other.load_state_dict(half.state_dict())
    for gradient in rows[7:]:
        again.grad = gradient.clone()
        other.step()
    assert torch.equal(again, whole)


def test_settings_are_checked():
    with pytest.raises(ValueError, match="LookaheadSGD: every must be at least 1, got 0"):
        LookaheadSGD([weight()], lr=0.1, every=0)
    with pytest.raises(TypeError, match=r"LookaheadSGD: num_steps must be an integer, got 0\.5"):
        LookaheadSGD([weight()], lr=0.1, num_steps=0.5)
