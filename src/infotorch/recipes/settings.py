"""The frozen base of all settings, and the settings of the bottleneck's trained systems and of an assessment."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    """Frozen settings that refuse unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


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
]


class RemedySettings(Settings):
    """A trained system against the ill-posed bottleneck: a perceptron with a layer "bottleneck", and what it minimises.

    Args:
        system: "" for another network. With the objectives of the plan: "plain", a linear layer without noise;
            "stochastic", with Gaussian noise that goes on. With an objective of their own: "vib", "deficiency",
            "information-dropout", "nonlinear" (stochastic layers); "matrix", "quantised", "soft-decision"; and
            cross-entropy beside a regulariser, "confidence", "nuisance" (slant), "same-class", "cluster".
        weight: of the compression term (beta) or of the regulariser.
        code: units of the layer "bottleneck".
        draws: of each row in training.
        evaluation_draws: of each row in evaluation, whose probabilities are averaged.
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


class AssessmentSettings(Settings):
    """What is measured of a trained network beside its accuracy, on test rows, see `infotorch.runs.assess.assess`.

    Args:
        outliers: data set whose test images are to be told from the run's own; "" leaves the assessment out.
        rows: test rows that are attacked and probed.
        radii: of the attacks and of Gaussian noise (its deviation), in units of the pixels' whole range.
        steps: of projected gradient descent, each of 2.5 radii divided by their number.
        layer: whose P1, P2 and P3 are measured.
        relative_noise: of P2, in units of the layer's spread.
    """

    outliers: str = ""
    rows: int = Field(default=1000, ge=50)
    radii: tuple[Annotated[float, Field(gt=0)], ...] = Field(default=(0.05, 0.1, 0.2), min_length=1)
    steps: int = Field(default=20, ge=1)
    layer: str = "bottleneck"
    relative_noise: float = Field(default=0.3, gt=0)
