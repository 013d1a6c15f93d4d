"""How a run ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from infotorch.records.forms import COUNT, NUMBER_OR_NULL, TEXT, WHOLE, Each, Kind, Optional, check_form

Status = Literal["completed", "diverged", "interrupted", "failed", "pruned"]


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Args:
        status: "completed", "diverged" (a non-finite loss), "interrupted", "failed"; of a sweep's trial also "pruned".
        message: one line for people.
        recipe: name of the recipe.
        variant: the table row.
        seed: the run's seed.
        metrics: final numbers that a seed fixes; accuracies are fractions of one, information is in nats.
        published: metric name -> {"value", "source"}, from the paper.
        seconds: time spent training and evaluating, all sessions of the run together.
        memory: `peak_saved_activation_bytes` and the device's peak where there is one.
        isolation: "certified", or "not certified: " and why, see `audit_isolation`; None where gradients are to cross.
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
    isolation: str | None = None


#: What outcome.json holds; null stands for a number that is not finite.
_FORM = {
    "status": Kind(f"one of {', '.join(get_args(Status))}", (str,)),
    "message": TEXT,
    "recipe": TEXT,
    "variant": TEXT,
    "seed": WHOLE,
    "metrics": Optional(Each(NUMBER_OR_NULL)),
    "published": Optional(Each({"value": Optional(NUMBER_OR_NULL), "source": Optional(TEXT)})),
    "seconds": Optional(NUMBER_OR_NULL),
    "memory": Optional(Each(COUNT)),
    "isolation": Optional(TEXT),
}


def parse_outcome(content: Mapping[str, Any], *, where: Path) -> Outcome:
    """The outcome in a file's JSON object.

    Args:
        content: of outcome.json.
        where: the file, for messages.

    Raises:
        ValueError: a value is missing, unknown or of another type; the message names it.

    Example:
        >>> content = {"status": "completed", "message": "", "recipe": "demo", "variant": "bp", "seed": 0}
        >>> parse_outcome(content, where=Path("outcome.json")).status
        'completed'
    """
    if unknown := set(content) - set(_FORM):
        raise ValueError(f"{where} is damaged: it holds {', '.join(sorted(unknown))}, which no outcome has.")
    check_form(content, _FORM, where=where)
    if content["status"] not in get_args(Status):
        raise ValueError(f"{where} is damaged: status must be {_FORM['status'].words}, got {content['status']!r}.")
    return Outcome(**{name: value for name, value in content.items() if value is not None})
