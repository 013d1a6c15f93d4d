"""The systems beside back-propagation on the embedded digits: real data, small enough for a first look."""

from __future__ import annotations

from infotorch.recipes.bottleneck_rows import bottleneck_rows
from infotorch.recipes.recipe import DataSettings, Recipe, SearchSettings

_FOUND = {
    "full-bound": {"lr": 2e-3, "beta": 1e-3, "noise_std": 1.0},
    "mi-only": {"lr": 2e-3},
    "weight-decay": {"lr": 2e-3, "weight_decay": 1e-2},
    "ce": {"lr": 2e-3},
    "deep-bp": {"lr": 2e-3, "beta": 1e-3, "noise_std": 1.0},
    "random": {"lr": 2e-3},
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
