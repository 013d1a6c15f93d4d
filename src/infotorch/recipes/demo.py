"""The systems beside back-propagation on the embedded digits: real data, small enough for a first look."""

from __future__ import annotations

from infotorch.recipes.bottleneck_rows import bottleneck_rows
from infotorch.recipes.recipe import DataSettings, Recipe, SearchSettings

_FOUND = {
    "full-bound": {"lr": 0.00376, "beta": 0.14, "noise_std": 7.77},
    "mi-only": {"lr": 0.00587},
    "weight-decay": {"lr": 0.0254, "weight_decay": 0.0141},
    "ce": {"lr": 0.00808},
    "deep-bp": {"lr": 0.0041, "beta": 0.598, "noise_std": 1.27},
    "random": {"lr": 0.0607},
}


def rows() -> list[Recipe]:
    """The rows: the information bottleneck, its parts, and back-propagation (`bp`) on the same network."""
    return bottleneck_rows(
        name="demo",
        title="Layer-by-layer information bottleneck beside back-propagation, digits",
        source="embedded data: no published number",
        data=DataSettings(name="digits"),
        hidden=(128, 64),
        epochs=30,
        end_to_end_epochs=120,
        batch_size=64,
        validate_every=1,
        published={},
        search=SearchSettings(trials=8, seeds=(1000, 1001)),
        highest_lr=3e-2,
        settings=_FOUND,
        renamed={"ce": "bp"},
    )
