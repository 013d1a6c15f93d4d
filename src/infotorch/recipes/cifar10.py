"""CIFAR-10 in an hour on two cores: the speed run of Jordan 2024, and the same network in isolated modules.

The network of 94 % (`airbench94`) and its training, written from the paper: alternating flips, shifts by up to 2
pixels, label smoothing of 0.2, Nesterov SGD that looks ahead with rates told per 1,024 samples, a triangle of rates,
and scores of six views. Ours: 10 epochs for 9.9, 18 in the rows that take an hour, the last batch of an epoch kept, and
statistics of the pixels from 45,000 images. Training computes in bfloat16 and keeps its weights, and its scores, in
float32; a processor without instructions for bfloat16 is faster with `--set precision=32-true`, and a warning says so.

The rows of the table train on all 50,000 training images. Every choice is made on 5,000 of them that are held out:
`--set tune=true`, or `--set data.train_on_validation=false`. `data.name` takes Fashion-MNIST and MNIST, which is not
mirrored.
"""

from __future__ import annotations

from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.optimizer_settings import OptimizerSettings
from infotorch.recipes.recipe import Published, Recipe
from infotorch.recipes.search_settings import SearchRange, SearchSettings
from infotorch.recipes.settings import SettingValue
from infotorch.recipes.variants import Found, Stages, Variant, make_variants

_SOURCE = "Jordan 2024, arXiv:2404.00498"
_RATE = 11.5
_BLOCKS = ("conv2_1", "conv3_1")
# The first module is deeper by a convolution, as single trials on held-out images advise.
_LATER = ("conv2_2", "conv3_1")
_CONVOLUTIONS = ("conv1_2", "conv2_1", "conv2_2", "conv3_1", "conv3_2")
_HEAD = "plan.options.Y:readout.auxiliary"

# The network's own scores are divided by 9, and its rates are made for that; a read-out of averages has weaker ones.
_READ: dict[str, SettingValue] = {
    "plan.options.Y:readout.label_smoothing": 0.2,
    "plan.options.Y:readout.temperature": 3.0,
}
_READ_SEARCH = {"plan.options.Y:readout.temperature": SearchRange(low=1.0, high=9.0, start=3.0)}
_CONVOLUTION: dict[str, SettingValue] = {"kind": "convolutions", "channels": 256, "locations": 4}
_THROUGH_ONE: dict[str, SettingValue] = {**_READ, _HEAD: _CONVOLUTION}
# Behind features that it does not shape the output module, whose scores are divided by 9, takes a rate of its own.
_READ_AND_RATE: dict[str, SettingValue] = {**_READ, "optimizer.output_lr": 34.0}
_READ_AND_RATE_SEARCH = {**_READ_SEARCH, "optimizer.output_lr": SearchRange(low=15.0, high=75.0, start=34.0)}
_THROUGH_COPIES: dict[str, SettingValue] = {**_READ_AND_RATE, _HEAD: {"kind": "following", "copies": 2}}
_THROUGH_POINTS: dict[str, SettingValue] = {
    **_READ_AND_RATE,
    _HEAD: {"kind": "convolutions", "channels": (256, 256, 256), "kernel": 1, "locations": 4},
}
# Objectives whose size has nothing to do with that of a cross-entropy take Adam's steps. The output module, whose
# scores are divided by 9, needs a high rate: at 0.002 `infopro` and `predsim` lose 5 and 7 points to 0.01 (a narrow
# network, 160 steps, held-out images).
_ADAMW: dict[str, SettingValue] = {
    "optimizer.name": "adamw",
    "optimizer.lr": 0.01,
    "optimizer.weight_decay": 0.01,
    "optimizer.momentum": 0.0,
    "optimizer.nesterov": False,
}
_ADAMW_SEARCH = {"optimizer.lr": SearchRange(low=1e-3, high=3e-2, start=0.01)}
# Views as SimCLR makes them: parts of the image, mirrored, in other colours.
_VIEWS: dict[str, SettingValue] = {
    f"plan.options.X:views.{name}": value
    for name, value in {
        "rotation": 0.0,
        "shear": 0.0,
        "scale": (1.0, 2.5),
        "shift": 0.25,
        "mirrored": True,
        "jitter": 0.4,
        "grey": 0.2,
        "hidden": (512,),
    }.items()
}

FOUND: Found = {
    "bp": {"optimizer.lr": 14.4},
    "best-small-heads": {"optimizer.lr": 11.5, "plan.options.Y:readout.temperature": 3.0},
    "best": {"optimizer.lr": 11.5, "plan.options.Y:readout.temperature": 3.0, "optimizer.output_lr": 34.0},
}

# Rows of which memory and time alone are of interest train at bp's rate, and rows that are trained for longer with what
# was found for ten epochs; they are not searched.
_AS_BP = FOUND.get("bp", {"optimizer.lr": _RATE})
_LONG: dict[str, SettingValue] = {"optimizer.lr": _RATE, **_THROUGH_COPIES, "epochs": 18}

_BEST = Variant(
    "ours: three isolated modules, each with a read-out through copies of two of the layers that follow it",
    ("Y:readout",) * 2,
    together=True,
    changes=_THROUGH_COPIES,
    search=_READ_AND_RATE_SEARCH,
    cuts=_LATER,
)

_LAYERWISE = _BEST._replace(
    description="as best, with every convolution an isolated module", hidden=("Y:readout",) * 5, cuts=_CONVOLUTIONS
)

_VARIANTS = {
    "best": _BEST,
    "bp": Variant("end-to-end back-propagation: the speed run"),
    "layerwise": _LAYERWISE,
    "best-hour": _BEST._replace(
        description="best for as long as an hour allows: 18 epochs",
        changes={**_LONG, **FOUND.get("best", {})},
        search={},
    ),
    "layerwise-hour": _LAYERWISE._replace(
        description="layerwise for as long as an hour allows: 18 epochs",
        changes={**_LONG, **FOUND.get("layerwise", {})},
        search={},
    ),
    "best-small-heads": _BEST._replace(
        description="blocks by read-outs through a 3 x 3 convolution of 256 channels on 4 x 4 locations",
        changes=_THROUGH_ONE,
        search=_READ_SEARCH,
        cuts=_BLOCKS,
    ),
    "label-free": Variant(
        "blocks without labels, by contrast of views; then a linear read-out of every location of the last one",
        ("X:views",) * 3,
        together=True,
        # The read-out alone is a convex problem, and its scores are divided by 9.
        changes={
            **_ADAMW,
            **_VIEWS,
            "optimizer.lr": 2e-3,
            "optimizer.output_lr": 0.05,
            "network.every_location": True,
        },
        search={
            "optimizer.lr": SearchRange(low=3e-4, high=1e-2, start=2e-3),
            "plan.options.X:views.temperature": SearchRange(low=0.05, high=0.5, start=0.2),
        },
        cuts=(*_BLOCKS, "pool"),
    ),
    "infopro": Variant(
        "blocks by InfoPro (Wang et al. 2021): the image made again, and a read-out through a convolution",
        ("Y:infopro",) * 2,
        together=True,
        changes={**_ADAMW, "plan.options.Y:infopro.auxiliary": _CONVOLUTION},
        search=_ADAMW_SEARCH,
        cuts=_BLOCKS,
    ),
    "predsim": Variant(
        "every convolution by predicted similarity (Nokland & Eidnes 2019)",
        ("Y:predsim",) * 5,
        together=True,
        changes=_ADAMW,
        search=_ADAMW_SEARCH,
        cuts=_CONVOLUTIONS,
    ),
    "dgl": Variant(
        "blocks by read-outs through three 1 x 1 convolutions on 4 x 4 locations, as in DGL (Belilovsky, Eickenberg & "
        "Oyallon 2020)",
        ("Y:readout",) * 2,
        together=True,
        changes=_THROUGH_POINTS,
        search=_READ_AND_RATE_SEARCH,
        cuts=_BLOCKS,
    ),
    "deep-bp": _BEST._replace(description="best's losses, with gradients that cross the modules", isolated=False),
    "random": Variant(
        "convolutions as initialised, a linear read-out of every location of the last one by cross-entropy",
        ("frozen",),
        together=True,
        # Behind features that stay a convex problem is left, which takes high rates.
        changes={"optimizer.lr": 300.0, "network.every_location": True},
        search={"optimizer.lr": SearchRange(low=30.0, high=3000.0, start=300.0)},
        cuts=("pool",),
    ),
    "bp-checkpoint": Variant(
        "bp, with blocks of which only the input is kept and which run again for the backward pass: the same numbers",
        changes={**_AS_BP, "network.recompute": True},
    ),
    "bp-accumulate": Variant(
        "bp, with batches in four parts whose gradients are averaged; batch norm sees 256 samples at a time",
        changes={**_AS_BP, "micro_batches": 4},
    ),
}


def base() -> Recipe:
    """What the variants share."""
    return Recipe(
        name="cifar10",
        title="CIFAR-10 without a gradient between modules",
        source=_SOURCE,
        data=DataSettings(
            name="cifar10",
            validation=5000,
            scaling="standard",
            augment="shifts-flips",
            test_views=True,
            train_on_validation=True,
        ),
        network=NetworkSettings(architecture="airbench94"),
        optimizer=OptimizerSettings(
            name="lookahead-sgd", lr=_RATE, weight_decay=0.0153, momentum=0.85, nesterov=True, schedule="triangle"
        ),
        batch_size=1024,
        precision="bf16-mixed",
        search=SearchSettings(
            trials=6,
            space={"optimizer.lr": SearchRange(low=4.0, high=24.0, start=_RATE)},
            # Rates are told per 1,024 samples; batches of these would leave 40 steps.
            during={"data.limit": 10000, "epochs": 4, "batch_size": 256},
        ),
    )


def variants() -> list[Recipe]:
    """The table's variants."""
    smoothed = {"plan.options.CE.label_smoothing": 0.2}
    rows = {name: row._replace(changes={**smoothed, **row.changes}) for name, row in _VARIANTS.items()}
    published: dict[str, Published | tuple[float, str]] = {"bp": (0.9401, "airbench94, 9.9 epochs")}
    return make_variants(
        base(), rows, stages=Stages(_BLOCKS, epochs=5, together_epochs=10), found=FOUND, published=published
    )
