"""The variants that MOLE's tables share: ours, back-propagation, and other local objectives on the same plan.

Modules train one after another, each frozen when done (Li & Pei 2023): X maximises I(T; X), Y maximises I(T; Y), and
the output module minimises cross-entropy.

The variants of the first tables were searched in spaces that are not the same for all, and some found an edge. Two
kinds of variants make up for that. A control has every setting of another variant but for one thing, and no search of
its own: `random-mine` is `mine` with its modules of X as initialised. And all `wide-...` are searched in one space with
one number of trials.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchRange
from infotorch.recipes.settings import SettingValue
from infotorch.recipes.variants import Found, Stages, Variant, make_variants

_T = TypeVar("_T")

SOURCE = "Li & Pei 2023, Table 1"

_TEMPERATURE = {"plan.options.Y:supcon.temperature": SearchRange(low=0.05, high=1.0)}
_DROPOUT = {"network.dropout": SearchRange(values=(0.0, 0.2, 0.4))}
_WIDE = {
    "optimizer.lr": SearchRange(low=1e-4, high=1e-1),
    "network.dropout": SearchRange(values=(0.0, 0.2, 0.4, 0.6, 0.8)),
}
_DECOUPLED = SearchRange(low=1e-4, high=1.0)
#: More than the ten that Optuna's sampler draws at random.
_WIDE_TRIALS = 16
GRID_SEARCH = {"plan.options.X:renyi.grids": SearchRange(values=("product", "mean", "whole"))}

_OTHERS = {
    "forward-forward": ("Y:forward-forward", "Forward-Forward (Hinton 2022)"),
    "hsic": ("Y:hsic", "HSIC bottleneck (Ma, Lewis & Kleijn 2020)"),
    "kernel": ("Y:kernel", "pairwise kernels of the classes (Duan, Yu & Principe 2021)"),
    "predsim": ("Y:predsim", "similarity matching and a local prediction (Nokland & Eidnes 2019)"),
    "associated": ("Y:associated", "Associated Learning (Kao & Chen 2021)"),
}


def kernel_search(*objectives: str) -> dict[str, SearchRange]:
    """The kernel of matrix-based objectives, which the paper leaves open: its published code has the first of the two.

    Example:
        >>> list(kernel_search("X:renyi"))
        ['plan.options.X:renyi.kernel']
    """
    kernels = SearchRange(values=("exp(-d2/s)", "exp(-d2/2s2)"))
    return {f"plan.options.{objective}.kernel": kernels for objective in objectives}


def comparison_variants(count: int, length_cuts: tuple[str, ...]) -> dict[str, Variant]:
    """Other local objectives, each for all hidden modules.

    Args:
        count: number of hidden modules.
        length_cuts: the table's cuts in a network whose modules divide their input by its length.
    """
    made = {
        name: Variant(f"{what}, module by module", (objective,) * count) for name, (objective, what) in _OTHERS.items()
    }
    forward = made["forward-forward"]._replace(changes={"network.norm": "length"}, cuts=length_cuts)
    return {**made, "forward-forward": forward}


def best_variants(count: int) -> dict[str, Variant]:
    """Ours: supervised contrast and a read-out in every module, all at once; and the same with crossing gradients.

    Each is searched: the settings of the two differ. `best-crossed` has those of `best`.
    """
    best = Variant(
        "ours: supervised contrast and a read-out in every module, all modules at once",
        ("Y:supcon+Y:readout",) * count,
        together=True,
        search=_TEMPERATURE | _DROPOUT,
    )
    crossing = "the losses of best with gradients that cross the modules (deep supervision)"
    return {"best": best, "deep-bp": best._replace(description=crossing, isolated=False)}


def bp_variant() -> Variant:
    """End-to-end back-propagation, tuned with the budget of the others."""
    return Variant("end-to-end back-propagation of cross-entropy", search=_DROPOUT)


def controls_of(
    variants: Mapping[str, Variant], *, frozen: Mapping[str, str], readout: Mapping[str, str]
) -> dict[str, Variant]:
    """What tells the worth of a variant's modules of X from the cost of its modules of Y.

    Args:
        variants: a table's.
        frozen: control -> variant: the modules of X as initialised, and the same Y.
        readout: control -> variant: the same X, and the read-out bound as Y.

    Returns:
        Control -> what it trains, to be searched; `as_found` gives it the settings of its variant.

    Example:
        >>> mine = Variant("", ("X:mine", "Y:mine"))
        >>> made = controls_of({"mine": mine}, frozen={"random-mine": "mine"}, readout={"mine-readout": "mine"})
        >>> [variant.hidden for variant in made.values()]
        [('frozen', 'Y:mine'), ('X:mine', 'Y')]
        >>> made["random-mine"].description
        "X as initialised, Y as mine's"
    """
    without_x = {
        name: _replaced(variants[of], "X", "frozen", f"X as initialised, Y as {of}'s") for name, of in frozen.items()
    }
    with_readout = {
        name: _replaced(variants[of], "Y", "Y", f"X as {of}'s, Y by the read-out bound") for name, of in readout.items()
    }
    return without_x | with_readout


def _replaced(variant: Variant, kind: str, objective: str, description: str) -> Variant:
    """The variant with other objectives in place of all that begin with a kind, and nothing that belonged to those."""
    hidden = tuple(objective if name.startswith(kind) else name for name in variant.hidden)
    made = variant._replace(description=description, hidden=hidden)
    return made._replace(changes=_fitting(made, variant.changes), search=_fitting(made, variant.search))


def _fitting(variant: Variant, settings: Mapping[str, _T]) -> dict[str, _T]:
    """Settings without those that belong to objectives which a variant does not have."""
    begins = "plan.options."
    parts = {part for objective in variant.hidden for part in objective.replace("|", "+").split("+")}
    return {
        key: value
        for key, value in settings.items()
        if not key.startswith(begins) or key.removeprefix(begins).rpartition(".")[0] in parts
    }


def as_found(variant: Variant, settings: Mapping[str, SettingValue]) -> Variant:
    """A variant with the settings that were found for another one, but for that one's objectives; it is not searched.

    Example:
        >>> found = {"optimizer.lr": 0.01, "plan.options.X:renyi.grids": "mean"}
        >>> as_found(Variant("", ("frozen", "Y:mine")), found).changes
        {'optimizer.lr': 0.01}
    """
    kept = {key: value for key, value in _fitting(variant, settings).items() if key != "plan.objectives"}
    return variant._replace(changes={**kept, **variant.changes}, search={})


def crossed_variant(best: Variant) -> Variant:
    """The losses of `best` with gradients that cross the modules."""
    return best._replace(description="as best, with gradients that cross the modules", together=True, isolated=False)


def auto_variant(count: int) -> Variant:
    """Automatic assignment, chosen on validation samples before a run.

    Args:
        count: number of hidden modules.
    """
    description = "automatic assignment: every number of modules of X before modules of Y, chosen on validation samples"
    return Variant(description, ("X",) * count, changes={"plan.objectives": ("auto",)})


def wide_variants(
    base: Recipe,
    variants: Mapping[str, Variant],
    *,
    stages: Stages,
    found: Found,
    weight_decay: SearchRange = _DECOUPLED,
) -> list[Recipe]:
    """The variants `wide-<name>`: all are searched in one space, with one number of trials.

    Args:
        base: what the variants share; what its space has beside the rate stays.
        variants: name -> variant; what it searches beside the space stays: its objective's own settings.
        stages: how modules train.
        found: `wide-<name>` -> what its search found; without that a variant has the settings of `base`.
        weight_decay: where the optimiser's is searched.
    """
    space = {**base.search.space, **_WIDE, "optimizer.weight_decay": weight_decay}
    search = base.search.model_copy(update={"space": space, "trials": _WIDE_TRIALS})
    alike = {
        f"wide-{name}": variant._replace(
            description=f"{variant.description}; searched as all wide-... are",
            search={key: where for key, where in variant.search.items() if key not in space},
        )
        for name, variant in variants.items()
    }
    return make_variants(base.model_copy(update={"search": search}), alike, stages=stages, found=found)
