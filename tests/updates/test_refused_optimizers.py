"""Optimisers and schedules that a plan's modules cannot use are refused before anything moves."""

import copy

import pytest
import torch
from torch import nn

from infotorch import Plan, train

X = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()
OTHER = nn.Linear(2, 2)


def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 3), nn.ReLU(), nn.Linear(3, 2))


@pytest.mark.parametrize(
    ("optimizer", "scheduler", "message"),
    [
        (lambda _: torch.optim.Adam(OTHER.parameters()), None, "2 of its 2 parameters are not of the list that it was"),
        (lambda p: torch.optim.Adam([*p, OTHER.weight]), None, r"1 of its [57] parameters are not of the list that it"),
        (lambda p: torch.optim.Adam(p[:1]), None, r"it holds 1 of the [46] parameters that it was to be made of"),
        (torch.optim.LBFGS, None, "optimizer: LBFGS needs a closure that computes the loss again, and a step has"),
        (
            torch.optim.Adam,
            lambda optimizer, _: torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer),
            "scheduler: the step of ReduceLROnPlateau needs metrics, and a schedule is stepped after every update",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("cuts", [(), ("2",)])
def test_what_could_not_move_the_module_is_refused_and_nothing_moves(cuts, optimizer, scheduler, message):
    network = model()
    before = copy.deepcopy(network.state_dict())
    plan = Plan.layerwise(network, cuts, ["Y"] * (len(cuts) + 1), optimizer=optimizer, scheduler=scheduler)
    with pytest.raises(ValueError, match=message):
        train(plan, (X, Y), epochs=1)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_the_schedule_of_a_split_network_needs_no_value_either():
    plan = Plan.proximal(
        model(),
        at="2",
        step_size=0.1,
        optimizer=torch.optim.Adam,
        scheduler=lambda optimizer, _: torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer),
    )
    with pytest.raises(ValueError, match="scheduler: the step of ReduceLROnPlateau needs metrics"):
        train(plan, (X, Y), epochs=1)
