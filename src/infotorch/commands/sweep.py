"""`infotorch sweep RECIPE`: its arguments, and a search of settings where a person sees it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infotorch.commands.options import Device, Quiet, RecipeName, Set, Variant, chosen
from infotorch.commands.view import complain, print_columns
from infotorch.records.progress import say, show_progress, show_status

if TYPE_CHECKING:
    from infotorch.recipes.recipe import Recipe
    from infotorch.runs.sweep import SweepResult, SweepTrial

#: The seeds of trials begin here: none of them is a seed of a table.
_FIRST_SEED = 1000


def sweep(
    recipe: RecipeName,
    set_range: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY=LOW:HIGH[:log]",
            help="Search a setting between two ends, or among choices, KEY=A,B,C; repeatable. By default where the "
            "recipe itself searches.",
        ),
    ] = None,
    variant: Variant = None,
    set_: Set = None,
    trials: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Trials in all, those of other processes too; by default the recipe's."),
    ] = None,
    seeds: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="N", help="Seeds 1000, 1001, ... that a score is the mean of; by default the recipe's."
        ),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(metavar="FILE|URL", help="Journal or database that processes share; by default DIR/journal.log."),
    ] = None,
    prune: Annotated[
        bool, typer.Option("--prune/--no-prune", help="End trials that fall behind, by validation samples.")
    ] = True,
    device: Device = "auto",
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Where to write, or to go on; by default runs/sweep-RECIPE-VARIANT."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Search settings of a recipe on its validation samples. The same command once more goes on, or helps."""
    from infotorch.recipes.demonstration import trained

    [base] = chosen([recipe], None if variant is None else [variant], set_ or [], first=True)
    wanted = _searching(trained(base), set_range or [], set_ or [], trials, seeds)
    directory = out or Path("runs") / f"sweep-{wanted.name}-{wanted.variant}"
    raise typer.Exit(_watch(wanted, directory, storage, device, prune=prune))


def _watch(recipe: Recipe, directory: Path, storage: str | None, device: str, *, prune: bool) -> int:
    """Sweep where a person sees it; returns the exit code."""
    from infotorch.numerics.extras import require
    from infotorch.runs.preflight import check_folder

    require("sweep", "optuna", "a sweep")
    check_folder(directory)
    try:
        found = _run(recipe, directory, storage, device, prune=prune)
    except KeyboardInterrupt:
        complain(f"interrupted; the same command with --out {directory} goes on.")
        return 130
    _show(recipe, found, directory)
    return 0 if found.best is not None or found.running else 1


def _searching(recipe: Recipe, ranges: list[str], fixed: list[str], trials: int | None, seeds: int | None) -> Recipe:
    """The recipe with the search that the command line asks for, in place of its own."""
    from infotorch.recipes.search_ranges import read_range

    found = [read_range(recipe, text) for text in ranges]
    given = [text.partition("=")[0].strip() for text in fixed]
    for place, (key, _) in enumerate(found):
        if key in given or key in dict(found[:place]):
            raise ValueError(
                f"{key} has a range, and {'--set too' if key in given else 'another'}; leave one of them out."
            )
    update: dict[str, object] = {"space": dict(found)} if found else {}
    update |= {} if trials is None else {"trials": trials}
    update |= {} if seeds is None else {"seeds": tuple(range(_FIRST_SEED, _FIRST_SEED + seeds))}
    return recipe.model_copy(update={"search": recipe.search.model_copy(update=update)})


def _run(recipe: Recipe, directory: Path, storage: str | None, device: str, *, prune: bool) -> SweepResult:
    with show_status("starting"):  # torch takes seconds to load
        from infotorch.runs.preflight import check_runs
        from infotorch.runs.sweep import check_sweep
        from infotorch.runs.sweep import sweep as sweep_recipe
    check_sweep(recipe, directory, storage)
    setups = check_runs([(recipe, recipe.search.seeds[0])], device)
    done, total = 0, recipe.search.trials
    say(f"{total} trials of {recipe.name} {recipe.variant} in {directory}")

    def finished(trial: SweepTrial) -> None:
        nonlocal done
        done = min(trial["trial"] + 1, total)
        print(_line(recipe, trial), flush=True)

    with show_progress(parts=lambda: (done, total)) as show:
        options = {"device": device, "progress": show, "finished": finished, "setups": setups}
        return sweep_recipe(recipe, directory, storage=storage, prune=prune, **options)


def _line(recipe: Recipe, trial: SweepTrial) -> str:
    how = f"{recipe.search.metric} {trial['mean']:.6g}" if trial["mean"] is not None else trial["message"]
    shown = how if trial["status"] in {"completed", "pruned"} else f"{trial['status']}, {' '.join(how.split())}"
    settings = ", ".join(f"{key}={_plain(value)}" for key, value in trial["settings"].items())
    return f"trial {trial['trial']}: {settings}: {shown}, {trial['seconds']:.1f} s"


def _show(recipe: Recipe, found: SweepResult, directory: Path) -> None:
    """The trials, the best first, what mattered, and where the best recipe is."""
    keys = list(recipe.search.space)
    sign = 1 if recipe.search.metric.endswith("_mae") else -1
    ranked = sorted(found.trials, key=lambda trial: (trial["mean"] is None, sign * (trial["mean"] or 0.0)))
    lines = [("trial", *keys, recipe.search.metric, "status")]
    for trial in ranked:
        mean = "" if trial["mean"] is None else f"{trial['mean']:.6g}"
        lines.append((
            str(trial["trial"]),
            *(_plain(trial["settings"].get(key)) for key in keys),
            mean,
            trial["status"],
        ))
    for number, settings in found.running.items():
        lines.append((str(number), *(_plain(settings.get(key, "")) for key in keys), "", "running"))
    print()
    print_columns(lines)
    if len(found.importance) > 1:
        print()
        print_columns([("setting", "importance"), *((key, f"{share:.2f}") for key, share in found.importance.items())])
    if found.best is None:
        what = "no trial" if not found.running else "so far no trial"
        complain(f"{what} of {recipe.name} {recipe.variant} has completed; see {directory}.")
    else:
        what = "best" if not found.running else "best so far"
        print(f"\n{what}: trial {found.best['trial']}, infotorch run {directory / 'best.json'}")
    if count := len(found.running):
        what = "1 trial is" if count == 1 else f"{count} trials are"
        say(f"{what} being run by other processes; the last to end has them all.")


def _plain(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
