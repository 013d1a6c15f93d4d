"""The systems beside back-propagation on the embedded digits: real data, small enough for a first look."""

from __future__ import annotations

from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.ib_table import ib_variants
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search_settings import SearchRange, SearchSettings
from infotorch.recipes.variants import Found, Stages, Variant, make_variants

_MOLE = {"mole": Variant("MOLE: X (reconstruction bound), then Y (read-out bound), then cross-entropy", ("X", "Y"))}

# The first look should be a short one, and the paper's critics take minutes.
_LEFT_OUT = {"full", "mi-only-mine", "supcon", "best-bp"}

FOUND: Found = {
    "full-bound": {"optimizer.lr": 0.00376, "plan.beta": 0.14, "plan.noise_std": 7.77},
    "mi-only": {"optimizer.lr": 0.00587},
    "weight-decay": {"optimizer.lr": 0.0254, "optimizer.weight_decay": 0.0141},
    "bp": {"optimizer.lr": 0.00808},
    "deep-bp": {"optimizer.lr": 0.0041, "plan.beta": 0.598, "plan.noise_std": 1.27},
    "random": {"optimizer.lr": 0.0607},
    "best": {"optimizer.lr": 0.00571, "plan.options.Y:supcon.temperature": 0.0768, "network.dropout": 0.0},
    "mole": {"optimizer.lr": 0.00808},
}


def variants() -> list[Recipe]:
    """The variants: the information bottleneck, its parts, and back-propagation (`bp`) on the same network."""
    base = Recipe(
        name="demo",
        title="Layer-by-layer information bottleneck beside back-propagation, digits",
        source="embedded data: no published number",
        data=DataSettings(name="digits"),
        network=NetworkSettings(hidden=(128, 64)),
        batch_size=64,
        validate_every=1,
        search=SearchSettings(trials=8, seeds=(1000, 1001), space={"optimizer.lr": SearchRange(low=3e-4, high=3e-2)}),
    )
    bottleneck = ib_variants(
        base,
        layers=("fc2", "fc3"),
        epochs=30,
        together_epochs=120,
        found=FOUND,
        renamed={"ce": "bp"},
        during={"best": {"epochs": 40}},
    )
    stages = Stages(("fc2", "fc3"), epochs=30, together_epochs=120, output_lr=0.03)
    mole = make_variants(base, _MOLE, stages=stages, found=FOUND)
    return [*(recipe for recipe in bottleneck if recipe.variant not in _LEFT_OUT), *mole]
