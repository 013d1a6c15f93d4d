"""Local rules side by side: one network, one budget, a rule in every hidden module, with auxiliary heads and without.

Three convolutions of stride 2 and a linear output on 10,000 images of Fashion-MNIST; each convolution, with its batch
norm and ReLU, is a module of its own, and all train in every step without a gradient between them. A rule is one
objective in all three; the output module minimises cross-entropy of what they give, so that rules without labels are
told by a linear read-out. A row that ends in `-head` has the same rule behind an auxiliary network, one 3 x 3
convolution and pooling to 2 x 2, which is thrown away after training. Every row has five trials for its rate, on
validation images.

A new rule is an objective in the registry and a line in `RULES` or `WITHOUT_LABELS`.
"""

from __future__ import annotations

from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.optimizer_settings import OptimizerSettings
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchRange, SearchSettings
from infotorch.recipes.settings import SettingValue
from infotorch.recipes.variants import Found, Stages, Variant, make_variants

#: conv1 | conv2 | conv3 | output
CUTS = ("conv2", "conv3", "flatten")

#: Row -> objective and what it is. Labels are told to every module.
RULES = {
    "readout": ("Y:readout", "the read-out bound H(Y) - CE"),
    "supcon": ("Y:supcon", "supervised contrast (Khosla et al. 2020)"),
    "supcon-readout": ("Y:supcon+Y:readout", "ours: supervised contrast and a read-out"),
    "infonce": ("Y:infonce", "InfoNCE of output and label"),
    "mine": ("Y:mine", "MINE of output and label (Li & Pei 2023)"),
    "renyi": ("Y:renyi", "matrix-based Renyi information of output and label (Li & Pei 2023)"),
    "hsic": ("Y:hsic", "the HSIC bottleneck (Ma, Lewis & Kleijn 2020)"),
    "kernel": ("Y:kernel", "pairwise kernels of the classes (Duan, Yu & Principe 2021)"),
    "predsim": ("Y:predsim", "similarity matching and a local prediction (Nokland & Eidnes 2019)"),
    "associated": ("Y:associated", "Associated Learning (Kao & Chen 2021)"),
    "forward-forward": ("Y:forward-forward", "Forward-Forward (Hinton 2022)"),
    "infopro": ("Y:infopro", "InfoPro (Wang et al. 2021), whose heads are its own"),
}
WITHOUT_LABELS = {
    "views": ("X:views", "contrast of affine views"),
    "dim": ("X:dim-local", "Deep InfoMax, grid against grid (Hjelm et al. 2019)"),
    "greedy-infomax": ("X:greedy-infomax", "Greedy InfoMax (Loewe, O'Connor & Veeling 2019)"),
    "reconstruction": ("X:reconstruction", "the reconstruction bound on I(X; T)"),
    "mine-inputs": ("X:mine", "MINE of input and output (Li & Pei 2023)"),
    "renyi-inputs": ("X:renyi", "matrix-based Renyi information of input and output (Li & Pei 2023)"),
}
#: Rules whose loss may look at a module through a head: the others have heads of their own, read every location or
#: compare the output with the module's own input.
WITH_HEADS = ("readout", "supcon", "supcon-readout", "infonce", "mine", "renyi", "hsic", "kernel", "views")
_HEAD: dict[str, SettingValue] = {"kind": "convolutions", "channels": 128, "locations": 7}

FOUND: Found = {
    "bp": {"optimizer.lr": 0.00368},
    "deep-bp": {"optimizer.lr": 0.00248},
    "random": {"optimizer.lr": 0.00368},
    "readout": {"optimizer.lr": 0.00248},
    "supcon": {"optimizer.lr": 0.00248},
    "supcon-readout": {"optimizer.lr": 0.00368},
    "infonce": {"optimizer.lr": 0.00368},
    "hsic": {"optimizer.lr": 0.00368},
    "kernel": {"optimizer.lr": 0.002},
    "predsim": {"optimizer.lr": 0.00248},
    "associated": {"optimizer.lr": 0.00203},
    "forward-forward": {"optimizer.lr": 0.002},
    "reconstruction": {"optimizer.lr": 0.00248},
}


def base() -> Recipe:
    """What the variants share."""
    return Recipe(
        name="arena",
        title="Local rules on one network and budget, Fashion-MNIST",
        source="ours",
        data=DataSettings(name="fashion-mnist", limit=10000, validation=5000, scaling="standard"),
        network=NetworkSettings(hidden=(), channels=(32, 64, 128), halving="stride", norm="batch"),
        optimizer=OptimizerSettings(name="adamw", lr=2e-3, weight_decay=1e-2),
        batch_size=128,
        search=SearchSettings(
            trials=5,
            space={"optimizer.lr": SearchRange(low=3e-4, high=1e-2, start=2e-3)},
            during={"data.limit": 5000, "epochs": 4},
        ),
    )


def variants() -> list[Recipe]:
    """The table's variants."""
    best = _rule(*RULES["supcon-readout"])
    rows = {
        "bp": Variant("end-to-end back-propagation of cross-entropy"),
        "deep-bp": best._replace(
            description="supcon-readout's losses, with gradients that cross the modules", isolated=False
        ),
        "random": Variant("convolutions as initialised", ("frozen",) * 3, together=True),
    }
    for name, (objective, what) in (RULES | WITHOUT_LABELS).items():
        rows[name] = _rule(objective, what)
        if name in WITH_HEADS:
            rows[f"{name}-head"] = _behind_heads(rows[name])
    # The last grid has four rows.
    rows["greedy-infomax"] = rows["greedy-infomax"]._replace(changes={"plan.options.X:greedy-infomax.steps": (1, 2)})
    # Forward-Forward measures the length of its input away.
    rows["forward-forward"] = rows["forward-forward"]._replace(
        changes={"network.norm": "length"}, cuts=("conv2_length", "conv3_length", "flatten")
    )
    first = {"supcon-readout": rows.pop("supcon-readout")}
    return make_variants(base(), first | rows, stages=Stages(CUTS, epochs=10, together_epochs=10), found=FOUND)


def _rule(objective: str, what: str) -> Variant:
    return Variant(what, (objective,) * 3, together=True)


def _behind_heads(row: Variant) -> Variant:
    parts = dict.fromkeys(part for objective in row.hidden for part in objective.split("+"))
    heads: dict[str, SettingValue] = {f"plan.options.{part}.auxiliary": _HEAD for part in parts}
    return row._replace(description=f"{row.description}, through auxiliary heads", changes=heads)
