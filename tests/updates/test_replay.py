"""Layers that run again, and what they may not count twice."""

import pytest
import torch
from torch import nn

from infotorch.networks.noise import GaussianNoise
from infotorch.networks.quantiser import Quantiser
from infotorch.updates.replay import Replay, keeping_statistics


@pytest.mark.parametrize(
    "layer",
    [lambda: nn.BatchNorm1d(4), lambda: GaussianNoise(0.5, scale="relative"), lambda: Quantiser(3)],
    ids=["batch norm", "noise in units of its layer", "cells that follow their layer"],
)
def test_a_second_pass_leaves_running_statistics_and_the_first_passs_graph_alone(layer):
    generator = torch.Generator().manual_seed(0)
    once, again = layer(), layer()
    first = torch.randn(20, 4, generator=generator, requires_grad=True)
    second = 5 * torch.randn(20, 4, generator=generator) + 1
    for used in (once, again):
        torch.manual_seed(1)
        output = used(first)
        if used is again:
            with keeping_statistics([used, nn.Sequential(used)]):
                used(second)
        output.square().sum().backward()
    assert once.state_dict().keys() == again.state_dict().keys()
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in once.state_dict().items())
    once(second)  # the statistics are there to be moved
    assert any(not torch.equal(value, again.state_dict()[name]) for name, value in once.state_dict().items())


def test_in_evaluation_nothing_is_copied():
    norm = nn.BatchNorm1d(4).eval()
    running = norm.running_mean
    with keeping_statistics([norm]):
        assert norm.running_mean is running


def test_a_replay_draws_what_was_drawn_and_the_run_goes_on_as_without_it():
    layers = nn.Sequential(nn.Dropout(0.5), GaussianNoise(1.0))
    torch.manual_seed(3)
    replay = Replay([layers], torch.device("cpu"))
    first, later = layers(torch.ones(50)), torch.rand(3)
    torch.manual_seed(3)
    layers(torch.ones(50))
    with replay.again():
        assert torch.equal(layers(torch.ones(50)), first)
    assert torch.equal(torch.rand(3), later)
