"""Vasudevan 2020, CIFAR-100, a wide residual network 28-10: 200 epochs of batches of 128, crops and flips.

As in Zagoruyko & Komodakis 2016, whom the paper follows: momentum of 0.9 with Nesterov and weight decay 5e-4, and
`step` multiplies its rate by 0.2 after 60, 120 and 160 epochs. Chosen once, equal for all variants: no dropout; pixels
are standardised; 5,000 of the 50,000 training samples are held out for validation, on which every choice is made;
information by Ross's estimator with the ceiling H(Y). The range is the paper's, with the LR_top and epsilon that it
found for VGG-16 in the same interval, until a range test has been run.
"""

from __future__ import annotations

from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.milr_table import Rates, milr_variants
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.optimizer_settings import OptimizerSettings, ScheduleSettings
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchSettings

#: The paper's [LR_min, LR_max]; LR_top and epsilon are not published.
_RATES = Rates(lr_min=3e-4, lr_max=0.07, lr_top=0.01, threshold=4.8e-4)

_SCORES = {"network": 0.8125, "step": 0.8176, "adam": 0.7502, "rmsprop": 0.7474}


def variants() -> list[Recipe]:
    """The table's variants."""
    base = Recipe(
        name="milr-cifar100-wrn28-10",
        title="Learning rates from information, CIFAR-100, wide residual network 28-10",
        source="Vasudevan 2020, Sec. 4, CIFAR-100, best of 3 seeds",
        data=DataSettings(name="cifar100", validation=5000, scaling="standard", augment="crops-flips"),
        network=NetworkSettings(architecture="wrn-28-10"),
        optimizer=OptimizerSettings(name="sgd", momentum=0.9, nesterov=True, weight_decay=5e-4, schedule="constant"),
        schedule=ScheduleSettings(drops=(0.3, 0.6, 0.8), drop_factor=0.2),
        epochs=200,
        batch_size=128,
        search=SearchSettings(trials=8, during={"data.limit": 10000, "epochs": 20}),
    )
    return milr_variants(base, rates=_RATES, scores=_SCORES)
