"""Han et al. 2023, Table 2, MNIST: four convolutions | two hidden layers, on images of 32 x 32.

The paper leaves out channels, widths, strides, pooling (of which it names none), epochs and batch size. Chosen once,
for two cores, and equal for all variants: 3 x 3 convolutions of 16, 32, 32 and 64 channels with a stride of 2, 128 and
64 hidden units, 10 epochs of batches of 128 at a constant rate, as the paper names no schedule. The network is split
behind the last convolution. The variants `<optimiser>-paper` have the paper's rates, the others those of a search on
validation samples with one budget. For time, NAdam and AdamP train 5 epochs, baseline and method alike;
`--set epochs=10` gives them the others' length.
"""

from __future__ import annotations

from infotorch.recipes.changes import change
from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.optimizer_settings import OptimizerSettings
from infotorch.recipes.prox_table import Reported, prox_variants, scores_of
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchSettings
from infotorch.recipes.variants import Found, make_variants

_REPORTED = {
    "adam": Reported(1e-3, 10.0, 1e-3, baseline=0.9774, method=0.9812),
    "adamw": Reported(1e-3, 0.1, 1e-3, baseline=0.9769, method=0.9824),
    "nadam": Reported(1e-3, 0.01, 0.1, baseline=0.9839, method=0.9796),
    "adamp": Reported(1e-4, 0.1, 1e-3, baseline=0.9835, method=0.9816),
}

#: Optimiser -> epochs of all its variants, where they are not the table's.
_EPOCHS = {"nadam": 5, "adamp": 5}

FOUND: Found = {
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


def variants() -> list[Recipe]:
    """The table's variants."""
    base = Recipe(
        name="prox-mnist",
        title="Proximal splitting at a bottleneck, MNIST",
        source="Han et al. 2023, Table 2, MNIST",
        data=DataSettings(name="mnist", validation=5000, side=32),
        network=NetworkSettings(hidden=(128, 64), channels=(16, 32, 32, 64), halving="stride"),
        optimizer=OptimizerSettings(schedule="constant"),
        epochs=10,
        batch_size=128,
        train_accuracy=True,
        search=SearchSettings(trials=8, during={"data.limit": 20000, "epochs": 5}),
    )
    made = make_variants(base, prox_variants("flatten", _REPORTED), found=FOUND, published=scores_of(_REPORTED))
    return [change(recipe, {"epochs": _EPOCHS.get(recipe.optimizer.name, recipe.epochs)}) for recipe in made]
