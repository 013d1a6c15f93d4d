"""Numbers of a trained plan on a split: accuracy of the network, and the local losses of its modules."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from infotorch.numerics.seeds import SeedStreams
from infotorch.objectives.base import LocalBatch
from infotorch.training.plan import LocalModule, Plan, evaluating

#: Rows a forward pass: large enough to be fast, and the n of every bound that is evaluated on held-out rows.
EVALUATION_BATCH = 1000


def accuracy(scores: Callable[[Tensor], Tensor], x: Tensor, y: Tensor) -> float:
    """Fraction of the labelled rows whose highest score is their class; NaN when no row has a label.

    Args:
        scores: rows -> class scores (b, classes).
        x: inputs, (n, ...).
        y: classes, (n,), -1 for unlabelled rows.

    Example:
        >>> accuracy(lambda rows: rows, torch.eye(3), torch.tensor([0, 1, 0]))
        0.666...
    """
    right = 0
    with torch.no_grad():
        for start in range(0, len(x), EVALUATION_BATCH):
            rows = slice(start, start + EVALUATION_BATCH)
            right += int(((scores(x[rows]).argmax(dim=1) == y[rows]) & (y[rows] >= 0)).sum())
    known = int((y >= 0).sum())
    return right / known if known else float("nan")


def plan_scores(plan: Plan) -> Callable[[Tensor], Tensor]:
    """The whole network as a function from inputs to the last module's output."""
    return lambda x: plan.outputs(x)[-1]


def evaluate_network(plan: Plan, x: Tensor, y: Tensor) -> float:
    """Accuracy of the whole network in evaluation mode."""
    with evaluating(plan):
        return accuracy(plan_scores(plan), x, y)


def evaluate_modules(plan: Plan, x: Tensor, y: Tensor | None, numbers: list[int]) -> dict[str, dict[str, float]]:
    """Local loss, its terms and the accuracy of its read-out on held-out rows, for some modules of a plan.

    Bounds that depend on the batch are evaluated on batches of 1000 rows and averaged by rows.

    Args:
        plan: a prepared plan.
        x: inputs, (n, ...).
        y: targets, (n, ...), or None.
        numbers: which modules.

    Returns:
        Module name -> {"loss", its terms, "accuracy" where the objective reads class scores}.
    """
    sums: dict[str, dict[str, float]] = {plan[number].name: {} for number in numbers}
    with torch.no_grad(), evaluating(plan):
        for start in range(0, len(x), EVALUATION_BATCH):
            rows = slice(start, start + EVALUATION_BATCH)
            outputs = plan.outputs(x[rows], stop=max(numbers) + 1)
            for number in numbers:
                module_input = outputs[number - 1] if number else x[rows]
                batch = LocalBatch(
                    x[rows],
                    module_input,
                    outputs[number],
                    None if y is None else y[rows],
                    SeedStreams(0),
                    (start, number),
                )
                for name, value in _local_numbers(plan[number], batch).items():
                    sums[plan[number].name][name] = sums[plan[number].name].get(name, 0.0) + value * len(
                        outputs[number]
                    )
    return {module: {name: total / len(x) for name, total in values.items()} for module, values in sums.items()}


def _local_numbers(module: LocalModule, batch: LocalBatch) -> dict[str, float]:
    assert module.objective is not None
    loss = module.objective(batch)
    numbers = {"loss": loss.total.item(), **{name: term.item() for name, term in loss.terms.items()}}
    scores = module.objective.scores(batch.output)
    if scores is not None and batch.y is not None:
        numbers["accuracy"] = float((scores.argmax(dim=1) == batch.y).float().mean())
    return numbers
