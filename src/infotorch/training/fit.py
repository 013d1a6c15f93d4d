"""Train a model of one's own in one call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from infotorch.data.batches import TensorBatches
from infotorch.numerics.checks import as_tensor
from infotorch.numerics.seeds import seed_streams
from infotorch.training.evaluate import evaluate_network
from infotorch.training.loop import StepInfo, train
from infotorch.training.plan import Order, Plan, evaluating


@dataclass(frozen=True)
class FitResult:
    """What `fit` did.

    Args:
        metrics: "<module>/<term>" -> mean over the module's last epoch (nats where the name says so), and
            "train_accuracy" (a fraction of one) where the network's output has a column for each class.
        plan: the trained plan, with read-outs and optimisers.
        diverged: name of the module whose loss became non-finite, or None. Training ended there.
    """

    metrics: dict[str, float]
    plan: Plan
    diverged: str | None = None


def fit(
    model: nn.Module,
    data: tuple[Any, Any],
    *,
    plan: str | Plan = "X,Y,CE",
    cuts: Sequence[str] | None = None,
    order: Order = "sequential",
    epochs: int = 5,
    batch_size: int = 128,
    lr: float = 1e-3,
    seed: int = 0,
) -> FitResult:
    """Train `model` in place, module by module; every layer is left in the mode it was in.

    Args:
        model: any module whose forward takes one tensor.
        data: (x, y): rows (n, ...) and classes (n,), tensors or arrays; y is None, or -1 for unlabelled rows.
        plan: objectives by name, one for each module, or a `Plan` of your own (then cuts, order and lr are the plan's).
        cuts: names of the layers that start the second, third, ... module; None: every child with parameters does.
        order: "sequential" or "simultaneous".
        epochs: epochs of each module (sequential) or of the run (simultaneous).
        batch_size: rows a step.
        lr: rate of Adam.
        seed: decides batch order, read-outs, noise and dropout. The model's weights are yours, as they come.

    Returns:
        The numbers of each module's last epoch, and the plan. A non-finite loss is a result, not an exception.

    Raises:
        TypeError: model, data or plan is of another kind, x is not numbers, or y has no integer classes while an
            objective needs them.
        ValueError: rows that do not pair, or a plan that does not fit the model.

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
    if not isinstance(model, nn.Module):
        raise TypeError(f"fit: model must be a torch.nn.Module, got {type(model).__name__}.")
    if not isinstance(plan, str | Plan):
        raise TypeError(f'fit: plan must be a string such as "X,Y,CE" or a Plan, got {type(plan).__name__}.')
    x, y = _as_training_data(model, data)
    if isinstance(plan, str):
        plan = Plan.layerwise(model, cuts, plan, order=order, optimizer=lambda p: torch.optim.Adam(p, lr=lr))
    batches = TensorBatches(x, y, batch_size=batch_size, seed=seed_streams(seed).seed)
    metrics: dict[str, float] = {}
    sums: dict[str, list[float]] = {}
    info: StepInfo | None = None
    with evaluating(plan):  # the loop sets modes of its own; each layer's comes back afterwards
        for info in train(plan, batches, epochs=epochs, seed=seed):
            for name, value in _terms(info):
                sums.setdefault(name, []).append(value)
            if info.ends_epoch:
                metrics |= {name: sum(values) / len(values) for name, values in sums.items()}
                sums = {}
    if y is not None and (y >= 0).any() and not y.is_floating_point() and _scores_classes(plan, x, y):
        metrics["train_accuracy"] = evaluate_network(plan, x, y)
    return FitResult(metrics, plan, None if info is None else info.diverged)


def _as_training_data(model: nn.Module, data: tuple[Any, Any]) -> tuple[Tensor, Tensor | None]:
    if not isinstance(data, tuple) or len(data) != 2:
        raise TypeError(f"fit: data must be the pair (x, y), got {type(data).__name__}.")
    parameter = next(model.parameters(), None)
    if parameter is None:
        raise ValueError("fit: the model has no parameters to train.")
    x = as_tensor(data[0], where="fit", name="x")
    y = None if data[1] is None else as_tensor(data[1], where="fit", name="y").to(parameter.device)
    # Integer inputs are token ids; real ones take the precision of the weights.
    x = x.to(parameter.device, parameter.dtype if x.is_floating_point() else x.dtype)
    if x.ndim == 0 or (y is not None and y.ndim == 0):
        raise ValueError("fit: x and y must have rows of samples, got a single number.")
    if x.is_floating_point() and not torch.isfinite(x).all():
        raise ValueError("fit: x must be finite, got NaN or infinite values.")
    if y is not None and len(y) != len(x):
        raise ValueError(f"fit: x and y must be paired row by row, got {len(x)} and {len(y)} rows.")
    return x, y if y is None or y.is_floating_point() else y.long()


def _terms(info: StepInfo) -> list[tuple[str, float]]:
    return [
        (f"{module}/{name}", float(value)) for module, loss in info.losses.items() for name, value in loss.terms.items()
    ]


def _scores_classes(plan: Plan, x: Tensor, y: Tensor) -> bool:
    with torch.no_grad(), evaluating(plan):
        output = plan.outputs(x[:1])[-1]
    return output.ndim == 2 and output.shape[1] > int(y.max())
