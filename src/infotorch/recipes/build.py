"""Turn a recipe's plain values into a network and a plan."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler

from infotorch.data.sets import Dataset
from infotorch.networks.mlp import mlp
from infotorch.objectives.base import Objective
from infotorch.objectives.bottleneck import InformationBottleneck
from infotorch.recipes.recipe import OptimizerSettings, PlanSettings, Recipe
from infotorch.training.plan import Plan
from infotorch.updates.gradient import OptimizerFactory


def build_network(recipe: Recipe, dataset: Dataset) -> nn.Sequential:
    """The recipe's network for the data's shapes.

    Raises:
        ValueError: the data has no classes.
    """
    if dataset.num_classes is None:
        raise ValueError(f"{recipe.name}: {dataset.name} has no classes; choose a data set for classification.")
    inputs = dataset.train.x[0].numel()
    return mlp(inputs, recipe.network.hidden, dataset.num_classes, head=recipe.network.head)


def build_plan(recipe: Recipe, network: nn.Module) -> Plan:
    """The recipe's plan for its network; the network is trained in place."""
    settings = recipe.plan
    return Plan.layerwise(
        network,
        settings.cuts,
        [_objective(name, settings) for name in settings.objectives],
        order=settings.order,
        isolated=settings.isolated,
        optimizer=[_optimizer(recipe.optimizer, name == "CE") for name in settings.objectives],
        scheduler=_cosine if recipe.optimizer.schedule == "cosine" else None,
    )


def _objective(name: str, settings: PlanSettings) -> Objective | str:
    if name != "IB":
        return name
    return InformationBottleneck(
        beta=settings.beta, noise_std=settings.noise_std, penalty=settings.penalty, noise=settings.noise
    )


def _optimizer(settings: OptimizerSettings, is_output: bool) -> OptimizerFactory:
    own = settings.output_lr if is_output else None
    shared = {"lr": settings.lr if own is None else own, "weight_decay": settings.weight_decay, "fused": True}
    if settings.name == "sgd":
        return lambda parameters: torch.optim.SGD(parameters, momentum=settings.momentum, **shared)
    kind = torch.optim.AdamW if settings.name == "adamw" else torch.optim.Adam
    return lambda parameters: kind(parameters, **shared)


def _cosine(optimizer: torch.optim.Optimizer, num_steps: int) -> LRScheduler:
    return CosineAnnealingLR(optimizer, T_max=num_steps)
