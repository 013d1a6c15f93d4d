"""`infotorch demo`: its arguments; a table, and its page."""

from __future__ import annotations

import typer

from infotorch.commands.options import Device, Out, Quiet, Resume, Seeds, chosen, directory_for
from infotorch.commands.table import run_and_show


def demo(
    out: Out = None, seeds: Seeds = 3, device: Device = "auto", resume: Resume = False, quiet: Quiet = False
) -> None:
    """Run the demo table on embedded data; write report.html."""
    directory = directory_for(out, "demo", resume)
    code = run_and_show(chosen(["demo"], None, []), directory, seeds, device, resume)
    if code == 130:
        raise typer.Exit(code)
    from infotorch.figures.page import CANNOT_DRAW, can_draw
    from infotorch.report.page import write_report

    if not can_draw():
        print(f"no report: {CANNOT_DRAW}, then infotorch report {directory}")
        raise typer.Exit(code)
    print(f"report: {write_report([directory], directory / 'report.html', title='infotorch demo')}")
    raise typer.Exit(code)
