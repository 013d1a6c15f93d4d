"""Turn a recipe's plain values into optimisers and the schedules that move their rates at every step."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, MultiStepLR, OneCycleLR

from infotorch.numerics.extras import require
from infotorch.recipes.optimizer_settings import OptimizerSettings
from infotorch.recipes.recipe import Recipe
from infotorch.schedules.anneal import HoldThenAnneal
from infotorch.schedules.signal import layer_groups
from infotorch.schedules.triangle import Triangle
from infotorch.updates.averaged_adam import AveragedAdam
from infotorch.updates.gradient import OptimizerFactory, SchedulerFactory
from infotorch.updates.lookahead import LookaheadSGD

#: Schedules that look at the information after every epoch; `infotorch.runs.schedule_control` moves them.
INFORMED = ("information", "best")
#: Epochs after which the bias of the stem rests, as a share of the paper's 9.9.
_STEM_SHARE = 3 / 9.9


def optimizer_of(settings: OptimizerSettings, own_lr: float | None = None) -> OptimizerFactory:
    """What makes the recipe's optimiser of a list of parameters, or of parameter groups.

    Args:
        settings: the recipe's.
        own_lr: a rate that takes the place of settings.lr.

    Raises:
        ModuleNotFoundError: an optimiser of the extra `optim` without pytorch_optimizer.

    Source of "lars": You, Gitman & Ginsburg 2017, arXiv:1708.03888, eq. 6, with the trust coefficient in the rate: a
        step takes weights of two axes or more by lr |w| / (|g| + decay |w|) g, so that lr is about the share of a
        weight that a step moves, and biases and normalisation by lr g without decay. The paper has a coefficient of
        0.001 beside the rate, which leaves weights the same; biases, which are not scaled, would go a thousand times as
        fast.

    Example:
        >>> make = optimizer_of(OptimizerSettings(name="sgd", lr=0.1, momentum=0.9))
        >>> make([nn.Parameter(torch.zeros(2))]).defaults["momentum"]
        0.9
    """
    options = {
        "lr": settings.lr if own_lr is None else own_lr,
        "weight_decay": settings.weight_decay,
    }
    along = {"momentum": settings.momentum, "nesterov": settings.nesterov}
    betas = {"betas": (settings.beta1, 0.999)}
    made: dict[str, Callable[[], Callable[..., Optimizer]]] = {
        "adam": lambda: partial(torch.optim.Adam, fused=True, **betas),
        "adamw": lambda: partial(torch.optim.AdamW, fused=True, **betas),
        "averaged-adam": lambda: partial(AveragedAdam, fused=True, **betas),
        "nadam": lambda: torch.optim.NAdam,
        "rmsprop": lambda: torch.optim.RMSprop,
        "sgd": lambda: partial(torch.optim.SGD, fused=True, **along),
        "adamp": lambda: _of_extra("AdamP"),
        "lars": lambda: partial(_of_extra("LARS"), trust_coefficient=1.0, **along),
        "schedule-free": lambda: _of_extra("ScheduleFreeAdamW"),
        "lookahead-sgd": lambda: partial(LookaheadSGD, **along),
    }
    return partial(made[settings.name](), **options)


def _of_extra(name: str) -> Callable[..., Optimizer]:
    return getattr(require("optim", "pytorch_optimizer", name), name)


def layerwise(make: OptimizerFactory, model: nn.Module) -> OptimizerFactory:
    """As `make`, with a parameter group for each layer of `model` (`layer_groups`), for rates of their own.

    Raises:
        ValueError: the network has no layer with weights; or, of what is returned, parameters of no layer of it.

    Example:
        >>> model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> optimizer = layerwise(lambda groups: torch.optim.SGD(groups, lr=0.1), model)(list(model.parameters()))
        >>> [group["name"] for group in optimizer.param_groups]
        ['0', '2']
    """
    groups = layer_groups(model)

    def make_grouped(parameters: list[nn.Parameter]) -> Optimizer:
        wanted = {id(parameter) for parameter in parameters}
        kept = [{**group, "params": [p for p in group["params"] if id(p) in wanted]} for group in groups]
        if sum(len(group["params"]) for group in kept) < len(wanted):
            raise ValueError("layerwise: the objective has parameters of its own, which belong to no layer.")
        return make([group for group in kept if group["params"]])  # pyright: ignore[reportArgumentType]

    return make_grouped


def decoupled(recipe: Recipe, model: nn.Module, own_lr: float | None = None) -> OptimizerFactory:
    """What makes `LookaheadSGD` with rates that are told per 1,024 samples, and a decay that does not follow them.

    A batch of b samples with momentum m moves the weights by lr b / 1024 / (1 + 1 / (1 - m)) of their mean gradient,
    and takes from them weight_decay b / 1024 / (1 + 1 / (1 - m)) of themselves. The bias of the layer `stem` rests
    behind 3 of 9.9 epochs. Running statistics take part in looking ahead.

    Args:
        recipe: its settings.
        model: the network; statistics of its batch norms belong to the parameters beside them.
        own_lr: a rate that takes the place of the recipe's.

    Source: Jordan 2024, arXiv:2404.00498, Sec. 3 and the listing of its appendix.

    Example:
        >>> from infotorch.recipes.registry import find_recipe
        >>> bp, layer = find_recipe("cifar10", "bp"), nn.Linear(2, 1)
        >>> group = decoupled(bp, layer, own_lr=11.5)(list(layer.parameters())).param_groups[0]
        >>> round(group["lr"], 4), round(group["weight_decay"], 6)  # 11.5 / (1 + 1 / 0.15), and 0.0153 / 11.5
        (1.5, 0.00133)
    """
    settings, lr = recipe.optimizer, recipe.optimizer.lr if own_lr is None else own_lr
    share = recipe.batch_size / 1024 / (1 + 1 / (1 - settings.momentum))
    stem = getattr(dict(model.named_children()).get("stem"), "bias", None)
    norms = [layer for layer in model.modules() if isinstance(layer, _BatchNorm)]

    def make(parameters: list[nn.Parameter]) -> Optimizer:
        wanted = {id(parameter) for parameter in parameters}
        beside = [norm for norm in norms if any(id(parameter) in wanted for parameter in norm.parameters())]
        groups: list[dict[str, Any]] = [
            {"params": [parameter for parameter in parameters if parameter is not stem]},
            {"params": [parameter for parameter in parameters if parameter is stem], "until": _STEM_SHARE},
            {"params": [b for norm in beside for b in norm.buffers() if b.is_floating_point()]},
        ]
        return LookaheadSGD(
            [group for group in groups if group["params"]],
            lr=lr * share,
            momentum=settings.momentum,
            nesterov=settings.nesterov,
            weight_decay=settings.weight_decay / lr,
        )

    return make


def scheduler_of(recipe: Recipe) -> SchedulerFactory | None:
    """What makes the schedule of (optimiser, number of steps) that moves with every step; None where none does.

    Example:
        >>> from infotorch.recipes.registry import find_recipe
        >>> scheduler_of(find_recipe("demo")).__name__
        '_cosine'
    """
    settings = recipe.schedule

    def step(optimizer: Optimizer, num_steps: int) -> LRScheduler:
        # At the end of an epoch, as drops are usually told, also where an epoch is a long one.
        epochs = [round(share * recipe.epochs) for share in settings.drops]
        # Never before the first step, however short the run.
        milestones = [max(1, epoch * num_steps // recipe.epochs) for epoch in epochs]
        return MultiStepLR(optimizer, milestones=milestones, gamma=settings.drop_factor)

    def control(optimizer: Optimizer, num_steps: int) -> LRScheduler:
        top = [float(group["lr"]) for group in optimizer.param_groups]
        return HoldThenAnneal(optimizer, lr_top=top, lr_min=settings.lr_min, steps=num_steps, hold=settings.hold)

    schedules: dict[str, SchedulerFactory] = {
        "cosine": _cosine,
        "onecycle": _one_cycle,
        "triangle": _triangle,
        "step": step,
        "control": control,
    }
    return schedules.get(recipe.optimizer.schedule)


def _cosine(optimizer: Optimizer, num_steps: int) -> LRScheduler:
    return CosineAnnealingLR(optimizer, T_max=num_steps)


def _triangle(optimizer: Optimizer, num_steps: int) -> LRScheduler:
    if isinstance(optimizer, LookaheadSGD):
        optimizer.span(num_steps)
    return Triangle(optimizer, num_steps)


def _one_cycle(optimizer: Optimizer, num_steps: int) -> LRScheduler:
    """Up to the optimiser's rate within 30 % of the steps and down to 1/250,000 of it, as torch has it; only the rate.

    Momentum does not cycle: it is a setting of the variant, as in the others.
    """
    top = [float(group["lr"]) for group in optimizer.param_groups]
    return OneCycleLR(optimizer, max_lr=top, total_steps=num_steps, cycle_momentum=False)


def check_schedule(recipe: Recipe) -> None:
    """Refuse a schedule that does not fit the recipe's plan.

    Raises:
        ValueError: it reads the information of the whole network, or stops early, and the plan trains parts of it; two
            rules that may end training; one that looks at validation samples which are trained on; or rates of layers
            that no information moves.
    """
    name = recipe.optimizer.schedule
    in_parts = recipe.plan.cuts or (recipe.split.at and recipe.split.order != "bp")
    if name in INFORMED and in_parts:
        raise ValueError(
            f"{recipe.name}: optimizer.schedule={name} moves the rates of one network that is trained as a whole; "
            "leave out plan.cuts and split.at, or choose another schedule."
        )
    if recipe.schedule.stop_after is not None and (name in INFORMED or in_parts):
        raise ValueError(
            f"{recipe.name}: schedule.stop_after is for one network that is trained as a whole by a schedule without "
            f"information; leave it out{', or plan.cuts and split.at' if in_parts else f', got {name}'}."
        )
    looks = recipe.schedule.stop_after is not None or (name == "best" and recipe.schedule.tolerance is not None)
    if looks and not recipe.data.holds_out:
        raise ValueError(
            f"{recipe.name}: data.train_on_validation must be false where validation samples end training, as by "
            f"{'schedule.stop_after' if recipe.schedule.stop_after is not None else 'schedule.tolerance'}."
        )
    if recipe.schedule.layerwise and name not in INFORMED:
        raise ValueError(
            f"{recipe.name}: schedule.layerwise is for optimizer.schedule={' or '.join(INFORMED)}, got {name}."
        )
