"""`infotorch lr-range RECIPE`: its arguments, and a range test where a person sees it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from infotorch.commands.options import (
    Device,
    Out,
    Quiet,
    RecipeName,
    Seed,
    Set,
    Variant,
    ascending,
    chosen,
    directory_for,
    positive,
    share,
)
from infotorch.commands.view import complain, print_columns
from infotorch.records.progress import show_progress, show_status

if TYPE_CHECKING:
    from infotorch.recipes.recipe import Recipe


def lr_range(
    recipe: RecipeName,
    variant: Variant = None,
    set_: Set = None,
    seed: Seed = 0,
    device: Device = "auto",
    out: Out = None,
    trials: Annotated[int, typer.Option(min=1, metavar="N", help="Passes, from other weights each.")] = 3,
    epochs: Annotated[
        int, typer.Option(min=1, metavar="N", help="Epochs, or parts, that a rate is trained at most.")
    ] = 5,
    cheap: Annotated[
        bool,
        typer.Option(
            "--cheap/--exhaustive", help="Parts of an epoch and successive halving, or all epochs at all rates."
        ),
    ] = True,
    part: Annotated[
        float | None,
        typer.Option(
            parser=share,
            metavar="SHARE",
            help="Share of an epoch that counts as one; by default 1/16, at least 18 steps; 1 with --exhaustive.",
        ),
    ] = None,
    layers: Annotated[bool, typer.Option("--layers", help="A range for each layer, from its own I(T; Y).")] = False,
    attribute: Annotated[
        Literal["accuracy", "information", "loss"] | None,
        typer.Option(help="What chooses the range; by default accuracy, without classes information."),
    ] = None,
    rates: Annotated[
        Any,
        typer.Option(parser=ascending, metavar="LR,LR,...", help="Candidates; by default three a decade, 1e-5 to 1."),
    ] = None,
    rule: Annotated[
        Literal["first-bad", "paper"],
        typer.Option(help="How the range is read; the paper's trains all rates to the end, dead ones too."),
    ] = "first-bad",
    c1: Annotated[
        float | None,
        typer.Option(
            "--c1",
            parser=positive,
            metavar="X",
            help="Share of the best that counts, 10 for a tenth; by default the recipe's.",
        ),
    ] = None,
    c2: Annotated[
        float | None,
        typer.Option(
            "--c2", parser=positive, metavar="X", help="Factor of the threshold epsilon; by default the recipe's."
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, metavar="N", help="Processes, for several rates at once.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print range.json and nothing else.")] = False,
    quiet: Quiet = False,
) -> None:
    """Find the range of learning rates of a recipe."""
    from infotorch.recipes.demonstration import trained
    from infotorch.runs.preflight import check_range

    wanted = trained(*chosen([recipe], None if variant is None else [variant], set_ or [], first=True))
    directory = directory_for(out, f"lr-range-{wanted.name}-{wanted.variant}-seed-{seed}", resume=False)
    check_range(directory)
    is_paper = rule == "paper"
    how = {"search": "halving" if cheap and not is_paper else "exhaustive", "attribute": attribute, "rule": rule}
    how |= {"c1": c1 or wanted.schedule.c1, "c2": c2 or wanted.schedule.c2, "stop_dead": not is_paper}
    how |= {"seed": seed, "workers": workers}
    options = {"device": device, "rates": rates, "trials": trials, "epochs": epochs, "part": part, "layers": layers}
    raise typer.Exit(_watch(wanted, directory, how, as_json=as_json, **options))


def _watch(recipe: Recipe, directory: Path, how: dict[str, Any], *, as_json: bool, **options: Any) -> int:
    """Test a recipe's learning rates where a person sees it, and keep what was found in a directory.

    Args:
        recipe: at whatever rate.
        directory: range.json and range.html are written there.
        how: those of `RangeOptions`.
        as_json: print the content of range.json, and nothing else.
        options: the others of `range_of_recipe`.

    Returns:
        The exit code.

    Raises:
        ValueError: as `range_of_recipe`.
    """
    with show_status("starting"):
        from infotorch.figures.page import CANNOT_DRAW, can_draw
        from infotorch.runs.range import range_of_recipe
        from infotorch.schedules.range_test import RangeOptions
    try:
        with show_progress(f"{recipe.name} {recipe.variant}: range test of the learning rate") as show:
            tested = range_of_recipe(
                recipe,
                options=RangeOptions(**how),
                progress=lambda what, done, total: show(what.split(",")[0], done, total),
                **options,
            )
    except RuntimeError as error:  # a worker, or the device, gave up
        complain(f"failed: {error}")
        return 1
    tested.write(directory)
    if as_json:
        print((directory / "range.json").read_text(encoding="utf-8"), end="")
        return 0
    part = "epochs" if tested.part == 1 else f"parts of {tested.part:.3g} epochs"
    print(f"{tested.found.attribute} on training samples, and after how many {part}:")
    print_columns(tested.columns())
    print()
    print_columns(tested.ranges())
    print(f"cost: {tested.epochs:.3g} epochs, {tested.found.seconds:.1f} s")
    print(f"range: {directory}")
    if not can_draw():
        print(f"no range.html: {CANNOT_DRAW}")
    return 0
