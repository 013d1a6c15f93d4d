"""Han et al. 2023, Table 2, CIFAR-10: four convolutions | two hidden layers.

The paper leaves out channels, widths, strides, pooling (of which it names none), epochs and batch size; chosen once and
equal for all rows: 3 x 3 convolutions of 32, 64, 128 and 128 channels with a stride of 2, 256 and 128 hidden units, no
augmentation, 30 epochs of batches of 128 at a constant rate. Of AdamP's rates the paper's text is garbled; it has those
of the other three here. Made for a GPU; on a CPU shorten it, for instance by `--set data.limit=10000 --set epochs=5`.
Rows without settings in `_FOUND` have not been searched yet, and start from the paper's rates.
"""

from __future__ import annotations

from typing import Any

from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.optimizer_settings import OptimizerSettings
from infotorch.recipes.prox_table import Rates, Score, prox_variants
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchRange, SearchSettings

_TABLE = "Han et al. 2023, Table 2, CIFAR-10"

_RATES = {
    "adam": Rates(1e-4, 0.01, 0.01),
    "adamw": Rates(1e-4, 0.01, 0.01),
    "nadam": Rates(1e-4, 0.01, 0.01),
    "adamp": Rates(1e-4, 0.01, 0.01),
}
_SCORES = {
    "adam": Score(0.6895, 0.6969),
    "adamw": Score(0.7072, 0.7218),
    "nadam": Score(0.6920, 0.7042),
    "adamp": Score(0.7100, 0.7181),
}

_FOUND: dict[str, dict[str, Any]] = {
    "adam-bp": {"optimizer.lr": 0.00161},
    "adam-hybrid": {"optimizer.lr": 0.00123, "split.forward_lr": 0.00187, "split.step_size": 0.866},
    "adam-order1": {"optimizer.lr": 0.00161, "split.forward_lr": 0.00431},
    "adam-order2": {"optimizer.lr": 0.00123, "split.forward_lr": 0.00187, "split.step_size": 0.866},
    "adamw-bp": {"optimizer.lr": 0.00161},
    "adamw-order2": {"optimizer.lr": 0.00123, "split.forward_lr": 0.00187, "split.step_size": 0.866},
    "adam-huber": {"optimizer.lr": 0.00123, "split.forward_lr": 0.00187, "split.step_size": 0.866},
    "adam-l1": {"optimizer.lr": 0.00123, "split.forward_lr": 0.00187, "split.step_size": 0.866},
    "adamp-bp": {"optimizer.lr": 0.00161},
    "adamp-order2": {"optimizer.lr": 0.000149, "split.forward_lr": 0.000115, "split.step_size": 3.15},
    "nadam-bp": {"optimizer.lr": 0.00075},
    "nadam-order2": {"optimizer.lr": 0.00125, "split.forward_lr": 0.014, "split.step_size": 0.643},
}


def base() -> Recipe:
    """What the rows share."""
    return Recipe(
        name="prox-cifar10",
        variant="",
        title="Proximal splitting at a bottleneck, CIFAR-10",
        description="",
        source=_TABLE,
        data=DataSettings(name="cifar10", validation=5000, scaling="standard"),
        network=NetworkSettings(hidden=(256, 128), channels=(32, 64, 128, 128), halving="stride"),
        optimizer=OptimizerSettings(schedule="constant"),
        epochs=30,
        batch_size=128,
        train_accuracy=True,
        search=SearchSettings(
            trials=8,
            seeds=(1000,),
            space={"optimizer.lr": SearchRange(low=1e-4, high=1e-2)},
            during={"data.limit": 5000, "epochs": 8},
        ),
    )


def variants() -> list[Recipe]:
    """The table's variants."""
    return prox_variants(
        base(), at="flatten", rates=_RATES, scores=_SCORES, metric="test_accuracy", source=_TABLE, settings=_FOUND
    )
