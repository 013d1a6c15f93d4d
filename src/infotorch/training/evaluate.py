"""Numbers of a trained plan on a split: accuracy of the model, and the local losses of its modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from infotorch.data.graph_checks import is_graph
from infotorch.data.graphs import NodeSamples, structure_of
from infotorch.data.loaders import LoaderBatches
from infotorch.data.targets import kind_of_targets, labelled_samples
from infotorch.numerics.seeds import SeedStreams
from infotorch.numerics.threads import threads_for
from infotorch.objectives.base import LocalBatch, Loss
from infotorch.training.inputs import local_batch
from infotorch.training.local_module import LocalModule
from infotorch.training.plan import Plan, evaluating
from infotorch.training.predictions import fits_targets, prediction_metrics
from infotorch.updates.replay import looking

if TYPE_CHECKING:
    from infotorch.data.typing import Samples

#: Samples a forward pass: large enough to be fast, and the n of every bound that is evaluated on held-out samples.
EVALUATION_BATCH = 1000


@contextmanager
def evaluating_repeatably(plan: Plan) -> Iterator[None]:
    """Evaluation mode, in which layers that draw noise draw the same every time; the run's own draws go on after it.

    What layers remember of their calls, such as how many there were, is afterwards what it was.
    """
    parameters = (parameter for module in plan for parameter in module.body.parameters())
    device = next((parameter.device for parameter in parameters), torch.device("cpu"))
    bodies = [module.body for module in plan]
    draws = SeedStreams(0).as_global("evaluation", device=device)
    with evaluating(plan), looking(bodies), draws, threads_for(plan.operations):
        yield


def _chunks(count: int) -> list[slice]:
    """Slices of at most 1000 samples; a lone last sample joins the slice before it, as some bounds need two samples."""
    starts = [start for start in range(0, count, EVALUATION_BATCH) if start == 0 or start < count - 1]
    return [slice(start, stop) for start, stop in pairwise([*starts, count])]


def parts_of(x: Samples) -> Iterator[tuple[Any, slice]]:
    """Inputs of a forward pass each, and their samples: at most 1000 of tensors or graphs, all nodes of one graph."""
    if isinstance(x, NodeSamples):
        yield x.graph, slice(0, len(x))
    else:
        yield from ((x[rows], rows) for rows in _chunks(len(x)))


def accuracy(scores: Callable[[Any], Tensor], x: Samples | LoaderBatches, y: Tensor) -> float:
    """Fraction of the labelled samples whose highest score is their class; NaN when no sample has a label.

    Args:
        scores: samples -> class scores (b, classes); where classes are of graphs and there is a row for each node,
            their mean over each graph's nodes counts.
        x: inputs, (n, ...), `GraphSamples` or `NodeSamples`; or the batches of a loader, which hold their own classes.
        y: classes, (n,), -1 for unlabelled samples.

    Example:
        >>> accuracy(lambda rows: rows, torch.eye(3), torch.tensor([0, 1, 0]))
        0.666...
    """
    right = known = 0
    with torch.no_grad():
        for part, classes in _targets_of(x, y):
            found = _by_target(scores(part), part, classes)
            right += int(((found.argmax(dim=1) == classes) & (classes >= 0)).sum())
            known += int((classes >= 0).sum())
    return right / known if known else float("nan")


def _by_target(output: Tensor, part: Any, y: Tensor) -> Tensor:
    """An output with a row for each target: of graphs that have one, the mean over their nodes."""
    return structure_of(part).mean(output) if is_graph(part) and len(output) != len(y) else output


def _targets_of(x: Samples | LoaderBatches, y: Tensor) -> Iterator[tuple[Any, Tensor]]:
    """Inputs of a forward pass each, and their targets; a loader, whose order may change, gives its own."""
    if isinstance(x, LoaderBatches):
        yield from ((batch.x, batch.y) for batch in x.look() if batch.y is not None)
    else:
        yield from ((part, y[rows]) for part, rows in parts_of(x))


def plan_scores(plan: Plan) -> Callable[[Any], Tensor]:
    """The whole network as a function from inputs to the last module's output."""
    return lambda x: plan.outputs(x)[-1]


def plan_accuracy(plan: Plan, x: Samples | LoaderBatches, y: Tensor) -> float:
    """Accuracy of the whole model in evaluation mode: a fraction of one, NaN where no sample has a label.

    Args:
        plan: its last module's output is class scores.
        x: inputs, (n, ...), `GraphSamples` or `NodeSamples`; or the batches of a loader, which hold their own classes.
        y: classes, (n,), -1 for unlabelled samples.

    Example:
        >>> from torch import nn
        >>> plan = Plan.end_to_end(nn.Linear(2, 2), optimizer=torch.optim.SGD)
        >>> 0 <= plan_accuracy(plan, torch.eye(2), torch.tensor([0, 1])) <= 1
        True
    """
    with evaluating_repeatably(plan):
        return accuracy(plan_scores(plan), x, y)


def plan_metrics(plan: Plan, x: Samples | LoaderBatches, y: Tensor) -> dict[str, float]:
    """How well the whole model predicts y, in evaluation mode, by what y is.

    Args:
        plan: its last module's output is the prediction.
        x: inputs, (n, ...), `GraphSamples` or `NodeSamples`; or the batches of a loader, which hold their own targets.
        y: targets; missing ones (-1, or NaN among real numbers) do not count.

    Returns:
        Of classes {"accuracy"}; of several labels {"accuracy"}, the share of labels that are on the right side of a
        score of 0; of real targets {"mse", "r2"}. Empty where the output does not have the shape that this needs, or
        no target is known.

    Example:
        >>> from torch import nn
        >>> plan = Plan.end_to_end(nn.Identity(), optimizer=torch.optim.SGD)
        >>> plan_metrics(plan, torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([1.0, 2.0, 2.0]))
        {'mse': 0.333..., 'r2': -0.5}
    """
    if kind_of_targets(y) is None or not labelled_samples(y).any():
        return {}
    with torch.no_grad(), evaluating_repeatably(plan):
        part, of_part = next(_targets_of(x, y))
        fits = fits_targets(_by_target(plan_scores(plan)(part), part, of_part), y)
    if not fits:
        return {}
    if kind_of_targets(y) == "classes":
        return {"accuracy": plan_accuracy(plan, x, y)}
    outputs: list[Tensor] = []
    ys: list[Tensor] = []
    with torch.no_grad(), evaluating_repeatably(plan):
        for part, of_part in _targets_of(x, y):
            outputs.append(_by_target(plan_scores(plan)(part), part, of_part))
            ys.append(of_part)
    return prediction_metrics(torch.cat(outputs), torch.cat(ys))


def evaluate_modules(plan: Plan, x: Samples, y: Tensor | None, numbers: list[int]) -> dict[str, dict[str, float]]:
    """Local loss, its terms and the accuracy of its read-out on held-out samples, for some modules of a plan.

    Bounds that depend on the batch are evaluated on batches of 1000 samples and averaged by samples; accuracy counts
    labelled samples only.

    Args:
        plan: a prepared plan.
        x: inputs, (n, ...), `GraphSamples` or `NodeSamples`.
        y: targets, (n, ...), or None.
        numbers: which modules.

    Raises:
        ValueError: a class that no training sample had, where an objective has a score for each of those.

    Returns:
        Module name -> {"loss", its terms, "accuracy" where the objective reads class scores}.
    """
    y = y if y is None or y.is_floating_point() else y.long()
    sums: dict[str, dict[str, list[tuple[float, int]]]] = {plan[number].name: {} for number in numbers}
    with torch.no_grad(), evaluating_repeatably(plan):
        for part, rows in parts_of(x):
            outputs = plan.outputs(part, stop=max(numbers) + 1)
            for number in numbers:
                module_input = outputs[number - 1] if number else part
                batch = local_batch(
                    part,
                    module_input,
                    outputs[number],
                    None if y is None else y[rows],
                    SeedStreams(0),
                    (rows.start, number),
                    plan.encoder(number),
                )
                for name, value, weight in _local_numbers(plan[number], batch):
                    sums[plan[number].name].setdefault(name, []).append((value, weight))
    return {
        module: {name: sum(v * w for v, w in pairs) / sum(w for _, w in pairs) for name, pairs in values.items()}
        for module, values in sums.items()
    }


def _unseen_class(module: LocalModule, batch: LocalBatch) -> int | None:
    """The highest class, where no training sample had it and the objective reads classes."""
    assert module.objective is not None
    if not module.objective.needs_labels or module.num_classes is None or batch.y is None:
        return None
    highest = int(batch.y.max())
    return highest if highest >= module.num_classes else None


def _local_loss(module: LocalModule, batch: LocalBatch) -> Loss:
    """The loss; refused where a class has no score, as training has never seen it."""
    assert module.objective is not None
    unseen = _unseen_class(module, batch)
    if unseen is None:
        return module.objective(batch)
    refusal = (
        f"evaluate_modules: y holds class {unseen}, and module {module.name!r} was trained on classes 0 to "
        f"{(module.num_classes or 0) - 1}; train on samples of each class, or leave these out."
    )
    scores = module.objective.scores(batch.output)
    if scores is not None and scores.shape[1] <= unseen:
        raise ValueError(refusal)
    try:
        return module.objective(batch)
    except (RuntimeError, IndexError, ValueError) as error:
        raise ValueError(refusal) from error


def _local_numbers(module: LocalModule, batch: LocalBatch) -> Iterator[tuple[str, float, int]]:
    """(name, value, number of samples that it is a mean over); what needs labels is left out where there is none."""
    assert module.objective is not None
    loss, rows = _local_loss(module, batch), len(batch.output)
    yield "loss", loss.total.item(), rows
    for name, term in loss.terms.items():
        yield name, term.item(), rows
    batch = batch.paired(with_labels=True)
    scores = module.objective.scores(batch.output)
    if scores is not None and batch.y is not None and (known := batch.y >= 0).any():
        yield "accuracy", float((scores.argmax(dim=1) == batch.y)[known].float().mean()), int(known.sum())
