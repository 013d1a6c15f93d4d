"""The rows that every layer-by-layer information-bottleneck table has, on a perceptron with two hidden layers.

The network is in - h1 - h2 - classes. Layer-wise rows train fc1, fc2, fc3 one after another, each frozen when done,
then one linear layer by cross-entropy that folds into fc3 (Elad et al. 2019, Sec. 4).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from infotorch.recipes.recipe import (
    DataSettings,
    NetworkSettings,
    OptimizerSettings,
    PlanSettings,
    Published,
    Recipe,
    SearchRange,
    SearchSettings,
)

_LAYERWISE = ("fc2", "fc3", "head")
# The linear layer behind frozen features is a convex problem of a hundred weights: a high rate, annealed, solves it.
_OUTPUT_LR = 0.03
_CONVEX_RATE = {"optimizer.lr": SearchRange(low=1e-3, high=1e-1)}
_PENALTY = {"plan.beta": SearchRange(low=1e-3, high=1.0), "plan.noise_std": SearchRange(low=1.0, high=30.0)}
_DECAY = {"optimizer.weight_decay": SearchRange(low=1e-3, high=1.0)}


class _Row(NamedTuple):
    description: str
    plan: dict[str, Any]
    head: bool = True
    optimizer: str = "adam"
    search: dict[str, SearchRange] = {}  # noqa: RUF012  (beside the rate; never changed)


_IB = {"cuts": _LAYERWISE, "objectives": ("IB", "IB", "IB", "CE")}
_Y = {"cuts": _LAYERWISE, "objectives": ("Y", "Y", "Y", "CE")}

_ROWS: dict[str, _Row] = {
    "full-bound": _Row(
        "layer by layer, -I(Y;L) + beta I(X;L+eps): read-out bound, Gaussian upper bound as penalty",
        _IB,
        search=_PENALTY,
    ),
    "mi-only": _Row("layer by layer, -I(Y;L): read-out bound, no penalty", _Y),
    "weight-decay": _Row(
        "mi-only with decoupled weight decay in place of the penalty",
        _Y,
        optimizer="adamw",
        search=_DECAY,
    ),
    "ce": _Row("end-to-end back-propagation of cross-entropy", {}, head=False),
    "deep-bp": _Row(
        "back-propagation through the whole network with full-bound's local losses attached (deep supervision)",
        {**_IB, "order": "simultaneous", "isolated": False},
        search=_PENALTY,
    ),
    "random": _Row(
        "fc1 and fc2 as initialised, fc3 by cross-entropy: what untrained features give",
        {"cuts": ("fc2", "fc3"), "objectives": ("frozen", "frozen", "CE")},
        head=False,
        search=_CONVEX_RATE,
    ),
}


def bottleneck_rows(
    *,
    name: str,
    title: str,
    source: str,
    data: DataSettings,
    hidden: tuple[int, ...],
    epochs: int,
    end_to_end_epochs: int,
    batch_size: int,
    validate_every: int,
    published: dict[str, Published],
    search: SearchSettings,
    highest_lr: float,
    settings: dict[str, dict[str, Any]],
    renamed: dict[str, str] | None = None,
) -> list[Recipe]:
    """The table's rows.

    Args:
        name: name of the recipe.
        title: the table in a few words.
        source: where it was published.
        data: which rows of which set.
        hidden: widths of the hidden layers.
        epochs: epochs of each of the four stages of a layer-wise row.
        end_to_end_epochs: epochs of a row that trains all layers at once, or one layer alone.
        batch_size: rows a step.
        validate_every: epochs between two looks at the validation rows.
        published: variant -> its published test accuracy.
        search: trials and seeds of the search that found the settings.
        highest_lr: upper end of the rates that are searched.
        settings: variant -> {"lr", "beta", "noise_std", "weight_decay"}: what the search found.
        renamed: variant -> the name that this table gives it.
    """
    rate = SearchRange(low=3e-4, high=highest_lr)
    return [
        Recipe(
            name=name,
            variant=(renamed or {}).get(variant, variant),
            title=title,
            description=row.description,
            source=source,
            data=data,
            network=NetworkSettings(hidden=hidden, head=row.head),
            plan=PlanSettings(**row.plan, **{k: v for k, v in settings[variant].items() if k in {"beta", "noise_std"}}),
            optimizer=OptimizerSettings(
                name=row.optimizer,  # pyright: ignore[reportArgumentType]
                lr=settings[variant]["lr"],
                output_lr=_OUTPUT_LR if _is_staged(row) else None,
                weight_decay=settings[variant].get("weight_decay", 0.0),
            ),
            epochs=epochs if _is_staged(row) else end_to_end_epochs,
            batch_size=batch_size,
            validate_every=validate_every,
            cache="memory" if _is_staged(row) or variant == "random" else None,
            published={"test_accuracy": published[variant]} if variant in published else {},
            search=search.model_copy(update={"space": {"optimizer.lr": rate} | row.search}),
        )
        for variant, row in _ROWS.items()
    ]


def _is_staged(row: _Row) -> bool:
    return len(row.plan.get("objectives", ())) == 4 and row.plan.get("order") != "simultaneous"
