"""Li & Pei 2023 (MOLE), Table 1, MNIST: two convolutions and two linear layers, assignment X, X, Y, CE.

The paper leaves out channels, kernels, pooling, epochs, rates, batch size, kernel widths and critics. The network is
5 x 5 convolutions of 16 and 32 channels with 2 x 2 max pooling, 128 hidden units and batch norm; the settings below
were found by the search that `--set tune=true` repeats, on validation samples. Its record lies in
results/mole-mnist.searches.jsonl. Controls have the settings of their variant, `random-mine` those of `mine` and of
`dim-mine`, which are the same; `auto` has those of `readout`. `mole_table` says what `wide-...` are: without settings
in `FOUND` they have not been searched yet.
"""

from __future__ import annotations

from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.mole_table import (
    GRID_SEARCH,
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

#: conv1 | conv2 | fc1 | fc2
CUTS = ("conv2", "flatten", "fc2")

_VARIANTS = {
    "matrix": Variant(
        "X, X, Y by matrix-based Renyi information, the paper's own",
        ("X:renyi", "X:renyi", "Y:renyi"),
        search=kernel_search("X:renyi", "Y:renyi") | GRID_SEARCH,
    ),
    "mine": Variant("X, X, Y by MINE, the paper's own", ("X:mine", "X:mine", "Y:mine")),
    "dim-mine": Variant(
        "conv1 by Deep InfoMax (grid against grid), conv2 and fc1 by MINE, the paper's own",
        ("X:dim-local", "X:mine", "Y:mine"),
    ),
    "label-free": Variant(
        "convolutions without labels (contrast of affine views), then the read-out bound", ("X:views", "X:views", "Y")
    ),
    "readout": Variant("the read-out bound H(Y) - CE for every hidden module", ("Y", "Y", "Y")),
    **best_variants(3),
    "bp": bp_variant(),
    "random": Variant("convolutions as initialised, then the read-out bound", ("frozen", "frozen", "Y")),
    **comparison_variants(3, ("conv2_length", "flatten", "fc2")),
    "greedy-infomax": Variant(
        "Greedy InfoMax (Loewe, O'Connor & Veeling 2019) on the convolutions, then the read-out bound",
        ("X:greedy-infomax", "X:greedy-infomax", "Y"),
    ),
}
_FROZEN = {"random-mine": "mine", "random-matrix": "matrix"}
_READOUT = {"mine-readout": "mine", "matrix-readout": "matrix", "dim-readout": "dim-mine"}
_CONTROLS = controls_of(_VARIANTS, frozen=_FROZEN, readout=_READOUT)
#: What claims name.
_WIDE = ("bp", "best", "deep-bp", "readout", "label-free", "random", "mine", "matrix", "dim-mine")

FOUND: Found = {
    "best": {"optimizer.lr": 0.00289, "plan.options.Y:supcon.temperature": 0.185, "network.dropout": 0.2},
    "bp": {"optimizer.lr": 0.0088, "network.dropout": 0.2},
    "deep-bp": {"optimizer.lr": 0.00206, "plan.options.Y:supcon.temperature": 0.426, "network.dropout": 0.0},
    "dim-mine": {"optimizer.lr": 0.00203},
    "label-free": {"optimizer.lr": 0.00248},
    "mine": {"optimizer.lr": 0.00203},
    "random": {"optimizer.lr": 0.00248},
    "readout": {"optimizer.lr": 0.00203},
    "matrix": {
        "optimizer.lr": 0.000322,
        "plan.options.X:renyi.kernel": "exp(-d2/s)",
        "plan.options.Y:renyi.kernel": "exp(-d2/2s2)",
        "plan.options.X:renyi.grids": "product",
    },
    "associated": {"optimizer.lr": 0.00368},
    "forward-forward": {"optimizer.lr": 0.00133},
    "hsic": {"optimizer.lr": 0.00368},
    "kernel": {"optimizer.lr": 0.00203},
    "predsim": {"optimizer.lr": 0.00248},
    "greedy-infomax": {"optimizer.lr": 0.00203},
}


def base() -> Recipe:
    """What the variants share."""
    return Recipe(
        name="mole-mnist",
        title="Module-wise training by mutual information, MNIST",
        source=SOURCE,
        data=DataSettings(name="mnist", validation=5000),
        network=NetworkSettings(hidden=(128,), channels=(16, 32), kernel=5, norm="batch"),
        optimizer=OptimizerSettings(name="adamw", lr=2e-3, weight_decay=1e-2),
        batch_size=128,
        embedding_samples=500,
        search=SearchSettings(
            trials=5,
            space={"optimizer.lr": SearchRange(low=3e-4, high=1e-2)},
            during={"data.limit": 10000, "epochs": 4},
        ),
    )


def variants() -> list[Recipe]:
    """The table's variants."""
    published = {
        "bp": (0.9928, "BP"),
        "matrix": (0.9471, "matrix-based"),
        "mine": (0.9449, "MINE"),
        "dim-mine": (0.9685, "DIM+MINE"),
    }
    stages = Stages(CUTS, epochs=5, together_epochs=10)
    rows = {
        **_VARIANTS,
        **{name: as_found(_CONTROLS[name], FOUND[of]) for name, of in (_FROZEN | _READOUT).items()},
        "best-crossed": as_found(crossed_variant(_VARIANTS["best"]), FOUND["best"]),
        "auto": as_found(auto_variant(3), FOUND["readout"]),
    }
    wide = {name: _VARIANTS[name] for name in _WIDE} | _CONTROLS
    made = make_variants(base(), rows, stages=stages, found=FOUND, published=published)
    return made + wide_variants(base(), wide, stages=stages, found=FOUND)
