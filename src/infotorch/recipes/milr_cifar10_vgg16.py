"""Vasudevan 2020, CIFAR-10, VGG-16: 200 epochs of batches of 256, momentum 0.9, weight decay 5e-4, crops and flips.

Chosen once, equal for all variants: `vgg16` with batch norm and one hidden linear layer of 512; pixels are
standardised; 5,000 of the 50,000 training samples are held out for validation, on which every choice is made;
information by Ross's estimator with the ceiling H(Y). `step` halves its rate every 30 epochs, as in the paper. LR_min,
LR_max, LR_top and epsilon are the paper's own (its epsilon with C2 = 0.005), until a range test has been run.
"""

from __future__ import annotations

from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.milr_table import Rates, milr_variants
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.optimizer_settings import OptimizerSettings, ScheduleSettings
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchSettings

#: The paper's, at 1000 samples.
_RATES = Rates(lr_min=3e-4, lr_max=0.07, lr_top=0.01, threshold=4.8e-4)

_SCORES = {"network": 0.9221, "step": 0.9258, "adam": 0.8962, "rmsprop": 0.8717}


def variants() -> list[Recipe]:
    """The table's variants."""
    base = Recipe(
        name="milr-cifar10-vgg16",
        title="Learning rates from information, CIFAR-10, VGG-16",
        source="Vasudevan 2020, Sec. 4, CIFAR-10 with VGG-16, best of 3 seeds",
        data=DataSettings(name="cifar10", validation=5000, scaling="standard", augment="crops-flips"),
        network=NetworkSettings(architecture="vgg16", hidden=(512,), norm="batch"),
        optimizer=OptimizerSettings(name="sgd", momentum=0.9, weight_decay=5e-4, schedule="constant"),
        schedule=ScheduleSettings(drops=tuple(epoch / 200 for epoch in range(30, 200, 30)), drop_factor=0.5, c2=0.005),
        epochs=200,
        batch_size=256,
        search=SearchSettings(trials=8, during={"data.limit": 10000, "epochs": 20}),
    )
    return milr_variants(base, rates=_RATES, scores=_SCORES)
