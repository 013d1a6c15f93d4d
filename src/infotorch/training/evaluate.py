"""Numbers of a trained plan on a split: accuracy of the model, and the local losses of its modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import pairwise
from numbers import Integral
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from infotorch.data.graph_checks import is_graph
from infotorch.data.graphs import GraphSamples, NodeSamples, structure_of
from infotorch.data.loaders import LoaderBatches
from infotorch.data.targets import kind_of_targets, known_targets, labelled_samples
from infotorch.numerics.checks import as_tensor
from infotorch.numerics.kinds import check_kind, check_several
from infotorch.numerics.named_tensors import NamedTensors
from infotorch.numerics.seeds import SeedStreams
from infotorch.numerics.threads import threads_for
from infotorch.objectives.base import LocalBatch, Loss
from infotorch.training.inputs import local_batch
from infotorch.training.local_module import LocalModule
from infotorch.training.plan import Plan, evaluating
from infotorch.training.predictions import fits_targets, prediction_metrics
from infotorch.training.reading import inputs_for
from infotorch.updates.replay import looking

if TYPE_CHECKING:
    from infotorch.data.typing import Samples

#: Samples a forward pass: large enough to be fast, and the n of every bound that is evaluated on held-out samples.
EVALUATION_BATCH = 1000
#: Bytes of the largest tensor of a forward pass. An image of 32 x 32 pixels has room in it for 256 channels a location,
#: a thousand times; large images and long texts do not, and what trains in small batches is to be evaluated too.
_LARGEST = 2**30


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


def evaluation_batch(plan: Plan) -> int:
    """Samples of a forward pass: 1000, or as many as keep its largest tensor, as `prepare` saw it, within a GiB.

    Example:
        >>> from torch import nn
        >>> evaluation_batch(Plan.end_to_end(nn.Linear(2, 2), optimizer=torch.optim.SGD))
        1000
    """
    return min(EVALUATION_BATCH, max(2, _LARGEST // max(1, plan.sample_bytes)))


def _chunks(count: int, most: int) -> list[slice]:
    """Slices of so many samples; a lone last sample joins the slice before it, as some bounds need two samples."""
    starts = [start for start in range(0, count, most) if start == 0 or start < count - 1]
    return [slice(start, stop) for start, stop in pairwise([*starts, count])]


def parts_of(x: Samples, most: int = EVALUATION_BATCH) -> Iterator[tuple[Any, slice]]:
    """Inputs of a forward pass each, and their samples: so many of tensors or graphs, all nodes of one graph."""
    if isinstance(x, NodeSamples):
        yield x.graph, slice(0, len(x))
    else:
        yield from ((x[rows], rows) for rows in _chunks(len(x), most))


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
    return share_of(right_samples(scores, x, y))


def right_samples(
    scores: Callable[[Any], Tensor], x: Samples | LoaderBatches, y: Tensor, most: int = EVALUATION_BATCH
) -> Tensor:
    """Whether the highest score of each labelled sample is its class; arguments as of `accuracy`.

    Args:
        scores: see `accuracy`.
        x: see `accuracy`.
        y: see `accuracy`.
        most: samples of a forward pass.

    Returns:
        (n,) of booleans, of the samples that have a label, in their order.

    Example:
        >>> right_samples(lambda rows: rows, torch.eye(3), torch.tensor([0, -1, 0]))
        tensor([ True, False])
    """
    found = [torch.zeros(0, dtype=torch.bool, device="cpu")]
    with torch.no_grad():
        for part, classes in _targets_of(x, y, most):
            highest = _by_target(scores(part), part, classes).argmax(dim=1)
            found.append((highest == classes)[classes >= 0].cpu())
    return torch.cat(found)


def share_of(right: Tensor) -> float:
    """The share of samples that are right, NaN of none.

    Example:
        >>> share_of(torch.tensor([True, False]))
        0.5
    """
    return int(right.sum()) / len(right) if len(right) else float("nan")


def _by_target(output: Tensor, part: Any, y: Tensor) -> Tensor:
    """An output with a row for each target: of graphs that have one, the mean over their nodes."""
    return structure_of(part).mean(output) if is_graph(part) and len(output) != len(y) else output


def _targets_of(x: Samples | LoaderBatches, y: Tensor, most: int) -> Iterator[tuple[Any, Tensor]]:
    """Inputs of a forward pass each, and their targets; a loader, whose order may change, gives its own."""
    if isinstance(x, LoaderBatches):
        yield from ((batch.x, batch.y) for batch in x.look() if batch.y is not None)
    else:
        yield from ((part, y[rows]) for part, rows in parts_of(x, most))


def plan_scores(plan: Plan) -> Callable[[Any], Tensor]:
    """The whole network as a function from inputs to the last module's output."""
    return lambda x: plan.outputs(x)[-1]


def plan_accuracy(plan: Plan, x: Samples | LoaderBatches, y: Tensor) -> float:
    """Accuracy of the whole model in evaluation mode: a fraction of one, NaN where no sample has a label.

    Args:
        plan: its last module's output is class scores.
        x: inputs, (n, ...), several of them as in `fit`, `GraphSamples` or `NodeSamples`; or the batches of a loader,
            which hold their own classes.
        y: classes, (n,), -1 for unlabelled samples.

    Example:
        >>> from torch import nn
        >>> plan = Plan.end_to_end(nn.Linear(2, 2), optimizer=torch.optim.SGD)
        >>> 0 <= plan_accuracy(plan, torch.eye(2), torch.tensor([0, 1])) <= 1
        True
    """
    return share_of(plan_right_samples(plan, x, y))


def plan_right_samples(plan: Plan, x: Samples | LoaderBatches, y: Tensor) -> Tensor:
    """Whether the whole model, in evaluation mode, has each labelled sample right; see `right_samples`."""
    x = _as_in_fit(plan, x, where="plan_accuracy") if isinstance(x, Mapping | tuple) else x
    with evaluating_repeatably(plan):
        return right_samples(plan_scores(plan), x, y, evaluation_batch(plan))


def plan_metrics(plan: Plan, x: Samples | LoaderBatches, y: Tensor) -> dict[str, float]:
    """How well the whole model predicts y, in evaluation mode, by what y is.

    Args:
        plan: its last module's output is the prediction.
        x: inputs, (n, ...), several of them as in `fit`, `GraphSamples` or `NodeSamples`; or the batches of a loader,
            which hold their own targets.
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
    x = _as_in_fit(plan, x, where="plan_metrics") if isinstance(x, Mapping | tuple) else x
    with torch.no_grad(), evaluating_repeatably(plan):
        part, of_part = next(_targets_of(x, y, evaluation_batch(plan)))
        fits = fits_targets(_by_target(plan_scores(plan)(part), part, of_part), y)
    if not fits:
        return {}
    if kind_of_targets(y) == "classes":
        return {"accuracy": plan_accuracy(plan, x, y)}
    outputs: list[Tensor] = []
    ys: list[Tensor] = []
    with torch.no_grad(), evaluating_repeatably(plan):
        for part, of_part in _targets_of(x, y, evaluation_batch(plan)):
            outputs.append(_by_target(plan_scores(plan)(part), part, of_part))
            ys.append(of_part)
    return prediction_metrics(torch.cat(outputs), torch.cat(ys))


def first_output(plan: Plan, x: Samples | LoaderBatches) -> Tensor:
    """The network's output for the first sample, or for all nodes of a graph, in evaluation mode."""
    with torch.no_grad(), evaluating_repeatably(plan):
        one = x.graph if isinstance(x, NodeSamples) else x.example if isinstance(x, LoaderBatches) else x[:1]
        return plan.outputs(one)[-1]


def evaluate_modules(
    plan: Plan, x: Samples | LoaderBatches, y: Tensor | None, numbers: Sequence[int] | None = None
) -> dict[str, dict[str, float]]:
    """Local loss, its terms and the accuracy of its read-out on held-out samples, for the modules of a plan.

    Bounds that depend on the batch are evaluated on batches of 1000 samples, or of fewer where the largest tensor of a
    forward pass would exceed a GiB, and averaged by samples; accuracy counts labelled samples only. Evaluating changes
    nothing that training reads.

    Args:
        plan: a prepared plan, such as that of a `FitResult`.
        x: inputs, (n, ...), or several of them, as in `fit`; `GraphSamples` or `NodeSamples`; or the batches of a
            loader, which hold their own targets.
        y: targets, (n, ...), or None.
        numbers: which modules; None: all that have an objective.

    Raises:
        TypeError: plan or numbers is of another kind.
        IndexError: the plan has no module of a number.
        ValueError: a plan that is not prepared, rows that do not pair, or a class that no training sample had, where
            an objective has a score for each of those.

    Returns:
        Module name -> {"loss", its terms (nats where the name says so), and where the objective predicts y
        "accuracy", a fraction of one, or "mse" of real targets}. Where a term is H(Y) minus a cross-entropy, H(Y) is
        that of the training labels: "mi_ty_nats" bounds I(Y; T) only where y is distributed as they are.

    Example:
        >>> import infotorch
        >>> data = infotorch.load("digits")
        >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 32), torch.nn.Linear(32, 10))
        >>> plan = infotorch.fit(model, data, plan="Y,CE", epochs=1).plan
        >>> held_out = evaluate_modules(plan, data.validation.x, data.validation.y)
        >>> {module: list(numbers) for module, numbers in held_out.items()}
        {'1': ['loss', 'mi_ty_nats', 'accuracy'], '2': ['loss', 'cross_entropy_nats', 'accuracy']}
    """
    numbers = _checked_numbers(plan, numbers)
    x, y = _checked_samples(plan, x, y)
    sums: dict[str, dict[str, list[tuple[float, int]]]] = {plan[number].name: {} for number in numbers}
    with torch.no_grad(), evaluating_repeatably(plan):
        for part, targets, start in _numbered_parts(x, y, evaluation_batch(plan)):
            outputs = plan.outputs(part, stop=max(numbers) + 1)
            for number in numbers:
                module_input = outputs[number - 1] if number else part
                batch = local_batch(
                    part,
                    module_input,
                    outputs[number],
                    targets,
                    SeedStreams(0),
                    (start, number),
                    plan.encoder(number),
                )
                for name, value, weight in _local_numbers(plan[number], batch):
                    sums[plan[number].name].setdefault(name, []).append((value, weight))
    return {
        module: {name: sum(v * w for v, w in pairs) / sum(w for _, w in pairs) for name, pairs in values.items()}
        for module, values in sums.items()
    }


def _checked_numbers(plan: object, numbers: Sequence[int] | None) -> list[int]:
    where = "evaluate_modules"
    check_kind(plan, Plan, where=where, name="plan", said="a Plan")
    assert isinstance(plan, Plan)
    if numbers is None:
        numbers = [number for number, module in enumerate(plan) if module.objective is not None]
    check_several(numbers, Integral, where=where, name="numbers", said="integers", at_least=1)
    if plan.operations is None:
        raise ValueError(f"{where}: the plan must be prepared or trained, as its read-outs are not built before.")
    return [plan.modules.index(plan[int(number)]) for number in numbers]


def _as_in_fit(plan: Plan, x: Any, *, where: str) -> Samples | LoaderBatches:
    """Inputs as `fit` reads them; what is read already, as it is."""
    if isinstance(x, LoaderBatches | GraphSamples | NodeSamples):
        return x
    return inputs_for(nn.ModuleList(module.body for module in plan), x, where=where)


def _checked_samples(plan: Plan, x: Any, y: Any) -> tuple[Samples | LoaderBatches, Tensor | None]:
    where = "evaluate_modules"
    x = _as_in_fit(plan, x, where=where)
    y = None if y is None else as_tensor(y, where=where, name="y")
    if y is not None and isinstance(x, Tensor | NamedTensors):
        y = y.to(x.device)
    if (isinstance(x, Tensor) and x.ndim == 0) or (y is not None and y.ndim == 0):
        raise ValueError(f"{where}: x and y must have rows of samples, got a single number.")
    if not isinstance(x, LoaderBatches):
        if not len(x):
            raise ValueError(f"{where}: x must have one sample or more, got none.")
        if y is not None and len(x) != len(y):
            raise ValueError(f"{where}: x and y must be paired row by row, got {len(x)} and {len(y)} rows.")
    return x, y if y is None or y.is_floating_point() else y.long()


def _numbered_parts(
    x: Samples | LoaderBatches, y: Tensor | None, most: int
) -> Iterator[tuple[Any, Tensor | None, int]]:
    """Inputs of a forward pass each, their targets, and the number of their first sample."""
    if isinstance(x, LoaderBatches):
        start = 0
        for batch in x.look():
            yield batch.x, batch.y, start
            start += 0 if batch.y is None else len(batch.y)
    else:
        yield from ((part, None if y is None else y[rows], rows.start) for part, rows in parts_of(x, most))


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
    if scores is None or batch.y is None:
        return
    known = known_targets(batch.y)
    if kind_of_targets(batch.y) != "classes":
        found = prediction_metrics(scores, batch.y)
        yield from ((name, value, int(known.sum())) for name, value in found.items() if name != "r2")
    elif known.any():
        yield "accuracy", float((scores.argmax(dim=1) == batch.y)[known].float().mean()), int(known.sum())
