"""`infotorch table RECIPE ...`: its arguments, and a table of runs where a person sees it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infotorch.commands.options import Device, Out, Quiet, Recipes, Resume, Seeds, Set, chosen, directory_for
from infotorch.commands.run import how_to_go_on
from infotorch.commands.view import complain, incomplete_variants, outcome_line, print_rich
from infotorch.records.progress import say, show_progress, show_status

if TYPE_CHECKING:
    from infotorch.recipes.demonstration import AnyRecipe
    from infotorch.records.outcome import Outcome


def table(
    recipe: Recipes,
    seeds: Seeds = 3,
    variant: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only these variants; repeatable.")] = None,
    set_: Set = None,
    device: Device = "auto",
    out: Out = None,
    resume: Resume = False,
    jobs: Annotated[int, typer.Option(min=1, metavar="N", help="Runs at a time, each in a process of its own.")] = 1,
    backend: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of joblib, for --jobs: loky, this machine's processes, or dask, a cluster."),
    ] = None,
    address: Annotated[
        str | None, typer.Option(metavar="URL", help="Of dask's scheduler; by default --jobs workers here.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Run all variants and seeds, beside the published numbers."""
    recipes = chosen(recipe, variant, set_ or [])
    directory = directory_for(out, "table-" + "-".join(dict.fromkeys(one.name for one in recipes)), resume)
    beside = None
    if jobs > 1 or backend or address:
        beside = {"workers": jobs, "backend": backend or ("dask" if address else "loky"), "address": address}
    raise typer.Exit(run_and_show(recipes, directory, seeds, device, resume, beside))


def run_and_show(
    recipes: Sequence[AnyRecipe],
    directory: Path,
    seeds: int,
    device: str,
    resume: bool,
    beside: Mapping[str, Any] | None = None,
) -> int:
    """Run a table: a line a run as it ends, then published beside measured.

    Args:
        recipes: its variants.
        directory: where to write.
        seeds: of each.
        device: of each run.
        resume: go on with what is there.
        beside: for several runs at a time, what `run_side_by_side` is told of its processes.

    Returns:
        The exit code.

    Raises:
        ValueError: what would stop a run, found before the first one.
        BlockingIOError: another process is writing the directory.
    """
    from infotorch.records.finding import holds_runs
    from infotorch.records.lock import sole_writer
    from infotorch.runs.preflight import check_folder, check_table

    check_folder(directory)
    with sole_writer(directory):  # two tables in one folder would each take the runs of the other for unfinished
        kept = check_table(recipes, directory, seeds, resume=resume)
        try:
            done = _run(recipes, directory, seeds, device, resume, kept, beside)
        except KeyboardInterrupt:
            complain(f"interrupted; {how_to_go_on(directory)}")
            return 130
        stopped = [outcome.message.split(";")[0] for outcome in done if outcome.status == "interrupted"]
        if stopped or len(done) < sum(len(recipe.seeds(seeds)) for recipe in recipes):
            complain(f"{stopped[-1] if stopped else 'interrupted'}; {how_to_go_on(directory)}")
            return 130
        if holds_runs(directory):
            _show(directory)
    print(f"runs: {directory}")
    if short := incomplete_variants(done):
        complain(f"some variants did not complete: {short}.")
    return 1 if short else 0


def _run(
    recipes: Sequence[AnyRecipe],
    directory: Path,
    seeds: int,
    device: str,
    resume: bool,
    kept: Collection[tuple[str, str, int]],
    beside: Mapping[str, Any] | None,
) -> list[Outcome]:
    with show_status("starting"):  # torch takes seconds to load
        from infotorch.runs.preflight import check_runs
    runs = [(recipe, seed) for recipe in recipes for seed in recipe.seeds(seeds)]
    setups = check_runs([(one, seed) for one, seed in runs if (one.name, one.variant, seed) not in kept], device)
    say(f"{len(runs)} runs in {directory}" + (f"; {len(kept)} are finished already and kept" if kept else ""))
    number, done = 1, 0

    def finished(outcome: Outcome) -> None:
        nonlocal number, done
        number += 1
        if (outcome.recipe, outcome.variant, outcome.seed) not in kept and outcome.status != "interrupted":
            done += 1
            print(outcome_line(outcome), flush=True)

    at_once = beside["workers"] if beside else 1
    with show_progress(parts=lambda: (done / at_once, (len(runs) - len(kept)) / at_once)) as show:

        def progress(what: str, step: int, steps: int) -> None:
            show(f"run {number} of {len(runs)}, {what}", step, steps)

        options = {"device": device, "resume": resume, "finished": finished}
        if beside is not None:
            from infotorch.runs.jobs import run_side_by_side

            del setups  # every process has its own
            return run_side_by_side(recipes, directory, seeds=seeds, progress=show, **options, **beside)
        from infotorch.runs.runner import run_table

        return run_table(recipes, directory, seeds=seeds, progress=progress, setups=setups, **options)


def _show(directory: Path) -> None:
    """Published beside measured, mean and spread, of the runs below a directory; also kept there as table.md."""
    from infotorch.records.files import write_atomic
    from infotorch.records.finding import find_runs
    from infotorch.report.assessment import terminal_assessments
    from infotorch.report.summaries import summarise
    from infotorch.report.table import markdown_table, terminal_table

    variants = summarise(find_runs(directory))
    write_atomic(directory / "table.md", markdown_table(variants).encode())
    print_rich(terminal_table(variants), *terminal_assessments(variants))
