"""`infotorch report DIR...`: its arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from infotorch.commands.collect import Places


def report(
    directories: Places,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The page to write.")] = Path("report.html"),
) -> None:
    """Make one HTML page of runs, which opens offline."""
    from infotorch.report.page import write_report
    from infotorch.runs.preflight import check_file

    check_file(out)
    print(f"report: {write_report(directories, out)}")
