"""`infotorch log DIR... --to csv|tensorboard`: its arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from infotorch.commands.collect import Places
from infotorch.commands.usage import pick

_FORMATS = {"csv": "metrics.csv", "tensorboard": "tensorboard"}


def log(
    directories: Places,
    to: Annotated[str, typer.Option("--to", metavar="FORMAT", help="csv or tensorboard.")] = "csv",
    out: Annotated[
        Path | None, typer.Option(metavar="PATH", help="The file of csv (metrics.csv), or TensorBoard's folder.")
    ] = None,
) -> None:
    """Write runs' metrics for spreadsheets, pandas or TensorBoard."""
    from infotorch.records.logs import write_logs
    from infotorch.runs.preflight import check_file, check_folder

    pick(to, list(_FORMATS), what="format")
    chosen = out or Path(_FORMATS[to])
    check_file(chosen) if to == "csv" else check_folder(chosen)
    print(f"{to}: {write_logs(directories, chosen, to=to)}")  # pyright: ignore[reportArgumentType]
