"""Errors of real targets in their own unit, and what they are held against."""

import pytest
import torch
from torch import nn

from infotorch.data.sets import Dataset, Scaling, Split
from infotorch.training.plan import Plan
from infotorch.training.regression import mean_absolute_error, plan_error, reference_errors

CELSIUS = Scaling(torch.tensor([20.0, 10.0]), torch.tensor([5.0, 2.0]))


def planted(n=40, *, seed=0, noise=0.0):
    """Two targets that are a linear map of three features, which do not depend on one another, plus noise."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, generator=generator)
    y = x @ torch.tensor([[1.0, 0.0], [2.0, -1.0], [0.0, 3.0]]) + torch.tensor([7.0, -4.0])
    return Split(x, y + noise * torch.randn(n, 2, generator=generator))


def dataset(train, test, **more):
    names = {"feature_names": ("sky", "forecast max", "forecast min"), "target_names": ("max", "min")}
    return Dataset("toy", "regression", train, test, test, num_classes=None, **names, **more)


class TestMeanAbsoluteError:
    def test_it_is_in_the_targets_own_unit(self):
        predicted, y = torch.tensor([[0.0, 0.0]]), torch.tensor([[1.0, -3.0]])
        assert mean_absolute_error(predicted, y, None) == 2.0
        assert mean_absolute_error(predicted, y, CELSIUS) == (5.0 + 6.0) / 2

    def test_it_equals_the_way_through_both_inversions(self):
        generator = torch.Generator().manual_seed(1)
        predicted, y = torch.randn(2, 50, 2, generator=generator, dtype=torch.float64)
        there = (CELSIUS.invert(predicted) - CELSIUS.invert(y)).abs().mean().item()
        assert mean_absolute_error(predicted, y, CELSIUS) == pytest.approx(there, rel=1e-12)

    def test_shapes_that_would_broadcast_are_refused(self):
        with pytest.raises(
            ValueError, match=r"mean_absolute_error: predicted and y must have one shape, got \(3,\) and \(3, 1\)"
        ):
            mean_absolute_error(torch.zeros(3), torch.zeros(3, 1), None)


class TestPlanError:
    def test_it_is_the_error_of_the_output_in_evaluation_mode(self):
        split = planted(2100)  # more rows than one forward pass takes
        network = nn.Sequential(nn.Linear(3, 2), nn.Dropout(0.5))
        with torch.no_grad():
            network[0].weight.copy_(torch.tensor([[1.0, 2.0, 0.0], [0.0, -1.0, 3.0]]))
            network[0].bias.copy_(torch.tensor([6.5, -4.0]))
        plan = Plan.end_to_end(network, "Y:squared-error", optimizer=torch.optim.SGD)
        assert plan_error(plan, split, None) == pytest.approx(0.25, abs=1e-6)  # one of two targets is 0.5 too low
        assert plan_error(plan, split, CELSIUS) == pytest.approx(1.25, abs=1e-5)
        assert network.training

    def test_one_target_may_come_without_its_axis(self):
        network = nn.Sequential(nn.Linear(3, 1), nn.Flatten(0))
        plan = Plan.end_to_end(network, "Y:squared-error", optimizer=torch.optim.SGD)
        split = Split(torch.zeros(4, 3), network[0].bias.detach().expand(4, 1) + 2.0)
        assert plan_error(plan, split, None) == pytest.approx(2.0)


class TestReferences:
    def test_least_squares_finds_a_planted_map_exactly(self):
        errors = reference_errors(dataset(planted(40), planted(30, seed=1)))
        assert list(errors) == ["least_squares_mae"]
        assert errors["least_squares_mae"] == pytest.approx(0.0, abs=1e-5)

    def test_least_squares_against_scikit_learn(self):
        linear_model = pytest.importorskip("sklearn.linear_model")
        train, test = planted(60, noise=2.0), planted(50, seed=1, noise=2.0)
        there = linear_model.LinearRegression().fit(train.x.numpy(), train.y.numpy()).predict(test.x.numpy())
        expected = ((torch.from_numpy(there) - test.y).abs() * torch.tensor([5.0, 2.0])).mean().item()
        found = reference_errors(dataset(train, test, target_scaling=CELSIUS))["least_squares_mae"]
        assert found == pytest.approx(expected, rel=1e-5)

    def test_a_constant_column_does_no_harm(self):
        train, test = planted(40), planted(30, seed=1)
        doubled = [Split(torch.cat([part.x, torch.zeros(len(part), 1)], dim=1), part.y) for part in (train, test)]
        assert reference_errors(dataset(*doubled))["least_squares_mae"] == pytest.approx(0.0, abs=1e-5)

    def test_the_raw_forecast_is_read_in_its_own_unit(self):
        degrees = Split(
            torch.tensor([[0.0, 30.0, 20.0], [9.0, 28.0, 21.0]]), torch.tensor([[31.0, 20.0], [28.0, 18.0]])
        )
        inputs = Scaling(torch.tensor([1.0, 25.0, 20.0]), torch.tensor([3.0, 4.0, 2.0]))
        scaled = Split(inputs.apply(degrees.x), CELSIUS.apply(degrees.y))
        named = {"target_forecasts": ("forecast max", "forecast min")}
        for test, scalings in ((degrees, {}), (scaled, {"input_scaling": inputs, "target_scaling": CELSIUS})):
            errors = reference_errors(dataset(planted(40), test, **named, **scalings))
            assert errors["raw_forecast_mae"] == pytest.approx((1 + 0 + 0 + 3) / 4, abs=1e-5)
