"""Train a model of one's own in one call."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from infotorch.data.loaders import LoaderBatches
from infotorch.data.targets import TargetKind, Targets, kind_of_targets
from infotorch.networks.segments import starting_layers
from infotorch.numerics.checks import check_callable, check_count, check_number
from infotorch.numerics.kinds import check_iterable, check_kind, check_names
from infotorch.numerics.seeds import seed_streams
from infotorch.objectives.checks import check_labels, check_weight
from infotorch.objectives.names import FROZEN, OUTPUT_NAMES, ObjectiveLike
from infotorch.records.progress import bar_for_long_work
from infotorch.training.assignment import AUTO, choose_assignment
from infotorch.training.checks import check_makes_optimizers, check_model, check_weights
from infotorch.training.default_plan import default_objectives
from infotorch.training.devices import Precision, move
from infotorch.training.evaluate import first_output, plan_accuracy, plan_metrics
from infotorch.training.fit_result import FitResult
from infotorch.training.history import History
from infotorch.training.inputs import batches_of
from infotorch.training.loop import train
from infotorch.training.plan import Order, Plan
from infotorch.training.position import StepInfo
from infotorch.training.processes import check_processes
from infotorch.training.reading import TrainingData, training_samples
from infotorch.training.validation import HeldOut
from infotorch.updates.gradient import OptimizerFactory, SchedulerFactory

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from infotorch.data.typing import Samples

_RATE = 1e-3
#: What the output of a network is to be, and which scores of fit are of it.
_PREDICTIONS: dict[TargetKind, str] = {
    "classes": "class scores, which train_accuracy is of",
    "multilabel": "a logit for each label, which train_accuracy is of",
    "real": "predictions of y, which train_mse is of",
}


def fit(
    model: nn.Module,
    data: TrainingData,
    *,
    plan: str | Sequence[ObjectiveLike] | Plan | None = None,
    targets: Targets = "auto",
    cuts: Sequence[str] | None = None,
    order: Order = "sequential",
    epochs: int = 5,
    batch_size: int = 128,
    lr: float = _RATE,
    seed: int = 0,
    validation: TrainingData | None = None,
    optimizer: OptimizerFactory | Sequence[OptimizerFactory] | None = None,
    scheduler: SchedulerFactory | None = None,
    device: str | torch.device | None = None,
    precision: Precision | None = None,
    callbacks: Sequence[Callable[[StepInfo], object]] = (),
    progress: bool = True,
) -> FitResult:
    """Train `model` in place, module by module; every layer is left in the mode it was in, without gradients.

    Args:
        model: any module whose forward takes one tensor, several, a torch_geometric data object, or a graph's tensors
            by their usual names (x, edge_index, batch, ...).
        data: (x, y): samples (n, ...) and classes (n,); y is None, or -1 for unlabelled samples. x may be a dict of
            several inputs by the names of forward's arguments, or a tuple of them in its order; or one dict holds these
            and their "labels" ("label", "y"). x may be a
            list of torch_geometric graphs with a class each, or one graph with a class for each node. A graph, or a
            list of graphs, alone brings its own y; where it has a train_mask, the other nodes are unlabelled. A y given
            beside a graph is taken as it is, mask or no mask. A torch `DataLoader` of such pairs, or dicts or graphs
            with their targets (`NeighborLoader` too: the first nodes are the samples), keeps its batches,
            workers, transforms and order: its own generator's, or else decided by seed; it is read once before
            training for all targets, and epochs begin at their start. Of a `Dataset` of torch, batches are drawn by
            seed; a `Split` is the pair that it holds, and a data set of `load` its training part.
        plan: objectives, one for each module: names as in "X,Y,CE", or a list of names, `Objective`s and losses of
            (output, y), such as `nn.CrossEntropyLoss(weight=..., label_smoothing=0.1)`; None for those of
            `default_objectives`, which fit any number of modules; "auto" to try every number of X
            modules before the Y modules, keep the one that is right most often on a tenth of the labelled samples, held
            out, and train it on all samples; or a `Plan` of your own (then cuts, order, lr, optimizer and scheduler are
            the plan's). "frozen" modules stay as they come, batch norm's statistics too (`update_batch_norm` measures
            those of untrained ones).
        targets: what y is. "auto": integers are classes, and labels of 0 and 1 where they have several columns; other
            numbers are real. "classes", "real" or "multilabel" says it, as for class numbers that are stored as floats.
            A missing target is -1, or NaN among real numbers.
        cuts: names of the layers that start the second, third, ... module; None: every child with weights does; ()
            is one module, plain back-propagation.
        order: "sequential" or "simultaneous".
        epochs: epochs of each module (sequential) or of the run (simultaneous).
        batch_size: samples a step; a `DataLoader` has its own.
        lr: rate of Adam; where you give an optimizer, the rate is its own.
        seed: decides batch order, read-outs, noise and dropout. The model's weights are yours, as they come.
        validation: samples of any of these kinds; of a graph with masks the nodes of its `val_mask`. What was trained
            is measured on them after every epoch, for the history; the training is the same, bit for bit, with and
            without them.
        optimizer: makes an optimiser of a list of parameters, for every module or one for each; None: Adam.
        scheduler: makes a schedule of (optimiser, number of steps), such as `CosineAnnealingLR`; it is stepped after
            every step.
        device: "auto", "cpu", "cuda", ...; the model is moved there and stays. None: where the model is.
        precision: "bf16-mixed" (float32 weights, forward passes in bfloat16), "32-true" or "64-true"; None: as the
            model's weights are.
        callbacks: functions that are each handed every `StepInfo`. What they return is not read, and what they raise
            ends the training and is raised by fit. To stop early, write the loop: `for info in train(...)`.
        progress: show a bar on a terminal once the training has taken a second.

    Returns:
        The numbers of each module's epochs, and the plan. A non-finite loss is a result, not an exception.

    Raises:
        TypeError: model, data, plan, lr or another argument is of another kind, x is not numbers, or y has no integer
            classes while an objective needs them.
        ValueError: samples that do not pair, are none or not finite, a plan that does not fit the model, a rate that
            is negative or not finite, a rate beside an optimizer, validation samples that the training samples do not
            prepare for, a device that is not there, several processes that torch.distributed has joined, or, of a
            `DataLoader`, no length or a plan of "auto".

    Example:
        >>> _ = torch.manual_seed(0)
        >>> generator = torch.Generator().manual_seed(0)
        >>> x = torch.randn(256, 4, generator=generator)
        >>> y = (x[:, 0] > 0).long()
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> result = fit(model, (x, y), epochs=20, batch_size=32, lr=1e-2)
        >>> result.metrics["train_accuracy"] > 0.95
        True
    """
    _check(model, plan, lr, optimizer, scheduler, callbacks)
    check_kind(progress, (bool, np.bool_), where="fit", name="progress", said="True or False")
    check_count(batch_size, where="fit", name="batch_size")
    settings = _Settings(cuts, order, epochs, batch_size, lr, seed_streams(seed).seed, optimizer, scheduler)
    fabric = move(model, device, precision, where="fit")
    if optimizer is None and not isinstance(plan, Plan):
        _check_adam_can(model)
    x, y = training_samples(model, data, batch_size=batch_size, seed=settings.seed, where="fit", targets=targets)
    held = None if validation is None else HeldOut.read(model, validation, y, batch_size=batch_size, targets=targets)
    made, tried = _make_plan(model, plan, x, y, settings, fabric)
    if held is not None:
        held.check(made)
    batches = x if isinstance(x, LoaderBatches) else batches_of(x, y, batch_size=batch_size, seed=settings.seed)
    history = History(epochs, None if held is None else held.measure(made))
    with _keeping_modes(made), bar_for_long_work(show=bool(progress)) as tell:
        for info in train(made, batches, epochs=epochs, seed=settings.seed, fabric=fabric):
            for callback in callbacks:
                callback(info)
            history.add(info)
            tell(", ".join(info.losses), info.next.steps, len(made.stages()) * epochs * len(batches))
    for weight in (weight for one in made for weight in (*one.parameters(), *one.critic_parameters())):
        weight.grad = None  # of the last step; the next one would not read it
    scores = {} if y is None else plan_metrics(made, x, y)
    if scores:
        _warn_of_a_readout(made, x, y)
    metrics = history.metrics | {f"train_{name}": value for name, value in scores.items()}
    if held is not None:
        metrics |= {f"validation_{name}": value for name, value in held.scores(made).items()}
    return FitResult(metrics, made, history.diverged, tried, history.lines, targets)


@dataclass(frozen=True)
class _Settings:
    """What decides a training beside the model and the samples."""

    cuts: Sequence[str] | None
    order: Order
    epochs: int
    batch_size: int
    lr: float
    seed: int
    optimizer: OptimizerFactory | Sequence[OptimizerFactory] | None
    scheduler: SchedulerFactory | None

    def plan(self, model: nn.Module, objectives: str | Sequence[ObjectiveLike]) -> Plan:
        """The plan of these objectives, by Adam where nothing else is asked for."""
        made_by = self.optimizer or (lambda parameters: torch.optim.Adam(parameters, lr=self.lr))
        return Plan.layerwise(
            model, self.cuts, objectives, order=self.order, optimizer=made_by, scheduler=self.scheduler
        )

    def num_modules(self, model: nn.Module) -> int:
        """How many modules the cuts make."""
        cuts = starting_layers(model) if self.cuts is None else check_names(self.cuts, where="fit", name="cuts")
        return len(cuts) + 1


def _check(
    model: object, plan: object, lr: float, optimizer: object, scheduler: object, callbacks: Iterable[object]
) -> None:
    check_model(model, where="fit")
    assert isinstance(model, nn.Module)
    check_processes(where="fit")
    check_weights([model], where="fit")
    check_number(lr, where="fit", name="lr")
    check_weight(lr, where="fit", name="lr")
    if not isinstance(plan, str | Sequence | Plan | None):
        raise TypeError(
            f'fit: plan must be a string such as "X,Y,CE", a list of objectives or a Plan, got {type(plan).__name__}.'
        )
    for name, made in (("optimizer", optimizer), ("scheduler", scheduler)):
        if made is not None and isinstance(plan, Plan):
            raise ValueError(f"fit: {name} must be that of the plan, which has its own; give it to the Plan.")
    if optimizer is not None:
        for one in optimizer if isinstance(optimizer, Sequence) else [optimizer]:
            check_makes_optimizers(one, where="fit")
        if lr != _RATE:
            raise ValueError(f"fit: lr must be left out where optimizer makes the rates, got {lr}.")
    if scheduler is not None:
        check_callable(scheduler, where="fit", name="scheduler")
    check_iterable(callbacks, where="fit", name="callbacks", said="a list of functions of a StepInfo")
    for callback in callbacks:
        check_callable(callback, where="fit", name="a callback")


def _check_adam_can(model: nn.Module) -> None:
    if any(parameter.dtype == torch.float16 for parameter in model.parameters()):
        raise ValueError(
            "fit: float16 weights cannot be trained by Adam, whose squares of gradients are 0 there; give "
            "model.float() or model.bfloat16(), or a Plan with an optimiser of your own."
        )


def _make_plan(
    model: nn.Module,
    plan: str | Sequence[ObjectiveLike] | Plan | None,
    x: Samples | LoaderBatches,
    y: Tensor | None,
    settings: _Settings,
    fabric: Fabric | None,
) -> tuple[Plan, dict[str, float]]:
    """The plan that is trained, and the assignments that were tried for it."""
    if isinstance(plan, Plan):
        own = {id(weight) for weight in model.parameters()}
        if any(id(weight) not in own for module in plan for weight in module.body.parameters()):
            raise ValueError(
                "fit: the plan is of another model, which would be trained in place of this one; make the plan of this "
                "model, or call train(plan, ...)."
            )
        return plan, {}
    if plan is None:
        return _default_plan(model, y, settings), {}
    if plan != AUTO:
        return settings.plan(model, plan), {}
    if isinstance(x, LoaderBatches):
        raise ValueError(
            "fit: a plan of 'auto' holds samples out by their numbers, which a DataLoader does not give; give the "
            'pair (x, y), or a plan such as "X,Y,CE".'
        )
    best, tried = _choose(model, x, y, settings, fabric)
    return settings.plan(model, best), tried


def _default_plan(model: nn.Module, y: Tensor | None, settings: _Settings) -> Plan:
    """The default objectives; a module whose weights are all fixed, as of a backbone trained before, stays frozen."""
    names = default_objectives(settings.num_modules(model), y)
    plan = settings.plan(model, names)
    fixed = [not any(weight.requires_grad for weight in module.body.parameters()) for module in plan]
    if all(fixed):
        raise ValueError("fit: model must have a weight to train, got none with requires_grad=True.")
    if any(fixed):
        plan = settings.plan(model, [FROZEN if stays else name for name, stays in zip(names, fixed, strict=True)])
    return plan


def _choose(
    model: nn.Module, x: Samples, y: Tensor | None, settings: _Settings, fabric: Fabric | None
) -> tuple[str, dict[str, float]]:
    """The assignment that is best on samples held out, and the accuracy of each."""

    def train_and_score(
        copied: nn.Module, objectives: str, rows: tuple[Any, Tensor], held_out: tuple[Any, Tensor]
    ) -> float:
        plan = settings.plan(copied, objectives)
        batches = batches_of(*rows, batch_size=settings.batch_size, seed=settings.seed)
        with _keeping_modes(plan):
            steps = train(plan, batches, epochs=settings.epochs, seed=settings.seed, fabric=fabric)
            diverged = [info.diverged for info in steps][-1]
        return 0.0 if diverged else plan_accuracy(plan, *held_out)

    check_labels(y, where="fit")
    assert y is not None
    return choose_assignment(
        model, x, y, num_modules=settings.num_modules(model), train_and_score=train_and_score, seed=settings.seed
    )


@contextmanager
def _keeping_modes(plan: Plan) -> Iterator[None]:
    """A context after which each layer is in its own mode again; the loop sets modes of its own."""
    parts = [part for module in plan for part in (module.body, module.objective) if part is not None]
    modes = [(layer, layer.training) for part in parts for layer in part.modules()]
    try:
        yield
    finally:
        for layer, training in modes:
            layer.training = training


def _warn_of_a_readout(plan: Plan, x: Samples | LoaderBatches, y: Tensor | None) -> None:
    """Tell of a network that ends in an objective with a read-out of its own: nothing has trained its predictions."""
    objective, output = plan[-1].objective, first_output(plan, x)
    with torch.no_grad():
        scores = None if objective is None else objective.scores(output)
    if scores is not None and not (scores.shape == output.shape and torch.equal(scores, output)):
        kind = (None if y is None else kind_of_targets(y)) or "classes"
        wanted = _PREDICTIONS[kind]
        warnings.warn(
            f"fit: {type(objective).__name__} predicts by a read-out of its own, and nothing has trained the network's "
            f'output as {wanted}; end the plan in "{OUTPUT_NAMES[kind]}", or, of objectives that have it, give '
            "layer=..., the layer that is compressed.",
            UserWarning,
            stacklevel=3,
        )
