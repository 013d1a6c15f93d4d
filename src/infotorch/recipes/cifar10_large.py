"""CIFAR-10 with a GPU: ResNet-110 in four isolated modules, and the speed run's network wider, layer by layer.

ResNet-110 (He, Zhang, Ren & Sun 2016) is cut where autograd keeps about as much for each module, not in equal numbers
of blocks: the first third of the blocks keeps more than half. It trains for 160 epochs of batches of 1,024, by Nesterov
SGD whose rate of 0.8, He's 0.1 for 128 samples told for 1,024, falls to 0 along a cosine; crops and flips. The wide
rows are the table `cifar10`'s `bp` and `layerwise`, and its `predsim`, of twice its channels and for 40 epochs.

Rows train on all 50,000 images. Nothing was searched: `--set data.train_on_validation=false` holds 5,000 out.
"""

from __future__ import annotations

from collections.abc import Mapping

from infotorch.recipes import cifar10
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.settings import SettingValue
from infotorch.recipes.variants import Variant, make_variants

#: Starts of the second, third and fourth module: each keeps a quarter of what autograd keeps of all.
_QUARTERS = ("block1_9", "block1_17", "block2_13")
_DEEP: Mapping[str, SettingValue] = {
    "network.architecture": "resnet110",
    "optimizer.name": "sgd",
    "optimizer.lr": 0.8,
    "optimizer.momentum": 0.9,
    "optimizer.nesterov": True,
    "optimizer.weight_decay": 1e-4,
    "optimizer.schedule": "cosine",
    "data.augment": "crops-flips",
    "data.test_views": False,
    "epochs": 160,
}
_WIDE: Mapping[str, SettingValue] = {"network.channels": (128, 512, 512), "epochs": 40}
_CONVOLUTION: SettingValue = {"kind": "convolutions", "channels": 128, "locations": 4}


def _in_quarters(objective: str) -> dict[str, SettingValue]:
    return {
        **_DEEP,
        "plan.cuts": _QUARTERS,
        "plan.objectives": (*(objective,) * 3, "CE"),
        "plan.order": "simultaneous",
        f"plan.options.{objective}.auxiliary": _CONVOLUTION,
    }


def variants() -> list[Recipe]:
    """The table's variants."""
    rows = {
        "resnet110-infopro": Variant(
            "ResNet-110 in four isolated modules by InfoPro (Wang et al. 2021)", changes=_in_quarters("Y:infopro")
        ),
        "resnet110-readout": Variant(
            "ResNet-110 in four isolated modules by read-outs through a convolution", changes=_in_quarters("Y:readout")
        ),
        "resnet110": Variant("ResNet-110, end-to-end back-propagation", changes=_DEEP),
    }
    deep = make_variants(_base(), rows)
    small = {recipe.variant: recipe for recipe in cifar10.variants()}
    kinds = {
        "bp": "end-to-end back-propagation",
        "layerwise": "every convolution an isolated module by a read-out through copies of later layers",
        "predsim": "every convolution an isolated module by predicted similarity",
    }
    for name, described in kinds.items():
        base = small[name].model_copy(update=_named())
        deep += make_variants(
            base, {f"wide-{name}": Variant(f"the speed run's network, wider: {described}", changes=_WIDE)}
        )
    return deep


def _base() -> Recipe:
    return cifar10.base().model_copy(update=_named())


def _named() -> dict[str, object]:
    return {
        "name": "cifar10-large",
        "title": "CIFAR-10 with a GPU: deeper and wider, without a gradient between modules",
    }
