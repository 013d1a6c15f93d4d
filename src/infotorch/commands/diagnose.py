"""`infotorch diagnose RECIPE | RUN`: its arguments, and what a person sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from infotorch.commands.terminal import print_rich, say
from infotorch.commands.usage import check_choices


def _whole(text: Any) -> int:
    if not str(text).isdecimal():
        raise typer.BadParameter(f"must be a whole number, at least 0, got {str(text)!r}.")
    return int(text)


def diagnose(
    what: Annotated[str, typer.Argument(metavar="RECIPE|RUN", help="a name from `infotorch list`, or a run folder.")],
    variant: Annotated[str | None, typer.Option(help="A row of the recipe's table; by default the first.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a recipe's setting; repeatable.")
    ] = None,
    seed: Annotated[int, typer.Option(parser=_whole, metavar="N", help="Decides everything random; from 0.")] = 0,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    layer: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this layer; repeatable.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object; null where nothing was measured.")] = False,
) -> None:
    """Say of every layer whether I(X; T) means anything, with P1 to P4."""
    if Path(what).is_dir():
        if variant is not None or set_:
            raise ValueError(f"diagnose: {what} is a run, whose settings are decided; leave out --variant and --set.")
        from infotorch.runs.diagnose import diagnose_run

        found = diagnose_run(Path(what), layers=layer, device=device, seed=seed)
    else:
        row = _row(what, variant, set_ or [])
        from infotorch.runs.diagnose import diagnose_recipe

        found = diagnose_recipe(row, layers=layer, device=device, seed=seed)
    if as_json:
        print(json.dumps(found, allow_nan=False))
        return
    _show(found)
    if Path(what).is_dir():
        print(f"diagnosis: {Path(what) / 'diagnosis.json'}")


def _row(name: str, variant: str | None, settings: list[str]) -> Any:
    from infotorch.recipes.changes import change_from_text
    from infotorch.recipes.demonstration import trained
    from infotorch.recipes.registry import find_recipe, variants_of
    from infotorch.runs.preflight import check_names

    if "/" in name:
        raise FileNotFoundError(f"diagnose: {name} is not a folder, and no recipe is called so.")
    row = trained(find_recipe(name, variant or variants_of(name)[0].variant))
    check_choices(row, settings)
    row = change_from_text(row, settings)
    check_names([row])
    say(f"{row.name} {row.variant}: the network as it is initialised; of a trained one, give the run's folder")
    return row


def _show(found: dict[str, Any]) -> None:
    from infotorch.report.diagnosis import advice, terminal_diagnosis

    print_rich(terminal_diagnosis(found))
    for who, why, instead in advice(found):
        print(f"{who}: {why}\n  instead: {instead}.")
