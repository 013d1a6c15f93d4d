"""Li & Pei 2023 (MOLE), Table 1, Mutagenicity: fc embedding, two message-passing layers, read-out, fc; X, X, Y, CE.

The paper leaves out the layers' kind and widths, the read-out, the split, epochs, rates and critics. Here the message
passing is that of graph isomorphism networks (Xu et al. 2019, which tell more graphs apart than graph convolutions do)
with batch norm, all widths are 64, a molecule's row is the mean over its atoms, and 80 / 10 / 10 % of the molecules are
drawn by the seed. Four stages of 15 epochs each take as many steps as 60 epochs of all modules together. The record of
the searches lies in results/mole-mutagenicity.searches.jsonl. Controls have the settings of their variant,
`random-mine` those of `mine` and of `gmi-mine`, which are the same; the searches of `deep-bp` and `best` found the same
settings. `mole_table` says what `wide-...` are: without settings in `FOUND` they have not been searched yet.

Any set of graphs of TUDataset whose raw files are there can stand in: `--set data.name=tudataset/NAME`.
"""

from __future__ import annotations

from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.mole_table import (
    SOURCE,
    as_found,
    best_variants,
    bp_variant,
    controls_of,
    kernel_search,
    wide_variants,
)
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.optimizer_settings import OptimizerSettings
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchRange, SearchSettings
from infotorch.recipes.variants import Found, Stages, Variant, make_variants

#: embed1 | conv1 | conv2 and read-out | fc1
CUTS = ("conv1", "conv2", "fc1")
# Small critics for fourteen kinds of atoms, whose entropy lies below log 9: the defaults cost three times the step.
_SMALL = {
    f"plan.options.X:{name}.{option}": value
    for name in ("node-mine", "node-infonce", "gmi")
    for option, value in (("hidden", [64]), ("num_negatives", 8))
}

_VARIANTS = {
    "matrix": Variant(
        "X, X, Y by matrix-based Renyi information, the neighbours' mean as one more view, the paper's own",
        ("X:graph-renyi", "X:graph-renyi", "Y:renyi"),
        search=kernel_search("X:graph-renyi", "Y:renyi"),
    ),
    "mine": Variant(
        "X, X, Y by MINE of the nodes' features, the paper's own",
        ("X:node-mine", "X:node-mine", "Y:mine"),
        changes=_SMALL,
    ),
    "gmi-mine": Variant(
        "embedding by MINE, graphical mutual information (GMI), then MINE, the paper's own",
        ("X:node-mine", "X:gmi", "Y:mine"),
        changes=_SMALL,
    ),
    "label-free": Variant(
        "InfoNCE of the nodes' features, graphical mutual information (GMI), then the read-out bound",
        ("X:node-infonce", "X:gmi", "Y"),
        changes=_SMALL,
    ),
    "infograph": Variant(
        "InfoGraph (Sun et al. 2020), nodes against the summaries of all graphs, then the read-out bound",
        ("X:infograph", "X:infograph", "Y"),
    ),
    "readout": Variant("the read-out bound H(Y) - CE for every hidden module", ("Y", "Y", "Y")),
    **best_variants(3),
    "bp": bp_variant(),
    "random": Variant(
        "embedding and first message passing as initialised, then the read-out bound", ("frozen", "frozen", "Y")
    ),
    "graph-forward-forward": Variant(
        "graph Forward-Forward (Paliotta et al. 2023), module by module",
        ("Y:graph-forward-forward",) * 3,
        changes={"network.norm": "length", "data.label_columns": True},
        cuts=("conv1_length", "conv2_length", "fc1"),
    ),
}
_FROZEN = {"random-mine": "mine", "random-matrix": "matrix"}
_READOUT = {"mine-readout": "mine", "matrix-readout": "matrix", "gmi-readout": "gmi-mine"}
_CONTROLS = controls_of(_VARIANTS, frozen=_FROZEN, readout=_READOUT)
#: What claims name.
_WIDE = ("bp", "best", "deep-bp", "readout", "label-free", "random", "mine", "matrix", "gmi-mine")

FOUND: Found = {
    "best": {"optimizer.lr": 0.00301, "plan.options.Y:supcon.temperature": 0.426, "network.dropout": 0.0},
    "bp": {"optimizer.lr": 0.00326, "network.dropout": 0.0},
    "deep-bp": {"optimizer.lr": 0.00301, "plan.options.Y:supcon.temperature": 0.426, "network.dropout": 0.0},
    "gmi-mine": {"optimizer.lr": 0.00296},
    "infograph": {"optimizer.lr": 0.00296},
    "label-free": {"optimizer.lr": 0.00301},
    "matrix": {
        "optimizer.lr": 0.00452,
        "plan.options.X:graph-renyi.kernel": "exp(-d2/2s2)",
        "plan.options.Y:renyi.kernel": "exp(-d2/s)",
    },
    "mine": {"optimizer.lr": 0.00296},
    "random": {"optimizer.lr": 0.00605},
    "readout": {"optimizer.lr": 0.00377},
    "graph-forward-forward": {"optimizer.lr": 0.00605},
}


def variants() -> list[Recipe]:
    """The table's variants."""
    base = Recipe(
        name="mole-mutagenicity",
        title="Module-wise training by mutual information, Mutagenicity",
        source=SOURCE,
        data=DataSettings(name="mutagenicity"),
        network=NetworkSettings(hidden=(), embedding=(64,), convolutions=(64, 64), layer="gin", norm="batch"),
        optimizer=OptimizerSettings(name="adamw", lr=2e-3, weight_decay=1e-2),
        batch_size=128,
        validate_every=5,
        embedding_samples=400,
        search=SearchSettings(
            trials=4,
            space={"optimizer.lr": SearchRange(low=3e-4, high=2e-2)},
            during={"epochs": 15},
        ),
    )
    published = {
        "bp": (0.7763, "BP"),
        "matrix": (0.6655, "matrix-based"),
        "mine": (0.6955, "MINE"),
        "gmi-mine": (0.7601, "GMI+MINE"),
    }
    stages = Stages(CUTS, epochs=15, together_epochs=60)
    controls = {name: as_found(_CONTROLS[name], FOUND[of]) for name, of in (_FROZEN | _READOUT).items()}
    made = make_variants(base, _VARIANTS | controls, stages=stages, found=FOUND, published=published)
    wide = {name: _VARIANTS[name] for name in _WIDE} | _CONTROLS
    made += wide_variants(base, wide, stages=stages, found=FOUND)
    # Outputs of frozen modules are kept by sample, and the nodes of a graph are not samples of their own.
    return [recipe.model_copy(update={"cache": None}) for recipe in made]
