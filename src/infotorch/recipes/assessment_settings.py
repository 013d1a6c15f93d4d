"""Settings of what is measured of a trained network beside its accuracy."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from infotorch.recipes.settings import Settings


class AssessmentSettings(Settings):
    """What is measured of a trained network beside its accuracy, see `infotorch.assessment.assess.assess`.

    Args:
        outliers: data set whose test images are to be told from the run's own; "" leaves the assessment out.
        num_samples: test samples that are attacked and probed.
        radii: of the attacks and of Gaussian noise (its deviation), in units of the pixels' whole range.
        steps: of projected gradient descent, each of 2.5 radii divided by their number.
        restarts: starts of the strong attack of `obfuscation_check`, which also tries the attack of another network; 0
            leaves that check out.
        strong_steps: of the strong attack, from each of its starts.
        layer: whose P1, P2 and P3 are measured.
        relative_noise: of P2, in units of the layer's spread.
    """

    outliers: str = ""
    num_samples: int = Field(default=1000, ge=50)
    radii: tuple[Annotated[float, Field(gt=0)], ...] = Field(default=(0.05, 0.1, 0.2), min_length=1)
    steps: int = Field(default=20, ge=1)
    restarts: int = Field(default=0, ge=0)
    strong_steps: int = Field(default=100, ge=1)
    layer: str = "bottleneck"
    relative_noise: float = Field(default=0.3, gt=0)
