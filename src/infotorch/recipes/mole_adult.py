"""Li & Pei 2023 (MOLE), Table 1, Adult: 104-64-16-2, ReLU, assignment X, Y, CE.

The paper leaves out epochs, rates, batch size, kernel widths and critics; the settings below were found by the search
that `--set tune=true` repeats, on validation samples. Its record lies in results/mole-adult.searches.jsonl. Controls
have the settings of their variant, `auto` those of `readout`; `mole_table` says what `wide-...` are: without settings
in `FOUND` they have not been searched yet.
"""

from __future__ import annotations

from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.mole_table import (
    SOURCE,
    as_found,
    auto_variant,
    best_variants,
    bp_variant,
    comparison_variants,
    controls_of,
    crossed_variant,
    kernel_search,
    wide_variants,
)
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.optimizer_settings import OptimizerSettings
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchRange, SearchSettings
from infotorch.recipes.variants import Found, Stages, Variant, make_variants

_VARIANTS = {
    "matrix": Variant(
        "X then Y by matrix-based Renyi information, the paper's own",
        ("X:renyi", "Y:renyi"),
        search=kernel_search("X:renyi", "Y:renyi"),
    ),
    "mine": Variant("X then Y by MINE, the paper's own", ("X:mine", "Y:mine")),
    "label-free": Variant(
        "the first module without labels (reconstruction bound), then the read-out bound", ("X", "Y")
    ),
    "infonce": Variant("X then Y by InfoNCE", ("X:infonce", "Y:infonce")),
    "readout": Variant("the read-out bound H(Y) - CE for both hidden modules", ("Y", "Y")),
    **best_variants(2),
    "bp": bp_variant(),
    "random": Variant("the first layer as initialised, then the read-out bound", ("frozen", "Y")),
    **comparison_variants(2, ("fc2_length", "fc3")),
}
_FROZEN = {"random-mine": "mine", "random-matrix": "matrix", "random-infonce": "infonce"}
_READOUT = {"mine-readout": "mine", "matrix-readout": "matrix", "infonce-readout": "infonce"}
_CONTROLS = controls_of(_VARIANTS, frozen=_FROZEN, readout=_READOUT)
# Behind the read-out bound `random` has a norm and a rate of its own search; these have those of the row beside them.
_UNTRAINED = {
    "random-readout-mine": ("mine-readout", "mine"),
    "random-readout-matrix": ("matrix-readout", "matrix"),
    "random-readout-infonce": ("infonce-readout", "infonce"),
    "random-label-free": ("label-free", "label-free"),
}
_BESIDE = controls_of(_VARIANTS | _CONTROLS, frozen={name: of for name, (of, _) in _UNTRAINED.items()}, readout={})
_PARALLEL = Variant("two encoders of 32 units side by side, each by MINE, then Y by MINE", ("X:mine|X:mine", "Y:mine"))
#: What claims name.
_WIDE = ("bp", "best", "deep-bp", "readout", "label-free", "random", "mine", "matrix", "infonce")

FOUND: Found = {
    "associated": {"optimizer.lr": 0.00326, "network.norm": "none"},
    "best": {
        "optimizer.lr": 0.0086,
        "network.norm": "batch",
        "plan.options.Y:supcon.temperature": 0.0713,
        "network.dropout": 0.4,
    },
    "bp": {"optimizer.lr": 0.00301, "network.norm": "none", "network.dropout": 0.4},
    "deep-bp": {
        "optimizer.lr": 0.00268,
        "network.norm": "none",
        "plan.options.Y:supcon.temperature": 0.508,
        "network.dropout": 0.2,
    },
    "forward-forward": {"optimizer.lr": 0.0015},
    "hsic": {"optimizer.lr": 0.0015, "network.norm": "none"},
    "infonce": {"optimizer.lr": 0.000433, "network.norm": "batch"},
    "kernel": {"optimizer.lr": 0.0159, "network.norm": "none"},
    "label-free": {"optimizer.lr": 0.0086, "network.norm": "batch"},
    "matrix": {
        "optimizer.lr": 0.0127,
        "network.norm": "none",
        "plan.options.X:renyi.kernel": "exp(-d2/s)",
        "plan.options.Y:renyi.kernel": "exp(-d2/2s2)",
    },
    "mine": {"optimizer.lr": 0.00296, "network.norm": "batch"},
    "predsim": {"optimizer.lr": 0.00326, "network.norm": "none"},
    "random": {"optimizer.lr": 0.0159, "network.norm": "none"},
    "readout": {"optimizer.lr": 0.0015, "network.norm": "none"},
}


def variants() -> list[Recipe]:
    """The table's variants."""
    base = Recipe(
        name="mole-adult",
        title="Module-wise training by mutual information, Adult",
        source=SOURCE,
        data=DataSettings(name="adult"),
        network=NetworkSettings(hidden=(64, 16), norm="batch"),
        optimizer=OptimizerSettings(name="adamw", lr=1e-3, weight_decay=1e-2),
        batch_size=256,
        embedding_samples=500,
        search=SearchSettings(
            trials=10,
            space={
                "optimizer.lr": SearchRange(low=3e-4, high=2e-2),
                "network.norm": SearchRange(values=("none", "batch")),
            },
            during={"epochs": 5},
        ),
    )
    published = {
        "bp": (0.8394, "BP"),
        "matrix": (0.8479, "matrix-based"),
        "mine": (0.8369, "MINE"),
    }
    stages = Stages(("fc2", "fc3"), epochs=10, together_epochs=20)
    rows = {
        **_VARIANTS,
        **{name: as_found(_CONTROLS[name], FOUND[of]) for name, of in (_FROZEN | _READOUT).items()},
        **{name: as_found(_BESIDE[name], FOUND[of]) for name, (_, of) in _UNTRAINED.items()},
        "best-crossed": as_found(crossed_variant(_VARIANTS["best"]), FOUND["best"]),
        "parallel": as_found(_PARALLEL, FOUND["mine"]),
        "auto": as_found(auto_variant(2), FOUND["readout"]),
    }
    wide = {name: _VARIANTS[name] for name in _WIDE} | _CONTROLS
    made = make_variants(base, rows, stages=stages, found=FOUND, published=published)
    return made + wide_variants(base, wide, stages=stages, found=FOUND)
