"""The triangle of rates against its closed form."""

import numpy as np
import pytest
import torch

from infotorch.schedules.triangle import Triangle


def rates(num_steps, **group):
    groups = [
        {"params": [torch.zeros(1, requires_grad=True)]},
        {"params": [torch.zeros(1, requires_grad=True)], **group},
    ]
    optimizer = torch.optim.SGD(groups, lr=2.0)
    schedule, found = Triangle(optimizer, num_steps), []
    for _ in range(num_steps):
        found.append([group["lr"] for group in optimizer.param_groups])
        optimizer.step()
        schedule.step()
    return np.array(found)


@pytest.mark.parametrize("num_steps", [1, 3, 49, 490])
def test_two_lines_up_to_the_rate_and_down(num_steps):
    corners = ([0, int(0.23 * num_steps), num_steps], [0.2, 1.0, 0.07])
    wanted = 2.0 * np.interp(np.arange(num_steps), *corners)
    if num_steps < 5:  # too short to rise
        wanted[0] = 2.0
    assert rates(num_steps)[:, 0] == pytest.approx(wanted)


def test_a_group_rests_behind_its_share_of_the_steps():
    found = rates(100, until=0.3)
    assert np.array_equal(found[:30, 1], found[:30, 0])
    assert not found[30:, 1].any()


def test_no_steps_are_refused():
    with pytest.raises(ValueError, match="Triangle: num_steps must be at least 1, got 0"):
        Triangle(torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0), 0)
