"""`infotorch lr-range RECIPE`: its arguments."""

from __future__ import annotations

import warnings
from typing import Annotated, Any

import typer

from infotorch.commands.options import (
    Device,
    Out,
    RecipeName,
    Seed,
    Set,
    Variant,
    ascending,
    directory_for,
    positive,
    rows_of,
    share,
    whole,
)
from infotorch.commands.terminal import complain, watch_range
from infotorch.commands.usage import pick


def lr_range(
    recipe: RecipeName,
    variant: Variant = None,
    set_: Set = None,
    seed: Seed = 0,
    device: Device = "auto",
    out: Out = None,
    trials: Annotated[int, typer.Option(parser=whole(1), metavar="N", help="Passes, from other weights each.")] = 3,
    epochs: Annotated[int, typer.Option(parser=whole(1), metavar="N", help="Epochs, or parts, of a rate at most.")] = 5,
    cheap: Annotated[
        bool,
        typer.Option(
            "--cheap/--exhaustive", help="Parts of an epoch and successive halving, or all epochs at all rates."
        ),
    ] = True,
    part: Annotated[
        float | None,
        typer.Option(parser=share, metavar="SHARE", help="Of an epoch, that counts as one; by default 1/16 or 1."),
    ] = None,
    layers: Annotated[bool, typer.Option("--layers", help="A range for each layer, from its own I(T; Y).")] = False,
    attribute: Annotated[
        str | None, typer.Option(metavar="NAME", help="What chooses the range: accuracy, information or loss.")
    ] = None,
    rates: Annotated[
        Any,
        typer.Option(parser=ascending, metavar="LR,LR,...", help="Candidates; by default three a decade, 1e-5 to 1."),
    ] = None,
    c1: Annotated[
        float,
        typer.Option("--c1", parser=positive, metavar="X", help="What gains or falls short counts from best / C1 on."),
    ] = 10.0,
    c2: Annotated[
        float, typer.Option("--c2", parser=positive, metavar="X", help="The threshold epsilon is multiplied by it.")
    ] = 1.0,
    workers: Annotated[
        int, typer.Option(parser=whole(1), metavar="N", help="Processes, for several rates at once.")
    ] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print range.json and nothing else.")] = False,
) -> None:
    """Find the range of learning rates of a recipe; write range.json and range.html."""
    from infotorch.runs.preflight import check_range

    if attribute is not None:
        pick(attribute, ["accuracy", "information", "loss"], what="attribute")
    from infotorch.recipes.demonstration import trained

    row = trained(*rows_of([recipe], None if variant is None else [variant], set_ or [], first=True))
    directory = directory_for(out, f"lr-range-{row.name}-{row.variant}-seed-{seed}", resume=False)
    check_range(directory)
    how = {"search": "halving" if cheap else "exhaustive", "attribute": attribute, "c1": c1, "c2": c2}
    how |= {"seed": seed, "workers": workers}
    options = {"device": device, "rates": rates, "trials": trials, "epochs": epochs, "part": part, "layers": layers}
    with warnings.catch_warnings():  # which puts showwarning back
        warnings.showwarning = lambda message, *_, **__: complain(str(message))
        code = watch_range(row, directory, how, as_json=as_json, **options)
    raise typer.Exit(code)
