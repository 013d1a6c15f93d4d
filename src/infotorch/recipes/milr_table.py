"""The rows of the tables of learning rates from information.

With stochastic gradient descent and the table's momentum: `model` and `layerwise`, the paper's rule; `best`, ours;
`control`, which anneals as `best` does and never looks at the information; `step`, `cosine` and `onecycle`. With an
optimiser of their own: `adam` and `rmsprop` at a constant rate, `lars` with a rate that falls as a cosine, and
`schedule-free` (AdamW). The first four are to have their rates from a range test on training rows, by `infotorch
lr-range`, and have those of their recipe until it has been run; the others have the best initial rate of a search on
validation rows, all with the same budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from infotorch.recipes.changes import change
from infotorch.recipes.recipe import Published, Recipe
from infotorch.recipes.search_settings import SearchRange


class Range(NamedTuple):
    """What a range test found: LR_min, LR_max, LR_top and the threshold epsilon (`RangeTest`)."""

    lr_min: float
    lr_max: float
    lr_top: float
    threshold: float


#: Where the initial rate is looked for.
_OF_SGD = SearchRange(low=3e-3, high=1.0)
_OF_ADAPTIVE = SearchRange(low=1e-4, high=1e-2)
# Of a weight's norm, with each step; above a hundredth short trials do well and long runs leave dead networks.
_OF_LARS = SearchRange(low=3e-4, high=1e-2)

_INFORMED: dict[str, tuple[str, dict[str, Any]]] = {
    "network": (
        "one rate, which falls as I(T; Y) of the output grows: the paper's rule",
        {"optimizer.schedule": "information"},
    ),
    "layerwise": (
        "a rate for each layer, from its own I(T; Y): the paper's rule",
        {"optimizer.schedule": "information", "schedule.layerwise": True},
    ),
    "best": (
        "ours: LR_top until I(T; Y) stands still, then a line down to LR_min; back to the best weights, and slower, "
        "where I(T; Y) of validation rows falls",
        {"optimizer.schedule": "best"},
    ),
    "control": (
        "LR_top, then a line down to LR_min at the end, without information",
        {"optimizer.schedule": "control"},
    ),
}
_OTHERS: dict[str, tuple[str, dict[str, Any], SearchRange]] = {
    "adam": ("Adam at a constant rate", {"optimizer.name": "adam", "optimizer.lr": 1e-3}, _OF_ADAPTIVE),
    "rmsprop": ("RMSprop at a constant rate", {"optimizer.name": "rmsprop", "optimizer.lr": 1e-3}, _OF_ADAPTIVE),
    "lars": (
        "LARS, rates of layers from the norms of weights and gradients; the common rate falls as a cosine",
        {"optimizer.name": "lars", "optimizer.lr": 5e-3, "optimizer.schedule": "cosine"},
        _OF_LARS,
    ),
    "step": ("the rate falls in steps", {"optimizer.schedule": "step", "optimizer.lr": 0.1}, _OF_SGD),
    "cosine": ("the rate falls as a cosine", {"optimizer.schedule": "cosine", "optimizer.lr": 0.1}, _OF_SGD),
    "onecycle": ("the rate rises and falls once", {"optimizer.schedule": "onecycle", "optimizer.lr": 0.1}, _OF_SGD),
    "schedule-free": (
        "schedule-free AdamW: a constant rate and averaged weights",
        {"optimizer.name": "schedule-free", "optimizer.lr": 1e-3},
        _OF_ADAPTIVE,
    ),
}
_WITHOUT_MOMENTUM = {"optimizer.momentum": 0.0, "optimizer.nesterov": False}


def milr_variants(
    base: Recipe,
    *,
    rates: Range,
    scores: Mapping[str, float],
    metric: str = "test_accuracy",
    source: str,
    settings: Mapping[str, Mapping[str, Any]],
) -> list[Recipe]:
    """The recipes of a table.

    Args:
        base: what the rows share: stochastic gradient descent at a constant rate, and the budget of a search.
        rates: of `model`, `layerwise`, `best` and `control`.
        scores: variant -> what the paper reports, in the unit of the metric.
        metric: of which metric.
        source: where.
        settings: variant -> dotted settings that a search found.
    """
    made = []
    for variant, (what, changes) in _INFORMED.items():
        own = {"optimizer.lr": rates.lr_top, "schedule.lr_min": rates.lr_min, "schedule.lr_max": rates.lr_max}
        if changes["optimizer.schedule"] == "information":
            own["schedule.threshold"] = rates.threshold  # that of `best` is a share of what is missing
        made.append(_row(base, variant, what, {**own, **changes}, {}))
    for variant, (what, changes, space) in _OTHERS.items():
        rest = _WITHOUT_MOMENTUM if changes.get("optimizer.name") not in {None, "lars"} else {}
        made.append(_row(base, variant, what, {**rest, **changes}, {"optimizer.lr": space}))
    published = {name: Published(value=value, source=f"{source}: {name}") for name, value in scores.items()}
    rows = [change(row, settings.get(row.variant, {})) for row in made]
    return [
        row.model_copy(update={"published": {metric: published[row.variant]} if row.variant in published else {}})
        for row in rows
    ]


def _row(base: Recipe, variant: str, what: str, changes: dict[str, Any], space: dict[str, SearchRange]) -> Recipe:
    named = {
        "variant": variant,
        "description": what,
        "search": base.search.model_copy(update={"space": space}),
    }
    return change(base.model_copy(update=named), changes)
