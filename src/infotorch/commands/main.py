"""The command line: argument parsing only.

Exit codes: 0 done, 1 the run diverged or failed, 2 wrong usage (one line on stderr), 130 interrupted.
"""

from __future__ import annotations

import io
import json
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import infotorch
from infotorch.commands.collect import Places, collect
from infotorch.commands.diagnose import diagnose
from infotorch.commands.lr_range import lr_range
from infotorch.commands.options import (
    DataName,
    Device,
    Out,
    RecipeName,
    Recipes,
    Resume,
    Seed,
    Seeds,
    Set,
    Variant,
    directory_for,
    rows_of,
)
from infotorch.commands.terminal import complain, print_columns, print_data, show_progress, watch_run, watch_table
from infotorch.commands.usage import explain_parser, pick

_HELP = {"help_option_names": ["-h", "--help"]}


class _Commands(TyperGroup):
    """A group of commands in which Ctrl-C is one line and exit code 130, whichever click typer brings."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            complain("interrupted.")
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=_Commands,
    help="Train, measure and explain PyTorch networks with information.",
    epilog="Example: infotorch run demo --variant bp --set epochs=2",
    invoke_without_command=True,
    context_settings=_HELP,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(
    help="List, get and check data sets; alone it lists them.",
    epilog="Example: infotorch data get mnist",
    invoke_without_command=True,
    context_settings=_HELP,
    rich_markup_mode=None,
)
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
) -> None:
    """Train, measure and explain PyTorch networks with information."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command(epilog="Example: infotorch demo --seeds 1")
def demo(out: Out = None, seeds: Seeds = 3, device: Device = "auto", resume: Resume = False) -> None:
    """Run the demo table on embedded data; write report.html."""
    directory, code = _table(["demo"], None, [], seeds, device, out, resume, "demo")
    if code == 130:
        raise typer.Exit(code)
    from infotorch.report.page import write_report

    page = write_report([directory], directory / "report.html", title="infotorch demo")
    print(f"report: {page}")
    raise typer.Exit(code)


@app.command(epilog="Example: infotorch run ib-mnist --variant ce --set data.limit=5000 --seed 1")
def run(
    recipe: RecipeName,
    variant: Variant = None,
    set_: Set = None,
    seed: Seed = 0,
    device: Device = "auto",
    out: Out = None,
    resume: Resume = False,
) -> None:
    """Run one row of a recipe with one seed."""
    from infotorch.runs.preflight import check_folder

    [row] = rows_of([recipe], None if variant is None else [variant], set_ or [], first=True)
    directory = directory_for(out, f"{row.name}-{row.variant}-seed-{seed}", resume)
    check_folder(directory)
    raise typer.Exit(watch_run(row, directory, seed=seed, device=device, resume=resume))


@app.command(epilog="Example: infotorch table ib-mnist --variant ce --variant full-bound --seeds 3 --out runs/ib")
def table(
    recipe: Recipes,
    seeds: Seeds = 3,
    variant: Annotated[list[str] | None, typer.Option(help="Only these rows; repeatable.")] = None,
    set_: Set = None,
    device: Device = "auto",
    out: Out = None,
    resume: Resume = False,
) -> None:
    """Run all rows with several seeds, beside the published numbers."""
    _, code = _table(
        recipe, variant, set_ or [], seeds, device, out, resume, "table-" + "-".join(dict.fromkeys(recipe))
    )
    raise typer.Exit(code)


def _table(
    names: list[str],
    variants: list[str] | None,
    settings: list[str],
    seeds: int,
    device: str,
    out: Path | None,
    resume: bool,
    stem: str,
) -> tuple[Path, int]:
    from infotorch.runs.preflight import check_table

    rows = rows_of(names, variants, settings)
    directory = directory_for(out, stem, resume)
    kept = check_table(rows, directory, seeds, resume=resume)
    return directory, watch_table(rows, directory, seeds=seeds, device=device, resume=resume, kept=kept)


@app.command(name="list", epilog="Example: infotorch list variants demo")
def list_(
    topic: Annotated[
        str, typer.Argument(metavar="[TOPIC]", help="recipes, variants, estimators, objectives or data.")
    ] = "recipes",
    recipe: Annotated[str | None, typer.Argument(metavar="[RECIPE]", help="For `variants`: whose.")] = None,
) -> None:
    """List recipes, their variants, estimators, objectives or data."""
    topic = pick(topic, ["recipes", "variants", "estimators", "objectives", "data"], what="topic")
    if recipe is not None and topic != "variants":
        raise ValueError(f"list {topic}: takes no name, got {recipe!r}; only `list variants RECIPE` does.")
    if topic == "data":
        print_data()
    else:
        print_columns(list(_lines(topic, recipe).items()))


def _lines(topic: str, recipe: str | None) -> dict[str, str]:
    if topic == "estimators":
        from infotorch.estimators.registry import describe_estimators

        return describe_estimators()
    if topic == "objectives":
        from infotorch.objectives.names import describe_objectives

        return describe_objectives()
    from infotorch.recipes.registry import recipe_names, variants_of

    if topic == "recipes":
        return {name: variants_of(name)[0].title for name in recipe_names()}
    if recipe is None:
        raise ValueError(f"list variants: RECIPE is missing; recipes: {', '.join(recipe_names())}.")
    return {row.variant: row.description for row in variants_of(recipe)}


@app.command(epilog="Example: infotorch measure layer3.npy labels.npy --json")
def measure(
    x: Annotated[Path, typer.Argument(metavar="X.npy", help="an array, one sample a row.")],
    y: Annotated[Path, typer.Argument(metavar="Y.npy", help="an array with as many rows.")],
    estimator: Annotated[
        str,
        typer.Option(metavar="NAME", help="auto, ksg, ross, discrete, neural ...: `infotorch list estimators`."),
    ] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object; null where a number is not known.")] = False,
) -> None:
    """Mutual information of two arrays; integers are discrete."""
    from infotorch.commands.measuring import measure_files
    from infotorch.estimators.registry import describe_estimators

    pick(estimator, list(describe_estimators()), what="estimator")
    with show_progress() as show:
        found = measure_files(x, y, estimator=estimator, show=show)
    if as_json:
        print(json.dumps(found))
        return
    shown = {name: f"{value:.6g}" if isinstance(value, float) else value for name, value in found.items()}
    words = {None: "none", True: "yes", False: "no"}
    print_columns([(name, words.get(value, str(value))) for name, value in shown.items()])


app.command(epilog="Example: infotorch diagnose runs/demo-bp-seed-0 --layer fc1")(diagnose)


app.command(name="lr-range", epilog="Example: infotorch lr-range milr-mnist --variant network --set data.limit=10000")(
    lr_range
)


app.command(epilog="Example: infotorch collect runs/table-ib-mnist --out results")(collect)


@app.command(epilog="Example: infotorch report runs/demo --out report.html")
def report(
    directories: Places,
    out: Annotated[Path, typer.Option(metavar="FILE", help="The page to write.")] = Path("report.html"),
) -> None:
    """Make one self-contained HTML page of run folders or tables' files."""
    from infotorch.report.page import write_report
    from infotorch.runs.preflight import check_file

    check_file(out)
    print(f"report: {write_report(directories, out)}")


@data_app.callback()
def data(context: typer.Context) -> None:
    """List, get and check data sets; alone it lists them."""
    if context.invoked_subcommand is None:
        print_data()


@data_app.command(name="list", epilog="Example: infotorch data list")
def data_list() -> None:
    """Every data set, and whether its files are here."""
    print_data()


@data_app.command(name="get", epilog="Example: infotorch data get mnist")
def data_get(name: DataName) -> None:
    """Download what is missing of a data set, and check it."""
    from infotorch.data import get

    paths = get(name)
    for path in paths:
        print(path)
    if not paths:
        print(f"{name} is embedded; there is nothing to get.")


@data_app.command(name="check", epilog="Example: infotorch data check mnist")
def data_check(name: DataName) -> None:
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


def main() -> None:
    """Run the command line; every error is one plain line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without "±" shows a question mark
    try:
        code = app(prog_name="infotorch", standalone_mode=False)
        sys.stdout.flush()
    except KeyboardInterrupt:
        complain("interrupted.")
        code = 130
    except BrokenPipeError:  # the reader, such as `head`, has left; click, too, ends with 1 and without a word
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as error:
        code = _explain(error)
    sys.exit(code if isinstance(code, int) else 0)


def _explain(error: Exception) -> int:
    """Print one line for wrong usage; anything else is our own fault and keeps its traceback."""
    if hasattr(error, "format_message"):  # the parser's own errors
        complain(explain_parser(error))
        return 2
    if isinstance(error, ValueError | TypeError | OSError | ModuleNotFoundError):
        complain(str(error))
        return 2
    raise error
