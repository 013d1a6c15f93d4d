"""`infotorch diagnose RECIPE | RUN`: its arguments, and what a person sees."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infotorch.commands.options import Device, Quiet, Seed, Set, Variant, chosen
from infotorch.commands.view import print_rich, shown_width
from infotorch.records.progress import say

if TYPE_CHECKING:
    from infotorch.recipes.recipe import Recipe


def diagnose(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RECIPE|RUN", help="a run's folder, or a name from `infotorch list` for its untrained model."
        ),
    ],
    variant: Variant = None,
    set_: Set = None,
    seed: Seed = 0,
    device: Device = "auto",
    layer: Annotated[list[str] | None, typer.Option(metavar="NAME", help="Only this layer; repeatable.")] = None,
    against: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Another run of the same data, to compare layer by layer.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object; null where nothing was measured.")] = False,
    quiet: Quiet = False,
) -> None:
    """Check, per layer, whether I(X; T) is a meaningful number."""
    if Path(what).is_dir():
        if variant is not None or set_:
            raise ValueError(f"diagnose: {what} is a run, whose settings are decided; leave out --variant and --set.")
        if against is not None:
            _compare(Path(what), against, layer, device, seed, as_json)
            return
        from infotorch.runs.diagnose import diagnose_run

        found = diagnose_run(Path(what), layers=layer, device=device, seed=seed)
    else:
        if against is not None:
            raise ValueError(f"diagnose: --against compares two runs, got {what}; give a run's folder.")
        recipe = _recipe(what, variant, set_ or [])
        from infotorch.runs.diagnose import diagnose_recipe

        found = diagnose_recipe(recipe, layers=layer, device=device, seed=seed)
    if as_json:
        print(json.dumps(found, allow_nan=False))
        return
    _show(found)
    if Path(what).is_dir():
        print(f"diagnosis: {Path(what) / 'diagnosis.json'}")


def _compare(first: Path, second: Path, layers: list[str] | None, device: str, seed: int, as_json: bool) -> None:
    from infotorch.records.files import json_values
    from infotorch.runs.diagnose import compare_runs

    found = compare_runs(first, second, layers=layers, device=device, seed=seed)
    if as_json:
        content = {"layers": found.table(), "similarity": [[*row] for row in found.similarity]}
        print(json.dumps(json_values(content), allow_nan=False))
        return
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, title=f"{first} and {second}", title_justify="left")
    for heading in ("layer", "most like"):
        table.add_column(heading, overflow="fold")
    for heading in ("CKA", *(heading for heading, _ in _COMPARED)):
        table.add_column(heading, justify="right")
    for line in found.table():
        cells = [_with_gain(line.get(key), line.get(f"{key}_gain")) for _, key in _COMPARED]
        table.add_row(str(line["layer"]), str(line["most_like"]), _with_gain(line["cka"]), *cells)
    print_rich(table)
    print("In brackets: by how much the other run's layer has more.")


#: What a comparison shows: heading and key.
_COMPARED = (
    ("I(T; Y), nats", "mi_ty_nats"),
    ("effective rank", "effective_rank"),
    ("linear accuracy", "linear_accuracy"),
    ("under PGD", "attacked_accuracy"),
)


def _with_gain(value: object, gain: object = None) -> str:
    if not isinstance(value, int | float):
        return "–"
    return f"{value:.2f}" + (f" ({gain:+.2f})" if isinstance(gain, int | float) else "")


def _recipe(name: str, variant: str | None, settings: list[str]) -> Recipe:
    from infotorch.recipes.demonstration import trained
    from infotorch.records.table_file import is_table

    if is_table(Path(name)):
        raise ValueError(f"diagnose: {name} is a table's file, which holds no weights; give a run's folder.")
    if "/" in name and not name.endswith(".json"):
        raise FileNotFoundError(f"diagnose: {name} is not a folder, and no recipe is called so.")
    recipe = trained(*chosen([name], None if variant is None else [variant], settings, first=True))
    say(f"{recipe.name} {recipe.variant}: the model as it is initialised; of a trained one, give the run's folder")
    return recipe


def _show(found: dict[str, Any]) -> None:
    from infotorch.report.diagnosis import advice, terminal_diagnosis

    print_rich(*terminal_diagnosis(found, shown_width()))
    for who, why, instead in advice(found):
        print(f"{who}: {why}\n  instead: {instead}.")
