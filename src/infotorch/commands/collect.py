"""`infotorch collect`: run folders become one file a table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Places = Annotated[list[Path], typer.Argument(metavar="DIR", help="run folders, folders above them, or tables' files.")]


def collect(
    places: Places,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the tables' files.")] = Path("results"),
    into: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The table's file, in place of one in --out.")
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Leave these files of runs out, e.g. embeddings.json; repeatable."),
    ] = None,
) -> None:
    """Merge finished runs into one file a table."""
    from infotorch.records.collecting import collect as merge
    from infotorch.runs.preflight import check_file, check_folder

    if into is None:
        check_folder(out)
    elif into.suffix != ".json":
        raise ValueError(f"collect: --into must name a .json file, got {into}.")
    else:
        check_file(into)
    for table in merge(places, out=out, into=into, without=without or ()):
        print(f"{table.path}: {table.added} runs added, {table.kept} there before")
