"""Vasudevan 2020, ImageNet-1K, ResNet-50: 100 epochs of batches of 256, momentum of 0.9, crops and flips.

"Standard settings": weight decay of 1e-4 (He et al. 2016). Chosen once, equal for all variants: centred squares of 224
pixels, crops from a margin of 4 and flips; a hundredth of the training pictures is held out for validation, on which
every choice is made, and the official validation set is the test set; information by Ross's estimator with the
ceiling H(Y), on 4,000 pictures instead of the paper's 1,000, as its neighbours are looked for within each of 1,000
classes. `step` multiplies its rate by 0.1 every 30 epochs, as in the paper. The range is the paper's, with an LR_top
and an epsilon of ours, until a range test has been run.
"""

from __future__ import annotations

from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.milr_table import Rates, milr_variants
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.optimizer_settings import OptimizerSettings, ScheduleSettings
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchSettings

#: The paper's [LR_min, LR_max]; LR_top and epsilon are not published.
_RATES = Rates(lr_min=5e-4, lr_max=0.1, lr_top=0.1, threshold=5e-4)

_SCORES = {"network": 0.7605, "step": 0.7557, "adam": 0.6982}


def variants() -> list[Recipe]:
    """The table's variants."""
    base = Recipe(
        name="milr-imagenet-resnet50",
        title="Learning rates from information, ImageNet-1K, ResNet-50",
        source="Vasudevan 2020, Sec. 4, ImageNet-1K, best of 3 seeds",
        data=DataSettings(name="imagenet", side=224, augment="crops-flips"),
        network=NetworkSettings(architecture="resnet50"),
        optimizer=OptimizerSettings(name="sgd", momentum=0.9, weight_decay=1e-4, schedule="constant"),
        schedule=ScheduleSettings(num_samples=4000, c1=30.0),
        epochs=100,
        batch_size=256,
        precision="bf16-mixed",
        search=SearchSettings(trials=8, during={"data.limit": 100000, "epochs": 5}),
    )
    return milr_variants(base, rates=_RATES, scores=_SCORES)
