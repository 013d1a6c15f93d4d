"""A run as the report reads it: everything of one run, loaded once and checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from infotorch.records.outcome import Outcome, Status
from infotorch.records.run_record import RunRecord

UNFINISHED = "unfinished"
STATUSES: tuple[str, ...] = (*get_args(Status), UNFINISHED)


@dataclass(frozen=True)
class Run:
    """One run: what decided it, where it ran, its lines of metrics and its end.

    Args:
        record: the run directory, or the run in a table's file.
        recipe: what decided the run.
        environment: where it ran; empty when the file is missing.
        lines: metrics in the order of training.
        outcome: how it ended, or None without an outcome.json.
        apart: settings that tell it from other runs of its variant, in words, or "".
    """

    record: RunRecord
    recipe: Mapping[str, Any]
    environment: Mapping[str, Any]
    lines: Sequence[Mapping[str, Any]]
    outcome: Outcome | None
    apart: str = ""

    @property
    def directory(self) -> Path:
        """Where the run lies."""
        return self.record.directory

    @property
    def name(self) -> str:
        """Name of the recipe."""
        return str(self.recipe["name"])

    @property
    def variant(self) -> str:
        """The table row the run belongs to."""
        variant = str(self.recipe.get("variant") or "default")
        return f"{variant}, {self.apart}" if self.apart else variant

    @property
    def seed(self) -> int:
        """The run's seed."""
        return int(self.recipe.get("seed") or 0)

    @property
    def status(self) -> str:
        """One of `STATUSES`; "unfinished" means that there is no outcome.json."""
        return UNFINISHED if self.outcome is None else self.outcome.status

    @property
    def completed(self) -> bool:
        """Whether the run's numbers enter a mean."""
        return self.status == "completed"

    @property
    def message(self) -> str:
        """One line on how the run ended."""
        if self.outcome is None:
            return "no outcome.json: the run still goes on, or was killed"
        return self.outcome.message

    @property
    def last_place(self) -> str:
        """Where the last line of metrics was written, for example "stage 1, fc2, epoch 3, step 430"."""
        if not self.lines:
            return "before the first line of metrics"
        last = self.lines[-1]
        places = (("stage {}", "stage"), ("{}", "module"), ("epoch {}", "epoch"), ("step {}", "step"))
        return ", ".join(form.format(last[key]) for form, key in places if last.get(key) is not None)


def load_run(record: RunRecord) -> Run:
    """Read one run directory.

    Args:
        record: the run directory.

    Returns:
        The run.

    Raises:
        ValueError: a file is damaged; the message names it.
        FileNotFoundError: there is no recipe.json.

    Example:
        >>> import tempfile
        >>> record = RunRecord(Path(tempfile.mkdtemp()) / "run")
        >>> record.begin({"name": "demo", "variant": "bp", "seed": 3}, {"python": "3.11"})
        >>> run = load_run(record)
        >>> run.variant, run.seed, run.status
        ('bp', 3, 'unfinished')
    """
    recipe = record.recipe()
    try:
        environment = record.environment()
    except FileNotFoundError:
        environment = {}
    return Run(record, recipe, environment, record.metrics(), record.outcome())


def load_runs(records: Iterable[RunRecord]) -> list[Run]:
    """Read every run directory, in the order given; errors as in `load_run`."""
    return [load_run(record) for record in records]


def count_statuses(runs: Iterable[Run]) -> dict[str, int]:
    """How many runs ended in which way, in the order of `STATUSES`; ways that do not occur are left out."""
    counts = Counter(run.status for run in runs)
    return {status: counts[status] for status in STATUSES if counts[status]}


def is_number(value: Any) -> bool:
    """Whether a JSON value is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)
