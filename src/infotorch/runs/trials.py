"""What runs the trials of a search, be it before a run (`tune`) or of a sweep."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search import RunTrial
from infotorch.records.progress import Progress
from infotorch.records.run_record import RunRecord
from infotorch.runs.session import CHECKPOINT_SECONDS, Session, Watch
from infotorch.runs.setup import Setups


class PrunedError(Exception):
    """The run of a trial was ended before its last epoch, and the trial with it; it says why."""


def trial_runner(
    setups: Setups,
    device: str,
    progress: Progress | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    watch: Callable[[int], Watch] | None = None,
) -> RunTrial:
    """What runs a trial with a seed in a directory and returns its validation score; an interrupted one goes on.

    Args:
        setups: what was loaded and built before.
        device: see `launch`.
        progress: told about every step.
        checkpoint_seconds: at most this much work is lost when the process is killed.
        watch: seed -> what may prune the run.

    Returns:
        The function. It raises `KeyboardInterrupt` after an interruption, `PrunedError` of a pruned run, and what went
        wrong in training; of a run that diverges it returns nothing.
    """

    def run_trial(trial: Recipe, where: Path, seed: int) -> dict[str, float]:
        def told(what: str, done: int, total: int) -> None:
            if progress is not None:
                progress(f"search {where.parent.name}, {what}", done, total)

        setup, watching = setups.take(trial, seed, device), None if watch is None else watch(seed)
        session = Session(setup, RunRecord(where), told, checkpoint_seconds, is_trial=True, watch=watching)
        outcome = session.run(resume=True)
        if outcome.status == "interrupted" or session.stop_requested:
            raise KeyboardInterrupt
        if session.failure is not None:
            raise session.failure
        shutil.rmtree(RunRecord(where).checkpoint_directory, ignore_errors=True)
        if outcome.status == "pruned":
            raise PrunedError(outcome.message)
        return outcome.metrics if outcome.status == "completed" else {}

    return run_trial
