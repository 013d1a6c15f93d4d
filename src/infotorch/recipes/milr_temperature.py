"""Vasudevan 2020, Sec. 5: next day's highest and lowest temperature, by layers of 64 and 32 and an output of 2.

2,000 epochs on 2013 to 2016, tested on 2017; the score is the mean absolute error of both targets, in degrees
Celsius. The paper's outputs are rectified and its targets in degrees, of which outputs die. Chosen once, equal for
all variants: standardised inputs and targets, linear outputs, batches of 256, momentum of 0.9 without Nesterov; station
and date are no features; a tenth of the training days is held out for validation. Information by KSG (k = 3), with
I(X; Y) of all training samples as the ceiling: the largest of three estimates, and in `network-ksg` and `layerwise-ksg`
KSG's of the inputs alone, as in the paper. `step` divides its rate by 10 after half and three quarters of the epochs.
The paper gives no range; ours is that of a range test on training samples. The metrics of every variant hold two floors
of the same test samples, least squares and the forecast as it comes; and the lowest test error of all looks on the way,
of which the paper tells: nothing is chosen by it.
"""

from __future__ import annotations

from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.milr_table import ADAM_EARLY, Rates, milr_variants
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.optimizer_settings import OptimizerSettings, ScheduleSettings
from infotorch.recipes.plan_settings import PlanSettings
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchSettings
from infotorch.recipes.variants import Found

#: Of `infotorch lr-range milr-temperature`, kept in results/milr-temperature.ranges.json.
_RATES = Rates(lr_min=5e-4, lr_max=0.2, lr_top=0.2, threshold=0.0228)
#: The paper gives no range for these data. LR_min is that of its MNIST; epsilon is that of its own range test, with its
#: C2, which finds the same range as ours: "paper" in that file, of `lr-range milr-temperature --variant network-ksg
#: --rule paper`.
_KSG_RATES = _RATES._replace(lr_min=1e-4, threshold=0.00032)

_SCORES = {"network": 1.32, "adam": 0.97, "rmsprop": 1.0}

FOUND: Found = {
    "adam": {"optimizer.lr": 0.000704},
    "cosine": {"optimizer.lr": 0.0381},
    "onecycle": {"optimizer.lr": 0.0711},
    "rmsprop": {"optimizer.lr": 0.00161},
    "schedule-free": {"optimizer.lr": 0.00161},
    "step": {"optimizer.lr": 0.0381},
    "lars": {"optimizer.lr": 0.00133},
    "adam-early": {"optimizer.lr": 0.00196},
}


def variants() -> list[Recipe]:
    """The table's variants."""
    base = Recipe(
        name="milr-temperature",
        title="Learning rates from information, next day's temperature",
        source="Vasudevan 2020, Sec. 5, best of 3 seeds",
        data=DataSettings(name="temperature", scaling="standard"),
        network=NetworkSettings(hidden=(64, 32)),
        plan=PlanSettings(objectives=("Y:squared-error",)),
        optimizer=OptimizerSettings(name="sgd", momentum=0.9, schedule="constant"),
        schedule=ScheduleSettings(drops=(0.5, 0.75), c2=0.01),
        epochs=2000,
        batch_size=256,
        validate_every=10,
        log_every=10,
        test_scores=True,
        search=SearchSettings(trials=8, metric="validation_mae", during={"epochs": 200}),
    )
    return milr_variants(
        base,
        rates=_RATES,
        scores=_SCORES,
        found=FOUND,
        metric="test_mae",
        ksg_rates=_KSG_RATES,
        own={"adam-early": ADAM_EARLY},
        classes=False,
    )
