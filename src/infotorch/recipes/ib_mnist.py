"""Elad et al. 2019, Table 1, MNIST with all its training images, less 5,000 held out for every choice.

The settings below were found by the search that `--set tune=true` repeats; its record lies in
results/ib-mnist.searches.jsonl. That of `full` was made before its space had a beta of 0; `full-equal-epochs` has not
been searched.
"""

from __future__ import annotations

from infotorch.recipes.changes import change
from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.ib_table import SOURCE, best_crossed, full_ib, ib_variants
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchRange, SearchSettings
from infotorch.recipes.variants import Found

FOUND: Found = {
    "full-bound": {"optimizer.lr": 0.00139, "plan.beta": 0.473, "plan.noise_std": 26.5},
    "mi-only": {"optimizer.lr": 0.00206},
    "weight-decay": {"optimizer.lr": 0.00206, "optimizer.weight_decay": 0.14},
    "mi-only-mine": {"optimizer.lr": 0.00085, "optimizer.critic_lr": 0.0018, "optimizer.output_lr": 0.777},
    "ce": {"optimizer.lr": 0.00289},
    "deep-bp": {"optimizer.lr": 0.00139, "plan.beta": 0.473, "plan.noise_std": 26.5},
    "random": {"optimizer.lr": 0.0269},
    "best": {"optimizer.lr": 0.00482, "plan.options.Y:supcon.temperature": 0.244, "network.dropout": 0.2},
    "best-bp": {"optimizer.lr": 0.00206, "plan.options.Y:supcon.temperature": 0.426, "network.dropout": 0.0},
    "full": {
        "optimizer.lr": 0.00101,
        "optimizer.critic_lr": 0.000646,
        "optimizer.output_lr": 2.49,
        "plan.beta": 0.0187,
        "plan.noise_std": 0.26,
    },
    "supcon": {"optimizer.lr": 0.00206, "plan.options.Y:supcon.temperature": 0.426, "network.dropout": 0.0},
}

_LAYERS = ("fc2", "fc3")
_EQUAL = full_ib(len(_LAYERS) + 1)._replace(description="full, with as many epochs a stage as the other variants")
_SHORT = {"data.limit": 10000, "epochs": 5}


def variants() -> list[Recipe]:
    """The table's variants."""
    base = Recipe(
        name="ib-mnist",
        title="Layer-by-layer information bottleneck, MNIST",
        source=SOURCE,
        data=DataSettings(name="mnist", validation=5000),
        network=NetworkSettings(hidden=(500, 256)),
        batch_size=128,
        validate_every=1,
        search=SearchSettings(trials=6, seeds=(1000,), space={"optimizer.lr": SearchRange(low=3e-4, high=1e-2)}),
    )
    made = ib_variants(
        base,
        layers=_LAYERS,
        epochs=10,
        together_epochs=20,  # twice the arithmetic of the four stages: a stage moves one layer, behind cached ones
        scores={"full": 0.9809, "mi-only": 0.9777, "ce": 0.9773},
        found=FOUND,
        during=dict.fromkeys(("full", "full-equal-epochs", "mi-only-mine", "supcon", "best", "best-bp"), _SHORT),
        own={"full-equal-epochs": _EQUAL, "best-crossed": best_crossed(_LAYERS, FOUND["best"])},
    )
    # Ten steps of its critics stand before each step of a layer: ten epochs would take it past ten minutes.
    return [change(recipe, {"epochs": 3}) if recipe.variant == "full" else recipe for recipe in made]
