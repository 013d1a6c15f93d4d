import pytest
import torch
from torch import nn

from infotorch.estimators.adam import adam


def _trained(optimizer_of, dtype, unused_every):
    network = nn.Sequential(nn.Linear(5, 37), nn.ReLU(), nn.Linear(37, 3)).to(dtype)
    x = torch.randn(20, 5, generator=torch.Generator().manual_seed(1), dtype=dtype)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_(torch.linspace(-1, 1, parameter.numel(), dtype=dtype).view_as(parameter))
    parameters = list(network.parameters())
    optimizer = optimizer_of(parameters)
    for step in range(12):
        for parameter in parameters:
            parameter.grad = None
        network(x).square().mean().backward()
        if step % unused_every == 0:
            parameters[1].grad = None
        optimizer.step()
    return parameters


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("unused_every", [100, 3])
def test_steps_are_those_of_torch_to_the_bit_also_where_a_parameter_has_no_gradient_at_times(dtype, unused_every):
    ours = _trained(lambda p: adam(p, lr=0.01), dtype, unused_every)
    theirs = _trained(lambda p: torch.optim.Adam(p, lr=0.01, fused=True), dtype, unused_every)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


def test_without_any_gradient_nothing_moves():
    weight = nn.Parameter(torch.ones(3))
    adam([weight], lr=0.1).step()
    assert weight.tolist() == [1.0, 1.0, 1.0]


def test_parameters_of_two_types_are_left_to_torch():
    single, double = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2, dtype=torch.float64))
    optimizer = adam([single, double], lr=0.1)
    (single.sum() + double.sum()).backward()
    optimizer.step()
    assert isinstance(optimizer, torch.optim.Adam)
    # A gradient of 1 moves by lr / (1 + eps).
    assert single.tolist() == pytest.approx([0.9, 0.9])
    assert double.tolist() == pytest.approx([0.9, 0.9])
