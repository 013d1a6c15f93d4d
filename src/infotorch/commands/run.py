"""`infotorch run RECIPE`: its arguments, and one run where a person sees it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from infotorch.commands.options import (
    Device,
    Devices,
    Out,
    Quiet,
    RecipeName,
    Resume,
    Seed,
    Set,
    Variant,
    chosen,
    directory_for,
)
from infotorch.commands.processes import joined_processes, rank, run_in_processes
from infotorch.commands.view import complain, print_outcome
from infotorch.records.progress import show_progress, show_status

if TYPE_CHECKING:
    from infotorch.recipes.demonstration import AnyRecipe

_EXIT = {"completed": 0, "diverged": 1, "failed": 1, "interrupted": 130}


def run(
    recipe: RecipeName,
    variant: Variant = None,
    set_: Set = None,
    seed: Seed = 0,
    device: Device = "auto",
    devices: Devices = 1,
    out: Out = None,
    resume: Resume = False,
    quiet: Quiet = False,
) -> None:
    """Run one variant of a recipe with one seed."""
    from infotorch.runs.preflight import check_folder, check_run, check_shareable

    [wanted] = chosen([recipe], None if variant is None else [variant], set_ or [], first=True)
    directory = directory_for(out, f"{wanted.name}-{wanted.variant}-seed-{seed}", resume)
    count = joined_processes()
    if count == 1:  # of several the first looks, when the others can hear of it
        check_folder(directory)
        check_run(directory, resume=resume)
    if count > 1 and devices not in {1, count}:
        raise ValueError(f"--devices must be left out, or {count} as the launcher's processes, got {devices}.")
    if devices > count:
        check_shareable(wanted)
        if ":" in device:
            raise ValueError(f"--device must name a kind, such as cuda, where --devices is {devices}; got {device}.")
        raise typer.Exit(run_in_processes(devices, ["--out", str(directory)]))
    try:
        code = _run(wanted, directory, seed, device, resume)
    except KeyboardInterrupt:
        if not rank():
            complain(f"interrupted; {how_to_go_on(directory)}")
        code = 130
    raise typer.Exit(code)


def _run(recipe: AnyRecipe, directory: Path, seed: int, device: str, resume: bool) -> int:
    ended = resume and _has_ended(directory)
    with show_status("starting"):  # torch takes seconds to load
        from infotorch.recipes.recipe import Recipe
        from infotorch.runs.preflight import check_runs
        from infotorch.runs.ranks import LOST
        from infotorch.runs.runner import run as run_recipe
        from infotorch.training.devices import join
    if joined_processes() > 1:
        join(device)
    setups = None
    if isinstance(recipe, Recipe) and (recipe.tune or recipe.searches_objectives):
        setups = check_runs([(recipe, seed)], device)  # a search writes before the run's own data is read
    with show_progress(f"{recipe.name} {recipe.variant} seed {seed} in {directory}") as progress:
        options = {"device": device, "resume": resume, "progress": progress, "setups": setups}
        outcome = run_recipe(recipe, directory, seed=seed, **options)
    if rank():
        if outcome.status == "failed" and outcome.message != LOST:  # else the first one tells
            complain(f"failed: {outcome.message}")
        return _EXIT[outcome.status]
    print_outcome(outcome)
    if outcome.status == "completed":
        print(f"completed: {directory}{' was finished already' if ended else ''}")
    elif outcome.status == "interrupted":
        complain(f"{outcome.message.split(';')[0]}; {how_to_go_on(directory)}")
    else:
        complain(f"{outcome.status}: {outcome.message}; see {directory}{', finished already' if ended else ''}")
    return _EXIT[outcome.status]


def _has_ended(directory: Path) -> bool:
    from infotorch.records.run_record import RunRecord

    return (outcome := RunRecord(directory).outcome()) is not None and outcome.status in {"completed", "diverged"}


def how_to_go_on(directory: Path) -> str:
    """What to type after an interruption."""
    return f"the same command with --resume --out {directory} goes on."
