"""The command line: every command under its name, and one plain line for every error.

Exit codes: 0 done, 1 the run diverged or failed, 2 wrong usage (one line on stderr), 130 interrupted. A reader that
leaves, such as `head`, changes neither the work nor its code: what is still to be said is dropped.
"""

from __future__ import annotations

import sys
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import infotorch
from infotorch.commands.collect import collect
from infotorch.commands.data import data_app
from infotorch.commands.demo import demo
from infotorch.commands.diagnose import diagnose
from infotorch.commands.list import list_
from infotorch.commands.log import log
from infotorch.commands.lr_range import lr_range
from infotorch.commands.measure import measure
from infotorch.commands.options import HELP, PlainCommand, Quiet
from infotorch.commands.processes import check_processes, end_with_parent, rank
from infotorch.commands.report import report
from infotorch.commands.run import run
from infotorch.commands.streams import lasting_streams
from infotorch.commands.sweep import sweep
from infotorch.commands.table import table
from infotorch.commands.usage import explain_parser
from infotorch.commands.view import complain, plain_warnings
from infotorch.records.progress import hushed
from infotorch.runs.stopping import interrupting

#: Name, function, and the words of an example.
_COMMANDS = (
    ("demo", demo, "--seeds 1"),
    ("run", run, "ib-mnist --variant ce --set data.limit=5000 --seed 1"),
    ("table", table, "ib-mnist --variant ce --variant full-bound --seeds 3 --out runs/ib"),
    ("sweep", sweep, "demo --variant bp --set-range optimizer.lr=1e-4:1e-1:log --trials 20"),
    ("list", list_, "variants demo"),
    ("measure", measure, "people.csv --x age --x height --y income"),
    ("diagnose", diagnose, "runs/demo-bp-seed-0 --layer fc1"),
    ("lr-range", lr_range, "milr-mnist --variant network --set data.limit=10000"),
    ("collect", collect, "runs/table-ib-mnist --out results"),
    ("report", report, "runs/demo --out report.html"),
    ("log", log, "runs/demo --to tensorboard --out tensorboard"),
)


class _Commands(TyperGroup):
    """A group of commands in which Ctrl-C is one line and exit code 130, whichever click typer brings."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            complain("interrupted.")
            raise typer.Exit(130) from None


#: Commands whose work several processes share.
_SHARED = ("run",)

app = typer.Typer(
    cls=_Commands,
    help="Train, measure and explain PyTorch networks with information.",
    epilog="Example: infotorch run demo --variant bp --set epochs=2",
    invoke_without_command=True,
    context_settings=HELP,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _name, _function, _words in _COMMANDS:
    app.command(cls=PlainCommand, name=_name, epilog=f"Example: infotorch {_name} {_words}")(_function)
app.add_typer(data_app, name="data")


def _version(asked: bool) -> None:
    if asked:
        print(f"infotorch {infotorch.__version__}")
        raise typer.Exit


@app.callback()
def root(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
    quiet: Quiet = False,
) -> None:
    """Train, measure and explain PyTorch networks with information."""
    if context.invoked_subcommand is None:
        print(context.get_help())
    else:
        check_processes(context.invoked_subcommand, _SHARED)
        end_with_parent()
        if rank():
            context.with_resource(hushed())


def main() -> None:
    """Run the command line; every error is one plain line."""
    with lasting_streams(), plain_warnings(), interrupting() as stopped:
        try:
            code = app(prog_name="infotorch", standalone_mode=False)
            sys.stdout.flush()
        except KeyboardInterrupt:
            code = _interrupted()
        except Exception as error:
            code = _interrupted() if stopped() else _explain(error)
    if code == 130:
        # An interrupt that went through an `exec`, of which imports are full, makes Python end by SIGINT although it
        # was handled; the next `exec` makes it forget.
        exec("")
    sys.exit(code if isinstance(code, int) else 0)


def _interrupted() -> int:
    complain("interrupted.")
    return 130


def _explain(error: Exception) -> int:
    """Print one line for wrong usage; anything else is our own fault and keeps its traceback."""
    if hasattr(error, "format_message"):  # the parser's own errors
        complain(explain_parser(error))
        return 2
    if isinstance(error, ValueError | TypeError | OSError | ModuleNotFoundError | MemoryError):
        complain(str(error))
        return 2
    raise error
