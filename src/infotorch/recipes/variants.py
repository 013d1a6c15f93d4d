"""The variants of a published table: what sets each apart from the others, and the recipes that they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from infotorch.recipes.changes import change
from infotorch.recipes.recipe import Published, Recipe
from infotorch.recipes.search_settings import SearchRange
from infotorch.recipes.settings import SettingValue

#: Variant -> the dotted settings that its search found. A table's file has it as `FOUND`; the record of the search lies
#: in results/<table>.searches.jsonl.
Found: TypeAlias = Mapping[str, Mapping[str, SettingValue]]


class Variant(NamedTuple):
    """What sets one variant of a table apart: what it is, its objectives, its settings, and what is searched.

    Args:
        description: the variant in one line.
        hidden: an objective for each module before the output module; empty where the plan is the table's own.
        together: all modules in every step, instead of one after another.
        isolated: False lets gradients cross the modules.
        changes: dotted settings of this variant, which its search leaves alone.
        search: settings searched beside the table's.
        cuts: names of the layers that start the second, third, ... module, where they are not the table's.
        during: dotted settings of its trials alone, beside the table's.

    Example:
        >>> Variant("two local modules, one after the other", ("X", "Y")).staged
        True
    """

    description: str
    hidden: tuple[str, ...] = ()
    together: bool = False
    isolated: bool = True
    changes: Mapping[str, SettingValue] = {}
    search: Mapping[str, SearchRange] = {}
    cuts: tuple[str, ...] | None = None
    during: Mapping[str, SettingValue] = {}

    @property
    def staged(self) -> bool:
        """Whether several modules train one after another."""
        return not self.together and any(objective != "frozen" for objective in self.hidden)


class Stages(NamedTuple):
    """How a table's networks are cut into modules, and how long and how fast those train.

    Args:
        cuts: names of the layers that start the second, third, ... module.
        epochs: epochs of each stage where modules train one after another.
        together_epochs: epochs where all train at once, or one alone.
        output_lr: rate of the output module behind frozen modules.

    Example:
        >>> Stages(("fc2", "fc3"), epochs=10, together_epochs=20).output_lr
        0.01
    """

    cuts: tuple[str, ...]
    epochs: int
    together_epochs: int
    output_lr: float = 0.01


def make_variants(
    base: Recipe,
    variants: Mapping[str, Variant],
    *,
    stages: Stages | None = None,
    found: Found | None = None,
    published: Mapping[str, Published | tuple[float, str]] | None = None,
    metric: str = "test_accuracy",
) -> list[Recipe]:
    """The recipes of a table.

    Args:
        base: what the variants share.
        variants: name -> variant, the method's own first.
        stages: how modules train; None for a table whose variants train whole networks.
        found: variant -> dotted settings that its search found.
        published: variant -> the published number and what `base.source` calls it; or with a source of its own.
        metric: of which metric the published numbers are.

    Example:
        >>> from infotorch.recipes.registry import find_recipe
        >>> demo = find_recipe("demo")
        >>> (recipe,) = make_variants(demo, {"bp": Variant("slowly", changes={"optimizer.lr": 1e-4})})
        >>> recipe.variant, recipe.optimizer.lr
        ('bp', 0.0001)
    """
    settings, numbers = found or {}, published or {}
    made = []
    for name, variant in variants.items():
        space = {key: where for key, where in base.search.space.items() if key not in variant.changes}
        search = {"space": {**space, **variant.search}, "during": {**base.search.during, **variant.during}}
        named = {
            "variant": name,
            "description": variant.description,
            "published": {metric: _number(base, numbers[name])} if name in numbers else {},
            "search": base.search.model_copy(update=search),
        }
        training = {} if stages is None else _training(variant, stages)
        changes = {**training, **variant.changes, **settings.get(name, {})}
        made.append(change(base.model_copy(update=named), changes))
    return made


def _number(base: Recipe, number: Published | tuple[float, str]) -> Published:
    return number if isinstance(number, Published) else Published(value=number[0], source=f"{base.source}: {number[1]}")


def _training(variant: Variant, stages: Stages) -> dict[str, SettingValue]:
    cuts = stages.cuts if variant.cuts is None else variant.cuts
    return {
        "plan.cuts": cuts if variant.hidden else (),
        "plan.objectives": (*variant.hidden, "CE"),
        "plan.order": "simultaneous" if variant.together else "sequential",
        "plan.isolated": variant.isolated,
        "optimizer.output_lr": stages.output_lr if variant.staged else None,
        "epochs": stages.epochs if variant.staged else stages.together_epochs,
        "cache": "memory" if variant.hidden and not variant.together else None,
    }
