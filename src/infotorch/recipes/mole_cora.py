"""Li & Pei 2023 (MOLE), Table 1, Cora: two graph convolutions and a linear layer, assignment X, Y, CE.

The paper leaves out widths, epochs, rates, weight decay and critics. Every variant has the same network, two graph
convolutions of 512 channels with ReLU, and the public split: objectives of Y and the output module see the labels of
140 nodes, objectives of X see every node. One epoch is one step on the whole graph.

Any Planetoid graph whose raw files are there can stand in for Cora: `--set data.name=planetoid/NAME`.
"""

from __future__ import annotations

from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.mole_table import SOURCE, bp_variant
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
        "supervision)",
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
    return make_variants(base, _VARIANTS, stages=stages, found=FOUND, published=published)
