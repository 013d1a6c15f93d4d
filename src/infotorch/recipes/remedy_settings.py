"""Settings of the trained systems against the ill-posed bottleneck."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from infotorch.recipes.settings import Settings

#: Trained systems: those whose network has the layer "bottleneck" in common, with noise or without.
System = Literal[
    "",
    "plain",
    "stochastic",
    "vib",
    "deficiency",
    "information-dropout",
    "nonlinear",
    "matrix",
    "quantised",
    "soft-decision",
    "confidence",
    "nuisance",
    "same-class",
    "cluster",
    "total-correlation",
]


class RemedySettings(Settings):
    """A trained system against the ill-posed bottleneck: a perceptron with a layer "bottleneck", and what it minimises.

    Args:
        system: "" for another network. With the objectives of the plan: "plain", a linear layer without noise;
            "stochastic", with Gaussian noise that goes on. With an objective of their own: "vib", "deficiency",
            "information-dropout", "nonlinear" (stochastic layers); "matrix", "quantised", "soft-decision"; and
            cross-entropy beside a regulariser, "confidence", "nuisance" (slant), "same-class", "cluster",
            "total-correlation".
        weight: of the compression term (beta) or of the regulariser.
        code: units of the layer "bottleneck".
        draws: of each sample in training.
        evaluation_draws: of each sample in evaluation, whose probabilities are averaged.
        noise_std: of "stochastic" and "nonlinear", where it starts if learned; of "nuisance", inside its bound.
        scale: its unit: "fixed", "relative" to the layer's deviation, or "learned", one for each unit.
        lagrangian: of "nonlinear", see `lagrangian_cost`.
        levels: of "quantised": cells of a unit.
    """

    system: System = ""
    weight: float = Field(default=1e-3, gt=0)
    code: int = Field(default=64, ge=1)
    draws: int = Field(default=1, ge=1)
    evaluation_draws: int = Field(default=12, ge=1)
    noise_std: float = Field(default=1.0, gt=0)
    scale: Literal["fixed", "relative", "learned"] = "relative"
    lagrangian: Literal["plain", "squared", "exponential"] = "squared"
    levels: int = Field(default=2, ge=2)
