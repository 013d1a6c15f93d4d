"""Han et al. 2023, Table 2, CIFAR-10: four convolutions | two hidden layers.

The paper leaves out channels, widths, strides, pooling (of which it names none), epochs and batch size; chosen once and
equal for all variants: 3 x 3 convolutions of 32, 64, 128 and 128 channels with a stride of 2, 256 and 128 hidden units,
no augmentation, 30 epochs of batches of 128 at a constant rate. Of AdamP's rates the paper's text is garbled; it has
those of the other three here. Made for a GPU; on a CPU shorten it, for instance by
`--set data.limit=10000 --set epochs=5`. Variants without settings in `FOUND` have not been searched yet, and start from
the paper's rates.
"""

from __future__ import annotations

from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.optimizer_settings import OptimizerSettings
from infotorch.recipes.prox_table import Reported, prox_variants, scores_of
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchSettings
from infotorch.recipes.variants import Found, make_variants

_REPORTED = {
    "adam": Reported(1e-4, 0.01, 0.01, baseline=0.6895, method=0.6969),
    "adamw": Reported(1e-4, 0.01, 0.01, baseline=0.7072, method=0.7218),
    "nadam": Reported(1e-4, 0.01, 0.01, baseline=0.6920, method=0.7042),
    "adamp": Reported(1e-4, 0.01, 0.01, baseline=0.7100, method=0.7181),
}

FOUND: Found = {
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


def variants() -> list[Recipe]:
    """The table's variants."""
    base = Recipe(
        name="prox-cifar10",
        title="Proximal splitting at a bottleneck, CIFAR-10",
        source="Han et al. 2023, Table 2, CIFAR-10",
        data=DataSettings(name="cifar10", validation=5000, scaling="standard"),
        network=NetworkSettings(hidden=(256, 128), channels=(32, 64, 128, 128), halving="stride"),
        optimizer=OptimizerSettings(schedule="constant"),
        epochs=30,
        batch_size=128,
        train_accuracy=True,
        search=SearchSettings(trials=8, during={"data.limit": 5000, "epochs": 8}),
    )
    return make_variants(base, prox_variants("flatten", _REPORTED), found=FOUND, published=scores_of(_REPORTED))
