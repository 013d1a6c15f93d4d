"""A variant of a table that is computed and not trained: a demonstration, and the few numbers that it takes."""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence

from pydantic import Field

from infotorch.recipes.recipe import Published, Recipe
from infotorch.recipes.settings import Settings


class Demonstration(Settings):
    """A variant that is computed and not trained, by `infotorch.theory`; nothing in it depends on a seed.

    Args:
        name: name of the table.
        variant: its name, that of the demonstration too.
        title: the table in a few words.
        description: it in one line.
        source: what is demonstrated.
        values: the numbers that it takes.
        published: metric -> number from the literature.
        changed: the values that were changed on the command line.
    """

    name: str
    variant: str
    title: str
    description: str
    source: str
    values: dict[str, int | float] = Field(default_factory=dict)
    published: dict[str, Published] = Field(default_factory=dict)
    changed: tuple[str, ...] = ()

    def seeds(self, most: int) -> range:
        """The seeds that a table of `most` seeds runs it with: 0 alone, as nothing is random."""
        return range(min(most, 1))


#: A variant of a table.
AnyRecipe = Recipe | Demonstration


def change_demonstration(demonstration: Demonstration, assignments: Sequence[str]) -> Demonstration:
    """The demonstration with values such as "noise=0.1" from a command line; they are noted in `changed`.

    Raises:
        ValueError: an assignment without "=", an unknown value (near misses are suggested), or no number.

    Example:
        >>> names = dict.fromkeys(("name", "variant", "title", "description", "source"), "toy")
        >>> change_demonstration(Demonstration(**names, values={"noise": 0.05}), ["noise=0.1"]).values
        {'noise': 0.1}
    """
    values = dict(demonstration.values)
    for assignment in assignments:
        key, equals, text = (part.strip() for part in assignment.partition("="))
        if not equals:
            raise ValueError(f"--set takes key=value, got {assignment!r}.")
        if key not in values:
            near = difflib.get_close_matches(key, values, n=2)
            hint = f"did you mean {' or '.join(near)}?" if near else f"values: {', '.join(values)}."
            raise ValueError(f"{demonstration.name} {demonstration.variant} has no value {key!r}; {hint}")
        values[key] = _number(demonstration, key, text)
    return demonstration.model_copy(update={"values": values, "changed": (*demonstration.changed, *assignments)})


def _number(demonstration: Demonstration, key: str, text: str) -> int | float:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = text
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{demonstration.name} {demonstration.variant}: {key} must be a number, got {text!r}.")
    return value


def trained(recipe: AnyRecipe) -> Recipe:
    """The variant, if it trains a network.

    Raises:
        ValueError: it is a demonstration.
    """
    if isinstance(recipe, Demonstration):
        raise ValueError(
            f"{recipe.name} {recipe.variant} is a demonstration and trains nothing; choose another --variant."
        )
    return recipe
