"""A plan as a stranger's step: modules by name, and a callable (x, y) that makes one update of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from torch import nn

from infotorch.training.local_module import LocalModule
from infotorch.training.loop import train
from infotorch.training.plan import Batches, Plan
from infotorch.training.position import Position
from infotorch.training.reading import as_batches
from infotorch.training.split_module import SplitModule
from infotorch.updates.gradient import Handoff

if TYPE_CHECKING:
    from lightning_fabric import Fabric

    from infotorch.diagnostics.isolation_trials import Step

#: Makes of a batch's x and y what `train` reads; one step is an epoch.
Reading = Callable[[Any, Any], Batches]
# Steps that schedules span, where the plan has not been prepared for a number of its own.
_SPAN = 100


def step_of_plan(
    plan: Plan,
    x: Any,
    y: Any,
    *,
    read: Reading | None = None,
    handoff: Handoff = "before",
    fabric: Fabric | None = None,
) -> Step:
    """A callable (x, y) that makes one update of every module, stage after stage; the plan is prepared if it is not.

    Args:
        plan: whose modules are trained, in place.
        x: inputs of a batch, which give the shapes.
        y: its targets, or None.
        read: makes batches of samples; None: as `fit` reads them, all samples in one step.
        handoff: as in `train`.
        fabric: as in `train`.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> plan = Plan.layerwise(model, objectives="Y,CE", optimizer=torch.optim.SGD)
        >>> x, y = torch.ones(6, 4), torch.arange(6) % 3
        >>> before = model[2].weight.clone()
        >>> step_of_plan(plan, x, y)(x, y)
        >>> torch.equal(before, model[2].weight)
        False
    """

    def as_one_batch(x: Any, y: Any) -> Batches:
        model = nn.ModuleList(module.body for module in plan)
        return as_batches((x, y), model, batch_size=2**31, seed=0, where="audit_isolation")

    read = read or as_one_batch
    if plan.num_steps is None:
        plan.prepare(read(x, y), epochs=_SPAN, seed=0)
    for module in plan:
        if module.objective is None:
            module.body.requires_grad_(False)  # said so that the audit can tell it from one that happens to stand still
    assert plan.num_steps is not None
    epochs = plan.num_steps

    def step(x: Any, y: Any) -> None:
        for stage in range(len(plan.stages())):
            start = Position(stage, 0, 0, stage * epochs)
            steps = train(plan, read(x, y), epochs=epochs, seed=0, start=start, handoff=handoff, fabric=fabric)
            next(iter(steps))

    return step


def parts_of_plan(plan: Plan) -> dict[str, nn.Module]:
    """Name -> layers and objective of each module; of a plan of one module its halves, or its layers with weights.

    Example:
        >>> import torch
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> list(parts_of_plan(Plan.end_to_end(model, optimizer=torch.optim.SGD)))
        ['0', '2']
    """
    if len(plan) > 1:
        return {module.name: _with_objective(module) for module in plan}
    (module,) = plan
    if isinstance(module, SplitModule):
        return {f"half {number}": half for number, half in enumerate(module.halves)}
    layers: nn.Module = module.body
    while len(held := _trained_children(layers)) == 1:
        (layers,) = held.values()
    return held or {module.name: module.body}


def _with_objective(module: LocalModule) -> nn.Module:
    held = {"body": module.body} | ({} if module.objective is None else {"objective": module.objective})
    return nn.ModuleDict(held)


def _trained_children(layer: nn.Module) -> dict[str, nn.Module]:
    return {name: child for name, child in layer.named_children() if next(child.parameters(), None) is not None}
