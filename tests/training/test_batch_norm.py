import pytest
import torch
from torch import nn

from infotorch.training.batch_norm import update_batch_norm
from infotorch.training.plan import Plan


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2)
    )


def plan_of(model, objectives="frozen,frozen,CE"):
    return Plan.layerwise(model, ("3", "6"), objectives, optimizer=torch.optim.SGD)


X = 3 * torch.randn(64, 3, generator=torch.Generator().manual_seed(1)) + 2


def test_frozen_batch_norms_standardise_their_inputs_and_no_weight_moves():
    model = network()
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    update_batch_norm(plan_of(model), X, batch_size=64)
    model.eval()
    normed = model[1](model[0](X))
    assert torch.allclose(normed.mean(dim=0), torch.zeros(4), atol=1e-5)
    assert torch.allclose(normed.var(dim=0), torch.ones(4), atol=1e-3)
    second = model[4](model[3](torch.relu(normed)))
    assert torch.allclose(second.mean(dim=0), torch.zeros(5), atol=1e-5)
    assert all(torch.equal(parameter, before[name]) for name, parameter in model.named_parameters())


def test_several_passes_average_and_momentum_and_modes_come_back():
    model = network().train()
    update_batch_norm(plan_of(model), X, batch_size=16)
    hidden = model[0](X)
    assert torch.allclose(model[1].running_mean, hidden.mean(dim=0), atol=1e-5)
    within = torch.stack([part.var(dim=0) for part in hidden.split(16)]).mean(dim=0)
    assert torch.allclose(model[1].running_var, within, rtol=1e-4)
    assert model[1].momentum == pytest.approx(0.1)
    assert all(layer.training for layer in model.modules())


@pytest.mark.parametrize("objectives", ["Y,frozen,CE", "Y,Y,CE"])
def test_only_modules_before_the_first_trained_one_are_touched(objectives):
    model = network()
    update_batch_norm(plan_of(model, objectives), X, batch_size=16)
    assert torch.equal(model[1].running_mean, torch.zeros(4))
    assert torch.equal(model[4].running_mean, torch.zeros(5))


def test_a_lone_last_row_joins_the_pass_before_it():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    x = torch.randn(65, 3, generator=torch.Generator().manual_seed(1))
    update_batch_norm(Plan.layerwise(model, ("3",), "frozen,CE", optimizer=torch.optim.SGD), x, batch_size=64)
    assert torch.allclose(model[1].running_mean, model[0](x).mean(dim=0), atol=1e-5)


def test_a_short_last_pass_counts_by_its_rows():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.ReLU(), nn.Linear(4, 2))
    x = torch.randn(80, 3, generator=torch.Generator().manual_seed(1))
    update_batch_norm(Plan.layerwise(model, ("3",), "frozen,CE", optimizer=torch.optim.SGD), x, batch_size=64)
    assert torch.allclose(model[1].running_mean, model[0](x).mean(dim=0), atol=1e-5)
