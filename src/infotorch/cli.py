"""The command line: argument parsing only.

Exit codes: 0 done, 1 the run diverged or failed, 2 wrong usage (one line on stderr), 130 interrupted.
"""

from __future__ import annotations

import difflib
import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    help="Train, measure and explain PyTorch networks with information.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
data_app = typer.Typer(help="List, get and check data sets.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(data_app, name="data")

_EXIT = {"completed": 0, "diverged": 1, "failed": 1, "interrupted": 130}

Recipes = Annotated[list[str], typer.Argument(metavar="RECIPE...", help="Names from `infotorch list`.")]
RecipeName = Annotated[str, typer.Argument(metavar="RECIPE", help="A name from `infotorch list`.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting; may be repeated.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")]
Out = Annotated[Path | None, typer.Option(help="Where to write; by default below ./runs.")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with what is in --out.")]


@app.command()
def demo(out: Out = None, seeds: int = 3, device: Device = "auto", resume: Resume = False) -> None:
    """Train the systems beside back-propagation on embedded data; write a table and report.html."""
    directory = _run_table(["demo"], None, None, seeds, device, out, resume, "demo")
    from infotorch.report.page import write_report

    page = write_report([directory], directory / "report.html", title="infotorch demo")
    print(f"report: {page}")


@app.command()
def run(
    recipe: RecipeName,
    variant: Annotated[str | None, typer.Option(help="A row of the recipe's table; by default its first.")] = None,
    set_: Set = None,
    seed: Annotated[int, typer.Option(min=0)] = 0,
    device: Device = "auto",
    out: Out = None,
    resume: Resume = False,
) -> None:
    """Run one row of a recipe with one seed."""
    from infotorch.recipes.recipe import change_from_text
    from infotorch.recipes.registry import find_recipe

    row = change_from_text(find_recipe(recipe, variant), set_ or [])
    directory = _directory(out, f"{row.name}-{row.variant}-seed-{seed}", resume)
    if _is_finished(directory) and resume:
        print(f"{directory} is finished.")
    from infotorch import runner
    from infotorch.terminal import show_progress

    with show_progress() as progress:
        outcome = runner.run(row, directory, seed=seed, device=device, resume=resume, progress=progress)
    for name, value in outcome.metrics.items():
        published = outcome.published.get(name)
        print(f"{name} {value:.6g}" + (f"  (published {published['value']:.6g})" if published else ""))
    print(
        f"{outcome.status}: {outcome.message}; {directory}",
        file=sys.stdout if outcome.status == "completed" else sys.stderr,
    )
    raise typer.Exit(_EXIT[outcome.status])


@app.command()
def table(
    recipe: Recipes,
    seeds: Annotated[int, typer.Option(min=1, help="Seeds 0 to N-1 for every row.")] = 3,
    variant: Annotated[list[str] | None, typer.Option(help="Only these rows; may be repeated.")] = None,
    set_: Set = None,
    device: Device = "auto",
    out: Out = None,
    resume: Resume = False,
) -> None:
    """Run every row of recipes with several seeds; print published beside measured, mean and spread."""
    _run_table(recipe, variant, set_, seeds, device, out, resume, "table-" + "-".join(recipe))


def _run_table(
    names: list[str],
    variants: list[str] | None,
    settings: list[str] | None,
    seeds: int,
    device: str,
    out: Path | None,
    resume: bool,
    stem: str,
) -> Path:
    from infotorch.recipes.recipe import change_from_text
    from infotorch.recipes.registry import find_recipe, table_rows

    rows = [find_recipe(name, v) for name in names for v in variants or [row.variant for row in table_rows(name)]]
    rows = [change_from_text(row, settings or []) for row in rows]
    directory = _directory(out, stem, resume)
    _refuse_foreign(directory, resume)
    from rich.console import Console

    from infotorch.records import find_runs, write_atomic
    from infotorch.report.rows import summarise
    from infotorch.report.table import markdown_table, terminal_table
    from infotorch.runner import run_table
    from infotorch.terminal import show_progress

    with show_progress() as progress:
        outcomes = run_table(rows, directory, seeds=seeds, device=device, resume=resume, progress=progress)
    if outcomes[-1].status == "interrupted":
        print(f"interrupted; --resume --out {directory} goes on.", file=sys.stderr)
        raise typer.Exit(130)
    summary = summarise(find_runs(directory))
    write_atomic(directory / "table.md", markdown_table(summary).encode())
    Console().print(terminal_table(summary))
    print(f"runs: {directory}")
    if any(outcome.status != "completed" for outcome in outcomes):
        print("some runs did not complete; the table names them.", file=sys.stderr)
        raise typer.Exit(1)
    return directory


class Topic(StrEnum):
    """What `infotorch list` can list."""

    recipes = "recipes"
    variants = "variants"
    estimators = "estimators"
    objectives = "objectives"
    data = "data"


@app.command(name="list")
def list_(
    topic: Annotated[Topic, typer.Argument()] = Topic.recipes,
    recipe: Annotated[str | None, typer.Argument(help="For `variants`: whose.")] = None,
) -> None:
    """List recipes, variants of a recipe, estimators, objectives or data sets."""
    if topic is Topic.data:
        return data_list()
    for name, line in _lines(topic, recipe).items():
        print(f"{name:<18} {line}")
    return None


def _lines(topic: Topic, recipe: str | None) -> dict[str, str]:
    if topic is Topic.estimators:
        from infotorch.estimators.choose import describe_estimators

        return describe_estimators()
    if topic is Topic.objectives:
        from infotorch.objectives.names import describe_objectives

        return describe_objectives()
    from infotorch.recipes.registry import recipe_names, table_rows

    if topic is Topic.variants:
        if recipe is None:
            raise ValueError(f"list variants needs a recipe: {', '.join(recipe_names())}.")
        return {row.variant: row.description for row in table_rows(recipe)}
    return {name: table_rows(name)[0].title for name in recipe_names()}


@app.command()
def measure(
    x: Annotated[Path, typer.Argument(metavar="X.npy")],
    y: Annotated[Path, typer.Argument(metavar="Y.npy")],
    estimator: Annotated[str, typer.Option(help="auto, or a name from `infotorch list estimators`.")] = "auto",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Mutual information of two arrays whose rows are paired samples, in nats; integers are discrete."""
    from infotorch.estimators.choose import measure_files

    found = measure_files(x, y, estimator=estimator)
    if as_json:
        print(json.dumps(found))
        return
    width = max(map(len, found))
    for name, value in found.items():
        print(f"{name:<{width}}  {value:.6g}" if isinstance(value, float) else f"{name:<{width}}  {value}")


@app.command()
def report(
    directories: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Run directories, or folders of them.")],
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
) -> None:
    """Make one self-contained HTML page of run directories."""
    from infotorch.report.page import write_report

    print(f"report: {write_report(directories, out)}")


@data_app.command(name="list")
def data_list() -> None:
    """Every data set, and whether its files are here."""
    from infotorch.data import describe

    for entry in describe():
        print(f"{entry.name:<14} {entry.place:<10} {entry.summary}")


@data_app.command(name="get")
def data_get(name: str) -> None:
    """Download what is missing of a data set, and check it."""
    from infotorch.data import get

    for path in get(name):
        print(path)


@data_app.command(name="check")
def data_check(name: str) -> None:
    """Compare the files of a data set with their checksums."""
    from infotorch.data import check

    statuses = check(name)
    for status in statuses:
        print(f"{status.status:<8} {status.path}")
    if any(status.status != "ok" for status in statuses):
        raise typer.Exit(1)


def _directory(out: Path | None, stem: str, resume: bool) -> Path:
    """`out`, or runs/<stem>; when that is taken, the next free number, or with resume the last one taken."""
    if out is not None:
        return out
    first = Path("runs") / stem
    taken, number = None, 1
    candidate = first
    while candidate.exists():
        taken, number = candidate, number + 1
        candidate = first.with_name(f"{stem}-{number}")
    return taken if resume and taken is not None else candidate


def _refuse_foreign(directory: Path, resume: bool) -> None:
    if directory.exists() and not directory.is_dir():
        raise ValueError(f"--out {directory} is a file, and a directory is needed.")
    if directory.exists() and any(directory.iterdir()) and not resume:
        raise ValueError(f"--out {directory} is not empty; add --resume to go on with it, or choose another.")


def _is_finished(directory: Path) -> bool:
    from infotorch.records import RunRecord

    return (outcome := RunRecord(directory).outcome()) is not None and outcome.status in {"completed", "diverged"}


def main() -> None:
    """Run the command line; every error is one plain line."""
    try:
        code = app(standalone_mode=False)
    except KeyboardInterrupt:
        print("infotorch: interrupted.", file=sys.stderr)
        code = 130
    except Exception as error:
        code = _explain(error)
    sys.exit(code if isinstance(code, int) else 0)


def _explain(error: Exception) -> int:
    """Print one line for wrong usage; anything else is our own fault and keeps its traceback."""
    if hasattr(error, "format_message"):  # the parser's own errors, whichever click typer brings
        message = error.format_message() or "wrong usage"  # pyright: ignore[reportAttributeAccessIssue]
        print(f"infotorch: {_first_line(message)}{_near_command(message)}", file=sys.stderr)
        return 2
    if type(error).__name__ == "Abort":
        return 130
    if isinstance(error, ValueError | TypeError | OSError | ModuleNotFoundError):
        print(f"infotorch: {_first_line(str(error))}", file=sys.stderr)
        return 2
    raise error


def _first_line(message: str) -> str:
    return " ".join(message.split())


def _near_command(message: str) -> str:
    if "No such command" not in message:
        return ""
    names = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]
    word = message.split("'")[1] if "'" in message else ""
    near = difflib.get_close_matches(word, [*names, "data"], n=1)
    return f" Did you mean {near[0]}?" if near else f" Commands: {', '.join([*names, 'data'])}."
