"""Train a model of one's own in one call."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from infotorch.data.graphs import NodeSamples
from infotorch.data.loaders import LoaderBatches
from infotorch.data.targets import Targets
from infotorch.networks.segments import starting_layers
from infotorch.numerics.checks import check_count, check_number
from infotorch.numerics.seeds import seed_streams
from infotorch.objectives.checks import check_labels, check_weight
from infotorch.objectives.names import ObjectiveLike
from infotorch.training.assignment import AUTO, choose_assignment
from infotorch.training.checks import check_model, check_one_process, check_weights
from infotorch.training.evaluate import evaluating_repeatably, plan_accuracy, plan_metrics
from infotorch.training.inputs import batches_of
from infotorch.training.loop import StepInfo, train
from infotorch.training.plan import Order, Plan, evaluating
from infotorch.training.reading import TrainingData, training_samples

if TYPE_CHECKING:
    from infotorch.data.typing import Samples


@dataclass(frozen=True)
class FitResult:
    """What `fit` did.

    Args:
        metrics: "<module>/<term>" -> mean over the module's last epoch (nats where the name says so), and
            "train_accuracy" (a fraction of one) where the network's output has a column for each class or label, or
            "train_mse" and "train_r2" where it has the shape of real targets, see `plan_metrics`.
        plan: the trained plan, with read-outs and optimisers.
        diverged: name of the module whose loss became non-finite, or None. Training ended there.
        assignments: where the plan was "auto", every assignment that was tried and its accuracy on samples held out.

    Example:
        >>> result = fit(nn.Linear(2, 2), (torch.eye(2), [0, 1]), plan="CE", cuts=(), epochs=50, lr=0.1)
        >>> result.metrics["train_accuracy"], result.diverged
        (1.0, None)
    """

    metrics: dict[str, float]
    plan: Plan
    diverged: str | None = None
    assignments: dict[str, float] = field(default_factory=dict)


def fit(
    model: nn.Module,
    data: TrainingData,
    *,
    plan: str | Sequence[ObjectiveLike] | Plan = "X,Y,CE",
    targets: Targets = "auto",
    cuts: Sequence[str] | None = None,
    order: Order = "sequential",
    epochs: int = 5,
    batch_size: int = 128,
    lr: float = 1e-3,
    seed: int = 0,
) -> FitResult:
    """Train `model` in place, module by module; every layer is left in the mode it was in.

    Args:
        model: any module whose forward takes one tensor, several, a torch_geometric data object, or a graph's tensors
            by their usual names (x, edge_index, batch, ...).
        data: (x, y): samples (n, ...) and classes (n,); y is None, or -1 for unlabelled samples. x may be a dict of
            several inputs by the names of forward's arguments, or a tuple of them in its order; or one dict holds these
            and their "labels" ("label", "y"). x may be a
            list of torch_geometric graphs with a class each, or one graph with a class for each node. A graph, or a
            list of graphs, alone brings its own y; where it has a train_mask, the other nodes are unlabelled. A y given
            beside a graph is taken as it is, mask or no mask. A torch `DataLoader` of such pairs keeps its batches,
            workers, transforms and order: its own generator's, or else decided by seed; it is read once before
            training for all targets, and epochs begin at their start. Of a `Dataset` of torch, batches are drawn by
            seed; a `Split` is the pair that it holds, and a data set of `load` its training part.
        plan: objectives, one for each module: names as in "X,Y,CE", or a list of names, `Objective`s and losses of
            (output, y), such as `nn.CrossEntropyLoss(weight=..., label_smoothing=0.1)`; "auto" to try every number of X
            modules before the Y modules, keep the one that is right most often on a tenth of the labelled samples, held
            out, and train it on all samples; or a `Plan` of your own (then cuts, order and lr are the plan's).
            "frozen" modules stay as they come, batch norm's statistics too (`update_batch_norm` measures those of
            untrained ones).
        targets: what y is. "auto": integers are classes, and labels of 0 and 1 where they have several columns; other
            numbers are real. "classes", "real" or "multilabel" says it, as for class numbers that are stored as floats.
            A missing target is -1, or NaN among real numbers.
        cuts: names of the layers that start the second, third, ... module; None: every child with weights does.
        order: "sequential" or "simultaneous".
        epochs: epochs of each module (sequential) or of the run (simultaneous).
        batch_size: samples a step; a `DataLoader` has its own.
        lr: rate of Adam.
        seed: decides batch order, read-outs, noise and dropout. The model's weights are yours, as they come.

    Returns:
        The numbers of each module's last epoch, and the plan. A non-finite loss is a result, not an exception.

    Raises:
        TypeError: model, data, plan or lr is of another kind, x is not numbers, or y has no integer classes while an
            objective needs them.
        ValueError: samples that do not pair, are none or not finite, a plan that does not fit the model, a rate that
            is negative or not finite, several processes that torch.distributed has joined, or, of a `DataLoader`, no
            length or a plan of "auto".

    Example:
        >>> _ = torch.manual_seed(0)
        >>> generator = torch.Generator().manual_seed(0)
        >>> x = torch.randn(256, 4, generator=generator)
        >>> y = (x[:, 0] > 0).long()
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> result = fit(model, (x, y), plan="Y,CE", epochs=20, batch_size=32, lr=1e-2)
        >>> result.metrics["train_accuracy"] > 0.95
        True
    """
    check_model(model, where="fit")
    check_one_process(where="fit")
    check_weights([model], where="fit")
    check_number(lr, where="fit", name="lr")
    check_weight(lr, where="fit", name="lr")
    if not isinstance(plan, str | Sequence | Plan):
        raise TypeError(
            f'fit: plan must be a string such as "X,Y,CE", a list of objectives or a Plan, got {type(plan).__name__}.'
        )
    if not isinstance(plan, Plan) and any(parameter.dtype == torch.float16 for parameter in model.parameters()):
        raise ValueError(
            "fit: float16 weights cannot be trained by Adam, whose squares of gradients are 0 there; give "
            "model.float() or model.bfloat16(), or a Plan with an optimiser of your own."
        )
    settings = _Settings(cuts, order, epochs, batch_size, lr, seed_streams(seed).seed)
    check_count(batch_size, where="fit", name="batch_size")
    x, y = training_samples(model, data, batch_size=batch_size, seed=settings.seed, where="fit", targets=targets)
    tried: dict[str, float] = {}
    if plan == AUTO:
        if isinstance(x, LoaderBatches):
            raise ValueError(
                "fit: a plan of 'auto' holds samples out by their numbers, which a DataLoader does not give; give the "
                'pair (x, y), or a plan such as "X,Y,CE".'
            )
        plan, tried = _choose(model, x, y, settings)
    if not isinstance(plan, Plan):
        plan = settings.plan(model, plan)
    metrics, diverged = _train(plan, x, y, settings)
    found = {} if y is None else plan_metrics(plan, x, y)
    if found:
        metrics |= {f"train_{name}": value for name, value in found.items()}
        _warn_of_a_readout(plan, x)
    return FitResult(metrics, plan, diverged, tried)


@dataclass(frozen=True)
class _Settings:
    """What decides a training beside the model and the samples."""

    cuts: Sequence[str] | None
    order: Order
    epochs: int
    batch_size: int
    lr: float
    seed: int

    def plan(self, model: nn.Module, objectives: str | Sequence[ObjectiveLike]) -> Plan:
        """The plan of these objectives, by Adam."""
        return Plan.layerwise(
            model, self.cuts, objectives, order=self.order, optimizer=lambda p: torch.optim.Adam(p, lr=self.lr)
        )


def _train(
    plan: Plan, x: Samples | LoaderBatches, y: Tensor | None, settings: _Settings
) -> tuple[dict[str, float], str | None]:
    """The means of every module's last epoch, and the module that diverged."""
    loaded = isinstance(x, LoaderBatches)
    batches = x if loaded else batches_of(x, y, batch_size=settings.batch_size, seed=settings.seed)
    metrics: dict[str, float] = {}
    sums: dict[str, list[float]] = {}
    info: StepInfo | None = None
    with evaluating(plan):  # the loop sets modes of its own; each layer's comes back afterwards
        for info in train(plan, batches, epochs=settings.epochs, seed=settings.seed):
            for name, value in _terms(info):
                sums.setdefault(name, []).append(value)
            if info.ends_epoch:
                metrics |= {name: sum(values) / len(values) for name, values in sums.items()}
                sums = {}
    return metrics, None if info is None else info.diverged


def _choose(model: nn.Module, x: Samples, y: Tensor | None, settings: _Settings) -> tuple[str, dict[str, float]]:
    """The assignment that is best on samples held out, and the accuracy of each."""

    def train_and_score(
        copied: nn.Module, objectives: str, rows: tuple[Any, Tensor], held_out: tuple[Any, Tensor]
    ) -> float:
        plan = settings.plan(copied, objectives)
        diverged = _train(plan, *rows, settings)[1]
        return 0.0 if diverged else plan_accuracy(plan, *held_out)

    check_labels(y, where="fit")
    assert y is not None
    num_modules = len(starting_layers(model) if settings.cuts is None else settings.cuts) + 1
    return choose_assignment(model, x, y, num_modules=num_modules, train_and_score=train_and_score, seed=settings.seed)


def _terms(info: StepInfo) -> list[tuple[str, float]]:
    return [
        (f"{module}/{name}", float(value)) for module, loss in info.losses.items() for name, value in loss.terms.items()
    ]


def _warn_of_a_readout(plan: Plan, x: Samples | LoaderBatches) -> None:
    """Tell of a network that ends in an objective with a read-out of its own: nothing has trained its class scores."""
    objective, output = plan[-1].objective, _output_of_one(plan, x)
    with torch.no_grad():
        scores = None if objective is None else objective.scores(output)
    if scores is not None and not (scores.shape == output.shape and torch.equal(scores, output)):
        warnings.warn(
            f"fit: {type(objective).__name__} decides by a read-out of its own, and nothing has trained the network's "
            'output as class scores, which train_accuracy is of; end the plan in "CE", or, of objectives that have '
            "it, give layer=..., the layer that is compressed.",
            UserWarning,
            stacklevel=3,
        )


def _output_of_one(plan: Plan, x: Samples | LoaderBatches) -> Tensor:
    with torch.no_grad(), evaluating_repeatably(plan):
        one = x.graph if isinstance(x, NodeSamples) else x.example if isinstance(x, LoaderBatches) else x[:1]
        return plan.outputs(one)[-1]
