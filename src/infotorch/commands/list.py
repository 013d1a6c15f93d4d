"""`infotorch list [TOPIC]`: names that other commands take, with a line on each."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from infotorch.commands.data import print_data
from infotorch.commands.view import print_columns

_Topic = Literal["recipes", "variants", "estimators", "objectives", "data"]


def list_(
    topic: Annotated[_Topic, typer.Argument(metavar="TOPIC", help="What to list.")] = "recipes",
    recipe: Annotated[str | None, typer.Argument(metavar="RECIPE", help="For `variants`: whose.")] = None,
) -> None:
    """List recipes, their variants, estimators, objectives or data."""
    if recipe is not None and topic != "variants":
        raise ValueError(f"list {topic}: takes no name, got {recipe!r}; only `list variants RECIPE` does.")
    if topic == "data":
        print_data()
    else:
        print_columns(list(_lines(topic, recipe).items()))


def _lines(topic: str, recipe: str | None) -> dict[str, str]:
    if topic == "estimators":
        from infotorch.estimators.registry import describe_estimators

        return describe_estimators()
    if topic == "objectives":
        from infotorch.objectives.names import describe_objectives

        return describe_objectives()
    from infotorch.recipes.registry import recipe_names, variants_of

    if topic == "recipes":
        return {name: variants_of(name)[0].title for name in recipe_names()}
    if recipe is None:
        raise ValueError(f"list variants: RECIPE is missing; recipes: {', '.join(recipe_names())}.")
    return {one.variant: one.description for one in variants_of(recipe)}
