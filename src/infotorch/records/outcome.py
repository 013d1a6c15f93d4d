"""How a run ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Status = Literal["completed", "diverged", "interrupted", "failed"]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Args:
        status: "completed", "diverged" (a non-finite loss), "interrupted" or "failed".
        message: one line for people.
        recipe: name of the recipe.
        variant: the table row.
        seed: the run's seed.
        metrics: final numbers that a seed fixes; accuracies are fractions of one, information is in nats.
        published: metric name -> {"value", "source"}, from the paper.
        seconds: time spent training and evaluating, all sessions of the run together.
        memory: `peak_saved_activation_bytes` and the device's peak where there is one.
    """

    status: Status
    message: str
    recipe: str
    variant: str
    seed: int
    metrics: dict[str, float] = field(default_factory=dict)
    published: dict[str, dict[str, Any]] = field(default_factory=dict)
    seconds: float = 0.0
    memory: dict[str, int] = field(default_factory=dict)
