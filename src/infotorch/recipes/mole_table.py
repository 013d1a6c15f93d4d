"""The variants that MOLE's tables share: ours, back-propagation, and other local objectives on the same plan.

Modules train one after another, each frozen when done (Li & Pei 2023): X maximises I(T; X), Y maximises I(T; Y), and
the output module minimises cross-entropy.
"""

from __future__ import annotations

from infotorch.recipes.search_settings import SearchRange
from infotorch.recipes.variants import Variant

SOURCE = "Li & Pei 2023, Table 1"

_TEMPERATURE = {"plan.options.Y:supcon.temperature": SearchRange(low=0.05, high=1.0)}
_DROPOUT = {"network.dropout": SearchRange(values=(0.0, 0.2, 0.4))}
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
    """Ours: supervised contrast and a read-out in every module, all at once; and the same with crossing gradients."""
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
