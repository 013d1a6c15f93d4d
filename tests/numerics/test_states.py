"""A state with a right checksum and a wrong content is told by its place, before torch computes with it."""

import copy

import pytest
import torch

from infotorch.numerics.states import check_optimizer_state

OPTIMISERS = {
    "adam": lambda weights: torch.optim.Adam(weights),
    "amsgrad": lambda weights: torch.optim.Adam(weights, amsgrad=True),
    "sgd": lambda weights: torch.optim.SGD(weights, lr=0.1),
    "momentum": lambda weights: torch.optim.SGD(weights, lr=0.1, momentum=0.9),
    "rprop": lambda weights: torch.optim.Rprop(weights),
    "asgd": lambda weights: torch.optim.ASGD(weights),
    "adafactor": lambda weights: torch.optim.Adafactor(weights),
    "rmsprop": lambda weights: torch.optim.RMSprop(weights, momentum=0.5, centered=True),
}


def stepped(name):
    """After two steps of three parameters, one of which had no gradient."""
    weights = [torch.nn.Parameter(torch.randn(shape)) for shape in ((2, 3), (2,), (4,))]
    optimizer = OPTIMISERS[name](weights)
    for _ in range(2):
        for weight in weights[:2]:
            weight.grad = torch.ones_like(weight)
        optimizer.step()
    return optimizer


@pytest.mark.parametrize("name", OPTIMISERS)
def test_an_optimisers_own_state_is_taken(name):
    optimizer = stepped(name)
    check_optimizer_state(optimizer.state_dict(), optimizer, where="optimizer")


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("value", [2**63, [None], {"value": "x"}, "x", 1.5])
def test_a_moment_that_is_no_tensor_is_told_by_its_place(number, value):
    optimizer = stepped("adam")
    state = copy.deepcopy(optimizer.state_dict())
    state["state"][number]["exp_avg_sq"] = value
    with pytest.raises(
        ValueError, match=r"^optimizer\.state\[[01]\]\.exp_avg_sq must be of the other parameters' kind"
    ):
        check_optimizer_state(state, optimizer, where="optimizer")
