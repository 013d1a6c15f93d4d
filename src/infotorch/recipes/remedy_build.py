"""Turn `RemedySettings` into a network with a layer "bottleneck", and into the objective that looks at it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from infotorch.networks.coded_perceptron import CodeKind, coded_mlp
from infotorch.networks.quantiser import Quantiser
from infotorch.objectives.base import Objective
from infotorch.objectives.combined import SumOfObjectives
from infotorch.objectives.decision import SoftDecisionInformation
from infotorch.objectives.deterministic import DeterministicBottleneck
from infotorch.objectives.labels import CrossEntropy
from infotorch.objectives.nonlinear import NonlinearBottleneck
from infotorch.objectives.quantised import QuantisedBottleneck
from infotorch.objectives.regularisers import (
    ClusterPenalty,
    ConfidencePenalty,
    NuisanceInformation,
    SameClassPenalty,
)
from infotorch.objectives.total_correlation import TotalCorrelation
from infotorch.objectives.variational import InformationDropout, VariationalBottleneck, VariationalDeficiency
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.remedy_settings import RemedySettings

#: Systems whose bottleneck is no plain linear layer.
_KINDS: dict[str, CodeKind] = {
    "stochastic": "additive",
    "nonlinear": "additive",
    "vib": "gaussian",
    "deficiency": "gaussian",
    "information-dropout": "log-normal",
}

_OBJECTIVES: dict[str, Callable[[RemedySettings, nn.Module], Objective]] = {
    "vib": lambda wanted, layer: VariationalBottleneck(beta=wanted.weight, layer=layer),  # pyright: ignore[reportArgumentType]
    "deficiency": lambda wanted, layer: VariationalDeficiency(beta=wanted.weight, layer=layer),  # pyright: ignore[reportArgumentType]
    "information-dropout": lambda wanted, layer: InformationDropout(beta=wanted.weight, layer=layer),  # pyright: ignore[reportArgumentType]
    "nonlinear": lambda wanted, layer: NonlinearBottleneck(
        beta=wanted.weight,
        layer=layer,  # pyright: ignore[reportArgumentType]
        lagrangian=wanted.lagrangian,
    ),
    "matrix": lambda wanted, layer: DeterministicBottleneck(beta=wanted.weight, layer=layer),
    "quantised": lambda wanted, layer: QuantisedBottleneck(
        beta=wanted.weight, compression=Quantiser(wanted.levels), layer=layer
    ),
    "soft-decision": lambda wanted, _: SoftDecisionInformation(
        beta=wanted.weight, output="own", precision="cross-entropy"
    ),
    "confidence": lambda wanted, _: _beside(ConfidencePenalty(weight=wanted.weight)),
    "nuisance": lambda wanted, layer: _beside(
        NuisanceInformation(slant, noise_std=wanted.noise_std, weight=wanted.weight, layer=layer)
    ),
    "same-class": lambda wanted, layer: _beside(SameClassPenalty(weight=wanted.weight, layer=layer)),
    "cluster": lambda wanted, layer: _beside(ClusterPenalty(weight=wanted.weight, layer=layer)),
    "total-correlation": lambda wanted, layer: _beside(TotalCorrelation(weight=wanted.weight, layer=layer)),
}


def _beside(regulariser: Objective) -> Objective:
    return SumOfObjectives([CrossEntropy(), regulariser])


def remedy_network(recipe: Recipe, shape: Sequence[int], classes: int) -> nn.Sequential:
    """The perceptron of `recipe.remedy`, its hidden layers those of `recipe.network`, for samples of this shape.

    Raises:
        ValueError: network settings that it does not have, or "nuisance" without images.

    Example:
        >>> from infotorch.recipes.registry import find_recipe
        >>> model = remedy_network(find_recipe("remedies-mnist", "vib"), (1, 28, 28), 10)
        >>> [name for name, _ in model.named_children()][-3:]
        ['bottleneck', 'head', 'mean']
    """
    model, wanted = recipe.network, recipe.remedy
    for name, field in type(model).model_fields.items():
        if name not in {"hidden", "dropout", "init"} and getattr(model, name) != field.default:
            raise ValueError(f"{recipe.name}: network.{name} is not a choice of remedy.system; leave it out.")
    if wanted.system == "nuisance" and len(shape) != 3:
        raise ValueError(f"{recipe.name}: remedy.system=nuisance looks at the slant of images, got samples of {shape}.")
    return coded_mlp(
        math.prod(shape),
        model.hidden,
        wanted.code,
        classes,
        kind=_KINDS.get(wanted.system, "plain"),
        dropout=model.dropout,
        noise_std=wanted.noise_std,
        scale=wanted.scale,
        draws=wanted.draws,
        evaluation_draws=wanted.evaluation_draws,
    )


def remedy_objective(recipe: Recipe, model: nn.Module) -> Objective | None:
    """What the system minimises; None where that is the plan's to say.

    Raises:
        ValueError: the plan names cuts or objectives beside a system that has its own.
    """
    make = _OBJECTIVES.get(recipe.remedy.system)
    if make is None:
        return None
    if recipe.plan.cuts or recipe.plan.objectives != ("CE",) or recipe.split.at:
        raise ValueError(
            f"{recipe.name}: remedy.system={recipe.remedy.system} trains the whole network on an objective of its own; "
            "leave plan.objectives, plan.cuts and split.at out."
        )
    return make(recipe.remedy, model.get_submodule("bottleneck"))


def slant(images: Tensor) -> Tensor:
    """Which images lean further to the right than the median of their batch: a nuisance of handwriting, (b,), 0 or 1.

    An image leans by its ink's covariance of column and row over the variance of the row.

    Args:
        images: (b, ..., height, width), ink bright; what is darkest in a batch counts as paper.

    Example:
        >>> stroke = torch.eye(5)
        >>> slant(torch.stack([stroke, stroke.flip(1)]))  # a backslash, a slash
        tensor([0, 1])
    """
    ink = (images - images.min()).flatten(1, -3).sum(dim=1) if images.ndim > 3 else images - images.min()
    height, width = ink.shape[1:]
    row, column = (torch.arange(size, dtype=ink.dtype, device=ink.device) for size in (height, width))
    ink = ink / ink.sum(dim=(1, 2), keepdim=True).clamp(min=torch.finfo(ink.dtype).tiny)
    down, right = ink.sum(dim=2), ink.sum(dim=1)
    from_row = row - (down @ row)[:, None]
    from_column = column - (right @ column)[:, None]
    covariance = torch.einsum("brc,br,bc->b", ink, from_row, from_column)
    variance = (down * from_row.square()).sum(dim=1)
    lean = -covariance / variance.clamp(min=torch.finfo(ink.dtype).tiny)
    return (lean > lean.median()).long()
