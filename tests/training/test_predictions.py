"""Measures of predictions, against scikit-learn where it has them."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, mean_squared_error, r2_score
from torch import nn

from infotorch.training.evaluate import plan_metrics
from infotorch.training.plan import Plan
from infotorch.training.predictions import prediction_metrics

RNG = torch.Generator().manual_seed(0)
OUTPUT = torch.randn(40, 3, generator=RNG)


def test_classes_agree_with_scikit_learn_and_missing_ones_do_not_count():
    y = torch.randint(3, (40,), generator=RNG)
    found = prediction_metrics(OUTPUT, y)["accuracy"]
    assert found == pytest.approx(accuracy_score(y, OUTPUT.argmax(dim=1)))
    more = torch.cat([y, torch.tensor([-1, -1])])
    assert prediction_metrics(torch.cat([OUTPUT, OUTPUT[:2]]), more)["accuracy"] == found


def test_labels_agree_with_scikit_learn_and_missing_ones_do_not_count():
    y = torch.randint(-1, 2, (40, 3), generator=RNG)
    known = y >= 0
    wanted = accuracy_score(y[known], (OUTPUT > 0).long()[known])
    assert prediction_metrics(OUTPUT, y) == {"accuracy": pytest.approx(wanted)}


def test_real_targets_agree_with_scikit_learn():
    y = torch.randn(40, 3, generator=RNG).double() * torch.tensor([1.0, 10.0, 0.1]) + 5
    found = prediction_metrics(OUTPUT, y)
    assert found["mse"] == pytest.approx(mean_squared_error(y, OUTPUT))
    assert found["r2"] == pytest.approx(r2_score(y, OUTPUT))
    one = prediction_metrics(OUTPUT[:, :1], y[:, 0])
    assert one["r2"] == pytest.approx(r2_score(y[:, 0], OUTPUT[:, 0]))


def test_missing_real_targets_do_not_count():
    y = torch.randn(40, 1, generator=RNG)
    holed = torch.where(torch.arange(40)[:, None] % 3 == 0, math.nan, y)
    kept = torch.arange(40) % 3 != 0
    assert prediction_metrics(OUTPUT[:, :1], holed) == prediction_metrics(OUTPUT[kept, :1], y[kept])


def test_what_does_not_fit_or_is_not_known_has_no_measure():
    assert prediction_metrics(OUTPUT, torch.full((40,), 3)) == {}
    assert prediction_metrics(OUTPUT, torch.zeros(40, 2)) == {}
    assert prediction_metrics(OUTPUT, torch.full((40, 3), math.nan)) == {}
    assert prediction_metrics(OUTPUT, torch.zeros(40, 3)).keys() == {"mse"}  # a constant has no r2
    assert prediction_metrics(OUTPUT, torch.zeros(40, 3, 1, dtype=torch.int64)) == {}


def test_a_plan_is_measured_in_parts_as_a_whole_and_its_modes_stay():
    x = torch.randn(2500, 4, generator=RNG)
    y = torch.as_tensor(np.asarray(x[:, :2] @ torch.tensor([[1.0], [2.0]])))
    net = nn.Sequential(nn.Linear(4, 1), nn.Dropout(0.5)).train()
    plan = Plan.end_to_end(net, "Y:squared-error", optimizer=torch.optim.SGD)
    found = plan_metrics(plan, x, y)
    with torch.no_grad():
        assert found["r2"] == pytest.approx(r2_score(y, net.eval()(x)), rel=1e-5)
    assert plan_metrics(plan, x, torch.full((2500, 1), math.nan)) == {}
