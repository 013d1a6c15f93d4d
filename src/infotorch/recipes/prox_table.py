"""The rows of the tables of proximal splitting: an optimiser, and what moves the network before the bottleneck.

Every optimiser has the same rows: back-propagation (`bp`); the split of order 1, which is back-propagation with a rate
of its own before the bottleneck; order 2, the paper's method, with the settings that a search found and, as `paper`,
with the paper's own; `hybrid`, ours; and order 2 with the other penalties. All searches have the same budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from infotorch.recipes.changes import change
from infotorch.recipes.recipe import Published, Recipe
from infotorch.recipes.search_settings import SearchRange


class Rates(NamedTuple):
    """The paper's rates for one optimiser: behind the bottleneck (alpha), at it (beta) and before it (gamma)."""

    backward: float
    step_size: float
    forward: float


class Score(NamedTuple):
    """What the paper reports of one optimiser, in the unit of the metric: the baseline, and the method."""

    baseline: float
    method: float


#: Update -> what it is, and its settings of the split.
UPDATES: dict[str, tuple[str, dict[str, Any]]] = {
    "bp": ("back-propagation", {"order": "bp"}),
    "order1": ("first-order split, which is back-propagation with another rate before the bottleneck", {"order": 1}),
    "order2": ("second-order split, the paper's method", {"order": 2}),
    "hybrid": ("ours: down the loss and the second-order penalty together", {"order": "hybrid"}),
    "l1": ("second-order split with the penalty l1", {"order": 2, "penalty": "l1"}),
    "huber": ("second-order split with Huber's penalty", {"order": 2, "penalty": "huber"}),
    "paper": ("second-order split with the paper's rates", {"order": 2}),
}


def prox_variants(
    base: Recipe,
    *,
    at: str,
    rates: Mapping[str, Rates],
    scores: Mapping[str, Score],
    metric: str,
    source: str,
    settings: Mapping[str, Mapping[str, Any]],
) -> list[Recipe]:
    """The recipes `<optimiser>-<update>` of a table.

    Args:
        base: what the rows share.
        at: the layer that the backward half starts with.
        rates: optimiser -> the paper's.
        scores: optimiser -> what the paper reports.
        metric: of which metric.
        source: where.
        settings: variant -> dotted settings that a search found.
    """
    made = []
    for optimizer, own in rates.items():
        for update in UPDATES:
            variant = f"{optimizer}-{update}"
            row = _row(base, optimizer, update, at=at, rates=own)
            reported = _reported(scores[optimizer], update) if optimizer in scores else None
            published = {} if reported is None else {metric: Published(value=reported[0], source=source + reported[1])}
            made.append(change(row.model_copy(update={"published": published}), settings.get(variant, {})))
    return made


#: AdamW without weight decay would be Adam; the paper names none, and 0.01 is torch's.
ADAMW_DECAY = 0.01


def _row(base: Recipe, optimizer: str, update: str, *, at: str, rates: Rates) -> Recipe:
    what, options = UPDATES[update]
    space = {"optimizer.lr": base.search.space["optimizer.lr"]}
    changes: dict[str, Any] = {"optimizer.name": optimizer, "optimizer.lr": rates.backward, "split.at": at}
    changes |= {"optimizer.weight_decay": ADAMW_DECAY} if optimizer == "adamw" else {}
    changes |= {f"split.{key}": value for key, value in options.items()}
    if update != "bp":
        changes |= {"split.step_size": rates.step_size, "split.forward_lr": rates.forward}
        space["split.forward_lr"] = SearchRange(low=1e-4, high=1e-1)
        # The product of both steps is all that order 1 knows.
        space |= {} if update == "order1" else {"split.step_size": SearchRange(low=1e-2, high=10.0)}
    search = base.search.model_copy(update={"space": {} if update == "paper" else space})
    named = {"variant": f"{optimizer}-{update}", "description": f"{optimizer}: {what}", "search": search}
    return change(base.model_copy(update=named), changes)


def _reported(score: Score, update: str) -> tuple[float, str] | None:
    """The paper's number and the name of its row; it reports no other row."""
    return {"bp": (score.baseline, ": baseline"), "paper": (score.method, ": ours")}.get(update)
