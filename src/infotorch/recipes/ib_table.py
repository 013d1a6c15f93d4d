"""The variants that every layer-by-layer information-bottleneck table has.

Layer-wise variants train the layers one after another, each frozen when done, then one linear layer by cross-entropy
that folds into the last one (Elad et al. 2019, Sec. 4).
"""

from __future__ import annotations

from collections.abc import Mapping

from infotorch.recipes.mole_table import as_found, crossed_variant
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchRange
from infotorch.recipes.settings import SettingValue
from infotorch.recipes.variants import Found, Stages, Variant, make_variants

SOURCE = "Elad et al. 2019, Table 1"

# The linear layer behind frozen features is a convex problem of a hundred weights: a high rate, annealed, solves it.
_OUTPUT_LR = 0.03
_CONVEX_RATE = {"optimizer.lr": SearchRange(low=1e-3, high=1e-1)}
_PENALTY = {"plan.beta": SearchRange(low=1e-3, high=1.0), "plan.noise_std": SearchRange(low=1.0, high=30.0)}
# Layers that a MINE trains stay small: less noise than elsewhere, and a high rate for the linear layer behind them.
_ADVERSARY = {
    "optimizer.lr": SearchRange(low=3e-4, high=2e-3),
    "optimizer.critic_lr": SearchRange(low=5e-4, high=3e-3),
    "optimizer.output_lr": SearchRange(low=0.1, high=3.0),
    "plan.beta": SearchRange(values=(0.0, 0.003, 0.01, 0.03, 0.1)),  # without a penalty too
    "plan.noise_std": SearchRange(low=0.1, high=1.0),
}
# With rates for a table whose search has not been made.
_MINE = {
    "plan.precision": "mine",
    "plan.critic_hidden": (256, 256),
    "optimizer.lr": 1e-3,
    "optimizer.critic_lr": 1e-3,
    "optimizer.output_lr": 1.0,
}
_DECAY = {"optimizer.weight_decay": SearchRange(low=1e-3, high=1.0)}
_CONTRAST = {
    "plan.options.Y:supcon.temperature": SearchRange(low=0.05, high=1.0),
    "network.dropout": SearchRange(values=(0.0, 0.2, 0.4)),
}
_NORMED = {"network.norm": "batch", "optimizer.name": "adamw", "optimizer.weight_decay": 0.01}
_HEAD = {"network.head": True}

#: Variant -> the number of the paper that it stands beside, and what the paper calls it.
_REPORTED = {
    "full": ("full", "full IB"),
    "full-bound": ("full", "full IB, there with architecture-aware MINE"),
    "full-equal-epochs": ("full", "full IB"),
    "mi-only-mine": ("mi-only", "I(Y;L)"),
    "mi-only": ("mi-only", "I(Y;L), there with MINE"),
    "ce": ("ce", "cross-entropy"),
}


def ib_variants(
    base: Recipe,
    *,
    layers: tuple[str, ...],
    epochs: int,
    together_epochs: int,
    found: Found,
    scores: Mapping[str, float] | None = None,
    renamed: Mapping[str, str] | None = None,
    during: Found | None = None,
    own: Mapping[str, Variant] | None = None,
) -> list[Recipe]:
    """The recipes of a table.

    Args:
        base: what the variants share.
        layers: names of the layers that start a module, without the first and the head.
        epochs: epochs of each stage of a layer-wise variant.
        together_epochs: epochs of a variant that trains all layers at once, or one layer alone.
        found: variant -> dotted settings that its search found.
        scores: "full", "mi-only" or "ce" -> test accuracy in the paper.
        renamed: variant -> the name that this table gives it.
        during: variant -> dotted settings of its trials alone: shorter ones, where a step costs several.
        own: variants that are this table's own.
    """
    names, reported, trials = renamed or {}, scores or {}, during or {}
    made = {**_variants(layers), **(own or {})}
    return make_variants(
        base,
        {names.get(name, name): v._replace(during=trials.get(name, {})) for name, v in made.items()},
        stages=Stages((*layers, "head"), epochs, together_epochs, _OUTPUT_LR),
        found=found,
        published={name: (reported[row], what) for name, (row, what) in _REPORTED.items() if row in reported},
    )


def full_ib(modules: int) -> Variant:
    """The paper's own functional with its own estimators, for so many modules before the head.

    Example:
        >>> full_ib(3).hidden
        ('IB', 'IB', 'IB')
    """
    return Variant(
        "the paper's own: MINE of I(Y;L), architecture-aware MINE of I(X;L+eps) as penalty, a lower bound that "
        "is minimised",
        ("IB",) * modules,
        changes=_HEAD | _MINE | {"plan.penalty": "aamine", "plan.beta": 0.03, "plan.noise_std": 0.3},
        search=_ADVERSARY,
    )


def best_crossed(layers: tuple[str, ...], settings: Mapping[str, SettingValue]) -> Variant:
    """`best` with its own settings and gradients that cross the layers; `best-bp` has those of a search of its own.

    Args:
        layers: as of `ib_variants`.
        settings: what the search of `best` found.

    Example:
        >>> best_crossed(("fc2",), {"optimizer.lr": 0.01}).isolated
        False
    """
    return as_found(crossed_variant(_variants(layers)["best"]), settings)


def _variants(layers: tuple[str, ...]) -> dict[str, Variant]:
    count = len(layers) + 1
    contrast = ("Y:supcon+Y:readout",) * (count - 1)
    views = ("Y:supcon+Y:readout+X:views",) * (count - 1)
    contrasting = {"together": True, "changes": _NORMED, "search": _CONTRAST, "cuts": layers}
    return {
        "full-bound": Variant(
            "layer by layer, -I(Y;L) + beta I(X;L+eps): read-out bound, Gaussian upper bound as penalty",
            ("IB",) * count,
            changes=_HEAD,
            search=_PENALTY,
        ),
        "full": full_ib(count),
        "mi-only-mine": Variant(
            "the paper's own without a penalty: layer by layer, MINE of I(Y;L)",
            ("IB",) * count,
            changes=_HEAD | _MINE,
            search={key: where for key, where in _ADVERSARY.items() if key.startswith("optimizer.")},
        ),
        "mi-only": Variant("layer by layer, -I(Y;L): read-out bound, no penalty", ("Y",) * count, changes=_HEAD),
        "weight-decay": Variant(
            "mi-only with decoupled weight decay in place of the penalty",
            ("Y",) * count,
            changes=_HEAD | {"optimizer.name": "adamw"},
            search=_DECAY,
        ),
        "supcon": Variant(
            "supervised contrast and a read-out in every hidden layer, all layers at once, batch norm",
            contrast,
            **contrasting,
        ),
        "best": Variant(
            "ours: supcon, and contrast with a random view of every sample (images: a small affine map)",
            views,
            **contrasting,
        ),
        "best-bp": Variant("best's losses, with gradients that cross the layers", views, isolated=False, **contrasting),
        "ce": Variant("end-to-end back-propagation of cross-entropy"),
        "deep-bp": Variant(
            "back-propagation through the whole network with full-bound's local losses attached (deep supervision)",
            ("IB",) * count,
            together=True,
            isolated=False,
            changes=_HEAD,
            search=_PENALTY,
        ),
        "random": Variant(
            "all layers but the last as initialised, the last by cross-entropy: what untrained features give",
            ("frozen",) * (count - 1),
            search=_CONVEX_RATE,
            cuts=layers,
        ),
    }
