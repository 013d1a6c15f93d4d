"""A recipe -> a run directory; many of them -> a table; a search of settings before a run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import torch

from infotorch.numerics.ranks import is_first, several
from infotorch.recipes.changes import change
from infotorch.recipes.demonstration import AnyRecipe, Demonstration
from infotorch.recipes.recipe import Recipe
from infotorch.recipes.search import RunTrial, choose_objectives, search
from infotorch.records.lock import sole_writer
from infotorch.records.outcome import Outcome
from infotorch.records.progress import Progress
from infotorch.records.run_record import RunRecord
from infotorch.runs.preflight import check_run, check_shareable
from infotorch.runs.ranks import beside_the_first, refusing_for_all, tell_others
from infotorch.runs.resume import check_same, collected_outcomes
from infotorch.runs.session import CHECKPOINT_SECONDS, Session, describe
from infotorch.runs.setup import Setup, Setups
from infotorch.runs.trials import trial_runner
from infotorch.training.devices import environment


def run(
    recipe: AnyRecipe,
    directory: Path,
    *,
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    progress: Progress | None = None,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    setups: Setups | None = None,
) -> Outcome:
    """Run one variant of a table with one seed.

    Args:
        recipe: the variant.
        directory: the run directory; it is created.
        seed: decides the samples, the weights, the order of the batches and the noise.
        device: see `launch`.
        resume: go on from the checkpoint in the directory; without one start afresh; on a finished run
            return its outcome.
        progress: told about every step.
        checkpoint_seconds: at most this much work is lost when the process is killed; 0 saves after every step.
        setups: what was loaded and built before, by a check or for other runs.

    Returns:
        How the run ended. Divergence, Ctrl-C (which ends at a step boundary, with a checkpoint) and an exception in
        training (whose traceback is kept in traceback.txt) are outcomes.

    Raises:
        FileExistsError: the directory holds something and resume is not asked for, or holds no run.
        BlockingIOError: another process, or another thread of this one, is writing the directory.
        ValueError: resume with another recipe or seed than the directory's, or settings that do not fit the data.
        KeyboardInterrupt: Ctrl-C came during the final numbers: the run is complete, what follows is not begun.

    Example:
        >>> import tempfile
        >>> from infotorch.recipes.registry import find_recipe
        >>> recipe = change(find_recipe("demo"), {"epochs": 1, "data.limit": 100})
        >>> run(recipe, Path(tempfile.mkdtemp()) / "run", device="cpu").status
        'completed'
    """
    if several():
        check_shareable(recipe)
    if not is_first():
        with beside_the_first(directory) as (scratch, outcome):
            if outcome is not None:
                return outcome
            assert isinstance(recipe, Recipe)
            session = Session(Setup(recipe, seed, device), RunRecord(scratch), checkpoint_seconds=math.inf)
            return session.run(resume=resume)
    record = RunRecord(directory)
    with ExitStack() as writing:
        with refusing_for_all():
            writing.enter_context(sole_writer(directory))
            check_run(directory, resume=resume)
            ended = None
            if resume and record.exists():
                check_same(record, recipe, seed)
                outcome = record.outcome()
                ended = outcome if outcome is not None and outcome.status in {"completed", "diverged"} else None
        if several():
            tell_others(directory, ended)
        if ended is not None:
            return ended
        if isinstance(recipe, Demonstration):
            return _demonstrated(recipe, record, seed)
        setups = setups or Setups()
        if recipe.tune or recipe.searches_objectives:
            recipe = _searched(recipe, directory / "tuning", trial_runner(setups, device, progress, checkpoint_seconds))
        session = Session(setups.take(recipe, seed, device), record, progress, checkpoint_seconds)
        outcome = session.run(resume=resume)
        record.finish(outcome)
        if session.stop_requested:
            raise KeyboardInterrupt  # too late for this run, in time for what would follow
        return outcome


def run_table(
    recipes: Sequence[AnyRecipe],
    directory: Path,
    *,
    seeds: int,
    device: str = "auto",
    resume: bool = False,
    progress: Progress | None = None,
    finished: Callable[[Outcome], None] | None = None,
    setups: Setups | None = None,
) -> list[Outcome]:
    """Run all variants with all seeds, in `directory/<recipe>/<variant>/seed-<seed>`; `finished` hears of each at once.

    A run that diverges or fails is an outcome and the others go on; an interruption ends the table. With `resume` the
    runs that `directory/<recipe>.json` holds with the same settings are finished, as if their directories were there.

    Raises:
        ValueError: seeds below 1.
    """
    if seeds < 1:
        raise ValueError(f"seeds must be at least 1, got {seeds}.")
    setups = setups or Setups()
    outcomes: list[Outcome] = []
    collected = collected_outcomes(recipes, directory, seeds) if resume else {}
    for recipe in recipes:
        for seed in recipe.seeds(seeds):
            where = directory / recipe.name / recipe.variant / f"seed-{seed}"
            try:
                outcome = None if where.exists() else collected.get((recipe.name, recipe.variant, seed))
                outcome = outcome or run(
                    recipe, where, seed=seed, device=device, resume=resume, progress=progress, setups=setups
                )
            except Exception as error:  # before training, in a search: this run fails, the others go on
                outcome = Outcome("failed", f"{type(error).__name__}: {error}", recipe.name, recipe.variant, seed)
            outcomes.append(outcome)
            if finished is not None:
                finished(outcome)
            if outcomes[-1].status == "interrupted":
                return outcomes
    return outcomes


def _demonstrated(recipe: Demonstration, record: RunRecord, seed: int) -> Outcome:
    """Compute a demonstration, on the CPU and in float64, and write it down."""
    from infotorch.theory.demonstration import demonstrate  # scikit-learn takes a second to load

    began, where = time.monotonic(), environment(torch.device("cpu"), "64-true")
    found = demonstrate(recipe.variant, recipe.values)
    record.begin(describe(recipe, seed), where)
    record.write_demonstration(found.as_dict())
    published = {name: number.model_dump() for name, number in recipe.published.items()}
    seconds = round(time.monotonic() - began, 3)
    outcome = Outcome("completed", "computed", recipe.name, recipe.variant, seed, found.counted(), published, seconds)
    record.finish(outcome)
    return outcome


def _searched(recipe: Recipe, tuning: Path, trial: RunTrial) -> Recipe:
    """The recipe with what its searches find."""
    if recipe.searches_objectives:  # before the search, whose trials need a plan
        recipe = change(recipe, {"plan.objectives": choose_objectives(recipe, tuning / "auto", trial)})
    return change(recipe, search(recipe, tuning, trial)) if recipe.tune else recipe
