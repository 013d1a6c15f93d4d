"""Another network on the same data, whose attacks are tried on those of a table: one a seed, for all variants."""

from __future__ import annotations

import functools

from torch import nn

from infotorch.recipes.assessment_settings import AssessmentSettings
from infotorch.recipes.optimizer_settings import OptimizerSettings, ScheduleSettings
from infotorch.recipes.plan_settings import PlanSettings, SplitSettings
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.remedy_settings import RemedySettings
from infotorch.recipes.search_settings import SearchSettings
from infotorch.runs.setup import Setup
from infotorch.training.loop import train

# Added to the run's seed: no table and no search has as many seeds.
_APART = 20_000


def surrogate_recipe(recipe: Recipe) -> Recipe:
    """The plain network of a recipe: its data, widths, epochs and batches; cross-entropy by Adam, and nothing else.

    Example:
        >>> from infotorch.recipes.registry import find_recipe
        >>> first, second = (surrogate_recipe(find_recipe("remedies-mnist", name)) for name in ("vib", "dropout"))
        >>> first == second, first.remedy.system
        (True, 'plain')
    """
    plain = {
        "variant": "surrogate",
        "description": "",
        "network": recipe.network.model_copy(update={"dropout": 0.0}),
        "plan": PlanSettings(),
        "split": SplitSettings(),
        "remedy": RemedySettings(system="plain", code=recipe.remedy.code) if recipe.remedy.system else RemedySettings(),
        "assessment": AssessmentSettings(),
        "optimizer": OptimizerSettings(name="adam"),
        "schedule": ScheduleSettings(),
        "search": SearchSettings(),
        "published": {},
        "tune": False,
        "changed": (),
    }
    return recipe.model_copy(update=plain)


def surrogate_network(recipe: Recipe, *, seed: int, device: str) -> nn.Module:
    """The trained network of `surrogate_recipe`; trained once a process for each seed.

    Args:
        recipe: a variant.
        seed: of the run; the surrogate has another of its own.
        device: where it is trained.

    Raises:
        ValueError: the settings do not fit the data.
    """
    return _trained(surrogate_recipe(recipe).model_dump_json(), seed, device)


@functools.lru_cache(maxsize=8)
def _trained(settings: str, seed: int, device: str) -> nn.Module:
    setup = Setup(Recipe.model_validate_json(settings), seed + _APART, device)
    setup.prepare()
    for _ in train(setup.plan, setup.batches, epochs=setup.recipe.epochs, seed=seed + _APART, fabric=setup.fabric):
        pass
    return setup.model.eval().requires_grad_(False)
