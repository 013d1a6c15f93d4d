"""What a row of a table of module-wise training says, and the recipe that it makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from infotorch.recipes.changes import change
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchRange


class Variant(NamedTuple):
    """One row: what it is, its objectives, how the modules are trained, and what is searched.

    Args:
        description: the row in one line.
        hidden: an objective for each module before the output module; empty for back-propagation.
        together: all modules in every step, instead of one after another.
        isolated: False lets gradients cross the modules.
        changes: dotted settings of this row, which its search leaves alone.
        search: settings searched beside the rate.
        cuts: names of the layers that start the second, third, ... module, where they are not the table's.
        during: dotted settings of its trials alone, beside the table's.
    """

    description: str
    hidden: tuple[str, ...] = ()
    together: bool = False
    isolated: bool = True
    changes: Mapping[str, Any] = {}
    search: dict[str, SearchRange] = {}  # noqa: RUF012  (never changed)
    cuts: tuple[str, ...] | None = None
    during: Mapping[str, Any] = {}

    @property
    def staged(self) -> bool:
        """Whether several modules train one after another."""
        return not self.together and sum(objective != "frozen" for objective in self.hidden) > 0


def make_variants(
    base: Recipe,
    rows: Mapping[str, Variant],
    *,
    cuts: tuple[str, ...],
    epochs: int,
    together_epochs: int,
    output_lr: float,
    settings: Mapping[str, Mapping[str, Any]],
) -> list[Recipe]:
    """The recipes of a table.

    Args:
        base: what the rows share; its published numbers are keyed by variant.
        rows: variant -> row.
        cuts: names of the layers that start the second, third, ... module.
        epochs: epochs of each stage where modules train one after another.
        together_epochs: epochs where all train at once, or one alone.
        output_lr: rate of the output module behind frozen modules.
        settings: variant -> dotted settings that a search found.
    """
    made = []
    for variant, row in rows.items():
        plan = base.plan.model_copy(
            update={
                "cuts": (cuts if row.cuts is None else row.cuts) if row.hidden else (),
                "objectives": (*row.hidden, "CE"),
                "order": "simultaneous" if row.together else "sequential",
                "isolated": row.isolated,
            }
        )
        recipe = base.model_copy(
            update={
                "variant": variant,
                "description": row.description,
                "plan": plan,
                "optimizer": base.optimizer.model_copy(update={"output_lr": output_lr if row.staged else None}),
                "epochs": epochs if row.staged else together_epochs,
                "cache": "memory" if row.hidden and not row.together else None,
                "published": {"test_accuracy": base.published[variant]} if variant in base.published else {},
                "search": base.search.model_copy(
                    update={
                        "space": {k: v for k, v in base.search.space.items() if k not in row.changes} | row.search,
                        "during": {**base.search.during, **row.during},
                    }
                ),
            }
        )
        made.append(change(recipe, {**row.changes, **settings.get(variant, {})}))
    return made
