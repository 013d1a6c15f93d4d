"""Mean absolute errors of real targets, in the targets' own unit: of a plan, and of what needs no training."""

from __future__ import annotations

import torch
from torch import Tensor

from infotorch.data.sets import Dataset, Scaling, Split
from infotorch.training.evaluate import evaluating_repeatably, evaluation_batch, parts_of, plan_scores
from infotorch.training.plan import Plan


def mean_absolute_error(predicted: Tensor, y: Tensor, scaling: Scaling | None) -> float:
    """Mean over samples and targets of |predicted - y|, in the unit that the targets had before `scaling`.

    Args:
        predicted: (n, targets), standardised where y is.
        y: (n, targets).
        scaling: the standardisation that y has had, or None.

    Raises:
        ValueError: different shapes.

    Example:
        >>> celsius = Scaling(torch.tensor([20.0]), torch.tensor([5.0]))
        >>> mean_absolute_error(torch.zeros(2, 1), torch.ones(2, 1), celsius)
        5.0
    """
    if predicted.shape != y.shape:
        raise ValueError(
            f"mean_absolute_error: predicted and y must have one shape, got {tuple(predicted.shape)} and "
            f"{tuple(y.shape)}."
        )
    # A difference of standardised values: the mean cancels.
    unit = 1.0 if scaling is None else scaling.std.to(y.device, torch.float64)
    return float(((predicted.double() - y.double()).abs() * unit).mean())


def plan_error(plan: Plan, split: Split, scaling: Scaling | None) -> float:
    """The mean absolute error of a plan's output, in evaluation mode.

    Args:
        plan: its output has an entry for each target.
        split: inputs, and real targets of shape (n, targets).
        scaling: the standardisation that the targets have had, or None.

    Example:
        >>> from torch import nn
        >>> plan = Plan.end_to_end(nn.Linear(2, 1), "Y:squared-error", optimizer=torch.optim.SGD)
        >>> x = torch.zeros(3, 2)
        >>> round(plan_error(plan, Split(x, plan.outputs(x)[-1].detach() - 0.5), None), 6)
        0.5
    """
    scores = plan_scores(plan)
    with torch.no_grad(), evaluating_repeatably(plan):
        found = torch.cat([scores(part) for part, _ in parts_of(split.x, evaluation_batch(plan))])
    return mean_absolute_error(found.reshape(split.y.shape), split.y, scaling)


def reference_errors(dataset: Dataset) -> dict[str, float]:
    """Test errors of what needs no network, under the names of metrics.

    Returns:
        `least_squares_mae`: the linear map, with a constant, of least squares on the training samples.
        `raw_forecast_mae`: where each target has a forecast among the features, that forecast as it is.

    Example:
        >>> x = torch.tensor([[1.0], [2.0], [4.0]])
        >>> split = Split(x, 2 * x + 1)
        >>> names = {"feature_names": ("told",), "target_names": ("warm",), "target_forecasts": ("told",)}
        >>> toy = Dataset("toy", "regression", split, split, split, num_classes=None, **names)
        >>> {name: round(error, 6) for name, error in reference_errors(toy).items()}
        {'least_squares_mae': 0.0, 'raw_forecast_mae': 3.333333}
    """
    errors = {"least_squares_mae": _least_squares_error(dataset)}
    if dataset.target_forecasts:
        columns = [dataset.feature_names.index(name) for name in dataset.target_forecasts]
        x, y = dataset.test.x, dataset.test.y
        x = x if dataset.input_scaling is None else dataset.input_scaling.invert(x)
        y = y if dataset.target_scaling is None else dataset.target_scaling.invert(y)
        errors["raw_forecast_mae"] = mean_absolute_error(x[:, columns], y, None)
    return errors


def _least_squares_error(dataset: Dataset) -> float:
    def with_constant(x: Tensor) -> Tensor:
        columns = x.flatten(1).double().cpu()
        return torch.cat([columns, torch.ones(len(columns), 1, dtype=torch.float64)], dim=1)

    # gelsd: also where columns depend on each other, or samples are few
    y = dataset.train.y.double().cpu()
    weights = torch.linalg.lstsq(with_constant(dataset.train.x), y, driver="gelsd").solution
    test = dataset.test
    return mean_absolute_error(with_constant(test.x) @ weights, test.y.cpu(), dataset.target_scaling)
