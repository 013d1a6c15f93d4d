"""Li & Pei 2023 (MOLE), Table 1, Cora: two graph convolutions and a linear layer, assignment X, Y, CE.

The paper leaves out widths, epochs, rates, weight decay and critics. Every variant has the same network, two graph
convolutions of 512 channels with ReLU, and the public split: objectives of Y and the output module see the labels of
140 nodes, objectives of X see every node. One epoch is one step on the whole graph.

Controls have the settings of their variant: `random-mine` and `gmi-readout` those of `gmi-mine`, `random-readout` those
of `gmi-readout`, `random-best`, `best-together` and `best-crossed` those of `best`, `gmi-together` those of `deep-bp`,
which has other losses than `best` and no dropout. `mole_table` says what `wide-...` are: without settings in `FOUND`
they have not been searched yet.

Any Planetoid graph whose raw files are there can stand in for Cora: `--set data.name=planetoid/NAME`.
"""

from __future__ import annotations

from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.mole_table import SOURCE, as_found, bp_variant, controls_of, crossed_variant, wide_variants
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.optimizer_settings import OptimizerSettings
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchRange, SearchSettings
from infotorch.recipes.variants import Found, Stages, Variant, make_variants

#: conv1 | conv2 | fc1
CUTS = ("conv2", "fc1")
_DROPOUT = {"network.dropout": SearchRange(values=(0.0, 0.5))}

_VARIANTS = {
    "gmi-mine": Variant(
        "graphical mutual information (GMI), then MINE of the labelled nodes, the paper's own", ("X:gmi", "Y:mine")
    ),
    "dgi": Variant("Deep Graph Infomax, then MINE of the labelled nodes", ("X:dgi", "Y:mine")),
    "label-free": Variant("graphical mutual information (GMI) for both convolutions", ("X:gmi", "X:gmi")),
    "readout": Variant("the read-out bound H(Y) - CE for both convolutions", ("Y", "Y"), search=_DROPOUT),
    "best": Variant(
        "ours: Deep Graph Infomax or graphical mutual information (GMI), then what its search finds: Infomax again, "
        "the read-out bound, or that with supervised contrast",
        ("X:dgi", "Y"),
        search={
            "plan.objectives": SearchRange(
                values=("X:dgi,Y,CE", "X:dgi,X:dgi,CE", "X:dgi,Y:supcon+Y:readout,CE", "X:gmi,Y:supcon+Y:readout,CE")
            ),
            **_DROPOUT,
        },
    ),
    "deep-bp": Variant(
        "graphical mutual information (GMI) and the read-out bound, with gradients that cross the modules (deep "
        "supervision); other losses than best's",
        ("X:gmi", "Y"),
        together=True,
        isolated=False,
    ),
    "bp": bp_variant(),
    "random": Variant("convolutions as initialised", ("frozen", "frozen")),
    "graph-forward-forward": Variant(
        "graph Forward-Forward (Paliotta et al. 2023) on the labelled nodes, module by module",
        ("Y:graph-forward-forward", "Y:graph-forward-forward"),
        changes={"network.norm": "length", "data.label_columns": True},
        cuts=("conv2_length", "fc1"),
    ),
}
_CONTROLS = controls_of(_VARIANTS, frozen={"random-mine": "gmi-mine"}, readout={"gmi-readout": "gmi-mine"})
_CONTROLS |= controls_of(_CONTROLS, frozen={"random-readout": "gmi-readout"}, readout={})
_PARALLEL = Variant(
    "two convolutions of 256 channels side by side, each by GMI, then Y by MINE", ("X:gmi|X:gmi", "Y:mine")
)
# What the search of `best` chose.
_BEST = Variant("GMI, then supervised contrast with a read-out", ("X:gmi", "Y:supcon+Y:readout"))
_TOGETHER = _BEST._replace(description="as best, all modules at once: the isolated twin of best-crossed", together=True)
_OF_BEST = {
    **controls_of({"best": _BEST}, frozen={"random-best": "best"}, readout={}),
    "best-together": _TOGETHER,
    "best-crossed": crossed_variant(_BEST),
}
#: What claims name.
_WIDE = ("bp", "gmi-mine", "readout", "random")

FOUND: Found = {
    "dgi": {"optimizer.lr": 0.000517, "optimizer.weight_decay": 0.005},
    "gmi-mine": {"optimizer.lr": 0.00332, "optimizer.weight_decay": 0.005},
    "label-free": {"optimizer.lr": 0.0041, "optimizer.weight_decay": 0.0},
    "random": {"optimizer.lr": 0.0254, "optimizer.weight_decay": 0.0005},
    "readout": {"optimizer.lr": 0.00503, "optimizer.weight_decay": 0.0005, "network.dropout": 0.5},
    "best": {
        "optimizer.lr": 0.0115,
        "optimizer.weight_decay": 0.005,
        "plan.objectives": "X:gmi,Y:supcon+Y:readout,CE",
        "network.dropout": 0.5,
    },
    "bp": {"optimizer.lr": 0.00516, "optimizer.weight_decay": 0.005, "network.dropout": 0.0},
    "deep-bp": {"optimizer.lr": 0.00211, "optimizer.weight_decay": 0.005},
    "graph-forward-forward": {"optimizer.lr": 0.00211, "optimizer.weight_decay": 0.005},
}


def variants() -> list[Recipe]:
    """The table's variants."""
    base = Recipe(
        name="mole-cora",
        title="Module-wise training by mutual information, Cora",
        source=SOURCE,
        data=DataSettings(name="cora"),
        network=NetworkSettings(hidden=(), convolutions=(512, 512), layer="gcn"),
        optimizer=OptimizerSettings(name="adam", lr=1e-3, weight_decay=5e-4),
        validate_every=20,
        embedding_samples=140,
        search=SearchSettings(
            trials=8,
            space={
                "optimizer.lr": SearchRange(low=3e-4, high=3e-2),
                "optimizer.weight_decay": SearchRange(values=(0.0, 5e-4, 5e-3)),
            },
        ),
    )
    published = {
        "bp": (0.7060, "BP"),
        "gmi-mine": (0.6840, "GMI+MINE"),
    }
    stages = Stages(CUTS, epochs=200, together_epochs=400)
    alone = _VARIANTS["deep-bp"]._replace(description="as deep-bp, without gradients that cross", isolated=True)
    rows = {
        **_VARIANTS,
        **{name: as_found(variant, FOUND["gmi-mine"]) for name, variant in _CONTROLS.items()},
        **{name: as_found(variant, FOUND["best"]) for name, variant in _OF_BEST.items()},
        "gmi-together": as_found(alone, FOUND["deep-bp"]),
        "parallel": as_found(_PARALLEL, FOUND["gmi-mine"]),
    }
    made = make_variants(base, rows, stages=stages, found=FOUND, published=published)
    wide = {name: _VARIANTS[name] for name in _WIDE} | _CONTROLS | {"best": _BEST} | _OF_BEST
    decay = SearchRange(low=1e-5, high=0.1)
    return made + wide_variants(base, wide, stages=stages, found=FOUND, weight_decay=decay)
