"""Han et al. 2023, Table 2, MNIST: four convolutions | two hidden layers, on images of 32 x 32.

The paper leaves out channels, widths, strides, pooling (of which it names none), epochs and batch size. Chosen once,
for two cores, and equal for all rows: 3 x 3 convolutions of 16, 32, 32 and 64 channels with a stride of 2, 128 and 64
hidden units, 10 epochs of batches of 128 at a constant rate, as the paper names no schedule. The network is split
behind the last convolution.
The rows `<optimiser>-paper` have the paper's rates, the others those of a search on validation rows with one budget.
For time, NAdam and AdamP train 5 epochs, baseline and method alike; `--set epochs=10` gives them the others' length.
"""

from __future__ import annotations

from typing import Any

from infotorch.recipes.changes import change
from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.optimizer_settings import OptimizerSettings
from infotorch.recipes.prox_table import Rates, Score, prox_variants
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchRange, SearchSettings

_TABLE = "Han et al. 2023, Table 2, MNIST"

_RATES = {
    "adam": Rates(1e-3, 10.0, 1e-3),
    "adamw": Rates(1e-3, 0.1, 1e-3),
    "nadam": Rates(1e-3, 0.01, 0.1),
    "adamp": Rates(1e-4, 0.1, 1e-3),
}
_SCORES = {
    "adam": Score(0.9774, 0.9812),
    "adamw": Score(0.9769, 0.9824),
    "nadam": Score(0.9839, 0.9796),
    "adamp": Score(0.9835, 0.9816),
}

#: Optimiser -> epochs of all its rows, where they are not the table's.
_EPOCHS = {"nadam": 5, "adamp": 5}

_FOUND: dict[str, dict[str, Any]] = {
    "adam-bp": {"optimizer.lr": 0.00196},
    "adam-huber": {"optimizer.lr": 0.000585, "split.forward_lr": 0.0237, "split.step_size": 0.386},
    "adam-hybrid": {"optimizer.lr": 0.00125, "split.forward_lr": 0.014, "split.step_size": 0.643},
    "adam-l1": {"optimizer.lr": 0.00125, "split.forward_lr": 0.014, "split.step_size": 0.643},
    "adam-order1": {"optimizer.lr": 0.00125, "split.forward_lr": 0.014},
    "adam-order2": {"optimizer.lr": 0.000585, "split.forward_lr": 0.0237, "split.step_size": 0.386},
    "adamw-bp": {"optimizer.lr": 0.00196},
    "adamw-hybrid": {"optimizer.lr": 0.000585, "split.forward_lr": 0.0237, "split.step_size": 0.386},
    "adamw-l1": {"optimizer.lr": 0.00125, "split.forward_lr": 0.014, "split.step_size": 0.643},
    "adamw-order1": {"optimizer.lr": 0.00125, "split.forward_lr": 0.014},
    "adamw-order2": {"optimizer.lr": 0.00397, "split.forward_lr": 0.00242, "split.step_size": 2.2},
    "adamw-huber": {"optimizer.lr": 0.00397, "split.forward_lr": 0.00242, "split.step_size": 2.2},
    "adamp-bp": {"optimizer.lr": 0.00607},
    "adamp-huber": {"optimizer.lr": 0.00397, "split.forward_lr": 0.00242, "split.step_size": 2.2},
    "adamp-hybrid": {"optimizer.lr": 0.00125, "split.forward_lr": 0.014, "split.step_size": 0.643},
    "adamp-l1": {"optimizer.lr": 0.00123, "split.forward_lr": 0.00187, "split.step_size": 0.866},
    "adamp-order1": {"optimizer.lr": 0.00125, "split.forward_lr": 0.014},
    "adamp-order2": {"optimizer.lr": 0.00397, "split.forward_lr": 0.00242, "split.step_size": 2.2},
    "nadam-bp": {"optimizer.lr": 0.00269},
    "nadam-huber": {"optimizer.lr": 0.000585, "split.forward_lr": 0.0237, "split.step_size": 0.386},
    "nadam-hybrid": {"optimizer.lr": 0.00125, "split.forward_lr": 0.014, "split.step_size": 0.643},
    "nadam-l1": {"optimizer.lr": 0.00125, "split.forward_lr": 0.014, "split.step_size": 0.643},
    "nadam-order1": {"optimizer.lr": 0.00161, "split.forward_lr": 0.00431},
    "nadam-order2": {"optimizer.lr": 0.000585, "split.forward_lr": 0.0237, "split.step_size": 0.386},
}


def base() -> Recipe:
    """What the rows share."""
    return Recipe(
        name="prox-mnist",
        variant="",
        title="Proximal splitting at a bottleneck, MNIST",
        description="",
        source=_TABLE,
        data=DataSettings(name="mnist", validation=5000, side=32),
        network=NetworkSettings(hidden=(128, 64), channels=(16, 32, 32, 64), halving="stride"),
        optimizer=OptimizerSettings(schedule="constant"),
        epochs=10,
        batch_size=128,
        train_accuracy=True,
        search=SearchSettings(
            trials=8,
            seeds=(1000,),
            space={"optimizer.lr": SearchRange(low=1e-4, high=1e-2)},
            during={"data.limit": 20000, "epochs": 5},
        ),
    )


def variants() -> list[Recipe]:
    """The table's variants."""
    made = prox_variants(
        base(), at="flatten", rates=_RATES, scores=_SCORES, metric="test_accuracy", source=_TABLE, settings=_FOUND
    )
    return [change(row, {"epochs": _EPOCHS.get(row.optimizer.name, row.epochs)}) for row in made]
