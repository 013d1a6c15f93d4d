"""`infotorch data [list | get NAME | check NAME]`: data sets and their files."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from infotorch.commands.options import HELP, PlainCommand, Quiet
from infotorch.commands.view import complain, print_columns

Name = Annotated[str, typer.Argument(metavar="NAME", help="a name from `infotorch data list`.")]
data_app = typer.Typer(
    help="List, get and check data sets; alone it lists them.",
    epilog="Example: infotorch data get mnist",
    invoke_without_command=True,
    context_settings=HELP,
    rich_markup_mode=None,
)


@data_app.callback()
def data(context: typer.Context) -> None:
    """List, get and check data sets; alone it lists them."""
    if context.invoked_subcommand is None:
        print_data()


@data_app.command(cls=PlainCommand, name="list", epilog="Example: infotorch data list")
def data_list() -> None:
    """Every data set, and whether its files are here."""
    print_data()


@data_app.command(cls=PlainCommand, name="get", epilog="Example: infotorch data get mnist")
def data_get(name: Name, quiet: Quiet = False) -> None:
    """Download what is missing of a data set, and check it."""
    from infotorch.data import get

    paths = get(name)
    for path in paths:
        print(path)
    if not paths:
        print(f"{name} is embedded; there is nothing to get.")


@data_app.command(cls=PlainCommand, name="check", epilog="Example: infotorch data check mnist")
def data_check(name: Name) -> None:
    """Compare a data set's files with their checksums."""
    from infotorch.data import check

    statuses = check(name)
    if not statuses:
        print(f"{name} is embedded; there is nothing to check.")
    for status in statuses:
        print(f"{status.status:<8} {status.path}")
    wrong = [status for status in statuses if status.status != "ok"]
    if wrong:
        complain(f"data check: {len(wrong)} of {len(statuses)} files of {name} are missing or damaged.")
        raise typer.Exit(1)


def print_data() -> None:
    """Every listed data set: name, kind, whether it is here, what it is, and its folder below the data folder."""
    from infotorch.data import data_root, describe

    root = data_root()
    lines = []
    for entry in describe():
        state, _, folder = entry.place.rpartition(" in ")
        if os.path.isabs(entry.place) or entry.place.startswith(str(root)):
            state, folder = "here", entry.place
        shown = os.path.relpath(folder, root) if state and folder else ""
        lines.append((entry.name, entry.kind, state or entry.place, entry.summary, shown))
    print_columns(lines)
    print(f"data folder (INFOTORCH_DATA): {root}")
