"""Vasudevan 2020, CIFAR-10, All-CNN-C: 350 epochs of batches of 256, Nesterov momentum of 0.9, no weight decay.

As in the paper there is no augmentation, and 50 % dropout behind the layers that halve the image alone. Chosen once,
equal for all variants: pixels are standardised; 5,000 of the 50,000 training samples are held out for validation, on
which every choice is made; information by Ross's estimator with the ceiling H(Y). `step` divides its rate by 10 after
200, 250 and 300 epochs, as Springenberg et al. 2015 do. The range is the paper's, with an LR_top and an epsilon of
ours, until a range test has been run.
"""

from __future__ import annotations

from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.milr_table import Rates, milr_variants
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.optimizer_settings import OptimizerSettings, ScheduleSettings
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchSettings

#: The paper's [LR_min, LR_max]; LR_top and epsilon are not published.
_RATES = Rates(lr_min=7.5e-4, lr_max=0.04, lr_top=0.01, threshold=5e-4)

#: LARS without weight decay; with it 89.91 %.
_SCORES = {"network": 0.8886, "layerwise": 0.8777, "adam": 0.8784, "rmsprop": 0.8813, "lars": 0.7703}


def variants() -> list[Recipe]:
    """The table's variants."""
    base = Recipe(
        name="milr-cifar10-allconv",
        title="Learning rates from information, CIFAR-10, All-CNN-C",
        source="Vasudevan 2020, Sec. 4, CIFAR-10 with All-CNN-C, best of 3 seeds",
        data=DataSettings(name="cifar10", validation=5000, scaling="standard"),
        network=NetworkSettings(architecture="all-cnn-c", dropout=0.5),
        optimizer=OptimizerSettings(name="sgd", momentum=0.9, nesterov=True, schedule="constant"),
        schedule=ScheduleSettings(drops=(200 / 350, 250 / 350, 300 / 350), c2=0.01),
        epochs=350,
        batch_size=256,
        search=SearchSettings(trials=8, during={"data.limit": 10000, "epochs": 20}),
    )
    return milr_variants(base, rates=_RATES, scores=_SCORES)
