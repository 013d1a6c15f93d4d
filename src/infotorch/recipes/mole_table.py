"""The rows that MOLE's tables share: ours, back-propagation, and other local objectives on the same plan.

Modules train one after another, each frozen when done (Li & Pei 2023): X maximises I(T; X), Y maximises I(T; Y), and
the output module minimises cross-entropy.
"""

from __future__ import annotations

from infotorch.recipes.search_settings import SearchRange
from infotorch.recipes.variants import Variant

_TEMPERATURE = {"plan.options.Y:supcon.temperature": SearchRange(low=0.05, high=1.0)}
_KERNELS = SearchRange(values=("exp(-d2/s)", "exp(-d2/2s2)"))
#: Settings of the matrix-based rows that the paper leaves open: its published code has the first of each.
MATRIX_SEARCH = {"plan.options.X:renyi.kernel": _KERNELS, "plan.options.Y:renyi.kernel": _KERNELS}
GRID_SEARCH = {"plan.options.X:renyi.grids": SearchRange(values=("product", "mean", "whole"))}
_DROPOUT = {"network.dropout": SearchRange(values=(0.0, 0.2, 0.4))}


def comparison_variants(count: int, length_cuts: tuple[str, ...]) -> dict[str, Variant]:
    """Other local objectives, each for all hidden modules.

    Args:
        count: number of hidden modules.
        length_cuts: the table's cuts in a network whose modules divide their input by its length.
    """
    modules = {"Y:forward-forward": {"changes": {"network.norm": "length"}, "cuts": length_cuts}}
    kinds = {
        "forward-forward": ("Y:forward-forward", "Forward-Forward (Hinton 2022)"),
        "hsic": ("Y:hsic", "HSIC bottleneck (Ma, Lewis & Kleijn 2020)"),
        "kernel": ("Y:kernel", "pairwise kernels of the classes (Duan, Yu & Principe 2021)"),
        "predsim": ("Y:predsim", "similarity matching and a local prediction (Nokland & Eidnes 2019)"),
        "associated": ("Y:associated", "Associated Learning (Kao & Chen 2021)"),
    }
    return {
        variant: Variant(f"{what}, module by module", (objective,) * count, **modules.get(objective, {}))
        for variant, (objective, what) in kinds.items()
    }


def best_variants(count: int) -> dict[str, Variant]:
    """Ours: supervised contrast and a read-out in every module, all at once; and the same with crossing gradients."""
    hidden = ("Y:supcon+Y:readout",) * count
    search = _TEMPERATURE | _DROPOUT
    return {
        "best": Variant(
            "ours: supervised contrast and a read-out in every module, all modules at once",
            hidden,
            together=True,
            search=search,
        ),
        "deep-bp": Variant(
            "the losses of best with gradients that cross the modules (deep supervision)",
            hidden,
            together=True,
            isolated=False,
            search=search,
        ),
    }


def bp_variant() -> Variant:
    """End-to-end back-propagation, tuned with the budget of the others."""
    return Variant("end-to-end back-propagation of cross-entropy", search=_DROPOUT)
