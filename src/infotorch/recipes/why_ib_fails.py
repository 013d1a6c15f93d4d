"""Why the information bottleneck fails for deterministic networks: the theory's figures, run (Amjad & Geiger 2019).

Six demonstrations have exact values, in bits as in the paper, and judge every claim of the text about them. The
coordinates of Figures 1 and 2 stand in no text; they were chosen once and stand where the demonstrations are made
(`infotorch.theory.figure1` and the others). "claims that hold" counts them beside the paper's own count.

Two rows train: 12-10-7-5-4-3-2 on the 4,096 patterns of 12 bits, tanh as in Shwartz-Ziv & Tishby 2017 and ReLU as in
Saxe et al. 2018. The papers' optimisers and lengths differ; chosen once and equal for both rows: Xavier start, Adam at
1e-3, batches of 256, 300 epochs, and one assumption of each kind for I(X; T): bins of 2/30 (30 bins between -1 and 1),
noise of a tenth of the layer's spread, and noise of variance 0.1 in the layer's own unit (Saxe et al.). X is one of
1,000 of the patterns, equally likely, so that its law is known: the bins' values are exact, and bounds bracket those
under noise.
"""

from __future__ import annotations

from typing import Literal

from infotorch.recipes.data_settings import DataSettings
from infotorch.recipes.demonstration import AnyRecipe, Demonstration
from infotorch.recipes.network_settings import NetworkSettings
from infotorch.recipes.optimizer_settings import OptimizerSettings
from infotorch.recipes.recipe import Published, Recipe
from infotorch.recipes.search_settings import SearchSettings

_NAME, _TITLE = "why-ib-fails", "Why the information bottleneck fails for deterministic networks"
_PAPER = "Amjad & Geiger 2019, arXiv:1802.09766"

#: Variant -> description, place in the paper, values and number of claims.
_SHOWN: dict[str, tuple[str, str, dict[str, int | float], int]] = {
    "figure-1": ("I(X; L) over two parameters: piecewise constant, or infinite", "Fig. 1", {"step": 0.05}, 3),
    "figure-2": (
        "six functions of equal information, told apart by decisions, noise and cells",
        "Fig. 2, Secs. 4.3 and 5.1 to 5.4",
        {"noise": 0.05, "input_noise": 0.03},
        12,
    ),
    "figure-3": (
        "two neurons of equal functional and unequal robustness",
        "Fig. 3, Secs. 4.3 and 5.1",
        {"epsilon": 0.01, "noise": 0.1},
        4,
    ),
    "noise-to-zero": ("I(X; L + noise) grows without end as the noise goes to 0", "Theorem 1", {"halvings": 20}, 4),
    "saturation": ("estimates of an infinite I(X; L) stand at log n", "Secs. 4.1 and 4.2", {"doublings": 6}, 3),
    "bijection": (
        "a layer before and after a bijection: equal information, another decision",
        "Sec. 4.3",
        {"num_samples": 2000, "speed": 3.0},
        4,
    ),
}

_HARD = {
    "cont1_hard_mi_xt_bits": (1.0, "I(X; Yhat')"),
    "cont2_hard_mi_xt_bits": (1.0, "I(X; Yhat'')"),
    "cont1_hard_mi_ty_bits": (1.0, "I(Y; Yhat') = H(Y)"),
    "cont2_hard_mi_ty_bits": (0.0, "I(Y; Yhat'')"),
}

_PLANES: dict[Literal["bin_width", "num_bins", "noise_std", "relative_noise"], float] = {
    "bin_width": 2 / 30,
    "relative_noise": 0.1,
    "noise_std": 0.1**0.5,
}


def variants() -> list[AnyRecipe]:
    """The demonstrations, in the paper's order, and the two planes."""
    return [*(_demonstration(variant) for variant in _SHOWN), _plane("tanh"), _plane("relu")]


def _demonstration(variant: str) -> Demonstration:
    description, place, values, claims = _SHOWN[variant]
    published = {"claims_that_hold": Published(value=claims, source=f"{_PAPER}: all of its claims in {place}")}
    if variant == "figure-2":
        published |= {
            name: Published(value=value, source=f"{_PAPER}, Sec. 5.1: {what}") for name, (value, what) in _HARD.items()
        }
    return Demonstration(
        name=_NAME,
        variant=variant,
        title=_TITLE,
        description=description,
        source=f"{_PAPER}, {place}",
        values=values,
        published=published,
    )


def _plane(activation: str) -> Recipe:
    model = {"hidden": (10, 7, 5, 4, 3), "activation": activation, "init": "xavier"}
    return Recipe(
        name=_NAME,
        variant=f"plane-{activation}",
        title=_TITLE,
        description=f"the information plane of a {activation} network under three assumptions",
        source="Shwartz-Ziv & Tishby 2017, arXiv:1703.00810; Saxe et al. 2018, ICLR",
        data=DataSettings(name="idnns"),
        network=NetworkSettings.model_validate(model),
        optimizer=OptimizerSettings(lr=1e-3, schedule="constant"),
        epochs=300,
        batch_size=256,
        log_every=10,
        planes=_PLANES,
        search=SearchSettings(),
    )
